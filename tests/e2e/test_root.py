"""Started as root: ports and keys first, then root is given up for good."""

import os
import pwd
import subprocess

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
    for above in (folder, *folder.parents):
        if above.stat().st_uid == 0 and str(above) not in ("/", "/tmp"):
            above.chmod(above.stat().st_mode | 0o711)
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


def program():
    return os.path.join(build_dir(), "antiphond")


def modules():
    return os.path.join(build_dir(), "modules", ".libs")


def test_root_is_given_up(tmp_path):
    conf, data = configure(tmp_path, "nobody")
    server = Process([program(), "--config", str(conf), "--module-dir",
                      modules(), "--daemon"], str(tmp_path / "start"))
    assert server.wait() == 0
    ctl = [os.path.join(build_dir(), "antiphonctl"), "--socket",
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


def test_root_needs_somebody_to_become(tmp_path):
    conf, _ = configure(tmp_path, None)
    done = subprocess.run([program(), "--config", str(conf), "--module-dir",
                           modules()], text=True, capture_output=True)
    assert done.returncode == 1 and "set `user`" in done.stderr


def test_root_cannot_become_root(tmp_path):
    conf, _ = configure(tmp_path, "root")
    done = subprocess.run([program(), "--config", str(conf), "--module-dir",
                           modules()], text=True, capture_output=True)
    assert done.returncode == 1 and 'user "root" is root' in done.stderr
