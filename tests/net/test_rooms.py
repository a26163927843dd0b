"""Domains that are no hosts, on either side: rooms of others, a service and a component
of ours."""

import secrets

import pytest

from component import Component

pytestmark = pytest.mark.only("antiphon")

JOIN = "<presence to='%s/%s'><x xmlns='http://jabber.org/protocol/muc'/></presence>"
# a room that is as it is when it is made
INSTANT = ("<query xmlns='http://jabber.org/protocol/muc#owner'>"
           "<x xmlns='jabber:x:data' type='submit'/></query>")


def join(one, room):
    one.send(JOIN % (room, one.user))
    one.take(lambda e: e.is_("presence") and e.get("type") is None and
             e.get("from") == "%s/%s" % (room, one.user), "my own presence")


@pytest.mark.parametrize("rooms,a,b", [
    ("rooms.pro.example", "pro.example", "eja.example"),
    ("rooms.pro.example", "ant.example", "bee.example"),
    ("rooms.eja.example", "ant.example", "pro.example")])
def test_a_room_of_others(network, rooms, a, b):
    network.of(rooms)
    room = "room-%s@%s" % (secrets.token_hex(4), rooms)
    romeo = network.person("romeo", a).online()
    juliet = network.person("juliet", b).online()
    join(romeo, room)
    assert romeo.iq("set", INSTANT, room).get("type") == "result"
    join(juliet, room)
    for one in (romeo, juliet):
        one.send("<message to='%s' type='groupchat'><body>from %s</body>"
                 "</message>" % (room, one.user))
        for other in (romeo, juliet):
            got = other.hear("from " + one.user)
            assert got.get("from") == "%s/%s" % (room, one.user)
    juliet.send("<presence type='unavailable' to='%s/%s'/>"
                % (room, juliet.user))
    romeo.presence("unavailable", "%s/%s" % (room, juliet.user))


@pytest.mark.parametrize("peer", ["bee.example", "pro.example", "eja.example"])
def test_a_service_of_ours(network, peer):
    romeo = network.person("romeo", peer).online()
    romeo.say("e@echo.ant.example", "hello")
    assert romeo.hear("hello").get("from") == "e@echo.ant.example"


@pytest.mark.parametrize("peer", ["bee.example", "pro.example", "eja.example"])
def test_a_component_of_ours(network, peer):
    irc = Component(network.ours, "irc", domain="irc.ant.example").login()
    romeo = network.person("romeo", peer).online()
    romeo.say("somebody@irc.ant.example", "hello")
    got = irc.take(lambda e: e.is_("message"), "the message")
    assert got.get("from") == romeo.jid
    irc.send("<message from='%s' to='%s'><body>hello yourself</body></message>"
             % (got.get("to"), got.get("from")))
    assert romeo.hear("hello yourself").get("from") == "somebody@irc.ant.example"
    irc.close()
