"""What was acknowledged is there after kill -9, at whatever moment it comes.

tests/bench/bench_kill.c changes rosters and sends messages to users who are
away, and knows what has been acknowledged; see there for when a message is.
Here accounts are made meanwhile, by antiphonctl and in-band (XEP-0077), and the
server is killed.  ANTIPHON_KILLS is how often (100).
"""

import os
import random
import secrets
import subprocess
import threading

import pytest

from client import Client, Closed
from process import PATIENCE, Failed

pytestmark = [pytest.mark.only("antiphon"), pytest.mark.plain]
KILLS = int(os.environ.get("ANTIPHON_KILLS", "100"))
CLIENTS = 16
REGISTER = ("<query xmlns='jabber:iq:register'><username>%s</username>"
            "<password>%s</password></query>")


class Maker(threading.Thread):
    """Makes accounts until the server is dead; notes those that exist."""

    def __init__(self, server, make, made):
        super().__init__(daemon=True)
        self.server, self.make, self.made = server, make, made
        self.error = None

    def run(self):
        while True:
            name = "k" + secrets.token_hex(6)
            try:
                if not self.make(self.server, name):
                    return
            except (Closed, OSError):
                return # the server was killed under our hands
            except BaseException as e: # for the main thread to raise
                self.error = e
                return
            self.made.append(name)


def make_by_command(server, name):
    done = server.ctl("adduser", "%s@%s" % (name, server.domain),
                      stdin="the-password\n", ok=False)
    return done.returncode == 0


def make_in_band(server, name):
    c = Client(server).secure()
    try:
        got = c.iq("set", REGISTER % (name, "the-password"))
        assert got.get("type") == "result", str(got)
        return True
    finally:
        c.drop()


class Load:
    """antiphon-bench kill: checks what the last one has left, then loads."""

    def __init__(self, server, state):
        self.proc = subprocess.Popen(
            [os.path.join(server.build, "tests", "bench", "antiphon-bench"),
             "kill", "--state", state, "--clients", str(CLIENTS),
             "--domain", server.domain, "--tls", "starttls",
             "--port", str(server.port("starttls")),
             "--patience", str(int(PATIENCE * 3))],
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)

    def wait_until_it_loads(self):
        line = self.proc.stdout.readline()
        if line != "loading\n": # but the result, which is no good one
            raise Failed(line + self.proc.communicate()[1])

    def end(self):
        out, errors = self.proc.communicate(timeout=PATIENCE * 6)
        if self.proc.returncode != 0:
            raise Failed(out + errors)
        return dict(word.split("=") for word in out.split() if "=" in word)


def add_accounts(server, folder):
    bench = os.path.join(server.build, "tests", "bench", "antiphon-bench")
    if not os.path.exists(bench):
        pytest.skip("antiphon-bench is not built")
    lines = subprocess.run(
        [bench, "accounts", "--clients", str(CLIENTS), "--domain",
         server.domain], check=True, capture_output=True).stdout
    path = os.path.join(folder, "accounts")
    with open(path, "wb") as f:
        f.write(lines)
    server.ctl("adduser", "--batch", path)


def one_life(server, state, made, rng, most_s):
    """From a start to a kill; the counts of what was checked and done."""
    makers = [Maker(server, make, made)
              for make in (make_by_command, make_in_band)]
    load = Load(server, state)
    load.wait_until_it_loads()
    for m in makers:
        m.start()
    # not to wait for anything: to die at different moments
    threading.Event().wait(rng.uniform(0, most_s))
    server.kill9()
    for m in makers:
        m.join(PATIENCE * 3)
        if m.error is not None:
            raise m.error
    return load.end()


def accounts(server):
    return {line.split("@")[0] for line in
            server.ctl("users", server.domain).splitlines()}


def test_acknowledged_means_durable(own_server, tmp_path):
    seed = secrets.randbits(32)
    rng = random.Random(seed)
    # who sends is a stranger to who receives, and may fill all of the space
    server = own_server({"modules": {
        "register": {"allow": "yes", "per_hour": "100000"},
        "offline": {"max_messages": "100000", "max_bytes": "1GiB",
                    "stranger_share": "100", "sender_share": "100"}}})
    add_accounts(server, str(tmp_path))
    made, checked, most_s = [], 0, 0.25
    state = str(tmp_path / "state")
    for i in range(KILLS):
        counts = one_life(server, state, made, rng, most_s)
        checked += int(counts["messages_checked"])
        server.start()
        missing = set(made) - accounts(server)
        assert not missing, "after kill %d, seed %d" % (i + 1, seed)
        server.check()
        if not (made and checked):
            most_s *= 1.5  # a slow machine: it dies too young to acknowledge
    assert made and checked, "nothing was acknowledged, so nothing was tried"
