"""What a peer may make grow, and what happens at the bound."""

import os
import resource

import pytest

import sasl
import scene as scenes
from client import Client, Closed
from test_stats import stats, until
from xmltree import SASL, STREAM, STREAMS

pytestmark = pytest.mark.only("antiphon")


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


@pytest.mark.plain
def test_a_client_that_does_not_read(own_server):
    """limits: write_queue_max_bytes; hostile-12: it costs only itself.  With a
    bound that high, nobody is slowed before."""
    server = own_server({"limits": {"write_queue_bytes": "2MiB",
                                    "write_queue_max_bytes": "2MiB"}})
    scene = scenes.Scene(server, ("romeo", "juliet"))
    scene.subscribe("romeo", "juliet")
    romeo = scene.online("romeo/r")
    scene.online("juliet/j")
    scene.settle()
    before = server.memory_kib()
    body = "x" * 100000
    jid = scene.full("juliet", "j")
    # more than the socket buffers of both sides hold
    for _ in range(300):
        romeo.send("<message to='%s' type='headline'><body>%s</body>"
                   "</message>" % (jid, body))
    romeo.take(lambda e: e.get("type") == "unavailable", "unavailable")
    romeo.ping()
    assert server.memory_kib() < before + 64 * 1024
    scene.end()


def test_the_largest_stanza_waits_while_its_account_is_loaded(own_server):
    """limits: inbox_bytes; 200 KB that are some megabytes in memory."""
    server = own_server()
    scene = scenes.Scene(server, ("romeo", "juliet"))
    romeo = scene.online("romeo/r")
    scene.sessions["romeo/r"].close()
    server.advance(61)  # no account is in memory
    romeo = scene.login("romeo/r")
    many = "<y a='' b='' c='' d='' e='' f='' g=''/>" * 4000
    romeo.send("<message to='%s' id='m'><body>x</body><x xmlns='urn:x'>%s</x>"
               "</message>" % (scene.binds["juliet"], many))
    romeo.iq("set", scenes.BARRIER)
    assert not romeo.inbox
    juliet = scene.online("juliet/j")
    got = juliet.take(lambda e: e.get("id") == "m", "the message")
    assert len(list(got.child("x", "urn:x").elems())) == 4000
    scene.end()


@pytest.mark.once
def test_many_strangers_cost_little(own_server):
    """hostile-03, -05: what one stranger can pin is bounded."""
    server = own_server({"limits": {"unauthenticated_connections": "1000"}})
    before = server.memory_kib()
    held = []
    for _ in range(200):
        c = Client(server).connect()
        c.open()
        c.send("<a b='" + "c" * 9000)
        held.append(c)
    probe = Client(server).secure()
    probe.close()
    assert server.memory_kib() < before + 200 * 64
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


# --- entities ---------------------------------------------------------------

def store_reads(server):
    return stats(server)["store_reads"]


def message(to, inner="<body>x</body>"):
    return "<message to='%s' type='chat' id='m'>%s</message>" % (to, inner)


@pytest.mark.once
def test_addresses_that_do_not_exist_hold_no_memory(own_server):
    server = own_server()
    scene = scenes.Scene(server, ("romeo",))
    romeo = scene.online("romeo/a")
    before = server.memory_kib()
    for k in range(10):
        romeo.send("".join(message("%s%d@%s" % ("x" * 900, 2000 * k + i,
                                                server.domain))
                           for i in range(2000)))
        romeo.ping()
    scene.flush()
    # those of the last turn may be there still
    assert stats(server)["entities"] < 200
    assert server.memory_kib() - before < 40 * 1024


def test_what_does_not_exist_is_read_once(own_server):
    """And is found at once when it is made, one by one or many at once."""
    server = own_server()
    scene = scenes.Scene(server, ("romeo",))
    romeo = scene.online("romeo/a")
    names = ["one", "many"]
    for name in names:
        romeo.send(message("%s@%s" % (name, server.domain)))
    romeo.ping()
    scene.flush()
    before = store_reads(server)
    for _ in range(50):
        romeo.send("".join(message("%s@%s" % (name, server.domain))
                           for name in names))
        romeo.ping()
    assert store_reads(server) == before
    server.adduser("one", "secret-one")
    server.ctl("adduser", "--batch", "-", stdin="many@%s secret-one\n"
               % server.domain)
    for name in names:
        romeo.send(message("%s@%s" % (name, server.domain)))
    scene.flush()
    for name in names:
        c = Client(server, name).login(name, "secret-one")
        c.send("<presence/>")
        c.take(lambda e: e.is_("message"), "what waited")


def test_what_does_not_exist_is_read_again_after_a_while(own_server):
    """limits: account_idle, as for an account that does exist."""
    server = own_server({"limits": {"account_idle": "60s"}})
    scene = scenes.Scene(server, ("romeo", "juliet"))
    romeo = scene.online("romeo/a")
    reads = []
    for to in (scene.binds["juliet"], "nobody@" + server.domain):
        for wait in (None, None, "61s"):
            if wait:
                server.ctl("clock", "advance", wait)
            before = store_reads(server)
            romeo.send(message(to, "<body/><no-store xmlns='urn:xmpp:hints'/>"))
            romeo.ping()
            scene.flush()
            reads.append(store_reads(server) - before)
    assert reads[:3] == reads[3:] and reads[1] < reads[0] == reads[2]


def test_entities_in_memory(own_server):
    """limits: entities; who has a session stays, who has none leaves."""
    server = own_server({"shards": 1, "limits": {"entities": "10"}})
    names = ["u%d" % i for i in range(30)]
    scene = scenes.Scene(server, names)
    first = scene.login("u0/a")
    for name in names[1:]:
        first.send(message(scene.binds[name]))
        scene.flush() # one that is being read cannot leave
    assert stats(server)["entities"] <= 11
    assert first.inbox == []
    held = [scene.login(name + "/a") for name in names[1:11]]
    first.iq("get", scenes.ROSTER)
    first.send(message(scene.binds["u20"]))
    got = first.take(lambda e: e.get("type") == "error", "a refusal")
    assert got.find("error", "resource-constraint") is not None
    c = Client(server).secure()
    a = scene.accounts["u21"]
    c.auth(a.name, a.password)
    got = c.iq("set", "<bind xmlns='urn:ietf:params:xml:ns:xmpp-bind'/>")
    assert got.find("error", "resource-constraint") is not None
    held.pop().close()
    # there is room when the server has seen its end
    for _ in range(100):
        got = c.iq("set", "<bind xmlns='urn:ietf:params:xml:ns:xmpp-bind'/>")
        if got.get("type") == "result":
            break
    assert got.get("type") == "result"
    assert stats(server)["refused"] >= 2


# --- the whole process --------------------------------------------------------

BUDGET = 32 << 20


def memory_cut(server):
    return [line for line in server.process.lines
            if "holds more of the memory than others" in line]


def flood(c, to):
    """Until the server reads no more, or has closed the connection."""
    text = message(to, "<body>%s</body>" % ("x" * 200000)).encode()
    c.sock.settimeout(0.2)
    try:
        for _ in range(40):
            c.sock.sendall(text)
    except (TimeoutError, OSError):
        pass


def test_memory_that_one_takes_costs_nobody_else(own_server):
    """limits: memory.  One account sends to a session of its own that does not
    read: it is slowed, refused, and at last closed; others notice nothing."""
    server = own_server({"limits": {
        "memory": str(BUDGET), "write_queue_bytes": "1GiB",
        "write_queue_max_bytes": "1GiB",
        "mailbox_bytes": "1GiB", "inbox_bytes": "1GiB"}})
    scene = scenes.Scene(server, ("hog", "romeo", "juliet"))
    hog, deaf = scene.online("hog/a"), scene.online("hog/b")
    romeo, juliet = scene.online("romeo/a"), scene.online("juliet/a")
    highest = 0
    for _ in range(100):
        flood(hog, deaf.jid)
        for a, b in ((romeo, juliet), (juliet, romeo)):
            scene.mark(a, b)
        highest = max(highest, stats(server)["memory_waiting_bytes"])
        # he is closed a second after the bound was reached
        server.ctl("clock", "advance", "2s")
        if memory_cut(server):
            break
    assert len(memory_cut(server)) == 1 and "hog" in memory_cut(server)[0]
    # what was on its way when the bound was reached comes on top
    assert BUDGET / 2 < highest < 3 * BUDGET
    for a, b in ((romeo, juliet), (juliet, romeo)):
        scene.mark(a, b)
    until(lambda: stats(server)["memory_waiting_bytes"],
          lambda got: got < BUDGET / 4)
    # RFC 6120 §4.9.3.17: a client may come back when there is room again
    end = hog.take(lambda e: e.is_("error", STREAM), "a stream error")
    assert end.child("resource-constraint", STREAMS)
    hog.drop()
    deaf.drop()


def test_memory_is_given_back_by_bytes(own_server):
    """However few streams it belonged to."""
    server = own_server({"limits": {"write_queue_bytes": "1GiB",
                                    "write_queue_max_bytes": "1GiB"}})
    scene = scenes.Scene(server, ("hog", "romeo"))
    hog, deaf = scene.online("hog/a"), scene.online("hog/b")
    romeo = scene.online("romeo/a")
    while stats(server)["memory_waiting_bytes"] < 32 << 20:
        flood(hog, deaf.jid)
        server.ctl("clock", "advance", "1s") # it is looked for now and then
    start = len(server.process.lines)
    for c in hog, deaf:
        c.reset()
    until(lambda: stats(server)["memory_waiting_bytes"],
          lambda got: got < 4 << 20)
    for _ in range(2):
        server.ctl("clock", "advance", "6s")
        romeo.ping()
    server.process.wait_line("free memory is given back", start)


def test_the_administrator_gets_in_without_descriptors(own_server):
    """Connections never take the last descriptors of the process."""
    server = own_server()
    most = len(os.listdir("/proc/%d/fd" % server.process.proc.pid)) + 80
    server.before = lambda: resource.setrlimit(resource.RLIMIT_NOFILE,
                                               (most, most))
    server.restart()
    server.adduser("romeo", "secret-one")
    held = []
    for _ in range(120):
        try:
            held.append(Client(server).connect())
        except OSError:
            break
    server.process.wait_line(r"new connections wait")
    for _ in range(10):
        assert "streams" in server.ctl("stats")
    for c in held:
        c.drop()

    def can_log_in():
        try:
            Client(server).login("romeo", "secret-one").ping()
            return True
        except (Closed, OSError):
            return False # the others are not gone yet
    until(can_log_in, bool)
