"""A Pidgin, which does not know archives (XEP-0313), at a server that keeps one: it is
shown what was said while it was away, once, and nothing that it has been shown.  What
is due is known by a message that comes behind it.

It does know stream management (XEP-0198).  So what it has not acknowledged when its
connection breaks comes again, as it must; three seconds after a message it is asked."""

import signal

import pytest

import scene as scenes
from finch import Finch, IS_THERE
from test_proxy65 import CLIENTS

pytestmark = [pytest.mark.only("antiphon"), IS_THERE]


class Talk:
    """What romeo says to juliet, and where she is as far as he knows."""

    def __init__(self, scene):
        self.scene = scene
        self.romeo = scene.online("romeo/a")

    def say(self, *texts):
        """When this returns, she has it or it is kept for her."""
        for text in texts:
            self.romeo.send("<message to='%s' type='chat'><body>%s</body></message>"
                            % (self.scene.binds["juliet"], text))
        self.romeo.iq("set", scenes.BARRIER)

    def await_acks(self, jid):
        """All that jid, which answers in order, was sent until now."""
        self.scene.server.advance(3)
        # a question that is on its way already is about less, and the next behind it
        for _ in range(2):
            self.romeo.iq("get", "<ping xmlns='urn:xmpp:ping'/>", to=jid)

    def hears(self, resource, kind=None):
        jid = "%s/%s" % (self.scene.binds["juliet"], resource)
        self.romeo.take(lambda e: e.is_("presence") and e.get("from") == jid and
                        e.get("type") == kind, "presence of " + jid)


@pytest.fixture
def talk(own_server):
    server = own_server({"auth": {"tls_required": "no"},
                         "listen": [dict(CLIENTS), dict(CLIENTS, tls="none")]})
    scene = scenes.Scene(server)
    scene.add_accounts("romeo", "juliet")
    scene.befriend("romeo", "juliet")
    yield Talk(scene)
    scene.end()
    server.check()


def bodies(client):
    return [e.child("body").text() for e in client.inbox
            if e.is_("message") and e.child("body") is not None]


def old_client(talk, name):
    """Another one like it, which only says that it is there."""
    client = talk.scene.online(name, settle=False)
    talk.hears(name.partition("/")[2])
    talk.scene.mark(talk.romeo, client)
    return client


def test_a_pidgin_is_shown_nothing_twice(talk, tmp_path):
    scene = talk.scene

    def finch_start():
        finch = Finch(str(tmp_path / "juliet"), scene.accounts["juliet"],
                      scene.server.port("none"))
        talk.hears("finch")
        return finch

    talk.say("1", "2")
    finch = finch_start()
    try:
        talk.say("3")
        finch.until(lambda: "3" in finch.shown())
        assert finch.shown() == ["1", "2", "3"]

        # another device gets what comes while it is there
        other = old_client(talk, "juliet/other")
        talk.say("4")
        scene.mark(talk.romeo, other)
        assert bodies(other) == ["4"]
        other.close()
        talk.hears("other", "unavailable")

        # it logs out, and in again
        finch.until(lambda: "4" in finch.shown())
        finch.logout()
        talk.hears("finch", "unavailable")
        talk.say("5")
        finch.login()
        talk.hears("finch")
        talk.say("6")
        finch.until(lambda: "6" in finch.shown())
        assert finch.shown() == ["1", "2", "3", "4", "5", "6"]

        # it is killed when it has acknowledged that, and started anew: what it shows now has come since
        talk.await_acks(scene.binds["juliet"] + "/finch")
        finch.end(signal.SIGKILL)
        talk.hears("finch", "unavailable")
        talk.say("7")
        finch = finch_start()
        talk.say("8")
        finch.until(lambda: "8" in finch.shown())
        assert finch.shown() == ["7", "8"]
        assert bodies(old_client(talk, "juliet/another")) == []
    finally:
        finch.end()


@pytest.mark.parametrize("end", ("close", "reset"))
def test_one_that_acknowledges_nothing_is_shown_nothing_twice(talk, end):
    """Older ones do not know stream management either."""
    talk.say("1", "2")
    old = old_client(talk, "juliet/old")
    talk.say("3")
    talk.scene.mark(talk.romeo, old)
    assert bodies(old) == ["1", "2", "3"]
    other = old_client(talk, "juliet/other")
    getattr(old, end)()
    talk.hears("old", "unavailable")
    talk.say("4")
    talk.scene.mark(talk.romeo, other)
    assert bodies(other) == ["4"]
    getattr(other, end)()
    talk.hears("other", "unavailable")
    talk.say("5")
    old = old_client(talk, "juliet/old")
    assert bodies(old) == ["5"]
