"""Streams that go both ways (XEP-0288), with another server that does as it is told:
what goes out by a stream that has come, and what comes back by one of ours."""

import json
import socket
import time

import pytest

from client import Client, PATIENCE
from s2s_peer import conf, Host, PEER, Peer

pytestmark = pytest.mark.only("antiphon")

OURS = "antiphon.test"
BIDI = "<bidi xmlns='urn:xmpp:bidi'/>"
FEATURE = "urn:xmpp:features:bidi"


@pytest.fixture
def server(own_server, authority, host):
    return own_server(conf({"remotes": host.remotes(), "limits": {
        "write_queue_bytes": "64KiB", "write_queue_max_bytes": "256KiB"}},
        authorities=authority.cert))


def user(server, name="romeo"):
    server.adduser(name, "secret")
    client = Client(server, name).login(name, "secret", "home")
    client.send("<presence/>")
    client.ping()
    client.inbox.clear()
    return client


def write(client, body, to="juliet@" + PEER):
    client.send("<message type='chat' to='%s'><body>%s</body></message>" % (
        to, body))


def come(server, authority, ask=BIDI):
    peer = Peer(server, PEER, authority.issue("good", PEER)).secure()
    assert peer.features.child("bidi", FEATURE) is not None
    peer.send(ask)
    return peer.external()


def body(stanza):
    return stanza.child("body").text()


def directions(server):
    return sorted(json.loads(line)["direction"] for line in
                  server.ctl("--json", "s2s", "list").splitlines())


def wait(server, wanted):
    deadline = time.monotonic() + PATIENCE
    while directions(server) != wanted:
        assert time.monotonic() < deadline, directions(server)


def test_all_goes_by_the_stream_that_came(server, authority, host):
    """Whatever shard has accepted it."""
    romeo = user(server)
    for i in range(8):
        peer = come(server, authority)
        for n in range(10):
            write(romeo, "%d %d" % (i, n))
        for n in range(10):
            assert body(peer.next()) == "%d %d" % (i, n)
        peer.send("<message type='chat' from='juliet@%s' to='romeo@%s/home'>"
                  "<body>back</body></message>" % (PEER, OURS))
        assert body(romeo.next()) == "back"
        assert directions(server) == ["both"]
        peer.close()
        wait(server, [])
    assert not host.streams


def test_the_next_stream_takes_over(server, authority, host):
    """Not before the first has ended; in order, and nothing twice."""
    romeo = user(server)
    first = come(server, authority)
    write(romeo, "1")
    assert body(first.next()) == "1"
    second = come(server, authority)
    write(romeo, "2")
    assert body(first.next()) == "2"
    first.close()
    wait(server, ["both"])
    write(romeo, "3")
    assert body(second.next()) == "3"
    second.close()
    wait(server, [])
    write(romeo, "4")
    assert body(host.wait_element(
        lambda e: e.name == "message", "a message")) == "4"


def test_one_that_does_not_read_is_cut(server, authority, host):
    """And costs nobody else: what it was not given goes by the next."""
    romeo = user(server)
    peer = come(server, authority)
    write(romeo, "first")
    assert body(peer.next()) == "first"
    peer.sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    text = "x" * 50000
    for n in range(200):
        write(romeo, text)
        if n % 10 == 9:
            romeo.ping()
        if host.streams:
            break
    write(romeo, "last")
    host.wait_element(lambda e: e.name == "message" and
                      e.child("body").text() == "last", "the last")
    romeo.ping()


@pytest.mark.parametrize("frm", ["juliet@other.example", "a@" + OURS])
def test_nobody_else_speaks_by_it(server, authority, host, frm):
    romeo = user(server)
    peer = come(server, authority)
    peer.send("<message type='chat' from='%s' to='romeo@%s/home'>"
              "<body>spoofed</body></message>" % (frm, OURS))
    peer.expect_error("invalid-from")
    romeo.ping()
    assert not romeo.inbox


def test_what_a_reload_forbids_ends(server, authority, host):
    romeo = user(server)
    peer = come(server, authority)
    write(romeo, "1")
    assert body(peer.next()) == "1"
    server.conf["federation"]["deny"] = [PEER]
    server.write_conf()
    server.ctl("reload")
    peer.expect_error("policy-violation")
    write(romeo, "2")
    assert romeo.next().get("type") == "error"


class Both(Host):
    """Whose streams go both ways."""

    def features(self, stream):
        out = super().features(stream)
        if stream.secured and not stream.authenticated:
            out += "<bidi xmlns='%s'/>" % FEATURE
        return out


@pytest.mark.parametrize("external", [True, False])
def test_what_comes_back_by_ours(own_server, authority, external):
    host = Both(PEER, authority.issue("good", PEER), external=external)
    server = own_server(conf({"remotes": host.remotes()},
                             authorities=authority.cert))
    romeo = user(server)
    write(romeo, "hello")
    host.wait_element(lambda e: e.name == "message", "a message")
    stream = host.streams[0]
    names = [e.name for e in stream.got]
    assert names.index("bidi") < names.index("auth" if external else "result")
    stream.send("<message type='chat' from='juliet@%s' to='romeo@%s/home'>"
                "<body>back</body></message>" % (PEER, OURS))
    assert body(romeo.next()) == "back"
    assert directions(server) == ["both"]
    rows = [json.loads(line) for line in server.ctl(
        "--json", "s2s", "why", PEER).splitlines()]
    assert [r["state"] for r in rows if (r["direction"], r["step"]) ==
            ("in", "stream")] == ["ours"], rows
    stream.send("<message type='chat' from='juliet@other.example' "
                "to='romeo@%s/home'><body>spoofed</body></message>" % OURS)
    stream.wait(lambda e: e.name == "error", "an error")
    romeo.ping()
    assert not romeo.inbox
    host.end()
