"""Connections that come and go, at every stage, over TCP and TLS: they leave
nothing behind (hostile-04)."""

import ssl

import pytest

from client import Client
from test_limits import memory_kib

pytestmark = pytest.mark.only("antiphon")

GROWTH_KIB = 2048
ROUNDS = 100


def at_once(server):
    return Client(server).connect()


def after_the_header(server):
    c = Client(server).connect()
    c.open()
    return c


def in_the_handshake(server):
    """Half of a ClientHello."""
    c = Client(server).connect()
    c.open()
    c.send("<starttls xmlns='urn:ietf:params:xml:ns:xmpp-tls'/>")
    c.sock.recv(4096)
    hello = ssl.MemoryBIO()
    tls = ssl.create_default_context().wrap_bio(
        ssl.MemoryBIO(), hello, server_hostname=server.domain)
    try:
        tls.do_handshake()
    except ssl.SSLWantReadError:
        pass
    c.send(hello.read()[:100])
    return c


def after_the_handshake(server):
    return Client(server).secure()


def in_the_exchange(server):
    c = Client(server).secure()
    c.send("<auth xmlns='urn:ietf:params:xml:ns:xmpp-sasl' mechanism="
           "'SCRAM-SHA-256'>biwsbj1yb21lbyxyPWFiYw==</auth>")
    c.sock.recv(4096)
    return c


@pytest.mark.parametrize("reset", [False, True])
@pytest.mark.parametrize("stage", [at_once, after_the_header,
                                   in_the_handshake, after_the_handshake,
                                   in_the_exchange])
def test_connections_leave_nothing(server, stage, reset):
    def rounds(n):
        for _ in range(n):
            c = stage(server)
            if reset:
                c.reset()
            else:
                c.drop()
    rounds(ROUNDS)
    before = memory_kib(server)
    rounds(ROUNDS)
    assert memory_kib(server) <= before + GROWTH_KIB
