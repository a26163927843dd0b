"""What comes back from an occupant of another server because of somebody else is no way to
throw him out of the room: who blocks another one, or strangers, has what they send him
through the room bounced by his server, and is in the room still."""

import pytest

import component
import rooms
import scene as scenes
from component import Component
from xmltree import STANZAS

pytestmark = pytest.mark.only("antiphon")

PRIVATE = "<message to='%s/far' type='chat'%s><body>so</body></message>"
MANY = 40


class Far:
    """An occupant elsewhere, whose server bounces as it is told."""

    def __init__(self, server, room):
        self.link = Component(server, "irc").login()
        self.jid, self.room = "far@%s/a" % self.link.domain, room
        self.link.send("<presence from='%s' to='%s/far'><x xmlns='%s'/></presence>" % (
            self.jid, room, rooms.MUC))
        self.link.take(lambda e: e.is_("message") and e.child("subject") is not None,
                       "the subject")

    def bounce(self, e):
        id_ = " id='%s'" % e.get("id") if e.get("id") is not None else ""
        self.link.send("<message from='%s' to='%s' type='error'%s><error type='cancel'>"
                       "<service-unavailable xmlns='%s'/></error></message>" % (
                           self.jid, e.get("from"), id_, STANZAS))

    def is_in(self):
        self.link.send("<iq from='%s' to='%s/far' type='get' id='in'>%s</iq>" % (
            self.jid, self.room, rooms.PING))
        got = self.link.take(lambda e: e.is_("iq") and e.get("id") == "in", "an answer")
        return got.get("type") == "result"


class Play:
    """A room with a keeper, a foe, and one from elsewhere."""

    def __init__(self, server):
        self.server, self.scene = server, scenes.Scene(server)
        self.scene.add_accounts("keeper", "foe")
        self.scene.add_rooms("coven")
        self.room = self.scene.rooms["coven"]
        self.keeper, self.foe = self.scene.online("keeper/a"), self.scene.online("foe/a")
        self.scene.settle()
        rooms.create(self.keeper, self.room, "keeper", ["moderatedroom=1"])
        self.far = Far(server, self.room)
        rooms.admin(self.keeper, self.room, nick="far", role="moderator")
        rooms.enter(self.foe, self.room, "foe")

    def end(self):
        """What all hear does not come to him: then he is out."""
        self.keeper.send("<message to='%s' type='groupchat' id='all'><body>so</body>"
                         "</message>" % self.room)
        self.far.bounce(self.far.link.take(
            lambda e: e.is_("message") and e.get("type") == "groupchat" and
            e.get("id") == "all", "it"))
        self.far.link.take(lambda e: e.is_("presence") and "333" in rooms.codes(e) and
                           e.get("from") == self.room + "/far", "his own presence")
        self.scene.end()
        self.server.check()


@pytest.mark.parametrize("ids", [False, True])
def test_private_messages_that_come_back(own_server, ids):
    play = Play(own_server(component.conf(irc={})))
    play.foe.send("".join(PRIVATE % (play.room, " id='p%d'" % i if ids else "")
                          for i in range(MANY)))
    got = [play.far.link.take(lambda e: e.is_("message") and e.get("type") == "chat",
                              "them") for _ in range(MANY)]
    for e in got:
        play.far.bounce(e)
    assert play.far.is_in()
    play.end()


# what the room tells him because somebody asks it to, who need not be in it
CAUSED = {
    "an invitation": "<x xmlns='%s'><invite to='%%s'/></x>" % rooms.USER,
    "that one declines": "<x xmlns='%s'><decline to='%%s'/></x>" % rooms.USER,
    "a request for voice":
        "<x xmlns='jabber:x:data' type='submit'><field var='FORM_TYPE'><value>"
        "http://jabber.org/protocol/muc#request</value></field><field var='muc#role'>"
        "<value>participant</value></field></x>",
}


@pytest.mark.parametrize("what", sorted(CAUSED))
def test_what_another_one_causes_that_comes_back(own_server, what):
    play = Play(own_server(component.conf(irc={})))
    payload = CAUSED[what].replace("%s", play.far.jid)
    for id_ in "", " id='1'":
        play.foe.send("<message to='%s'%s>%s</message>" % (play.room, id_, payload))
        play.far.bounce(play.far.link.take(
            lambda e: e.is_("message") and e.get("from") == play.room and
            e.get("type") is None, what))
    assert play.far.is_in()
    play.end()
