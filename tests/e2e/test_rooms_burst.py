"""Who says much at once in a room that has an archive, such as what he wrote while he was
away, loses nothing of it: he is read more slowly, and nobody is refused."""

import pytest

import mam
import rooms
import sm
from component import Component, conf, domain_of
from s2s_peer import conf as s2s_conf, Host, PEER, Peer
from scene import Scene

pytestmark = pytest.mark.only("antiphon")

# more than 174 small ones filled the line of a room before
COUNTS = (0, 1, 175, 500)
IRC = domain_of("irc")


@pytest.fixture(scope="module")
def server(pool):
    server = pool.new(conf(irc={})).start()
    yield server
    server.stop()


def said(to, i, frm=None):
    return ("<message to='%s' type='groupchat' id='%d'%s><body>%d</body></message>"
            % (to, i, " from='%s'" % frm if frm else "", i))


def hear(client, nick, n):
    """What comes of what nick has said, until the last of n, or an error."""
    heard = []
    while len(heard) < n:
        got = client.take(
            lambda e: e.is_("message") and (e.get("type") == "error" or (
                e.child("body") is not None and
                e.get("from").partition("/")[2] == nick)), "what was said")
        assert got.get("type") != "error", str(got)
        heard.append(int(got.get("id")))
    return heard


class House:
    """A room of romeo's, and juliet in it."""

    def __init__(self, server):
        self.scene = Scene(server, ("romeo", "juliet"))
        self.room = rooms.new_address(server, "verona")
        self.romeo = self.scene.online("romeo/a")
        self.juliet = self.scene.online("juliet/a")
        self.scene.settle()
        rooms.create(self.romeo, self.room, "Romeo", ["persistentroom=1"])
        rooms.enter(self.juliet, self.room, "Juliet")

    def archived(self):
        bodies, after = [], None
        while True:
            page = mam.query(self.romeo, to=self.room, max=250, after=after)
            bodies += [int(m.child("body").text()) for m in page.messages]
            if page.complete:
                return bodies
            after = page.last


@pytest.mark.parametrize("counts", (False, True))
@pytest.mark.parametrize("n", COUNTS)
def test_a_client_that_says_it_all_at_once(server, n, counts):
    house = House(server)
    if counts:
        sm.enable(house.juliet)
    house.juliet.send("".join(said(house.room, i) for i in range(n)) or " ")
    assert hear(house.juliet, "Juliet", n) == list(range(n))
    assert hear(house.romeo, "Juliet", n) == list(range(n))
    if counts:
        assert sm.ask(house.juliet) == n
    assert house.archived() == list(range(n))
    server.check()


def test_a_component_that_says_it_all_at_once(server):
    n = COUNTS[-1]
    house = House(server)
    irc = Component(server, "irc").login()
    nurse = "nurse@%s/a" % IRC
    irc.send("<presence from='%s' to='%s/Nurse'><x xmlns='%s'/></presence>"
             % (nurse, house.room, rooms.MUC))
    irc.take(lambda e: e.is_("message") and e.child("subject") is not None,
             "the subject")
    irc.send("".join(said(house.room, i, nurse) for i in range(n)))
    assert hear(house.romeo, "Nurse", n) == list(range(n))
    assert hear(irc, "Nurse", n) == list(range(n))
    irc.close()
    server.check()


@pytest.mark.parametrize("counts", (False, True))
def test_another_server_that_says_it_all_at_once(own_server, authority, counts):
    n = COUNTS[-1]
    host = Host(PEER, authority.issue("good", PEER))
    host.says = lambda ask: "valid"
    server = own_server(s2s_conf({"remotes": host.remotes()},
                                 authorities=authority.cert))
    house = House(server)
    nurse = "nurse@%s/a" % PEER
    peer = Peer(server, PEER, authority.issue("good", PEER)).secure().external()
    assert peer.result(to=rooms.service_of(server)) == "valid"
    if counts:
        peer.send("<enable xmlns='%s'/>" % sm.SM)
    peer.send("<presence from='%s' to='%s/Nurse'><x xmlns='%s'/></presence>"
              % (nurse, house.room, rooms.MUC))
    house.romeo.take(lambda e: e.is_("presence") and
                     e.get("from") == house.room + "/Nurse", "the nurse")
    peer.send("".join(said(house.room, i, nurse) for i in range(n)))
    assert hear(house.romeo, "Nurse", n) == list(range(n))
    server.check()
    host.end()


def test_all_of_a_room_say_it_all_at_once(own_server):
    people, n = 20, 30
    server = own_server({})
    scene = Scene(server, ["u%d" % i for i in range(people)])
    room = rooms.new_address(server, "verona")
    clients = [scene.online("u%d/a" % i) for i in range(people)]
    rooms.create(clients[0], room, "N0", ["persistentroom=1"])
    for i, client in enumerate(clients[1:], 1):
        rooms.enter(client, room, "N%d" % i)
    for client in clients:
        client.send("".join(said(room, k) for k in range(n)))
    for i, client in enumerate(clients):
        assert hear(client, "N%d" % i, n) == list(range(n))
    server.check()
