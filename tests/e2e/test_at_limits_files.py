"""The options of files at the ends of their ranges: modules/mod_testdisk.c writes
many at once, and says how many it was given."""

import os
import re

import pytest

from options import BOTH, MAX, MIN, option, proves, sworn

pytestmark = pytest.mark.only("antiphon")

sworn("limits: open_files", MAX, "a million files; 4000 are written at once below")
sworn("limits: file_buffers", MAX, "64 GiB of memory; 4000 files are written at "
      "once below, where 64 MiB have room for 1024")


def with_files(own_server, **conf):
    conf.setdefault("modules", {}).update({"testdisk": {}, "testclock": {}})
    return own_server(conf)


def write(server, files):
    """How many were written, and how many refused.  Nothing else is left."""
    folder = os.path.join(server.folder, "files")
    os.makedirs(folder, exist_ok=True)
    os.chown(folder, os.stat(server.folder).st_uid, -1)
    said = server.ctl("write-files", folder, str(files), "--json")
    got = {name: int(value) for name, value in re.findall(
        r'"(written|refused)": *(\d+)', said)}
    there = [os.path.join(at, name) for at, _, names in os.walk(folder)
             for name in names]
    assert len(there) == got["written"]
    for path in there:
        with open(path) as f:
            assert f.read() == "text"
        os.remove(path)
    return got["written"], got["refused"]


def disk_threads(server):
    pid, names = server.process.proc.pid, []
    for task in os.listdir("/proc/%d/task" % pid):
        with open("/proc/%d/task/%s/comm" % (pid, task)) as f:
            names.append(f.read().strip())
    return [name for name in names if name.startswith("disk ")]


@proves("disk_threads")
@pytest.mark.parametrize("end", BOTH)
def test_threads_begin_when_there_is_need(own_server, end):
    n = int(option("disk_threads").end(end))
    server = with_files(own_server, disk_threads=n)
    assert not disk_threads(server)
    assert write(server, 300) == (300, 0)
    assert 1 <= len(disk_threads(server)) <= n
    server.stop()


@proves("limits: open_files", ends=MIN)
def test_one_file_at_a_time(own_server):
    server = with_files(own_server, limits={
        "open_files": option("limits: open_files").min})
    for _ in range(3):
        assert write(server, 5) == (1, 4)
    server.conf["limits"]["open_files"] = 3
    server.write_conf()
    server.ctl("reload")
    assert write(server, 5) == (3, 2)


@proves("limits: file_buffers", ends=MIN)
def test_one_buffer_at_a_time(own_server):
    server = with_files(own_server, limits={
        "file_buffers": option("limits: file_buffers").min})
    for _ in range(3):
        assert write(server, 5) == (1, 4)


def test_buffers_of_files_have_a_quarter_of_memory(own_server):
    """They are in nobody's share, and nobody else is to be cut for them."""
    server = with_files(own_server, limits={
        "memory": "4MiB", "file_buffers": option("limits: file_buffers").max})
    assert write(server, 40) == (16, 24)


def test_many_files_at_a_time(own_server):
    server = with_files(own_server, limits={
        "memory": "16TiB",
        "open_files": option("limits: open_files").max,
        "file_buffers": option("limits: file_buffers").max})
    assert write(server, 4000) == (4000, 0)
    server.stop()
