"""What of an account is archived, as its owner wants it (XEP-0441)."""

import pytest

import mam
import scene as scenes
from test_archive import own_ids

pytestmark = pytest.mark.only("antiphon")


def prefs(scene, client, default, always=(), never=()):
    def jids(name, who):
        return "<%s>%s</%s>" % (name, "".join(
            "<jid>%s</jid>" % scene.fill(w) for w in who), name)
    got = client.iq("set", "<prefs xmlns='%s' default='%s'>%s%s</prefs>" % (
        mam.MAM, default, jids("always", always), jids("never", never)))
    assert got.get("type") == "result", got


# preferences of romeo, and with whom what is said is archived then
CASES = {
    "always": (("always",), "juliet/b juliet/c tybalt/d romeo/s"),
    "never": (("never",), ""),
    "roster": (("roster",), "juliet/b juliet/c romeo/s"),
    "always but one": (("always", (), ["{juliet}"]), "tybalt/d romeo/s"),
    "always but a resource": (("always", (), ["{juliet}/b"]),
                              "juliet/c tybalt/d romeo/s"),
    "never but one": (("never", ["{juliet}"]), "juliet/b juliet/c"),
    "never but a resource": (("never", ["{juliet}/c"]), "juliet/c"),
    "both": (("always", ["{juliet}"], ["{juliet}"]), "tybalt/d romeo/s"),
    "a resource of one who is not wanted": (
        ("roster", ["{tybalt}", "{juliet}/b"], ["{juliet}"]),
        "tybalt/d romeo/s"),
    "roster and a stranger": (("roster", ["{tybalt}"]),
                              "juliet/b juliet/c tybalt/d romeo/s"),
}
WHO = "juliet/b juliet/c tybalt/d romeo/s".split()


@pytest.fixture(scope="module")
def world(pool):
    server = pool.new()
    server.start()
    scene = scenes.Scene(server, ("romeo", "juliet", "tybalt"))
    scene.befriend("romeo", "juliet")
    for name in ["romeo/a"] + WHO:
        scene.online(name, settle=False)
    scene.settle()
    yield scene
    scene.end()
    server.stop()


@pytest.mark.parametrize("case", CASES)
def test_what_is_archived(world, case):
    """XEP-0441 §2.3: both ways; and who is shown an id, and who is not."""
    what, archived = CASES[case]
    romeo = world["romeo/a"]
    prefs(world, romeo, *what)
    last = mam.query(romeo, max=1, before="").last
    for who in WHO:
        other = world[who]
        romeo.send("<message to='%s' type='chat' id='to'><body>to %s</body>"
                   "</message>" % (other.jid, who))
        other.take(lambda e: e.get("id") == "to", "what romeo said")
        other.send("<message to='%s' type='chat' id='from'><body>from %s</body>"
                   "</message>" % (romeo.jid, who))
        got = romeo.take(lambda e: e.get("id") == "from", "what was said")
        assert len(own_ids(romeo, got)) == (who in archived.split())
    romeo.iq("set", scenes.BARRIER)
    page = mam.query(romeo, after=last)
    assert [m.child("body").text() for m in page.messages] == [
        "%s %s" % (way, who) for who in WHO if who in archived.split()
        for way in ("to", "from")]


def test_who_is_away_gets_what_is_not_archived(own_server):
    """And what was set once is set after a restart."""
    server = own_server()
    scene = scenes.Scene(server, ("romeo", "juliet"))
    juliet = scene.login("juliet/b")
    prefs(scene, juliet, "never")
    juliet.close()
    server.restart()
    romeo = scene.online("romeo/a")
    romeo.send("<message to='%s' type='chat' id='m'><body>x</body></message>"
               % scene.binds["juliet"])
    romeo.iq("set", scenes.BARRIER)
    juliet = scene.online("juliet/b", settle=False)
    got = juliet.take(lambda e: e.get("id") == "m", "what was kept")
    assert own_ids(juliet, got) == []
    assert got.child("delay") is not None
    assert mam.query(juliet).ids == []
    assert len(mam.query(romeo).ids) == 1
    scene.end()


def test_lists_have_an_end(world):
    client = world.login("tybalt/e")
    got = client.iq("set", "<prefs xmlns='%s' default='always'><never>%s</never>"
                    "</prefs>" % (mam.MAM, "".join(
                        "<jid>%d@x.lit</jid>" % i for i in range(1001))))
    assert mam.condition(got) == "bad-request"
    prefs(world, client, "always", (), ["%d@x.lit" % i for i in range(1000)])


@pytest.mark.parametrize("lists", (
    "<never>tybalt@x.lit</never>",
    "<never><jid>tybalt@x.lit</jid></never><never/>",
    "<always/><always><jid>tybalt@x.lit</jid></always>",
    "<never><item>tybalt@x.lit</item></never>",
    "<never><jid>tybalt@x.lit</jid>, <jid>paris@x.lit</jid></never>",
))
def test_what_is_no_list_clears_none(world, lists):
    """XEP-0441 §2.1: a list of <jid/>, once; what was set is not lost by a mistake."""
    client = world.login("tybalt/f")
    prefs(world, client, "roster", (), ["paris@x.lit"])
    got = client.iq("set", "<prefs xmlns='%s' default='always'>%s</prefs>" % (
        mam.MAM, lists))
    assert mam.condition(got) == "bad-request"
    got = client.iq("get", "<prefs xmlns='%s'/>" % mam.MAM)
    kept = got.child("prefs", mam.MAM)
    assert kept.get("default") == "roster"
    assert "paris@x.lit" in str(kept.child("never", mam.MAM))
    client.close()
