"""An archive that an older version has written: what is asked of it is answered as
ever, and it goes on."""

import sqlite3

import pytest

import mam
import scene as scenes
from test_archive_inbox import ask

pytestmark = pytest.mark.only("antiphon")

N = 700
# each takes back what the step to the schema behind it has made
UNDO = {
    5: "INSERT INTO search (search, rank) VALUES ('pgsz', 4050);",
    4: "DROP TABLE search; ALTER TABLE entry DROP COLUMN words;",
    3: "DROP TABLE talk; DROP TABLE peer; DROP TABLE task;"
       " ALTER TABLE log DROP COLUMN digested;"
       " ALTER TABLE log DROP COLUMN peers;",
}


def make_older(server, schema):
    db = sqlite3.connect(server.conf["storage"]["path"])
    for version in range(5, schema - 1, -1):
        db.executescript(UNDO[version])
    for pos, value in db.execute("SELECT pos, value FROM entry").fetchall():
        db.execute("UPDATE entry SET value = ? WHERE pos = ?",
                   (value[:value.rindex(">") + 1], pos)) # there were no seals
    db.execute("UPDATE log SET bytes = (SELECT sum(length(CAST(value AS BLOB)))"
               " FROM entry WHERE entry.place = log.place)")
    db.execute("PRAGMA user_version = %d" % schema)
    db.commit()
    db.close()


def all_of(client):
    """What is there, in pages and by each way to ask."""
    ids, after = [], None
    while True:
        page = mam.query(client, max=100, after=after)
        assert page.error is None
        ids += page.ids
        if page.complete:
            break
        after = page.last
    peer = "p1@" + client.jid.split("/")[0].split("@")[1]
    with_ = mam.query(client, fields={"with": peer}, max=250)
    found = mam.query(client, fields={
        "{urn:xmpp:fulltext:0}fulltext": "rose"}, max=250)
    inbox = [(t.jid, t.id, t.unread) for t in ask(client).talks]
    return ids, with_.ids, found.ids, inbox


@pytest.fixture(scope="module")
def written(pool):
    server = pool.new({}).start()
    scene = scenes.Scene(server, ("romeo",))
    romeo = scene.login("romeo/a")
    for i in range(N):
        romeo.send("<message to='p%d@%s' type='chat'><body>%d %s</body></message>"
                   % (i % 7, server.domain, i, "rose" if i % 50 == 0 else "x"))
    romeo.iq("set", scenes.BARRIER)
    yield scene, all_of(romeo)
    server.stop()


def test_an_older_database_is_as_good(written):
    scene, want = written
    server = scene.server
    for schema in (5, 4, 3):
        for client in scene.live():
            client.close()
        server.stop()
        make_older(server, schema)
        server.start()
        romeo = scene.login("romeo/s%d" % schema)
        ids, with_, found, inbox = all_of(romeo)
        assert (ids, with_, inbox) == (want[0], want[1], want[3])
        # what was archived without its words is not found by them
        assert found == (want[2] if schema == 5 else [])
        server.check()
