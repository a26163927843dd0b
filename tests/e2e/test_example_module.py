"""contrib/example-module, built and used as its README says; and what
antiphon-module(7) shows of services and of storing."""

import os
import re
import shutil
import sqlite3
import subprocess

import pytest

import antiphon
import scene as scenes

pytestmark = pytest.mark.only("antiphon")
SOURCE = os.path.join(antiphon.TOP, "contrib", "example-module")
HELLO = "<hello xmlns='urn:example:hello'/>"
PAGE = os.path.join(antiphon.TOP, "man", "antiphon-module.7.in")
STRUCT = """#include <module/module.h>
struct echo_conf { const char *domain; };
%s
MODULE(%s) = { .api = MODULE_API, .name = "%s", .summary = "shown", %s };
"""
ECHO = """.options = echo_options, .conf_size = sizeof(struct echo_conf),
    .services = echo_services"""


def make(folder, *args, headers=""):
    # nothing is installed: the headers are those of the source tree, and the
    # one that the build has made; headers is a folder before them
    dirs = [headers] * bool(headers) + [
        os.path.join(top, "src") for top in (antiphon.TOP,
                                             antiphon.build_dir())]
    done = subprocess.run(
        ["make", "-C", folder, "PKG_CONFIG=true",
         "CPPFLAGS=" + " ".join("-I" + d for d in dirs),
         "CFLAGS=-O1 -Wall -Wextra -Werror", *args],
        capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr


def shown(what):
    """The program text of the page in which what stands."""
    with open(PAGE) as f:
        blocks = re.findall(r"^\.Bd -literal.*?\n(.*?)^\.Ed$", f.read(),
                            re.M | re.S)
    return next(b.replace("\\e", "\\") for b in blocks
                if what in b and "MODULE(" not in b)


def load(server, folder, name, code, fields, headers=""):
    """A module of this name, in the folder where server looks."""
    with open(os.path.join(folder, "mod_%s.c" % name), "w") as f:
        f.write(STRUCT % (code, name, name, fields))
    shutil.copy(os.path.join(SOURCE, "Makefile"), folder)
    with open(os.path.join(folder, "Makefile"), "r+") as f:
        text = f.read().replace("mod_example", "mod_" + name)
        f.seek(0)
        f.truncate()
        f.write(text)
    make(folder, headers=headers)
    target = os.path.join(server.folder, "modules", "mod_%s.so" % name)
    os.makedirs(os.path.dirname(target), exist_ok=True)
    shutil.copy(os.path.join(folder, "mod_%s.so" % name), target)
    os.chmod(target, 0o644)


@pytest.fixture(scope="module")
def module(tmp_path_factory):
    folder = str(tmp_path_factory.mktemp("example"))
    for name in os.listdir(SOURCE):
        if not name.endswith(".so"):
            shutil.copy(os.path.join(SOURCE, name), folder)
    make(folder)
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


def test_the_service_of_the_page(pool, tmp_path):
    server = pool.new({"modules": {"shown": {}}})
    load(server, str(tmp_path), "shown", shown("echo_receive"), ECHO)
    server.start()
    scene = scenes.Scene(server, ("romeo",))
    romeo = scene.online("romeo/a")
    for to in ("any@echo." + server.domain, "any@echo.%s/x" % server.domain):
        romeo.send("<message to='%s'><body>hi</body></message>" % to)
        got = romeo.take(lambda e: e.is_("message"), "the echo")
        assert (got.get("from"), got.get("to")) == (to, romeo.jid)
        assert got.find("body").text() == "hi"
    server.ctl("modules", "unload", "shown")
    romeo.send("<message to='any@echo.%s'><body>hi</body></message>"
               % server.domain)
    got = romeo.take(lambda e: e.is_("message"), "an error")
    assert got.get("type") == "error"
    scene.end()
    server.check()
    server.stop()


def test_what_the_page_keeps_is_on_disk_before_it_is_seen(pool, tmp_path):
    server = pool.new({"modules": {"shown": {}}})
    load(server, str(tmp_path), "shown", shown("account_stanza_tx"),
         ".hooks = keep_hooks")
    server.start()
    scene = scenes.Scene(server, ("romeo", "juliet"))
    romeo, juliet = scene.online("romeo/a"), scene.online("juliet/a")
    for i in range(200):
        romeo.send("<message to='%s' id='m%d'><body>x</body></message>"
                   % (juliet.jid, i))
    for i in range(200):
        got = juliet.take(lambda e: e.is_("message"), "a message")
        assert got.get("id") == "m%d" % i
    server.kill9()
    db = sqlite3.connect(server.conf["storage"]["path"])
    text = "\n".join(db.iterdump())
    assert "example_log" in text
    assert re.findall(r'id="m(\d+)"', text.replace("'", '"')) == [
        str(i) for i in range(200)]


def test_a_service_without_its_option_is_refused(pool, tmp_path):
    server = pool.new()
    load(server, str(tmp_path), "shown",
         shown("echo_receive").replace('.option = "domain"',
                                       '.option = "domian"'), ECHO)
    server.start()
    done = server.ctl("modules", "load", "shown", ok=False)
    assert done.returncode == 1
    assert 'module shown: a service names the option "domian"' in done.stderr
    server.check()
    server.stop()


# what it was built against, and what is said of that
FOREIGN = [
    ("#define MODULE_API UINT64_C(0x123456789abcdef)", "",
     " (its headers are 0123456789abcdef, ours %s): "),
    # as it was before there was a hash, in half of the bytes
    ("#define MODULE_API 3", "",
     " (its headers are 0000000000000003, ours %s): "),
    (None, "void gone(void); void *call; void *call = (void *)gone;", ": "),
]


@pytest.mark.parametrize("api,code,why", FOREIGN)
def test_a_module_of_another_server_is_refused_in_words(pool, tmp_path, api,
                                                        code, why):
    server = pool.new()
    with open(os.path.join(server.build, "src/module/module_api.h")) as f:
        ours = re.search(r"0x([0-9a-f]{16})\)", f.read()).group(1)
    headers = tmp_path / "headers"
    if api:
        (headers / "module").mkdir(parents=True)
        (headers / "module" / "module_api.h").write_text(api + "\n")
    load(server, str(tmp_path), "shown", code, ".load = NULL",
         headers=str(headers) if api else "")
    server.start()
    done = server.ctl("modules", "load", "shown", ok=False)
    assert done.returncode == 1
    assert ("module shown was built for another antiphond"
            + why.replace("%s", ours)
            + "build it again against the headers in /") in done.stderr
    assert "version" in server.ctl("modules", "list")
    server.check()
    server.stop()
