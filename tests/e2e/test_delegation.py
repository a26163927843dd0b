"""Namespace delegation (XEP-0355): what a component says in our place, what a reload
changes, and components that answer what nobody asked."""

import time

import pytest

from antiphon import DOMAIN, merge
from client import PATIENCE
from component import Component, conf, domain_of
from test_components import condition, online

pytestmark = pytest.mark.only("antiphon")

PUBSUB = domain_of("pubsub")
NS = "http://jabber.org/protocol/pubsub"
DELEGATION = "urn:xmpp:delegation:2"
INFO = "http://jabber.org/protocol/disco#info"
ITEMS = "http://jabber.org/protocol/disco#items"
ASK = "<q xmlns='%s'/>" % NS


def delegated(*namespaces, more=None, **options):
    return conf(merge({"modules": {"delegation": "yes"}}, more or {}),
                pubsub={"delegate": list(namespaces), **options})


def asked(pubsub):
    """The next request that it is to answer: (id, the iq)."""
    got = pubsub.take(lambda e: e.name == "iq" and
                      e.child("delegation") is not None, "a request")
    return got.get("id"), list(list(got.child("delegation").elems())[0]
                               .elems())[0]


def answer(pubsub, id_, inner, frm=PUBSUB):
    pubsub.send("<iq type='result' id='%s' from='%s' to='%s'>"
                "<delegation xmlns='%s'><forwarded xmlns='urn:xmpp:forward:0'>"
                "%s</forwarded></delegation></iq>"
                % (id_, frm, DOMAIN, DELEGATION, inner))


def result(iq, payload="", **other):
    attrs = {"type": "result", "id": iq.get("id"), "to": iq.get("from"),
             "from": iq.get("to"), **other}
    return "<iq xmlns='jabber:client'%s>%s</iq>" % ("".join(
        " %s='%s'" % a for a in attrs.items() if a[1] is not None), payload)


def nests(pubsub, host, bare):
    """Answers when it is asked what it can do: {part of the node: children}."""
    for _ in range(2):
        got = pubsub.take(lambda e: e.name == "iq" and e.get("type") == "get"
                          and e.child("query") is not None, "disco#info")
        node = got.child("query").get("node")
        assert node in (DELEGATION + "::" + NS, DELEGATION + ":bare:" + NS)
        pubsub.send("<iq type='result' id='%s' from='%s' to='%s'>"
                    "<query xmlns='%s' node='%s'>%s</query></iq>" % (
                        got.get("id"), PUBSUB, DOMAIN, INFO, node,
                        bare if ":bare:" in node else host))


def advertised(pubsub):
    got = pubsub.take(lambda e: e.name == "message", "delegations")
    assert got.get("from") == DOMAIN
    return [d.get("namespace") for d in got.child("delegation").elems()]


def info(client, to, node=None):
    got = client.iq("get", "<query xmlns='%s'%s/>" % (
        INFO, " node='%s'" % node if node else ""), to)
    query = got.child("query")
    return ({e.get("var") for e in query.elems() if e.name == "feature"},
            [(e.get("category"), e.get("type")) for e in query.elems()
             if e.name == "identity"],
            [e for e in query.elems() if e.name == "x"])


FEATURE = "<feature var='%s'/>"
FORM = ("<x xmlns='jabber:x:data' type='result'><field var='FORM_TYPE' "
        "type='hidden'><value>%s#f</value></field></x>" % NS)


def until(fn):
    """What all shards have heard of is on its way for a moment."""
    deadline = time.monotonic() + PATIENCE
    while not fn():
        assert time.monotonic() < deadline


def test_what_it_can_do_stands_where_ours_would(own_server):
    server = own_server(delegated(NS, more={"modules": {"vcard": "yes"}}))
    scene, romeo = online(server, "romeo/orchard")
    jid = scene.accounts["romeo"].jid
    assert DELEGATION in info(romeo, DOMAIN)[0]
    assert NS not in info(romeo, DOMAIN)[0]
    pubsub = Component(server, "pubsub").login()
    assert advertised(pubsub) == [NS]
    nests(pubsub, FEATURE % NS + FEATURE % (NS + "#publish"),
          "<identity category='pubsub' type='pep'/>" * 2
          + FEATURE % (NS + "#auto-create") + FORM + FORM + "<bad/>")
    until(lambda: NS in info(romeo, DOMAIN)[0])
    features, identities, forms = info(romeo, DOMAIN)
    assert {NS, NS + "#publish"} <= features
    assert ("pubsub", "pep") not in identities and forms == []
    until(lambda: NS + "#auto-create" in info(romeo, jid)[0])
    features, identities, forms = info(romeo, jid)
    assert identities == [("account", "registered"), ("pubsub", "pep")]
    assert NS not in features and len(forms) == 1
    # the summary in the stream features (XEP-0115) is that of all of it
    again = scene.login("romeo/other")
    ver = [e for e in again.features.elems() if e.name == "c"][0].get("ver")
    assert NS in info(again, DOMAIN, "urn:antiphon:server#" + ver)[0]
    # none of it is there without it
    pubsub.close()
    until(lambda: NS not in info(romeo, DOMAIN)[0])
    until(lambda: NS + "#auto-create" not in info(romeo, jid)[0])
    scene.end()


def test_ours_is_not_told_of_what_is_delegated(own_server):
    server = own_server(delegated("vcard-temp"))
    scene, romeo = online(server, "romeo/orchard")
    jid = scene.accounts["romeo"].jid
    assert "vcard-temp" not in info(romeo, DOMAIN)[0]
    assert "vcard-temp" not in info(romeo, jid)[0]
    got = romeo.iq("get", "<vCard xmlns='vcard-temp'/>")
    assert condition(got) == "service-unavailable"
    scene.end()


def test_nodes_of_users(own_server):
    """§7.2.4, §7.2.5."""
    server = own_server(delegated(DELEGATION + ":bare:disco#info:*",
                                  DELEGATION + ":bare:disco#items:*"))
    scene, romeo = online(server, "romeo/orchard")
    jid = scene.accounts["romeo"].jid
    pubsub = Component(server, "pubsub").login()
    assert len(advertised(pubsub)) == 2
    for ns, node in ((INFO, "urn:x:node"), (ITEMS, None), (ITEMS, "urn:x")):
        romeo.send("<iq type='get' id='d' to='%s'><query xmlns='%s'%s/></iq>"
                   % (jid, ns, " node='%s'" % node if node else ""))
        id_, iq = asked(pubsub)
        assert iq.child("query").get("node") == node
        answer(pubsub, id_, result(iq, "<query xmlns='%s'><x/></query>" % ns))
        got = romeo.take(lambda e: e.get("id") == "d", "the answer")
        assert got.child("query").child("x") is not None
    # what is not of nodes is ours, and so is the host
    assert info(romeo, jid)[1] == [("account", "registered")]
    got = romeo.iq("get", "<query xmlns='%s' node='x'/>" % INFO, DOMAIN)
    assert condition(got) == "item-not-found"
    scene.end()
    pubsub.close()


def test_strangers_ask_of_nodes_whoever_there_is(own_server):
    """§4.3 has any bare address; what the component says is its own (§10, 4), and
    the server says the same of those that there are not (hostile 53)."""
    server = own_server(delegated(DELEGATION + ":bare:disco#info:*",
                                  DELEGATION + ":bare:disco#items:*"))
    scene, romeo, juliet = online(server, "romeo/orchard", "juliet/balcony")
    pubsub = Component(server, "pubsub").login()
    assert len(advertised(pubsub)) == 2
    whom = (scene.accounts["romeo"].jid, "nobody@" + DOMAIN)
    nodes = ((INFO, "urn:x:node"), (ITEMS, None), (ITEMS, "urn:x"))
    told = {}
    for jid in whom:
        for ns, node in nodes:
            query = "<query xmlns='%s'%s/>" % (
                ns, " node='%s'" % node if node else "")
            juliet.send("<iq type='get' id='d' to='%s'>%s</iq>" % (jid, query))
            id_, iq = asked(pubsub)
            assert iq.get("to") == jid and iq.get("from") == juliet.jid
            answer(pubsub, id_, result(iq, "<query xmlns='%s'><x/></query>"
                                       % ns))
            got = juliet.take(lambda e: e.get("id") == "d", "the answer")
            assert got.child("query").child("x") is not None
        # what is of no node, and while it is away
        told[jid] = [condition(juliet.iq("get", "<query xmlns='%s'/>" % INFO,
                                         jid))]
    pubsub.close()
    server.process.wait_line("stream closed reason=\"goodbye\"")
    for jid in whom:
        told[jid] += [condition(juliet.iq(
            "get", "<query xmlns='%s' node='x'/>" % ns, jid))
            for ns in (INFO, ITEMS)]
    assert told[whom[0]] == told[whom[1]] == ["service-unavailable"] * 3
    scene.end()


@pytest.mark.parametrize("make", [
    lambda iq: result(iq, to="x@" + DOMAIN),
    lambda iq: result(iq, to=None),
    lambda iq: result(iq, **{"from": "x@" + DOMAIN}),
    lambda iq: result(iq, **{"from": "@"}),
    lambda iq: result(iq, id="other"),
    lambda iq: result(iq, type="set"),
    lambda iq: result(iq, "<error type='cancel'><gone xmlns='urn:ietf:params:"
                      "xml:ns:xmpp-stanzas'/></error>", type="error"),
    lambda iq: result(iq, "<a xmlns='b'/><a xmlns='b'/>"),
    lambda iq: result(iq).replace("jabber:client", "jabber:server"),
    lambda iq: "<message xmlns='jabber:client'/>",
    lambda iq: "",
])
def test_an_answer_that_does_not_fit(own_server, make):
    server = own_server(delegated(NS))
    scene, romeo = online(server, "romeo/orchard")
    pubsub = Component(server, "pubsub").login()
    romeo.send("<iq type='get' id='1'>%s</iq>" % ASK)
    id_, iq = asked(pubsub)
    answer(pubsub, id_, make(iq))
    got = romeo.take(lambda e: e.get("id") == "1", "an answer")
    assert condition(got) == "service-unavailable"
    # once
    answer(pubsub, id_, result(iq))
    pubsub.ping()
    romeo.ping()
    assert romeo.inbox == []
    scene.end()
    pubsub.close()


def test_who_was_not_asked_answers_nothing(own_server):
    server = own_server(merge(delegated(NS), conf(other={})))
    scene, romeo = online(server, "romeo/orchard")
    pubsub = Component(server, "pubsub").login()
    other = Component(server, "other").login()
    romeo.send("<iq type='get' id='1'>%s</iq>" % ASK)
    id_, iq = asked(pubsub)
    answer(other, id_, result(iq), other.domain)
    answer(pubsub, id_, result(iq), "x@" + PUBSUB)
    answer(pubsub, "-" + id_[1:], result(iq))
    # and by a plain result
    pubsub.send("<iq type='result' id='1' from='%s' to='%s'/>"
                % (PUBSUB, romeo.jid))
    other.ping()
    pubsub.ping()
    romeo.ping()
    assert [e for e in romeo.inbox if e.get("from") != PUBSUB] == []
    romeo.inbox.clear()
    answer(pubsub, id_, result(iq, "<yes xmlns='y'/>"))
    assert romeo.next().child("yes") is not None
    scene.end()
    pubsub.close()
    other.close()


def test_what_it_asks_as_a_user_is_not_asked_of_it(own_server):
    """§4.3.1, with a privilege (XEP-0356 §6); others who ask so ask it."""
    rights = {"iq_get": ["vcard-temp", INFO]}
    server = own_server(merge(delegated(
        "vcard-temp", DELEGATION + ":bare:disco#info:*",
        more={"modules": {"privilege": "yes"}}, **rights),
        conf(other=rights)))
    scene, romeo = online(server, "romeo/orchard")
    jid = scene.accounts["romeo"].jid
    pubsub = Component(server, "pubsub").login()
    other = Component(server, "other").login()

    def ask(component, payload):
        component.send(
            "<iq type='get' id='p' from='%s' to='%s'><privileged_iq "
            "xmlns='urn:xmpp:privilege:2'><iq xmlns='jabber:client' type='get' "
            "id='i'>%s</iq></privileged_iq></iq>"
            % (component.domain, jid, payload))

    def told(component):
        got = component.take(lambda e: e.get("id") == "p", "the answer")
        return list(list(got.child("privilege").elems())[0].elems())[0]

    vcard, node = "<vCard xmlns='vcard-temp'/>", \
        "<query xmlns='%s' node='x'/>" % INFO
    ask(pubsub, vcard)
    assert told(pubsub).child("vCard") is not None
    ask(pubsub, node)
    assert condition(told(pubsub)) == "item-not-found"
    for payload in (vcard, node):
        ask(other, payload)
        id_, iq = asked(pubsub)
        answer(pubsub, id_, result(iq, "<yes xmlns='y'/>"))
        assert told(other).child("yes") is not None
    scene.end()
    pubsub.close()
    other.close()


# --- how many may be under way ----------------------------------------------------

SHARE = 100 # of one who asks
ALL = 10 * SHARE # at a shard


def flood(client, n, more=""):
    """n requests that are delegated."""
    client.send("".join("<iq type='get' id='f%d'>%s</iq>" % (
        i, ASK.replace("/>", ">%s</q>" % more)) for i in range(n)))


def refused(client, n, why="Too many of your requests are under way"):
    """So many are, and by what is under way."""
    for _ in range(n):
        got = client.take(lambda e: e.get("type") == "error", "an error")
        assert condition(got) == "resource-constraint"
        assert got.child("error").child("text").text() == why


def one_shard(**options):
    return merge(delegated(NS, **options), {"shards": 1})


@pytest.mark.parametrize("n", [0, 1, SHARE - 1, SHARE, SHARE + 1, 3 * SHARE])
def test_one_who_asks_does_not_take_the_places_of_all(own_server, n):
    server = own_server(one_shard())
    scene, romeo, juliet = online(server, "romeo/orchard", "juliet/balcony")
    pubsub = Component(server, "pubsub").login()
    other = scene.online("romeo/window") # it is the same one who asks
    left = SHARE
    for client, k in ((romeo, n // 2), (other, n - n // 2)):
        flood(client, k)
        client.ping()
        refused(client, max(k - left, 0))
        left = max(left - k, 0)
    asks = [asked(pubsub) for _ in range(SHARE - left)]
    # and he sends on meanwhile
    romeo.iq("get", "<query xmlns='jabber:iq:roster'/>")
    juliet.send("<iq type='get' id='j' to='%s'>%s</iq>"
                % (scene.accounts["romeo"].jid, ASK))
    id_, iq = asked(pubsub)
    answer(pubsub, id_, result(iq))
    assert juliet.next("the answer").get("type") == "result"
    for id_, iq in asks:
        answer(pubsub, id_, result(iq))
    flood(romeo, SHARE + 1)
    for _ in range(SHARE):
        asked(pubsub)
    refused(romeo, 1)
    scene.end()
    pubsub.close()


def test_all_who_ask_have_a_bound(own_server):
    server = own_server(one_shard())
    names = ["u%d" % i for i in range(ALL // SHARE + 1)]
    scene, *users = online(server, *(name + "/x" for name in names))
    pubsub = Component(server, "pubsub").login()
    for user in users[:-1]:
        flood(user, SHARE)
        for _ in range(SHARE):
            asked(pubsub)
    flood(users[-1], 1)
    refused(users[-1], 1, "Too many requests are under way")
    server.advance(31)
    for user in users[:-1]:
        for _ in range(SHARE):
            assert condition(user.next("an error")) == "service-unavailable"
    flood(users[-1], 1)
    asked(pubsub)
    scene.end()
    pubsub.close()


def test_what_comes_for_one_who_is_away_is_answered(own_server):
    server = own_server(delegated(NS))
    scene, romeo = online(server, "romeo/orchard")
    flood(romeo, 1)
    assert condition(romeo.next("an error")) == "service-unavailable"
    Component(server, "pubsub").login().close()
    flood(romeo, 1)
    assert condition(romeo.next("an error")) == "service-unavailable"
    scene.end()


def test_nothing_that_is_asked_waits_for_one_who_is_away(own_server):
    """So that it does nothing of which the user was told that it was not done."""
    server = own_server(delegated(NS, queue_bytes="1MiB"))
    scene, romeo = online(server, "romeo/orchard")
    flood(romeo, 3)
    for _ in range(3):
        assert condition(romeo.next("an error")) == "service-unavailable"
    pubsub = Component(server, "pubsub").login()
    pubsub.ping()
    assert [e for e in pubsub.inbox if e.get("type") == "set"] == []
    scene.end()
    pubsub.close()


def test_one_who_asks_much_has_a_bound_in_bytes(own_server):
    server = own_server(one_shard())
    scene, romeo, juliet = online(server, "romeo/orchard", "juliet/balcony")
    pubsub = Component(server, "pubsub").login()
    flood(romeo, 20, more="x" * 200000)
    refused(romeo, 1)
    flood(juliet, 1, more="x" * 200000)
    frm = None
    while frm != juliet.jid:
        frm = asked(pubsub)[1].get("from")
    scene.end()
    pubsub.close()


def ends_by_answers(server, romeo, pubsub, asks):
    for i, (id_, iq) in enumerate(asks):
        answer(pubsub, id_, result(iq) if i % 2 == 0 else "")
    return romeo, pubsub


def ends_in_time(server, romeo, pubsub, asks):
    server.advance(31)
    return romeo, pubsub


def ends_as_the_component_goes(server, romeo, pubsub, asks):
    pubsub.reset()
    server.advance(31)
    return romeo, Component(server, "pubsub").login()


def ends_as_the_sender_goes(server, romeo, pubsub, asks):
    romeo.reset()
    return ends_by_answers(server, romeo, pubsub, asks)


def ends_behind_a_reload(server, romeo, pubsub, asks):
    components = server.conf["components"]
    modules = server.conf["modules"]
    server.conf["components"] = {PUBSUB: {"secret": "secret of pubsub"}}
    server.conf["modules"] = {**modules, "delegation": "no"}
    server.write_conf()
    assert server.ctl("reload") == ""
    for id_, iq in asks[1:]:
        answer(pubsub, id_, result(iq))
    pubsub.ping()
    server.advance(31)
    server.conf["components"] = components
    server.conf["modules"] = modules
    server.write_conf()
    assert server.ctl("reload") == ""
    return romeo, pubsub


@pytest.mark.parametrize("ends", [
    ends_by_answers, ends_in_time, ends_as_the_component_goes,
    ends_as_the_sender_goes, ends_behind_a_reload])
def test_a_place_is_free_again_whatever_ends_it(own_server, ends):
    server = own_server(one_shard())
    scene, romeo = online(server, "romeo/orchard")
    pubsub = Component(server, "pubsub").login()
    flood(romeo, SHARE)
    asks = [asked(pubsub) for _ in range(SHARE)]
    romeo, pubsub = ends(server, romeo, pubsub, asks)
    pubsub.ping()
    again = scene.login("romeo/again")
    flood(again, SHARE + 1)
    for _ in range(SHARE):
        asked(pubsub)
    refused(again, 1)
    # what is under way at the end of the server is answered, and nothing is left
    server.stop()
