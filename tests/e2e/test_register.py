"""In-band registration (XEP-0077): off unless switched on, and then limited."""

import secrets

import pytest

import scene as scenes
from client import Client

NS = "jabber:iq:register"
FORM = "jabber:x:data"
pytestmark = pytest.mark.only("antiphon")


def query(inner=""):
    return "<query xmlns='%s'>%s</query>" % (NS, inner)


def fields(**values):
    return query("".join("<%s>%s</%s>" % (k, v, k)
                         for k, v in values.items()))


def error(got):
    assert got.get("type") == "error", str(got)
    return [e.name for e in got.child("error").elems() if e.name != "text"][0]


@pytest.fixture
def open_server(own_server):
    return own_server({"modules": {"register": {"allow": "yes"}}})


@pytest.fixture
def c(open_server):
    client = Client(open_server).secure()
    yield client
    client.drop()


def offered(c):
    return c.features.child(
        "register", "http://jabber.org/features/iq-register") is not None


def test_off_by_default(server):
    c = Client(server).secure()
    assert not offered(c)
    got = c.iq("set", fields(username="r" + secrets.token_hex(4),
                             password="secret-one"))
    assert error(got) in ("not-allowed", "service-unavailable", "forbidden",
                          "not-authorized")


def test_never_before_tls(open_server):
    c = Client(open_server).connect()
    c.open()
    assert not offered(c)


def test_what_is_offered_changes_with_a_reload(open_server):
    def summed_up(c):
        return c.features.child("c", "http://jabber.org/protocol/caps")

    first = Client(open_server).secure()
    second = Client(open_server).secure()
    assert offered(first) and offered(second)
    ver = summed_up(first).get("ver")
    assert summed_up(second).get("ver") == ver
    open_server.conf["modules"]["register"]["allow"] = "no"
    open_server.write_conf()
    open_server.ctl("reload")
    assert not offered(Client(open_server).secure())
    open_server.ctl("modules", "unload", "version")
    assert summed_up(Client(open_server).secure()).get("ver") != ver
    open_server.ctl("modules", "unload", "disco")
    assert summed_up(Client(open_server).secure()) is None


def test_registration(c, open_server):
    """XEP-0077 §3.1"""
    assert offered(c)
    form = c.iq("get", query()).child("query", NS)
    assert form.child("username") is not None
    assert form.child("password") is not None
    got = c.iq("set", fields(username="Romeo", password="secret-one"))
    assert got.get("type") == "result"
    c.auth("romeo", "secret-one")
    assert c.bind("a") == "romeo@%s/a" % open_server.domain


@pytest.mark.parametrize("values, cond", [
    ({"username": "taken", "password": "secret-one"}, "conflict"),
    ({"username": "TAKEN", "password": "secret-one"}, "conflict"),
    ({"username": "romeo"}, "not-acceptable|bad-request"),
    ({"password": "secret-one"}, "not-acceptable|bad-request"),
    ({}, "not-acceptable|bad-request"),
    ({"username": "", "password": "secret-one"},
     "not-acceptable|bad-request|jid-malformed"),
    ({"username": "a@b", "password": "secret-one"},
     "not-acceptable|bad-request|jid-malformed"),
    ({"username": "a b", "password": "secret-one"},
     "not-acceptable|bad-request|jid-malformed"),
    ({"username": "x" * 1100, "password": "secret-one"},
     "not-acceptable|bad-request|jid-malformed"),
    ({"username": "romeo", "password": "short"}, "not-acceptable"),
    ({"username": "romeo", "password": ""}, "not-acceptable|bad-request"),
])
def test_refused(c, open_server, values, cond):
    """XEP-0077 §3.1.1"""
    open_server.adduser("taken", "secret-one")
    assert error(c.iq("set", fields(**values))) in cond.split("|")


def test_registration_by_form(c, open_server):
    """XEP-0077 §4, §6: a form that is filled in takes precedence."""
    form = c.iq("get", query()).child("query", NS).child("x", FORM)
    assert form.get("type") == "form"
    got = {f.get("var"): f.get("type") for f in form.elems()
           if f.name == "field"}
    assert got == {"FORM_TYPE": "hidden", "username": "text-single",
                   "password": "text-private"}
    filled = ("<x xmlns='%s' type='submit'>"
              "<field var='FORM_TYPE'><value>%s</value></field>"
              "<field var='username'><value>romeo</value></field>"
              "<field var='password'><value>secret-one</value></field></x>"
              % (FORM, NS))
    got = c.iq("set", query("<username>tybalt</username>" + filled))
    assert got.get("type") == "result"
    c.auth("romeo", "secret-one")


@pytest.mark.parametrize("name", ["admin", "Administrator", "postmaster",
                                  "ROOT", "a-b"])
def test_reserved_names(own_server, name):
    """modules: register: blocked_names"""
    server = own_server({"modules": {"register": {
        "allow": "yes",
        "blocked_names": ["admin*", "postmaster", "root", "?-?"]}}})
    c = Client(server).secure()
    got = c.iq("set", fields(username=name, password="secret-one"))
    assert error(got) == "not-acceptable"
    c.drop()


def test_many_at_once_make_one_account(open_server):
    """Who asks for a name that another is just getting is told conflict."""
    clients = [Client(open_server).secure() for _ in range(4)]
    for c in clients:
        c.send("<iq type='set' id='r'>%s</iq>" % fields(
            username="romeo", password="secret-one"))
    got = [c.next("an answer") for c in clients]
    assert sorted(g.get("type") for g in got) == ["error"] * 3 + ["result"]
    assert {error(g) for g in got if g.get("type") == "error"} == {"conflict"}
    for c in clients:
        c.drop()


def test_how_many_in_an_hour(own_server):
    """modules: register: per_hour; the clock gives room again."""
    server = own_server({"modules": {"register": {"allow": "yes",
                                                  "per_hour": "2"}}})

    def register(name):
        c = Client(server).secure()
        got = c.iq("set", fields(username=name, password="secret-one"))
        c.close()
        return got.get("type")

    assert [register(n) for n in "abc"] == ["result", "result", "error"]
    server.advance(3601)
    assert register("d") == "result"


# --- with an account ---------------------------------------------------------

@pytest.fixture
def scene(open_server):
    found = scenes.Scene(open_server, ("romeo", "juliet"))
    yield found
    found.end()


def test_registered(scene):
    """XEP-0077 §3.1: an account sees its name."""
    romeo = scene.login("romeo/a")
    got = romeo.iq("get", query()).child("query", NS)
    assert got.child("registered") is not None
    assert got.child("username").text() == scene.accounts["romeo"].name


@pytest.mark.parametrize("to", [None, "{HOST}", "{romeo}"])
def test_password_change(scene, to):
    """XEP-0077 §3.3; hostile-33: other sessions end, and the old password
    is no use any more."""
    a = scene.accounts["romeo"]
    romeo = scene.login("romeo/a")
    other = scene.login("romeo/b")
    got = romeo.iq("set", fields(username=a.name, password="another-one"),
                   to and scene.fill(to))
    assert got.get("type") == "result"
    other.expect_error("not-authorized|reset|policy-violation|conflict")
    romeo.ping()
    c = Client(scene.server).secure()
    assert c.auth_step("PLAIN", a.name, a.password).name == "failure"
    c.auth(a.name, "another-one")


def test_password_changes_over_tls_only(own_server):
    server = own_server({
        "listen": [{"kind": "c2s", "address": "127.0.0.1", "port": 0,
                    "tls": "none"}],
        "hosts": {"other.test": {"auth": {"tls_required": "no"}}}})
    server.adduser("romeo", "secret-one", "other.test")
    c = Client(server, domain="other.test").login("romeo", "secret-one",
                                                  kind="none")
    change = fields(username="romeo", password="another-one")
    for to in (None, "other.test", "romeo@other.test"):
        assert error(c.iq("set", change, to)) == "not-authorized"
    assert c.iq("set", query("<remove/>")).get("type") == "result"


def test_password_of_another(scene):
    """hostile-32"""
    romeo = scene.login("romeo/a")
    j = scene.accounts["juliet"]
    got = romeo.iq("set", fields(username=j.name, password="another-one"))
    assert error(got) in ("forbidden", "not-allowed", "bad-request",
                          "not-acceptable", "not-authorized")
    got = romeo.iq("set", fields(username=j.name, password="another-one"),
                   j.jid)
    assert error(got) in ("forbidden", "not-allowed", "service-unavailable")
    scene.login("juliet/j")


def test_weak_password(scene):
    romeo = scene.login("romeo/a")
    a = scene.accounts["romeo"]
    got = romeo.iq("set", fields(username=a.name, password="x"))
    assert error(got) == "not-acceptable"
    scene.login("romeo/b")


@pytest.mark.parametrize("values", [
    {"username": "{romeo}"}, {"password": "another-one"}, {},
    {"username": "{romeo}", "password": ""},
])
def test_password_change_is_complete(scene, values):
    """XEP-0077 §3.3: and an empty password changes nothing."""
    name = scene.accounts["romeo"].name
    values = {k: v.replace("{romeo}", name) for k, v in values.items()}
    romeo = scene.login("romeo/a")
    assert error(romeo.iq("set", fields(**values))) == "bad-request"
    scene.login("romeo/b")


@pytest.mark.parametrize("conf, payload", [
    ({"password_change": "no"}, "<username>{romeo}</username>"
     "<password>another-one</password>"),
    ({"removal": "no"}, "<remove/>"),
])
def test_what_may_be_switched_off(own_server, conf, payload):
    """modules: register: password_change, removal"""
    server = own_server({"modules": {"register": conf}})
    scene = scenes.Scene(server, ("romeo",))
    romeo = scene.login("romeo/a")
    name = scene.accounts["romeo"].name
    got = romeo.iq("set", query(payload.replace("{romeo}", name)))
    assert error(got) == "not-allowed"
    scene.login("romeo/b")
    scene.end()


def test_removal_by_way_of_the_host(scene):
    """XEP-0077 §3.2: the account is that of the sender."""
    romeo = scene.login("romeo/a")
    romeo.send("<iq type='set' id='bye' to='%s'>%s</iq>" % (
        scene.server.domain, query("<remove/>")))
    got = romeo.next("the answer")
    assert got.get("id") == "bye" and got.get("type") == "result"
    romeo.expect_error("not-authorized")
    a = scene.accounts["romeo"]
    c = Client(scene.server).secure()
    assert c.auth_step("PLAIN", a.name, a.password).name == "failure"
    c.drop()
    scene.login("juliet/j")


def test_removal_stands_alone(scene):
    """XEP-0077 §3.2, table 1"""
    romeo = scene.login("romeo/a")
    for inner in ("<remove/><username>x</username>", "<remove/><remove/>"):
        assert error(romeo.iq("set", query(inner))) == "bad-request"
    romeo.ping()


def test_removal(scene):
    """XEP-0077 §3.2: contacts are told, sessions end, nothing is left."""
    scene.befriend("romeo", "juliet")
    juliet = scene.online("juliet/j")
    romeo = scene.online("romeo/a")
    other = scene.login("romeo/b")
    other.iq("set", "<vCard xmlns='vcard-temp'><FN>R</FN></vCard>")
    scene.settle()
    romeo.send("<iq type='set' id='bye'>%s</iq>" % query("<remove/>"))
    end = [str(e) for e in romeo.wait_end()]
    assert any("bye" in e or "not-authorized" in e for e in end)
    other.expect_error("not-authorized")
    got = {juliet.take(lambda e: e.get("type") in (
        "unsubscribe", "unsubscribed"), "the end").get("type")
        for _ in range(2)}
    assert got == {"unsubscribe", "unsubscribed"}
    juliet.ping()
    item = juliet.roster().get(scene.binds["romeo"])
    assert item is None or item.get("subscription") == "none"
    a = scene.accounts["romeo"]
    c = Client(scene.server).secure()
    assert c.auth_step("PLAIN", a.name, a.password).name == "failure"
    # who comes after him finds nothing of his
    scene.server.adduser(a.name, a.password)
    again = scene.login("romeo/c")
    assert again.roster() == {}
    got = again.iq("get", "<vCard xmlns='vcard-temp'/>")
    assert "<FN" not in str(got)


def test_removals_in_one_packet(server, scene):
    """The first removes the account; all are answered, and once."""
    scene.add_accounts("romeo")
    romeo = scene.online("romeo/a")
    ids = ["r%d" % i for i in range(5)]
    romeo.send("".join("<iq type='set' id='%s'>%s</iq>"
                       % (i, query("<remove/>")) for i in ids))
    got = [e for e in romeo.wait_end() if e.is_("iq")]
    assert sorted(e.get("id") for e in got) == ids
    assert [e.get("id") for e in got if e.get("type") == "result"] == ["r0"]
    server.check()
