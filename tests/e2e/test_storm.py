"""Eight accounts send whatever a seed draws, while an administrator reloads,
kicks, switches modules, and removes accounts and makes them anew: the server
stays, says nothing alarming, and serves all of them in the end.

ANTIPHON_STORM_SECONDS is how long (10), ANTIPHON_STORM_SEED what it begins
with; threads make that a run is not repeated exactly.
"""

import os
import random
import threading
import time
from xml.sax.saxutils import quoteattr

import pytest

from client import Client, Closed
from test_iq_fuzz import Maker, REGISTER, ROSTER
from xmltree import Mismatch

pytestmark = pytest.mark.plain

SECONDS = float(os.environ.get("ANTIPHON_STORM_SECONDS", "10"))
SEED = int(os.environ.get("ANTIPHON_STORM_SEED", "1"))
USERS = 8
RESOURCES = ("a", "b", None)
MODULES = ("offline", "private", "vcard", "roster", "subscription",
           "presence", "disco", "last", "ping")
PRESENCES = (None, None, "unavailable", "subscribe", "subscribe", "subscribed",
             "unsubscribe", "unsubscribed", "probe", "error")
MESSAGES = ("chat", "chat", "chat", "normal", "headline", "groupchat", "error",
            None)
BODIES = ("x", "&quot;" * 3000, "\u00e9" * 100, "")
HINTS = ("", "", "", "<no-store xmlns='urn:xmpp:hints'/>",
         "<store xmlns='urn:xmpp:hints'/>")
REFUSED = (AssertionError, OSError)


class Storm:
    def __init__(self, server):
        self.server = server
        self.end = time.monotonic() + SECONDS
        self.failed = []
        self.counts = {}

    def jid(self, n):
        return "storm%d@%s" % (n, self.server.domain)

    def count(self, what):
        self.counts[what] = self.counts.get(what, 0) + 1

    def going_on(self):
        return time.monotonic() < self.end and not self.failed

    def guarded(self, fn, *args):
        try:
            fn(*args)
        except BaseException as e: # noqa: B902 - a thread's end is told
            self.failed.append(e)
            raise


class User:
    """One client that breaks the rules of good manners, not of XML."""

    def __init__(self, storm, number):
        self.storm, self.number = storm, number
        self.rand = random.Random(SEED * 1000 + number)
        self.make = Maker(SEED * 1000 + number)

    def peer(self):
        jid = self.storm.jid(self.rand.randrange(USERS))
        return self.rand.choice((jid, jid, jid, jid + "/a", jid + "/b",
                                 "nobody%d@%s" % (self.rand.randrange(50),
                                                  self.storm.server.domain)))

    def message(self):
        kind = self.rand.choice(MESSAGES)
        return "<message to=%s%s><body>%s</body>%s</message>" % (
            quoteattr(self.peer()), " type='%s'" % kind if kind else "",
            self.rand.choice(BODIES), self.rand.choice(HINTS))

    def presence(self):
        kind = self.rand.choice(PRESENCES)
        to = self.rand.random() < 0.7
        return "<presence%s%s><priority>%d</priority></presence>" % (
            " type='%s'" % kind if kind else "",
            " to=%s" % quoteattr(self.peer()) if to else "",
            self.rand.randrange(-2, 5))

    def contacts(self):
        out = ""
        for _ in range(self.rand.choice((1, 1, 2, 60))):
            out += ("<iq type='set' id='r'><query xmlns='%s'><item jid=%s"
                    "%s/></query></iq>" % (
                        ROSTER, quoteattr(self.rand.choice((
                            self.peer(), "c%d@%s" % (
                                self.rand.randrange(300),
                                self.storm.server.domain)))),
                        self.rand.choice(("", " name='x'",
                                          " subscription='remove'"))))
        return out

    def request(self):
        to = self.rand.choice((None, None, self.storm.server.domain,
                               self.peer()))
        return "<iq type='%s' id='i'%s>%s</iq>" % (
            self.rand.choice(("get", "set")),
            " to=%s" % quoteattr(to) if to else "",
            self.make.elem(HANDLED, self.rand.randrange(3)))

    def flood(self):
        """Many requests of one kind in one write."""
        what = self.rand.choice((
            "<query xmlns='%s'/>" % ROSTER, "<vCard xmlns='vcard-temp'/>",
            "<query xmlns='jabber:iq:private'><x xmlns='urn:x'/></query>"))
        return "".join(
            "<iq type='%s' id='f%d'>%s</iq>" % (
                "set" if "vCard" in what and i % 7 == 0 else "get", i, what)
            for i in range(self.rand.randrange(200)))

    def removal(self):
        if self.rand.random() > 0.02:
            return ""
        self.storm.count("removals by the user")
        return ("<iq type='set' id='d'><query xmlns='%s'><remove/></query>"
                "</iq>" % REGISTER) * self.rand.choice((1, 2))

    def say(self, client):
        makers = (self.message, self.message, self.message, self.presence,
                  self.presence, self.contacts, self.request, self.flood,
                  self.removal)
        data = "".join(self.rand.choice(makers)()
                       for _ in range(self.rand.randrange(1, 20)))
        client.send(data)
        self.storm.count("writes")

    def read(self, client):
        """What has come so far; a client that never reads is cut off, which
        is right, but teaches nothing more."""
        client.sock.settimeout(0.01)
        for _ in range(self.rand.randrange(20)):
            try:
                data = client.sock.recv(1 << 20)
            except TimeoutError:
                return
            if not data:
                raise Closed("ended")

    def leave(self, client):
        how = self.rand.randrange(3)
        if how == 0:
            client.reset()
        elif how == 1:
            client.send("</stream:stream>")
        client.drop()

    def live(self):
        client = Client(self.storm.server, "storm%d" % self.number)
        try:
            client.login(client.name, "secret", self.rand.choice(RESOURCES),
                         self.rand.choice(("starttls", "direct")))
            self.storm.count("logins")
            client.send("<iq type='get' id='r'><query xmlns='%s'/></iq>"
                        "<presence/>" % ROSTER)
            for _ in range(self.rand.randrange(1, 30)):
                if not self.storm.going_on():
                    break
                self.say(client)
                self.read(client)
            self.leave(client)
        finally:
            client.drop()

    def run(self):
        while self.storm.going_on():
            try:
                self.live()
            except REFUSED:
                # kicked, removed, or cut off: all that is asked here is that
                # the server lives, which the end of the test finds out
                self.storm.count("streams that were ended")
                if not self.storm.server.alive():
                    return


HANDLED = (("query", ROSTER), ("query", REGISTER), ("vCard", "vcard-temp"),
           ("query", "jabber:iq:private"), ("query", "jabber:iq:last"),
           ("query", "http://jabber.org/protocol/disco#info"),
           ("query", "http://jabber.org/protocol/disco#items"))


class Admin:
    def __init__(self, storm):
        self.storm = storm
        self.rand = random.Random(SEED)
        self.acts = (self.reload, self.kick, self.switch, self.remove,
                     self.password, self.look)

    def ctl(self, *args, **more):
        return self.storm.server.ctl(*args, ok=False, **more)

    def reload(self):
        conf = self.storm.server.conf
        conf["limits"]["roster_items"] = self.rand.choice(("50", "1000"))
        conf["modules"]["offline"] = {
            "max_messages": self.rand.choice(("3", "1000"))}
        self.storm.server.write_conf()
        self.storm.server.ctl("reload")

    def kick(self):
        self.ctl("kick", self.storm.jid(self.rand.randrange(USERS)))

    def switch(self):
        name = self.rand.choice(MODULES)
        self.ctl("modules", self.rand.choice(("unload", "load", "reload")),
                 name)

    def remove(self):
        n = self.rand.randrange(USERS)
        self.ctl("deluser", self.storm.jid(n))
        self.add(n)

    def add(self, n):
        how = self.rand.randrange(2)
        if how == 0:
            self.ctl("adduser", self.storm.jid(n), stdin="secret\n")
        else:
            self.ctl("adduser", "--batch", "-",
                     stdin="%s secret\n" % self.storm.jid(n))

    def password(self):
        self.ctl("passwd", self.storm.jid(self.rand.randrange(USERS)),
                 stdin="secret\n")

    def look(self):
        self.ctl(*self.rand.choice((("sessions",), ("stats", "--memory"),
                                    ("modules", "hooks"), ("status",))))

    def run(self):
        while self.storm.going_on():
            act = self.rand.choice(self.acts)
            act()
            self.storm.count(act.__name__)
            # what the users have removed themselves
            self.add(self.rand.randrange(USERS))


@pytest.mark.only("antiphon")
def test_random_stanzas_and_administration_together(own_server):
    server = own_server({"modules": {
        "register": {"allow": "yes", "per_hour": "100000"}, "testclock": {},
        "offline": {}}})
    storm = Storm(server)
    server.add_users_batch([("storm%d" % n, "secret") for n in range(USERS)])
    threads = [threading.Thread(target=storm.guarded, args=(who.run,))
               for who in [User(storm, n) for n in range(USERS)] +
               [Admin(storm)]]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    print(storm.counts)
    server.check()
    assert not storm.failed, storm.failed[0]
    assert storm.counts["logins"] >= USERS, storm.counts
    server.ctl("reload") # all modules are on again
    for n in range(USERS):
        Admin(storm).add(n)
        server.ctl("passwd", storm.jid(n), stdin="secret\n")
    for n in range(USERS):
        client = Client(server, "storm%d" % n).login("storm%d" % n, "secret")
        client.ping()
        try:
            client.close()
        except Mismatch:
            server.check()
            raise
