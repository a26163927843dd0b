"""What one stanza may be, at both ends (see options.py)."""

import pytest

import client
import scene as scenes
from client import Client
from options import BOTH, proves
from test_at_limits import served

pytestmark = pytest.mark.only("antiphon")

HEAD = "<message to='%s' type='chat' id='m'><x xmlns='urn:x'>"
TAIL = "</x></message>"
# What is several times as long when it is written.
WORST = (("<y a='%s'/>", '"'), ("<y>%s</y>", ">"))
PIECES = 2000


@pytest.fixture(autouse=True)
def patience(monkeypatch):
    """A tree of a million elements takes its time here, too."""
    monkeypatch.setattr(client, "PATIENCE", max(client.PATIENCE, 60))


def filled(to, size, worst=WORST[0]):
    """A message of that size, of as many pieces as fit: readers that begin a
    long attribute again with each piece of the network take very long."""
    head = HEAD % to
    room = size - len(head) - len(TAIL)
    piece = worst[0] % (worst[1] * max(1000, room // PIECES))
    n = room // len(piece)
    return head + piece * n + " " * (room - n * len(piece)) + TAIL


def play(server, *names):
    scene = scenes.Scene(server, names)
    for name in names:
        scene.online(name + "/a")
    return scene


def refused_stream(scene, text, cond="policy-violation"):
    romeo = scene.online("romeo/b")
    romeo.send(text)
    romeo.take(lambda e: e.name == "error", "a stream error") \
        .child(cond, "urn:ietf:params:xml:ns:xmpp-streams").name
    romeo.drop()


def arrives(scene, text, to="juliet/a"):
    """What came, at a session that is there."""
    scene["romeo/a"].send(text)
    got = scene[to].take(lambda e: e.get("id") == "m", "the message")
    assert got.get("type") == "chat"
    return got.child("x", "urn:x")


@proves("limits: stanza_bytes")
@pytest.mark.parametrize("end", BOTH)
def test_the_largest_stanza_of_the_worst_bytes(own_server, end):
    server, size = served(own_server, "limits: stanza_bytes", end)
    scene = play(server, "romeo", "juliet")
    to = scene.binds["juliet"]
    for worst in WORST:
        text = filled(to, size, worst)
        assert len(text) == size
        x = arrives(scene, text)
        assert sum(len(y.get("a") or y.text()) for y in x.elems()) > \
            size * 9 // 10 - 1000
    refused_stream(scene, filled(to, size + 1))
    for name in ("romeo/a", "juliet/a"):
        scene[name].ping()
    scene.end()


@proves("limits: stanza_bytes")
@pytest.mark.parametrize("end", BOTH)
def test_the_largest_stanza_waits_for_who_is_away(own_server, end):
    """As far as there is room (modules: offline: max_bytes)."""
    server, size = served(own_server, "limits: stanza_bytes", end, {
        "modules": {"offline": {"max_bytes": "1GiB"}}})
    scene = scenes.Scene(server, ("romeo", "juliet"))
    scene.subscribe("romeo", "juliet")
    scene.subscribe("juliet", "romeo")
    scene.online("romeo/a")
    scene["romeo/a"].send(filled(scene.binds["juliet"], size))
    scene["romeo/a"].ping()
    assert scene["romeo/a"].inbox == []
    scene.online("juliet/a", settle=False)
    got = scene["juliet/a"].take(lambda e: e.get("id") == "m", "what waited")
    assert sum(len(y.get("a")) for y in got.child("x", "urn:x").elems()) > \
        size * 9 // 10 - 1000
    scene.end()


@proves("limits: stanza_bytes_unauthenticated")
@pytest.mark.parametrize("end", BOTH)
def test_the_largest_element_before_login(own_server, end):
    server, size = served(own_server, "limits: stanza_bytes_unauthenticated",
                          end)
    for more, answer in ((0, "failure"), (1, "error")):
        c = Client(server).secure()
        head = ("<auth xmlns='urn:ietf:params:xml:ns:xmpp-sasl' "
                "mechanism='NONE'>")
        c.send(head + "=" * (size + more - len(head) - 7) + "</auth>")
        assert c.next().name == answer
        c.drop()


@proves("limits: depth")
@pytest.mark.parametrize("end", BOTH)
def test_the_deepest_stanza(own_server, end):
    server, depth = served(own_server, "limits: depth", end)
    scene = play(server, "romeo", "juliet")
    to = scene.binds["juliet"]

    def nested(n):
        return HEAD % to + "<y>" * n + "</y>" * n + TAIL
    x = arrives(scene, nested(depth - 2))
    for _ in range(depth - 2):
        x = x.elems()[0]
    assert not x.elems()
    # and kept, and read again
    scene["juliet/a"].close()
    scene.subscribe("romeo", "juliet")
    scene["romeo/a"].send(nested(depth - 2))
    scene["romeo/a"].ping()
    scene.online("juliet/a", settle=False)
    scene["juliet/a"].take(lambda e: e.get("id") == "m", "what waited")
    refused_stream(scene, nested(depth - 1))
    scene.end()


@proves("limits: elements")
@pytest.mark.parametrize("end", BOTH)
def test_the_most_elements(own_server, end):
    """Each as short as it gets: they are 50 times as large in memory."""
    server, most = served(own_server, "limits: elements", end, {"limits": {
        "stanza_bytes": "4MiB", "inbox_bytes": "4MiB"}})
    scene = play(server, "romeo", "juliet")
    to = scene.binds["juliet"]
    x = arrives(scene, HEAD % to + "<y/>" * (most - 2) + TAIL)
    assert len(x.elems()) == most - 2
    # while its account is loaded, too
    scene["juliet/a"].close()
    server.advance(120)
    scene["romeo/a"].send(HEAD % to + "<y/>" * (most - 2) + TAIL)
    scene["romeo/a"].ping()
    assert scene["romeo/a"].inbox == [] or all(
        e.get("type") != "error" or
        e.find("error", "service-unavailable") for e in scene["romeo/a"].inbox)
    refused_stream(scene, HEAD % to + "<y/>" * (most - 1) + TAIL)
    scene.end()


@proves("limits: attributes")
@pytest.mark.parametrize("end", BOTH)
def test_the_most_attributes(own_server, end):
    server, most = served(own_server, "limits: attributes", end)
    scene = play(server, "romeo", "juliet")
    to = scene.binds["juliet"]

    def many(n):
        return (HEAD % to + "<y %s/>" % " ".join("a%d=''" % i
                                                 for i in range(n)) + TAIL)
    x = arrives(scene, many(most))
    assert all(x.elems()[0].get("a%d" % i) == "" for i in range(most))
    refused_stream(scene, many(most + 1))
    # namespaces included: each prefix is one of them
    spaces = "".join(" xmlns:n%d='urn:%d'" % (i, i) for i in range(most))
    arrives(scene, HEAD % to + "<y%s/>" % spaces + TAIL)
    scene.end()


@proves("limits: name_bytes")
@pytest.mark.parametrize("end", BOTH)
def test_the_longest_names(own_server, end):
    server, most = served(own_server, "limits: name_bytes", end)
    scene = play(server, "romeo", "juliet")
    to = scene.binds["juliet"]

    def named(n, what):
        return HEAD % to + "<%s/>" % (what % ("n" * n)) + TAIL
    for what, fixed in (("%s", 0), ("y %s=''", 0), ("y xmlns='%s'", 0)):
        x = arrives(scene, named(most - fixed, what))
        assert x.elems()[0].name in ("y", "n" * most)
        refused_stream(scene, named(most - fixed + 1, what))
    scene.end()


@proves("limits: stanza_bytes", "limits: attributes", "limits: name_bytes")
@pytest.mark.parametrize("end", BOTH)
def test_the_longest_namespaces_where_each_changes(own_server, end):
    """limits: stanza_bytes: what the namespaces take when each stands where it
    changes; an element that is declared once and used often is written with its
    namespace each time."""
    server, size = served(own_server, "limits: stanza_bytes", end, {
        "limits": {"elements": "1000000"},
        "modules": {"offline": {"max_bytes": "1GiB"}}})
    scene = play(server, "romeo", "juliet")
    to, space = scene.binds["juliet"], '"' * 250
    n = (size - 1000) // (250 + len(' xmlns=""') + 1)

    def many(n):
        """Filled up with bytes that grow, too."""
        text = HEAD % to + "<z xmlns:p='%s'>%s" % (space, "<p:y/>" * n)
        tail = "</z>" + TAIL
        piece = "<w a='%s'/>" % ('"' * 4000)
        return text + piece * ((size - len(text + tail)) // len(piece)) + tail
    x = arrives(scene, many(n))
    assert len(x.elems()[0].elems()) == many(n).count("/>")
    # and kept
    scene["juliet/a"].close()
    scene.subscribe("romeo", "juliet")
    scene["romeo/a"].inbox.clear()
    scene["romeo/a"].send(many(n))
    scene["romeo/a"].iq("get", "<vCard xmlns='vcard-temp'/>", to)
    assert not [e for e in scene["romeo/a"].inbox if e.is_("message")]
    scene.online("juliet/a", settle=False)
    scene["juliet/a"].take(lambda e: e.get("id") == "m", "what waited")
    refused_stream(scene, HEAD % to + "<z xmlns:p='%s'>%s</z>"
                   % (space, "<p:y/>" * (size // 250 + 2)) + TAIL)
    scene.end()
