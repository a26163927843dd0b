"""What others could make the server do at whatever place their bytes come in: grow
(hostile-02), and ask elsewhere (hostile-58)."""

import re
import socket
from xml.sax.saxutils import escape

import pytest

import s2s_peer
import web
from antiphon import DOMAIN
from client import PATIENCE
from test_reload import resident_kib
from uploads import NS as UPLOAD, Uploads

pytestmark = pytest.mark.only("antiphon")

# ten thousand million letters, if anybody counts to that
BOMB = "<!DOCTYPE x [<!ENTITY a0 'aaaaaaaaaa'>%s]><x b='&a9;'>&a9;</x>\r\n" % "".join(
    "<!ENTITY a%d '%s'>" % (i, 10 * ("&a%d;" % (i - 1))) for i in range(1, 10))
STREAM = ("<stream:stream xmlns='%s' to='%s' version='1.0' "
          "xmlns:stream='http://etherx.jabber.org/streams'>")
KINDS = [("c2s", "starttls"), ("c2s", "direct"), ("server", "starttls"),
         ("server", "direct"), ("component", "none"), ("proxy65", "none"),
         ("http", "none"), ("https", "direct"), ("web", "direct")]


@pytest.fixture(scope="module")
def entries(pool):
    made = pool.new(s2s_peer.conf({
        "listen": [{"kind": kind, "address": "127.0.0.1", "port": 0, "tls": tls}
                   for kind, tls in KINDS],
        "components": {"gate." + DOMAIN: {"secret": "of gate"}}}))
    made.start()
    yield made
    made.check()
    made.stop()


def said_at(server, kind, tls, text):
    """All that is answered, until it ends."""
    conn = web.Web(server.port(tls if kind == "c2s" else (kind, tls)),
                   web.context(server) if tls == "direct" else None)
    try:
        conn.send(text)
        while conn.more():
            pass
    except ConnectionError:
        pass # not all was read
    conn.close()
    return conn.got.decode("latin-1")


NAMESPACES = {"server": "jabber:server", "component": "jabber:component:accept"}


@pytest.mark.parametrize("kind, tls", KINDS)
@pytest.mark.parametrize("within", [False, True])
def test_a_bomb_at_every_entry(entries, kind, tls, within):
    """Hostile-02: there is one parser, and it takes no entity anywhere; what reads no
    XML takes none of it either."""
    before = resident_kib(entries.process.proc.pid)
    text = BOMB
    if within:
        ns = NAMESPACES.get(kind, "jabber:client")
        text = STREAM % (ns, DOMAIN if kind != "component" else
                         "gate." + DOMAIN) + BOMB
    got = said_at(entries, kind, tls, text)
    if kind in ("c2s", "server", "component"):
        assert re.search("<restricted-xml|<not-well-formed" if within else
                         "<restricted-xml", got), got
    elif kind == "proxy65":
        assert got == ""
    else:
        assert got.startswith("HTTP/1.1 400 "), got
    assert "aaaaaaaaaa" not in got
    assert resident_kib(entries.process.proc.pid) - before < 32 * 1024


@pytest.mark.parametrize("path", ["/", "/health", "/upload",
                                  "/.well-known/host-meta"])
def test_a_bomb_as_a_body(entries, path):
    for kind, tls in KINDS[-3:]:
        got = said_at(entries, kind, tls, (
            "POST %s HTTP/1.1\r\nHost: %s\r\nContent-Type: text/xml\r\n"
            "Connection: close\r\nContent-Length: %d\r\n\r\n%s" % (
                path, DOMAIN, len(BOMB), BOMB)))
        assert re.match("HTTP/1.1 40[45] ", got), got


def test_a_bomb_at_the_control_socket(entries):
    with socket.socket(socket.AF_UNIX) as sock:
        sock.settimeout(PATIENCE)
        sock.connect(entries.socket)
        sock.sendall(BOMB.encode() + b"\n")
        sock.shutdown(socket.SHUT_WR)
        got = b""
        while some := sock.recv(65536):
            got += some
    assert b"aaaaaaaaaa" not in got
    assert "version" in entries.ctl("status")


# --- asking elsewhere -----------------------------------------------------------------

STANZAS = [
    "<message to='%(you)s' type='chat'><body>%(url)s</body>"
    "<x xmlns='jabber:x:oob'><url>%(url)s</url></x></message>",
    "<message to='%(you)s'><file-sharing xmlns='urn:xmpp:sfs:0'><sources>"
    "<url-data xmlns='http://jabber.org/protocol/url-data' target='%(url)s'/>"
    "</sources></file-sharing></message>",
    "<message to='%(you)s'><reference xmlns='urn:xmpp:reference:0' type='data' "
    "uri='%(url)s'/><Description about='%(url)s' "
    "xmlns='http://www.w3.org/1999/02/22-rdf-syntax-ns#'/></message>",
    "<presence><c xmlns='http://jabber.org/protocol/caps' hash='sha-1' "
    "node='%(url)s' ver='x'/><x xmlns='vcard-temp:x:update'><photo>%(url)s"
    "</photo></x></presence>",
]
IQS = [
    ("set", None, "<vCard xmlns='vcard-temp'><PHOTO><EXTVAL>%(url)s</EXTVAL>"
     "</PHOTO><URL>%(url)s</URL></vCard>"),
    ("get", "%(you)s", "<vCard xmlns='vcard-temp'/>"),
    ("set", None, "<query xmlns='jabber:iq:private'><storage "
     "xmlns='storage:bookmarks'><url url='%(url)s' name='x'/></storage></query>"),
    ("set", None, "<pubsub xmlns='http://jabber.org/protocol/pubsub'><publish "
     "node='urn:xmpp:avatar:metadata'><item id='a'><metadata "
     "xmlns='urn:xmpp:avatar:metadata'><info bytes='1' id='a' type='image/png' "
     "url='%(url)s'/></metadata></item></publish></pubsub>"),
    ("set", None, "<enable xmlns='urn:xmpp:push:0' jid='127.0.0.1' "
     "node='%(url)s'/>"),
    ("get", "upload.%(host)s", "<request xmlns='" + UPLOAD +
     "' filename='%(url)s' size='1'/>"),
    ("set", "%(host)s", "<query xmlns='jabber:iq:oob'><url>%(url)s</url>"
     "</query>"),
    ("set", "%(host)s", "<confirm xmlns='http://jabber.org/protocol/http-auth' "
     "id='a' method='GET' url='%(url)s'/>"),
    ("get", "proxy.%(host)s", "<query xmlns='http://jabber.org/protocol/"
     "bytestreams' sid='a'><streamhost jid='x' host='127.0.0.1' port='%(port)d'/>"
     "</query>"),
    ("set", "proxy.%(host)s", "<query xmlns='http://jabber.org/protocol/"
     "bytestreams' sid='a'><streamhost jid='x' host='127.0.0.1' port='%(port)d'/>"
     "<activate>127.0.0.1:%(port)d</activate></query>"),
]
REQUESTS = [
    "GET %(url)s HTTP/1.1\r\nHost: %(host)s\r\n\r\n",
    "GET %(url)s HTTP/1.1\r\nHost: 127.0.0.1:%(port)d\r\n\r\n",
    "GET / HTTP/1.1\r\nHost: 127.0.0.1:%(port)d\r\n\r\n",
    "CONNECT 127.0.0.1:%(port)d HTTP/1.1\r\nHost: 127.0.0.1:%(port)d\r\n\r\n",
    "GET /?url=%(url)s HTTP/1.1\r\nHost: %(host)s\r\n\r\n",
    "GET /getFavicon?host=127.0.0.1:%(port)d HTTP/1.1\r\nHost: %(host)s\r\n\r\n",
    "GET /upload/%(url)s HTTP/1.1\r\nHost: %(host)s\r\n\r\n",
    "GET / HTTP/1.1\r\nHost: %(host)s\r\nX-Forwarded-Host: 127.0.0.1:%(port)d\r\n"
    "Forwarded: host=127.0.0.1:%(port)d\r\nReferer: %(url)s\r\nOrigin: %(url)s\r\n"
    "X-Original-URL: %(url)s\r\nX-Accel-Redirect: %(url)s\r\n\r\n",
    "PUT /upload/%(id)s/a HTTP/1.1\r\nHost: %(host)s\r\nContent-Length: 0\r\n"
    "Content-Location: %(url)s\r\n\r\n",
]


def test_nobody_makes_the_server_ask_elsewhere(own_server):
    """Hostile-58: no address that anybody names is asked for anything."""
    up = Uploads(own_server, {"listen": [
        {"kind": kind, "address": "127.0.0.1", "port": 0, "tls": tls}
        for kind, tls in KINDS if kind not in ("server", "component", "web")]})
    juliet = up.scene.online("juliet/a")
    with socket.create_server(("127.0.0.1", 0)) as bait:
        port = bait.getsockname()[1]
        values = {"url": "http://127.0.0.1:%d/bait.png" % port, "port": port,
                  "host": DOMAIN, "you": juliet.jid, "id": "0" * 32}
        for text in STANZAS:
            up.romeo.send(text % {**values, "url": escape(values["url"])})
        for kind, to, text in IQS:
            up.romeo.iq(kind, text % values, to and to % values)
        for text in REQUESTS:
            conn = up.web().send(text % values)
            assert conn.answer().status in (200, 400, 403, 404, 501)
            conn.close()
        for one in (up.romeo, juliet):
            one.ping()
        up.server.ctl("status")
        bait.setblocking(False)
        with pytest.raises(BlockingIOError):
            bait.accept()
    up.server.check()
