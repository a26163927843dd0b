"""Services: domains that a module gives to hosts (tests/modules/mod_testecho.c)."""

import pytest

import scene as scenes
from client import Client
from test_server import refused

pytestmark = pytest.mark.only("antiphon")

INFO = "<query xmlns='http://jabber.org/protocol/disco#info'/>"
ITEMS = "<query xmlns='http://jabber.org/protocol/disco#items'/>"
COUNT = "<count xmlns='urn:antiphon:test:echo'/>"
MANY = 20000


def start(own_server, conf=None, **options):
    server = own_server({"modules": {"testecho": options}, **(conf or {})})
    scene = scenes.Scene(server)
    scene.add_accounts("romeo", "juliet")
    return server, scene, "echo." + server.domain


def services(client, domain):
    """What a host has, but for rooms, which each has: addresses and names."""
    return [(e.get("jid"), e.get("name"))
            for e in client.iq("get", ITEMS, domain).find("query").elems()
            if e.get("jid") != "conference." + domain]


def refuses(got, cond):
    assert got.get("type") == "error", got
    assert got.find("error", cond) is not None, got


def set_count(client, to, n):
    got = client.iq("set", "<count xmlns='urn:antiphon:test:echo' n='%d'/>"
                    % n, to)
    assert got.get("type") == "result", got


def count(client, to):
    got = client.iq("get", COUNT, to)
    assert got.get("type") == "result", got
    return int(got.find("count").get("n"))


def echo(client, to, text="hi"):
    client.send("<message type='chat' to='%s'><body>%s</body></message>"
                % (to, text))
    got = client.take(lambda e: e.is_("message"), "a message")
    assert got.get("from") == to, got
    return got


def test_a_service_is_found_and_answers_as_a_host_does(own_server):
    server, scene, domain = start(own_server)
    romeo = scene.online("romeo/a")
    assert services(romeo, server.domain) == [(domain, "Echo")]
    info = romeo.iq("get", INFO, domain).find("query")
    assert info.find("identity").get("category") == "component"
    features = [e.get("var") for e in info.elems() if e.name == "feature"]
    assert "urn:antiphon:test:echo" in features
    for ns, name in (("urn:xmpp:ping", "ping"), ("urn:xmpp:time", "time"),
                     ("jabber:iq:version", "query"),
                     ("jabber:iq:last", "query")):
        assert ns in features
        got = romeo.iq("get", "<%s xmlns='%s'/>" % (name, ns), domain)
        assert got.get("type") == "result", got
    items = romeo.iq("get", ITEMS, domain).find("query")
    assert items.elems() == []
    for payload in ("<vCard xmlns='vcard-temp'/>", COUNT,
                    "<query xmlns='jabber:iq:register'/>"):
        refuses(romeo.iq("get", payload, domain), "service-unavailable")
    romeo.send("<message to='%s'><body>x</body></message>" % domain)
    refuses(romeo.take(lambda e: e.is_("message"), "an error"),
            "service-unavailable")
    server.check()


def test_an_address_there_is_an_entity_of_its_own(own_server):
    server, scene, domain = start(own_server)
    romeo, juliet = scene.online("romeo/a"), scene.online("juliet/a")
    info = romeo.iq("get", INFO, "eve@" + domain).find("query")
    assert info.find("identity").get("type") == "echo"
    for i in range(3):
        assert echo(romeo, "eve@" + domain, i).find("body").text() == str(i)
    echo(juliet, "eve@%s/any" % domain)
    echo(juliet, "emil@" + domain)
    assert count(juliet, "eve@" + domain) == 4
    assert count(juliet, "emil@" + domain) == 1
    server.advance(3600)  # they leave memory
    assert count(juliet, "eve@" + domain) == 4
    scene.end()
    server.restart()
    romeo = scene.online("romeo/b")
    assert count(romeo, "eve@" + domain) == 4
    set_count(romeo, "eve@" + domain, 7)
    assert count(romeo, "eve@" + domain) == 7
    server.check()


def test_sets_that_are_asked_for_together_are_done_one_by_one(own_server):
    server, scene, domain = start(own_server)
    clients = [scene.online(name) for name in
               ("romeo/a", "romeo/b", "juliet/a")]
    for i in range(60):
        clients[i % 3].send(
            "<iq type='set' id='s%d' to='e@%s'><count n='%d' "
            "xmlns='urn:antiphon:test:echo'/></iq>" % (i, domain, i + 1))
    for i in range(60):
        got = clients[i % 3].take(
            lambda e, i=i: e.get("id") == "s%d" % i, "an answer")
        assert got.get("type") == "result"
    assert 58 <= count(clients[0], "e@" + domain) <= 60
    server.check()


def test_where_nobody_is_nothing_is_held(own_server):
    server, scene, domain = start(own_server)
    romeo = scene.online("romeo/a")
    for payload in (COUNT, INFO, "<ping xmlns='urn:xmpp:ping'/>"):
        for _ in range(2):
            refuses(romeo.iq("get", payload, "nobody@" + domain),
                    "item-not-found")
    romeo.send("<presence to='nobody@%s'/>" % domain)
    romeo.send("<message to='nobody@%s'><body>x</body></message>" % domain)
    refuses(romeo.take(lambda e: e.is_("message"), "an error"),
            "item-not-found")
    server.check()


def reload(server):
    done = server.ctl("reload", ok=False)
    assert done.returncode != 0
    return done.stdout + done.stderr


def entities(server):
    return sum(int(line.split()[1]) for line in
               server.ctl("stats").splitlines()
               if line.split()[:1] == ["entities"])


def test_a_stranger_makes_no_memory_of_addresses(own_server):
    server, scene, domain = start(own_server, {"limits": {
        "stanzas_per_second": "1000000", "stanzas_burst": "1000000",
        "bytes_per_second": "1GiB", "bytes_burst": "1GiB"}})
    romeo = scene.online("romeo/a")
    before = entities(server)
    assert before != 0
    for i in range(0, MANY, 100):
        romeo.send("".join(
            "<iq type='get' id='m%d' to='n%d@%s'>%s</iq>"
            % (k, k, domain, COUNT) for k in range(i, i + 100)))
        for k in range(i, i + 100):
            refuses(romeo.next(), "item-not-found")
    romeo.ping()
    assert entities(server) <= before + 2
    server.check()


def test_addresses_there_have_the_limit_of_accounts(own_server):
    """limits: entities"""
    server, scene, domain = start(own_server, {
        "shards": 1, "limits": {"entities": "10"}})
    romeo = scene.online("romeo/a")
    for i in range(300):
        assert count(romeo, "e%d@%s" % (i, domain)) == 0
    assert entities(server) <= 15  # with the domains, which are few
    server.check()


def test_two_hosts_have_one_each(own_server):
    server, scene, domain = start(own_server)
    romeo = scene.online("romeo/a")
    other = "echo." + server.other_domain
    assert services(romeo, server.other_domain) == [(other, "Echo")]
    echo(romeo, "e@" + domain)
    echo(romeo, "e@" + other)
    echo(romeo, "e@" + other)
    assert count(romeo, "e@" + domain) == 1
    assert count(romeo, "e@" + other) == 2
    server.check()


def test_a_service_has_no_accounts(own_server):
    server, scene, domain = start(own_server)
    done = server.ctl("adduser", "romeo@" + domain, stdin="secret\n", ok=False)
    assert "is not served here" in done.stderr
    client = Client(server).connect()
    client.restart().send(client.header(to=domain))
    client.expect_error("host-unknown")
    server.check()


def test_a_service_is_renamed_and_switched_under_load(own_server):
    server, scene, domain = start(own_server)
    romeo, juliet = scene.online("romeo/a"), scene.online("juliet/a")
    n = asked = 0

    def ask(to):
        nonlocal asked
        asked += 1
        romeo.send("<iq type='get' id='r%d' to='%s'>%s</iq>"
                   "<message to='%s' type='headline'/>"
                   % (asked, to, COUNT, to))

    echo(juliet, "eve@" + domain)
    for name in ("echo2", "", "echo", "echo3", "echo"):
        for i in range(20):
            ask("e%d@%s" % (i, domain))
        server.conf["modules"]["testecho"]["domain"] = name
        server.write_conf()
        server.ctl("reload")
        for i in range(20):
            ask("e%d@%s" % (i, domain))
    for _ in range(3):
        for verb in ("unload", "load"):
            for i in range(20):
                ask("e%d@%s" % (i, domain))
            server.ctl("modules", verb, "testecho")
    while n < asked:
        got = romeo.next()
        if got.is_("iq"):
            n += 1
            assert got.get("id") == "r%d" % n or got.get("id")[0] == "r"
    echo(juliet, "eve@" + domain)
    assert count(juliet, "eve@" + domain) == 2
    server.check()


def test_a_service_that_is_gone_is_no_address_of_ours(own_server):
    server, scene, domain = start(own_server)
    romeo = scene.online("romeo/a")
    echo(romeo, "e@" + domain)
    server.ctl("modules", "unload", "testecho")
    refuses(romeo.iq("get", COUNT, "e@" + domain), "remote-server-not-found")
    assert services(romeo, server.domain) == []
    server.check()


@pytest.mark.parametrize("domain, said", (
    ("{other}", "{other} is one of the hosts"),
    ("one.example", "one.example is the domain of another service"),
    ("a b", "domain"), ("..", "domain")))
def test_a_domain_that_is_taken_is_a_mistake(own_server, pool, domain, said):
    server = own_server()
    names = {"other": server.other_domain}
    modules = {"testecho": {"domain": domain.format(**names)}}
    text = refused(pool, {"modules": modules}, "--check-config")
    assert said.format(**names) in text, text
    assert "testecho" in text and "antiphond.yml:" in text
    server.conf["modules"] = dict(server.conf["modules"], **modules)
    server.write_conf()
    assert said.format(**names) in reload(server)
    scene = scenes.Scene(server)
    scene.add_accounts("romeo")
    scene.online("romeo/a").ping()
    server.check()
