"""contrib/example-module, built and used as its README says; and each module
that antiphon-module(7) shows: test_NAME_of_the_page runs the one of that
name.  The echo room is in test_echo_room.py."""

import glob
import json
import os
import re
import shutil
import socket
import sqlite3
import ssl
import subprocess
import time

import pytest

import antiphon
import scene as scenes
import web
from client import Client, PATIENCE

pytestmark = pytest.mark.only("antiphon")
SOURCE = os.path.join(antiphon.TOP, "contrib", "example-module")
MAN = os.path.join(antiphon.TOP, "man")
HELLO = "<hello xmlns='urn:example:hello'/>"
BARE = """#include <module/module.h>
%s
MODULE(shown) = { .api = MODULE_API, .name = "shown", .summary = "shown" };
"""


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


@pytest.fixture(scope="session")
def page(tmp_path_factory):
    """What the page shows: {name: code}."""
    folder = str(tmp_path_factory.mktemp("page"))
    subprocess.run(["awk", "-v", "dir=" + folder, "-f",
                    os.path.join(MAN, "modules.awk"),
                    os.path.join(MAN, "antiphon-module.7.in")], check=True)
    found = {}
    for path in glob.glob(os.path.join(folder, "mod_*.c")):
        with open(path) as f:
            found[os.path.basename(path)[4:-2]] = f.read()
    return found


def load(server, folder, name, code, headers=""):
    """A module of this name, in the folder where server looks."""
    folder = str(folder)
    with open(os.path.join(folder, "mod_%s.c" % name), "w") as f:
        f.write(code)
    shutil.copy(os.path.join(SOURCE, "Makefile"), folder)
    make(folder, headers=headers)
    target = os.path.join(server.folder, "modules", "mod_%s.so" % name)
    os.makedirs(os.path.dirname(target), exist_ok=True)
    put(os.path.join(folder, "mod_%s.so" % name), target)


def put(source, target):
    """As install does it: what is open stays as it was."""
    shutil.copy(source, target + ".new")
    os.chmod(target + ".new", 0o644)
    os.rename(target + ".new", target)


@pytest.fixture
def started(pool, tmp_path, page):
    """started(name): a server with the module of the page, and romeo."""
    made = []

    def start(name, more=None):
        server = pool.new({"modules": {name: {}}, **(more or {})})
        load(server, tmp_path, name, page[name])
        server.start()
        made.append((server, scenes.Scene(server, ("romeo", "juliet"))))
        return made[-1]
    yield start
    for server, scene in made:
        if server.alive():
            scene.end()
            server.check()
            server.stop()


@pytest.fixture(scope="module")
def modules(tmp_path_factory):
    """The folder where they are built, as make does it."""
    folder = str(tmp_path_factory.mktemp("example"))
    for name in os.listdir(SOURCE):
        if not name.endswith(".so"):
            shutil.copy(os.path.join(SOURCE, name), folder)
    make(folder)
    return folder


def bring(server, modules, name):
    target = os.path.join(server.folder, "modules", "mod_%s.so" % name)
    os.makedirs(os.path.dirname(target), exist_ok=True)
    shutil.copy(os.path.join(modules, "mod_%s.so" % name), target)


def test_the_example(pool, modules):
    server = pool.new({"modules": {"example": {"greeting": "Good morning"}}})
    bring(server, modules, "example")
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


def again(server, scene):
    """romeo, after the server was started anew."""
    romeo = scene.accounts["romeo"]
    return Client(server).login(romeo.name, romeo.password)


# --- the page ---------------------------------------------------------------

def test_each_module_of_the_page_is_run(page):
    assert page
    for name in page:
        assert "test_%s_of_the_page" % name in globals()


def test_example_of_the_page(page):
    with open(os.path.join(SOURCE, "mod_example.c")) as f:
        assert page["example"] == f.read()


def test_note_of_the_page(started):
    server, scene = started("note")
    romeo, juliet = scene.online("romeo/a"), scene.online("juliet/a")
    note = "<note xmlns='urn:example:note'>%s</note>"
    error = romeo.iq("get", note % "").child("error")
    assert error.find("item-not-found") is not None
    for i in range(50):
        assert romeo.iq("set", note % i).get("type") == "result"
        got = romeo.iq("get", note % "").child("note", "urn:example:note")
        assert got.text() == str(i)
    assert romeo.iq("set", note % ("x" * 5000)).get("type") == "error"
    assert juliet.iq("get", note % "").get("type") == "error"
    server.kill9()
    server.start()
    assert again(server, scene).iq("get", note % "").find(
        "note").text() == "49"
    server.check()
    server.stop()


def test_tally_of_the_page(started):
    server, scene = started("tally")
    romeo = scene.online("romeo/a")
    tally = "<tally xmlns='urn:example:tally'/>"
    for i in range(200):
        romeo.send("<iq type='set' id='t%d'>%s</iq>" % (i, tally))
    for i in range(200):
        got = romeo.take(lambda e: e.is_("iq"), "a number")
        assert got.get("id") == "t%d" % i
        assert got.find("tally").text() == str(i + 1)
    server.kill9()
    server.start()
    assert again(server, scene).iq("set", tally).find(
        "tally").text() == "201"
    server.check()
    server.stop()


def test_alarm_of_the_page(started):
    server, scene = started("alarm", {"modules": {"alarm": {},
                                                  "testclock": {}}})
    romeo, other = scene.online("romeo/a"), scene.online("romeo/b")
    alarm = "<alarm xmlns='urn:example:alarm' after='%s'/>"
    for wrong in "", "0", "x", "86401":
        assert romeo.iq("set", alarm % wrong).get("type") == "error"
    for client in romeo, other:
        assert client.iq("set", alarm % 60).get("type") == "result"
    # one that ends takes its timer along
    other.close()
    server.advance(59)
    romeo.ping()
    server.advance(2)
    got = romeo.take(lambda e: e.is_("message"), "the alarm")
    assert got.find("body").text() == "It is time."
    assert romeo.iq("set", alarm % 60).get("type") == "result"
    server.ctl("modules", "unload", "alarm")
    server.advance(61)
    romeo.ping()


def test_census_of_the_page(started):
    server, scene = started("census")

    def count(domain):
        row = json.loads(server.ctl("--json", "census", domain))
        assert row["domain"] == server.domain
        return row["sessions"]
    assert count(server.domain) == 0
    for n in 1, 2, 3:
        scene.online("romeo/r%d" % n)
        assert count(server.domain.upper() + ".") == n
    done = server.ctl("census", "elsewhere.test", ok=False)
    assert done.returncode == 1 and "not served here" in done.stderr
    assert server.ctl("census", ok=False).returncode != 0
    assert "census" in server.ctl("help")
    server.ctl("modules", "unload", "census")
    assert "census" not in server.ctl("help")


def test_now_of_the_page(started):
    server, scene = started("now")
    romeo = scene.online("romeo/a")
    for _ in range(50):
        romeo.send("<time xmlns='urn:example:now'/>")
        got = romeo.take(lambda e: e.is_("now", "urn:example:now"),
                         "the time")
        assert abs(int(got.text()) / 1e6 - time.time()) < PATIENCE
    stranger = Client(server).secure()
    stranger.send("<time xmlns='urn:example:now'/>")
    stranger.expect_error("not-authorized")


def test_clients_of_the_page(started):
    server, scene = started("clients")
    version = "<query xmlns='jabber:iq:version'><name>%s</name></query>"
    for who in "a", "b":
        client = scene.login("romeo/" + who)
        client.send("<presence/>")
        asked = client.take(lambda e: e.is_("iq"), "a question")
        assert (asked.get("type"), asked.get("from")) == (
            "get", scene.binds["romeo"])
        client.send("<iq type='result' id='%s' to='%s'>%s</iq>" % (
            asked.get("id"), asked.get("from"), version % ('"%s"' % who)))
        server.process.wait_line(re.escape(
            'client of=%s name="\\"%s\\""' % (client.jid, who)))
    client = scene.login("romeo/c")
    client.send("<presence/>")
    asked = client.take(lambda e: e.is_("iq"), "a question")
    client.send("<iq type='error' id='%s' to='%s'><error type='cancel'>"
                "<service-unavailable xmlns='urn:ietf:params:xml:ns:"
                "xmpp-stanzas'/></error></iq>" % (asked.get("id"),
                                                  asked.get("from")))
    server.process.wait_line("module: .*service-unavailable")


def test_echo_of_the_page(started):
    server, scene = started("echo")
    romeo = scene.online("romeo/a")
    for to in ("any@echo." + server.domain, "any@echo.%s/x" % server.domain):
        romeo.send("<message to='%s'><body>hi</body></message>" % to)
        got = romeo.take(lambda e: e.is_("message"), "the echo")
        assert (got.get("from"), got.get("to")) == (to, romeo.jid)
        assert got.find("body").text() == "hi"
    server.ctl("modules", "unload", "echo")
    romeo.send("<message to='any@echo.%s'><body>hi</body></message>"
               % server.domain)
    got = romeo.take(lambda e: e.is_("message"), "an error")
    assert got.get("type") == "error"


def test_mirror_of_the_page(started):
    listen = [{"address": "127.0.0.1", "port": 0, **entry} for entry in (
        {"tls": "starttls"}, {"kind": "mirror", "tls": "direct"},
        {"kind": "mirror", "tls": "none"})]
    server, _ = started("mirror", {"listen": listen})
    for tls in ("direct", "none"):
        sock = socket.create_connection(
            ("127.0.0.1", server.port(("mirror", tls))), PATIENCE)
        if tls == "direct":
            context = ssl.create_default_context(cafile=server.ca_file)
            sock = context.wrap_socket(sock, server_hostname=server.domain)
        text = b"what one sees" * 1000
        sock.sendall(text)
        got = b""
        while len(got) < len(text):
            got += sock.recv(65536)
        assert got == text
        sock.close()
    # that takes its ports along
    sock = socket.create_connection(
        ("127.0.0.1", server.port(("mirror", "none"))), PATIENCE)
    sock.sendall(b"x")
    assert sock.recv(1) == b"x"
    server.ctl("modules", "unload", "mirror")
    assert sock.recv(1) == b""


def test_guests_of_the_page(started):
    server, _ = started("guests", web.conf())
    conn = web.plain(server)
    assert conn.ask("/guests").body == b"Send a line by POST.\n"
    line = "Content-Length: 5\r\n"
    assert conn.ask("/guests", "POST", fields=line, body=b"hello").status == 201
    assert conn.ask("/guests/more").status == 404
    assert conn.ask("/guests", "PUT").status == 405
    large = conn.ask("/guests", "POST", fields="Content-Length: 201\r\n",
                     body=b"x" * 201)
    assert large.status == 413
    server.ctl("modules", "unload", "guests")
    assert conn.ask("/guests").status == 404


def test_keep_of_the_page(started):
    server, scene = started("keep", {"modules": {"keep": {}, "archive": "no"}})
    romeo, juliet = scene.online("romeo/a"), scene.online("juliet/a")
    for i in range(200):
        romeo.send("<message to='%s' id='m%d'><body>x</body></message>"
                   % (juliet.jid, i))
    for i in range(200):
        got = juliet.take(lambda e: e.is_("message"), "a message")
        assert got.get("id") == "m%d" % i
    server.kill9()
    db = sqlite3.connect(server.conf["storage"]["path"])
    text = "\n".join(value for value, in db.execute(
        "SELECT value FROM entries WHERE name = 'example_log' "
        "ORDER BY number"))
    assert re.findall(r'id="m(\d+)"', text.replace("'", '"')) == [
        str(i) for i in range(200)]


# --- what is refused ----------------------------------------------------------

def test_a_service_without_its_option_is_refused(pool, tmp_path, page):
    server = pool.new()
    load(server, tmp_path, "echo", page["echo"].replace(
        '.option = "domain"', '.option = "domian"'))
    server.start()
    done = server.ctl("modules", "load", "echo", ok=False)
    assert done.returncode == 1
    assert 'module echo: a service names the option "domian"' in done.stderr
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
    load(server, tmp_path, "shown", BARE % code,
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


def test_a_reload_that_cannot_be_leaves_the_module_on(pool, tmp_path, page):
    """It goes on as it was, with its state, however often it is tried."""
    server = pool.new({"modules": {"example": {"greeting": "Good morning"}}})
    code = page["example"]
    load(server, tmp_path, "example", code)
    server.start()
    scene = scenes.Scene(server, ("romeo",))
    romeo = scene.online("romeo/a")
    target = os.path.join(server.folder, "modules", "mod_example.so")
    count = 0

    def greeted(greeting, number):
        got = romeo.iq("get", HELLO).child("hello", "urn:example:hello")
        assert got.text().startswith(greeting), got.text()
        assert got.get("count") == str(number)

    def refused(why, mistake=""):
        nonlocal count
        for _ in range(2):
            count += 1
            greeted("Good morning", count)
            done = server.ctl("modules", "reload", "example", ok=False)
            assert done.returncode == 1
            assert why in done.stderr and done.stderr.count("\n") == 1
            assert mistake in done.stdout
            row, = [r for r in server.ctl("--json", "modules", "list")
                    .splitlines() if json.loads(r)["name"] == "example"]
            assert json.loads(row)["state"] == "on"

    def made(code, **args):
        load(server, tmp_path, "example", code, **args)

    text = tmp_path / "text"
    text.write_text("#!/bin/sh\n" * 1000)
    put(str(text), target)
    refused("mod_example.so: invalid ELF header")
    os.unlink(target)
    refused("mod_example.so: cannot open shared object file")
    made(code + FOREIGN[2][1])
    refused("built for another antiphond")
    headers = tmp_path / "headers"
    (headers / "module").mkdir(parents=True)
    (headers / "module" / "module_api.h").write_text(FOREIGN[0][0] + "\n")
    made(code, headers=str(headers))
    refused("built for another antiphond")
    made(code.replace('"greeting"', '"farewell"'))
    refused("the configuration has mistakes", 'option "greeting"')
    made(code.replace('.name = "example"',
                      '.needs = (const char *const[]){ "none", NULL },\n'
                      '.name = "example"'))
    refused("module example needs module none")
    made(code)
    server.conf["limits"] = {"depht": 77}
    server.write_conf()
    refused("the configuration has mistakes", "depht")
    # and the file that is in memory
    del server.conf["limits"]["depht"]
    server.write_conf()
    server.ctl("modules", "reload", "example")
    server.conf["limits"] = {"depht": 77}
    server.write_conf()
    greeted("Good morning", 1)
    count = 1
    refused("the configuration has mistakes", "depht")
    del server.conf["limits"]["depht"]
    server.conf["modules"]["example"]["greeting"] = "Good evening"
    server.write_conf()
    server.ctl("modules", "reload", "example")
    greeted("Good evening", 1)
    # only who is loaded can say this, when the one before has gone
    made(code.replace("MODULE(example) = {", """
static bool
no(struct server *srv, struct err *err)
{
	(void)srv;
	return err_set(err, ERR_INVALID, "not today");
}

MODULE(example) = { .load = no,"""))
    done = server.ctl("modules", "reload", "example", ok=False)
    assert done.returncode == 1
    assert "example is off now: module example: not today" in done.stderr
    assert romeo.iq("get", HELLO).get("type") == "error"
    scene.end()
    server.check()
    server.stop()
