"""What streams, logins and the process may have, at both ends (see
options.py)."""

import socket
import ssl

import pytest

import client as clients
import sasl
import scene as scenes
from client import Client, Closed
from options import (BOTH, BOTH_MAX_ONCE, MAX, MIN, option, proves,
                     sworn)
from test_at_limits import chat, check_config, served
from test_at_limits_xml import HEAD, TAIL
from test_stats import stats, until
from xmltree import SASL

pytestmark = pytest.mark.only("antiphon")

YEARS = 2 * 365 * 86400


def is_closed(server, source=None):
    """Is a new connection closed without a stream?"""
    c = Client(server)
    try:
        c.connect(source=source)
        c.open()
    except (Closed, OSError):
        return True
    c.drop()
    return False


# --- connections ----------------------------------------------------------------


@proves("limits: connections", ends=MIN)
def test_the_fewest_connections(own_server):
    server, most = served(own_server, "limits: connections", "min")
    server.adduser("romeo", "secret-one")
    held = [Client(server).login("romeo", "secret-one")]
    held += [Client(server).connect() for _ in range(most - 1)]
    for c in held[1:]:
        c.open()
    assert is_closed(server)
    held[0].ping()
    for c in held:
        c.drop()


sworn("limits: connections", MAX, "10,000,000 are 15 GB and as many "
      "descriptors; 300 are made")


@proves("limits: connections_per_address", ends=MIN)
def test_one_connection_of_an_address(own_server):
    server, _ = served(own_server, "limits: connections_per_address", "min")
    server.adduser("romeo", "secret-one")
    held = Client(server).login("romeo", "secret-one")
    assert is_closed(server) and not is_closed(server, "127.0.0.2")
    held.ping()
    held.close()


sworn("limits: connections_per_address", MAX, "1,000,000 ports of one address "
      "do not exist; 300 are used")


@proves("limits: unauthenticated_connections", ends=MIN)
def test_few_who_have_not_logged_in(own_server):
    server, most = served(own_server, "limits: unauthenticated_connections",
                          "min")
    server.adduser("romeo", "secret-one")
    held = []
    for _ in range(most):
        held.append(Client(server).connect())
        held[-1].open()
    user = Client(server).login("romeo", "secret-one")
    held[0].expect_error("resource-constraint")
    user.ping()
    for c in held[1:] + [user]:
        c.drop()


sworn("limits: unauthenticated_connections", MAX, "1,000,000 connections; 300 "
      "are made")


@pytest.mark.parametrize("n", (0, 1, 2, 300))
def test_numbers_of_connections(own_server, n):
    server, _ = served(own_server, "limits: connections", "max", {"limits": {
        "connections_per_address": "1000000",
        "unauthenticated_connections": "1000000"}})
    held = [Client(server).connect() for _ in range(n)]
    for c in held:
        c.open()
    chat(server, 0)
    for c in held:
        c.close()


# --- waits ----------------------------------------------------------------------


@proves("limits: login_timeout")
@pytest.mark.parametrize("end", BOTH)
def test_how_long_a_login_may_take(own_server, end):
    server, wait_s = served(own_server, "limits: login_timeout", end)
    server.adduser("romeo", "secret-one")
    c = Client(server).connect()
    c.open()
    if end == "max":
        server.advance(wait_s - 60)
        c.starttls()
        c.open()
        server.advance(61)
    else:
        server.advance(wait_s)
    c.expect_error("connection-timeout")
    c = Client(server).login("romeo", "secret-one")
    server.advance(wait_s + 1)
    c.ping()
    c.close()


@proves("limits: close_timeout", ends=MIN)
@pytest.mark.parametrize("end", BOTH)
def test_how_long_a_close_may_take(own_server, end):
    server, wait_s = served(own_server, "limits: close_timeout", end)
    c = Client(server).connect()
    c.open()
    c.send("<broken></not>")
    c.take(lambda e: e.name == "error", "a stream error")
    if end == "min":
        until(lambda: streams(server), lambda n: n == 0)
    else:
        for _ in range(50):
            assert streams(server) == 1
    c.drop()
    until(lambda: streams(server), lambda n: n == 0)


sworn("limits: close_timeout", MAX, "a minute of the machine's own clock, which "
      "nobody moves; a part of it is waited")


def streams(server):
    return stats(server)["streams"]


@proves("limits: idle_before_ping")
@pytest.mark.parametrize("end", BOTH)
def test_how_long_a_client_may_be_silent(own_server, end):
    server, wait_s = served(own_server, "limits: idle_before_ping", end)
    scene = scenes.Scene(server, ("romeo",))
    romeo = scene.login("romeo/a")
    romeo.ping()
    server.advance(wait_s * 0.8 if wait_s else YEARS)
    romeo.quiet()
    if wait_s:
        server.advance(wait_s * 1.1)
        got = romeo.next("a ping")
        assert got.child("ping") is not None
        romeo.send("<iq type='result' id='%s'/>" % got.get("id"))
    romeo.quiet()
    scene.end()


@proves("limits: ping_timeout")
@pytest.mark.parametrize("end", BOTH)
def test_how_long_a_ping_is_waited_for(own_server, end):
    server, wait_s = served(own_server, "limits: ping_timeout", end, {
        "limits": {"idle_before_ping": "10s"}})
    scene = scenes.Scene(server, ("romeo",))
    romeo = scene.login("romeo/a")
    for late in (False, True):
        server.advance(11)
        ping = romeo.next("a ping")
        server.advance(wait_s * 1.1 if late else wait_s / 2)
        if not late:
            romeo.send("<iq type='result' id='%s'/>" % ping.get("id"))
            romeo.ping()
    romeo.expect_error("connection-timeout")
    scene.end()


# --- rates ----------------------------------------------------------------------


def is_behind(scene, name):
    """Has no answer while others have had many?"""
    c = scene[name]
    c.send("<iq type='get' id='late'><ping xmlns='urn:xmpp:ping'/></iq>")
    for _ in range(20):
        scene["juliet/a"].ping()
    c.sock.settimeout(0.05)
    try:
        c.reader.feed(c.sock.recv(65536))
    except TimeoutError:
        pass
    return not any(e.get("id") == "late" for e in c.inbox)


@proves("limits: bytes_per_second", "limits: bytes_burst")
@pytest.mark.parametrize("end", BOTH)
def test_bytes_in_a_second(own_server, end):
    server, rate = served(own_server, "limits: bytes_per_second", end, {
        "limits": {"bytes_burst": "10000" if end == "min" else "1GiB",
                   "idle_before_ping": "never"}})
    scene = scenes.Scene(server, ("romeo", "juliet"))
    romeo, juliet = scene.login("romeo/a"), scene.login("juliet/a")
    for wait_s in (60, YEARS):
        server.advance(wait_s)
        for c in romeo, juliet:
            c.ping()
        romeo.send(HEAD % juliet.jid + "x" * 200000 + TAIL)
        late = is_behind(scene, "romeo/a")
        assert late == (end == "min")
        # each time it has as much as the burst
        for _ in range(2 * 200000 // 10000 if late else 0):
            server.advance(10000 / rate + 1)
        got = juliet.take(lambda e: e.get("id") == "m", "the message")
        assert len(got.child("x").text()) == 200000
        romeo.take(lambda e: e.get("id") == "late", "the answer")
        romeo.inbox.clear()
    scene.end()


@proves("limits: stanzas_per_second", "limits: stanzas_burst")
@pytest.mark.parametrize("end", BOTH)
def test_stanzas_in_a_second(own_server, end):
    server, rate = served(own_server, "limits: stanzas_per_second", end, {
        "limits": {"stanzas_burst": "10" if end == "min" else "1000000"}})
    scene = scenes.Scene(server, ("romeo", "juliet"))
    romeo, juliet = scene.login("romeo/a"), scene.login("juliet/a")
    server.advance(60)
    for c in romeo, juliet:
        c.ping()
    n = 20 if end == "min" else 2000
    for i in range(n):
        romeo.send("<message to='%s' id='%d'><body>x</body></message>"
                   % (juliet.jid, i))
    if end == "min":
        # it reads on when the bucket has room, one a second
        server.advance(3)
        server.advance(n * 2)
    for i in range(n):
        juliet.take(lambda e: e.get("id") == str(i), "message %d" % i)
    romeo.ping()
    scene.end()


# --- logins ---------------------------------------------------------------------


def attempt(server, password, source, name="romeo"):
    c = Client(server).secure(source=source)
    got = c.auth_step("PLAIN", name, password).name
    c.drop()
    return got == "success"


@proves("limits: auth_attempts")
@pytest.mark.parametrize("end", BOTH_MAX_ONCE)
def test_attempts_on_one_connection(own_server, end):
    server, most = served(own_server, "limits: auth_attempts", end, {
        "limits": {"login_timeout": "10m"}})
    server.adduser("romeo", "secret-one")
    for good in (False, True):
        c = Client(server).secure()
        for _ in range(most - good):
            c.send("<auth xmlns='%s' mechanism='PLAIN'>%s</auth>"
                   % (SASL, sasl.plain("romeo", "wrong")))
            # the answer is late
            until(lambda: server.advance(1) or c.has_come(), bool)
            assert c.next().name == "failure"
        if good:
            assert c.auth_step("PLAIN", "romeo", "secret-one").name == \
                "success"
            c.drop()
        else:
            c.expect_error("policy-violation")


FAILURES = 200


@proves("limits: auth_failures_per_address", "limits: auth_failures_per_account",
        ends=MIN)
@pytest.mark.parametrize("end", BOTH)
@pytest.mark.parametrize("kind", ("address", "account"))
def test_failures_in_a_minute(own_server, kind, end):
    server, most = served(own_server, "limits: auth_failures_per_" + kind, end)
    server.add_users_batch([("romeo", "secret-one"), ("juliet", "secret-two")])
    if end == "max":
        for _ in range(FAILURES):
            c = Client(server).secure(source="127.0.0.2")
            c.send("<auth xmlns='%s' mechanism='PLAIN'>%s</auth>"
                   % (SASL, sasl.plain("romeo", "wrong")))
            c.send("</stream:stream>")
            c.drop()
        assert attempt(server, "secret-one", "127.0.0.2")
        return
    assert not attempt(server, "wrong", "127.0.0.2")
    assert not attempt(server, "secret-one", "127.0.0.2")
    assert attempt(server, "secret-two", "127.0.0.2", "juliet") == \
        (kind == "account")
    assert attempt(server, "secret-one", "127.0.0.3")
    server.advance(61)
    assert attempt(server, "secret-one", "127.0.0.2")


for kind in ("per_address", "per_account", "spread"):
    sworn("limits: auth_failures_" + kind, MAX,
          "1,000,000 failed logins in a minute; %d are tried" % FAILURES)


@proves("limits: auth_failures_spread", ends=MIN)
def test_each_failure_slows_others(own_server):
    server, _ = served(own_server, "limits: auth_failures_spread", "min")
    server.adduser("romeo", "secret-one")
    assert not attempt(server, "wrong", "127.0.0.2")
    late = Client(server).secure(source="127.0.0.3")
    late.send("<auth xmlns='%s' mechanism='PLAIN'>%s</auth>"
              % (SASL, sasl.plain("romeo", "secret-one")))
    server.process.wait_line(r"login slowed account=romeo@\S+ wait=1000ms")
    server.advance(1)
    assert late.next().name == "success"
    late.drop()


@proves("limits: known_address_age")
@pytest.mark.parametrize("end", BOTH)
def test_how_long_an_address_is_known(own_server, end):
    server, age_s = served(own_server, "limits: known_address_age", end, {
        "limits": {"auth_failures_per_address": "1"}})
    server.adduser("romeo", "secret-one")
    assert attempt(server, "secret-one", "127.0.0.2")
    for wait_s, known in ((age_s * 0.9 if age_s else YEARS, True),
                          (age_s * 1.1 if age_s else YEARS, not age_s)):
        server.advance(wait_s)
        # somebody else is no friend of this address
        assert not attempt(server, "wrong", "127.0.0.2", "nobody")
        assert attempt(server, "secret-one", "127.0.0.2") == known
        server.advance(61)
        if known:
            assert attempt(server, "secret-one", "127.0.0.2")


# --- passwords ------------------------------------------------------------------


@proves("auth: scram_iterations")
@pytest.mark.parametrize("end", BOTH_MAX_ONCE)
def test_rounds_of_hashing(own_server, end):
    server, rounds = served(own_server, "auth: scram_iterations", end)
    server.adduser("romeo", "secret-one")
    for mech in ("SCRAM-SHA-1", "SCRAM-SHA-256", "SCRAM-SHA-512", "PLAIN"):
        if mech == "PLAIN" or mech in Client(server).secure().mechanisms():
            c = Client(server).secure()
            c.auth("romeo", "secret-one", mech)
            c.bind("a")
            c.close()
    got = Client(server).secure().auth_step("SCRAM-SHA-256", "nobody", "x")
    assert got.name == "failure"
    assert rounds in (4096, 1000000)


@proves("auth: password_min_bytes")
@pytest.mark.parametrize("end", BOTH)
def test_the_shortest_password(own_server, end):
    server, least = served(own_server, "auth: password_min_bytes", end)
    server.adduser("romeo", "secret-one")
    password = "secret-one"
    for more, ok in ((0, True), (-1, False), (700, True)):
        wanted = "x" * (least + more)
        c = Client(server).login("romeo", password)
        got = c.iq("set", "<query xmlns='jabber:iq:register'><username>romeo"
                   "</username><password>%s</password></query>" % wanted)
        assert (got.get("type") == "result") == ok
        password = wanted if ok else password
        c.close()
        c = Client(server).login("romeo", password)
        c.ping()
        c.close()


@proves("auth: mechanisms", ends=MIN)
def test_one_mechanism(own_server):
    server, _ = served(own_server, "auth: mechanisms", "min")
    server.adduser("romeo", "secret-one")
    c = Client(server).login("romeo", "secret-one")
    assert Client(server).secure().mechanisms() == ["SCRAM-SHA-256"]
    c.close()


# --- the process ----------------------------------------------------------------


@proves("shards", "storage: readers", "listen: backlog")
@pytest.mark.parametrize("path,end", [(path, end) for path in (
    "shards", "storage: readers", "listen: backlog") for end in BOTH])
def test_a_server_of_that_size(own_server, path, end):
    server, n = served(own_server, path, end)
    scene = scenes.Scene(server, ["c%d" % i for i in range(20)])
    held = [scene.login(name + "/a") for name in scene.accounts]
    for i, c in enumerate(held):
        scene.mark(c, held[i - 1])
    for c in held:
        c.close()
    if path == "shards":
        assert "shards" in server.ctl("status")
    server.restart()
    scene.login("c0/a").ping()
    scene.end()


@proves("listen: port")
@pytest.mark.parametrize("port", ("0", "65535"))
def test_the_last_port(pool, port):
    with socket.socket() as free:
        free.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            free.bind(("127.0.0.1", int(port)))
        except OSError:
            pytest.skip("port %s is in use" % port)
    server = pool.new({"listen": [{"kind": "c2s", "address": "127.0.0.1",
                                   "port": port, "tls": "starttls"}]})
    server.start()
    assert port in ("0", str(server.port("starttls")))
    chat(server, 0)
    server.stop()


@proves("listen: kind")
@pytest.mark.parametrize("end", BOTH)
def test_so_many_kinds_of_one_port(own_server, end):
    """Each is found by its protocol, and by its first bytes."""
    kinds = {"c2s": ("xmpp-client", b"<"), "testport": ("testport", b"line "),
             "testport2": ("testport2", b"lines "), "server": ("xmpp-server", b"<")}
    n = int(option("listen: kind").end(end))
    some = list(kinds)[:n]
    server = own_server({
        "modules": {"testport": {}}, "federation": {"mode": "on"},
        "listen": [{"kind": some, "address": "127.0.0.1", "port": 0,
                    "tls": "direct"}]})
    context = ssl.create_default_context(cafile=server.ca_file)
    for kind in some:
        for alpn in kinds[kind][0], None:
            if alpn:
                context.set_alpn_protocols([alpn])
            else:
                context = ssl.create_default_context(cafile=server.ca_file)
            with context.wrap_socket(
                    socket.create_connection(("127.0.0.1", server.port("direct"))),
                    server_hostname=server.domain) as sock:
                assert sock.selected_alpn_protocol() == alpn
                sock.settimeout(clients.PATIENCE)
                if kind.startswith("testport"):
                    said = kinds[kind][1] + b"here\n"
                else:
                    said = b"<stream:stream xmlns='%s'>" % (
                        b"jabber:client" if kind == "c2s" else b"jabber:server")
                sock.sendall(said)
                got = sock.recv(1000)
                assert got == said or said[14:-2] in got
    server.conf["listen"][0]["kind"] = [
        "k%d" % i for i in range(n + (1 if end == "max" else -1))]
    code, said = check_config(server)
    assert code == 1 and "listen: kind: the list has" in said


@proves("listen: address", ends=MAX)
def test_the_longest_address(pool):
    """No such address exists: it is a clear mistake, and nothing else."""
    server = pool.new()
    o = option("listen: address")
    alone_conf = [dict(one, address=o.value("max"))
                  for one in server.conf["listen"]]
    server.conf["listen"] = alone_conf
    code, said = check_config(server)
    assert code == 1
    assert "listen: " in said and "x" * 60 in said


@proves("tls: expiry_warning")
@pytest.mark.parametrize("end", BOTH)
def test_when_certificates_are_told_of(own_server, end):
    server, before_s = served(own_server, "tls: expiry_warning", end)
    told = [line for line in server.process.lines
            if "certificate expires" in line]
    assert bool(told) == (end == "max") # they are good for thirty days
    server.advance(29.5 * 86400)
    server.process.wait_line(r"certificate expires soon host=\S+ days=0")
    assert before_s
