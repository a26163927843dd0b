"""Connections that come and go, at every stage, over TCP and TLS: they leave
nothing behind (hostile-04); nor do sessions that are resumed all day."""

import os
import sqlite3
import ssl

import pytest

import scene as scenes
from client import Client
from sm import SM, enable
from test_stats import memory, stats

pytestmark = [pytest.mark.only("antiphon"), pytest.mark.plain]

GROWTH_KIB = 2048
# caches of the database fill for a hundred rounds, by 3 MiB in all
PHONE_KIB = 4096
ROUNDS = 100


def at_once(server):
    return Client(server).connect()


def after_the_header(server):
    c = Client(server).connect()
    c.open()
    return c


def in_the_handshake(server):
    """Half of a ClientHello."""
    c = Client(server).connect()
    c.open()
    c.send("<starttls xmlns='urn:ietf:params:xml:ns:xmpp-tls'/>")
    c.sock.recv(4096)
    hello = ssl.MemoryBIO()
    # one that reads no authorities
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT).wrap_bio(
        ssl.MemoryBIO(), hello, server_hostname=server.domain)
    try:
        tls.do_handshake()
    except ssl.SSLWantReadError:
        pass
    c.send(hello.read()[:100])
    return c


def after_the_handshake(server):
    return Client(server).secure()


def in_the_exchange(server):
    c = Client(server).secure()
    c.send("<auth xmlns='urn:ietf:params:xml:ns:xmpp-sasl' mechanism="
           "'SCRAM-SHA-256'>biwsbj1yb21lbyxyPWFiYw==</auth>")
    c.sock.recv(4096)
    return c


@pytest.mark.parametrize("reset", [False, True])
@pytest.mark.parametrize("stage", [at_once, after_the_header,
                                   in_the_handshake, after_the_handshake,
                                   in_the_exchange])
def test_connections_leave_nothing(server, stage, reset):
    def rounds(n):
        for _ in range(n):
            c = stage(server)
            if reset:
                c.reset()
            else:
                c.drop()
    rounds(ROUNDS)
    before = server.memory_kib()
    rounds(ROUNDS)
    assert server.memory_kib() <= before + GROWTH_KIB


# --- a phone ----------------------------------------------------------------------

ADDRESSES = 200


class Phone:
    """It comes from another address each time, and acknowledges what it has."""

    def __init__(self, scene):
        self.scene, self.account = scene, scene.accounts["romeo"]
        self.c, self.n, self.got = None, 0, 0
        self.c = self.connect()
        self.c.bind("phone")
        self.id = enable(self.c).get("id")
        self.c.send("<presence/>")
        self.ping()

    def connect(self):
        self.n += 1
        c = Client(self.scene.server)
        c.secure(source="127.0.0.%d" % (2 + self.n % ADDRESSES))
        return c.auth(self.account.name, self.account.password)

    def resume(self, noticed):
        """noticed: the server knows that the last connection is gone."""
        server, old = self.scene.server, self.c
        if noticed:
            start = len(server.process.lines)
            old.reset()
            server.process.wait_line("asleep", start)
        server.advance(30)
        self.c = self.connect()
        self.c.send("<resume xmlns='%s' previd='%s' h='%d'/>"
                    % (SM, self.id, self.got))
        self.c.expect("<resumed xmlns='%s' previd='%s' h='*'/>"
                      % (SM, self.id))
        if not noticed:
            old.drop()

    def read(self, id_):
        while True:
            e = self.c.next("the stanza " + id_)
            if e.is_("r", SM):
                continue
            self.got += 1
            if e.get("id") == id_:
                break
        self.ack()

    def ack(self):
        self.c.send("<a xmlns='%s' h='%d'/>" % (SM, self.got))

    def ping(self):
        """All that came before the answer is acknowledged."""
        for id_ in "ping1", "ping2":
            self.c.send("<iq type='get' id='%s'><ping xmlns='urn:xmpp:ping'/>"
                        "</iq>" % id_)
            self.read(id_)


# tables; and those in which an archive is searched
OF_ARCHIVES = "entry", "peer", "talk"


def left_behind(server):
    """What grows when something is left: memory by its owners, open files, files,
    and what is stored, the archive apart."""
    db = sqlite3.connect("file:%s?mode=ro" % server.conf["storage"]["path"],
                         uri=True)
    tables = [name for name, in db.execute(
        "SELECT name FROM sqlite_master WHERE type = 'table'")]
    found = {("table", t): db.execute("SELECT count(*) FROM " + t).fetchone()[0]
             for t in tables if t not in OF_ARCHIVES and
             not t.startswith("search")}
    found["entries"] = db.execute("SELECT count(*) FROM entries "
                                  "WHERE name <> 'archive'").fetchone()[0]
    db.close()
    found["open files"] = len(os.listdir(
        "/proc/%d/fd" % server.process.proc.pid))
    found["files"] = sorted(os.listdir(server.folder))
    rows = memory(server)
    found["TLS"] = rows["tls"]["objects"] # its bytes are those of some
    # parsers, of which pools keep some, and what nobody counts
    for owner in "tls", "parsers", "other", "total":
        del rows[owner]
    found["owners"] = {owner: row.get("objects") for owner, row in rows.items()}
    return found, {owner: row["bytes"] for owner, row in rows.items()}


def same_memory(before, after, objects):
    """Each block may have 16 bytes more than last time, where malloc had such a one;
    an object has a few blocks."""
    return all(abs(after[owner] - before[owner]) <= 48 * (n or 0)
               for owner, n in objects.items())


def test_six_hours_of_a_phone_leave_nothing(own_server):
    """Five minutes, another address, some messages while it is away.  tests/sim
    has a whole day, in which there are no files."""
    server = own_server()
    scene = scenes.Scene(server, ("romeo", "juliet"))
    phone, juliet = Phone(scene), scene.login("juliet/j")
    before = kib = None
    for i in range(72):
        if i == 12:
            phone.ping()
            (before, memory_before), kib = left_behind(server), server.memory_kib()
        server.advance(270)
        for k in range(1 + i % 3):
            juliet.send("<message to='%s' type='chat' id='%d.%d'><body>x</body>"
                        "</message>" % (phone.account.jid, i, k))
        phone.resume(noticed=i % 2 == 0)
        phone.read("%d.%d" % (i, i % 3))
    phone.ping()
    after, memory_after = left_behind(server)
    assert after == before
    assert same_memory(memory_before, memory_after, after["owners"])
    assert server.memory_kib() <= kib + PHONE_KIB
    assert stats(server)["resumed"] == 72
    scene.end()
    phone.c.drop()
