"""Rooms over a restart (XEP-0045 §11.2): sessions are resumed, and nobody is told anything
twice, or not at all; who cannot resume is told 332."""

import time
from concurrent.futures import ThreadPoolExecutor

import pytest

import rooms
import scene as scenes
from client import Client, Closed
from options import once
from sm import SM, enable

pytestmark = pytest.mark.only("antiphon")

CONF = {"modules": {"sm": {"ask_after": "10m", "ask_after_stanzas": 1000},
                    "muc": {"join_rate": 0, "message_rate": 0}}}
STANZAS = ("message", "presence", "iq")


class User:
    def __init__(self, scene, number):
        self.scene, self.number = scene, number
        self.account = scene.accounts["u%d" % number]
        self.c = scene.login("u%d/a" % number)
        self.heard, self.sent, self.previd = [], [], None

    def take(self, e):
        if e.name in STANZAS:
            self.heard.append(e)

    def say(self, room, text):
        self.sent.append("<message to='%s' type='groupchat'><body>%s</body>"
                         "</message>" % (room, text))
        self.c.send(self.sent[-1])

    def read_to_the_end(self):
        try:
            while True:
                self.take(self.c.next())
        except Closed:
            pass
        self.c.drop()

    def resume(self):
        """What the server has not got of what was said is said again."""
        self.c = Client(self.scene.server, "u%d" % self.number)
        self.c.secure().auth(self.account.name, self.account.password)
        self.c.send("<resume xmlns='%s' previd='%s' h='%d'/>"
                    % (SM, self.previd, len(self.heard)))
        got = self.c.next("<resumed/>")
        assert got.is_("resumed", SM), str(got)
        for text in self.sent[int(got.get("h")):]:
            self.c.send(text)

    def read_all(self, all_rooms, text):
        """Up to what was said last, in each."""
        while sum(self.said_in(room)[-1:] == [text] for room in all_rooms) \
                != len(all_rooms):
            self.take(self.c.next(text))
        self.c.ping()
        for e in self.c.inbox:
            self.take(e)
        self.c.inbox.clear()

    def said_in(self, room):
        return [e.child("body").text() for e in self.heard
                if e.is_("message") and e.get("from").startswith(room + "/")]


def codes_of(presence):
    return sorted(rooms.codes(presence))


# users and rooms: all are in each
@pytest.mark.parametrize("size", ((5, 3), once((40, 50))))
def test_nobody_misses_anything(own_server, size):
    n_users, n_rooms = size
    server = own_server(CONF)
    scene = scenes.Scene(server, ["u%d" % i for i in range(n_users)])
    users = [User(scene, i) for i in range(n_users)]
    all_rooms = [rooms.new_address(server, "r%d" % i)
                 for i in range(n_rooms)]
    for room in all_rooms:
        rooms.create(users[0].c, room, "n0")
        for user in users[1:]:
            rooms.enter(user.c, room, "n%d" % user.number)
    for user in users:
        user.c.ping()
        user.c.inbox.clear()
    stay, goes = users[:-1], users[-1]
    for user in stay:
        user.previd = enable(user.c).get("id")
    for room in all_rooms:
        users[0].say(room, "before")

    began = time.monotonic()
    with ThreadPoolExecutor(1) as pool: # it waits for those who do not read
        stopping = pool.submit(server.stop)
        for user in users:
            user.read_to_the_end()
        stopping.result()
    stopped = time.monotonic()
    gone = [e for e in goes.heard if e.is_("presence")]
    assert sorted(e.get("from") for e in gone) == sorted(
        room + "/n%d" % goes.number for room in all_rooms)
    assert all(codes_of(e) == ["110", "332"] for e in gone)

    started = time.monotonic()
    server.start()
    for user in stay:
        user.resume()
    resumed = time.monotonic()
    for room in all_rooms:
        users[0].say(room, "after")
    for user in stay:
        user.read_all(all_rooms, "after")
    print("%d occupants in %d rooms: stopped in %.2f s, up and resumed in "
          "%.2f s" % (n_users * n_rooms, n_rooms, stopped - began,
                      resumed - started))
    for user in stay:
        for room in all_rooms:
            assert user.said_in(room) == ["before", "after"], (user.number,
                                                               room)
        seen = [e for e in user.heard if e.is_("presence")]
        assert sorted(e.get("from") for e in seen) == sorted(
            e.get("from") for e in gone)
        assert all(codes_of(e) == ["332"] and e.get("type") == "unavailable"
                   for e in seen)
        user.c.close()
    server.check()


INFO = "<query xmlns='http://jabber.org/protocol/disco#info'/>"


@pytest.mark.parametrize("end", ("stop", "kill9"))
def test_a_temporary_room_waits_for_who_was_in_it(own_server, end):
    """It is as it was, and its owner's, though a guest comes first; after an hour it ends
    when somebody speaks to it, for nobody has come."""
    server = own_server(CONF)
    scene = scenes.Scene(server, ["owner", "guest"])
    owner, guest = (scene.login(name + "/a") for name in ("owner", "guest"))
    all_rooms = [rooms.new_address(server, name) for name in ("returns", "forgotten")]
    for room in all_rooms:
        rooms.create(owner, room, "Owner", ["roomname=Balcony"])
        rooms.enter(guest, room, "Guest")
    with ThreadPoolExecutor(1) as pool: # it waits for those who do not read
        ending = pool.submit(getattr(server, end))
        for one in (owner, guest):
            one.wait_end()
        ending.result()
    server.start()
    owner, guest = (scene.login(name + "/b") for name in ("owner", "guest"))
    room, forgotten = all_rooms
    # as clients do before they join
    got = guest.iq("get", INFO, room)
    assert got.find("query", "identity").get("name") == "Balcony", str(got)
    guest.send("<presence to='%s/Guest'><x xmlns='%s'/></presence>" % (room, rooms.MUC))
    got = guest.take(lambda e: e.is_("presence"), "her own presence")
    item = got.child("x", rooms.USER).child("item")
    assert "201" not in rooms.codes(got) and item.get("affiliation") == "none", str(got)
    rooms.enter(owner, room, "Owner")
    rooms.configure(owner, room, ["roomname=Garden"])
    server.ctl("clock", "advance", "61m")
    got = guest.iq("get", INFO, forgotten)
    assert got.find("error", "item-not-found") is not None, str(got)
    assert guest.iq("get", INFO, room).get("type") == "result"
    server.check()
