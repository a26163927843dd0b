"""A client of our own for the tests: one XML stream over a blocking socket.

It does what it is told and nothing by itself, so that tests can break every
rule.  Whatever waits has a deadline (PATIENCE), and ends with the event it
waits for.
"""

import hashlib
import os
import secrets
import socket
import ssl
import struct
import time
from xml.parsers import expat
from xml.sax.saxutils import quoteattr

import sasl
from xmltree import (BIND, CLIENT, Mismatch, SASL, STREAM, STREAMS, TLS,
                     StreamReader, match, parse)

PATIENCE = float(os.environ.get("ANTIPHON_TEST_PATIENCE", "10"))
MECHANISMS = ("SCRAM-SHA-256", "SCRAM-SHA-1", "PLAIN")


class Closed(AssertionError):
    """The server closed the stream or the connection."""


class Client:
    def __init__(self, server, name="client", domain=None):
        self.server, self.name = server, name
        self.domain = domain or server.domain
        self.sock = self.reader = self.features = None
        self.eof = False
        self.inbox = []
        self.sent_close = False
        self.jid = None

    # --- bytes ------------------------------------------------------------

    def connect(self, kind="starttls", source=None):
        """kind: the tls of the listener; a direct one is handshaken.  source:
        which of our own addresses it comes from."""
        port = self.server.port("direct" if kind == "direct" else kind)
        self.sock = socket.create_connection(
            (self.server.address, port), PATIENCE, source and (source, 0))
        self.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.eof = False
        if kind == "direct":
            self.tls(alpn=["xmpp-client"])
        return self

    def tls(self, alpn=None, sni=True, context=None):
        context = context or ssl.create_default_context(
            cafile=self.server.ca_file)
        context.check_hostname = sni is not False
        if alpn:
            context.set_alpn_protocols(alpn)
        self.sock.settimeout(PATIENCE)
        name = self.domain if sni is True else sni or None
        self.sock = context.wrap_socket(self.sock, server_hostname=name)

    def send(self, data):
        self.sock.settimeout(PATIENCE)
        self.sock.sendall(data.encode() if isinstance(data, str) else data)
        return self

    def end_point(self):
        """Channel binding of the type tls-server-end-point (RFC 5929 §4)."""
        der = self.sock.getpeercert(binary_form=True)
        return "tls-server-end-point", hashlib.sha256(der).digest()

    def reset(self):
        """Breaks the connection, as a phone does in a tunnel: TCP RST."""
        self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER,
                             struct.pack("ii", 1, 0))
        # under TLS, close() alone would not reach the descriptor at once
        os.close(self.sock.detach())
        self.sock, self.eof = None, True

    def drop(self):
        if self.sock is not None:
            self.sock.close()
        self.sock, self.eof = None, True

    def _fill(self, deadline, what):
        """Reads once; raises at the deadline."""
        left = deadline - time.monotonic()
        if left <= 0:
            raise Mismatch("%s: nothing came within %g s while waiting for %s"
                           % (self.name, PATIENCE, what))
        try:
            self.sock.settimeout(left)
            data = self.sock.recv(65536)
        except (TimeoutError, socket.timeout):
            return
        except (ConnectionError, ssl.SSLError, OSError):
            data = b""
        if not data:
            self.eof = True
        elif self.reader is None:
            raise Mismatch("%s: unasked-for bytes %r" % (self.name, data))
        else:
            try:
                self.reader.feed(data)
            except expat.ExpatError as e:
                raise Mismatch("%s: not well-formed (%s): %r"
                               % (self.name, e, data[-500:])) from None

    def has_come(self):
        """Has an element come, without waiting for it?"""
        self.sock.settimeout(0.01)
        try:
            self.reader.feed(self.sock.recv(65536))
        except TimeoutError:
            pass
        return bool(self.inbox)

    # --- stream -----------------------------------------------------------

    def header(self, to=None, frm=None, version="1.0", ns=CLIENT, lang="en",
               stream_ns=STREAM, decl="<?xml version='1.0'?>", more=""):
        to = self.domain if to is None else to
        out = decl + "<stream:stream xmlns=%s xmlns:stream=%s" % (
            quoteattr(ns), quoteattr(stream_ns))
        for key, value in (("to", to), ("from", frm), ("version", version),
                           ("xml:lang", lang)):
            if value:
                out += " %s=%s" % (key, quoteattr(value))
        return out + more + ">"

    def restart(self):
        """What comes next is a new stream."""
        self.reader = StreamReader(self.inbox.append)
        self.sent_close = False
        return self

    def open(self, **header):
        """Sends a header; reads the answer and the features."""
        self.restart().send(self.header(**header))
        self.features = self.next("the stream features")
        if not self.features.is_("features", STREAM):
            raise Mismatch("%s: expected features, got %s"
                           % (self.name, self.features))
        return self.features

    def wait_header(self):
        deadline = time.monotonic() + PATIENCE
        while self.reader.header is None:
            if self.eof:
                raise Closed("%s: closed without a header" % self.name)
            self._fill(deadline, "a stream header")
        return self.reader.header

    def next(self, what="a stanza"):
        """The next element of the stream."""
        deadline = time.monotonic() + PATIENCE
        while not self.inbox:
            if self.eof or self.reader and self.reader.closed:
                raise Closed("%s: the stream ended while waiting for %s"
                             % (self.name, what))
            self._fill(deadline, what)
        return self.inbox.pop(0)

    def expect(self, want, binds=None):
        """The next element must be this one (see xmltree)."""
        binds = {} if binds is None else binds
        got = self.next(want)
        try:
            match(parse(want)[0], got, binds)
        except Mismatch as e:
            raise Mismatch("%s: %s" % (self.name, e)) from None
        return got

    def expect_closed(self, tag=True):
        """Nothing more comes than the end; tag: with a closing tag."""
        deadline = time.monotonic() + PATIENCE
        while not self.eof:
            if self.inbox:
                raise Mismatch("%s: expected the end, got %s"
                               % (self.name, self.inbox[0]))
            self._fill(deadline, "the end of the connection")
            if self.reader and self.reader.closed and not self.sent_close:
                self._answer_close()
        if tag and not (self.reader and self.reader.closed):
            raise Mismatch("%s: the connection ended without a closing tag"
                           % self.name)
        self.drop()

    def _answer_close(self):
        self.sent_close = True
        try:
            self.send("</stream:stream>")
        except OSError:
            pass # the server need not wait for it after an error

    def expect_error(self, cond):
        """A stream error, then the end (RFC 6120 §4.9.1.1).  cond may name
        several, "a|b", where the specification leaves the choice."""
        got = self.next("the stream error " + cond)
        if not got.is_("error", STREAM):
            raise Mismatch("%s: expected the stream error %s, got %s"
                           % (self.name, cond, got))
        conds = [c.name for c in got.elems()
                 if c.ns == STREAMS and c.name != "text"]
        if len(conds) != 1 or conds[0] not in cond.split("|"):
            raise Mismatch("%s: expected the stream error %s, got %s"
                           % (self.name, cond, conds))
        self.expect_closed()
        return got

    def wait_end(self):
        """Reads until the connection ends; what came is in the inbox."""
        deadline = time.monotonic() + PATIENCE
        while not self.eof:
            self._fill(deadline, "the end of the connection")
        self.drop()
        return self.inbox

    def close(self):
        """The closing handshake (RFC 6120 §4.4)."""
        self.send("</stream:stream>")
        self.sent_close = True
        self.inbox.clear()
        deadline = time.monotonic() + PATIENCE
        while not self.reader.closed and not self.eof:
            self._fill(deadline, "the closing tag")
        closed = self.reader.closed
        self.drop()
        if not closed:
            raise Mismatch("%s: no closing tag in answer to ours" % self.name)

    # --- logging in -------------------------------------------------------

    def starttls(self, **tls):
        self.send("<starttls xmlns='%s'/>" % TLS)
        self.expect("<proceed xmlns='%s'/>" % TLS)
        self.tls(**tls)

    def secure(self, kind="starttls", source=None):
        """Connects, and opens a stream that is ready for SASL."""
        self.connect(kind, source)
        self.open()
        if kind == "starttls":
            self.starttls()
            self.open()
        return self

    def mechanisms(self):
        found = self.features.child("mechanisms", SASL)
        return [m.text() for m in found.elems()] if found else []

    def auth_step(self, mech, user, password, **more):
        """Runs one exchange; answers with its last element."""
        if mech == "PLAIN":
            return self.auth_send(mech, sasl.plain(user, password, **more))
        scram = sasl.Scram(mech, user, password, **more)
        got = self.auth_send(mech, scram.first())
        if not got.is_("challenge", SASL):
            return got
        self.send("<response xmlns='%s'>%s</response>"
                  % (SASL, scram.final(got.text())))
        got = self.next("the outcome of " + mech)
        if got.is_("success", SASL):
            scram.verify(got.text())
        return got

    def auth_send(self, mech, text):
        self.send("<auth xmlns='%s' mechanism='%s'>%s</auth>"
                  % (SASL, mech, text))
        return self.next("an answer to " + mech)

    def auth(self, user, password, mech=None, **more):
        """Logs in, and opens the next stream."""
        mech = mech or next(m for m in MECHANISMS if m in self.mechanisms())
        got = self.auth_step(mech, user, password, **more)
        if not got.is_("success", SASL):
            raise Mismatch("%s: login failed: %s" % (self.name, got))
        self.open()
        return self

    def bind(self, resource=None):
        inner = "<resource>%s</resource>" % resource if resource else ""
        got = self.iq("set", "<bind xmlns='%s'>%s</bind>" % (BIND, inner))
        if got.get("type") != "result":
            raise Mismatch("%s: bind failed: %s" % (self.name, got))
        self.jid = got.find("bind", "jid").text()
        return self.jid

    def login(self, user, password, resource=None, kind="starttls"):
        self.secure(kind).auth(user, password)
        self.bind(resource)
        return self

    # --- stanzas ----------------------------------------------------------

    def iq(self, kind, payload, to=None):
        """Asks, and takes the answer out of whatever else comes."""
        id_ = "q" + secrets.token_hex(4)
        at = " to=%s" % quoteattr(to) if to else ""
        self.send("<iq type='%s' id='%s'%s>%s</iq>" % (kind, id_, at, payload))
        return self.take(lambda e: e.is_("iq") and e.get("id") == id_ and
                         e.get("type") in ("result", "error"),
                         "the answer to " + payload)

    def take(self, wanted, what):
        """Waits for an element, leaving what comes before it in the inbox."""
        before = []
        try:
            while True:
                e = self.next(what)
                if wanted(e):
                    return e
                before.append(e)
        except Mismatch as err:
            seen = "".join("\n  before it: %s" % e for e in before)
            raise Mismatch(str(err) + seen) from None
        finally:
            self.inbox[:0] = before

    def ping(self):
        """All that the server sent before its answer is in the inbox."""
        return self.iq("get", "<ping xmlns='urn:xmpp:ping'/>")

    def quiet(self):
        """Nothing has come, and the server is past all we sent."""
        self.ping()
        if self.inbox:
            raise Mismatch("%s: expected nothing more, got %s"
                           % (self.name, self.inbox[0]))

    def roster(self):
        got = self.iq("get", "<query xmlns='jabber:iq:roster'/>")
        return {i.get("jid"): i for i in got.child("query").elems()}
