"""Queries of the archive (XEP-0313 §4, XEP-0059, XEP-0413), against a model of what
lies in it."""

import random
import re
import sqlite3

import pytest

import mam
import scene as scenes
from client import Client
from sm import SM, enable

pytestmark = pytest.mark.only("antiphon")


class Entry:
    def __init__(self, row):
        self.id, self.peer, value, time = row
        self.value = value[:value.rindex(">") + 1] # without its seal
        self.time = time.replace(" ", "T") + "Z"
        tag = self.value[:self.value.index(">")]
        self.ends = re.findall(r' (?:from|to)="([^"]*)"', tag)


def entries(server, jid):
    local, _, host = jid.partition("@")
    db = sqlite3.connect("file:%s?mode=ro" % server.conf["storage"]["path"],
                         uri=True)
    try:
        return [Entry(row) for row in db.execute(
            "SELECT id, peer, value, time FROM entries WHERE host = ? AND"
            " owner = ? AND name = 'archive' ORDER BY number", (host, local))]
    finally:
        db.close()


class Archive:
    """romeo's, and a second device of his that reads it."""

    def __init__(self, scene):
        self.scene, self.server = scene, scene.server
        scene.add_accounts("romeo", "juliet", "tybalt")
        self.romeo = scene.online("romeo/a")
        for name in ("juliet/b", "juliet/c", "tybalt/d"):
            scene.online(name)
        self.reader = scene.login("romeo/r")
        self.n = 0

    def say(self, random_, n=1):
        """Somebody says something to somebody."""
        for _ in range(n):
            who, to = random_.choice((
                ("romeo/a", "{juliet}"), ("romeo/a", "{juliet/b}"),
                ("romeo/a", "{tybalt}"), ("juliet/b", "{romeo}"),
                ("juliet/c", "{romeo/a}"), ("tybalt/d", "{romeo}"),
                ("romeo/a", "{romeo}")))
            self.n += 1
            self.scene.send(who, "<message to='%s' type='chat' id='m%d'><body>%d"
                            "%s</body></message>" % (
                                to, self.n, self.n,
                                "x" * random_.choice((0, 0, 0, 3000))))

    def settle(self):
        """All of it is there, and seen."""
        for session in self.scene.live():
            session.iq("set", scenes.BARRIER)
        self.scene.flush()

    def all(self):
        return entries(self.server, self.scene.binds["romeo"])


@pytest.fixture(scope="module")
def world(pool):
    server = pool.new({"modules": {"archive": {"stranger_bytes": "100MiB",
                                               "page_max": "100"}}})
    server.start()
    archive = Archive(scenes.Scene(server))
    random_ = random.Random(7)
    for _ in range(4):
        archive.say(random_, 25)
        archive.settle()
        server.advance(100)
    yield archive
    archive.scene.end()
    server.stop()


@pytest.fixture
def reader(world):
    world.reader.inbox.clear()
    return world.reader


# --- the model -------------------------------------------------------------------


def matches(e, fields):
    with_ = fields.get("with")
    return ((with_ is None or (with_ in e.ends if "/" in with_ else
                               e.peer == with_)) and
            ("start" not in fields or e.time >= fields["start"]) and
            ("end" not in fields or e.time <= fields["end"]))


def model(all_, fields, max_, after=None, before=None, flip=False, desc=None,
          also=lambda e: True):
    """(ids as they come, complete, first, last)"""
    at = {e.id: i for i, e in enumerate(all_)}
    lo, hi = -1, len(all_)
    if "after-id" in fields:
        lo = at[fields["after-id"]]
    if "before-id" in fields:
        hi = at[fields["before-id"]]
    found = [e.id for i, e in enumerate(all_)
             if lo < i < hi and matches(e, fields) and also(e) and
             ("ids" not in fields or e.id in fields["ids"])]
    if desc:
        found.reverse()

    def behind(x, y):
        return at[x] < at[y] if desc else at[x] > at[y]
    if after:
        found = [x for x in found if behind(x, after)]
    if before:
        found = [x for x in found if behind(before, x)]
    n = min(50 if max_ is None else max_, 100)
    if before is not None:
        page = found[-n:] if n else []
    else:
        page = found[:n]
    return (page[::-1] if flip else page, len(page) == len(found),
            page[0] if page else None, page[-1] if page else None)


def random_fields(random_, all_, scene):
    fields = {}
    if random_.random() < 0.5:
        fields["with"] = scene.fill(random_.choice((
            "{juliet}", "{tybalt}", "{romeo}", "{juliet/b}", "{juliet/c}",
            "{tybalt/d}", "{romeo/a}", "nobody@{HOST}", "{juliet}/none")))
    if random_.random() < 0.3:
        fields["start"] = random_.choice(all_).time
    if random_.random() < 0.3:
        fields["end"] = random_.choice(all_).time
    if random_.random() < 0.2:
        fields["after-id"] = random_.choice(all_).id
    if random_.random() < 0.2:
        fields["before-id"] = random_.choice(all_).id
    if random_.random() < 0.2:
        fields["ids"] = [e.id for e in random_.sample(all_, 7)]
    return fields


@pytest.mark.parametrize("seed", range(4))
def test_whatever_is_asked_is_what_the_model_says(world, reader, seed):
    """Every filter beside every other, in both orders, from both ends."""
    random_ = random.Random(seed)
    all_ = world.all()
    assert len(all_) >= 100
    for _ in range(60):
        fields = random_fields(random_, all_, world.scene)
        what = {"after": random_.choice(all_).id} \
            if random_.random() < 0.3 else {}
        if random_.random() < 0.4:
            what["before"] = random_.choice(["", random_.choice(all_).id])
        what["flip"] = random_.random() < 0.3
        what["desc"] = random_.choice((None, False, True))
        max_ = random_.choice((None, 0, 1, 2, 7, 25, 100, 1000))
        got = mam.query(reader, fields=fields, max=max_, **what)
        want = model(all_, fields, max_, **what)
        assert (got.ids, got.complete, got.first, got.last) == want, (
            fields, max_, what, got.error)


@pytest.mark.parametrize("desc", (False, True))
@pytest.mark.parametrize("backwards", (False, True))
def test_pages_are_the_whole_while_messages_arrive(world, reader, backwards, desc):
    """XEP-0059 §2.2: none is left out, and none comes twice; those that have come
    since are there where the order has them still to come."""
    random_ = random.Random(backwards + 2 * desc)
    for _ in range(3):
        fields = random_.choice(({}, {"with": world.scene.fill("{juliet}")},
                                 {"with": world.scene.fill("{juliet/b}")}))
        before, seen, cursor = world.all(), [], "" if backwards else None
        while True:
            what = {"before" if backwards else "after": cursor}
            page = mam.query(reader, fields=fields, max=random_.randint(1, 40),
                             desc=desc, flip=random_.random() < 0.5, **what)
            assert page.error is None
            ids = sorted(page.ids, key=lambda i: int(i.split(".")[0], 16),
                         reverse=desc)
            seen = ids + seen if backwards else seen + ids
            if page.complete:
                break
            cursor = page.first if backwards else page.last
            world.say(random_, 3)
            world.settle()
        newest_last = backwards == desc
        whole = world.all() if newest_last else before
        want = [e.id for e in whole if matches(e, fields)]
        assert seen == (want[::-1] if desc else want)


def test_a_result_is_the_entry(world, reader):
    """XEP-0313 §4.2"""
    all_ = world.all()
    page = mam.query(reader, queryid="f'<27", max=100)
    assert page.ids == [e.id for e in all_[:100]]
    for e, message, stamp in zip(all_, page.messages, page.stamps):
        assert stamp == e.time
        assert [message.get("from"), message.get("to")] == e.ends or \
            [message.get("to"), message.get("from")] == e.ends
        assert message.child("body").text() == re.search(
            "<body>(.*)</body>", e.value)[1]
    # and of a query without a name it has none
    page = mam.query(reader, queryid=None, max=1)
    assert page.ids == [all_[0].id]


def test_large_pages_go_out_in_slices(world, reader):
    """Also those that go out from the end at which they were not looked for."""
    for i in range(30):
        world.scene.send("romeo/a", "<message to='{tybalt}' type='chat'><body>%s"
                         "</body></message>" % ("y" * 20000))
    world.settle()
    all_ = [e.id for e in world.all()]
    for what in ({}, {"flip": True}, {"desc": True}):
        page = mam.query(reader, max=40, before="", **what)
        want = model(world.all(), {}, 40, before="", **what)
        assert (page.ids, page.complete, page.first, page.last) == want
    page = mam.query(reader, fields={"ids": all_[-30:]}, max=30, flip=True)
    assert page.ids == all_[-30:][::-1] and page.complete


def test_several_queries_at_once(world, reader):
    """One after the other, and each with its own results; another device does not
    wait for them."""
    n = 40
    reader.send("".join("<iq type='set' id='i%d'>%s</iq>" % (
        i, mam.query_xml("n%d" % i, max=i % 7)) for i in range(n)))
    for i in range(n):
        answer = reader.take(lambda e: e.get("id") == "i%d" % i, "answer %d" % i)
        page = mam.fin_of(mam.take_results(reader, "n%d" % i), answer)
        assert len(page.ids) == i % 7


# --- what is refused -------------------------------------------------------------


def test_what_is_not_there(world, reader):
    """XEP-0313 §4.1.3, §4.3.2, hostile 63: whatever it looks like; and nothing is
    shown before."""
    all_ = world.all()
    good, number = all_[3].id, all_[3].id.split(".")[0]
    bad = ("x", "0", "1", number, number + ".", number + "." + "A" * 22,
           "'; DROP TABLE entries; --", "1' OR '1'='1", "%", "*",
           "99999999999999999999.x", "-1", "\u00e9", "a" * 5000, " " + good,
           entries(world.server, world.scene.binds["juliet"])[0].id)
    for id_ in bad:
        for what in ({"after": id_}, {"before": id_},
                     {"fields": {"after-id": id_}},
                     {"fields": {"before-id": id_}},
                     {"fields": {"ids": [id_]}},
                     {"fields": {"ids": [good, id_, all_[4].id]}},
                     {"fields": {"after-id": good}, "after": id_},
                     {"fields": {"ids": [good]}, "before": id_}):
            page = mam.query(reader, **what)
            assert page.error == "item-not-found", (id_, what)
            assert not page.ids
    for name in ("after-id", "before-id"):
        assert mam.query(reader, fields={name: ""}).error == "item-not-found"


@pytest.mark.parametrize("what, error, text", [
    ({"fields": {"start": "yesterday"}}, "bad-request", "start"),
    ({"fields": {"end": "2010-13-07T00:00:00Z"}}, "bad-request", "end"),
    ({"fields": {"end": ""}}, "bad-request", "end"),
    ({"fields": {"with": "@"}}, "bad-request", "with"),
    ({"fields": {"with": ""}}, "bad-request", "with"),
    ({"fields": {"include-groupchat": "perhaps"}}, "bad-request",
     "include-groupchat"),
    ({"fields": {"colour": "red"}}, "feature-not-implemented", "field"),
    ({"fields": {"FORM_TYPE": "urn:xmpp:mam:1"}}, "bad-request", "FORM_TYPE"),
    ({"raw": mam.form({"with": "a@b"})}, "bad-request", "FORM_TYPE"),
    ({"raw": mam.form({"FORM_TYPE": mam.MAM}, "form")}, "bad-request", "submit"),
    ({"fields": {"ids": ["x"] * 251}}, "policy-violation", "ids"),
    ({"max": "-1"}, "bad-request", "max"),
    ({"max": "ten"}, "bad-request", "max"),
    ({"raw": "<set xmlns='%s'><index>3</index></set>" % mam.RSM},
     "feature-not-implemented", "index"),
    ({"raw": "<order xmlns='urn:xmpp:order-by:1' by='size'/>"},
     "feature-not-implemented", "order"),
])
def test_what_is_wrong_is_named(reader, what, error, text):
    page = mam.query(reader, **what)
    assert page.error == error and text in page.text
    assert not page.ids


def test_what_is_allowed(world, reader):
    for fields in ({"include-groupchat": "true"}, {"include-groupchat": "0"},
                   {"start": "1970-01-01T00:00:00Z"}, {"ids": []},
                   {"start": "2002-09-10T23:08:25.123+02:00",
                    "end": "2100-01-01T00:00:00-03:00"},
                   {"start": "0001-01-01T00:00:00Z",
                    "end": "9999-12-31T23:59:59.9999999Z"}):
        page = mam.query(reader, fields=fields, max=1)
        assert page.error is None
        assert len(page.ids) == ("ids" not in fields)
    for fields in ({"start": "9999-12-31T23:59:59Z"},
                   {"end": "1969-12-31T23:59:59Z"}):
        page = mam.query(reader, fields=fields)
        assert page.error is None and page.ids == [] and page.complete
    assert mam.query(reader, max=10 ** 30).error is None
    got = reader.iq("set", "<query xmlns='%s'><set xmlns='%s'><max>2</max><index>0"
                    "</index></set></query>" % (mam.MAM, mam.RSM))
    first = got.child("fin", mam.MAM).child("set", mam.RSM).child("first")
    assert first.get("index") == "0" and first.text() == world.all()[0].id
    reader.inbox.clear()
    # what is told of both ends, and neither way
    all_ = world.all()
    page = mam.query(reader, fields={"start": all_[-1].time,
                                     "end": all_[0].time})
    assert page.ids == [] and page.complete and page.first is None
    assert page.count is None # nobody counts (XEP-0059 §2.7)


@pytest.mark.parametrize("kind, payload", [
    ("set", mam.query_xml()), ("get", "<query xmlns='%s'/>" % mam.MAM),
    ("get", "<metadata xmlns='%s'/>" % mam.MAM)])
def test_archives_of_others(world, kind, payload):
    """XEP-0313 §8.1, hostile 53: whether there is such an account or not."""
    tybalt = world.scene["tybalt/d"]
    answers = []
    for to in (world.scene.binds["romeo"], "nobody@" + world.server.domain):
        got = tybalt.iq(kind, payload, to)
        assert mam.condition(got) == "forbidden"
        answers.append(re.sub(r'\b(from|id)="[^"]*"', "", str(got)))
    assert answers[0] == answers[1]


# --- metadata --------------------------------------------------------------------


def test_metadata(world, reader):
    """XEP-0313 §5"""
    all_ = world.all()
    found = reader.iq("get", "<metadata xmlns='%s'/>" % mam.MAM).child(
        "metadata", mam.MAM)
    for name, e in (("start", all_[0]), ("end", all_[-1])):
        end = found.child(name)
        assert (end.get("id"), end.get("timestamp")) == (e.id, e.time)


def test_an_archive_that_is_empty(scene):
    scene.add_accounts("rosaline")
    client = scene.login("rosaline/a")
    found = client.iq("get", "<metadata xmlns='%s'/>" % mam.MAM).child(
        "metadata", mam.MAM)
    assert found.elems() == []
    for what in ({}, {"max": 0}, {"before": ""}, {"desc": True}):
        page = mam.query(client, **what)
        assert (page.ids, page.complete, page.first) == ([], True, None)


# --- clients that do not read ------------------------------------------------------


def test_a_page_waits_for_its_client_and_nobody_for_it(own_server):
    """What does not fit into its connection is not read from the store; what the
    client sends meanwhile goes on."""
    server = own_server({"modules": {"archive": {"page_max": "1000"}},
                         "limits": {"write_queue_bytes": "64KiB"}})
    scene = scenes.Scene(server, ("romeo", "juliet"))
    romeo = scene.login("romeo/a")
    n = 32
    for i in range(n):
        romeo.send("<message to='%s' type='chat'><body>%d %s</body></message>" % (
            scene.binds["juliet"], i, "z" * 190000))
    romeo.iq("set", scenes.BARRIER)
    assert len(entries(server, scene.binds["romeo"])) == n
    scene.online("juliet/j", settle=False)
    slow = scene.login("romeo/slow")
    for i, max_ in enumerate((n, 1)):
        slow.send("<iq type='set' id='%d'>%s</iq>"
                  % (i, mam.query_xml("s%d" % i, max=max_)))
    slow.send("<message to='%s' id='said'><body>meanwhile</body></message>"
              % scene["juliet/j"].jid)
    scene["juliet/j"].take(lambda e: e.get("id") == "said",
                           "what is said meanwhile")
    waiting = dict(re.findall(r"^(write|session)_bytes_highest +(\d+)$",
                              server.ctl("stats"), re.M))
    assert sum(map(int, waiting.values())) < 1 << 20 and len(waiting) == 2
    for i, max_ in enumerate((n, 1)):
        answer = slow.take(lambda e: e.get("id") == str(i), "the answer")
        page = mam.fin_of(mam.take_results(slow, "s%d" % i), answer)
        assert len(page.ids) == max_
    # one that goes away leaves nothing behind
    for _ in range(2):
        slow.send("<iq type='set' id='x'>%s</iq>" % mam.query_xml("x", max=n))
    slow.drop()
    assert romeo.iq("get", "<metadata xmlns='%s'/>" % mam.MAM).get(
        "type") == "result"
    scene.end()


def test_a_page_outlives_its_stream(own_server):
    """XEP-0198: it waits while its session sleeps, and goes on where that is resumed;
    what is not acknowledged comes again, and nothing else does."""
    server = own_server({"limits": {"write_queue_bytes": "64KiB"},
                         "modules": {"sm": {"ask_after_stanzas": "1"}}})
    scene = scenes.Scene(server, ("romeo",))
    romeo = scene.login("romeo/a")
    n = 40
    for i in range(n):
        romeo.send("<message to='x@%s' type='chat'><body>%d %s</body></message>" % (
            server.domain, i, "z" * 20000))
    romeo.iq("set", scenes.BARRIER)
    phone = scene.login("romeo/phone")
    previd = enable(phone).get("id")
    phone.send("<iq type='set' id='page'>%s</iq>" % mam.query_xml("q", max=n))
    seen, answer = [], None

    def hear(client):
        e = client.next("the page")
        if e.is_("r", SM):
            client.send("<a xmlns='%s' h='%d'/>" % (SM, len(seen)))
        elif not e.is_("a", SM):
            seen.append(e)
        return e
    while len(seen) < 7:
        hear(phone)
    phone.reset()
    server.process.wait_line("asleep")
    a = scene.accounts["romeo"]
    phone = Client(server, "phone").secure().auth(a.name, a.password)
    phone.send("<resume xmlns='%s' previd='%s' h='7'/>" % (SM, previd))
    assert phone.next("<resumed/>").is_("resumed", SM)
    while answer is None or answer.get("id") != "page":
        answer = hear(phone)
    assert answer.child("fin", mam.MAM).get("complete") == "true"
    assert [e.child("result", mam.MAM).get("id") for e in seen[:-1]] == [
        e.id for e in entries(server, scene.binds["romeo"])]
    scene.end()
