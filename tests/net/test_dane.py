"""What signed records of the DNS say of certificates (DANE): whom Antiphon believes
by them, and whom it does not.
"""

import json

import pytest

from people import condition

pytestmark = pytest.mark.only("antiphon")

# domains of others that are believed by their records alone
BY_DANE = ["dane-311.example", "dane-302.example", "dane-two.example",
           "dane-cname.example"]
# and where those are not what is shown, with what is said of it
NEVER = {
    "dane-other.example": "is for another certificate: this one would be 3 1 1 ",
    "dane-name.example": "neither for this domain nor for xmpp",
    "dane-cname-wrong.example": "is for another certificate: this one would be ",
}
NO_DANE = ["dane-unusable.example", "dane-none.example", "dane-stripped.example",
           "dane-unsigned.example", "dane-cname-out.example"]
# the name of a server is an alias, whose records are where
ALIASES = {"dane-cname.example": "xmpp", "dane-cname-name.example": "alias",
           "dane-cname-trusted.example": "xmpp"}


def ask(network, a, b):
    """The error that somebody at a gets for what nobody at b understands."""
    romeo = network.person("romeo", a).online()
    try:
        return condition(romeo.iq("get", "<query xmlns='urn:example:nothing'/>",
                                  "nobody@" + b))
    finally:
        romeo.drop()


def why(network, domain, ours):
    rows = [json.loads(line) for line in network.ours.ctl(
        "--json", "s2s", "why", domain, ours).splitlines()]
    return {(row["direction"], row["step"]): row for row in rows}


# --- out ---------------------------------------------------------------------


@pytest.mark.parametrize("domain", BY_DANE + ["dane-201.example"])
def test_a_record_is_for_the_certificate(network, domain):
    found = why(network, domain, "ant-dane.example")
    assert found["out", "TLSA"]["state"] == "ok"
    assert "_5269._tcp.xmpp." + domain in found["out", "TLSA"]["found"]
    assert found["out", "DANE"]["state"] == "ok"
    assert found["out", "certificate"]["state"] == (
        "ok" if domain == "dane-201.example" else "not trusted")
    assert ("out", "authentication") in found


@pytest.mark.parametrize("domain", ALIASES)
def test_an_alias_has_records_where_it_leads_or_where_it_is(network, domain):
    """RFC 7671 §7"""
    found = why(network, domain, "ant-dane.example")
    at = "_5269._tcp.%s.%s" % (ALIASES[domain], domain)
    assert found["out", "TLSA"]["found"] == "1 at " + at
    assert found["out", "DANE"]["state"] == "ok"
    begin(network, "ant-dane.example", domain)
    network.ours.wait_line(network.ours.authenticated(
        "in", "(dane|EXTERNAL)", "ant-dane.example", domain))


def test_where_an_alias_leads_counts_as_a_name_only_with_records(network):
    found = why(network, "dane-cname-trusted.example", "ant-strict.example")
    assert found["out", "certificate"]["state"] == "ok"
    assert "is for xmpp.dane-cname" in found["out", "certificate"]["found"]
    found = why(network, "dane-cname-none.example", "ant-strict.example")
    assert found["out", "TLSA"]["found"] == (
        "no record at _5269._tcp.alias.dane-cname-none.example")
    assert found["out", "certificate"]["state"] == "failed"


@pytest.mark.parametrize("ours", ("ant.example", "ant-dane.example",
                                  "ant-strict.example"))
@pytest.mark.parametrize("domain", NEVER)
def test_records_for_others_end_it_under_each_policy(network, domain, ours):
    found = why(network, domain, ours)
    assert found["out", "DANE"]["state"] == "failed"
    assert NEVER[domain] in found["out", "DANE"]["found"]
    assert "under any policy" in found["out", "DANE"]["note"]
    assert ("out", "authentication") not in found
    assert ask(network, ours, domain) == "remote-server-timeout"


def test_a_record_that_is_forged_ends_it_before_it_is_connected_to(network):
    found = why(network, "dane-bogus.example", "ant.example")
    assert found["out", "TLSA"]["state"] == "bogus"
    assert ("out", "connection") not in found


def test_of_a_signed_zone_both_kinds_of_tls_have_to_be_known(network):
    """RFC 7673 §3.1"""
    rows = [json.loads(line) for line in network.ours.ctl(
        "--json", "s2s", "why", "half-signed.example",
        "ant.example").splitlines()]
    rows = [row for row in rows if row["direction"] == "out"]
    assert [(row["step"], row["state"]) for row in rows][:1] == [
        ("SRV", "failed")]
    assert "_xmpps-server._tcp.half-signed.example: " in rows[0]["found"]
    assert "their zone is signed" in rows[0]["found"]
    assert "connection" not in [row["step"] for row in rows]
    assert ask(network, "ant.example", "half-signed.example") == (
        "remote-server-timeout")


def test_where_nothing_is_signed_one_kind_is_enough(network):
    rows = [json.loads(line) for line in network.ours.ctl(
        "--json", "s2s", "why", "half.example", "ant.example").splitlines()]
    rows = [(row["step"], row["state"]) for row in rows
            if row["direction"] == "out"]
    assert rows[:2] == [("SRV", "left out"), ("SRV", "ok")]
    assert ask(network, "ant.example", "half.example") == "service-unavailable"


@pytest.mark.parametrize("domain", NO_DANE)
def test_without_records_that_are_signed_it_is_as_ever(network, domain):
    found = why(network, domain, "ant.example")
    state = found["out", "TLSA"]["state"]
    assert state == {"dane-none.example": "none",
                     "dane-unusable.example": "ok"}.get(domain, "unsigned")
    if domain == "dane-unusable.example":
        assert found["out", "DANE"]["state"] == "unusable"
    assert found["out", "authentication"]["state"] == "ok"
    found = why(network, domain, "ant-dane.example")
    assert found["out", "certificate"]["state"] == "failed"


def test_the_name_of_the_server_counts_where_srv_is_signed(network):
    found = why(network, "dane-target.example", "ant-strict.example")
    assert found["out", "certificate"]["state"] == "ok"
    assert "is for xmpp.dane-target.example" in found["out", "certificate"]["found"]


def test_where_trust_is_required_a_record_is_not_enough(network):
    found = why(network, "dane-311.example", "ant-strict.example")
    assert found["out", "certificate"]["state"] == "failed"


# --- in ----------------------------------------------------------------------


def begin(network, ours, domain):
    """They do: what is answered comes back by the same stream (XEP-0288)."""
    network.ours.ctl("s2s", "close", domain)
    romeo = network.person("romeo", domain).online()
    romeo.iq("get", "<ping xmlns='urn:xmpp:ping'/>", ours)
    romeo.drop()


@pytest.mark.parametrize("domain", BY_DANE)
def test_both_directions_by_records_alone(network, domain):
    assert ask(network, "ant-dane.example", domain) == "service-unavailable"
    begin(network, "ant-dane.example", domain)
    network.ours.wait_line(network.ours.authenticated(
        "in", "dane", "ant-dane.example", domain))
    found = why(network, domain, "ant-dane.example")
    assert "by dane" in found["in", "stream"]["found"]
    assert "the TLSA record at _5269._tcp.xmpp." in found["in", "stream"]["found"]
    shown = [json.loads(line) for line in network.ours.ctl(
        "--json", "s2s", "list").splitlines()]
    assert ["dane"] == [row["by"] for row in shown
                        if row["domain"] == domain and
                        row["ours"] == "ant-dane.example" and
                        row["direction"] in ("in", "both")]


@pytest.mark.parametrize("ours", ("ant.example", "ant-dane.example",
                                  "ant-strict.example"))
@pytest.mark.parametrize("domain,text", (
    ("dane-wrong.example", "their TLSA record at .* is for another certificate"),
    ("dane-forged.example", "their TLSA record is forged, or a mistake"),
    # whoever has signed it
    ("dane-other.example", "their TLSA record at .* is for another certificate"),
    ("dane-cname-wrong.example", "their TLSA record at .* is for another"),
    ("dane-bogus.example", "their TLSA record is forged, or a mistake"),
    ("dane-address.example", "their address is forged, or a mistake")))
def test_who_has_another_is_refused_under_each_policy(network, domain, text,
                                                      ours):
    trusted = network.of(domain).domains[domain].certificate == "good"
    if ours == "ant-strict.example" and not trusted:
        text = "certificate is not trusted"
    start = network.ours.lines()
    romeo = network.person("romeo", domain).online()
    romeo.say("nobody@" + ours, "is anybody there?")
    network.ours.wait_line(r"server refused domain=%s to=%s .*%s"
                           % (domain, ours, text), start)
    romeo.drop()
    assert not [line for line in network.ours.process.lines[start:]
                if "server authenticated domain=%s" % domain in line]


def test_who_comes_may_show_the_certificate_of_the_server_of_his_domain(network):
    assert ask(network, "dane-target.example", "ant-strict.example") == (
        "service-unavailable")
    begin(network, "ant-strict.example", "dane-target.example")
    network.ours.wait_line(network.ours.authenticated(
        "in", "external", "ant-strict.example", "dane-target.example"))


@pytest.mark.parametrize("domain", ("dane-none.example", "dane-stripped.example"))
def test_without_signed_records_dialback_is_as_good_as_before(network, domain):
    assert ask(network, domain, "ant.example") == "service-unavailable"
    begin(network, "ant.example", domain)
    network.ours.wait_line(network.ours.authenticated(
        "in", "dialback", "ant.example", domain))


# --- with Prosody ------------------------------------------------------------


def test_prosody_in_both_directions(network):
    """That it goes by ours on the way out is its `use_dane'; for who comes, Debian's
    has nothing of the kind."""
    network.of("pro-dane.example")
    assert ask(network, "ant-dane.example", "pro-dane.example") == (
        "service-unavailable")
    network.ours.wait_line(network.ours.authenticated(
        "in", "dane", "ant-dane.example", "pro-dane.example"))
    assert ask(network, "pro-dane.example", "ant-dane.example") == (
        "service-unavailable")


def test_prosody_with_another_certificate(network):
    network.of("pro-dane-other.example")
    found = why(network, "pro-dane-other.example", "ant.example")
    assert found["out", "DANE"]["state"] == "failed"
    assert ask(network, "pro-dane-other.example", "ant.example") != (
        "service-unavailable")
    # that it is refused has a line, too, unless too many others were just before, but
    # is known in any case
    network.ours.wait_line(r"records of the DNS judged "
                           r"domain=pro-dane-other\.example .*"
                           "is for another certificate")
    rows = network.ours.ctl("--json", "s2s", "show", "pro-dane-other.example")
    assert [row for row in map(json.loads, rows.splitlines())
            if (row["what"], row["direction"]) == ("failure", "in") and
            "is for another certificate" in row["text"]]
