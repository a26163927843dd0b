"""Ports: kinds of them that modules bring (tests/modules/mod_testport.c), and
what a reload opens and shuts."""

import re
import socket
import ssl
import subprocess
import threading

import pytest

from client import Client, PATIENCE

pytestmark = pytest.mark.only("antiphon")

HARD = 1 << 20 # write_queue_max_bytes
FIRST_BYTE_S = 30


def port_conf(*tls):
    return [{"kind": "testport", "address": "127.0.0.1", "port": 0,
             "tls": mode} for mode in tls or ("none", "direct")]


def start(own_server, conf=None):
    return own_server({
        "modules": {"testport": {}},
        "listen": [{"kind": "c2s", "address": "127.0.0.1", "port": 0,
                    "tls": "starttls"}] + port_conf(),
        "limits": {"connections_per_address": "100000",
                   "close_timeout": "300ms"},
        **(conf or {})})


class Lines:
    """A peer of such a port."""

    def __init__(self, server, tls="none", port=None, source=None, small=False):
        self.sock = socket.socket()
        self.sock.settimeout(PATIENCE)
        if small:
            self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 17)
        if source:
            self.sock.bind((source, 0))
        self.sock.connect(
            ("127.0.0.1", port or server.port(("testport", tls))))
        if tls == "direct":
            context = ssl.create_default_context(cafile=server.ca_file)
            self.sock = context.wrap_socket(self.sock,
                                            server_hostname=server.domain)
        self.got = b""

    def say(self, text):
        self.sock.sendall(text.encode() + b"\n")
        return self

    def line(self):
        while b"\n" not in self.got:
            data = self.sock.recv(65536)
            assert data, "closed"
            self.got += data
        line, self.got = self.got.split(b"\n", 1)
        return line.decode()

    def echo(self, text="hello"):
        assert self.say(text).line() == text
        return self

    def wait_closed(self):
        """Whatever comes before it."""
        try:
            while self.sock.recv(65536):
                pass
        except (ConnectionError, ssl.SSLError):
            pass
        self.sock.close()


def refused(port):
    try:
        socket.create_connection(("127.0.0.1", port), PATIENCE).close()
        return False
    except ConnectionRefusedError:
        return True


def wait_refused(port):
    """A port is shut on one shard after the other; what it has accepted
    meanwhile is closed."""
    while not refused(port):
        pass


def log_mark(server):
    return len(server.process.lines)


def wait_unloaded(server, start):
    server.process.wait_line(r"unloaded module=testport", start)


# --- what comes and goes ----------------------------------------------------

@pytest.mark.parametrize("tls", ["none", "direct"])
@pytest.mark.parametrize("n", [0, 1, 300])
def test_many_come_talk_and_go(own_server, tls, n):
    server = start(own_server)
    peers = [Lines(server, tls) for _ in range(n)]
    for i, peer in enumerate(peers):
        peer.say("%d" % i).say("second")
    for i, peer in enumerate(peers):
        assert peer.line() == "%d" % i and peer.line() == "second"
    for peer in peers[::2]:
        peer.sock.close()
    for peer in peers[1::2]:
        peer.echo("still here")
    server.check()


def test_what_comes_in_pieces_is_put_together(own_server):
    server = start(own_server)
    for tls in ("none", "direct"):
        peer = Lines(server, tls)
        for c in "in pieces\nand more":
            peer.sock.sendall(c.encode())
        assert peer.line() == "in pieces"
        assert peer.say("").line() == "and more"
        peer.sock.sendall(b"a line without an end" * 100)
        peer.wait_closed()
    server.check()


# --- from shard to shard -----------------------------------------------------

@pytest.mark.parametrize("n", [1, 200])
def test_a_connection_goes_on_at_another_shard(own_server, n):
    server = start(own_server, {"shards": 3})
    for tls in ("none", "direct"):
        peers = [Lines(server, tls) for _ in range(n)]
        for at in (1, 2, 2, 0): # also where it is
            for peer in peers:
                peer.sock.sendall(b"before\nmove %d\nbehind\nand" % at)
            for peer in peers:
                assert [peer.line() for _ in range(3)] == [
                    "before", "at %d" % at, "behind"]
                peer.say("")
                assert peer.line() == "and"
        for peer in peers[::2]:
            peer.sock.close()
        for peer in peers[1::2]:
            peer.echo("still here")
    server.check()


def test_who_goes_while_he_is_moved_is_counted_out(own_server):
    server = start(own_server, {"shards": 3,
                                "limits": {"connections_per_address": 100,
                                           "close_timeout": "300ms"}})
    for i in range(100):
        peer = Lines(server).say("move 1\nmove 2\nmove 0\nmove 1")
        if i % 2:
            assert peer.line() == "at 1"
        peer.sock.close()
    peers = []
    while len(peers) < 100:
        peer = Lines(server)
        try:
            peers.append(peer.echo())
        except (AssertionError, ConnectionError):
            peer.sock.close() # not all of them are gone yet
    server.process.alarms.clear()
    server.check()


def test_the_module_leaves_while_connections_move(own_server):
    server = start(own_server, {"shards": 3})
    mark = log_mark(server)
    peers = [Lines(server) for _ in range(100)]
    for peer in peers:
        peer.say("\n".join("move %d" % (i % 3) for i in range(60)))
    server.ctl("modules", "unload", "testport")
    for peer in peers:
        peer.wait_closed()
    wait_unloaded(server, mark)
    server.check()


# --- what a module sees --------------------------------------------------------

def test_the_module_has_the_options_of_a_host(own_server):
    server = start(own_server, {"modules": {"testport": {"prefix": "> "}}})
    peer = Lines(server).say("a")
    assert peer.line() == "> a"
    server.conf["modules"]["testport"]["prefix"] = "- "
    server.write_conf()
    server.ctl("reload")
    assert peer.say("b").line() == "- b", "what is in force now"
    server.check()


@pytest.mark.parametrize("n", [1, 100])
def test_what_was_asked_for_one_who_is_not_accepted_reaches_nobody(own_server,
                                                                   n):
    server = start(own_server, {"modules": {"testport": {"refuse": True}}})
    peers = [Lines(server).say("x") for _ in range(n)]
    for peer in peers:
        peer.wait_closed()
    server.conf["modules"]["testport"]["refuse"] = False
    server.write_conf()
    server.ctl("reload")
    Lines(server).echo()
    server.check()


def test_without_a_certificate_there_is_no_direct_tls(pool):
    server = pool.new({"modules": {"testport": {}},
                       "auth": {"tls_required": "no"},
                       "listen": port_conf()})
    server.conf["hosts"] = {server.domain: {}}
    server.start()
    try:
        Lines(server, "none").echo()
        sock = socket.create_connection(
            ("127.0.0.1", server.port(("testport", "direct"))), PATIENCE)
        assert sock.recv(1) == b""
        server.process.wait_line(
            'TLS cannot begin reason="no host has a certificate"')
        server.process.alarms.clear()
    finally:
        server.stop()


def test_who_says_nothing_is_closed_in_time(own_server):
    server = start(own_server)
    talks = Lines(server).echo()
    silent = Lines(server)
    half = socket.create_connection(
        ("127.0.0.1", server.port(("testport", "direct"))), PATIENCE)
    half.sendall(b"\x16\x03\x01") # of a ClientHello
    secured = Lines(server, "direct")
    Lines(server, "direct").echo()
    server.process.wait_line("testport .*accepted")
    server.advance(FIRST_BYTE_S - 1)
    talks.echo()
    server.advance(2)
    silent.wait_closed()
    secured.wait_closed()
    assert half.recv(1) == b""
    talks.echo()
    server.check()


# --- bounds -----------------------------------------------------------------

def test_who_does_not_read_is_not_read(own_server):
    server = start(own_server)
    slow, other = Lines(server, small=True), Lines(server)
    line = b"x" * 1000 + b"\n"
    slow.sock.setblocking(False)
    sent = 0
    rest = b""
    idle = 0
    # what the kernel takes on both sides has an end, and so has the server
    while idle < 50:
        try:
            rest = rest or line
            n = slow.sock.send(rest)
            rest = rest[n:]
            sent += n
            idle = 0
        except BlockingIOError:
            other.echo()
            idle += 1
    assert sent < 32 << 20
    slow.sock.settimeout(PATIENCE)
    done = threading.Thread(target=slow.sock.sendall, args=(rest,))
    done.start()
    got = 0
    while got < sent + len(rest):
        data = slow.sock.recv(65536)
        assert data
        got += len(data)
    done.join()
    slow.echo("all is there")
    server.check()


def test_what_waits_for_one_has_a_bound(own_server):
    server = start(own_server, {
        "limits": {"connections_per_address": "1000",
                   "write_queue_bytes": "64KiB",
                   "write_queue_max_bytes": HARD}})
    other = Lines(server)
    for n in (0, 1, HARD // 2):
        peer = Lines(server).say("flood %d" % n)
        assert len(peer.line()) == n
        peer.echo()
    slow = Lines(server, small=True).say("flood %d" % (32 << 20))
    # who read now might take it as fast as it is made
    server.process.wait_line('testport 127.0.0.1:.*cut off reason="it does '
                             'not read what it is sent" queued=')
    slow.wait_closed()
    other.echo()
    server.check()


def test_when_memory_is_short_who_holds_most_is_closed(own_server):
    server = start(own_server, {
        "limits": {"connections_per_address": "1000", "memory": "4MiB"}})
    other, silent = Lines(server).echo(), Lines(server, source="127.0.0.3")
    slow = Lines(server, source="127.0.0.2", small=True)
    slow.say("flood %d" % (14 << 20))
    closed = threading.Thread(target=server.process.wait_line, args=(
        'testport 127.0.0.2:.*cut off reason="its address holds more of the '
        'memory than others"',))
    closed.start()
    while closed.is_alive():
        other.echo()
        server.advance(1)
    slow.wait_closed()
    other.echo()
    server.check()


def test_connections_count_whatever_their_kind(own_server):
    server = start(own_server, {
        "limits": {"connections_per_address": "4"}})
    peers = [Lines(server).echo() for _ in range(3)]
    client = Client(server)
    client.connect()
    server.process.wait_line("c2s .*accepted")
    Lines(server).wait_closed()
    server.process.wait_line(
        'testport 127.0.0.1:.*connection refused '
        'reason="limits: connections_per_address"')
    Lines(server, source="127.0.0.2").echo().sock.close()
    one_more = Client(server)
    one_more.connect()
    assert one_more.sock.recv(1) == b""
    server.process.wait_line(
        'c2s 127.0.0.1:.*connection refused '
        'reason="limits: connections_per_address"')
    peers.pop().sock.close()
    while True: # until it is counted out
        try:
            Lines(server).echo()
            break
        except (AssertionError, ConnectionError):
            pass
    server.check()


def test_connections_in_all_count(own_server):
    server = start(own_server, {
        "limits": {"connections": "10", "unauthenticated_connections": "10"}})
    peers = [Lines(server).echo() for _ in range(10)]
    Lines(server).wait_closed()
    server.process.wait_line('connection refused reason="limits: connections"')
    for peer in peers:
        peer.echo()
    server.check()


# --- the module leaves ------------------------------------------------------

class Load:
    """Peers that talk until they are closed, and come again."""

    def __init__(self, server, tls, n):
        self.server, self.tls = server, tls
        self.end = False
        self.lines = self.closed = 0
        self.threads = [threading.Thread(target=self._run) for _ in range(n)]
        for thread in self.threads:
            thread.start()

    def _run(self):
        peer = None
        while not self.end:
            try:
                peer = peer or Lines(self.server, self.tls)
                peer.echo("some words")
                self.lines += 1
            except (AssertionError, OSError):
                self.closed += peer is not None
                peer = None

    def wait_lines(self, n):
        n += self.lines
        while self.lines < n:
            pass

    def stop(self):
        self.end = True
        for thread in self.threads:
            thread.join()


@pytest.mark.parametrize("tls", ["none", "direct"])
def test_a_module_leaves_with_its_connections(own_server, tls):
    server = start(own_server)
    port = server.port(("testport", tls))
    load = Load(server, tls, 8)
    silent = Lines(server, "none")
    for _ in range(3):
        load.wait_lines(100)
        mark = log_mark(server)
        server.ctl("modules", "unload", "testport")
        wait_refused(port)
        silent.wait_closed()
        wait_unloaded(server, mark)
        assert "testport" not in server.ctl("modules", "list")
        server.ctl("modules", "load", "testport")
        load.wait_lines(100)
        silent = Lines(server, "none")
        server.ctl("modules", "reload", "testport")
        silent.wait_closed()
        silent = Lines(server, "none")
    load.wait_lines(100)
    load.stop()
    assert load.closed > 0
    client = Client(server)
    client.secure()
    server.check()


def test_a_peer_that_stays_does_not_keep_the_module(own_server):
    server = start(own_server)
    peer = Lines(server).echo() # and does not close when it is told
    mark = log_mark(server)
    server.ctl("modules", "unload", "testport")
    assert peer.sock.recv(1) == b""
    wait_unloaded(server, mark)
    server.check()


def test_a_shutdown_closes_all(own_server):
    server = start(own_server)
    peers = [Lines(server, tls).echo() for tls in ("none", "direct") * 5]
    silent = [Lines(server, tls) for tls in ("none", "direct") * 5]
    server.stop()
    for peer in peers + silent:
        peer.wait_closed()


# --- a reload ---------------------------------------------------------------

def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


def entry(port, **more):
    return {"address": "127.0.0.1", "port": port, **more}


def reload(server):
    server.write_conf()
    return server.ctl("reload")


def test_a_reload_opens_and_shuts_ports_of_clients(own_server):
    server = own_server()
    server.adduser("romeo", "secret")
    a, b = free_port(), free_port()
    before = list(server.conf["listen"])
    stays = Client(server)
    stays.login("romeo", "secret")

    def client(kind, port):
        server.ports[kind] = port
        c = Client(server)
        c.login("romeo", "secret", kind=kind)
        return c

    server.conf["listen"] = before + [entry(a), entry(b, tls="direct")]
    assert reload(server) == ""
    there = [client("starttls", a), client("direct", b)]
    # the other way round, with other backlogs
    server.conf["listen"] = before + [entry(a, tls="direct", backlog=8),
                                      entry(b, backlog=8)]
    assert reload(server) == ""
    there += [client("starttls", b), client("direct", a)]
    server.conf["listen"] = before
    assert reload(server) == ""
    wait_refused(a)
    wait_refused(b)
    for c in there + [stays]:
        c.ping()
    server.check()


def test_a_port_may_become_one_of_another_kind(own_server):
    server = own_server()
    server.adduser("romeo", "secret")
    a, b = free_port(), free_port()
    before = list(server.conf["listen"])
    stays = Client(server)
    stays.login("romeo", "secret")

    server.conf["modules"]["testport"] = {}
    server.conf["listen"] = before + [entry(a, kind="testport"),
                                      entry(b, tls="direct")]
    assert reload(server) == ""
    peer = Lines(server, port=a).echo()
    server.ports["direct"] = b
    Client(server).connect("direct")
    # the same port, for somebody else
    server.conf["listen"] = before + [entry(b, kind="testport"), entry(a)]
    assert reload(server) == ""
    Lines(server, port=b).echo()
    server.ports["starttls"] = a
    other = Client(server)
    other.login("romeo", "secret")
    peer.echo("who is there may stay")
    assert "kind: testport" in server.ctl("show-config")
    # with direct TLS, and another backlog
    server.conf["listen"] = before + [
        entry(b, kind="testport", tls="direct", backlog=8)]
    assert reload(server) == ""
    wait_refused(a)
    Lines(server, "direct", port=b).echo()
    # none at all of them, nor the module
    server.conf["listen"] = before
    del server.conf["modules"]["testport"]
    assert reload(server) == ""
    wait_refused(b)
    peer.wait_closed()
    stays.ping()
    other.ping()
    server.check()


def test_a_port_that_cannot_be_opened_waits_for_the_next_start(own_server):
    server = own_server()
    entry = {"address": "127.0.0.1", "port": free_port()}
    with socket.socket() as s:
        s.bind(("127.0.0.1", entry["port"]))
        s.listen()
        server.conf["listen"].append(entry)
        for _ in range(2):
            said = reload(server)
            assert said.startswith(
                "listen: address 127.0.0.1 and port %d take effect with the "
                "next start: " % entry["port"]), said
            assert said.count("\n") == 1
        server.process.wait_line("a port stays shut until the next start "
                                 "kind=c2s reason=")
        client = Client(server)
        client.secure()
        server.process.alarms.clear()
    assert reload(server) == "", "or for a reload that may"
    assert not refused(entry["port"])
    server.check()


@pytest.mark.parametrize("was,wanted", [("*", "127.0.0.1"),
                                        ("127.0.0.1", "*")])
def test_a_port_at_another_address_is_not_shut(own_server, was, wanted):
    """It is in its own way, until the next start."""
    server = own_server()
    before, port = list(server.conf["listen"]), free_port()

    def entries(address, **more):
        server.conf["listen"] = before + [
            {"address": address, "port": port, **more}]
        return reload(server)

    assert entries(was) == ""
    for _ in range(2):
        said = entries(wanted)
        assert said.startswith(
            "listen: address %s and port %d take effect with the next start: "
            "it stays at %s: " % (wanted, port, was)), said
        assert not refused(port)
    server.process.wait_line("a port stays as it was until the next start")
    # as what the file says
    entries(wanted, tls="direct")
    server.ports["direct"] = port
    Client(server).connect("direct")
    assert entries(was) == ""
    assert not refused(port)
    server.process.alarms.clear()
    server.check()


def test_a_reload_that_is_refused_changes_no_port(own_server):
    server = start(own_server)
    port = free_port()
    peer = Lines(server).echo()
    server.conf["listen"] = [
        {"kind": "c2s", "address": "127.0.0.1", "port": port}]
    server.conf["hosts"][server.domain] = {"certificate": "/nonexistent"}
    server.write_conf()
    assert server.ctl("reload", ok=False).returncode == 1
    server.process.alarms.clear()
    assert refused(port)
    peer.echo()
    Lines(server, "direct").echo()
    server.check()


def test_a_kind_whose_module_is_off_is_a_mistake(pool):
    server = pool.new({"modules": {}, "listen": port_conf("none")})
    server.write_conf()
    done = subprocess.run(
        [server.program(), "--config", server.conf_path, "--module-dir",
         server.module_dir(), "--check-config"], capture_output=True,
        text=True, timeout=60, **server.unprivileged())
    assert done.returncode == 1
    assert re.search(r'antiphond\.yml:\d+: listen: kind: "testport" comes '
                     r'with the module testport, which is on at no host',
                     done.stderr), done.stderr
