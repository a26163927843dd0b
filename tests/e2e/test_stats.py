"""antiphonctl stats: what is counted moves as it should, and comes back."""

import json
import time

import pytest

import scene as scenes
from process import PATIENCE

pytestmark = pytest.mark.only("antiphon")

N = 24
CONTACTS = 5
ONE_COMMAND = 8192
# what a session holds, and nothing but a session
OF_SESSIONS = "connections", "tls", "streams", "sessions", "wires"
OF_ACCOUNTS = "accounts", "roster_items", "module_state"


def rows(server, *args):
    return [json.loads(line) for line in
            server.ctl("--json", "stats", *args).splitlines()]


def stats(server, *args):
    return {r["name"]: r["value"] for r in rows(server, *args)}


def memory(server):
    return {r["owner"]: r for r in rows(server, "--memory")}


def until(ask, good):
    """Asks until the answer is good: what a client did last reaches the server
    some time after the client is done with it."""
    deadline = time.monotonic() + PATIENCE
    got = ask()
    while not good(got):
        assert time.monotonic() < deadline, got
        got = ask()
    return got


def play(scene, names):
    for name in names:
        session = scene.online(name + "/r", settle=False)
        for i in range(CONTACTS):
            session.iq("set", "<query xmlns='jabber:iq:roster'>"
                       "<item jid='c%d@elsewhere.test'/></query>" % i)
    scene.flush()


def test_nothing_waits_when_nobody_is_there(own_server):
    """The configuration does not: what is left is the command that asks."""
    server = own_server()
    scene = scenes.Scene(server, ("romeo", "juliet"))
    before = stats(server)["memory_waiting_bytes"]
    assert before < ONE_COMMAND
    assert memory(server)["configuration"]["bytes"] > ONE_COMMAND
    romeo, juliet = scene.online("romeo/a"), scene.online("juliet/a")
    scene.mark(romeo, juliet)
    romeo.drop()
    juliet.drop()
    until(lambda: stats(server)["memory_waiting_bytes"],
          lambda got: got <= before)


def test_memory_is_counted_by_owner(own_server):
    # what these keep for each host is there without any session
    server = own_server({"shards": 2,
                         "modules": {"upload": "no", "archive": "no",
                                     "muc": "no"}})
    names = ["user%d" % i for i in range(N)]
    scene = scenes.Scene(server, names)
    for owner, row in memory(server).items():
        assert owner in ("arenas", "configuration", "parsers", "other",
                         "total") or \
            row["objects"] == row["bytes"] == 0
        assert "per_session" not in row
    play(scene, names)
    full = memory(server)
    for owner in OF_SESSIONS:
        assert full[owner]["objects"] == N
    assert full["accounts"]["objects"] == N
    assert full["roster_items"]["objects"] == N * CONTACTS
    for owner in OF_SESSIONS + OF_ACCOUNTS + ("parsers", "total"):
        row = full[owner]
        assert row["bytes"] > 0
        assert row["per_session"] == row["bytes"] // N
        if "objects" in row:
            assert row["each"] == row["bytes"] // row["objects"]
    # OpenSSL's, whatever its version: some of them stand for all
    assert 1000 < full["tls"]["each"] < 200000
    assert sum(r["bytes"] for r in full.values()) == \
        2 * full["total"]["bytes"]
    scene.end()
    empty = until(lambda: memory(server),
                  lambda m: m["connections"]["objects"] == 0)
    for owner in OF_SESSIONS:
        assert empty[owner]["objects"] == 0
        if owner != "tls":
            assert empty[owner]["bytes"] == 0
    assert empty["tls"]["bytes"] < full["tls"]["each"]
    server.advance(120)  # accounts are idle by now
    empty = until(lambda: memory(server),
                  lambda m: m["accounts"]["objects"] == 0)
    for owner in OF_ACCOUNTS:
        assert empty[owner]["objects"] == empty[owner]["bytes"] == 0


def test_shards_are_shown_one_by_one(own_server):
    server = own_server({"shards": 3})
    names = ["user%d" % i for i in range(N)]
    scene = scenes.Scene(server, names)
    play(scene, names)
    each = rows(server, "--shard")
    assert [r["shard"] for r in each] == [0, 1, 2]
    assert sum(r["sessions"] for r in each) == N
    assert sum(r["logins"] for r in each) == N
    assert all(r["turns"] > 0 for r in each)
    # what hashes elsewhere came by mail, and all of it was read
    assert max(r["mailbox_mails_highest"] for r in each) > 0
    assert max(r["mailbox_bytes_highest"] for r in each) > 0
    # for people: a line for each figure, since all in a line is too wide
    lines = [line.split() for line in
             server.ctl("stats", "--shard").splitlines()]
    assert lines[0] == ["shard", "0", "1", "2"]
    assert all(len(line) == 4 for line in lines)
    assert max(map(len, server.ctl("stats", "--shard").splitlines())) <= 80
    scene.end()


def test_rates_are_of_the_last_seconds(own_server):
    server = own_server({"shards": 2})
    scene = scenes.Scene(server, ("romeo",))
    romeo = scene.online("romeo/r")

    def rate_after(stanzas):
        """The clock stands for ten seconds in which so many came."""
        server.advance(6)
        stats(server)
        for _ in range(stanzas):
            romeo.iq("get", "<query xmlns='jabber:iq:version'/>",
                     to=server.domain)
        server.advance(10)
        return stats(server, "--rates")
    before = stats(server)["stanzas_in"]
    assert rate_after(600)["stanzas_in"] > 0
    assert stats(server)["stanzas_in"] == before + 600
    assert rate_after(0)["stanzas_in"] == 0
    # no rate of what is of this moment
    assert "sessions" not in stats(server, "--rates")
    each = rows(server, "--rates", "--shard")
    assert [r["shard"] for r in each] == [0, 1]
    assert all("cpu_ms" in r and "sessions" not in r for r in each)
    scene.end()


def test_commits_are_measured(own_server):
    server = own_server()
    names = ["user%d" % i for i in range(N)]
    before = stats(server)
    scene = scenes.Scene(server, names)
    play(scene, names)
    now = stats(server)
    assert now["store_commits"] > before["store_commits"]
    assert now["store_writes"] >= before["store_writes"] + N * CONTACTS
    for name in "store_batch", "store_commit_us":
        for late in "", "_minute":
            mean, p99, most = (now[name + late + what] for what in
                               ("_mean", "_p99", "_max"))
            assert 0 < mean <= most and 0 < p99 <= most
    assert now["store_queued"] == now["store_queued_bytes"] == 0
    assert now["store_queued_highest"] >= now["store_batch_max"]
    assert now["store_queued_bytes_highest"] > 0
    # what comes behind a change waits in line until that is on disk
    assert now["inbox_bytes"] == now["line_bytes"] == 0
    user = scene["user0/r"]
    user.send("<iq type='set' id='1'><query xmlns='jabber:iq:roster'>"
              "<item jid='d@elsewhere.test'/></query></iq>"
              "<message to='%s' id='2'/>" % user.jid)
    user.take(lambda e: e.get("id") == "2", "the message")
    # and what is for somebody who has to be loaded, in the inbox
    user.iq("get", "<query xmlns='jabber:iq:last'/>",
            to="nobody@" + server.domain)
    now = stats(server)
    assert now["line_bytes"] == now["inbox_bytes"] == 0
    assert now["line_bytes_highest"] > 0 and now["inbox_bytes_highest"] > 0
    scene.end()


def test_a_queue_that_nobody_reads_is_seen(own_server):
    server = own_server({"limits": {"write_queue_bytes": "64MiB",
                                    "write_queue_max_bytes": "64MiB"}})
    scene = scenes.Scene(server, ("romeo", "juliet"))
    romeo = scene.online("romeo/r")
    scene.online("juliet/j")
    assert stats(server)["write_bytes"] == 0
    # more than the socket buffers of both sides hold
    for _ in range(200):
        romeo.send("<message to='%s' type='headline'><body>%s</body>"
                   "</message>" % (scene.full("juliet", "j"), "x" * 100000))
    romeo.iq("set", scenes.BARRIER)
    stuck = until(lambda: stats(server), lambda s: s["write_bytes"] > 0)
    assert stuck["write_bytes_highest"] >= stuck["write_bytes"]
    scene["juliet/j"].reset()
    free = until(lambda: stats(server), lambda s: s["write_bytes"] == 0)
    assert free["write_bytes_highest"] >= stuck["write_bytes"]
    scene.end()


def test_memory_goes_with_nothing_else(server):
    for other in "--shard", "--rates":
        done = server.ctl("stats", "--memory", other, ok=False)
        assert done.returncode == 1 and "--memory" in done.stderr
