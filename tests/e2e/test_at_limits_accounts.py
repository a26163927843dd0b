"""What an account may have, at both ends (see options.py)."""

import os
import sqlite3

import pytest

import mam
import scene as scenes
from antiphon import DOMAIN
from client import Client
from options import (BOTH, BOTH_MAX_ONCE, MAX, MIN, once, proves,
                     sworn)
from test_at_limits import served, stat
from test_stats import until

pytestmark = pytest.mark.only("antiphon")

BIND = "<bind xmlns='urn:ietf:params:xml:ns:xmpp-bind'><resource>%s</resource>" \
    "</bind>"
SET = ("<iq type='set' id='%s'><query xmlns='jabber:iq:roster'>%s</query>"
       "</iq>")
PLAIN = {"listen": [{"kind": "c2s", "address": "127.0.0.1", "port": 0,
                     "tls": tls} for tls in ("starttls", "direct", "none")],
         "auth": {"tls_required": "no"}}


def cond(e):
    """Of an error; None for any other answer."""
    error = e.child("error")
    return error and error.elems()[0].name


def ask_all(client, texts):
    """Sends all, with ids of their own ("%s"); answers, by number."""
    for at in range(0, len(texts), 200):
        some = range(at, min(at + 200, len(texts)))
        client.send("".join(texts[i] % ("a%d" % i) for i in some))
        for i in some:
            yield client.take(lambda e: e.get("id") == "a%d" % i, "an answer")


# --- sessions -------------------------------------------------------------------


def quick_login(scene, name):
    """Without TLS; not bound yet."""
    a = scene.accounts[name]
    c = Client(scene.server).connect("none")
    c.open()
    return c.auth(a.name, a.password, "SCRAM-SHA-1")


@proves("limits: sessions_per_account")
@pytest.mark.parametrize("end", BOTH_MAX_ONCE)
def test_the_most_resources_log_in(own_server, end):
    server, most = served(own_server, "limits: sessions_per_account", end,
                          PLAIN | {"limits": {"login_timeout": "10m"}})
    scene = scenes.Scene(server, ("romeo", "juliet"))
    held = []
    for i in range(most):
        held.append(quick_login(scene, "romeo"))
        held[-1].bind("r%d" % i)
        held[-1].send("<presence/>")
    last = quick_login(scene, "romeo")
    assert cond(last.iq("set", BIND % "more")) == "resource-constraint"
    juliet = scene.online("juliet/a")
    juliet.send("<message to='%s' type='chat' id='m'><body>x</body></message>"
                % scene.binds["romeo"])
    for c in held:
        c.take(lambda e: e.get("id") == "m", "the message")
        c.inbox.clear()
    held.pop().close()
    # there is room when the server has seen its end
    until(lambda: cond(last.iq("set", BIND % "more")), lambda got: not got)
    for c in held + [last]:
        c.drop()
    scene.end()


# --- rosters --------------------------------------------------------------------


def item(i, name="", groups=()):
    return "<item jid='c%d@%s' name='%s'>%s</item>" % (
        i, DOMAIN, name, "".join("<group>%s</group>" % g for g in groups))


@proves("limits: roster_items")
@pytest.mark.parametrize("end", BOTH_MAX_ONCE)
def test_the_most_contacts(own_server, end):
    server, most = served(own_server, "limits: roster_items", end, {
        "limits": {"roster_bytes": "16MiB"}})
    scene = scenes.Scene(server, ("romeo",))
    romeo = scene.login("romeo/a")
    texts = [SET % ("%s", item(i)) for i in range(most + 1)]
    conds = [cond(e) for e in ask_all(romeo, texts)]
    assert conds[:-1] == [None] * most
    assert conds[-1] == "resource-constraint"
    for _ in range(2):
        assert len(romeo.roster()) == most
        romeo.send("<presence/>")
        romeo.ping()
        romeo.close()
        server.advance(120) # it leaves memory
        romeo = scene.login("romeo/a")
    scene.end()


@proves("limits: roster_bytes")
@pytest.mark.parametrize("end", BOTH_MAX_ONCE)
def test_the_largest_roster(own_server, end):
    server, most = served(own_server, "limits: roster_bytes", end, {
        "limits": {"roster_items": "100000"}})
    scene = scenes.Scene(server, ("romeo",))
    romeo = scene.login("romeo/a")
    name = "&quot;" * 1000
    texts = [SET % ("%s", item(i, name)) for i in range(most // 6000 + 10)]
    conds = [cond(e) for e in ask_all(romeo, texts)]
    n = conds.index("resource-constraint")
    assert set(conds[n:]) == {"resource-constraint"}
    assert most * 0.88 < n * (6000 + len(item(0))) <= most
    for _ in range(2):
        assert len(romeo.roster()) == n
        romeo.close()
        server.advance(120)
        romeo = scene.login("romeo/a")
    scene.end()


@proves("limits: roster_groups", "limits: roster_name_bytes")
@pytest.mark.parametrize("end", BOTH)
def test_the_most_groups_and_the_longest_names(own_server, end):
    server, groups = served(own_server, "limits: roster_groups", end, {
        "limits": {"roster_bytes": "16MiB", "stanza_bytes": "4MiB",
                   "inbox_bytes": "4MiB",
                   "roster_name_bytes": "64" if end == "min" else "4KiB"}})
    name = 64 if end == "min" else 4096
    scene = scenes.Scene(server, ("romeo",))
    romeo, other = scene.login("romeo/a"), scene.login("romeo/b")
    other.roster()
    groups = min(groups, 4000000 // name)

    def named(n, length, which):
        long = [("g%d" % i).ljust(length, "x") for i in range(n)]
        return SET % ("%s", item(which, "n" * length, long))
    texts = [named(groups, name, 0), named(groups + 1, 5, 1),
             named(1, name + 1, 2),
             SET % ("%s", item(3, "n" * (name + 1)))]
    conds = [cond(e) for e in ask_all(romeo, texts)]
    if groups < 1000 and end == "max":
        conds[1] = "not-acceptable"
    assert conds == [None] + ["not-acceptable"] * 3
    push = other.next("a push")
    assert len(push.child("query").child("item").elems()) == groups
    assert len(romeo.roster()["c0@" + DOMAIN].elems()) == groups
    scene.end()


# --- presence -------------------------------------------------------------------


PENDING = 200


@proves("limits: pending_subscriptions", ends=MIN)
def test_requests_that_wait(own_server):
    requests_wait(own_server, "min")


sworn("limits: pending_subscriptions", MAX, "100,000 accounts that ask; "
      "%d do" % PENDING)


@pytest.mark.parametrize("most", (0, 1, 2, once(PENDING)))
def test_numbers_of_requests_that_wait(own_server, most):
    requests_wait(own_server, "max", most)


def requests_wait(own_server, end, n=None):
    server, most = served(own_server, "limits: pending_subscriptions", end, {
        "shards": 2, "limits": {"sessions_per_account": "1000"}})
    n = most + 2 if n is None else n
    names = ["c%d" % i for i in range(n)]
    scene = scenes.Scene(server, ["romeo"] + names)
    for name in names:
        c = scene.login(name + "/a")
        c.send("<presence to='%s' type='subscribe'/>" % scene.binds["romeo"])
        c.iq("set", scenes.BARRIER)
        c.ping()
        c.close()
    romeo = scene.online("romeo/a")
    asked = []
    while len(asked) < min(n, most):
        e = romeo.next("a request")
        asked += [e.get("from")] * (e.get("type") == "subscribe")
    romeo.iq("set", scenes.BARRIER)
    asked += [e.get("from") for e in romeo.inbox
              if e.get("type") == "subscribe"]
    assert len(asked) == len(set(asked)) == min(n, most)
    scene.end()


@proves("limits: directed_presences")
@pytest.mark.parametrize("end", BOTH_MAX_ONCE)
def test_presence_sent_to_the_most_addresses(own_server, end):
    server, most = served(own_server, "limits: directed_presences", end)
    scene = scenes.Scene(server, ("romeo", "juliet"))
    romeo, juliet = scene.login("romeo/a"), scene.login("juliet/a")
    romeo.send("<presence to='%s'/>" % juliet.jid)
    for at in range(0, most - 1, 1000):
        romeo.send("".join("<presence to='x%d@%s/a'/>" % (i, DOMAIN)
                           for i in range(at, min(at + 1000, most - 1))))
        romeo.ping()
    assert not [e for e in romeo.inbox if e.get("type") == "error"]
    romeo.send("<presence to='last@%s/a'/>" % DOMAIN)
    got = romeo.take(lambda e: e.get("type") == "error", "a refusal")
    assert cond(got) == "resource-constraint"
    romeo.close()
    juliet.take(lambda e: e.get("type") == "unavailable", "unavailable")
    # a walk through all of them for each took 134
    assert cpu_seconds(server) < 60
    scene.end()


def cpu_seconds(server):
    with open("/proc/%d/stat" % server.process.proc.pid) as f:
        fields = f.read().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


# --- in memory ------------------------------------------------------------------


@proves("limits: entities", ends=MIN)
@pytest.mark.parametrize("shards", (1, 4, 256))
def test_few_entities(own_server, shards):
    """Wherever those that there are live."""
    server, most = served(own_server, "limits: entities", "min",
                          {"shards": shards})
    names = ["c%d" % i for i in range(most)]
    scene = scenes.Scene(server, names)
    held = [scene.login(name + "/a") for name in names]
    for i, c in enumerate(held):
        scene.mark(c, held[i - 1])
    scene.end()


ENTITIES = 1000


@pytest.mark.parametrize("n", (0, 1, 300, once(ENTITIES)))
def test_numbers_of_entities(own_server, n):
    server, _ = served(own_server, "limits: entities", "max", {
        "limits": {"account_idle": "never"}})
    names = ["c%d" % i for i in range(n)]
    scene = scenes.Scene(server, ["romeo"] + names)
    romeo = scene.login("romeo/a")
    for at in range(0, n, 500):
        romeo.send("".join(
            "<message to='%s' type='chat' id='m'><body>x</body>"
            "<no-store xmlns='urn:xmpp:hints'/></message>" % scene.binds[name]
            for name in names[at:at + 500]))
        for _ in names[at:at + 500]:
            got = romeo.take(lambda e: e.get("id") == "m", "nobody is there")
            assert cond(got) == "service-unavailable"
    # some leave for another that has the same place among the idle ones
    assert stat(server, "entities") > n * 4 // 5
    scene.end()


sworn("limits: entities", MAX, "20,000,000 accounts are 6 GB; %d are there"
      % ENTITIES)


@proves("limits: account_idle")
@pytest.mark.parametrize("end", BOTH)
def test_how_long_an_account_stays(own_server, end):
    server, idle_s = served(own_server, "limits: account_idle", end)
    scene = scenes.Scene(server, ("romeo", "juliet"))
    reads = []
    juliet = scene.login("juliet/a")
    for wait_s in (0, 0 if idle_s else 300 * 86400,
                   idle_s * 1.1 if idle_s else 0):
        if wait_s:
            server.advance(wait_s)
        before = stored_reads(server)
        juliet.send("<message to='%s' type='chat'><body>x</body>"
                    "<no-store xmlns='urn:xmpp:hints'/></message>"
                    % scene.binds["romeo"])
        juliet.take(lambda e: e.get("type") == "error", "nobody is there")
        reads.append(stored_reads(server) - before)
    assert reads[0] > 0
    if idle_s is None:
        assert reads[1:] == [0, 0]
    else: # a second may have passed of itself
        assert reads[2] > 0
    scene.end()


def stored_reads(server):
    return stat(server, "store_reads")


# --- what modules keep ------------------------------------------------------------


def offline(own_server, name, end, more=None):
    conf = {"modules": {"offline": {"max_messages": "1000000",
                                    "max_bytes": "16GiB",
                                    "stranger_share": "100",
                                    "sender_share": "100"}}}
    if more:
        conf["modules"]["offline"].update(more)
    return served(own_server, "modules: offline: " + name, end, conf)


def leave(sender, to, texts):
    """How many of these were kept; the others came back."""
    for at in range(0, len(texts), 500):
        sender.send("".join("<message to='%s' type='chat' id='k%d'><body>%s"
                            "</body></message>" % (to, at + i, text)
                            for i, text in enumerate(texts[at:at + 500])))
        # what came before it has been answered
        sender.iq("get", "<vCard xmlns='vcard-temp'/>", to)
    back = [e for e in sender.inbox if e.get("type") == "error"]
    assert {cond(e) for e in back} <= {"service-unavailable"}
    sender.inbox.clear()
    return len(texts) - len(back)


def all_wait(scene, name, n):
    """That many arrive, and no more."""
    c = scene.login(name + "/late")
    c.send("<presence/>")
    for _ in range(n):
        c.take(lambda e: e.is_("message"), "what waited")
    c.ping()
    assert not [e for e in c.inbox if e.is_("message")]
    c.close()


KEPT = 3000


@proves("modules: offline: max_messages", ends=MIN)
@pytest.mark.parametrize("friends", (True, False))
@pytest.mark.parametrize("more", ({}, {"stranger_share": "20",
                                       "sender_share": "50"}))
def test_one_message_waits(own_server, friends, more):
    """Also where its share of one is less than one."""
    server, most = offline(own_server, "max_messages", "min", more)
    scene = scenes.Scene(server, ("romeo", "juliet"))
    if friends:
        scene.befriend("romeo", "juliet")
    romeo = scene.login("romeo/a")
    assert leave(romeo, scene.binds["juliet"], ["x"] * 3) == most
    all_wait(scene, "juliet", most)
    scene.end()


sworn("modules: offline: max_messages", MAX, "1,000,000 messages; %d are kept"
      % KEPT)


@pytest.mark.parametrize("n", (0, 1, 2, 99, KEPT))
def test_numbers_of_messages_wait(own_server, n):
    server, _ = offline(own_server, "max_messages", "max")
    scene = scenes.Scene(server, ("romeo", "juliet"))
    romeo = scene.login("romeo/a")
    assert leave(romeo, scene.binds["juliet"], ["x"] * n) == n
    all_wait(scene, "juliet", n)
    scene.end()


@proves("modules: offline: max_bytes", ends=MIN)
@pytest.mark.parametrize("more", ({}, {"stranger_share": "20",
                                       "sender_share": "50"}))
def test_few_bytes_wait(own_server, more):
    server, most = offline(own_server, "max_bytes", "min", more)
    scene = scenes.Scene(server, ("romeo", "juliet"))
    scene.befriend("romeo", "juliet")
    romeo = scene.login("romeo/a")
    share = most // (2 if more else 1)
    n = leave(romeo, scene.binds["juliet"], ["x"] * 40)
    assert 0 < n <= share // 256
    assert leave(romeo, scene.binds["juliet"], ["x" * share]) == 0
    all_wait(scene, "juliet", n)
    scene.end()


sworn("modules: offline: max_bytes", MAX, "16 GiB on the disk; 100 MiB are "
      "kept")


@pytest.mark.once
def test_many_bytes_wait(own_server):
    server, _ = offline(own_server, "max_bytes", "max")
    scene = scenes.Scene(server, ("romeo", "juliet"))
    romeo = scene.login("romeo/a")
    n = 0
    # at a slow disk more than inbox_bytes would wait for it, and come back
    for _ in range(250):
        n += leave(romeo, scene.binds["juliet"], ["x" * 200000] * 2)
    assert n == 500
    all_wait(scene, "juliet", n)
    scene.end()


@proves("modules: offline: stranger_share", "modules: offline: sender_share")
@pytest.mark.parametrize("end", BOTH)
@pytest.mark.parametrize("name", ("stranger_share", "sender_share"))
def test_shares_of_what_waits(own_server, name, end):
    server, percent = offline(own_server, name, end, {"max_messages": "300"})
    scene = scenes.Scene(server, ("romeo", "mercutio", "juliet"))
    if name == "sender_share":
        scene.befriend("romeo", "juliet")
    romeo = scene.login("romeo/a")
    assert leave(romeo, scene.binds["juliet"], ["x"] * 310) == 3 * percent
    scene.end()


def block_xml(jids):
    return ("<iq type='set' id='%%s'><block xmlns='urn:xmpp:blocking'>%s"
            "</block></iq>" % "".join("<item jid='%s'/>" % j for j in jids))


@proves("modules: blocking: max")
@pytest.mark.parametrize("end", BOTH)
def test_the_most_that_are_blocked(own_server, end):
    server, most = served(own_server, "modules: blocking: max", end,
                          {"modules": {"blocking": {"max_bytes": "1MiB"}}})
    scene = scenes.Scene(server, ("romeo",))
    romeo = scene.login("romeo/a")
    texts = [block_xml("d%d.lit" % i for i in range(at, min(at + 500, most)))
             for at in range(0, most, 500)]
    assert {cond(e) for e in ask_all(romeo, texts)} == {None}
    got = list(ask_all(romeo, [block_xml(["more.lit"]), block_xml(["d0.lit"])]))
    assert [cond(e) for e in got] == ["resource-constraint", None]
    got = romeo.iq("get", "<blocklist xmlns='urn:xmpp:blocking'/>")
    assert len(got.child("blocklist").elems()) == most
    scene.end()


@proves("modules: blocking: max_bytes")
@pytest.mark.parametrize("end", BOTH)
def test_the_most_bytes_that_are_blocked(own_server, end):
    server, most = served(own_server, "modules: blocking: max_bytes", end,
                          {"modules": {"blocking": {"max": "10000"}}})
    scene = scenes.Scene(server, ("romeo",))
    romeo = scene.login("romeo/a")
    # an address of 1000 bytes, with what holds it
    n = most // 1009
    jids = ["%04d@x.lit/" % i + "r" * 989 for i in range(n + 1)]
    assert {len(j) for j in jids} == {1000}
    texts = [block_xml(jids[at:min(at + 100, n)]) for at in range(0, n, 100)]
    assert {cond(e) for e in ask_all(romeo, texts)} == {None}
    got = list(ask_all(romeo, [block_xml([jids[n]]), block_xml(["a"])]))
    assert cond(got[0]) == "resource-constraint"
    got = romeo.iq("get", "<blocklist xmlns='urn:xmpp:blocking'/>")
    assert len(got.child("blocklist").elems()) >= n
    scene.end()


@proves("modules: private: max_namespaces")
@pytest.mark.parametrize("end", BOTH_MAX_ONCE)
def test_the_most_namespaces(own_server, end):
    server, most = served(own_server, "modules: private: max_namespaces", end,
                          {"modules": {"private": {"max_bytes": "16MiB"}}})
    scene = scenes.Scene(server, ("romeo",))
    romeo = scene.login("romeo/a")

    def some(a, b):
        return ("<iq type='set' id='%%s'><query xmlns='jabber:iq:private'>%s"
                "</query></iq>" % "".join("<a xmlns='urn:%d'><b/></a>" % i
                                          for i in range(a, b)))
    texts = [some(at, min(at + 200, most)) for at in range(0, most, 200)]
    assert {cond(e) for e in ask_all(romeo, texts)} == {None}
    got, = ask_all(romeo, [some(most, most + 1)])
    assert cond(got) is not None
    got = romeo.iq("get", "<query xmlns='jabber:iq:private'>"
                   "<a xmlns='urn:%d'/></query>" % (most - 1))
    assert got.child("query").child("a").child("b") is not None
    scene.end()


@proves("modules: private: max_bytes")
@pytest.mark.parametrize("end", BOTH_MAX_ONCE)
def test_the_most_private_data(own_server, end):
    server, most = served(own_server, "modules: private: max_bytes", end)
    scene = scenes.Scene(server, ("romeo",))
    romeo = scene.login("romeo/a")
    size = min(200000, most // 2 - 100)

    def some(i):
        return ("<iq type='set' id='%%s'><query xmlns='jabber:iq:private'>"
                "<a xmlns='urn:%d'>%s</a></query></iq>" % (i, "x" * size))
    n = most // (size + 100)
    conds = [cond(e) for e in ask_all(romeo, [some(i) for i in range(n)])]
    assert conds == [None] * n
    more = [some(n + i) for i in range(3)]
    assert cond(list(ask_all(romeo, more))[-1]) is not None
    for i in range(n):
        got = romeo.iq("get", "<query xmlns='jabber:iq:private'>"
                       "<a xmlns='urn:%d'/></query>" % i)
        assert len(got.child("query").child("a").text()) == size
    scene.end()


@proves("modules: vcard: max_bytes")
@pytest.mark.parametrize("end", BOTH)
def test_the_largest_vcard(own_server, end):
    server, most = served(own_server, "modules: vcard: max_bytes", end, {
        "limits": {"stanza_bytes": "4MiB", "inbox_bytes": "4MiB"}})
    scene = scenes.Scene(server, ("romeo", "juliet"))
    romeo = scene.login("romeo/a")

    def card(size):
        """Of so many bytes as it is kept."""
        head, tail = "<vCard xmlns='vcard-temp'><FN>", "</FN></vCard>"
        room = size - len(head) - len(tail)
        return head + '&gt;' * (room // 4) + "x" * (room % 4) + tail, room
    for size, ok in ((most, True), (most + 1, False)):
        text, room = card(size)
        text = text.replace("&gt;", ">")
        assert (cond(romeo.iq("set", text)) is None) == ok
    for who in (romeo, scene.login("juliet/a")):
        got = who.iq("get", "<vCard xmlns='vcard-temp'/>",
                     scene.binds["romeo"])
        assert len(got.child("vCard").child("FN").text()) > room // 4
    scene.end()


TRIES = 300


@proves("modules: register: per_hour", ends=MIN)
@pytest.mark.parametrize("n", (1, 2, once(TRIES)))
def test_accounts_made_in_an_hour(own_server, n):
    end = "min" if n == 1 else "max"
    server, most = served(own_server, "modules: register: per_hour", end, {
        "modules": {"register": {"allow": "yes"}}})

    def register(i):
        c = Client(server).secure()
        got = c.iq("set", "<query xmlns='jabber:iq:register'><username>n%d"
                   "</username><password>secret-one</password></query>" % i)
        c.drop()
        return cond(got)
    assert [register(i) for i in range(n)] == [None] * n
    if n == most:
        assert register(n) is not None
        server.advance(3601)
        assert register(n) is None


sworn("modules: register: per_hour", MAX, "100,000 accounts; %d are made"
      % TRIES)


# --- the archive -------------------------------------------------------------------


def archived(server, jid):
    """How many messages, and how large they are."""
    local, _, host = jid.partition("@")
    db = sqlite3.connect("file:%s?mode=ro" % server.conf["storage"]["path"],
                         uri=True)
    try:
        return db.execute("SELECT count(*), coalesce(sum(length(value) + 256), 0)"
                          " FROM entries WHERE host = ? AND owner = ? AND"
                          " name = 'archive'", (host, local)).fetchone()
    finally:
        db.close()


def talk(server, scene, bodies):
    romeo, juliet = scene.online("romeo/a"), scene.online("juliet/j")
    for i, body in enumerate(bodies):
        romeo.send("<message to='%s' id='%d' type='chat'><body>%s</body>"
                   "</message>" % (juliet.jid, i, body))
        juliet.take(lambda e: e.get("id") == str(i), "message %d" % i)
    romeo.iq("set", scenes.BARRIER)
    romeo.close()
    juliet.close()
    return [archived(server, scene.binds[name]) for name in ("romeo", "juliet")]


sworn("modules: archive: max_bytes", MAX, "1 TiB on the disk; 20 MiB are kept")


@proves("modules: archive: max_bytes", ends=MIN)
@pytest.mark.parametrize("end", ("min", "max"))
def test_how_large_an_archive_may_become(own_server, end):
    server, most = served(own_server, "modules: archive: max_bytes", end)
    scene = scenes.Scene(server, ("romeo", "juliet"))
    scene.befriend("romeo", "juliet")
    large = 100 if end == "max" else 3
    for n, size in talk(server, scene, ["x"] * 200 + ["x" * 200000] * large +
                        ["x"] * 100):
        assert size <= most
        assert n == 300 + large if end == "max" else 100 <= n <= 180
    scene.end()


@proves("modules: archive: keep")
@pytest.mark.parametrize("end", ("min", "max"))
def test_how_long_messages_are_kept(own_server, end):
    server, keep = served(own_server, "modules: archive: keep", end)
    scene = scenes.Scene(server, ("romeo", "juliet"))
    talk(server, scene, ["x"] * 3)
    lost = "archives have lost their oldest host=%s messages=6" % server.domain
    if keep is None:
        # ten years; host_bytes is none, so there is one walk
        server.advance(10 * 365 * 86400)
    else:
        server.advance(keep - 600)
        assert archived(server, scene.binds["romeo"])[0] == 3
        server.advance(keep + 700)
        server.process.wait_line(lost)
    assert [archived(server, scene.binds[name])[0] for name in
            ("romeo", "juliet")] == ([3, 3] if keep is None else [0, 0])
    assert keep is not None or lost not in server.process.tail()
    scene.end()


sworn("modules: archive: host_bytes", MAX, "1024 TiB on the disk")


@proves("modules: archive: host_bytes", ends=MIN)
def test_a_host_without_a_bound(own_server):
    """0 is none: nothing goes in a walk."""
    server, _ = served(own_server, "modules: archive: host_bytes", "min")
    scene = scenes.Scene(server, ("romeo", "juliet"))
    before = talk(server, scene, ["x" * 1000] * 100)
    for _ in range(3):
        server.advance(3700)
    assert [archived(server, scene.binds[name]) for name in
            ("romeo", "juliet")] == before
    scene.end()


@proves("modules: archive: stranger_bytes")
@pytest.mark.parametrize("end", ("min", "max"))
def test_what_strangers_may_add(own_server, end):
    server, most = served(own_server, "modules: archive: stranger_bytes", end)
    scene = scenes.Scene(server, ("romeo", "juliet"))
    (sent, _), (got, _) = talk(server, scene, ["x" * 100000] * 60)
    assert sent == 60
    assert got == (60 if most else 0)
    scene.end()


@proves("modules: archive: page_max")
@pytest.mark.parametrize("end", ("min", "max"))
def test_how_large_a_page_of_the_archive_may_be(own_server, end):
    server, most = served(own_server, "modules: archive: page_max", end)
    scene = scenes.Scene(server, ("romeo",))
    romeo = scene.login("romeo/a")
    romeo.send("".join("<message to='x@%s' type='chat'><body>%d</body></message>"
                       % (server.domain, i) for i in range(most + 1)))
    romeo.iq("set", scenes.BARRIER)
    page = mam.query(romeo, max=most + 1)
    assert len(page.ids) == most and not page.complete
    assert len(mam.query(romeo).ids) == min(50, most)
    scene.end()
