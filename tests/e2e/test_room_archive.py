"""What was said in rooms, for those who ask (XEP-0313 §6.1.2): how much goes out at once,
what is damaged, and how long it is kept.  Who may ask is in tests/dialog."""

import re
import sqlite3

import pytest

import mam
import rooms
import scene as scenes
from antiphon import merge
from client import Client
from sm import SM, enable

pytestmark = pytest.mark.only("antiphon")

ENTRY = 256 # beside the text of each, as the options count
KIB = 1024
WALK = 3700
LOST = r"archives have lost their oldest host=conference.%s messages=(\d+)"


def rows(server, room):
    """What lies in the archive of a room, oldest first."""
    local, _, domain = room.partition("@")
    db = sqlite3.connect("file:%s?mode=ro" % server.conf["storage"]["path"],
                         uri=True)
    try:
        return db.execute("SELECT id, value FROM entries WHERE host = ? AND owner = ?"
                          " AND name = 'archive' ORDER BY number",
                          (domain, local)).fetchall()
    finally:
        db.close()


def owners(server):
    """The rooms that have an archive, by their localparts."""
    db = sqlite3.connect("file:%s?mode=ro" % server.conf["storage"]["path"],
                         uri=True)
    try:
        return [owner for owner, in db.execute(
            "SELECT DISTINCT owner FROM entries WHERE name = 'archive'")]
    finally:
        db.close()


def bytes_of(server, room):
    return sum(len(value) + ENTRY for _, value in rows(server, room))


def is_said(e):
    return e.is_("message") and e.get("type") == "groupchat" and \
        e.child("body") is not None


def say(client, room, *bodies):
    """All of it is there; no more of it waits for the disk than may."""
    once = 100 if max(map(len, bodies)) < 2000 else 1
    for at in range(0, len(bodies), once):
        part = bodies[at:at + once]
        client.send("".join("<message to='%s' type='groupchat'><body>%s</body>"
                            "</message>" % (room, body) for body in part))
        for body in part:
            got = client.take(lambda e: is_said(e) or e.get("type") == "error",
                              body[:9])
            assert got.get("type") == "groupchat", got


def said(page):
    return [m.child("body").text().rstrip("x") for m in page.messages]


class World:
    """romeo owns rooms, in which juliet is."""

    def __init__(self, server):
        self.server = server
        self.scene = scenes.Scene(server, ("romeo", "juliet"))
        self.romeo = self.scene.login("romeo/a")
        self.juliet = self.scene.login("juliet/a")

    def room(self, *fields, alone=False):
        room = rooms.new_address(self.server, "verona")
        rooms.create(self.romeo, room, "Romeo", ("persistentroom=1",) + fields)
        if not alone:
            rooms.enter(self.juliet, room, "Juliet")
        return room


@pytest.fixture(scope="module")
def world(pool):
    server = pool.new({})
    server.start()
    world = World(server)
    yield world
    world.scene.end()
    server.stop()


# --- pages --------------------------------------------------------------------------


def test_a_page_ends_at_a_mebibyte(world):
    """Though it may have more messages; the next one goes on where it ended (XEP-0059
    §2.1)."""
    room = world.room()
    say(world.romeo, room, *["%d%s" % (i, "x" * 200000) for i in range(9)])
    world.juliet.inbox.clear()
    page = mam.query(world.juliet, to=room)
    assert said(page) == ["0", "1", "2", "3", "4", "5"] and not page.complete
    page = mam.query(world.juliet, to=room, after=page.last)
    assert said(page) == ["6", "7", "8"] and page.complete
    page = mam.query(world.juliet, to=room, before="")
    assert said(page) == ["3", "4", "5", "6", "7", "8"] and not page.complete
    page = mam.query(world.juliet, to=room, before="", flip=True)
    assert said(page) == ["8", "7", "6", "5", "4", "3"] and not page.complete
    ids = [id_ for id_, _ in rows(world.server, room)]
    page = mam.query(world.juliet, to=room, fields={"ids": ids})
    assert page.ids == ids[:6] and not page.complete


def test_each_id_is_what_all_were_told(world):
    room = world.room()
    world.romeo.send("<message to='%s' type='groupchat'><body>1</body></message>" % room)
    got = world.romeo.take(is_said, "what he has said")
    told = [c.get("id") for c in got.elems() if c.is_("stanza-id", "urn:xmpp:sid:0")]
    assert mam.query(world.juliet, to=room).ids == told


def test_as_many_wait_as_may(world):
    """Of one client."""
    n, refused = 12, {8, 9, 10, 11}
    room = world.room()
    say(world.romeo, room, "1")
    world.juliet.inbox.clear()
    world.juliet.send("".join("<iq type='set' id='%d' to='%s'>%s</iq>" % (
        i, room, mam.query_xml()) for i in range(n)))
    answers = {}
    while len(answers) < n:
        got = world.juliet.take(lambda e: e.is_("iq"), "an answer")
        answers[int(got.get("id"))] = got
    assert {i for i, got in answers.items() if got.get("type") == "error"} == refused
    assert {mam.condition(answers[i]) for i in refused} == {"resource-constraint"}
    # and that is over
    assert said(mam.query(world.juliet, to=room)) == ["1"]


def test_who_sends_a_result_back_has_missed_nothing(world):
    """It is not the room's; what was said to all is, and he leaves (XEP-0045 §18.1.2).
    But what he has asked for is over."""
    room = world.room()
    say(world.romeo, room, "1")
    bounce = ("<message type='error' to='%s' id='%s'><error type='cancel'>"
              "<service-unavailable xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'/>"
              "</error></message>")
    world.juliet.inbox.clear()
    world.juliet.send("<iq type='set' id='b' to='%s'>%s</iq>" % (room, mam.query_xml()))
    got = world.juliet.take(lambda e: e.child("result", mam.MAM) is not None, "a result")
    world.juliet.take(lambda e: e.get("id") == "b", "the end of the page")
    world.juliet.send("".join("<iq type='set' id='%s' to='%s'>%s</iq>" % (
        id_, room, mam.query_xml()) for id_ in ("c", "d")) + bounce % (room, got.get("id")))
    for id_ in ("c", "d"):
        answer = world.juliet.take(lambda e: e.get("id") == id_, "an answer")
        assert mam.condition(answer) == "recipient-unavailable"
    say(world.juliet, room, "2")
    assert said(mam.query(world.juliet, "e", to=room)) == ["1", "2"]
    world.juliet.send(bounce % (room, "b"))
    gone = world.juliet.take(lambda e: e.get("type") == "unavailable", "the end")
    assert "333" in rooms.codes(gone)


# --- what lies there ------------------------------------------------------------------


DAMAGE = {
    1: ("</body>", "</bodz>"),
    2: ("<body>2", "<body>&"),
    3: ("jabber:client", "jabber:cliens"),
    4: ("<body>4", "<body>\x01"),
    5: ("<x xmlns", "<y xmlns"),
}


def test_what_is_damaged_breaks_no_stream(own_server):
    """It is left out, for who sees addresses and who does not; and the room stands."""
    server = own_server({})
    world = World(server)
    room = world.room("whois=moderators")
    say(world.romeo, room, *map(str, range(7)))
    world.scene.end()
    server.stop()
    db = sqlite3.connect(server.conf["storage"]["path"])
    for i, (pos, value) in enumerate(db.execute(
            "SELECT pos, value FROM entry JOIN log USING (place) WHERE"
            " log.name = 'archive' AND value LIKE '%groupchat%' ORDER BY pos").fetchall()):
        if i in DAMAGE:
            db.execute("UPDATE entry SET value = ? WHERE pos = ?",
                       (value.replace(*DAMAGE[i], 1), pos))
    db.commit()
    db.close()
    server.start()
    for name in ("romeo/b", "juliet/b"):
        client = world.scene.login(name)
        page = mam.query(client, to=room)
        assert page.error is None and page.complete
        assert said(page) == ["0", "6"]
        rooms.enter(client, room, name)
        client.ping()
    world.scene.end()


def test_the_log_of_a_room_that_is_destroyed_is_gone(world):
    """More than a slice of it; and a new one under the same address has none of it."""
    room = world.room()
    say(world.romeo, room, *["%d" % i for i in range(150)])
    assert len(rows(world.server, room)) == 150
    rooms.ask(world.romeo, "set", "<query xmlns='%s'><destroy/></query>" % rooms.OWNER,
              room)
    for client in (world.romeo, world.juliet):
        client.take(lambda e: e.get("type") == "unavailable" and
                    e.get("from").startswith(room), "the end")
    assert rows(world.server, room) == []
    rooms.create(world.romeo, room, "Romeo")
    assert mam.query(world.juliet, to=room).ids == []
    say(world.romeo, room, "new")
    assert said(mam.query(world.juliet, to=room)) == ["new"]


# --- how long it is kept --------------------------------------------------------------


def kept(own_server, **options):
    return World(own_server(merge({}, {"modules": {"muc": options}})))


def lost(world, start=0):
    found = world.server.process.wait_line(LOST % world.server.domain, start)
    return int(found[1])


def test_what_is_too_old_goes(own_server):
    """Of rooms that are in memory, and of others; and no more than that."""
    world = kept(own_server, archive_keep="2h")
    one, two = world.room(), world.room()
    say(world.romeo, one, *["%d" % i for i in range(100)])
    say(world.romeo, two, "a", "b")
    world.server.advance(5000)
    romeo = world.scene.login("romeo/b")
    rooms.enter(romeo, one, "Romeo")
    say(romeo, one, "young")
    world.server.advance(WALK)
    assert lost(world) == 102
    juliet = world.scene.login("juliet/b")
    assert said(mam.query(juliet, to=one)) == ["young"]
    assert mam.query(juliet, to=two).ids == []
    world.scene.end()


@pytest.mark.once
def test_owners_have_it_kept_less_long(own_server):
    """More rooms than are looked at at once.  What owners say last is in force, never
    holds for longer than the service keeps anything, and ends with the room."""
    world = kept(own_server, archive_keep="10d")
    local, _, domain = rooms.new_address(world.server, "verona").partition("@")
    all_ = ["%s-%02d@%s" % (local, i, domain) for i in range(70)]
    days = "x-muc#roomconfig_archive_days=%d"
    for i, room in enumerate(all_):
        rooms.create(world.romeo, room, "Romeo", [
            "persistentroom=1", days % (1 if i in (0, 1, 2, 36, 69) else 3650)])
    rooms.configure(world.romeo, all_[0], [days % 0])
    rooms.ask(world.romeo, "set", "<query xmlns='%s'><destroy/></query>" % rooms.OWNER,
              all_[1])
    rooms.forget(world.romeo, all_[1])
    rooms.create(world.romeo, all_[1], "Romeo", ["persistentroom=1"])
    for room in all_:
        say(world.romeo, room, "x")
    world.server.advance(86000)
    assert len(owners(world.server)) == 70

    def until(n):
        """A walk begins within the hour, and has its rests."""
        for _ in range(80):
            if len(owners(world.server)) <= n:
                break
            world.server.advance(100)
        return {int(owner[-2:]) for owner in owners(world.server)}
    assert until(67) == set(range(70)) - {2, 36, 69}
    world.server.advance(9 * 86400)
    assert len(until(60)) <= 60
    world.scene.end()


def test_the_oldest_go_where_it_is_too_much(own_server):
    """Of a room, at once; of all rooms of the host, within the next hour."""
    world = kept(own_server, archive_max_bytes="64KiB", archive_host_bytes="100KiB")
    one, two = world.room(), world.room()
    for room in (one, two):
        say(world.romeo, room, *["%d%s" % (i, "x" * 1000) for i in range(100)])
        assert 60 * KIB < bytes_of(world.server, room) <= 64 * KIB
        left = [value.partition("<body>")[2].partition("x")[0]
                for _, value in rows(world.server, room)]
        assert left == ["%d" % i for i in range(100)][-len(left):]
        world.server.advance(100)
    start = len(world.server.process.lines)
    world.server.advance(WALK)
    while sum(bytes_of(world.server, r) for r in (one, two)) > 100 * KIB:
        assert lost(world, start) > 0
        start = len(world.server.process.lines)
        world.server.advance(1)
    assert len(rows(world.server, one)) < len(rows(world.server, two))
    world.scene.end()


def test_where_nobody_searches_no_words_are_kept(own_server):
    world = kept(own_server, archive_search="no")
    room = world.room()
    say(world.romeo, room, "thorn", "rose")
    page = mam.query(world.juliet, to=room,
                     fields={"{urn:xmpp:fulltext:0}fulltext": "rose"})
    assert page.error == "feature-not-implemented"
    info = world.juliet.iq("get", "<query xmlns='http://jabber.org/protocol/disco#info'/>",
                           room)
    features = {e.get("var") for e in info.elems()[0].elems() if e.name == "feature"}
    assert "urn:xmpp:mam:2" in features and "urn:xmpp:fulltext:0" not in features
    world.scene.end()


# --- who takes it --------------------------------------------------------------------


def test_who_reads_nothing_has_a_slice_waiting(own_server):
    """However much he asks for: the next one goes out when he has taken that, and nobody
    else waits for it (XEP-0313 §4.2)."""
    world = World(own_server({"limits": {"write_queue_bytes": "64KiB"}}))
    room = world.room(alone=True) # where nobody else reads nothing
    say(world.romeo, room, *["%d%s" % (i, "x" * 100000) for i in range(70)])
    slow = world.scene.login("juliet/slow")
    # page by page, behind its last id, as if he had read the one before
    ids = [id_ for id_, _ in rows(world.server, room)]
    for i in range(7):
        slow.send("<iq type='set' id='%d' to='%s'>%s</iq>" % (
            i, room, mam.query_xml("s%d" % i, after=ids[i * 10 - 1] if i else None,
                                   max=10)))
    for _ in range(2): # all of it, which takes as long as it would for the other
        assert [id_ for i in range(7) for id_ in mam.query(
            world.romeo, to=room, after=ids[i * 10 - 1] if i else None,
            max=10).ids] == ids
    waiting = dict(re.findall(r"^(write|session)_bytes_highest +(\d+)$",
                              world.server.ctl("stats"), re.M))
    assert sum(map(int, waiting.values())) < 1 << 20 and len(waiting) == 2
    # what waits of one user has a bound in bytes, too
    for i in range(3):
        slow.send("<iq type='set' id='b%d' to='%s'>%s</iq>" % (i, room, mam.query_xml(
            "b", max=1, raw="<z xmlns='urn:z'>%s</z>" % ("y" * 140000))))
    for i in range(7):
        answer = slow.take(lambda e, i=i: e.get("id") == str(i), "the answer")
        page = mam.fin_of(mam.take_results(slow, "s%d" % i, room), answer)
        assert page.ids == ids[i * 10:i * 10 + 10]
    for i in range(1, 3):
        answer = slow.take(lambda e, i=i: e.get("id") == "b%d" % i, "the answer")
        assert mam.condition(answer) == "resource-constraint"
    mam.take_results(slow, "b", room)
    # one that goes away leaves nothing behind
    for i in range(3):
        slow.send("<iq type='set' id='x%d' to='%s'>%s</iq>" % (
            i, room, mam.query_xml("x", max=10)))
    slow.drop()
    assert len(mam.query(world.juliet, to=room, max=1).ids) == 1
    world.scene.end()


def test_a_page_outlives_its_stream(own_server):
    """XEP-0198: it waits while its session sleeps, and goes on where that is resumed."""
    server = own_server({"limits": {"write_queue_bytes": "64KiB"},
                         "modules": {"sm": {"ask_after_stanzas": "1"}}})
    world = World(server)
    room = world.room()
    say(world.romeo, room, *["%d%s" % (i, "x" * 20000) for i in range(40)])
    phone = world.scene.login("juliet/phone")
    previd = enable(phone).get("id")
    phone.send("<iq type='set' id='page' to='%s'>%s</iq>" % (
        room, mam.query_xml("q", max=40)))
    seen = []

    def hear(client):
        e = client.next("the page")
        if e.is_("r", SM):
            client.send("<a xmlns='%s' h='%d'/>" % (SM, len(seen)))
        elif not e.is_("a", SM):
            seen.append(e)
        return e
    while len(seen) < 7:
        hear(phone)
    phone.reset()
    server.process.wait_line("asleep")
    a = world.scene.accounts["juliet"]
    phone = Client(server, "phone").secure().auth(a.name, a.password)
    phone.send("<resume xmlns='%s' previd='%s' h='7'/>" % (SM, previd))
    assert phone.next("<resumed/>").is_("resumed", SM)
    while seen[-1].get("id") != "page":
        hear(phone)
    assert seen[-1].child("fin", mam.MAM).get("complete") == "true"
    assert [e.child("result", mam.MAM).get("id") for e in seen[:-1]] == [
        id_ for id_, _ in rows(server, room)]
    world.scene.end()
