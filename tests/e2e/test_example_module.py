"""contrib/example-module, built and used as its README says."""

import os
import shutil
import subprocess

import pytest

import antiphon
import scene as scenes

pytestmark = pytest.mark.only("antiphon")
SOURCE = os.path.join(antiphon.TOP, "contrib", "example-module")
HELLO = "<hello xmlns='urn:example:hello'/>"


@pytest.fixture(scope="module")
def module(tmp_path_factory):
    folder = str(tmp_path_factory.mktemp("example"))
    for name in os.listdir(SOURCE):
        if not name.endswith(".so"):
            shutil.copy(os.path.join(SOURCE, name), folder)
    # nothing is installed: the headers are those of the source tree
    done = subprocess.run(
        ["make", "-C", folder, "PKG_CONFIG=true",
         "CPPFLAGS=-I" + os.path.join(antiphon.TOP, "src"),
         "CFLAGS=-O1 -Wall -Wextra -Werror"],
        capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    return os.path.join(folder, "mod_example.so")


def test_the_example(pool, module):
    server = pool.new({"modules": {"example": {"greeting": "Good morning"}}})
    target = os.path.join(server.folder, "modules", "mod_example.so")
    os.makedirs(os.path.dirname(target))
    shutil.copy(module, target)
    server.start()
    scene = scenes.Scene(server, ("romeo",))
    romeo = scene.online("romeo/a")
    name = scene.accounts["romeo"].name
    for count in "12":
        got = romeo.iq("get", HELLO).child("hello", "urn:example:hello")
        assert got.get("count") == count
        assert got.text() == "Good morning, %s!" % name
    server.ctl("modules", "unload", "example")
    assert romeo.iq("get", HELLO).get("type") == "error"
    server.ctl("modules", "load", "example")
    got = romeo.iq("get", HELLO).child("hello", "urn:example:hello")
    assert got.text().startswith("Good morning, ")
    scene.end()
    server.check()
    server.stop()
