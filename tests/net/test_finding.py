"""What the DNS says of another domain, and what becomes of stanzas for it."""

import time

import pytest

from everybody import IDN
from people import condition

pytestmark = pytest.mark.only("antiphon")

THERE = ["bee.example", "slow.example", "no-srv.example", "direct.example",
         "second.example", "six.example", IDN]
NOT_THERE = ["nowhere.example", "dot.example", "empty.example"]
# what the log says
UNREACHABLE = {"dead.example": "refused", "bogus.example": "bogus"}


@pytest.fixture
def romeo(network):
    found = network.person("romeo", "ant.example").online()
    yield found
    found.drop()


def ask(romeo, domain):
    """The error, and its condition, of what nobody there understands."""
    got = romeo.iq("get", "<query xmlns='urn:example:nothing'/>",
                   "nobody@" + domain)
    assert got.get("from") == "nobody@" + domain
    return got, condition(got)


@pytest.mark.parametrize("domain", THERE)
def test_it_is_found(romeo, domain):
    assert ask(romeo, domain)[1] == "service-unavailable"


@pytest.mark.parametrize("domain", NOT_THERE)
def test_it_is_not_there(romeo, domain):
    got, why = ask(romeo, domain)
    assert why == "remote-server-not-found"
    assert domain in got.child("error").child("text").text()


@pytest.mark.parametrize("domain", UNREACHABLE)
def test_it_cannot_be_reached(network, romeo, domain):
    got, why = ask(romeo, domain)
    assert why == "remote-server-timeout"
    assert domain in got.child("error").child("text").text()
    network.ours.wait_line("%s.*cannot be reached .*%s"
                           % (domain, UNREACHABLE[domain]))


def test_while_a_name_server_is_silent_others_are_reached(network, romeo):
    romeo.say("nobody@silent.example", "is anybody there?", "silent")
    begun = time.monotonic()
    for domain in ("bee.example", "second.example"):
        assert ask(romeo, domain)[1] == "service-unavailable"
    # that one is still waited for
    assert not [e for e in romeo.inbox if e.get("id") == "silent"] or \
        time.monotonic() - begun > 3
    network.ours.advance(31)
    assert romeo.error_of("silent")[1] == "remote-server-timeout"
