"""Clients that take less than they are sent: whatever is within the limits
arrives, whoever makes no progress is cut off, and what he did not take is found
again (limits: write_queue_bytes and those beside it)."""

import json
import socket
import threading

import pytest

import scene as scenes
from antiphon import DOMAIN

pytestmark = pytest.mark.only("antiphon")

BODY = "x" * 50000
DEFAULTS = {"bytes_per_second": "64KiB", "bytes_burst": "512KiB",
            "stanzas_per_second": "100", "stanzas_burst": "500"}


def message(to, i, body=BODY, kind="chat"):
    return ("<message to='%s' type='%s' id='%d'><body>%s</body></message>"
            % (to, kind, i, body))


def worst(to, size):
    """A message of that size in bytes that are six times as long when they are
    written."""
    head = "<message to='%s' type='chat' id='0'><x xmlns='urn:x'>" % to
    tail = "</x></message>"
    room = size - len(head) - len(tail)
    # in pieces: readers that begin a long attribute again with each piece of
    # the network take very long
    piece = "<y a='%s'/>" % ('"' * 2000)
    return head + piece * (room // len(piece)) + tail


def ids(elements):
    return [int(e.get("id")) for e in elements if e.is_("message")]


def small(client):
    """As little as possible waits in its system."""
    client.sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    return client


def session_bytes(server):
    rows = [json.loads(line) for line in
            server.ctl("--json", "stats").splitlines()]
    return next(r["value"] for r in rows if r["name"] == "session_bytes")


def stuff(scene, sender, to, much=1100000):
    """Sends until more waits in the server than the bound; how many.  Each is
    there before the next is sent, since the sender is slowed then."""
    n = 0
    while session_bytes(scene.server) < much:
        sender.send(message(to, n))
        n += 1
        sender.ping()
    return n


@pytest.fixture
def two(own_server):
    # as fast as clients can, not as the disk
    server = own_server({"modules": {"offline": {"max_bytes": "64MiB"},
                                     "archive": "no"}})
    scene = scenes.Scene(server, ("romeo", "juliet"))
    scene.subscribe("romeo", "juliet")
    scene.online("romeo/r")
    yield scene
    scene.end()


# --- whatever is within the limits arrives --------------------------------------


@pytest.mark.parametrize("online", (True, False))
def test_the_largest_stanza_of_the_worst_bytes_arrives(own_server, online):
    server = own_server({"limits": DEFAULTS})
    scene = scenes.Scene(server, ("romeo", "juliet"))
    romeo = scene.online("romeo/r")
    size = 256 * 1024
    if online:
        scene.online("juliet/j")
    romeo.send(worst(scene.binds["juliet"], size))
    romeo.ping()
    if not online:
        scene.online("juliet/j")
    juliet = scene["juliet/j"]
    got = juliet.take(lambda e: e.is_("message"), "the message")
    assert sum(len(y.get("a")) for y in got.child("x", "urn:x").elems()) > \
        size - 4096
    juliet.ping()
    scene.end()


def test_the_largest_roster_can_be_fetched(own_server):
    """limits: roster_items, roster_bytes, here with the worst bytes."""
    server = own_server({"limits": {"roster_bytes": "16MiB"}})
    scene = scenes.Scene(server, ("romeo",))
    romeo = scene.login("romeo/r")
    for i in range(300):
        romeo.send("<iq type='set' id='s%d'><query xmlns='jabber:iq:roster'>"
                   "<item jid='c%d@%s' name='%s'/></query></iq>"
                   % (i, i, DOMAIN, "&quot;" * 1023))
    for i in range(300):
        got = romeo.take(lambda e: e.get("id") == "s%d" % i, "a result")
        assert got.get("type") == "result"
    for _ in range(2):
        assert len(romeo.roster()) == 300
        romeo.close()
        romeo = scene.login("romeo/r")
    scene.end()


def test_presences_that_come_together_at_a_login_arrive(own_server):
    server = own_server({"shards": 1})
    names = ["c%d" % i for i in range(8)]
    scene = scenes.Scene(server, ["romeo"] + names)
    for name in names:
        scene.subscribe("romeo", name)
        c = scene.online(name + "/r", settle=False)
        c.send("<presence><status>%s</status></presence>" % ("x" * 200000))
        c.ping()
    romeo = scene.login("romeo/r")
    romeo.send("<presence/>")
    for name in names:
        romeo.take(lambda e: e.is_("presence") and e.child("status") and
                   e.get("from").startswith(scene.binds[name]), name)
    romeo.ping()
    scene.end()


def test_who_reads_slowly_is_not_hurt_by_who_sends_fast(two):
    """A sender without a bound, and a reader of what has come in the meantime:
    all arrives, and the sender has waited."""
    juliet = two.online("juliet/j")
    romeo, n = two["romeo/r"], 400

    def send():
        for i in range(n):
            romeo.send(message(two.full("juliet", "j"), i))
    sender = threading.Thread(target=send)
    sender.start()
    got = []
    while len(got) < n:
        got += ids([juliet.next("a message")])
    sender.join()
    assert got == list(range(n))
    romeo.ping()
    juliet.quiet()


def test_two_that_flood_each_other_and_do_not_read(two):
    """Neither waits for the other for ever: who has sent all reads, and not before.
    One of them is slowed meanwhile, as long as the other takes nothing."""
    juliet, romeo = two.online("juliet/j"), two["romeo/r"]
    to = {romeo: two.full("juliet", "j"), juliet: two.full("romeo", "r")}
    n, got = 200, {romeo: [], juliet: []}

    def talk(client):
        for i in range(n):
            client.send(message(to[client], i))
        while len(got[client]) < n:
            got[client] += ids([client.next("a message")])
    both = [threading.Thread(target=talk, args=(c,)) for c in to]
    for t in both:
        t.start()
    for t in both:
        t.join()
    assert list(got.values()) == [list(range(n))] * 2


# --- who makes no progress -------------------------------------------------------


def found_again(scene, n):
    """Numbers of the messages that juliet gets when she comes back."""
    juliet = scene.online("juliet/k", settle=False)
    got = [juliet.take(lambda e: e.is_("message"), "the first")]
    while got[-1].get("id") != str(n - 1):
        got.append(juliet.take(lambda e: e.is_("message"), "the next"))
    juliet.ping()
    assert not [e for e in juliet.inbox if e.is_("message")]
    assert all(e.child("delay", "urn:xmpp:delay") for e in got)
    return ids(got)


@pytest.mark.parametrize("to", ("full", "bare"))
@pytest.mark.parametrize("end", ("reset", "minute"))
def test_what_was_not_taken_is_kept(two, to, end):
    """In its order, and each once."""
    juliet, romeo = small(two.online("juliet/j")), two["romeo/r"]
    jid = two.full("juliet", "j") if to == "full" else two.binds["juliet"]
    n = stuff(two, romeo, jid)
    if end == "reset":
        juliet.reset()
    else:
        two.server.advance(61)
    romeo.take(lambda e: e.get("type") == "unavailable", "unavailable")
    juliet.drop()
    romeo.iq("set", scenes.BARRIER)
    got = found_again(two, n)
    assert len(got) >= 20
    assert got == list(range(n - len(got), n))
    assert not ids(romeo.inbox)


def test_it_is_told_once_when_a_message_came(two):
    """Though two sessions did not take it, one after the other."""
    romeo = two["romeo/r"]
    one, other = (small(two.online("juliet/" + r)) for r in "ij")
    stuff(two, romeo, two.full("juliet", "i"), 500000)
    stuff(two, romeo, two.full("juliet", "j"), 1000000)
    for c in one, other:
        c.reset()
        romeo.take(lambda e: e.get("type") == "unavailable", "unavailable")
        c.drop()
    romeo.iq("set", scenes.BARRIER)
    juliet = two.online("juliet/k", settle=False)
    romeo.send(message(two.full("juliet", "k"), 999))
    kept = []
    while not kept or kept[-1].get("id") != "999":
        kept += [e for e in [juliet.next("a message")] if e.is_("message")]
    assert len(kept) > 10
    assert all(len([x for x in e.elems() if x.is_("delay", "urn:xmpp:delay")])
               == 1 for e in kept[:-1])


def test_a_byte_now_and_then_is_no_progress(two):
    juliet, romeo = small(two.online("juliet/j")), two["romeo/r"]
    stuff(two, romeo, two.full("juliet", "j"))
    for _ in range(3):
        juliet.sock.recv(1)
        two.server.advance(30)
    romeo.take(lambda e: e.get("type") == "unavailable", "unavailable")


def test_kept_messages_wait_for_a_slow_reader(two):
    """XEP-0160: all of them, without polling and without an end of patience."""
    romeo, n = two["romeo/r"], 400
    for i in range(n):
        romeo.send(message(two.binds["juliet"], i))
    romeo.iq("set", scenes.BARRIER)
    juliet = two.login("juliet/j")
    juliet.send("<presence/>")
    juliet.take(lambda e: e.is_("message") and e.get("id") == "0", "one")
    two.server.advance(30)
    two.server.advance(20)
    got = [0]
    while len(got) < n:
        e = juliet.next("a kept message")
        if e.is_("message"):
            got.append(int(e.get("id")))
    assert got == list(range(n))
    juliet.close()
    again = two.online("juliet/k")
    assert not ids(again.inbox)


ROSTER = "<query xmlns='jabber:iq:roster'/>"


@pytest.mark.parametrize("there", [False, True], ids=["comes", "is_there"])
def test_who_does_not_read_what_was_kept_holds_up_no_other_session(two,
                                                                   there):
    """Nor does anything get lost, or come twice."""
    romeo, n = two["romeo/r"], 400
    for i in range(n):
        romeo.send(message(two.binds["juliet"], i))
    romeo.iq("set", scenes.BARRIER)
    other = two.login("juliet/k") if there else None
    juliet = small(two.login("juliet/j"))
    juliet.send("<presence/>")
    first = juliet.take(lambda e: e.is_("message"), "one")
    assert first.get("id") == "0"
    other = other or two.login("juliet/k")
    assert other.iq("get", ROSTER).get("type") == "result"
    other.send("<presence/>")
    romeo.send(message(two.full("juliet", "k"), n))
    got = []
    while not got or got[-1] != n:
        e = other.next("the live message, at last")
        got += ids([e])
    juliet.reset()
    juliet.drop()
    while n - 1 not in got:
        got += ids([other.next("what was kept")])
    other.ping()
    got += ids(other.inbox)
    assert sorted(got) == list(range(min(got), n + 1))


def test_who_asks_is_not_held_up_by_one_who_reads_slowly(two):
    """While kept messages wait for him: neither what is asked of his account, nor
    what is asked of others."""
    romeo = two["romeo/r"]
    for i in range(400):
        romeo.send(message(two.binds["juliet"], i))
    romeo.iq("set", scenes.BARRIER)
    juliet = two.login("juliet/j")
    juliet.send("<presence/>")
    juliet.take(lambda e: e.is_("message") and e.get("id") == "0", "one")
    romeo.send("<iq type='get' id='card' to='%s'><vCard xmlns='vcard-temp'/>"
               "</iq>" % two.binds["juliet"])
    romeo.iq("get", "<query xmlns='http://jabber.org/protocol/disco#info'/>",
             to=DOMAIN)
    assert [e for e in romeo.inbox if e.get("id") == "card"]


# --- the end ----------------------------------------------------------------------


def test_a_flooded_room_does_not_keep_the_server_from_its_end(own_server):
    """Minutes of what it would still have to say, to accounts that are not
    there, are let go."""
    server = own_server({"modules": {"testroom": {}}, "shards": 2})
    scene = scenes.Scene(server, ("romeo",))
    do = ("<message to='r@room.%s'><do xmlns='urn:antiphon:test:room' "
          "kind='groupchat' %%s/></message>" % DOMAIN)
    floods = [scene.login("romeo/r%d" % i) for i in range(20)]
    floods[0].send("".join(do % ("what='join' to='o%d@%s/x'" % (i, DOMAIN))
                           for i in range(5000)))
    floods[0].ping()
    for client in floods:
        client.send(do % "what='say'" * 200)
    while json.loads(next(line for line in server.ctl("--json", "stats")
                          .splitlines() if '"fanouts"' in line))["value"] < 2000:
        pass
    server.stop()
