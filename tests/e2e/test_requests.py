"""What clients ask of accounts: much of it at once, in one write."""

import re

import pytest

import scene as scenes

pytestmark = pytest.mark.only("antiphon")

FAST = {"stanzas_per_second": "100000", "stanzas_burst": "100000",
        "bytes_per_second": "1GiB", "bytes_burst": "1GiB"}
SESSIONS, GETS = 15, 480
ROSTER = "<query xmlns='jabber:iq:roster'/>"
PHOTO = "<vCard xmlns='vcard-temp'><PHOTO>%s</PHOTO></vCard>" % ("A" * 240000)
NOTE = ("<query xmlns='jabber:iq:private'><n xmlns='urn:n'>%s</n></query>"
        % ("A" * 240000))


def ask(inner, id_="g", to=None):
    return "<iq type='get' id='%s'%s>%s</iq>" % (
        id_, " to='%s'" % to if to else "", inner)


def answers(c, n, name):
    """The next n answers, each a result with this in it."""
    for i in range(n):
        got = c.take(lambda e: e.is_("iq") and e.get("id") == "g", "answers")
        assert got.get("type") == "result" and got.child(name) is not None


@pytest.mark.once
@pytest.mark.parametrize("big, get, name", [
    (PHOTO, "<vCard xmlns='vcard-temp'/>", "vCard"),
    (NOTE, "<query xmlns='jabber:iq:private'><n xmlns='urn:n'/></query>",
     "query")], ids=["vcard", "private"])
def test_what_is_read_for_some_is_bounded_and_others_are_served(
        own_server, big, get, name):
    """Fifteen who ask for 115 MB each, and read one after the other."""
    names = ["u%d" % i for i in range(SESSIONS)]
    scene = scenes.Scene(own_server({"limits": FAST}), names + ["romeo"])
    romeo = scene.login("romeo/a")
    askers = [scene.login(n + "/a") for n in names]
    for c in askers:
        assert c.iq("set", big).get("type") == "result"
    before = scene.server.memory_kib()
    for c in askers:
        c.send(ask(get) * GETS)
    for _ in range(50):
        assert romeo.iq("get", get).get("type") == "result"
    answers(askers[0], GETS, name)
    answers(askers[1], 20, name)
    assert scene.server.memory_kib() - before < 150 * 1024
    romeo.ping()
    for c in askers:
        c.drop()


@pytest.mark.once
def test_the_same_of_contacts(own_server):
    """The bound is that of who asks."""
    scene = scenes.Scene(own_server({"limits": FAST}), ["romeo", "juliet"])
    romeo, juliet = scene.login("romeo/a"), scene.login("juliet/a")
    assert juliet.iq("set", PHOTO).get("type") == "result"
    before = scene.server.memory_kib()
    romeo.send(ask("<vCard xmlns='vcard-temp'/>", to=scene.binds["juliet"])
               * GETS)
    for _ in range(50):
        juliet.ping()
    answers(romeo, GETS, "vCard")
    assert scene.server.memory_kib() - before < 60 * 1024


def fill(c, n):
    """Sets contacts until one is refused; how many there are."""
    for i in range(n):
        got = c.iq("set", "<query xmlns='jabber:iq:roster'><item jid='c%d@x'"
                   " name='%s'><group>%s</group></item></query>"
                   % (i, "&quot;" * 500, "&lt;" * 500))
        if got.get("type") == "error":
            error = got.child("error")
            assert error.child("resource-constraint") is not None
            assert error.child("text").text() == "The roster is full"
            return i
    pytest.fail("the roster has no bound in bytes")


@pytest.mark.once
def test_the_largest_roster_can_be_fetched_many_times_at_once(own_server):
    """limits: roster_bytes, and what may wait for a client, as they are by
    default; in one write with a change, behind which all have to wait."""
    scene = scenes.Scene(own_server({"limits": FAST}), ["romeo"])
    romeo = scene.login("romeo/a")
    assert len(romeo.roster()) == 0
    n = fill(romeo, 1000)
    assert 512 * 1024 / 5300 - 2 < n < 512 * 1024 / 5000 + 2
    # what makes less of it is done
    for item in ("<item jid='c0@x' name='a'/>",
                 "<item jid='c1@x' subscription='remove'/>"):
        assert romeo.iq("set", "<query xmlns='jabber:iq:roster'>%s</query>"
                        % item).get("type") == "result"
    romeo.close()
    again = scene.login("romeo/b")
    assert len(again.roster()) == n - 1
    before = scene.server.memory_kib()
    again.send("<iq type='set' id='s'>%s</iq>" % (
        "<query xmlns='jabber:iq:roster'><item jid='c0@x' name='b'/></query>")
        + ask(ROSTER) * 300)
    answers(again, 300, "query")
    assert scene.server.memory_kib() - before < 40 * 1024
    again.ping()


@pytest.mark.parametrize("n", [0, 1, 30, 300])
def test_a_get_shows_what_was_set_before_it(own_server, n):
    """RFC 6120 §10.1: in one write, and in the order of it."""
    scene = scenes.Scene(own_server({"limits": FAST}), ["romeo"])
    romeo = scene.login("romeo/a")
    for shape in ("<query xmlns='jabber:iq:private'><a xmlns='urn:a'>%s</a>"
                  "</query>", "<vCard xmlns='vcard-temp'><FN>%s</FN></vCard>"):
        romeo.send("".join(
            "<iq type='set' id='s%d'>%s</iq>" % (i, shape % i)
            + ask(shape % "", "g%d" % i) for i in range(n)))
        for i in range(n):
            for id_ in "s%d" % i, "g%d" % i:
                got = romeo.next(id_)
                assert got.get("id") == id_ and got.get("type") == "result"
            assert re.findall(">([0-9]+)<", str(got)) == [str(i)]
    romeo.ping()


def test_an_empty_card_is_kept_as_one(scene):
    """XEP-0054; whoever has never set one looks like nobody."""
    scene.add_accounts("romeo", "juliet", "paris")
    romeo, juliet = scene.login("romeo/a"), scene.login("juliet/a")
    empty = "<vCard xmlns='vcard-temp'/>"
    got = juliet.iq("get", empty)
    assert got.get("type") == "result" and got.child("vCard").elems() == []
    assert juliet.iq("set", empty).get("type") == "result"
    got = romeo.iq("get", empty, scene.binds["juliet"])
    assert got.get("type") == "result" and got.child("vCard").elems() == []
    got = romeo.iq("get", empty, scene.binds["paris"])
    assert got.child("error").child("service-unavailable") is not None
