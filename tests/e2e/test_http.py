"""Requests by HTTP: ports, TLS, what is agreed on there, shared ports, reloads."""

import json
import re
import socket
import ssl
import subprocess

import pytest

import web
from antiphon import DOMAIN, OTHER_DOMAIN
from client import Client, PATIENCE
from test_at_limits import check_config
from test_stats import stats

pytestmark = pytest.mark.only("antiphon")

SHARED = [{"kind": ["c2s", "server", "web"], "address": "127.0.0.1", "port": 0,
           "tls": tls} for tls in ("direct", "starttls")]


@pytest.fixture(scope="module")
def pages(pool):
    made = pool.new(web.conf({"limits": {"connections_per_address": 5000}}))
    made.start()
    yield made
    made.check()
    made.stop()


def test_the_first_page_says_how_to_connect(pages):
    page = web.secure(pages).ask("/")
    assert page.status == 200
    text = page.body.decode()
    assert "<h1>%s</h1>" % DOMAIN in text
    assert "port %d, encrypted with STARTTLS" % pages.port("starttls") in text
    assert "script" not in text
    assert page.fields["content-type"] == "text/html; charset=utf-8"
    assert page.fields["cache-control"] == "no-store"


@pytest.mark.parametrize("offer, agreed", [
    (None, None), (["http/1.1"], "http/1.1"),
    (["h2", "http/1.1"], "http/1.1")])
def test_what_browsers_offer(pages, offer, agreed):
    conn = web.secure(pages, offer)
    assert conn.sock.selected_alpn_protocol() == agreed
    assert conn.ask("/health").body == b"ok\n"


def test_who_speaks_http_2_alone_is_refused_in_the_handshake(pages):
    with pytest.raises(ssl.SSLError, match="(?i)no.application.protocol"):
        web.secure(pages, ["h2"])


def asks_for_certificate(server, port, *options):
    done = subprocess.run(
        ["openssl", "s_client", "-connect", "127.0.0.1:%d" % port,
         "-servername", DOMAIN, "-msg", "-ign_eof", *options],
        input="GET /health HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n",
        capture_output=True, text=True, timeout=PATIENCE)
    assert "ok\n" in done.stdout
    return "CertificateRequest" in done.stdout


@pytest.mark.parametrize("version", ["-tls1_2", "-tls1_3"])
def test_a_browser_is_asked_for_no_certificate(pages, version):
    assert not asks_for_certificate(pages, pages.port(("https", "direct")),
                                    version)


def test_the_host_is_that_of_the_request_and_not_of_tls(pages):
    conn = web.secure(pages, name=DOMAIN)
    assert OTHER_DOMAIN in conn.ask("/", host=OTHER_DOMAIN).body.decode()
    assert conn.ask("/", host=DOMAIN.upper() + ".:1234").status == 200
    assert conn.ask("/", host="elsewhere.example").status == 404
    assert conn.ask("/", host="127.0.0.1").status == 404
    assert conn.ask("/health", host="127.0.0.1").status == 200


def test_a_host_is_asked_under_its_own_certificate(own_server, authority):
    """RFC 9110 §7.4: or by a proxy that is trusted."""
    server = own_server(web.conf({"proxies": {"trusted": ["192.0.2.1"]}}),
                        start=False)
    other = authority.issue("good", OTHER_DOMAIN)
    hosts = server.conf["hosts"]
    hosts[OTHER_DOMAIN] = {**hosts[OTHER_DOMAIN], "certificate": other.chain,
                           "key": other.key}
    server.start()
    made = ssl.create_default_context(cafile=authority.cert)

    def ask(path, host):
        return web.Web(server.port(("https", "direct")), made,
                       OTHER_DOMAIN).ask(path, host=host).status

    assert ask("/", OTHER_DOMAIN) == 200
    assert ask("/", OTHER_DOMAIN.upper() + ".") == 200
    assert ask("/", DOMAIN) == 421
    assert ask("/nowhere", DOMAIN) == 421
    assert ask("/", "elsewhere.example") == 404
    assert ask("/health", DOMAIN) == 200 # that is of no host
    # one certificate may be for several
    assert web.secure(server).ask("/", host=OTHER_DOMAIN).status == 200
    assert web.plain(server).ask("/", host=DOMAIN).status == 200
    server.conf["proxies"]["trusted"].append("127.0.0.1")
    server.write_conf()
    server.ctl("reload")
    assert ask("/", DOMAIN) == 200


def test_hundreds_of_connections_stay_and_are_counted(pages):
    before = stats(pages)["http_requests"]
    many = [web.plain(pages) for _ in range(400)]
    for conn in many:
        assert conn.ask("/health").status == 200
    now = stats(pages)
    assert now["http_connections"] >= 400
    assert now["http_requests"] - before == 400
    for conn in reversed(many):
        assert conn.ask("/nowhere").status == 404
        conn.close()


def test_pipelined_requests_come_back_in_order(pages):
    conn = web.secure(pages)
    conn.send("".join(
        "%s %s HTTP/1.1\r\nHost: %s\r\n\r\n" % (method, path, DOMAIN)
        for method, path in [("GET", "/health"), ("HEAD", "/"),
                             ("GET", "/nowhere")] * 200))
    for _ in range(200):
        assert conn.answer().body == b"ok\n"
        assert conn.answer(bodyless=True).status == 200
        assert conn.answer().status == 404


def test_the_log_has_no_query_and_no_header(pages):
    conn = web.plain(pages)
    conn.ask("/nowhere/%3Cb%3E?token=secret-query",
             fields="Authorization: secret-header\r\n")
    pages.process.wait_line(
        r'debug http .* request method=GET host=%s path="/nowhere/%%3Cb%%3E" '
        r"status=404" % re.escape(DOMAIN))
    assert not any("secret-" in line for line in pages.process.lines)


@pytest.mark.parametrize("text, status", [
    ("GET /\r\n\r\n", 400),
    ("GET / HTTP/1.1\nHost: x\n\n", 400),
    ("GET / HTTP/1.1\r\nHost : %s\r\n\r\n" % DOMAIN, 400),
    ("GET / HTTP/1.1\r\nHost: %s\r\n folded\r\n\r\n" % DOMAIN, 400),
    ("GET /../etc/passwd HTTP/1.1\r\nHost: %s\r\n\r\n" % DOMAIN, 400),
    ("POST / HTTP/1.1\r\nHost: %s\r\nContent-Length: 1\r\n"
     "Content-Length: 2\r\n\r\nx" % DOMAIN, 400),
    ("\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", 400),
])
def test_what_is_malformed_is_refused_and_ends_it(pages, text, status):
    conn = web.plain(pages)
    conn.send(text.encode("latin-1"))
    answer = conn.answer()
    assert answer.status == status
    assert answer.fields["connection"] == "close"
    assert conn.ended()


def test_a_body_that_nobody_wants_does_not_hide_the_answer(pages):
    """RFC 9112 §9.6: the peer sees it, though it writes on."""
    conn = web.plain(pages)
    conn.send("PUT / HTTP/1.1\r\nHost: %s\r\nContent-Length: 100000000\r\n\r\n"
              % DOMAIN)
    try:
        for _ in range(64):
            conn.send(b"x" * 65536)
    except (BrokenPipeError, ConnectionResetError):
        pass
    assert conn.answer().status == 405


# --- ports of several kinds ----------------------------------------------------


@pytest.fixture(scope="module")
def shared(pool):
    made = pool.new({"listen": [dict(e) for e in SHARED]})
    made.start()
    made.adduser("anna", "secret")
    yield made
    made.check()
    made.stop()


def tls_of(server, alpn):
    return web.Web(server.port("direct"), web.context(server, alpn))


@pytest.mark.parametrize("alpn", [None, ["http/1.1"], ["h2", "http/1.1"]])
def test_one_port_with_tls_is_for_all(shared, alpn):
    assert tls_of(shared, alpn).ask("/").status == 200
    client = tls_of(shared, ["xmpp-client"])
    assert client.sock.selected_alpn_protocol() == "xmpp-client"
    client.send("<?xml version='1.0'?><stream:stream xmlns='jabber:client' "
                "xmlns:stream='http://etherx.jabber.org/streams' "
                "version='1.0' to='%s'>" % DOMAIN)
    assert b"mechanisms" in client.line(b"</stream:features>")


def test_the_same_without_tls_until_it_is_asked_for(shared):
    port = shared.port("starttls")
    assert web.Web(port).ask("/health").body == b"ok\n"
    slow = web.Web(port)
    for byte in "GET /health HTTP/1.1\r\nHost: x\r\n\r\n":
        slow.send(byte)
    assert slow.answer().status == 200
    Client(shared).secure()


def test_at_a_shared_port_no_browser_is_asked_for_a_certificate(shared):
    port = shared.port("direct")
    assert not asks_for_certificate(shared, port)
    assert not asks_for_certificate(shared, port, "-alpn", "h2,http/1.1")


# --- reloads -------------------------------------------------------------------


def test_a_reload_changes_hosts_and_ports(own_server):
    server = own_server(web.conf())
    kept = web.plain(server)
    assert kept.ask("/", host="new.example").status == 404
    host = server.conf["hosts"][DOMAIN]
    server.conf["hosts"]["new.example"] = host
    server.write_conf()
    server.ctl("reload")
    assert kept.ask("/", host="new.example").status == 200
    del server.conf["hosts"]["new.example"]
    server.conf["listen"] = server.conf["listen"][:2]
    gone = server.port(("https", "direct"))
    server.write_conf()
    server.ctl("reload")
    assert kept.ask("/", host="new.example").status == 404
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.1", gone), PATIENCE)


def test_the_first_page_tells_whether_accounts_can_be_made(own_server):
    server = own_server(web.conf({"modules": {"register": {"allow": True}}}))
    conn = web.plain(server)
    assert b"makes one" in conn.ask("/").body
    server.ctl("modules", "unload", "register")
    assert b"makes one" not in conn.ask("/").body


@pytest.mark.parametrize("host, why", [
    ({"public_url": "example.org"}, "public_url: .* is no address"),
    ({"public_url": "https://example.org/"}, "without a / at its end"),
    ({"public_url": "https://user@example.org"}, "is no address"),
    ({"public_url": "ftp://example.org"}, "is no address"),
    ({"cors_origins": ["chat.example.org"]}, "cors_origins: .* is no origin"),
    ({"cors_origins": ["https://chat.example.org/x"]}, "is no origin"),
])
def test_addresses_have_a_form(own_server, host, why):
    server = own_server(start=False)
    server.conf["hosts"][DOMAIN] = {**server.conf["hosts"][DOMAIN], **host}
    code, said = check_config(server)
    assert code != 0 and re.search(why, said), said


def test_addresses_that_are_right(own_server):
    server = own_server(start=False)
    for url in ("https://example.org", "http://[::1]:8080/a/b", "https://a:1"):
        server.conf["hosts"][DOMAIN]["public_url"] = url
        server.conf["hosts"][DOMAIN]["cors_origins"] = ["*", "https://a:1"]
        code, said = check_config(server)
        assert code == 0, said
