"""Stream management between servers (XEP-0198)."""

import json
import random
import threading
import time

import pytest

from client import Client, PATIENCE
from cutting import Cutting
from s2s_peer import conf, Host, PEER, Peer
from sm import SM

pytestmark = pytest.mark.only("antiphon")


def facts(server, direction, domain=PEER):
    found = [json.loads(line) for line in
             server.ctl("--json", "s2s", "show", domain).splitlines()]
    return {row["what"]: row["text"] for row in found
            if row["direction"] == direction}


# --- what comes -----------------------------------------------------------------


def come(server, authority):
    peer = Peer(server, PEER, authority.issue("good", PEER)).secure()
    peer.external()
    peer.send("<enable xmlns='%s'/>" % SM)
    peer.take(lambda e: e.is_("enabled", SM), "<enabled/>")
    return peer


def handled(peer):
    return int(peer.take(lambda e: e.is_("a", SM), "<a/>").get("h"))


def wait_handled(peer, n):
    """As it says so itself, behind the first answer."""
    peer.send("<r xmlns='%s'/>" % SM)
    while handled(peer) != n:
        pass


def test_what_is_acknowledged_is_durable(own_server, authority):
    """It survives a kill, and is there once."""
    server = own_server(conf(authorities=authority.cert))
    server.adduser("juliet", "secret")
    peer = come(server, authority)
    for i in range(50):
        peer.send("<message type='chat' id='m%d' from='romeo@%s/x' "
                  "to='juliet@%s'><body>%d</body></message>"
                  % (i, PEER, server.domain, i))
    wait_handled(peer, 50)
    assert facts(server, "in")["counted"] == \
        "50 received, 50 of them dealt with"
    server.kill9()
    server.start()
    juliet = Client(server, "juliet").login("juliet", "secret", "x")
    juliet.send("<presence/>")
    for i in range(50):
        got = juliet.take(lambda e: e.is_("message"), "a message")
        assert got.child("body").text() == str(i)
    peer.drop()
    juliet.close()


def test_a_flood_of_questions(own_server, authority):
    """They are answered, each or several at once, and nobody else waits."""
    server = own_server(conf(authorities=authority.cert))
    peer = come(server, authority)
    peer.send(("<r xmlns='%s'/>" % SM) * 300 +
              "<message from='a@%s' to='nobody@%s'/>" % (PEER, server.domain))
    wait_handled(peer, 1)
    peer.ping()
    peer.close()


# --- what goes ------------------------------------------------------------------


class Counting(Host):
    """Counts what comes: answers(stream, n) is what it says of n, or None."""

    def __init__(self, certificate):
        super().__init__(PEER, certificate)
        self.offers = "<sm xmlns='%s'/>" % SM
        self.on_element = self.on_sm
        self.answers = lambda stream, n: n

    @staticmethod
    def stanzas(stream):
        return [e for e in stream.got if e.name in
                ("message", "presence", "iq")]

    def on_sm(self, stream, e):
        if e.is_("enable", SM):
            stream.send("<enabled xmlns='%s'/>" % SM)
        elif e.is_("r", SM):
            h = self.answers(stream, len(self.stanzas(stream)))
            if h is not None:
                stream.send("<a xmlns='%s' h='%d'/>" % (SM, h))
        else:
            return False
        return True

    def bodies(self, stream):
        return [int(e.child("body").text()) for e in self.stanzas(stream)
                if e.is_("message")]

    def wait_body(self, n, number):
        """The n-th stream, when the message with that number has come by it."""
        stream = self.wait_stream(n)
        stream.wait(lambda e: e.is_("message") and
                    e.child("body").text() == str(number),
                    "message %d" % number)
        return stream


@pytest.fixture
def host(authority):
    made = Counting(authority.issue("good", PEER))
    yield made
    made.end()


@pytest.fixture
def romeo(own_server, authority, host):
    server = own_server(conf(
        {"remotes": host.remotes(), "limits": {"ping_timeout": "2s"}},
        authorities=authority.cert))
    server.adduser("romeo", "secret")
    client = Client(server, "romeo").login("romeo", "secret", "x")
    client.send("<presence/>")
    client.ping()
    yield client
    client.drop()


def say(client, first, last):
    for i in range(first, last):
        client.send("<message type='chat' id='m%d' to='juliet@%s'><body>%d"
                    "</body></message>" % (i, PEER, i))


def wait_fact(server, what, text):
    """Asked again and again: nobody tells of it."""
    for _ in range(2000):
        if facts(server, "out").get(what, "").startswith(text):
            return
    assert facts(server, "out").get(what) == text


def errors(client):
    client.ping()
    return [e for e in client.inbox if e.get("type") == "error"]


def test_what_was_acknowledged_is_not_sent_again(romeo, host):
    say(romeo, 0, 40)
    host.wait_body(1, 39)
    wait_fact(romeo.server, "counted", "40 sent, 0 of them not acknowledged")
    host.answers = lambda stream, n: None
    say(romeo, 40, 60)
    host.wait_body(1, 59).cut()
    say(romeo, 60, 80)
    stream = host.wait_body(2, 79)
    assert host.bodies(stream) == list(range(40, 80))
    assert not errors(romeo)


@pytest.mark.parametrize("n", (1, 16, 17, 300))
def test_all_that_was_not_acknowledged_comes_again(romeo, host, n):
    host.answers = lambda stream, got: None
    say(romeo, 0, n)
    host.wait_body(1, n - 1).cut()
    stream = host.wait_body(2, n - 1)
    assert host.bodies(stream) == list(range(n))
    assert not errors(romeo)


def test_a_request_is_answered_and_presence_is_not_sent_again(romeo, host):
    host.answers = lambda stream, got: None
    romeo.send("<presence to='juliet@%s'/>" % PEER)
    romeo.send("<iq type='get' id='q' to='juliet@%s/x'><q xmlns='x'/></iq>"
               % PEER)
    say(romeo, 0, 1)
    host.wait_body(1, 0).cut()
    got = romeo.take(lambda e: e.get("id") == "q", "the answer")
    assert got.get("type") == "error"
    assert got.child("error").elems()[0].name == "remote-server-timeout"
    stream = host.wait_body(2, 0)
    assert [e.name for e in host.stanzas(stream)] == ["message"]


@pytest.mark.parametrize("answer", (
    lambda stream, n: None, lambda stream, n: 0, lambda stream, n: n // 2),
    ids=("silent", "nothing", "a part"))
def test_who_does_not_acknowledge_is_cut(romeo, host, answer):
    """And is sent it again, by another stream."""
    host.answers = answer
    say(romeo, 0, 3)
    host.wait_stream(1)
    host.answers = lambda stream, n: (
        answer(stream, n) if stream is host.streams[0] else n)
    stream = host.wait_body(2, 2)
    wait_fact(romeo.server, "counted", "%d sent, 0 of them not acknowledged"
              % len(host.bodies(stream)))
    assert not errors(romeo)


class Slow:
    """Answers when it may."""

    def __init__(self, host):
        self.asked, self.may = threading.Event(), threading.Event()
        host.answers = self

    def __call__(self, stream, n):
        self.asked.set()
        return n if self.may.wait(PATIENCE) else None


def test_a_stream_that_is_closed_waits_for_acknowledgements(romeo, host):
    slow = Slow(host)
    say(romeo, 0, 3)
    first = host.wait_body(1, 2)
    romeo.server.ctl("s2s", "close", PEER)
    assert slow.asked.wait(PATIENCE)
    say(romeo, 3, 4)
    romeo.ping()
    assert facts(romeo.server, "out")["state"] == "closing"
    slow.may.set()
    stream = host.wait_body(2, 3)
    assert host.bodies(first) == [0, 1, 2] and host.bodies(stream) == [3]
    assert not errors(romeo)


def test_a_stream_that_is_closed_waits_no_longer_than_some_seconds(romeo, host):
    host.answers = lambda stream, n: None
    say(romeo, 0, 3)
    host.wait_body(1, 2)
    romeo.server.ctl("s2s", "close", PEER)
    assert host.bodies(host.wait_body(2, 2)) == [0, 1, 2]
    assert not errors(romeo)


def test_what_a_reload_forbids_is_not_answered_when_it_came(romeo, host):
    slow, server = Slow(host), romeo.server
    say(romeo, 0, 3)
    first = host.wait_body(1, 2)
    server.conf["federation"]["deny"] = [PEER]
    server.write_conf()
    server.ctl("reload")
    assert slow.asked.wait(PATIENCE)
    say(romeo, 3, 4)
    refused = romeo.take(lambda e: e.get("id") == "m3", "the answer")
    assert "not-allowed" in str(refused)
    slow.may.set()
    first.wait(lambda e: e.name == "error" and
               "policy-violation" in str(e), "the end")
    assert host.bodies(first) == [0, 1, 2]
    assert not errors(romeo)


@pytest.mark.parametrize("wrong", (1, 2**31 - 2, 100000))
def test_who_acknowledges_too_much(romeo, host, wrong):
    host.answers = lambda stream, n: (
        n + wrong if stream is host.streams[0] else n)
    say(romeo, 0, 3)
    stream = host.wait_stream(1)
    got = stream.wait(lambda e: e.name == "error", "a stream error")
    assert got.elems()[0].name == "undefined-condition"
    assert [e for e in got.elems() if e.name == "handled-count-too-high"]
    host.wait_body(2, 2)


def test_a_peer_that_goes_back_is_believed_the_first_time(romeo, host):
    answers = [40, 3, 0, 20, 40]
    host.answers = lambda stream, n: answers.pop(0) if answers else n
    say(romeo, 0, 40)
    host.wait_body(1, 39)
    wait_fact(romeo.server, "counted", "40 sent, 0 of")
    host.streams[0].send("<a xmlns='%s' h='39'/>" % SM)
    say(romeo, 40, 41)
    host.wait_body(1, 40)
    assert len(host.streams) == 1


# --- what many get ----------------------------------------------------------------

CONTACTS = 20


@pytest.fixture
def known(romeo, authority):
    """His presence goes to so many."""
    peer = Peer(romeo.server, PEER, authority.issue("good", PEER))
    peer.secure().external()
    for i in range(CONTACTS):
        peer.send("<presence type='subscribe' from='c%d@%s' to='romeo@%s'/>"
                  % (i, PEER, romeo.server.domain))
        romeo.take(lambda e: e.get("type") == "subscribe", "a request")
        romeo.send("<presence type='subscribed' to='c%d@%s'/>" % (i, PEER))
    romeo.ping()
    yield romeo
    peer.drop()


def line_of(e):
    """What may not be mixed up."""
    show = e.child("show")
    return e.name, e.get("to"), show.text() if show else e.get("id")


def tell_all(romeo, host):
    """Presence to all and a message behind each; what has come of it, counted, and
    none of it acknowledged."""
    say(romeo, 0, 1)
    stream = host.wait_body(1, 0)
    wait_fact(romeo.server, "counted", "%d sent, 0 of them not acknowledged"
              % len(host.stanzas(stream)))
    before = len(host.stanzas(stream))
    host.answers = lambda stream, n: None
    for i, show in enumerate(("away", "dnd", "xa")):
        romeo.send("<presence><show>%s</show></presence>" % show)
        say(romeo, i + 1, i + 2)
    host.wait_body(1, 3)
    lines = [line_of(e) for e in host.stanzas(stream)[before:]]
    assert len(lines) == 3 * (CONTACTS + 1)
    assert [show for name, _, show in lines if name == "presence"] == \
        ["away"] * CONTACTS + ["dnd"] * CONTACTS + ["xa"] * CONTACTS
    wait_fact(romeo.server, "counted", "%d sent, %d of them not acknowledged"
              % (before + len(lines), len(lines)))
    return stream, before, lines


def test_what_many_get_is_not_sent_again(host, known):
    stream, _, _ = tell_all(known, host)
    stream.cut()
    again = host.wait_body(2, 3)
    assert [line_of(e) for e in host.stanzas(again)] == [
        ("message", "juliet@" + PEER, "m%d" % i) for i in (1, 2, 3)]
    host.answers = lambda stream, n: n
    say(known, 4, 5)
    host.wait_body(2, 4)
    wait_fact(known.server, "counted", "4 sent, 0 of them not acknowledged")
    assert not errors(known)


class Resuming(Counting):
    """A stream can be resumed: once handled says how much of it has come."""

    handled = 0

    def on_sm(self, stream, e):
        if e.is_("enable", SM):
            stream.send("<enabled xmlns='%s' resume='true' id='key'/>" % SM)
        elif e.is_("resume", SM):
            assert e.get("previd") == "key"
            stream.send("<resumed xmlns='%s' previd='key' h='%d'/>"
                        % (SM, self.handled))
        else:
            return super().on_sm(stream, e)
        return True


class TestResumed:
    @pytest.fixture
    def host(self, authority):
        made = Resuming(authority.issue("good", PEER))
        yield made
        made.end()

    # at both ends, between what one got and what many did, and amid these
    @pytest.mark.parametrize("left", (1, 2, 7, 21, 22, 23, 43, 62, 63))
    def test_what_many_get_is_written_again_exactly(self, host, known, left):
        stream, before, lines = tell_all(known, host)
        host.handled = before + len(lines) - left
        stream.cut()
        again = host.wait_body(2, 3)
        assert [line_of(e) for e in host.stanzas(again)] == lines[-left:]
        host.answers = lambda stream, n: host.handled + n
        say(known, 4, 5)
        host.wait_body(2, 4)
        wait_fact(known.server, "counted",
                  "%d sent, 0 of them not acknowledged"
                  % (before + len(lines) + 1))
        assert len(host.stanzas(again)) == left + 1
        assert not errors(known)


# --- streams that break at random -------------------------------------------------

BEE = "bee.test"


def told(client):
    """The ids of what it was answered with an error."""
    return {int(e.get("id")[1:]) for e in errors(client)}


def firsts(numbers):
    return list(dict.fromkeys(numbers))


def test_without_resumption_none_is_lost(own_server, authority, host):
    """Some come twice, and the first time each comes in order."""
    way = Cutting(random.Random(2), 30000, 120000)
    way.target = ("127.0.0.1", host.port)
    remotes = host.remotes()
    remotes[PEER]["port"] = way.port
    server = own_server(conf({"remotes": remotes, "s2s": {"backoff_max": "1s"}},
                             authorities=authority.cert))
    server.adduser("romeo", "secret")
    romeo = Client(server, "romeo").login("romeo", "secret", "x")
    deadline = time.monotonic() + 4 * PATIENCE

    def wait_settled(n):
        """So many have come, or were refused."""
        while True:
            came = [one for stream in list(host.streams)
                    for one in host.bodies(stream)]
            refused = told(romeo)
            if len(set(came) | refused) >= n:
                return came, refused
            assert time.monotonic() < deadline, "%d of %d" % (
                len(set(came) | refused), n)

    for i in range(0, 1500, 50):
        say(romeo, i, i + 50)
        wait_settled(i - 300) # so many wait, and no more
    way.whole = True
    came, refused = wait_settled(1500)
    assert firsts(came) == sorted(set(came))
    print("%d cuts, %d came, %d of them twice, %d were refused" % (
        way.cuts, len(set(came)), len(came) - len(set(came)), len(refused)))
    assert way.cuts > 0
    romeo.drop()
    way.end()


def test_with_resumption_all_come_once(own_server, authority):
    """10,000, over a link that is cut at random, in order."""
    way, back = (Cutting(random.Random(3), 20000, 300000) for _ in "12")
    back.whole = True
    bee = own_server(conf({"hosts": {
        "antiphon.test": None, "other.test": None,
        BEE: {"certificate": authority.issue("good", BEE).chain,
              "key": authority.issue("good", BEE).key}},
        "remotes": {"antiphon.test": {"address": "127.0.0.1",
                                      "port": back.port}}},
        authorities=authority.cert))
    bee.domain, bee.ca_file = BEE, authority.cert
    way.target = ("127.0.0.1", bee.port(("server", "starttls")))
    mine = authority.issue("good", "antiphon.test")
    ant = own_server(conf({
        "hosts": {"antiphon.test": {"certificate": mine.chain,
                                    "key": mine.key}},
        "remotes": {BEE: {"address": "127.0.0.1", "port": way.port}},
        "s2s": {"backoff_max": "1s"}}, authorities=authority.cert))
    ant.ca_file = authority.cert
    back.target = ("127.0.0.1", ant.port(("server", "starttls")))
    bee.adduser("juliet", "secret")
    ant.adduser("romeo", "secret")
    romeo = Client(ant, "romeo").login("romeo", "secret", "x")
    juliet = Client(bee, "juliet").login("juliet", "secret", "x")
    juliet.send("<presence/>")
    juliet.ping()
    came, n = [], 10000
    for i in range(n):
        romeo.send("<message type='chat' id='m%d' to='%s'><body>%d</body>"
                   "</message>" % (i, juliet.jid, i))
        while i - len(came) > 300: # what waits has a bound
            came.append(int(juliet.take(lambda e: e.is_("message"), "one")
                            .child("body").text()))
    while not came or came[-1] != n - 1:
        came.append(int(juliet.take(lambda e: e.is_("message"), "one")
                        .child("body").text()))
    print("%d cuts" % way.cuts)
    assert not told(romeo)
    assert came == list(range(n))
    assert way.cuts > 5
    for one in (romeo, juliet):
        one.drop()
    for one in (way, back):
        one.end()
