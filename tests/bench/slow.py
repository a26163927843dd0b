#!/usr/bin/env python3
"""Memory and others' latency while clients read slowly, or not at all.

    tests/bench/slow.sh [SECONDS]

Two clients chat, 100 messages a second, on a server of one shard; beside them
somebody sends messages of 50 KB, as fast as he may, to one who takes too little,
or words to a room of 10,000, whose members (mod_testroom) keep 12 bytes of each.
MiB is what the server's memory grew by at most; ms are those of the chat, from
send to arrival, Python and the kernel included: hold them against `nobody`.
BUILD names the build tree, which has to have its test modules."""

import os
import socket
import sys
import tempfile
import threading
import time

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(os.path.dirname(HERE), "e2e"))
if "BUILD" in os.environ:
    os.environ["ANTIPHON_BUILD_DIR"] = os.environ["BUILD"]

import antiphon  # noqa: E402
import scene as scenes  # noqa: E402

BODY = "x" * 50000
RATE = 100
MEMBERS = 10000
UNLIMITED = {"stanzas_per_second": 100000, "stanzas_burst": 100000,
             "bytes_per_second": "1GiB", "bytes_burst": "1GiB"}


def memory(server):
    with open("/proc/%d/status" % server.process.proc.pid) as f:
        for line in f:
            if line.startswith("VmRSS"):
                return int(line.split()[1]) / 1024


class Chat:
    """From romeo to juliet."""

    def __init__(self, scene):
        self.romeo, self.juliet = scene.login("romeo/r"), scene.login("juliet/j")
        self.to = scene.full("juliet", "j")
        self.ms = []

    def read(self, n):
        for _ in range(n):
            e = self.juliet.take(lambda e: e.is_("message"), "a message")
            sent = float(e.get("id"))
            self.ms.append((time.monotonic() - sent) * 1000)

    def run(self, seconds, each):
        n = int(seconds * RATE)
        reader = threading.Thread(target=self.read, args=(n,), daemon=True)
        reader.start()
        due = time.monotonic()
        for i in range(n):
            due += 1 / RATE
            time.sleep(max(0, due - time.monotonic()))
            self.romeo.send("<message type='chat' to='%s' id='%.6f'><body>"
                            "hello</body></message>"
                            % (self.to, time.monotonic()))
            if i % 10 == 0:
                each()
        reader.join(30)
        self.ms.sort()
        return self.ms[n // 2], self.ms[n * 99 // 100]


def small(client):
    """As little as possible waits in its system."""
    client.sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)


class Pair:
    """One who sends all he can, and one who reads what a scenario says."""

    def __init__(self, scene):
        self.over = False
        self.domain = scene.server.domain
        self.sender, self.reader = scene.login("sam/s"), scene.login("rita/r")
        self.full = {self.sender: scene.full("rita", "r"),
                     self.reader: scene.full("sam", "s")}
        small(self.reader)

    def start(self, fn, *args):
        threading.Thread(target=self.guard, args=(fn, *args),
                         daemon=True).start()

    def guard(self, fn, *args):
        try:
            while not self.over:
                fn(*args)
        except (OSError, AttributeError):
            pass  # cut off, as it should be, or over

    def flood(self, client):
        client.send("<message type='chat' to='%s'><body>%s</body></message>"
                    % (self.full[client], BODY))

    def take(self, n, wait):
        self.reader.sock.recv(n)
        time.sleep(wait)


def nobody(_pair, _server):
    pass


def slow(pair, _server):
    """Takes 64 KiB a second."""
    pair.start(pair.flood, pair.sender)
    pair.start(pair.take, 6400, 0.1)


def stops(pair, _server):
    """Takes nothing."""
    pair.start(pair.flood, pair.sender)


def two(pair, _server):
    """Flood each other, and neither reads."""
    small(pair.sender)
    pair.start(pair.flood, pair.sender)
    pair.start(pair.flood, pair.reader)


def byte(pair, server):
    """A byte a minute, the minutes made of seconds."""
    def minute():
        time.sleep(1)
        pair.reader.sock.recv(1)
        server.advance(60)
    pair.start(pair.flood, pair.sender)
    pair.start(minute)


def room(pair, _server):
    """To many, all of whom hear it."""
    do = ("<message to='r@room.%s'><do xmlns='urn:antiphon:test:room' "
          "kind='groupchat' %%s/></message>" % pair.domain)
    for i in range(MEMBERS):
        pair.sender.send(do % ("what='join' to='l%d@room.%s/x'"
                               % (i, pair.domain)))
    pair.sender.ping()
    pair.start(pair.sender.send, do % "what='say'" * 100)


def measure(fn, seconds):
    with tempfile.TemporaryDirectory() as folder:
        os.chmod(folder, 0o755)
        server = antiphon.Server(os.path.join(folder, "server"), {
            "shards": 1, "log": {"level": "info"},
            "modules": {"testroom": "yes"},
            "limits": {"idle_before_ping": "never",
                       **(UNLIMITED if fn is room else {})}})
        server.start()
        scene = scenes.Scene(server, ("romeo", "juliet", "sam", "rita"))
        chat, pair = Chat(scene), Pair(scene)
        before, most = memory(server), [0]

        def look():
            most[0] = max(most[0], memory(server) - before)
        chat.run(1, look)
        chat.ms = []
        fn(pair, server)
        p50, p99 = chat.run(seconds, look)
        pair.over = True
        print("%-8s %8.1f %8.2f %8.2f" % (fn.__name__, most[0], p50, p99),
              flush=True)
        for client in (pair.sender, pair.reader):
            client.reset()
        server.stop()


def main():
    seconds = float(sys.argv[1]) if len(sys.argv) > 1 else 10
    print("%-8s %8s %8s %8s" % ("beside", "MiB", "p50 ms", "p99 ms"))
    for fn in (nobody, slow, stops, two, byte, room):
        measure(fn, seconds)


if __name__ == "__main__":
    main()
