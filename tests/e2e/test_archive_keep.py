"""What is too old leaves the archives, and the oldest where there is too much
(XEP-0313 §3.2); what waits for who is away goes on waiting."""

import pytest

import scene as scenes
from antiphon import merge
from test_archive import ENTRY, archive
from test_offline_sm import ROOM, Phone, Sender

pytestmark = pytest.mark.only("antiphon")

WALK = 3700
LOST = r"archives have lost their oldest host=%s messages=(\d+)"


def served(own_server, **options):
    return own_server(merge(ROOM, {"modules": {"archive": options}}))


@pytest.fixture
def scene(own_server):
    scene = scenes.Scene(served(own_server, keep="2h"),
                         ("romeo", "juliet", "nurse"))
    scene.befriend("romeo", "juliet")
    yield scene
    scene.end()


def texts(scene, who):
    return [row[2].partition("<body>")[2].partition("<")[0]
            for row in archive(scene.server, scene.accounts[who].jid)]


def bytes_of(scene, *who):
    return sum(len(row[2]) + ENTRY for name in who for row in
               archive(scene.server, scene.accounts[name].jid))


def walk(server, seconds, messages):
    """Moves the clock; until so many are gone at the first host, in one walk."""
    start = len(server.process.lines)
    server.advance(seconds)
    found = server.process.wait_line(LOST % server.domain, start)
    assert int(found[1]) == messages


def notes(scene, who, *bodies):
    """What somebody says to himself."""
    client = scene.login(who + "/notes")
    client.send("".join("<message type='chat'><body>%s</body></message>" % body
                        for body in bodies))
    client.iq("set", scenes.BARRIER)
    client.close()


def many(n, size=0):
    return ["%d%s" % (i, "x" * size) for i in range(n)]


def test_what_is_too_old_goes(scene):
    """And no more than that, in slices, of all who have any."""
    notes(scene, "romeo", *many(150))
    sender = Sender(scene)
    sender.say(*many(100))
    sender.client.close()
    scene.server.advance(5000)
    notes(scene, "romeo", "young")
    walk(scene.server, WALK, 350)
    assert texts(scene, "romeo") == ["young"]
    assert texts(scene, "juliet") == []
    # what waits was nowhere else, and is given once
    phone = Phone(scene)
    phone.come_for_all_to_see()
    phone.no_more_but(many(100))
    notes(scene, "romeo", "new")
    walk(scene.server, WALK, 1)
    assert texts(scene, "romeo") == ["new"]


def test_a_stop_in_the_middle(scene):
    """Who stops waits for a slice; the next start goes on."""
    notes(scene, "romeo", *many(640))
    notes(scene, "juliet", "last")
    scene.server.advance(8000)
    scene.server.restart()
    scene.server.advance(8000)
    scene.server.process.wait_line(LOST % scene.server.domain)
    assert texts(scene, "romeo") == texts(scene, "juliet") == []


def test_the_oldest_of_a_host(own_server):
    """host_bytes: of whomever, and not more than a slice too much."""
    most = 200000
    scene = scenes.Scene(served(own_server, host_bytes=str(most)),
                         ("romeo", "juliet", "nurse"))
    notes(scene, "romeo", *many(150, 1000))
    notes(scene, "juliet", *many(150, 1000))
    scene.server.advance(30)
    notes(scene, "nurse", *many(50, 1000))
    before = texts(scene, "nurse")
    start = len(scene.server.process.lines)
    scene.server.advance(100)
    while bytes_of(scene, "romeo", "juliet", "nurse") > most:
        found = scene.server.process.wait_line(LOST % scene.server.domain, start)
        assert int(found[1]) > 0
        start = len(scene.server.process.lines)
    assert bytes_of(scene, "romeo", "juliet", "nurse") > most - 64 * 1400
    assert texts(scene, "nurse") == before
    scene.end()


def reload_with(server, host, **options):
    hosts = server.conf["hosts"]
    hosts[host] = {**hosts[host], "modules": {"archive": options}}
    server.write_conf()
    server.ctl("reload")


def test_a_reload_lowers_the_bounds(own_server):
    """keep and max_bytes, of one host, and for those too who say nothing more."""
    server = served(own_server)
    scene = scenes.Scene(server, ("romeo", "juliet"))
    notes(scene, "romeo", *many(100, 1000))
    notes(scene, "juliet", "stays")
    server.advance(4000)
    reload_with(server, server.other_domain, keep="never", host_bytes="2GiB")
    reload_with(server, server.domain, max_bytes="64KiB")
    status = server.ctl("status")
    for host, what in ((server.domain, "365d up to 64KiB an account"),
                       (server.other_domain,
                        "ever up to 1GiB an account and 2GiB in all")):
        assert "%s: archives for %s" % (host, what) in " ".join(status.split())
    server.advance(100)
    found = server.process.wait_line(LOST % server.domain)
    left = texts(scene, "romeo")
    assert left == many(100, 1000)[int(found[1]):]
    assert 65536 - 1400 < bytes_of(scene, "romeo") <= 65536
    assert texts(scene, "juliet") == ["stays"]
    reload_with(server, server.domain, keep="1h")
    walk(server, 100, len(left) + 1)
    assert texts(scene, "romeo") == texts(scene, "juliet") == []
    scene.end()
