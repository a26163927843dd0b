"""Started as root: ports and keys first, then root is given up for good."""

import atexit
import functools
import glob
import grp
import os
import pwd
import shutil
import stat
import subprocess
import tempfile

import pytest

from antiphon import build_dir
from process import Process

pytestmark = [pytest.mark.only("antiphon"),
              pytest.mark.skipif(os.getuid() != 0, reason="needs root")]


def configure(folder, user):
    data = folder / "data"
    data.mkdir()
    nobody = pwd.getpwnam("nobody")
    os.chown(data, nobody.pw_uid, nobody.pw_gid)
    conf = folder / "antiphond.yml"
    conf.write_text("""
%s
shards: 1
listen: [ { kind: c2s, address: 127.0.0.1, port: 0 } ]
storage: { path: %s/db }
control: { socket: %s/ctl }
log: { to: file, file: %s/log }
hosts: { localhost: }
""" % ("user: " + user if user else "", data, data, data))
    return conf, data


@functools.cache
def built():
    """What was built, where everybody may run it: the checkout may lie in the
    home of root."""
    folder = tempfile.mkdtemp()
    atexit.register(shutil.rmtree, folder)
    os.chmod(folder, 0o755)
    for path in glob.glob(os.path.join(build_dir(), "antiphon[dc]*")) + \
            glob.glob(os.path.join(build_dir(), "modules", ".libs", "*.so")):
        shutil.copy(path, folder)
    return folder


def program():
    return os.path.join(built(), "antiphond")


def modules():
    return built()


def test_root_is_given_up(open_path):
    conf, data = configure(open_path, "nobody")
    server = Process([program(), "--config", str(conf), "--module-dir",
                      modules(), "--daemon"], str(open_path / "start"))
    assert server.wait() == 0
    ctl = [os.path.join(built(), "antiphonctl"), "--socket",
           str(data / "ctl")]
    try:
        status = subprocess.run([*ctl, "--json", "status"], text=True,
                                capture_output=True, check=True).stdout
        pid = int(status.split('"pid"')[1].split(":")[1].split(",")[0])
        lines = open("/proc/%d/status" % pid).read()
        nobody = pwd.getpwnam("nobody").pw_uid
        assert "Uid:\t" + "\t".join([str(nobody)] * 4) in lines
        assert "CapEff:\t0000000000000000" in lines
        assert "NoNewPrivs:\t1" in lines
        # it has to open its log again, when logrotate has moved it
        assert os.stat(data / "log").st_uid == nobody
        assert os.stat(data / "db").st_uid == nobody
        assert "nobody can log in at localhost" in (data / "log").read_text()
    finally:
        subprocess.run([*ctl, "stop"], check=True)


def test_root_needs_somebody_to_become(open_path):
    conf, _ = configure(open_path, None)
    done = subprocess.run([program(), "--config", str(conf), "--module-dir",
                           modules()], text=True, capture_output=True)
    assert done.returncode == 1 and "set `user`" in done.stderr


def test_root_cannot_become_root(open_path):
    conf, _ = configure(open_path, "root")
    done = subprocess.run([program(), "--config", str(conf), "--module-dir",
                           modules()], text=True, capture_output=True)
    assert done.returncode == 1 and 'user "root" is root' in done.stderr


def ctl(*args, **more):
    return subprocess.run([os.path.join(built(), "antiphonctl"), *args],
                          text=True, capture_output=True, **more)


def start(conf, log, **more):
    server = Process([program(), "--config", str(conf), "--module-dir",
                      modules(), "--daemon"], str(log), more)
    return server.wait(), server.tail()


def key_of(folder, conf):
    done = ctl("--config", str(conf), "cert", "make", "localhost", "--dir",
               str(folder))
    assert done.returncode == 0, done.stderr
    return done, folder / "localhost.key"


def test_a_key_that_root_makes_is_there_for_reloads(open_path):
    conf, data = configure(open_path, "nobody")
    _, key = key_of(open_path, conf)
    found = key.stat()
    assert stat.S_IMODE(found.st_mode) == 0o640
    assert found.st_uid == 0
    assert found.st_gid == pwd.getpwnam("nobody").pw_gid
    conf.write_text(conf.read_text().replace(
        "{ localhost: }", "{ localhost: { certificate: localhost.pem,"
        " key: localhost.key } }"))
    conf.chmod(0o644)
    assert start(conf, open_path / "start")[0] == 0
    try:
        done = ctl("--socket", str(data / "ctl"), "reload")
        assert done.returncode == 0, done.stdout + done.stderr
        assert "reloads will fail" not in (data / "log").read_text()
    finally:
        ctl("--socket", str(data / "ctl"), "stop")


def test_a_key_is_for_the_group_that_is_configured(open_path):
    conf, _ = configure(open_path, "nobody")
    conf.write_text("group: adm\n" + conf.read_text())
    _, key = key_of(open_path, conf)
    assert key.stat().st_gid == grp.getgrnam("adm").gr_gid


def test_a_key_that_nobody_else_can_read_is_said_to_be_one(open_path):
    try:
        pwd.getpwnam("antiphon")
        pytest.skip("there is a user antiphon")
    except KeyError:
        pass
    conf, _ = configure(open_path, None)
    done, key = key_of(open_path, conf)
    assert stat.S_IMODE(key.stat().st_mode) == 0o600
    assert "only root can read" in done.stderr


def test_what_a_reload_could_not_read_is_told_at_the_start(open_path):
    conf, data = configure(open_path, "nobody")
    conf.chmod(0o600)
    assert start(conf, open_path / "start")[0] == 0
    ctl("--socket", str(data / "ctl"), "stop")
    assert "reloads will fail: the server's user cannot read it file=%s" % (
        conf) in (data / "log").read_text()


def test_the_control_group_reaches_the_socket(open_path):
    conf, data = configure(open_path, "nobody")
    conf.write_text(conf.read_text().replace(
        "/ctl }", "/ctl, group: adm }"))
    adm = grp.getgrnam("adm").gr_gid
    stranger = {"user": 54321, "group": 54321, "extra_groups": []}
    # its folder is the server's, and others may pass
    assert stat.S_IMODE(data.stat().st_mode) == 0o755
    assert start(conf, open_path / "start")[0] == 0
    try:
        socket = ("--socket", str(data / "ctl"))
        member = stranger | {"extra_groups": [adm]}
        assert ctl(*socket, "status", **member).returncode == 0
        refused = ctl(*socket, "status", **stranger)
        assert refused.returncode == 3
        assert "the control group may" in refused.stderr
    finally:
        ctl("--socket", str(data / "ctl"), "stop")


def test_who_is_not_root_gives_the_socket_to_groups_of_its_own(open_path):
    conf, data = configure(open_path, None)
    conf.chmod(0o644)
    conf.write_text(conf.read_text().replace(
        "/ctl }", "/ctl, group: adm }"))
    nobody = pwd.getpwnam("nobody")
    who = {"user": nobody.pw_uid, "group": nobody.pw_gid, "extra_groups": []}
    code, said = start(conf, open_path / "start", **who)
    assert code == 1
    assert 'the server\'s user must be a member of group "adm"' in said
    who["extra_groups"] = [grp.getgrnam("adm").gr_gid]
    assert start(conf, open_path / "again", **who)[0] == 0
    ctl("--socket", str(data / "ctl"), "stop")
