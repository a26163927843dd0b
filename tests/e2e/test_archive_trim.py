"""An archive that is too large loses its oldest, and what waits for who is away goes
on waiting: nothing that was acknowledged is lost (XEP-0313 §3.2, XEP-0160)."""

import pytest

import scene as scenes
from antiphon import merge
from test_archive import ENTRY, archive
from test_offline_sm import ROOM, Phone, Sender

pytestmark = pytest.mark.only("antiphon")

MOST = 65536


@pytest.fixture
def scene(own_server):
    server = own_server(merge(ROOM, {"modules": {
        "archive": {"max_bytes": "64KiB"}}}))
    scene = scenes.Scene(server, ("romeo", "juliet", "nurse"))
    scene.befriend("romeo", "juliet")
    yield scene
    scene.end()
    assert " left out " not in server.process.tail()


def size_of(rows):
    return sum(len(row[2]) + ENTRY for row in rows)


def held(scene, who="juliet"):
    return archive(scene.server, scene.accounts[who].jid)


def ids(first, n):
    return ["%d" % i for i in range(first, first + n)]


@pytest.mark.parametrize("again", ("", "stop", "kill"))
@pytest.mark.parametrize("size", (1, 1000))
def test_who_is_away_gets_all(scene, size, again):
    """However many there are, below what fits and at it; and then they go."""
    at = 0
    for n in 0, 1, 2, 40, 41, 42, 43, 300:
        sender = Sender(scene)
        sender.say(*ids(at, n), size=size)
        sender.client.close()
        if again:
            scene.end()
            (scene.server.restart if again == "stop" else
             scene.server.kill9)()
            if again == "kill":
                scene.server.start()
        phone = Phone(scene)
        phone.come_for_all_to_see()
        phone.no_more_but(ids(at, n))
        phone.ack()
        phone.no_more()
        phone.client.close()
        at += n + 1
        sender = Sender(scene)
        last = ["last%d-%d" % (n, i) for i in range(3)]
        sender.say(*last, size=1000)
        sender.client.close()
        phone = Phone(scene, "juliet/p%d" % n)
        phone.come_for_all_to_see()
        phone.no_more_but(last)
        phone.ack()
        phone.no_more()
        phone.client.close()
        assert size_of(held(scene)) <= MOST


def test_what_waits_goes_on_waiting_elsewhere(scene):
    """Its archive loses it as all else, and who comes gets it once, with the time at
    which it came, which is all that has gone with it."""
    sender = Sender(scene)
    sender.say(*ids(0, 10), size=1000)
    juliet = scene.login("juliet/no")
    juliet.send("<presence><priority>-1</priority></presence>")
    for i in range(200):
        juliet.send("<message to='%s' type='chat'><body>%s</body></message>"
                    % (scene.accounts["nurse"].jid, "x" * 1000))
        juliet.iq("set", scenes.BARRIER)
    rows = held(scene)
    assert size_of(rows) <= MOST
    assert len(rows) >= 40
    assert not any("juliet" not in row[1] and "romeo" in row[1]
                   for row in rows)
    sender.say(*ids(10, 2))
    phone = Phone(scene)
    phone.come()
    got = []
    while "11" not in phone.ids:
        got.append(phone.read("message"))
    told = [str(e) for e in got if e.is_("message")]
    assert all(e.count("<delay") == 1 for e in told)
    assert ["stanza-id" in e for e in told] == [False] * 10 + [True] * 2
    phone.no_more_but(ids(0, 12))


def test_what_a_session_leaves_is_whole(scene):
    """In its queue, while the archive loses it, and then kept."""
    phone = Phone(scene)
    phone.come_for_all_to_see()
    phone.cut()
    sender = Sender(scene)
    sender.say(*ids(0, 150), size=1000)
    assert len(held(scene)) < 60
    scene.server.advance(601)
    sender.say("150")
    scene.server.restart()
    phone = Phone(scene, "juliet/new")
    phone.come_for_all_to_see()
    phone.no_more_but(ids(0, 151))


@pytest.mark.parametrize("restart", (False, True))
def test_what_a_session_was_given_stays_until_it_says_so(scene, restart):
    sender = Sender(scene)
    sender.say(*ids(0, 100), size=1000)
    phone = Phone(scene)
    phone.come()
    phone.take("99")
    phone.cut()
    sender.say(*ids(100, 100), size=1000)
    if restart:
        scene.server.restart()
        # its time begins when it is back
        scene.server.ctl("kick", phone.client.jid)
    else:
        scene.server.advance(601)
    phone = Phone(scene, "juliet/new")
    phone.come_for_all_to_see()
    phone.no_more_but(ids(0, 200))


def test_modules_that_come_and_go(scene):
    """What waits stays while nobody is there to give it, and where it lies while
    nobody keeps an archive."""
    ctl = scene.server.ctl
    sender = Sender(scene)
    sender.say(*ids(0, 60), size=1000)
    ctl("modules", "unload", "offline")
    sender.say(*["lost%d" % i for i in range(100)], size=1000)
    ctl("modules", "load", "offline")
    ctl("modules", "unload", "archive")
    sender.say(*ids(60, 60), size=1000)
    ctl("modules", "load", "archive")
    sender.say(*ids(120, 60), size=1000)
    phone = Phone(scene)
    phone.come_for_all_to_see()
    phone.no_more_but(ids(0, 180))


@pytest.mark.parametrize("n", (1, 100))
@pytest.mark.parametrize("resumes", (False, True))
def test_a_module_that_goes_while_it_gives(scene, n, resumes):
    """What a session was given, and has not acknowledged, is in the store and in
    its queue: whoever ends, it is there when the module is."""
    ctl = scene.server.ctl
    sender = Sender(scene)
    sender.say(*ids(0, n), size=1000)
    phone = Phone(scene)
    phone.mute = True
    phone.come()
    phone.take("%d" % (n - 1))
    ctl("modules", "unload", "offline")
    phone.cut()
    if resumes:
        phone.h = phone.before["0"]
        phone.ids = []
        ctl("modules", "load", "offline")
        phone.resume()
        phone.mute = False
        phone.no_more_but(ids(0, n))
        phone.ack()
        phone.no_more()
        phone.client.close()
    else:
        scene.server.advance(601)
        ctl("modules", "load", "offline")
    phone = Phone(scene, "juliet/new")
    phone.come_for_all_to_see()
    phone.no_more_but([] if resumes else ids(0, n))


def test_a_bound_that_is_lowered(own_server):
    server = own_server(merge(ROOM, {"modules": {
        "archive": {"max_bytes": "1MiB"}}}))
    scene = scenes.Scene(server, ("romeo", "juliet"))
    scene.befriend("romeo", "juliet")
    sender = Sender(scene)
    sender.say(*ids(0, 300), size=1000)
    server.conf["modules"]["archive"]["max_bytes"] = "64KiB"
    server.conf["modules"]["offline"]["max_messages"] = "1"
    server.write_conf()
    server.ctl("reload")
    sender.say(*ids(300, 10), size=1000)
    phone = Phone(scene)
    phone.come_for_all_to_see()
    phone.no_more_but(ids(0, 300))
    phone.ack()
    phone.no_more()
    sender.say("a", "b", size=1000)
    phone.take("b")
    assert size_of(held(scene)) <= MOST
    scene.end()
