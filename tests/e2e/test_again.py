"""What clients send again, since they do not know whether it has arrived: each
message is in each archive once, and is seen once (XEP-0198, XEP-0313)."""

import collections
import random
import re
import secrets
import sqlite3
import threading

import pytest

import scene as scenes
from client import Client, Closed
from process import PATIENCE
from sm import SM, enable

pytestmark = pytest.mark.only("antiphon")
KILLS = 8
MESSAGE = ("<message to='%s' id='%s' type='chat'><body>%s</body></message>"
           "<r xmlns='urn:xmpp:sm:3'/>")
CALM = {"limits": {"stanzas_burst": 100000},
        "modules": {"archive": {"stranger_bytes": "1GiB"}}}


def archived(server, account):
    """How often each id is in the archive."""
    db = sqlite3.connect("file:%s?mode=ro" % server.conf["storage"]["path"],
                         uri=True)
    try:
        return collections.Counter(
            re.search(r' id="(.*?)"', value)[1] for value, in db.execute(
                "SELECT value FROM entries WHERE host = ? AND owner = ? AND"
                " name = 'archive'", (server.domain, account.name)))
    finally:
        db.close()


class Sender(threading.Thread):
    """Sends what was not acknowledged, and then more, until the connection ends
    or `more' are acknowledged; keeps the rest for the next one."""

    def __init__(self, server, account, to, unacked, n, more):
        super().__init__(daemon=True)
        self.account, self.to, self.unacked = account, to, unacked
        self.n, self.last = n, n + more
        self.error = None
        self.client = Client(server).login(account.name, account.password)
        enable(self.client)

    def write(self, id_):
        self.client.send(MESSAGE % (self.to, id_, "x" * (id_ % 50 + 1)))

    def run(self):
        try:
            for id_ in self.unacked:
                self.write(id_)
            acked = 0
            while self.unacked or self.n < self.last:
                while self.n < self.last and len(self.unacked) < 20:
                    self.unacked.append(self.n)
                    self.write(self.n)
                    self.n += 1
                e = self.client.next("<a/>")
                if e.is_("r", SM):
                    self.client.send("<a xmlns='%s' h='0'/>" % SM)
                elif e.is_("a", SM):
                    for _ in range(int(e.get("h")) - acked):
                        self.unacked.popleft()
                    acked = int(e.get("h"))
        except (Closed, OSError):
            pass # the server was killed under our hands
        except BaseException as e: # for the main thread to raise
            self.error = e

    def end(self):
        self.join(PATIENCE * 3)
        assert not self.is_alive()
        if self.error is not None:
            raise self.error
        return self.n


class Reader(threading.Thread):
    """Notes the ids of messages until its connection ends."""

    def __init__(self, server, account, seen):
        super().__init__(daemon=True)
        self.seen = seen
        self.client = Client(server).login(account.name, account.password, "j")
        self.client.send("<presence/>")
        self.client.ping()

    def run(self):
        try:
            while True:
                e = self.client.next()
                if e.name == "message":
                    self.seen[e.get("id")] += e.child("delay") is None
        except (Closed, OSError):
            pass


def test_killed_under_those_who_send_again(own_server):
    seed = secrets.randbits(32)
    rng = random.Random(seed)
    server = own_server(CALM)
    scene = scenes.Scene(server, ("romeo", "juliet"))
    romeo, juliet = scene.accounts["romeo"], scene.accounts["juliet"]
    n, unacked, seen = 0, collections.deque(), collections.Counter()
    again = 0
    for i in range(KILLS + 1):
        reader = Reader(server, juliet, seen)
        reader.start()
        again += len(unacked)
        sender = Sender(server, romeo, juliet.jid, unacked, n,
                        100000 if i < KILLS else 100)
        sender.start()
        if i < KILLS:
            # not to wait for anything: to die at different moments
            threading.Event().wait(rng.uniform(0.05, 0.3))
            server.kill9()
            n = sender.end()
            reader.join(PATIENCE)
            server.start()
        else:
            n = sender.end()
    assert not unacked and again, "seed %d" % seed
    sender.client.close()
    ids = {str(i): 1 for i in range(n)}
    for account in (romeo, juliet):
        assert archived(server, account) == ids, "seed %d" % seed
    assert max(seen.values()) == 1, "seed %d" % seed
    reader.client.drop()
    scene.end()


def say(c, to, id_):
    """Behind this, it has arrived."""
    c.send(MESSAGE % (to, id_, "x"))
    c.take(lambda e: e.is_("a", SM) and e.get("h") == "1", "<a h='1'/>")


@pytest.mark.parametrize("how", ("stop", "kill", "kill and stops",
                                 "kill long ago"))
def test_a_stop_is_no_kill(own_server, how):
    """Who loses no session is believed that he says it once more; and a stop makes
    nobody forget a kill."""
    server = own_server(CALM)
    scene = scenes.Scene(server, ("romeo", "juliet"))
    juliet = scene.accounts["juliet"]
    for i in range(2):
        romeo = scene.login("romeo/r%d" % i)
        enable(romeo)
        say(romeo, juliet.jid, "m")
        romeo.close()
        if i == 0 and how != "stop":
            server.kill9()
            server.start()
        for _ in range(2 if i == 0 and how != "kill" else 0):
            server.restart()
        if how == "kill long ago":
            server.advance(601)
    once = {"m": 1 if how in ("kill", "kill and stops") else 2}
    assert archived(server, juliet) == once
    assert archived(server, scene.accounts["romeo"]) == once
    scene.end()


@pytest.mark.parametrize("then", ("asleep", "replaced", "restarted", "closed"))
def test_a_session_that_was_left_behind(own_server, then):
    """By a client that begins anew, and has not said goodbye."""
    server = own_server(CALM)
    scene = scenes.Scene(server, ("romeo", "juliet"))
    juliet = scene.accounts["juliet"]
    romeo = scene.login("romeo/a")
    enable(romeo)
    say(romeo, juliet.jid, "m")
    if then == "closed":
        romeo.close()
    else:
        lines = len(server.process.lines)
        romeo.reset()
        server.process.wait_line("asleep", lines)
    a = scene.accounts["romeo"]
    if then == "restarted":
        server.ctl("kick", a.jid)
        server.restart()
    romeo = Client(server).login(a.name, a.password,
                                 "a" if then == "replaced" else "b")
    enable(romeo)
    say(romeo, juliet.jid, "m")
    once = {"m": 2 if then == "closed" else 1}
    assert archived(server, juliet) == once
    assert archived(server, a) == once
    romeo.close()
    scene.end()


@pytest.mark.parametrize("stopped", (False, True))
def test_a_goodbye_that_came_too_soon(own_server, stopped):
    """Before the client could know that all has arrived."""
    server = own_server(CALM)
    scene = scenes.Scene(server, ("romeo", "juliet"))
    juliet = scene.accounts["juliet"]
    romeo = scene.login("romeo/a")
    enable(romeo)
    romeo.send("<message to='%s' id='m' type='chat'><body>x</body></message>"
               "</stream:stream>" % juliet.jid)
    romeo.wait_end()
    romeo.drop()
    if stopped:
        server.restart()
    romeo = scene.login("romeo/b")
    enable(romeo)
    say(romeo, juliet.jid, "m")
    assert archived(server, juliet) == {"m": 1}
    assert archived(server, scene.accounts["romeo"]) == {"m": 1}
    scene.end()


def test_an_end_that_came_too_soon(own_server):
    """Before it was known what is there already."""
    server = own_server(CALM)
    scene = scenes.Scene(server, ("romeo", "juliet"))
    juliet = scene.accounts["juliet"]
    romeo = scene.login("romeo/a")
    enable(romeo)
    say(romeo, juliet.jid, "m")
    romeo.drop()
    server.kill9()
    server.start()
    romeo = scene.login("romeo/b")
    enable(romeo)
    lines = len(server.process.lines)
    romeo.send(MESSAGE % (juliet.jid, "m", "x") + "</bad>")
    romeo.wait_end()
    romeo.drop()
    server.process.wait_line("ended", lines)
    server.stop()
    assert archived(server, juliet) == {"m": 1}
    assert archived(server, scene.accounts["romeo"]) == {"m": 1}


def test_what_was_sent_first_may_come_last(own_server):
    """By a connection that was given up, and is not dead."""
    server = own_server(CALM)
    scene = scenes.Scene(server, ("romeo", "juliet"))
    juliet = scene.accounts["juliet"]
    old = scene.login("romeo/a")
    enable(old)
    new = scene.login("romeo/b")
    enable(new)
    say(new, juliet.jid, "m")
    say(old, juliet.jid, "m")
    assert archived(server, juliet) == {"m": 1}
    assert archived(server, scene.accounts["romeo"]) == {"m": 1}
    scene.end()
