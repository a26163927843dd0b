"""Ports of several kinds: who comes is told from others by ALPN, or else by his first
bytes."""

import re
import socket
import ssl
import time

import pytest

import s2s_peer
from client import Client, PATIENCE
from s2s_peer import Host, PEER, Peer, SERVER
from test_at_limits import check_config
from xmltree import CLIENT

pytestmark = pytest.mark.only("antiphon")


def shared(kinds=("c2s", "server"), tls=("starttls", "direct")):
    return [{"kind": list(kinds), "address": "127.0.0.1", "port": 0,
             "tls": mode} for mode in tls]


def conf(more=None, **federation):
    return s2s_peer.conf({"listen": shared(), **(more or {})}, **federation)


@pytest.fixture
def both(own_server, authority):
    server = own_server(conf(authorities=authority.cert))
    server.adduser("anna", "secret")
    return server


def context(server, alpn=None, certificate=None):
    made = ssl.create_default_context(cafile=server.ca_file)
    if alpn:
        made.set_alpn_protocols(alpn)
    if certificate:
        made.load_cert_chain(certificate.chain, certificate.key)
    return made


def connect(made, server, alpn):
    """made is a Client or a Peer; over direct TLS."""
    made.sock = socket.create_connection(
        ("127.0.0.1", server.port("direct")), PATIENCE)
    made.eof = False
    made.tls(context=context(server, alpn, getattr(made, "certificate", None)))
    return made


def begin(made, **header):
    made.restart()
    made.send(made.header(**header))


def alpn_of(server, alpn):
    sock = socket.create_connection(
        ("127.0.0.1", server.port("direct")), PATIENCE)
    with context(server, alpn).wrap_socket(
            sock, server_hostname=server.domain) as tls:
        return tls.selected_alpn_protocol()


def wait_closed(sock):
    """What comes before it."""
    got = b""
    sock.settimeout(PATIENCE)
    try:
        while data := sock.recv(65536):
            got += data
    except (ConnectionError, ssl.SSLError):
        pass
    sock.close()
    return got


def plain(server, data=b"", tls="starttls"):
    sock = socket.create_connection(("127.0.0.1", server.port(tls)), PATIENCE)
    sock.sendall(data)
    return sock


# --- ALPN ------------------------------------------------------------------------


@pytest.mark.parametrize("offered, agreed", [
    (["xmpp-client"], "xmpp-client"),
    (["xmpp-server"], "xmpp-server"),
    (["xmpp-client", "xmpp-server"], "xmpp-client"),
    (["xmpp-server", "xmpp-client"], "xmpp-server"),
    (["h2", "xmpp-server"], "xmpp-server"),
    (None, None)])
def test_the_first_protocol_of_the_peers_counts(both, offered, agreed):
    assert alpn_of(both, offered) == agreed


def test_a_protocol_of_none_of_them_is_refused(both):
    with pytest.raises(ssl.SSLError, match="(?i)no.application.protocol"):
        alpn_of(both, ["h2", "http/1.1"])


def test_a_client_logs_in_at_a_shared_port(both):
    for alpn in ["xmpp-client"], None:
        c = connect(Client(both), both, alpn)
        c.open()
        c.auth("anna", "secret")
        c.bind()
        c.ping()
        c.close()


@pytest.mark.parametrize("alpn", [["xmpp-server"],
                                  ["xmpp-server", "xmpp-client"]])
def test_a_server_shows_its_certificate_under_its_protocol(both, authority, alpn):
    peer = connect(Peer(both, PEER, authority.issue("good", PEER)), both, alpn)
    peer.open()
    peer.external()
    peer.send("<presence from='a@%s' to='anna@%s'/>" % (PEER, both.domain))
    peer.ping()
    peer.close()


def test_a_server_without_alpn_is_known_by_its_header(own_server, authority):
    """It is asked for no certificate, and has dialback left."""
    host = Host(PEER, authority.issue("self-signed", PEER))
    server = own_server(conf({"remotes": host.remotes()},
                             authorities=authority.cert))
    try:
        peer = connect(Peer(server, PEER, authority.issue("good", PEER)), server,
                       None)
        peer.open()
        assert not peer.mechanisms()
        assert peer.result("the key") == "valid"
        peer.close()
    finally:
        host.end()


def test_under_a_protocol_the_other_header_is_refused(both):
    c = connect(Client(both), both, ["xmpp-client"])
    begin(c, ns=SERVER)
    c.expect_error("invalid-namespace")
    peer = connect(Peer(both, PEER), both, ["xmpp-server"])
    begin(peer, ns=CLIENT)
    peer.expect_error("invalid-namespace")


# --- the first bytes ----------------------------------------------------------------


def test_who_asks_for_tls_later_is_known_by_the_header(both, authority):
    c = Client(both).secure("starttls")
    c.auth("anna", "secret")
    c.bind()
    c.close()
    peer = Peer(both, PEER, authority.issue("good", PEER)).secure()
    peer.external()
    peer.close()


def test_a_header_that_comes_byte_by_byte(both):
    for made, tls in ((Client(both), "starttls"), (Peer(both, PEER), "starttls")):
        made.connect(tls)
        made.restart()
        for letter in made.header():
            made.send(letter)
        assert made.next().child("starttls")
        made.starttls()
        made.open()
        made.close()


def test_a_header_and_what_follows_in_one_piece(both):
    text = ("<?xml version='1.0'?><stream:stream to='%s' version='1.0' "
            "xmlns='jabber:client' "
            "xmlns:stream='http://etherx.jabber.org/streams'>"
            "<starttls xmlns='urn:ietf:params:xml:ns:xmpp-tls'/>" % both.domain)
    sock = plain(both, text.encode())
    got = b""
    while b"<proceed" not in got:
        got += sock.recv(65536)
    sock.close()


@pytest.mark.parametrize("said, cond", [
    (b"GET / HTTP/1.1\r\nHost: x\r\n\r\n", b"not-well-formed"),
    (b"<stream:stream xmlns='jabber:elsewhere' version='1.0' "
     b"xmlns:stream='http://etherx.jabber.org/streams'>", b"invalid-namespace"),
    (b"<stream:stream version='1.0' "
     b"xmlns:stream='http://etherx.jabber.org/streams'>", b"invalid-namespace"),
    (b"<!DOCTYPE x>", b"restricted-xml"),
    (b"<stream:stream " + b"a" * 5000, b"policy-violation"),
    (b"\xff\xfe\0\0", b"")])
def test_what_nobody_knows_is_answered_by_the_kind_that_is_first(
        both, said, cond):
    sock = plain(both, said)
    if said.endswith(b"a"):
        # it is the first one's now, whose limits hold
        sock.sendall(b"b" * 20000)
    got = wait_closed(sock)
    assert cond in got and b"xmlns='jabber:client'" in got


def test_who_says_nothing_is_closed_without_a_word(own_server):
    server = own_server(conf({"limits": {"login_timeout": "1s"}}))
    begun = time.monotonic()
    socks = [plain(server), plain(server, b" \n "), plain(server, tls="direct")]
    assert [wait_closed(s) for s in socks] == [b""] * 3
    assert time.monotonic() - begun > 0.9


@pytest.mark.parametrize("kinds, ns", [
    (("c2s", "server"), b"xmlns='jabber:client'"),
    (("server", "c2s"), b"xmlns='jabber:server'")])
def test_who_has_begun_a_stream_is_told_that_it_took_too_long(
        own_server, kinds, ns):
    server = own_server(conf({"limits": {"login_timeout": "1s"},
                              "listen": shared(kinds)}))
    for said in b"<", b"<stream:str", b"<?xml version='1.0'?><stream:stream xm":
        got = wait_closed(plain(server, said))
        assert b"<connection-timeout" in got and ns in got
    sock = context(server).wrap_socket(
        plain(server, tls="direct"), server_hostname=server.domain)
    sock.sendall(b"<str")
    assert b"<connection-timeout" in wait_closed(sock)
    server.process.wait_line(
        "newcomer .*has not said in time .* kind=%s bytes=1" % kinds[0])


def test_many_who_take_too_long_fill_no_log(own_server):
    server = own_server(conf({"limits": {"login_timeout": "1s"}, "shards": 1}))
    socks = [plain(server, b"<") for _ in range(60)]
    for sock in socks:
        assert b"<connection-timeout" in wait_closed(sock)
    with open(server.process.log_path) as log:
        n = sum("has not said in time" in line for line in log)
    assert 0 < n < 60


def test_who_breaks_off_leaves_nothing(both):
    for said in b"", b"<", b"<?xml version='1.0'?><stream:stream xmlns='":
        for tls in "starttls", "direct":
            sock = plain(both, said, tls)
            sock.close()
    # a client comes behind them
    Client(both).secure("starttls").close()


def test_a_newcomer_counts_among_strangers(own_server):
    server = own_server(conf({"limits": {"unauthenticated_connections": "10"}}))
    socks = [plain(server) for _ in range(10)]
    extra = plain(server)
    server.process.wait_line("makes room for another")
    for sock in socks + [extra]:
        sock.close()


def test_a_newcomer_counts_for_his_address(own_server):
    server = own_server(conf({"shards": 1, # which accepts in order
                               "limits": {"connections_per_address": "3"}}))
    c = Client(server).secure("starttls")
    socks = [plain(server) for _ in range(2)]
    assert wait_closed(plain(server)) == b""
    server.process.wait_line("limits: connections_per_address")
    mark = len(server.process.lines)
    socks.pop().close()
    server.process.wait_line("newcomer .*connection lost", mark)
    # what he counted in went with the client that he became
    again = Client(server).connect()
    begin(again)
    again.wait_header()
    assert wait_closed(plain(server)) == b""
    for sock in socks:
        sock.close()
    c.close()
    again.close()


# --- kinds that come and go ----------------------------------------------------------


def test_a_kind_that_nobody_is_to_come_for_is_closed_alone(own_server):
    server = own_server(conf(mode="off"))
    server.process.wait_line(
        r"a port is closed to some kind=c2s,server without=server .*"
        r"reason=\"no host talks")
    assert alpn_of(server, ["xmpp-server", "xmpp-client"]) == "xmpp-client"
    with pytest.raises(ssl.SSLError, match="(?i)no.application.protocol"):
        alpn_of(server, ["xmpp-server"])
    peer = Peer(server, PEER).connect()
    begin(peer)
    peer.expect_error("invalid-namespace")
    Client(server).secure("direct").close()


def test_no_kind_is_left_and_the_port_is_shut(own_server):
    server = own_server(conf({"listen": [
        {"kind": "c2s", "address": "127.0.0.1", "port": 0}] + shared(
            ("server",), ("direct",))}, mode="off"))
    server.process.wait_line(r"not opened kind=server ")


def relisten(server, entries):
    """The same ports, other kinds of them."""
    for entry, old in zip(entries, server.conf["listen"]):
        entry["port"] = old["port"]
    server.conf["listen"] = entries
    server.write_conf()
    server.ctl("reload")


def test_a_reload_gives_a_port_another_kind_while_somebody_waits(own_server):
    server = own_server(conf({"listen": shared(("c2s", "testport"), ("none",)) +
                              shared(tls=("starttls",)),
                              "modules": {"testport": {}},
                              "auth": {"tls_required": "no"}}))
    one = plain(server, b"<", tls="none")
    two = plain(server, b"<stream:stream xmlns='jabber:")
    relisten(server, shared(("c2s",), ("none",)) +
             shared(("c2s",), ("starttls",)))
    one.sendall(b"stream:stream xmlns='jabber:server' "
                b"xmlns:stream='http://etherx.jabber.org/streams'>")
    assert b"invalid-namespace" in wait_closed(one)
    two.sendall(b"server' xmlns:stream='http://etherx.jabber.org/streams'>")
    assert b"invalid-namespace" in wait_closed(two)
    # and back
    relisten(server, shared(("c2s",), ("none",)) + shared(tls=("starttls",)))
    peer = Peer(server, PEER).connect()
    begin(peer)
    peer.wait_header()
    peer.close()


def test_a_reload_shuts_the_port_while_somebody_waits(own_server):
    server = own_server(conf())
    waiting = plain(server, b"<stream")
    server.conf["listen"] = shared(tls=("direct",))
    server.write_conf()
    server.ctl("reload")
    assert wait_closed(waiting) == b""


def test_a_stop_does_not_wait_for_newcomers(own_server):
    server = own_server(conf())
    socks = [plain(server), plain(server, b"<stream"), plain(server, tls="direct")]
    server.stop()
    for sock in socks:
        assert wait_closed(sock) == b""


# --- the port of a module -------------------------------------------------------------


def test_a_module_shares_a_port_with_clients(own_server):
    server = own_server(conf({
        "listen": shared(("c2s", "testport", "server"), ("direct",)),
        "modules": {"testport": {}}}))
    for alpn, said in (["testport"], b"<hello\n"), (None, b"line hello\n"):
        sock = context(server, alpn).wrap_socket(
            plain(server, tls="direct"), server_hostname=server.domain)
        assert sock.selected_alpn_protocol() == (alpn and alpn[0])
        sock.sendall(said[:3])
        sock.sendall(said[3:])
        assert sock.recv(100) == said
        sock.close()
    c = connect(Client(server), server, None)
    c.open()
    server.ctl("modules", "unload", "testport")
    with pytest.raises((ssl.SSLError, OSError)):
        alpn_of(server, ["testport"])
    assert alpn_of(server, ["xmpp-client"]) == "xmpp-client"
    c.close()


# --- the configuration ------------------------------------------------------------------


@pytest.mark.parametrize("listen, mistake", [
    ([{"kind": ["c2s", "component"], "tls": "none", "port": 1}],
     r"ports of kind component are not shared with others: what they say"),
    ([{"kind": ["c2s", "server"], "tls": "none", "port": 1}],
     r"none is nothing for ports of kind server"),
    ([{"kind": ["c2s", "c2s"]}], r"c2s is named twice"),
    ([{"kind": ["c2s", "servers"]}], r"did you mean \"server\""),
    ([{"kind": "c2s", "port": 5222}, {"kind": "server", "port": 5222}],
     r"given already.*one entry can have several kinds"),
    ([{"kind": []}], r"the list has 0 items, the minimum is 1")])
def test_kinds_that_cannot_share(own_server, listen, mistake):
    server = own_server({"listen": listen}, start=False)
    code, said = check_config(server)
    assert code != 0 and re.search(mistake, said)


def test_which_port_serves_what_is_told(both):
    assert re.search(r"port \d+ shared, .* port \d+ direct TLS shared",
                     both.ctl("s2s", "why", PEER))
