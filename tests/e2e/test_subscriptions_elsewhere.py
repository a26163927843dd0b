"""Subscriptions with a contact who is not on this server: a component plays the
other server, and does as a test says.

Every cell of RFC 6121 appendix A, here with what the server answers by itself when
one of the two sides has lost something (§3.1.3, 2; notes of §A.3), which between
two accounts of one server cannot happen.
"""

import pytest

from component import Component, conf
from scene import Scene
from test_subscriptions import (INBOUND, OUTBOUND, PATH, STATES, TYPES, shown)

NURSE = "nurse@irc.antiphon.test"
SEES = ("F", "FO", "B")

# §A.3: what is answered to subscribe and to unsubscribe; and who is here, for their
# server has not asked
REPLIES = {
    ("subscribe", "F"): ["subscribed", None],
    ("subscribe", "FO"): ["subscribed", None],
    ("subscribe", "B"): ["subscribed", None],
    ("unsubscribe", "NI"): ["unsubscribed"],
    ("unsubscribe", "NOI"): ["unsubscribed"],
    ("unsubscribe", "TI"): ["unsubscribed"],
    ("unsubscribe", "F"): ["unavailable", "unsubscribed"],
    ("unsubscribe", "FO"): ["unavailable", "unsubscribed"],
    ("unsubscribe", "B"): ["unavailable", "unsubscribed"],
}
# §3.2.2, §3.1.5: what goes along with what romeo sends
BESIDE = {
    "subscribed": lambda state: (["subscribed", None]
                                 if state in ("NI", "NOI", "TI")
                                 else ["subscribed"]),
    "unsubscribed": lambda state: (["unavailable", "unsubscribed"]
                                   if state in SEES else ["unsubscribed"]),
}


class Elsewhere:
    """romeo, online, and the server of nurse."""

    def __init__(self, server):
        self.scene = Scene(server, ["romeo"])
        self.romeo = self.scene.online("romeo/a")
        self.bare = self.scene.binds["romeo"]
        self.irc = Component(server, "irc").login()

    def settle(self):
        for _ in range(2):
            self.scene.flush()
            self.irc.ping()

    def send(self, sign, kind, more=""):
        if sign == ">":
            self.romeo.send("<presence to='%s' type='%s' %s/>"
                            % (NURSE, kind, more))
        else:
            self.irc.send("<presence from='%s' to='%s' type='%s' %s/>"
                          % (NURSE, self.bare, kind, more))
        self.settle()

    def bring(self, state):
        for step in PATH[state]:
            self.send(step[0], step[1:])
        self.forget()

    def forget(self):
        self.settle()
        self.romeo.inbox.clear()
        self.irc.inbox.clear()

    def shown(self):
        item = self.romeo.roster().get(NURSE)
        if item is None:
            return "none", False
        return item.get("subscription"), item.get("ask") == "subscribe"

    def told(self, who):
        """The presence that has come, of whatever type."""
        got = [e for e in who.inbox if e.is_("presence")]
        for e in got:
            assert e.get("to").partition("/")[0] == (
                NURSE if who is self.irc else self.bare)
            if e.get("type") in TYPES:
                assert e.get("from") == (
                    self.bare if who is self.irc else NURSE)
        return [e.get("type") for e in got]

    def close(self):
        self.scene.end()
        self.irc.close()


@pytest.fixture(scope="module")
def irc_server(pytestconfig):
    server = pytestconfig.pool.new(conf(irc={})).start()
    yield server
    server.stop()


@pytest.fixture
def elsewhere(irc_server):
    it = Elsewhere(irc_server)
    yield it
    it.close()


@pytest.mark.parametrize("kind", TYPES)
@pytest.mark.parametrize("state", STATES)
def test_what_a_contact_elsewhere_sends(elsewhere, state, kind):
    elsewhere.bring(state)
    assert elsewhere.shown() == shown(state)
    delivered, now = INBOUND[state][TYPES.index(kind)]
    elsewhere.send("<", kind)
    assert elsewhere.told(elsewhere.romeo) == [kind] * delivered
    assert elsewhere.told(elsewhere.irc) == REPLIES.get((kind, state), [])
    assert elsewhere.shown() == shown(now or state)


@pytest.mark.parametrize("kind", TYPES)
@pytest.mark.parametrize("state", STATES)
def test_what_is_sent_to_a_contact_elsewhere(elsewhere, state, kind):
    elsewhere.bring(state)
    routed, now = OUTBOUND[state][TYPES.index(kind)]
    elsewhere.send(">", kind)
    want = BESIDE.get(kind, lambda _: [kind])(state)
    assert elsewhere.told(elsewhere.irc) == (want if routed else [])
    assert elsewhere.told(elsewhere.romeo) == []
    assert elsewhere.shown() == shown(now or state)


@pytest.mark.parametrize("state", STATES)
def test_a_probe_from_elsewhere(elsewhere, state):
    """§4.3.2: who may not know ends his subscription; §4.3.2.1: by the id."""
    elsewhere.bring(state)
    elsewhere.send("<", "probe", "id='p1'")
    assert elsewhere.told(elsewhere.irc) == [
        None if state in SEES else "unsubscribed"]
    got = elsewhere.irc.inbox[-1]
    if state in SEES:
        assert got.get("from") == elsewhere.romeo.jid
    else:
        assert got.get("id") == "p1"
    assert elsewhere.shown() == shown(state)


def test_a_probe_of_one_who_is_away_has_its_id(elsewhere):
    elsewhere.bring("F")
    elsewhere.romeo.close()
    elsewhere.irc.expect("<presence type='unavailable' from='%s' to='%s'/>"
                         % (elsewhere.romeo.jid, NURSE))
    elsewhere.irc.send("<presence from='%s' to='%s' type='probe' id='p2'/>"
                       % (NURSE, elsewhere.bare))
    elsewhere.irc.expect(
        "<presence from='%s' to='%s' type='unavailable' id='p2'>"
        "<delay xmlns='urn:xmpp:delay' stamp='*'/></presence>"
        % (elsewhere.bare, NURSE))


def test_a_pre_approval_outlives_a_probe(elsewhere):
    elsewhere.send(">", "subscribed")
    elsewhere.forget()
    elsewhere.send("<", "probe")
    assert elsewhere.told(elsewhere.irc) == ["unsubscribed"]
    elsewhere.forget()
    elsewhere.send("<", "subscribe")
    assert elsewhere.told(elsewhere.irc) == ["subscribed", None]


@pytest.mark.parametrize("state", STATES)
def test_who_comes_asks_again_what_was_not_answered(elsewhere, state):
    """§3.1.2: the request may have been lost, or the answer; one resource is
    enough."""
    elsewhere.bring(state)
    scene, irc = elsewhere.scene, elsewhere.irc
    asks = "O" in state
    for resource, again in (("b", 0), ("c", 0)):
        scene.online("romeo/" + resource)
        elsewhere.settle()
        assert elsewhere.told(irc).count("subscribe") == again
    for session in scene.live():
        session.close()
    elsewhere.irc.ping()
    irc.inbox.clear()
    elsewhere.romeo = scene.online("romeo/a")
    elsewhere.settle()
    assert elsewhere.told(irc).count("subscribe") == asks
    for e in irc.inbox:
        if e.get("type") == "subscribe":
            assert e.get("id")


def test_probes_come_from_the_bare_address(elsewhere):
    """§4.3, and the answers are for all resources."""
    elsewhere.bring("T")
    elsewhere.scene.login("romeo/b").send("<presence/>")
    got = elsewhere.irc.take(lambda e: e.get("type") == "probe", "a probe")
    assert got.get("from") == elsewhere.bare
    assert got.get("to") == NURSE
    elsewhere.romeo.ping()
    elsewhere.scene["romeo/b"].ping()
    elsewhere.scene["romeo/b"].inbox.clear()
    elsewhere.romeo.inbox.clear()
    elsewhere.irc.send("<presence from='%s/hall' to='%s'/>"
                       % (NURSE, elsewhere.bare))
    for who in ("a", "b"):
        elsewhere.scene["romeo/" + who].expect(
            "<presence from='%s/hall' to='*'/>" % NURSE)
