"""Ports: what a reload opens and shuts."""

import socket

import pytest

from client import Client, PATIENCE

pytestmark = pytest.mark.only("antiphon")


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


# --- a reload ---------------------------------------------------------------

def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


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

    def entry(port, **more):
        return {"address": "127.0.0.1", "port": port, **more}

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


def test_a_reload_that_is_refused_changes_no_port(own_server):
    server = own_server()
    port = free_port()
    server.conf["listen"] = [
        {"kind": "c2s", "address": "127.0.0.1", "port": port}]
    server.conf["hosts"][server.domain] = {"certificate": "/nonexistent"}
    server.write_conf()
    assert server.ctl("reload", ok=False).returncode == 1
    server.process.alarms.clear()
    assert refused(port)
    for kind in ("starttls", "direct"):
        Client(server).secure(kind)
    server.check()
