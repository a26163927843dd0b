"""Occupants who mean harm, and strangers: floods of all that can be sent to a room, names
of every kind, claims in the room's name, and what is too large.

One server, whose rooms bear little (antiphond.yml(5), muc), so that a few are a flood;
each test has a room and users of its own.
"""

from xml.sax.saxutils import quoteattr

import pytest

import rooms
import scene as scenes
from client import Closed
from test_stats import memory, until
from xmltree import STANZAS

pytestmark = pytest.mark.only("antiphon")

MUC = {"message_rate": 4, "join_rate": 3, "presence_rate": 5, "nick_rate": 2,
       "request_rate": 3, "max_presence": "2KiB", "max_affiliations": 50}


@pytest.fixture(scope="module", name="narrow")
def narrow_fixture(pool):
    server = pool.new({"modules": {"muc": MUC}}).start()
    yield server
    server.stop()


@pytest.fixture(name="scene")
def scene_fixture(narrow):
    scene = scenes.Scene(narrow)
    yield scene
    scene.end()
    narrow.check()


def cond(e):
    """The condition of an error; None: it is none."""
    error = e.child("error")
    if error is None:
        return None
    return next(c.name for c in error.elems() if c.ns == STANZAS and c.name != "text")


def is_cut(client):
    """Does its stream come to an end?"""
    try:
        while True:
            client.next("the end of the stream")
    except Closed:
        return True


def send_all(client, text):
    """As much as it takes, of what it may not want."""
    try:
        client.send(text)
    except OSError:
        pass


class Party:
    """A room of keeper, who owns it, and guests."""

    def __init__(self, scene, *guests, fields=()):
        scene.add_accounts("keeper", *guests)
        scene.add_rooms("coven")
        self.scene, self.jid = scene, scene.fill("{coven}")
        self.keeper = scene.online("keeper/a")
        self.guests = [scene.online(g + "/a") for g in guests]
        scene.settle()
        # without an archive nothing waits for the disk, and an answer is behind all
        rooms.create(self.keeper, self.jid, "keeper", ["enablearchiving=0", *fields])

    def enter(self, client, nick):
        rooms.enter(client, self.jid, nick)
        rooms.forget(self.keeper, self.jid)

    def answers(self, client):
        """What has come from the room until now, of errors the conditions."""
        client.iq("get", rooms.PING, self.jid)
        got = [e for e in client.inbox if e.get("from", "").startswith(self.jid)]
        client.inbox[:] = []
        return got

    def errors(self, client):
        return [(cond(e), e.child("error").get("type"),
                 e.child("error").child("text", STANZAS) is not None)
                for e in self.answers(client) if e.get("type") == "error"]


# --- floods ---------------------------------------------------------------------------

SLOW = ("policy-violation", "wait", True)

# what is sent again and again; %(i)d is which time
FLOODS = {
    "message_rate": "<message to='%(room)s' type='groupchat'><body>%(i)d</body></message>",
    "join_rate": "<presence to='%(room)s/flood'><x "
                 "xmlns='http://jabber.org/protocol/muc'/></presence>",
    "presence_rate": "<presence to='%(room)s/flood'><status>%(i)d</status></presence>",
    "nick_rate": "<presence to='%(room)s/flood%(i)d'/>",
    "request_rate": "<message to='%(room)s'><x xmlns='http://jabber.org/protocol/muc#user'>"
                    "<invite to='%(who)s'/></x></message>",
}


@pytest.mark.parametrize("name", sorted(FLOODS))
def test_a_flood_is_refused_above_its_bound(scene, name):
    party = Party(scene, "flood")
    guest, most = party.guests[0], MUC[name]
    party.enter(guest, "flood")
    if name == "join_rate":
        most -= 1
    rooms.forget(party.keeper, party.jid)
    for i in range(MUC[name] + 5):
        guest.send(FLOODS[name] % {"room": party.jid, "i": i,
                                   "who": party.keeper.jid.split("/")[0]})
    refused = party.errors(guest)
    assert refused == [SLOW] * (MUC[name] + 5 - most), refused
    seen = len(party.answers(party.keeper))
    # of another nickname he sees that one goes, and one comes
    assert seen == {"nick_rate": 2 * most}.get(name, most), seen
    # he is in the room still, and has his turn when the minute is over; what counts for
    # another room is counted there
    scene.server.advance(61)
    guest.send(FLOODS[name] % {"room": party.jid, "i": 99,
                               "who": party.keeper.jid.split("/")[0]})
    assert party.errors(guest) == []
    assert len(party.answers(party.keeper)) != 0


def test_who_comes_again_is_counted_on(scene):
    party = Party(scene, "flood")
    guest = party.guests[0]
    party.enter(guest, "flood")
    for i in range(MUC["message_rate"]):
        guest.send(FLOODS["message_rate"] % {"room": party.jid, "i": i})
    guest.send("<presence to='%s/flood' type='unavailable'/>" % party.jid)
    guest.take(lambda e: e.get("type") == "unavailable", "his own presence")
    party.enter(guest, "other")
    guest.send(FLOODS["message_rate"] % {"room": party.jid, "i": 99})
    # and by the way of private messages
    guest.send("<message to='%s/keeper' type='chat'><body>1</body></message>" % party.jid)
    assert party.errors(guest) == [SLOW] * 2


def test_who_rules_a_room_may_say_as_much_as_he_likes(scene):
    party = Party(scene)
    for i in range(5 * MUC["message_rate"]):
        party.keeper.send(FLOODS["message_rate"] % {"room": party.jid, "i": i})
    assert len(party.answers(party.keeper)) == 5 * MUC["message_rate"]


def test_errors_are_no_way_round_what_may_be_said(scene):
    """One who was sent a private message may answer it by an error, but that has no words
    of his, and he sends no more of them than messages."""
    party = Party(scene, "guest", "foe", fields=["allowpm=anyone"])
    guest, foe = party.guests
    party.enter(guest, "guest")
    party.enter(foe, "foe")
    foe.send("<message to='%s/foe' type='chat' id='x'><body>1</body></message>" % party.jid)
    foe.take(lambda e: e.child("body") is not None, "his own message")
    rooms.configure(party.keeper, party.jid, ["allowpm=none"])
    party.answers(guest)
    foe.send(2 * MUC["message_rate"] * (
        "<message to='%s/guest' type='error' id='x'><body>unwanted</body><error "
        "type='cancel'><service-unavailable xmlns='%s'/></error></message>" % (
            party.jid, STANZAS)))
    assert party.errors(foe) == []
    got = [e for e in party.answers(guest) if e.get("type") == "error"]
    assert "unwanted" not in "".join(map(str, got))
    # one was the message
    assert [cond(e) for e in got] == ["service-unavailable"] * (MUC["message_rate"] - 1)


@pytest.mark.parametrize("refused, why", [
    ("<presence to='%s/guest'><status>" + 3000 * "x" + "</status></presence>",
     "not-acceptable"),
    ("<presence to='%s/keeper'/>", "conflict")], ids=("too large", "conflict"))
@pytest.mark.parametrize("end", ("goodbye", "break"))
def test_who_is_refused_what_he_says_of_himself_is_in_it_and_leaves_it(scene, refused, why,
                                                                       end):
    """The error is not for his being there, so that it ends with his session."""
    party = Party(scene, "guest")
    guest, = party.guests
    party.enter(guest, "guest")
    guest.send(refused % party.jid)
    assert [e[0] for e in party.errors(guest)] == [why]
    if end == "break":
        guest.drop()
    else:
        guest.close()
    party.keeper.take(lambda e: e.get("type") == "unavailable" and
                      e.get("from") == party.jid + "/guest", "that he has gone")


# --- slow mode (XEP-0500 §8) ---------------------------------------------------------------


def test_slow_mode_is_for_all_clients_and_names_of_a_user(scene):
    party = Party(scene, "slow", fields=["slow_mode_duration=30"])
    desk = party.guests[0]
    phone = scene.online("slow/b")
    desk.inbox[:] = []
    party.enter(desk, "desk")
    party.enter(phone, "phone")
    say = "<message to='%s' type='groupchat'><body>1</body></message>" % party.jid
    desk.send(say)
    assert party.errors(desk) == []
    phone.send(say)
    assert party.errors(phone) == [SLOW]
    # nor by leaving; an owner makes it faster, and it begins anew
    phone.send("<presence to='%s/phone' type='unavailable'/>" % party.jid)
    phone.take(lambda e: e.get("type") == "unavailable", "his own presence")
    party.enter(phone, "third")
    phone.send(say)
    assert party.errors(phone) == [SLOW]
    rooms.configure(party.keeper, party.jid, ["slow_mode_duration=0"])
    phone.send(say)
    assert party.errors(phone) == []


@pytest.mark.parametrize("value", ["-1", "86401", "1e3", "x", "99999999999999999999"])
def test_slow_mode_of_no_duration_is_refused(scene, value):
    party = Party(scene)
    got = party.keeper.iq("set", "<query xmlns='%s'>%s</query>" % (
        rooms.OWNER, rooms.submitted(["slow_mode_duration=" + value])), party.jid)
    assert cond(got) == "not-acceptable"


# --- what it costs ------------------------------------------------------------------------

OF_ROOMS = "rooms", "occupants", "affiliations"


def test_what_rooms_hold_is_counted_and_comes_back(own_server):
    server = own_server()
    scene = scenes.Scene(server)
    party = Party(scene, *("g%d" % i for i in range(8)),
                  fields=["roomdesc=" + "x" * 2000])
    before = memory(server)
    assert before["rooms"]["objects"] == before["occupants"]["objects"] == 1
    assert before["rooms"]["bytes"] > 2000
    assert before["affiliations"]["objects"] == 1
    for i, guest in enumerate(party.guests):
        rooms.enter(guest, party.jid, "g%d" % i)
        guest.send("<presence to='%s/g%d'><status>%s</status></presence>" % (
            party.jid, i, "x" * 1000))
        guest.send("<message to='%s' type='groupchat'><body>%s</body></message>" % (
            party.jid, "x" * 5000))
        rooms.forget(guest, party.jid)
    rooms.admin(party.keeper, party.jid, jid="a@elsewhere.test", affiliation="outcast")
    full = memory(server)
    assert full["occupants"]["objects"] == 9
    assert full["affiliations"]["objects"] == 2
    # presence and history are most of it, and are counted
    assert 8 * 1000 < full["occupants"]["bytes"] - before["occupants"]["bytes"] < 8 * 2500
    assert 8 * 5000 < full["rooms"]["bytes"] - before["rooms"]["bytes"] < 8 * 7000
    scene.end()
    server.advance(600)
    empty = until(lambda: memory(server), lambda m: m["rooms"]["objects"] == 0)
    for owner in OF_ROOMS:
        assert empty[owner]["objects"] == empty[owner]["bytes"] == 0
    server.check()


# --- names --------------------------------------------------------------------------------

ZALGO = "z" + "\u0300" * 300

# nicknames: None, he is in the room under that name; "gone", his stream ends
NICKS = {
    "of 1023 bytes": ("n" * 1023, None),
    "of 1024 bytes": ("n" * 1024, "jid-malformed"),
    "of two hundred kilobytes": ("n" * 200000, "jid-malformed"),
    "of a megabyte": ("n" * (1 << 20), "gone"),
    "blanks": ("   ", "jid-malformed"),
    "controls": ("a\x01b", "gone"),
    "more controls": ("a\u0085b", "jid-malformed"),
    "no width": ("a\u200bb", "jid-malformed"),
    "right to left": ("a\u202eb", "jid-malformed"),
    "nobody's character": ("a\ufffeb", "gone"),
    "zalgo": (ZALGO, None),
    "pictures": ("\U0001f98a\U0001f43a", None),
    "a family": ("\U0001f468\u200d\U0001f469\u200d\U0001f467", "jid-malformed"),
    "markup": ("<b>&\"'", None),
    "slashes": ("a/b/../c", None),
    "an address": ("keeper@antiphon.test/a", None),
}


@pytest.mark.parametrize("what", sorted(NICKS))
def test_nicknames_of_every_kind(scene, what):
    nick, outcome = NICKS[what]
    party = Party(scene, "guest")
    guest = party.guests[0]
    send_all(guest, "<presence to=%s><x xmlns='%s'/></presence>" % (
        quoteattr(party.jid + "/" + nick), rooms.MUC))
    if outcome == "gone":
        assert is_cut(guest)
    else:
        got = guest.take(lambda e: e.is_("presence"), "an answer")
        if outcome is None:
            assert "110" in rooms.codes(guest.take(
                lambda e: e.is_("presence") and "110" in rooms.codes(e), "he is in")
                if "110" not in rooms.codes(got) else got)
        else:
            assert cond(got) == outcome
    # whatever it was, the others have seen him under that name or not at all
    seen = {e.get("from") for e in party.answers(party.keeper) if e.is_("presence")}
    assert seen <= {party.jid + "/" + nick}
    assert bool(seen) == (outcome is None)


ROOMS = {
    "of 1023 bytes": ("r" * 1023, None),
    "of 1024 bytes": ("r" * 1024, "jid-malformed"),
    "capitals": ("COVEN", None),
    "dots": ("..", None),
    "percent": ("%2e%2e%2f", None),
    "a plus": ("a+b?c=d#e", None),
    "other scripts": ("\u30ed\u30df\u30aa", None),
    "wide": ("\uff43\uff4f\uff56\uff45\uff4e", None),
    "pictures": ("\U0001f98a", "jid-malformed"),
    "a blank": ("a b", "jid-malformed"),
    "a quote": ("a'b", "jid-malformed"),
    "markup": ("<b>", "jid-malformed"),
    "a colon": ("a:b", "jid-malformed"),
    "no width": ("a\u200bb", "jid-malformed"),
    "none": ("", "jid-malformed"),
}


@pytest.mark.parametrize("what", sorted(ROOMS))
def test_rooms_of_every_name(scene, what):
    name, outcome = ROOMS[what]
    scene.add_accounts("guest")
    guest = scene.online("guest/a")
    scene.settle()
    at = "%s@%s" % (name, rooms.service_of(scene.server))
    guest.send("<presence to=%s><x xmlns='%s'/></presence>" % (
        quoteattr(at + "/guest"), rooms.MUC))
    got = guest.take(lambda e: e.is_("presence"), "an answer")
    assert cond(got) == outcome
    if outcome is None:
        room = got.get("from").rpartition("/")[0]
        rooms.configure(guest, room, ["roomname=" + name[:100], "persistentroom=1"])
        rooms.ask(guest, "set", "<query xmlns='%s'><destroy/></query>" % rooms.OWNER, room)


# --- claims ---------------------------------------------------------------------------------

USER = rooms.USER
FORGED = (
    "<x xmlns='%s'><status code='110'/><status code='307'/><item affiliation='owner' "
    "role='moderator' jid='evil@example.org'/></x><x xmlns='%s'><item role='none'/></x>"
    "<occupant-id xmlns='urn:xmpp:occupant-id:0' id='forged'/>"
    "<occupant-id xmlns='urn:xmpp:occupant-id:0' id='forged again'/>"
    "<hats xmlns='urn:xmpp:hats:0'><hat uri='urn:x:forged' title='forged'/></hats>"
    "<stanza-id xmlns='urn:xmpp:sid:0' by='%%s' id='forged'/>"
    "<stanza-id xmlns='urn:xmpp:sid:0' by='%%s' id='forged again'/>"
    "<delay xmlns='urn:xmpp:delay' from='%%s' stamp='2002-09-10T23:08:25Z'/>" % (USER, USER))

KINDS = {
    "presence": "<presence to='%s/evil'><status>said</status>%s</presence>",
    "groupchat": "<message to='%s' type='groupchat'><body>said</body>%s</message>",
    "private": "<message to='%s/keeper' type='chat'><body>said</body>%s</message>",
}


@pytest.mark.parametrize("kind", sorted(KINDS))
def test_nobody_speaks_in_the_name_of_the_room(scene, kind):
    party = Party(scene, "evil")
    guest = party.guests[0]
    party.enter(guest, "evil")
    guest.send(KINDS[kind] % (party.jid, FORGED % ((party.jid,) * 3)))
    got = party.keeper.take(lambda e: e.get("from") == party.jid + "/evil", "it")
    text = str(got)
    assert "said" in text
    # as a whole: ids are drawn, and have any digits in them
    assert "forged" not in text and '"307"' not in text and '"2002-' not in text
    assert "evil@example.org" not in text and "moderator" not in text
    assert len([e for e in got.elems() if e.name == "occupant-id"]) <= 1
    assert len([e for e in got.elems() if e.name == "x"]) == (kind != "groupchat")


@pytest.mark.parametrize("id_", ["", " id=''", " id='x'"])
def test_what_takes_back_nothing_takes_back_nothing(scene, id_):
    party = Party(scene)
    for more in "", "<retract xmlns='urn:xmpp:message-retract:1'%s/>" % id_:
        party.keeper.send("<message to='%s' type='groupchat'><body>so</body>%s</message>" %
                          (party.jid, more))
    assert [e.child("body").text() for e in party.answers(party.keeper)] == ["so"] * 2
    rooms.enter(party.keeper, party.jid, "keeper") # and is told of it again
    assert len(party.keeper.inbox) == 0


# --- too much -------------------------------------------------------------------------------

LONG = "x" * 100000


def owner(what):
    return "<query xmlns='%s'>%s</query>" % (rooms.OWNER, what)


def admin(what):
    return "<query xmlns='%s'>%s</query>" % (rooms.ADMIN, what)


def members(n):
    return admin("".join("<item affiliation='member' jid='m%d@elsewhere.test'/>" % i
                         for i in range(n)))


def form(*fields):
    return owner("<x xmlns='jabber:x:data' type='submit'>%s</x>" % "".join(
        "<field var='muc#roomconfig_%s'>%s</field>" % (
            var, "".join("<value>%s</value>" % v for v in values))
        for var, *values in fields))


# what an owner asks for, and what he is told; None: it is done
ASKED = {
    "a reason for a kick": (admin(
        "<item nick='guest' role='none'><reason>%s</reason></item>" % LONG), "bad-request"),
    "a reason for a ban": (admin(
        "<item jid='a@elsewhere.test' affiliation='outcast'><reason>%s</reason></item>" %
        LONG), "bad-request"),
    "a reason for the end": (owner("<destroy><reason>%s</reason></destroy>" % LONG),
                             "not-acceptable"),
    "another room of any length": (owner("<destroy jid='%s'/>" % LONG), "not-acceptable"),
    "a thousand members at once": (members(1001), "not-acceptable"),
    "more members than may be": (members(60), "resource-constraint"),
    "a reserved nickname": (admin(
        "<item jid='a@elsewhere.test' affiliation='member' nick='%s'/>" % LONG),
        "bad-request"),
    "nobody's address": (admin("<item jid='%s' affiliation='member'/>" % LONG),
                         "jid-malformed"),
    "a name of the room": (form(("roomname", LONG)), "not-acceptable"),
    "a description": (form(("roomdesc", LONG)), "not-acceptable"),
    "a password": (form(("passwordprotectedroom", 1), ("roomsecret", LONG)),
                   "not-acceptable"),
    "addresses to turn to": (form(("contactjid", *(
        "m%d@elsewhere.test" % i for i in range(11)))), "not-acceptable"),
    "fields twice": (form(("roomname", "one"), ("roomname", "two")), None),
    "fields of two minds": (form(*[("moderatedroom", i % 2) for i in range(1000)]), None),
    "values twice": (form(("roomname", "one", "two"), ("publicroom", 1, 0)), None),
    "fields that nobody knows": (form(*[("x%d" % i, i) for i in range(1500)]), None),
    "owners a thousand times": (form(("roomowners", *["{keeper}"] * 3000)), None),
    "a picture of any size": ("<vCard xmlns='vcard-temp'><DESC>%s</DESC></vCard>" %
                              (LONG + LONG), "not-acceptable"),
    "a subject": (None, "not-acceptable"),
}


@pytest.mark.parametrize("what", sorted(ASKED))
def test_what_is_too_much_is_refused(scene, what):
    asked, outcome = ASKED[what]
    party = Party(scene, "guest")
    party.enter(party.guests[0], "guest")
    if asked is None:
        party.keeper.send("<message to='%s' type='groupchat'><subject>%s</subject>"
                          "</message>" % (party.jid, LONG))
        assert [e[0] for e in party.errors(party.keeper)] == [outcome]
    else:
        got = party.keeper.iq("set", scene.fill(asked) if "{keeper}" in asked else asked,
                              party.jid)
        assert cond(got) == outcome
    # the room is as it was for who is in it, and its form can be read
    assert party.answers(party.guests[0]) == [] or outcome is None
    assert party.keeper.iq("get", "<query xmlns='%s'/>" % rooms.OWNER,
                           party.jid).get("type") == "result"


@pytest.mark.parametrize("what", ["affiliations", "invitations", "reason"])
def test_stanzas_without_end_cost_who_sends_them(scene, what):
    """A hundred thousand items, ten thousand invitations, a megabyte."""
    party = Party(scene, "guest")
    keeper, guest = party.keeper, party.guests[0]
    party.enter(guest, "guest")
    huge = {
        "affiliations": "<iq type='set' id='1' to='%s'>%s</iq>" % (
            party.jid, members(100000)),
        "invitations": "<message to='%s'><x xmlns='%s'>%s</x></message>" % (
            party.jid, USER, "<invite to='a@elsewhere.test'/>" * 10000),
        "reason": "<iq type='set' id='1' to='%s'>%s</iq>" % (party.jid, admin(
            "<item nick='guest' role='none'><reason>%s</reason></item>" % ("x" * (1 << 20)))),
    }
    send_all(keeper, huge[what])
    assert is_cut(keeper)
    assert rooms.ask(guest, "get", "<query xmlns='http://jabber.org/protocol/disco#info'/>",
                     party.jid)


def test_last_words_are_for_people(scene):
    """Who goes is not kept, whatever he says; but that is not told."""
    party = Party(scene, "guest")
    guest = party.guests[0]
    for words, told in ((LONG, False), ("bye", True)):
        party.enter(guest, "guest")
        guest.send("<presence to='%s/guest' type='unavailable'><status>%s</status>"
                   "</presence>" % (party.jid, words))
        got = party.keeper.take(lambda e: e.get("type") == "unavailable", "he goes")
        assert (got.child("status") is not None) == told
        guest.take(lambda e: e.get("type") == "unavailable", "he is out")


def test_presence_to_a_thousand_rooms(scene):
    """Each is answered; as many are there as may be; and none when he has gone."""
    scene.add_accounts("guest")
    guest = scene.online("guest/a")
    scene.settle()
    at = "@" + rooms.service_of(scene.server)
    before = memory(scene.server)["rooms"]["objects"]
    for i in range(1000):
        guest.send("<presence to='r%d%s/guest'><x xmlns='%s'/></presence>" % (
            i, at, rooms.MUC))
    answered = {}
    while len(answered) < 1000:
        e = guest.next("an answer of each room")
        if e.is_("presence") and (cond(e) or "110" in rooms.codes(e)):
            answered[e.get("from").partition("@")[0]] = cond(e)
    inside = [room for room, outcome in answered.items() if outcome is None]
    assert 0 < len(inside) <= 500, len(inside)
    assert set(answered.values()) <= {None, "resource-constraint", "not-allowed"}
    guest.close()
    scene.server.advance(600)
    until(lambda: memory(scene.server), lambda m: m["rooms"]["objects"] <= before)


# --- what later ones see (hostile 54) ---------------------------------------------------------


def test_private_messages_are_in_no_history(scene):
    party = Party(scene, "one", "two", fields=["enablearchiving=1", "persistentroom=1"])
    one, two = party.guests
    party.enter(one, "one")
    one.send("<message to='%s/keeper' type='chat'><body>secret</body></message>" % party.jid)
    party.keeper.take(lambda e: e.child("body") is not None, "the private one")
    one.send("<message to='%s' type='groupchat'><body>open</body></message>" % party.jid)
    one.take(lambda e: e.child("body") is not None, "what all hear")
    two.send("<presence to='%s/two'><x xmlns='%s'/></presence>" % (party.jid, rooms.MUC))
    two.take(lambda e: e.child("subject") is not None, "the subject")
    asked = two.iq("set", "<query xmlns='urn:xmpp:mam:2'/>", party.jid)
    text = "".join(map(str, two.inbox)) + str(asked)
    assert "open" in text and "secret" not in text
    # made members-only after the fact
    rooms.configure(party.keeper, party.jid, ["membersonly=1"])
    two.take(lambda e: "322" in rooms.codes(e), "he is out")
    two.inbox[:] = []
    assert cond(two.iq("set", "<query xmlns='urn:xmpp:mam:2'/>", party.jid)) == "forbidden"
    assert "open" not in "".join(map(str, two.inbox))
