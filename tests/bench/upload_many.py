"""What the work with uploaded files costs, by how many there are.

    upload_many.py [--folder PATH] [--repeat N] [--real N] [--seconds N] [FILES ...]

For each number of files (1000 and 10000000) a server gets as many records, which are
written into its database by hand: a thousand of them, or a third, are those of one user,
who is measured; a tenth are due, and --real of these are there as files, too.  Then, one
after the other:

    slot        what is asked by XMPP, until it is there
    PUT         1 KiB, until it is synced and recorded: 201
    GET         of that
    list        a page of 100 of the user's files, behind the first 100
    uploads     antiphonctl: all of them; usage: what he has and may
    expiry      64 files that are due, while there are as many as that

and last, on a server with --real files whose records are all there:

    check       antiphonctl upload-check: what it takes for each file

Each is the median of --repeat times, in ms, on the clock, beside the CPU of the server
for one in brackets.  Of antiphonctl what `antiphonctl status' takes is left out.  Ten million
take 5 GB below --folder (by default that of temporary files).
"""

import argparse
import contextlib
import os
import sqlite3
import statistics
import sys
import tempfile
import time

sys.dont_write_bytecode = True
sys.path[:0] = [os.path.join(os.path.dirname(os.path.abspath(__file__)), "..",
                             folder) for folder in ("e2e", "net")]

# pylint: disable=wrong-import-position
from antiphon import DOMAIN, Server # noqa: E402
from client import Client # noqa: E402
from links import cpu_ms # noqa: E402
from uploads import Uploads # noqa: E402

OWN = "urn:antiphon:upload:0"
SLICE = 64
US = 1000000
INDEXES = "entry_id", "entry_time", "entry_peer"

FILL = """
WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < :files)
INSERT INTO entry (pos, place, id, time, peer, value)
SELECT :last + i, :place, lower(hex(randomblob(16))),
  CASE WHEN i % 10 = 5 THEN :now - 1000000 * (1 + i % 86399)
       ELSE :now + 1000000 * (86400 + i % 2000000) END,
  CASE WHEN i % 10 = 5 THEN :hers WHEN i % :every = 0 THEN :his
       ELSE 'u' || i % 1000 || '@' || :domain END,
  CASE WHEN i % 10 = 5 THEN :value_hers ELSE :value END FROM n
"""


def database(server):
    return contextlib.closing(sqlite3.connect(server.conf["storage"]["path"]))


def value_of(db, who):
    return db.execute("SELECT value FROM entry WHERE peer = ?",
                      (who,)).fetchone()[0]


def fill(up, files, hers):
    """Records of so many; to be there as if somebody had uploaded them."""
    with database(up.server) as db:
        db.execute("PRAGMA journal_mode = OFF")
        db.execute("PRAGMA synchronous = OFF")
        db.execute("PRAGMA cache_size = -1000000")
        place, = db.execute("SELECT place FROM log WHERE name = 'upload'"
                            ).fetchone()
        last, = db.execute("SELECT max(pos) FROM entry WHERE pos >> 36 = ?",
                           (place,)).fetchone()
        texts = [db.execute("SELECT sql FROM sqlite_schema WHERE name = ?",
                            (name,)).fetchone()[0] for name in INDEXES]
        for name in INDEXES:
            db.execute("DROP INDEX " + name)
        value = value_of(db, up.me)
        db.execute(FILL, {
            "files": files, "last": last, "place": place, "domain": DOMAIN,
            "now": int(time.time() * US), "his": up.me, "hers": hers,
            "every": max(files // 1000, 3), "value": value,
            "value_hers": value_of(db, hers)})
        for text in texts:
            db.execute(text)
        db.execute("UPDATE log SET n = n + ?, bytes = bytes + ? WHERE place = ?",
                   (files, files * len(value), place))
        db.commit()


def real_files(up, n):
    """Of so many of those that are due first; whose the folder is."""
    folder = os.path.join(up.server.folder, "files", DOMAIN)
    owner = os.stat(folder)
    with database(up.server) as db:
        ids = [row[0] for row in db.execute(
            "SELECT id FROM entry INDEXED BY entry_time WHERE place = "
            "(SELECT place FROM log WHERE name = 'upload') AND id IS NOT NULL "
            "ORDER BY time LIMIT ?", (n,))]
    for id_ in ids:
        at = folder
        for part in id_[:2], id_[2:4]:
            at = os.path.join(at, part)
            if not os.path.isdir(at):
                os.mkdir(at, 0o700)
                os.chown(at, owner.st_uid, owner.st_gid)
        with open(os.path.join(at, id_), "wb") as f:
            f.write(b"hello")


class Clock:
    """Of one kind of work: the time that it takes, and the CPU of the server."""

    def __init__(self, server):
        self.pid = server.process.proc.pid

    def run(self, repeat, work, less=0.0):
        took = []
        cpu = cpu_ms(self.pid)
        for i in range(repeat):
            start = time.monotonic()
            work(i)
            took.append(1000 * (time.monotonic() - start))
        return "%.2f (%.2f)" % (max(statistics.median(took) - less, 0),
                                (cpu_ms(self.pid) - cpu) / repeat)


def ids_of(up, after=None):
    more = " after='%s'" % after if after else ""
    files = up.romeo.iq("get", "<files xmlns='%s'%s/>" % (OWN, more),
                        up.domain).find("files")
    ids = [e.get("id") for e in files.elems()]
    assert len(ids) == 100
    return ids


def ask(up, repeat):
    clock, body, slots = Clock(up.server), b"x" * 1024, []

    def put(i):
        assert up.put(slots[i], body).status == 201

    def get(i):
        assert up.get(slots[i]).status == 200

    yield "slot", clock.run(repeat, lambda i: slots.append(
        up.slot(size=len(body))))
    yield "PUT", clock.run(repeat, put)
    yield "GET", clock.run(repeat, get)
    first = ids_of(up)[-1]
    yield "list", clock.run(repeat, lambda i: ids_of(up, first))
    few = max(repeat // 10, 3)
    idle = []
    for _ in range(few):
        start = time.monotonic()
        up.server.ctl("status")
        idle.append(1000 * (time.monotonic() - start))
    less = statistics.median(idle)
    for name, command in ("uploads", "uploads"), ("usage", "upload-usage"):
        yield name, clock.run(few, lambda i, c=command: up.server.ctl(
            c, up.me), less)


def expire(up, seconds):
    """Deletes what is due, for so many seconds."""

    def left():
        return db.execute("SELECT n FROM log WHERE name = 'upload'"
                          ).fetchone()[0]

    clock = Clock(up.server)
    with database(up.server) as db:
        due, = db.execute("SELECT count(*) FROM entry WHERE time < ?",
                          (int(time.time() * US),)).fetchone()
        before = left()
        up.server.advance(61)
        start, cpu = time.monotonic(), cpu_ms(clock.pid)
        while time.monotonic() - start < seconds and before - left() < due:
            time.sleep(0.02)
        took, gone = time.monotonic() - start, before - left()
        cpu = cpu_ms(clock.pid) - cpu
    each = SLICE / max(gone, 1)
    return "%.1f (%.1f), of %d due %d went in %.1f s" % (
        1000 * took * each, cpu * each, due, gone, took)


def filled(folder, files, real):
    """A server with so many files, and romeo there."""
    up = Uploads(lambda conf: Server(os.path.join(folder, "of"), conf).start(),
                 more={"log": {"level": "info"}}, user_files=10000000,
                 user_slots=1000, expire_after="365d")
    up.upload()
    up.upload(by=up.scene.online("juliet/a"))
    up.server.stop()
    fill(up, files, up.scene.accounts["juliet"].jid)
    real_files(up, real)
    start = time.monotonic()
    up.server.start()
    print("%d files, %.1f GB of database, start %.1f s" % (
        files, os.stat(up.server.conf["storage"]["path"]).st_size / 1e9,
        time.monotonic() - start), flush=True)
    romeo = up.scene.accounts["romeo"]
    up.romeo = Client(up.server).login(romeo.name, romeo.password)
    return up


def measure(folder, files, args):
    up = filled(folder, files, args.real)
    for name, text in ask(up, args.repeat):
        print("    %-8s %s" % (name, text), flush=True)
    print("    %-8s %s" % ("expiry", expire(up, args.seconds)), flush=True)
    up.server.stop()


def check(folder, files):
    up = filled(folder, files, files + 2)
    clock = Clock(up.server)
    cpu, start = cpu_ms(clock.pid), time.monotonic()
    assert up.rows("upload-check", DOMAIN) == []
    took = time.monotonic() - start
    print("    %-8s %.3f (%.3f)" % ("check", 1000 * took / files,
                                    (cpu_ms(clock.pid) - cpu) / files))
    up.server.stop()


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("files", nargs="*", type=int,
                        default=[1000, 10000000])
    parser.add_argument("--folder")
    parser.add_argument("--repeat", type=int, default=100)
    parser.add_argument("--real", type=int, default=3000)
    parser.add_argument("--seconds", type=int, default=20)
    args = parser.parse_args()
    for files in args.files:
        with tempfile.TemporaryDirectory(dir=args.folder) as folder:
            os.chmod(folder, 0o755)
            measure(folder, files, args)
    with tempfile.TemporaryDirectory(dir=args.folder) as folder:
        os.chmod(folder, 0o755)
        check(folder, args.real)


if __name__ == "__main__":
    main()
