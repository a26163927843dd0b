"""What connections of HTTP cost that are kept open behind an answer.

    web_idle.py [CONNECTIONS]

Each asks for /health once; then the memory of the server is that of before and theirs:
what is there of its heap, and what it says of itself (antiphonctl stats --memory).
Last all of them ask once more, so that it is known that they were there.
"""

import os
import re
import resource
import socket
import ssl
import sys
import tempfile
import time

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..",
                                "e2e"))

from antiphon import Server # noqa: E402
import web # noqa: E402

ASK = b"GET /health HTTP/1.1\r\nHost: x\r\n\r\n"
WARM = 200


def heap(server):
    with open("/proc/%d/smaps_rollup" % server.process.proc.pid) as f:
        return int(re.search(r"^Anonymous:\s+(\d+)", f.read(), re.M)[1]) * 1024


def listens(sock):
    got = b""
    while not got.endswith(b"ok\n"):
        part = sock.recv(4096)
        assert part, "closed"
        got += part


def connect(server, tls):
    sock = socket.create_connection(("127.0.0.1", server.port(
        ("https", "direct") if tls else ("http", "none"))))
    if tls:
        context = ssl.create_default_context(cafile=server.ca_file)
        sock = context.wrap_socket(sock, server_hostname=web.DOMAIN)
    sock.sendall(ASK)
    listens(sock)
    return sock


def measure(folder, n, tls):
    server = Server(folder, web.conf({
        "shards": 2, "log": {"level": "info"},
        "limits": {"connections": 100000, "connections_per_address": 100000,
                   "http_idle_timeout": "1h"}})).start()
    for sock in [connect(server, tls) for _ in range(WARM)]:
        sock.close()
    time.sleep(1)
    before = heap(server)
    many = [connect(server, tls) for _ in range(n)]
    time.sleep(1)
    print("%s: %d connections, %d bytes each" % (
        "TLS" if tls else "no TLS", n, (heap(server) - before) // n))
    for line in server.ctl("stats", "--memory").splitlines():
        if re.match(r"owner|connections|tls|streams|http", line):
            print("    " + line)
    for sock in many:
        sock.sendall(ASK)
    for sock in many:
        listens(sock)
    server.stop()


def main():
    n = int(sys.argv[1]) if len(sys.argv) > 1 else 10000
    most = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    for tls in False, True:
        with tempfile.TemporaryDirectory() as folder:
            os.chmod(folder, 0o755)
            measure(folder, n if not tls else n // 5, tls)


if __name__ == "__main__":
    main()
