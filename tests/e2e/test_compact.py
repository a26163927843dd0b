"""antiphonctl compact: a database that was made before there was incremental
auto_vacuum becomes smaller, and what it needs for that is said before."""

import json
import os
import sqlite3

import pytest

import scene as scenes
from test_disk import ITEM, Tmpfs

MEBIBYTE = 1 << 20


def grow(server, mode):
    """Eight mebibytes come and go, in a file with this auto_vacuum."""
    db = sqlite3.connect(server.conf["storage"]["path"])
    db.execute("PRAGMA auto_vacuum = %s" % mode)
    db.execute("VACUUM")
    with db:
        db.execute("INSERT INTO map VALUES ('h', 'o', 'n', 'k', ?)",
                   ("x" * 8 * MEBIBYTE,))
    with db:
        db.execute("DELETE FROM map WHERE host = 'h'")
    db.close()


def pragma(server, name):
    db = sqlite3.connect(server.conf["storage"]["path"])
    try:
        return db.execute("PRAGMA " + name).fetchone()[0]
    finally:
        db.close()


def looked(server):
    return json.loads(server.ctl("--json", "compact"))


@pytest.fixture
def old(own_server):
    """A server whose database is an older one."""
    server = own_server()
    server.stop()
    grow(server, "NONE")
    assert pragma(server, "auto_vacuum") == 0
    yield server
    server.stop()


def test_an_older_database_is_written_anew_once(old):
    old.start()
    scene = scenes.Scene(old, ("romeo",))
    romeo = scene.online("romeo/a")
    path = old.conf["storage"]["path"]
    found = looked(old)
    assert found["database"] == path
    assert found["bytes_free"] > 7 * MEBIBYTE
    assert found["writes"] == "refused meanwhile"
    assert found["needed"] > MEBIBYTE and found["room"] > found["needed"]
    assert found["seconds"] >= 1
    assert "--yes" in found["advice"] and "missing" not in found
    assert pragma(old, "auto_vacuum") == 0
    start = len(old.process.lines)
    old.ctl("compact", "--yes")
    old.process.wait_line("refused until the database is smaller.*" + path, start)
    old.process.wait_line("the database takes writes again", start)
    old.process.wait_line("the database is smaller bytes=", start)
    assert os.path.getsize(path) < 2 * MEBIBYTE
    assert pragma(old, "auto_vacuum") == 2
    assert romeo.iq("set", ITEM % "x").get("type") == "result"
    found = looked(old)
    assert found["writes"] == "ok meanwhile" and found["bytes_free"] < MEBIBYTE
    start = len(old.process.lines)
    old.ctl("compact", "--yes")
    old.process.wait_line("the database is smaller bytes=", start)
    scene.end()


def test_too_little_room_is_refused_with_its_path(old, monkeypatch):
    if os.getuid() != 0:
        pytest.skip("only root can mount a tmpfs")
    other = Tmpfs(os.path.dirname(old.conf["storage"]["path"]) + "/other")
    try:
        os.chmod(other.path, 0o777)
        monkeypatch.setenv("SQLITE_TMPDIR", other.path)
        old.start()
        other.fill()
        found = looked(old)
        assert found["temporary_folder"] == other.path
        assert found["temporary_room"] == 0
        assert other.path in found["missing"] and "advice" not in found
        done = old.ctl("compact", "--yes", ok=False)
        assert done.returncode == 1
        assert other.path in done.stderr
        assert str(found["temporary_needed"]) in done.stderr
        assert pragma(old, "auto_vacuum") == 0
        other.free()
        assert looked(old)["temporary_room"] > found["temporary_needed"]
        old.ctl("compact", "--yes")
        assert pragma(old, "auto_vacuum") == 2
        assert os.listdir(other.path) == []
        old.stop()
    finally:
        other.close()
