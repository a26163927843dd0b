"""Another server for the tests, of our own: one that does as it is told, so that it
can break every rule.  Streams that it opens:

    peer = Peer(server, "peer.example", certificate=authority.issue(...))
    peer.secure()                     connected, under TLS, features have come
    peer.external()                   SASL, and the next stream
    peer.result("key")                shows a key, and waits for the answer
    peer.send("<message from='a@peer.example' to='...'/>")

and streams that others open to it, each dealt with in a thread of its own:

    host = Host("peer.example", certificate)
    server = own_server({"remotes": host.remotes(), ...})
    host.says = lambda ask: "valid"   of keys that it is asked about
    host.streams                      those that have come

A server has `domain', `ca_file', and port(("server", "starttls" or "direct")).
Stanzas look as in the stream of a client (see xmltree).
"""

import hashlib
import hmac
import secrets
import socket
import ssl
import threading
import time
from xml.sax.saxutils import escape, quoteattr

from client import Client, Closed, PATIENCE
from process import Failed
from xmltree import CLIENT, Mismatch, SASL, STREAM, StreamReader, TLS

PEER = "peer.example" # of fixture host

SERVER = "jabber:server"
DIALBACK = "jabber:server:dialback"
FEATURE_DIALBACK = "urn:xmpp:features:dialback"
DECLARED = " xmlns:db='%s'" % DIALBACK


def conf(more=None, **federation):
    """A configuration with ports for servers, which federates with whomever."""
    listen = [{"kind": kind, "address": "127.0.0.1", "port": 0, "tls": tls}
              for kind in ("c2s", "server") for tls in ("starttls", "direct")]
    if "components" in (more or {}):
        listen.append({"kind": "component", "address": "127.0.0.1",
                       "port": 0})
    return {"listen": listen, "federation": {"mode": "on", **federation},
            **(more or {})}


def dialback_key(secret, receiving, originating, stream_id):
    """XEP-0185 §2."""
    hashed = hashlib.sha256(secret.encode()).hexdigest()
    text = "%s %s %s" % (receiving, originating, stream_id)
    return hmac.new(hashed.encode(), text.encode(), "sha256").hexdigest()


def inside(e):
    """e as it would be in a stream of a client."""
    if e.ns == CLIENT:
        raise Mismatch("in the namespace of clients: %s" % e)
    if e.ns == SERVER:
        e.ns = CLIENT
    for child in e.elems():
        if child.ns == SERVER:
            inside(child)
    return e


class Peer(Client):
    """A stream that the domain opens; certificate as of authority.py, or None."""

    def __init__(self, server, domain, certificate=None, to=None):
        super().__init__(server, domain, to)
        self.me, self.certificate = domain, certificate

    # --- how it begins --------------------------------------------------------

    def connect(self, kind="starttls", source=None):
        self.sock = socket.create_connection(
            ("127.0.0.1", self.server.port(("server", kind))), PATIENCE,
            source and (source, 0))
        self.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.eof = False
        if kind == "direct":
            self.tls(alpn=["xmpp-server"])
        return self

    def tls(self, alpn=None, sni=True, context=None):
        if context is None:
            context = ssl.create_default_context(cafile=self.server.ca_file)
            if self.certificate:
                context.load_cert_chain(self.certificate.chain,
                                        self.certificate.key)
        super().tls(alpn, sni, context)

    def header(self, to=None, frm="", version="1.0", ns=SERVER, lang="en",
               more=DECLARED, **rest):
        """frm: None: none; not given: its own."""
        return super().header(to, self.me if frm == "" else frm, version, ns,
                              lang, more=more, **rest)

    def secure(self, kind="starttls", source=None, **header):
        self.connect(kind, source)
        self.open(**header)
        if kind == "starttls":
            self.starttls()
            self.open(**header)
        return self

    @property
    def stream_id(self):
        return self.reader.header.get("id")

    def next(self, what="a stanza"):
        got = super().next(what)
        if getattr(got, "put_back", False) or got.ns in (STREAM, DIALBACK):
            return got
        got.put_back = True # perhaps, by take()
        return inside(got)

    # --- who it is --------------------------------------------------------------

    def auth_external(self, text="="):
        """Its answer; text: base64, "" for none."""
        return self.auth_send("EXTERNAL", text)

    def external(self, text="="):
        got = self.auth_external(text)
        if not got.is_("success", SASL):
            raise Mismatch("%s: EXTERNAL failed: %s" % (self.name, got))
        self.open()
        return self

    def show(self, key="a key", to=None, frm=None, more=""):
        """Shows a key, and waits for nothing."""
        return self.send("<db:result from=%s to=%s%s>%s</db:result>" % (
            quoteattr(frm or self.me), quoteattr(to or self.domain), more,
            escape(key)))

    def ask(self, key, stream_id, to=None, frm=None, more=""):
        """Asks about a key, and waits for nothing."""
        return self.send("<db:verify from=%s to=%s id=%s%s>%s</db:verify>" % (
            quoteattr(frm or self.me), quoteattr(to or self.domain),
            quoteattr(stream_id), more, escape(key)))

    def answer(self, name, frm=None, to=None):
        """The next element is a dialback one: its type, or the error condition
        in it."""
        got = self.next("an answer to <db:%s/>" % name)
        if not got.is_(name, DIALBACK) or \
                (got.get("from"), got.get("to")) != (frm or self.domain,
                                                     to or self.me):
            raise Mismatch("%s: expected the answer to <db:%s/>, got %s"
                           % (self.name, name, got))
        if got.get("type") != "error":
            return got.get("type")
        return got.child("error").elems()[0].name

    def result(self, key="a key", to=None, frm=None):
        self.show(key, to, frm)
        return self.answer("result", to, frm)

    def verify(self, key, stream_id, to=None, frm=None):
        self.ask(key, stream_id, to, frm)
        return self.answer("verify", to, frm)

    def ping(self, frm=None, to=None):
        """Whatever it has sent before has been dealt with: keys are asked about in
        the same order, and we answer for none of this."""
        id_ = secrets.token_hex(8)
        self.ask("no key", id_)
        return self.take(lambda e: e.is_("verify", DIALBACK) and
                         e.get("id") == id_, "the answer to a question")


class Ask:
    """A key that somebody asks about."""

    def __init__(self, e):
        self.frm, self.to, self.id = e.get("from"), e.get("to"), e.get("id")
        self.key = e.text().strip()


class Incoming:
    """A stream that somebody has opened to a host: what came is in `got'."""

    def __init__(self, host, sock, direct):
        self.host, self.sock, self.direct = host, sock, direct
        self.headers, self.got = [], []
        self.changed = threading.Condition()
        self.reader = self.before = None
        self.ended = self.secured = False
        self.authenticated = None # EXTERNAL, or "dialback"
        self.waiting = []
        self.thread = threading.Thread(target=self.run, daemon=True)
        self.thread.start()

    # --- bytes ------------------------------------------------------------------

    def send(self, text):
        self.sock.sendall(text.encode())

    def run(self):
        try:
            self.sock.settimeout(None)
            if self.direct:
                self.tls()
            self.restart()
            while not self.ended:
                data = self.sock.recv(65536)
                if not data:
                    break
                self.feed(data)
        except (OSError, ssl.SSLError):
            pass
        finally:
            self.end()

    def feed(self, data):
        """The peer may end the stream that was before, as long as it has not heard
        that there is a new one."""
        begins = self.reader.header is not None or \
            data.startswith(b"<?xml") or self.before is None
        reader = self.reader if begins else self.before
        reader.feed(data)
        if len(self.headers) < self.opened and self.reader.header is not None:
            self.headers.append(self.reader.header)
            self.on_header(self.reader.header)
        while self.waiting:
            self.on_element(self.waiting.pop(0))
        if reader.closed:
            self.send("</stream:stream>")
            self.ended = True

    def end(self):
        with self.changed:
            self.ended = True
            self.changed.notify_all()
        try:
            self.sock.close()
        except OSError:
            pass

    def cut(self):
        """Breaks it, from another thread."""
        self.ended = True
        try:
            self.sock.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass

    def wait(self, wanted, what):
        """Until something that came is as wanted: that."""
        deadline = time.monotonic() + PATIENCE
        with self.changed:
            while True:
                for e in self.got:
                    if wanted(e):
                        return e
                left = deadline - time.monotonic()
                if left <= 0 or self.ended:
                    raise Mismatch("%s: %s did not come; this did: %s" % (
                        self.host.domain, what, [str(e) for e in self.got]))
                self.changed.wait(left)

    # --- stream -----------------------------------------------------------------

    def restart(self):
        self.before = self.reader
        self.reader = StreamReader(self.waiting.append)
        self.opened = len(self.headers) + 1

    def tls(self):
        self.sock = self.host.context.wrap_socket(self.sock, server_side=True)
        self.secured = True
        self.reader = None

    def on_header(self, header):
        """Answers; then, what is offered."""
        self.id = secrets.token_hex(8)
        self.send("<?xml version='1.0'?><stream:stream xmlns='%s' "
                  "xmlns:stream='%s'%s from=%s to=%s id='%s' version='1.0'>"
                  % (SERVER, STREAM, DECLARED, quoteattr(self.host.domain),
                     quoteattr(header.get("from", "")), self.id))
        self.send("<stream:features>%s</stream:features>"
                  % self.host.features(self))

    def on_element(self, e):
        if e.is_("starttls", TLS):
            self.send("<proceed xmlns='%s'/>" % TLS)
            self.tls()
            self.restart()
            return
        if self.host.on_element and self.host.on_element(self, e):
            pass
        elif e.is_("auth", SASL):
            self.send("<success xmlns='%s'/>" % SASL)
            self.authenticated = "EXTERNAL"
            self.restart()
        elif e.is_("verify", DIALBACK):
            self.on_verify(e)
        elif e.is_("result", DIALBACK):
            self.authenticated = "dialback"
            self.say("result", e, "valid")
        with self.changed:
            self.got.append(inside(e) if e.ns == SERVER else e)
            self.changed.notify_all()

    def on_verify(self, e):
        ask = Ask(e)
        self.host.asked.append(ask)
        says = self.host.says(ask)
        if says is not None:
            self.say("verify", e, says)

    def say(self, name, e, type_):
        """Answers a dialback element: "valid", "invalid", or the condition of an
        error."""
        at = "from=%s to=%s" % (quoteattr(e.get("to")),
                                quoteattr(e.get("from")))
        if e.get("id"):
            at += " id=%s" % quoteattr(e.get("id"))
        if type_ in ("valid", "invalid"):
            self.send("<db:%s %s type='%s'/>" % (name, at, type_))
        else:
            self.send("<db:%s %s type='error'><error type='cancel'><%s xmlns="
                      "'urn:ietf:params:xml:ns:xmpp-stanzas'/></error>"
                      "</db:%s>" % (name, at, type_, name))


class Host:
    """Accepts streams for a domain.  says(Ask): the answer to a key, None: none.
    on_element(stream, element): True: it has dealt with it.  offers: more features
    under TLS."""

    def __init__(self, domain, certificate, direct=False, external=True):
        self.domain, self.direct = domain, direct
        self.context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self.context.load_cert_chain(certificate.chain, certificate.key)
        self.context.verify_mode = ssl.CERT_NONE
        self.says = lambda ask: "valid"
        self.on_element = None
        self.offers = ""
        self.external = external
        self.asked, self.streams = [], []
        self.came = threading.Condition()
        self.sock = socket.socket()
        self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self.sock.bind(("127.0.0.1", 0))
        self.sock.listen(64)
        self.port = self.sock.getsockname()[1]
        self.accepts = True
        self.thread = threading.Thread(target=self.run, daemon=True)
        self.thread.start()

    def features(self, stream):
        if not stream.secured:
            return "<starttls xmlns='%s'><required/></starttls>" % TLS
        out = "<dialback xmlns='%s'><errors/></dialback>" % FEATURE_DIALBACK
        if self.external and not stream.authenticated:
            out += "<mechanisms xmlns='%s'><mechanism>EXTERNAL</mechanism>" \
                "</mechanisms>" % SASL
        return out + self.offers

    def remotes(self, **more):
        """For `remotes' of a server."""
        return {self.domain: {"address": "127.0.0.1", "port": self.port,
                              "tls": "direct" if self.direct else "starttls",
                              **more}}

    def run(self):
        while self.accepts:
            try:
                sock, _ = self.sock.accept()
            except OSError:
                return
            with self.came:
                self.streams.append(Incoming(self, sock, self.direct))
                self.came.notify_all()

    def wait_stream(self, n=1):
        """The n-th that has come."""
        deadline = time.monotonic() + PATIENCE
        with self.came:
            while len(self.streams) < n:
                left = deadline - time.monotonic()
                if left <= 0:
                    raise Failed("nobody came to %s" % self.domain)
                self.came.wait(left)
            return self.streams[n - 1]

    def wait_element(self, wanted, what):
        """The first that is as wanted, in whichever stream."""
        deadline = time.monotonic() + PATIENCE
        while time.monotonic() < deadline:
            for stream in list(self.streams):
                for e in list(stream.got):
                    if wanted(e):
                        return e
            time.sleep(0.01)
        raise Failed("%s: %s did not come" % (self.domain, what))

    def wait_asked(self, n=1):
        """The n-th key that it was asked about."""
        deadline = time.monotonic() + PATIENCE
        while len(self.asked) < n:
            if time.monotonic() > deadline:
                raise Failed("%s was asked about %d keys" % (
                    self.domain, len(self.asked)))
            time.sleep(0.01)
        return self.asked[n - 1]

    def end(self):
        self.accepts = False
        self.sock.close()
        for stream in self.streams:
            stream.cut()


__all__ = ["Ask", "Closed", "DIALBACK", "Host", "Incoming", "Peer", "SERVER",
           "conf", "dialback_key", "inside"]
