"""Who asks a room for what is not his to know, or to do: strangers, who learn nothing of
who is in it; occupants, who learn nothing of who the others are; members, who let in
nobody but whom they name.
"""

from xml.sax.saxutils import quoteattr

import pytest

import rooms
from xmltree import STANZAS

pytestmark = pytest.mark.only("antiphon")

VERSION = "<query xmlns='jabber:iq:version'/>"
ARCHIVE = "<query xmlns='urn:xmpp:mam:2'/>"
REGISTER = ("<query xmlns='jabber:iq:register'><x xmlns='jabber:x:data' type='submit'>"
            "<field var='FORM_TYPE'><value>http://jabber.org/protocol/muc#register"
            "</value></field><field var='muc#register_roomnick'><value>%s</value></field>"
            "</x></query>")


def cond(e):
    """The condition of an error; None: it is none."""
    error = e.child("error")
    if error is None:
        return None
    return next(c.name for c in error.elems() if c.ns == STANZAS and c.name != "text")


class Party:
    """A room of keeper, who owns it, and the clients of those who are to come."""

    def __init__(self, scene, *names, fields=()):
        scene.add_accounts("keeper", *dict.fromkeys(n.partition("/")[0] for n in names))
        scene.add_rooms("coven")
        self.jid = scene.rooms["coven"]
        self.keeper = scene.online("keeper/a")
        self.clients = [scene.online(n if "/" in n else n + "/a") for n in names]
        scene.settle()
        rooms.create(self.keeper, self.jid, "keeper", fields)

    def at(self, nick):
        return "%s/%s" % (self.jid, nick)


def bare(client):
    return client.jid.partition("/")[0]


# --- who is in it -----------------------------------------------------------------------

# what a stranger sends, that names somebody
NAMES = {
    "his nickname, to kick him": (
        "iq", "<query xmlns='%s'><item nick=%%(nick)s role='none'/></query>" % rooms.ADMIN),
    "his nickname, to ban him": (
        "iq", "<query xmlns='%s'><item nick=%%(nick)s affiliation='outcast'/></query>" %
        rooms.ADMIN),
    "his address, to decline": (
        "message", "<x xmlns='%s'><decline to=%%(jid)s/></x>" % rooms.USER),
    "his nickname, to decline": (
        "message", "<x xmlns='%s'><decline to=%%(at)s/></x>" % rooms.USER),
    "his nickname, to give him voice": (
        "message", "<x xmlns='jabber:x:data' type='submit'><field var='FORM_TYPE'><value>"
        "http://jabber.org/protocol/muc#request</value></field><field var='muc#roomnick'>"
        "<value>%(name)s</value></field><field var='muc#request_allow'><value>true</value>"
        "</field></x>"),
}


@pytest.mark.parametrize("how", sorted(NAMES))
def test_a_stranger_learns_of_nobody_that_he_is_in(scene, how):
    kind, payload = NAMES[how]
    party = Party(scene, "guest", "absent", "foe",
                  fields=["membersonly=1", "publicroom=0"])
    guest, absent, foe = party.clients
    for client in guest, absent:
        rooms.admin(party.keeper, party.jid, jid=bare(client), affiliation="member")
    rooms.enter(guest, party.jid, "guest")
    told = []
    for client, nick in ((guest, "guest"), (absent, "absent")):
        what = payload % {"nick": quoteattr(nick), "name": nick,
                          "jid": quoteattr(bare(client)),
                          "at": quoteattr(party.at(nick))}
        if kind == "iq":
            told.append(cond(foe.iq("set", what, party.jid)))
        else:
            foe.send("<message to='%s' id='1'>%s</message>" % (party.jid, what))
            foe.iq("get", rooms.PING, party.jid)
            told.append([cond(e) for e in foe.inbox if e.is_("message")])
            foe.inbox[:] = []
    assert told[0] == told[1], told


# --- who he is ----------------------------------------------------------------------------

def test_the_ids_of_requests_tell_nobody_who_asks(scene):
    """Whoever has the real address of another one for his nickname knows what ids that
    makes."""
    party = Party(scene, "guest", "foe/a", "foe/b", fields=["whois=moderators"])
    guest, foe, decoy = party.clients
    rooms.enter(guest, party.jid, "guest")
    rooms.enter(foe, party.jid, "foe")
    rooms.enter(decoy, party.jid, guest.jid)
    foe.send("<iq to=%s type='get' id='1'>%s</iq>" % (
        quoteattr(party.at(guest.jid)), VERSION))
    own = decoy.take(lambda e: e.is_("iq") and e.get("type") == "get", "a request")
    guest.send("<iq to=%s type='get' id='1'>%s</iq>" % (
        quoteattr(party.at("foe")), VERSION))
    his = foe.take(lambda e: e.is_("iq") and e.get("type") == "get", "a request")
    parts = [{e.get("id")[i:i + 16] for i in (0, 16)} for e in (own, his)]
    assert not parts[0] & parts[1], parts


ANSWERS = {
    "iq": "<iq to='{at}' type='get' id='1'>%s</iq>" % VERSION,
    "message": "<message to='{at}' type='chat' id='1'><body>so</body></message>",
}


@pytest.mark.parametrize("kind", sorted(ANSWERS))
def test_an_error_tells_nobody_by_whom_it_is(scene, kind):
    party = Party(scene, "guest", "foe", fields=["whois=moderators"])
    guest, foe = party.clients
    rooms.enter(guest, party.jid, "guest")
    rooms.enter(foe, party.jid, "foe")
    foe.send(ANSWERS[kind].replace("{at}", party.at("guest")))
    asked = guest.take(lambda e: e.is_(kind) and e.get("from") == party.at("foe"), "it")
    guest.send("<%s to='%s' id='%s' type='error'><error type='cancel' by='%s'><not-allowed "
               "xmlns='%s'/></error></%s>" % (kind, party.at("foe"), asked.get("id"),
                                             guest.jid, STANZAS, kind))
    got = foe.take(lambda e: e.is_(kind) and e.get("type") == "error", "the error")
    assert cond(got) == "not-allowed" and bare(guest) not in str(got), str(got)


# --- who is let in ------------------------------------------------------------------------

def test_who_does_not_know_the_password_does_not_register(scene):
    party = Party(scene, "foe", "guest", fields=[
        "passwordprotectedroom=1", "roomsecret=sesame", "persistentroom=1"])
    foe, guest = party.clients
    party.keeper.send("<message to='%s' type='groupchat'><body>secret</body></message>" %
                      party.jid)
    party.keeper.take(lambda e: e.child("body") is not None, "it")
    assert cond(foe.iq("set", REGISTER % "foe", party.jid)) == "not-allowed"
    assert cond(foe.iq("get", "<query xmlns='jabber:iq:register'/>",
                       party.jid)) == "not-allowed"
    assert cond(foe.iq("set", ARCHIVE, party.jid)) == "forbidden"
    assert "secret" not in "".join(map(str, foe.inbox))
    # who is in it does, and may then read it from wherever he is
    rooms.enter(guest, party.jid, "guest", "sesame")
    rooms.ask(guest, "set", REGISTER % "guest", party.jid)
    guest.send("<presence to='%s' type='unavailable'/>" % party.at("guest"))
    guest.take(lambda e: e.get("type") == "unavailable", "his own presence")
    assert cond(guest.iq("set", ARCHIVE, party.jid)) is None


@pytest.mark.parametrize("whom", ["{OTHER}", "elsewhere.test/resource"])
def test_a_member_lets_nobody_in_but_whom_he_names(scene, whom):
    """Not all who are at a domain."""
    party = Party(scene, "guest", fields=["membersonly=1", "allowinvites=1"])
    guest = party.clients[0]
    rooms.admin(party.keeper, party.jid, jid=bare(guest), affiliation="member")
    rooms.enter(guest, party.jid, "guest")
    guest.send("<message to='%s' id='1'><x xmlns='%s'><invite to='%s'/></x></message>" % (
        party.jid, rooms.USER, scene.fill(whom)))
    guest.iq("get", rooms.PING, party.jid)
    # behind which it would be durable
    rooms.admin(party.keeper, party.jid, jid="a@elsewhere.test", affiliation="outcast")
    got = rooms.ask(party.keeper, "get", "<query xmlns='%s'><item affiliation='member'/>"
                    "</query>" % rooms.ADMIN, party.jid)
    assert [i.get("jid") for i in got.child("query").elems()] == [bare(guest)]
    assert [cond(e) for e in guest.inbox if e.get("type") == "error"] == ["not-allowed"]


# --- what is said ---------------------------------------------------------------------------


def test_words_to_look_for_are_those_that_were_said(scene):
    """Not the real addresses, which are stored with them."""
    party = Party(scene, "guest", "foe", fields=["whois=moderators", "persistentroom=1"])
    guest, foe = party.clients
    rooms.enter(guest, party.jid, "guest")
    rooms.enter(foe, party.jid, "foe")
    guest.send("<message to='%s' type='groupchat'><body>plain words</body></message>" %
               party.jid)
    foe.take(lambda e: e.child("body") is not None, "it")
    found = {}
    for words in "plain", bare(guest), bare(guest).partition("@")[0], "moderator":
        foe.inbox[:] = []
        rooms.ask(foe, "set", "<query xmlns='urn:xmpp:mam:2'><x xmlns='jabber:x:data' "
                  "type='submit'><field var='FORM_TYPE'><value>urn:xmpp:mam:2</value>"
                  "</field><field var='{urn:xmpp:fulltext:0}fulltext'><value>%s</value>"
                  "</field></x></query>" % words, party.jid)
        found[words] = len(foe.inbox)
    assert list(found.values()) == [1, 0, 0, 0], found
