"""Streams that other servers open to us: whom a certificate, or a key, makes of them,
and what they may say then (RFC 6120 §4.7, §8.1; XEP-0178 §3, XEP-0220)."""

import base64
import contextlib

import pytest

from authority import Authority, KINDS
from client import Closed, PATIENCE
from process import Failed
from s2s_peer import conf, dialback_key, Host, PEER, Peer
from xmltree import Mismatch, SASL

pytestmark = pytest.mark.only("antiphon")

GOOD = ("good", "server", "srv-name", "xmpp-addr", "wildcard")
BAD = ("expired", "self-signed", "other-name", "target", "cn-only")


@pytest.fixture(scope="module")
def federated(pool, authority):
    """One for all who want nothing of their own, and the host of PEER, which says
    of each key what is in it."""
    host = Host(PEER, authority.issue("good", PEER))
    host.says = lambda ask: ask.key
    server = pool.new(conf({"remotes": host.remotes(),
                            "components": {"irc.antiphon.test": {
                                "secret": "s", "subdomains": "yes"}}},
                           authorities=authority.cert))
    server.start()
    server.host_of_peer = host
    yield server
    server.stop()
    host.end()


@pytest.fixture
def fed(federated):
    yield federated
    federated.check()


def user(server, name):
    name = "%s%d" % (name, len(server.__dict__.setdefault("users", [])))
    server.users.append(name)
    server.adduser(name, "secret")
    from client import Client
    client = Client(server, name).login(name, "secret", "home")
    client.send("<presence/>")
    client.ping()
    client.inbox.clear()
    return client


def offered(peer):
    return "EXTERNAL" in peer.mechanisms()


# --- certificates -------------------------------------------------------------


@pytest.mark.parametrize("kind", GOOD)
@pytest.mark.parametrize("tls", ("starttls", "direct"))
def test_a_certificate_is_enough(fed, authority, kind, tls):
    domain = "a." + PEER if kind == "wildcard" else PEER
    peer = Peer(fed, domain, authority.issue(kind, domain)).secure(tls)
    assert offered(peer)
    peer.external()
    assert not offered(peer)
    romeo = user(fed, "romeo")
    peer.send("<message type='chat' from='a@%s/x' to='%s'><body>hi</body>"
              "</message>" % (domain, romeo.jid))
    romeo.expect("<message type='chat' from='a@%s/x' to='%s'><body>hi</body>"
                 "</message>" % (domain, romeo.jid))
    peer.close()


# hostile 22, 23: what is in the CN is nobody's name.
@pytest.mark.parametrize("kind", BAD + (None,))
def test_a_certificate_that_is_worth_nothing(fed, authority, kind):
    """It is never EXTERNAL's; a key is as good as from anybody."""
    certificate = kind and authority.issue(kind, PEER)
    peer = Peer(fed, PEER, certificate).secure()
    assert not offered(peer)
    got = peer.auth_external()
    assert got.is_("failure", SASL) and got.child("invalid-mechanism")
    assert peer.result("valid") == "valid"


# hostile 40: a certificate never answers for the domain's own server.
@pytest.mark.parametrize("kind", ("good", "self-signed", None))
@pytest.mark.parametrize("key,answer", (("valid", "valid"),
                                        ("invalid", "invalid")))
def test_no_dialback_without_dialback(fed, authority, kind, key, answer):
    peer = Peer(fed, PEER, kind and authority.issue(kind, PEER)).secure()
    assert peer.result(key) == answer
    if answer == "invalid":
        peer.expect_closed()


def test_a_certificate_for_one_domain_is_not_for_another(fed, authority):
    peer = Peer(fed, "near.example", authority.issue("good", PEER)).secure()
    assert not offered(peer)


def test_without_from_there_is_no_external(fed, authority):
    peer = Peer(fed, PEER, authority.issue("good", PEER)).secure(frm=None)
    assert not offered(peer)
    assert peer.result("valid") == "valid"


def b64(text):
    return base64.b64encode(text.encode()).decode()


@pytest.mark.parametrize("text", ("=", b64(PEER), b64("PEER.example"), ""))
def test_external(fed, authority, text):
    peer = Peer(fed, PEER, authority.issue("good", PEER)).secure()
    got = peer.auth_external(text)
    if text == "":
        assert got.is_("challenge", SASL) and not got.children
        peer.send("<response xmlns='%s'>%s</response>" % (SASL, b64(PEER)))
        got = peer.next()
    assert got.is_("success", SASL)
    peer.open()


@pytest.mark.parametrize("text,cond", (
    (b64("near.example"), "invalid-authzid"),
    (b64("a@" + PEER), "invalid-authzid"),
    (b64("evil" + PEER), "invalid-authzid"),
    (b64(PEER + "\0.near.example"), "invalid-authzid"),
    ("%%%", "incorrect-encoding"),
    ("AAAA" * 1000, "incorrect-encoding"),
))
def test_external_as_somebody_else(fed, authority, text, cond):
    peer = Peer(fed, PEER, authority.issue("good", PEER)).secure()
    got = peer.auth_external(text)
    assert got.is_("failure", SASL) and got.child(cond), got
    # it may try again
    assert peer.auth_external().is_("success", SASL)


def test_external_left_and_begun_twice(fed, authority):
    peer = Peer(fed, PEER, authority.issue("good", PEER)).secure()
    assert peer.auth_external("").is_("challenge", SASL)
    peer.send("<abort xmlns='%s'/>" % SASL)
    assert peer.next().child("aborted")
    assert peer.auth_external("").is_("challenge", SASL)
    assert peer.auth_external().child("malformed-request")
    peer.send("<response xmlns='%s'/>" % SASL)
    assert peer.next().child("malformed-request")


@pytest.mark.parametrize("to", ("antiphon.test", "other.test"))
def test_our_certificate_is_that_of_the_domain(fed, authority, to):
    Peer(fed, PEER, authority.issue("good", PEER), to=to).secure().external()


def test_direct_tls_speaks_of_servers(fed, authority):
    peer = Peer(fed, PEER, authority.issue("good", PEER))
    peer.connect("direct")
    assert peer.sock.selected_alpn_protocol() == "xmpp-server"


# --- keys ------------------------------------------------------------------------


def test_a_key_is_asked_about_at_its_domain(own_server, authority):
    host = Host(PEER, authority.issue("self-signed", PEER))
    server = own_server(conf({"remotes": host.remotes()},
                             authorities=authority.cert))
    try:
        peer = Peer(server, PEER).secure()
        assert peer.result("the key") == "valid"
        ask = host.wait_asked()
        assert (ask.frm, ask.to, ask.id, ask.key) == (
            server.domain, PEER, peer.stream_id, "the key")
        # in a stream of its own, not in the one by which it came
        assert len(host.streams) == 1
    finally:
        host.end()


# hostile 38
def test_unsolicited_answers(fed, authority):
    peer = Peer(fed, PEER).secure()
    for name in ("result", "verify"):
        for type_ in ("valid", "invalid", "error"):
            peer.send("<db:%s from='%s' to='%s' id='%s' type='%s'/>"
                      % (name, PEER, fed.domain, peer.stream_id, type_))
    peer.ping()
    assert not peer.inbox
    peer.send("<message from='a@%s' to='b@%s'/>" % (PEER, fed.domain))
    peer.expect_error("not-authorized")


def test_domains_that_are_ours(fed):
    """Nobody is one of ours by a stream."""
    peer = Peer(fed, PEER).secure()
    for ours in (fed.domain, fed.other_domain, "irc.antiphon.test",
                 "x.irc.antiphon.test"):
        assert peer.result("valid", frm=ours) == "not-acceptable"
    assert peer.result("valid", to="nowhere.example") == "item-not-found"
    assert peer.result("valid") == "valid"


def test_a_domain_that_is_not_there(own_server, authority):
    """Its port is closed, or it says nothing."""
    host = Host(PEER, authority.issue("good", PEER))
    server = own_server(conf({"remotes": {
        **host.remotes(), "closed.example": {"address": "127.0.0.1",
                                             "port": 1}}}))
    try:
        peer = Peer(server, "closed.example").secure()
        assert peer.result() in ("remote-server-timeout",
                                 "remote-connection-failed")
        host.says = lambda ask: None
        peer = Peer(server, PEER).secure().show("a key")
        host.wait_asked()
        server.advance(31)
        assert peer.answer("result") == "remote-server-timeout"
    finally:
        host.end()


def test_more_pairs_in_one_stream(fed):
    """Of ours, too: each stands by itself (hostile 43)."""
    peer = Peer(fed, PEER).secure()
    romeo = user(fed, "romeo")
    assert peer.result("valid") == "valid"
    assert peer.result("valid", to="irc.antiphon.test") == "valid"
    assert peer.result("invalid", to=fed.other_domain) == "forbidden"
    peer.send("<message from='a@%s' to='%s' type='chat'><body>1</body>"
              "</message>" % (PEER, romeo.jid))
    romeo.expect("<message from='a@%s' to='%s' type='chat'><body>1</body>"
                 "</message>" % (PEER, romeo.jid))
    peer.send("<message from='a@%s' to='a@%s'/>" % (PEER, fed.other_domain))
    peer.expect_error("host-unknown")


def test_keys_of_ours(own_server, authority):
    """What we show is known again, by whatever stream it is asked about, and for no
    other pair and stream (hostile 39)."""
    host = Host(PEER, authority.issue("good", PEER), external=False)
    server = own_server(conf({"remotes": host.remotes()}))
    try:
        server.adduser("romeo", "secret")
        from client import Client
        romeo = Client(server).login("romeo", "secret")
        romeo.send("<message to='a@%s'><body>hi</body></message>" % PEER)
        stream = host.wait_stream()
        shown = stream.wait(lambda e: e.name == "result", "a key")
        key, id_ = shown.text().strip(), stream.id
        assert len(key) == 64
        peer = Peer(server, PEER).secure()
        assert peer.verify(key, id_) == "valid"
        assert peer.verify(key, id_) == "valid"
        assert peer.verify(key, id_ + "x") == "invalid"
        assert peer.verify(key[:-1], id_) == "invalid"
        assert peer.verify(key, id_, frm="near.example") == "invalid"
        assert peer.verify(key, id_, to=server.other_domain) == "invalid"
        assert peer.verify(key, id_, to="nowhere.example") == "item-not-found"
        assert peer.verify(dialback_key("", PEER, server.domain, id_),
                           id_) == "invalid"
    finally:
        host.end()


def test_a_link_that_a_reload_forbids_while_it_comes_up(own_server, authority):
    """It ends where it is, between EXTERNAL and the next stream."""
    host = Host(PEER, authority.issue("good", PEER))
    server = own_server(conf({"remotes": host.remotes()},
                             authorities=authority.cert))
    romeo = user(server, "romeo")

    def forbid(stream, e):
        if not e.is_("auth", SASL):
            return False
        server.conf["federation"]["deny"] = [PEER]
        server.write_conf()
        server.ctl("reload")
        return False
    host.on_element = forbid
    romeo.send("<message to='a@%s' id='m1'><body>x</body></message>" % PEER)
    got = romeo.next()
    assert got.get("type") == "error" and got.child("error").child("not-allowed")
    stream = host.wait_stream()
    stream.thread.join(PATIENCE)
    assert [e.name for e in stream.got] == ["auth"]
    assert stream.before.closed and stream.reader.header is None
    host.end()


# --- policies -----------------------------------------------------------------------


def test_trust_is_required(own_server, authority):
    """A key alone is not enough then, and the peer is told why."""
    host = Host(PEER, authority.issue("good", PEER))
    server = own_server(conf({"remotes": host.remotes()},
                             policy="required-trusted",
                             authorities=authority.cert))
    try:
        for kind in BAD + (None,):
            peer = Peer(server, PEER,
                        kind and authority.issue(kind, PEER)).secure()
            peer.show("a key")
            got = peer.next()
            assert got.get("type") == "error"
            assert got.child("error").child("not-authorized")
            assert "ertificate" in got.find("error", "text").text()
        assert not host.asked
        peer = Peer(server, PEER, authority.issue("good", PEER)).secure()
        assert peer.result("a key") == "valid"
    finally:
        host.end()


# hostile 41
def test_lists_name_domains_whole(own_server, authority):
    server = own_server(conf(
        deny=["denied.example", "*.below.example"],
        authorities=authority.cert))

    def may(domain):
        peer = Peer(server, domain, authority.issue("good", domain)).connect()
        peer.restart().send(peer.header())
        first = peer.next()
        return first.name == "features"
    assert not may("denied.example")
    assert not may("a.below.example")
    assert may("evildenied.example")
    assert may("denied.example.example")
    assert may("a.denied.example")
    assert may("below.example")
    assert may("evilbelow.example")


def test_a_host_that_federates_with_nobody(own_server, authority):
    server = own_server(conf({"hosts": {
        "other.test": {"federation": {"mode": "off"}}}}))
    peer = Peer(server, PEER, to="other.test").connect()
    peer.restart().send(peer.header())
    peer.expect_error("policy-violation")
    peer = Peer(server, PEER).secure()
    assert peer.result(to="other.test") == "not-allowed"


def test_a_reload_looks_at_streams_that_stand(own_server, authority):
    server = own_server(conf(authorities=authority.cert))
    stays = Peer(server, "stays.example",
                 authority.issue("good", "stays.example")).secure().external()
    goes = Peer(server, PEER, authority.issue("good", PEER)).secure()
    goes.external()
    server.conf["federation"]["deny"] = [PEER]
    server.write_conf()
    server.ctl("reload")
    goes.expect_error("policy-violation")
    stays.ping()
    del server.conf["hosts"][server.domain]
    server.write_conf()
    server.ctl("reload")
    stays.expect_error("host-gone")


def test_an_authority_that_is_trusted_no_more(own_server, authority):
    """What EXTERNAL has let in is judged anew, by those whom its domain has now."""
    other = Authority(authority.folder + "-other")
    server = own_server(conf(authorities=authority.cert))

    def come(domain, signed_by):
        return Peer(server, domain, signed_by.issue("good", domain)).secure()
    stays = come("stays.example", authority).external()
    goes = come(PEER, authority).external()
    server.conf["federation"]["authorities"] = other.cert
    server.conf["remotes"] = {"stays.example": {
        "authorities": authority.cert}}
    server.write_conf()
    server.ctl("reload")
    goes.expect_error("policy-violation")
    stays.ping()
    assert "not trusted any more" in " ".join(
        server.ctl("s2s", "show", PEER).split())
    assert not offered(come(PEER, authority))
    assert offered(come(PEER, other))


def test_a_key_does_not_outlive_its_stream(own_server, authority):
    """RFC 6120 §4.3.3: what was asked before SASL is not answered between <success/>
    and the header of the new stream."""
    host = Host(PEER, authority.issue("good", PEER))
    host.says = lambda ask: None
    server = own_server(conf({"remotes": host.remotes()},
                             authorities=authority.cert))
    peer = Peer(server, PEER, authority.issue("good", PEER)).secure()
    peer.show()
    ask = host.wait_asked()
    assert peer.auth_external().is_("success", SASL)
    with contextlib.suppress(OSError): # who asks for keys alone may have gone with it
        host.streams[0].send(
            "<db:verify from='%s' to='%s' id='%s' type='valid'/>"
            % (PEER, server.domain, ask.id))
    near = Peer(server, "near.example").secure()
    near.ping()
    peer.open()
    peer.ping()
    host.end()


def test_what_is_forbidden_behind_sasl(own_server, authority):
    """The last header need not name the peer, and it is judged all the same."""
    server = own_server(conf(authorities=authority.cert))
    peer = Peer(server, PEER, authority.issue("good", PEER)).secure()
    assert peer.auth_external().is_("success", SASL)
    server.conf["federation"]["deny"] = [PEER]
    server.write_conf()
    server.ctl("reload")
    peer.restart().send(peer.header(frm=None))
    peer.expect_error("policy-violation")


# --- limits ---------------------------------------------------------------------------


def test_what_is_offered_is_kept_to(own_server, authority):
    """XEP-0478: behind SASL, and where a key lets it in, without another word."""
    server = own_server(conf({"limits": {"stanza_bytes": "20000"}},
                             authorities=authority.cert))
    peer = Peer(server, PEER, authority.issue("good", PEER)).secure()
    assert peer.features.find("limits", "max-bytes").text() == "20000"
    assert peer.features.find("limits", "idle-seconds").text() == "300"
    peer.external()
    assert peer.features.find("limits", "max-bytes").text() == "20000"
    assert peer.features.find("limits", "idle-seconds").text() == "300"
    text = "<message from='a@%s' to='b@%s'><body>%s</body></message>"
    peer.send(text % (PEER, server.domain, "x" * 19000))
    peer.ping()
    peer.send(text % (PEER, server.domain, "x" * 21000))
    peer.expect_error("policy-violation")


def test_strangers_have_no_time(own_server, authority):
    server = own_server(conf({"limits": {"login_timeout": "20s"}}))
    peers = [Peer(server, PEER).connect(), Peer(server, PEER).connect(),
             Peer(server, PEER).secure()]
    peers[1].open()
    server.advance(21)
    for peer in peers:
        if peer.reader is None:
            peer.restart()
        peer.expect_error("connection-timeout")


def test_streams_count_among_connections(own_server, authority):
    server = own_server(conf({"limits": {"connections_per_address": "3"}}))
    peers = [Peer(server, PEER).secure() for _ in range(3)]
    more = Peer(server, PEER).connect().restart()
    more.wait_end()
    assert more.reader.header is None
    peers[0].drop()
    for _ in range(100):
        try:
            Peer(server, PEER).secure()
            return
        except (Closed, OSError):
            pass
    raise Failed("none came in the place of one that has gone")


def test_too_many_failures_end_it(own_server, authority):
    server = own_server(conf({"limits": {"auth_attempts": "3"}}))
    peer = Peer(server, PEER).secure()
    for _ in range(3):
        assert peer.auth_external().is_("failure", SASL)
    peer.expect_error("policy-violation")


def test_who_sends_too_much_is_read_slowly(own_server, authority):
    """And nothing is dropped."""
    server = own_server(conf({"s2s": {"stanzas_per_second": "10"}},
                             authorities=authority.cert))
    server.adduser("romeo", "secret")
    from client import Client
    romeo = Client(server).login("romeo", "secret", "home")
    romeo.send("<presence/>")
    romeo.ping()
    romeo.inbox.clear()
    peer = Peer(server, PEER, authority.issue("good", PEER)).secure()
    peer.external()
    for i in range(40):
        peer.send("<message type='chat' id='m%d' from='a@%s' to='%s'>"
                  "<body>x</body></message>" % (i, PEER, romeo.jid))
    romeo.ping()
    assert len(romeo.inbox) < 40
    for i in range(40):
        while not romeo.has_come():
            server.advance(0.2)
        assert romeo.next().get("id") == "m%d" % i


@pytest.mark.plain
def test_who_reads_nothing_slows_no_server(own_server, authority):
    """A stream of others is for many: what waits for one client has its bound, at
    which he is cut, and nobody else waits for him."""
    server = own_server(conf({"s2s": {"stanzas_per_second": "1000000",
                                      "bytes_per_second": "1GiB"}},
                             authorities=authority.cert))
    stuck, other = user(server, "stuck"), user(server, "other")
    peer = Peer(server, PEER, authority.issue("good", PEER)).secure()
    peer.external()
    before = most = server.memory_kib()
    for i in range(100):
        peer.send(("<message type='headline' from='a@%s' to='%s'><body>%s"
                   "</body></message>" % (PEER, stuck.jid, "x" * 300)) * 1000)
        peer.send("<message type='headline' id='m%d' from='a@%s' to='%s'/>"
                  % (i, PEER, other.jid))
        assert other.next().get("id") == "m%d" % i
        most = max(most, server.memory_kib())
    peer.ping()
    # write_queue_max_bytes is 16 MiB, and what was sent is 40
    assert most - before < 40 * 1024
    server.process.wait_line("does not read what it is sent")
    with pytest.raises((Closed, Mismatch, OSError)):
        for _ in range(100000):
            stuck.next()


# hostile 16
def test_a_flood_of_subscriptions(fed, authority):
    peer = Peer(fed, PEER, authority.issue("good", PEER)).secure().external()
    fed.adduser("flooded", "secret")
    for who in ["a"] * 500 + ["b"]:
        peer.send("<presence type='subscribe' from='%s@%s' to='flooded@%s'/>"
                  % (who, PEER, fed.domain))
    # behind them, and answered behind them
    peer.send("<iq type='get' id='flooded' from='b@%s' to='flooded@%s'>"
              "<ping xmlns='urn:xmpp:ping'/></iq>" % (PEER, fed.domain))
    fed.host_of_peer.wait_element(lambda e: e.get("id") == "flooded",
                                  "the answer of the account")
    from client import Client
    client = Client(fed).login("flooded", "secret")
    client.roster()
    client.send("<presence/>")
    asked = []
    while len(asked) < 2:
        e = client.take(lambda e: e.get("type") == "subscribe", "a request")
        asked.append(e.get("from"))
    client.ping()
    asked += [e.get("from") for e in client.inbox
              if e.get("type") == "subscribe"]
    assert sorted(asked) == ["a@" + PEER, "b@" + PEER]


# --- stanzas ----------------------------------------------------------------------------


@pytest.mark.parametrize("stanza,cond", (
    ("<message from='a@near.example' to='b@{us}'/>", "invalid-from"),
    ("<message from='a@sub.{me}' to='b@{us}'/>", "invalid-from"),
    ("<message from='a@evil{me}' to='b@{us}'/>", "invalid-from"),
    ("<message from='b@{us}' to='b@{us}'/>", "invalid-from"),
    ("<message from='a@{me}' to='b@other.test'/>", "host-unknown"),
    ("<message from='a@{me}' to='b@near.example'/>", "host-unknown"),
    ("<message from='a@{me}'/>", "improper-addressing"),
    ("<message to='b@{us}'/>", "improper-addressing"),
    ("<message from='@{me}' to='b@{us}'/>", "improper-addressing"),
    ("<message from='a@{me}' to=''/>", "improper-addressing"),
    ("<message xmlns='jabber:client' from='a@{me}' to='b@{us}'/>",
     "invalid-namespace"),
))
def test_addresses_of_others(fed, authority, stanza, cond):
    """hostile 43, by EXTERNAL."""
    peer = Peer(fed, PEER, authority.issue("good", PEER)).secure().external()
    peer.send(stanza.format(me=PEER, us=fed.domain))
    peer.expect_error(cond)


def test_an_answer_comes_by_the_other_way(own_server, authority):
    """A request that is wrong is answered, in our stream to its domain."""
    host = Host(PEER, authority.issue("good", PEER))
    server = own_server(conf({"remotes": host.remotes()},
                             authorities=authority.cert))
    try:
        peer = Peer(server, PEER, authority.issue("good", PEER)).secure()
        peer.external()
        for id_, inner in (("q1", ""), ("q2", "<query xmlns='x:y'/>"),
                           ("q3", "<ping xmlns='urn:xmpp:ping'/>")):
            peer.send("<iq type='get' id='%s' from='a@%s/x' to='%s'>%s</iq>"
                      % (id_, PEER, server.domain, inner))
        stream = host.wait_stream()
        for id_, type_ in (("q1", "error"), ("q2", "error"),
                           ("q3", "result")):
            got = stream.wait(lambda e: e.get("id") == id_, id_)
            assert got.get("type") == type_
            assert got.get("from") == server.domain
        assert not peer.has_come()
    finally:
        host.end()


def test_names_of_certificates_that_are_tried():
    assert set(GOOD + BAD) == set(KINDS)
