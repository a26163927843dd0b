#!/usr/bin/env python3
"""Runs seeds: python3 tests/chaos/run.py [--seed N] [--seeds N] [--budget S]
[--seconds S] [--devices D] [--jobs J] [--keep]

Each seed has a process of its own, with a server.  See README.
"""

import argparse
import asyncio
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time

sys.dont_write_bytecode = True
HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [HERE, os.path.join(os.path.dirname(HERE), "e2e")]

from process import PATIENCE, certificates  # noqa: E402
from antiphon import DOMAIN, OTHER_DOMAIN  # noqa: E402
from world import World  # noqa: E402


def parse_args(argv):
    p = argparse.ArgumentParser()
    p.add_argument("--seed", type=int, default=1, help="the first")
    p.add_argument("--seeds", type=int, default=1, help="how many")
    p.add_argument("--budget", type=float,
                   help="seconds after which no other is begun")
    p.add_argument("--seconds", type=float, default=8,
                   help="of chaos, before everything is quiet")
    p.add_argument("--devices", type=int, default=8)
    p.add_argument("--jobs", type=int, default=1, help="seeds at once")
    p.add_argument("--keep", action="store_true",
                   help="the folder of a seed that passes, too")
    p.add_argument("--folder", help=argparse.SUPPRESS) # of one seed
    return p.parse_args(argv)


def run_one(args):
    """One seed, in this process; its exit status."""
    certs = os.path.join(args.folder, "certs")
    world = World(args.seed, args.seconds, args.devices, args.folder, certs)
    try:
        verdict = asyncio.run(world.run())
    finally:
        if world.server.alive():
            world.server.kill9()
    with open(os.path.join(world.server.folder, "story"), "w") as f:
        f.write(world.story.tell(world.story.events))
    print("seed %d: %s %s" % (args.seed, "FAILED" if verdict.faults
                              else "passed", verdict.summary()))
    if verdict.faults:
        print(verdict.report())
        print("again: python3 tests/chaos/run.py --seed %d --seconds %g "
              "--devices %d\nall of it: %s/story"
              % (args.seed, args.seconds, args.devices, world.server.folder))
    return 1 if verdict.faults else 0


class Seeds:
    def __init__(self, args):
        self.args = args
        self.folder = tempfile.mkdtemp(prefix="chaos-")
        os.chmod(self.folder, 0o755)
        certificates(os.path.join(self.folder, "certs"),
                     (DOMAIN, OTHER_DOMAIN))
        self.running = {} # process -> seed, and when it is not to run any more
        self.passed, self.failed = 0, []

    def begin(self, seed):
        a = self.args
        # a folder above its own: others put the program there
        folder = os.path.join(self.folder, "seed%d" % seed)
        os.makedirs(folder)
        os.symlink(os.path.join(self.folder, "certs"),
                   os.path.join(folder, "certs"))
        proc = subprocess.Popen(
            [sys.executable, "-B", os.path.abspath(__file__), "--folder",
             folder, "--seed", str(seed), "--seconds", str(a.seconds),
             "--devices", str(a.devices)],
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        self.running[proc] = seed, time.monotonic() + a.seconds + 15 * PATIENCE

    def end(self, proc):
        seed, _ = self.running.pop(proc)
        out = proc.communicate()[0]
        sys.stdout.write(out)
        sys.stdout.flush()
        if proc.returncode != 0:
            self.failed.append(seed)
            return
        self.passed += 1
        if not self.args.keep:
            shutil.rmtree(os.path.join(self.folder, "seed%d" % seed),
                          ignore_errors=True)

    def look(self):
        """Who has ended; and who does not: he is told to, and says where he is."""
        for proc, (seed, until) in list(self.running.items()):
            if proc.poll() is not None:
                self.end(proc)
            elif time.monotonic() > until:
                print("seed %d does not end" % seed)
                proc.send_signal(signal.SIGINT)
                self.running[proc] = seed, until + PATIENCE

    def run(self):
        try:
            return self.run_all()
        finally:
            for proc in self.running:
                proc.send_signal(signal.SIGINT)

    def run_all(self):
        a, began = self.args, time.monotonic()
        seeds = list(range(a.seed, a.seed + a.seeds))
        while seeds or self.running:
            late = a.budget and time.monotonic() - began > a.budget
            if late:
                seeds.clear()
            while seeds and len(self.running) < a.jobs:
                self.begin(seeds.pop(0))
            self.look()
            time.sleep(0.05)
        print("%d passed, %d failed%s, %.0f s" % (
            self.passed, len(self.failed),
            ": " + " ".join(map(str, self.failed)) if self.failed else "",
            time.monotonic() - began))
        if not self.failed and not a.keep:
            shutil.rmtree(self.folder, ignore_errors=True)
        return 1 if self.failed else 0


def main(argv):
    args = parse_args(argv)
    if args.folder:
        return run_one(args)
    return Seeds(args).run()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
