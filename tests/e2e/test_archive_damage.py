"""What lies in an archive is damaged: its owner is shown the rest, and his stream
stands.  Entries of older versions, which have no seal, are shown as ever."""

import sqlite3

import pytest

import mam
import scene as scenes

pytestmark = pytest.mark.only("antiphon")

N = 8
# of entry i, before and after; all but the last two are left out
DAMAGE = {
    1: ("</body>", "</bodz>"),
    2: ("<body>2", "<body>&"),
    4: ("jabber:client", "jabber:cliens"),
    5: ("<body>5", "<body>\x01"),
    6: ("<body>6", "<body>7"),
}


def damage(server):
    db = sqlite3.connect(server.conf["storage"]["path"])
    rows = db.execute("SELECT pos, value FROM entry JOIN log USING (place)"
                      " WHERE log.name = 'archive' ORDER BY pos").fetchall()
    assert len(rows) == N
    for i, (pos, value) in enumerate(rows):
        if i in DAMAGE:
            value = value.replace(*DAMAGE[i], 1)
        if i % 2 == 0:
            value = value[:value.rindex(">") + 1] # as it was without seals
        db.execute("UPDATE entry SET value = ? WHERE pos = ?", (value, pos))
    db.commit()
    db.close()


def test_what_is_damaged_breaks_no_stream(own_server):
    server = own_server({})
    scene = scenes.Scene(server, ("romeo",))
    romeo = scene.login("romeo/a")
    for i in range(N):
        romeo.send("<message to='x@%s' type='chat'><body>%d</body></message>"
                   % (server.domain, i))
    romeo.iq("set", scenes.BARRIER)
    scene.end()
    server.stop()
    damage(server)
    server.start()
    scene.login("romeo/b")
    page = mam.query(scene["romeo/b"])
    assert page.error is None and page.complete
    assert [m.child("body").text() for m in page.messages] == [
        "0", "3", "7", "7"]
    scene["romeo/b"].ping()
    scene.end()


def swap_ids(server):
    """Of the first and the second entry, but not in the index; as in an archive of an
    older version, whose ids are found by that."""
    path = server.conf["storage"]["path"]
    db = sqlite3.connect(path)
    pos = [row[0] for row in db.execute(
        "SELECT pos FROM entry JOIN log USING (place)"
        " WHERE log.name = 'archive' ORDER BY pos")]
    db.executemany("UPDATE entry SET id = ?, name = NULL WHERE pos = ?",
                   [("id%d" % i, p) for i, p in enumerate(pos)])
    db.execute("PRAGMA writable_schema = 1")
    index = db.execute("SELECT type, name, tbl_name, rootpage, sql FROM"
                       " sqlite_schema WHERE name = 'entry_id'").fetchone()
    db.execute("DELETE FROM sqlite_schema WHERE name = 'entry_id'")
    db.commit()
    db.close()
    db = sqlite3.connect(path)
    db.execute("UPDATE entry SET id = 'id1' WHERE pos = ?", (pos[0],))
    db.execute("UPDATE entry SET id = 'id0' WHERE pos = ?", (pos[1],))
    db.execute("PRAGMA writable_schema = 1")
    db.execute("INSERT INTO sqlite_schema VALUES (?, ?, ?, ?, ?)", index)
    db.commit()
    db.close()


def test_an_index_that_is_damaged_leads_nowhere(own_server):
    """A page of several slices that goes out from its other end is read by ids."""
    server = own_server({})
    scene = scenes.Scene(server, ("romeo",))
    romeo = scene.login("romeo/a")
    for i in range(4):
        romeo.send("<message to='x@%s' type='chat'><body>%d%s</body></message>"
                   % (server.domain, i, "x" * 100000))
    romeo.iq("set", scenes.BARRIER)
    scene.end()
    server.stop()
    swap_ids(server)
    server.start()
    scene.login("romeo/b")
    page = mam.query(scene["romeo/b"], flip=True)
    assert page.error is None and page.ids[:2] == ["id3", "id2"]
    scene["romeo/b"].ping()
    server.check()
    scene.end()
