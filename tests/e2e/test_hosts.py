"""Hosts: which names are theirs, and what happens when one goes."""

import pytest

from client import Client

pytestmark = pytest.mark.only("antiphon")


@pytest.mark.parametrize("domain", [
    "evil%s", "evil.%s", "%s.evil", "%s.evil.test", "x.%s", "%s:5222",
    "%s/x", "a@%s", "*", "*.test", "%s%%00", " %s", "%sx", "test"])
def test_hosts_are_matched_whole(server, domain):
    """hostile-41"""
    to = domain % server.domain if "%s" in domain else domain
    c = Client(server).connect()
    c.restart().send(c.header(to=to))
    c.expect_error("host-unknown")


def test_a_host_that_goes_says_goodbye(own_server):
    """Its sessions end, and those at other hosts who saw them are told."""
    server = own_server()
    server.adduser("romeo", "secret-one", server.other_domain)
    server.adduser("juliet", "secret-two")
    romeo = Client(server, domain=server.other_domain)
    romeo.login("romeo", "secret-one", "r")
    juliet = Client(server).login("juliet", "secret-two", "j")
    juliet.send("<presence/>")
    romeo.send("<presence to='%s'/>" % juliet.jid)
    juliet.take(lambda e: e.is_("presence") and
                e.get("from") == romeo.jid, "presence")
    del server.conf["hosts"][server.other_domain]
    server.write_conf()
    server.ctl("reload")
    juliet.take(lambda e: e.get("from") == romeo.jid and
                e.get("type") == "unavailable", "unavailable")
    romeo.take(lambda e: e.find("host-gone") is not None, "host-gone")
    juliet.ping()
