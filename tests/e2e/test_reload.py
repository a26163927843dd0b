"""A configuration that is put in force off the shards, or refused."""

import json
import os
import re
import shutil
import signal
import subprocess
import threading
import time

import pytest

import scene as scenes
from test_ctl import Raw

pytestmark = pytest.mark.only("antiphon")

HOSTS = 20
MANY_HOSTS = 300


def many(server, n):
    """n hosts, each with a certificate of its own to read."""
    for i in range(n):
        cert = os.path.join(server.folder, "host%d.pem" % i)
        shutil.copy(server.certs["server.crt"], cert)
        server.conf["hosts"]["h%d.example" % i] = {
            "certificate": cert, "key": server.certs["server.key"]}


def touch(server):
    for name in os.listdir(server.folder):
        if name.endswith(".pem"):
            os.utime(os.path.join(server.folder, name))


# --- what is refused --------------------------------------------------------

def open_files(pid):
    found = []
    for fd in os.listdir("/proc/%d/fd" % pid):
        try:
            found.append((int(fd), os.readlink("/proc/%d/fd/%s" % (pid, fd))))
        except FileNotFoundError:
            pass
    # the socket that asks comes and goes
    return sorted(f for f in found if not f[1].startswith("socket:"))


def mapped(pid):
    with open("/proc/%d/maps" % pid) as f:
        return sorted({line.split()[-1] for line in f if ".so" in line})


def resident_kib(pid):
    with open("/proc/%d/status" % pid) as f:
        return int(re.search(r"VmRSS:\s+(\d+)", f.read()).group(1))


def state(server, pid):
    shown = [server.ctl(*args) for args in (
        ("modules", "list"), ("modules", "hooks"), ("loglevel",),
        ("show-config",))]
    return open_files(pid), mapped(pid), shown


def a_mistake(server):
    server.conf["limits"]["depht"] = "70"


def no_certificate(server):
    server.conf["hosts"]["zz.example"] = {
        "certificate": server.folder + "/none.pem"}


def a_module_that_is_missed(server):
    server.conf["modules"]["nosuchmodule"] = {}


REFUSALS = [a_mistake, no_certificate, a_module_that_is_missed]


def want_all(server):
    """What a reload would change."""
    server.conf["log"]["level"] = "debug"
    server.conf["limits"]["depth"] = "77"
    server.conf["modules"]["register"] = {}
    server.conf["modules"]["ping"] = {}
    touch(server)


@pytest.mark.parametrize("refusal", REFUSALS, ids=lambda f: f.__name__)
def test_a_refused_reload_changes_nothing(pool, refusal):
    server = pool.new({"modules": {"register": "off"}})
    many(server, HOSTS)
    server.conf["log"] = {"level": "info"}
    server.start()
    pid = server.process.proc.pid
    try:
        server.ctl("modules", "unload", "ping")
        server.ctl("loglevel", "auth", "debug")
        before = state(server, pid)
        good = json.loads(json.dumps(server.conf))
        want_all(server)
        refusal(server)
        server.write_conf()
        for _ in range(3):
            assert server.ctl("reload", ok=False).returncode == 1
            assert state(server, pid) == before
        server.conf = good
        server.write_conf()
        server.ctl("reload")
        assert "ping" in server.ctl("modules", "list")
    finally:
        server.stop()


def test_a_refused_reload_leaves_the_log(pool):
    """Refused as it is read, and as the very last thing, when modules have been
    loaded already."""
    server = pool.new({"modules": {"register": "off"}})
    folder = server.folder
    server.conf["log"] = {"to": "file", "file": folder + "/log/the.log",
                          "level": "info"}
    server.conf["pid_file"] = folder + "/pid"
    os.makedirs(folder + "/log")
    server.write_conf()
    subprocess.run([server.program(), "--config", server.conf_path,
                    "--module-dir", server.module_dir(), "--daemon"],
                   check=True, stdin=subprocess.DEVNULL,
                   **server.unprivileged())
    try:
        with open(folder + "/pid") as f:
            pid = int(f.read())
        server.ctl("modules", "unload", "ping")
        os.rename(folder + "/log/the.log", folder + "/log/moved.log")
        before = state(server, pid)
        want_all(server)
        a_mistake(server)
        server.write_conf()
        assert server.ctl("reload", ok=False).returncode == 1
        assert state(server, pid) == before
        assert not os.path.exists(folder + "/log/the.log")
        with open(folder + "/log/moved.log") as f:
            assert "not reloaded" in f.read()
        del server.conf["limits"]["depht"]
        server.write_conf()
        os.rename(folder + "/log", folder + "/away")
        done = server.ctl("reload", ok=False)
        assert done.returncode == 1 and "the.log" in done.stdout
        moved = [(fd, path.replace("/log/moved", "/away/moved"))
                 for fd, path in before[0]]
        assert state(server, pid) == (moved, *before[1:])
        os.rename(folder + "/away", folder + "/log")
        server.ctl("reload")
        assert "depth: 77" in server.ctl("show-config")
        assert os.path.exists(folder + "/log/the.log")
    finally:
        server.ctl("stop")


def test_what_is_refused_tells_of_nothing_else(pool):
    """Not of what would have waited for the next start."""
    server = pool.new({"modules": {"register": "off"}})
    many(server, 1)
    server.start()
    try:
        server.conf["storage"]["path"] += ".other"
        no_certificate(server)
        server.write_conf()
        for asked in (("modules", "load", "testecho"), ("reload",)):
            done = server.ctl(*asked, ok=False)
            assert done.returncode == 1
            assert "none.pem" in done.stdout + done.stderr
            assert ".other" not in done.stdout + done.stderr
    finally:
        server.process.alarms.clear()
        server.stop()


@pytest.mark.once
def test_refused_reloads_leave_no_memory(pool):
    server = pool.new({"shards": 2, "modules": {"register": "off"}})
    many(server, HOSTS)
    server.conf["log"] = {"level": "info"}
    server.start()
    raw = Raw(server)

    def refuse(n):
        for _ in range(n):
            touch(server)
            assert "error" in raw.call("reload")[-1]

    try:
        want_all(server)
        no_certificate(server)
        server.write_conf()
        refuse(100)
        before = resident_kib(server.process.proc.pid)
        refuse(200)
        grown = resident_kib(server.process.proc.pid) - before
        # one configuration with its certificates takes some hundred; a
        # sanitizer keeps for a while what was freed
        assert grown < (16384 if server.sanitized() else 4096), grown
    finally:
        server.stop()


# --- a module that is in use ------------------------------------------------

def test_a_module_that_is_in_use_for_long_goes_on_as_it_was(own_server):
    """It waits for a client that does not answer."""
    server = own_server({"modules": {"testask": {}},
                         "limits": {"close_timeout": "100ms"}})
    scene = scenes.Scene(server, ("romeo", "juliet"))
    scene.befriend("romeo", "juliet")
    # each has one question under way
    romeo = [scene.online("romeo/%d" % n) for n in range(3)]
    juliet = scene.online("juliet/j")
    scene.settle()

    def ask(n):
        romeo[n].send("<iq type='get' to='%s' id='ask%d'><ask to='%s' ms='3600000' "
                   "xmlns='urn:antiphon:test:ask'><ping xmlns='urn:xmpp:ping'/>"
                   "</ask></iq>" % (server.domain, n, scene.full("juliet", "j")))
        return juliet.take(lambda e: e.child("ping"), "a question").get("id")

    def answered(n, id_):
        juliet.send("<iq type='result' id='%s' to='%s'/>" % (id_, server.domain))
        romeo[n].take(lambda e: e.get("id") == "ask%d" % n and
                      e.get("type") == "result", "the answer")

    first = ask(0)
    done = server.ctl("modules", "reload", "testask", ok=False)
    assert done.returncode == 1 and "goes on as it was" in done.stderr, done
    # it is there, and knows who has asked before
    second = ask(1)
    answered(1, second)
    answered(0, first)
    server.ctl("modules", "reload", "testask")
    answered(2, ask(2))
    scene.end()


# --- what is asked for together ---------------------------------------------

def test_what_comes_meanwhile_is_done_in_order(pool):
    server = pool.new({"modules": {"register": "off"}})
    many(server, HOSTS)
    server.conf["log"] = {"level": "info"}
    server.start()
    asked = [("reload", {}), ("modules unload", {"name": "ping"}),
             ("modules load", {"name": "register"}), ("reload", {}),
             ("modules unload", {"name": "ping"}),
             ("modules unload", {"name": "nosuch"}),
             ("modules reload", {"name": "vcard"})]
    raws = [Raw(server) for _ in asked]
    try:
        touch(server)
        for raw, (command, args) in zip(raws, asked):
            raw.send({"command": command, "args": args})
            # the next one has to be behind it
            server.ctl("status")
        got = [raw.answer()[-1] for raw in raws]
        assert ["done" in g for g in got] == [True] * 5 + [False, True], got
        names = [json.loads(line)["name"] for line in
                 server.ctl("--json", "modules", "list").splitlines()]
        assert "vcard" in names
        assert "ping" not in names and "register" not in names
    finally:
        server.stop()


def test_who_stops_waits_for_one_reload(pool):
    """The others are refused, and the log still knows who has asked."""
    server = pool.new({"modules": {"register": "off"}})
    many(server, MANY_HOSTS)
    server.conf["log"] = {"level": "info"}
    server.start()
    process = server.process
    raws = [Raw(server) for _ in range(20)]
    touch(server)
    for raw in raws:
        raw.send({"command": "reload"})
    Raw(server).call("status")
    server.stop()
    start = next(i for i, line in enumerate(process.lines)
                 if line.endswith("info server: stopping"))
    ends = [line for line in process.lines[start:] if "reload" in line]
    taken = [line for line in process.lines[start:] if "is in force" in line]
    assert ends and len(taken) <= 1
    who = re.search('command="reload"( .*)', "\n".join(process.lines))[1]
    for line in ends:
        assert 'command failed command="reload"%s reason="' % who in line


def hang_up(server):
    """SIGHUP, which the main thread has taken."""
    server.process.signal(signal.SIGHUP)
    with open("/proc/%d/status" % server.process.proc.pid) as f:
        while re.search(r"^ShdPnd:\s+(\w+)", f.read(), re.M)[1][-1] != "0":
            f.seek(0)


def test_hangups_meanwhile_are_one_reload(pool):
    """The first one is at a certificate that comes out of a pipe."""
    server = pool.new()
    many(server, 1)
    path = os.path.join(server.folder, "host0.pem")
    server.start()
    try:
        os.rename(path, path + ".whole")
        os.mkfifo(path)
        os.chmod(path, 0o644)
        hang_up(server)
        with open(path, "w") as pipe:
            os.rename(path + ".whole", path)
            for _ in range(100):
                hang_up(server)
            # the shard has heard of them, but for the last, maybe
            server.ctl("status")
            with open(path) as whole:
                pipe.write(whole.read())
        # the first one waits for what is under way, the second for that
        # which follows
        server.ctl("reload")
        server.ctl("reload")
    finally:
        process = server.process
        server.stop()
    # all of the log has been read
    taken = [line for line in process.lines if "is in force" in line]
    assert len(taken) - 2 in (2, 3), taken


def test_a_reload_does_not_keep_its_shard_busy(pool):
    """Questions to the shard that reloads are answered while it goes on."""
    server = pool.new({"shards": 1})
    many(server, MANY_HOSTS)
    server.conf["log"] = {"level": "info"}
    server.start()
    asker, reloader = Raw(server), Raw(server)
    over = threading.Event()

    def reload():
        assert "done" in reloader.call("reload")[-1]
        over.set()

    try:
        touch(server)
        longest, n = 0, 0
        thread = threading.Thread(target=reload)
        start = time.monotonic()
        thread.start()
        while not over.is_set():
            begun = time.monotonic()
            asker.call("status")
            longest = max(longest, time.monotonic() - begun)
            n += 1
        took = time.monotonic() - start
        thread.join()
        print("reload %.0f ms, longest answer %.0f ms of %d" %
              (took * 1000, longest * 1000, n))
        assert n >= 10 and longest < took / 2
    finally:
        server.stop()
