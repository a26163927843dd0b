"""Servers that go and come back, alone or while messages flow."""

import time

import pytest

import sm
from people import befriend
from process import PATIENCE

pytestmark = pytest.mark.only("antiphon")

# who stays, and who goes; ejabberd takes its time to come back
PAIRS = [("ant.example", "bee.example"), ("ant.example", "pro.example"),
         ("pro.example", "ant.example")]


@pytest.fixture(params=PAIRS, ids="-".join)
def pair(request, network):
    """Two people whose servers have streams both ways."""
    found = [network.person(name, domain)
             for name, domain in zip(("romeo", "juliet"), request.param)]
    for one in found:
        one.online()
    befriend(*found)
    yield found
    for one in found:
        one.drop()


def back(one):
    """Again, after its server was away."""
    one.drop()
    one.inbox.clear()
    one.login(one.user, one.password, "net")
    one.send("<presence/>")


@pytest.mark.parametrize("pair", PAIRS[:2], indirect=True, ids="-".join)
def test_what_is_sent_while_the_other_restarts_arrives(network, pair):
    romeo, juliet = pair
    juliet.close()
    romeo.presence("unavailable", juliet.jid)
    server = network.of(juliet.domain)
    server.stop()
    for i in range(5):
        romeo.say(juliet.bare, "meanwhile %d" % i)
    server.start()
    back(juliet)
    for i in range(5):
        assert juliet.take(lambda e: e.is_("message"), "a message").child(
            "body").text() == "meanwhile %d" % i
    # and the way back
    juliet.say(romeo.jid, "here I am")
    romeo.hear("here I am")
    assert not [e for e in romeo.inbox if e.get("type") == "error"]


def collect(one, text):
    """All that comes, up to the message that says so."""
    out = []
    while not out or numbers(out[-1:]) != [int(text)]:
        out.append(one.next(text))
    return out


def numbers(elements):
    """What the messages among them say."""
    return [int(e.child("body").text()) for e in elements
            if e.is_("message") and e.get("type") != "error"]


def firsts(came):
    """Each of them where it came first."""
    return list(dict.fromkeys(came))


def check_order(network, sender, came):
    """Prosody may send what has waited behind what has not."""
    if network.of(sender.domain) is not network.prosody:
        assert firsts(came) == sorted(set(came))


def collect_rest(romeo, juliet, came, wanted):
    """Adds to came until each of those wanted has come, or was refused, for a while."""
    until = time.monotonic() + PATIENCE
    while set(wanted) - set(came) - refused(romeo) and time.monotonic() < until:
        juliet.ping()
        came += numbers(juliet.inbox)
        juliet.inbox.clear()
    return came


def refused(one):
    one.ping()
    return {int(e.get("id")) for e in one.inbox
            if e.is_("message") and e.get("type") == "error"}


@pytest.mark.parametrize("end", ["stop", "kill9"])
def test_it_goes_while_messages_flow(network, pair, end):
    """What had come to juliet's connection goes with it; of the rest none is lost, some
    may come twice, and none out of order."""
    romeo, juliet = pair
    server = network.of(juliet.domain)
    for i in range(100):
        romeo.say(juliet.bare, str(i), str(i))
    came = collect(juliet, "30")
    getattr(server, end)()
    for i in range(100, 200):
        romeo.say(juliet.bare, str(i), str(i))
    came += juliet.wait_end()
    server.start()
    back(juliet)
    romeo.presence(None, juliet.jid)
    for i in range(200, 300):
        romeo.say(juliet.bare, str(i), str(i))
    came = collect_rest(romeo, juliet, numbers(came + collect(juliet, "299")),
                        range(200, 300))
    check_order(network, romeo, came)
    lost = set(range(300)) - set(came) - refused(romeo)
    print("%d came, %d of them twice, %d were refused, %d are lost" % (
        len(set(came)), len(came) - len(set(came)), len(refused(romeo)),
        len(lost)))
    assert not lost & set(range(200, 300))


# whose server counts what it sends (XEP-0198), and whose acknowledges it
COUNTS = [("ant.example", "bee.example"), ("bee.example", "pro.example"),
          ("pro.example", "ant.example")]


@pytest.mark.parametrize("pair", COUNTS, indirect=True, ids="-".join)
@pytest.mark.parametrize("end", ["stop", "kill9"])
def test_none_is_lost_without_an_error(network, pair, end):
    """Each comes, or is answered; some come twice, with the same id."""
    romeo, juliet = pair
    server = network.of(juliet.domain)
    juliet.close()
    romeo.presence("unavailable", juliet.jid)
    for i in range(200):
        romeo.say(juliet.bare, str(i), str(i))
    getattr(server, end)()
    for i in range(200, 400):
        romeo.say(juliet.bare, str(i), str(i))
    server.start()
    for i in range(400, 500):
        romeo.say(juliet.bare, str(i), str(i))
    romeo.ping()
    back(juliet)
    romeo.presence(None, juliet.jid)
    romeo.say(juliet.bare, "500", "500")
    came = collect_rest(romeo, juliet, numbers(collect(juliet, "500")),
                        range(501))
    check_order(network, romeo, came)
    lost = set(range(501)) - set(came) - refused(romeo)
    print("%d came, %d of them twice, %d were refused" % (
        len(set(came)), len(came) - len(set(came)), len(refused(romeo))))
    assert not lost


def test_sessions_that_slept_over_a_restart_see_who_is_there(network):
    """They are asked, though nobody has anything to say."""
    romeo, juliet = [network.person(name, domain) for name, domain in
                     (("romeo", "ant.example"), ("juliet", "bee.example"))]
    for one in (romeo, juliet):
        one.online()
    befriend(romeo, juliet)
    romeo.settle()
    id_ = sm.enable(romeo).get("id")
    server = network.of(romeo.domain)
    server.stop()
    server.start()
    romeo.drop()
    romeo.inbox.clear()
    romeo.secure()
    romeo.auth(romeo.user, romeo.password)
    romeo.send("<resume xmlns='%s' previd='%s' h='0'/>" % (sm.SM, id_))
    romeo.take(lambda e: e.is_("resumed", sm.SM), "<resumed/>")
    romeo.presence(None, juliet.jid)
    for one in (romeo, juliet):
        one.drop()
