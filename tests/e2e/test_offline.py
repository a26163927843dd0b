"""Messages for one who is not there (RFC 6121 §8.5.2.2, XEP-0160, XEP-0203,
XEP-0334)."""

import os
import re
import sqlite3

import pytest

import scene as scenes

pytestmark = pytest.mark.plain

HINTS = "urn:xmpp:hints"
STATES = "http://jabber.org/protocol/chatstates"
STAMP = r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z"


@pytest.fixture
def romeo(scene):
    scene.add_accounts("romeo", "juliet")
    return scene.online("romeo/a")


def late(scene, name="juliet/b"):
    """What juliet finds when she comes."""
    c = scene.online(name)
    scene.flush()
    got = [e for e in c.inbox if e.is_("message")]
    c.close()
    return got


STORED = {
    "chat": ("type='chat'", "<body>x</body>", True),
    "normal": ("", "<body>x</body>", True),
    "without type but a payload": ("", "<x xmlns='jabber:x:conference' "
                                   "jid='room@x.test'/>", True),
    "unknown type": ("type='strange'", "<body>x</body>", True),
    "encrypted": ("type='chat'", "<encrypted xmlns='urn:x'/>"
                  "<store xmlns='%s'/>" % HINTS, True),
    "groupchat": ("type='groupchat'", "<body>x</body>", False),
    "headline": ("type='headline'", "<body>x</body>", False),
    "error": ("type='error'", "<body>x</body>", False),
    "a chat state alone": ("type='chat'", "<composing xmlns='%s'/>" % STATES,
                           False),
    "a chat state with its thread": ("type='chat'", "<active xmlns='%s'/>"
                                     "<thread>t</thread>" % STATES, False),
    "a chat state beside a body": ("type='chat'", "<body>x</body>"
                                   "<active xmlns='%s'/>" % STATES, True),
    "no-store": ("type='chat'", "<body>x</body><no-store xmlns='%s'/>"
                 % HINTS, False),
    "store with a chat state": ("type='chat'", "<active xmlns='%s'/>"
                                "<store xmlns='%s'/>" % (STATES, HINTS),
                                True),
}


@pytest.mark.parametrize("case", STORED)
def test_what_is_stored(scene, romeo, case):
    """XEP-0160 §3, XEP-0334 §4"""
    attrs, inner, stored = STORED[case]
    scene.send("romeo/a", "<message to='{juliet}' id='m' %s>%s</message>"
               % (attrs, inner))
    romeo.ping()
    assert [e.get("id") for e in late(scene)] == ["m"] * stored


def test_delay(scene, romeo):
    """XEP-0160 §3, XEP-0203: from the host, the time in UTC; what the sender
    claims stays beside it."""
    scene.send("romeo/a", "<message to='{juliet}'><body>x</body></message>")
    romeo.ping()
    got = late(scene)[0].child("delay", "urn:xmpp:delay")
    assert got.get("from") == scene.server.domain
    assert re.fullmatch(STAMP, got.get("stamp"))


def test_order(scene, romeo):
    for i in range(50):
        scene.send("romeo/a", "<message to='{juliet}' id='%d'><body>x</body>"
                   "</message>" % i)
    romeo.ping()
    assert [e.get("id") for e in late(scene)] == [str(i) for i in range(50)]


def test_delivered_once(scene, romeo):
    scene.send("romeo/a", "<message to='{juliet}' id='1'><body>x</body>"
               "</message>")
    romeo.ping()
    assert len(late(scene)) == 1
    assert late(scene) == []
    assert late(scene, "juliet/c") == []


def test_only_to_the_resource_that_comes_first(scene, romeo):
    scene.send("romeo/a", "<message to='{juliet}' id='1'><body>x</body>"
               "</message>")
    romeo.ping()
    first = scene.online("juliet/b")
    second = scene.online("juliet/c")
    scene.flush()
    assert len([e for e in first.inbox if e.is_("message")]) == 1
    assert [e for e in second.inbox if e.is_("message")] == []


def test_a_negative_resource_does_not_get_them(scene, romeo):
    """RFC 6121 §8.5.2.2.1; they come when it becomes non-negative."""
    scene.online("juliet/b", -1)
    scene.send("romeo/a", "<message to='{juliet}' id='1'><body>x</body>"
               "</message>")
    scene.quiet("juliet/b")
    scene.send("juliet/b", "<presence><priority>0</priority></presence>")
    got = scene["juliet/b"].take(lambda e: e.is_("message"), "the message")
    assert got.get("id") == "1"


def test_the_payload_survives(scene, romeo):
    inner = ("<body xml:lang='it'>ciao &amp; \u00e9\U0001f339</body>"
             "<subject>s</subject><x xmlns='urn:x'><y z='&lt;'/></x>")
    scene.send("romeo/a", "<message to='{juliet}' type='chat' id='1'>%s"
               "</message>" % inner)
    romeo.ping()
    scene.online("juliet/b")
    scene.expect("juliet/b", "<message from='{romeo/a}' to='{juliet}' "
                 "type='chat' id='1'>%s<delay xmlns='urn:xmpp:delay' "
                 "from='{HOST}' stamp='*'/></message>" % inner)


def leave(scene, who, n):
    """How many of n messages to juliet are kept."""
    c = scene.online(who)
    for i in range(n):
        scene.send(who, "<message to='{juliet}' id='%s%d'><body>x</body>"
                   "</message>" % (who[0], i))
    # her account answers in turn
    scene.send(who, "<iq type='get' id='last' to='{juliet}'><x xmlns='urn:x'/>"
               "</iq>")
    c.take(lambda e: e.get("id") == "last", "her answer")
    refused = [e for e in c.inbox if e.get("type") == "error"]
    c.close()
    return n - len(refused)


@pytest.mark.only("antiphon")
@pytest.mark.parametrize("most", [1, 7, 20, 300])
def test_nobody_fills_it_for_the_others(own_server, most):
    """modules: offline: stranger_share, sender_share; also after a restart,
    and until they are delivered."""
    server = own_server({"modules": {
        "offline": {"max_messages": str(most)}, "archive": "no"}})
    scene = scenes.Scene(server, ("romeo", "nurse", "paris", "tybalt",
                                  "friar", "juliet"))
    for friend in ("romeo", "nurse"):
        scene.subscribe(friend, "juliet")
    strangers = max(1, most // 5)
    one = max(1, strangers // 2)
    left = leave(scene, "paris/a", most)
    assert left == one
    server.restart()
    assert leave(scene, "paris/a", most) == 0
    left += leave(scene, "tybalt/a", most)
    left += leave(scene, "friar/a", most)
    assert left <= strangers
    for friend in ("romeo/a", "nurse/a"):
        want = min(max(1, most // 2), most - left)
        assert leave(scene, friend, most) == want
        left += want
    assert len(late(scene)) == left
    server.restart()
    assert leave(scene, "paris/a", most) == one


@pytest.mark.only("antiphon")
def test_quota(own_server):
    """XEP-0160 §3: what does not fit is refused with service-unavailable, and
    what was there stays."""
    server = own_server({"modules": {
        "offline": {"max_messages": "3", "sender_share": "100"},
        "archive": "no"}})
    scene = scenes.Scene(server, ("romeo", "juliet"))
    scene.subscribe("romeo", "juliet")
    romeo = scene.online("romeo/a")
    for i in range(5):
        scene.send("romeo/a", "<message to='{juliet}' id='%d'><body>x</body>"
                   "</message>" % i)
    romeo.ping()
    refused = [romeo.next(), romeo.next()]
    assert [e.get("id") for e in refused] == ["3", "4"]
    assert all(e.find("error", "service-unavailable") for e in refused)
    assert [e.get("id") for e in late(scene)] == ["0", "1", "2"]
    scene.end()


@pytest.mark.only("antiphon")
def test_stored_means_durable(own_server):
    """What was stored before a change that is known to be durable is so too:
    there is one writer, and it works in order."""
    server = own_server()
    scene = scenes.Scene(server, ("romeo", "juliet"))
    romeo = scene.online("romeo/a")
    romeo.iq("set", scene.fill("<query xmlns='jabber:iq:roster'>"
                               "<item jid='{juliet}' name='J'/></query>"))
    for i in range(20):
        scene.send("romeo/a", "<message to='{juliet}' id='%d'><body>x</body>"
                   "</message>" % i)
    # her account has dealt with all of them when it has answered this
    romeo.iq("get", "<query xmlns='http://jabber.org/protocol/disco#info'/>",
             to=scene.binds["juliet"])
    # a roster set is answered when it is durable, and so is what was before
    romeo.iq("set", scene.fill("<query xmlns='jabber:iq:roster'>"
                               "<item jid='{juliet}' name='K'/></query>"))
    scene.end()
    server.kill9()
    server.start()
    roster = scene.login("romeo/b").roster()
    assert roster[scene.binds["juliet"]].get("name") == "K"
    assert [e.get("id") for e in late(scene)] == [str(i) for i in range(20)]
    scene.end()


@pytest.mark.only("antiphon")
def test_a_message_of_the_largest_size_survives(scene, romeo):
    """hostile-18"""
    body = "x" * 200000
    scene.send("romeo/a", "<message to='{juliet}'><body>%s</body></message>"
               % body)
    romeo.ping()
    assert late(scene)[0].child("body").text() == body


def keep(scene, romeo, bodies):
    for i, body in enumerate(bodies):
        scene.send("romeo/a", "<message to='{juliet}' id='%d'><body>%s</body>"
                   "</message>" % (i, body))
    romeo.ping()


def test_many_bytes_come_in_order(scene, romeo):
    """More than is read at once."""
    scene.subscribe("romeo", "juliet")
    keep(scene, romeo, [str(i % 10) * 15000 for i in range(40)])
    got = late(scene)
    assert [e.get("id") for e in got] == [str(i) for i in range(40)]
    assert all(len(e.child("body").text()) == 15000 for e in got)


@pytest.mark.only("antiphon")
def test_what_was_edited_in_the_database(own_server):
    """It is delivered as it is now, and what is damaged breaks no stream."""
    server = own_server({"modules": {"archive": "no"}})
    scene = scenes.Scene(server, ("romeo", "juliet"))
    keep(scene, scene.online("romeo/a"), ["x"] * 7)
    scene.end()
    server.stop()
    db = sqlite3.connect(os.path.join(server.folder, "data.sqlite"))
    changes = {
        1: "value = replace(value, '<body>x', '<body>edited')",
        2: "value = replace(value, '</body>', '<')",
        3: "peer = ''",  # as it was before there were seals
        4: "value = replace(value, '</message>', '</stream:stream>')",
        5: "value = value || value",
    }
    for number, change in changes.items():
        cursor = db.execute("UPDATE entry SET %s WHERE pos & 65535 = %d"
                            % (change, number + 1))
        assert cursor.rowcount == 1
    db.commit()
    db.close()
    server.start()
    got = late(scene)
    assert [(e.get("id"), e.child("body").text()) for e in got] == [
        ("0", "x"), ("1", "edited"), ("3", "x"), ("6", "x")]
    assert late(scene) == []
    scene.end()


SOME_CONTACTS = (0, 1, 16, 17, 20, 21, 54, 55, 97, 130, 200, 300)


@pytest.mark.only("antiphon")
def test_any_number_of_contacts_beside_a_waiting_message(own_server):
    """Contacts and the sizes of what waits are read together when an account
    is loaded: at any number of them, and as often as it is."""
    server = own_server()
    scene = scenes.Scene(server)
    names = ["romeo%d" % n for n in SOME_CONTACTS]
    scene.add_accounts("juliet", *names)
    juliet = scene.online("juliet/a")
    for name, n in zip(names, SOME_CONTACTS):
        c = scene.login(name + "/a")
        for i in range(n):
            c.send("<iq type='set' id='r'><query xmlns='jabber:iq:roster'>"
                   "<item jid='c%d@x.test' name='n%d'/></query></iq>" % (i, i))
        c.iq("set", scenes.BARRIER)
        c.close()
        juliet.send("<message to='%s' type='chat'><body>x</body></message>"
                    % scene.binds[name])
    juliet.ping()
    for _ in range(2):
        server.ctl("reload") # nobody who is idle stays in memory
        for name, n in zip(names, SOME_CONTACTS):
            c = scene.login(name + "/a")
            roster = c.iq("get", scenes.ROSTER).child("query")
            assert len(list(roster.elems())) == n
            c.close()
    assert all(len(late(scene, name + "/b")) == 1 for name in names)
    server.check()


@pytest.mark.only("antiphon")
@pytest.mark.parametrize("n", [1, 3, 600])
def test_a_module_switched_on_finds_what_waits(own_server, n):
    """Whether one takes messages already, or is just about to."""
    server = own_server({"modules": {"archive": "no", "offline": {
        "max_messages": "700", "stranger_share": "100",
        "sender_share": "100"}}})
    scene = scenes.Scene(server, ("romeo", "juliet", "nurse"))
    romeo = scene.online("romeo/a")
    for name in "juliet", "nurse":
        for i in range(n):
            romeo.send("<message to='%s' type='chat'><body>%d</body></message>"
                       % (scene.binds[name], i))
    scene.flush()
    for name in "juliet", "nurse": # her account has dealt with all of them
        romeo.iq("get", "<x xmlns='urn:x'/>", to=scene.binds[name])
    juliet, nurse = scene.login("juliet/b"), scene.login("nurse/b")
    server.ctl("modules", "unload", "offline")
    nurse.send("<presence/>")
    nurse.ping()
    server.ctl("modules", "load", "offline")
    juliet.send("<presence/>")
    for c in juliet, nurse:
        got = [c.take(lambda e: e.is_("message"), "a message").child("body")
               .text() for _ in range(n)]
        assert got == [str(i) for i in range(n)]
        c.ping()
        assert not [e for e in c.inbox if e.is_("message")]
    scene.end()


# --- where the archive has it -------------------------------------------------------

def log_of(server, jid, name):
    """[(number, value)] of a log."""
    local, _, host = jid.partition("@")
    db = sqlite3.connect(os.path.join(server.folder, "data.sqlite"))
    try:
        return db.execute(
            "SELECT number, value FROM entries WHERE host = ? AND owner = ?"
            " AND name = ? ORDER BY number", (host, local, name)).fetchall()
    finally:
        db.close()


def all_is_kept(scene, romeo):
    """Her account has dealt with all, and it is on disk."""
    romeo.iq("get", "<x xmlns='urn:x'/>", to=scene.binds["juliet"])
    romeo.iq("set", scenes.BARRIER)


KEPT_ITSELF = {
    "a chat message": ("type='chat'", "<body>x</body>", False),
    "what asks for it": ("type='chat'", "<x xmlns='urn:x'/><store xmlns='%s'/>"
                         % HINTS, False),
    "no-permanent-store": ("type='chat'", "<body>x</body><no-permanent-store "
                           "xmlns='%s'/>" % HINTS, True),
    "what nobody knows": ("type='chat'", "<x xmlns='urn:x'/>", True),
}


@pytest.mark.only("antiphon")
@pytest.mark.parametrize("case", KEPT_ITSELF)
@pytest.mark.parametrize("archive", [True, False])
def test_the_text_is_on_disk_once(own_server, case, archive):
    """What the archive has waits as its id there; the client gets the same."""
    attrs, inner, itself = KEPT_ITSELF[case]
    server = own_server({"modules": {} if archive else {"archive": "no"}})
    scene = scenes.Scene(server, ("romeo", "juliet"))
    romeo = scene.online("romeo/a")
    scene.send("romeo/a", "<message to='{juliet}' id='m' %s>%s</message>"
               % (attrs, inner))
    all_is_kept(scene, romeo)
    (_, value), = log_of(server, scene.binds["juliet"], "offline")
    assert value.startswith("<message") == (itself or not archive)
    got, = late(scene)
    assert got.get("id") == "m"
    assert got.get("to") == scene.binds["juliet"]
    ids = [e.get("id") for e in got.elems() if e.name == "stanza-id"]
    assert ids == ([] if itself or not archive else [value])
    delay = got.child("delay", "urn:xmpp:delay")
    assert delay.get("from") == server.domain
    assert re.fullmatch(STAMP, delay.get("stamp"))
    assert log_of(server, scene.binds["juliet"], "offline") == []
    scene.end()


@pytest.mark.only("antiphon")
@pytest.mark.parametrize("n", [1, 2, 5, 300, 600])
def test_all_kinds_come_in_order(own_server, n):
    """Of more than is read at once, and large ones; in the archive or not, which
    was switched on and off meanwhile, and after a restart: of an earlier version
    all are held."""
    server = own_server({
        # nothing is refused because the disk is slow
        "limits": {"inbox_bytes": "64MiB"},
        "modules": {"offline": {
            "stranger_share": "100", "sender_share": "100",
            "max_bytes": "64MiB"}}})
    scene = scenes.Scene(server, ("romeo", "juliet"))
    romeo = scene.online("romeo/a")
    for i in range(n):
        if i == n // 3:
            all_is_kept(scene, romeo)
            server.ctl("modules", "unload", "archive")
        if i == n // 2:
            all_is_kept(scene, romeo)
            server.ctl("modules", "load", "archive")
        scene.send("romeo/a", "<message to='{juliet}' id='%d' type='chat'><body>"
                   "%s</body>%s</message>" % (
                       i, "x" * (20000 if i % 7 == 0 else 10),
                       "<no-permanent-store xmlns='%s'/>" % HINTS
                       if i % 3 == 0 else ""))
    all_is_kept(scene, romeo)
    kinds = {v.startswith("<") for _, v in
             log_of(server, scene.binds["juliet"], "offline")}
    assert n < 5 or kinds == {True, False}
    scene.end()
    server.restart()
    juliet = scene.online("juliet/b", settle=False)
    for i in range(n):
        got = juliet.take(lambda e: e.is_("message"), "a message")
        assert got.get("id") == str(i)
    scene.flush()
    assert not [e for e in juliet.inbox if e.is_("message")]
    juliet.close()
    assert late(scene) == []
    assert log_of(server, scene.binds["juliet"], "offline") == []
    server.check()
    scene.end()


@pytest.mark.only("antiphon")
@pytest.mark.parametrize("gone", [[0], [4], [9], [1, 2, 3], range(10)])
def test_what_is_not_in_the_archive_any_more(own_server, gone):
    """It is left out, with a line for who debugs; the others come."""
    server = own_server({"log": {"level": "debug"}})
    scene = scenes.Scene(server, ("romeo", "juliet"))
    romeo = scene.online("romeo/a")
    keep(scene, romeo, ["x"] * 10)
    all_is_kept(scene, romeo)
    ids = [v for _, v in log_of(server, scene.binds["juliet"], "offline")]
    scene.end()
    server.stop()
    db = sqlite3.connect(os.path.join(server.folder, "data.sqlite"))
    for i in gone:
        db.execute("DELETE FROM entry WHERE name = ?", (ids[i],))
    db.commit()
    db.close()
    server.start()
    assert [e.get("id") for e in late(scene)] == [
        str(i) for i in range(10) if i not in gone]
    assert late(scene) == []
    with open(os.path.join(server.folder, "log")) as f:
        assert f.read().count("not in the archive any more") == len(gone)
    scene.end()
