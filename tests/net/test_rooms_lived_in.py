"""Users of other servers in our rooms, and ours in those of others: what people do there.
That it goes in rooms of others shows that the tests are right."""

import secrets

import pytest

import mam
import rooms
from people import condition

pytestmark = pytest.mark.only("antiphon")

# whose rooms, whose is the owner, and whose the guest
HERE = [("conference.ant.example", "ant.example", "pro.example"),
        ("conference.ant.example", "ant.example", "eja.example"),
        ("conference.ant.example", "ant.example", "bee.example")]
PROSODY = [("rooms.pro.example", "pro.example", "ant.example")]
# whose rooms let outcasts in, now and then
EJABBERD = [("rooms.eja.example", "eja.example", "ant.example")]
# without a certificate that anybody trusts
DIALBACK = [("conference.ant-self.example", "ant-self.example", "pro-self.example")]
VCARD = "<vCard xmlns='vcard-temp'>%s</vCard>"
DISCO = "<query xmlns='http://jabber.org/protocol/disco#info'/>"


class Scene:
    """A room with its owner, romeo, and who is about to come: juliet."""

    def __init__(self, network, service, a, b):
        self.network, self.service = network, service
        self.room = "room-%s@%s" % (secrets.token_hex(4), service)
        self.romeo = network.person("romeo", a).online("owner")
        self.juliet = network.person("juliet", b).online("guest")

    def create(self, *fields):
        rooms.create(self.romeo, self.room, "Romeo", ("whois=moderators", *fields))
        return self

    def join(self, who=None, nick="Juliet"):
        rooms.enter(who or self.juliet, self.room, nick)
        return self

    def both(self):
        return self.create().join().settle()

    def settle(self):
        for one in (self.romeo, self.juliet):
            rooms.forget(one, self.room)
        return self

    def at(self, nick):
        return "%s/%s" % (self.room, nick)

    def say(self, who, text):
        who.send("<message to='%s' type='groupchat' id='%s'><body>%s</body></message>"
                 % (self.room, "m" + secrets.token_hex(4), text))

    def said(self, to):
        """The next that is said in the room."""
        got = to.take(lambda e: e.is_("message") and e.child("body") is not None and
                      e.get("type") == "groupchat", "what is said in the room")
        return got.get("from").partition("/")[2], got.child("body").text()

    def seen(self, to, nick, kind=None):
        """The next presence of nick: its <item/>, and its codes."""
        got = to.take(lambda e: e.is_("presence") and e.get("from") == self.at(nick) and
                      e.get("type") == kind, "presence %s of %s" % (kind, nick))
        return got.child("x", rooms.USER).child("item"), rooms.codes(got)

    def close(self):
        self.romeo.drop()
        self.juliet.drop()


@pytest.fixture
def scene(request, network):
    made = Scene(network, *request.param)
    yield made
    made.close()


def ids(param):
    return "-".join(d.partition(".example")[0] for d in param)


def of(*which):
    return pytest.mark.parametrize("scene", sum(which, []), indirect=True, ids=ids)


@of(HERE, PROSODY, DIALBACK)
def test_who_comes_sees_what_was_said_and_who_is_there(scene):
    scene.create()
    texts = ["before %d" % i for i in range(5)]
    for text in texts:
        scene.say(scene.romeo, text)
        assert scene.said(scene.romeo) == ("Romeo", text)
    scene.juliet.send("<presence to='%s'><x xmlns='%s'><history maxstanzas='3'/></x>"
                      "</presence>" % (scene.at("Juliet"), rooms.MUC))
    item, codes = scene.seen(scene.juliet, "Romeo")
    assert item.get("affiliation") == "owner" and item.get("jid") is None
    assert "110" not in codes
    item, codes = scene.seen(scene.juliet, "Juliet")
    assert item.get("role") == "participant" and "110" in codes
    assert not [str(e) for e in scene.juliet.inbox if e.is_("presence")]
    for text in texts[2:]:
        got = scene.juliet.next(text)
        assert got.child("body").text() == text
        assert got.child("delay", "urn:xmpp:delay") is not None
    assert scene.juliet.next("the subject").child("subject") is not None
    item, _ = scene.seen(scene.romeo, "Juliet")
    assert item.get("jid") == scene.juliet.jid


@of(HERE, PROSODY, EJABBERD, DIALBACK)
def test_all_hear_everything_in_one_order(scene):
    scene.both()
    for i in range(20):
        for one in (scene.romeo, scene.juliet):
            scene.say(one, "%s says %d" % (one.user, i))
    heard = [[scene.said(one) for _ in range(40)]
             for one in (scene.romeo, scene.juliet)]
    assert heard[0] == heard[1]
    for one, nick in ((scene.romeo, "Romeo"), (scene.juliet, "Juliet")):
        assert [text for frm, text in heard[0] if frm == nick] == [
            "%s says %d" % (one.user, i) for i in range(20)]


@of(HERE, PROSODY, EJABBERD)
def test_a_guest_does_what_guests_do(scene):
    romeo, juliet = scene.romeo, scene.juliet
    scene.both()
    # another presence, another nickname, and one that is taken
    juliet.send("<presence to='%s'><show>away</show></presence>" % scene.at("Juliet"))
    for one in (romeo, juliet):
        scene.seen(one, "Juliet")
    juliet.send("<presence to='%s'/>" % scene.at("Giulietta"))
    for one in (romeo, juliet):
        item, codes = scene.seen(one, "Juliet", "unavailable")
        assert item.get("nick") == "Giulietta" and "303" in codes
        scene.seen(one, "Giulietta")
    juliet.send("<presence to='%s' id='taken'/>" % scene.at("Romeo"))
    assert juliet.error_of("taken")[1] == "conflict"
    # private messages, and requests through the room
    for one, frm, to in ((romeo, "Romeo", "Giulietta"), (juliet, "Giulietta", "Romeo")):
        other = juliet if one is romeo else romeo
        one.send("<message to='%s' type='chat'><body>for %s</body><x xmlns='%s'/>"
                 "</message>" % (scene.at(to), to, rooms.USER))
        assert other.hear("for " + to).get("from") == scene.at(frm)
        other.iq("set", VCARD % ("<FN>%s</FN>" % to))
        got = one.iq("get", VCARD % "", scene.at(to))
        assert got.child("vCard").child("FN").text() == to
        assert got.get("from") == scene.at(to)
    # is she there? (XEP-0410)
    assert juliet.iq("get", rooms.PING, scene.at("Giulietta")).get("type") == "result"
    scene.settle()
    juliet.send("<presence type='unavailable' to='%s'><status>good night</status>"
                "</presence>" % scene.at("Giulietta"))
    _, codes = scene.seen(juliet, "Giulietta", "unavailable")
    assert "110" in codes
    scene.seen(romeo, "Giulietta", "unavailable")
    assert condition(juliet.iq("get", rooms.PING, scene.at("Giulietta"))) == \
        "not-acceptable"
    scene.say(juliet, "out")
    got = juliet.take(lambda e: e.is_("message"), "the error")
    assert condition(got) == "not-acceptable"


@of(HERE, PROSODY)
def test_a_moderator_gives_and_takes(scene):
    romeo, juliet = scene.romeo, scene.juliet
    scene.create("moderatedroom=1").join().settle()
    scene.say(juliet, "without voice")
    got = juliet.take(lambda e: e.is_("message"), "the error")
    assert condition(got) == "forbidden"
    for role in ("participant", "moderator"):
        rooms.admin(romeo, scene.room, nick="Juliet", role=role)
        assert scene.seen(juliet, "Juliet")[0].get("role") == role
    juliet.send("<message to='%s' type='groupchat'><subject>Love</subject></message>"
                % scene.room)
    for one in (romeo, juliet):
        got = one.take(lambda e: e.is_("message") and e.child("subject") is not None,
                       "the subject")
        assert got.child("subject").text() == "Love"
        assert got.get("from") == scene.at("Juliet")
    # out, in again, and out for good
    rooms.admin(romeo, scene.room, nick="Juliet", role="none")
    assert scene.seen(juliet, "Juliet", "unavailable")[1] >= {"110", "307"}
    scene.join()
    rooms.admin(romeo, scene.room, jid=juliet.bare, affiliation="outcast")
    assert scene.seen(juliet, "Juliet", "unavailable")[1] >= {"110", "301"}
    juliet.send("<presence to='%s' id='again'><x xmlns='%s'/></presence>"
                % (scene.at("Juliet"), rooms.MUC))
    assert juliet.error_of("again")[1] == "forbidden"
    rooms.admin(romeo, scene.room, jid=juliet.bare, affiliation="none")
    scene.join()


@of(HERE, PROSODY, EJABBERD)
def test_who_is_invited_comes_or_declines(scene):
    romeo, juliet = scene.romeo, scene.juliet
    scene.create("membersonly=1")
    juliet.send("<presence to='%s' id='early'><x xmlns='%s'/></presence>"
                % (scene.at("Juliet"), rooms.MUC))
    assert juliet.error_of("early")[1] == "registration-required"
    for text in ("come", "come again"):
        romeo.send("<message to='%s'><x xmlns='%s'><invite to='%s'><reason>%s</reason>"
                   "</invite></x></message>" % (scene.room, rooms.USER, juliet.bare, text))
        got = juliet.take(lambda e: e.is_("message") and
                          e.child("x", rooms.USER) is not None and
                          e.find("x", "invite") is not None, "the invitation")
        assert got.get("from") == scene.room
        assert got.find("x", "invite", "reason").text() == text
    juliet.send("<message to='%s'><x xmlns='%s'><decline to='%s'><reason>later</reason>"
                "</decline></x></message>" % (scene.room, rooms.USER, romeo.bare))
    got = romeo.take(lambda e: e.is_("message") and
                     e.find("x", "decline") is not None, "her answer")
    assert got.find("x", "decline", "reason").text() == "later"
    scene.join()
    assert scene.seen(romeo, "Juliet")[0].get("affiliation") == "member"


@of(HERE, PROSODY, EJABBERD)
def test_an_owner_from_elsewhere_has_all_of_it(scene):
    romeo, juliet = scene.romeo, scene.juliet
    scene.both()
    rooms.admin(romeo, scene.room, jid=juliet.bare, affiliation="owner")
    assert scene.seen(juliet, "Juliet")[0].get("affiliation") == "owner"
    form = rooms.ask(juliet, "get", "<query xmlns='%s'/>" % rooms.OWNER, scene.room)
    assert "muc#roomconfig_whois" in [f.get("var")
                                      for f in form.find("query", "x").elems()]
    # all see who is who
    scene.settle()
    juliet.send("<iq type='set' id='set' to='%s'><query xmlns='%s'>%s</query></iq>" % (
        scene.room, rooms.OWNER,
        rooms.submitted(("whois=anyone", "roomname=Balcony"))))
    for one in (romeo, juliet):
        told = set()
        while not told >= {"172"}:
            told |= rooms.codes(one.take(
                lambda e: e.is_("message") and e.get("from") == scene.room, "the codes"))
    got = juliet.take(lambda e: e.get("id") == "set", "the answer")
    assert got.get("type") == "result"
    info = romeo.iq("get", DISCO, scene.room)
    assert "Balcony" in [e.get("name") for e in info.child("query").elems()]
    # lists
    rooms.admin(juliet, scene.room, jid="nurse@eja.example", affiliation="member")
    for who in (romeo, juliet):
        got = rooms.ask(who, "get", "<query xmlns='%s'><item affiliation='member'/>"
                        "</query>" % rooms.ADMIN, scene.room)
        assert [i.get("jid") for i in got.child("query").elems()] == ["nurse@eja.example"]
    # and the end
    juliet.send("<iq type='set' id='end' to='%s'><query xmlns='%s'><destroy jid='%s'>"
                "<reason>poison</reason></destroy></query></iq>"
                % (scene.room, rooms.OWNER, "tomb@" + scene.service))
    for one, nick in ((romeo, "Romeo"), (juliet, "Juliet")):
        got = one.take(lambda e: e.is_("presence") and e.get("type") == "unavailable" and
                       e.get("from") == scene.at(nick), "the end of the room")
        assert got.find("x", "destroy", "reason").text() == "poison"
        assert got.find("x", "destroy").get("jid") == "tomb@" + scene.service
    assert juliet.take(lambda e: e.get("id") == "end", "the answer").get("type") == \
        "result"


@of(HERE)
def test_the_archive_is_read_from_elsewhere(scene):
    scene.both()
    for i in range(5):
        scene.say(scene.romeo, "word %d" % i)
    live = []
    for i in range(5):
        got = scene.juliet.next("word %d" % i)
        live.append(got.child("stanza-id", "urn:xmpp:sid:0").get("id"))
    first = mam.query(scene.juliet, "p1", scene.room, max=3)
    rest = mam.query(scene.juliet, "p2", scene.room, max=3, after=first.last)
    assert first.ids + rest.ids == live and rest.complete and not first.complete
    assert [m.child("body").text() for m in first.messages] == [
        "word %d" % i for i in range(3)]
    # who was banned reads no more
    rooms.admin(scene.romeo, scene.room, jid=scene.juliet.bare, affiliation="outcast")
    assert mam.query(scene.juliet, "p3", scene.room).error == "forbidden"
