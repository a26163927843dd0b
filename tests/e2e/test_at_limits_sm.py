"""Stream management at the ends of what can be configured (see options.py)."""

import pytest

import scene as scenes
from client import Client
from options import BOTH, MAX, MIN, proves, sworn
from sm import SM, ask, enable
from test_at_limits import served

pytestmark = pytest.mark.only("antiphon")

CALM = {"limits": {"idle_before_ping": "never"},
        "modules": {"archive": "off", "sm": {"ask_after": "10m", "ask_after_stanzas": 1000,
                           "answer_within": "1h"}}}


def scene_at(own_server, name, end, conf=CALM):
    server, most = served(own_server, name, end, conf)
    return scenes.Scene(server, ("romeo", "juliet")), most


def break_off(scene, c):
    process = scene.server.process
    lines = len(process.lines)
    c.reset()
    process.wait_line("asleep", lines)


def resumed(scene, previd, h):
    """The stream, or None."""
    a = scene.accounts["romeo"]
    c = Client(scene.server).secure().auth(a.name, a.password)
    c.send("<resume xmlns='%s' previd='%s' h='%d'/>" % (SM, previd, h))
    if c.next("<resumed/>").is_("resumed", SM):
        return c
    c.close()
    return None


def told(scene, previd):
    """The h of <failed/>."""
    a = scene.accounts["romeo"]
    c = Client(scene.server).secure().auth(a.name, a.password)
    c.send("<resume xmlns='%s' previd='%s' h='0'/>" % (SM, previd))
    got = c.next("<failed/>")
    assert got.is_("failed", SM), str(got)
    c.close()
    return got.get("h")


def say(scene, n, size=1):
    """Behind this, the server has handled them."""
    for i in range(n):
        scene.send("juliet/j", "<message to='{romeo/a}' type='chat' id='%d'>"
                   "<body>%s</body></message>" % (i, "x" * size))
    scene["juliet/j"].iq("get", "<vCard xmlns='vcard-temp'/>",
                         scene.accounts["romeo"].jid)


def take(c, n):
    for i in range(n):
        assert c.next("message %d" % i).get("id") == str(i)


@proves("modules: sm: sleep")
@pytest.mark.parametrize("end", BOTH)
def test_a_session_sleeps_that_long(own_server, end):
    scene, s = scene_at(own_server, "modules: sm: sleep", end)
    romeo = scene.login("romeo/a")
    got = enable(romeo)
    assert got.get("max") == str(int(s))
    break_off(scene, romeo)
    if s > 60:
        scene.server.advance(s - 60)
        romeo = resumed(scene, got.get("id"), 0)
        break_off(scene, romeo)
    scene.server.advance(s + 1)
    assert resumed(scene, got.get("id"), 0) is None
    scene.end()


@proves("modules: sm: sleepers", ends=MIN)
@pytest.mark.parametrize("end", BOTH)
def test_so_many_sleep_at_once(own_server, end):
    scene, most = scene_at(own_server, "modules: sm: sleepers", end, {
        "limits": {"sessions_per_account": 1000}})
    most = min(most, 60)
    ids = []
    for i in range(most + 1):
        c = scene.login("romeo/r%d" % i)
        ids.append(enable(c).get("id"))
        c.reset()
        scene.server.process.wait_line("/r%d: asleep" % i)
    if end == "min":
        assert resumed(scene, ids.pop(0), 0) is None
    for previd in ids:
        resumed(scene, previd, 0).drop()
    scene.end()


sworn("modules: sm: sleepers", MAX, "1,000 sessions that sleep; 60 do")


@proves("modules: sm: remember")
@pytest.mark.parametrize("end", BOTH)
def test_the_count_of_an_ended_session_is_told_that_long(own_server, end):
    """Of 20 of them, whoever has ended before."""
    scene, s = scene_at(own_server, "modules: sm: remember", end,
                        {"modules": {"sm": {"sleep": "1s"}}})
    ids = []
    for i in range(21):
        c = scene.login("romeo/r%d" % i)
        ids.append(enable(c).get("id"))
        break_off(scene, c)
        scene.server.advance(1.5)
        scene.server.process.wait_line("/r%d: ended" % i)
    if end == "max":
        assert told(scene, ids[0]) is None
        assert told(scene, ids[1]) == "0"
    scene.server.advance(s - 55)
    assert told(scene, ids[-1]) == "0"
    scene.server.advance(120)
    assert told(scene, ids[-1]) is None
    scene.end()


@proves("modules: sm: unacked_stanzas", ends=MIN)
@pytest.mark.parametrize("end", BOTH)
def test_so_many_stanzas_wait(own_server, end):
    scene, most = scene_at(own_server, "modules: sm: unacked_stanzas", end,
                           CALM | {"limits": {"stanzas_burst": 100000}})
    most = min(most, 3000)
    scene.login("juliet/j")
    romeo = scene.login("romeo/a")
    previd = enable(romeo).get("id")
    break_off(scene, romeo)
    say(scene, most - 1)
    romeo = resumed(scene, previd, 0)
    take(romeo, most - 1)
    break_off(scene, romeo)
    say(scene, 1)
    if end == "min":
        assert resumed(scene, previd, most - 1) is None
    else:
        resumed(scene, previd, most - 1).drop()
    scene.end()


sworn("modules: sm: unacked_stanzas", MAX, "100,000 stanzas; 3,000 are there")


@proves("modules: sm: unacked_bytes", ends=MIN)
@pytest.mark.parametrize("end", BOTH)
def test_so_many_bytes_wait(own_server, end):
    scene, most = scene_at(own_server, "modules: sm: unacked_bytes", end,
                           CALM | {"limits": {"bytes_burst": "256MiB",
                                              "stanza_bytes": "1MiB"}})
    n = 1 if end == "min" else 10
    scene.login("juliet/j")
    romeo = scene.login("romeo/a")
    previd = enable(romeo).get("id")
    break_off(scene, romeo)
    say(scene, n, min(most, 1 << 20) - 2000)
    romeo = resumed(scene, previd, 0)
    for i in range(n): # and he is asked, behind so many bytes
        romeo.take(lambda e: e.get("id") == str(i), "message %d" % i)
    break_off(scene, romeo)
    say(scene, 1, 3000)
    assert (resumed(scene, previd, 0) is None) == (end == "min")
    scene.end()


sworn("modules: sm: unacked_bytes", MAX, "1 GiB for one client; 10 MiB are there")


@proves("modules: sm: ask_after_stanzas")
@pytest.mark.parametrize("end", BOTH)
def test_a_client_is_asked_behind_so_many(own_server, end):
    scene, most = scene_at(own_server, "modules: sm: ask_after_stanzas", end,
                           {"modules": {"sm": {"ask_after": "10m",
                                               "unacked_stanzas": 100000}},
                            "limits": {"stanzas_burst": 100000}})
    scene.login("juliet/j")
    romeo = scene.login("romeo/a")
    enable(romeo)
    say(scene, most)
    take(romeo, most)
    assert romeo.next("<r/>").is_("r", SM)
    scene.end()


@proves("modules: sm: ask_after")
@pytest.mark.parametrize("end", BOTH)
def test_a_client_is_asked_so_long_after_one(own_server, end):
    scene, s = scene_at(own_server, "modules: sm: ask_after", end)
    scene.login("juliet/j")
    romeo = scene.login("romeo/a")
    enable(romeo)
    say(scene, 1)
    take(romeo, 1)
    if end == "max":
        scene.server.advance(s - 30)
        assert ask(romeo) == 0
        assert not romeo.inbox
        scene.server.advance(31)
    assert romeo.next("<r/>").is_("r", SM)
    scene.end()


@proves("modules: sm: answer_within")
@pytest.mark.parametrize("end", BOTH)
def test_a_client_has_so_long_to_answer(own_server, end):
    scene, s = scene_at(own_server, "modules: sm: answer_within", end, {
        "limits": {"idle_before_ping": "never"},
        "modules": {"sm": {"ask_after_stanzas": 1}}})
    scene.login("juliet/j")
    romeo = scene.login("romeo/a")
    previd = enable(romeo).get("id")
    say(scene, 1)
    take(romeo, 1)
    assert romeo.next("<r/>").is_("r", SM)
    if end == "max":
        scene.server.advance(s - 60)
        assert not romeo.has_come() and not romeo.eof
        scene.server.advance(61)
    romeo.wait_end()
    take(resumed(scene, previd, 0), 1)
    scene.end()


@proves("limits: receipts_per_session", ends=MIN)
@pytest.mark.parametrize("end", BOTH)
def test_so_many_receipts_are_out(own_server, end):
    """All is handled, in order, however few of them may be on their way."""
    scene, _ = scene_at(own_server, "limits: receipts_per_session", end,
                        {"limits": {"stanzas_burst": 100000}})
    n = 2000
    juliet, romeo = scene.login("juliet/j"), scene.login("romeo/a")
    enable(romeo)
    romeo.send("".join("<message to='%s' type='chat' id='%d'><body>x</body>"
                       "</message>" % (juliet.jid, i) for i in range(n)))
    take(juliet, n)
    while ask(romeo) != n:
        pass
    scene.end()


sworn("limits: receipts_per_session", MAX, "100,000 stanzas; 2,000 are sent")
