"""The conversations of an archive (XEP-0430), against a model of what lies in it."""

import random
import re

import pytest

import mam
import scene as scenes
from test_archive_query import entries
from xmltree import parse

pytestmark = pytest.mark.only("antiphon")
INBOX = "urn:xmpp:inbox:1"
MARKERS = "urn:xmpp:chat-markers:0"
RETRACT = "urn:xmpp:message-retract:1"
REACTIONS = "urn:xmpp:reactions:0"
UNREAD_MAX = 100


class Talk:
    def __init__(self, jid):
        self.jid, self.id, self.message, self.unread = jid, None, None, 0


def is_instant(e):
    return bool(e.child("body") and not e.child("retract", RETRACT) and
                not e.child("reactions", REACTIONS))


def model(all_, own):
    """Newest first.  Read forwards, as a client would that has heard all of it."""
    talks, said = {}, {}
    for entry in all_:
        e = parse(entry.value)[0]
        talk = talks.setdefault(entry.peer, Talk(entry.peer))
        unread = said.setdefault(entry.peer, [])
        talk.id = entry.id
        is_own = e.get("from").split("/")[0] == own
        mark = e.child("displayed", MARKERS)
        if is_instant(e):
            talk.message = entry.id
            unread.append((e.get("id"), True))
            if is_own:
                unread.clear()
        elif not is_own:
            unread.append((e.get("id"), False))
        if is_own and mark:
            at = [i for i, m in enumerate(unread) if m[0] == mark.get("id")]
            del unread[:at[-1] + 1 if at else 0]
    for jid, talk in talks.items():
        talk.unread = min(sum(m[1] for m in said[jid]), UNREAD_MAX)
    order = [entry.id for entry in all_]
    return sorted(talks.values(), key=lambda t: -order.index(t.id))


class Page:
    def __init__(self):
        self.talks, self.error, self.fin = [], None, None


def ask(client, attrs="", to=None, **rsm):
    answer = client.iq("get", "<inbox xmlns='%s' %s>%s</inbox>" % (
        INBOX, attrs, mam.rsm(**rsm)), to)
    page, rest = Page(), []
    for e in client.inbox:
        entry = e.child("entry", INBOX) if e.is_("message") else None
        if entry is None:
            rest.append(e)
            continue
        assert e.get("from") == client.jid.split("/")[0]
        talk = Talk(entry.get("jid"))
        talk.id, talk.unread = entry.get("id"), int(entry.get("unread"))
        result = e.child("result", mam.MAM)
        if result:
            assert result.get("queryid") == answer.get("id")
            talk.message = result.get("id")
            talk.text = result.child("forwarded", mam.FORWARD).child(
                "message", "jabber:client").child("body").text()
        page.talks.append(talk)
    client.inbox[:] = rest
    if answer.get("type") == "error":
        page.error = mam.condition(answer)
        return page
    fin = answer.child("fin", INBOX)
    page.fin = {name: int(fin.get(name))
                for name in ("total", "unread", "all-unread")}
    found = fin.child("set", mam.RSM)
    page.count = int(found.child("count").text())
    for name in ("first", "last"):
        e = found.child(name)
        setattr(page, name, e.text() if e else None)
    return page


def shown(talks, messages=True):
    return [(t.jid, t.id, t.unread, t.message if messages else None)
            for t in talks]


class World:
    PEERS = ["p%d" % i for i in range(6)]

    def __init__(self, server):
        self.server = server
        self.scene = scenes.Scene(server, ["romeo"] + self.PEERS)
        self.scene.online("romeo/a")
        self.scene.online("romeo/b")
        for peer in self.PEERS:
            self.scene.online(peer + "/x")
        self.reader = self.scene.login("romeo/r")
        self.own = self.scene.binds["romeo"]
        self.heard = {peer: [] for peer in self.PEERS}
        self.n = 0

    def send(self, who, to, inner):
        self.n += 1
        id_ = "m%d" % self.n
        self.scene.send(who, "<message to='{%s}' type='chat' id='%s'>%s</message>"
                        % (to, id_, inner))
        return id_

    def step(self, random_):
        peer = random_.choice(self.PEERS)
        device = random_.choice(("romeo/a", "romeo/b"))
        what = random_.random()
        heard = self.heard[peer]
        if what < 0.6 or not heard:
            heard.append(self.send(peer + "/x", "romeo",
                                   "<body>%d %s</body>" % (self.n, "x" * 50)))
        elif what < 0.72:
            self.send(device, peer, "<displayed xmlns='%s' id='%s'/>"
                      "<store xmlns='urn:xmpp:hints'/>" % (
                          MARKERS, random_.choice(heard[-4:] + ["unknown"])))
        elif what < 0.78:
            self.send(device, peer, "<body>answer</body>")
        elif what < 0.84:
            self.send(peer + "/x", "romeo", "<retract xmlns='%s' id='%s'/>"
                      "<body>fallback</body>" % (
                          RETRACT, random_.choice(heard[-4:])))
        elif what < 0.88:
            self.send(peer + "/x", "romeo", "<reactions xmlns='%s' id='%s'>"
                      "<reaction>x</reaction></reactions><body>x</body>"
                      % (REACTIONS, heard[-1]))
        elif what < 0.92:
            self.send(peer + "/x", "romeo", "<displayed xmlns='%s' id='%s'/>"
                      % (MARKERS, heard[-1]))
        elif what < 0.96:
            self.send(peer + "/x", "romeo",
                      "<received xmlns='urn:xmpp:receipts' id='%s'/>" % heard[-1])
        else:
            self.send("romeo/a", "romeo", "<body>a note</body>")

    def settle(self):
        for session in self.scene.live():
            session.iq("set", scenes.BARRIER)
        self.scene.flush()

    def model(self):
        return model(entries(self.server, self.own), self.own)


@pytest.fixture(scope="module")
def world(pool):
    server = pool.new({"modules": {"archive": {"stranger_bytes": "100MiB",
                                               "page_max": "100",
                                               "client_trim": "yes"}}})
    server.start()
    world = World(server)
    assert ask(world.reader).fin == {"total": 0, "unread": 0, "all-unread": 0}
    yield world
    world.scene.end()
    server.stop()


def check_pages(world, random_):
    """All of it, and in pages of any size from either end."""
    talks = world.model()
    unread = [t for t in talks if t.unread]
    fin = {"total": len(talks), "unread": len(unread),
           "all-unread": sum(t.unread for t in talks)}
    page = ask(world.reader)
    assert shown(page.talks) == shown(talks)
    assert page.fin == fin and page.count == len(talks)
    size, found, after = random_.randint(1, 4), [], None
    while True:
        page = ask(world.reader, "unread-only='true'", max=size, after=after)
        assert page.fin == fin and page.count == len(unread)
        found += page.talks
        if len(page.talks) < size:
            break
        after = page.last
        assert (page.first, page.last) == (page.talks[0].id, page.talks[-1].id)
    assert shown(found) == shown(unread)
    found, before = [], ""
    while True:
        page = ask(world.reader, "messages='0'", max=size, before=before)
        found = page.talks + found
        if len(page.talks) < size:
            break
        before = page.first
    assert shown(found) == shown(talks, False)


def test_conversations_are_those_of_the_archive(world):
    """Also behind the index, whose runs are of 256 entries, and in front of it."""
    random_ = random.Random(5)
    for n in (1, 30, 60, 260, 7):
        for _ in range(n):
            world.step(random_)
        world.settle()
        check_pages(world, random_)
    # up to some message, so that a whole conversation may go
    up_to = entries(world.server, world.own)[200].id
    answer = world.reader.iq("set", "<trim xmlns='urn:xmpp:mamtrim:0'><id>%s</id>"
                             "</trim>" % up_to)
    assert answer.get("type") == "result"
    check_pages(world, random_)
    # whoever came last before: one that is read, and one that is not
    world.send("p0/x", "romeo", "<body>first</body>")
    world.send("p1/x", "romeo", "<body>second</body>")
    world.settle()
    world.send("romeo/a", "p0", "<body>answer</body>")
    world.settle()
    check_pages(world, random_)
    assert {bool(t.unread) for t in world.model()} == {True, False}


def test_unread_is_counted_up_to_a_hundred(world):
    for n in range(UNREAD_MAX + 20):
        last = world.send("p0/x", "romeo", "<body>%d</body>" % n)
    world.settle()
    assert ask(world.reader).talks[0].unread == UNREAD_MAX
    world.send("romeo/b", "p0", "<displayed xmlns='%s' id='%s'/>"
               % (MARKERS, last))
    world.settle()
    assert ask(world.reader).talks[0].unread == 0


@pytest.mark.parametrize("attrs, rsm, want", [
    ("", {"after": "1.x"}, "item-not-found"),
    ("", {"before": "ffff.x"}, "item-not-found"),
    ("", {"after": "'; DROP TABLE talk; --\""}, "item-not-found"),
    ("", {"after": "x" * 5000}, "item-not-found"),
    ("", {"max": "-1"}, "bad-request"),
    ("", {"max": "1'"}, "bad-request"),
    ("messages='maybe'", {}, "bad-request"),
    ("unread-only=''", {}, "bad-request"),
])
def test_what_is_asked_for_wrongly(world, attrs, rsm, want):
    page = ask(world.reader, attrs, **rsm)
    assert page.error == want and not page.talks


def test_any_number_may_be_asked_for(world):
    page = ask(world.reader, max="0")
    assert not page.talks and page.first is None
    assert page.fin["total"] == len(world.model()) == page.count
    assert len(ask(world.reader, max="9" * 30).talks) == page.count


def test_nobody_else_is_told(world):
    """Whether there is such an account or not (hostile 53)."""
    there = ask(world.reader, to=world.scene.binds["p0"])
    none = ask(world.reader, to="nobody@" + world.server.domain)
    assert there.error == none.error == "forbidden"


def test_it_waits_for_its_client_and_nobody_for_it(own_server):
    """What does not fit into its connection is not read from the store; what the
    client sends meanwhile goes on; and a session that ends meanwhile leaves nothing."""
    server = own_server({"limits": {"write_queue_bytes": "64KiB"}})
    scene = scenes.Scene(server, ("romeo", "juliet"))
    romeo, n = scene.login("romeo/a"), 32
    for i in range(n):
        romeo.send("<message to='p%d@%s' type='chat'><body>%d %s</body></message>"
                   % (i, server.domain, i, "z" * 190000))
    romeo.iq("set", scenes.BARRIER)
    juliet = scene.online("juliet/j", settle=False)
    slow = scene.login("romeo/slow")
    slow.send("<iq type='get' id='all'><inbox xmlns='%s'/></iq>" % INBOX)
    slow.send("<message to='%s' id='said'><body>meanwhile</body></message>"
              % juliet.jid)
    juliet.take(lambda e: e.get("id") == "said", "what is said meanwhile")
    slow.take(lambda e: e.get("id") == "all", "the answer")
    waiting = dict(re.findall(r"^(write|session)_bytes_highest +(\d+)$",
                              server.ctl("stats"), re.M))
    assert sum(map(int, waiting.values())) < 1 << 20 and len(waiting) == 2
    shown = [e.child("entry", INBOX).get("jid").split("@")[0]
             for e in slow.inbox if e.child("result", mam.MAM)]
    assert shown[-n:] == ["p%d" % i for i in reversed(range(n))]
    # one that goes away leaves nothing behind
    for i in range(2):
        slow.send("<iq type='get' id='%d'><inbox xmlns='%s'/></iq>" % (i, INBOX))
    slow.drop()
    assert ask(romeo, max=1, attrs="messages='0'").fin["total"] == n + 1
    server.check()
    scene.end()


def features(client):
    answer = client.iq("get", "<query xmlns='http://jabber.org/protocol/"
                       "disco#info'/>", client.jid.split("/")[0])
    return [e.get("var") for e in answer.child("query").elems()
            if e.name == "feature"]


def test_it_is_there_unless_somebody_says_no(world, own_server):
    assert INBOX in features(world.reader)
    scene = scenes.Scene(own_server({"modules": {"archive": {"inbox": "no"}}}),
                         ("romeo",))
    client = scene.online("romeo/a")
    assert INBOX not in features(client)
    assert ask(client).error == "service-unavailable"
    scene.end()
