"""Occupants who mean harm, and strangers: floods of all that can be sent to a room, names
of every kind, claims in the room's name, and what is too large.

One server, whose rooms bear little (antiphond.yml(5), muc), so that a few are a flood;
each test has a room and users of its own.
"""

import pytest

import rooms
import scene as scenes
from test_stats import memory, until
from xmltree import STANZAS

pytestmark = pytest.mark.only("antiphon")

MUC = {"message_rate": 4, "join_rate": 3, "presence_rate": 5, "nick_rate": 2,
       "request_rate": 3, "max_presence": "2KiB"}


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
