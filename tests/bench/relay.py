"""What a byte costs that a proxy passes on (XEP-0065): CPU of the server for each
GiB, ours and Prosody's beside it.

    relay.py [--mib N] [--transfers N] [--repeat N] [--only antiphon,prosody]
    relay.py --beside SECONDS [--transfers N] [--repeat N]

Both ends are threads of this process, which is not counted; the server has one
shard, and no bound of rate or size.

The other is what messages of others wait meanwhile, on that same shard: 20 users
send 500 a second (antiphon-bench open), beside nobody; beside the same ends that
send each other all they can past the server, which shows what these alone take from
the machine; and beside them through it.
"""

import argparse
import multiprocessing
import os
import re
import socket
import subprocess
import sys
import tempfile
import threading
import time

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..",
                                "e2e"))

# pylint: disable=wrong-import-position
import antiphon # noqa: E402
import prosody # noqa: E402
from client import Client # noqa: E402
from links import cpu_ms # noqa: E402
from socks import End, digest # noqa: E402

NS = "http://jabber.org/protocol/bytestreams"
TARGET = "juliet@elsewhere.example/balcony"
CHUNK = bytes(1 << 20)


class Ours(antiphon.Server):
    name = "antiphon"

    def default_conf(self):
        conf = super().default_conf()
        conf["shards"] = 1
        conf["log"] = {"level": "info"}
        conf["listen"] = conf["listen"][:1] + [
            {"kind": "proxy65", "address": "127.0.0.1", "port": 0,
             "tls": "none"}]
        conf["limits"] = {"stanzas_per_second": 100000,
                          "stanzas_burst": 100000}
        conf["modules"] = {"proxy65": {
            "bytes_per_second": 0, "transfer_bytes": 0,
            "transfers_per_user": 1000}}
        return conf

    def proxy_port(self):
        return self.port(("proxy65", "none"))


class Prosodys(prosody.Prosody):
    name = "prosody"

    def __init__(self, folder):
        self.at = prosody.free_port()
        super().__init__(folder)

    def start(self):
        whole = prosody.CONFIG
        host = 'VirtualHost "%(domain)s"'
        prosody.CONFIG = whole.replace(
            host, "proxy65_ports = { %d }\n%s" % (self.at, host), 1).replace(
            'min = "debug"', 'min = "info"') + (
            'Component "proxy.%(domain)s" "proxy65"\n')
        try:
            return super().start()
        finally:
            prosody.CONFIG = whole

    def proxy_port(self):
        return self.at


def send(end, mib):
    for _ in range(mib):
        end.say(CHUNK)
    end.end()


def take(end, got):
    """The kernel throws it away."""
    sink = bytearray(1 << 20)
    n = 0
    while more := end.sock.recv_into(sink, len(sink), socket.MSG_TRUNC):
        n += more
    got.append(n)


def pairs_of(server, client, sids):
    """They are activated."""
    pairs = []
    for sid in sids:
        name = digest(sid, client.jid, TARGET)
        ends = [End(server.proxy_port()).join(name) for _ in range(2)]
        got = client.iq("set", "<query xmlns='%s' sid='%s'><activate>%s"
                        "</activate></query>" % (NS, sid, TARGET),
                        "proxy." + server.domain)
        assert got.get("type") == "result", str(got)
        pairs.append(ends)
    return pairs


def transfer(server, client, sids, mib):
    """CPU ms, and seconds."""
    pairs = pairs_of(server, client, sids)
    arrived, threads = [], []
    for frm, to in pairs:
        threads += [threading.Thread(target=send, args=(frm, mib)),
                    threading.Thread(target=take, args=(to, arrived))]
    pid = server.process.proc.pid
    before, start = cpu_ms(pid), time.monotonic()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    cpu, took = cpu_ms(pid) - before, time.monotonic() - start
    assert arrived == [mib << 20] * len(pairs), arrived
    return cpu, took


def measure(server, args):
    server.start()
    try:
        server.adduser("romeo", "secret")
        client = Client(server)
        client.login("romeo", "secret", "a")
        for turn in range(args.repeat):
            cpu, took = transfer(
                server, client, ["%d.%d" % (turn, i) for i in
                                 range(args.transfers)], args.mib)
            gib = args.mib * args.transfers / 1024
            print("%-10s %8.0f ms of CPU for a GiB %8.0f MiB a second"
                  % (server.name, cpu / gib, gib * 1024 / took), flush=True)
    finally:
        server.stop()


def past(n):
    """Pairs of ends that are connected to each other."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        pairs = []
        for _ in range(n):
            frm, to = End(listening.getsockname()[1]), End.__new__(End)
            to.sock = listening.accept()[0]
            pairs.append((frm, to))
    return pairs


def move(pairs, over, moved):
    """All they can, until it is over."""
    got = []

    def flood(end):
        while not over.is_set():
            end.say(CHUNK)
        end.end()
    threads = []
    for frm, to in pairs:
        threads += [threading.Thread(target=flood, args=(frm,)),
                    threading.Thread(target=take, args=(to, got))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    moved.value = sum(got)


class Shard:
    """How much of the time the thread of the only one runs, and how much it could and
    waits for a processor: that is in the latency of messages, and is not its turns."""

    def __init__(self, server):
        self.tasks = "/proc/%d/task" % server.process.proc.pid
        self.start, self.before = time.monotonic(), self.times()

    def times(self):
        for task in os.listdir(self.tasks):
            with open("%s/%s/comm" % (self.tasks, task)) as f:
                if f.read().strip() != "shard 0":
                    continue
            with open("%s/%s/schedstat" % (self.tasks, task)) as f:
                return [int(x) for x in f.read().split()]
        raise AssertionError("there is no shard")

    def says(self):
        took = time.monotonic() - self.start
        ran, waited, times = (b - a for a, b in zip(self.before, self.times()))
        return "shard ran %.0f %%, %.2f ms at once; waited %.0f %%, %.2f ms" % (
            ran / took / 1e7, ran / 1e6 / max(times, 1), waited / took / 1e7,
            waited / 1e6 / max(times, 1))


def chat(server, seconds):
    bench = os.path.join(server.build, "tests", "bench", "antiphon-bench")
    said = subprocess.run(
        [bench, "open", "--clients", "20", "--rate", "500", "--seconds",
         str(seconds), "--tls", "starttls", "--domain", server.domain, "--port",
         str(server.port("starttls")), "--pid",
         str(server.process.proc.pid)], capture_output=True, text=True, check=True)
    return [float(re.search("%s=([0-9.]+)" % name, said.stdout).group(1))
            for name in ("latency_p50_ms", "latency_p99_ms",
                         "generator_late_p99_ms")]


def measure_beside(server, args):
    server.start()
    try:
        bench = os.path.join(server.build, "tests", "bench", "antiphon-bench")
        made = os.path.join(server.folder, "accounts")
        with open(made, "w") as f:
            subprocess.run([bench, "accounts", "--clients", "20", "--domain",
                            server.domain], stdout=f, check=True)
        server.ctl("adduser", "--batch", made)
        server.adduser("romeo", "secret")
        client = Client(server)
        client.login("romeo", "secret", "a")
        for turn in range(args.repeat):
            sids = ["%d.%d" % (turn, i) for i in range(args.transfers)]
            for name, pairs in (("nobody", []), ("past it", past(args.transfers)),
                                ("through it", pairs_of(server, client, sids))):
                over = multiprocessing.Event()
                moved = multiprocessing.Value("q", 0)
                mover = multiprocessing.Process(target=move,
                                                args=(pairs, over, moved))
                mover.start()
                start = time.monotonic()
                shard = Shard(server)
                ms = chat(server, args.beside)
                says = shard.says()
                over.set()
                for frm, to in pairs: # so that the child's are the last
                    frm.sock.close(), to.sock.close()
                mover.join()
                print("%-10s %8.2f ms p50 %8.2f p99, generator late %8.2f p99 "
                      "%8.0f MiB a second, %s" % (
                          name, *ms, (moved.value >> 20) /
                          (time.monotonic() - start), says), flush=True)
    finally:
        server.stop()


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--mib", type=int, default=1024)
    parser.add_argument("--transfers", type=int, default=1)
    parser.add_argument("--repeat", type=int, default=3)
    parser.add_argument("--beside", type=int, metavar="SECONDS")
    parser.add_argument("--only", default="antiphon,prosody")
    args = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="antiphon-relay-") as folder:
        os.chmod(folder, 0o755)
        for kind in (Ours,) if args.beside else (Ours, Prosodys):
            if kind.name in args.only.split(","):
                path = os.path.join(folder, kind.name)
                os.mkdir(path)
                (measure_beside if args.beside else measure)(kind(path), args)


if __name__ == "__main__":
    main()
