"""The small protocols: what each answers, to whom, and what it refuses."""

import base64
import datetime
import hashlib
import re

import pytest

from client import Client

DISCO = "http://jabber.org/protocol/disco#info"
ITEMS = "http://jabber.org/protocol/disco#items"
CAPS = "http://jabber.org/protocol/caps"
CONTACT = "http://jabber.org/network/serverinfo"
FORM = "jabber:x:data"


@pytest.fixture
def romeo(scene):
    scene.add_accounts("romeo", "juliet")
    return scene.online("romeo/a")


def error(got):
    assert got.get("type") == "error", str(got)
    return [e.name for e in got.child("error").elems() if e.name != "text"][0]


def ok(got):
    assert got.get("type") == "result", str(got)
    return got


# --- XEP-0199 ping -----------------------------------------------------------

@pytest.mark.parametrize("to", [None, "{HOST}", "{romeo}"])
def test_ping(scene, romeo, to):
    got = ok(romeo.iq("get", "<ping xmlns='urn:xmpp:ping'/>",
                      to and scene.fill(to)))
    assert got.elems() == []


def test_ping_through(scene, romeo):
    """XEP-0199 §4.3: client to client is the client's to answer."""
    romeo.close()
    scene.subscribe("romeo", "juliet")
    scene.online("romeo/a")
    scene.online("juliet/j")
    scene.settle()
    scene.send("romeo/a", "<iq type='get' id='p' to='{juliet/j}'>"
               "<ping xmlns='urn:xmpp:ping'/></iq>")
    scene.expect("juliet/j", "<iq type='get' id='p' from='{romeo/a}'>"
                 "<ping xmlns='urn:xmpp:ping'/></iq>")


@pytest.mark.only("antiphon")
def test_a_silent_client_is_pinged_and_then_given_up(own_server):
    """limits: idle_before_ping, ping_timeout; RFC 6120 §4.6"""
    import scene as scenes
    server = own_server({"limits": {"idle_before_ping": "60s",
                                    "ping_timeout": "30s"}})
    scene = scenes.Scene(server, ("romeo", "juliet"))
    scene.befriend("romeo", "juliet")
    juliet = scene.online("juliet/j")
    romeo = scene.online("romeo/r")
    server.advance(61)
    for c in (juliet, romeo):
        got = c.take(lambda e: e.child("ping") is not None, "a ping")
        c.id_ = got.get("id")
    juliet.send("<iq type='result' id='%s' to='%s'/>"
                % (juliet.id_, server.domain))
    juliet.ping()
    server.advance(31)
    romeo.expect_error("connection-timeout")
    juliet.take(lambda e: e.get("type") == "unavailable", "unavailable")
    juliet.ping()
    scene.end()


# --- XEP-0030, XEP-0115, XEP-0157 --------------------------------------------

FEATURES = {
    DISCO, ITEMS, CAPS, "urn:xmpp:ping", "jabber:iq:version",
    "jabber:iq:last", "urn:xmpp:time", "vcard-temp", "jabber:iq:private",
    "msgoffline",
}


def info(c, to, node=None):
    at = " node='%s'" % node if node else ""
    return c.iq("get", "<query xmlns='%s'%s/>" % (DISCO, at), to)


def features(got):
    return {f.get("var") for f in got.child("query").elems()
            if f.name == "feature"}


def test_server_info(scene, romeo):
    got = ok(info(romeo, scene.server.domain))
    if scene.server.kind == "antiphon":
        assert FEATURES <= features(got)
    identities = [(i.get("category"), i.get("type"))
                  for i in got.child("query").elems() if i.name == "identity"]
    assert ("server", "im") in identities


@pytest.mark.only("antiphon")
def test_nothing_is_claimed_that_is_not_there(scene, romeo):
    """Each feature that is an iq of its own namespace is answered."""
    got = features(ok(info(romeo, scene.server.domain)))
    for ns, name in (("urn:xmpp:ping", "ping"), ("urn:xmpp:time", "time"),
                     ("jabber:iq:version", "query"),
                     ("jabber:iq:last", "query")):
        assert ns in got
        ok(romeo.iq("get", "<%s xmlns='%s'/>" % (name, ns),
                    scene.server.domain))
    assert "jabber:iq:register" not in got or ok(
        romeo.iq("get", "<query xmlns='jabber:iq:register'/>"))


def test_server_items(scene, romeo):
    ok(romeo.iq("get", "<query xmlns='%s'/>" % ITEMS, scene.server.domain))


def test_unknown_node(scene, romeo):
    """XEP-0030 §3.2"""
    assert error(info(romeo, scene.server.domain, "nonsense")) == \
        "item-not-found"


def test_account_info_for_the_owner(scene, romeo):
    for to in (None, scene.binds["romeo"]):
        got = ok(info(romeo, to))
        identities = [(i.get("category"), i.get("type"))
                      for i in got.child("query").elems()
                      if i.name == "identity"]
        assert ("account", "registered") in identities


@pytest.mark.only("antiphon")
def test_admins_are_shown_as_such_at_their_own_host(own_server):
    """hosts: admins; hostile-30: by the whole address, not its local part."""
    server = own_server({"hosts": {"antiphon.test": {
        "admins": ["romeo@antiphon.test"]}}})
    for domain, type_ in ((server.domain, "admin"),
                          (server.other_domain, "registered")):
        server.adduser("romeo", "secret-one", domain)
        c = Client(server, domain=domain).login("romeo", "secret-one")
        identities = [(i.get("category"), i.get("type"))
                      for i in ok(info(c, None)).child("query").elems()
                      if i.name == "identity"]
        assert ("account", type_) in identities


def test_account_items_are_for_those_who_may_know(scene, romeo):
    """XEP-0030 §8: resources are presence."""
    got = romeo.iq("get", "<query xmlns='%s'/>" % ITEMS,
                   scene.binds["juliet"])
    assert ok(got).child("query").elems() == []
    assert error(info(romeo, scene.binds["juliet"])) == "service-unavailable"


def test_account_info_for_a_subscriber(scene, romeo):
    romeo.close()
    scene.subscribe("romeo", "juliet")
    romeo = scene.online("romeo/a")
    ok(info(romeo, scene.binds["juliet"]))


def caps_string(query):
    """XEP-0115 §5.1"""
    parts = sorted("%s/%s/%s/%s" % (
        i.get("category"), i.get("type"),
        i.get("http://www.w3.org/XML/1998/namespace lang", ""),
        i.get("name", "")) for i in query.elems() if i.name == "identity")
    parts += sorted(f.get("var") for f in query.elems() if f.name == "feature")
    forms = {}
    for x in query.elems():
        if x.name != "x":
            continue
        values = {f.get("var"): sorted(v.text() for v in f.elems()
                                       if v.name == "value")
                  for f in x.elems() if f.name == "field"}
        forms[values.pop("FORM_TYPE")[0]] = values
    for form_type in sorted(forms):
        parts.append(form_type)
        for var in sorted(forms[form_type]):
            parts += [var] + forms[form_type][var]
    return "".join(p + "<" for p in parts)


@pytest.mark.only("antiphon")
def test_caps_of_the_server(scene, romeo):
    """XEP-0115 §6.3: in the stream features; the hash is that of what disco
    says, and the node answers the same."""
    c = romeo.features.child("c", CAPS)
    assert c.get("hash") == "sha-1"
    plain = ok(info(romeo, scene.server.domain)).child("query")
    node = "%s#%s" % (c.get("node"), c.get("ver"))
    noded = ok(info(romeo, scene.server.domain, node)).child("query")
    assert noded.get("node") == node
    assert caps_string(plain) == caps_string(noded)
    digest = hashlib.sha1(caps_string(plain).encode()).digest()
    assert base64.b64encode(digest).decode() == c.get("ver")


@pytest.mark.only("antiphon")
def test_features_are_sorted_and_each_once(scene, romeo):
    for to in (scene.server.domain, scene.binds["romeo"]):
        got = ok(info(romeo, to)).child("query").elems()
        found = [f.get("var") for f in got if f.name == "feature"]
        assert found == sorted(set(found)) and found


@pytest.mark.only("antiphon")
def test_caps_follow_the_modules(own_server):
    """The summary in the features is that of the modules in force now."""
    import scene as scenes
    from client import Client
    server = own_server()
    scene = scenes.Scene(server, ("romeo",))
    romeo = scene.online("romeo/a")
    before = romeo.features.child("c", CAPS)
    assert before.get("ver") == Client(server).secure().features.child(
        "c", CAPS).get("ver")
    server.ctl("modules", "unload", "time")
    now = Client(server).secure().features.child("c", CAPS)
    assert now.get("ver") != before.get("ver")
    query = ok(info(romeo, server.domain)).child("query")
    assert "urn:xmpp:time" not in features(ok(info(romeo, server.domain)))
    digest = hashlib.sha1(caps_string(query).encode()).digest()
    assert base64.b64encode(digest).decode() == now.get("ver")
    old = "%s#%s" % (before.get("node"), before.get("ver"))
    assert error(info(romeo, server.domain, old)) == "item-not-found"
    server.ctl("modules", "load", "time")
    again = Client(server).secure().features.child("c", CAPS)
    assert again.get("ver") == before.get("ver")
    scene.end()


def test_resources_are_items_of_an_account(scene, romeo):
    """XEP-0030 §4.1: for those who see them, available ones only."""
    romeo.close()
    scene.subscribe("romeo", "juliet")
    romeo = scene.online("romeo/a")
    scene.online("juliet/balcony")
    scene.login("juliet/hidden")
    got = ok(romeo.iq("get", "<query xmlns='%s'/>" % ITEMS,
                      scene.binds["juliet"])).child("query")
    assert [i.get("jid") for i in got.elems()] == [
        scene["juliet/balcony"].jid]


@pytest.mark.only("antiphon")
def test_contact_addresses(own_server):
    """XEP-0157"""
    import scene as scenes
    server = own_server({"modules": {"contact": {
        "abuse": ["mailto:abuse@antiphon.test", "xmpp:abuse@antiphon.test"],
        "admin": ["mailto:admin@antiphon.test"]}}})
    scene = scenes.Scene(server, ("romeo",))
    got = ok(info(scene.online("romeo/a"), server.domain)).child("query")
    form = got.child("x", FORM)
    assert form.get("type") == "result"
    fields = {f.get("var"): [v.text() for v in f.elems()]
              for f in form.elems()}
    assert fields["FORM_TYPE"] == [CONTACT]
    assert sorted(fields["abuse-addresses"]) == [
        "mailto:abuse@antiphon.test", "xmpp:abuse@antiphon.test"]
    assert fields["admin-addresses"] == ["mailto:admin@antiphon.test"]
    assert "sales-addresses" not in fields
    scene.end()


# --- XEP-0012, XEP-0092, XEP-0202 --------------------------------------------

LAST = "<query xmlns='jabber:iq:last'/>"


def test_uptime(scene, romeo):
    """XEP-0012 §5"""
    got = ok(romeo.iq("get", LAST, scene.server.domain))
    assert int(got.child("query").get("seconds")) >= 0


def test_last_activity(scene, romeo):
    """XEP-0012 §3, §4: for subscribers; 0 while a resource is there, the
    status of the last presence afterwards."""
    romeo.close()
    scene.subscribe("romeo", "juliet")
    romeo = scene.online("romeo/a")
    juliet = scene.online("juliet/j")
    scene.settle()
    got = ok(romeo.iq("get", LAST, scene.binds["juliet"]))
    assert got.child("query").get("seconds") == "0"
    juliet.send("<presence type='unavailable'><status>sleeping</status>"
                "</presence>")
    juliet.ping()
    juliet.close()
    scene.settle()
    got = ok(romeo.iq("get", LAST, scene.binds["juliet"])).child("query")
    assert 0 <= int(got.get("seconds")) < 60
    assert got.text() == "sleeping"


def test_last_activity_is_not_for_strangers(scene, romeo):
    """XEP-0012 §8"""
    for to in ("{juliet}", "nobody@{HOST}"):
        got = romeo.iq("get", LAST, scene.fill(to))
        assert error(got) in ("forbidden", "service-unavailable")


def test_version(scene, romeo):
    """XEP-0092"""
    got = ok(romeo.iq("get", "<query xmlns='jabber:iq:version'/>",
                      scene.server.domain)).child("query")
    assert got.child("name").text() and got.child("version").text()


@pytest.mark.only("antiphon")
def test_the_system_is_told_when_that_is_switched_on(own_server):
    """modules: version: show_os"""
    import os
    import scene as scenes
    ask = "<query xmlns='jabber:iq:version'/>"
    for conf, want in (({}, None), ({"show_os": "yes"}, os.uname().release)):
        server = own_server({"modules": {"version": conf}})
        scene = scenes.Scene(server, ("romeo",))
        got = ok(scene.login("romeo/a").iq("get", ask, server.domain))
        found = got.child("query").child("os")
        assert found is None if want is None else want in found.text()
        scene.end()


def test_time(scene, romeo):
    """XEP-0202"""
    got = ok(romeo.iq("get", "<time xmlns='urn:xmpp:time'/>",
                      scene.server.domain)).child("time")
    assert re.fullmatch(r"Z|[+-]\d\d:\d\d", got.child("tzo").text())
    utc = got.child("utc").text()
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z", utc)
    parsed = datetime.datetime.fromisoformat(utc[:19] + "+00:00")
    now = datetime.datetime.now(datetime.timezone.utc)
    # other tests of this server may have moved its clock on
    assert parsed > now - datetime.timedelta(minutes=5)


# --- XEP-0049 private storage ------------------------------------------------

def private(inner):
    return "<query xmlns='jabber:iq:private'>%s</query>" % inner


def test_private_storage(scene, romeo):
    note = "<notes xmlns='urn:a'><n k='1'>x &lt; y</n></notes>"
    empty = "<notes xmlns='urn:a'/>"
    got = ok(romeo.iq("get", private(empty))).child("query").elems()
    assert [str(e) for e in got] == ["<notes xmlns=\"urn:a\"/>"]
    assert ok(romeo.iq("set", private(note))).elems() == []
    romeo.close()
    again = scene.login("romeo/b")
    got = ok(again.iq("get", private(empty))).child("query").elems()[0]
    assert got.child("n").text() == "x < y" and got.child("n").get("k") == "1"
    ok(again.iq("set", private(empty)))
    got = ok(again.iq("get", private(empty))).child("query").elems()[0]
    assert got.elems() == []
    other = again.iq("get", private("<notes xmlns='urn:b'/>"))
    assert ok(other).child("query").elems()[0].elems() == []


@pytest.mark.parametrize("inner", [
    "", "<a xmlns='urn:a'/><b xmlns='urn:b'/>",
])
def test_private_get_of_not_one(scene, romeo, inner):
    """XEP-0049 §3.2: exactly one."""
    assert error(romeo.iq("get", private(inner))) in ("bad-request",
                                                      "not-acceptable")


@pytest.mark.parametrize("kind", ["get", "set"])
def test_private_storage_of_others(scene, romeo, kind):
    got = romeo.iq(kind, private("<a xmlns='urn:a'/>"),
                   scene.binds["juliet"])
    assert error(got) in ("forbidden", "service-unavailable")


@pytest.mark.only("antiphon")
def test_private_storage_is_limited_and_lasts(own_server):
    """modules: private: max_bytes, max_namespaces; what was refused has
    changed nothing."""
    import scene as scenes
    server = own_server({"modules": {"private": {
        "max_bytes": "2KiB", "max_namespaces": "3"}}})
    scene = scenes.Scene(server, ("romeo",))
    romeo = scene.login("romeo/a")
    for ns in "abc":
        ok(romeo.iq("set", private("<n xmlns='urn:%s'>1</n>" % ns)))
    got = romeo.iq("set", private("<n xmlns='urn:d'>1</n>"))
    assert error(got) == "resource-constraint"
    got = romeo.iq("set", private("<n xmlns='urn:a'>%s</n>" % ("x" * 3000)))
    assert error(got) == "resource-constraint"
    # an empty element makes room
    ok(romeo.iq("set", private("<n xmlns='urn:b'/>")))
    ok(romeo.iq("set", private("<n xmlns='urn:d'>1</n>")))
    scene.end()
    server.restart()
    romeo = scene.login("romeo/b")
    for ns, want in (("a", "1"), ("b", ""), ("c", "1"), ("d", "1")):
        got = ok(romeo.iq("get", private("<n xmlns='urn:%s'/>" % ns)))
        assert got.child("query").elems()[0].text() == want
    scene.end()


# --- XEP-0054 vcard-temp -----------------------------------------------------

CARD = ("<vCard xmlns='vcard-temp'><FN>Romeo Montague</FN><N><FAMILY>Montague"
        "</FAMILY></N></vCard>")
ASK = "<vCard xmlns='vcard-temp'/>"


def test_vcard(scene, romeo):
    got = romeo.iq("get", ASK)
    if got.get("type") == "error":
        assert error(got) == "item-not-found"
    else:
        assert got.child("vCard").elems() == []
    assert ok(romeo.iq("set", CARD)).elems() == []
    for to in (None, scene.binds["romeo"]):
        got = ok(romeo.iq("get", ASK, to))
        assert got.child("vCard").child("FN").text() == "Romeo Montague"


def test_vcard_of_another(scene, romeo):
    """XEP-0054 §3.3: public, by custom; the server answers for the user."""
    ok(romeo.iq("set", CARD))
    juliet = scene.online("juliet/j")
    got = ok(juliet.iq("get", ASK, scene.binds["romeo"]))
    assert got.child("vCard").child("FN").text() == "Romeo Montague"
    got = juliet.iq("set", CARD, scene.binds["romeo"])
    assert error(got) in ("forbidden", "not-allowed", "service-unavailable")


@pytest.mark.only("antiphon")
def test_vcard_of_the_host_and_limit(own_server):
    """modules: vcard: name, url, description, max_bytes"""
    import scene as scenes
    server = own_server({"modules": {"vcard": {
        "name": "Capulet", "url": "https://capulet.example/",
        "max_bytes": "1KiB"}}})
    scene = scenes.Scene(server, ("romeo",))
    romeo = scene.login("romeo/a")
    got = ok(romeo.iq("get", ASK, server.domain)).child("vCard")
    assert [(e.name, e.text()) for e in got.elems()] == [
        ("FN", "Capulet"), ("URL", "https://capulet.example/")]
    ok(romeo.iq("set", CARD))
    got = romeo.iq("set", "<vCard xmlns='vcard-temp'><FN>%s</FN></vCard>"
                   % ("x" * 1100))
    assert error(got) == "not-acceptable"
    got = ok(romeo.iq("get", ASK)).child("vCard")
    assert got.child("FN").text() == "Romeo Montague"
    scene.end()


def test_vcard_does_not_tell_who_exists(scene, romeo):
    """hostile-53: no card, or no account."""
    answers = {str(romeo.iq("get", ASK, scene.fill(to)).child("error"))
               for to in ("{juliet}", "nobody@{HOST}")}
    assert len(answers) == 1 and "None" not in answers


def test_a_big_vcard(scene, romeo):
    """hostile-18: an avatar of the largest size comes back as it was."""
    photo = "A" * 150000
    ok(romeo.iq("set", "<vCard xmlns='vcard-temp'><PHOTO><BINVAL>%s</BINVAL>"
                "</PHOTO></vCard>" % photo))
    got = ok(romeo.iq("get", ASK))
    assert got.find("vCard", "PHOTO", "BINVAL").text() == photo


# --- every iq handler, with what it does not expect (hostile-13) -------------

HANDLERS = (("query", "jabber:iq:roster"), ("query", "jabber:iq:last"),
            ("query", "jabber:iq:version"), ("query", "jabber:iq:private"),
            ("query", "jabber:iq:register"), ("query", DISCO),
            ("query", ITEMS), ("vCard", "vcard-temp"),
            ("time", "urn:xmpp:time"), ("ping", "urn:xmpp:ping"),
            ("bind", "urn:ietf:params:xml:ns:xmpp-bind"),
            ("session", "urn:ietf:params:xml:ns:xmpp-session"))
ALIEN = ("", "<item/>", "<item jid=''/><item/>", "text", "<a xmlns='urn:x'/>",
         "<username/>", "<username>a</username><username>b</username>",
         "<item jid='a@b' subscription='x' ask='y' name=''><group/></item>",
         "<x xmlns='jabber:x:data' type='submit'/>", "<vCard/><vCard/>",
         "<item jid='{romeo}'/>", "<remove/><remove/>",
         "<a><b><c><d><e/></d></c></b></a>", "<item jid='%s'/>" % ("a" * 3000))


@pytest.mark.parametrize("name, ns", HANDLERS)
def test_alien_payloads(scene, romeo, name, ns):
    """hostile-13: an answer or an error, and the server goes on."""
    for kind in ("get", "set"):
        for to in (None, "{HOST}", "{romeo}", "{juliet}", "nobody@{HOST}"):
            for inner in ALIEN:
                for more in ("", " node='x'", " ver='x'"):
                    if more and inner:
                        continue
                    if "remove" in inner:
                        continue # might end the account
                    got = romeo.iq(kind, "<%s xmlns='%s'%s>%s</%s>" % (
                        name, ns, more, scene.fill(inner), name),
                        to and scene.fill(to))
                    assert got.get("type") in ("result", "error")
    romeo.inbox.clear()
    romeo.ping()
