"""Who may do what to whom in a room (XEP-0045 §5): roles and affiliations of who asks,
of who is asked about, and what is asked; and who is out of it after which error.

One room, one who acts for each row of the tables, and one to whom it is done, whom the
keeper of the room makes again what he was whenever something was done to him.
"""

import pytest

import rooms
import scene as scenes
from xmltree import STANZAS

pytestmark = pytest.mark.only("antiphon")

# a letter for each outcome
OUTCOMES = {".": None, "F": "forbidden", "N": "not-allowed", "C": "conflict",
            "A": "not-acceptable", "B": "bad-request"}
# "!": forbidden or not-allowed, where the text has one for the privilege and the
# other for the person.  "-": nothing that could be done.
EITHER = {"forbidden", "not-allowed"}

# who acts: affiliation, and role where it is not the one that comes with that; the room
# is moderated
ACTORS = {
    "owner": ("owner", "moderator"),
    "admin": ("admin", "moderator"),
    "mem-mod": ("member", "moderator"),
    "mem-par": ("member", "participant"),
    "mem-vis": ("member", "visitor"),
    "non-mod": ("none", "moderator"),
    "non-par": ("none", "participant"),
    "non-vis": ("none", "visitor"),
    # these are not inside
    "mem-out": ("member", None),
    "non-out": ("none", None),
    "outcast": ("outcast", None),
}
INITIAL = {"owner": "moderator", "admin": "moderator", "member": "participant",
           "none": "visitor"}

# to whom it is done: the columns of the next tables
WHOM = [("owner", "moderator"), ("admin", "moderator"),
        ("member", "moderator"), ("member", "participant"),
        ("none", "moderator"), ("none", "participant"), ("none", "visitor")]

# §8.2 to §8.5, §9.6, §9.7, tables 3 and 5.  At one's own level one may: §8.4 has "at or
# above" once, against §8.2, §8.5 and its own example, and then no moderator who is not
# affiliated could take anybody's voice.
ROLES = {
    # a kick
    "none": {
        "owner":   ". . . . . . .",
        "admin":   "N . . . . . .",
        "mem-mod": "N N F . F . .",
        "non-mod": "N N N N F . .",
    },
    # voice is taken
    "visitor": {
        "owner":   "N N . . . . .",
        "admin":   "N N . . . . .",
        "mem-mod": "N N F . F . .",
        "non-mod": "N N N N F . .",
    },
    # voice is given, or moderator status taken
    "participant": {
        "owner":   "N N . - . - .",
        "admin":   "N N . - . - .",
        "mem-mod": "N N F - F - .",
        "non-mod": "! ! ! - F - .",
    },
    "moderator": {
        "owner":   "- - - . - . .",
        "admin":   "- - - . - . .",
        "mem-mod": "! ! F F F F F",
        "non-mod": "! ! ! ! F F F",
    },
}
# §9.1 to §9.5, §10.3 to §10.8, tables 6 and 7
AFFILIATIONS = {
    "outcast": {
        "owner": ". . . . . . .",
        "admin": "N F . . . . .",
    },
    "none": {
        "owner": ". . . . - - -",
        "admin": "! F . . - - -",
    },
    "member": {
        "owner": ". . - - . . .",
        "admin": "! F - - . . .",
    },
    "admin": {
        "owner": ". - . . . . .",
        "admin": "! - F F F F F",
    },
    "owner": {
        "owner": "- . . . . . .",
        "admin": "- F F F F F F",
    },
}
# all others of ACTORS have not the privilege, against whomever: the first and the last
NO_PRIVILEGE = "F - - - - - F"

# §8.5, §9.2, §9.5, §9.8, §10.5, §10.8, tables 3 and 6: who gets which list
LISTS = ("role participant", "role visitor", "role moderator",
         "affiliation outcast", "affiliation member", "affiliation admin",
         "affiliation owner")
SEMI_ANONYMOUS = {
    "owner":   ". . . . . . .",
    "admin":   ". . . . . F F",
    "mem-mod": ". . F F F F F",
    "non-mod": ". . F F F F F",
}
# where all see addresses, members get that of members, inside or not; the service may
# give more
NON_ANONYMOUS = {
    "owner":   ". . . . . . .",
    "admin":   ". . . . . - -",
    "mem-mod": ". . F F . - -",
    "mem-par": "F F F F . - -",
    "mem-vis": "F F F F . - -",
    "mem-out": "F F F F . - -",
    "non-mod": ". . F F - - -",
    "non-par": "F F F F - - -",
    "non-vis": "F F F F - - -",
}
NO_LIST = "F F F F F F F"

# table 3, §7.4, §7.5, §8.1, §10.2, §10.9
DONE = ("say", "subject", "whisper", "configure", "destroy")
DEEDS = {
    "owner":   ". . . . -",
    "admin":   ". . . F F",
    "mem-mod": ". . . F F",
    "mem-par": ". F . F F",
    "mem-vis": "F F . F F",
    "non-mod": ". . . F F",
    "non-par": ". F . F F",
    "non-vis": "F F . F F",
    "mem-out": "A A A F F",
    "non-out": "A A A F F",
    "outcast": "A A A F F",
}
MESSAGES = {
    "say": "<message to='{room}' type='groupchat' id='{id}'><body>so</body>"
           "</message>",
    "subject": "<message to='{room}' type='groupchat' id='{id}'>"
               "<subject>so</subject></message>",
    "whisper": "<message to='{room}/keeper' type='chat' id='{id}'>"
               "<body>so</body></message>",
}
REQUESTS = {
    "configure": ("get", "<query xmlns='%s'/>" % rooms.OWNER),
    "destroy": ("set", "<query xmlns='%s'><destroy/></query>" % rooms.OWNER),
}


# tables 4, 6 and 9, §7.2.5 to §7.2.7: which role one enters with, or why not; what a
# password is to those who are affiliated the text does not say
KINDS = {"open": "moderatedroom=0", "moderated": "moderatedroom=1",
         "members": "membersonly=1", "secret": "passwordprotectedroom=1"}
ENTERING = {
    "outcast": "forbidden   forbidden   forbidden   forbidden",
    "none":    "participant visitor     registration-required not-authorized",
    "member":  "participant participant participant -",
    "admin":   "moderator   moderator   moderator   -",
    "owner":   "moderator   moderator   moderator   -",
}


class Cast:
    """A room, and who is in it."""

    def __init__(self, scene):
        self.scene = scene
        names = ["keeper", "whom"] + list(ACTORS)
        scene.add_accounts(*names)
        scene.add_rooms("coven")
        self.room = scene.rooms["coven"]
        self.clients = {n: scene.login(n + "/a") for n in names}
        self.keeper, self.whom = self.clients["keeper"], self.clients["whom"]
        rooms.create(self.keeper, self.room, "keeper", [
            "moderatedroom=1", "whois=moderators", "membersonly=0",
            "changesubject=0", "allowpm=anyone"])
        for name, (affiliation, role) in ACTORS.items():
            self.affiliate(name, affiliation)
            if role is not None:
                self.enter(name, affiliation, role)
        self.now = None # what whom is

    def affiliate(self, name, affiliation):
        rooms.admin(self.keeper, self.room, affiliation=affiliation,
                    jid=self.scene.binds[name])

    def enter(self, name, affiliation, role):
        rooms.enter(self.clients[name], self.room, name)
        if role != INITIAL[affiliation]:
            rooms.admin(self.keeper, self.room, nick=name, role=role)

    def make(self, affiliation, role):
        """Lets whom be that, whatever he was."""
        if self.now == (affiliation, role):
            return
        self.affiliate("whom", affiliation)
        rooms.forget(self.whom, self.room) # that he was put out
        self.enter("whom", affiliation, INITIAL[affiliation])
        rooms.admin(self.keeper, self.room, nick="whom", role=role)
        self.now = affiliation, role
        self.clear()

    def clear(self):
        for client in self.clients.values():
            client.inbox.clear()

    def ask(self, name, kind, payload):
        """The condition of the error, or None."""
        return condition(self.clients[name].iq(kind, payload, self.room))

    def item(self, name, kind, **attrs):
        return self.ask(name, kind, "<query xmlns='%s'><item %s/></query>" % (
            rooms.ADMIN, " ".join("%s='%s'" % a for a in attrs.items())))


def condition(e):
    if e.get("type") != "error":
        return None
    return next((c.name for c in e.child("error").elems()
                 if c.ns == STANZAS and c.name != "text"), "none at all")


def fits(want, got):
    return got in EITHER if want == "!" else got == OUTCOMES[want]


@pytest.fixture(scope="module")
def cast(pool):
    scene = scenes.Scene(pool.shared())
    yield Cast(scene)
    scene.end()


@pytest.fixture(autouse=True)
def healthy(server):
    """The server is, when the test is over."""


def cells(table, columns, default):
    """(actor, column, letter)"""
    for actor in ACTORS:
        row = table.get(actor, default).split()
        for column, want in zip(columns, row, strict=True):
            if want != "-":
                yield actor, column, want


def complain(wrong):
    assert not wrong, "\n" + "\n".join(wrong)


def change(cast, tables, attrs):
    """Each deed of the tables, by each, to each."""
    wrong = []
    for column in WHOM:
        for deed, table in tables.items():
            for actor, whom, want in cells(table, WHOM, NO_PRIVILEGE):
                if whom != column or column == (deed, column[1]):
                    continue
                cast.make(*whom)
                got = cast.item(actor, "set", **attrs(deed))
                if got is None:
                    cast.now = None
                if not fits(want, got):
                    wrong.append("%s makes %s/%s %s: %s is not %s"
                                 % (actor, *whom, deed, got, want))
    complain(wrong)


def test_roles(cast):
    change(cast, ROLES, lambda role: {"nick": "whom", "role": role})


def test_affiliations(cast):
    jid = cast.scene.binds["whom"]
    change(cast, AFFILIATIONS,
           lambda affiliation: {"jid": jid, "affiliation": affiliation})


@pytest.mark.parametrize("whois, table", [
    ("moderators", SEMI_ANONYMOUS), ("anyone", NON_ANONYMOUS)])
def test_lists(cast, whois, table):
    rooms.configure(cast.keeper, cast.room, ["whois=" + whois])
    wrong = []
    for actor, which, want in cells(table, LISTS, NO_LIST):
        key, value = which.split()
        got = cast.item(actor, "get", **{key: value})
        if not fits(want, got):
            wrong.append("%s gets %s: %s is not %s" % (actor, which, got, want))
    complain(wrong)


def test_deeds(cast):
    wrong = []
    for number, (actor, deed, want) in enumerate(cells(DEEDS, DONE, None)):
        if deed in MESSAGES:
            got = say(cast, actor, MESSAGES[deed].format(
                room=cast.room, id=number), str(number))
        else:
            got = cast.ask(actor, *REQUESTS[deed])
        if not fits(want, got):
            wrong.append("%s does %s: %s is not %s" % (actor, deed, got, want))
    complain(wrong)


def test_entering(cast):
    wrong = []
    keeper, whom = cast.keeper, cast.whom
    cast.scene.add_rooms(*KINDS)
    for column, (kind, field) in enumerate(KINDS.items()):
        room = cast.scene.rooms[kind]
        rooms.create(keeper, room, "keeper", [field, "roomsecret=cauldronburn"]
                     if kind == "secret" else [field])
        for affiliation, row in ENTERING.items():
            want = row.split()[column]
            rooms.admin(keeper, room, affiliation=affiliation,
                        jid=cast.scene.binds["whom"])
            whom.inbox.clear()
            whom.send("<presence to='%s/whom'><x xmlns='%s'/></presence>"
                      % (room, rooms.MUC))
            e = whom.take(lambda e: e.get("from") == room + "/whom", "an answer")
            got = condition(e) or e.find("x", "item").get("role")
            if got != want and want != "-":
                wrong.append("%s enters %s: %s is not %s"
                             % (affiliation, kind, got, want))
            whom.send("<presence to='%s/whom' type='unavailable'/>" % room)
            rooms.forget(whom, room)
    complain(wrong)


def say(cast, actor, text, id_):
    """An error comes back to who has said it; or else it is said to the keeper, who is
    in the room."""
    client = cast.clients[actor]
    client.send(text)
    client.iq("get", rooms.PING, cast.room)
    mine = [e for e in client.inbox if e.is_("message") and
            e.get("id") == id_ and e.get("type") == "error"]
    if mine:
        client.inbox.clear()
        return condition(mine[0])
    cast.keeper.take(lambda e: e.is_("message") and e.get("type") != "error" and
                     e.get("from") == "%s/%s" % (cast.room, actor),
                     "what " + actor + " has said")
    cast.clear()
    return None


@pytest.mark.parametrize("name", ("message", "presence"))
def test_who_has_missed_something_leaves(cast, server, name):
    """XEP-0045 §11.1, §18.1.2, and more than these: whatever the error.  The log has it."""
    for cond in ("gone", "internal-server-error", "item-not-found",
                 "jid-malformed", "recipient-unavailable", "redirect",
                 "service-unavailable", "remote-server-not-found",
                 "remote-server-timeout"):
        cast.make("none", "visitor")
        cast.whom.send(
            "<%s to='%s/keeper' type='error' id='x'><error type='cancel'>"
            "<%s xmlns='%s'/></error></%s>"
            % (name, cast.room, cond, STANZAS, name))
        cast.now = None
        for client, codes in ((cast.whom, {"110", "333"}),
                              (cast.keeper, {"333"})):
            got = client.take(
                lambda e: e.is_("presence") and e.get("type") == "unavailable"
                and e.get("from") == cast.room + "/whom", "the end: " + cond)
            assert rooms.codes(got) == codes, (cond, str(got))
    if name == "message":
        server.process.wait_line(r"%s: what they were told did not arrive.* clients=1 "
                                "first=%s" % (cast.room, cast.whom.jid))


def test_the_subject_is_for_those_who_could_enter(cast):
    """XEP-0045 §14.4"""
    rooms.configure(cast.keeper, cast.room, ["membersonly=0"])
    cast.keeper.send("<message to='%s' type='groupchat'><subject>Spells"
                     "</subject></message>" % cast.room)
    cast.keeper.take(lambda e: e.child("subject") is not None and
                     e.child("subject").text() == "Spells", "the subject")
    info = "<query xmlns='http://jabber.org/protocol/disco#info'/>"
    rooms.ask(cast.keeper, "get", info, cast.room)

    def told(name):
        form = rooms.ask(cast.clients[name], "get", info, cast.room).find(
            "query", "x")
        return "Spells" in [v.text() for f in form.elems() for v in f.elems()]
    assert told("keeper") and told("mem-out") and not told("outcast")
    rooms.configure(cast.keeper, cast.room, [
        "passwordprotectedroom=1", "roomsecret=cauldronburn"])
    heard = told("mem-par"), told("non-out")
    rooms.configure(cast.keeper, cast.room, ["passwordprotectedroom=0"])
    assert heard == (True, False)
