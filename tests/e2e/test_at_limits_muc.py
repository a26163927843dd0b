"""Rooms at the ends of what can be configured (see options.py)."""

import pytest

import mam
import rooms
import scene as scenes
from options import MAX, MIN, number, proves, sworn
from test_at_limits import option
from test_room_archive import bytes_of, rows, say
from test_services import refuses

pytestmark = pytest.mark.only("antiphon")

OF = "modules: muc: "
JOIN = "<presence to='%s/%s'><x xmlns='http://jabber.org/protocol/muc'/></presence>"
OWNER = "http://jabber.org/protocol/muc#owner"
ADMIN = "<query xmlns='http://jabber.org/protocol/muc#admin'>%s</query>"


class Room:
    """One that romeo owns, at a server with this end of some options."""

    def __init__(self, own_server, *names, end="min"):
        self.server = own_server({"modules": {"muc": {
            name: option(OF + name).value(end) for name in names}}})
        self.scene = scenes.Scene(self.server)
        self.scene.add_accounts("romeo", "juliet")
        self.jid = "limits@conference." + self.server.domain
        self.romeo = self.scene.online("romeo/a")
        self.juliet = self.scene.online("juliet/a")
        self.scene.settle()
        assert self.enter(self.romeo, "Romeo").get("type") is None
        self.romeo.iq("set", "<query xmlns='%s'><x xmlns='jabber:x:data' "
                      "type='submit'/></query>" % OWNER, self.jid)

    def enter(self, client, nick):
        client.send(JOIN % (self.jid, nick))
        return client.take(lambda got: got.is_("presence") and
                           got.get("from") == "%s/%s" % (self.jid, nick),
                           "presence of the room")


@proves(OF + "max_users", ends=MIN)
def test_as_many_come_in_as_may(own_server):
    room = Room(own_server, "max_users")
    got = room.enter(room.juliet, "Juliet")
    refuses(got, "service-unavailable")
    assert got.find("error").get("type") == "wait"
    # an owner comes in above it (XEP-0045 §7.2.9)
    desk = room.scene.online("romeo/b")
    assert room.enter(desk, "Romeo").get("type") is None
    room.server.check()


sworn(OF + "max_users", MAX, "100,000 occupants of one room are not run: tests/bench has "
      "fewer, and test_as_many_come_in_as_may the bound")


@proves(OF + "max_affiliations", ends=MIN)
def test_as_many_are_affiliated_as_may(own_server):
    room = Room(own_server, "max_affiliations")
    juliet = room.juliet.jid.split("/")[0]
    got = room.romeo.iq("set", ADMIN % "<item affiliation='member' jid='%s'/>" %
                        juliet, room.jid)
    refuses(got, "resource-constraint")
    # the one that there is may be changed: he makes no more of them
    got = room.romeo.iq("set", ADMIN % "<item affiliation='owner' jid='%s'/>" %
                        room.romeo.jid.split("/")[0], room.jid)
    assert got.get("type") == "result"
    room.server.check()


sworn(OF + "max_affiliations", MAX, "100,000 affiliations of one room take a minute to be "
      "stored: test_as_many_are_affiliated_as_may has the bound")


@proves(OF + "max_presence")
@pytest.mark.parametrize("end", MIN + MAX)
def test_presence_of_a_room_is_as_large_as_it_may_be(own_server, end):
    room = Room(own_server, "max_presence", end=end)
    most = number(option(OF + "max_presence").end(end))
    assert room.enter(room.juliet, "Juliet").get("type") is None
    for more, kind in ((-most // 4, None), (most // 4, "error")):
        room.juliet.send("<presence to='%s/Juliet'><status>%s</status></presence>" % (
            room.jid, "x" * (most + more)))
        got = room.juliet.take(lambda e: e.is_("presence") and
                               e.get("from") == room.jid + "/Juliet", "presence")
        assert got.get("type") == kind, got
    refuses(got, "not-acceptable")
    # what was refused has changed nothing, and nobody is out of the room
    assert room.enter(room.juliet, "Juliet").get("type") is None
    room.server.check()


@proves(OF + "max_vcard")
@pytest.mark.parametrize("end", MIN + MAX)
def test_a_vcard_of_a_room_is_as_large_as_it_may_be(own_server, end):
    server = own_server({
        "limits": {"stanza_bytes": "1MiB"},
        "modules": {"muc": {"max_vcard": option(OF + "max_vcard").end(end)}}})
    room = Room(lambda conf: server)
    most = number(option(OF + "max_vcard").end(end))
    card = "<vCard xmlns='vcard-temp'><DESC>%s</DESC></vCard>"
    head = len(card % "")
    got = room.romeo.iq("set", card % ("x" * (most - head + 1)), room.jid)
    refuses(got, "not-acceptable")
    got = room.romeo.iq("set", card % ("x" * (most - head)), room.jid)
    assert got.get("type") == "result", got
    got = room.romeo.iq("get", "<vCard xmlns='vcard-temp'/>", room.jid)
    assert len(got.child("vCard", "vcard-temp").child("DESC").text()) == most - head
    room.server.check()


def speaks(room, i):
    room.juliet.send("<message to='%s' type='groupchat'><body>%d</body></message>" % (
        room.jid, i))
    return room.juliet.take(lambda e: e.is_("message") and (
        e.get("type") == "error" or e.child("body") is not None), "what he has said")


def enters(room, i):
    return room.enter(room.juliet, "Juliet")


def is_away(room, i):
    room.juliet.send("<presence to='%s/Juliet'><status>%d</status></presence>" % (
        room.jid, i))
    return room.juliet.take(lambda e: e.is_("presence") and
                            e.get("from") == room.jid + "/Juliet", "presence")


def is_renamed(room, i):
    room.juliet.send("<presence to='%s/Juliet%d'/>" % (room.jid, i))
    return room.juliet.take(lambda e: e.is_("presence") and
                            e.get("from") == "%s/Juliet%d" % (room.jid, i), "presence")


def invites(room, i):
    room.juliet.send(
        "<message to='%s' id='%d'><x xmlns='http://jabber.org/protocol/muc#user'>"
        "<invite to='%s'/></x></message>" % (
            room.jid, i, room.romeo.jid.split("/")[0]))
    room.juliet.iq("get", "<ping xmlns='urn:xmpp:ping'/>", room.jid)
    return next((e for e in room.juliet.inbox if e.get("type") == "error"),
                {"type": None})


RATES = {"message_rate": speaks, "join_rate": enters, "presence_rate": is_away,
         "nick_rate": is_renamed, "request_rate": invites}


@proves(OF + "message_rate", ends=MIN)
@proves(OF + "join_rate", ends=MIN)
@proves(OF + "presence_rate", ends=MIN)
@proves(OF + "nick_rate", ends=MIN)
@proves(OF + "request_rate", ends=MIN)
def test_where_nothing_is_counted_all_of_it_may_be(own_server):
    """More than by default; the bound itself is in test_rooms_hostile.py."""
    room = Room(own_server, *RATES)
    assert room.enter(room.juliet, "Juliet").get("type") is None
    for name, does in RATES.items():
        for i in range(int(option(OF + name).default) + 5):
            got = does(room, i)
            assert got.get("type") is None or got.get("type") == "groupchat", got
    room.server.check()


for name in RATES:
    sworn(OF + name, MAX, "a million within a minute is more than comes in: "
          "test_rooms_hostile.py has each bound at a few")


# --- the archives of rooms ----------------------------------------------------------


def says(room, *bodies):
    """romeo, as many of whose messages are taken as he likes, and who stays not as long
    as the room does."""
    rooms.configure(room.romeo, room.jid, ("persistentroom=1",))
    say(room.romeo, room.jid, *bodies)


@proves(OF + "archive_page_max")
@pytest.mark.parametrize("end", MIN + MAX)
def test_how_large_a_page_of_a_room_may_be(own_server, end):
    room = Room(own_server, "archive_page_max", end=end)
    most = int(option(OF + "archive_page_max").end(end))
    says(room, *map(str, range(most + 1)))
    page = mam.query(room.juliet, to=room.jid, max=most + 1)
    assert len(page.ids) == most and not page.complete
    assert len(mam.query(room.juliet, to=room.jid).ids) == min(50, most)


@proves(OF + "archive_keep")
@pytest.mark.parametrize("end", MIN + MAX)
def test_how_long_a_room_keeps_what_was_said(own_server, end):
    room = Room(own_server, "archive_keep", end=end)
    says(room, "1", "2", "3")
    if end == "max": # never; archive_host_bytes is none, so there is one walk
        room.server.advance(10 * 365 * 86400)
    else:
        room.server.advance(3000)
        assert len(rows(room.server, room.jid)) == 3
        room.server.advance(3600 + 700)
        room.server.process.wait_line(
            "archives have lost their oldest host=conference.%s messages=3"
            % room.server.domain)
    assert len(rows(room.server, room.jid)) == (3 if end == "max" else 0)


@proves(OF + "archive_max_bytes", ends=MIN)
def test_how_large_the_archive_of_a_room_may_become(own_server):
    room = Room(own_server, "archive_max_bytes")
    says(room, *["x" * 1000] * 100)
    assert 60 << 10 < bytes_of(room.server, room.jid) <= 64 << 10


sworn(OF + "archive_max_bytes", MAX, "1 TiB on the disk")


@proves(OF + "archive_host_bytes", ends=MIN)
def test_rooms_without_a_bound(own_server):
    """0 is none: nothing goes in a walk."""
    room = Room(own_server, "archive_host_bytes")
    says(room, *["x" * 1000] * 20)
    for _ in range(3):
        room.server.advance(3700)
    assert len(rows(room.server, room.jid)) == 20


sworn(OF + "archive_host_bytes", MAX, "1024 TiB on the disk")


# --- who makes rooms ----------------------------------------------------------------


class Maker:
    """One who makes rooms at a server that is configured like this."""

    def __init__(self, own_server, conf):
        self.server = own_server({"modules": {"muc": conf}})
        self.scene = scenes.Scene(self.server)
        self.scene.add_accounts("romeo")
        self.romeo = self.scene.online("romeo/a")
        self.scene.settle()

    def jid(self, name):
        return "%s@conference.%s" % (name, self.server.domain)

    def enter(self, name):
        self.romeo.send(JOIN % (self.jid(name), "Romeo"))
        return self.romeo.take(lambda got: got.is_("presence") and got.get("from") ==
                               self.jid(name) + "/Romeo", "presence of the room")

    def make(self, name):
        assert self.enter(name).get("type") is None
        return self.romeo.iq("set", "<query xmlns='%s'><x xmlns='jabber:x:data' "
                             "type='submit'/></query>" % OWNER, self.jid(name))


@proves(OF + "max_rooms", ends=MIN)
def test_as_many_rooms_are_made_as_may(own_server):
    maker = Maker(own_server, {"max_rooms": option(OF + "max_rooms").value("min")})
    assert maker.make("first").get("type") == "result"
    refuses(maker.make("second"), "resource-constraint")
    # it may have another owner: he has made it
    maker.romeo.iq("set", ADMIN % "<item affiliation='owner' jid='a@elsewhere.test'/>",
                   maker.jid("first"))
    maker.romeo.iq("set", ADMIN % "<item affiliation='admin' jid='%s'/>" %
                   maker.romeo.jid.split("/")[0], maker.jid("first"))
    refuses(maker.make("second"), "resource-constraint")
    # one that is not persistent goes when he leaves it, and counts no more
    maker.romeo.send("<presence type='unavailable' to='%s/Romeo'/>" % maker.jid("first"))
    maker.romeo.take(lambda got: got.get("type") == "unavailable", "his own presence")
    while maker.make("second").get("type") != "result":
        pass
    maker.server.check()


def test_rooms_that_are_made_at_once_are_counted_each(own_server):
    maker = Maker(own_server, {"max_rooms": 8})
    names = ["r%d" % i for i in range(9)]
    for name in names:
        maker.enter(name)
    form = "<iq type='set' id='%s' to='%s'><query xmlns='%s'><x xmlns='jabber:x:data' " \
        "type='submit'/></query></iq>"
    maker.romeo.send("".join(form % (name, maker.jid(name), OWNER) for name in names))
    got = [maker.romeo.take(lambda e: e.is_("iq") and e.get("id") == name, "an answer")
           for name in names]
    assert sorted(e.get("type") for e in got) == ["error"] + ["result"] * 8
    refuses(next(e for e in got if e.get("type") == "error"), "resource-constraint")
    maker.server.check()


sworn(OF + "max_rooms", MAX, "10,000 rooms of one user differ from one by their number: "
      "test_as_many_rooms_are_made_as_may has the bound")


@proves(OF + "names")
@pytest.mark.parametrize("end", ("min", "max"))
def test_rooms_are_called_as_is_allowed(own_server, end):
    n = int(option(OF + "names").end(end))
    names = ["x%d-*" % i for i in range(n - 1)] + ["Club-*-of-*"]
    maker = Maker(own_server, {"names": names})
    refuses(maker.enter("club-of-rome"), "not-allowed")
    refuses(maker.enter("a-club-x-of-y"), "not-allowed")
    assert maker.enter("club-x-of-y-of-z").get("type") is None
    assert maker.enter("club--of-").get("type") is None
    if n > 1:
        assert maker.enter("x%d-" % (n - 2)).get("type") is None
    maker.server.check()


@proves(OF + "default_history")
@pytest.mark.parametrize("end", ("min", "max"))
def test_new_rooms_are_as_the_configuration_says(own_server, end):
    due = {"muc#maxhistoryfetch": option(OF + "default_history").value(end)}
    conf = {"default_history": due["muc#maxhistoryfetch"]}
    other = end == "min"
    for var, name, dflt in (
            ("publicroom", "public", True), ("persistentroom", "persistent", False),
            ("membersonly", "members_only", False), ("moderatedroom", "moderated", False),
            ("changesubject", "change_subject", False),
            ("allowinvites", "allow_invites", False)):
        if other:
            conf["default_" + name] = not dflt
        due["muc#roomconfig_" + var] = "01"[dflt != other]
    if other:
        conf.update(default_whois="anyone", default_allow_pm="none")
    due["muc#roomconfig_whois"] = "anyone" if other else "moderators"
    due["muc#roomconfig_allowpm"] = "none" if other else "anyone"
    maker = Maker(own_server, conf)
    assert maker.enter("room").get("type") is None
    got = maker.romeo.iq("get", "<query xmlns='%s'/>" % OWNER, maker.jid("room"))
    shown = {e.get("var"): e.find("value").text() for e in got.find("query", "x").elems()
             if e.name == "field" and e.get("var") in due}
    assert shown == due
    maker.server.check()
