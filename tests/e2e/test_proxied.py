"""The server behind nginx and HAProxy, with the configurations of contrib/."""

import os
import re
import subprocess
from urllib.parse import urlsplit

import pytest

import web
from antiphon import DOMAIN
from client import Client
from fronts import TOP, Front, contrib, found, free_port
from uploads import NOBODY_IS_SHORT, NS, Slot

pytestmark = pytest.mark.only("antiphon")

CLIENT = "127.0.0.5"
STREAMS = [("c2s", "starttls", 5222), ("c2s", "direct", 5223),
           ("server", "starttls", 5269), ("server", "direct", 5270)]


@pytest.fixture(scope="module")
def behind(pool):
    server = pool.new({"listen": [
        {"kind": ["c2s", "web"], "address": "127.0.0.1", "port": 0,
         "tls": "direct"}] + [ # of itself; those below are behind a proxy
        {"kind": kind, "address": "127.0.0.1", "port": 0, "tls": tls,
         "proxy_protocol": "yes"} for kind, tls, _ in STREAMS] + [
        {"kind": "https", "address": "127.0.0.1", "port": 0, "tls": "direct",
         "proxy_protocol": "yes"},
        {"kind": "http", "address": "127.0.0.1", "port": 0, "tls": "none"}],
        "modules": {"upload": NOBODY_IS_SHORT},
        "proxies": {"trusted": ["127.0.0.1"]},
        "hosts": {DOMAIN: {"public_url": "https://" + DOMAIN}}})
    server.start()
    server.adduser("anna", "secret")
    yield server
    server.stop()


@pytest.fixture
def front(behind):
    made = Front(behind)
    yield made
    made.end()
    behind.check()


class Through:
    """A server as clients see it: at other ports."""

    def __init__(self, server, ports):
        self.ca_file, self.domain = server.ca_file, server.domain
        self.address = server.address
        self.ports = ports

    def port(self, tls):
        return self.ports[tls]


def log_in(front, ports):
    for tls in "starttls", "direct":
        c = Client(Through(front.server, ports)).secure(tls)
        c.auth("anna", "secret")
        c.bind()
        own = "127.0.0.1:%d" % c.sock.getsockname()[1]
        assert own in front.server.ctl("sessions")
        c.ping()
        c.close()


def test_nginx_hands_on_streams(front):
    ports = {tls: free_port() for kind, tls, _ in STREAMS if kind == "c2s"}
    changes = [("listen [::]:%d so_keepalive=on;\n" % port, "\n")
               for _, _, port in STREAMS]
    for kind, tls, port in STREAMS:
        at = ports[tls] if kind == "c2s" else free_port()
        to = front.server.port(tls if kind == "c2s" else (kind, tls))
        changes += [("listen %d " % port, "listen 127.0.0.1:%d " % at),
                    ("127.0.0.1:%d;" % (10000 + port), "127.0.0.1:%d;" % to)]
    front.nginx(stream=contrib("nginx/antiphon-stream.conf", changes))
    log_in(front, ports)


def test_haproxy_hands_on_streams(front):
    ports = {tls: free_port() for kind, tls, _ in STREAMS if kind == "c2s"}
    pages = free_port()
    changes = [("bind :::443 v4v6", "bind 127.0.0.1:%d" % pages),
               ("127.0.0.1:15281 send", "127.0.0.1:%d send"
                % front.server.port(("https", "direct")))]
    for kind, tls, port in STREAMS:
        at = ports[tls] if kind == "c2s" else free_port()
        to = front.server.port(tls if kind == "c2s" else (kind, tls))
        changes += [("bind :::%d v4v6" % port, "bind 127.0.0.1:%d" % at),
                    ("127.0.0.1:%d send-proxy-v2" % (10000 + port),
                     "127.0.0.1:%d send-proxy-v2 proxy-v2-options crc32c" % to)]
    start = len(front.server.process.lines)
    front.haproxy(contrib("haproxy/antiphon.cfg", changes))
    log_in(front, ports)
    page = web.Web(pages, web.context(front.server, ["http/1.1"]), source=CLIENT)
    # the peer is not a proxy: what he says is not believed
    assert page.ask("/", fields=FORGED).status == 200
    asked(front, start, CLIENT + r":\d+")
    page.close()


# --- pages -------------------------------------------------------------------------

FORGED = "X-Forwarded-For: 192.0.2.66\r\nX-Forwarded-Proto: http\r\n"


def asked(front, start, who, status=200):
    front.server.process.wait_line(
        r'http %s: request method=GET host=%s path="/" status=%d ' % (
            who, re.escape(DOMAIN), status), start)


def ask_pages(front, plain, secure):
    start = len(front.server.process.lines)
    context = web.context(front.server, ["http/1.1"])
    page = web.Web(secure, context, source=CLIENT)
    for fields in "", FORGED.split("\r\n")[0] + "\r\n":
        answer = page.ask("/", fields=fields)
        assert answer.status == 200 and b"<h1>" in answer.body
        asked(front, start, CLIENT)
        start = len(front.server.process.lines)
    assert page.ask("/health").body == b"ok\n"
    assert page.ask("/", "PUT", body=b"").status == 405
    page.close()
    page = web.Web(plain, source=CLIENT)
    answer = page.ask("/some/page?a=b")
    assert answer.status == 308
    assert answer.fields["location"] == "https://%s/some/page?a=b" % DOMAIN
    page.close()


def upload(front, secure):
    """More than a proxy would keep in memory, if it kept requests."""
    c = Client(Through(front.server, {"direct": front.server.port(
        ("web", "direct"))})).secure("direct")
    c.auth("anna", "secret")
    c.bind()
    body = os.urandom(3_000_000)
    slot = Slot(c.iq("get", "<request xmlns='%s' filename='a.bin' size='%d'/>"
                     % (NS, len(body)), "upload." + DOMAIN))
    c.close()
    assert slot.put.startswith("https://%s/" % DOMAIN)
    page = web.Web(secure, web.context(front.server, ["http/1.1"]), source=CLIENT)
    assert page.ask(slot.path, "PUT", fields="Authorization: %s\r\n"
                    "Content-Length: %d\r\n" % (slot.token, len(body)),
                    body=body).status == 201
    answer = page.ask(urlsplit(slot.get).path)
    assert answer.status == 200 and answer.body == body
    page.close()


def test_nginx_in_front_of_pages(front):
    plain, secure = free_port(), free_port()
    certs = front.server.certs
    front.nginx(site=contrib("nginx/antiphon.conf", [
        ("listen [::]:80;", ""), ("listen [::]:443 ssl;", ""),
        ("listen 80;", "listen 127.0.0.1:%d;" % plain),
        ("listen 443 ssl;", "listen 127.0.0.1:%d ssl;" % secure),
        ("server_name example.org", "server_name " + DOMAIN),
        ("/etc/letsencrypt/live/example.org/fullchain.pem",
         certs["server.crt"]),
        ("/etc/letsencrypt/live/example.org/privkey.pem", certs["server.key"]),
        ("127.0.0.1:5280", "127.0.0.1:%d"
         % front.server.port(("http", "none")))]))
    ask_pages(front, plain, secure)
    upload(front, secure)


def test_haproxy_in_front_of_pages(front):
    plain, secure = free_port(), free_port()
    pem = os.path.join(front.folder, "both.pem")
    with open(pem, "w") as out:
        for name in "server.crt", "server.key":
            with open(front.server.certs[name]) as f:
                out.write(f.read())
    front.haproxy(contrib("haproxy/antiphon-http.cfg", [
        ("bind :::80 v4v6", "bind 127.0.0.1:%d" % plain),
        ("bind :::443 v4v6", "bind 127.0.0.1:%d" % secure),
        ("/etc/haproxy/example.org.pem", pem), ("example.org", DOMAIN),
        ("127.0.0.1:5280", "127.0.0.1:%d"
         % front.server.port(("http", "none")))]))
    ask_pages(front, plain, secure)
    upload(front, secure)


def test_caddy_takes_its_configuration():
    subprocess.run([found("caddy"), "validate", "--adapter", "caddyfile",
                    "--config", TOP + "/contrib/caddy/Caddyfile"], check=True)
