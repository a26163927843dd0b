"""Messages that their authors take back (XEP-0424): tombstones in both archives, of
whose messages, and what who was away gets of them."""

import re
import time

import pytest

import mam
from client import PATIENCE
from test_archive import BODY, Pair, archive
from xmltree import Mismatch, parse

pytestmark = pytest.mark.only("antiphon")
NS = "urn:xmpp:message-retract:1"
STAMP = r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ"


@pytest.fixture
def pair(scene):
    return Pair(scene)


def retract(pair, of, id_, to="{juliet}", who="romeo/a"):
    pair.say("<retract xmlns='%s' id='%s'/><store xmlns='urn:xmpp:hints'/>"
             "<body>/me took it back</body>" % (NS, of),
             "type='chat' id='%s'" % id_, to, who)


def entries(pair, who):
    """The messages, as they are by now."""
    return [parse(row[2])[0] for row in pair.of(who)]


def graves(pair, who):
    """{id of the message: id of its retraction}"""
    return {e.get("id"): e.child("retracted", NS).get("id")
            for e in entries(pair, who) if e.child("retracted", NS)}


def until(pair, who, want):
    """These have become tombstones, and no others."""
    end = time.monotonic() + PATIENCE
    while graves(pair, who) != want:
        if time.monotonic() > end:
            raise Mismatch("%s has %s" % (who, graves(pair, who)))


def test_both_archives_keep_a_tombstone(pair):
    """XEP-0424 §4, §5: id, time and address of the entry stay, and so does the
    retraction, the other messages, and what the other side has said."""
    pair.say("<body>secret</body><thread>t</thread><origin-id xmlns="
             "'urn:xmpp:sid:0' id='m'/>", "type='chat' id='m'")
    pair.say("<body>other</body>", "type='chat' id='n'")
    pair.hear(), pair.hear()
    pair.say("<body>reply</body>", "type='chat' id='m'", "{romeo}", "juliet/b")
    pair.scene.flush()
    before = {who: pair.of(who) for who in ("romeo", "juliet")}
    retract(pair, "m", "r")
    for who in ("romeo", "juliet"):
        until(pair, who, {"m": "r"})
        now = pair.of(who)
        assert [row[:2] for row in now[:3]] == [row[:2] for row in before[who]]
        assert now[1:3] == before[who][1:]
        grave = entries(pair, who)[0]
        assert (grave.get("from"), grave.get("type")) == (
            pair.jid("romeo") + "/a", "chat")
        assert [c.name for c in grave.elems()] == ["origin-id", "retracted"]
        assert re.fullmatch(STAMP, grave.child("retracted").get("stamp"))
        assert "took it back" in now[3][2] and len(now) == 4
        assert not [row for row in now if "secret" in row[2]]
    shown = mam.query(pair.juliet)
    assert shown.ids == [row[0] for row in pair.of("juliet")]
    assert [str(c) for c in shown.messages[0].elems() if c.ns == NS] == [
        str(c) for c in entries(pair, "juliet")[0].elems() if c.ns == NS]


def test_what_corrects_it_goes_with_it(pair):
    """XEP-0308: it is the same text, anew."""
    pair.say("<body>secert</body>", "type='chat' id='m'")
    pair.say("<body>secret</body><replace xmlns='urn:xmpp:message-correct:0' "
             "id='m'/>", "type='chat' id='n'")
    retract(pair, "m", "r")
    for who in ("romeo", "juliet"):
        until(pair, who, {"m": "r", "n": "r"})


def test_nobody_takes_back_what_is_anothers(pair):
    """XEP-0424 §5; one after the other, so that what comes last is last."""
    nurse = pair.scene
    nurse.add_accounts("nurse")
    nurse.online("nurse/n")
    pair.say(BODY, "type='chat' id='m'")
    pair.say(BODY, "type='chat' id='j'", "{romeo}", "juliet/b")
    retract(pair, "m", "r1", "{romeo}", "juliet/b")
    retract(pair, "m", "r2", "{romeo}", "nurse/n")
    retract(pair, "m", "r3", "{juliet}", "nurse/n")
    retract(pair, "r1", "r4", "{romeo}", "juliet/b")
    retract(pair, "j", "r5", "{romeo}", "juliet/b")
    until(pair, "romeo", {"j": "r5"})
    until(pair, "juliet", {"j": "r5"})


@pytest.mark.parametrize("id_", ["a&amp;&lt;b", "&quot;&apos;", "a b", "%_"])
def test_ids_are_whatever_they_are(pair, id_):
    pair.say(BODY, "type='chat' id='%s'" % id_)
    retract(pair, id_, "r")
    plain = parse("<x id='%s'/>" % id_)[0].get("id")
    until(pair, "juliet", {plain: "r"})
    until(pair, "romeo", {plain: "r"})


def test_a_retraction_without_an_id_leaves_it(pair):
    """XEP-0424 §4: nobody could tell what the tombstone means; nor does one with
    ids of a kilobyte."""
    long = 1024 * "m"
    for id_ in ("m", "n", long):
        pair.say(BODY, "type='chat' id='%s'" % id_)
    pair.say("<retract xmlns='%s' id='m'/>" % NS, "type='chat'")
    retract(pair, long, "q")
    retract(pair, long[:-1], "q")
    retract(pair, "n", "r")
    until(pair, "juliet", {"n": "r"})


def test_to_oneself(pair):
    pair.say("<body>secret</body>", "type='chat' id='m'", "{romeo}")
    pair.scene.online("romeo/c")
    retract(pair, "m", "r", "{romeo}", "romeo/c")
    until(pair, "romeo", {"m": "r"})


def test_who_was_away_gets_no_more_of_it(pair):
    """XEP-0424 §5: what is distributed later is the tombstone."""
    scene = pair.scene
    scene.add_accounts("nurse")
    pair.say("<body>secret</body>", "type='chat' id='m'", "{nurse}")
    retract(pair, "m", "r", "{nurse}")
    until(pair, "nurse", {"m": "r"})
    nurse = scene.online("nurse/n")
    scene.flush()
    got = [e for e in nurse.inbox if e.is_("message") and e.get("id") in "mr"]
    assert [e.get("id") for e in got] == ["m", "r"]
    assert got[0].child("retracted", NS) is not None
    assert "secret" not in str(got[0])


def test_many_at_once(pair):
    pair.romeo.send("".join(
        "<message to='%s' type='chat' id='m%d'>%s</message>"
        % (pair.jid("juliet"), i, BODY) for i in range(40)) + "".join(
        "<message to='%s' type='chat' id='r%d'><retract xmlns='%s' id='m%d'/>"
        "</message>" % (pair.jid("juliet"), i, NS, i) for i in range(40)))
    for who in ("romeo", "juliet"):
        until(pair, who, {"m%d" % i: "r%d" % i for i in range(40)})


def test_it_is_announced(pair):
    """XEP-0424 §2, §4: by the account and by the server."""
    for to in pair.jid("romeo"), pair.server.domain:
        info = pair.romeo.iq("get", "<query xmlns='http://jabber.org/protocol/"
                             "disco#info'/>", to=to)
        assert {NS, NS + "#tombstone"} <= {
            e.get("var") for e in info.child("query").elems()}


@pytest.mark.once
def test_it_is_looked_for_among_the_last_of_a_conversation(pair):
    """2048 of them; what is said to others does not count."""
    for id_ in "ab":
        pair.say(BODY, "type='chat' id='%s'" % id_)
    pair.say(BODY, "type='chat'", pair.server.domain)
    for n in [250] * 8 + [47]:  # no more than may wait for the disk
        pair.romeo.send(n * ("<message to='%s' type='chat'>%s</message>"
                             % (pair.jid("juliet"), BODY)))
        pair.of("juliet")
    pair.scene.flush()
    assert len(pair.of("juliet")) == len(pair.of("romeo")) - 1 == 2049
    retract(pair, "b", "r1")
    retract(pair, "a", "r2")
    pair.say(BODY, "type='chat' id='c'")
    retract(pair, "c", "r3")
    until(pair, "juliet", {"b": "r1", "c": "r3"})
    until(pair, "romeo", {"b": "r1", "c": "r3"})
