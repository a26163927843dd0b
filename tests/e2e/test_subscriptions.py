"""Subscriptions: every cell of RFC 6121 appendix A that two accounts of one
server can reach, and pre-approval.

The model below is the appendix; a test brings romeo into a state toward juliet
(and so juliet into the mirrored one), sends one stanza, and compares both
rosters, what juliet was delivered, and what is pending, with the model.
"""

import pytest

pytestmark = pytest.mark.plain

STATES = ("N", "NO", "NI", "NOI", "T", "TI", "F", "FO", "B")
TYPES = ("subscribe", "unsubscribe", "subscribed", "unsubscribed")
BASE = {"N": "none", "T": "to", "F": "from", "B": "both"}

# A.2: (is it routed, the new state); None: the state stays
OUTBOUND = {
    "N": ((1, "NO"), (1, None), (0, None), (0, None)),
    "NO": ((1, None), (1, "N"), (0, None), (0, None)),
    "NI": ((1, "NOI"), (1, None), (1, "F"), (1, "N")),
    "NOI": ((1, None), (1, "NI"), (1, "FO"), (1, "NO")),
    "T": ((1, None), (1, "N"), (0, None), (0, None)),
    "TI": ((1, None), (1, "NI"), (1, "B"), (1, "T")),
    "F": ((1, "FO"), (1, None), (0, None), (1, "N")),
    "FO": ((1, None), (1, "F"), (0, None), (1, "NO")),
    "B": ((1, None), (1, "F"), (0, None), (1, "T")),
}

# A.3: (is it delivered, the new state)
INBOUND = {
    "N": ((1, "NI"), (0, None), (0, None), (0, None)),
    "NO": ((1, "NOI"), (0, None), (1, "T"), (1, "N")),
    "NI": ((0, None), (1, "N"), (0, None), (0, None)),
    "NOI": ((0, None), (1, "NO"), (1, "TI"), (1, "NI")),
    "T": ((1, "TI"), (0, None), (0, None), (1, "N")),
    "TI": ((0, None), (1, "T"), (0, None), (1, "NI")),
    "F": ((0, None), (1, "N"), (0, None), (0, None)),
    "FO": ((0, None), (1, "NO"), (1, "B"), (1, "F")),
    "B": ((0, None), (1, "T"), (0, None), (1, "F")),
}

MIRROR = {"N": "N", "NO": "NI", "NI": "NO", "NOI": "NOI", "T": "F",
          "TI": "FO", "F": "T", "FO": "TI", "B": "B"}

# how romeo (>) and juliet (<) get there
PATH = {
    "N": (), "NO": (">subscribe",), "NI": ("<subscribe",),
    "NOI": (">subscribe", "<subscribe"),
    "T": (">subscribe", "<subscribed"),
    "TI": (">subscribe", "<subscribed", "<subscribe"),
    "F": ("<subscribe", ">subscribed"),
    "FO": ("<subscribe", ">subscribed", ">subscribe"),
    "B": (">subscribe", "<subscribed", "<subscribe", ">subscribed"),
}


def send(scene, sign, kind):
    who, whom = ("romeo", "juliet") if sign == ">" else ("juliet", "romeo")
    scene.send(who + "/a", "<presence to='{%s}' type='%s'/>" % (whom, kind))
    scene.flush()


def forget(scene):
    for s in scene.live():
        s.inbox.clear()


@pytest.fixture
def pair(scene):
    """romeo and juliet, online, knowing nothing of each other."""
    scene.add_accounts("romeo", "juliet")
    scene.online("romeo/a")
    scene.online("juliet/a")
    return scene


def bring(scene, state):
    for step in PATH[state]:
        send(scene, step[0], step[1:])
    forget(scene)


def visible(scene, who, whom):
    """(subscription, asks) of the roster item; none and False without one."""
    item = scene[who + "/a"].roster().get(scene.binds[whom])
    if item is None:
        return "none", False
    return item.get("subscription", "none"), item.get("ask") == "subscribe"


def pending(scene, who, whom):
    """Is a request waiting?  A resource that becomes available is told
    (RFC 6121 §3.1.3)."""
    s = scene.online(who + "/probe")
    scene.flush()
    found = [e for e in s.inbox if e.get("type") == "subscribe"]
    s.close()
    assert all(e.get("from") == scene.binds[whom] for e in found)
    assert len(found) < 2
    return bool(found)


def shown(state):
    return BASE[state[0]], "O" in state


@pytest.mark.parametrize("kind", TYPES)
@pytest.mark.parametrize("state", STATES)
def test_appendix_a(pair, state, kind):
    bring(pair, state)
    assert visible(pair, "romeo", "juliet") == shown(state)
    assert visible(pair, "juliet", "romeo") == shown(MIRROR[state])
    send(pair, ">", kind)

    n = TYPES.index(kind)
    routed, mine = OUTBOUND[state][n]
    delivered, hers = INBOUND[MIRROR[state]][n] if routed else (0, None)
    mine, hers = mine or state, hers or MIRROR[state]
    assert visible(pair, "romeo", "juliet") == shown(mine)
    assert visible(pair, "juliet", "romeo") == shown(hers)
    got = [e for e in pair["juliet/a"].inbox if e.is_("presence") and
           e.get("type") in TYPES]
    assert [e.get("type") for e in got] == [kind] * delivered
    for e in got:
        assert e.get("from") == pair.binds["romeo"] # RFC 6121 §3.1.2
        assert e.get("to").partition("/")[0] == pair.binds["juliet"]
    assert [e for e in pair["romeo/a"].inbox if e.get("type") in TYPES] == []
    assert pending(pair, "juliet", "romeo") == ("I" in hers)
    assert pending(pair, "romeo", "juliet") == ("I" in mine)


@pytest.mark.parametrize("kind", TYPES)
@pytest.mark.parametrize("state", STATES)
def test_pushes(pair, state, kind):
    """RFC 6121 §2.1.6: there is a push if the item changed, and the last one
    shows it as it is."""
    bring(pair, state)
    before = {w: items(pair, w) for w in ("romeo", "juliet")}
    forget(pair)
    send(pair, ">", kind)
    for who in ("romeo", "juliet"):
        pushes = [e.find("query", "item") for e in pair[who + "/a"].inbox
                  if e.is_("iq") and e.get("type") == "set"]
        after = items(pair, who)
        # one that tells nothing new does no harm (RFC 6121 §3.1.2)
        assert before[who] == after or pushes
        if pushes and after:
            assert [str(pushes[-1])] == after


def items(scene, who):
    return [str(i) for i in scene[who + "/a"].roster().values()]


PRESENCE = {
    # state, who sends, what: who then sees (romeo's, juliet's) presence
    ("NI", ">", "subscribed"): ("juliet", "available"),
    ("TI", ">", "subscribed"): ("juliet", "available"),
    ("NO", "<", "subscribed"): ("romeo", "available"),
    ("F", ">", "unsubscribed"): ("juliet", "unavailable"),
    ("B", ">", "unsubscribed"): ("juliet", "unavailable"),
    ("T", ">", "unsubscribe"): ("romeo", "unavailable"),
    ("B", ">", "unsubscribe"): ("romeo", "unavailable"),
}


@pytest.mark.parametrize("state, sign, kind", PRESENCE)
def test_presence_follows_the_subscription(pair, state, sign, kind):
    """RFC 6121 §3.1.5, §3.2.2, §3.3.3"""
    watcher, what = PRESENCE[state, sign, kind]
    other = "juliet" if watcher == "romeo" else "romeo"
    bring(pair, state)
    send(pair, sign, kind)
    got = [e for e in pair[watcher + "/a"].inbox if e.is_("presence") and
           e.get("type") in (None, "unavailable")]
    assert got, "nothing"
    assert (got[-1].get("type") or "available") == what
    assert got[-1].get("from") == pair.full(other, "a")


def test_a_request_waits_for_one_who_is_away(scene):
    """RFC 6121 §3.1.3: and is delivered at each login until it is answered."""
    scene.add_accounts("romeo", "juliet")
    scene.online("romeo/a")
    scene.send("romeo/a", "<presence to='{juliet}' type='subscribe' id='x'>"
               "<status>I am Romeo</status></presence>")
    scene.flush()
    for _ in range(2):
        scene.online("juliet/a")
        scene.expect("juliet/a", "<presence from='{romeo}' type='subscribe'>"
                     "<status>I am Romeo</status></presence>")
        scene["juliet/a"].close()
    scene.online("juliet/a")
    scene["juliet/a"].inbox.clear()
    scene.send("juliet/a", "<presence to='{romeo}' type='unsubscribed'/>")
    scene.flush()
    assert not pending(scene, "juliet", "romeo")


def test_a_request_is_kept_once(scene):
    """hostile-16"""
    scene.add_accounts("romeo", "juliet")
    romeo = scene.online("romeo/a")
    for _ in range(20):
        scene.send("romeo/a", "<presence to='{juliet}' type='subscribe'/>")
    romeo.ping()
    assert pending(scene, "juliet", "romeo") # at most one: see there


def test_a_request_does_not_make_an_item(pair):
    """RFC 6121 §3.1.3: not before it is approved."""
    send(pair, "<", "subscribe")
    assert pair["romeo/a"].roster() == {}
    assert [e for e in pair["romeo/a"].inbox if e.is_("iq")] == []


def test_a_request_to_a_full_address_is_for_the_account(pair):
    """RFC 6121 §3.1.2"""
    pair.send("romeo/a", "<presence to='{juliet/a}' type='subscribe'/>")
    pair.flush()
    pair.expect("juliet/a", "<presence from='{romeo}' to='{juliet}' "
                "type='subscribe'/>")


# --- pre-approval (RFC 6121 §3.4) --------------------------------------------

def test_pre_approval_is_offered(pair):
    features = pair["romeo/a"].features
    assert features.child("sub", "urn:xmpp:features:pre-approval") is not None


@pytest.mark.parametrize("state", ["N", "NO", "T"])
def test_pre_approval(pair, state):
    """A.2.3: kept, pushed with approved, and applied when the request comes,
    which nobody is asked about."""
    bring(pair, state)
    send(pair, ">", "subscribed")
    assert pair["juliet/a"].inbox == []
    item = pair["romeo/a"].roster()[pair.binds["juliet"]]
    assert item.get("approved") == "true"
    forget(pair)
    send(pair, "<", "subscribe")
    assert [e for e in pair["romeo/a"].inbox
            if e.get("type") == "subscribe"] == []
    assert [e.get("from") for e in pair["juliet/a"].inbox
            if e.get("type") == "subscribed"] == [pair.binds["romeo"]]
    want = {"N": ("from", False), "NO": ("from", True), "T": ("both", False)}
    assert visible(pair, "romeo", "juliet") == want[state]
    assert visible(pair, "juliet", "romeo")[0] in ("to", "both")


def test_pre_approval_is_cancelled(pair):
    """RFC 6121 §3.4.2"""
    send(pair, ">", "subscribed")
    send(pair, ">", "unsubscribed")
    item = pair["romeo/a"].roster().get(pair.binds["juliet"])
    assert item is None or item.get("approved") != "true"
    forget(pair)
    send(pair, "<", "subscribe")
    assert [e.get("from") for e in pair["romeo/a"].inbox
            if e.get("type") == "subscribe"] == [pair.binds["juliet"]]


def test_pre_approval_works_for_one_who_is_away(pair):
    send(pair, ">", "subscribed")
    pair["romeo/a"].close()
    send(pair, "<", "subscribe")
    pair["juliet/a"].take(lambda e: e.get("type") == "subscribed", "an answer")
    assert visible(pair, "juliet", "romeo") == ("to", False)


# --- roster removal ----------------------------------------------------------

@pytest.mark.parametrize("state", [s for s in STATES if s not in ("N", "NI")])
def test_removal_ends_subscriptions(pair, state):
    """RFC 6121 §2.5.3"""
    bring(pair, state)
    pair["romeo/a"].iq("set", pair.fill(
        "<query xmlns='jabber:iq:roster'><item jid='{juliet}' "
        "subscription='remove'/></query>"))
    pair.flush()
    assert pair.binds["juliet"] not in pair["romeo/a"].roster()
    assert visible(pair, "juliet", "romeo")[0] == "none"
    got = {e.get("type") for e in pair["juliet/a"].inbox
           if e.get("type") in TYPES}
    if "I" not in state: # refusing a request, too, is customary
        assert ("unsubscribed" in got) == (state[0] in "FB")
    assert ("unsubscribe" in got) == (state[0] in "TB" or "O" in state)
