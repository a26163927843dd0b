"""One stream of another server for several of our domains (XEP-0288, XEP-0198): what goes
by it in either direction arrives once, in order, however often it breaks."""

import random

import pytest

from antiphon import OTHER_DOMAIN
from client import Client
from cutting import Cutting
from s2s_peer import conf, Host, PEER, Peer
from sm import SM

pytestmark = pytest.mark.only("antiphon")

BEE = "bee.test"
OURS = "antiphon.test"
BIDI = "<bidi xmlns='urn:xmpp:bidi'/>"
AT_ONCE = 100 # on their way, of each: what waits has a bound


def number(e):
    return int(e.child("body").text())


class Writer:
    """A user, and what it has sent and got."""

    def __init__(self, server, name, domain, to):
        server.adduser(name, "secret", domain)
        self.client = Client(server, name, domain).login(name, "secret", "x")
        self.client.send("<presence/>")
        self.client.ping()
        self.client.inbox.clear()
        self.to, self.n, self.got = to, 0, []

    def write(self):
        self.client.send("<message type='chat' id='m%d' to='%s'><body>%d"
                         "</body></message>" % (self.n, self.to, self.n))
        self.n += 1

    def read(self):
        """Waits for one."""
        e = self.client.take(lambda e: e.is_("message"), "a message")
        assert e.get("type") != "error", e
        self.got.append(number(e))

    def close(self):
        self.client.ping()
        assert not [e for e in self.client.inbox if e.is_("message")]
        self.client.drop()


class Sharing:
    """A server whose only stream is for two of our domains, and breaks."""

    def __init__(self, server, authority, drawn):
        self.server, self.drawn = server, drawn
        self.certificate = authority.issue("good", PEER)
        self.id, self.breaks = None, 0
        self.came, self.sent, self.acked = 0, [], 0
        self.got = {OURS: [], OTHER_DOMAIN: []}
        self.come()

    def come(self):
        self.peer = Peer(self.server, PEER, self.certificate).secure()
        self.peer.send(BIDI)
        self.peer.external()
        assert self.peer.result("key", to=OTHER_DOMAIN) == "valid"
        if self.id is None:
            self.peer.send("<enable xmlns='%s' resume='true'/>" % SM)
            self.id = self.peer.take(lambda e: e.is_("enabled", SM),
                                     "<enabled/>").get("id")
            return
        self.peer.send("<resume xmlns='%s' h='%d' previd='%s'/>" % (
            SM, self.came, self.id))
        e = self.peer.take(lambda e: e.ns == SM, "an answer to <resume/>")
        assert e.name == "resumed", e
        h = int(e.get("h"))
        assert self.acked <= h <= len(self.sent)
        self.acked = h
        for text in self.sent[h:]:
            self.peer.send(text)

    def go(self):
        """Without a word; what has come and was not read is lost."""
        self.peer.reset()
        self.breaks += 1
        self.come()

    def write(self, to):
        self.sent.append(
            "<message type='chat' id='m%d' from='juliet@%s' to='%s'><body>%d"
            "</body></message>" % (len(self.sent), PEER, to.client.jid, to.n))
        to.n += 1
        self.peer.send(self.sent[-1])

    def read(self):
        """Waits for one element."""
        e = self.peer.next("something")
        if e.is_("message"):
            assert e.get("type") != "error", e
            self.came += 1
            self.got[e.get("from").split("@")[1].split("/")[0]].append(
                number(e))
        elif e.is_("r", SM):
            self.peer.send("<a xmlns='%s' h='%d'/>" % (SM, self.came))
        elif e.is_("a", SM):
            self.acked = int(e.get("h"))


class To:
    """Whom the other server writes to."""

    def __init__(self, client):
        self.client, self.n = client, 0


def no_stream_of_ours(stream, e):
    """A stream that we open is for the keys of others alone: where theirs has just
    broken, and nothing of it is left, we may be quicker than they."""
    if e.name == "result":
        stream.send("<db:result type='error' from='%s' to='%s'><error "
                    "type='cancel'><not-allowed xmlns='urn:ietf:params:xml:ns:"
                    "xmpp-stanzas'/></error></db:result>" % (
                        e.get("to"), e.get("from")))
    return e.name == "result"


def test_two_of_ours_share_one_that_breaks(own_server, authority):
    """10,000 in either direction."""
    host = Host(PEER, authority.issue("good", PEER), external=False)
    host.on_element = no_stream_of_ours
    server = own_server(conf({"remotes": host.remotes()},
                             authorities=authority.cert))
    writers = [Writer(server, "romeo", OURS, "juliet@" + PEER),
               Writer(server, "nurse", OTHER_DOMAIN, "juliet@" + PEER)]
    tos = [To(w.client) for w in writers]
    drawn = random.Random(4)
    them = Sharing(server, authority, drawn)
    n = 5000
    while sum(len(got) for got in them.got.values()) < 2 * n or \
            sum(len(w.got) for w in writers) < 2 * n:
        for w, to, got in zip(writers, tos, them.got.values()):
            for _ in range(drawn.randint(0, 40)):
                if w.n < n and w.n - len(got) < AT_ONCE:
                    w.write()
            for _ in range(drawn.randint(0, 40)):
                if to.n < n and to.n - len(w.got) < AT_ONCE:
                    them.write(to)
        for _ in range(drawn.randint(0, 80)):
            if them.came < sum(w.n for w in writers):
                them.read()
        if drawn.random() < 0.1:
            them.go()
        for w, to in zip(writers, tos):
            for _ in range(min(drawn.randint(0, 80), to.n - len(w.got))):
                w.read()
    print("it broke %d times" % them.breaks)
    for w, got in zip(writers, them.got.values()):
        assert got == list(range(n))
        assert w.got == list(range(n))
        w.close()
    assert them.breaks > 10
    assert not [e for stream in host.streams for e in stream.got
                if e.name == "message"]
    host.end()


def test_streams_of_ours_that_go_both_ways_and_break(own_server, authority):
    """Of two domains to a server that reaches nobody itself: 10,000 in either
    direction."""
    way = Cutting(random.Random(5), 20000, 300000)
    bee = own_server(conf({"hosts": {
        OURS: None, OTHER_DOMAIN: None,
        BEE: {"certificate": authority.issue("good", BEE).chain,
              "key": authority.issue("good", BEE).key}},
        "remotes": {name: {"address": "127.0.0.1", "port": 1}
                    for name in (OURS, OTHER_DOMAIN)}},
        authorities=authority.cert))
    bee.domain, bee.ca_file = BEE, authority.cert
    way.target = ("127.0.0.1", bee.port(("server", "starttls")))
    hosts = {}
    for name in (OURS, OTHER_DOMAIN):
        made = authority.issue("good", name)
        hosts[name] = {"certificate": made.chain, "key": made.key}
    ant = own_server(conf({
        "hosts": hosts, "remotes": {BEE: {"address": "127.0.0.1",
                                          "port": way.port}},
        "s2s": {"backoff_max": "1s"}}, authorities=authority.cert))
    ant.ca_file = authority.cert
    here = [Writer(ant, "romeo", OURS, None),
            Writer(ant, "nurse", OTHER_DOMAIN, None)]
    there = [Writer(bee, "juliet", BEE, here[0].client.jid),
             Writer(bee, "tybalt", BEE, here[1].client.jid)]
    for a, b in zip(here, there):
        a.to = b.client.jid
        a.write()
        b.read()
    n = 5000
    while min(len(w.got) for w in here + there) < n:
        for pair in zip(here, there):
            for a, b in (pair, pair[::-1]):
                for _ in range(20):
                    if a.n < n:
                        a.write()
                while a.n - len(b.got) > AT_ONCE or \
                        (a.n == n and len(b.got) < n):
                    b.read()
    print("%d cuts" % way.cuts)
    for w in here + there:
        assert w.got == list(range(n))
        w.close()
    assert way.cuts > 10
    way.end()
