"""What an administrator meets: mistakes are found, named, and survived."""

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
