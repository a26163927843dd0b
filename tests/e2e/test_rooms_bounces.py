"""What comes back from an occupant of another server because of somebody in the room is no
way to throw him out of it: who blocks another one has private messages of that one
bounced by his server, and is in the room still."""

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


@pytest.mark.parametrize("ids", [False, True])
def test_private_messages_that_come_back(own_server, ids):
    server = own_server(component.conf(irc={}))
    scene = scenes.Scene(server)
    scene.add_accounts("keeper", "foe")
    scene.add_rooms("coven")
    room = scene.rooms["coven"]
    keeper, foe = scene.online("keeper/a"), scene.online("foe/a")
    scene.settle()
    rooms.create(keeper, room, "keeper")
    rooms.enter(foe, room, "foe")
    far = Far(server, room)
    foe.send("".join(PRIVATE % (room, " id='p%d'" % i if ids else "")
                     for i in range(MANY)))
    got = [far.link.take(lambda e: e.is_("message") and e.get("type") == "chat", "them")
           for _ in range(MANY)]
    for e in got:
        far.bounce(e)
    assert far.is_in()
    # until it is what all hear that does not come to him
    foe.send("<message to='%s' type='groupchat' id='all'><body>so</body></message>" % room)
    far.bounce(far.link.take(lambda e: e.is_("message") and
                             e.get("type") == "groupchat" and e.get("id") == "all", "it"))
    assert not far.is_in()
    scene.end()
    server.check()
