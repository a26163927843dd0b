"""What antiphonctl s2s why says of servers of others, found in a real DNS."""

import json

import pytest

from everybody import KINDS

pytestmark = pytest.mark.only("antiphon")


def why(network, domain, ours):
    rows = [json.loads(line) for line in network.ours.ctl(
        "--json", "s2s", "why", domain, ours).splitlines()]
    found = {(row["direction"], row["step"]): row for row in rows}
    states = {key: row["state"] for key, row in found.items()}
    return found, states


@pytest.mark.parametrize("domain", ("pro.example", "eja.example", "bee.example"))
def test_all_is_well(network, domain):
    network.of(domain)
    found, states = why(network, domain, "ant.example")
    assert states["out", "SRV"] == states["out", "address"] == "ok"
    assert states["out", "connection"] == states["out", "TLS"] == "ok"
    assert states["out", "certificate"] == "ok"
    assert found["out", "authentication"]["found"].startswith("EXTERNAL")
    assert states["in", "answer"] == "ok"
    # one stream may go both ways, whoever has opened it
    assert states["in", "stream"] in ("up", "ours")


def test_dialback_in_both_directions(network):
    found, states = why(network, "pro-self.example", "ant-self.example")
    assert states["here", "certificate"] == "not trusted"
    assert states["out", "certificate"] == "not trusted"
    assert found["out", "authentication"]["found"].startswith("dialback")
    assert states["in", "answer"] == "ok"
    assert "by dialback" in found["in", "stream"]["found"]


@pytest.mark.parametrize("kind,text", (
    ("expired", "has expired on"), ("other-name", "not for other-name-cert"),
    ("cn-only", "is for no domain")))
def test_certificates(network, kind, text):
    found, states = why(network, KINDS[kind], "ant-strict.example")
    assert states["out", "certificate"] == "failed"
    assert text in found["out", "certificate"]["found"]
    assert ("out", "authentication") not in states


@pytest.mark.parametrize("domain,step,state,text", (
    ("dot.example", "SRV", "refused", "says in the DNS"),
    ("empty.example", "address", "none", "empty.example has no address"),
    ("bogus.example", "address", "bogus", "signature verification"),
    ("dead.example", "connection", "failed", "Connection refused"),
    ("silent.example", "SRV", "failed", "silent.example")))
def test_where_there_is_no_server(network, domain, step, state, text):
    found, states = why(network, domain, "ant.example")
    assert states["out", step] == state
    assert text in found["out", step]["found"]
    assert found["out", step]["note"]
    assert ("out", "stream") not in states and ("in", "answer") not in states
