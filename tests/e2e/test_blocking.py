"""Nothing passes between a user and whom he has blocked (XEP-0191), whoever that is
and whatever it is, and nothing of it is left."""

import pytest

import component
import s2s_peer
import scene as scenes
from client import Client
from sm import enable
from test_s2s_both_ways import come

pytestmark = pytest.mark.only("antiphon")

BLOCKING = "urn:xmpp:blocking"
PING = "<query xmlns='jabber:iq:version'/>"

# a row of the list, and which of these it stands for (§6)
WHO = {
    "juliet/b": "{juliet}/b", "juliet/c": "{juliet}/c", "tybalt/d": "{tybalt}/d",
    "room": "room@irc.antiphon.test", "nick": "room@irc.antiphon.test/nick",
    "other nick": "room@irc.antiphon.test/other",
    "service": "irc.antiphon.test", "resource": "irc.antiphon.test/r",
    "subdomain": "user@sub.irc.antiphon.test/r",
    "neighbour": "nurse@{OTHER}/x", "remote/1": "iago@peer.example/1",
    "remote/2": "iago@peer.example/2", "remote": "peer.example",
}
ROWS = {
    "{juliet}": ["juliet/b", "juliet/c"],
    "{juliet}/b": ["juliet/b"],
    "room@irc.antiphon.test": ["room", "nick", "other nick"],
    "room@irc.antiphon.test/nick": ["nick"],
    "irc.antiphon.test": ["room", "nick", "other nick", "service", "resource"],
    "irc.antiphon.test/r": ["resource"],
    "{OTHER}": ["neighbour"],
    "iago@peer.example": ["remote/1", "remote/2"],
    "iago@peer.example/1": ["remote/1"],
    "peer.example": ["remote/1", "remote/2", "remote"],
}
SESSIONS = ("juliet/b", "juliet/c", "tybalt/d")
# kind: what is sent, and whether that is answered with an error
KINDS = {
    "message": ("<message %s type='chat'><body>hello</body></message>", True),
    "normal": ("<message %s><body>hello</body></message>", True),
    "groupchat": ("<message %s type='groupchat'><body>x</body></message>", True),
    "headline": ("<message %s type='headline'><body>x</body></message>", False),
    "message error": ("<message %s type='error'><body>x</body></message>", False),
    "presence": ("<presence %s/>", False),
    "unavailable": ("<presence %s type='unavailable'/>", False),
    "subscribe": ("<presence %s type='subscribe'/>", False),
    "subscribed": ("<presence %s type='subscribed'/>", False),
    "probe": ("<presence %s type='probe'/>", False),
    "get": ("<iq %s type='get'>" + PING + "</iq>", True),
    "set": ("<iq %s type='set'><a xmlns='urn:a'/></iq>", True),
    "result": ("<iq %s type='result'/>", False),
    "iq error": ("<iq %s type='error'/>", False),
}
MUTE = ("result", "iq error", "message error")


class World:
    """romeo, and all whom he may block: of this host, of another, of a component,
    and of another server, whose stream goes both ways."""

    def __init__(self, pool, authority):
        names = {component.domain_of(n): {"secret": "secret of " + n, **more}
                 for n, more in (("irc", {}), ("sub.irc", {}), ("gate", {
                     "message": "outgoing", "iq_get": ["urn:x:a"],
                     "roster": "get", "presence": "roster"}))}
        ports = s2s_peer.conf()["listen"] + component.conf()["listen"][-1:]
        server = pool.new(s2s_peer.conf(
            {"components": names, "modules": {"privilege": "yes"},
             "listen": ports}, authorities=authority.cert))
        server.start()
        self.scene = scene = scenes.Scene(
            server, ("romeo", "juliet", "tybalt", "absent"))
        self.nobody = "nobody-at-all@%s" % server.domain
        for name in ("romeo/a", "romeo/z", "juliet/b", "juliet/c", "tybalt/d"):
            scene.login(name).send("<presence/>")
        scene.settle()
        self.romeo = scene["romeo/a"]
        self.peers = {n: component.Component(server, n).login()
                      for n in ("irc", "sub.irc")}
        self.peers["remote"] = come(server, authority)
        self.peers["neighbour"] = self.neighbour(server)
        self.n = 0

    def neighbour(self, server):
        server.adduser("nurse", "secret", server.other_domain)
        client = Client(server, "nurse", server.other_domain)
        client.login("nurse", "secret", "x").send("<presence/>")
        client.ping()
        client.inbox.clear()
        return client

    def address(self, who):
        return self.scene.fill(WHO[who])

    def id(self):
        self.n += 1
        return "x%d" % self.n

    def peer(self, who):
        if who in SESSIONS:
            return self.scene[who]
        return self.peers.get(who.partition("/")[0],
                              self.peers["sub.irc" if who == "subdomain" else "irc"])

    def change(self, name, *rows):
        items = "".join("<item jid='%s'/>" % self.scene.fill(r) for r in rows)
        return self.romeo.iq("set", "<%s xmlns='%s'>%s</%s>" % (
            name, BLOCKING, items, name))

    def send(self, peer, kind, from_, to):
        id_ = self.id()
        peer.send(KINDS[kind][0] % (
            "id='%s' to='%s' from='%s'" % (id_, to, from_)))
        return id_

    def end(self):
        for peer in self.peers.values():
            peer.close()
        for session in self.scene.sessions.values():
            session.drop()


@pytest.fixture(scope="module")
def world(pool, authority):
    world = World(pool, authority)
    yield world
    world.end()
    world.scene.server.stop()


def answers(world, peer, from_, to):
    """What comes back of one of each kind, as far as it says something: ahead of the
    answer to a request that stands behind them on the same way."""
    sent = {world.send(peer, kind, from_, to): kind for kind in KINDS}
    behind = world.send(peer, "set", from_, to)
    peer.take(lambda e: e.get("id") == behind and e.is_("iq"), "what stands behind")
    came = [e for e in peer.inbox if to.partition("/")[0] in (e.get("from") or "")]
    peer.inbox.clear()
    return [(sent.get(e.get("id"), "another"), e.name, e.get("type"),
             str(e.child("error"))) for e in came]


@pytest.mark.parametrize("row", ROWS)
def test_what_comes_in(world, row):
    """§3.3: each kind, from all whom the row stands for, to the account and to a
    resource of it; where an address that is nobody's answers too, in the same words
    (RFC 6121 §8.5.1).  Presence is not answered."""
    assert world.change("block", row).get("type") == "result"
    for who in ROWS[row]:
        for to in ("", "/a"):
            got = answers(world, world.peer(who), world.address(who),
                          world.scene.binds["romeo"] + to)
            nobody = answers(world, world.peer(who), world.address(who),
                             world.nobody + to)
            assert [e for e in nobody if e[1] != "presence" and e not in got] == []
            assert [e[0] for e in got] == [k for k in KINDS if KINDS[k][1]]
            assert all("service-unavailable" in e[3] and e[2] == "error"
                       for e in got), got
    assert not [e for s in ("romeo/a", "romeo/z") for e in world.scene[s].inbox]
    assert world.change("unblock").get("type") == "result"
    for s in list(world.scene.sessions.values()) + list(world.peers.values()):
        s.inbox.clear()


@pytest.mark.parametrize("row", ROWS)
def test_what_goes_out(world, row):
    """§3.3: each kind is refused, and what is no question is dropped."""
    assert world.change("block", row).get("type") == "result"
    for who in ROWS[row]:
        for kind in KINDS:
            id_ = world.send(world.romeo, kind, world.romeo.jid, world.address(who))
            if kind in MUTE:
                continue
            got = world.romeo.take(lambda e: e.get("id") == id_, kind)
            error = got.child("error")
            assert error.get("type") == "cancel", got
            assert error.child("not-acceptable") is not None, got
            assert error.child("blocked", BLOCKING + ":errors") is not None, got
            assert got.get("from") == world.address(who)
    world.romeo.ping()
    assert not world.romeo.inbox and not world.scene["romeo/z"].inbox
    assert world.change("unblock").get("type") == "result"
    # this comes behind all that might have got through
    for who in ("juliet/b", "juliet/c", "room", "neighbour", "remote/1"):
        id_ = world.send(world.romeo, "message", world.romeo.jid, world.address(who))
        first = world.peer(who).take(lambda e: True, "what is first")
        assert first.get("id") == id_, first


@pytest.mark.parametrize("row", ROWS)
def test_who_is_not_meant(world, row):
    """§6: others get through, subdomains among them, both ways."""
    assert world.change("block", row).get("type") == "result"
    for who in WHO:
        if who in ROWS[row]:
            continue
        peer, there = world.peer(who), world.address(who)
        id_ = world.send(peer, "message", there, world.romeo.jid)
        world.romeo.take(lambda e: e.get("id") == id_, who)
        id_ = world.send(world.romeo, "message", world.romeo.jid, there)
        peer.take(lambda e: e.get("id") == id_, who)
    assert world.change("unblock").get("type") == "result"
    for s in ("romeo/a", "romeo/z"):
        world.scene[s].inbox.clear()


def test_who_is_blocked_in_a_room(world):
    """XEP-0045 §18.1.2: a room takes an error to what somebody in it has said for a sign
    that the user has gone, and throws him out.  It knows that he is there, and so does
    who is blocked: messages of him are not answered; requests are."""
    room, nick = world.peers["irc"], world.address("nick")
    own = "room@irc.antiphon.test/romeo"
    world.change("block", nick)
    world.romeo.send("<presence to='%s'/>" % own)
    room.take(lambda e: e.name == "presence" and e.get("to") == own, "he comes")
    to = world.romeo.jid
    assert [e[0] for e in answers(world, room, nick, to)] == ["get", "set"]
    id_ = world.send(room, "groupchat", world.address("other nick"), to)
    world.romeo.take(lambda e: e.get("id") == id_, "what another says")
    assert not [e for e in world.romeo.inbox if e.get("from") == nick]
    world.romeo.send("<presence to='%s' type='unavailable'/>" % own)
    room.take(lambda e: e.get("type") == "unavailable", "he goes")
    assert "groupchat" in [e[0] for e in answers(world, room, nick, to)]
    assert world.change("unblock").get("type") == "result"


def test_nothing_is_left(world):
    """XEP-0313 §6.1: no entry in the archive of who has blocked, no copy, and nothing
    that waits; nor of what was to go out."""
    scene = world.scene
    absent = scene.login("absent/x")
    absent.iq("set", "<block xmlns='%s'><item jid='%s'/></block>" % (
        BLOCKING, scene.binds["juliet"]))
    absent.send("<message id='out' type='chat' to='%s'><body>x</body></message>"
                % scene.binds["juliet"])
    absent.take(lambda e: e.get("id") == "out", "the error")
    absent.close()
    juliet = scene["juliet/b"]
    juliet.send("<message id='in' type='chat' to='%s'><body>blocked</body></message>"
                % scene.binds["absent"])
    juliet.iq("set", scenes.BARRIER)
    assert answers(world, juliet, juliet.jid, scene.binds["absent"])
    id_ = world.send(scene["tybalt/d"], "message", scene["tybalt/d"].jid,
                     scene.binds["absent"])
    scene["tybalt/d"].ping()
    again = scene.login("absent/x")
    again.send("<presence/>")
    got = again.take(lambda e: e.name == "message", "what was kept")
    assert got.get("id") == id_, got
    again.iq("set", "<query xmlns='urn:xmpp:mam:2'/>")
    kept = [e for e in again.inbox if e.name == "message"]
    assert len(kept) == 1 and "blocked" not in str(kept[0]), kept
    again.close()


def test_what_waits_of_one_who_is_blocked_meanwhile(world):
    """What was kept before goes, as if it had come after."""
    scene = world.scene
    absent = scene.login("absent/x")
    absent.iq("set", "<unblock xmlns='%s'/>" % BLOCKING)
    for who in ("juliet/b", "tybalt/d", "juliet/b"):
        world.send(scene[who], "message", scene[who].jid, scene.binds["absent"])
        scene[who].ping()
        scene[who].iq("set", scenes.BARRIER)
    absent.iq("set", "<block xmlns='%s'><item jid='%s'/></block>" % (
        BLOCKING, scene.binds["juliet"]))
    absent.send("<presence/>")
    got = absent.take(lambda e: e.name == "message", "what was kept")
    assert got.get("from") == scene["tybalt/d"].jid
    absent.close()
    # and is not there for later, either
    absent = scene.login("absent/x")
    absent.iq("set", "<unblock xmlns='%s'/>" % BLOCKING)
    absent.send("<presence/>")
    absent.ping()
    assert not [e for e in absent.inbox if e.name == "message"]
    absent.close()


def test_what_comes_back_of_one_who_is_blocked_meanwhile(world):
    """Nor is what a session has not acknowledged that has ended since (XEP-0198)."""
    scene = world.scene
    phone = scene.login("absent/phone")
    enable(phone)
    phone.send("<presence/>")
    phone.ping()
    phone.drop()
    for who in ("juliet/b", "tybalt/d"):
        id_ = world.send(scene[who], "message", scene[who].jid,
                         scene.binds["absent"])
        scene[who].iq("set", scenes.BARRIER)
    desk = scene.login("absent/desk")
    desk.iq("set", "<block xmlns='%s'><item jid='%s'/></block>" % (
        BLOCKING, scene.binds["juliet"]))
    desk.send("<presence/>")
    desk.ping()
    scene.server.advance(700)
    assert desk.take(lambda e: e.name == "message", "it").get("id") == id_
    desk.iq("set", scenes.BARRIER)
    assert not [e for e in desk.inbox if e.name == "message"]
    desk.close()


GATE = "gate.antiphon.test"


def ask_as_romeo(gate, jid, to):
    gate.send("<iq type='get' id='p' from='%s' to='%s'><privileged_iq "
              "xmlns='urn:xmpp:privilege:2'><iq xmlns='jabber:client' type='get' "
              "id='i' to='%s'><q xmlns='urn:x:a'/></iq></privileged_iq></iq>"
              % (GATE, jid, to))
    return gate.take(lambda e: e.is_("iq") and e.get("id") == "p", "an answer")


def test_a_component_that_acts_as_the_user(world):
    """XEP-0356 §5, §6: it can do no more than he, and nothing at all with him when it
    is blocked itself."""
    gate = component.Component(world.scene.server, "gate").login()
    jid, other = world.scene.binds["romeo"], "iago@peer.example/1"
    world.change("block", "peer.example")
    got = ask_as_romeo(gate, jid, other)
    inner = got.child("privilege", "urn:xmpp:privilege:2").child(
        "forwarded", "urn:xmpp:forward:0").child("iq")
    assert inner.get("from") == other and inner.get("id") == "i"
    assert inner.child("error").child("blocked", BLOCKING + ":errors") is not None
    gate.send("<message id='m' from='%s' to='antiphon.test'><privilege xmlns="
              "'urn:xmpp:privilege:2'><forwarded xmlns='urn:xmpp:forward:0'><message "
              "xmlns='jabber:client' from='%s' to='%s' type='chat'><body>x</body>"
              "</message></forwarded></privilege></message>" % (GATE, jid, other))
    gate.ping()
    world.change("unblock")
    id_ = world.send(world.romeo, "message", world.romeo.jid, other)
    first = world.peers["remote"].take(lambda e: True, "what is first")
    assert first.get("id") == id_, first
    world.change("block", GATE)
    got = ask_as_romeo(gate, jid, "")
    assert got.child("error").child("service-unavailable") is not None, got
    world.change("unblock")
    gate.close()


def test_a_component_that_sees_contacts(world):
    """XEP-0356 §7.4: of those whom users have blocked it sees no more than they."""
    remote, romeo = world.peers["remote"], world.romeo
    there, bare = "iago@peer.example", world.scene.binds["romeo"]
    romeo.send("<presence type='subscribe' to='%s'/>" % there)
    remote.take(lambda e: e.get("type") == "subscribe", "the request")
    gate = component.Component(world.scene.server, "gate").login()
    for i, name in enumerate(("block", "unblock")):
        remote.send("<presence type='subscribed' from='%s' to='%s'/>" % (there, bare))
        answers(world, remote, there + "/1", world.nobody)
        assert world.change(name, there).get("type") == "result"
        remote.send("<presence from='%s/1' to='%s'><priority>%d</priority></presence>"
                    % (there, bare, i))
        answers(world, remote, there + "/1", world.nobody)
        romeo.ping()
    got = gate.take(lambda e: e.get("from") == there + "/1", "presence")
    assert got.child("priority").text() == "1"
    gate.close()
    romeo.iq("set", "<query xmlns='jabber:iq:roster'><item jid='%s' "
             "subscription='remove'/></query>" % there)
    for s in list(world.scene.sessions.values()) + list(world.peers.values()):
        s.inbox.clear()


REPORT = ("<block xmlns='urn:xmpp:blocking'><item jid='a@x.lit/ &quot; by=b'><report xmlns="
          "'urn:xmpp:reporting:1' reason='urn:xmpp:reporting:%s'>%s</report></item>"
          "</block>")


def test_reports(own_server):
    """XEP-0377 §6: those who run the service read it in the log, and modules hear of
    it, with the ids of messages and what may be done with it (§5).  One that gives no
    reason that there is (§4) reports nothing."""
    server = own_server({"modules": {"testblock": {}}})
    scene = scenes.Scene(server, ("romeo",))
    romeo = scene.online("romeo/a")
    ids = "".join("<stanza-id xmlns='urn:xmpp:sid:0' by='{romeo}' id='%d'/>" % i
                  for i in range(150))
    for kind, inside in (("boredom", ""), ("spam", ""), ("abuse", ids +
                         "<text xml:lang='en'>\u00e9&quot;\nx=y%s</text>"
                         "<report-origin/>" % ("z" * 500))):
        got = romeo.iq("set", scene.fill(REPORT % (kind, inside)))
        assert got.get("type") == "result"
        if kind == "boredom":
            continue
        reported = romeo.take(lambda e: e.name == "message", "a headline").child(
            "reported", "urn:antiphon:test:block")
        assert reported.get("jid") == 'a@x.lit/ " by=b'
        assert reported.get("reason") == "urn:xmpp:reporting:" + kind
        report = reported.child("report", "urn:xmpp:reporting:1")
        assert (report.child("report-origin") is None) == (kind == "spam")
    assert reported.get("messages") == "150"
    server.process.wait_line("reason=abuse")
    lines = [line for line in server.process.lines
             if "an address was reported" in line]
    assert len(lines) == 2
    assert "reason=spam messages=0 text=\"\"" in lines[0]
    assert 'by=%s who="a@x.lit/ \\" by=b" reason=abuse messages=150' \
        % scene.binds["romeo"] in lines[1]
    # it cannot be taken for more than it is, and is short
    assert 'text="\u00e9\\"\\x0ax=yz' in lines[1]
    assert 240 <= lines[1].count("z") <= 256
    scene.end()
