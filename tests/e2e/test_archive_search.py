"""Words in the archive (XEP-0431), against a model of what they are."""

import random
import unicodedata

import pytest

import mam
import scene as scenes
from test_archive_query import entries, model
from test_archive_retract import retract
from test_archive import Pair
from xmltree import parse

pytestmark = pytest.mark.only("antiphon")
NS = "urn:xmpp:fulltext:0"
FIELD = "{%s}fulltext" % NS
EME = "<encryption xmlns='urn:xmpp:eme:0' namespace='urn:x'/>"
WORDS_MAX = 32


# --- the model: what words are ----------------------------------------------------


def has_no_blanks(c):
    return unicodedata.name(c, "").split(" ")[0] in (
        "CJK", "HIRAGANA", "KATAKANA", "THAI", "LAO", "KHMER", "MYANMAR",
        "KATAKANA-HIRAGANA")


def runs(text):
    """Letters and digits that stand together, of one kind of script."""
    text = unicodedata.normalize("NFKD", text.casefold())
    found, kind = [], None
    for c in unicodedata.normalize("NFKD", text.casefold()):
        category = unicodedata.category(c)[0]
        if category == "M":
            continue
        now = has_no_blanks(c) if category in "LN" else None
        if now is not None and now == kind:
            found[-1] += c
        elif now is not None:
            found.append(c)
        kind = now
    return found


def words(text, wanted):
    found = set()
    for run in runs(text):
        if not has_no_blanks(run[0]):
            found.add(run)
            continue
        pairs = {run[i:i + 2] for i in range(len(run) - 1)}
        found |= pairs if wanted and pairs else pairs | set(run)
    return found


def kept(e):
    """Of an entry."""
    if "encryption" in e.value:
        return set()
    return set().union(*(words(c.text(), False)
                         for c in parse(e.value)[0].elems()
                         if c.name in ("body", "subject")))


def finds(fields):
    """What the words of these fields mean for an entry."""
    wanted = words(fields.get(FIELD, ""), True)
    return lambda e: wanted <= kept(e)


# --- the archive ------------------------------------------------------------------


SAID = ["rose", "Rose,", "ROSES", "thorn", "caf\u00e9", "cafe\u0301s", "CAF\u00c9",
        "Stra\u00dfe", "STRASSE", "\u9ed2\u732b", "\u732b", "\u65e5\u672c\u8a9e",
        "\u672c\u9ed2\u732b", "\u30ab\u30fc\u30c6\u30f3", "\uff76\uff70\uff83\uff9d",
        "\u0e2a\u0e27\u0e31\u0e2a\u0e14\u0e35", "\u0434\u043e\u043c", "\u0414\u043e\u043c",
        "\ud55c\uad6d", "x\u00b2", "42", "don't", "a*b", "near", "and", "\U0001f600",
        "\u0391\u03a3", "\u03b1\u03c2", "na\u00efve", "\ufb01n"]


def text(random_, most=5):
    return "".join(random_.choice(SAID) + random_.choice((" ", " ", "\n", ""))
                   for _ in range(random_.randint(1, most)))


def say(scene, random_, n):
    for _ in range(n):
        who, to = random_.choice((
            ("romeo/a", "{juliet}"), ("romeo/a", "{tybalt}"),
            ("juliet/b", "{romeo}"), ("juliet/b", "{romeo/a}")))
        inner = "<body>%s</body>" % text(random_)
        if random_.random() < 0.1:
            inner += EME
        elif random_.random() < 0.2:
            inner += "<subject>%s</subject>" % text(random_, 2)
        elif random_.random() < 0.2:
            inner += "<body xml:lang='de'>%s</body>" % text(random_, 2)
        scene.send(who, "<message to='%s' type='chat'>%s</message>" % (to, inner))
    for session in scene.live():
        session.iq("set", scenes.BARRIER)
    scene.flush()


@pytest.fixture(scope="module")
def world(pool):
    """More than the index follows behind, and less than it has to."""
    server = pool.new({"modules": {"archive": {"stranger_bytes": "100MiB",
                                               "page_max": "100",
                                               "client_trim": "yes"}}})
    server.start()
    scene = scenes.Scene(server, ("romeo", "juliet", "tybalt"))
    scene.online("romeo/a")
    scene.online("juliet/b")
    random_ = random.Random(31)
    for _ in range(4):
        say(scene, random_, 85)
        server.advance(100)
    scene.reader = scene.login("romeo/r")
    yield scene
    scene.end()
    server.stop()


def all_of(scene, who="romeo"):
    return entries(scene.server, scene.binds[who])


def ids(client, text, **fields):
    page = mam.query(client, fields={FIELD: text, **fields}, max=100)
    assert page.error is None
    return page.ids


def random_fields(random_, all_, scene):
    fields = {FIELD: text(random_, random_.choice((1, 1, 2, 3)))}
    if not words(fields[FIELD], True):
        fields[FIELD] += " rose"
    if random_.random() < 0.4:
        fields["with"] = scene.fill(random_.choice((
            "{juliet}", "{tybalt}", "{juliet/b}", "{romeo/a}", "nobody@{HOST}")))
    if random_.random() < 0.2:
        fields["start"] = random_.choice(all_).time
    if random_.random() < 0.2:
        fields["end"] = random_.choice(all_).time
    if random_.random() < 0.2:
        fields["after-id"] = random_.choice(all_).id
    if random_.random() < 0.2:
        fields["before-id"] = random_.choice(all_).id
    if random_.random() < 0.2:
        fields["ids"] = [e.id for e in random_.sample(all_, 100)]
    return fields


@pytest.mark.parametrize("seed", range(3))
def test_whatever_is_searched_is_what_the_model_finds(world, seed):
    """Beside every other filter, in both orders, from both ends."""
    random_ = random.Random(seed)
    all_ = all_of(world)
    assert len(all_) == 340
    found = 0
    for _ in range(100):
        fields = random_fields(random_, all_, world)
        what = {"after": random_.choice(all_).id} \
            if random_.random() < 0.2 else {}
        if random_.random() < 0.3:
            what["before"] = random_.choice(["", random_.choice(all_).id])
        what["flip"] = random_.random() < 0.3
        what["desc"] = random_.choice((None, False, True))
        max_ = random_.choice((None, 0, 1, 2, 7, 25, 100))
        got = mam.query(world.reader, fields=fields, max=max_, **what)
        want = model(all_, fields, max_, also=finds(fields), **what)
        assert (got.ids, got.complete, got.first, got.last) == want, (
            fields, max_, what, got.error, got.text)
        found += len(got.ids)
    assert found > 200


def test_pages_of_what_is_found_are_the_whole(world):
    fields = {FIELD: "rose"}
    want = [e.id for e in all_of(world) if finds(fields)(e)]
    seen, cursor = [], None
    while True:
        page = mam.query(world.reader, fields=fields, max=7, after=cursor)
        seen += page.ids
        if page.complete:
            break
        cursor = page.last
    assert seen == want and len(want) > 14


@pytest.mark.parametrize("typed", [
    '"rose thorn"', "ro*", "rose*", "ros?", "r%se", "NEAR(rose thorn, 2)",
    "rose OR juliet", "rose NOT thorn", "words:rose", "search:rose", "-rose",
    "^rose", "{words}: rose", "rose' OR '1'='1", "rose'; DROP TABLE search; --",
    "rose\"", "\"", "_rose", "1_rose", "2__1", "rose\u00a0thorn", "rose\u200bthorn",
    "a+b", "(rose)", "\\rose", "rowid", "rank"])
def test_no_syntax_passes(world, typed):
    """What is typed is words; whatever else it would mean to a database."""
    wanted = words(typed, True)
    page = mam.query(world.reader, fields={FIELD: typed}, max=100)
    if not wanted:
        assert page.error == "bad-request" and "fulltext" in page.text
        return
    want = [e.id for e in all_of(world) if wanted <= kept(e)]
    assert page.error is None and page.ids == want[:100]


def test_what_cannot_be_searched_is_named(world):
    for typed, error in ((" ", "bad-request"), ("*\u20ac\U0001f600", "bad-request"),
                         ("\u72ac" * 4000, None), ("x" * 9000, None),
                         ("x " * 9000, "policy-violation")):
        page = mam.query(world.reader, fields={FIELD: typed})
        assert page.error == error and page.ids == []
        assert error is None or "fulltext" in page.text
    # an empty one is not used (XEP-0431 §2.2)
    assert mam.query(world.reader, fields={FIELD: ""}, max=3).ids == [
        e.id for e in all_of(world)[:3]]


def test_as_many_words_as_there_may_be(world):
    wanted = ["w%d" % i for i in range(WORDS_MAX + 1)]
    a = world["romeo/a"]
    a.send("<message to='%s' type='chat' id='many'><body>%s</body></message>" % (
        world.binds["tybalt"], " ".join(wanted)))
    a.iq("set", scenes.BARRIER)
    last = [all_of(world)[-1].id]
    assert ids(world.reader, " ".join(wanted[:-1])) == last
    assert ids(world.reader, " ".join(wanted[:-2] + ["none"])) == []
    assert ids(world.reader, " ".join(wanted[:-1] + wanted[:5])) == last
    page = mam.query(world.reader, fields={FIELD: " ".join(wanted)})
    assert page.error == "policy-violation" and not page.ids
    # nor more words of a message, or longer ones, than are kept
    a.send("<message to='%s' type='chat'><body>%s %s</body></message>" % (
        world.binds["tybalt"], "l" * 70, " ".join("v%d" % i for i in range(300))))
    a.iq("set", scenes.BARRIER)
    last = [all_of(world)[-1].id]
    assert ids(world.reader, "v0 v254") == last
    assert ids(world.reader, "v255") == []
    assert ids(world.reader, "l" * 70) == last


def test_nobody_finds_what_is_anothers(world):
    tybalt = world.login("tybalt/t")
    got = tybalt.iq("set", mam.query_xml("q", fields={FIELD: "rose"}),
                    world.binds["romeo"])
    assert mam.condition(got) == "forbidden"
    want = [e.id for e in all_of(world, "tybalt") if "rose" in kept(e)]
    assert ids(tybalt, "rose") == want[:100]


def test_who_searches_has_not_read_what_waits(world):
    """XEP-0313 §6.1.1 is for who asks for what there is."""
    world.add_accounts("nurse")
    world.send("romeo/a", "<message to='{nurse}' type='chat' id='wait'><body>rose"
               "</body></message>")
    world["romeo/a"].iq("set", scenes.BARRIER)
    nurse = world.login("nurse/n")
    assert len(ids(nurse, "rose")) == 1
    world.present("nurse/n")
    nurse.take(lambda e: e.get("id") == "wait", "what has waited")


# --- what has gone is not found -----------------------------------------------------


def test_what_is_retracted_or_deleted_is_not_found(world):
    """XEP-0424, and the client's own trim; in the index, and where that has yet to
    come."""
    pair = Pair.__new__(Pair)
    pair.scene, pair.server = world, world.server
    for n in (300, 1):
        world.send("romeo/a", "<message to='{juliet}' type='chat' id='m%d'><body>"
                   "needle %d</body></message>" % (n, n))
        for _ in range(n):
            world.send("romeo/a", "<message to='{juliet}' type='chat'><body>hay"
                       "</body></message>")
        world["romeo/a"].iq("set", scenes.BARRIER)
        assert len(ids(world.reader, "needle")) == 1
        retract(pair, "m%d" % n, "r%d" % n)
        while ids(world.reader, "needle"):
            pass
        assert ids(world.reader, "needle", ids=[
            e.id for e in all_of(world)[-n - 2:]][:1]) == []
    assert ids(world.reader, "rose") and ids(world.reader, "hay")
    up_to = [e for e in all_of(world) if "hay" in e.value][0].id
    assert world.reader.iq("set", "<trim xmlns='urn:xmpp:mamtrim:0'><id>%s</id>"
                           "</trim>" % up_to).get("type") == "result"
    assert ids(world.reader, "rose") == []
    assert len(ids(world.reader, "hay")) == 100


# --- it is switched off ---------------------------------------------------------------


def offered(client):
    form = client.iq("get", "<query xmlns='%s'/>" % mam.MAM).child(
        "query").child("x", mam.FORM)
    info = client.iq("get", "<query xmlns='http://jabber.org/protocol/disco#info'/>",
                     client.jid.split("/")[0]).child("query")
    return (FIELD in [e.get("var") for e in form.elems()],
            NS in [e.get("var") for e in info.elems()])


def test_a_reload_switches_it_off(own_server):
    """What is archived meanwhile is not found later either, and costs no more."""
    server = own_server({})
    scene = scenes.Scene(server, ("romeo",))
    romeo = scene.login("romeo/a")
    for i, search in enumerate(("yes", "no", "yes")):
        server.conf["modules"]["archive"] = {"search": search}
        server.write_conf()
        server.ctl("reload")
        assert offered(romeo) == (search == "yes",) * 2
        romeo.send("<message to='x@x.test' type='chat'><body>rose %d</body>"
                   "</message>" % i)
        romeo.iq("set", scenes.BARRIER)
        all_ = [e.id for e in all_of(scene)]
        page = mam.query(romeo, fields={FIELD: "rose"})
        if search == "no":
            assert page.error == "feature-not-implemented"
        else:
            assert page.ids == all_[::2] and len(all_) == i + 1
    scene.end()
