"""What users of two servers do, for each pair of servers: the first of a pair opens
the first stream.  That two servers of others can do it shows that the tests are
right."""

import time

import pytest

from client import PATIENCE
from everybody import IDN, IDN_OF_OTHERS
from people import befriend, condition

pytestmark = pytest.mark.only("antiphon")

# of domains; what users do is tried with a certificate that is good
PAIRS = [
    ("pro.example", "eja.example"),
    ("ant.example", "bee.example"),
    ("ant.example", "pro.example"),
    ("eja.example", "ant.example"),
]
# how their servers authenticate, and who begins
WAYS = [(*pair, "external") for pair in PAIRS] + [
    ("pro-self.example", "eja-self.example", "dialback"),
    ("ant-self.example", "bee-self.example", "dialback"),
    ("ant-self.example", "pro-self.example", "dialback"),
    ("pro-self.example", "bee-self.example", "dialback"),
    ("ant-self.example", "eja-self.example", "dialback"),
    ("eja-self.example", "bee-self.example", "dialback"),
    ("pro.example", "bee.example", "external"),
    ("bee.example", "eja.example", "external"),
    # each in its own way, and names that are not ASCII
    ("ant-self.example", "pro.example", None),
    ("eja.example", "bee-self.example", None),
    (IDN, IDN_OF_OTHERS, "external"),
    (IDN_OF_OTHERS, "ant.example", "external"),
]


@pytest.fixture(params=PAIRS, ids="-".join)
def pair(request, network):
    """Two people who are online, and have never heard of each other."""
    found = [network.person(name, domain)
             for name, domain in zip(("romeo", "juliet"), request.param)]
    for one in found:
        one.online()
    yield found
    for one in found:
        one.drop()


@pytest.mark.parametrize("a,b,how", WAYS)
def test_both_are_authenticated_as_they_can_be(network, a, b, how):
    romeo = network.person("romeo", a).online()
    juliet = network.person("juliet", b).online()
    romeo.say(juliet.jid, "hello")
    juliet.hear("hello")
    juliet.say(romeo.jid, "hello yourself")
    romeo.hear("hello yourself")
    # between two of ours one stream goes both ways
    one_stream = {network.of(a).kind, network.of(b).kind} == {"antiphon"}
    for here, there in ((a, b), (b, a)):
        server = network.of(here)
        ways = ("in", "out") if not one_stream else \
            ("out",) if here == a else ("in",)
        for way in ways:
            server.wait_line(server.authenticated(
                way, how or network.shown_by(way, here, there), here, there))


@pytest.mark.parametrize("a,b", [
    ("pro-both.example", "eja-both.example"),
    ("ant-both.example", "bee-both.example"),
    ("ant-both.example", "pro-both.example"),
    ("ant-both.example", "eja-both.example")])
def test_two_that_begin_at_once_do_not_wait_for_each_other(network, a, b):
    """Each asks the other about its key while it waits for an answer itself."""
    romeo = network.person("romeo", a).online()
    juliet = network.person("juliet", b).online()
    romeo.say(juliet.jid, "hello")
    juliet.say(romeo.jid, "hello yourself")
    juliet.hear("hello")
    romeo.hear("hello yourself")


def test_messages_go_both_ways_in_order(pair):
    romeo, juliet = pair
    for one, other in ((romeo, juliet), (juliet, romeo)):
        texts = ["to %s: %d" % (other.bare, i) for i in range(20)]
        for text in texts:
            one.say(other.jid, text)
        for text in texts:
            got = other.next(text)
            assert got.child("body").text() == text
            assert got.get("from") == one.jid and got.get("to") == other.jid


def test_presence_is_subscribed_to_and_given_up(pair):
    romeo, juliet = pair
    befriend(romeo, juliet)
    romeo.send("<presence><show>away</show></presence>")
    assert juliet.presence(None, romeo.jid).child("show").text() == "away"
    juliet.send("<presence type='unavailable'/>")
    romeo.presence("unavailable", juliet.jid)
    # back again, and what the other is comes without being asked for
    juliet.send("<presence/>")
    romeo.presence(None, juliet.jid)
    assert juliet.presence(None, romeo.jid).child("show").text() == "away"
    romeo.send_presence("unsubscribe", juliet.bare)
    juliet.presence("unsubscribe", romeo.bare)
    juliet.send_presence("unsubscribe", romeo.bare)
    romeo.presence("unsubscribe", juliet.bare)
    assert {romeo.roster()[juliet.bare].get("subscription"),
            juliet.roster()[romeo.bare].get("subscription")} == {"none"}


def test_a_connection_that_breaks_is_seen_by_the_other(pair):
    romeo, juliet = pair
    befriend(romeo, juliet)
    romeo.close()
    juliet.presence("unavailable", romeo.jid)


def test_iqs_are_answered_by_servers_and_by_people(pair):
    befriend(*pair) # ours hands on none of strangers
    for one, other in (pair, pair[::-1]):
        got = one.iq("get", "<ping xmlns='urn:xmpp:ping'/>", other.domain)
        assert got.get("type") == "result", got
        assert got.get("from") == other.domain
        got = one.iq("get", "<query xmlns='http://jabber.org/protocol/"
                     "disco#info'/>", other.domain)
        assert got.child("query").child("identity").get("type") == "im"
        # nobody knows what this is
        got = one.iq("get", "<query xmlns='urn:example:nothing'/>",
                     other.domain)
        assert condition(got) in ("service-unavailable",
                                  "feature-not-implemented")
        one.send("<iq type='get' id='ask' to='%s'><query xmlns='urn:example:"
                 "mine'/></iq>" % other.jid)
        got = other.take(lambda e: e.get("id") == "ask", "the question")
        assert got.get("from") == one.jid
        other.send("<iq type='result' id='ask' to='%s'><query xmlns='urn:"
                   "example:mine'>42</query></iq>" % one.jid)
        got = one.take(lambda e: e.get("id") == "ask", "the answer")
        assert got.get("from") == other.jid
        assert got.child("query").text() == "42"


def test_a_vcard_is_seen_and_that_of_nobody_refused(pair):
    vcard = "<vCard xmlns='vcard-temp'>%s</vCard>"
    for one, other in (pair, pair[::-1]):
        other.iq("set", vcard % "<FN>A friend</FN>")
        got = one.iq("get", vcard % "", other.bare)
        assert got.child("vCard").child("FN").text() == "A friend"
        got = one.iq("get", vcard % "", "nobody@" + other.domain)
        if got.get("type") == "error":
            assert condition(got) in ("service-unavailable", "item-not-found")
        else: # ejabberd's is empty
            assert not got.child("vCard").elems()


def test_what_is_sent_to_one_who_is_offline_comes_later(pair):
    befriend(*pair)
    for one, other in (pair, pair[::-1]):
        other.close()
        one.presence("unavailable", other.jid)
        one.say(other.bare, "later")
        one.iq("get", "<ping xmlns='urn:xmpp:ping'/>", other.domain)
        other.login(other.user, other.password)
        other.send("<presence/>")
        got = other.hear("later")
        assert got.child("delay", "urn:xmpp:delay") is not None
        assert got.get("from") == one.jid
        one.presence(None, other.jid)


def test_what_is_for_nobody_comes_back(pair):
    for one, other in (pair, pair[::-1]):
        got = one.iq("get", "<query xmlns='urn:example:nothing'/>",
                     "nobody@" + other.domain)
        assert condition(got) in ("service-unavailable", "item-not-found")
        assert got.get("from") == "nobody@" + other.domain


def test_large_stanzas_pass(pair):
    text = "large " * 35000
    assert len(text) > 200000
    for one, other in (pair, pair[::-1]):
        one.say(other.jid, text)
        other.hear(text)


@pytest.mark.parametrize("a,b", [
    ("pro.example", "eja.example"), ("bee.example", "ant.example"),
    ("bee.example", "pro.example"), ("eja.example", "ant.example")])
def test_one_that_is_too_large_does_not_stand_in_the_way(network, a, b):
    """What becomes of it is for who refuses it to say; but life goes on."""
    romeo = network.person("romeo", a).online()
    juliet = network.person("juliet", b).online()
    romeo.say(juliet.jid, "large " * 100000)
    # until who sends it has noticed, something may go the same way: where all of it was
    # written before the stream ended, it is sent five times, with pauses that double
    end = time.monotonic() + PATIENCE + 90
    while not juliet.has_come() and time.monotonic() < end:
        romeo.say(juliet.jid, "after")
        time.sleep(0.1)
    assert juliet.next().child("body").text() == "after"
