"""What was kept for who is away, and the archive: nobody sees it twice, and nobody
misses it (XEP-0313 §6.1.1)."""

import pytest

import mam
import scene as scenes
from test_archive import own_ids

pytestmark = pytest.mark.only("antiphon")


class Away:
    """juliet is; what romeo says to her, in order."""

    def __init__(self, scene):
        self.scene = scene
        scene.add_accounts("romeo", "juliet")
        scene.befriend("romeo", "juliet")
        self.romeo = scene.login("romeo/a")
        self.n = 0

    def say(self, n=1):
        for _ in range(n):
            self.n += 1
            self.romeo.send("<message to='%s' type='chat' id='m%d'><body>x</body>"
                            "</message>" % (self.scene.binds["juliet"], self.n))
        self.romeo.iq("set", scenes.BARRIER)
        for session in self.scene.live():
            if session is not self.romeo:
                self.scene.mark(self.romeo, session)

    def login(self, name="juliet/b"):
        """Behind all that was said."""
        client = self.scene.login(name)
        self.scene.mark(self.romeo, client)
        return client

    def comes(self, name="juliet/b"):
        """What she is given when she says that she is there, ids of the messages."""
        self.scene.present(name)
        client = self.scene[name]
        client.ping()
        # what was kept is written before anything that comes later
        self.scene.mark(self.romeo, client)
        return [e for e in client.inbox if e.is_("message")]


@pytest.fixture
def away(scene):
    return Away(scene)


def ids(messages):
    return [e.get("id") for e in messages]


@pytest.mark.parametrize("sm", (False, True))
def test_who_has_read_the_archive_is_not_given_it_again(away, sm):
    """Only what came since, with its id there; and it waits for nobody else."""
    away.say(3)
    juliet = away.login()
    if sm:
        juliet.send("<enable xmlns='urn:xmpp:sm:3'/>")
        juliet.take(lambda e: e.is_("enabled", "urn:xmpp:sm:3"), "enabled")
    page = mam.query(juliet)
    assert [m.get("id") for m in page.messages] == ["m1", "m2", "m3"]
    away.say(2)
    got = away.comes()
    assert ids(got) == ["m4", "m5"]
    page = mam.query(juliet, after=page.last)
    assert [own_ids(juliet, e)[0] for e in got] == page.ids
    juliet.close()
    if not sm: # else what it has not acknowledged waits for the next
        away.login("juliet/c")
        assert away.comes("juliet/c") == []


@pytest.mark.parametrize("what", [
    None, {"max": 0}, {"fields": {"with": "nobody@x.lit"}}, {"fields": {"ids": []}}])
def test_who_has_not_is_given_all_of_it(away, what):
    """A client that does not know archives, or asks for something else; each with its
    id there."""
    away.say(3)
    juliet = away.login()
    if what is not None:
        assert mam.query(juliet, **what).error is None
    got = away.comes()
    assert ids(got) == ["m1", "m2", "m3"]
    assert [own_ids(juliet, e)[0] for e in got] == mam.query(juliet).ids


def test_what_the_archive_does_not_have_is_given(away):
    """Whoever asks."""
    juliet = away.login()
    juliet.iq("set", "<prefs xmlns='%s' default='never'/>" % mam.MAM)
    away.say(2)
    juliet.iq("set", "<prefs xmlns='%s' default='always'/>" % mam.MAM)
    away.say(1)
    assert [m.get("id") for m in mam.query(juliet).messages] == ["m3"]
    assert ids(away.comes()) == ["m1", "m2"]


def test_one_who_has_not_read_it_gets_it_from_one_who_has(away):
    """It is for whoever comes first; reading alone takes nothing from others."""
    away.say(2)
    reader = away.login()
    mam.query(reader)
    away.login("juliet/old")
    assert ids(away.comes("juliet/old")) == ["m1", "m2"]
    assert ids(away.comes("juliet/b")) == []
