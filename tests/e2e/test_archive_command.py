"""antiphonctl archive: what is archived of a user, for administrators."""

import json
import socket
import threading
import xml.etree.ElementTree as ET

import pytest

import scene as scenes
from test_archive import ENTRY, archive
from test_archive_keep import many, notes, reload_with, texts

pytestmark = pytest.mark.only("antiphon")

PIE, MAM, CLIENT = "urn:xmpp:pie:0", "urn:xmpp:mam:2", "jabber:client"
BAD = "a<b & \"c\""


@pytest.fixture(scope="module")
def world(pool):
    server = pool.new({"modules": {"archive": {"keep": "7d"}}})
    server.start()
    yield server
    server.stop()


@pytest.fixture
def scene(world):
    scene = scenes.Scene(world, ("romeo", "juliet"))
    yield scene
    scene.end()
    world.check()


def jid(scene, who="romeo"):
    return scene.accounts[who].jid


def shown(scene, who="romeo"):
    return json.loads(scene.server.ctl("--json", "archive", "show",
                                       jid(scene, who)))


def one(answer):
    return answer[0] if isinstance(answer, list) else answer


def results(scene):
    root = ET.fromstring(scene.server.ctl("archive", "export", jid(scene)))
    assert root.tag == "{%s}server-data" % PIE
    host, = root
    user, = host
    kept, = user
    assert (host.tag, host.get("jid")) == ("{%s}host" % PIE, scene.server.domain)
    assert (user.tag, user.get("name")) == (
        "{%s}user" % PIE, jid(scene).split("@")[0])
    assert kept.tag == "{%s#mam}archive" % PIE
    assert all(r.tag == "{%s}result" % MAM for r in kept)
    return kept


def test_show(scene):
    assert one(shown(scene)) == {
        "user": jid(scene), "messages": 0, "bytes": 0, "bytes_max": 1 << 30,
        "kept": "7d"}
    notes(scene, "romeo", *many(5))
    got = one(shown(scene))
    rows = archive(scene.server, jid(scene))
    assert got["messages"] == 5
    assert got["bytes"] == sum(len(r[2]) + ENTRY for r in rows)
    assert got["oldest"] <= got["newest"]


def test_status_says_it(scene):
    status = one(json.loads(scene.server.ctl("--json", "status")))
    # both hosts do the same, and the first is named
    assert status["keeps"] in [
        host + ": archives for 7d up to 1GiB an account, archives of rooms "
        "for 365d up to 1GiB a room" for host in
        (scene.server.domain, scene.server.other_domain)]


def test_export(scene):
    """XEP-0227 §4.11; more than a part, in order, with what XML does not take as it
    is."""
    bodies = many(300) + [BAD, "two\nlines"]
    notes(scene, "romeo", *[b.replace("&", "&amp;").replace("<", "&lt;")
                            for b in bodies])
    kept = results(scene)
    rows = archive(scene.server, jid(scene))
    assert [r.get("id") for r in kept] == [row[0] for row in rows]
    messages = [r[0].find("{%s}message" % CLIENT) for r in kept]
    assert [m.findtext("{%s}body" % CLIENT) for m in messages] == bodies
    assert all(r[0].find("{urn:xmpp:delay}delay").get("stamp") for r in kept)
    text = scene.server.ctl("archive", "export", "--text", jid(scene))
    lines = text.splitlines()
    assert [line for line in lines if line.startswith(" ")] == [
        "    " + line for b in bodies for line in b.split("\n")]
    assert sum(jid(scene) in line for line in lines) == len(bodies)


def test_what_would_move_a_cursor_is_exported_as_it_is(scene):
    """C1 and DEL, which XML takes and antiphonctl does not print."""
    notes(scene, "romeo", "a\u0085b\u009bc\u007fd\u00e9\u202ee\u2069f\u2014")
    assert [r[0].findtext("{%s}message/{%s}body" % (CLIENT, CLIENT))
            for r in results(scene)] == [
                "a\u0085b\u009bc\u007fd\u00e9\u202ee\u2069f\u2014"]
    assert "a?b?c?d\u00e9?e?f\u2014" in scene.server.ctl(
        "archive", "export", "--text", jid(scene))


def test_an_empty_archive(scene):
    assert len(results(scene)) == 0
    assert scene.server.ctl("archive", "export", "--text", jid(scene)) == ""
    scene.server.ctl("archive", "purge", "--yes", jid(scene))


def test_purge(scene):
    """Of the one, and not of those he has talked with; what waits goes on waiting."""
    scene.befriend("romeo", "juliet")
    notes(scene, "romeo", *many(100))
    romeo = scene.login("romeo/a")
    romeo.send("<message to='%s' type='chat'><body>waits</body></message>"
               % jid(scene, "juliet"))
    romeo.iq("set", scenes.BARRIER)
    ctl = scene.server.ctl
    assert ctl("archive", "purge", jid(scene), ok=False).returncode != 0
    ctl("archive", "purge", "--yes", "--before", "2001-01-01T00:00:00Z",
        jid(scene))
    assert len(texts(scene, "romeo")) == 101
    bad = ctl("archive", "purge", "--yes", "--before", "yesterday", jid(scene),
              ok=False)
    assert bad.returncode != 0 and "2026-01-31" in bad.stderr
    ctl("archive", "purge", "--yes", jid(scene))
    assert texts(scene, "romeo") == []
    assert texts(scene, "juliet") == ["waits"]
    ctl("archive", "purge", "--yes", "--before", "2099-01-01T00:00:00Z",
        jid(scene, "juliet"))
    assert texts(scene, "juliet") == []
    juliet = scene.login("juliet/b")
    juliet.send("<presence/>")
    juliet.take(lambda e: e.is_("message") and "waits" in str(e), "what waited")


def test_what_comes_during_a_purge_stays(scene):
    """Also where the time that is named is still to come."""
    for _ in range(3):
        notes(scene, "romeo", *many(500))  # no more than may wait at once
    assert one(shown(scene))["messages"] == 1500
    romeo = scene.login("romeo/a")
    # fewer, where they came faster than they could be stored
    there = one(shown(scene))["messages"]
    sent, came = 0, []
    purge = threading.Thread(target=scene.server.ctl, args=(
        "archive", "purge", "--yes", "--before", "2099-01-01T00:00:00Z",
        jid(scene)))
    purge.start()
    while purge.is_alive():
        begun = one(shown(scene))["messages"] < there
        sent += 1
        romeo.send("<message type='chat'><body>new%d</body></message>" % sent)
        romeo.iq("set", scenes.BARRIER)
        came += ["new%d" % sent] if begun else []
    purge.join()
    assert came and texts(scene, "romeo")[-len(came):] == came
    romeo.close()


def test_whom_there_is_no_archive_of(scene):
    ctl = scene.server.ctl
    for address, why in ((scene.server.domain, "that of a user"),
                         ("nobody@" + scene.server.domain,
                          "no such account"),
                         ("romeo@elsewhere.test", "no host that keeps")):
        for command in (["show", address], ["export", address],
                        ["purge", "--yes", address],
                        ["search", address, "word"]):
            got = ctl("archive", *command, ok=False)
            assert got.returncode != 0 and why in got.stderr


def found(scene, *args):
    """The texts, and what is said at the end."""
    lines = scene.server.ctl("archive", "search", *args).splitlines()
    return ([line.strip() for line in lines if line.startswith(" ")],
            [line for line in lines if line.startswith("--")])


def test_search(scene):
    """All words, of several parts, newest first or oldest, and no more than asked."""
    whose = jid(scene)
    bodies = ["Caf\u00e9 number %d" % i for i in range(150)]
    notes(scene, "romeo", "the cafe is closed", *bodies, "something else")
    assert found(scene, whose, "CAFE", "closed") == (["the cafe is closed"], [])
    assert found(scene, whose, "closed cafe") == (["the cafe is closed"], [])
    assert found(scene, whose, "nowhere") == ([], [])
    newest, more = found(scene, whose, "number", "cafe")
    assert newest == bodies[:-51:-1] and "--max" in more[0]
    assert found(scene, "--max", "150", whose, "number") == (bodies[::-1], [])
    assert found(scene, whose, "number", "--oldest", "--max", "149") == (
        bodies[:149], more)
    # no word has a meaning
    assert found(scene, whose, "--", "--oldest", "cafe*", "OR") == ([], [])
    line = scene.server.ctl("archive", "search", whose, "else").splitlines()[0]
    assert line.count(whose) == 2 and line.startswith("20")


def test_search_that_cannot_be(scene):
    ctl = scene.server.ctl
    for words, why in ((["?!"], "no word"), (["w%d" % i for i in range(33)],
                                            "fewer words"),
                       (["--max", "0", "x"], "max"), ([], "words is missing")):
        got = ctl("archive", "search", jid(scene), *words, ok=False)
        assert got.returncode != 0 and why in got.stderr


def test_search_that_was_off(own_server):
    """What came meanwhile is not found, which is said."""
    server = own_server({"modules": {"archive": {}}})
    scene = scenes.Scene(server, ("romeo",))
    reload_with(server, server.domain, search=False)
    notes(scene, "romeo", "early words")
    got = server.ctl("archive", "search", jid(scene), "words", ok=False)
    assert got.returncode != 0 and "search is off" in got.stderr
    reload_with(server, server.domain, search=True)
    notes(scene, "romeo", "late words")
    texts_found, notes_found = found(scene, jid(scene), "words")
    assert texts_found == ["late words"]
    assert "no search" in notes_found[0]
    server.ctl("archive", "purge", "--yes", jid(scene))
    notes(scene, "romeo", "words again")
    assert found(scene, jid(scene), "words") == (["words again"], [])
    scene.end()


def begun(scene):
    """One who has read so much of what he has asked for."""
    notes(scene, "romeo", *many(40, 50000))
    sock = socket.socket(socket.AF_UNIX)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    sock.connect(scene.server.socket)
    sock.sendall(json.dumps({"command": "archive export", "args": {
        "address": jid(scene)}}).encode() + b"\n")
    return sock, sock.recv(100)


@pytest.mark.parametrize("reads", (False, True))
def test_one_who_reads_slowly(scene, reads):
    """The next part is read when he has taken the last; or not at all, when he has
    gone."""
    sock, first = begun(scene)
    # meanwhile it goes, and of what has gone nobody is told
    scene.server.ctl("archive", "purge", "--yes", jid(scene))
    if reads:
        data = first
        while b'"done"' not in data[-500:]:
            more = sock.recv(1 << 20)
            assert more, data[-500:]
            data += more
        assert b"</archive>" in data[-500:]
        assert 0 < data.count(b"<body>") < 40
    sock.close()
    assert one(shown(scene))["messages"] == 0


def test_a_server_that_stops_waits_for_nobody_who_reads(scene):
    sock, _ = begun(scene)
    scene.server.restart()
    sock.close()
    assert one(shown(scene))["messages"] == 40


def test_one_who_says_that_he_asks_no_more(scene):
    """He is told all of it, though more than one part of it is to come."""
    sock, data = begun(scene)
    sock.shutdown(socket.SHUT_WR)
    while more := sock.recv(1 << 20):
        data += more
    sock.close()
    assert data.count(b"<body>") == 40
    assert b'"done"' in data[-100:]
