"""Certificates that end: told in time, once a day, until there are new ones."""

import json

import pytest

pytestmark = pytest.mark.only("antiphon")
SOON = r"warn tls: certificate expires soon host=%s days=%d file=\S+crt"
OVER = r"error tls: certificate has expired host=%s days=-%d file=\S+crt"


def status(server):
    return json.loads(server.ctl("--json", "status"))


def told(server, start):
    return [line for line in server.process.lines[start:]
            if "certificate expires" in line or "has expired" in line]


def at(server):
    return len(server.process.lines)


def advance(server, days):
    """The lines about certificates that the next days brought."""
    start = at(server)
    server.ctl("clock", "advance", "%dd" % days)
    server.ctl("status")  # answered after the timers of that turn
    return start


def test_certificates_are_watched_every_day(own_server):
    # certificates of tests are good for thirty days, from a moment ago
    server = own_server({"tls": {"expiry_warning": "5d"}})
    assert told(server, 0) == []
    server.advance(12 * 3600)
    found = status(server)
    assert (found["expires_first"], found["expires_days"]) == (
        server.domain, 29)
    assert told(server, advance(server, 24)) == []
    for left in (4, 3):
        start = advance(server, 1)
        for host in (server.domain, server.other_domain):
            server.process.wait_line(SOON % (host, left), start)
        assert len(told(server, start)) == 2
    start = advance(server, 5)
    server.process.wait_line(OVER % (server.domain, 2), start)
    server.process.wait_line(OVER % (server.other_domain, 2), start)
    assert status(server)["expires_days"] == -2
    start = advance(server, 1)
    server.process.wait_line(OVER % (server.domain, 3), start)


def test_a_reload_tells_too(own_server):
    server = own_server({"tls": {"expiry_warning": "40d"}})
    assert len(told(server, 0)) == 2
    server.advance(12 * 3600)
    start = at(server)
    server.ctl("reload")
    server.process.wait_line(SOON % (server.domain, 29), start)


def test_a_server_without_certificates_has_none_to_watch(own_server):
    server = own_server({
        "auth": {"tls_required": "no"},
        "hosts": {"antiphon.test": {"certificate": None, "key": None},
                  "other.test": {"certificate": None, "key": None}}})
    assert "expires_days" not in status(server)
    assert told(server, advance(server, 400)) == []
