"""What a component may have and do, at both ends (see options.py)."""

import pytest

from component import Component
from options import MAX, MIN, proves, sworn
from test_at_limits import served
from test_components import IRC, condition, ids, message, online
from test_delegation import (ASK, NS, advertised, answer, asked, delegated,
                             result)

pytestmark = pytest.mark.only("antiphon")

DAY = 86400


def away(own_server, name, end, conf=None):
    """A server whose component waits for nobody, and romeo."""
    more = {"components": {IRC: {"secret": "secret of irc",
                                 "queue_bytes": "64MiB", **(conf or {})}}}
    server, value = served(own_server, "components: " + name, end, more)
    return server, value, *online(server, "romeo/orchard")


@proves("components: secret", ends=MAX)
def test_the_longest_secret_fits(own_server):
    server, most = served(own_server, "components: secret", "max")
    assert len(server.conf["components"][IRC]["secret"]) == most
    Component(server, "irc").login().close()
    wrong = Component(server, "irc", "x" * (most - 1))
    wrong.connect().open()
    wrong.shake()
    server.advance(1.1)
    wrong.expect_error("not-authorized")


@proves("components: queue_bytes", ends=MIN)
def test_without_a_queue_nothing_waits(own_server):
    server, _, scene, romeo = away(own_server, "queue_bytes", "min")
    romeo.send(message("x@" + IRC, "1"))
    assert condition(romeo.next()) == "remote-server-timeout"
    scene.end()


def test_much_waits_in_the_largest_queue(own_server):
    server, _, scene, romeo = away(own_server, "queue_bytes", "max")
    n = 320 # of 100 KB, each twice that in memory
    for i in range(n):
        romeo.send(message("x@" + IRC, str(i), "x" * 100000))
    romeo.ping()
    assert not romeo.inbox
    irc = Component(server, "irc").login()
    assert ids(irc, n) == [str(i) for i in range(n)]
    irc.close()
    scene.end()


sworn("components: queue_bytes", MAX, "1 GiB that waits; 64 MiB do, "
      "test_much_waits_in_the_largest_queue")


@proves("components: queue_stanzas", ends=MIN)
def test_one_stanza_waits(own_server):
    server, most, scene, romeo = away(own_server, "queue_stanzas", "min")
    assert most == 1
    romeo.send(message("x@" + IRC, "1") + message("x@" + IRC, "2"))
    got = romeo.next()
    assert got.get("id") == "2" and condition(got) == "resource-constraint"
    irc = Component(server, "irc").login()
    assert ids(irc, 1) == ["1"]
    irc.close()
    scene.end()


def test_many_stanzas_wait(own_server):
    server, _, scene, romeo = away(own_server, "queue_stanzas", "max")
    n = 20000
    romeo.send("".join(message("x@" + IRC, str(i)) for i in range(n)))
    romeo.ping()
    assert not romeo.inbox
    irc = Component(server, "irc").login()
    assert ids(irc, n) == [str(i) for i in range(n)]
    irc.close()
    scene.end()


sworn("components: queue_stanzas", MAX, "a million that wait; 20,000 do, "
      "test_many_stanzas_wait")


@proves("components: queue_time")
@pytest.mark.parametrize("end", ("min", "max"))
def test_a_stanza_waits_so_long(own_server, end):
    server, s, scene, romeo = away(own_server, "queue_time", end)
    assert s in (1, DAY)
    romeo.send(message("x@" + IRC, "1"))
    romeo.ping()
    if end == "max":
        server.advance(s - 60)
        romeo.ping()
        assert not [e for e in romeo.inbox if e.name == "message"]
    server.advance(61)
    got = romeo.take(lambda e: e.name == "message", "the answer")
    assert condition(got) == "remote-server-timeout"
    scene.end()


@proves("components: bytes_per_second", "components: stanzas_per_second")
@pytest.mark.parametrize("name, size, n", (
    ("bytes_per_second", 100000, 10), ("stanzas_per_second", 1, 10)))
@pytest.mark.parametrize("end", ("min", "max"))
def test_a_component_sends_so_fast(own_server, name, size, n, end):
    server, _ = served(own_server, "components: " + name, end,
                       {"limits": {"idle_before_ping": "never"}})
    scene, romeo = online(server, "romeo/orchard")
    irc = Component(server, "irc").login()
    for i in range(n):
        irc.send(message(romeo.jid, str(i), "x" * size, IRC))
    if end == "max":
        assert ids(romeo, n) == [str(i) for i in range(n)]
    else:
        # the last but after minutes, or seconds
        assert ids(romeo, 1) == ["0"]
        romeo.ping()
        assert len(romeo.inbox) < n - 1
        for _ in range(60):
            server.advance(30)
        assert ids(romeo, n - 1) == [str(i) for i in range(1, n)]
    irc.close()
    scene.end()


# --- what it is granted -----------------------------------------------------------


@proves("components: iq_get", "components: iq_set", ends=MAX)
@pytest.mark.parametrize("type_", ("get", "set"))
def test_a_component_asks_in_so_many_namespaces(own_server, type_):
    server, most = served(own_server, "components: iq_" + type_, "max")
    scene, romeo = online(server, "romeo/orchard")
    irc = Component(server, "irc").login()
    user = scene.accounts["romeo"].jid
    told = irc.next().child("privilege").child("perm").elems()
    assert [(e.get("ns"), e.get("type")) for e in told] == [
        ("urn:x:%d" % i, type_) for i in range(most)]
    for i in range(most + 1):
        irc.send("<iq type='%s' id='%d' from='%s' to='%s'><privileged_iq "
                 "xmlns='urn:xmpp:privilege:2'><iq xmlns='jabber:client' "
                 "type='%s' id='i' to='%s'><q xmlns='urn:x:%d'/></iq>"
                 "</privileged_iq></iq>" % (type_, i, IRC, user, type_,
                                            romeo.jid, i))
        if i < most:
            got = romeo.next("the request")
            assert got.child("q").ns == "urn:x:%d" % i
            romeo.send("<iq type='result' id='%s' to='%s'/>"
                       % (got.get("id"), got.get("from")))
            assert irc.next("the answer").get("type") == "result"
    assert condition(irc.next("a refusal")) == "forbidden"
    assert romeo.inbox == []
    irc.close()
    scene.end()


@proves("components: delegate", ends=MAX)
def test_a_component_answers_in_so_many_namespaces(own_server):
    server, most = served(own_server, "components: delegate", "max")
    scene, romeo = online(server, "romeo/orchard")
    irc = Component(server, "irc").login()
    spaces = ["urn:x:%d" % i for i in range(most)]
    assert advertised(irc) == spaces
    for ns in spaces:
        romeo.send("<iq type='get' id='d'><q xmlns='%s'/></iq>" % ns)
        id_, iq = asked(irc)
        assert iq.child("q").ns == ns
        answer(irc, id_, result(iq), IRC)
        assert romeo.next("the answer").get("type") == "result"
    got = romeo.iq("get", "<q xmlns='urn:x:%d'/>" % most)
    assert condition(got) == "service-unavailable"
    irc.close()
    scene.end()


@proves("modules: delegation: timeout")
@pytest.mark.parametrize("end", ("min", "max"))
def test_a_component_may_take_so_long(own_server, end):
    server, s = served(own_server, "modules: delegation: timeout", end, {
        **delegated(NS), "limits": {"idle_before_ping": "never"}})
    assert s in (1, 300)
    scene, romeo = online(server, "romeo/orchard")
    pubsub = Component(server, "pubsub").login()
    waits = [(s, "error")]
    if end == "max":
        waits.insert(0, (s - 60, "result"))
    for wait_s, type_ in waits:
        romeo.send("<iq type='get' id='1'>%s</iq>" % ASK)
        id_, iq = asked(pubsub)
        server.advance(wait_s)
        answer(pubsub, id_, result(iq))
        got = romeo.next("the answer")
        assert got.get("type") == type_
    assert condition(got) == "service-unavailable"
    pubsub.close()
    scene.end()
