"""What messages of others wait while files move over HTTP at full speed, by one shard.

    upload_beside.py [--seconds N] [--repeat N] [--mib N] [--nice N]

20 users send 500 a second (antiphon-bench open, with TLS): beside nobody; beside the
same clients, curl, which move the same files to and from nginx, which tells what the
machine gives to them; and beside files to and from the server: one up and one down at
once, again and again, without TLS and with.  Of the thread of the shard it is told how
much of the time it ran, how much it wanted to and waited for a processor, and for how
long each time: that wait is in the latency, and is none of its own turns.  --nice gives
curl a lower priority: as if who has it were at another machine, it takes no processor
that a server wants.
"""

import argparse
import os
import subprocess
import sys
import tempfile
import threading
import time

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

# pylint: disable=wrong-import-position
import relay # noqa: E402
import upload # noqa: E402

CONF = {"log": {"level": "info"}, "shards": 1,
        "limits": {"stanzas_per_second": 100000, "stanzas_burst": 100000}}


class Mover:
    """One file up and one down, until it is told to end."""

    def __init__(self, server, args, tls):
        self.server, self.args, self.tls = server, args, tls
        self.over, self.moved = threading.Event(), 0
        self.lock, self.n = threading.Lock(), 0
        self.got = self.put(True)
        self.threads = [threading.Thread(target=self.run, args=(work,))
                        for work in (self.put, self.get)]

    def put(self, first=False):
        self.n += 1
        put, get, headers = self.server.slot(
            "%d-%d-%d.bin" % (id(self), self.tls, self.n), self.args.mib << 20,
            self.tls)
        self.curl(put, *[x for h in headers for x in ("-H", h)], "-H",
                  "Content-Type: application/octet-stream", "-T",
                  self.args.file)
        return get

    def get(self):
        self.curl(self.got)

    def curl(self, *words):
        upload.curl(self.server, *words, nice=self.args.nice)

    def run(self, work):
        while not self.over.is_set():
            work()
            with self.lock:
                self.moved += self.args.mib

    def __enter__(self):
        self.start = time.monotonic()
        for thread in self.threads:
            thread.start()
        return self

    def __exit__(self, *_):
        self.over.set()
        for thread in self.threads:
            thread.join()
        self.speed = self.moved / (time.monotonic() - self.start)


class Nobody:
    speed = 0

    def __enter__(self):
        return self

    def __exit__(self, *_):
        pass


def chat(server, seconds):
    bench = os.path.join(server.build, "tests", "bench", "antiphon-bench")
    said = subprocess.run(
        [bench, "open", "--clients", "20", "--rate", "500", "--seconds",
         str(seconds), "--tls", "starttls", "--domain", server.domain, "--address",
         server.address, "--port", str(upload.peers.C2S), "--pid",
         str(server.process.proc.pid)], capture_output=True, text=True)
    if said.returncode != 0:
        sys.exit("upload_beside.py: %s" % said.stderr)
    return [float(relay.re.search("%s=([0-9.]+)" % name, said.stdout).group(1))
            for name in ("latency_p50_ms", "latency_p99_ms",
                         "generator_late_p99_ms")]


def accounts(server):
    bench = os.path.join(server.build, "tests", "bench", "antiphon-bench")
    made = os.path.join(server.folder, "accounts")
    with open(made, "w") as f:
        subprocess.run([bench, "accounts", "--clients", "20", "--domain",
                        server.domain], stdout=f, check=True)
    server.ctl("adduser", "--batch", made)


def measure(mine, nginx, args):
    accounts(mine)
    movers = [("nobody", Nobody)]
    for tls in (False, True):
        text = "TLS" if tls else "plain"
        movers += [("nginx, " + text, lambda tls=tls: Mover(nginx, args, tls)),
                   ("ours, " + text, lambda tls=tls: Mover(mine, args, tls))]
    for _ in range(args.repeat):
        for name, make in movers:
            with make() as mover:
                shard = relay.Shard(mine)
                ms = chat(mine, args.seconds)
                says = shard.says()
            print("%-12s %8.2f ms p50 %8.2f p99, generator late %8.2f p99 "
                  "%8.0f MiB a second, %s" % (name, *ms, mover.speed, says),
                  flush=True)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--mib", type=int, default=256)
    parser.add_argument("--nice", type=int, default=0)
    parser.add_argument("--repeat", type=int, default=3)
    parser.add_argument("--seconds", type=int, default=6)
    args = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="antiphon-upload-") as folder:
        os.chmod(folder, 0o755)
        args.file = os.path.join(folder, "file")
        with open(args.file, "wb") as f:
            for _ in range(args.mib):
                f.write(os.urandom(1 << 20))
        network = upload.net.Network(os.path.join(folder, "net"))
        mine = network.add(upload.Unsynced, "antiphon.example", conf=CONF)
        nginx = network.add(upload.Nginx, "nginx.example")
        network.start()
        try:
            mine.ready(), nginx.ready()
            measure(mine, nginx, args)
        finally:
            network.stop()


if __name__ == "__main__":
    main()
