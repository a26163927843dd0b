"""Streams that go from shard to shard, between threads and under TLS."""

import base64
import secrets

import pytest

import scene as scenes
from client import Client, Closed
from xmltree import BIND, SASL

pytestmark = pytest.mark.only("antiphon")

MOVE = "urn:antiphon:test:move"
SHARDS = 4


@pytest.fixture
def moving(own_server):
    """A server of several shards, and an account."""
    server = own_server({"shards": SHARDS, "modules": {"testmove": {}}})
    return scenes.Scene(server, ("romeo",))


def move(shard, prefix="m:"):
    if prefix:
        return "<m:move shard='%d'/><m:where/>" % shard
    return ("<move xmlns='%s' shard='%d'/><where xmlns='%s'/>"
            % (MOVE, shard, MOVE))


def everything(c, romeo, prefix, messages=20):
    """All that a client has to say, from its header to its last message."""
    more = " xmlns:m='%s'" % MOVE if prefix else ""
    header = c.header(more=more)
    moves = "".join(move(i % SHARDS, prefix) for i in range(2 * SHARDS))
    plain = base64.b64encode(("\0%s\0%s" % (romeo.name, romeo.password))
                             .encode()).decode()
    resource = secrets.token_hex(4)
    return (header + moves
            + "<auth xmlns='%s' mechanism='PLAIN'>%s</auth>" % (SASL, plain)
            + header + moves
            + "<iq type='set' id='b'><bind xmlns='%s'><resource>%s</resource>"
              "</bind></iq>" % (BIND, resource)
            + "".join("<message to='%s/%s' id='m%d'/>"
                      % (romeo.jid, resource, i) for i in range(messages)))


def hear(c, until):
    got = b""
    while until not in got:
        c.sock.settimeout(30)
        data = c.sock.recv(65536)
        assert data, "the server closed: %r" % got[-500:]
        got += data
    return got.decode()


def check(got, messages=20):
    places = [b.split('"')[0] for b in got.split('shard="')[1:]]
    assert places == [str(i % SHARDS) for i in range(2 * SHARDS)] * 2
    assert got.count('went="yes"') == 4 * SHARDS
    at = got.index("<jid>")
    for i in range(messages):
        at = got.index('id="m%d"' % i, at)


@pytest.mark.parametrize("prefix", [True, False])
@pytest.mark.parametrize("kind", ["direct", "starttls"])
def test_all_in_one_write(moving, kind, prefix):
    romeo = moving.accounts["romeo"]
    for _ in range(10):
        c = Client(moving.server).connect(kind)
        if kind == "starttls":
            c.open()
            c.starttls()
        c.send(everything(c, romeo, prefix))
        check(hear(c, b'id="m19"'))
        c.drop()


def test_many_at_once(moving):
    """Their answers come in order, each at its own client."""
    romeo = moving.accounts["romeo"]
    clients = [Client(moving.server).connect("direct") for _ in range(15)]
    for c in clients:
        c.send(everything(c, romeo, True))
    for c in clients:
        check(hear(c, b'id="m19"'))
        c.drop()


def test_broken_on_the_way(moving):
    romeo = moving.accounts["romeo"]
    for i in range(40):
        c = Client(moving.server).connect("direct")
        text = everything(c, romeo, True)
        c.send(text[:len(text) * i // 40])
        c.reset()
    c = Client(moving.server).login(romeo.name, romeo.password)
    c.quiet()
    c.drop()


def test_stop_on_the_way(moving):
    """Whoever is on his way is told, and the server ends."""
    romeo = moving.accounts["romeo"]
    clients = [Client(moving.server).connect("direct") for _ in range(20)]
    for c in clients:
        c.send(everything(c, romeo, True))
    moving.server.stop()
    for c in clients:
        got = b""
        while True:
            try:
                data = c.sock.recv(65536)
            except OSError:
                break
            if not data:
                break
            got += data
        assert b"connection-timeout" not in got
        c.drop()
