"""History of rooms (XEP-0045 §7.2.14), out of the archive and out of memory: each attribute
at its ends and around what there is.

One server; two rooms in which as much was said, one with an archive and one without.
"""

import pytest

import rooms
import scene as scenes

pytestmark = pytest.mark.only("antiphon")

SAID = 300
KEPT = 250 # as the room is configured


@pytest.fixture(scope="module", name="past")
def past_fixture(pool):
    server = pool.new({"modules": {"muc": {
        "message_rate": 0, "join_rate": 0}}}).start()
    scene = scenes.Scene(server)
    scene.add_accounts("keeper", "guest")
    scene.add_rooms("memory", "archive")
    keeper = scene.online("keeper/a")
    scene.settle()
    for archive, name in enumerate(("memory", "archive")):
        room = scene.fill("{%s}" % name)
        rooms.create(keeper, room, "keeper", [
            "enablearchiving=%d" % archive, "muc#maxhistoryfetch=%d" % KEPT])
        for n in range(SAID):
            keeper.send("<message to='%s' type='groupchat' id='%d'>"
                        "<body>%d</body></message>" % (room, n, n))
            if n % 50 == 49: # in line for the disk there is room for some
                keeper.take(lambda e: e.is_("message") and
                            e.get("id") == str(n), "the last one")
    yield scene, scene.online("guest/a")
    scene.end()
    server.stop()


def enter(past, name, history):
    """What who enters is told of what was said, as (id, chars)."""
    scene, guest = past
    room = scene.fill("{%s}" % name)
    guest.send("<presence to='%s/guest'><x xmlns='%s'>%s</x></presence>"
               % (room, rooms.MUC, history))
    guest.take(lambda e: e.is_("presence") and "110" in rooms.codes(e),
               "own presence")
    told = []
    while True:
        e = guest.take(lambda e: e.is_("message"), "history, or the subject")
        if e.child("subject") is not None:
            break
        told.append(e)
    guest.send("<presence to='%s/guest' type='unavailable'/>" % room)
    guest.take(lambda e: e.is_("presence") and
               e.get("type") == "unavailable" and
               "110" in rooms.codes(e), "that it has gone")
    for e in told:
        assert e.child("delay", "urn:xmpp:delay").get("from") == room
        assert e.child("x", rooms.USER) is None
        sid = e.child("stanza-id", "urn:xmpp:sid:0")
        assert sid is not None and sid.get("by") == room
    ids = [int(e.get("id")) for e in told]
    # the newest, oldest first, each once
    assert ids == list(range(SAID - len(ids), SAID))
    return len(ids)


@pytest.mark.parametrize("name", ["memory", "archive"])
def test_no_more_stanzas_come_than_are_asked_for(past, name):
    for n in (0, 1, 2, 19, 20, 21, 64, 65, KEPT - 1, KEPT, KEPT + 1, SAID,
              2**31 - 1):
        got = enter(past, name, "<history maxstanzas='%d'/>" % n)
        assert got == min(n, KEPT)
    assert enter(past, name, "") == KEPT


@pytest.mark.parametrize("name", ["memory", "archive"])
def test_whole_stanzas_come_up_to_so_many_characters(past, name):
    assert enter(past, name, "<history maxchars='0'/>") == 0
    assert enter(past, name, "<history maxchars='10'/>") == 0
    before = 0
    for chars in (1000, 5000, 20000):
        got = enter(past, name, "<history maxchars='%d'/>" % chars)
        # one is more than two hundred, and less than a thousand
        assert max(before, chars // 1000) <= got <= chars // 200
        before = got
    assert enter(past, name, "<history maxchars='1000000'/>") == KEPT
    assert enter(past, name,
                 "<history maxchars='1000000' maxstanzas='3'/>") == 3


@pytest.mark.parametrize("name", ["memory", "archive"])
def test_what_is_older_does_not_come(past, name):
    assert enter(past, name, "<history seconds='86400'/>") == KEPT
    assert enter(past, name, "<history since='2000-01-01T00:00:00Z'/>") == KEPT
    assert enter(past, name, "<history since='2100-01-01T00:00:00Z'/>") == 0
    assert enter(past, name, "<history since='2000-01-01T00:00:00Z' "
                 "maxstanzas='7'/>") == 7
