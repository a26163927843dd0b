"""Stream management (XEP-0198): who ends sessions that sleep, and what the
administrator sees of them."""

import json
import threading
import time

import pytest

import scene as scenes
from client import PATIENCE, Client
from sm import SM, ask, enable, failed_with
from test_stats import stats

pytestmark = [pytest.mark.only("antiphon"), pytest.mark.plain]


def authenticated(scene, name, password=None):
    a = scene.accounts[name]
    return Client(scene.server).secure().auth(a.name, password or a.password)


def resume(c, previd, h=0):
    c.send("<resume xmlns='%s' previd='%s' h='%d'/>" % (SM, previd, h))
    return c.next("<resumed/>")


def rows(server, *words):
    return [json.loads(line) for line in
            server.ctl("--json", *words).splitlines()]


@pytest.fixture
def asleep(own_server):
    """romeo has a session that sleeps, and juliet is there."""
    server = own_server({"modules": {"register": {"allow": "yes"}}})
    scene = scenes.Scene(server, ("romeo", "juliet"))
    romeo = scene.online("romeo/a")
    scene.previd = enable(romeo).get("id")
    romeo.reset()
    scene.online("juliet/j")
    server.process.wait_line("asleep")
    yield scene
    scene.end()


@pytest.mark.parametrize("how", ("kick", "kick one", "passwd", "deluser",
                                 "own password"))
def test_what_ends_a_session_ends_one_that_sleeps(asleep, how):
    """hostile-33: no id is of use after a change of the password."""
    server, a = asleep.server, asleep.accounts["romeo"]
    password = a.password
    if how == "kick":
        server.ctl("kick", a.jid)
    elif how == "kick one":
        server.ctl("kick", a.jid + "/a")
    elif how == "passwd":
        password = "secret-two"
        server.ctl("passwd", a.jid, stdin=password + "\n")
    elif how == "deluser":
        server.ctl("deluser", a.jid)
        server.ctl("adduser", a.jid, stdin=password + "\n")
    else:
        password = "secret-two"
        other = asleep.login("romeo/b")
        assert other.iq("set", "<query xmlns='jabber:iq:register'><username>%s"
                        "</username><password>%s</password></query>"
                        % (a.name, password)).get("type") == "result"
        other.close()
    assert rows(server, "sessions", a.jid) == []
    c = authenticated(asleep, "romeo", password)
    got = resume(c, asleep.previd)
    assert failed_with(got) == "item-not-found"
    assert got.get("h") == ("0" if how.startswith("kick") else None)
    c.bind("c")
    c.close()


def test_who_has_logged_in_before_a_change_resumes_nothing(asleep):
    """hostile-33"""
    c = authenticated(asleep, "romeo")
    a = asleep.accounts["romeo"]
    asleep.server.ctl("passwd", a.jid, stdin="secret-two\n")
    assert failed_with(resume(c, asleep.previd)) == "item-not-found"
    c.drop()


def test_an_id_is_of_use_to_its_own_account_alone(asleep):
    c = authenticated(asleep, "juliet")
    assert failed_with(resume(c, asleep.previd)) == "item-not-found"
    c.close()
    c = authenticated(asleep, "romeo")
    assert resume(c, asleep.previd).is_("resumed", SM)
    c.close()


def test_sessions_and_stats_show_it(asleep):
    server, romeo = asleep.server, asleep.accounts["romeo"].jid
    asleep.send("juliet/j", "<message to='{romeo}' type='chat' id='m'>"
                "<body>x</body></message>")
    deadline = time.monotonic() + PATIENCE
    while not (row := rows(server, "sessions", romeo)[0])["waits"]:
        assert time.monotonic() < deadline # it waits for the disk before
    assert row["state"] == "asleep" and row["asleep_since"] >= row["since"]
    assert row["waits"] >= 1 and row["waits_bytes"] > 50
    assert row["peer"] == row["mechanism"] == ""
    c = authenticated(asleep, "romeo")
    assert resume(c, asleep.previd).is_("resumed", SM)
    c.take(lambda e: e.get("id") == "m", "the message")
    row, = rows(server, "sessions", romeo)
    assert row["state"] == "attached" and row["asleep_since"] == ""
    assert row["peer"].startswith("127.0.0.1:")
    lines = len(server.process.lines)
    c.reset()
    server.process.wait_line("asleep", lines)
    server.advance(601)
    assert rows(server, "sessions", romeo) == []
    c = authenticated(asleep, "romeo")
    resume(c, asleep.previd)
    c.close()
    got = stats(server)
    assert got["resumed"] == 1 and got["resume_refused"] == 1
    assert got["resume_expired"] == 1


def test_a_resource_that_sleeps_is_in_nobodys_way(own_server):
    """Whatever the policy is for those in use."""
    for policy in ("replace", "refuse", "rename"):
        server = own_server({"limits": {"resource_conflict": policy}})
        scene = scenes.Scene(server, ("romeo",))
        romeo = scene.login("romeo/a")
        enable(romeo)
        romeo.reset()
        server.process.wait_line("asleep")
        assert scene.login("romeo/a").jid.endswith("/a")
        scene.end()


def test_who_sleeps_makes_room_for_who_is_there(own_server):
    """limits: sessions_per_account; the one that sleeps longest goes first, and who
    is there stays."""
    server = own_server({"limits": {"sessions_per_account": "2"}})
    scene = scenes.Scene(server, ("romeo",))
    for name in "ab":
        romeo = scene.login("romeo/" + name)
        enable(romeo)
        romeo.reset()
        server.process.wait_line("/%s: asleep" % name)
    for name in "cd":
        scene.login("romeo/" + name)
        got = {row["jid"][-1] for row in rows(server, "sessions")}
        assert got == {"c": set("bc"), "d": set("cd")}[name]
    c = authenticated(scene, "romeo")
    got = c.iq("set", "<bind xmlns='urn:ietf:params:xml:ns:xmpp-bind'/>")
    assert got.find("error", "resource-constraint") is not None
    c.drop()
    for name in "cd":
        scene["romeo/" + name].ping()


def test_the_module_may_go_and_nothing_is_lost(asleep):
    """What is not acknowledged finds another place."""
    server = asleep.server
    c = authenticated(asleep, "romeo")
    c.bind("c")
    c.send("<presence/>")
    c.ping()
    c.inbox.clear()
    enable(c)
    asleep.send("juliet/j", "<message to='{romeo}' type='chat' id='m'>"
                "<body>x</body></message>")
    c.take(lambda e: e.get("id") == "m", "the message")
    server.conf["modules"]["sm"] = "off"
    server.write_conf()
    server.ctl("reload")
    c.wait_end()
    c = authenticated(asleep, "romeo")
    assert c.features.child("sm", SM) is None
    c.bind("d")
    c.send("<presence/>")
    c.take(lambda e: e.get("id") == "m", "the message, again")
    c.close()


def break_off(scene, n, errors):
    """40 messages in order, each of which the server gets in one of several
    connections, that end inside a stanza."""
    a, to = scene.accounts["romeo"], scene.accounts["juliet"].jid
    text = ["<message to='%s' type='chat' id='%d-%d'><body>%s</body></message>"
            % (to, n, i, "x" * i) for i in range(40)]
    c = Client(scene.server).login(a.name, a.password, "r%d" % n)
    previd, acked = enable(c).get("id"), 0
    for tries in range(60):
        c.send("".join(text[acked:acked + 4]) + "<r xmlns='%s'/>" % SM)
        c.take(lambda e: e.is_("a", SM), "<a/>")
        c.send("".join(text[acked + 4:acked + 7])[:200 + 7 * n])
        (c.drop, c.reset)[tries % 2]()
        c = authenticated(scene, "romeo")
        acked = int(resume(c, previd).get("h"))
        if acked == len(text):
            c.close()
            return
    errors.append("r%d: %d after %d tries" % (n, acked, tries))


def test_many_break_off_and_come_back_at_once(own_server):
    """Each message once, whatever stanza the connection breaks in."""
    server = own_server()
    scene = scenes.Scene(server, ("romeo", "juliet"))
    juliet = scene.online("juliet/j")
    errors = []
    threads = [threading.Thread(target=break_off, args=(scene, n, errors),
                                daemon=True) for n in range(6)]
    for t in threads:
        t.start()
    got = []
    while len(got) < 6 * 40:
        e = juliet.next("a message")
        if e.name == "message":
            got.append(e.get("id"))
    for t in threads:
        t.join(PATIENCE)
    assert not errors
    for n in range(6):
        assert [i for i in got if i.startswith("%d-" % n)] == [
            "%d-%d" % (n, i) for i in range(40)]
    scene.end()


def test_acks_are_counted_under_load(own_server):
    """Four shards: <r/> behind each message, and in the end all are handled."""
    server = own_server()
    scene = scenes.Scene(server, ("romeo", "juliet"))
    juliet, romeo = scene.online("juliet/j"), scene.login("romeo/a")
    enable(romeo, "")
    for i in range(300):
        romeo.send("<message to='%s' type='chat' id='%d'><body>x</body>"
                   "</message><r xmlns='%s'/>"
                   % (scene.accounts["juliet"].jid, i, SM))
    last = -1
    while last < 300:
        e = romeo.next("<a/>")
        assert e.is_("a", SM), str(e)
        assert int(e.get("h")) >= last
        last = int(e.get("h"))
    assert last == 300
    for i in range(300):
        assert juliet.next("a message").get("id") == str(i)
    assert ask(romeo) == 300
    scene.end()


def test_a_restart_is_a_broken_link(own_server):
    """XEP-0198 §5: what is acknowledged is, in the last word of the server; and the
    session goes on, with what has waited."""
    server = own_server()
    scene = scenes.Scene(server, ("romeo", "juliet"))
    romeo, juliet = scene.online("romeo/a"), scene.online("juliet/j")
    previd = enable(romeo).get("id")
    for i in range(1, 4):
        romeo.send("<message to='%s' type='chat' id='a%d'><body>x</body>"
                   "</message>" % (juliet.jid, i))
        juliet.take(lambda e: e.get("id") == "a%d" % i, "the message")
        juliet.send("<message to='%s' type='chat' id='b%d'><body>x</body>"
                    "</message>" % (romeo.jid, i))
        romeo.take(lambda e: e.get("id") == "b%d" % i, "the message")
    server.stop()
    romeo.wait_end()
    assert not romeo.reader.closed
    assert [e.get("h") for e in romeo.inbox if e.is_("a", SM)][-1] == "3"
    server.start()
    c = authenticated(scene, "romeo")
    got = resume(c, previd, 1)
    assert got.is_("resumed", SM) and got.get("h") == "3"
    for i in range(2, 4):
        assert c.next("the message").get("id") == "b%d" % i
    assert ask(c) == 3
    c.close()


UNREAD = 64 << 20


@pytest.mark.once
@pytest.mark.parametrize("what", [
    "<r xmlns='%s'/>" % SM,
    "<resume xmlns='%s' previd='x' h='0'/>" % SM,
    "<enable xmlns='%s' resume='true'/>" % SM], ids=["r", "resume", "enable"])
def test_who_asks_and_does_not_read_is_stopped(own_server, what):
    """hostile-12: each is answered, and who takes no answers is not read."""
    server = own_server()
    scene = scenes.Scene(server, ("romeo", "juliet"))
    romeo, juliet = scene.login("romeo/a"), scene.login("juliet/j")
    enable(romeo)
    before, sent = server.memory_kib(), 0
    romeo.sock.settimeout(1)
    try:
        while sent < UNREAD:
            sent += romeo.sock.send(what.encode() * 1000)
    except OSError: # it cannot be written to, or has ended
        pass
    assert sent < UNREAD
    juliet.ping()
    # write_queue_max_bytes, and what lies around it
    assert server.memory_kib() <= before + 40 * 1024
    romeo.drop()
    scene.end()


def test_no_more_sleep_after_a_restart_than_may(own_server):
    """All of them fall asleep at once then."""
    server = own_server({"modules": {"sm": {"sleepers": 3}}})
    scene = scenes.Scene(server, ("romeo",))
    for i in range(8):
        enable(scene.login("romeo/r%d" % i))
    server.restart()
    server.process.wait_line("sessions of the last stop are back")
    left = rows(server, "sessions", scene.accounts["romeo"].jid)
    assert [row["jid"].split("/")[1] for row in left] == ["r5", "r6", "r7"]
