"""The list of rooms (XEP-0045 §6.3) is in the store: it outlives the server, loads no room,
and has what there is."""

import pytest

import rooms
import scene as scenes

pytestmark = pytest.mark.only("antiphon")

ITEMS = "<query xmlns='http://jabber.org/protocol/disco#items'/>"


def listed(client, server):
    got = client.iq("get", ITEMS, rooms.service_of(server))
    assert got.get("type") == "result", str(got)
    return {e.get("jid").split("@")[0]: e.get("name")
            for e in got.child("query").elems() if e.name == "item"}


def test_the_list_outlives_the_server(own_server):
    server = own_server({})
    scene = scenes.Scene(server)
    scene.add_accounts("romeo")
    romeo = scene.online("romeo/a")

    def room(name, *fields):
        jid = "%s@%s" % (name, rooms.service_of(server))
        rooms.create(romeo, jid, "Romeo", fields)
        return jid

    room("stays", "persistentroom=1", "roomname=It stays")
    later = room("later", "persistentroom=1", "publicroom=0")
    gone = room("gone", "persistentroom=1")
    room("passes", "roomname=For now")
    assert listed(romeo, server) == {
        "stays": "It stays", "gone": "gone", "passes": "For now"}
    rooms.configure(romeo, later, ["publicroom=1", "roomname=Shown"])
    rooms.configure(romeo, gone, ["publicroom=0"])
    destroyed = room("destroyed", "persistentroom=1")
    rooms.ask(romeo, "set", "<query xmlns='%s'><destroy/></query>" % rooms.OWNER,
              destroyed)
    expected = {"stays": "It stays", "later": "Shown", "passes": "For now"}
    assert listed(romeo, server) == expected
    server.kill9()
    server.start()
    scene = scenes.Scene(server)
    scene.add_accounts("juliet")
    juliet = scene.online("juliet/a")
    # whose end the crash has prevented is not one that anybody is in
    del expected["passes"]
    assert listed(juliet, server) == expected
    # and whoever speaks to it finds none, when nobody has come for an hour
    server.ctl("clock", "advance", "61m")

    def stored():
        return {line["row"]["room"].split("@")[0] for line in server.call("rooms list")}

    assert stored() == {"stays", "later", "gone", "passes"}
    passes = "passes@" + rooms.service_of(server)
    got = juliet.iq("get", "<query xmlns='http://jabber.org/protocol/disco#info'/>", passes)
    assert got.find("error", "item-not-found") is not None, str(got)
    assert stored() == {"stays", "later", "gone"}
    rooms.create(juliet, passes, "Juliet")
    server.check()
