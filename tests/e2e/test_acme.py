"""Challenges of ACME over HTTP (RFC 8555 §8.3), as certbot puts them into a folder, and
what else is asked at a port in the clear."""

import os
import shutil
import tempfile

import pytest

import web
from antiphon import DOMAIN

pytestmark = pytest.mark.only("antiphon")

PATH = "/.well-known/acme-challenge/"
TOKEN = "LoqXcYV8q5ONbJQxbmR7SCTNo3tiAXDfowyjxAjEuX0"
SAID = TOKEN + ".9jg46WB3rR_AHD-EBXdN7cBkH1WOu0tA3M9fm21mqTI"


class Root:
    """What certbot makes of --webroot."""

    def __init__(self, folder):
        self.path = folder
        self.below = folder + PATH.rstrip("/")

    def put(self, name=TOKEN, text=SAID):
        os.makedirs(self.below, exist_ok=True)
        with open(os.path.join(self.below, name), "w") as f:
            f.write(text)

    def clean(self):
        shutil.rmtree(os.path.join(self.path, ".well-known"))


@pytest.fixture(scope="module")
def root(pool):
    folder = tempfile.mkdtemp(prefix="acme", dir=pool.folder)
    os.chmod(folder, 0o755)
    return Root(folder)


@pytest.fixture(scope="module")
def behind(pool, root):
    server = pool.new(web.conf({
        "http": {"acme_webroot": root.path},
        "hosts": {DOMAIN: {"public_url": "https://" + DOMAIN}}}))
    server.start()
    yield server
    server.stop()


@pytest.fixture
def server(behind, root):
    root.put()
    yield behind
    behind.check()


def test_a_challenge_is_answered_of_any_name_and_at_any_port(server):
    for conn in web.plain(server), web.secure(server):
        for host in DOMAIN, "conference." + DOMAIN, "elsewhere.example":
            # the way of a stranger, as a proxy would tell it
            for fields in "", "X-Forwarded-Proto: http\r\n":
                got = conn.ask(PATH + TOKEN, host=host, fields=fields)
                assert got.status == 200 and got.body.decode() == SAID
                assert got.fields["content-type"] == \
                    "application/octet-stream"
        assert conn.ask(PATH + TOKEN, "HEAD", bodyless=True).fields[
            "content-length"] == str(len(SAID))
        assert conn.ask(PATH + TOKEN, "PUT").status == 405
        conn.close()


def test_who_asks_makes_no_folder(server, root):
    os.chmod(os.path.dirname(root.below), 0o777)
    shutil.rmtree(root.below)
    assert web.plain(server).ask(PATH + TOKEN).status == 404
    assert os.listdir(os.path.dirname(root.below)) == []


def test_certbot_may_remove_its_folder_and_come_again(server, root):
    conn = web.plain(server)
    for text in "first", "second":
        root.put(text=text)
        assert conn.ask(PATH + TOKEN).body.decode() == text
        root.clean()
        assert conn.ask(PATH + TOKEN).status == 404
    # nothing is made by asking
    assert not os.path.exists(os.path.join(root.path, ".well-known"))
    conn.close()


@pytest.mark.parametrize("name", [
    "", "nothing", ".hidden", "a.b", TOKEN + "/", TOKEN + "/x", "%2e%2e",
    "a%2Fb", "..%2f..%2fsecret", "x" * 129, "dir", "link", "a+b", "%00"])
def test_nothing_else_can_be_had_there(server, root, name):
    with open(os.path.join(root.path, "secret"), "w") as f:
        f.write("secret")
    for made in ".hidden", "a.b", "x" * 129, "a+b":
        root.put(made, "secret")
    os.makedirs(os.path.join(root.below, "dir"), exist_ok=True)
    if not os.path.lexists(os.path.join(root.below, "link")):
        os.symlink("../../secret", os.path.join(root.below, "link"))
    conn = web.plain(server)
    got = conn.ask(PATH + name)
    assert got.status in (400, 404) and b"secret" not in got.body
    conn.close()


def test_all_else_in_the_clear_is_sent_to_https(server):
    conn = web.plain(server)
    for path in "/", "/upload/x?a=b", "/.well-known/other":
        got = conn.ask(path, fields="X-Forwarded-Proto: http\r\n")
        assert got.status == 308
        assert got.fields["location"] == "https://" + DOMAIN + path
    assert conn.ask("/", "POST", fields="X-Forwarded-Proto: http\r\n"
                    "Content-Length: 1\r\n", body=b"x").status == 403
    assert conn.ask("/", host="elsewhere.example",
                    fields="X-Forwarded-Proto: http\r\n").status == 404
    conn.close()


def test_without_a_folder_there_are_no_challenges(own_server):
    server = own_server(web.conf())
    assert web.plain(server).ask(PATH + TOKEN).status == 404
    server.check()
