"""Streams that other servers open to us, and what signed records of the DNS make of
their certificates: while name servers are slow, silent, or not asked (RFC 7673)."""

import json
import tempfile

import pytest

import names as dns
from authority import tlsa
from s2s_peer import Peer, conf
from xmltree import SASL

pytestmark = [
    pytest.mark.only("antiphon"),
    pytest.mark.skipif(bool(dns.missing()), reason="see contrib/deps.sh")]

SRV = "_xmpp-server._tcp SRV 0 5 5269 xmpp"


class World:
    """A name server with a signed zone for each domain, which is asked through
    middle; records of TLSA: of which kind, or None."""

    def __init__(self, folder, authority, own_server, stripped=False, **zones):
        self.authority, self.own_server = authority, own_server
        self.names = dns.Names(folder)
        self.middle = self.names.middle()
        for name, kind in zones.items():
            records = [SRV, "xmpp A 127.0.0.1"]
            if kind:
                records.append("_5269._tcp.xmpp TLSA " + tlsa(
                    "3 1 1", self.certificate(name, kind).chain))
            self.names.signed(name + ".example", *records,
                              stripped=stripped, through=self.middle)
        self.names.start()

    def certificate(self, name, kind="self-signed"):
        return self.authority.issue(kind, name + ".example")

    def server(self, policy="dialback-with-tls", more=None, **dns_conf):
        return self.own_server(conf({"dns": self.names.conf(**{
            "timeout": "2s", **dns_conf}), **(more or {})}, policy=policy,
            authorities=self.authority.cert))

    def peer(self, server, name, kind="self-signed"):
        return Peer(server, name + ".example", self.certificate(name, kind))


@pytest.fixture
def world(tmp_path, pool, authority, own_server):
    folder = tempfile.mkdtemp(dir=pool.folder)
    made = []

    def make(**how):
        made.append(World(folder, authority, own_server, **how))
        return made[0]
    yield make
    made[0].names.stop()


def offered(peer):
    return "EXTERNAL" in peer.mechanisms()


def test_what_is_sent_ahead_waits_for_the_answer(world):
    w = world(one="self-signed")
    server = w.server("dane-or-trusted")
    peer = w.peer(server, "one").connect()
    peer.open()
    peer.starttls()
    w.middle.delay = 0.3
    peer.restart().send(peer.header() + "<auth xmlns='%s' mechanism='EXTERNAL'>"
                        "=</auth>" % SASL)
    peer.features = peer.next("features")
    assert offered(peer)
    assert peer.next("the answer").is_("success", SASL)
    peer.open()
    assert not offered(peer)
    server.process.wait_line("server authenticated domain=one.example .*by=dane")
    assert w.middle.asked != 0


def test_a_further_domain_is_looked_up_for_its_key(world):
    w = world(one="self-signed", two="expired", three=None)
    server = w.server("dane-or-trusted")
    peer = w.peer(server, "one").secure().external()
    # of the second the record is for another, of the third there is none
    for domain, why in (("two.example", "is for another certificate"),
                        ("three.example", "certificate is not trusted")):
        assert peer.result("key", frm=domain) == "not-authorized"
        server.process.wait_line("server refused domain=%s .*%s" % (domain, why))
    # and the first has lost nothing
    assert peer.result("key", frm="one.example") == "valid"


def test_a_reload_may_want_an_authority(world):
    w = world(one="self-signed")
    server = w.server()
    peer = w.peer(server, "one").secure().external()
    for policy in ("dane-or-trusted", "dialback-with-tls", "required-trusted"):
        assert peer.ping()
        server.conf["federation"]["policy"] = policy
        server.write_conf()
        server.ctl("reload")
    peer.expect_error("policy-violation")


def test_a_silent_name_server_costs_its_time_and_no_more(world):
    w = world(one="self-signed")
    server = w.server()
    w.middle.silent = True
    peer = w.peer(server, "one").secure()
    assert not offered(peer)
    assert peer.auth_external().is_("failure", SASL)
    server.check()


def test_who_goes_while_he_is_looked_up(world):
    w = world(one="self-signed")
    server = w.server()
    w.middle.silent = True
    for _ in range(3):
        peer = w.peer(server, "one").connect()
        peer.open()
        peer.starttls()
        peer.restart().send(peer.header())
        peer.wait_header()
        peer.drop()
    w.middle.silent = False
    # the answers are for nobody, and the next one is looked up
    assert offered(w.peer(server, "one").secure())
    server.check()


def test_of_many_who_are_looked_up_some_are_not(world):
    w = world(one="self-signed")
    server = w.server(more={"shards": 1}, questions=8, timeout="1m")
    w.middle.silent = True
    waiting = []
    for _ in range(2):
        peer = w.peer(server, "one").connect()
        peer.open()
        peer.starttls()
        peer.restart().send(peer.header())
        peer.wait_header()
        waiting.append(peer)
    # there is no room for a third
    assert not offered(w.peer(server, "one").secure())
    assert not any(peer.inbox for peer in waiting)
    # a server that stops waits for no answer
    server.stop()
    for peer in waiting:
        peer.drop()


@pytest.mark.parametrize("policy", ("required-trusted", "dane-or-trusted",
                                    "dialback-with-tls"))
def test_an_authority_does_not_help_who_shows_another_certificate(world, policy):
    w = world(one="self-signed", two="good", three=None)
    server = w.server(policy)
    peer = w.peer(server, "one", "good").secure()
    assert not offered(peer)
    assert peer.auth_external().is_("failure", SASL)
    assert peer.result("key") == "not-authorized"
    server.process.wait_line("server refused domain=one.example .*"
                             "is for another certificate")
    # and costs nobody anything whose records are for it, or who has none
    for domain, by in (("two", "dane"), ("three", "EXTERNAL")):
        w.peer(server, domain, "good").secure().external()
        server.process.wait_line("server authenticated domain=%s.example .*by=%s"
                                 % (domain, by))


def test_who_is_trusted_waits_for_a_silent_name_server_and_is_let_in(world):
    w = world(one="self-signed")
    server = w.server("required-trusted", timeout="1s")
    w.middle.silent = True
    w.peer(server, "one", "good").secure().external()
    assert w.middle.asked != 0


def test_who_is_trusted_leaves_room_for_others(world):
    w = world(one="self-signed")
    server = w.server(more={"shards": 1}, questions=8, timeout="1m")
    w.middle.silent = True
    waiting = []
    for kind in ("good", "self-signed"):
        peer = w.peer(server, "one", kind).connect()
        peer.open()
        peer.starttls()
        peer.restart().send(peer.header())
        peer.wait_header()
        waiting.append(peer)
        # the second that is trusted is not looked up
        assert offered(w.peer(server, "one", "good").secure())
    assert not any(peer.inbox for peer in waiting)
    for peer in waiting:
        peer.drop()


@pytest.mark.parametrize("how", ("off", "set here", "none shown", "strict"))
def test_nothing_is_looked_up_where_it_would_change_nothing(world, how):
    w = world(one="self-signed")
    server = w.server(
        "required-trusted" if how == "strict" else "dialback-with-tls",
        dnssec="off" if how == "off" else "auto",
        more={"remotes": {"one.example": {"address": "127.0.0.1"}}}
        if how == "set here" else None)
    trusted = how in ("off", "set here")
    peer = w.peer(server, "one", "good" if trusted else "self-signed")
    if how == "none shown":
        peer.certificate = None
    peer.secure()
    assert offered(peer) == trusted
    assert w.middle.asked == 0


@pytest.mark.parametrize("dnssec,text", (
    ("off", "signatures are not checked here"),
    # the zone is signed, as the anchors say, and its answers are not
    ("auto", "the keys of the DNS do not come to this machine")))
def test_why_says_that_there_is_no_dane(world, dnssec, text):
    w = world(stripped=True, one="self-signed")
    server = w.server(dnssec=dnssec)
    rows = [json.loads(line) for line in
            server.ctl("--json", "s2s", "why", "one.example").splitlines()]
    found = [row for row in rows if row["step"] == "TLSA"]
    assert [(row["state"], row["found"]) for row in found] == [("off", text)]
    assert "check-dns" in found[0]["note"]
    # and what is not signed holds nobody up
    assert not offered(w.peer(server, "one").secure())
