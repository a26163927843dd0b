"""What an administrator meets: mistakes are found, named, and survived."""

import json
import os
import pty
import pwd
import select
import signal
import subprocess
import time

import pytest

from antiphon import build_dir
from process import PATIENCE, openssl

pytestmark = pytest.mark.only("antiphon")


def modules():
    return os.path.join(build_dir(), "modules", ".libs")


def on_a_terminal(argv):
    """Exit status and what was said, to who sits there and types nothing."""
    pid, fd = pty.fork()
    if pid == 0:
        os.execv(argv[0], argv)
    said, deadline = b"", time.monotonic() + PATIENCE
    while time.monotonic() < deadline:
        if select.select([fd], [], [], 0.1)[0]:
            try:
                more = os.read(fd, 4096)
            except OSError:
                break
            said += more
            if not more:
                break
    else:
        os.kill(pid, signal.SIGKILL)
    os.close(fd)
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]), said.decode()


def encrypt(key, path):
    openssl("pkey", "-in", key, "-aes256", "-passout", "pass:words", "-out",
            path)


# --- keys -----------------------------------------------------------------

def test_nobody_is_asked_for_the_pass_phrase_of_a_key(pool, tmp_path):
    server = pool.new()
    key = str(tmp_path / "locked.key")
    encrypt(server.certs["server.key"], key)
    for host in server.conf["hosts"].values():
        host["key"] = key
    server.write_conf()
    code, said = on_a_terminal([
        os.path.join(build_dir(), "antiphond"), "--config", server.conf_path,
        "--module-dir", server.module_dir()])
    assert code == 1, said
    assert key in said and "is encrypted" in said


def test_a_reload_with_an_encrypted_key_keeps_the_old_one(own_server):
    server = own_server()
    server.adduser("romeo", "secret-one")
    key = os.path.join(server.folder, "locked.key")
    encrypt(server.certs["server.key"], key)
    os.chmod(key, 0o644)
    server.conf["hosts"][server.domain] = dict(
        server.conf["hosts"][server.domain], key=key)
    server.write_conf()
    done = server.ctl("reload", ok=False)
    assert done.returncode == 1
    assert key in done.stdout and "is encrypted" in done.stdout
    assert "status" in server.ctl("--help")
    from client import Client
    Client(server).login("romeo", "secret-one").close()


@pytest.mark.skipif(os.getuid() != 0, reason="needs root")
def test_switching_a_module_reads_no_key_again(pool):
    server = pool.new({"user": "nobody"})
    nobody = pwd.getpwnam("nobody")
    key = os.path.join(server.folder, "root.key")
    openssl("pkey", "-in", server.certs["server.key"], "-out", key)
    os.chmod(key, 0o600)
    for host in server.conf["hosts"].values():
        host["key"] = key
    server.unprivileged = lambda: {}
    os.chmod(os.path.dirname(server.folder), 0o755)
    server.module_dir()
    os.chown(server.folder, nobody.pw_uid, nobody.pw_gid)
    server.start()
    try:
        server.ctl("modules", "unload", "ping")
        server.ctl("modules", "load", "ping")
        server.ctl("reload")
        os.utime(key)
        done = server.ctl("reload", ok=False)
        assert done.returncode == 1
        assert key in done.stdout and "uid %d" % nobody.pw_uid in done.stdout
    finally:
        server.stop()


# --- what a reload can do ---------------------------------------------------

def test_a_reload_tells_what_has_to_wait_and_shows_what_is_in_force(own_server):
    server = own_server({"shards": 2})
    before = server.ctl("show-config")
    assert server.ctl("reload") == ""
    server.conf["shards"] = 3
    server.conf["user"] = "daemon"
    server.conf["storage"]["path"] += ".other"
    server.conf["control"]["socket"] += ".other"
    server.conf["log"] = {"to": "file", "file": server.folder + "/other",
                          "level": "debug"}
    server.write_conf()
    said = server.ctl("reload").splitlines()
    starts = ["shards: 3 ", "user: daemon ", "log: to: ", "log: file: ",
              "control: socket: ", "storage: path: "]
    assert [line.startswith(start) for line, start in zip(said, starts)] \
        == [True] * len(starts) and len(said) == len(starts), said
    assert "2 stays in force" in said[0]
    assert server.ctl("show-config") == before
    assert server.ctl("reload").splitlines() == said, "told each time"


def test_a_reload_keeps_the_driver_of_the_storage(own_server):
    server = own_server()
    before = server.ctl("show-config")
    server.conf["storage"] = {"driver": "memory"}
    server.write_conf()
    assert server.ctl("reload") == "storage: driver: memory takes effect " \
        "with the next start, sqlite stays in force\n"
    assert server.ctl("show-config") == before


def test_a_reload_sets_levels_and_show_config_has_those_in_force(own_server):
    server = own_server()
    server.ctl("loglevel", "auth", "error")
    assert "    auth: error" in server.ctl("show-config")
    server.conf["log"] = {"level": "debug", "levels": {"net": "warn"}}
    server.write_conf()
    server.ctl("reload")
    shown = server.ctl("show-config")
    assert "    auth: debug" in shown and "    net: warn" in shown
    assert "net   warn" in server.ctl("loglevel", "net")


@pytest.mark.skipif(os.getuid() != 0, reason="needs another user")
def test_a_log_that_cannot_be_opened_again_is_an_error(pool):
    server = pool.new()
    folder = os.path.join(server.folder, "logs")
    os.mkdir(folder)
    server.conf["log"] = {"to": "file", "file": folder + "/log",
                          "level": "debug"}
    server.write_conf()
    argv = [server.program(), "--config", server.conf_path, "--module-dir",
            server.module_dir(), "--daemon"]
    subprocess.run(argv, check=True, stdin=subprocess.DEVNULL,
                   **server.unprivileged())
    try:
        os.rename(folder + "/log", folder + "/log.1")
        server.ctl("reload")
        assert "command=" in open(folder + "/log").read() or \
            "in force" in open(folder + "/log").read()
        os.unlink(folder + "/log")
        os.chown(folder, 0, 0)
        server.conf["limits"]["depth"] = "77"
        server.write_conf()
        done = server.ctl("reload", ok=False)
        assert done.returncode == 1 and folder + "/log" in done.stdout
        assert "depth: 77" not in server.ctl("show-config")
    finally:
        server.ctl("stop")


# --- the start ----------------------------------------------------------------

def test_the_reason_is_the_last_line_and_in_the_log(pool):
    server = pool.new()
    log = os.path.join(server.folder, "the.log")
    server.conf["log"] = {"to": "file", "file": log}
    server.conf["storage"]["path"] = server.folder + "/none/db"
    server.write_conf()
    argv = [server.program(), "--config", server.conf_path, "--module-dir",
            server.module_dir()]
    for more in [], ["--daemon"]:
        done = subprocess.run(argv + more, capture_output=True, text=True,
                              timeout=PATIENCE, **server.unprivileged())
        last = done.stderr.splitlines()[-1]
        assert done.returncode == 1
        assert last.startswith("antiphond: cannot start: ")
        assert "none/db" in last
        with open(log) as f:
            assert f.read().splitlines()[-1].endswith(
                last.replace("antiphond: ", "error server: "))
    with open(server.conf_path, "w") as f:
        f.write("nonsense: 1\n")
    done = subprocess.run(argv, capture_output=True, text=True,
                          timeout=PATIENCE, **server.unprivileged())
    assert "cannot start" in done.stderr.splitlines()[-1]


# --- check-config, cert check -------------------------------------------------

def ctl(*words):
    env = {k: v for k, v in os.environ.items() if k != "ANTIPHON_SOCKET"}
    return subprocess.run([os.path.join(build_dir(), "antiphonctl"), *words],
                          capture_output=True, text=True, env=env,
                          timeout=PATIENCE)


# of modules that have one; without, nobody could use them
EVERY_PORT = {"listen": [
    {"kind": kind, "address": "127.0.0.1", "port": 0, "tls": tls}
    for kind, tls in (("c2s", "starttls"), ("https", "direct"),
                      ("proxy65", "none"))]}


def checked(server):
    server.write_conf()
    return subprocess.run(
        [server.program(), "--check-config", "--config", server.conf_path,
         "--module-dir", server.module_dir()], capture_output=True, text=True,
        timeout=PATIENCE, **server.unprivileged())


def test_check_config_is_silent_about_what_starts(pool):
    done = checked(pool.new({"federation": "off", **EVERY_PORT}))
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_check_config_finds_what_a_start_would_fail_of(pool):
    server = pool.new()
    key = os.path.join(server.folder, "other.key")
    openssl("genpkey", "-algorithm", "ed25519", "-out", key)
    conf = server.conf
    conf["user"] = "no-such-user"
    conf["group"] = "no-such-group"
    conf["pid_file"] = server.folder + "/none/pid"
    conf["log"] = {"to": "file", "file": server.folder + "/none/log"}
    conf["control"] = {"socket": server.folder + "/none/ctl",
                       "group": "no-such-group-either"}
    conf["listen"].append({"port": 5299, "address": "192.0.2.1"})
    conf["storage"]["path"] = server.folder + "/none/db"
    hosts = conf["hosts"]
    hosts["a.test"] = dict(hosts[server.domain], key=key)
    with open(os.path.join(server.folder, "none.key"), "w") as f:
        f.write("no key\n")
    hosts["c.test"] = dict(hosts[server.domain], key=f.name)
    hosts["b.test"] = {"certificate": server.folder + "/none.pem"}
    done = checked(server)
    assert done.returncode == 1
    for words in ("TLS for a.test", "TLS for b.test", "none.pem",
                  'no user "no-such-user"', 'no group "no-such-group"',
                  'control: group: there is no group "no-such-group-either"',
                  "pid_file: the folder", "log: file: the folder",
                  "control: socket: the folder",
                  "listen: address 192.0.2.1, port 5299: ",
                  "other.key: private key: it does not belong to the cert",
                  "none.key: private key: there is none in PEM in it",
                  "storage: path: the folder"):
        assert words in done.stderr, words


@pytest.mark.parametrize("folder, said", [
    ("%s/files", None),
    ("%s/files/", None),
    ("%s/none/files", "the folder %s/none: No such file or directory"),
    ("%s/antiphond.yml", "%s/antiphond.yml is no folder"),
    ("%s/antiphond.yml/files", "%s/antiphond.yml/files: Not a directory"),
    ("%s/closed", "the folder %s/closed: Permission denied"),
    ("%s/closed/files", "the folder %s/closed: Permission denied"),
])
def test_check_config_knows_folders_that_modules_write_to(pool, folder, said):
    server = pool.new({"federation": "off", **EVERY_PORT})
    assert server.conf_path == server.folder + "/antiphond.yml"
    os.makedirs(server.folder + "/closed", mode=0o555)
    server.conf["modules"] = {"upload": {"folder": folder % server.folder}}
    done = checked(server)
    if said is None:
        assert (done.returncode, done.stderr) == (0, "")
    else:
        assert done.returncode == 1
        line, = done.stderr.splitlines() # both hosts have the same one
        assert "modules: upload: folder: " in line
        assert said % server.folder in line


def test_check_config_tells_of_modules_that_cannot_be_opened(pool):
    """They are on unless said otherwise, and so nobody would miss them."""
    server = pool.new({"federation": "off", **EVERY_PORT})
    path = os.path.join(server.module_dir(), "mod_upload.so")
    with open(path, "rb") as f:
        whole = f.read()
    os.unlink(path) # it is a link
    for content in b"words, and no code\n", whole[:4096], whole[:-1]:
        with open(path, "wb") as f:
            f.write(content)
        line, = checked(server).stderr.splitlines()
        assert "warn module: module upload: " + path in line


def test_check_config_finds_ciphers_that_are_none(pool):
    for option in "ciphers", "ciphersuites":
        server = pool.new({"tls": {option: "NO-SUCH"}})
        done = checked(server)
        assert done.returncode == 1 and "tls: " + option in done.stderr


def test_check_config_knows_a_database(pool):
    server = pool.new()
    with open(server.conf["storage"]["path"], "w") as f:
        f.write("words, and many of them\n")
    done = checked(server)
    assert done.returncode == 1 and "is no database" in done.stderr


def test_check_config_misses_a_database_that_is_gone(pool):
    server = pool.new()
    path = server.conf["storage"]["path"]
    with open(path + ".lock", "w") as f:
        f.write("1\n")
    for state in "gone", "empty":
        done = checked(server)
        assert done.returncode == 1 and "--new" in done.stderr
        assert "there was a database, and now it is " + state in done.stderr
        open(path, "w").close()


def test_checks_ask_a_running_server_for_its_paths(own_server):
    server = own_server()
    socket = "--socket=" + server.socket
    # its folder of modules has one that no other has
    done = ctl(socket, "check-config")
    if os.getuid() == 0:
        assert done.returncode == 1 and "set `user`" in done.stderr
    else:
        assert done.returncode == 0
    assert "unknown module" not in done.stderr
    done = ctl(socket, "cert", "check")
    assert done.returncode == 0 and server.domain in done.stdout
    done = ctl(socket, "cert", "check", "nosuch.example")
    assert done.returncode == 1
    assert "nosuch.example is no host of " + server.conf_path in done.stderr
    for words in ["check-config"], ["cert", "check"]:
        done = ctl(socket + ".none", *words)
        assert done.returncode == 3 and "not running" in done.stderr


CURVE = ["ec", "-pkeyopt", "ec_paramgen_curve:P-256"]


def certificate(folder, name, *more, ca=None, key=CURVE):
    """NAME.pem and NAME.key of a.test, signed by ca, or by itself."""
    at = str(folder / name)
    openssl("req", "-x509", "-newkey", *key, "-nodes", "-keyout", at + ".key",
            "-out", at + ".pem", "-days", "90", "-subj", "/CN=" + name,
            "-addext", "subjectAltName=DNS:a.test",
            *(["-CA", str(folder / ca) + ".pem", "-CAkey",
               str(folder / ca) + ".key"] if ca else []), *more)
    return folder / (name + ".pem")


def test_cert_check_loads_what_the_server_loads(tmp_path):
    conf = tmp_path / "c.yml"
    pem = tmp_path / "leaf.pem"
    conf.write_text("hosts: { a.test: { certificate: leaf.pem, "
                    "key: leaf.key } }\nmodules: { nonsense: yes }\n")

    def remark():
        done = ctl("--config", str(conf), "--json", "cert", "check")
        return done.returncode, json.loads(done.stdout)["remark"]
    certificate(tmp_path, "ca", "-addext", "basicConstraints=critical,CA:TRUE")
    certificate(tmp_path, "leaf")
    assert remark() == (0, "good")
    certificate(tmp_path, "leaf", ca="ca")
    code, text = remark()
    assert code == 1 and "intermediate certificate missing" in text
    whole = pem.read_text() + (tmp_path / "ca.pem").read_text()
    pem.write_text(whole)
    assert remark() == (0, "good")
    pem.write_text(whole[:-200])
    code, text = remark()
    assert code == 1 and "leaf.pem" in text
    certificate(tmp_path, "leaf", key=["rsa:1024"])
    code, text = remark()
    assert code == 1 and "too small" in text
    certificate(tmp_path, "leaf", "-sha1", ca="ca")
    code, text = remark()
    assert code == 1 and "md too weak" in text
    certificate(tmp_path, "leaf")
    encrypt(str(tmp_path / "leaf.key"), str(tmp_path / "locked.key"))
    os.rename(tmp_path / "locked.key", tmp_path / "leaf.key")
    code, text = remark()
    assert code == 1 and "is encrypted" in text
