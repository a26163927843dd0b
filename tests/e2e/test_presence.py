"""Presence (RFC 6121 §4)."""

import pytest

import scene as scenes

pytestmark = pytest.mark.plain


@pytest.fixture
def pair(scene):
    scene.add_accounts("romeo", "juliet")
    scene.befriend("romeo", "juliet")
    scene.online("juliet/j")
    return scene


def presences(scene, name):
    scene.flush()
    got = [e for e in scene[name].inbox if e.is_("presence")]
    scene[name].inbox.clear()
    return got


@pytest.mark.parametrize("priority, good", [
    ("0", 1), ("127", 1), ("-128", 1), ("5", 1), ("128", 0), ("-129", 0),
    ("x", 0), ("", 0), ("1.5", 0), ("99999999999999999999", 0),
])
def test_priority(pair, priority, good):
    """RFC 6121 §4.7.2.3: an integer from -128 to 127."""
    romeo = pair.login("romeo/r")
    romeo.send("<presence id='p'><priority>%s</priority></presence>"
               % priority)
    got = romeo.take(lambda e: e.get("id") == "p" or e.is_("presence"),
                     "presence or an error")
    if good:
        assert got.get("type") is None
        assert got.child("priority").text() == priority
    else:
        assert got.find("error", "bad-request") is not None
        pair.quiet("juliet/j")


@pytest.mark.parametrize("show", ["away", "chat", "dnd", "xa"])
def test_show_passes(pair, show):
    """RFC 6121 §4.7.2.1"""
    romeo = pair.online("romeo/r")
    romeo.send("<presence><show>%s</show></presence>" % show)
    assert presences(pair, "juliet/j")[-1].child("show").text() == show


def test_extensions_pass(pair):
    pair.online("romeo/r")
    xml = ("<presence><status xml:lang='de'>Hallo</status><status>Hi</status>"
           "<x xmlns='vcard-temp:x:update'><photo/></x></presence>")
    pair.send("romeo/r", xml)
    pair.flush()
    pair.expect("juliet/j", xml.replace("<presence>", "<presence "
                                        "from='{romeo/r}'>"))
    pair["romeo/r"].inbox.clear()


def test_none_before_the_initial_presence(pair):
    """RFC 6121 §4.2: a resource that is only connected is not shown, and does
    not get any."""
    pair.login("romeo/r")
    pair.send("juliet/j", "<presence><show>away</show></presence>")
    assert presences(pair, "romeo/r") == []
    presences(pair, "juliet/j")
    pair["romeo/r"].close()
    assert presences(pair, "juliet/j") == []


def test_contacts_of_one_way_subscriptions(scene):
    """RFC 6121 §4.2.2, §4.2.3: presence goes to from, and comes from to."""
    scene.add_accounts("romeo", "watcher", "watched")
    scene.subscribe("watcher", "romeo")
    scene.subscribe("romeo", "watched")
    scene.online("watcher/w")
    scene.online("watched/w")
    romeo = scene.login("romeo/r")
    romeo.send("<presence/>")
    got = presences(scene, "romeo/r")
    assert sorted(e.get("from") for e in got) == sorted(
        (scene.full("romeo", "r"), scene.full("watched", "w")))
    assert len(presences(scene, "watcher/w")) == 1
    assert presences(scene, "watched/w") == []


def test_all_resources_of_a_contact(pair):
    """RFC 6121 §4.3.2: each with its last full presence."""
    pair.online("juliet/k", -3)
    pair.send("juliet/k", "<presence><show>xa</show><priority>-3</priority>"
              "</presence>")
    pair.settle()
    romeo = pair.login("romeo/r")
    romeo.send("<presence/>")
    got = {e.get("from"): e for e in presences(pair, "romeo/r")}
    assert set(got) == {pair.full("romeo", "r"), pair.full("juliet", "j"),
                        pair.full("juliet", "k")}
    assert got[pair.full("juliet", "k")].child("show").text() == "xa"


def test_own_resources(scene):
    """RFC 6121 §4.2.2, §4.3.2"""
    scene.add_accounts("romeo")
    scene.online("romeo/a")
    b = scene.login("romeo/b")
    b.send("<presence><show>dnd</show></presence>")
    scene.flush()
    assert {e.get("from") for e in presences(scene, "romeo/b")} == {
        scene.full("romeo", "a"), scene.full("romeo", "b")}
    assert [e.get("from") for e in presences(scene, "romeo/a")] == [
        scene.full("romeo", "b")]
    b.close()
    got = presences(scene, "romeo/a")
    assert [e.get("type") for e in got] == ["unavailable"]


@pytest.mark.parametrize("how", ["close", "reset", "drop"])
def test_the_end_of_a_stream(pair, how):
    """RFC 6121 §4.5.2: once, however it ends."""
    romeo = pair.online("romeo/r")
    jid = romeo.jid
    getattr(romeo, how)()
    got = pair["juliet/j"].take(lambda e: e.get("type") == "unavailable",
                                "unavailable presence")
    assert got.get("from") == jid
    pair.quiet("juliet/j")


def test_unavailable_and_then_the_end(pair):
    """Only one of them tells."""
    romeo = pair.online("romeo/r")
    romeo.send("<presence type='unavailable'/>")
    assert len(presences(pair, "juliet/j")) == 1
    romeo.close()
    assert presences(pair, "juliet/j") == []


def test_back_after_unavailable(pair):
    """RFC 6121 §4.5: initial presence again, probes included."""
    romeo = pair.online("romeo/r")
    romeo.send("<presence type='unavailable'/>")
    presences(pair, "romeo/r")
    presences(pair, "juliet/j")
    romeo.send("<presence/>")
    assert {e.get("from") for e in presences(pair, "romeo/r")} == {
        pair.full("romeo", "r"), pair.full("juliet", "j")}
    assert len(presences(pair, "juliet/j")) == 1


# --- probes (§4.3) -----------------------------------------------------------

def test_probe_by_a_subscriber(pair):
    romeo = pair.online("romeo/r")
    for to in ("{juliet}", "{juliet/j}"):
        pair.send("romeo/r", "<presence type='probe' to='%s'/>" % to)
        got = presences(pair, "romeo/r")
        assert [e.get("from") for e in got] == [pair.full("juliet", "j")]
    assert romeo.inbox == []


def test_probe_of_one_who_is_away(pair):
    """§4.3.2, 2: unavailable from the bare address, or silence."""
    pair.online("romeo/r")
    pair["juliet/j"].close()
    presences(pair, "romeo/r")
    pair.send("romeo/r", "<presence type='probe' to='{juliet}'/>")
    got = presences(pair, "romeo/r")
    assert [e.get("type") for e in got] in ([], ["unavailable"])
    assert all(e.get("from") == pair.binds["juliet"] for e in got)


@pytest.mark.parametrize("to", ["{juliet}", "{juliet}/j", "nobody@{HOST}"])
def test_probe_by_a_stranger(scene, to):
    """§4.3.2, 1: unsubscribed, or silence; the same whether or not there is
    such an account, and never presence (hostile-53)."""
    scene.add_accounts("romeo", "juliet")
    scene.online("juliet/j")
    scene.online("romeo/r")
    scene.send("romeo/r", "<presence type='probe' to='%s'/>" % to)
    got = presences(scene, "romeo/r")
    assert [e.get("type") for e in got] in ([], ["unsubscribed"])
    scene.quiet("juliet/j")


# --- directed presence (§4.6) ------------------------------------------------

def test_directed_presence_to_a_contact_is_not_told_twice(pair):
    romeo = pair.online("romeo/r")
    pair.send("romeo/r", "<presence to='{juliet}'/>")
    assert len(presences(pair, "juliet/j")) == 1
    romeo.send("<presence type='unavailable'/>")
    assert len(presences(pair, "juliet/j")) == 1


def test_directed_unavailable(scene):
    """§4.6.3: whoever was told that one is gone is not told again."""
    scene.add_accounts("romeo", "nurse")
    scene.online("nurse/n")
    romeo = scene.online("romeo/r")
    scene.send("romeo/r", "<presence to='{nurse/n}'/>")
    assert len(presences(scene, "nurse/n")) == 1
    scene.send("romeo/r", "<presence to='{nurse/n}' type='unavailable'/>")
    assert len(presences(scene, "nurse/n")) == 1
    romeo.close()
    assert presences(scene, "nurse/n") == []


def test_directed_presence_without_being_available(scene):
    """§4.6.2: allowed; the end of the stream still tells."""
    scene.add_accounts("romeo", "nurse")
    scene.online("nurse/n")
    romeo = scene.login("romeo/r")
    scene.send("romeo/r", "<presence to='{nurse}'/>")
    assert len(presences(scene, "nurse/n")) == 1
    romeo.close()
    scene["nurse/n"].take(lambda e: e.get("type") == "unavailable",
                          "unavailable")


@pytest.mark.only("antiphon")
def test_directed_presences_are_limited(own_server):
    """limits: directed_presences"""
    scene = scenes.Scene(own_server({"limits": {"directed_presences": "10"}}),
                         ("romeo",))
    romeo = scene.online("romeo/r")
    for i in range(11):
        scene.send("romeo/r", "<presence to='n%d@{HOST}' id='%d'/>" % (i, i))
    romeo.ping()
    refused = [e for e in romeo.inbox if e.get("type") == "error"]
    assert [e.get("id") for e in refused] == ["10"]
    scene.end()
