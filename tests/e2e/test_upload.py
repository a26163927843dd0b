"""Uploads by HTTP (XEP-0363): slots, PUT, GET, what is kept, and what goes."""

import asyncio
import base64
import concurrent.futures
import contextlib
import io
import os
import re
import socket
import sqlite3
import ssl
import subprocess
import threading
import time
from xml.sax.saxutils import quoteattr

import pytest

aiohttp = pytest.importorskip("aiohttp")

import scene as scenes
from antiphon import DOMAIN, OTHER_DOMAIN
from client import Client, PATIENCE
from process import Failed
from test_disk import AGAIN, Moved, Tmpfs
from test_services import INFO, ITEMS, refuses
from test_slixmpp import Peer, play
from test_stats import stats
from uploads import (NS, PURPOSE, Uploads, conf_of, on_disk, path_of,
                     retry_of)

pytestmark = pytest.mark.only("antiphon")

DAY = 86400


class Pool:
    """One server for most; a user of its own for each test."""

    def __init__(self, pool):
        self.made = []
        self.all = Uploads(self.make(pool))

    def make(self, pool):
        def own_server(conf):
            self.made.append(pool.new(conf))
            return self.made[-1].start()
        return own_server


@pytest.fixture(scope="module")
def common(pool):
    made = Pool(pool)
    yield made.all
    for server in made.made:
        server.stop()


@pytest.fixture
def up(common):
    """With another romeo."""
    common.scene.end()
    common.scene = scenes.Scene(common.server)
    common.scene.add_accounts("romeo", "juliet")
    common.romeo = common.scene.online("romeo/a")
    common.me = common.scene.accounts["romeo"].jid
    yield common
    common.server.check()


# --- being found -------------------------------------------------------------

def test_the_service_is_found(up):
    items = up.romeo.iq("get", ITEMS, DOMAIN).find("query")
    assert up.domain in [e.get("jid") for e in items.elems()]
    info = up.romeo.iq("get", INFO, up.domain).find("query")
    identity = info.find("identity")
    assert (identity.get("category"), identity.get("type")) == (
        "store", "file")
    features = [e.get("var") for e in info.elems() if e.name == "feature"]
    assert NS in features
    assert [f for f in features if f.startswith(PURPOSE)] == [
        PURPOSE + "#" + p for p in ("ephemeral", "message", "profile")]
    assert "http://jabber.org/protocol/disco#info" in features
    assert up.max_bytes() == 100 << 20


def test_the_log_does_not_say_where_a_file_is(up):
    """Who knows that may fetch it; eight of its digits are enough to find it."""
    slot = up.upload(name="plans.txt")
    assert up.get(slot.path + "?secret-query").status == 200
    assert up.get(slot.path, host="elsewhere.example").status == 404
    assert up.web().ask("/" + slot.path).status == 404
    assert up.get(slot.path.replace("/upload/", "/upload/%61")).status == 404
    path = os.path.join(up.server.folder, "files", DOMAIN, slot.id[:2],
                        slot.id[2:4], slot.id)
    os.rename(path, path + "x")
    os.mkdir(path)
    assert up.get(slot).status == 404
    failed = up.server.ctl("upload-delete", up.me, slot.get, ok=False)
    assert "/%s..." % slot.id[:8] in failed.stderr
    os.rmdir(path)
    os.symlink("x", path)
    assert up.get(slot).status == 404
    os.unlink(path)
    os.rename(path + "x", path)
    up.server.ctl("upload-delete", up.me, slot.get)
    up.web().ask("/the-last")
    up.server.process.wait_line('path="/the-last"')
    lines = list(up.server.process.lines)
    said = [line for line in lines if slot.id[:8] in line]
    assert any('method=PUT host=%s path="/upload/%s..." status=201' % (
        DOMAIN, slot.id[:8]) in line for line in said)
    for secret in (slot.id, "plans.txt", "secret-query",
                   slot.token.split()[-1]):
        assert not [line for line in lines if secret in line]
    assert any("file deleted user=%s id=%s" % (up.me, slot.id[:8]) in line
               for line in lines)


# --- slots ---------------------------------------------------------------------

def test_a_slot(up):
    slot = up.slot("très cool.jpg", 23456, "image/jpeg")
    assert slot.put == slot.get
    assert re.fullmatch(
        r"https://%s:%d/upload/[0-9a-f]{32}/tr%%C3%%A8s%%20cool\.jpg" % (
            re.escape(DOMAIN), up.server.port(("https", "direct"))), slot.put)
    assert slot.token.startswith("Bearer ")
    assert slot.id != up.slot("très cool.jpg", 23456, "image/jpeg").id


@pytest.mark.parametrize("request_, cond", [
    ("filename='' size='1'", "bad-request"),
    ("size='1'", "bad-request"),
    ("filename='a'", "bad-request"),
    ("filename='a' size=''", "bad-request"),
    ("filename='a' size='0'", "bad-request"),
    ("filename='a' size='-1'", "bad-request"),
    ("filename='a' size='1.5'", "bad-request"),
    ("filename='a' size='99999999999999999999'", "bad-request"),
    ("filename='a' size='1' content-type='x'", "bad-request"),
    ("filename='a' size='1' content-type='a/b&#10;X: y'", "bad-request"),
    ("filename='a' size='104857601'", "not-acceptable"),
])
def test_slots_that_are_refused(up, request_, cond):
    refuses(up.romeo.iq("get", "<request xmlns='%s' %s/>" % (NS, request_),
                        up.domain), cond)


@pytest.mark.parametrize("purpose, cond", [
    ("<permanent xmlns='%s'/>", "feature-not-implemented"),
    ("<other xmlns='%s'/>", "feature-not-implemented"),
    ("<ephemeral xmlns='%s'/>", "bad-request"),
    ("<ephemeral xmlns='%s' expire-before='2001-01-01T00:00:00Z'/>",
     "bad-request"),
    ("<ephemeral xmlns='%s' expire-before='soon'/>", "bad-request"),
    ("<message xmlns='%s'/>", None),
    ("<profile xmlns='%s'/>", None),
    ("<ephemeral xmlns='%s' expire-before='2099-01-01T00:00:00Z'/>", None),
])
def test_purposes(up, purpose, cond):
    got = up.request(purpose=purpose % PURPOSE)
    if cond:
        refuses(got, cond)
    else:
        assert got.get("type") == "result", got


def test_too_large_says_what_is_not(up):
    got = up.request(size=(4 << 20) + 1,
                     purpose="<profile xmlns='%s'/>" % PURPOSE)
    refuses(got, "not-acceptable")
    assert got.find("error").get("type") == "modify"
    assert got.find("error", "file-too-large", "max-file-size").text() == str(
        4 << 20)
    assert up.request(size=4 << 20, purpose="<profile xmlns='%s'/>"
                      % PURPOSE).get("type") == "result"


def test_names_that_are_no_paths(up):
    """Hostile 57."""
    for name, called in (("../../../etc/passwd", ".._.._.._etc_passwd"),
                         ("..", "__"), (".", "_"), ("a/b", "a_b"),
                         ("a\\b", "a_b"), ("%2e%2e%2fx", "%2e%2e%2fx")):
        slot = up.slot(name)
        assert slot.path == path_of(slot.id, called)
        assert up.put(slot).status == 201
        assert up.get(slot).body == b"hello"
    for path in on_disk(up.server):
        assert re.fullmatch(r"[^/.][^/]*/[0-9a-f]{2}/[0-9a-f]{2}/[0-9a-f]{32}",
                            path)


def test_a_long_name_keeps_its_ending(up):
    slot = up.upload(name="é" * 300 + ".tar.gz")
    assert slot.path.endswith("%C3%A9.tar.gz")
    assert up.there(slot)


# --- PUT -----------------------------------------------------------------------

def test_a_file_comes_and_is_fetched(up):
    body = os.urandom(300_000)
    slot = up.upload(body, "très cool.jpg", "image/jpeg")
    got = up.get(slot)
    assert (got.status, got.body) == (200, body)
    assert up.files()[0]["id"] == slot.id
    assert body in on_disk(up.server).values()


@pytest.mark.parametrize("change, status", [
    ({}, 201),
    ({"token": ""}, 403),
    ({"token": "Basic eA=="}, 403),
    ({"token": "Bearer AAAA"}, 403),
    ({"type_": "text/html"}, 400),
    ({"type_": None}, 400),
    ({"type_": "TEXT/PLAIN"}, 201),
    ({"body": b"hell"}, 400),
    ({"body": b"hello!"}, 413),
    # RFC 9110 §14.5: a part of a file is none
    ({"fields": "Content-Range: bytes 0-4/10\r\n"}, 400),
    # §8.4, hostile 9: what it would be, nobody unpacks
    ({"fields": "Content-Encoding: gzip\r\n"}, 415),
    ({"fields": "Content-Encoding: Identity\r\n"}, 201),
    # §13.1.1: there is none that it could be
    ({"fields": "If-Match: *\r\n"}, 412),
    # §13.2.1: and that is not asked of what is refused without it
    ({"fields": "If-Match: *\r\n", "body": b"hell"}, 400),
    ({"fields": "If-Match: *\r\n", "body": b"hello!"}, 413),
    ({"fields": "If-Match: *\r\n", "type_": "text/html"}, 400),
    ({"fields": "If-None-Match: *\r\n"}, 201),
])
def test_what_a_put_has_to_be(up, change, status):
    """Hostile 71: bound to its slot, its size and its type."""
    slot = up.slot()
    assert up.put(slot, **change).status == status
    assert up.there(slot) == (status == 201)
    # what was refused has used nothing up
    assert up.put(slot).status == (409 if status == 201 else 201)


def test_a_length_has_to_be_said(up):
    slot = up.slot()
    answer = up.web().ask(slot.path, "PUT", fields=(
        "Authorization: %s\r\nContent-Type: text/plain\r\n"
        "Transfer-Encoding: chunked\r\n" % slot.token),
        body=b"5\r\nhello\r\n0\r\n\r\n")
    assert answer.status == 411
    assert not up.there(slot)


def test_without_a_type_that_of_the_put_counts(up):
    slot = up.slot("a.png", 5, None)
    assert up.put(slot, type_="image/png").status == 201
    assert up.get(slot).fields["content-type"] == "image/png"
    slot = up.slot("a.png", 5, None)
    assert up.put(slot, type_=None).status == 201
    assert up.get(slot).fields["content-type"] == "application/octet-stream"


def test_a_slot_is_used_once(up):
    slot = up.upload(b"first")
    assert up.put(slot, b"other").status == 409
    assert up.put(slot, b"other", fields="If-Match: *\r\n").status == 409
    assert up.get(slot).body == b"first"
    up.server.ctl("upload-delete", up.me, slot.id)
    assert not up.there(slot)
    assert up.put(slot, b"other").status == 409
    assert not up.there(slot)


def test_the_token_of_one_file_is_good_for_no_other(up):
    one, other = up.slot(), up.slot()
    assert up.put(one, token=other.token).status == 403
    renamed = up.slot()
    renamed.path = path_of(renamed.id, "b.html")
    assert up.put(renamed).status == 403
    secret = base64.b64decode(one.token.split()[1])
    assert secret[32:].startswith(b"1 " + one.id.encode())
    larger = secret[:32] + secret[32:].replace(b" 5 ", b" 9 ")
    assert up.put(one, b"too large", token="Bearer " + base64.b64encode(
        larger).decode()).status == 403
    juliet = secret[:32] + secret[32:].replace(
        up.me.encode(), up.scene.accounts["juliet"].jid.encode())
    assert up.put(one, token="Bearer " + base64.b64encode(
        juliet).decode()).status == 403
    assert up.put(one).status == 201


def test_a_slot_is_over_after_its_time(own_server):
    up = Uploads(own_server, slot_timeout="1m")
    slot, early = up.slot(), up.slot()
    up.server.advance(50)
    assert up.put(early).status == 201
    up.server.advance(11)
    assert up.put(slot).status == 403
    assert not up.there(slot)
    up.server.check()


def test_a_slot_is_over_after_a_restart(own_server):
    """So what is reserved is what may be used, and what was used is not good again."""
    up = Uploads(own_server, day_bytes=10, file_bytes=10)
    slot, used = up.slot(), up.upload()
    up.server.ctl("upload-delete", up.me, used.id)
    refuses(up.request(), "resource-constraint")
    up.server.restart()
    assert up.put(slot, b"after").status == 403
    assert up.put(used, b"other").status == 403
    assert on_disk(up.server) == {}
    romeo = up.scene.accounts["romeo"]
    up.romeo = Client(up.server).login(romeo.name, romeo.password)
    another = up.slot()
    refuses(up.request(), "resource-constraint")
    assert up.put(another, b"after").status == 201
    assert up.usage()["day"] == 10
    up.server.check()


def head_of(slot, body, more=""):
    return ("PUT %s HTTP/1.1\r\nHost: %s\r\nContent-Length: %d\r\n"
            "Content-Type: text/plain\r\nAuthorization: %s\r\n%s\r\n" % (
                slot.path, DOMAIN, len(body), slot.token, more)).encode()


def begun(up, slot, body):
    """A PUT that has taken its slot: the body may come."""
    conn = up.web()
    conn.send(head_of(slot, body, "Expect: 100-continue\r\n"))
    assert conn.answer().status == 100
    return conn


def test_a_host_without_uploads_for_a_while(own_server):
    """Nothing is taken behind it, though another host has had it throughout."""
    up = Uploads(own_server, user_slots=1)
    body = b"x" * 1000
    slot = up.slot(size=len(body))
    conn = begun(up, slot, body)
    conn.send(body[:1])
    hosts = up.server.conf["hosts"]
    for modules, status in (({"upload": "no"}, 404), ({}, 201)):
        hosts[DOMAIN] = dict(hosts[DOMAIN], modules=modules)
        up.server.write_conf()
        up.server.ctl("reload")
        assert up.put(slot, body).status == status
    assert conn.answer().status == 503
    up.upload()
    up.server.check()


def is_open(up):
    """Waits until a file is being written."""
    while stats(up.server)["files_open"] == 0:
        pass


def test_a_broken_upload_leaves_nothing(up):
    """And its slot is good for another try."""
    before = set(on_disk(up.server))
    body = os.urandom(200_000)
    cuts = (0, 1, 100_000, len(body) - 1)
    for cut in cuts:
        slot = up.slot(size=len(body))
        conn = begun(up, slot, body)
        conn.send(body[:cut])
        # meanwhile it is nobody else's
        assert up.put(slot, body).status == 409
        conn.close()
        while up.put(slot, body).status != 201:
            pass
        assert up.get(slot).body == body
    assert len(set(on_disk(up.server)) - before) == len(cuts)


def test_a_reload_takes_the_module_away(own_server):
    """While a file comes, and while a slot waits."""
    up = Uploads(own_server)
    kept, slot, body = up.upload(), up.slot(size=1000), bytes(1000)
    options = up.server.conf["modules"]["upload"]
    conn = begun(up, slot, body)
    conn.send(body[:500])
    for value in (False, options):
        up.server.conf["modules"]["upload"] = value or "no"
        up.server.write_conf()
        up.server.ctl("reload")
        if not value:
            assert conn.answer().status in (404, 503)
            assert up.get(kept).status == 404
            assert up.put(slot, body).status == 404
            assert up.request().get("type") == "error"
    while stats(up.server)["files_open"] != 0:
        pass
    assert len(on_disk(up.server)) == 1
    assert up.there(kept)
    up.upload(body) # the slot went with the module, unless that was quick
    up.server.check()


def test_what_was_whole_when_the_module_went_has_a_record_or_goes(own_server):
    """However far each was: written out, named, or about to be recorded."""
    up = Uploads(own_server, {
        "disk_threads": 1, "limits": {"http_bodies_per_address": 1000}},
        user_slots=200)
    options = up.server.conf["modules"]["upload"]
    slots = [up.slot() for _ in range(150)]
    conns = [begun(up, slot, b"hello") for slot in slots]
    for conn in conns:
        conn.send(b"hello")
    for value in ("no", options):
        up.server.conf["modules"]["upload"] = value
        up.server.write_conf()
        up.server.ctl("reload")
    answers = [conn.answer().status for conn in conns]
    assert set(answers) <= {201, 404, 503}
    while stats(up.server)["files_open"] != 0:
        pass
    for _ in range(300):
        known = {f["id"] for f in up.files()}
        there = {os.path.basename(path) for path in on_disk(up.server)}
        if known == there:
            break
    assert known == there
    assert known >= {slot.id for slot, status in zip(slots, answers)
                     if status == 201}
    assert up.usage()["files"] == len(known)
    up.server.check()


# --- GET -------------------------------------------------------------------------

@pytest.mark.parametrize("type_, served, inline", [
    ("image/jpeg", "image/jpeg", True),
    ("video/mp4", "video/mp4", True),
    ("text/plain", "text/plain; charset=utf-8", True),
    ("application/pdf", "application/pdf", False),
    ("text/html", "application/octet-stream", False),
    ("image/svg+xml", "application/octet-stream", False),
    ("application/xhtml+xml", "application/octet-stream", False),
    ("text/javascript", "application/octet-stream", False),
])
def test_nothing_that_is_served_runs(up, type_, served, inline):
    """Hostile 64."""
    fields = up.get(up.upload(b"<script>alert(1)</script>", "ä\".html",
                              type_)).fields
    assert fields["content-type"] == served
    assert fields["x-content-type-options"] == "nosniff"
    policy = fields["content-security-policy"]
    assert "default-src 'none'" in policy and "sandbox" in policy
    assert "script-src" not in policy
    assert fields["content-disposition"] == (
        "%s; filename=\"__.html\"; filename*=UTF-8''%%C3%%A4%%22.html"
        % ("inline" if inline else "attachment"))


def test_parts_and_conditions(up):
    body = bytes(range(256)) * 4
    slot = up.upload(body, "a.mp4", "video/mp4")
    whole = up.get(slot)
    tag = whole.fields["etag"]
    assert re.fullmatch('"[^"]+"', tag)
    age = re.fullmatch(r"public, max-age=(\d+), immutable",
                       whole.fields["cache-control"])
    assert 31 * DAY - 60 < int(age[1]) <= 31 * DAY
    part = up.get(slot, fields="Range: bytes=5-9\r\n")
    assert (part.status, part.body) == (206, body[5:10])
    assert part.fields["content-range"] == "bytes 5-9/%d" % len(body)
    assert up.get(slot, fields="Range: bytes=9999-\r\n").status == 416
    assert up.get(slot, fields="If-None-Match: %s\r\n" % tag).status == 304
    head = up.get(slot, "HEAD", bodyless=True)
    assert (head.status, head.body) == (200, b"")
    assert head.fields["content-length"] == str(len(body))
    assert head.fields["content-disposition"] == whole.fields[
        "content-disposition"]


def test_what_is_not_there_looks_alike(up):
    slot, unused = up.upload(), up.slot()
    deleted = up.upload()
    up.server.ctl("upload-delete", up.me, deleted.id)
    seen = set()
    for path in (unused.path, deleted.path, path_of(slot.id, "b.txt"),
                 path_of("0" * 32, "a.txt"), "/upload", "/upload/",
                 "/upload/" + slot.id, "/upload/%s/" % slot.id,
                 slot.path + "/", slot.path + "/x", "/upload/x/a.txt",
                 "/upload/%s/a.txt" % slot.id.upper()):
        answer = up.get(path)
        seen.add((answer.status, answer.body, tuple(sorted(
            (k, v) for k, v in answer.fields.items() if k != "date"))))
    assert len(seen) == 1 and seen.pop()[0] == 404
    other = up.web().ask(slot.path, host=OTHER_DOMAIN)
    assert other.status == 404


@pytest.mark.parametrize("path", [
    "/upload/../%s/a.txt", "/upload/..%%2f%s/a.txt", "/upload/%s/..",
    "/upload/%s/%%2e%%2e", "/upload/%s/..%%2f..%%2fetc%%2fpasswd",
    "/upload/%s/%%00", "/upload/%s/a.txt%%00", "/upload/%s/%%c0%%ae",
    "/upload/%s/a.txt%%5c", "//upload/%s/a.txt", "/upload//%s/a.txt",
    "/upload/%s/./a.txt", "/upload/%s;x/a.txt"])
def test_no_path_leads_elsewhere(up, path):
    """Hostile 56, 57."""
    slot = up.upload()
    for method in ("GET", "PUT"):
        assert up.web().ask(path % slot.id, method, fields=(
            "Content-Length: 0\r\n")).status in (400, 403, 404)
    assert up.there(slot)


def test_pages_from_anywhere_may(up):
    origin = "Origin: https://chat.example\r\n"
    slot = up.slot()
    ask = up.web().ask(slot.path, "OPTIONS", bodyless=True, fields=(
        origin + "Access-Control-Request-Method: PUT\r\n"
        "Access-Control-Request-Headers: authorization, content-type\r\n"))
    assert ask.status in (200, 204)
    assert ask.fields["access-control-allow-origin"] == "*"
    allowed = ask.fields["access-control-allow-headers"].lower()
    assert "authorization" in allowed and "content-type" in allowed
    assert "PUT" in ask.fields["access-control-allow-methods"]
    refused = up.put(slot, token="", fields=origin)
    assert refused.status == 403
    done = up.put(slot, fields=origin)
    got = up.get(slot, fields=origin)
    missing = up.get(slot.path + "x", fields=origin)
    assert (done.status, got.status, missing.status) == (201, 200, 404)
    for answer in (ask, refused, done, got, missing):
        assert answer.fields["access-control-allow-origin"] == "*"
        assert "access-control-allow-credentials" not in answer.fields


# --- how much ----------------------------------------------------------------------

def test_a_day_and_what_is_announced(own_server):
    up = Uploads(own_server, file_bytes="1000", day_bytes="1500",
                 slot_timeout="1m")
    assert up.max_bytes() == 1000
    up.upload(b"x" * 1000)
    got = up.request(size=501)
    refuses(got, "resource-constraint")
    assert got.find("error").get("type") == "wait"
    assert retry_of(got).endswith("T00:00:00Z")
    # a slot counts until it is over
    up.slot(size=500)
    got = up.request(size=1)
    refuses(got, "resource-constraint")
    assert not retry_of(got).endswith("T00:00:00Z")
    up.server.advance(61)
    up.slot(size=500)
    # other purposes have a day of their own
    up.slot(size=1000, purpose="<profile xmlns='%s'/>" % PURPOSE)
    assert up.usage()["day"] == 1000
    up.server.restart()
    romeo = up.scene.accounts["romeo"]
    up.romeo = Client(up.server).login(romeo.name, romeo.password)
    refuses(up.request(size=501), "resource-constraint")
    up.server.advance(DAY)
    assert up.request(size=1000).get("type") == "result"
    up.server.check()


def test_all_that_a_user_may_have(own_server):
    up = Uploads(own_server, user_bytes="1000", user_files=2, user_slots=1)
    assert up.max_bytes() == 1000
    first = up.upload(b"x" * 600)
    refuses(up.request(size=401), "resource-constraint")
    up.upload(b"x" * 400)
    refuses(up.request(size=1), "resource-constraint")
    up.server.ctl("upload-delete", up.me, first.put)
    assert up.usage()["bytes"] == 400 and up.usage()["files"] == 1
    up.slot(size=100)
    refuses(up.request(size=100), "resource-constraint")
    up.server.check()


def test_slots_asked_for_at_once(own_server):
    """The disk is asked first, and answers when all of them are there."""
    up = Uploads(own_server, day_bytes="100", user_slots=3)
    many = [up.scene.online("romeo/%d" % i) for i in range(10)]
    for size, n in ((40, 2), (10, 1)):
        for one in many:
            one.send("<iq id='slot' type='get' to='%s'><request xmlns='%s' "
                     "filename='a' size='%d'/></iq>" % (up.domain, NS, size))
        got = [one.take(lambda e: e.get("id") == "slot", "an answer")
               for one in many]
        assert sum(e.get("type") == "result" for e in got) == n
        up.server.advance(10) # what is known of the disk is too old then
    up.server.check()


def test_limits_of_ones_own(up):
    up.server.ctl("upload-limits", up.me, "--file-bytes", "1MiB",
                  "--day-bytes", "2MiB", "--expire-after", "1h")
    assert up.max_bytes() == 1 << 20
    got = up.request(size=(1 << 20) + 1)
    refuses(got, "not-acceptable")
    slot = up.upload()
    age = re.search(r"max-age=(\d+)", up.get(slot).fields["cache-control"])
    assert 3500 < int(age[1]) <= 3600
    row = up.usage()
    assert (row["file_max"], row["day_max"], row["expire_after"]) == (
        1 << 20, 2 << 20, "1h")
    assert up.usage(purpose="profile")["file_max"] == 4 << 20
    up.server.ctl("upload-limits", up.me, "--reset")
    assert up.max_bytes() == 100 << 20
    for wrong in (("--expire-after", "1s"), ("--purpose", "x"),
                  ("--file-bytes", "many"), ("--files", "-1")):
        assert up.server.ctl("upload-limits", up.me, *wrong,
                             ok=False).returncode != 0


def kept_of(owner, server):
    db = sqlite3.connect("file:%s?mode=ro" % server.conf["storage"]["path"],
                         uri=True)
    with contextlib.closing(db):
        return db.execute("SELECT count(*) FROM map WHERE owner = ?",
                          (owner,)).fetchone()[0]


def test_others_may_not(own_server):
    up = Uploads(own_server, allow=["elsewhere.example"])
    up.server.adduser("romeo", "secret", OTHER_DOMAIN)
    other = Client(up.server, domain=OTHER_DOMAIN)
    other.login("romeo", "secret")
    refuses(up.request(by=other), "forbidden")
    up.server.conf["modules"]["upload"]["allow"] = ["romeo@" + OTHER_DOMAIN]
    up.server.write_conf()
    up.server.ctl("reload")
    slot = up.slot(by=other)
    up.upload() # what was to be stored before is, too
    # addresses of elsewhere can be made up: nothing is kept of one without a file
    assert kept_of("/romeo@" + OTHER_DOMAIN, up.server) == 0
    assert up.put(slot).status == 201 and up.there(slot)
    assert kept_of("/romeo@" + OTHER_DOMAIN, up.server) != 0
    up.server.check()


def test_a_disk_that_is_nearly_full(own_server):
    up = Uploads(own_server)
    slot = up.slot()
    up.server.conf["modules"]["upload"]["disk_free_bytes"] = "1024TiB"
    up.server.write_conf()
    up.server.ctl("reload")
    refuses(up.request(), "resource-constraint")
    assert up.put(slot).status == 507
    assert not on_disk(up.server)
    up.server.conf["modules"]["upload"].update(
        disk_free_bytes="0", disk_free_percent=0)
    up.server.write_conf()
    up.server.ctl("reload")
    assert up.put(slot).status == 201
    up.server.check()


@pytest.mark.parametrize("when", ["full already", "full meanwhile"])
def test_a_disk_that_is_full(own_server, open_path, when):
    """Of the files alone: the database has another one."""
    disk = Tmpfs(str(open_path / "disk"))
    try:
        up = Uploads(own_server, {"log": {"level": "info"}},
                     folder=os.path.join(disk.path, "files"))
        os.chmod(disk.path, 0o777)
        kept = up.upload()
        body = os.urandom(1_000_000)
        slot = up.slot(size=len(body))
        conn = up.web()
        if when == "full already":
            disk.fill()
        else:
            # half of it comes, and is written; then there is no room
            conn.send(head_of(slot, body) + body[:500_000])
            is_open(up)
            disk.fill()
            conn.send(body[500_000:])
            assert conn.answer().status == 507
        assert up.put(slot, body).status == 507
        assert up.there(kept)
        disk.free()
        up.server.advance(10)
        assert up.put(slot, body).status == 201
        assert up.get(slot).body == body
        assert up.rows("upload-check", DOMAIN) == []
        assert all("a file was not uploaded" in a or "nothing can be" in a
                   for a in up.server.process.alarms), up.server.process.alarms
        up.server.process.alarms.clear()
        up.server.stop()
    finally:
        disk.close()


def test_many_at_once_leave_free_what_has_to_stay(own_server, open_path):
    """Each of them would fit."""
    disk = Tmpfs(str(open_path / "disk"))
    keep = 24 << 20
    try:
        up = Uploads(own_server, {"log": {"level": "info"}},
                     folder=os.path.join(disk.path, "files"),
                     disk_free_bytes=str(keep))
        os.chmod(disk.path, 0o777)
        body = os.urandom(10 << 20)
        slots = [up.slot(size=len(body)) for _ in range(4)]
        conns = [up.web() for _ in slots]
        for slot, conn in zip(slots, conns):
            conn.send(head_of(slot, body))
        senders = [threading.Thread(target=conn.send, args=[body])
                   for conn in conns]
        for sender in senders:
            sender.start()
        statuses = [conn.answer().status for conn in conns]
        for sender in senders:
            sender.join()
        free = os.statvfs(disk.path)
        assert free.f_bavail * free.f_frsize >= keep - (1 << 20) * len(slots)
        assert set(statuses) <= {201, 507} and 507 in statuses, statuses
        up.server.process.alarms.clear()
        up.server.stop()
    finally:
        disk.close()


# --- what goes ---------------------------------------------------------------------

def test_what_is_due_goes(own_server):
    up = Uploads(own_server, expire_after="1h", profile_expire_after="1d")
    slot = up.upload()
    profile = up.upload(purpose="<profile xmlns='%s'/>" % PURPOSE)
    now = int(time.time())

    def until(seconds):
        return "<ephemeral xmlns='%s' expire-before='%s'/>" % (
            PURPOSE, time.strftime("%Y-%m-%dT%H:%M:%SZ",
                                   time.gmtime(now + seconds)))
    brief, late = up.upload(purpose=until(600)), up.slot(purpose=until(60))
    assert [up.there(s) for s in (slot, profile, brief)] == [True] * 3
    up.server.advance(61)
    assert up.put(late).status == 403 # 201 would say that it can be had
    up.server.advance(540)
    assert not up.there(brief)
    assert up.there(slot)
    up.server.advance(3001)
    assert not up.there(slot)
    up.server.advance(60)
    while len(on_disk(up.server)) != 1:
        up.server.ctl("status")
    while up.usage()["files"] != 1:
        pass
    assert [f["id"] for f in up.files()] == [profile.id]
    assert up.usage()["bytes"] == 5
    up.server.check()


def test_a_stop_does_not_wait_for_all_that_is_due(own_server):
    up = Uploads(own_server)
    up.upload()
    up.server.stop()

    def ask(sql):
        db = sqlite3.connect(up.server.conf["storage"]["path"])
        with contextlib.closing(db), db:
            return db.execute(sql).fetchone()
    ask("""WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n
        WHERE i < 20000) INSERT INTO entry (pos, place, id, time, peer, value)
        SELECT (SELECT max(pos) FROM entry JOIN log USING (place)
                WHERE log.name = 'upload') + i,
               (SELECT place FROM log WHERE name = 'upload'),
               lower(hex(randomblob(16))), i, 'nobody@%s', 'old' FROM n"""
        % DOMAIN)
    ask("UPDATE log SET n = n + 20000 WHERE name = 'upload'")
    up.server.start()
    up.server.advance(61)
    up.server.stop()
    left, = ask("SELECT n FROM log WHERE name = 'upload'")
    assert 10000 < left < 20001
    assert ask("SELECT min(time) FROM entry")[0] > 1 # the oldest first


def test_files_go_with_their_account(own_server):
    up = Uploads(own_server)
    slots = [up.upload(b"mine %d" % i) for i in range(100)]
    unused = up.slot()
    name = up.scene.accounts["romeo"].name
    juliet = up.scene.online("juliet/a")
    hers = up.upload(by=juliet)
    up.server.ctl("deluser", up.me)
    up.server.adduser(name, "another")
    assert up.put(unused).status == 403
    up.server.advance(61)
    for slot in slots:
        assert up.gone(slot)
    assert up.there(hers)
    while len(on_disk(up.server)) != 1:
        up.server.ctl("status")
    assert up.listed_no_more()
    assert up.usage()["files"] == 0
    up.server.check()


def test_what_cannot_be_deleted_counts(own_server):
    """Its record stays, while the database takes no writes."""
    up = Uploads(own_server)
    kept, slot = up.upload(b"x" * 10), up.upload()
    disk = Moved(up.server)
    disk.fill()
    for _ in range(3):
        with pytest.raises(Failed):
            up.server.ctl("upload-delete", up.me, slot.put)
    start = len(up.server.process.lines)
    disk.free()
    up.server.process.wait_line(AGAIN, start)
    assert (up.usage()["files"], up.usage()["bytes"]) == (2, 15)
    up.server.ctl("upload-delete", up.me, slot.put)
    assert (up.usage()["files"], up.usage()["bytes"]) == (1, 10)
    assert up.there(kept)
    up.server.process.alarms.clear()
    up.server.stop()


def test_what_cannot_be_deleted_keeps_nothing_else(own_server):
    """Someone has put a folder in the place of a file, more often than one slice has."""
    up = Uploads(own_server, expire_after="1h", user_files=1000)
    juliet = up.scene.online("juliet/a")

    def spoil(slot):
        path = os.path.join(up.server.folder, "files", DOMAIN, slot.id[:2],
                            slot.id[2:4], slot.id)
        os.unlink(path)
        os.mkdir(path)

    spoil(up.upload(by=juliet))
    for _ in range(70):
        spoil(up.upload())
    good = up.upload()
    up.server.ctl("deluser", up.scene.accounts["juliet"].jid)
    up.server.advance(3601)
    for _ in range(100):
        if not on_disk(up.server):
            break
        up.server.advance(61)
    assert not on_disk(up.server)
    assert good.id not in [f["id"] for f in up.files()]
    assert up.usage()["files"] == 70
    assert all("stays for now" in a for a in up.server.process.alarms)
    up.server.process.alarms.clear()
    up.server.stop()


def test_who_has_got_the_name_meanwhile_gets_no_file_with_it(up):
    body = os.urandom(200_000)
    slot = up.slot(size=len(body))
    conn = up.web()
    conn.send(head_of(slot, body, "Expect: 100-continue\r\n"))
    assert conn.answer().status == 100
    conn.send(body[:100_000])
    up.server.ctl("deluser", up.me)
    up.server.adduser(up.me.split("@")[0], "another")
    conn.send(body[100_000:])
    assert conn.answer().status == 403
    assert up.files() == [] and not up.there(slot)
    assert up.usage()["files"] == 0


def test_one_of_another_is_not_deleted(up):
    slot = up.upload()
    juliet = up.scene.accounts["juliet"].jid
    done = up.server.ctl("upload-delete", juliet, slot.id, ok=False)
    assert done.returncode != 0 and "no such file" in done.stderr
    assert up.there(slot)
    done = up.server.ctl("upload-delete", up.me, "../x", ok=False)
    assert done.returncode != 0


OWN = "urn:antiphon:upload:0"


def own_files(up, by=None, more=""):
    files = (by or up.romeo).iq("get", "<files xmlns='%s'%s/>" % (OWN, more),
                                up.domain).find("files")
    return list(files.elems()), files.get("more")


def test_a_user_lists_and_deletes_his_own(up):
    slots = [up.upload(b"x" * (i + 1)) for i in range(102)]
    files, more = own_files(up)
    assert (len(files), more) == (100, "true")
    rest, more = own_files(up, more=" after='%s'" % files[-1].get("id"))
    assert more is None
    assert [f.get("id") for f in files + rest] == [s.id for s in slots]
    first = files[0]
    assert (first.get("url"), first.get("name"), first.get("size"),
            first.get("purpose")) == (slots[0].get, "a.txt", "1", "message")
    juliet = up.scene.online("juliet/a")
    assert own_files(up, juliet) == ([], None)
    delete = "<delete xmlns='%s' id='%%s'/>" % OWN
    refuses(juliet.iq("set", delete % slots[0].id, up.domain),
            "item-not-found")
    refuses(up.romeo.iq("set", delete % "../x", up.domain), "item-not-found")
    assert up.there(slots[0])
    assert up.romeo.iq("set", delete % slots[0].id, up.domain).get(
        "type") == "result"
    assert not up.there(slots[0])
    assert up.usage()["files"] == 101


def test_a_list_goes_on_behind_anything(up):
    """Hostile 63: what pages a list is a value, and shows nobody more."""
    slot = up.upload()
    up.upload(by=up.scene.online("juliet/a"))
    for after in ("'", "' OR '1'='1", "\"; DROP TABLE log; --", "x" * 5000, "-1",
                  "0", "9" * 40, "%00", "*", "f" * 32):
        got = up.romeo.iq("get", "<files xmlns='%s' after=%s/>" % (
            OWN, quoteattr(after)), up.domain)
        if got.get("type") == "error":
            refuses(got, "item-not-found")
        else:
            assert {f.get("id") for f in got.find("files").elems()} <= {slot.id}
    assert [f.get("id") for f in own_files(up)[0]] == [slot.id]
    assert up.there(slot)


def send(up, xml, to="juliet", id_="m1", **attrs):
    up.romeo.send("<message to='%s' id='%s' type='%s'>%s</message>" % (
        up.scene.accounts[to].jid, id_, attrs.get("type_", "chat"), xml))


def retract(up, id_="m1", to="juliet"):
    send(up, "<retract xmlns='urn:xmpp:message-retract:1' id='%s'/>"
         "<body>/me retracted</body>" % id_, to, "r-" + id_)


CARRIES = [
    "<body>%s</body>",
    "<body>look</body><x xmlns='jabber:x:oob'><url>%s</url></x>",
    "<body>look</body><file-sharing xmlns='urn:xmpp:sfs:0'><sources>"
    "<url-data xmlns='http://jabber.org/protocol/url-data' target='%s'/>"
    "</sources></file-sharing>",
    "<body>look</body><reference xmlns='urn:xmpp:reference:0' type='data'>"
    "<media-sharing xmlns='urn:xmpp:sims:1'><sources>"
    "<reference xmlns='urn:xmpp:reference:0' type='data' uri='%s'/>"
    "</sources></media-sharing></reference>"]


@pytest.mark.parametrize("carries", CARRIES)
def test_what_is_retracted_goes(up, carries):
    slot = up.upload()
    send(up, carries % slot.get)
    retract(up, "other")
    up.romeo.ping()
    assert up.there(slot)
    retract(up)
    assert up.gone(slot)
    assert up.listed_no_more()


def test_all_files_of_one_message_go_with_it(up):
    slots = [up.upload(b"%d" % i) for i in range(3)]
    send(up, "<body>look</body>" + "".join(
        "<x xmlns='jabber:x:oob'><url>%s</url></x>" % s.get for s in slots))
    send(up, CARRIES[0] % slots[1].get, id_="m2")
    up.romeo.ping()
    retract(up)
    assert up.gone(slots[0]) and up.gone(slots[2])
    assert up.there(slots[1])
    retract(up, "m2")
    assert up.gone(slots[1])
    assert up.listed_no_more()


def test_what_another_message_carries_stays(up):
    slot = up.upload()
    send(up, CARRIES[0] % slot.get, id_="m1")
    send(up, CARRIES[0] % slot.get, id_="m2")
    up.romeo.ping()
    retract(up, "m1")
    up.romeo.ping()
    assert up.there(slot)
    retract(up, "m2")
    assert up.gone(slot)


def test_what_is_deleted_as_it_is_sent_leaves_no_note(own_server):
    """Whether the note of a message or the deletion of its file is first."""
    up = Uploads(own_server)
    slots = [up.upload() for _ in range(40)]
    for i, slot in enumerate(slots):
        send(up, CARRIES[0] % slot.get, id_="m%d" % i)
        up.romeo.send("<iq type='set' id='d%d' to='%s'><delete xmlns='%s' "
                      "id='%s'/></iq>" % (i, up.domain, OWN, slot.id))
    for _ in slots:
        assert up.romeo.next().get("type") == "result"
    assert up.files() == []
    # and what was noted is on disk
    up.server.stop()
    db = sqlite3.connect(up.server.conf["storage"]["path"])
    with contextlib.closing(db):
        assert db.execute("SELECT name, key FROM map WHERE name LIKE "
                          "'upload_sent%'").fetchall() == []


def test_nobody_retracts_what_is_anothers(up):
    slot = up.upload()
    send(up, CARRIES[1] % slot.get)
    juliet = up.scene.online("juliet/a")
    up.romeo, romeo = juliet, up.romeo
    send(up, CARRIES[1] % slot.get, "romeo", "j1")
    retract(up, "j1", "romeo")
    retract(up, "m1", "romeo")
    juliet.ping()
    up.romeo = romeo
    assert up.there(slot)
    assert up.files() != []


# --- other people's clients ---------------------------------------------------------

class Here(aiohttp.abc.AbstractResolver):
    """Every name is that of this machine."""

    async def resolve(self, host, port=0, family=socket.AF_INET):
        return [{"hostname": host, "host": "127.0.0.1", "port": port,
                 "family": socket.AF_INET, "proto": 0,
                 "flags": socket.AI_NUMERICHOST}]

    async def close(self):
        pass


async def share(scene):
    """slixmpp finds the service, uploads by its own library, and fetches."""
    romeo = Peer(scene.accounts["romeo"], scene.server)
    romeo.register_plugin("xep_0363")
    romeo.connect(("127.0.0.1", scene.server.port("starttls")))
    await asyncio.wait_for(romeo.ready, PATIENCE)
    body = os.urandom(3_000_001)
    session = aiohttp.ClientSession

    def here(**how):
        return session(connector=aiohttp.TCPConnector(
            ssl=ssl.create_default_context(cafile=scene.server.ca_file),
            resolver=Here()), **how)
    # what looks for it by itself does not run with this Python
    plugin = romeo["xep_0363"]
    info = await romeo["xep_0030"].get_info(
        jid="upload." + scene.server.domain, timeout=PATIENCE)
    assert ("store", "file") in {
        i[:2] for i in info["disco_info"]["identities"]}
    plugin.upload_service, plugin.max_file_size = info["from"], 100 << 20
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(aiohttp, "ClientSession", here)
        patch.setattr("slixmpp.plugins.xep_0363.http_upload.ClientSession",
                      here)
        url = await plugin.upload_file(
            "pictüre.png", input_file=io.BytesIO(body), timeout=PATIENCE)
        async with here() as web_, web_.get(url) as got:
            assert got.status == 200 and await got.read() == body
            assert got.content_type == "image/png"
            assert got.content_disposition.filename == "pictüre.png"
    await asyncio.wait_for(romeo.disconnect(), PATIENCE)


def test_slixmpp_shares_a_picture(up):
    play(up.scene, share)


# --- what is found and mended ---------------------------------------------------------

def test_files_and_records_without_each_other(own_server):
    up = Uploads(own_server)
    lost, cut = up.upload(), up.upload()
    kept = {up.upload().id for _ in range(30)}
    folder = os.path.join(up.server.folder, "files", DOMAIN)

    def path(id_):
        return os.path.join(folder, id_[:2], id_[2:4], id_)
    os.unlink(path(lost.id))
    with open(path(cut.id), "w") as f:
        f.write("hel")
    young = "cd" * 16
    strays = {os.urandom(16).hex() for _ in range(100)}
    for id_ in strays | {young}:
        os.makedirs(os.path.dirname(path(id_)), exist_ok=True)
        with open(path(id_), "w") as f:
            f.write("stray")
    old = time.time() - 2 * DAY
    for id_ in strays | kept: # among each other, in each slice
        os.utime(path(id_), (old, old))
    up.server.unprivileged() # whose all of it is
    want = sorted([(lost.id, "no file"), (cut.id, "another size")] +
                  [(stray, "no record") for stray in strays])
    for args in ((), ("--mend",)):
        found = up.rows("upload-check", DOMAIN, *args)
        assert sorted((r["id"], r["found"]) for r in found) == want
        assert {os.path.exists(path(stray)) for stray in strays} == {
            args == ()}
    assert up.rows("upload-check", DOMAIN) == []
    assert not up.there(lost) and not up.there(cut)
    assert {f["id"] for f in up.files()} == kept
    assert {os.path.exists(path(id_)) for id_ in kept | {young}} == {True}
    up.server.check()


def test_a_folder_that_cannot_be_had_is_told_at_the_start(own_server):
    server = own_server(conf_of({"folder": "/proc/none/files"}))
    server.process.wait_line("nothing can be uploaded reason=.*/proc/none/files")
    server.process.alarms.clear()
    server.stop()


def test_what_was_cut_by_a_crash_is_removed(own_server):
    """Where files that come have names (disk_temp.c): the next one finds them."""
    up = Uploads(own_server)
    left = os.path.join(up.server.folder, "files", ".tmp", "0123-1")
    up.upload()
    up.server.kill9()
    os.makedirs(os.path.dirname(left), exist_ok=True)
    with open(left, "w") as f:
        f.write("hel")
    up.server.unprivileged() # whose all of it is
    up.server.start()
    romeo = up.scene.accounts["romeo"]
    up.romeo = Client(up.server).login(romeo.name, romeo.password)
    up.upload()
    while os.path.exists(left):
        up.server.ctl("status")
    up.server.check()


def notes(up):
    folder = os.path.join(up.server.folder, "files", DOMAIN, "new")
    return set(os.listdir(folder)) if os.path.isdir(folder) else set()


def again(up):
    """Starts after a crash; and what comes of that is done."""
    up.server.start()
    romeo = up.scene.accounts["romeo"]
    up.romeo = Client(up.server).login(romeo.name, romeo.password)
    up.upload()
    up.server.advance(61)
    for _ in range(300):
        if not notes(up):
            break
        up.server.ctl("status")
    assert notes(up) == set()


def test_what_a_crash_left_without_a_record_goes(own_server):
    """Of those that were about to be finished; of no others."""
    up = Uploads(own_server)
    slot = up.upload()
    up.server.kill9()
    lost, stray, none = "ab" * 16, "cd" * 16, "ef" * 16
    folder = os.path.join(up.server.folder, "files", DOMAIN)

    def write(*names):
        path = os.path.join(folder, *names)
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(path, "w") as f:
            f.write("hello")
    for id_ in lost, stray:
        write(id_[:2], id_[2:4], id_)
    for id_ in lost, none, slot.id, "x":
        write("new", id_)
    up.server.unprivileged() # whose all of it is
    up.server.start()
    up.server.advance(61)
    for _ in range(300):
        if notes(up) == {"x"}:
            break
        up.server.ctl("status")
    assert notes(up) == {"x"}
    assert {os.path.basename(path) for path in on_disk(up.server)} == {
        slot.id, stray}
    up.server.check()


def test_a_crash_leaves_no_file_that_nobody_knows(own_server):
    up = Uploads(own_server, {
        "disk_threads": 1, "limits": {"http_bodies_per_address": 1000}},
        user_slots=200)
    slots = [up.slot() for _ in range(100)]
    conns = [begun(up, slot, b"hello") for slot in slots]
    for conn in conns:
        conn.send(b"hello")
    conns[len(conns) // 2].answer()
    up.server.kill9()
    again(up)
    assert {f["id"] for f in up.files()} == {
        os.path.basename(path) for path in on_disk(up.server)}
    assert len(on_disk(up.server)) > 1
    up.server.check()


def test_hosts_have_folders_of_their_own(own_server):
    """Whoever comes to one while files of another are looked at."""
    up = Uploads(own_server, {"shards": 1})
    host = dict(up.server.conf["hosts"][OTHER_DOMAIN])
    host["modules"] = {"upload": {
        "folder": os.path.join(up.server.folder, "others")}}
    up.server.conf["hosts"][OTHER_DOMAIN] = host
    up.server.write_conf()
    up.server.ctl("reload")
    slots = [up.upload(b"%d" % i) for i in range(40)]
    up.server.adduser("juliet", "secret", OTHER_DOMAIN)
    juliet = Client(up.server, domain=OTHER_DOMAIN).login("juliet", "secret")
    up.domain = "upload." + OTHER_DOMAIN
    hers = up.slot(by=juliet)
    web = up.web()
    assert web.ask(hers.path, "PUT", OTHER_DOMAIN, "Content-Type: text/plain\r\n"
                   "Content-Length: 5\r\nAuthorization: %s\r\n" % hers.token,
                   b"hello").status == 201
    with open(os.path.join(up.server.folder, "others", OTHER_DOMAIN, hers.id[:2],
                           hers.id[2:4], hers.id), "rb") as f:
        assert f.read() == b"hello"
    with subprocess.Popen(
            [os.path.join(up.server.build, "antiphonctl"), "--socket",
             up.server.socket, "--json", "upload-check", DOMAIN],
            stdout=subprocess.PIPE, text=True) as check:
        while check.poll() is None:
            with contextlib.closing(up.web()) as web:
                assert web.ask(hers.path, host=OTHER_DOMAIN).body == b"hello"
        assert (check.returncode, check.stdout.read()) == (0, "")
    assert up.there(slots[0])
    up.server.check()


def test_a_check_ends_where_it_began(own_server):
    """However often a reload says that files are elsewhere."""
    up = Uploads(own_server, user_slots=1000)
    slots = [up.upload(by=up.romeo) for _ in range(200)]
    with concurrent.futures.ThreadPoolExecutor() as threads:
        for i in range(5):
            found = [threads.submit(up.rows, "upload-check", DOMAIN)
                     for _ in range(4)]
            if i % 2 == 0:
                up.server.conf["modules"]["upload"]["folder"] = os.path.join(
                    up.server.folder, "others")
            else:
                del up.server.conf["modules"]["upload"]["folder"]
            up.server.write_conf()
            up.server.ctl("reload")
            for _ in range(6): # on each shard
                up.get(slots[0])
            assert all(len(f.result()) in (0, 200) for f in found)
    up.server.check()


def test_what_was_acknowledged_outlives_a_crash(own_server):
    up = Uploads(own_server)
    slots = [up.upload(os.urandom(1000)) for _ in range(20)]
    bodies = [up.get(s).body for s in slots]
    up.server.kill9()
    up.server.start()
    assert [up.get(s).body for s in slots] == bodies
    assert up.rows("upload-check", DOMAIN) == []
    assert up.usage()["files"] == 20
    up.server.check()


def test_a_backup_is_a_copy_of_both(own_server, tmp_path):
    """As antiphond(8) has it: files behind the database, and back before it."""
    up = Uploads(own_server)
    slot = up.upload()
    copy = os.path.join(up.server.folder, "copy")
    os.makedirs(copy, mode=0o777)
    os.chmod(copy, 0o777)
    up.server.ctl("backup", os.path.join(copy, "db"))
    files = os.path.join(up.server.folder, "files")
    subprocess.run(["cp", "-a", files, copy], check=True)
    late = up.upload()
    up.server.stop()
    database = os.path.join(up.server.folder, "data.sqlite")
    for name in os.listdir(up.server.folder):
        if name.startswith("data.sqlite"):
            os.unlink(os.path.join(up.server.folder, name))
    subprocess.run(["rm", "-r", files], check=True)
    subprocess.run(["cp", "-a", os.path.join(copy, "db"), database],
                   check=True)
    subprocess.run(["cp", "-a", os.path.join(copy, "files"), files],
                   check=True)
    up.server.start()
    assert up.there(slot) and not up.there(late)
    assert up.rows("upload-check", DOMAIN) == []
    up.server.check()


# --- where nobody could upload ------------------------------------------------------

C2S, HTTP, HTTPS, WEB = (
    {"kind": kind, "address": "127.0.0.1", "port": 0, "tls": tls}
    for kind, tls in (("c2s", "starttls"), ("http", "none"),
                      ("https", "direct"), (["c2s", "web"], "direct")))
BARE = {"certificate": None, "key": None, "auth": {"tls_required": "no"}}
ADD = "add { kind: https }"


@pytest.mark.parametrize("listen, host, said", [
    ([C2S, HTTPS], {}, None),
    ([WEB], {}, None),
    # that of the other host names it, too
    ([C2S, HTTPS], BARE, None),
    ([C2S, HTTP], {"public_url": "https://www.antiphon.test"}, None),
    ([C2S, HTTP], {"public_url": "https://www.antiphon.test", **BARE}, None),
    ([C2S], {}, "nobody can use the module upload: `listen' has no port for it; "
     + ADD + ", or switch it off by `modules: { upload: no }'"),
    ([C2S, HTTP], {}, "upload.antiphon.test is not there: no port for HTTP has "
     "TLS; " + ADD + " to `listen', or set `public_url'"),
    ([C2S, HTTPS], {"public_url": "http://www.antiphon.test"},
     "upload.antiphon.test is not there: `public_url' of the host does not "
     "begin with https://"),
])
def test_where_no_address_is_https_nobody_uploads(own_server, listen, host, said):
    """XEP-0363 §4: it MUST be.  check-config and the log say what helps."""
    server = own_server({"listen": listen, "federation": "off",
                         "modules": {"proxy65": "no"}}, start=False)
    server.conf["hosts"][DOMAIN] = {
        k: v for k, v in {**server.conf["hosts"][DOMAIN], **host}.items() if v}
    server.write_conf()
    notes = [line for line in check_config(server).splitlines()
             if OTHER_DOMAIN not in line]
    assert [said] == [None] if not notes else said in notes[0]
    assert len(notes) == (said is not None)


def check_config(server):
    done = subprocess.run(
        [server.program(), "--check-config", "--config", server.conf_path,
         "--module-dir", server.module_dir()], capture_output=True, text=True,
        timeout=PATIENCE, **server.unprivileged())
    assert done.returncode == 0, done
    assert all(": note: " in line for line in done.stderr.splitlines())
    return done.stderr


def test_what_is_not_there_is_told_and_comes_with_a_reload(own_server):
    server = own_server({"listen": [C2S, HTTP, HTTPS], "modules": {
        "upload": {"file_bytes": "10MiB", "day_bytes": "1MiB"}}}, start=False)
    server.conf["hosts"]["bare.test"] = {}
    server.start()
    for said in ("upload.bare.test is not there: the host has no certificate",
                 "nobody can use the module proxy65: ",
                 "modules: upload: files of purpose message may have 1048576 "
                 "bytes at most, less than file_bytes, since day_bytes is less"):
        server.process.wait_line(re.escape(said))
        assert said in check_config(server)
    scene = scenes.Scene(server)
    scene.add_accounts("romeo")
    romeo = scene.online("romeo/a")

    def there(domain):
        return romeo.iq("get", INFO, "upload." + domain).get("type") == "result"
    assert there(DOMAIN) and not there("bare.test")
    server.conf["hosts"]["bare.test"] = {"public_url": "https://bare.test"}
    server.write_conf()
    start = len(server.process.lines)
    server.ctl("reload")
    assert there("bare.test")
    assert not any("upload.bare.test is not there" in line
                   for line in server.process.lines[start:])
