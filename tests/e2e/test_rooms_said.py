"""What was said in a room is in its archive when anybody has heard it, whenever the server is
killed; and which rooms have one."""

import time

import pytest

import mam
import rooms
import scene as scenes
from client import Closed

pytestmark = pytest.mark.only("antiphon")

WORDS = 200
# what is heard before the kill, so that it comes at different moments of a commit
HEARD = (1, 7, 40)


def is_said(e):
    return e.is_("message") and e.get("type") == "groupchat" and \
        e.child("body") is not None


def bodies(messages):
    return [m.child("body").text() for m in messages]


def hear(client, n):
    return bodies([client.take(is_said, "what was said") for _ in range(n)])


def all_that_comes(client):
    """Until the server is dead under our hands."""
    came = []
    try:
        while True:
            came.append(client.next())
    except (Closed, OSError):
        return bodies(filter(is_said, came))


@pytest.mark.parametrize("n", HEARD)
def test_what_was_heard_outlives_a_kill(own_server, n):
    server = own_server({})
    scene = scenes.Scene(server, ("romeo", "juliet"))
    room = rooms.new_address(server, "verona")
    romeo, juliet = scene.online("romeo/a"), scene.online("juliet/a")
    scene.settle()
    rooms.create(romeo, room, "Romeo", ["persistentroom=1"])
    rooms.enter(juliet, room, "Juliet")
    for i in range(WORDS):
        romeo.send("<message to='%s' type='groupchat'><body>%d</body></message>" % (
            room, i))
    heard = hear(juliet, n)
    server.kill9()
    heard += all_that_comes(juliet)
    own = all_that_comes(romeo)
    assert heard == [str(i) for i in range(len(heard))]
    server.start()
    page = mam.query(scene.login("romeo/b"), to=room, max=250)
    archived = bodies(page.messages)
    assert page.complete
    # in order, each once, and nothing that was heard is missing
    assert archived == [str(i) for i in range(len(archived))]
    assert len(archived) >= max(len(heard), len(own)), (archived[-1], heard[-1])
    server.check()


@pytest.mark.parametrize("option, asks, has", [
    ("default", None, True), ("default", 0, False), ("optional", None, False),
    ("optional", 1, True), ("none", 1, False)])
def test_which_rooms_have_an_archive(own_server, option, asks, has):
    server = own_server({"modules": {"muc": {"archive": option}}})
    scene = scenes.Scene(server, ("romeo",))
    room = rooms.new_address(server, "verona")
    romeo = scene.online("romeo/a")
    rooms.create(romeo, room, "Romeo",
                 [] if asks is None else ["enablearchiving=%d" % asks])
    form = romeo.iq("get", "<query xmlns='%s'/>" % rooms.OWNER, room)
    assert ("muc#roomconfig_enablearchiving" in str(form)) == (option != "none")
    info = romeo.iq("get", "<query xmlns='http://jabber.org/protocol/disco#info'/>",
                    room)
    assert ("urn:xmpp:mam:2" in str(info)) == has
    assert ("urn:xmpp:message-retract:1" in str(info)) == has
    server.check()


MODERATE = ("<iq to='%s' type='set' id='m'><moderate xmlns='urn:xmpp:message-moderate:1' "
            "id='%s'><retract xmlns='urn:xmpp:message-retract:1'/></moderate></iq>")


def test_nothing_is_left_of_a_room_that_is_gone(scene):
    """Its moderator takes a message back, and leaves, the last one, while what corrects
    that is looked for: who makes a room of that name then has nothing of the old one."""
    scene.add_accounts("keeper", "other")
    keeper, other = scene.online("keeper/a"), scene.online("other/a")
    scene.settle()
    for at in range(8):
        scene.add_rooms("coven")
        room = scene.rooms["coven"]
        rooms.create(keeper, room, "keeper")
        keeper.send(WORDS * 2 * (
            "<message to='%s' type='groupchat'><body>so</body></message>" % room))
        first = keeper.take(is_said, "it").child("stanza-id").get("id")
        rooms.forget(keeper, room)
        keeper.send(MODERATE % (room, first))
        time.sleep(at / 2500) # not to wait for something, but to meet it
        keeper.send("<presence to='%s/keeper' type='unavailable'/>" % room)
        keeper.take(lambda e: e.is_("iq") and e.get("id") == "m", "an answer")
        keeper.take(lambda e: e.get("type") == "unavailable", "his own presence")
        rooms.create(other, room, "other")
        rooms.ask(other, "set", "<query xmlns='urn:xmpp:mam:2'/>", room)
        old = [e for e in other.inbox if e.child("result") is not None]
        assert old == []
        rooms.ask(other, "set", "<query xmlns='%s'><destroy/></query>" % rooms.OWNER, room)
        keeper.inbox[:] = other.inbox[:] = []
