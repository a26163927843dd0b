"""The options of `dns' at the ends of their ranges."""

import time

import pytest

import names as dns
from options import MAX, MIN, option, proves, sworn
from test_dns import check, names, serving # noqa: F401

pytestmark = [
    pytest.mark.only("antiphon"),
    pytest.mark.skipif(bool(dns.missing()), reason="%s: see contrib/deps.sh"
                       % " ".join(dns.missing()))]

sworn("dns: questions", MAX, "4096 names whose name servers are silent; that "
      "the bound is one is shown with 8 in tests/unit/test_dns.c")
sworn("dns: timeout", MAX, "a minute of waiting; the clock is moved over it in "
      "tests/unit/test_dns.c")


@proves("dns: timeout", ends=MIN)
def test_the_shortest_time_is_kept(own_server, names, open_path): # noqa: F811
    silent = names.middle()
    silent.silent = True
    names.zone("silent.example", "@ A 127.0.0.1", through=silent)
    names.start()
    server = serving(own_server, names, open_path, "silent.example",
                     timeout=option("dns: timeout").min)
    began = time.monotonic()
    _, rows = check(server, "silent.example")
    assert time.monotonic() - began >= 1
    assert "no answer in time" in rows[
        "_xmpp-client._tcp.silent.example SRV"]["note"]


@proves("dns: questions", ends=MIN)
def test_the_fewest_questions_are_enough_for_one_check(
        own_server, names, open_path): # noqa: F811
    names.zone("plain.example", "@ A 127.0.0.1")
    names.start()
    server = serving(own_server, names, open_path, "plain.example",
                     questions=option("dns: questions").min)
    _, rows = check(server, "plain.example")
    assert rows["plain.example A"]["state"] == "found"


@proves("dns: servers", ends=MAX)
def test_the_last_of_many_servers_is_asked(own_server, names,
                                           open_path): # noqa: F811
    names.zone("plain.example", "@ A 127.0.0.1")
    names.start()
    n = int(option("dns: servers").max)
    server = serving(own_server, names, open_path, "plain.example",
                     timeout="1m",
                     servers=["127.0.0.1@%d" % dns.free_port()
                              for _ in range(n - 1)] + names.conf()["servers"])
    _, rows = check(server, "plain.example")
    assert rows["plain.example A"]["state"] == "found"


@proves("dns: reserved_zones", ends=MAX)
def test_as_many_zones_as_there_may_be(own_server, names,
                                       open_path): # noqa: F811
    names.zone("antiphon.test", "@ A 127.0.0.1")
    names.start()
    n = int(option("dns: reserved_zones").max)
    zones = ["z%d.invalid" % i for i in range(n - 1)] + ["test"]
    server = serving(own_server, names, open_path, "antiphon.test",
                     reserved_zones=zones)
    _, rows = check(server, "antiphon.test")
    assert rows["antiphon.test A"]["state"] == "found"
