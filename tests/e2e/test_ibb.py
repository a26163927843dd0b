"""In-band bytestreams (XEP-0047), and what others send to who gets them: the queue
is tested in tests/unit/test_session_bulk.c, here the kernel's is in it."""

import asyncio
import fcntl
import re
import secrets
import socket
import struct
import termios
import time

import pytest

import component
import s2s_peer
import scene as scenes
from client import PATIENCE
from sm import enable
from test_sm import authenticated, resume
from test_slixmpp import Peer, play, slixmpp
from test_stats import stats

pytestmark = pytest.mark.only("antiphon")

IBB = "http://jabber.org/protocol/ibb"
BOUND = 64 << 10
FAST = {"limits": {"bytes_per_second": "1GiB", "bytes_burst": "1GiB",
                   "stanzas_per_second": "1000000",
                   "stanzas_burst": "1000000"}}


def block(to, seq, size, kind="message", frm=None):
    return ("<%s to='%s' id='b%d'%s%s><data xmlns='%s' seq='%d' sid='s'>%s"
            "</data></%s>" % (kind, to, seq, " type='set'" * (kind == "iq"),
                              " from='%s'" % frm if frm else "",
                              IBB, seq, "A" * size, kind))


def in_its_system(c):
    """What the system of the client holds, and it has not read."""
    held = fcntl.ioctl(c.sock.fileno(), termios.FIONREAD, bytes(4))
    return struct.unpack("i", held)[0]


def read_until(c, mark):
    got = b""
    c.sock.settimeout(PATIENCE)
    while mark not in got:
        part = c.sock.recv(65536)
        assert part, "closed"
        got += part
    return got


def slow(scene, name):
    """Its system holds little."""
    c = scene.online(name)
    scene.flush()
    c.sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 16384)
    return c


def blocks(data):
    return [int(n) for n in re.findall(rb"<data [^>]*seq=['\"](\d+)", data)]


# --- a client that reads slowly ---------------------------------------------------


@pytest.mark.parametrize("size,kind", ((5464, "message"), (5464, "iq"),
                                       (21848, "message"), (87380, "iq")))
def test_a_message_passes_blocks(own_server, size, kind):
    """Ahead of it is what the system of the client had, and the bound; or one
    block, where that is larger."""
    server = own_server(FAST)
    scene = scenes.Scene(server, ("romeo", "juliet", "nurse"))
    scene.befriend("romeo", "juliet")
    scene.befriend("nurse", "juliet")
    romeo, nurse = scene.online("romeo/r"), scene.online("nurse/n")
    juliet = slow(scene, "juliet/j")
    # of requests no more is read until the first are answered
    n = (180000 if kind == "iq" else 700000) // size
    romeo.send("".join(block(juliet.jid, i, size, kind) for i in range(n)))
    romeo.send("<message to='%s' id='behind'><body>x</body></message>"
               % juliet.jid)
    while not stats(server)["bytestream_bytes"]:
        pass
    nurse.send("<message to='%s' id='now'><body>x</body></message>"
               % juliet.jid)
    nurse.ping()
    held = in_its_system(juliet)
    got = read_until(juliet, b'id="now"')
    ahead = got[:got.index(b'id="now"')]
    # a tenth for TLS and what is around the data
    assert len(ahead) <= (held + max(BOUND, size)) * 1.1
    got += read_until(juliet, b'id="behind"')
    assert blocks(got) == list(range(n))
    scene.end()


def test_blocks_go_back_when_the_client_ends(own_server):
    server = own_server(FAST)
    scene = scenes.Scene(server, ("romeo", "juliet"))
    scene.befriend("romeo", "juliet")
    romeo, juliet = scene.online("romeo/r"), slow(scene, "juliet/j")
    romeo.send("".join(block(juliet.jid, i, 5464, "iq") for i in range(32)))
    while not stats(server)["bytestream_bytes"]:
        pass
    juliet.reset()
    for _ in range(10):
        e = romeo.take(lambda e: e.get("type") == "error", "an error")
        assert e.child("error").get("type") == "wait"
    assert stats(server)["bytestream_bytes"] == 0
    scene.end()


def test_many_receivers(own_server):
    """Each gets all, in order, however the others read."""
    server = own_server(FAST)
    names = ["c%d" % i for i in range(100)]
    scene = scenes.Scene(server, ["romeo"] + names)
    romeo = scene.online("romeo/r")
    got = {scene.login(name + "/c"): b"" for name in names}
    for c in list(got)[::2]:
        c.sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 16384)
    for seq in range(20):
        romeo.send("".join(block(c.jid, seq, 5464) for c in got))
    left = set(got)
    deadline = time.monotonic() + 3 * PATIENCE
    while left and time.monotonic() < deadline:
        for c in list(left):
            c.sock.settimeout(0.01)
            try:
                got[c] += c.sock.recv(65536)
            except TimeoutError:
                pass
            if got[c].count(b"</data>") == 20:
                left.remove(c)
    for data in got.values():
        assert blocks(data) == list(range(20))


def pass_strangers_blocks(server, scene, stranger, frm):
    """Whoever cannot be slowed is refused what is too much; what gets through is in
    order, and a friend's message passes it."""
    scene.befriend("nurse", "juliet")
    nurse, juliet = scene.online("nurse/n"), slow(scene, "juliet/j")
    n = 900
    for i in range(n):
        stranger.send(block(juliet.jid, i, 5464, frm=frm))
    while not stats(server)["bytestream_bytes"]:
        pass
    nurse.send("<message to='%s' id='now'><body>x</body></message>"
               % juliet.jid)
    nurse.ping()
    held = in_its_system(juliet)
    got = read_until(juliet, b'id="now"')
    ahead = got[:got.index(b'id="now"')]
    assert len(ahead) <= (held + BOUND) * 1.1
    stranger.send("<message from='%s' to='%s' id='behind'/>"
                  % (frm, juliet.jid))
    got += read_until(juliet, b'id="behind"')
    assert blocks(got) == sorted(set(blocks(got)))
    assert server.alive()
    return n - len(blocks(got))


def test_a_component_sends_blocks(own_server):
    server = own_server(component.conf(FAST, files={
        "stanzas_per_second": "1000000", "bytes_per_second": "1GiB"}))
    scene = scenes.Scene(server, ("juliet", "nurse"))
    files = component.Component(server, "files").login()
    refused = pass_strangers_blocks(server, scene, files,
                                    "a@%s/x" % component.domain_of("files"))
    for _ in range(refused):
        files.take(lambda e: e.get("type") == "error", "an error")


def test_a_server_sends_blocks(own_server, authority):
    server = own_server(s2s_peer.conf(
        dict(FAST, s2s={"stanzas_per_second": "1000000",
                        "bytes_per_second": "1GiB"}),
        authorities=authority.cert))
    scene = scenes.Scene(server, ("juliet", "nurse"))
    peer = s2s_peer.Peer(server, s2s_peer.PEER,
                         authority.issue("good", s2s_peer.PEER)).secure()
    peer.external()
    pass_strangers_blocks(server, scene, peer, "a@%s/x" % s2s_peer.PEER)


def test_blocks_that_wait_are_there_after_a_resumption(own_server):
    """Those that were on their way come again, then those that waited."""
    server = own_server(FAST)
    scene = scenes.Scene(server, ("romeo", "juliet"))
    scene.befriend("romeo", "juliet")
    romeo, juliet = scene.online("romeo/r"), slow(scene, "juliet/j")
    previd = enable(juliet).get("id")
    n = 32
    romeo.send("".join(block(juliet.jid, i, 5464, "iq") for i in range(n)))
    while not stats(server)["bytestream_bytes"]:
        pass
    juliet.reset()
    again = authenticated(scene, "juliet")
    resume(again, previd)
    seen = [int(again.take(lambda e: e.child("data", IBB), "a block")
                .child("data", IBB).get("seq")) for _ in range(n)]
    assert seen == list(range(n))
    assert stats(server)["bytestream_bytes"] == 0
    again.close()


# --- clients of others -------------------------------------------------------------


async def send_file(scene, by_message):
    """Two at it, and a third who talks to the receiver meanwhile."""
    scene.befriend("romeo", "juliet")
    scene.befriend("nurse", "juliet")
    romeo, juliet, nurse = peers = [Peer(scene.accounts[n], scene.server)
                                    for n in ("romeo", "juliet", "nurse")]
    for peer in peers:
        peer.register_plugin("xep_0047", {"auto_accept": True})
        peer.connect(("127.0.0.1", scene.server.port("starttls")))
        await asyncio.wait_for(peer.ready, PATIENCE)
    data, got, closed = secrets.token_bytes(500_001), [], asyncio.Event()

    def on_data(stream):
        got.append(stream.recv_queue.get_nowait())
    juliet.add_event_handler("ibb_stream_data", on_data)
    juliet.add_event_handler("ibb_stream_end", lambda _: closed.set())
    stream = await romeo["xep_0047"].open_stream(
        juliet.boundjid, ifrom=romeo.boundjid, use_messages=by_message,
        timeout=PATIENCE)
    sending = asyncio.ensure_future(stream.sendall(data, timeout=PATIENCE))
    for i in range(20):
        nurse.send_message(mto=juliet.boundjid, mbody=str(i), mtype="chat")
        said = await asyncio.wait_for(juliet.messages.get(), PATIENCE)
        assert said["body"] == str(i)
    await sending
    await stream.close()
    await asyncio.wait_for(closed.wait(), PATIENCE)
    assert b"".join(got) == data
    for peer in peers:
        await asyncio.wait_for(peer.disconnect(), PATIENCE)


@pytest.mark.parametrize("by_message", (False, True))
def test_slixmpp_sends_a_file_in_band(own_server, by_message):
    assert slixmpp
    server = own_server(dict(FAST, shards=3))
    scene = scenes.Scene(server, ("nurse",))
    play(scene, lambda s: send_file(s, by_message))
    server.check()
