"""In-band registration (XEP-0077): off unless switched on, and then limited."""

import secrets

import pytest

import scene as scenes
from client import Client

NS = "jabber:iq:register"
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


def test_password_change(scene):
    """XEP-0077 §3.3; hostile-33: other sessions end, and the old password
    is no use any more."""
    a = scene.accounts["romeo"]
    romeo = scene.login("romeo/a")
    other = scene.login("romeo/b")
    got = romeo.iq("set", fields(username=a.name, password="another-one"))
    assert got.get("type") == "result"
    other.expect_error("not-authorized|reset|policy-violation|conflict")
    romeo.ping()
    c = Client(scene.server).secure()
    assert c.auth_step("PLAIN", a.name, a.password).name == "failure"
    c.auth(a.name, "another-one")


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
