"""A scene: fresh accounts on a server, their sessions by name, and what has
been captured.  Both the dialog scripts and the Python tests play in it.

A session is called "romeo/orchard", after account and resource.  {romeo} is
the bare JID of the account, {romeo/orchard} the full one, {HOST} the domain.
"""

import itertools
import re
import secrets

import rooms
from client import Client, Closed
from xmltree import CLIENT, Mismatch, match, parse

MARK = "<mark xmlns='urn:antiphon:test'/>"
# the answer to a set comes when it, and all before it, is durable
BARRIER = "<query xmlns='jabber:iq:private'>%s</query>" % MARK
ROSTER = "<query xmlns='jabber:iq:roster'/>"


def push_xml(text):
    """"push <item/>" as the iq that it stands for."""
    if not text.startswith("push "):
        return text
    return ("<iq type='set' id='*'><query xmlns='jabber:iq:roster'>%s</query>"
            "</iq>" % text[5:])


def carbon_xml(text, account):
    """"carbon sent <message/>", which account is shown, as what it stands for;
    "received" likewise (XEP-0280 §7, §8)."""
    m = re.match(r"carbon (received|sent) (<message\b([^>]*)>.*)", text, re.S)
    if m is None:
        return text
    kind = re.search(r"\btype='[^']*'", m[3])
    return ("<message from='{%s}' %s><%s xmlns='urn:xmpp:carbons:2'>"
            "<forwarded xmlns='urn:xmpp:forward:0'>%s</forwarded></%s>"
            "</message>"
            % (account, kind[0] if kind else "", m[1],
               m[2].replace("<message", "<message xmlns='jabber:client'", 1),
               m[1]))


# A few, in turn: they are hashed once, and not for each account and login.
PASSWORDS = itertools.cycle([secrets.token_hex(8) for _ in range(8)])


class Account:
    def __init__(self, name, domain):
        self.name = "%s-%s" % (name, secrets.token_hex(6))
        self.password = next(PASSWORDS)
        self.jid = "%s@%s" % (self.name, domain)


class Scene:
    def __init__(self, server, accounts=()):
        self.server = server
        self.accounts = {}
        self.sessions = {}
        self.rooms = {}
        self.binds = {"HOST": server.domain, "OTHER": server.other_domain,
                      "ROOMS": rooms.service_of(server)}
        self.add_accounts(*accounts)

    def add_accounts(self, *names):
        for name in names:
            account = Account(name, self.server.domain)
            self.accounts[name] = account
            self.binds[name] = account.jid
        self.server.add_users_batch([
            (self.accounts[n].name, self.accounts[n].password)
            for n in names], hashed=True)

    def add_rooms(self, *names):
        """Addresses; nobody has made a room there."""
        for name in names:
            self.rooms[name] = rooms.new_address(self.server, name)
            self.binds[name] = self.rooms[name]

    # --- text -------------------------------------------------------------

    def fill(self, text, strict=True):
        """Puts values in place of {name}.  Names that are not known stay for
        the comparison to capture, or are an error when strict."""
        def value(m):
            if m[1] in self.binds:
                return self.binds[m[1]]
            account, slash, resource = m[1].partition("/")
            if slash and account in self.accounts:
                return self.full(account, resource)
            if slash and account in self.rooms:
                return "%s/%s" % (self.rooms[account], resource)
            if strict:
                raise KeyError("nothing known as {%s}" % m[1])
            return m[0]
        return re.sub(r"\{([A-Za-z_][\w./-]*|[A-Za-z_][\w-]*/[^{}\n]*)\}", value,
                      text)

    def full(self, account, resource):
        session = self.sessions.get("%s/%s" % (account, resource))
        if session is not None and session.jid:
            return session.jid
        return "%s/%s" % (self.accounts[account].jid, resource)

    # --- sessions ---------------------------------------------------------

    def __getitem__(self, name):
        return self.sessions[name]

    def new(self, name):
        old = self.sessions.get(name)
        client = Client(self.server, name)
        if old is not None and old.sock is not None:
            # still open: the new one takes its name, as a conflict does
            self.sessions[name + "!"] = old
        self.sessions[name] = client
        return client

    def login(self, name, kind="starttls"):
        account, _, resource = name.partition("/")
        a = self.accounts[account]
        client = self.new(name)
        return client.login(a.name, a.password, resource or None, kind)

    def online(self, name, priority=None, settle=True):
        """Logs in, asks for the roster, becomes available; the presence that
        this causes has been received by all, and is left out."""
        client = self.login(name)
        client.iq("get", ROSTER)
        self.present(name, priority)
        if settle:
            self.settle()
        return client

    def present(self, name, priority=None):
        inner = "" if priority is None else "<priority>%s</priority>" % priority
        self.sessions[name].send("<presence>%s</presence>" % inner)

    def live(self):
        return [s for s in self.sessions.values()
                if s.sock is not None and s.jid and not s.eof]

    def mark(self, a, b):
        """What a caused for b before now has reached b when this returns."""
        id_ = "mark-" + secrets.token_hex(4)
        a.send("<message to='%s' id='%s' type='headline'>%s</message>"
               % (b.jid, id_, MARK))
        got = b.take(lambda e: e.get("id") == id_, "a mark from " + a.name)
        if got.child("mark") is None:
            raise Mismatch("%s: mark refused: %s" % (a.name, got))

    def flush(self):
        """Everything under way between live sessions has arrived: each waits
        until what it caused is on disk, and sends every other one a mark;
        twice, since an arrival may cause an answer.  So do rooms: what they say
        when something is on disk, they have said when they answer once more."""
        live = self.live()
        for _ in range(2):
            for a in live:
                for room in self.rooms.values():
                    a.iq("get", rooms.PING, room)
                a.iq("set", BARRIER)
                for b in live:
                    if a is not b:
                        self.mark(a, b)

    def settle(self):
        """Flushes, and forgets the presence that came, and what rooms have said of
        themselves."""
        self.flush()
        for s in self.live():
            s.inbox[:] = [e for e in s.inbox if not (
                e.is_("presence") and e.get("type") in (None, "unavailable") or
                rooms.is_note(e))]

    # --- what scripts do ------------------------------------------------------

    def send(self, name, text):
        self.sessions[name].send(self.fill(text))

    def want(self, name, text):
        text = carbon_xml(push_xml(text), name.partition("/")[0])
        return self.fill(text, strict=False)

    def expect(self, name, text):
        want = self.want(name, text)
        try:
            return self.sessions[name].expect(want, self.binds)
        except Closed as e:
            raise Mismatch("%s\n  expected %s" % (e, want)) from None

    def expect_push(self, name, item):
        """A roster push (RFC 6121 §2.1.6), answered as a client should."""
        session = self.sessions[name]
        got = session.next("a push of " + item)
        push = got.child("query", "jabber:iq:roster")
        if not got.is_("iq") or got.get("type") != "set" or push is None:
            raise Mismatch("%s: expected a push of %s, got %s"
                           % (name, item, got))
        if got.get("from") not in (None, session.jid.partition("/")[0]):
            raise Mismatch("%s: a push from another: %s" % (name, got))
        want = self.fill(push_xml("push " + item), strict=False)
        match(parse(want)[0], got, self.binds)
        session.send("<iq type='result' id='%s'/>" % got.get("id"))
        return push.get("ver")

    def expect_set(self, name, texts):
        """These, in any order."""
        wants = [parse(self.want(name, t))[0] for t in texts]
        session = self.sessions[name]
        while wants:
            got = session.next("one of\n  " + "\n  ".join(map(str, wants)))
            why = []
            for want in wants:
                try:
                    match(want, got, self.binds)
                except Mismatch as e:
                    why.append(str(e))
                    continue
                wants.remove(want)
                break
            else:
                raise Mismatch("%s: none of what is expected:\n%s"
                               % (name, "\n".join(why)))

    def quiet(self, *names):
        """Nothing (more) arrives at these sessions, or at any."""
        self.flush()
        for s in [self.sessions[n] for n in names] or self.live():
            if s.inbox:
                raise Mismatch("%s: expected nothing more, got %s"
                               % (s.name, "\n  ".join(map(str, s.inbox))))

    # --- contacts ---------------------------------------------------------

    def subscribe(self, watcher, contact):
        """watcher gets the presence of contact."""
        w = self.login(watcher + "/setup")
        c = self.login(contact + "/setup")
        for s in (w, c):
            s.iq("get", ROSTER)
        c.send("<presence><priority>-1</priority></presence>")
        w.send("<presence to='%s' type='subscribe'/>" % self.binds[contact])
        c.take(lambda e: e.get("type") == "subscribe", "the request")
        c.send("<presence to='%s' type='subscribed'/>" % self.binds[watcher])
        w.take(lambda e: self._push_to(e, self.binds[contact]), "the push")
        for s in (w, c):
            s.ping()
            s.close()
        for name in (watcher, contact):
            del self.sessions[name + "/setup"]

    @staticmethod
    def _push_to(e, jid):
        item = e.find("query", "item")
        return (e.is_("iq", CLIENT) and e.get("type") == "set" and
                item is not None and item.get("jid") == jid and
                item.get("subscription") in ("to", "both"))

    def befriend(self, a, b):
        self.subscribe(a, b)
        self.subscribe(b, a)

    def end(self):
        for s in self.sessions.values():
            s.drop()
