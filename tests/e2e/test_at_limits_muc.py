"""Rooms at the ends of what can be configured (see options.py)."""

import pytest

import scene as scenes
from options import MAX, MIN, proves, sworn
from test_at_limits import option
from test_services import refuses

pytestmark = pytest.mark.only("antiphon")

OF = "modules: muc: "
JOIN = "<presence to='%s/%s'><x xmlns='http://jabber.org/protocol/muc'/></presence>"
OWNER = "http://jabber.org/protocol/muc#owner"
ADMIN = "<query xmlns='http://jabber.org/protocol/muc#admin'>%s</query>"


class Room:
    """One that romeo owns, at a server with this end of an option."""

    def __init__(self, own_server, name):
        self.server = own_server(
            {"modules": {"muc": {name: option(OF + name).value("min")}}})
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
