"""Rooms of ours with occupants elsewhere, while one of the servers goes and comes back."""

import secrets
from concurrent.futures import ThreadPoolExecutor

import pytest

import rooms
import sm
from client import Closed
from people import condition

pytestmark = pytest.mark.only("antiphon")

SERVICE = "conference.ant.example"


class Room:
    """Of ours, made by who is to be its owner; each is in it by his own name."""

    def __init__(self, owner, *fields):
        self.address = "room-%s@%s" % (secrets.token_hex(4), SERVICE)
        rooms.create(owner, self.address, owner.user, fields)

    def at(self, person):
        return "%s/%s" % (self.address, person.user)

    def enter(self, *people):
        for one in people:
            rooms.enter(one, self.address, one.user)

    def say(self, who, text):
        who.send("<message to='%s' type='groupchat' id='m%s'><body>%s</body></message>"
                 % (self.address, secrets.token_hex(4), text))

    def hear(self, who, text, frm):
        """The next that is said; the subject may come again behind a stop, for it had
        not been acknowledged."""
        got = who.take(lambda e: e.is_("message") and e.child("subject") is None,
                       "a message")
        assert got.get("from") == self.at(frm) and got.child("body").text() == text, got

    def told(self, who):
        """The presence that it has shown: of whom, its type, and codes."""
        who.ping()
        found = [e for e in who.inbox if e.is_("presence") and
                 e.get("from", "").startswith(self.address)]
        who.inbox[:] = [e for e in who.inbox if e not in found]
        return sorted((e.get("from"), e.get("type"), tuple(sorted(rooms.codes(e))))
                      for e in found)

    def gone(self, who, person):
        """What it says to who of person, who has left."""
        got = who.take(lambda e: e.is_("presence") and e.get("type") == "unavailable" and
                       e.get("from") == self.at(person), "who has gone")
        return rooms.codes(got)


def people(network, *domains):
    names = ("romeo", "juliet", "nurse", "paris")
    return [network.person(name, domain).online()
            for name, domain in zip(names, domains)]


def back(one):
    """Logged in again, after its server was away."""
    one.drop()
    one.inbox.clear()
    one.login(one.user, one.password, "net")
    one.send("<presence/>")
    one.settle()


@pytest.fixture
def romeo_and_others(network):
    """Two of ours, two of Prosody's, all in one room."""
    found = people(network, "ant.example", "pro.example", "ant.example", "pro.example")
    room = Room(found[0], "persistentroom=1")
    room.enter(*found[1:])
    for one in found:
        rooms.forget(one, room.address)
    yield room, found
    for one in found:
        one.drop()


@pytest.mark.parametrize("returns", [False, True], ids=["away", "at once"])
def test_who_was_on_a_server_that_was_killed_leaves(network, romeo_and_others, returns):
    """As soon as what is said comes back: by the server itself, which is there again
    and knows nothing of him, or since nobody answers there."""
    room, (romeo, juliet, nurse, paris) = romeo_and_others
    prosody = network.of("pro.example")
    prosody.kill9()
    if returns:
        prosody.start()
    room.say(romeo, "anybody there?")
    for one in (romeo, nurse):
        room.hear(one, "anybody there?", romeo)
    if not returns:
        network.ours.ctl("clock", "advance", "31s")
    for one in (romeo, nurse):
        assert [room.gone(one, gone) for gone in (juliet, paris)] == [{"333"}] * 2
    room.say(nurse, "nobody")
    for one in (romeo, nurse):
        room.hear(one, "nobody", nurse)
        assert room.told(one) == []
        assert [e for e in one.inbox if e.is_("message")] == []
    if not returns:
        prosody.start()
    # who believes to be there still is told better (7.2.18)
    back(juliet)
    juliet.send("<presence to='%s'/>" % room.at(juliet))
    assert room.gone(juliet, juliet) == {"110", "307", "333"}
    room.enter(juliet)
    assert room.told(romeo) == [(room.at(juliet), None, ())]
    room.say(juliet, "again")
    for one in (romeo, nurse, juliet):
        room.hear(one, "again", juliet)


def read_to_the_end(one):
    """What came is in the inbox."""
    before = one.inbox[:]
    one.inbox.clear()
    try:
        while True:
            before.append(one.next())
    except Closed:
        pass
    one.drop()
    one.inbox[:] = before


def stop(server, *clients):
    """They close their streams when the server does, as clients do."""
    with ThreadPoolExecutor(len(clients)) as pool:
        ends = [pool.submit(read_to_the_end, one) for one in clients]
        server.stop()
        for end in ends:
            end.result()


def resume(one, id_):
    one.drop()
    one.inbox.clear()
    one.secure()
    one.auth(one.user, one.password)
    one.send("<resume xmlns='%s' previd='%s' h='0'/>" % (sm.SM, id_))
    one.take(lambda e: e.is_("resumed", sm.SM), "<resumed/>")


def test_an_orderly_restart_of_ours_is_not_seen_from_elsewhere(network, romeo_and_others):
    room, (romeo, juliet, nurse, paris) = romeo_and_others
    id_ = sm.enable(romeo).get("id")
    stop(network.ours, romeo, nurse)
    assert room.gone(nurse, nurse) == {"110", "332"}
    network.ours.start()
    resume(romeo, id_)
    assert room.told(romeo) == [(room.at(nurse), "unavailable", ("332",))]
    for one in (juliet, paris):
        room.say(one, "after")
        for other in (romeo, juliet, paris):
            room.hear(other, "after", one)
    # of her who could not resume all have heard, and of nothing else
    for one in (juliet, paris):
        assert room.told(one) == [(room.at(nurse), "unavailable", ("332",))]
    assert room.told(romeo) == []


def test_who_speaks_to_a_room_that_a_kill_has_emptied_is_put_out(network, romeo_and_others):
    room, (romeo, juliet, nurse, paris) = romeo_and_others
    network.ours.kill9()
    network.ours.start()
    assert condition(juliet.iq("get", rooms.PING, room.at(juliet))) == "not-acceptable"
    room.say(juliet, "anybody there?")
    got = juliet.take(lambda e: e.is_("message"), "the error")
    assert got.get("type") == "error" and condition(got) == "not-acceptable"
    juliet.send("<presence to='%s'><show>away</show></presence>" % room.at(juliet))
    assert room.gone(juliet, juliet) == {"110", "307", "333"}
    room.enter(juliet)
    room.enter(paris)
    assert room.told(juliet) == [(room.at(paris), None, ())]
    room.say(paris, "again")
    for one in (juliet, paris):
        room.hear(one, "again", paris)
