"""Messages for other servers that outlive a stop and a kill: the log of their pair."""

import socket
import threading
import time

import pytest

from client import Client
from process import PATIENCE
from s2s_peer import conf
from test_s2s_sm import PEER, SM, Counting, errors, facts, say, wait_fact

pytestmark = pytest.mark.only("antiphon")


class Sender(Client):
    """Counts what the server has acknowledged."""

    def __init__(self, server):
        super().__init__(server, "romeo")
        self.login("romeo", "secret", "x")
        self.send("<enable xmlns='%s'/>" % SM)
        self.take(lambda e: e.is_("enabled", SM), "to be counted")
        self.h = 0

    def wait_acked(self, h):
        deadline = time.monotonic() + PATIENCE
        while self.h < h:
            assert time.monotonic() < deadline, "%d of %d" % (self.h, h)
            self.send("<r xmlns='%s'/>" % SM)
            self.h = int(self.take(lambda e: e.is_("a", SM), "an <a/>").get("h"))


class Peer(Counting):
    """It goes down, and comes up at the same port."""

    def down(self):
        self.accepts = False
        self.sock.shutdown(socket.SHUT_RDWR)
        self.thread.join()
        self.end()

    def up(self):
        self.accepts = True
        self.sock = socket.socket()
        self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self.sock.bind(("127.0.0.1", self.port))
        self.sock.listen(64)
        self.thread = threading.Thread(target=self.run, daemon=True)
        self.thread.start()


@pytest.fixture
def peer(authority):
    made = Peer(authority.issue("good", PEER))
    yield made
    made.end()


@pytest.fixture
def start(own_server, authority, peer):
    def start(**s2s):
        server = own_server(conf({
            "remotes": peer.remotes(), "modules": {"sm": None},
            "s2s": {"backoff_max": "1s", **s2s}}, authorities=authority.cert))
        server.adduser("romeo", "secret")
        return server
    return start


def silent(stream, n):
    return None


def end_as(server, how):
    if how == "kill":
        server.kill9()
    else:
        server.stop()


@pytest.mark.parametrize("n", (1, 300))
@pytest.mark.parametrize("how", ("kill", "stop"))
def test_what_was_acknowledged_comes_after(start, peer, how, n):
    """The peer gets all, and says nothing; the sender's <a/> says that they are safe."""
    server = start()
    peer.answers = silent
    romeo = Sender(server)
    say(romeo, 0, n)
    peer.wait_body(1, n - 1)
    romeo.wait_acked(n)
    end_as(server, how)
    romeo.drop()
    peer.answers = lambda stream, got: got
    before = len(peer.streams)
    server.start()
    stream = peer.wait_body(before + 1, n - 1)
    assert peer.bodies(stream) == list(range(n))
    wait_fact(server, "counted", "%d sent, 0 of them not" % n)
    # and never again
    server.restart()
    assert "kept" not in facts(server, "out")
    assert len(peer.streams) == before + 1


@pytest.mark.parametrize("how", ("kill", "stop"))
def test_a_peer_that_is_down(start, peer, how):
    """Two ends of the server in between; what comes behind waits behind."""
    server = start()
    peer.answers = silent
    romeo = Sender(server)
    say(romeo, 0, 3)
    peer.wait_body(1, 2)
    romeo.wait_acked(3)
    peer.down()
    for _ in "12":
        end_as(server, how)
        romeo.drop()
        server.start()
        romeo = Sender(server)
        assert facts(server, "out")["kept"].startswith("3 messages from before")
    assert not errors(romeo)
    peer.answers = lambda stream, got: got
    peer.up()
    say(romeo, 3, 4)
    came = peer.wait_element(lambda e: e.is_("message") and
                             e.child("body").text() == "2" and
                             e not in peer.streams[0].got, "the last one")
    assert came.child("body").text() == "2"
    stream = peer.streams[-1]
    assert peer.bodies(stream)[:3] == [0, 1, 2]
    romeo.drop()


def test_without_it_a_stop_answers(start, peer):
    server = start(keep="0s")
    peer.answers = silent
    romeo = Sender(server)
    say(romeo, 0, 1)
    peer.wait_body(1, 0)
    romeo.wait_acked(1)
    server.restart()
    assert not facts(server, "out")


def test_after_its_time_it_is_answered(start, peer):
    server = start(keep="10m")
    peer.answers = silent
    romeo = Sender(server)
    say(romeo, 0, 2)
    peer.wait_body(1, 1)
    romeo.wait_acked(2)
    server.kill9()
    romeo.drop()
    peer.down()
    server.start()
    romeo = Sender(server)
    romeo.send("<presence/>")
    assert facts(server, "out")["kept"].startswith("2 messages from before")
    server.advance(590)
    assert not errors(romeo)
    server.advance(20)
    for i in range(2):
        got = romeo.take(lambda e: e.get("id") == "m%d" % i, "an answer")
        assert got.child("error").elems()[0].name == "remote-server-timeout"
    assert "kept" not in facts(server, "out")
    romeo.drop()


def test_the_log_says_why_what_was_kept_is_dropped(start, peer):
    server = start()
    peer.answers = silent
    romeo = Sender(server)
    say(romeo, 0, 1)
    peer.wait_body(1, 0)
    romeo.wait_acked(1)
    server.stop()
    romeo.drop()
    server.conf["federation"] = "off"
    server.write_conf()
    server.start()
    server.process.wait_line('are dropped from=%s to=%s reason="no host talks to other '
                             'servers any more"' % (server.domain, PEER))
