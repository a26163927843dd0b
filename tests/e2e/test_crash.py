"""What a report of a crash is found by, and what it says."""

import json
import re
import subprocess

import pytest

pytestmark = pytest.mark.only("antiphon")


def build_of(path):
    done = subprocess.run(["readelf", "-n", path], capture_output=True,
                          text=True, check=True)
    return re.search(r"Build ID: ([0-9a-f]+)", done.stdout)[1]


def test_the_build_is_named(server):
    said = subprocess.run([server.program(), "--version"], text=True,
                          capture_output=True, check=True).stdout.splitlines()
    build = build_of(server.program())
    assert len(build) == 40
    assert re.match(r"Antiphon [0-9.]+$", said[0])
    assert said[1:] == ["build " + build]
    assert json.loads(server.ctl("--json", "status"))["build"] == build
