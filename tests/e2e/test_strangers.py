"""Whose messages a user gets, where a module says that strangers are not to send
any; and that nothing is left of what is refused."""

import pytest

import component
import s2s_peer
import scene as scenes
from client import Client
from test_s2s_both_ways import come

pytestmark = pytest.mark.only("antiphon")

# who sends, and of which choices he is no stranger; those of "all" all are
WHO = {
    "contact": ("local", "none"), "remote contact": ("local", "none"),
    "user": ("local",), "neighbour": ("local",), "service": ("local",),
    "remote": (),
}
# what, and whether it is refused with an error, dropped, or not for this
KINDS = {"chat": "error", "normal": "error", "groupchat": "error",
         "headline": "dropped", "error": "taken"}
TO = ("", "/a", "/gone")


class World:
    def __init__(self, pool, authority):
        ports = s2s_peer.conf()["listen"] + component.conf()["listen"][-1:]
        self.server = server = pool.new(s2s_peer.conf(
            {"components": {"irc.antiphon.test": {"secret": "secret of irc"}},
             "listen": ports, "modules": {"strangers": {}}},
            authorities=authority.cert))
        server.start()
        self.scene = scene = scenes.Scene(
            server, ("romeo", "juliet", "iago", "absent"))
        scene.befriend("romeo", "juliet")
        for name in ("romeo/a", "juliet/a", "iago/a"):
            scene.online(name)
        scene.settle()
        self.romeo = scene["romeo/a"]
        self.romeo.iq("set", "<query xmlns='jabber:iq:roster'><item "
                      "jid='nurse@peer.example'/></query>")
        remote = come(server, authority)
        server.adduser("nurse", "secret", server.other_domain)
        nurse = Client(server, "nurse", server.other_domain)
        nurse.login("nurse", "secret", "x").send("<presence/>")
        nurse.ping()
        self.peers = {
            "contact": (scene["juliet/a"], scene["juliet/a"].jid),
            "remote contact": (remote, "nurse@peer.example/x"),
            "user": (scene["iago/a"], scene["iago/a"].jid),
            "neighbour": (nurse, nurse.jid),
            "service": (component.Component(server, "irc").login(),
                        "x@irc.antiphon.test/y"),
            "remote": (remote, "iago@peer.example/x"),
        }
        self.forget()
        self.n = 0

    def forget(self):
        for peer in [self.romeo] + [p for p, _ in self.peers.values()]:
            peer.inbox.clear()

    def choose(self, choice):
        self.server.conf["modules"] = {
            "strangers": {} if choice == "local" else {"messages": choice}}
        self.server.write_conf()
        assert self.server.ctl("reload") == ""

    def send(self, who, to, kind, body="x"):
        peer, jid = self.peers[who]
        self.n += 1
        peer.send("<message id='m%d' type='%s' from='%s' to='%s'><body>%s</body>"
                  "</message>" % (self.n, kind, jid, to, body))
        return "m%d" % self.n

    def behind(self, who, to):
        """Whatever who has sent to there has arrived, and been answered."""
        peer, jid = self.peers[who]
        to = to.partition("/")[0]
        self.n += 1
        peer.send("<iq id='b%d' type='set' from='%s' to='%s'><a xmlns='urn:a'/></iq>"
                  % (self.n, jid, to))
        peer.take(lambda e: e.is_("iq") and e.get("id") == "b%d" % self.n,
                  "an answer")

    def outcome(self, who, to, kind):
        peer, _ = self.peers[who]
        id_ = self.send(who, to, kind)
        self.behind(who, to)
        self.romeo.iq("set", scenes.BARRIER)
        got = [e.name for e in self.romeo.inbox if e.get("id") == id_]
        errors = [str(e.child("error")) for e in peer.inbox if e.get("id") == id_]
        self.forget()
        return got, errors


@pytest.fixture(scope="module")
def world(pool, authority):
    world = World(pool, authority)
    yield world
    for peer, _ in world.peers.values():
        peer.drop()
    world.romeo.drop()
    world.server.stop()


@pytest.mark.parametrize("choice", ("local", "none", "all"))
def test_whose_messages_are_taken(world, choice):
    """And who is refused learns no more than of an address that is nobody's."""
    world.choose(choice)
    bare = world.scene.binds["romeo"]
    for who, taken in WHO.items():
        for kind, refused in KINDS.items():
            for end in TO:
                got, errors = world.outcome(who, bare + end, kind)
                what = (choice, who, kind, end)
                if choice == "all" or choice in taken or refused == "taken":
                    assert not any("policy-violation" in e for e in errors), what
                    if end == "/a" or (end == "" and kind in ("chat", "normal")):
                        assert got == ["message"], what
                    continue
                assert got == [], what
                nobody = world.outcome(who, "nobody@antiphon.test" + end, kind)
                assert nobody == ([], errors), what
                assert [("policy-violation" in e) for e in errors] == \
                    ([True] if refused == "error" else []), what


@pytest.mark.parametrize("who", ("remote", "remote contact", "contact"))
def test_who_is_blocked_learns_no_more(world, who):
    """XEP-0191: he is refused in the words that he gets for an address that is
    nobody's."""
    world.choose("none")
    jid, bare = world.peers[who][1], world.scene.binds["romeo"]
    world.romeo.iq("set", "<block xmlns='urn:xmpp:blocking'><item jid='%s'/></block>"
                   % jid.partition("/")[0])
    for kind in KINDS:
        for end in ("", "/a"):
            got = world.outcome(who, bare + end, kind)
            nobody = world.outcome(who, "nobody@antiphon.test" + end, kind)
            assert got[0] == [] and got == nobody, (kind, end)
    world.romeo.iq("set", "<unblock xmlns='urn:xmpp:blocking'/>")
    world.forget()


def test_whom_the_user_has_shown_himself_is_no_stranger(world):
    """RFC 6121 §4.6: a room, and who is in it, until he leaves."""
    world.choose("none")
    bare, room = world.scene.binds["romeo"], "x@irc.antiphon.test"
    world.romeo.send("<presence to='%s/romeo'/>" % room)
    world.romeo.ping()
    for kind in ("chat", "groupchat"):
        assert world.outcome("service", bare + "/a", kind) == (["message"], [])
    # XEP-0191: nor does an answer throw him out when he blocks somebody there
    world.romeo.iq("set", "<block xmlns='urn:xmpp:blocking'><item jid='%s'/></block>"
                   % world.peers["service"][1])
    for kind in ("chat", "groupchat"):
        assert world.outcome("service", bare + "/a", kind) == ([], [])
    world.romeo.iq("set", "<unblock xmlns='urn:xmpp:blocking'/>")
    world.romeo.send("<presence to='%s/romeo' type='unavailable'/>" % room)
    world.romeo.ping()
    got, errors = world.outcome("service", bare + "/a", "groupchat")
    assert got == [] and "policy-violation" in errors[0]


def test_nothing_is_left_of_what_is_refused(world):
    """Neither in an archive, nor for who comes, nor as a copy."""
    world.choose("none")
    scene, absent = world.scene, world.scene.binds["absent"]
    watches = scene.login("romeo/watches")
    watches.iq("set", "<enable xmlns='urn:xmpp:carbons:2'/>")
    for who in ("user", "remote"):
        for to in (absent, scene.binds["romeo"], world.romeo.jid):
            world.send(who, to, "chat", "hidden")
            world.behind(who, to)
    came = scene.login("absent/a")
    came.send("<presence/>")
    for client in (came, watches):
        client.iq("set", scenes.BARRIER)
        client.iq("set", "<query xmlns='urn:xmpp:mam:2'/>")
        assert not [e for e in client.inbox if "hidden" in str(e)]
    came.close()
    watches.close()
