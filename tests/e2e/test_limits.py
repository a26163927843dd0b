"""What a peer may make grow, and what happens at the bound."""

import pytest

import sasl
import scene as scenes
from client import Client, Closed
from xmltree import SASL

pytestmark = pytest.mark.only("antiphon")


def memory_kib(server):
    """0 where a sanitizer keeps what was freed."""
    if server.sanitized():
        return 0
    with open("/proc/%d/status" % server.process.proc.pid) as f:
        return next(int(line.split()[1]) for line in f
                    if line.startswith("VmRSS"))


def refused(server):
    """Is a new connection closed without a stream?"""
    c = Client(server).connect()
    try:
        c.open()
    except (Closed, OSError):
        return True
    c.close()
    return False


def test_connections_of_one_address(own_server):
    """limits: connections_per_address"""
    server = own_server({"limits": {"connections_per_address": "3"}})
    held = [Client(server).connect() for _ in range(3)]
    for c in held:
        c.open()
    assert refused(server)
    held[0].close()
    # the server counts a connection until it has seen its end
    for _ in range(100):
        if not refused(server):
            return
    pytest.fail("no room was made")


def test_strangers_do_not_keep_users_out(own_server):
    """limits: unauthenticated_connections: the oldest of the address with the
    most of them makes room."""
    server = own_server({"limits": {"unauthenticated_connections": "10"}})
    server.adduser("romeo", "secret-one")
    user = Client(server).login("romeo", "secret-one")
    strangers = []
    for last in "2323232324":
        strangers.append(Client(server).connect(source="127.0.0." + last))
        strangers[-1].open()
    again = Client(server).login("romeo", "secret-one")
    strangers[0].expect_error("resource-constraint")
    for c in strangers[1:]:
        c.send("</stream:stream>")
        c.expect_closed()
    for c in (user, again):
        c.ping()


def attempt(server, password, source):
    c = Client(server).secure(source=source)
    got = c.auth_step("PLAIN", "romeo", password).name
    c.drop()
    return got


def test_guessing_is_limited(own_server):
    """limits: auth_failures_per_account; the right password is no use until
    the minute is over, so that guessing tells nothing.  Elsewhere it is."""
    server = own_server({"limits": {"auth_failures_per_account": "3"}})
    server.adduser("romeo", "secret-one")
    here, elsewhere = "127.0.0.2", "127.0.0.3"
    assert [attempt(server, "wrong-%d" % i, here) for i in range(3)] == \
        ["failure"] * 3
    assert attempt(server, "secret-one", here) == "failure"
    assert attempt(server, "secret-one", elsewhere) == "success"
    server.advance(61)
    assert attempt(server, "secret-one", here) == "success"


def test_guessing_from_many_addresses_is_slowed(own_server):
    """limits: auth_failures_spread; whoever has been here does not wait."""
    server = own_server({"limits": {"auth_failures_spread": "5"}})
    server.adduser("romeo", "secret-one")
    assert attempt(server, "secret-one", "127.0.0.2") == "success"
    for i in range(5):
        assert attempt(server, "wrong", "127.0.1.%d" % (1 + i)) == "failure"
    late = Client(server).secure(source="127.0.0.3")
    late.send("<auth xmlns='%s' mechanism='PLAIN'>%s</auth>"
              % (SASL, sasl.plain("romeo", "secret-one")))
    assert attempt(server, "secret-one", "127.0.0.2") == "success"
    server.process.wait_line(r"login slowed account=romeo@\S+ wait=1000ms")
    server.advance(1)
    assert late.next().name == "success"


def test_a_client_that_does_not_read(own_server):
    """limits: write_queue_bytes; hostile-12: it costs only itself."""
    server = own_server({"limits": {"write_queue_bytes": "256KiB"}})
    scene = scenes.Scene(server, ("romeo", "juliet"))
    scene.subscribe("romeo", "juliet")
    romeo = scene.online("romeo/r")
    scene.online("juliet/j")
    scene.settle()
    before = memory_kib(server)
    body = "x" * 100000
    jid = scene.full("juliet", "j")
    # more than the socket buffers of both sides hold
    for _ in range(300):
        romeo.send("<message to='%s' type='headline'><body>%s</body>"
                   "</message>" % (jid, body))
    romeo.ping()
    romeo.take(lambda e: e.get("type") == "unavailable", "unavailable")
    assert memory_kib(server) < before + 64 * 1024
    scene.end()


def test_many_strangers_cost_little(own_server):
    """hostile-03, -05: what one stranger can pin is bounded."""
    server = own_server({"limits": {"unauthenticated_connections": "1000"}})
    before = memory_kib(server)
    held = []
    for _ in range(200):
        c = Client(server).connect()
        c.open()
        c.send("<a b='" + "c" * 9000)
        held.append(c)
    probe = Client(server).secure()
    probe.close()
    assert memory_kib(server) < before + 200 * 64
    for c in held:
        c.drop()


def test_stanza_rate_slows_and_loses_nothing(own_server):
    """limits: stanzas_per_second: who sends more waits, that is all."""
    server = own_server({"limits": {"stanzas_burst": "20",
                                    "stanzas_per_second": "1000"}})
    server.adduser("romeo", "secret-one")
    c = Client(server).login("romeo", "secret-one")
    for i in range(200):
        c.send("<iq type='get' id='%d'><ping xmlns='urn:xmpp:ping'/></iq>" % i)
    assert [c.next().get("id") for _ in range(200)] == \
        [str(i) for i in range(200)]
