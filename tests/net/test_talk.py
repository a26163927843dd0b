"""What users of two servers do, for each pair of servers: the first of a pair opens
the first stream.  That two servers of others can do it shows that the tests are
right."""

import pytest

from people import befriend, condition

pytestmark = pytest.mark.only("antiphon")

# domains, and how their servers authenticate
PAIRS = [
    ("pro.example", "eja.example", "external"),
    ("pro-self.example", "eja-self.example", "dialback"),
]


@pytest.fixture(params=PAIRS, ids=lambda p: "%s-%s" % p[:2])
def pair(request, network):
    """Two people who are online, and have never heard of each other."""
    a, b, _ = request.param
    found = [network.person("romeo", a), network.person("juliet", b)]
    for one in found:
        one.online()
    yield found
    for one in found:
        one.drop()


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


@pytest.mark.parametrize("a,b,how", PAIRS)
def test_both_are_authenticated_as_they_can_be(network, a, b, how):
    romeo = network.person("romeo", a).online()
    juliet = network.person("juliet", b).online()
    romeo.say(juliet.jid, "hello")
    juliet.hear("hello")
    juliet.say(romeo.jid, "hello yourself")
    romeo.hear("hello yourself")
    for here, there in ((a, b), (b, a)):
        server = network.of(here)
        for way in ("in", "out"):
            server.wait_line(server.authenticated(way, how, here, there))


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
        one.say("nobody@" + other.domain, "is anybody there?", "lost")
        got, why = one.error_of("lost")
        assert why in ("service-unavailable", "item-not-found")
        assert got.get("from") == "nobody@" + other.domain


def test_large_stanzas_pass(pair):
    text = "large " * 35000
    assert len(text) > 200000
    for one, other in (pair, pair[::-1]):
        one.say(other.jid, text)
        other.hear(text)
