"""Streams that go both ways (XEP-0288), with Prosody and with ourselves: one carries
all, whoever has opened it."""

import json

import pytest

from people import befriend

pytestmark = pytest.mark.only("antiphon")


def rows(server, domain):
    """Directions of the streams between server and domain."""
    found = [json.loads(line) for line in
             server.ctl("--json", "s2s", "list").splitlines()]
    return sorted((row["ours"], row["direction"], row["state"])
                  for row in found if row["domain"] == domain)


def talk(one, other, n=20):
    """Each to the other, in order, and many at once."""
    for i in range(n):
        one.say(other.jid, "there %d" % i)
        other.say(one.jid, "back %d" % i)
    for i in range(n):
        assert other.next("there").child("body").text() == "there %d" % i
        assert one.next("back").child("body").text() == "back %d" % i


def meet(network, a, b):
    """Of two who are online, the first begins, and the second answers."""
    romeo = network.person("romeo", a).online()
    juliet = network.person("juliet", b).online()
    romeo.say(juliet.jid, "hello")
    juliet.hear("hello")
    juliet.say(romeo.jid, "hello yourself")
    romeo.hear("hello yourself")
    return romeo, juliet


@pytest.mark.parametrize("theirs", ["both.example", "both-self.example"])
@pytest.mark.parametrize("ours", ["ant.example", "ant-self.example"])
@pytest.mark.parametrize("begins", ["ours", "theirs"])
def test_one_stream_goes_both_ways(network, ours, theirs, begins):
    network.of(theirs)
    if rows(network.ours, theirs):
        network.ours.ctl("s2s", "close", theirs)
    ends = (ours, theirs) if begins == "ours" else (theirs, ours)
    one, other = meet(network, *ends)
    talk(one, other)
    found = rows(network.ours, theirs)
    if begins == "ours" and "self" in ours:
        # by a stream of theirs Prosody has asked about our key, and keeps it
        assert (ours, "both", "up") in found
    else:
        assert found == [(ours, "both", "up")]
    befriend(one, other)
    one.drop()
    other.drop()


def test_who_cannot_be_reached_is_answered(network):
    """What is for him goes by the stream that he has opened; also from another
    domain of ours, when he has something to say to that."""
    for ours in ("ant.example", "ant-strict.example"):
        juliet = network.person("juliet", "hidden.example").online()
        romeo = network.person("romeo", ours).online()
        juliet.say(romeo.jid, "hello")
        romeo.hear("hello")
        talk(romeo, juliet)
        befriend(romeo, juliet)
        assert (ours, "both", "up") in rows(network.ours, "hidden.example")
        romeo.drop()
        juliet.drop()


def test_two_of_ours_need_one_stream(network):
    a, b = "ant-strict.example", "direct.example"
    talk(*meet(network, a, b))
    assert rows(network.ours, b) == [(a, "both", "up")]
    assert rows(network.other, a) == [(b, "both", "up")]


def test_two_of_ours_that_begin_at_once(network):
    a, b = "ant.example", "second.example"
    romeo = network.person("romeo", a).online()
    juliet = network.person("juliet", b).online()
    talk(romeo, juliet, 100)
    assert rows(network.ours, b) and rows(network.other, a)
