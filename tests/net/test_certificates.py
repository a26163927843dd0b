"""What Antiphon says of certificates of others, to them and to its administrator; and
what others say of ours."""

import pytest

from everybody import KINDS, OURS
from people import condition

pytestmark = pytest.mark.only("antiphon")

GOOD = ["pro.example"] + [KINDS[k] for k in ("server", "srv-name",
                                             "xmpp-addr")]
# domains, and what the log says of their certificate
BAD = {
    "pro-self.example": "signed by itself",
    KINDS["expired"]: "has expired on",
    KINDS["other-name"]: "is for .*not-{0}.*, not for {0}".format(
        KINDS["other-name"]),
    KINDS["cn-only"]: "is for no domain, as nothing counts but subjectAltName",
}


def ask(network, a, b):
    """The error that somebody at a gets for what nobody at b understands."""
    romeo = network.person("romeo", a).online()
    try:
        return condition(romeo.iq("get", "<query xmlns='urn:example:nothing'/>",
                                  "nobody@" + b))
    finally:
        romeo.drop()


@pytest.mark.parametrize("domain", GOOD)
def test_a_good_one_is_enough_in_both_directions(network, domain):
    # it answers by a stream of its own
    assert ask(network, "ant-strict.example", domain) == "service-unavailable"
    for way in ("out", "in"):
        network.ours.wait_line(network.ours.authenticated(
            way, "external", "ant-strict.example", domain))


@pytest.mark.parametrize("domain", BAD)
def test_another_is_refused_where_trust_is_required(network, domain):
    ours, start = network.ours, network.ours.lines()
    assert ask(network, "ant-strict.example", domain) == "remote-server-timeout"
    ours.wait_line(r"%s.*cannot be reached from=ant-strict\.example .*%s"
                   % (domain, BAD[domain]), start)
    start = ours.lines()
    assert ask(network, domain, "ant-strict.example") != "service-unavailable"
    ours.wait_line(r"server refused domain=%s .*%s"
                   % (domain, BAD[domain]), start)


@pytest.mark.parametrize("domain", BAD)
def test_another_is_asked_back_where_dialback_is_enough(network, domain):
    assert ask(network, "ant.example", domain) == "service-unavailable"
    network.ours.wait_line(network.ours.authenticated(
        "in", "dialback", "ant.example", domain))


# --- ours -----------------------------------------------------------------------


PROSODY_SAYS = {
    "expired": "Your server's certificate has expired",
    "other-name": "Your server's certificate is not valid for this name",
    "untrusted": "Your server's certificate is not trusted",
}


@pytest.mark.parametrize("kind", OURS)
def test_what_prosody_says_of_ours(network, kind):
    """And why our administrator is told that nothing gets there."""
    ours, start = network.ours, network.ours.lines()
    romeo = network.person("romeo", OURS[kind]).online()
    romeo.say("nobody@pro.example", "x")
    ours.wait_line(r"pro\.example: cannot be reached from=%s .*%s"
                   % (OURS[kind], PROSODY_SAYS[kind]), start)
    romeo.drop()


@pytest.mark.parametrize("kind", OURS)
def test_ejabberd_asks_back_where_it_does_not_trust_ours(network, kind):
    assert ask(network, OURS[kind], "eja.example") == "service-unavailable"
    network.eja.wait_line(network.eja.authenticated(
        "in", "dialback", "eja.example", OURS[kind]))
