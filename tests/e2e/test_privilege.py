"""Privileged entities (XEP-0356): components that act as users, as far as that was
granted, what a reload changes of that, and those that try more."""

import pytest

from antiphon import DOMAIN, OTHER_DOMAIN, merge
from client import Client
from component import Component, conf, domain_of
from scene import Scene
from test_archive import archive
from test_components import condition, online

pytestmark = pytest.mark.only("antiphon")

GATE = domain_of("gate")
PRIVILEGE = "urn:xmpp:privilege:2"
ROSTER = "<query xmlns='jabber:iq:roster'%s>%s</query>"


def privileged(**options):
    return conf({"modules": {"privilege": "yes"}}, gate=options)


def perms(component):
    """What it is told that it may do: {access: type}, and of iq {namespace: type}."""
    got = component.take(lambda e: e.name == "message" and
                         e.child("privilege") is not None, "permissions")
    assert got.get("from") == DOMAIN and got.get("to") == GATE
    found = {}
    for perm in got.child("privilege").elems():
        if perm.get("access") == "iq":
            found["iq"] = {n.get("ns"): n.get("type") for n in perm.elems()}
        else:
            found[perm.get("access")] = perm.get("type")
    return found


def regrant(server, modules=None, **options):
    """A reload after which that is what it may do."""
    server.conf["components"][GATE] = {"secret": "secret of gate", **options}
    server.conf["modules"] = modules or {"privilege": "yes"}
    server.write_conf()
    assert server.ctl("reload") == ""


def outgoing(inner, id_="p1", to=DOMAIN):
    return ("<message from='%s' to='%s' id='%s'><privilege xmlns='%s'>"
            "<forwarded xmlns='urn:xmpp:forward:0'>%s</forwarded></privilege>"
            "</message>" % (GATE, to, id_, PRIVILEGE, inner))


def message(frm, to, id_, body="x"):
    return ("<message xmlns='jabber:client' from='%s' to='%s' id='%s' type='chat'>"
            "<body>%s</body></message>" % (frm, to, id_, body))


def crowd(server, n):
    """So many who are available, and know nobody."""
    scene = Scene(server, ["u%d" % i for i in range(n)])
    users = [scene.login("u%d/x" % i) for i in range(n)]
    for user in users:
        user.send("<presence/>")
        user.ping()
    return scene, users


def test_nothing_is_told_to_one_who_may_nothing(own_server):
    server = own_server(privileged())
    gate = Component(server, "gate").login()
    gate.ping()
    assert gate.inbox == []
    gate.close()


def test_a_message_is_archived_on_both_sides_and_reaches_who_is_away(own_server):
    server = own_server(privileged(message="outgoing"))
    scene, romeo = online(server, "romeo/orchard")
    scene.add_accounts("juliet")
    gate = Component(server, "gate").login()
    perms(gate)
    juliet = scene.accounts["juliet"].jid
    for i in range(20):
        gate.send(outgoing(message(scene.accounts["romeo"].jid, juliet,
                                   "m%d" % i)))
    gate.ping()
    got = scene.login("juliet/balcony")
    got.send("<presence/>")
    for i in range(20):
        one = got.take(lambda e: e.name == "message", "a message")
        assert one.get("id") == "m%d" % i
        assert one.get("from") == scene.accounts["romeo"].jid
    for name in ("romeo", "juliet"):
        assert len(archive(server, scene.accounts[name].jid)) == 20
    scene.end()
    gate.close()


def test_order_is_that_of_one_sender_whichever_shard_he_is_on(own_server):
    server = own_server(privileged(message="outgoing"))
    names = ["u%d/x" % i for i in range(6)]
    scene, *users = online(server, *names)
    gate = Component(server, "gate").login()
    perms(gate)
    jids = [u.jid.partition("/")[0] for u in users]
    for i in range(30):
        for k, jid in enumerate(jids):
            gate.send(outgoing(message(jid, jids[(k + 1) % 6], str(i))))
    for user in users:
        got = [user.take(lambda e: e.name == "message", "a message").get("id")
               for _ in range(30)]
        assert got == [str(i) for i in range(30)]
    scene.end()
    gate.close()


def test_a_reload_says_what_has_changed_and_is_in_force(own_server):
    server = own_server(privileged(roster="get", iq_get=["vcard-temp"]))
    scene, romeo = online(server, "romeo/orchard")
    gate = Component(server, "gate").login()
    assert perms(gate) == {"roster": "get", "iq": {"vcard-temp": "get"}}
    jid = scene.accounts["romeo"].jid

    def asks(type_, inner=""):
        gate.send("<iq type='%s' id='r' from='%s' to='%s'>%s</iq>"
                  % (type_, GATE, jid, ROSTER % ("", inner)))
        return gate.take(lambda e: e.name == "iq" and e.get("id") == "r",
                         "the answer")
    item = "<item jid='a@%s'/>" % GATE
    assert asks("get").get("type") == "result"
    assert condition(asks("set", item)) == "forbidden"
    regrant(server, roster="set", presence="managed_entity")
    assert perms(gate) == {"roster": "set", "presence": "managed_entity",
                           "iq": {"vcard-temp": "none"}}
    gate.take(lambda e: e.name == "presence" and
              e.get("from") == romeo.jid, "presence")
    assert condition(asks("get")) == "forbidden"
    assert asks("set", item).get("type") == "result"
    # another option is none of it
    regrant(server, roster="set", presence="managed_entity", disco="no")
    gate.ping()
    assert [e for e in gate.inbox if e.name == "message"] == []
    regrant(server, {"privilege": "no"})
    gate.ping()
    assert condition(asks("set", item)) == "forbidden"
    scene.end()
    gate.close()


def test_many_who_are_there_are_shown_as_fast_as_they_are_read(own_server):
    server = own_server(privileged(presence="managed_entity"))
    scene, users = crowd(server, 150)
    gate = Component(server, "gate").login()
    perms(gate)
    seen = set()
    while len(seen) < len(users):
        seen.add(gate.take(lambda e: e.name == "presence",
                           "presence").get("from"))
    assert seen == {u.jid for u in users}
    scene.end()
    gate.close()


def test_one_who_comes_again_is_shown_each_user_once(own_server):
    """Whatever was to be shown to it before."""
    server = own_server(privileged(presence="managed_entity"))
    scene, users = crowd(server, 150)
    for _ in range(20):
        gate = Component(server, "gate").login()
    perms(gate)
    # a last one, who comes when all have been shown
    late = scene.add_accounts("late") or scene.login("late/x")
    seen = []
    while len(seen) < len(users):
        seen.append(gate.take(lambda e: e.name == "presence", "presence"))
    late.send("<presence/>")
    got = gate.take(lambda e: e.name == "presence", "presence")
    more = 0
    while got.get("from") != late.jid:
        got = gate.take(lambda e: e.name == "presence", "presence")
        more += 1
    assert more <= len(users)
    scene.end()
    gate.close()


IRC = domain_of("irc")


def befriend(irc, users, n):
    """Each of so many at the component is a contact of each user."""
    for user in users:
        for i in range(n):
            irc.send("<iq type='set' id='f%d' from='%s' to='%s'>%s</iq>" % (
                i, IRC, user, ROSTER % ("", "<item jid='c%d@%s' "
                                        "subscription='to'/>" % (i, IRC))))
            got = irc.take(lambda e: e.name == "iq" and e.get("type") in
                           ("result", "error"), "the answer")
            assert got.get("type") == "result", got


def shown(gate, n, resource="x"):
    """Of so many contacts, in the order in which they come."""
    return [(e.get("from"), e.get("type")) for e in
            (gate.take(lambda e: e.name == "presence" and
                       e.get("from").endswith("%s/%s" % (IRC, resource)),
                       "presence") for _ in range(n))]


@pytest.mark.parametrize("n, names", ((1, 1), (1, 2), (1, 6), (300, 2)))
def test_one_who_is_in_several_rosters_is_shown_once(own_server, n, names):
    """XEP-0356 §8, 2: of each presence, and again to one that comes again."""
    server = own_server(conf({"modules": {"privilege": "yes"}},
                             gate={"roster": "get", "presence": "roster"},
                             irc={"roster": "both"}))
    scene, *users = online(server, *["u%d/x" % i for i in range(names)])
    jids = [u.jid.partition("/")[0] for u in users]
    irc = Component(server, "irc").login()
    befriend(irc, jids, n)

    def say(frm, inner="", more=""):
        irc.send("".join(
            "<presence from='c%d@%s/x' to='%s'%s id='%s'>%s</presence>"
            % (i, IRC, jid, more, frm, inner)
            for i in range(n) for jid in jids))
        for user in users:
            for _ in range(n):
                user.take(lambda e: e.get("id") == frm, "presence")
        irc.ping()
    for last in ("first time", "second time"):
        gate = Component(server, "gate").login()
        perms(gate)
        for step, (inner, more) in enumerate((
                ("", ""), ("<show>away</show>", ""), ("", ""),
                ("", " type='unavailable'"))):
            say("s%d" % step, inner, more)
            got = shown(gate, n)
            assert sorted(got) == sorted(
                ("c%d@%s/x" % (i, IRC), more[7:-1] or None)
                for i in range(n))
        # behind all that is on its way from every shard
        irc.send("".join("<presence from='c0@%s/%s' to='%s'/>"
                         % (IRC, last, jid) for jid in jids))
        shown(gate, 1, last)
        gate.close()
    scene.end()
    irc.close()


def elsewhere(server, name):
    """A user of the other host, who is there."""
    server.adduser(name, "secret-one", OTHER_DOMAIN)
    user = Client(server, name, OTHER_DOMAIN).login(name, "secret-one", "x")
    user.send("<presence/>")
    user.ping()
    return user


def test_users_of_another_host_are_contacts(own_server):
    """§7.4, §8, 1: of those who are contacts of users, each presence; they are
    no users themselves where nothing is granted."""
    server = own_server(privileged(roster="get", presence="roster"))
    scene, juliet, nurse = online(server, "juliet/x", "nurse/x")
    romeo, tybalt = elsewhere(server, "romeo"), elsewhere(server, "tybalt")
    bare = "romeo@" + OTHER_DOMAIN
    users = [juliet.jid, nurse.jid]

    def connected():
        gate = Component(server, "gate").login()
        perms(gate)
        return gate

    def sees(gate, *expected):
        got = [gate.take(lambda e: e.name == "presence", "presence")
               for _ in expected]
        assert sorted((e.get("from"), e.get("type"),
                       e.child("show") and e.child("show").text())
                      for e in got) == sorted(expected)

    def befriends(user):
        user.send("<presence type='subscribe' to='%s'/>" % bare)
        romeo.take(lambda e: e.get("type") == "subscribe", "the request")
        romeo.send("<presence type='subscribed' to='%s'/>"
                   % user.jid.partition("/")[0])
        user.take(lambda e: e.get("from") == romeo.jid, "presence")

    gate = connected()
    sees(gate, *((jid, None, None) for jid in users))
    befriends(juliet)
    sees(gate, (romeo.jid, None, None))
    befriends(nurse)
    for show in ("away", "dnd"):
        romeo.send("<presence><show>%s</show></presence>" % show)
        tybalt.send("<presence><show>%s</show></presence>" % show)
        sees(gate, (romeo.jid, None, show))
    # of users it is the first one alone (§7.1)
    juliet.send("<presence><show>away</show></presence>")
    juliet.ping()
    gate.close()
    gate = connected()
    sees(gate, (juliet.jid, None, "away"), (nurse.jid, None, None),
         (romeo.jid, None, "dnd"))
    romeo.close()
    sees(gate, (romeo.jid, "unavailable", None))
    gate.ping()
    assert [e for e in gate.inbox if e.name == "presence"] == []
    scene.end()
    tybalt.close()


@pytest.mark.parametrize("options", [
    {}, {"roster": "set"}, {"roster": "both", "hosts": [OTHER_DOMAIN]}])
def test_a_roster_that_it_may_not_read_is_forbidden(own_server, options):
    """XEP-0356 §4.3; whether there is such a user, or not."""
    server = own_server(privileged(**options))
    scene, romeo = online(server, "romeo/orchard")
    gate = Component(server, "gate").login()
    for to in (scene.accounts["romeo"].jid, "nobody@" + DOMAIN):
        gate.send("<iq type='get' id='r' from='%s' to='%s'>%s</iq>"
                  % (GATE, to, ROSTER % ("", "")))
        got = gate.take(lambda e: e.get("id") == "r", "the answer")
        assert condition(got) == "forbidden"
    scene.end()
    gate.close()


def test_users_hear_nothing_of_one_who_goes_while_it_is_shown(own_server):
    server = own_server(privileged(presence="managed_entity"))
    scene, users = crowd(server, 60)
    for _ in range(30):
        Component(server, "gate").login().reset()
    for user in users:
        user.ping()
        assert [e for e in user.inbox if e.get("type") == "error"] == []
    scene.end()


def test_users_hear_nothing_of_one_who_is_away(own_server):
    """The mechanism is transparent for them (§2)."""
    server = own_server(privileged(roster="both", presence="roster"))
    scene, romeo = online(server, "romeo/orchard")
    romeo.iq("set", ROSTER % ("", "<item jid='a@b.example'/>"))
    romeo.take(lambda e: e.name == "iq" and e.get("type") == "set", "a push")
    romeo.ping()
    assert romeo.inbox == []
    scene.end()


def test_limits_of_rosters_are_those_of_users(own_server):
    server = own_server(merge(privileged(roster="both"),
                              {"limits": {"roster_items": 10}}))
    scene, romeo = online(server, "romeo/orchard")
    gate = Component(server, "gate").login()
    perms(gate)

    def add(i):
        gate.send("<iq type='set' id='s%d' from='%s' to='%s'>%s</iq>" % (
            i, GATE, scene.accounts["romeo"].jid,
            ROSTER % ("", "<item jid='c%d@%s' subscription='both'/>"
                      % (i, GATE))))
        return gate.take(lambda e: e.name == "iq" and
                         e.get("id") == "s%d" % i, "the answer")
    for i in range(10):
        assert add(i).get("type") == "result"
    assert condition(add(10)) == "resource-constraint"
    scene.end()
    gate.close()


HOSTILE = [
    "<privilege xmlns='{p}'/>",
    "<privilege xmlns='{p}'>text</privilege>",
    "<privilege xmlns='{p}'><forwarded xmlns='urn:xmpp:forward:0'/></privilege>",
    "<privilege xmlns='{p}'><forwarded xmlns='urn:xmpp:forward:0'>"
    "<message xmlns='jabber:client' from='@' to='x'/></forwarded></privilege>",
    "<privilege xmlns='{p}'><forwarded xmlns='urn:xmpp:forward:0'>"
    "<message xmlns='jabber:client' from='{romeo}' to='@'/>"
    "</forwarded></privilege>",
    "<privilege xmlns='{p}'><privilege xmlns='{p}'/></privilege>",
    "<x xmlns='y'/><privilege xmlns='{p}'><x xmlns='urn:xmpp:forward:0'>"
    "<message xmlns='jabber:client' from='{romeo}'/></x></privilege>",
]


def test_a_refusal_comes_from_the_host_that_was_asked(own_server):
    server = own_server(privileged(message="outgoing"))
    gate = Component(server, "gate").login()
    perms(gate)
    for frm in ("nobody@" + DOMAIN, "x@far.example"):
        gate.send(outgoing(message(frm, "x@" + DOMAIN, "m")))
        got = gate.take(lambda e: e.get("id") == "p1", "an error")
        assert condition(got) == "forbidden" and got.get("from") == DOMAIN
    gate.close()


def test_what_makes_no_sense_is_refused_and_harms_nobody(own_server):
    server = own_server(privileged(message="outgoing", iq_get=["a"],
                                   iq_set=["a"]))
    scene, romeo = online(server, "romeo/orchard")
    gate = Component(server, "gate").login()
    perms(gate)
    for i, text in enumerate(HOSTILE):
        gate.send("<message from='%s' to='%s' id='h%d'>%s</message>" % (
            GATE, DOMAIN, i, text.format(
                p=PRIVILEGE, romeo=scene.accounts["romeo"].jid)))
        got = gate.take(lambda e, i=i: e.get("id") == "h%d" % i, "an error")
        assert condition(got) in ("bad-request", "jid-malformed"), text
    # what it sends as a user, to itself, in a circle
    gate.send(outgoing(message(scene.accounts["romeo"].jid, DOMAIN, "c")))
    romeo.ping()
    gate.ping()
    assert romeo.inbox == []
    scene.end()
    gate.close()


def test_requests_that_nobody_answers_are_bounded(own_server):
    """At each shard, so that others can ask, too."""
    server = own_server(privileged(iq_get=["urn:x:a"]))
    scene, romeo = online(server, "romeo/orchard")
    gate = Component(server, "gate").login()
    perms(gate)
    jid = scene.accounts["romeo"].jid
    for i in range(1100):
        gate.send("<iq type='get' id='f%d' from='%s' to='%s'>"
                  "<privileged_iq xmlns='%s'><iq xmlns='jabber:client' "
                  "type='get' id='i' to='x@%s'><q xmlns='urn:x:a'/></iq>"
                  "</privileged_iq></iq>" % (i, GATE, jid, PRIVILEGE, GATE))
    asked, refused = 0, 0
    while asked + refused < 1100:
        got = gate.next("a request, or an error")
        if got.get("type") == "get":
            asked += 1
        else:
            assert condition(got) == "resource-constraint"
            refused += 1
    assert refused == 100
    # when their time is over there is room again
    server.advance(31)
    for _ in range(1000):
        got = gate.next("an answer")
        assert got.get("type") == "result"
    gate.send("<iq type='get' id='z' from='%s' to='%s'>"
              "<privileged_iq xmlns='%s'><iq xmlns='jabber:client' "
              "type='get' id='i'><q xmlns='urn:x:a'/></iq>"
              "</privileged_iq></iq>" % (GATE, jid, PRIVILEGE))
    assert gate.next("an answer").get("type") == "result"
    scene.end()
    gate.close()


def test_it_goes_while_it_is_shown_who_is_there(own_server):
    server = own_server(privileged(presence="managed_entity",
                                   roster="both"))
    scene, users = crowd(server, 30)
    for _ in range(20):
        Component(server, "gate").login().reset()
    gate = Component(server, "gate").login()
    perms(gate)
    for _ in users:
        gate.take(lambda e: e.name == "presence", "presence")
    scene.end()
    gate.close()
