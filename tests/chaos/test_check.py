"""The checker finds what it is there for: histories with one thing wrong."""

import os
import sys

import pytest

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [HERE, os.path.join(os.path.dirname(HERE), "e2e")]

import check  # noqa: E402
from plan import Device, Plan  # noqa: E402
from reader import MAM, Reader  # noqa: E402
from story import Message, Sight, Story  # noqa: E402
from xmltree import STREAM, StreamReader  # noqa: E402

pytestmark = pytest.mark.once


class History:
    """Romeo's phone sends three messages, and juliet's two devices see them."""

    def __init__(self):
        self.story = Story(1, [Device("r", "romeo", "r", 0, []),
                               Device("j", "juliet", "j", 0, []),
                               Device("k", "juliet", "", 0, [])])
        self.story.lives = 1
        self.r, self.j, self.k = (self.story.session(d) for d in "rjk")
        for s in (self.r, self.j, self.k):
            s.begun = s.counts = s.available = 0
        self.m = [Message("m%d" % n, n, "r", "juliet", None, "chat",
                          [(n, self.r.no)], n + 0.5) for n in range(1, 4)]
        for m in self.m:
            self.story.messages[m.id] = m
            for s in (self.j, self.k):
                self.see(s, m)

    def see(self, s, m, stamped=False, copy=None):
        s.sights.append(Sight(m.n + 0.1, m.id, len(s.sights) + 1, stamped,
                              copy))

    def later(self, device):
        """It has lost its session, and has another one."""
        old = self.j if device == "j" else self.k
        old.ended = 5
        s = self.story.session(device)
        s.begun = s.counts = s.available = 6
        return s

    def faults(self):
        found = check.Verdict(self.story, None, None)
        return [(m.id if m else None, text) for text, m in found.faults]


@pytest.fixture
def history():
    return History()


def found(history, id_, words):
    return [(i, text) for i, text in history.faults()
            if i == id_ and words in text]


def test_it_is_content_when_all_is_well(history):
    assert history.faults() == []


def test_lost(history):
    del history.j.sights[2], history.k.sights[2]
    history.j.ended = history.k.ended = 9
    assert history.faults() == [("m3", "is lost")]
    history.m[2].errors.append(4)
    assert history.faults() == []


def test_lost_by_kill(history):
    del history.j.sights[2], history.k.sights[2]
    history.j.ended = history.k.ended = 9
    history.story.kills.append(2) # before it was sent
    assert history.faults() == [("m3", "is lost")]
    history.story.kills.append(4)
    assert history.faults() == []


def test_missing_at_a_session_that_lives(history):
    del history.k.sights[2]
    assert found(history, "m3", "is missing in session 2 of k")


def test_a_gap(history):
    del history.k.sights[1]
    history.k.ended = 9
    assert found(history, "m2", "is missing in session 2 of k")


def test_twice_in_one_session(history):
    history.see(history.j, history.m[0], stamped=True)
    assert found(history, "m1", "twice in session 1 of j")


def test_sent_again_and_seen_twice(history):
    history.m[0].sends.append((4, 77))
    assert history.faults() == []
    history.see(history.j, history.m[0])
    assert found(history, "m1", "twice in session 1 of j")


def test_a_carbon_of_what_was_seen(history):
    history.see(history.j, history.m[0], copy="received")
    assert found(history, "m1", "twice in session 1 of j")


def test_what_others_sent_is_no_copy_of_the_own(history):
    history.see(history.j, history.m[0], copy="sent")
    assert found(history, "m1", "none of its own")


def test_again_without_its_ack(history):
    history.see(history.later("j"), history.m[2], stamped=True)
    assert history.faults() == []


def test_again_without_a_delay(history):
    history.see(history.later("j"), history.m[2])
    assert found(history, "m3", "without a delay")


def test_again_though_it_was_acknowledged(history):
    history.j.sure = 3
    history.see(history.later("j"), history.m[2], stamped=True)
    assert found(history, "m3", "had acknowledged it")


def test_out_of_order(history):
    sights = history.j.sights
    sights[0], sights[1] = sights[1], sights[0]
    assert found(history, "m1", "comes behind m2")


def test_what_was_kept_is_not_overtaken(history):
    """Of an account with one device."""
    del history.story.devices["k"], history.story.sessions[2]
    sights = history.j.sights
    sights[0], sights[1] = sights[1], sights[0]
    sights[1].stamped = True
    assert found(history, "m1", "comes behind m2")


def test_read_by_who_asks_first(history):
    del history.j.sights[2], history.k.sights[2]
    history.j.ended = history.k.ended = 9
    known = {"k": {"3.c": "m3"}}
    assert [text for text, _ in check.Verdict(
        history.story, None, None, known).faults] == ["is lost"]
    history.story.devices["k"].reads_first = True
    verdict = check.Verdict(history.story, None, None, known)
    assert not verdict.faults and verdict.counts["read only"] == 1


def test_never_acknowledged(history):
    history.m[0].acked = None
    assert history.faults() == [("m1", "is never acknowledged")]


def test_delivered_and_refused(history):
    history.m[0].errors.append(2)
    assert found(history, "m1", "has an error")


def test_archives(history):
    verdict = check.Verdict(history.story, None, None)
    verdict.archive = {"romeo": ["m1", "m2", "m3"],
                       "juliet": ["m1", "m3", "m3"]}
    for m in history.m:
        verdict.check_archives(m)
    assert [(m.id, text) for text, m in verdict.faults] == [
        ("m2", "is 0 times in the archive of juliet"),
        ("m3", "is 2 times in the archive of juliet")]


def test_what_devices_know_of_archives(history):
    entries = [("1.a", "m1"), ("2.b", "m2"), ("3.c", "m3")]
    for has, wrong in (
            (dict(entries), []),
            ({"1.a": "m1", "3.c": "m3"}, [("m2", "is not known to j")]),
            ({"1.a": "m1", "2.b": "m3", "3.c": "m3"},
             [("m2", "another one by its id")]),
            ({"9.x": "m3", **dict(entries)}, [("m3", "not in the archive")])):
        verdict = check.Verdict(history.story, None, None)
        verdict.check_known("j", has, entries)
        assert [m.id for _, m in verdict.faults] == [id_ for id_, _ in wrong]
        assert all(words in text for (text, _), (_, words)
                   in zip(verdict.faults, wrong))
    # who has said it knows it without
    verdict = check.Verdict(history.story, None, None)
    verdict.check_known("r", {}, entries)
    assert not verdict.faults


class Script:
    """A device that a reader believes to have."""

    def __init__(self):
        self.name, self.world = "j", None
        self.story, self.account = Story(1, []), self
        self.story.messages = dict.fromkeys(("m1", "m2", "m3"))
        self.jid, self.asked, self.faults = "juliet@localhost", [], []

    def iq(self, kind, payload):
        self.asked.append(payload)
        return "q%d" % len(self.asked)

    def note(self, *args):
        pass

    def fault(self, text):
        self.faults.append(text)


def given(text):
    """A stanza, as it comes."""
    found = []
    stream = StreamReader(found.append)
    stream.feed(("<stream:stream xmlns='jabber:client' xmlns:stream='%s'>%s"
                 % (STREAM, text)).encode())
    return found[0]


def live(entry, id_):
    return given("<message id='%s'><stanza-id xmlns='urn:xmpp:sid:0' "
                 "by='juliet@localhost' id='%s'/></message>" % (id_, entry))


def result(reader, entry, id_):
    reader.result(given(
        "<message><result xmlns='%s' queryid='p%d' id='%s'><forwarded xmlns="
        "'urn:xmpp:forward:0'><message xmlns='jabber:client' id='%s'/>"
        "</forwarded></result></message>" % (
            MAM, reader.pages, entry, id_)).child("result"))


def fin(reader, complete):
    return reader.answer(given(
        "<iq type='result' id='%s'><fin xmlns='%s' complete='%s'/></iq>"
        % (reader.query, MAM, complete)))


def test_a_reader_goes_on_where_it_had_all():
    script = Script()
    reader = Reader(script, 1)
    reader.begin()
    reader.ask()
    reader.live(live("3.c", "m3"))
    result(reader, "1.a", "m1")
    assert fin(reader, "false") and "<after>1.a</after>" in script.asked[-1]
    # it does not know yet what is between, though it has a later one
    reader.begin()
    reader.ask()
    assert "<after>1.a</after>" in script.asked[-1]
    result(reader, "2.b", "m2")
    assert fin(reader, "true") and len(script.asked) == 3
    reader.live(live("3.c", "m3"))
    reader.begin()
    reader.ask()
    assert "<after>3.c</after>" in script.asked[-1] and not script.faults
    result(reader, "4.d", "m1")
    result(reader, "4.d", "m1")
    reader.live(live("4.d", "m2"))
    assert [words in text for text, words in zip(
        script.faults, ("in two pages", "and was m1"))] == [True, True]


def test_a_seed_says_all():
    one, two = Plan(7, 8, 8), Plan(7, 8, 8)
    assert one.devices == two.devices and one.blows == two.blows
    assert all(one.way("a0-0", n) == two.way("a0-0", n) for n in range(50))
    assert any(one.way("a0-0", n) != Plan(8, 8, 8).way("a0-0", n)
               for n in range(50))
