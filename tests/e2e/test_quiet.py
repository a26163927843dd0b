"""Client state (XEP-0352) over TLS, with stream management (XEP-0198), beyond what
dialogs say: what is held, how much of it may be, and when it goes out."""

import json

import pytest

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
