"""What is kept for one who sleeps, or falls asleep while he gets it (XEP-0160,
XEP-0198): nothing is lost, comes twice, or is overtaken."""

import pytest

import scene as scenes
from sm import SM, ask, enable
from test_offline import leave
from test_sm import authenticated, resume

pytestmark = pytest.mark.only("antiphon")

ROOM = {"modules": {
    "offline": {"max_messages": "100000", "max_bytes": "1GiB",
                "stranger_share": "100", "sender_share": "100"},
    "sm": {"unacked_stanzas": "100000", "unacked_bytes": "1GiB"}},
    "limits": {"write_queue_max_bytes": "64MiB"}}


class Phone:
    """A session of juliet that counts what comes."""

    def __init__(self, scene, name="juliet/phone"):
        self.scene = scene
        self.client = scene.login(name)
        self.previd = enable(self.client).get("id")
        self.h = 0
        self.mute = False # or it answers <r/>
        self.ids = []
        self.before = {} # how much has come before a message

    def come(self):
        self.client.send("<iq type='set' id='set'>%s</iq><presence/>"
                         % scenes.BARRIER)

    def read(self, what):
        e = self.client.next(what)
        if e.is_("r", SM) and not self.mute:
            self.ack()
        if e.is_("message"):
            self.ids.append(e.get("id"))
            self.before[e.get("id")] = self.h
        if e.name in ("iq", "presence", "message"):
            self.h += 1
        return e

    def come_for_all_to_see(self):
        self.come()
        e = self.read("its own presence")
        while not e.is_("presence") or e.get("from") != self.client.jid:
            e = self.read("its own presence")

    def take(self, id_):
        """All up to this message."""
        while id_ not in self.ids:
            self.read("message " + id_)

    def ack(self):
        self.client.send("<a xmlns='%s' h='%d'/>" % (SM, self.h))

    def cut(self):
        self.client.reset()
        self.scene.server.process.wait_line("asleep")

    def resume(self):
        self.client = authenticated(self.scene, "juliet")
        got = resume(self.client, self.previd, self.h)
        assert got.is_("resumed", SM), str(got)

    def no_more_but(self, ids):
        """A flood goes ahead of what its client asks."""
        if ids:
            self.take(ids[-1])
        self.client.send("<iq type='set' id='last'>%s</iq>" % scenes.BARRIER)
        while self.read("the answer").get("id") != "last":
            pass
        assert self.ids == ids

    def no_more(self):
        self.no_more_but(list(self.ids))


class Sender:
    """romeo, who knows what of what he has said is dealt with."""

    def __init__(self, scene):
        self.to = scene.accounts["juliet"].jid
        self.client = scene.login("romeo/a")
        self.n = 0
        enable(self.client)

    def say(self, *ids, size=1, to=None):
        for at in range(0, len(ids), 50):
            self.say_some(ids[at:at + 50], "x" * size, to or self.to)

    def send(self, ids, body, to):
        for i in ids:
            self.client.send("<message to='%s' type='chat' id='%s'><body>%s"
                             "</body></message>" % (to, i, body))
        self.n += len(ids)

    def say_some(self, *what):
        self.send(*what)
        h = ask(self.client)
        while h < self.n: # when the count moves, <a/> follows unasked
            h = int(self.client.take(lambda e: e.is_("a", SM), "<a/>").get("h"))
        assert h == self.n
        assert not [e for e in self.client.inbox if e.is_("message")]


def names(n, first="k"):
    return ["%s%d" % (first, i) for i in range(n)]


@pytest.fixture(params=("archive", "no archive"))
def play(own_server, request):
    """romeo, a server with room, and a juliet who is away."""
    conf = {**ROOM, "modules": {**ROOM["modules"]}}
    if request.param == "no archive":
        conf["modules"]["archive"] = "no"
    scene = scenes.Scene(own_server(conf), ("romeo", "juliet"))
    scene.romeo = Sender(scene)
    yield scene
    scene.end()


@pytest.mark.parametrize("n", (0, 1, 2, 100, 700))
def test_kept_messages_are_not_overtaken_at_one_who_sleeps(play, n):
    play.romeo.say(*names(n))
    phone = Phone(play)
    phone.come()
    phone.cut()
    play.romeo.say("new1", "new2")
    phone.resume()
    phone.take("new2")
    assert phone.ids == names(n) + ["new1", "new2"]
    phone.no_more()


@pytest.mark.parametrize("n", (1, 2, 100, 700))
@pytest.mark.parametrize("alone", (True, False))
def test_it_is_so_for_what_names_the_session(play, n, alone):
    """Also where others are logged in that take no messages."""
    if not alone:
        play.login("juliet/silent")
    play.romeo.say(*names(n), size=2500)
    phone = Phone(play)
    phone.come()
    phone.take("k0")
    phone.cut()
    play.romeo.say("new1", to=phone.client.jid)
    phone.resume()
    phone.take("new1")
    assert phone.ids == names(n) + ["new1"]
    phone.no_more()


@pytest.mark.parametrize("n", (1, 2, 100, 700))
def test_a_flood_that_is_cut_goes_on(play, n):
    play.romeo.say(*names(n), size=2500)
    phone = Phone(play)
    phone.come()
    phone.take("k0")
    phone.cut()
    play.romeo.say("new1")
    phone.resume()
    phone.take("new1")
    assert phone.ids == names(n) + ["new1"]
    phone.no_more()


@pytest.mark.parametrize("n", (0, 1, 2, 100, 300))
def test_a_restart_changes_nothing(play, n):
    play.romeo.say(*names(n))
    phone = Phone(play)
    phone.come()
    phone.cut()
    play.romeo.say("new1")
    play.romeo.client.close()
    play.server.stop()
    play.server.start()
    play.romeo = Sender(play)
    play.romeo.say("new2")
    phone.resume()
    phone.take("new2")
    assert phone.ids == names(n) + ["new1", "new2"]
    phone.no_more()


@pytest.mark.parametrize("n", (1, 2, 100, 700))
def test_who_is_awake_gets_what_is_left(play, n):
    """What comes meanwhile goes to both, and what was kept to one of them."""
    play.romeo.say(*names(n), size=2500)
    phone = Phone(play)
    phone.come()
    phone.take("k0")
    phone.cut()
    laptop = Phone(play, "juliet/laptop")
    laptop.come_for_all_to_see()
    play.romeo.send(["new1"], "x", play.romeo.to)
    laptop.take("new1")
    phone.resume()
    phone.take("new1")
    assert sorted(phone.ids + laptop.ids) == sorted(names(n) + ["new1"] * 2)
    for p in (phone, laptop):
        assert p.ids[-1] == "new1"
        assert p.ids[:-1] == sorted(p.ids[:-1], key=lambda i: int(i[1:]))
        p.no_more()


@pytest.mark.parametrize("n", (1, 2, 100, 600))
def test_what_is_not_acknowledged_survives_a_kill(play, n):
    """And what is does not come again."""
    play.romeo.say(*names(n), size=100)
    phone = Phone(play)
    phone.mute = True
    phone.come()
    phone.take(names(n)[-1])
    half = n // 2
    phone.h = phone.before["k%d" % half]
    phone.ack()
    phone.client.iq("set", scenes.BARRIER)
    play.romeo.client.close()
    play.server.kill9()
    play.server.start()
    late = Phone(play)
    late.come()
    late.no_more_but(names(n)[half:])


@pytest.mark.parametrize("n", (1, 2, 100, 600))
@pytest.mark.parametrize("how", ("expires", "is replaced", "ends"))
def test_a_session_that_ends_gives_back_what_it_did_not_acknowledge(
        play, how, n):
    """Each once, and what came behind them behind them."""
    play.romeo.say(*names(n), size=2500)
    phone = Phone(play)
    phone.come()
    phone.take("k0")
    phone.ack()
    phone.mute = True
    phone.client.iq("set", scenes.BARRIER)
    phone.cut()
    play.romeo.say("new1")
    if how == "expires":
        play.server.advance(700)
        play.server.process.wait_line("ended")
    elif how == "ends":
        play.server.ctl("kick", play.accounts["juliet"].jid)
    late = Phone(play, "juliet/phone" if how == "is replaced" else
                 "juliet/other")
    late.come()
    late.no_more_but(names(n)[1:] + ["new1"])
    play.romeo.say("new2")
    late.take("new2")
    late.ack()
    late.no_more()
    again = Phone(play, "juliet/phone")
    again.come()
    again.no_more()


@pytest.mark.parametrize("n", (1, 2, 100, 600))
def test_what_one_has_in_hand_is_not_for_another(play, n):
    """Not while that one lives; then it is."""
    play.romeo.say(*names(n))
    phone = Phone(play)
    phone.mute = True
    phone.come()
    phone.take(names(n)[-1])
    phone.cut()
    laptop = Phone(play, "juliet/laptop")
    laptop.come_for_all_to_see()
    play.romeo.say("new1")
    laptop.take("new1")
    assert laptop.ids == ["new1"]
    play.server.ctl("kick", phone.client.jid)
    laptop.take(names(n)[-1])
    assert laptop.ids == ["new1"] + names(n)
    laptop.no_more()


@pytest.mark.parametrize("n", (1, 2, 100, 300))
def test_what_is_acknowledged_behind_a_restart_is_deleted(play, n):
    play.romeo.say(*names(n))
    phone = Phone(play)
    phone.mute = True
    phone.come()
    phone.take(names(n)[-1])
    phone.cut()
    play.romeo.client.close()
    play.server.stop()
    play.server.start()
    phone.resume()
    phone.no_more()
    phone.client.iq("set", scenes.BARRIER)
    play.server.kill9()
    play.server.start()
    late = Phone(play)
    late.come()
    late.no_more()
    play.romeo = Sender(play)
    play.romeo.say("new1")
    late.take("new1")
    assert late.ids == ["new1"]


def fills(own_server, most):
    """A scene in which juliet's store is filled by `most' messages of one."""
    conf = {"modules": {"archive": "no", "offline": {
        "max_messages": str(most), "stranger_share": "100",
        "sender_share": "100"}}}
    return scenes.Scene(own_server(conf), ("romeo", "juliet"))


def leaves(phone):
    """It is there, and takes no messages any more."""
    phone.client.send("<presence type='unavailable'/>")
    phone.client.iq("set", scenes.BARRIER)


@pytest.mark.parametrize("n", (1, 4, 100))
def test_what_is_acknowledged_behind_a_restart_makes_room(own_server, n):
    """When nothing is kept any more, though nobody knows whose that was."""
    play = fills(own_server, n)
    assert leave(play, "romeo/a", n) == n
    phone = Phone(play)
    phone.mute = True
    phone.come()
    phone.take("r%d" % (n - 1))
    phone.cut()
    play.server.restart()
    phone.resume()
    phone.no_more()
    phone.ack()
    leaves(phone)
    assert leave(play, "romeo/a", n) == n
    play.end()


@pytest.mark.parametrize("n", (2, 4, 100))
def test_what_a_session_takes_at_once_makes_room(own_server, n):
    """Though another one has something in hand."""
    play = fills(own_server, n)
    assert leave(play, "romeo/a", 1) == 1
    phone = Phone(play)
    phone.mute = True
    phone.come()
    phone.take("r0")
    leaves(phone)
    assert leave(play, "romeo/a", n - 1) == n - 1
    laptop = play.online("juliet/laptop", settle=False)
    for i in range(n - 1):
        laptop.take(lambda e: e.is_("message"), "message %d" % i)
    laptop.send("<presence type='unavailable'/>")
    laptop.iq("set", scenes.BARRIER)
    assert leave(play, "romeo/a", n - 1) == n - 1
    play.end()


@pytest.mark.parametrize("restart", (False, True))
@pytest.mark.parametrize("named", (False, True))
@pytest.mark.parametrize("n", (1, 2, 100, 700))
def test_what_came_for_one_who_sleeps_is_not_for_another(
        play, n, named, restart):
    """What was kept is: a session that comes later is given that, and what was
    sent since the other was there, it has as if nothing were kept."""
    play.romeo.say(*names(n), size=2500)
    phone = Phone(play)
    phone.come()
    phone.take("k0")
    phone.cut()
    had = len(phone.ids)
    play.romeo.say(*names(5, "new"),
                   to=phone.client.jid if named else None)
    if restart:
        play.romeo.client.close()
        play.server.stop()
        play.server.start()
        play.romeo = Sender(play)
    laptop = Phone(play, "juliet/laptop")
    laptop.come_for_all_to_see()
    play.romeo.send(["last"], "x", play.romeo.to)
    laptop.take("last")
    laptop.no_more()
    phone.resume()
    phone.take("last")
    assert phone.ids[had:][-6:] == names(5, "new") + ["last"]
    assert sorted(phone.ids + laptop.ids) == \
        sorted(names(n) + names(5, "new") + ["last"] * 2)
    phone.no_more()


@pytest.mark.parametrize("n", (1, 2, 100, 700))
def test_it_is_for_another_when_that_one_has_ended(play, n):
    play.romeo.say(*names(n), size=2500)
    phone = Phone(play)
    phone.come()
    phone.take("k0")
    phone.mute = True
    phone.cut()
    play.romeo.say("new1", "new2")
    play.server.ctl("kick", phone.client.jid)
    laptop = Phone(play, "juliet/laptop")
    laptop.come()
    laptop.take("new2")
    assert laptop.ids[-2:] == ["new1", "new2"]
    assert laptop.ids == names(n)[-len(laptop.ids) + 2:] + ["new1", "new2"]
    laptop.no_more()
