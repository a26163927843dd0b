"""Ports behind a proxy that says from whom a connection is (listen: proxy_protocol)."""

import re
import socket
import ssl

import pytest

import client
import proxy_protocol as told
from test_at_limits import check_config
from test_stats import memory, until

pytestmark = pytest.mark.only("antiphon")

PATIENCE = client.PATIENCE
LOGIN_TIMEOUT_S = 30
SHARED = {"kind": ["c2s", "server"], "tls": "direct"}
PLAIN = {"kind": "c2s", "tls": "starttls", "proxy_protocol": "no"}


def listen(*entries):
    return [{"address": "127.0.0.1", "port": 0, "proxy_protocol": "yes", **one}
            for one in entries]


@pytest.fixture(scope="module")
def behind(pool):
    server = pool.new({
        "listen": listen({"kind": "c2s", "tls": "starttls"},
                         {"kind": "c2s", "tls": "direct"},
                         {"kind": "testport", "tls": "none"},
                         {"kind": "testport", "tls": "direct"}),
        "modules": {"testport": {}},
        "proxies": {"trusted": ["127.0.0.1"]},
        "limits": {"connections_per_address": "2", "login_timeout": "30s"}})
    server.start()
    server.adduser("anna", "secret")
    yield server
    server.stop()


@pytest.fixture
def server(behind):
    yield behind
    behind.check()


def begin(server, tls, said, **more):
    c = told.connect(client.Client(server), tls, said, **more)
    if tls == "direct":
        c.tls(alpn=["xmpp-client"])
    c.open()
    if tls == "starttls":
        c.starttls()
        c.open()
    return c


def login(server, tls, said):
    c = begin(server, tls, said)
    c.auth("anna", "secret")
    c.bind()
    return c


def knock(server, tls, said=b"", source=None):
    sock = socket.create_connection(("127.0.0.1", server.port(tls)), PATIENCE,
                                    source and (source, 0))
    sock.sendall(said)
    return sock


def rest_of(sock):
    """All that comes until it is closed."""
    got = b""
    try:
        while data := sock.recv(65536):
            got += data
    except ConnectionError:
        pass
    sock.close()
    return got


def open_at(server):
    return int(memory(server)["connections"]["objects"])


def mark(server):
    return len(server.process.lines)


# --- who it is ---------------------------------------------------------------------


@pytest.mark.parametrize("tls", ["starttls", "direct"])
@pytest.mark.parametrize("said,peer", [
    (told.v1("192.0.2.7"), "192.0.2.7:40000"),
    (told.v1("2001:db8::7"), "[2001:db8::7]:40000"),
    (told.v2("192.0.2.8"), "192.0.2.8:40000"),
    (told.v2("2001:db8::8", 1, b"\4\0\2.."), "[2001:db8::8]:1"),
    (told.v1("::ffff:192.0.2.9"), "192.0.2.9:40000"),
    (told.UNKNOWN, None), (told.LOCAL, None)])
def test_a_client_is_who_the_proxy_says(server, tls, said, peer):
    start = mark(server)
    c = login(server, tls, said)
    proxy = "127.0.0.1:%d" % c.sock.getsockname()[1]
    assert (peer or proxy) in server.ctl("sessions")
    server.process.wait_line(r"proxy %s: has a connection peer=%s" % (
        proxy, re.escape(peer or proxy)), start)
    c.ping()
    c.close()


@pytest.mark.parametrize("tls", ["none", "direct"])
def test_a_port_of_a_module(server, tls):
    start = mark(server)
    sock = knock(server, ("testport", tls), told.v2("192.0.2.20"))
    if tls == "direct":
        sock = ssl.create_default_context(cafile=server.ca_file).wrap_socket(
            sock, server_hostname=server.domain)
    sock.sendall(b"hello\n")
    assert sock.recv(6) == b"hello\n"
    server.process.wait_line(r"testport 192\.0\.2\.20:40000: accepted", start)
    sock.close()


@pytest.mark.parametrize("alpn", ["xmpp-client", "xmpp-server", None])
def test_a_shared_port(own_server, alpn):
    server = own_server({"listen": listen(SHARED),
                         "proxies": {"trusted": ["127.0.0.0/8"]}})
    server.adduser("anna", "secret")
    c = told.connect(client.Client(server), "direct", told.v1("192.0.2.7"))
    c.tls(alpn=alpn and [alpn])
    start = mark(server)
    if alpn == "xmpp-server":
        c.restart().send(c.header(ns="jabber:server", frm="peer.test"))
        c.next("features")
        server.process.wait_line(r"192\.0\.2\.7:40000", start)
    else:
        c.open()
        c.auth("anna", "secret")
        c.bind()
        assert "192.0.2.7:40000" in server.ctl("sessions")
    c.drop()
    server.check()


def test_a_header_in_pieces_and_what_follows_at_once(server):
    """The first bytes of TLS come in one piece with its end."""
    said = told.v2("192.0.2.30", more=b"\4\0\20" + bytes(16))
    for cut in (1, 12, 16, len(said) - 1):
        start = mark(server)
        sock = knock(server, "direct", said[:cut])
        # which is seen in a turn of its own
        server.ctl("status")
        out, into = ssl.MemoryBIO(), ssl.MemoryBIO()
        tls = ssl.create_default_context(cafile=server.ca_file).wrap_bio(
            into, out, server_hostname=server.domain)
        with pytest.raises(ssl.SSLWantReadError):
            tls.do_handshake()
        sock.sendall(said[cut:] + out.read())
        into.write(sock.recv(65536))
        with pytest.raises(ssl.SSLWantReadError):
            while tls.do_handshake() is not None:
                pass
            sock.sendall(out.read())
            tls.read()
        server.process.wait_line(r"peer=192\.0\.2\.30:40000", start)
        sock.close()


# --- limits ------------------------------------------------------------------------


def test_limits_are_those_of_who_is_told(server):
    """limits: connections_per_address, which is 2; the proxy has none."""
    start = mark(server)
    held = [begin(server, "starttls", told.v1(address))
            for address in ("192.0.2.40", "192.0.2.40", "192.0.2.41",
                            "2001:db8:0:1::1", "2001:db8:0:1::2")]
    for address in "192.0.2.40", "2001:db8:0:1:ffff::3":
        rest_of(knock(server, "starttls", told.v2(address)))
        server.process.wait_line(re.escape(address) + r".*refused reason="
                                 r'"limits: connections_per_address"', start)
    for c in held:
        c.drop()


def test_all_that_wait_for_their_proxy_are_bounded(own_server):
    """limits: connections"""
    server = own_server({"listen": listen({"kind": "c2s", "tls": "starttls"}),
                         "limits": {"connections": "10",
                                    "unauthenticated_connections": "10"}})
    start = mark(server)
    held = [knock(server, "starttls") for _ in range(10)]
    until(lambda: open_at(server), lambda n: n == 10)
    assert rest_of(knock(server, "starttls")) == b""
    server.process.wait_line(r'refused reason="limits: connections"', start)
    for sock in held:
        sock.close()
    while True:
        sock = knock(server, "starttls", told.UNKNOWN + b"x")
        if b"stream:error" in rest_of(sock):
            break
    server.check()


# --- who is refused ----------------------------------------------------------------


@pytest.mark.parametrize("said,why", [
    (b"<?xml version='1.0'?><stream:stream ", "not the PROXY protocol"),
    (b"GET / HTTP/1.1\r\n\r\n", "not the PROXY protocol"),
    (b"PROXY TCP4 192.0.2.7 \r\n", "no line of the PROXY protocol"),
    (told.v2("192.0.2.7", more=b"\3\0\4oops"), "checksum"),
    (told.v1("192.0.2.7")[:-5], None)])
def test_who_says_something_else(server, said, why):
    start = mark(server)
    sock = knock(server, "starttls", said)
    if why is None:
        sock.shutdown(socket.SHUT_WR)
        why = "the proxy closed the connection"
    assert rest_of(sock) == b""
    # the log tells of such things now and then
    server.advance(60)
    knock(server, "starttls", said).shutdown(socket.SHUT_WR)
    server.process.wait_line(r'proxy 127\.0\.0\.1:\d+: connection refused '
                             r'reason=".*%s' % why, start)


def test_who_only_looks_whether_we_are_there(server):
    start = mark(server)
    knock(server, "starttls").close()
    server.process.wait_line(
        r'closed reason="the proxy closed the connection"', start)


def test_who_is_not_trusted(server):
    for said in told.v1("192.0.2.7"), b"":
        sock = knock(server, "starttls", source="127.0.0.2")
        try:
            sock.sendall(said)
        except ConnectionError:
            pass
        assert rest_of(sock) == b""


def test_who_says_nothing(server):
    """listen_patience(): the least that a kind of the port gives to strangers"""
    socks = [knock(server, tls, said) for tls in ("starttls", "direct")
             for said in (b"", b"PROXY TC")]
    until(lambda: open_at(server), lambda n: n == 4)
    server.advance(LOGIN_TIMEOUT_S - 1)
    for sock in socks:
        sock.setblocking(False)
        with pytest.raises(BlockingIOError):
            sock.recv(1)
        sock.setblocking(True)
    server.advance(2)
    assert [rest_of(sock) for sock in socks] == [b""] * 4


def test_a_port_without_it_does_not_speak_it(own_server):
    server = own_server({"listen": listen(PLAIN)})
    for said in told.v1("192.0.2.7"), told.v2("192.0.2.7"):
        sock = knock(server, "starttls", said + b"<?xml version='1.0'?>")
        assert b"not-well-formed" in rest_of(sock)
    server.check()


# --- reload and stop ---------------------------------------------------------------


def test_a_reload_changes_whom_to_believe(own_server):
    entry = listen({"kind": "c2s", "tls": "starttls"})
    entry[0]["port"] = free_port()
    server = own_server({"listen": entry})
    waits = knock(server, "starttls", b"PROXY ")
    server.conf["proxies"] = {"trusted": ["192.0.2.1"]}
    server.write_conf()
    server.ctl("reload")
    assert rest_of(knock(server, "starttls", told.v1("192.0.2.7"))) == b""
    waits.sendall(b"UNKNOWN\r\nx")
    assert b"stream:error" in rest_of(waits)
    waits = knock(server, "starttls")
    assert rest_of(waits) == b""
    server.conf["proxies"] = {"trusted": ["127.0.0.1"]}
    server.write_conf()
    server.ctl("reload")
    waits = knock(server, "starttls", b"PROXY ")
    server.conf["listen"][0]["proxy_protocol"] = "no"
    server.write_conf()
    server.ctl("reload")
    waits.sendall(b"UNKNOWN\r\nx")
    assert rest_of(waits) == b""
    assert b"not-well-formed" in rest_of(knock(server, "starttls", b"PROXY "))
    server.check()


def test_a_stop_waits_for_no_proxy(own_server):
    server = own_server({"listen": listen({"kind": "c2s", "tls": "starttls"})})
    waits = [knock(server, "starttls", b"PROXY ") for _ in range(5)]
    begin(server, "starttls", told.UNKNOWN).drop()
    server.restart()
    assert [rest_of(sock) for sock in waits] == [b""] * 5


def free_port():
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        return sock.getsockname()[1]


# --- the configuration -------------------------------------------------------------


@pytest.mark.parametrize("conf,said", [
    ({"proxies": {"trusted": []}},
     r"listen: port \d+: with `proxy_protocol: yes` nobody could connect, "
     r"because `proxies: { trusted: }` names no proxy"),
    ({"proxies": {"trusted": ["192.0.2.1/24"]}},
     r'proxies: trusted: found "192\.0\.2\.1/24", expected an IP address or a '
     r"network"),
    ({"proxies": {"trusted": ["proxy.example.org"]}},
     r'proxies: trusted: found "proxy\.example\.org"')])
def test_mistakes_are_told_with_their_line(pool, conf, said):
    server = pool.new({"listen": listen({"kind": "c2s", "tls": "starttls"}),
                       **conf})
    code, text = check_config(server)
    assert code == 1
    assert re.search(r"antiphond\.yml:\d+: " + said, text), text
