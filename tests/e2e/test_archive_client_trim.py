"""A user has his archive deleted, where the configuration lets him
(inbox/xep-mam-trimming 0.0.1)."""

import pytest

import mam
import scene as scenes

pytestmark = pytest.mark.only("antiphon")
TRIM = "urn:xmpp:mamtrim:0"


def trim(client, id_=None, to=None):
    inner = "" if id_ is None else "<id>%s</id>" % id_
    got = client.iq("set", "<trim xmlns='%s'>%s</trim>" % (TRIM, inner), to)
    return None if got.get("type") == "result" else mam.condition(got)


def says_so(client):
    got = client.iq("get", "<query xmlns='http://jabber.org/protocol/disco#info'/>",
                    client.jid.split("/")[0])
    return TRIM in [e.get("var") for e in got.child("query").elems()]


@pytest.fixture(scope="module")
def world(pool):
    server = pool.new({"modules": {"archive": {
        "client_trim": "yes", "stranger_bytes": "100MiB"}}})
    server.start()
    yield server
    server.stop()


def fill(scene, n):
    """romeo says so much to juliet."""
    romeo = scene.login("romeo/a")
    romeo.send("".join("<message to='%s' type='chat' id='m%d'><body>x</body>"
                       "</message>" % (scene.binds["juliet"], i)
                       for i in range(n)))
    romeo.iq("set", scenes.BARRIER)
    return romeo


def test_up_to_a_message_and_all(world):
    """§3.2; more than goes at once."""
    scene = scenes.Scene(world, ("romeo", "juliet"))
    romeo = fill(scene, 700)
    first = mam.query(romeo, max=250)
    middle = mam.query(romeo, max=250, after=first.last)
    assert says_so(romeo)
    assert trim(romeo, "no") == "item-not-found"
    assert trim(romeo, "") == "item-not-found"
    assert trim(romeo, first.last.split(".")[0] + ".x") == "item-not-found"
    assert mam.query(romeo, max=1).ids == first.ids[:1]
    assert trim(romeo, middle.ids[49]) is None
    assert mam.query(romeo, max=10).ids == middle.ids[50:60]
    # what has gone is not there
    assert mam.query(romeo, after=first.last).error == "item-not-found"
    assert trim(romeo, first.last) == "item-not-found"
    assert trim(romeo) is None
    page = mam.query(romeo)
    assert page.ids == [] and page.complete
    assert trim(romeo) is None
    # and what comes then is
    romeo.send("<message to='x@x.test' type='chat'><body>x</body></message>")
    romeo.iq("set", scenes.BARRIER)
    assert len(mam.query(romeo).ids) == 1
    scene.end()


def test_what_is_not_understood_deletes_nothing(world):
    """§3.2: all goes for an empty one alone, and else up to one id."""
    scene = scenes.Scene(world, ("romeo", "juliet"))
    romeo = fill(scene, 3)
    ids = mam.query(romeo).ids
    for inner in ("<id>{0}</id><id>{1}</id>", "<id>{0}</id><until>{1}</until>",
                  "{0}", "<id xmlns='%s'>{0}</id>" % mam.MAM,
                  "<stanza-id id='{0}'/>"):
        got = romeo.iq("set", "<trim xmlns='%s'>%s</trim>" % (
            TRIM, inner.format(*ids)))
        assert got.get("type") == "error", inner
        assert mam.condition(got) == "bad-request"
        assert mam.query(romeo).ids == ids
    # blanks are nothing
    got = romeo.iq("set", "<trim xmlns='%s'>\n <id>%s</id>\n</trim>" % (
        TRIM, ids[0]))
    assert got.get("type") == "result"
    assert mam.query(romeo).ids == ids[1:]
    scene.end()


def test_what_waits_goes_on_waiting(world):
    """For one who deletes his archive before he is there: it is nowhere else."""
    scene = scenes.Scene(world, ("romeo", "juliet"))
    scene.befriend("romeo", "juliet")
    romeo = fill(scene, 5)
    juliet = scene.login("juliet/b")
    scene.mark(romeo, juliet)
    assert trim(juliet, mam.query(juliet, max=3, fields={
        "with": scene.binds["romeo"]}).last) is None
    assert trim(juliet) is None
    assert mam.query(juliet, fields={"with": scene.binds["romeo"]}).ids == []
    scene.present("juliet/b")
    juliet.ping()
    scene.mark(romeo, juliet)
    assert [e.get("id") for e in juliet.inbox if e.is_("message")] == [
        "m%d" % i for i in range(5)]
    scene.end()


def test_archives_of_others(world):
    scene = scenes.Scene(world, ("romeo", "juliet"))
    romeo = fill(scene, 1)
    juliet = scene.login("juliet/b")
    for to in scene.binds["romeo"], "nobody@" + world.domain:
        assert trim(juliet, to=to) == "forbidden"
    assert len(mam.query(romeo).ids) == 1
    scene.end()


def test_unless_it_is_configured_nobody_can(scene):
    """§3.1"""
    scene.add_accounts("romeo", "juliet")
    romeo = fill(scene, 1)
    assert not says_so(romeo)
    assert trim(romeo) == "service-unavailable"
    assert trim(romeo, to=scene.binds["juliet"]) == "service-unavailable"
    assert len(mam.query(romeo).ids) == 1
