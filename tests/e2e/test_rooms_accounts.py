"""When an account is removed, what it was in rooms goes with it, before somebody else can
have its name: in rooms that are loaded, and in those that are not."""

import pytest

import rooms
from client import Client

pytestmark = pytest.mark.only("antiphon")

INFO = "<query xmlns='http://jabber.org/protocol/disco#info'%s/>"
REGISTER = ("<query xmlns='jabber:iq:register'><x xmlns='jabber:x:data' type='submit'>"
            "<field var='FORM_TYPE'><value>http://jabber.org/protocol/muc#register"
            "</value></field><field var='muc#register_roomnick'><value>%s</value></field>"
            "</x></query>")


def login(server, name):
    return Client(server, name).login(name, "secret", "a")


def somebody(client, room):
    """Everybody who is somebody in it."""
    out = {}
    for affiliation in ("owner", "admin", "member", "outcast"):
        got = client.iq("get", "<query xmlns='%s'><item affiliation='%s'/></query>" %
                        (rooms.ADMIN, affiliation), room)
        assert got.get("type") == "result", str(got)
        for item in got.child("query").elems():
            out[item.get("jid")] = affiliation
    return out


def test_affiliations_go_with_the_account(own_server):
    server = own_server({})
    for name in ("keeper", "mercutio", "nurse", "juliet"):
        server.adduser(name, "secret")
    server.adduser("paris", "secret", server.other_domain)
    keeper = login(server, "keeper")
    jids = ["%s@%s" % (name, server.domain) for name in
            ("keeper", "mercutio", "nurse", "ghost")]
    jids.append("paris@" + server.other_domain)
    jids.append("tybalt@elsewhere.test")
    everybody = dict(zip(jids, ("owner", "owner", "member", "outcast", "admin", "member")))
    loaded, absent, ruined = names = ["%s@%s" % (name, rooms.service_of(server))
                                      for name in ("loaded", "absent", "ruined")]
    for room in names:
        rooms.create(keeper, room, "Keeper", ["persistentroom=1", "membersonly=1"])
        for jid, affiliation in everybody.items():
            rooms.admin(keeper, room, affiliation=affiliation, jid=jid)
        rooms.ask(login(server, "nurse"), "set", REGISTER % "Angelica", room)
        assert somebody(keeper, room) == everybody
    rooms.ask(keeper, "set", "<query xmlns='%s'><destroy/></query>" % rooms.OWNER, ruined)
    server.restart()
    # one of the rooms is in memory, with somebody in it
    keeper = login(server, "keeper")
    rooms.enter(keeper, loaded, "Keeper")
    for jid in (jids[1], jids[2], jids[4]):
        server.call("deluser", jid=jid)
        del everybody[jid]
    server.adduser("mercutio", "secret")
    server.adduser("nurse", "secret")
    nurse = login(server, "nurse")
    for room in (loaded, absent):
        got = login(server, "mercutio").iq("get", "<query xmlns='%s'/>" % rooms.OWNER, room)
        assert got.find("error", "forbidden") is not None, str(got)
        got = nurse.iq("get", INFO % " node='x-roomuser-item'", room)
        assert got.find("query", "identity") is None, str(got)
        assert somebody(keeper, room) == everybody
        # the nickname that nobody has any more can be had
        rooms.admin(keeper, room, affiliation="member", jid="juliet@" + server.domain)
        rooms.ask(login(server, "juliet"), "set", REGISTER % "Angelica", room)
    got = nurse.iq("get", INFO % "", ruined)
    assert got.get("type") == "error", str(got)
    server.check()
