"""The echo room of contrib/example-module (mod_echoroom.c), as somebody runs it
who has it built against what is installed."""

import asyncio
import json
import socket

import pytest

import scene as scenes
from client import PATIENCE
from test_example_module import again, bring, modules # noqa: F401 - a fixture
from test_services import services

pytestmark = pytest.mark.only("antiphon")
INFO = "<query xmlns='http://jabber.org/protocol/disco#info'/>"
ITEMS = "<query xmlns='http://jabber.org/protocol/disco#items'/>"


class Echo:
    """A server with rooms, and who is in one."""

    def __init__(self, server):
        self.server = server
        self.domain = "echo." + server.domain
        self.room = "den@" + self.domain
        server.start()
        self.scene = scenes.Scene(server, ("romeo", "juliet"))

    def join(self, who, room=None):
        client = self.scene.online(who, settle=False)
        return self.enter(client, room)

    def enter(self, client, room=None):
        room = room or self.room
        client.send("<presence to='%s/any'/>" % room)
        client.take(lambda e: e.is_("presence") and e.get("type") is None and
                    e.get("from") == self.name(client, room), "his own presence")
        return client

    def name(self, client, room=None):
        return "%s/%s" % (room or self.room, client.jid.split("@")[0])

    def say(self, client, text, room=None):
        client.send("<message to='%s' type='groupchat'><body>%s</body>"
                    "</message>" % (room or self.room, text))

    def rooms(self):
        out = self.server.ctl("--json", "echorooms", self.domain)
        return {row["room"]: row["members"]
                for row in map(json.loads, out.splitlines())}

    def ask(self, line, tls="none"):
        """What the port answers; None: nothing."""
        with socket.create_connection(
                ("127.0.0.1", self.server.port(("echoroom", tls))),
                PATIENCE) as sock:
            sock.sendall(line if isinstance(line, bytes) else line.encode())
            got = b""
            while not got.endswith(b"\n"):
                data = sock.recv(65536)
                if not data:
                    break
                got += data
        return got.decode().strip() or None


def heard(client, n):
    """The next n messages: [(from, body)]."""
    found = []
    for _ in range(n):
        e = client.take(lambda e: e.is_("message"), "a message")
        assert e.get("type") == "groupchat", e
        found.append((e.get("from"), e.find("body").text()))
    return found


def left(client, who):
    client.take(lambda e: e.is_("presence") and e.get("from") == who and
                e.get("type") == "unavailable", who + " leaving")


@pytest.fixture
def echo(pool, modules):
    server = pool.new({
        "modules": {"echoroom": {}, "testclock": {}},
        "limits": {"close_timeout": "300ms", "directed_presences": 2000,
                   "stanzas_per_second": 100000, "stanzas_burst": 100000},
        "listen": [{"address": "127.0.0.1", "port": 0, **entry} for entry in (
            {"tls": "starttls"}, {"kind": "echoroom", "tls": "none"})]})
    bring(server, modules, "echoroom")
    made = Echo(server)
    yield made
    if server.alive():
        made.scene.end()
        server.check()
        server.stop()


def test_what_one_says_all_in_the_room_hear_in_order(echo):
    romeo, juliet = echo.join("romeo/a"), echo.join("juliet/b")
    other = echo.join("juliet/c", "loft@" + echo.domain)
    for n in (0, 1, 2, 30, 300):
        for i in range(n):
            echo.say(romeo, i)
        said = [(echo.name(romeo), str(i)) for i in range(n)]
        assert heard(romeo, n) == heard(juliet, n) == said
    for i in range(100):
        echo.say((romeo, juliet)[i % 2], i)
    first, second = heard(romeo, 100), heard(juliet, 100)
    assert first == second
    for client, part in ((romeo, range(0, 100, 2)), (juliet, range(1, 100, 2))):
        assert [int(text) for name, text in first
                if name == echo.name(client)] == list(part)
    assert echo.rooms() == {echo.room: 2, "loft@" + echo.domain: 1}
    other.ping()
    assert not [e for e in other.inbox if e.is_("message")]


def test_rooms_of_any_size(echo):
    clients = []
    for n in range(40):
        assert echo.rooms().get(echo.room, 0) == n
        clients.append(echo.join("%s/r%d" % (("romeo", "juliet")[n % 2], n)))
        echo.say(clients[-1], n)
        for client in clients:
            assert heard(client, 1) == [(echo.name(clients[-1]), str(n))]
    # a second presence changes nothing
    echo.enter(clients[0])
    assert echo.rooms() == {echo.room: 40}
    for n, client in enumerate(clients):
        client.send("<presence type='unavailable' to='%s/any'/>" % echo.room)
        for other in clients[n:]: # many of them have that name
            left(other, echo.name(client))
        assert echo.rooms().get(echo.room, 0) == 39 - n


def test_who_is_not_in_it_is_refused(echo):
    romeo = echo.join("romeo/a")
    juliet = echo.scene.online("juliet/b", settle=False)
    for kind in ("groupchat", "chat"):
        for to in (echo.room, "nowhere@" + echo.domain):
            juliet.send("<message to='%s' type='%s'><body>x</body></message>"
                        % (to, kind))
            got = juliet.take(lambda e: e.is_("message"), "an error")
            assert got.get("type") == "error"
    # what the port asks for is not for clients
    line = "<line xmlns='urn:example:echoroom'>x</line>"
    for client in (romeo, juliet):
        got = client.iq("set", line, echo.room)
        assert got.find("error", "forbidden") is not None
    romeo.ping()
    assert not [e for e in romeo.inbox if e.is_("message")]


def test_a_connection_that_breaks_leaves(echo):
    romeo, juliet = echo.join("romeo/a"), echo.join("juliet/b")
    romeo.reset()
    left(juliet, echo.room + "/" + echo.scene.accounts["romeo"].name)
    assert echo.rooms() == {echo.room: 1}
    echo.say(juliet, "alone")
    assert heard(juliet, 1) == [(echo.name(juliet), "alone")]
    # and one that only goes offline
    echo.scene.login("romeo/c")
    romeo = echo.join("romeo/d")
    name = echo.name(romeo)
    romeo.send("<presence type='unavailable'/>")
    left(juliet, name)
    assert echo.rooms() == {echo.room: 1}


def test_the_port_tells_and_says(echo):
    assert echo.ask(echo.room + "\n") == "no such room"
    assert echo.ask("den@echo.%s\n" % echo.server.other_domain) == "no such room"
    romeo, juliet = echo.join("romeo/a"), echo.join("juliet/b")
    assert echo.ask(echo.room + "\n") == "2"
    assert echo.ask(echo.room + "/x\r\n") == "2"
    for i in range(100):
        assert echo.ask("%s line %d\n" % (echo.room, i)) == "2"
    said = [(echo.room, "line %d" % i) for i in range(100)]
    assert heard(romeo, 100) == heard(juliet, 100) == said
    # whoever comes later is told the last one
    assert heard(echo.join("juliet/c"), 1) == said[-1:]
    # one line at most, and as long as it may be
    most = echo.room + " " + "x" * (999 - len(echo.room))
    assert echo.ask(most + "\n" + most + "\n") == "3"
    assert heard(romeo, 1) == [(echo.room, most.split()[1])]
    for wrong in (most + "x\n", "\n", " x\n", "x" * 100000,
                  "den@%s x\n" % echo.server.domain, "@\n",
                  "den@elsewhere.test x\n", echo.room + " a\x0bb\n",
                  echo.room.encode() + b" \xff\n",
                  echo.room.encode() + b" \xef\xbf\xbf\n",
                  echo.room.encode() + b" \x00\n"):
        assert echo.ask(wrong) is None, wrong
    romeo.ping()
    assert not [e for e in romeo.inbox if e.is_("message")]


def test_who_hangs_up_before_the_answer_has_said_it(echo):
    romeo = echo.join("romeo/a")
    for i in range(100):
        with socket.create_connection(
                ("127.0.0.1", echo.server.port(("echoroom", "none"))),
                PATIENCE) as sock:
            sock.sendall(b"%s %d\n" % (echo.room.encode(), i))
    assert sorted(int(body) for _, body in heard(romeo, 100)) == list(range(100))
    assert echo.ask(echo.room + "\n") == "1"


def test_who_is_silent_at_the_port_is_closed(echo):
    with socket.create_connection(
            ("127.0.0.1", echo.server.port(("echoroom", "none"))),
            PATIENCE) as sock:
        sock.sendall(b"x")
        # it has been accepted when another that came later was answered
        assert echo.ask(echo.room + "\n") == "no such room"
        echo.server.advance(31)
        sock.settimeout(PATIENCE)
        assert sock.recv(1) == b""


def test_what_the_port_has_said_outlives_a_restart(echo):
    romeo = echo.join("romeo/a")
    assert echo.ask(echo.room + " <all> & sundry\n") == "1"
    assert heard(romeo, 1) == [(echo.room, "<all> & sundry")]
    for restart in (echo.server.kill9, echo.server.stop):
        restart()
        echo.server.start()
        assert echo.rooms() == {}
        # it is there, though nobody is in it
        assert echo.ask(echo.room + "\n") == "0"
        assert echo.ask("nowhere@%s\n" % echo.domain) == "no such room"
        romeo = again(echo.server, echo.scene)
        romeo.send("<presence/>")
        assert heard(echo.enter(romeo), 1) == [(echo.room, "<all> & sundry")]


def test_the_room_is_found_by_service_discovery(echo):
    romeo = echo.join("romeo/a")
    assert services(romeo, echo.server.domain) == [
        (echo.domain, "Echo rooms")]
    for to in (echo.domain, echo.room):
        info = romeo.iq("get", INFO, to).find("query").elems()
        assert [(e.get("category"), e.get("type")) for e in info
                if e.name == "identity"] == [("conference", "text")]
        assert "urn:example:echoroom" in [e.get("var") for e in info]
    got = romeo.iq("get", INFO, "nowhere@" + echo.domain)
    assert got.find("error", "item-not-found") is not None


def items(client, to):
    found = client.iq("get", ITEMS, to).find("query").elems()
    return {e.get("jid"): e.get("name") for e in found}


@pytest.mark.parametrize("shards", [1, 5])
def test_all_rooms_are_items_wherever_they_are(echo, shards):
    echo.server.stop()
    echo.server.conf["shards"] = shards
    echo.server.start()
    romeo = again(echo.server, echo.scene)
    romeo.send("<presence/>")
    assert items(romeo, echo.domain) == {}
    rooms = {}
    for n in (1, 2, 30, 1000):
        for i in range(n):
            rooms["r%d@%s" % (i, echo.domain)] = "r%d" % i
        for room in rooms: # each has answered, so that he is in
            echo.enter(romeo, room)
        assert items(romeo, echo.domain) == rooms
        assert set(echo.rooms()) == set(rooms)
    # a room has none, whoever asks for a node is told there is no such
    assert items(romeo, "r0@" + echo.domain) == {}
    got = romeo.iq("get", ITEMS.replace("/>", " node='x'/>"), echo.domain)
    assert got.find("error", "item-not-found") is not None
    # no more are told at once
    echo.enter(romeo, "last@" + echo.domain)
    assert len(items(romeo, echo.domain)) == 1000
    assert len(echo.rooms()) == 1001
    # whom everybody has left is none
    for n in range(1, 1000):
        room = "r%d@%s" % (n, echo.domain)
        romeo.send("<presence type='unavailable' to='%s/x'/>" % room)
        left(romeo, echo.name(romeo, room))
    assert items(romeo, echo.domain) == {
        "r0@" + echo.domain: "r0", "last@" + echo.domain: "last"}


def test_who_may_list_the_rooms(echo):
    echo.join("romeo/a")
    assert echo.rooms() == {echo.room: 1}
    for wrong in ("elsewhere.test", echo.server.domain):
        done = echo.server.ctl("echorooms", wrong, ok=False)
        assert done.returncode == 1 and "no domain of the module" in done.stderr
    for n in range(100):
        echo.enter(echo.scene["romeo/a"], "r%d@%s" % (n, echo.domain))
    assert echo.rooms() == {"r%d@%s" % (n, echo.domain): 1
                            for n in range(100)} | {echo.room: 1}


@pytest.mark.parametrize("how", ["unload", "reload", "configuration"])
def test_it_is_switched_off_while_it_is_used(echo, how):
    server = echo.server
    romeo = echo.join("romeo/a")
    for _ in range(3):
        assert echo.ask(echo.room + " once\n") == "1"
        for i in range(50):
            echo.say(romeo, i)
        romeo.ping()
        if how == "unload":
            server.ctl("modules", "unload", "echoroom")
        elif how == "reload":
            server.ctl("modules", "reload", "echoroom")
        else:
            # the port goes, and comes back as the same
            listen = server.conf["listen"]
            listen[1]["port"] = server.port(("echoroom", "none"))
            server.conf["listen"] = listen[:1]
            server.conf["modules"]["echoroom"] = False
            server.write_conf()
            server.ctl("reload")
            server.conf["listen"] = listen
            server.conf["modules"]["echoroom"] = {}
            server.write_conf()
        if how != "reload":
            assert "echorooms" not in server.ctl("help")
            got = romeo.iq("get", INFO, echo.room)
            assert got.get("type") == "error"
        if how == "unload":
            server.ctl("modules", "load", "echoroom")
        elif how == "configuration":
            server.ctl("reload")
        left(romeo, echo.room) # the room itself, before it goes
        romeo.ping()
        romeo.inbox.clear()
        # whoever was in it has to join again
        assert echo.rooms() == {}
        assert heard(echo.enter(romeo), 1) == [(echo.room, "once")]


async def slixmpp_in_a_room(echo):
    from test_slixmpp import Peer
    peers = []
    for name in ("romeo", "juliet"):
        peer = Peer(echo.scene.accounts[name], echo.server)
        peer.connect(("127.0.0.1", echo.server.port("starttls")))
        await asyncio.wait_for(peer.ready, PATIENCE)
        peer.send_presence(pto=echo.room + "/any")
        peers.append(peer)
        while echo.rooms().get(echo.room) != len(peers):
            await asyncio.sleep(0)
    for i in range(100):
        peers[0].send_message(mto=echo.room, mbody=str(i), mtype="groupchat")
    for peer in peers:
        for i in range(100):
            got = await asyncio.wait_for(peer.messages.get(), PATIENCE)
            assert got["body"] == str(i)
            assert got["from"].bare == echo.room
    info = await peers[0]["xep_0030"].get_info(jid=echo.room, timeout=PATIENCE)
    assert ("conference", "text") in {
        i[:2] for i in info["disco_info"]["identities"]}
    for peer in peers:
        await asyncio.wait_for(peer.disconnect(), PATIENCE)


def test_slixmpp_in_a_room(echo):
    pytest.importorskip("slixmpp")
    loop = asyncio.new_event_loop()
    asyncio.set_event_loop(loop)
    loop.run_until_complete(slixmpp_in_a_room(echo))
    for task in asyncio.all_tasks(loop): # slixmpp leaves some behind
        task.cancel()


def test_ids_in_the_name_of_a_member_do_not_pass(echo):
    """XEP-0359 §3: what all members share is no way around it either; the room's
    own id reaches them (hostile 47)."""
    romeo, juliet = echo.join("romeo/a"), echo.join("juliet/b")
    ids = {"room": echo.room, "other": "x@" + echo.domain,
           "juliet": juliet.jid.split("/")[0]}
    for n, which in enumerate(({"room"}, {"room", "juliet"}, {"other"},
                               {"juliet"}, set(ids))):
        romeo.send("<message to='%s' type='groupchat'><body>%d</body>%s</message>"
                   % (echo.room, n, "".join(
                       "<stanza-id xmlns='urn:xmpp:sid:0' id='%s' by='%s'/>"
                       % (who, ids[who]) for who in which)))
        for client, left_out in ((romeo, set()), (juliet, {"juliet"})):
            got = client.take(lambda e: e.is_("message"), "the message")
            assert got.find("body").text() == str(n)
            assert {e.get("id") for e in got.elems()
                    if e.is_("stanza-id", "urn:xmpp:sid:0")} == which - left_out
