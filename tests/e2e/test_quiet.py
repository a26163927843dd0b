"""Client state (XEP-0352) over TLS, with stream management (XEP-0198), beyond what
dialogs say: what is held, how much of it may be, and when it goes out."""

import json

import pytest

import rooms
import scene as scenes
from sm import ask, enable

pytestmark = pytest.mark.only("antiphon")

CSI = "<%s xmlns='urn:xmpp:csi:0'/>"
COMPOSING = "<composing xmlns='http://jabber.org/protocol/chatstates'/>"
EVENT = "<event xmlns='http://jabber.org/protocol/pubsub#event'>%s</event>"
STATUS = ("<x xmlns='http://jabber.org/protocol/muc#user'>"
          "<status code='110'/></x>")
# as src/account/session_quiet.h has them
QUIET_STANZAS = 1024
QUIET_BYTES = 256 << 10


def held(server, client):
    row, = [r for r in map(json.loads, server.ctl(
        "--json", "sessions", client.jid.partition("/")[0]).splitlines())
        if r["jid"] == client.jid]
    return row["held"], row["held_bytes"]


def inactive(client):
    """An <a/> is answered in order, and wakes nobody."""
    client.send(CSI % "inactive")
    ask(client)


@pytest.fixture
def phone(scene):
    """romeo's phone; juliet's two devices, whom it sees; and his desk, which shows
    what has come."""
    scene.add_accounts("romeo", "juliet")
    scene.befriend("romeo", "juliet")
    romeo = scene.online("romeo/phone")
    scene.online("romeo/desk")
    scene.online("juliet/a")
    scene.online("juliet/b")
    scene.settle()
    enable(romeo)
    inactive(romeo)
    return scene


def come(phone):
    """What juliet has said until now has come for romeo: the desk has it."""
    for name in ("juliet/a", "juliet/b"):
        phone.mark(phone[name], phone["romeo/desk"])


def summary(client):
    """What came, in order: of presence who and show."""
    out = []
    for e in client.inbox:
        if e.is_("presence") and e.get("type") is None:
            out.append(e.get("from").partition("/")[2] + " " + "".join(
                c.text() for c in e.elems() if c.name == "show"))
        elif e.name in ("presence", "message", "iq"):
            out.append(e.get("id") or e.get("type"))
    return out


def test_all_that_comes_in_a_day(phone):
    server, romeo = phone.server, phone["romeo/phone"]
    a, b = phone["juliet/a"], phone["juliet/b"]
    bare = phone.binds["romeo"]

    for show in ("away", "xa", "dnd"):
        a.send("<presence><show>%s</show></presence>" % show)
        b.send("<presence><show>%s</show></presence>" % show)
        a.send("<message to='%s' type='chat'>%s</message>" % (bare, COMPOSING))
    b.send("<message to='%s' id='e1' type='headline'>%s</message>"
           % (bare, EVENT % "1"))
    come(phone)
    n, n_bytes = held(server, romeo)
    assert n == 3
    assert 300 < n_bytes < 5000
    # what it asks is answered, and so is whether it was heard
    assert ask(romeo) == 0 and not romeo.inbox
    a.send("<presence><show>away</show></presence>")
    a.send("<message to='%s' id='m1' type='chat'><body>1</body></message>" % bare)
    romeo.take(lambda e: e.get("id") == "m1", "the message")
    assert summary(romeo) == ["b dnd", "e1", "a away"]
    romeo.inbox.clear()
    assert held(server, romeo) == (0, 0)
    # what a room says, and who asks for something
    for what, id_ in (("<presence id='p1'>%s</presence>" % STATUS, "p1"),
                      ("<message to='%s' id='m2' type='error'>%s</message>"
                       % (romeo.jid, COMPOSING), "m2")):
        b.send("<presence><show>chat</show></presence>")
        b.send(what)
        romeo.take(lambda e, id_=id_: e.get("id") == id_, what)
        assert summary(romeo) == ["b chat"]
        romeo.inbox.clear()
    # an iq, and its answer
    b.send("<presence><show>away</show></presence>")
    come(phone)
    assert held(server, romeo)[0] == 1
    romeo.iq("get", "<query xmlns='jabber:iq:roster'/>")
    assert summary(romeo)[0] == "b away" and held(server, romeo) == (0, 0)


@pytest.mark.parametrize("more", (0, 20 << 10))
def test_no_more_is_held_than_may_be(phone, more):
    """At the bound nothing goes out, and all of it with one more."""
    server, romeo = phone.server, phone["romeo/phone"]
    a = phone["juliet/a"]

    def event(i):
        a.send("<message to='%s' id='e%04d' type='headline'>%s</message>"
               % (romeo.jid, i, EVENT % ("x" * more)))

    event(0)
    come(phone)
    n, n_bytes = held(server, romeo)
    assert n == 1 and more < n_bytes < more + 1000
    most = min(QUIET_STANZAS, QUIET_BYTES // n_bytes)
    for i in range(1, most):
        event(i)
    come(phone)
    assert held(server, romeo) == (most, most * n_bytes)
    assert ask(romeo) == 0 and not romeo.inbox
    event(most)
    romeo.take(lambda e: e.get("id") == "e%04d" % most, "the last")
    assert [e.get("id") for e in romeo.inbox if e.name == "message"] == [
        "e%04d" % i for i in range(most)]
    assert held(server, romeo) == (0, 0)


def said(client):
    return [e.child("body").text() for e in client.inbox
            if e.is_("message") and e.child("body") is not None]


@pytest.mark.parametrize("archive", (0, 1))
def test_what_is_said_in_a_room_waits_for_what_names_the_client(phone, archive):
    server, romeo, desk = phone.server, phone["romeo/phone"], phone["romeo/desk"]
    juliet = phone["juliet/a"]
    phone.add_rooms("hall")
    hall = phone.fill("{hall}")
    rooms.create(juliet, hall, "juliet", ["enablearchiving=%d" % archive])
    enable(juliet)
    rooms.enter(romeo, hall, "romeo")
    inactive(romeo)
    romeo.inbox.clear()

    def say(*texts, client=juliet, to=hall):
        for text in texts:
            client.send("<message to='%s' type='groupchat'><body>%s</body></message>"
                        % (to, text))

    def heard(last):
        """All that juliet has heard."""
        juliet.take(lambda e: e.child("body") is not None and
                    e.child("body").text() == last, last)
        phone.mark(juliet, desk)

    say("1", "2", "romeos are many")
    heard("romeos are many")
    assert held(server, romeo)[0] == 3 and not said(romeo)
    # who has said it does not wait for who does not look
    assert ask(juliet) == 4  # and the mark of the desk
    say("Romeo, come")
    romeo.take(lambda e: e.child("body") is not None and
               e.child("body").text() == "Romeo, come", "what names him")
    assert said(romeo) == ["1", "2", "romeos are many"]
    assert held(server, romeo) == (0, 0)
    # his own comes back, and what was said before
    romeo.inbox.clear()
    say("5")
    heard("5")
    say("6", client=romeo)
    romeo.take(lambda e: e.get("from") == hall + "/romeo", "his own")
    assert said(romeo) == ["5"]
    # under another name he is not meant by the old one
    romeo.send("<presence to='%s/montague'/>" % hall)
    romeo.take(lambda e: e.is_("presence") and "110" in rooms.codes(e) and
               e.get("type") is None, "his new name")
    romeo.inbox.clear()
    say("romeo?", "7")
    heard("7")
    assert held(server, romeo)[0] == 2
    say("montague!")
    romeo.take(lambda e: e.child("body") is not None and
               e.child("body").text() == "montague!", "his name")
    assert said(romeo) == ["romeo?", "7"]
    # one that comes in while nobody looks is in when it has heard the subject
    say("8")
    heard("8")
    romeo.inbox.clear()
    rooms.enter(romeo, hall, "montague")
    assert held(server, romeo) == (0, 0)
    say("9")
    heard("9")
    assert held(server, romeo)[0] == 1
    romeo.send(CSI % "active")
    romeo.take(lambda e: e.child("body") is not None and
               e.child("body").text() == "9", "the rest")


def test_a_reload_without_the_module_gives_what_is_held(own_server):
    server = own_server()
    scene = scenes.Scene(server, ("romeo", "juliet"))
    romeo, juliet = scene.online("romeo/phone"), scene.online("juliet/j")
    asleep, desk = scene.online("romeo/asleep"), scene.online("romeo/desk")
    scene.settle()
    for c in (romeo, asleep):
        enable(c)
        inactive(c)

    def show(to, id_):
        juliet.send("<presence to='%s' id='%s'/>" % (to.jid, id_))

    for id_ in "abc":
        show(romeo, id_)
        show(asleep, id_)
    asleep.reset()
    server.process.wait_line("asleep")
    scene.mark(juliet, desk)
    assert held(server, romeo)[0] == held(server, asleep)[0] == 1
    server.conf["modules"]["csi"] = "off"
    server.write_conf()
    server.ctl("reload")
    assert romeo.next("what was held").get("id") == "c"
    assert held(server, romeo) == (0, 0)
    show(romeo, "d")
    assert romeo.next("what came then").get("id") == "d"
    # who sleeps is quiet without it
    show(asleep, "d")
    scene.mark(juliet, desk)
    assert held(server, asleep)[0] == 1
    # and when the module comes again
    server.conf["modules"]["csi"] = "on"
    server.write_conf()
    server.ctl("reload")
    inactive(romeo)
    show(romeo, "f")
    show(romeo, "g")
    scene.mark(juliet, desk)
    romeo.send(CSI % "active")
    assert romeo.next("the last").get("id") == "g"
    scene.end()
