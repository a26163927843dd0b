"""What options of requests by HTTP promise, at the ends of their ranges."""

import time

import pytest

import web
from antiphon import DOMAIN
from options import BOTH, MAX, MIN, number, option, proves, sworn

pytestmark = pytest.mark.only("antiphon")

OF = "limits: "
HEAD = "GET /health HTTP/1.1\r\nHost: x\r\n"


def server_at(own_server, name, end, **more):
    made = option(OF + name)
    value = made.value(end)
    limits = {**more, name: value}
    return own_server(web.conf({"limits": limits})), value


def status_of(server, text):
    conn = web.plain(server)
    conn.send(text)
    return conn.answer().status


@proves(OF + "http_head_bytes")
@pytest.mark.parametrize("end", BOTH)
def test_a_head_of_that_size(own_server, end):
    server, value = server_at(own_server, "http_head_bytes", end)
    n = number(value)
    field = "X: %s\r\n\r\n"
    least = len(HEAD + field % "")
    assert status_of(server, HEAD + field % ("x" * (n - least))) == 200
    assert status_of(server, HEAD + field % ("x" * (n + 1 - least))) == 431


@proves(OF + "http_target_bytes")
@pytest.mark.parametrize("end", BOTH)
def test_a_target_of_that_size(own_server, end):
    server, value = server_at(own_server, "http_target_bytes", end,
                              http_head_bytes="1MiB")
    n = number(value)
    ask = "GET /health?%s HTTP/1.1\r\nHost: x\r\n\r\n"
    assert status_of(server, ask % ("x" * (n - 8))) == 200
    assert status_of(server, ask % ("x" * (n - 7))) == 414


@proves(OF + "http_headers")
@pytest.mark.parametrize("end", BOTH)
def test_so_many_headers(own_server, end):
    server, value = server_at(own_server, "http_headers", end,
                              http_head_bytes="1MiB")
    n = int(value) - 1
    assert status_of(server, HEAD + "A: b\r\n" * n + "\r\n") == 200
    assert status_of(server, HEAD + "A: b\r\n" * (n + 1) + "\r\n") == 431


def waits(server, conn, seconds, said):
    """It is open until the time is over, and then it ends."""
    server.advance(seconds - 1)
    conn.sock.settimeout(0.2)
    with pytest.raises(TimeoutError):
        conn.sock.recv(1)
    conn.sock.settimeout(web.PATIENCE)
    server.advance(2)
    if said:
        assert conn.answer().status == said
    assert conn.ended()


@proves(OF + "http_head_timeout", ends=MAX)
def test_a_head_has_so_long(own_server):
    server, value = server_at(own_server, "http_head_timeout", "max")
    conn = web.plain(server)
    conn.ask("/health")
    conn.send("GET /")
    conn.sock.settimeout(0.2)
    with pytest.raises(TimeoutError):
        conn.sock.recv(1)
    conn.sock.settimeout(web.PATIENCE)
    waits(server, conn, number(value) // 10**6, 408)


@proves(OF + "http_head_timeout", ends=MIN)
def test_a_head_has_a_second(own_server):
    server, _ = server_at(own_server, "http_head_timeout", "min")
    conn = web.plain(server)
    conn.send("GET /")
    assert conn.answer().status == 408
    assert conn.ended()


@proves(OF + "http_idle_timeout", ends=MAX)
def test_a_connection_is_kept_so_long(own_server):
    server, value = server_at(own_server, "http_idle_timeout", "max")
    conn = web.plain(server)
    conn.ask("/health")
    waits(server, conn, number(value) // 10**6, None)


@proves(OF + "http_idle_timeout", ends=MIN)
def test_a_connection_is_kept_for_a_second(own_server):
    server, _ = server_at(own_server, "http_idle_timeout", "min")
    conn = web.plain(server)
    conn.ask("/health")
    begun = time.monotonic()
    assert conn.ended()
    assert time.monotonic() - begun < web.PATIENCE


@proves(OF + "http_requests", ends=MIN)
def test_one_request_by_connection(own_server):
    server, _ = server_at(own_server, "http_requests", "min")
    conn = web.plain(server)
    assert conn.ask("/health").fields["connection"] == "close"
    assert conn.ended()


sworn(OF + "http_requests", MAX,
      "a million requests take minutes: two are the last in "
      "tests/unit/test_http_server.c, and 600 come by one connection in "
      "test_http.py")
for end in BOTH:
    sworn(OF + "http_bytes_per_second", (end,),
          "no route that is built in takes a body: tests/unit/test_http_server.c "
          "moves the clock of one")
    sworn(OF + "http_bodies_per_address", (end,),
          "no route that is built in takes a body: tests/unit/test_http_server.c "
          "has a limit of two")
