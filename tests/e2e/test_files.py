"""Who may read and write what the server keeps in files (hostile-69), and that
no name from outside leads out of a folder (hostile-57)."""

import os
import stat

import pytest

pytestmark = pytest.mark.only("antiphon")


def mode(path):
    return stat.S_IMODE(os.stat(path).st_mode)


def test_files_are_the_owners_alone(own_server):
    server = own_server()
    server.adduser("romeo", "secret-one")
    found = {name: mode(os.path.join(server.folder, name))
             for name in os.listdir(server.folder)
             if name.startswith(("data.sqlite", "ctl.sock"))}
    assert any(name == "ctl.sock" for name in found)
    assert any(name == "data.sqlite" for name in found)
    assert {name: oct(m) for name, m in found.items() if m & 0o077} == {}


def test_the_pid_file_is_not_to_be_written_by_others(pool):
    server = pool.new()
    path = os.path.join(server.folder, "antiphond.pid")
    server.conf["pid_file"] = path
    server.start()
    try:
        assert int(open(path).read()) == server.process.proc.pid
        assert mode(path) & 0o022 == 0
        assert os.stat(path).st_uid == os.stat(server.folder).st_uid
    finally:
        server.stop()
    assert not os.path.exists(path)


@pytest.mark.parametrize("name", [
    "../mod_ping", "../../etc/passwd", "/etc/passwd", "ping/../ping", ".",
    "..", "ping\n", "x" * 100, "%2e%2e", "ping.so", "PING"])
def test_names_of_modules_are_no_paths(server, name):
    done = server.ctl("modules", "load", name, ok=False)
    assert done.returncode != 0
    assert "not the name of a module" in done.stderr
