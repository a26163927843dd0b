"""antiphonctl rooms: what administrators see of rooms, and do to them."""

import pytest

import rooms
from client import Client
from process import Failed

pytestmark = pytest.mark.only("antiphon")

DAY = 86400


@pytest.fixture
def server(own_server):
    server = own_server({"modules": {"muc": {"names": ["team-*"]}}})
    for name in ("anna", "bob"):
        server.adduser(name, "secret")
    return server


def login(server, name):
    return Client(server, name).login(name, "secret", "a")


def room_of(server, name):
    return "%s@%s" % (name, rooms.service_of(server))


def call(server, command, **args):
    return [line.get("row") for line in server.call(command, **args)]


def names(rows):
    return [row["room"].split("@")[0] for row in rows]


def fails(server, text, command, **args):
    with pytest.raises(Failed) as failed:
        server.call(command, **args)
    assert text in str(failed.value), str(failed.value)


def test_a_room_is_made_changed_and_destroyed(server):
    room, anna = room_of(server, "lobby"), "anna@" + server.domain
    call(server, "rooms create", room=room, owner=anna)
    fails(server, "already", "rooms create", room=room, owner=anna)
    (row,) = call(server, "rooms list")
    assert (row["room"], row["owners"], row["occupants"], row["kind"], row["stays"]) == (
        room, 1, 0, "public", "yes")
    client, other = login(server, "anna"), login(server, "bob")
    rooms.enter(client, room, "Anna")
    rooms.enter(other, room, "Bob the builder")
    rooms.forget(client, room)
    assert {(r["nick"], r["role"], r["affiliation"]) for r in
            call(server, "rooms occupants", room=room)} == {
        ("Anna", "moderator", "owner"), ("Bob the builder", "participant", "none")}
    call(server, "rooms set", room=room, field="roomname", value="The lobby, of all")
    call(server, "rooms set", room=room, field="presencebroadcast",
                value="moderator,participant")
    (row,) = call(server, "rooms show", room=room)
    assert row["roomname"] == "The lobby, of all"
    assert sorted(row["presencebroadcast"].split(",")) == ["moderator", "participant"]
    assert (row["owners"], row["members"], row["used"][:4] >= "2020") == (1, 0, True)
    assert "roomsecret" not in row
    call(server, "rooms affiliate", room=room, address="bob@" + server.domain,
                affiliation="member")
    call(server, "rooms affiliate", room=room, address="carl@elsewhere.test",
         affiliation="outcast")
    (row,) = call(server, "rooms show", room=room)
    assert [row[a + "s"] for a in ("owner", "admin", "member", "outcast")] == [1, 0, 1, 1]
    call(server, "rooms kick", room=room, nick="Bob the builder")
    other.take(lambda e: e.is_("presence") and "307" in rooms.codes(e), "a kick")
    assert [r["nick"] for r in call(server, "rooms occupants", room=room)] == ["Anna"]
    call(server, "rooms destroy", room=room, reason="It is over", yes="yes")
    gone = client.take(lambda e: e.is_("presence") and e.get("type") == "unavailable" and
                       e.find("x", "destroy") is not None, "the end of the room")
    assert gone.find("x", "destroy", "reason").text() == "It is over"
    assert call(server, "rooms list") == []
    server.check()


def test_mistakes_are_named(server):
    room, anna = room_of(server, "lobby"), "anna@" + server.domain
    fails(server, "did you mean lobby@conference." + server.domain, "rooms show",
          room="lobby@" + server.domain)
    fails(server, "no service with rooms", "rooms show", room="lobby@elsewhere.test")
    fails(server, "no such room", "rooms show", room=room)
    fails(server, "no such room", "rooms destroy", room=room, yes="yes")
    fails(server, "no such room", "rooms affiliate", room=room, address=anna,
          affiliation="owner")
    fails(server, "owner, admin, member, outcast or none", "rooms affiliate", room=room,
          address=anna, affiliation="king")
    fails(server, "those that rooms show names", "rooms set", room=room, field="name",
          value="x")
    fails(server, "no such room", "rooms purge", room=room, yes="yes")
    fails(server, "no such room", "rooms occupants", room=room)
    fails(server, "such as team@conference." + server.domain, "rooms create",
          room="conference." + server.domain, owner=anna)
    fails(server, "NAME@conference.", "rooms show", room="lobby")
    fails(server, "such as anna@" + server.domain, "rooms create", room=room, owner="anna")
    fails(server, "address of a user", "rooms create", room=room, owner=server.domain)
    fails(server, "1 to 36500", "rooms unused", days="0")
    fails(server, "neither a host", "rooms list", domain="elsewhere.test")
    call(server, "rooms create", room=room, owner=anna)
    # as the room says it
    fails(server, "no owner", "rooms affiliate", room=room, address=anna,
          affiliation="none")
    fails(server, "maxusers: there are 10, 20,", "rooms set", room=room, field="maxusers",
          value="many")
    fails(server, "publicroom: it is 1 or 0", "rooms set", room=room, field="publicroom",
          value="maybe")
    fails(server, "password", "rooms set", room=room, field="passwordprotectedroom",
          value="1")
    fails(server, "nobody in it", "rooms kick", room=room, nick="Nobody")


@pytest.mark.parametrize("create, who, why", (
    ("admins", "anna", None), ("admins", "bob", "admins"), ("nobody", "anna", "Nobody"),
    ("local", "bob", "called")))
def test_who_may_make_rooms(own_server, create, who, why):
    server = own_server({"modules": {"muc": {"create": create, "names": "team-*"}},
                         "hosts": {"antiphon.test": {"admins": ["anna@antiphon.test"]}}})
    server.adduser(who, "secret")
    client, room = login(server, who), room_of(server, "lobby")
    client.send("<presence to='%s/A'><x xmlns='http://jabber.org/protocol/muc'/></presence>"
                % room)
    got = client.take(lambda e: e.is_("presence") and e.get("from") == room + "/A", "it")
    assert (got.get("type") == "error") == (why is not None)
    if why is not None:
        assert got.find("error", "not-allowed") is not None
        assert why in got.find("error", "text").text()


def test_passwords_and_lists_are_set(server):
    room, anna = room_of(server, "lobby"), "anna@" + server.domain
    call(server, "rooms create", room=room, owner=anna)
    call(server, "rooms set", room=room, field="roomsecret", value="open sesame")
    call(server, "rooms set", room=room, field="contactjid", value="%s,x@y.test" % anna)
    call(server, "rooms set", room=room, field="archive_days", value="3")
    (row,) = call(server, "rooms show", room=room)
    assert (row["passwordprotectedroom"], row["contactjid"], row["archive_days"]) == (
        "1", anna + ",x@y.test", "3")
    call(server, "rooms set", room=room, field="roomsecret")
    (row,) = call(server, "rooms show", room=room)
    assert row["passwordprotectedroom"] == "0"
    server.check()


def test_rooms_are_listed_whoever_owns_them_and_uses_them(server):
    for i in range(130): # more than are read at once
        call(server, "rooms create", room=room_of(server, "r%03d" % i),
                    owner="anna@" + server.domain)
    bob = login(server, "bob")
    call(server, "rooms create", room=room_of(server, "busy"), owner="bob@" + server.domain)
    assert names(call(server, "rooms list")) == ["busy"] + ["r%03d" % i for i in range(130)]
    assert call(server, "rooms list", domain=server.other_domain) == []
    assert call(server, "rooms list", ownerless="yes") == []
    assert call(server, "rooms unused", days="1") == []
    server.advance(2 * DAY)
    rooms.enter(bob, room_of(server, "busy"), "Bob")
    assert len(call(server, "rooms unused", days="1",
                           domain=rooms.service_of(server))) == 130
    server.advance(3 * DAY)
    # he is in it all the time
    assert "busy" not in names(call(server, "rooms unused", days="2"))
    rooms.ask(bob, "get", "<query xmlns='http://jabber.org/protocol/disco#info'/>",
              room_of(server, "busy"))
    bob.close()
    call(server, "deluser", jid="anna@" + server.domain)
    assert len(call(server, "rooms list", ownerless="yes")) == 130
    server.check()


def test_the_archive_of_a_room_is_purged(server):
    room = room_of(server, "team-a")
    anna = login(server, "anna")
    rooms.create(anna, room, "Anna", ["persistentroom=1"])
    for i in range(5):
        anna.send("<message type='groupchat' to='%s'><body>%d</body></message>" % (room, i))
        anna.take(lambda e: e.is_("message") and e.child("body") is not None, "it")
    (row,) = call(server, "rooms show", room=room)
    assert row["archived"] == 5 and row["bytes"] > 0
    call(server, "rooms purge", room=room, yes="yes")
    (row,) = call(server, "rooms show", room=room)
    assert (row["archived"], row["bytes"], row["maker"]) == (0, 0, "anna@" + server.domain)
    server.check()


def test_what_rooms_are_called_looks_like_nothing_else(server):
    """In the lines that antiphonctl makes of it, for a terminal."""
    room, client = room_of(server, "team-a"), login(server, "anna")
    rooms.create(client, room, "Anna", ["persistentroom=1"])
    plain = server.ctl("rooms", "list").splitlines()
    rooms.configure(client, room, [
        "roomname=a\nroom       team-b@x\towners 5\u009b31m\u202e\u0085b"])
    lines = server.ctl("rooms", "list").splitlines()
    assert len(lines) == len(plain)
    assert not set("\t\u009b\u202e\u0085") & set("".join(lines)), lines
    server.check()
