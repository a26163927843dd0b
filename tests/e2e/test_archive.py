"""The archive's writing half (XEP-0313 §3, §6; XEP-0359; XEP-0334): what is stored
on both sides, under which ids, and how large it may become.  Of which messages,
test_messages.py says."""

import re
import sqlite3

import pytest

import scene as scenes

pytestmark = pytest.mark.only("antiphon")
HINTS = "urn:xmpp:hints"
SID = "urn:xmpp:sid:0"
BODY = "<body>x</body>"
STATE = "<composing xmlns='http://jabber.org/protocol/chatstates'/>"


def hint(name):
    return "<%s xmlns='%s'/>" % (name, HINTS)


def one(name, ns):
    return "<%s xmlns='%s'/>" % (name, ns)


def archive(server, jid):
    """[(id, peer, value)] of an account, oldest first."""
    local, _, host = jid.partition("@")
    db = sqlite3.connect("file:%s?mode=ro" % server.conf["storage"]["path"],
                         uri=True)
    try:
        return db.execute(
            "SELECT id, peer, value FROM entries WHERE host = ? AND owner = ?"
            " AND name = 'archive' ORDER BY number", (host, local)).fetchall()
    finally:
        db.close()


def own_ids(client, e):
    by = client.jid.split("/")[0]
    return [c.get("id") for c in e.elems() if c.is_("stanza-id", SID) and
            c.get("by") == by]


class Pair:
    def __init__(self, scene):
        self.scene, self.server = scene, scene.server
        scene.add_accounts("romeo", "juliet")
        self.romeo = scene.online("romeo/a")
        self.juliet = scene.online("juliet/b")

    def jid(self, who):
        return self.scene.binds[who]

    def say(self, inner=BODY, attrs="", to="{juliet/b}", who="romeo/a"):
        self.scene.send(who, "<message to='%s' %s>%s</message>"
                        % (to, attrs, inner))

    def hear(self):
        return self.juliet.take(lambda e: e.is_("message"), "the message")

    def of(self, who):
        """Of a session, that waits until what it did is stored."""
        for session in self.scene.live():
            session.iq("set", scenes.BARRIER)
        return archive(self.server, self.jid(who))


@pytest.fixture
def pair(scene):
    return Pair(scene)


def test_the_id_that_is_shown_is_that_of_the_entry(pair):
    """XEP-0313 §3.5: to those who may read the archive; §3: it cannot be
    guessed, and is given once."""
    for i in range(30):
        pair.say("<body>%d</body><origin-id xmlns='%s' id='o'/>" % (i, SID),
                 "type='chat' id='same'")
    heard = [pair.hear() for _ in range(30)]
    shown = [own_ids(pair.juliet, e) for e in heard]
    assert all(len(ids) == 1 for ids in shown)
    kept, sent = pair.of("juliet"), pair.of("romeo")
    assert [ids[0] for ids in shown] == [row[0] for row in kept]
    both = [row[0] for row in kept + sent]
    assert len(set(both)) == 60
    assert all(re.fullmatch(r"[0-9a-f]+\.[\w-]{22}", id_) for id_ in both)
    assert {row[1] for row in kept} == {pair.jid("romeo")}
    assert {row[1] for row in sent} == {pair.jid("juliet")}
    # order is the log's, and the sender's own id has not gone out
    for rows in kept, sent:
        assert [re.search("<body>(.*)</body>", row[2])[1] for row in rows] == [
            str(i) for i in range(30)]
        assert all("origin-id" in row[2] and "stanza-id" not in row[2]
                   for row in rows)
    for e in heard:
        assert len([c for c in e.elems() if c.name == "stanza-id"]) == 1


@pytest.mark.parametrize("to", ["{romeo}", "{romeo/a}", "{romeo/c}", None])
def test_what_one_sends_to_himself_is_stored_once(pair, to):
    """XEP-0313 §6.1.1; without an address it is for the own account."""
    scene = pair.scene
    scene.online("romeo/c")
    scene.send("romeo/a", "<message %s type='chat'>%s</message>"
               % ("to='%s'" % to if to else "", BODY))
    rows = pair.of("romeo")
    assert [row[1] for row in rows] == [pair.jid("romeo")]
    name = "romeo/c" if to == "{romeo/c}" else "romeo/a"
    got = scene[name].take(lambda e: e.is_("message"), "the message")
    assert own_ids(pair.romeo, got) == [rows[0][0]]


def test_to_one_who_does_not_exist_or_is_not_served(pair):
    """The sender has said it; nobody else is there to keep it, and nothing tells
    whether there is such an account."""
    server = pair.server
    for i, to in enumerate(("nobody@" + server.domain, "nobody@x.test",
                            server.domain, "j@" + server.other_domain)):
        pair.say("<body>%d</body>" % i, "type='chat' id='%d'" % i, to)
    refused = pair.romeo.take(lambda e: e.is_("message") and e.get("id") == "1",
                              "the error of a domain that is not served")
    assert refused.get("type") == "error"
    pair.romeo.ping()
    assert [row[1] for row in pair.of("romeo")] == [
        "nobody@" + server.domain, "nobody@x.test", server.domain,
        "j@" + server.other_domain]
    assert archive(server, "nobody@" + server.domain) == []
    assert "0" not in [e.get("id") for e in pair.romeo.inbox
                       if e.is_("message")]


def test_absurd_delays_are_left_out(pair):
    """hostile 70: of years that no clock has shown; the others stay."""
    def delay(stamp):
        return "<delay xmlns='urn:xmpp:delay' stamp='%s' from='x.test'/>" % stamp

    def old(stamp):
        return "<x xmlns='jabber:x:delay' stamp='%s'/>" % stamp
    good = [delay("2002-09-10T23:08:25Z"), delay("1970-01-01T00:00:00Z"),
            old("20020910T23:08:25")]
    bad = [delay("9999-12-31T23:59:59Z"), delay("0001-01-01T00:00:00Z"),
           delay("1969-12-31T23:59:59Z"), delay("2101-01-01T00:00:00Z"),
           delay("-2002-09-10T23:08:25Z"), delay("x"), delay(""),
           delay("20020910T23:08:25"), old("99991231T23:59:59"), old("x"),
           old(""), "<delay xmlns='urn:xmpp:delay'/>"]
    pair.say(BODY + "".join(bad + good + bad), "type='chat'")
    got = pair.hear()
    for text in [str(got)] + [row[2] for row in pair.of("juliet") +
                              pair.of("romeo")]:
        stamps = re.findall("stamp=['\"]([^'\"]*)", text)
        assert stamps == ["2002-09-10T23:08:25Z", "1970-01-01T00:00:00Z",
                          "20020910T23:08:25"]


def test_what_is_archived_makes_no_error(own_server):
    """Whoever it was for finds it there: neither a resource that is gone nor a
    full store for who is away is one."""
    server = own_server({"modules": {"offline": {
        "max_messages": "2", "stranger_share": "100", "sender_share": "100"}}})
    pair = Pair(scenes.Scene(server))
    pair.say(BODY, "id='1'", "{juliet}/gone")
    pair.say(STATE, "id='2'", "{juliet}/gone")
    got = pair.romeo.take(lambda e: e.is_("message"), "an error")
    assert (got.get("id"), got.get("type")) == ("2", "error")
    pair.scene.mark(pair.romeo, pair.juliet)
    pair.juliet.close()
    for i in range(3, 9):
        pair.say(BODY + (hint("no-store") if i == 8 else ""),
                 "id='%d' type='chat'" % i, "{juliet}")
    got = pair.romeo.take(lambda e: e.is_("message"), "an error")
    assert (got.get("id"), got.get("type")) == ("8", "error")
    assert len(pair.of("juliet")) == 6
    pair.scene.end()


def test_without_the_archive(own_server):
    server = own_server({"modules": {"archive": "no"}})
    pair = Pair(scenes.Scene(server))
    pair.say("<body>1</body><stanza-id xmlns='%s' id='x' by='{juliet}'/>" % SID)
    got = pair.hear()
    assert [e.name for e in got.elems()] == ["body"]
    assert pair.of("romeo") == pair.of("juliet") == []
    pair.scene.end()


def test_it_says_that_it_gives_ids_and_can_be_asked(pair):
    """XEP-0359 §5, XEP-0313 §7; not that it can be deleted, which is to be
    configured."""
    for client, whom in ((pair.juliet, "juliet"), (pair.romeo, "romeo")):
        info = client.iq("get", "<query xmlns='http://jabber.org/protocol/"
                         "disco#info'/>", to=pair.jid(whom))
        features = {e.get("var") for e in info.child("query").elems()}
        assert SID in features
        assert {f for f in features if f and f.startswith("urn:xmpp:mam")} == {
            "urn:xmpp:mam:2", "urn:xmpp:mam:2#extended",
            "urn:xmpp:mam:2#groupchat-field"}


# --- how large it may become ------------------------------------------------------

ENTRY = 256


def test_strangers_have_their_part_of_a_day(own_server):
    """modules: archive: stranger_bytes; of all of them, also after a restart; what
    does not fit is delivered. Contacts, and what the owner sends, have no such
    bound."""
    server = own_server({"modules": {"archive": {"stranger_bytes": "10KiB"}}})
    scene = scenes.Scene(server, ("nurse", "paris"))
    pair = Pair(scene)
    scene.subscribe("juliet", "nurse")
    text = "<body>%s</body>" % ("x" * 1000)

    def tell(who, n):
        before = len(pair.of("juliet"))
        teller = scene.online(who)
        for _ in range(n):
            pair.say(text, "type='chat'", "{juliet}", who)
        teller.ping()
        teller.close()
        heard = [bool(own_ids(pair.juliet, pair.hear())) for _ in range(n)]
        assert len(pair.of("juliet")) == before + sum(heard)
        return sum(heard)

    first = tell("romeo/t", 5)
    assert first == 5
    kept = first + tell("paris/t", 20)
    assert 10240 // (1400 + ENTRY) <= kept <= 10240 // (1000 + ENTRY)
    assert tell("romeo/t", 3) == 0
    assert tell("nurse/t", 30) == 30
    before = len(pair.of("juliet"))
    for _ in range(30):
        pair.say(text, "type='chat'", "{romeo}", "juliet/b")
    assert len(pair.of("juliet")) == before + 30
    scene.end()
    server.restart()
    pair.juliet = scene.online("juliet/b")
    assert tell("romeo/t", 3) == 0
    server.advance(86400 / 2)
    scene.end()
    pair.juliet = scene.online("juliet/b")
    assert 2 <= tell("paris/t", 20) <= kept // 2 + 1
    server.advance(86400)
    scene.end()
    pair.juliet = scene.online("juliet/b")
    assert tell("paris/t", 30) == kept
    scene.end()


def charged(server, jid):
    """What strangers have added of their part, as a crash would find it."""
    local, _, host = jid.partition("@")
    db = sqlite3.connect("file:%s?mode=ro" % server.conf["storage"]["path"],
                         uri=True)
    try:
        rows = db.execute("SELECT value FROM map WHERE host = ? AND owner = ?"
                          " AND name = 'archive' AND key = 'strangers'",
                          (host, local)).fetchall()
        return int(rows[0][0].split()[0]) if rows else 0
    finally:
        db.close()


def test_what_strangers_add_is_charged_ahead_and_in_steps(own_server):
    """A crash at any moment gives them nothing: what is charged is on disk with
    what it is for, or before; and takes no more than a step from them."""
    most = 64 * 1024
    server = own_server({"modules": {"archive": {"stranger_bytes": "64KiB"}}})
    scene = scenes.Scene(server)
    pair = Pair(scene)
    text = "<body>%s</body>" % ("x" * 40)
    for n in 0, 1, 2, 40, 100:
        charges = set()
        for _ in range(n):
            pair.say(text, "type='chat'")
            pair.hear()
            charges.add(charged(server, pair.jid("juliet")))
        assert len(charges) <= n / 2 + 2
        server.kill9()
        added = sum(len(row[2]) + ENTRY
                    for row in archive(server, pair.jid("juliet")))
        server.start()
        scene.end()
        pair.romeo, pair.juliet = scene.online("romeo/a"), scene.online(
            "juliet/b")
        # an hour of this test forgets 1/24 of it
        now = charged(server, pair.jid("juliet"))
        assert added - most / 24 <= now <= added + 5 * most / 64
    heard = 0
    while heard < 1000:
        pair.say(text, "type='chat'")
        if not own_ids(pair.juliet, pair.hear()):
            break
        heard += 1
    added = sum(len(row[2]) + ENTRY for row in pair.of("juliet"))
    assert most - 7 * most / 64 <= added <= most + most / 24
    scene.end()


def test_the_oldest_go(own_server):
    """modules: archive: max_bytes (XEP-0313 §3.2)"""
    server = own_server({"modules": {"archive": {"max_bytes": "64KiB"}}})
    pair = Pair(scenes.Scene(server))
    pair.scene.befriend("romeo", "juliet")
    for i in range(120):
        pair.say("<body>%d %s</body>" % (i, "x" * 900), "type='chat'")
        pair.hear()
    for who in "romeo", "juliet":
        rows = pair.of(who)
        got = [int(re.search(r"<body>(\d+)", row[2])[1]) for row in rows]
        assert got == list(range(120 - len(got), 120))
        size = sum(len(row[2]) + ENTRY for row in rows)
        assert size <= 65536 < size + 2 * (1300 + ENTRY)
    pair.say("<body>%s</body>" % ("x" * 100000), "type='chat'")
    pair.hear()
    assert len(pair.of("romeo")) == len(pair.of("juliet")) == 1
    pair.scene.end()


def test_an_account_that_is_removed_leaves_none(pair):
    pair.say()
    pair.hear()
    assert len(pair.of("juliet")) == 1
    pair.server.ctl("deluser", pair.jid("juliet"))
    assert archive(pair.server, pair.jid("juliet")) == []


def test_ids_and_order_survive_whatever_begins_again(own_server):
    """XEP-0359 §2.1: none is given twice, when the server has started anew, when
    all that was archived has gone, when the account is another one; and order is
    that of sending, whatever the clock says."""
    server = own_server({"modules": {"archive": {"max_bytes": "64KiB"}}})
    scene = scenes.Scene(server)
    pair = Pair(scene)
    scene.befriend("romeo", "juliet")
    seen = []

    def tell(n, size=10):
        for i in range(n):
            pair.say("<body>%d %s</body>" % (i, "x" * size), "type='chat'")
        new = [own_ids(pair.juliet, pair.hear())[0] for _ in range(n)]
        found = [row[0] for row in pair.of("juliet")]
        assert found[-n:] == new
        assert len(set(seen + new)) == len(seen) + n
        seen.extend(new)

    def again():
        scene.end()
        pair.romeo, pair.juliet = scene.online("romeo/a"), scene.online(
            "juliet/b")

    tell(5)
    server.restart()
    again()
    tell(20)
    # all before them go
    tell(1, 70000)
    assert len(pair.of("juliet")) == 1
    server.kill9()
    server.start()
    again()
    tell(3)
    scene.end()
    server.ctl("deluser", pair.jid("juliet"))
    scene.add_accounts("juliet")
    again()
    tell(7)
    scene.end()


# --- what was seen exists -----------------------------------------------------------

def test_what_a_device_has_seen_is_on_disk(own_server):
    """The id that was shown exists, whatever dies (XEP-0359 §2.1)."""
    server = own_server()
    scene = scenes.Scene(server)
    pair = Pair(scene)
    for n in (1, 2, 50):
        for i in range(n):
            pair.say("<body>%d</body>" % i, "type='chat'")
        shown = [own_ids(pair.juliet, pair.hear())[0] for _ in range(n)]
        server.kill9()
        found = [row[0] for row in archive(server, pair.jid("juliet"))]
        assert found[-n:] == shown
        server.start()
        scene.end()
        pair.romeo, pair.juliet = scene.online("romeo/a"), scene.online(
            "juliet/b")
    scene.end()
