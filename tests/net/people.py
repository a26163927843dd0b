"""People of a network (network.py): clients with an account on one of its
servers."""

import secrets
import ssl

from authority import a_label
from client import Client
from process import Failed


class Anyone(Client):
    """What certificates of domains are worth to clients, other tests say."""

    def tls(self, alpn=None, sni=True, context=None):
        context = ssl.create_default_context()
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
        self.sock = context.wrap_socket(self.sock,
                                        server_hostname=a_label(self.domain))


def register(server, name, password, domain):
    """As a client does (XEP-0077), which takes no time."""
    client = Anyone(server, "register", domain).secure()
    got = client.iq("set", "<query xmlns='jabber:iq:register'><username>%s"
                    "</username><password>%s</password></query>"
                    % (name, password))
    client.drop()
    if got.get("type") != "result":
        raise Failed("%s does not register %s: %s" % (server.kind, name, got))


class Person(Anyone):
    """Somebody with an account, and one session of it at a time."""

    def __init__(self, server, user, domain):
        super().__init__(server, user, domain)
        self.user, self.password = user, secrets.token_hex(8)
        self.bare = "%s@%s" % (user, domain)

    def online(self, resource="net"):
        """Logged in, available, and past what that causes."""
        self.login(self.user, self.password, resource)
        self.iq("get", "<query xmlns='jabber:iq:roster'/>")
        self.send("<presence/>")
        self.settle()
        return self

    def settle(self):
        """What came is forgotten."""
        self.ping()
        self.inbox.clear()

    def ping(self):
        return self.iq("get", "<ping xmlns='urn:xmpp:ping'/>", self.domain)

    def say(self, to, text, id_=None):
        self.send("<message to='%s' id='%s' type='chat'><body>%s</body>"
                  "</message>" % (to, id_ or "m" + secrets.token_hex(4), text))

    def hear(self, text):
        """The message that says so."""
        return self.take(
            lambda e: e.is_("message") and e.get("type") != "error" and
            e.child("body") and e.child("body").text() == text,
            "a message %r" % text[:80])

    def presence(self, kind, frm):
        """kind as its type, None for available; frm: bare or full."""
        return self.take(
            lambda e: e.is_("presence") and e.get("type") == kind and
            frm in (e.get("from", ""), e.get("from", "").partition("/")[0]),
            "presence %s from %s" % (kind, frm))

    def send_presence(self, kind, to):
        self.send("<presence type='%s' to='%s'/>" % (kind, to))

    def error_of(self, id_):
        """The condition of the error that answers what had this id."""
        got = self.take(lambda e: e.get("id") == id_ and
                        e.get("type") == "error", "an error for " + id_)
        return got, condition(got)


def condition(e):
    """Of a stanza error."""
    error = e.child("error")
    return next(c.name for c in error.elems()
                if c.ns == "urn:ietf:params:xml:ns:xmpp-stanzas" and
                c.name != "text")


def befriend(a, b):
    """Each sees the other's presence; both are online."""
    for one, other in ((a, b), (b, a)):
        one.send_presence("subscribe", other.bare)
        other.presence("subscribe", one.bare)
        other.send_presence("subscribed", one.bare)
        one.presence("subscribed", other.bare)
        one.presence(None, other.bare)
