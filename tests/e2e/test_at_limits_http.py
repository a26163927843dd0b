"""What options of requests by HTTP promise, at the ends of their ranges."""

import os
import time

import pytest

import web
from antiphon import DOMAIN
from options import BOTH, MAX, MIN, number, option, proves, sworn
from uploads import Uploads

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


BIG = 64 << 20


def big_file(server):
    """For whoever asks, by the folder of ACME; more than the system's buffers."""
    folder = os.path.join(server.conf["http"]["acme_webroot"],
                          ".well-known/acme-challenge")
    os.makedirs(folder)
    with open(os.path.join(folder, "big"), "w") as f:
        f.truncate(BIG)
    return "/.well-known/acme-challenge/big"


def fetch_slowly(server, path, source):
    """The head of its answer; the rest is not read."""
    conn = web.Web(server.port(("http", "none")), source=source)
    conn.send("GET %s HTTP/1.1\r\nHost: x\r\n\r\n" % path)
    return conn, conn.answer(bodyless=True)


@proves(OF + "http_files_per_address", ends=MIN)
def test_who_fetches_slowly_keeps_out_nobody_else(own_server):
    """One address has its part; all of them together leave a quarter of what may be
    open to who has a slot for an upload."""
    up = Uploads(own_server, {"limits": {
        "http_files_per_address": option(OF + "http_files_per_address").min,
        "open_files": 4}})
    up.server.conf["http"] = {"acme_webroot": up.server.folder}
    up.server.write_conf()
    up.server.ctl("reload")
    path = big_file(up.server)
    kept = []
    for i in range(3):
        conn, got = fetch_slowly(up.server, path, "127.0.0.%d" % (10 + i))
        assert got.status == 200
        kept.append(conn)
        conn, got = fetch_slowly(up.server, path, "127.0.0.%d" % (10 + i))
        assert (got.status, got.fields["retry-after"]) == (429, "10")
    conn, got = fetch_slowly(up.server, path, "127.0.0.20")
    assert (got.status, got.fields["retry-after"]) == (503, "10")
    up.server.process.wait_line("warn http .* request refused "
                                'reason="limits: http_files_per_address"')
    slot = up.upload(b"still")
    got = up.get(slot)
    assert (got.status, got.fields["retry-after"]) == (503, "10")
    up.server.process.wait_line(
        'a file cannot be read now reason="3 files are being read"')
    kept.pop().close()
    for _ in range(1000):
        if (got := up.get(slot)).status == 200:
            break
    assert got.body == b"still"


sworn(OF + "http_files_per_address", MAX, "one address opens no 100,000 "
      "connections: it has one file, above, and two of them in "
      "tests/unit/test_http_limits.c")
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
