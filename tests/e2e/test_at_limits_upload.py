"""Uploads at the ends of what can be configured (see options.py): one server, which is
told of each by a reload."""

import os
import re

import pytest

import scene as scenes
from options import BOTH, MAX, MIN, number, option, proves, sworn
from test_services import refuses
from uploads import NOBODY_IS_SHORT, PURPOSE, Uploads

pytestmark = pytest.mark.only("antiphon")

OF = "modules: upload: "
# so that nothing else is in the way
WIDE = {**NOBODY_IS_SHORT, "file_bytes": "16TiB", "day_bytes": "1024TiB",
        "purposes": ["profile", "ephemeral", "permanent"]}
PURPOSES = ("profile", "ephemeral", "permanent")


@pytest.fixture(scope="module")
def one(pool):
    made = []

    def own_server(conf):
        made.append(pool.new(conf))
        return made[-1].start()
    yield Uploads(own_server, {"limits": {"idle_before_ping": "never",
                                          "connections_per_address": 5000}})
    for server in made:
        server.stop()


@pytest.fixture
def at(one):
    """Sets an option to an end, with another romeo; answers with what it comes to."""
    def set_to(name, end, **more):
        value = option(OF + name).value(end)
        one.server.conf["modules"]["upload"] = {**WIDE, **more, name: value}
        one.server.write_conf()
        one.server.ctl("reload")
        one.scene.end()
        one.scene = scenes.Scene(one.server)
        one.scene.add_accounts("romeo", "juliet")
        one.romeo = one.scene.online("romeo/a")
        one.me = one.scene.accounts["romeo"].jid
        return one, value
    yield set_to
    one.server.check()


def purpose_xml(name):
    more = (" expire-before='2099-12-31T00:00:00Z'" if name == "ephemeral"
            else "")
    return "<%s xmlns='%s'%s/>" % (name, PURPOSE, more) if name else ""


def largest(up, purpose=None):
    """The largest file for which there would be a slot."""
    got = up.request(size=2**62, purpose=purpose_xml(purpose))
    refuses(got, "not-acceptable")
    found = int(got.find("error", "file-too-large", "max-file-size").text())
    got = up.request(size=found, purpose=purpose_xml(purpose))
    # of what is larger than the disk no file can come
    assert got.get("type") == "result" or got.find(
        "error", "resource-constraint") is not None, got
    refuses(up.request(size=found + 1, purpose=purpose_xml(purpose)),
            "not-acceptable")
    return found


@proves(OF + "file_bytes")
@pytest.mark.parametrize("end", BOTH)
def test_how_large_a_file_may_be(at, end):
    up, value = at("file_bytes", end)
    assert largest(up) == number(value) == up.max_bytes()


@proves(OF + "day_bytes")
@pytest.mark.parametrize("end", BOTH)
def test_how_much_a_day_has(at, end):
    up, value = at("day_bytes", end)
    assert largest(up) == min(number(value), 16 << 40)
    if end == "min":
        up.scene.end() # what was granted is his; another one has none
        up, _ = at("day_bytes", end)
        up.upload(b"x")
        refuses(up.request(size=1), "resource-constraint")


def prove_purposes(*names, ends=BOTH):
    def mark(test):
        for purpose in PURPOSES:
            for name in names:
                proves(OF + "%s_%s" % (purpose, name), ends=ends)(test)
        return test
    return mark


@prove_purposes("file_bytes", "day_bytes")
@pytest.mark.parametrize("end", BOTH)
@pytest.mark.parametrize("purpose", PURPOSES)
def test_how_much_there_may_be_for_a_purpose(at, purpose, end):
    for name, other in (("file_bytes", "day_bytes"),
                        ("day_bytes", "file_bytes")):
        up, value = at("%s_%s" % (purpose, name), end, file_bytes="3000",
                       day_bytes="3000",
                       **{"%s_%s" % (purpose, other): "1024TiB"
                          if other == "day_bytes" else "16TiB"})
        want = min(number(value), 16 << 40) if end == "max" else 3000
        assert largest(up, purpose) == want
        assert up.max_bytes() == 3000


def age(up, slot):
    return int(re.search(r"max-age=(\d+)",
                         up.get(slot).fields["cache-control"])[1])


@proves(OF + "expire_after")
@pytest.mark.parametrize("end", BOTH)
def test_how_long_a_file_stays(at, end):
    up, value = at("expire_after", end)
    slot = up.upload()
    if end == "max":
        assert up.files()[0]["expires"] == "never"
        assert age(up, slot) == 365 * 86400
        return
    seconds = number(value) // 10**6
    up.server.advance(seconds - 2)
    assert up.there(slot)
    up.server.advance(3)
    assert not up.there(slot)


@prove_purposes("expire_after")
@pytest.mark.parametrize("end", BOTH)
@pytest.mark.parametrize("purpose", PURPOSES)
def test_how_long_a_file_of_a_purpose_stays(at, purpose, end):
    up, value = at(purpose + "_expire_after", end, expire_after="1h")
    slot = up.upload(purpose=purpose_xml(purpose))
    if end == "min": # as expire_after
        assert 3500 < age(up, slot) <= 3600
    else:
        assert age(up, slot) == 365 * 86400


@proves(OF + "user_bytes")
@pytest.mark.parametrize("end", BOTH)
def test_how_much_a_user_may_have(at, end):
    """0 is any amount, and the largest is out of reach."""
    up, value = at("user_bytes", end)
    up.upload(b"x" * 100_000)
    assert up.usage()["bytes_max"] == number(value)
    assert largest(up) == 16 << 40


@proves(OF + "user_files", ends=MIN)
def test_one_file(at):
    up, _ = at("user_files", "min")
    up.upload()
    refuses(up.request(), "resource-constraint")


sworn(OF + "user_files", MAX,
      "ten million files are not made in a test: test_upload.py is refused the third "
      "of two")


@proves(OF + "user_slots")
@pytest.mark.parametrize("end", BOTH)
def test_so_many_slots(at, end):
    up, value = at("user_slots", end)
    for _ in range(int(value)):
        last = up.slot()
    refuses(up.request(), "resource-constraint")
    assert up.put(last).status == 201
    up.slot()


@proves(OF + "slot_timeout")
@pytest.mark.parametrize("end", BOTH)
def test_how_long_a_slot_is_good(at, end):
    up, value = at("slot_timeout", end)
    seconds = number(value) // 10**6
    early, late = up.slot(), up.slot()
    up.server.advance(seconds - 5)
    assert up.put(early).status == 201
    up.server.advance(6)
    assert up.put(late).status == 403


@proves(OF + "disk_free_bytes")
@proves(OF + "disk_free_percent")
@pytest.mark.parametrize("end", BOTH)
@pytest.mark.parametrize("name", ["disk_free_bytes", "disk_free_percent"])
def test_how_much_stays_free(at, name, end):
    up, value = at(name, end)
    disk = os.statvfs(up.server.folder)
    enough = end == "min" or (name == "disk_free_percent" and
                              disk.f_bavail > disk.f_blocks * 0.991)
    if enough:
        up.upload()
    else:
        refuses(up.request(), "resource-constraint")
