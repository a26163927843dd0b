"""The proxy for bytestreams at the ends of what can be configured (see options.py)."""

import pytest

from options import BOTH, MAX, MIN, number, proves, sworn
from socks import digest
from test_at_limits import option
from test_proxy65 import A_NAME, Proxy, QUERY, TARGET, passes, refuses

pytestmark = pytest.mark.only("antiphon")

OF = "modules: proxy65: "


def proxy_at(own_server, name, end, **more):
    """And what that end comes to, as the file has it."""
    o = option(OF + name)
    value = o.value(end)
    return Proxy(own_server, **{name: value, **more}), value


def seconds(value):
    return 365 * 86400 if value == "never" else number(value) / 10**6


@proves(OF + "port")
@pytest.mark.parametrize("end", BOTH)
def test_the_port_that_is_told(own_server, end):
    p, value = proxy_at(own_server, "port", end)
    host, = p.romeo.iq("get", QUERY, p.domain).find("query").elems()
    assert host.get("port") == str(
        int(value) or p.server.port(("proxy65", "none")))
    p.server.check()


@proves(OF + "addresses", ends=MAX)
def test_the_addresses_that_are_told(own_server):
    p, value = proxy_at(own_server, "addresses", "max")
    hosts = list(p.romeo.iq("get", QUERY, p.domain).find("query").elems())
    assert [h.get("host") for h in hosts] == [p.server.domain] + [
        name.lower() for name in value]
    p.server.check()


@proves(OF + "activation_timeout")
@pytest.mark.parametrize("end", BOTH)
def test_who_waits(own_server, end):
    p, value = proxy_at(own_server, "activation_timeout", end)
    waits = p.end().join(A_NAME)
    p.server.advance(seconds(value) - 0.5)
    assert waits.is_quiet()
    p.server.advance(0.6)
    waits.wait_closed()
    p.server.check()


@proves(OF + "idle_timeout")
@pytest.mark.parametrize("end", BOTH)
def test_who_says_nothing(own_server, end):
    p, value = proxy_at(own_server, "idle_timeout", end,
                        transfer_timeout="never")
    frm, to = p.pair()
    passes(frm, to)
    p.server.advance(seconds(value) - 0.5)
    passes(frm, to)
    p.server.advance(seconds(value) + 0.1)
    frm.wait_reset(), to.wait_reset()
    assert "limit=idle_timeout" in p.ended()
    p.server.check()


@proves(OF + "transfer_timeout")
@pytest.mark.parametrize("end", BOTH)
def test_how_long_it_lasts(own_server, end):
    p, value = proxy_at(own_server, "transfer_timeout", end,
                        idle_timeout="1d")
    frm, to = p.pair()
    if end == "max":
        for _ in range(40): # well beyond any other end
            p.server.advance(86000)
            passes(frm, to)
    else:
        p.server.advance(seconds(value) + 0.1)
        frm.wait_reset(), to.wait_reset()
        assert "limit=transfer_timeout" in p.ended()
    p.server.check()


@proves(OF + "transfer_bytes", ends=MIN)
@proves(OF + "bytes_per_second")
@pytest.mark.parametrize("name, end", [
    ("transfer_bytes", "min"), ("transfer_bytes", "max"),
    ("bytes_per_second", "min"), ("bytes_per_second", "max")])
def test_how_much(own_server, name, end):
    """0 is no bound, and the largest is out of reach."""
    p, _ = proxy_at(own_server, name, end)
    frm, to = p.pair()
    for _ in range(100):
        passes(frm, to, bytes(100_000))
    p.server.check()


sworn(OF + "transfer_bytes", MAX,
      "16 TiB are not sent in a test: less passes in test_how_much, and more than "
      "1 MiB is refused in test_proxy65.py")


@proves(OF + "transfers_per_user", ends=MIN)
def test_one_transfer(own_server):
    p, _ = proxy_at(own_server, "transfers_per_user", "min")
    pair = p.pair()
    sid = p.sid()
    name = digest(sid, p.me, TARGET)
    ends = p.end().join(name), p.end().join(name)
    refuses(p.activate(sid), "resource-constraint")
    for end in ends:
        end.wait_closed()
    passes(*pair)
    p.server.check()


sworn(OF + "transfers_per_user", MAX,
      "200,000 connections need more descriptors than there are: 600 transfers run "
      "in test_proxy65.py")
