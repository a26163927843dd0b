"""The control socket and antiphonctl."""

import base64
import hashlib
import hmac
import json
import os
import pty
import pwd
import re
import select
import socket
import subprocess
import threading
import time

import pytest

import scene as scenes
from client import Client
from process import PATIENCE

TOP = os.path.dirname(os.path.dirname(os.path.dirname(
    os.path.abspath(__file__))))

pytestmark = pytest.mark.only("antiphon")


def verifier(password, salt=b"salt and pepper", rounds=4096):
    """As RFC 5803 §2 writes it."""
    def b64(raw):
        return base64.b64encode(raw).decode()
    salted = hashlib.pbkdf2_hmac("sha256", password.encode(), salt, rounds)
    client = hmac.digest(salted, b"Client Key", "sha256")
    server = hmac.digest(salted, b"Server Key", "sha256")
    return "SCRAM-SHA-256$%d:%s$%s:%s" % (
        rounds, b64(salt), b64(hashlib.sha256(client).digest()), b64(server))


class Raw:
    """The socket itself."""

    def __init__(self, server):
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(PATIENCE)
        self.sock.connect(server.socket)
        self.file = self.sock.makefile("rb")

    def send(self, data):
        self.sock.sendall(data if isinstance(data, bytes)
                          else json.dumps(data).encode() + b"\n")

    def answer(self):
        """All lines of one answer."""
        lines = []
        while True:
            raw = self.file.readline()
            assert raw, "the server has closed the connection"
            lines.append(json.loads(raw))
            if "done" in lines[-1] or "error" in lines[-1]:
                return lines

    def call(self, command, **args):
        self.send({"command": command, "args": args})
        return self.answer()

    def ended(self):
        try:
            return self.file.read(1) == b""
        except ConnectionResetError:
            return True

    def close(self):
        self.file.close()
        self.sock.close()


def raw_call(server, command, **args):
    raw = Raw(server)
    try:
        return raw.call(command, **args)
    finally:
        raw.close()


def until(fd, text):
    """What is said at a terminal, until it ends with text."""
    seen, deadline = b"", time.monotonic() + PATIENCE
    while not seen.endswith(text):
        assert time.monotonic() < deadline, seen
        if select.select([fd], [], [], 0.1)[0]:
            seen += os.read(fd, 1000)
    return seen


@pytest.fixture
def raw(server):
    made = Raw(server)
    yield made
    made.close()


@pytest.fixture
def names():
    """Localparts that no other test has."""
    stem = "c" + os.urandom(5).hex()
    return [stem + str(i) for i in range(20)]


def rows(text):
    return [json.loads(line) for line in text.splitlines()]


# --- accounts ---------------------------------------------------------------

def test_an_account_is_made_changed_listed_and_removed(server, names):
    jid = "%s@%s" % (names[0], server.domain)
    server.ctl("adduser", jid, stdin="a password\n")
    done = server.ctl("adduser", jid, stdin="a password\n", ok=False)
    assert done.returncode == 1 and "exists" in done.stderr
    assert {"jid": jid} in rows(server.ctl("--json", "users", server.domain))
    server.ctl("passwd", jid, stdin="another\n")
    server.ctl("deluser", jid)
    assert {"jid": jid} not in rows(server.ctl("--json", "users"))
    for command in "deluser", "passwd":
        done = server.ctl(command, jid, stdin="x\n", ok=False)
        assert done.returncode == 1 and "no such account" in done.stderr


@pytest.mark.parametrize("jid", ["antiphon.test", "a@antiphon.test/r", "a b@x",
                                 "a@elsewhere.test", "@antiphon.test", ""])
def test_an_account_needs_an_address_of_ours(server, jid):
    done = server.ctl("adduser", jid, stdin="a password\n", ok=False)
    assert done.returncode == 1 and done.stderr


def test_an_empty_password_is_none(server, names):
    jid = "%s@%s" % (names[0], server.domain)
    for stdin in "", "\n":
        done = server.ctl("adduser", jid, stdin=stdin, ok=False)
        assert done.returncode in (1, 2)
    assert {"jid": jid} not in rows(server.ctl("--json", "users"))


def test_a_batch_creates_what_it_can_and_tells_the_rest(server, names,
                                                        tmp_path):
    at = "@" + server.domain
    path = tmp_path / "accounts"
    path.write_text("# everybody\n\n" + "".join(
        "%s%s %s\n" % (n, at, verifier("pw " + n)) for n in names[:5])
        + "%s%s plain words\n" % (names[5], at)
        + "%s%s twice\n" % (names[0], at) + "nonsense\n")
    done = server.ctl("--json", "adduser", "--batch", str(path), ok=False)
    assert done.returncode == 1
    assert [r["jid"] for r in rows(done.stdout)] == [names[0] + at, "nonsense"]
    there = [r["jid"] for r in rows(server.ctl("--json", "users"))]
    assert all(n + at in there for n in names[:6])
    assert names[6] + at not in there


def test_accounts_of_a_batch_can_log_in(server, scene):
    scene.accounts["a"] = scenes.Account("a", server.domain)
    scene.accounts["b"] = scenes.Account("b", server.domain)
    a, b = scene.accounts["a"], scene.accounts["b"]
    # asked for before it exists: the server has it in memory as absent
    done = server.ctl("passwd", a.jid, stdin="x\n", ok=False)
    assert done.returncode == 1
    server.ctl("adduser", "--batch", "-", stdin="".join(
        ["%s %s\n" % (a.jid, verifier(a.password)),
         "%s %s\n" % (b.jid, b.password)]))
    for one in a, b:
        scene.binds[one.name] = one.jid
    scene.login("a/x")
    scene.login("b/x")


@pytest.mark.parametrize("batch", [True, False])
def test_an_account_made_anew_is_not_for_the_old_password(server, scene,
                                                          batch):
    """hostile-33: who has shown it before binds to the old account only."""
    scene.add_accounts("romeo", "juliet")
    a = scene.accounts["romeo"]
    old = Client(server).secure().auth(a.name, a.password)
    server.ctl("deluser", a.jid)
    # somebody keeps it in memory, without an account behind it
    juliet = scene.online("juliet/x")
    juliet.iq("get", "<ping xmlns='urn:xmpp:ping'/>", to=a.jid)
    if batch:
        server.ctl("adduser", "--batch", "-", stdin=a.jid + " another-one\n")
    else:
        server.ctl("adduser", a.jid, stdin="another-one\n")
    old.send("<iq type='set' id='b'><bind "
             "xmlns='urn:ietf:params:xml:ns:xmpp-bind'/></iq>")
    old.expect_error("not-authorized")
    Client(server).login(a.name, "another-one").ping()


def test_a_large_batch_goes_in_parts(server, tmp_path):
    stem = "b" + os.urandom(5).hex()
    line = verifier("same for all")
    path = tmp_path / "many"
    path.write_text("".join("%s%d@%s %s\n" % (stem, i, server.other_domain,
                                              line) for i in range(1700)))
    server.ctl("adduser", "--batch", str(path))
    there = rows(server.ctl("--json", "users", server.other_domain))
    assert sum(r["jid"].startswith(stem) for r in there) == 1700


# --- the server ---------------------------------------------------------------

def test_status_and_stats_are_rows(server):
    status, = rows(server.ctl("--json", "status"))
    assert status["pid"] == server.process.proc.pid
    assert set(status["hosts"].split()) == {server.domain,
                                            server.other_domain}
    stats = {r["name"]: r["value"] for r in rows(server.ctl("--json",
                                                            "stats"))}
    assert stats["memory_rss_kib"] > 0 and stats["turns"] > 0
    each = rows(server.ctl("--json", "stats", "--shard"))
    assert [r["shard"] for r in each] == list(range(status["shards"]))


def test_modules_are_switched_in_the_running_server(server):
    def state():
        return {r["name"]: r["state"] for r in
                rows(server.ctl("--json", "modules", "list"))}
    assert state()["version"] == "on"
    server.ctl("modules", "unload", "version")
    assert state().get("version", "off") == "off"
    # its options are shown although its code is gone
    assert "show_os" in server.ctl("show-config")
    server.ctl("modules", "load", "version")
    server.ctl("modules", "reload", "version")
    assert state()["version"] == "on"
    for name in "nothing", "../version", "":
        done = server.ctl("modules", "load", name, ok=False)
        assert done.returncode == 1 and done.stderr


def test_a_reload_lists_all_mistakes_and_changes_nothing(own_server):
    server = own_server()
    server.ctl("reload")
    before = server.ctl("show-config")
    with open(server.conf_path, "a") as f:
        f.write("nonsense\n")
    done = server.ctl("reload", ok=False)
    assert done.returncode == 1 and "antiphond.yml" in done.stdout
    assert server.ctl("show-config") == before


def test_what_is_refused_leaves_modules_as_they_were_switched(own_server):
    server = own_server()

    def on():
        return {r["name"] for r in
                rows(server.ctl("--json", "modules", "list"))
                if r["state"] == "on"}
    server.ctl("modules", "unload", "ping")
    with open(server.conf_path) as f:
        good = f.read()
    off = {"ping"}
    for bad, one, other in (
            (good + "nonsense\n", "time", "last"),
            (good.replace("server.crt", "gone.crt"), "vcard", "private")):
        with open(server.conf_path, "w") as f:
            f.write(bad)
        assert server.ctl("reload", ok=False).returncode == 1
        # the next change shows what is remembered
        server.ctl("modules", "unload", one)
        assert not (off | {one}) & on()
        # its options come from the file, as it is not in memory
        assert server.ctl("modules", "load", one, ok=False).returncode == 1
        server.ctl("modules", "unload", other)
        off |= {one, other}
        assert not off & on()
    with open(server.conf_path, "w") as f:
        f.write(good)
    server.ctl("modules", "load", "time")
    assert "ping" not in on() and "time" in on()
    server.ctl("reload")
    assert off <= on()


def test_a_backup_is_a_new_file(own_server):
    server = own_server()
    path = os.path.join(os.path.dirname(server.conf["storage"]["path"]),
                        "backup.db")
    server.ctl("backup", path)
    with open(path, "rb") as f:
        assert f.read(15) == b"SQLite format 3"
    assert server.ctl("backup", path, ok=False).returncode == 1


def test_log_levels_are_shown_and_set(own_server):
    server = own_server()
    server.ctl("loglevel", "auth", "error")
    levels = {r["area"]: r["level"] for r in
              rows(server.ctl("--json", "loglevel"))}
    assert levels["auth"] == "error"
    assert rows(server.ctl("--json", "loglevel", "auth")) == [
        {"area": "auth", "level": "error"}]
    assert rows(server.ctl("--json", "loglevel", "all")) == rows(
        server.ctl("--json", "loglevel"))
    for args in ("nothing", "info"), ("auth", "loud"), ("nothing",):
        assert server.ctl("loglevel", *args, ok=False).returncode == 1


def test_stop_returns_when_the_server_has_ended(own_server):
    server = own_server()
    server.ctl("stop")
    assert server.process.wait() == 0
    assert not os.path.exists(server.socket)
    done = server.ctl("status", ok=False)
    assert done.returncode == 3 and "not running" in done.stderr
    server.process = None


def test_stop_is_answered_each_time(pool):
    """With nobody to send away it takes less time than the answer did."""
    server = pool.new({"shards": 1})
    for _ in range(30):
        server.start()
        raw = Raw(server)
        answer = raw.call("stop")
        process, server.process = server.process, None
        assert answer == [{"done": True}]
        assert raw.ended() and process.wait() == 0
        raw.close()


def test_a_call_that_a_stop_cuts_off_is_told_so(own_server):
    server = own_server({"shards": 1})
    raw = Raw(server)
    # the second is read when the first, which takes a while, is over
    raw.send(b'{"command":"stats","args":{"memory":true}}\n'
             b'{"command":"stop"}\n{"command":"stats"}\n')
    assert raw.answer()[-1] == {"done": True}
    assert raw.answer()[-1] == {"done": True}
    last = raw.answer()[-1]
    assert last == {"done": True} or last["error"] == "the server stops"
    assert raw.ended() and server.process.wait() == 0
    server.process = None
    raw.close()


def test_a_socket_that_was_left_behind_is_replaced(own_server):
    server = own_server()
    server.kill9()
    assert os.path.exists(server.socket)
    server.start()
    server.ctl("status")


def test_a_second_server_leaves_the_socket_alone(own_server, pool):
    first = own_server()
    second = pool.new({"control": {"socket": first.socket}})
    second.socket = first.socket
    with pytest.raises(AssertionError, match="another server answers"):
        second.start()
    first.ctl("status")


# --- sessions -------------------------------------------------------------------

def test_a_session_is_listed_and_closed(server, scene):
    scene.add_accounts("romeo")
    scene.login("romeo/orchard")
    romeo = scene.binds["romeo"]
    sessions = rows(server.ctl("--json", "sessions", romeo))
    assert len(sessions) == 1
    assert sessions[0]["jid"] == romeo + "/orchard"
    assert sessions[0]["peer"].startswith("127.0.0.1:")
    assert sessions[0]["tls"].startswith("TLSv1.")
    assert sessions[0]["show"] == "unavailable"
    server.ctl("kick", romeo + "/orchard", "--text", "lights out")
    assert rows(server.ctl("--json", "sessions", romeo)) == []
    for jid, words in ((romeo, "there is no session"),
                       (romeo + "/none", "no session of that resource")):
        done = server.ctl("kick", jid, ok=False)
        assert done.returncode == 1
        assert romeo + ": " in done.stderr and words in done.stderr


def test_clients_can_be_sent_to_another_server(own_server):
    server = own_server()
    scene = scenes.Scene(server, ["romeo"])
    scene.login("romeo/orchard")
    done = server.ctl("drain", "b.antiphon.test", ok=False, stdin="y\n")
    assert done.returncode == 2 and "--yes" in done.stderr
    done = raw_call(server, "drain", host="b.antiphon.test")
    assert done[-1]["error"] == "yes is missing"
    scene["romeo/orchard"].ping()
    server.ctl("drain", "b.antiphon.test:5269", "--yes")
    error = scene["romeo/orchard"].expect_error("see-other-host")
    assert "b.antiphon.test:5269" in str(error)
    # it is not for the server to keep out who comes all the same
    scene.login("romeo/orchard")
    scene.end()


@pytest.mark.parametrize("host", [
    "", ":", "a b", "x:", "x:0", "x:65536", "x:5222:1", "x:y", ":5222",
    "2001:db8::1", "[2001:db8::1", "[2001:db8::1]5222", "[x]", "[]:1",
    "a@x", "x/y"])
def test_clients_are_not_sent_to_what_is_no_host(server, host):
    done = server.ctl("drain", "--yes", "--", host, ok=False)
    assert done.returncode == 1 and "no host" in done.stderr


@pytest.mark.parametrize("host", [
    "b.test", "b.test:1", "b.test:65535", "192.0.2.1:5222", "[2001:db8::1]",
    "[2001:db8::1]:5222"])
def test_clients_are_sent_to_a_host(own_server, host):
    own_server({"shards": 1}).ctl("drain", "--yes", host)


def test_who_sits_there_is_asked_before_all_are_sent_away(own_server):
    server = own_server({"shards": 1})
    for answer, code in (b"n\n", 1), (b"\n", 1), (b"y\n", 0):
        pid, fd = pty.fork()
        if pid == 0:
            ctl = os.path.join(server.build, "antiphonctl")
            os.execv(ctl, [ctl, "--socket", server.socket, "drain", "b.test"])
        until(fd, b"[y/N] ")
        os.write(fd, answer)
        assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == code
        os.close(fd)
    server.process.wait_line('command="drain" door=control uid=')
    assert sum('command="drain"' in line
               for line in server.process.lines) == 1


@pytest.mark.parametrize("command", [
    ("users", "elsewhere.test"), ("sessions", "a@elsewhere.test"),
    ("kick", "a@elsewhere.test"), ("trace", "a@elsewhere.test", "on"),
    ("deluser", "a@elsewhere.test"), ("adduser", "a@elsewhere.test"),
    ("passwd", "a@elsewhere.test")])
def test_a_domain_that_is_not_ours_is_a_mistake(server, command):
    done = server.ctl(*command, stdin="secret\n", ok=False)
    assert done.returncode == 1 and "not served here" in done.stderr


def test_commands_are_logged_with_who_and_on_whom(own_server, tmp_path):
    server = own_server({"shards": 1})
    jid = "romeo@" + server.domain
    server.ctl("adduser", jid, stdin="open-sesame-1\n")
    server.ctl("adduser", "--batch", "-",
               stdin="juliet@%s open-sesame-2\n" % server.domain)
    server.ctl("kick", jid, "--text", "a word in your ear", ok=False)
    server.ctl("modules", "unload", "ping")
    who = 'door=control uid=%d user="%s"' % (
        os.getuid(), pwd.getpwuid(os.getuid()).pw_name)
    for line in ('command="adduser" %s jid="%s" password=...' % (who, jid),
                 'command="adduser" %s batch=...' % who,
                 'command="kick" %s jid="%s" text=...' % (who, jid),
                 'failed command="kick" %s reason=' % who,
                 'command="modules unload" %s name="ping"' % who):
        server.process.wait_line(re.escape(line))
    said = "".join(server.process.lines)
    assert "open-sesame" not in said and "in your ear" not in said


# --- the protocol ------------------------------------------------------------------

@pytest.mark.parametrize("line", [
    b"", b"{", b"[]", b"null", b'"status"', b"\xff\xfe", b"\0", b"{}",
    b'{"command":1}', b'{"command":"nothing"}',
    b'{"command":"status","args":1}', b'{"command":"status","args":{"x":1}}',
    b'{"command":"adduser","args":{"jid":[]}}',
    b'{"command":"kick","args":{}}',
    b'{"command":"adduser","args":{"jid":"a@antiphon.test","password":true}}',
    b'{"command":"backup","args":{"file":""}}',
    b'{"command":"' + b"x" * 100000 + b'"}', b"[" * 100000])
def test_a_request_that_is_wrong_is_answered_and_no_more(raw, line):
    raw.send(line + b"\n")
    answer = raw.answer()
    assert "error" in answer[-1] or b"true" in line
    assert raw.call("status")[-1] == {"done": True}


def test_requests_may_come_together_or_in_pieces(raw):
    one = b'{"command":"status"}\n'
    raw.send(one * 50)
    for _ in range(50):
        assert raw.answer()[-1] == {"done": True}
    for byte in one:
        raw.send(bytes([byte]))
    assert raw.answer()[-1] == {"done": True}


def test_a_request_without_end_is_refused(raw):
    def flood():
        try:
            for _ in range(40):
                raw.sock.sendall(b"x" * (1 << 20))
        except OSError:
            pass
    thread = threading.Thread(target=flood)
    thread.start()
    assert raw.answer()[-1]["code"] == "limit"
    assert raw.ended()
    thread.join()


def test_a_client_that_has_asked_for_all_still_gets_it(raw):
    raw.send(b'{"command":"stats"}\n{"command":"status"}\n')
    raw.sock.shutdown(socket.SHUT_WR)
    assert raw.answer()[-1] == {"done": True}
    assert raw.answer()[-1] == {"done": True}
    assert raw.ended()


@pytest.mark.once
def test_who_does_not_read_answers_is_not_read(own_server):
    """Each answer is a hundred times as long as its question."""
    server = own_server()
    raw_call(server, "help")
    before = server.memory_kib()
    clients, n = [Raw(server) for _ in range(4)], 3000
    for c in clients:
        c.send(b'{"command":"help"}\n' * n)
    for _ in range(20):
        assert raw_call(server, "status")[-1] == {"done": True}
    assert server.memory_kib() - before < 20 << 10
    for _ in range(n):
        assert clients[0].answer()[-1] == {"done": True}
    for c in clients:
        c.close()


def test_clients_may_go_away_while_a_command_runs(server, names):
    for i in range(20):
        gone = Raw(server)
        gone.send({"command": ("stats", "sessions", "users", "adduser")[i % 4],
                   "args": {"jid": "%s@%s" % (names[i], server.domain),
                            "password": "secret"} if i % 4 == 3 else {}})
        gone.close()
    assert server.ctl("status")


def test_several_clients_are_served_at_once(server):
    clients = [Raw(server) for _ in range(20)]
    for c in clients:
        c.send({"command": "stats"})
    for c in reversed(clients):
        assert c.answer()[-1] == {"done": True}
        c.close()


def test_too_many_clients_are_refused_with_an_answer(server):
    clients = []
    try:
        for _ in range(80):
            clients.append(Raw(server))
        answer = clients[-1].answer()
        assert answer[-1]["code"] == "busy"
        assert clients[0].call("status")[-1] == {"done": True}
    finally:
        for c in clients:
            c.close()


def test_a_stop_does_not_wait_for_clients(own_server):
    server = own_server()
    idle = Raw(server)
    server.stop()
    assert idle.ended()
    idle.close()


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become others")
def test_others_are_refused(server):
    os.chmod(server.socket, 0o666)
    for folder in server.folder, os.path.dirname(server.folder):
        os.chmod(folder, 0o711)
    code = ("import os, socket, sys; os.setgroups([]); os.setgid(54321);"
            "os.setuid(54321); s = socket.socket(socket.AF_UNIX);"
            "s.connect(sys.argv[1]); s.sendall(b'{\"command\":\"users\"}\\n');"
            "print(s.makefile().read())")
    try:
        done = subprocess.run(["python3", "-c", code, server.socket],
                              capture_output=True, text=True,
                              timeout=PATIENCE)
    finally:
        os.chmod(server.socket, 0o600)
    assert '"code":"refused"' in done.stdout, done.stdout + done.stderr
    assert "row" not in done.stdout


# --- antiphonctl ---------------------------------------------------------------------

def test_wrong_words_are_a_usage_error(server):
    for args in (["nothing"], ["kick"], ["status", "more"], ["--loud"],
                 ["kick", "a@b", "--loud"], ["kick", "a@b", "--text"],
                 ["stats", "--shard=yes"], ["passwd", "a@b", "--password=x"]):
        done = server.ctl(*args, ok=False, stdin="")
        assert done.returncode == 2, args
        assert done.stderr and not done.stdout


@pytest.mark.parametrize("typed,meant", [
    ("addusr x@y", "adduser"), ("modules lst", "modules list"),
    ("Drain", "drain"), ("cert-show a", "cert show"), ("tea", None)])
def test_an_unknown_command_is_told_which_one_is_near(server, typed, meant):
    done = server.ctl(*typed.split(), ok=False, stdin="")
    assert done.returncode == 2 and not done.stdout
    if meant:
        assert 'did you mean "%s"?' % meant in done.stderr
    else:
        assert "--help" in done.stderr and "did you" not in done.stderr


def test_json_may_be_asked_for_behind_the_command(server):
    assert rows(server.ctl("status", "--json"))[0].get("pid")
    each = rows(server.ctl("stats", "--json", "--shard"))
    assert [r["shard"] for r in each] == list(range(len(each)))
    # it is a value, or an argument, where one has to be
    for args in (["kick", "nobody@" + server.domain, "--text", "--json"],
                 ["kick", "--", "--json"]):
        assert server.ctl(*args, ok=False).returncode == 1
    assert server.ctl("status", "--json=yes", ok=False).returncode == 2


def test_each_command_explains_itself(server):
    listing = server.ctl("--help")
    assert "adduser" in listing and "cert make" in listing
    for words in ("adduser", "modules load", "cert check"):
        text = server.ctl(*words.split(), "--help")
        assert text.startswith("usage: antiphonctl " + words)


def run_ctl(server, *words):
    """Without a word of where the server is."""
    env = {k: v for k, v in os.environ.items() if k != "ANTIPHON_SOCKET"}
    return subprocess.run([os.path.join(server.build, "antiphonctl"), *words],
                          capture_output=True, text=True, env=env,
                          timeout=PATIENCE)


def test_help_is_given_however_it_is_asked_for(server):
    everything = server.ctl("--help")
    assert server.ctl("-h") == server.ctl("help") == everything
    kick = server.ctl("kick", "--help")
    for words in ["help", "kick"], ["kick", "-h"], ["--help", "kick"]:
        assert server.ctl(*words) == kick
    group = server.ctl("modules", "--help")
    assert "modules load" in group and "adduser" not in group
    for words in ["modules", "-h"], ["help", "modules"]:
        assert server.ctl(*words) == group
    done = server.ctl("modules", ok=False)
    assert done.returncode == 2 and "modules load" in done.stderr
    assert run_ctl(server, "cert", "--help").stdout.count("cert ") > 3
    assert run_ctl(server, "-V").stdout == run_ctl(server,
                                                   "--version").stdout


def test_answers_fit_a_terminal(server, scene):
    scene.add_accounts("romeo", "juliet")
    scene.login("romeo/a-resource-that-is-rather-long")
    scene.login("juliet/j")
    for words in (["status"], ["sessions"], ["sessions",
                  scene.binds["romeo"]], ["stats", "--shard"], ["users"],
                  ["stats", "--memory"], ["modules", "list"], ["loglevel"],
                  ["modules", "hooks"], ["--help"], ["adduser", "--help"],
                  ["stats", "--help"], ["cert", "check", "--help"]):
        long = [line for line in server.ctl(*words).splitlines()
                if len(line) > 80]
        assert not long, words
    assert scene.binds["romeo"] in server.ctl("sessions")


def test_the_socket_is_found_through_the_configuration(server):
    ctl = os.path.join(server.build, "antiphonctl")
    env = {k: v for k, v in os.environ.items() if k != "ANTIPHON_SOCKET"}

    def run(*args, **more):
        return subprocess.run([ctl, *args, "status"], capture_output=True,
                              env=env | more, timeout=PATIENCE).returncode
    assert run("--config", server.conf_path) == 0
    assert run("--socket", server.socket) == 0
    assert run(ANTIPHON_SOCKET=server.socket) == 0
    assert run("--config", server.conf_path + ".none") == 2
    assert run("--socket", server.socket + ".none") == 3


def test_a_configuration_is_checked_without_a_server(server, tmp_path):
    wrong = tmp_path / "wrong.yml"
    wrong.write_text("hosts: { a.test: }\nlimitz: {}\n")
    env = dict(os.environ, ANTIPHON_MODULE_DIR=server.module_dir())

    def run(path):
        return subprocess.run([os.path.join(server.build, "antiphonctl"),
                               "check-config", path], capture_output=True,
                              text=True, env=env, timeout=PATIENCE)
    done = run(str(wrong))
    assert done.returncode == 1
    assert 'did you mean "limits"' in done.stdout + done.stderr


def test_certificates_are_made_shown_and_checked(server, tmp_path):
    def run(*args):
        return subprocess.run([os.path.join(server.build, "antiphonctl"),
                               *args], capture_output=True, text=True,
                              timeout=PATIENCE)
    assert run("cert", "make", "m\u00fcller.test", "--dir",
               str(tmp_path)).returncode == 0
    pem = tmp_path / "xn--mller-kva.test.pem"
    again = run("cert", "make", "m\u00fcller.test", "--dir", str(tmp_path))
    assert again.returncode == 1 and "exists and is kept" in again.stderr
    assert os.stat(str(pem)[:-4] + ".key").st_mode & 0o137 == 0
    shown, = rows(run("--json", "cert", "show", str(pem)).stdout)
    assert shown["names"] == "xn--mller-kva.test" and shown["days_left"] > 360
    conf = tmp_path / "c.yml"
    conf.write_text("hosts:\n  m\u00fcller.test: { certificate: %s, key: %s }\n"
                    "  other.test: { certificate: %s, key: %s }\n"
                    % ((pem.name, pem.name[:-4] + ".key") * 2))
    done = run("--json", "--config", str(conf), "cert", "check")
    good, bad = rows(done.stdout)
    assert good["remark"] == "good" and done.returncode == 1
    assert "does not name it" in bad["remark"]
    assert run("--config", str(conf), "cert", "check",
               "m\u00fcller.test").returncode == 0


def test_a_password_is_asked_for_twice_and_not_shown(server, names):
    jid = "%s@%s" % (names[0], server.domain)
    pid, fd = pty.fork()
    if pid == 0:
        ctl = os.path.join(server.build, "antiphonctl")
        os.execv(ctl, [ctl, "--socket", server.socket, "adduser", jid])
    seen = b""
    for prompt in b"password: ", b"more: ":
        seen += until(fd, prompt)
        os.write(fd, b"very secret\n")
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0
    assert b"secret" not in seen
    os.close(fd)
    assert {"jid": jid} in rows(server.ctl("--json", "users"))


def test_no_password_is_asked_for_in_vain(server):
    for words in (["adduser", "a@elsewhere.test"], ["passwd", "no address"],
                  ["adduser"]):
        pid, fd = pty.fork()
        if pid == 0:
            ctl = os.path.join(server.build, "antiphonctl")
            os.execv(ctl, [ctl, "--socket", server.socket, *words])
        seen = until(fd, b"\n")
        assert b"password:" not in seen, words
        assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 1
        os.close(fd)


def test_the_shell_is_told_what_can_follow(server):
    assert server.ctl("--complete", "adduse").split() == ["adduser"]
    assert "load" in server.ctl("--complete", "modules", "").split()
    assert server.ctl("--complete", "kick", "--t").split() == ["--text"]
    assert server.ctl("--complete", "archive", "search", "--").split() == [
        "--oldest", "--max"]


def test_the_manual_lists_every_command(own_server):
    server = own_server({"modules": None})
    with open(os.path.join(TOP, "man", "antiphonctl.8.in")) as f:
        page = f.read()
    part = re.search(r'begin commands:[^\n]*\n(.*?)\.\\" end', page, re.S)[1]
    assert part == server.ctl("--list-mdoc"), \
        "ANTIPHON_SOCKET=... sh man/update.sh BUILD"
