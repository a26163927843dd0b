"""The roster (RFC 6121 §2)."""

import pytest

from xmltree import CLIENT

pytestmark = pytest.mark.plain

NS = "jabber:iq:roster"


def item(xml, outer=""):
    return "<query xmlns='%s'%s>%s</query>" % (NS, outer, xml)


@pytest.fixture
def romeo(scene):
    scene.add_accounts("romeo", "juliet")
    return scene.online("romeo/a")


def pushed(scene, name, xml):
    scene.flush()
    return scene.expect_push(name, xml)


def test_empty_roster(scene, romeo):
    """RFC 6121 §2.2"""
    got = romeo.iq("get", item(""))
    assert got.child("query", NS).elems() == []


def test_add_change_remove(scene, romeo):
    """RFC 6121 §2.3, §2.4, §2.5: each with a push to every interested
    resource, and none to others."""
    other = scene.online("romeo/b")
    mute = scene.login("romeo/c") # never asked for the roster
    steps = (
        ("<item jid='n@x.test' name='Nurse'><group>Servants</group></item>",
         "<item jid='n@x.test' name='Nurse' subscription='none'>"
         "<group>Servants</group></item>"),
        ("<item jid='n@x.test' name='Angelica'><group>A &amp; B</group>"
         "<group>Zeta</group></item>",
         "<item jid='n@x.test' name='Angelica' subscription='none'>"
         "<group>A &amp; B</group><group>Zeta</group></item>"),
        ("<item jid='n@x.test'/>", "<item jid='n@x.test' "
         "subscription='none'/>"),
        ("<item jid='n@x.test' subscription='remove'/>",
         "<item jid='n@x.test' subscription='remove'/>"),
    )
    scene.settle()
    for sent, want in steps:
        got = romeo.iq("set", item(sent))
        assert got.get("type") == "result" and got.elems() == []
        for name in ("romeo/a", "romeo/b"):
            pushed(scene, name, want)
    mute.quiet()
    assert romeo.roster() == {} and other.roster() == {}


def test_what_the_client_may_not_set(scene, romeo):
    """RFC 6121 §2.1.2: subscription but for remove, ask and approved are
    ignored."""
    romeo.iq("set", item("<item jid='n@x.test' subscription='both' "
                         "ask='subscribe' approved='true'/>"))
    pushed(scene, "romeo/a", "<item jid='n@x.test' subscription='none'/>")
    assert romeo.roster()["n@x.test"].get("ask") is None


def test_a_change_keeps_the_subscription(scene, romeo):
    """RFC 6121 §2.4"""
    romeo.close()
    scene.befriend("romeo", "juliet")
    romeo = scene.online("romeo/a")
    romeo.iq("set", scene.fill(item("<item jid='{juliet}' name='J'/>")))
    pushed(scene, "romeo/a",
           "<item jid='{juliet}' name='J' subscription='both'/>")


BAD = {
    "no item": ("", "bad-request"),
    "two items": ("<item jid='a@x.test'/><item jid='b@x.test'/>",
                  "bad-request"),
    "no jid": ("<item name='x'/>", "bad-request"),
    "a jid that is none": ("<item jid='@@'/>", "bad-request|jid-malformed"),
    "a group twice": ("<item jid='a@x.test'><group>A</group><group>A</group>"
                      "</item>", "bad-request"),
    "an empty group": ("<item jid='a@x.test'><group/></item>",
                       "not-acceptable"),
    "a long group": ("<item jid='a@x.test'><group>%s</group></item>"
                     % ("g" * 5000), "not-acceptable"),
    "a long name": ("<item jid='a@x.test' name='%s'/>" % ("n" * 5000),
                    "not-acceptable"),
    "removal of what is not there": ("<item jid='a@x.test' "
                                     "subscription='remove'/>",
                                     "item-not-found"),
    "something alien": ("<foo/>", "bad-request"),
}


@pytest.mark.parametrize("case", BAD)
def test_refused(scene, romeo, case):
    """RFC 6121 §2.3.3, §2.5.3; hostile-13"""
    xml, conds = BAD[case]
    got = romeo.iq("set", item(xml))
    assert got.get("type") == "error", str(got)
    found = [e.name for e in got.child("error").elems() if e.name != "text"]
    assert found[0] in conds.split("|")
    assert romeo.roster() == {}
    romeo.quiet()


@pytest.mark.parametrize("kind", ["get", "set"])
def test_rosters_of_others(scene, romeo, kind):
    """RFC 6121 §2.1.5, §2.3.3: forbidden (or as if it were not there)."""
    inner = "<item jid='a@x.test'/>" if kind == "set" else ""
    got = romeo.iq(kind, item(inner), scene.binds["juliet"])
    assert got.find("error").elems()[0].name in ("forbidden",
                                                 "service-unavailable")


def test_own_bare_address_is_the_same(scene, romeo):
    romeo.iq("set", item("<item jid='a@x.test'/>"), scene.binds["romeo"])
    romeo.iq("get", item(""), scene.binds["romeo"])
    assert "a@x.test" in romeo.roster()


def test_addresses_are_prepared(scene, romeo):
    romeo.iq("set", item("<item jid='Nurse@X.Test'/>"))
    pushed(scene, "romeo/a", "<item jid='nurse@x.test' subscription='none'/>")


def test_items_survive_a_login(scene, romeo):
    for i in range(30):
        romeo.iq("set", item("<item jid='c%d@x.test' name='%d'/>" % (i, i)))
    romeo.close()
    again = scene.login("romeo/b")
    assert len(again.roster()) == 30


@pytest.mark.only("antiphon")
def test_size_is_limited(own_server):
    """limits: roster_items"""
    import scene as scenes
    scene = scenes.Scene(own_server({"limits": {"roster_items": "10"}}),
                         ("romeo",))
    c = scene.login("romeo/a")
    got = [c.iq("set", item("<item jid='c%d@x.test'/>" % i)).get("type")
           for i in range(11)]
    assert got == ["result"] * 10 + ["error"]
    assert len(c.roster()) == 10
    scene.end()


# --- versions (RFC 6121 §2.6) ------------------------------------------------

def ask(c, ver):
    return c.iq("get", item("", " ver='%s'" % ver))


def test_versioning_is_offered(romeo):
    assert romeo.features.child("ver", "urn:xmpp:features:rosterver") \
        is not None


def test_first_request_gets_all_and_a_version(romeo):
    """§2.6.2: an empty version is a request without a cache."""
    romeo.iq("set", item("<item jid='a@x.test'/>"))
    query = ask(romeo, "").child("query")
    assert query.get("ver") is not None
    assert [i.get("jid") for i in query.elems()] == ["a@x.test"]


def test_nothing_new_gets_an_empty_result(scene, romeo):
    """§2.6.3"""
    romeo.iq("set", item("<item jid='a@x.test'/>"))
    ver = ask(romeo, "").child("query").get("ver")
    romeo.close()
    again = scene.login("romeo/b")
    assert ask(again, ver).elems() == []
    again.quiet()


@pytest.mark.parametrize("strange", ["nonsense", "-1", "99999999999999999999",
                                     "\u00e9"])
def test_unknown_version_gets_all(scene, romeo, strange):
    romeo.iq("set", item("<item jid='a@x.test'/>"))
    got = ask(romeo, strange)
    assert [i.get("jid") for i in got.child("query").elems()] == ["a@x.test"]


def test_what_has_changed_since(scene, romeo):
    """§2.6.3: all of it, or pushes for what changed; a cache that follows is
    right in the end."""
    romeo.iq("set", item("<item jid='a@x.test'/>"))
    romeo.iq("set", item("<item jid='b@x.test'/>"))
    query = ask(romeo, "").child("query")
    ver, cache = query.get("ver"), {i.get("jid"): i.get("name")
                                    for i in query.elems()}
    romeo.iq("set", item("<item jid='a@x.test' subscription='remove'/>"))
    romeo.iq("set", item("<item jid='b@x.test' name='B'/>"))
    romeo.iq("set", item("<item jid='c@x.test'/>"))
    romeo.close()
    again = scene.login("romeo/b")
    got = ask(again, ver)
    if got.elems():
        cache = {i.get("jid"): i.get("name")
                 for i in got.child("query").elems()}
    again.ping()
    for push in again.inbox:
        i = push.find("query", "item")
        cache.pop(i.get("jid"), None)
        if i.get("subscription") != "remove":
            cache[i.get("jid")] = i.get("name")
        assert push.child("query").get("ver")
    assert cache == {"b@x.test": "B", "c@x.test": None}


def test_versions_of_pushes_differ(scene, romeo):
    """§2.6.1"""
    seen = set()
    for i in range(3):
        romeo.iq("set", item("<item jid='c%d@x.test'/>" % i))
        seen.add(pushed(scene, "romeo/a", "<item jid='c%d@x.test' "
                        "subscription='none'/>" % i))
    assert len(seen) == 3 and None not in seen
    assert romeo.iq("get", item("")).child("query", NS).ns != CLIENT
