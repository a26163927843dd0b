"""antiphonctl s2s why: for each step that can go wrong between two servers, what it
says."""

import json
import socket
import tempfile

import pytest

import names as dns
from client import Client
from process import Failed
from s2s_peer import conf, Host, PEER, Peer
from xmltree import SASL

pytestmark = pytest.mark.only("antiphon")

OURS = "antiphon.test"


def why(server, *args):
    """Rows by direction and step: the last of each."""
    rows = [json.loads(line) for line in server.ctl(
        "--json", "s2s", "why", *(args or (PEER,))).splitlines()]
    assert all(list(row) == ["direction", "step", "state", "found", "note"]
               for row in rows)
    return {(row["direction"], row["step"]): row for row in rows}


def check(rows, direction, step, state, found="", note=""):
    row = rows[direction, step]
    assert row["state"] == state
    assert found in row["found"]
    assert note in row["note"]


def stops_at(rows, step, state, found="", note=""):
    """The last thing that was seen on the way out."""
    check(rows, "out", step, state, found, note)
    assert ("out", "stream") not in rows or step == "stream"
    assert ("in", "answer") not in rows


def at(host, own_server, authority, **federation):
    return own_server(conf({"remotes": host.remotes(),
                            "s2s": {"timeout": "5s"}},
                           authorities=authority.cert, **federation))


class Names:
    """A name server in which the domain leads to those hosts, one after the other."""

    def __init__(self, pool, *hosts):
        folder = tempfile.mkdtemp(dir=pool.folder)
        self.names = dns.Names(folder)
        self.names.zone(PEER, "xmpp A 127.0.0.1", *(
            "_xmpp-server._tcp SRV %d 0 %d xmpp" % (i, host.port)
            for i, host in enumerate(hosts)))
        self.names.start()

    def __enter__(self):
        return self.names

    def __exit__(self, *_):
        self.names.stop()


@pytest.mark.skipif(bool(dns.missing()), reason="see contrib/deps.sh")
@pytest.mark.parametrize("says,cond", (("invalid", "internal-server-error"),
                                       ("item-not-found", None)))
def test_who_says_that_we_are_not_we_is_the_last(pool, own_server, authority,
                                                 says, cond):
    """XEP-0220 §2.1.1"""
    first = Host(PEER, authority.issue("good", PEER), external=False)
    second = Host(PEER, authority.issue("good", PEER), external=False)
    first.on_element = lambda stream, e: e.name == "result" and (
        stream.say("result", e, says) or True)
    with Names(pool, first, second) as names:
        server = own_server(conf({"dns": names.conf()},
                                 authorities=authority.cert))
        server.adduser("romeo", "secret")
        romeo = Client(server, "romeo").login("romeo", "secret", "home")
        query = "<iq type='get' id='%d' to='" + PEER + \
            "'><query xmlns='urn:example:nothing'/></iq>"
        romeo.send(query % 1)
        if cond:
            answer = romeo.next()
            assert answer.child("error").child(cond), answer
            # and for a while nobody is asked again
            romeo.send(query % 2)
            assert romeo.next().child("error").child(cond)
            assert not second.streams
            assert server.ctl("s2s", "show", PEER).count("it is not ours") == 1
        else:
            second.wait_element(lambda e: e.name == "iq", "the request")
        romeo.drop()
    first.end()
    second.end()


@pytest.fixture
def host(authority):
    hosts = []

    def make(kind="good", **more):
        hosts.append(Host(PEER, authority.issue(kind, PEER), **more))
        return hosts[-1]
    yield make
    for one in hosts:
        one.end()


# --- it works -----------------------------------------------------------------


def answers(server, authority):
    """Answers pings by a stream of its own."""
    def on_element(stream, e):
        if e.name != "iq":
            return False
        peer = Peer(server, PEER, authority.issue("good", PEER))
        peer.secure().external()
        peer.send("<iq type='result' id='%s' from='%s' to='%s'/>" % (
            e.get("id"), PEER, OURS))
        peers.append(peer)
        return True
    peers = []
    return on_element


def test_both_directions(own_server, authority, host):
    there = host()
    server = at(there, own_server, authority)
    there.on_element = answers(server, authority)
    rows = why(server)
    check(rows, "here", "policy", "ok", "antiphon.test and peer.example may talk")
    check(rows, "here", "certificate", "ok")
    check(rows, "here", "ports", "ok", "direct TLS")
    check(rows, "out", "SRV", "not asked", "127.0.0.1:%d" % there.port)
    check(rows, "out", "connection", "ok", "with STARTTLS")
    check(rows, "out", "TLS", "ok", "TLSv1.3")
    check(rows, "out", "certificate", "ok", "is for " + PEER)
    check(rows, "out", "authentication", "ok", "EXTERNAL")
    check(rows, "out", "stream", "up")
    check(rows, "in", "answer", "ok", "answered", "both directions work")
    check(rows, "in", "stream", "up", "by EXTERNAL")


def test_nothing_comes_back(own_server, authority, host):
    """They take all, and have refused certificates of theirs before."""
    there = host()
    server = at(there, own_server, authority, policy="required-trusted")
    Peer(server, PEER, authority.issue("expired", PEER)).secure().result()
    rows = why(server)
    check(rows, "out", "stream", "up")
    check(rows, "in", "answer", "failed", note="they do not find or reach us")
    check(rows, "in", "refused", "failed", "has expired")
    check(rows, "in", "stream", "none")


# --- policy --------------------------------------------------------------------


@pytest.mark.parametrize("federation,state,found", (
    ({"mode": "off"}, "off", "it is switched off"),
    ({"deny": [PEER]}, "forbidden", "`federation: deny'"),
    ({"allow": ["other.example"]}, "forbidden", "`federation: allow'"),
))
def test_policy(own_server, federation, state, found):
    # of other.test: else there are no ports for servers
    server = own_server(conf({"hosts": {OURS: {"federation": federation}}}))
    rows = why(server, PEER, OURS)
    check(rows, "here", "policy", state, found)
    assert not [key for key in rows if key[0] == "out"]


def test_domains(own_server):
    server = own_server(conf())
    with pytest.raises(Failed, match="is a domain of ours"):
        server.ctl("s2s", "why", OURS)
    with pytest.raises(Failed, match="far.example is no domain of ours"):
        server.ctl("s2s", "why", PEER, "far.example")


# --- the DNS -------------------------------------------------------------------


@pytest.fixture
def names(open_path):
    if dns.missing():
        pytest.skip("not installed: " + ", ".join(dns.missing()))
    names = dns.Names(open_path)
    yield names
    names.stop()


def test_names(own_server, names, open_path):
    names.zone("none.example", "_xmpp-server._tcp SRV 0 0 0 .",
               "_xmpps-server._tcp SRV 0 0 0 .")
    names.zone("lost.example", "_xmpp-server._tcp SRV 0 5 5269 nobody")
    names.start()
    server = own_server(conf({"dns": names.conf(), "s2s": {"timeout": "5s"}}))
    stops_at(why(server, "none.example"), "SRV", "refused", "no such service",
             "only they can change that")
    stops_at(why(server, "lost.example"), "address", "none",
             "nobody.lost.example has no address")
    rows = why(server, "missing.none.example")
    check(rows, "out", "SRV", "none")
    stops_at(rows, "address", "none", "missing.none.example")


# --- connection, TLS -----------------------------------------------------------


def nobody(own_server, port):
    return own_server(conf({"remotes": {PEER: {
        "address": "127.0.0.1", "port": port}}, "s2s": {"timeout": "2s"}}))


def test_a_port_that_refuses(own_server):
    stops_at(why(nobody(own_server, dns.free_port())), "connection", "failed",
             "Connection refused", "a firewall")


def test_a_port_that_is_silent(own_server):
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        sock.listen(8)
        rows = why(nobody(own_server, sock.getsockname()[1]))
    check(rows, "out", "connection", "ok")
    stops_at(rows, "time", "failed", "waited in vain for their header")


def test_no_tls(own_server, authority, host):
    there = host()
    there.features = lambda stream: ""
    stops_at(why(at(there, own_server, authority)), "stream", "failed",
             "they offer no TLS")


# --- who they are, and we --------------------------------------------------------


@pytest.mark.parametrize("kind,found", (
    ("expired", "has expired on"), ("self-signed", "signed by itself"),
    ("other-name", "is for")))
def test_certificates(own_server, authority, host, kind, found):
    server = at(host(kind), own_server, authority, policy="required-trusted")
    stops_at(why(server), "certificate", "failed", found,
             "they need a certificate for this domain")


def test_a_certificate_that_dialback_makes_good(own_server, authority, host):
    server = at(host("self-signed", external=False), own_server, authority)
    rows = why(server)
    check(rows, "out", "certificate", "not trusted", "signed by itself",
          "the policy here lets dialback be enough")
    check(rows, "out", "authentication", "ok", "dialback")


def test_a_certificate_that_they_do_not_take(own_server, authority, host):
    """Told by a stream that stands, also when it is asked again."""
    there = host()

    def refuse(stream, e):
        if e.name == "auth":
            stream.send("<failure xmlns='%s'><not-authorized/></failure>" % SASL)
        return e.name == "auth"
    server = at(there, own_server, authority)
    answer = answers(server, authority)
    there.on_element = lambda stream, e: refuse(stream, e) or answer(stream, e)
    for _ in range(2):
        rows = [json.loads(line) for line in server.ctl(
            "--json", "s2s", "why", PEER).splitlines()]
        assert [(row["step"], row["state"]) for row in rows
                if row["direction"] == "out"] == [
            ("SRV", "not asked"), ("connection", "ok"), ("TLS", "ok"),
            ("certificate", "ok"), ("authentication", "refused"),
            ("authentication", "ok"), ("stream", "up")]


@pytest.mark.parametrize("says,found", (
    ("invalid", "they refuse our dialback key"),
    ("remote-server-not-found", "look at our DNS records")))
def test_dialback_is_refused(own_server, authority, host, says, found):
    there = host(external=False)

    def refuse(stream, e):
        if e.name == "result":
            stream.say("result", e, says)
            return True
        return False
    there.on_element = refuse
    stops_at(why(at(there, own_server, authority)), "authentication", "failed",
             found, "check-dns")
