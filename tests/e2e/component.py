"""A component of our own for the tests (XEP-0114): one that does as it is told, so
that it can break every rule.

A server knows components by its configuration:

    server = own_server(conf(irc={"conflict": "refuse"}))
    irc = Component(server, "irc").login()
    irc.send("<message from='{me}' to='...'/>")
"""

import hashlib
import secrets
import socket

from antiphon import DOMAIN
from client import Client, PATIENCE
from xmltree import CLIENT, Mismatch

ACCEPT = "jabber:component:accept"


def domain_of(name):
    return "%s.%s" % (name, DOMAIN)


def conf(more=None, **components):
    """A configuration with a component for each name, its options as given."""
    made = {domain_of(name): {"secret": "secret of " + name, **options}
            for name, options in components.items()}
    listen = [{"kind": kind, "address": "127.0.0.1", "port": 0, "tls": tls}
              for kind, tls in (("c2s", "starttls"), ("c2s", "direct"),
                                ("component", "none"))]
    return {"listen": listen, "components": made, **(more or {})}


def inside(e):
    """e as it would be in a stream of a client; what is that already has come in
    the wrong namespace."""
    if getattr(e, "inside", False):
        return e # it was put back
    e.inside = True
    if e.ns == CLIENT:
        raise Mismatch("in the namespace of clients: %s" % e)
    if e.ns == ACCEPT:
        e.ns = CLIENT
        for child in e.elems():
            if child.ns == ACCEPT:
                inside(child)
    return e


class Component(Client):
    def __init__(self, server, name, secret=None, domain=None):
        super().__init__(server, name, domain or domain_of(name))
        known = server.conf["components"].get(self.domain, {})
        self.secret = secret or known.get("secret", "")

    def connect(self, kind="none", source=None):
        self.sock = socket.create_connection(
            (self.server.address, self.server.port(("component", kind))),
            PATIENCE, source and (source, 0))
        self.eof = False
        return self

    def header(self, to=None, ns=ACCEPT, version=None, lang=None, **more):
        return super().header(to=to, ns=ns, version=version, lang=lang, **more)

    def open(self, **header):
        """Sends a header, and waits for the answer; there are no features."""
        self.restart().send(self.header(**header))
        return self.wait_header()

    def digest(self, id_):
        return hashlib.sha1((id_ + self.secret).encode()).hexdigest()

    def shake(self):
        """Sends the handshake, and waits for nothing."""
        return self.send("<handshake>%s</handshake>"
                         % self.digest(self.reader.header.get("id")))

    def login(self):
        self.connect().open()
        self.shake()
        got = self.next("the end of the handshake")
        if got.ns != ACCEPT or got.name != "handshake" or got.children:
            raise Mismatch("%s: expected <handshake/>, got %s"
                           % (self.name, got))
        return self

    def next(self, what="a stanza"):
        got = super().next(what)
        return got if got.name == "handshake" else inside(got)

    def ping(self):
        """All that the server has sent before its answer is in the inbox."""
        id_ = "q" + secrets.token_hex(4)
        self.send("<iq type='get' id='%s' from='%s' to='%s'>"
                  "<ping xmlns='urn:xmpp:ping'/></iq>"
                  % (id_, self.domain, self.server.domain))
        return self.take(lambda e: e.name == "iq" and e.get("id") == id_,
                         "the answer to a ping")
