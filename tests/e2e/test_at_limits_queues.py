"""What may wait, at both ends (see options.py)."""

import socket

import pytest

from client import PATIENCE
from options import BOTH, MAX, MIN, proves, sworn
from scene import BARRIER
from test_at_limits import chat, served, stat
from test_at_limits_xml import WORST, filled, play

pytestmark = pytest.mark.only("antiphon")


# --- to one client --------------------------------------------------------------


def flood(romeo, to, n, size):
    for i in range(n):
        romeo.send("<message to='%s' type='chat' id='%d'><body>%s</body>"
                   "</message>" % (to, i, "x" * size))


def flood_more(romeo, to, size=100000):
    """Until the server reads no more of it for now."""
    romeo.sock.settimeout(0.3)
    text = ("<message to='%s' type='chat'><body>%s</body></message>"
            % (to, "x" * size)).encode()
    try:
        for _ in range(200):
            romeo.sock.sendall(text)
    except TimeoutError:
        pass


@proves("limits: write_queue_bytes", "limits: write_queue_max_bytes", ends=MIN)
@pytest.mark.parametrize("name", ("write_queue_bytes",
                                  "write_queue_max_bytes"))
def test_little_may_wait_for_a_client(own_server, name):
    """The largest stanza arrives all the same, and the largest roster."""
    server, most = served(own_server, "limits: " + name, "min")
    scene = play(server, "romeo", "juliet")
    for _ in range(3):
        scene["romeo/a"].send(filled(scene.binds["juliet"], 256 * 1024))
        scene["juliet/a"].take(lambda e: e.get("id") == "m", "the message")
    names = "".join("<iq type='set' id='%d'><query xmlns='jabber:iq:roster'>"
                    "<item jid='c%d@x.test' name='%s'/></query></iq>"
                    % (i, i, "&quot;" * 80) for i in range(900))
    scene["romeo/a"].send(names)
    for i in range(900):
        scene["romeo/a"].take(lambda e: e.get("id") == str(i), "a result")
    assert len(scene["romeo/a"].roster()) == 900
    # who does not read is cut off, and only he
    for c in (scene["romeo/a"], scene["juliet/a"]):
        c.inbox.clear()
    scene.online("romeo/b", settle=False)
    flood_more(scene["romeo/a"], scene["juliet/a"].jid)
    for _ in range(2):
        server.advance(61)
        scene["romeo/b"].ping()
    server.process.wait_line(r"cut off reason=")
    assert most == 65536
    scene.end()


MUCH = 64 << 20


def test_much_may_wait_for_a_client(own_server):
    server, _ = served(own_server, "limits: write_queue_max_bytes", "max", {
        "limits": {"write_queue_bytes": "1GiB", "mailbox_bytes": "16GiB",
                   "inbox_bytes": "1GiB", "memory": "16TiB"}})
    scene = play(server, "romeo", "juliet")
    n = MUCH // 200000
    flood(scene["romeo/a"], scene["juliet/a"].jid, n, 200000)
    scene["romeo/a"].ping()
    server.advance(3600)
    for i in range(n):
        scene["juliet/a"].take(lambda e: e.get("id") == str(i), "message")
    scene.end()


for name, much in (("write_queue_bytes", "1 GiB for one client"),
                   ("write_queue_max_bytes", "16 GiB for one client"),
                   ("mailbox_bytes", "16 GiB for one shard"),
                   ("memory", "16 TiB in all")):
    sworn("limits: " + name, MAX, much + "; %d MiB wait" % (MUCH >> 20))


@proves("limits: bytestream_bytes")
@pytest.mark.parametrize("end", BOTH)
def test_what_of_bytestreams_may_stand_ahead(own_server, end):
    """At the minimum one block, at the maximum all of these."""
    server, _ = served(own_server, "limits: bytestream_bytes", end)
    scene = play(server, "romeo", "juliet", "nurse")
    juliet = scene["juliet/a"]
    for i in range(4):
        scene["romeo/a"].send(
            "<message to='%s' id='b%d'><data xmlns='http://jabber.org/protocol"
            "/ibb' seq='%d' sid='s'>%s</data></message>"
            % (juliet.jid, i, i, "A" * 100000))
    scene["romeo/a"].ping()
    for i in range(4):
        e = juliet.take(lambda e: e.name == "message", "a block")
        assert e.get("id") == "b%d" % i
    waited = stat(server, "bytestream_bytes_highest")
    assert (waited != 0) == (end == "min")
    scene.end()


@proves("limits: write_bytes_per_second")
@pytest.mark.parametrize("end", BOTH)
def test_what_a_client_has_to_take(own_server, end):
    """At the maximum nobody takes enough who is behind; at the minimum, who
    takes a little."""
    server, _ = served(own_server, "limits: write_bytes_per_second", end)
    scene = play(server, "romeo", "juliet")
    juliet = scene["juliet/a"]
    juliet.sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 65536)
    flood_more(scene["romeo/a"], juliet.jid)
    juliet.sock.settimeout(PATIENCE)
    for _ in range(3):
        # more than what its system held already
        left = 500000
        while left > 0:
            got = juliet.sock.recv(100000)
            juliet.reader.feed(got)
            left -= len(got) or left  # who is cut off gets no more
        server.advance(61)
    cut = [line for line in server.process.lines if "cut off reason=" in line]
    assert bool(cut) == (end == "max")
    scene.end()


# --- to one shard, to one account -------------------------------------------------


@proves("limits: mailbox_bytes", ends=MIN)
@pytest.mark.parametrize("shards", (1, 4))
def test_little_may_wait_for_a_shard(own_server, shards):
    """Senders are slowed, and nothing is lost."""
    server, _ = served(own_server, "limits: mailbox_bytes", "min",
                       {"shards": shards})
    scene = play(server, "romeo", "juliet")
    n = 60
    flood(scene["romeo/a"], scene["juliet/a"].jid, n, 100000)
    got = []
    for i in range(n):
        got.append(scene["juliet/a"].take(lambda e: e.get("id") == str(i),
                                          "message %d" % i))
    scene["romeo/a"].ping()
    assert not [e for e in scene["romeo/a"].inbox if e.get("type") == "error"]
    scene.end()


@proves("limits: inbox_bytes", ends=MIN)
def test_little_may_wait_for_an_account(own_server):
    server, most = served(own_server, "limits: inbox_bytes", "min")
    scene = play(server, "romeo", "juliet")
    juliet = scene["juliet/a"]
    size = min(most, int(server.conf["limits"]["stanza_bytes"]))
    for _ in range(3):
        juliet.iq("set", BARRIER)  # nothing of hers waits for the disk
        juliet.close()
        server.advance(120)
        scene["romeo/a"].send(filled(scene.binds["juliet"], size,
                                     ("<y a='%s'/>", '"')))
        scene["romeo/a"].iq("get", "<vCard xmlns='vcard-temp'/>",
                            scene.binds["juliet"])
        # what comes behind it finds no room until the account is there
        assert not [e for e in scene["romeo/a"].inbox
                    if e.get("type") == "error" and e.get("id") == "m"]
        juliet = scene.online("juliet/a", settle=False)
        juliet.take(lambda e: e.get("id") == "m", "the message")
    scene.end()


def test_who_writes_himself_more_than_may_wait_is_told(own_server):
    """Of each message that is not kept, also where its error finds no room either."""
    server, _ = served(own_server, "limits: inbox_bytes", "min",
                       {"modules": {"archive": "yes"}})
    scene = play(server, "romeo")
    romeo, n = scene["romeo/a"], 300
    romeo.send("".join("<message id='%d'><body>a note</body></message>" % i
                       for i in range(n)))
    romeo.iq("set", BARRIER)
    romeo.ping()
    got = [(e.get("id"), e.get("type")) for e in romeo.inbox if e.is_("message")]
    assert sorted(int(id_) for id_, _ in got) == list(range(n))
    assert {type_ for _, type_ in got} <= {"error", None}
    scene.end()


def test_much_may_wait_for_an_account(own_server):
    server, _ = served(own_server, "limits: inbox_bytes", "max", {
        "modules": {"offline": {"max_bytes": "1GiB", "stranger_share": "100",
                                "sender_share": "100"}}})
    scene = play(server, "romeo", "juliet")
    scene["juliet/a"].close()
    server.advance(120)
    n = MUCH // 200000
    flood(scene["romeo/a"], scene.binds["juliet"], n, 200000)
    scene["romeo/a"].iq("get", "<vCard xmlns='vcard-temp'/>",
                        scene.binds["juliet"])
    assert not [e for e in scene["romeo/a"].inbox if e.get("type") == "error"]
    scene.online("juliet/a", settle=False)
    for i in range(n):
        scene["juliet/a"].take(lambda e: e.get("id") == str(i), "message")
    scene.end()


sworn("limits: inbox_bytes", MAX, "1 GiB for one account; %d MiB come while it "
      "is loaded" % (MUCH >> 20))


# --- in all ---------------------------------------------------------------------


@proves("limits: memory", ends=MIN)
@pytest.mark.parametrize("memory", (0, 16))
@pytest.mark.parametrize("end", BOTH)
def test_the_least_memory(own_server, memory, end):
    """0 is a half of what there is; else 16 times the largest stanza, which
    arrives, and so does the largest roster."""
    server, size = served(own_server, "limits: stanza_bytes", end)
    roster = max(65536, size // 4)
    server.conf["limits"].update({
        "memory": str(memory and max(memory * size, 4 * roster)),
        "roster_items": "10000", "roster_bytes": str(roster)})
    server.write_conf()
    server.ctl("reload")
    chat(server, 0)
    scene = play(server, "romeo", "juliet")
    for worst in WORST:
        scene["romeo/a"].send(filled(scene.binds["juliet"], size, worst))
        scene["juliet/a"].take(lambda e: e.get("id") == "m", "the message")
    n = roster // 1200
    for i in range(n):
        got = scene["romeo/a"].iq(
            "set", "<query xmlns='jabber:iq:roster'><item jid='c%d@x.test' "
            "name='%s'/></query>" % (i, "&quot;" * 160))
        assert got.get("type") == "result"
    assert len(scene["romeo/a"].roster()) == n
    scene.end()
