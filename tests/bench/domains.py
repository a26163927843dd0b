#!/usr/bin/env python3
"""Many domains of other servers at once, of which a fifth are dead.

    tests/bench/domains.sh [DOMAINS]

Twenty users write to 1,000 domains (tests/e2e/many.py has them, their name server
and how they are dead) at the same moment, while two others chat, 100 messages a
second.  What comes of it, in lines of a name and a value:

    before_ms, while_ms     of the chat, from send to arrival: percentiles 50, 99 and
                            the most; Python and the kernel included
    first_s                 until each domain that lives had its message, likewise
    dead_s                  until the last of those to dead ones was answered
    rss_mib                 of the server: before, when the living have their links
                            and the others are tried, when those are given up
    cpu_s                   of the server, from the writing until the living were
                            reached; and from then until the dead were given up
    link_bytes              what the process grew by for each link with TLS, idle,
                            of as many domains that all live, in a server of its
                            own, and come up a few at a time
    link_OWNER              of that, as antiphonctl stats --memory counts it

BUILD names the build tree."""

import json
import os
import pathlib
import sys
import tempfile
import threading
import time

HERE = os.path.dirname(os.path.abspath(__file__))
for folder in ("e2e", "net"):
    sys.path.insert(0, os.path.join(os.path.dirname(HERE), folder))
if "BUILD" in os.environ:
    os.environ["ANTIPHON_BUILD_DIR"] = os.environ["BUILD"]
sys.path.insert(0, HERE)

os.environ["ANTIPHON_TEST_PATIENCE"] = "60"

import antiphon  # noqa: E402
import scene as scenes  # noqa: E402
from authority import Authority  # noqa: E402
from many import Many, SILENT  # noqa: E402
from s2s_peer import conf  # noqa: E402
from slow import Chat, memory  # noqa: E402

WRITERS = 20
CHAT_S = 5
PATIENCE = 120


def show(name, *values):
    print(name, *("%.4g" % v if isinstance(v, float) else v for v in values),
          flush=True)


def spread(values):
    values = sorted(values)
    return (values[len(values) // 2], values[len(values) * 99 // 100],
            values[-1])


def cpu(server):
    with open("/proc/%d/stat" % server.process.proc.pid) as f:
        fields = f.read().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


class Network:
    """The domains, and a server that finds them."""

    def __init__(self, folder):
        folder = pathlib.Path(tempfile.mkdtemp(dir=folder))
        folder.chmod(0o755)
        certificate = Authority(folder / "authority").issue("good", "example")
        self.many = Many(folder, certificate)
        self.server = antiphon.Server(
            str(folder / "server"), conf({
                "log": {"level": "info"}, "modules": {"testclock": None},
                "shards": os.environ.get("SHARDS", "2"),
                "dns": self.many.conf()}), str(folder / "certs"))
        self.server.start()
        names = ["w%d" % i for i in range(WRITERS)]
        self.scene = scenes.Scene(self.server, ["romeo", "juliet", *names])
        self.writers = [self.scene.login(name + "/r") for name in names]
        self.chat = Chat(self.scene)

    def end(self):
        self.scene.end()
        self.server.stop()
        self.many.end()


def write(client, domains):
    client.send("".join("<message type='chat' to='x@%s' id='%s'><body>hello"
                        "</body></message>" % (d, d) for d in domains))


class Talk(threading.Thread):
    """The chat, beside something."""

    def __init__(self, chat):
        super().__init__(daemon=True)
        self.chat = chat
        chat.ms = []
        self.start()

    def run(self):
        self.chat.run(CHAT_S, lambda: None)

    def end(self):
        self.join()
        return self.chat.ms


def at_once(net, n):
    many, server = net.many, net.server
    writers = net.writers
    each = n // WRITERS
    living = [[many.domain("good") for _ in range(each * 4 // 5)]
              for _ in writers]
    dead = [[many.domain(SILENT[(i + j) % len(SILENT)])
             for j in range(each - each * 4 // 5)] for i in range(WRITERS)]
    show("before_ms", *spread(Talk(net.chat).end()))
    rss, used = memory(server), cpu(server)
    talk = Talk(net.chat)
    began = time.monotonic()
    for client, some, others in zip(writers, living, dead):
        # as in a roster: one in five is dead
        write(client, [d for i in range(len(others))
                       for d in (others[i], *some[4 * i:4 * i + 4])])
    all_living = [d for some in living for d in some]
    many.wait(all_living, patience=PATIENCE)
    reached, used_then = memory(server), cpu(server)
    show("while_ms", *spread(talk.end()))
    show("first_s", *spread([many.got()[d][0] - began for d in all_living]))
    for client, others in zip(writers, dead):
        for _ in others:
            client.take(lambda e: e.get("type") == "error", "an error")
    show("dead_s", time.monotonic() - began)
    show("rss_mib", rss, reached, memory(server))
    show("cpu_s", used_then - used, cpu(server) - used_then)


def counted(server):
    """By kind of owner."""
    rows = map(json.loads, server.ctl("--json", "stats", "--memory").splitlines())
    return {row["owner"]: row["bytes"] for row in rows if "bytes" in row}


def links(net, n):
    many, server = net.many, net.server
    warm = [many.domain("good") for _ in range(n // 10)]
    domains = [many.domain("good") for _ in range(n)]

    def reach(some):
        # a few at a time: what all handshakes at once take is given back to malloc,
        # and not to the system
        for i in range(0, len(some), WRITERS):
            few = some[i:i + WRITERS]
            for client, domain in zip(net.writers, few):
                write(client, [domain])
            many.wait(few, patience=PATIENCE)

    reach(warm)
    rss, held = memory(server), counted(server)
    reach(domains)
    show("link_bytes", round((memory(server) - rss) * 1048576 / n))
    for owner, size in counted(server).items():
        if owner != "total" and size - held[owner] >= n:
            show("link_" + owner, round((size - held[owner]) / n))


def main(n):
    with tempfile.TemporaryDirectory(prefix="antiphon-domains-") as folder:
        os.chmod(folder, 0o755)
        for measure in (at_once, links):
            net = Network(folder)
            try:
                measure(net, n)
            finally:
                net.end()


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 1000)
