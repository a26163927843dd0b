"""Rooms on several shards, each with a thread of its own, and clients that do things in
them at random and at once: whatever the order, they see the same in the end.

tests/sim/sim_rooms.c has far more of that, in one thread; here it is for the thread
sanitizer (tests/check.sh) and what only threads do.
"""

import random
import time

import pytest

import rooms
import scene as scenes
from client import PATIENCE

pytestmark = pytest.mark.only("antiphon")

CLIENTS, ROOMS, ROUNDS = 16, 4, 12
NICKS = ["ann", "Ann", "bob", "BOB", "cid", "dee", "eve", "fay", "gus", "hal"]
NO_RATES = {"message_rate": 0, "join_rate": 0, "presence_rate": 0, "nick_rate": 0}


@pytest.fixture(scope="module", name="sharded")
def sharded_fixture(pool):
    server = pool.new({"shards": 4, "modules": {"muc": NO_RATES}}).start()
    yield server
    server.stop()


@pytest.fixture(name="scene")
def scene_fixture(sharded):
    scene = scenes.Scene(sharded)
    yield scene
    scene.end()
    sharded.check()


class Guest:
    """A client, what it believes of each room, and what it heard there."""

    def __init__(self, client):
        self.client = client
        self.nick, self.sees, self.heard = {}, {}, {}

    def read(self):
        for e in self.client.inbox:
            self.take(e)
        self.client.inbox[:] = []

    def take(self, e):
        room, _, nick = e.get("from", "").partition("/")
        kind = e.get("type")
        if e.is_("presence") and nick and kind != "error":
            own = "110" in rooms.codes(e)
            if kind is None:
                self.sees.setdefault(room, set()).add(nick)
                if own:
                    self.nick[room] = nick
                    self.heard.setdefault(room, [])
            elif own and "303" not in rooms.codes(e):
                self.forget(room)
            else:
                self.sees.get(room, set()).discard(nick)
        elif e.is_("message") and kind == "groupchat" and e.child("body") is not None:
            assert room in self.nick, "%s hears %s outside" % (self.client.name, e)
            self.heard[room].append(e.child("body").text())

    def forget(self, room):
        for what in self.nick, self.sees, self.heard:
            what.pop(room, None)

    def act(self, dice, room, number):
        nick, send = self.nick.get(room), self.client.send
        if nick is None:
            send("<presence to='%s/%s'><x xmlns='%s'/></presence>"
                 % (room, dice.choice(NICKS), rooms.MUC))
            return
        what = dice.randrange(10)
        if what == 0:
            send("<presence to='%s/%s' type='unavailable'/>" % (room, nick))
        elif what == 1:
            send("<presence to='%s/%s'/>" % (room, dice.choice(NICKS)))
        elif what == 2:
            whom = dice.choice(sorted(self.sees[room]))
            send("<iq to='%s' type='set' id='k'><query xmlns='%s'><item nick='%s' "
                 "role='none'/></query></iq>" % (room, rooms.ADMIN, whom))
        elif what == 3:
            send("<message to='%s' type='groupchat'><subject>s%d</subject></message>"
                 % (room, number))
        else:
            send("<message to='%s' type='groupchat'><body>m%d</body></message>"
                 % (room, number))


def inside(guests, room):
    return [g for g in guests if room in g.nick]


def agree(guests, room, last):
    """All who are in the room have heard the last, and see each other, and nobody else."""
    here = inside(guests, room)
    names = {g.nick[room] for g in here} | {"keeper"}
    return all(g.sees[room] == names and g.heard[room][-1:] == [last] for g in here)


def settle(keeper, guests, all_rooms, last):
    """All that anybody has said is dealt with: what keeper says now is behind it."""
    for guest in guests:
        for room in all_rooms:
            guest.client.iq("get", rooms.PING, room)
    for room in all_rooms:
        keeper.send("<message to='%s' type='groupchat'><body>%s</body></message>"
                    % (room, last))
    end = time.monotonic() + PATIENCE
    while True:
        for guest in guests:
            guest.client.iq("get", rooms.PING, all_rooms[0])
            guest.read()
        if all(agree(guests, room, last) for room in all_rooms):
            return
        assert time.monotonic() < end, [
            (g.client.name, g.nick[r], g.sees[r], g.heard[r][-3:])
            for r in all_rooms for g in inside(guests, r)]


def check_order(guests, room):
    """What follows what is the same for all who heard both."""
    follows = {}
    for guest in guests:
        heard = guest.heard.get(room, [])
        assert len(set(heard)) == len(heard)
        for one, other in zip(heard, heard[1:]):
            assert follows.setdefault(one, other) == other


def test_clients_of_rooms_on_four_shards_see_the_same(scene):
    dice = random.Random(16)
    names = ["user%d/a" % i for i in range(CLIENTS)]
    scene.add_accounts("keeper", *[n.partition("/")[0] for n in names])
    scene.add_rooms(*["room%d" % i for i in range(ROOMS)])
    all_rooms = [scene.fill("{room%d}" % i) for i in range(ROOMS)]
    keeper = scene.online("keeper/a")
    guests = [Guest(scene.online(n)) for n in names]
    scene.settle()
    for room in all_rooms:
        rooms.create(keeper, room, "keeper", ["persistentroom=1"])
        for name in names[:4]: # who may kick
            rooms.admin(keeper, room, jid=scene.fill("{%s}" % name.partition("/")[0]),
                        affiliation="admin")
    number = 0
    for _ in range(ROUNDS):
        for guest in guests:
            for _ in range(3):
                number += 1
                guest.act(dice, dice.choice(all_rooms), number)
        number += 1
        settle(keeper, guests, all_rooms, "m%d" % number)
        keeper.inbox[:] = []
        for room in all_rooms:
            check_order(inside(guests, room), room)
    assert any(len(g.heard.get(r, [])) > 5 for g in guests for r in all_rooms)
