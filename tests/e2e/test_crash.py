"""A crash leaves a report: tests/modules/mod_testcrash.c crashes the server for real."""

import ctypes
import glob
import json
import os
import re
import shutil
import signal
import socket
import stat
import subprocess
import time

import pytest

import scene as scenes
from process import PATIENCE

pytestmark = [pytest.mark.only("antiphon"), pytest.mark.plain]
CRASH = "<crash xmlns='urn:antiphon:test:crash' how='%s'/>"
ADDRESS = r"^  (\S+)\+(0x[0-9a-f]+)$"
# How, how it is called in the report, and what dies of it.
WAYS = {
    "assertion": (r"\S*mod_testcrash.c:\d+: (\w+ )?crash_assertion(\(void\))?: Assertion "
                  r"`nothing != NULL' failed\.", signal.SIGABRT),
    "null": (r"SIGSEGV at 0x0, code 1", signal.SIGSEGV),
    "call": (r"SIGSEGV at 0x0, code 1", signal.SIGSEGV),
    "overflow": (r"SIGSEGV at 0x[0-9a-f]+, code \d, the stack has overflowed",
                 signal.SIGSEGV),
    "free": (r"SIGABRT, sent by process \d+", signal.SIGABRT),
}


class Crashing:
    """A server that is made to crash, and what it leaves."""

    def __init__(self, pool, conf=None):
        self.server = pool.new({"modules": {"testcrash": {}}, **(conf or {})})
        self.database = self.server.conf["storage"]["path"]

    def start(self):
        self.server.start()
        return self

    def stop(self):
        """It has told of an assertion, of the last run."""
        self.server.process.alarms.clear()
        self.server.stop()

    def crash(self, how, where="shard"):
        self.server.ctl("crash", how, where, ok=False)
        return self.ended()

    def ended(self):
        """The signal that it ended by, and the lines of its log."""
        process, self.server.process = self.server.process, None
        code = process.wait()
        return -code, process.lines

    def files(self):
        return sorted(glob.glob(self.database + ".crash-*"))

    def report(self):
        path, = self.files()
        with open(path) as f:
            return f.read().splitlines()


@pytest.fixture
def crashing(pool):
    made = []

    def make(conf=None):
        made.append(Crashing(pool, conf))
        return made[-1].start()
    yield make
    for one in made:
        one.server.stop()


def field(report, name):
    found = [line[len(name) + 2:] for line in report
             if line.startswith(name + ": ")]
    assert len(found) == 1, report
    return found[0]


def part(report, title):
    """The lines below a title."""
    start = next(i for i, line in enumerate(report) if line.startswith(title))
    rest = report[start + 1:]
    end = next((i for i, line in enumerate(rest)
                if not line.startswith("  ")), len(rest))
    return rest[:end]


def functions(report):
    """Of the frames, as addr2line finds them."""
    found = []
    for line in part(report, "backtrace:"):
        frame = re.match(ADDRESS, line)
        if frame:
            done = subprocess.run(["addr2line", "-f", "-e", *frame.groups()],
                                  capture_output=True, text=True, check=True)
            found.append(done.stdout.splitlines()[0])
    return found


def build_of(path):
    done = subprocess.run(["readelf", "-n", path], capture_output=True,
                          text=True, check=True)
    return re.search(r"Build ID: ([0-9a-f]+)", done.stdout)[1]


def skip_sanitized(server):
    if server.sanitized():
        pytest.skip("the sanitizer has this signal")


def test_the_build_is_named(server):
    said = subprocess.run([server.program(), "--version"], text=True,
                          capture_output=True, check=True).stdout.splitlines()
    build = build_of(server.program())
    assert len(build) == 40
    assert re.match(r"Antiphon [0-9.]+$", said[0])
    assert said[1:] == ["build " + build]
    assert json.loads(server.ctl("--json", "status"))["build"] == build


@pytest.mark.parametrize("how", WAYS)
def test_a_crash_of_a_shard(crashing, how):
    c = crashing({"shards": 3})
    if how != "assertion":
        skip_sanitized(c.server)
    pid = c.server.process.proc.pid
    before = time.time()
    ended_by, log = c.crash(how)
    report = c.report()
    reason, ends_by = WAYS[how]
    assert ended_by == ends_by
    assert report[0] == "Antiphon 0.1.0 has crashed"
    assert field(report, "build") == build_of(c.server.program())
    at = time.strptime(field(report, "time") + " UTC", "%Y-%m-%dT%H:%M:%SZ %Z")
    assert before - 2 <= time.mktime(at) - time.timezone <= time.time() + 1
    assert field(report, "process") == str(pid)
    assert field(report, "thread") == "shard 2"
    assert re.fullmatch(reason, field(report, "reason"))
    assert re.match(r"  call \S*mod_testcrash\.so\+0x",
                    part(report, "events")[0])
    assert "crash_" + how in functions(report)
    assert any("mod_testcrash.so " in line for line in part(report, "builds"))
    assert report[-1] == "end"
    # the log has the same, and where to find it
    told = [re.sub(r"^.*? error server: crash: ", "", line) for line in log
            if " error server: crash: " in line]
    assert told[:-1] == report
    assert told[-1] == "written to " + c.files()[0]
    name = os.path.basename(c.files()[0])
    assert re.fullmatch(r"data\.sqlite\.crash-\d{8}T\d{6}Z-%d" % pid, name)
    mode = os.stat(c.files()[0]).st_mode
    assert stat.S_ISREG(mode) and stat.S_IMODE(mode) == 0o600


@pytest.mark.parametrize("how", ["assertion", "null", "overflow"])
@pytest.mark.parametrize("where,thread", [
    ("worker", r"worker \d"), ("store", "store-copy")])
def test_a_crash_of_another_thread(crashing, how, where, thread):
    c = crashing()
    if how != "assertion":
        skip_sanitized(c.server)
    c.server.ctl("crash", how, where, ok=False)
    if where == "store":
        c.server.ctl("backup", c.database + ".copy", ok=False)
    ended_by, _ = c.ended()
    report = c.report()
    assert ended_by == WAYS[how][1]
    assert re.fullmatch(thread, field(report, "thread"))
    assert "crash_" + how in functions(report)
    first = {"worker": r"  job \S*mod_testcrash\.so\+0x",
             "store": r"  backup"}[where]
    assert re.match(first, part(report, "events")[0])


def test_a_crash_of_the_main_thread(crashing):
    c = crashing()
    pid = c.server.process.proc.pid
    assert ctypes.CDLL(None).tgkill(pid, pid, int(signal.SIGABRT)) == 0
    ended_by, _ = c.ended()
    assert ended_by == signal.SIGABRT
    assert field(c.report(), "thread") == "main"
    assert field(c.report(), "reason") == ("SIGABRT, sent by process %d"
                                           % os.getpid())


def test_a_crash_in_a_timer(crashing):
    c = crashing()
    skip_sanitized(c.server)
    c.crash("null", "timer")
    first = part(c.report(), "events")[0]
    found = re.fullmatch(r"  timer (\S+)\+(0x[0-9a-f]+)", first)
    done = subprocess.run(["addr2line", "-f", "-e", *found.groups()],
                          capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[0] == "crash_timer"


def test_events_are_bounded_and_of_the_thread(crashing):
    c = crashing({"shards": 1})
    for _ in range(100):
        c.server.ctl("status")
    c.crash("assertion")
    assert len(part(c.report(), "events")) == 64


def test_there_are_at_most_20_files(crashing):
    c = crashing()
    c.server.stop()
    keep = c.database + ".crash-notes"
    old = [c.database + ".crash-200001%02dT000000Z-1" % (i + 1)
           for i in range(30)]
    for path in [keep, *old]:
        with open(path, "w") as f:
            f.write("reason: none\n")
    c.start()
    c.crash("assertion")
    files = c.files()
    assert len(files) == 21 and keep in files
    assert files[:19] == old[11:]


def test_no_link_is_followed(crashing):
    """Whoever can write to the folder may guess the second and the process."""
    c = crashing()
    pid = c.server.process.proc.pid
    target = os.path.join(c.server.folder, "target")
    now = int(time.time())
    for t in range(now - 1, now + 60):
        os.symlink(target, c.database + time.strftime(
            ".crash-%Y%m%dT%H%M%SZ-", time.gmtime(t)) + str(pid))
    ended_by, log = c.crash("assertion")
    assert ended_by == signal.SIGABRT
    assert not os.path.exists(target)
    assert re.search(r"crash: not written to \S+: File exists$", log[-1])
    assert any(line.endswith("crash: end") for line in log)


def test_where_the_folder_is_gone_the_log_has_it(crashing):
    c = crashing()
    shutil.rmtree(c.server.folder)
    c.server.process.signal(signal.SIGABRT)
    ended_by, log = c.ended()
    assert ended_by == signal.SIGABRT
    assert re.search(r"crash: not written to \S+: No such file or directory$",
                     log[-1])
    assert any("crash: reason: SIGABRT" in line for line in log)


def test_a_full_disk(crashing):
    c = crashing()
    _, log = c.crash("full")
    assert re.search(r"crash: not written to \S+: File too large$", log[-1])
    assert any("crash_full" in line for line in log)


def test_where_no_file_can_be_opened_any_more(crashing):
    c = crashing()
    c.crash("files")
    assert "crash_files" in field(c.report(), "reason")


@pytest.mark.parametrize("how", ["assertion", "null"])
def test_many_crash_at_once(crashing, how):
    """The first one writes, whole, and the others wait for its end."""
    c = crashing({"shards": 8})
    if how != "assertion":
        skip_sanitized(c.server)
    ended_by, _ = c.crash(how, "shards")
    assert ended_by == WAYS[how][1]
    assert c.report()[-1] == "end"
    assert "crash_" + how in functions(c.report())


def test_a_crash_of_the_handler_ends_the_process(crashing):
    c = crashing()
    skip_sanitized(c.server)
    ended_by, log = c.crash("twice")
    assert ended_by == signal.SIGSEGV
    assert "crash_twice" in field(c.report(), "reason")
    assert c.report()[-1].startswith("events")
    assert log[-1].endswith("crash: events, the last one first:")


def by_hand(c, **how):
    """A server whose log is not read, when it is ready."""
    ready = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    ready.bind(os.path.join(c.server.folder, "notify"))
    os.chmod(ready.getsockname(), 0o666)
    ready.settimeout(PATIENCE * 2)
    server = subprocess.Popen(
        [c.server.program(), "--config", c.server.conf_path, "--module-dir",
         c.server.module_dir()], **c.server.unprivileged(), text=True,
        env={"NOTIFY_SOCKET": ready.getsockname()}, **how)
    assert ready.recv(100).startswith(b"READY=1")
    return server


def test_a_report_that_hangs_ends(crashing):
    """Also where the parent has left SIGALRM ignored."""
    c = crashing()
    c.server.stop()
    start, end = os.pipe()
    server = by_hand(c, stderr=end, preexec_fn=lambda: signal.signal(
        signal.SIGALRM, signal.SIG_IGN))
    # nobody reads it; the server has it too, and waits there
    os.set_blocking(end, False)
    for n in (4096, 1):
        try:
            while True:
                os.write(end, b"." * n)
        except BlockingIOError:
            pass
    os.set_blocking(end, True)
    server.send_signal(signal.SIGABRT)
    assert server.wait(10 + PATIENCE) == -signal.SIGALRM
    os.close(start)
    os.close(end)


@pytest.mark.parametrize("to", ["file", "syslog"])
def test_a_log_that_takes_nothing_leaves_standard_error(crashing, to):
    if to == "syslog" and os.path.exists("/dev/log"):
        pytest.skip("somebody takes it")
    c = crashing()
    c.server.stop()
    path = os.path.join(c.server.folder, "full.log")
    os.symlink("/dev/full", path)
    c.server.conf["log"] = {"to": to}
    if to == "file":
        c.server.conf["log"]["file"] = path
    c.server.write_conf()
    server = by_hand(c, stderr=subprocess.PIPE)
    server.send_signal(signal.SIGABRT)
    said = server.communicate(timeout=PATIENCE * 2)[1].splitlines()
    assert server.returncode == -signal.SIGABRT
    assert re.search(r"^20\S+Z error server: crash: Antiphon \S+ has crashed$",
                     said[0])
    assert [re.sub(".*? crash: ", "", line) for line in said[:-1]] == c.report()


def test_status_and_the_next_start_name_the_last_crash(crashing):
    c = crashing()
    assert "crashed" not in json.loads(c.server.ctl("--json", "status"))
    c.crash("assertion")
    path, = c.files()
    reason = field(c.report(), "reason")
    c.start()
    line = c.server.process.wait_line(
        r"error server: the last run ended in a crash report=(\S+) at=(\S+) "
        r'reason="(.*)"$')
    assert line.groups() == (path, field(c.report(), "time"), reason)
    for _ in range(2):
        status = json.loads(c.server.ctl("--json", "status"))
        assert status["crashed"] == field(c.report(), "time")
        assert status["crash_reason"] == reason
        assert status["crash_report"] == os.path.realpath(path)
        assert "send it" in status["crash_advice"]
        c.stop()
        c.start() # told once: this run did not end in a crash
        assert not any("ended in a crash" in line
                       for line in c.server.process.lines)
    c.stop()
    os.unlink(path)
    c.start()
    assert "crashed" not in json.loads(c.server.ctl("--json", "status"))


def test_the_report_names_whom_the_shard_served(crashing):
    c = crashing()
    s = scenes.Scene(c.server, ["romeo", "juliet"])
    s.online("juliet/balcony")
    romeo = s.online("romeo/orchard")
    romeo.send("<message to='%s' type='chat'><body>%s</body></message>"
               % (s.accounts["juliet"].jid, "the body of a message"))
    assert s.sessions["juliet/balcony"].next().name == "message"
    romeo.send("<iq type='set' id='1'>%s</iq>" % (CRASH % "assertion"))
    c.ended()
    report = c.report()
    events = part(report, "events")
    jid = s.accounts["romeo"].jid
    assert events[0] == "  delivered to %s iq type=set" % jid
    assert "  sent by %s iq type=set" % jid in events
    assert any(re.fullmatch(r"  bytes in fd=\d+ n=\d+", e) for e in events)
    assert len(events) <= 64
    whole = "\n".join(report)
    assert "body" not in whole
    for account in s.accounts.values():
        assert account.password not in whole
    s.sessions.clear()


def test_no_name_breaks_a_line(crashing):
    c = crashing()
    s = scenes.Scene(c.server)
    c.server.ctl("adduser", "j\u00fcrgen@" + c.server.domain, stdin="pass\n")
    client = s.new("j").login("j\u00fcrgen", "pass", "r", "starttls")
    client.send("<iq type='set' id='1'>%s</iq>" % (CRASH % "assertion"))
    c.ended()
    report = c.report()
    assert part(report, "events")[0] == (
        "  delivered to j\\xc3\\xbcrgen@%s iq type=set" % c.server.domain)
    assert all(" " <= ch <= "~" for line in report for ch in line)
    s.sessions.clear()


def test_a_reload_is_an_event(crashing):
    c = crashing({"shards": 1})
    c.server.ctl("reload")
    c.crash("assertion")
    assert any(re.fullmatch(r"  snapshot serial=\d+", e)
               for e in part(c.report(), "events"))


def test_an_entity_that_is_gone_is_not_named_after_another(crashing):
    c = crashing({"shards": 1})
    s = scenes.Scene(c.server, ["romeo"])
    romeo = s.online("romeo/orchard")
    romeo.iq("get", "<ping xmlns='urn:xmpp:ping'/>",
             to="nobody@" + c.server.domain)
    c.crash("assertion")
    events = part(c.report(), "events")
    asked = [e for e in events if e.endswith(" iq type=get")]
    # where its memory is as it was left, it has its own name still
    assert any(re.match(r"  delivered to (nobody@%s|one that is gone, 0x)"
                        % c.server.domain, e) for e in asked), events
    s.sessions.clear()
