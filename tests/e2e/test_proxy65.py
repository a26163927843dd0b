"""The proxy for bytestreams (XEP-0065), by sockets that send anything."""

import ctypes
import json
import os
import random
import re
import shutil
import socket
import subprocess
import threading
import time
from xml.sax.saxutils import escape

import pytest

import component
import scene as scenes
from client import PATIENCE
from socks import (End, FAILURE, HELLO, NO_ADDRESS_TYPE, NO_COMMAND,
                   NOT_ALLOWED, OK, digest, request)
from test_services import INFO, ITEMS, refuses, services
from test_stats import stats, until

pytestmark = pytest.mark.only("antiphon")

NS = "http://jabber.org/protocol/bytestreams"
QUERY = "<query xmlns='%s'/>" % NS
CLONE_NEWUSER, CLONE_NEWNET = 0x10000000, 0x40000000 # linux/sched.h
TARGET = "juliet@elsewhere.example/balcony"
PORT = {"kind": "proxy65", "address": "127.0.0.1", "port": 0, "tls": "none"}
CLIENTS = {"kind": "c2s", "address": "127.0.0.1", "port": 0,
           "tls": "starttls"}


def conf_of(options, more):
    return {"modules": {"proxy65": options}, "shards": 3,
            "listen": [dict(CLIENTS), dict(PORT)],
            "limits": {"connections_per_address": 5000,
                       "idle_before_ping": "never",
                       "close_timeout": "1s"}, **more}


CUTS = {"closed": lambda end: end.sock.close(), "reset": End.reset,
        "half closed": End.end}


class Proxy:
    def __init__(self, own_server, more=None, **options):
        self.server = own_server(conf_of(options, more or {}))
        self.scene = scenes.Scene(self.server)
        self.scene.add_accounts("romeo", "juliet")
        self.domain = "proxy." + self.server.domain
        self.romeo = self.scene.online("romeo/a")
        self.me = self.romeo.jid
        self.serial = 0

    def end(self, **how):
        return End(self.server.port(("proxy65", "none")), **how)

    def sid(self):
        self.serial += 1
        return "sid<&>%d" % self.serial

    def activate(self, sid, target=TARGET, by=None, more=""):
        return (by or self.romeo).iq(
            "set", "<query xmlns='%s' sid='%s'%s><activate>%s</activate>"
            "</query>" % (NS, escape(sid),
                          more, target), self.domain)

    def pair(self, target=TARGET, activate=True, **how):
        """Who sends, and who gets it; activated."""
        sid = self.sid()
        name = digest(sid, self.me, target)
        to, frm = self.end(**how).join(name), self.end(**how).join(name)
        if activate:
            got = self.activate(sid, target)
            assert got.get("type") == "result", got
            assert not list(got.elems())
        return frm, to

    def transfers(self, *args):
        return [json.loads(line) for line in
                self.server.ctl("--json", "transfers", *args).splitlines()]

    def stat(self, name):
        return stats(self.server)[name]

    def ended(self, mark=0):
        return self.server.process.wait_line("transfer ends.*", mark)[0]

    def mark(self):
        return len(self.server.process.lines)


def passes(frm, to, data=b"some bytes"):
    frm.say(data)
    assert to.read(len(data)) == data


# --- being found -------------------------------------------------------------

def test_the_proxy_is_found(own_server):
    p = Proxy(own_server)
    items = p.romeo.iq("get", ITEMS, p.server.domain).find("query")
    assert p.domain in [e.get("jid") for e in items.elems()]
    info = p.romeo.iq("get", INFO, p.domain).find("query")
    identity = info.find("identity")
    assert (identity.get("category"), identity.get("type")) == (
        "proxy", "bytestreams")
    assert NS in [e.get("var") for e in info.elems() if e.name == "feature"]
    assert NS not in [
        e.get("var") for e in p.romeo.iq("get", INFO, p.server.domain)
        .find("query").elems()]
    hosts = list(p.romeo.iq("get", QUERY, p.domain).find("query").elems())
    assert [(h.get("jid"), h.get("host"), h.get("port")) for h in hosts] == [
        (p.domain, p.server.domain, str(p.server.port(("proxy65", "none"))))]
    p.server.check()


def test_it_is_announced_as_it_is_configured(own_server):
    p = Proxy(own_server, name="xmpp.example.org", port=7777, domain="relay",
              addresses=["192.0.2.1", "2001:db8::1"])
    p.domain = "relay." + p.server.domain
    hosts = list(p.romeo.iq("get", QUERY, p.domain).find("query").elems())
    assert [(h.get("jid"), h.get("host"), h.get("port")) for h in hosts] == [
        (p.domain, host, "7777")
        for host in ("xmpp.example.org", "192.0.2.1", "2001:db8::1")]
    p.server.check()


def test_without_a_port_there_is_no_proxy(own_server):
    server = own_server({})
    scene = scenes.Scene(server)
    scene.add_accounts("romeo")
    romeo = scene.online("romeo/a")
    assert services(romeo, server.domain) == []
    assert romeo.iq("get", INFO, "proxy." + server.domain).get(
        "type") == "error"
    # a reload gives it one, and takes it away
    server.conf["listen"].append(dict(PORT))
    server.write_conf()
    server.ctl("reload")
    server.process.wait_line("listening kind=proxy65")
    assert romeo.iq("get", QUERY, "proxy." + server.domain).get(
        "type") == "result"
    server.conf["listen"].pop()
    server.write_conf()
    server.ctl("reload")
    assert romeo.iq("get", QUERY, "proxy." + server.domain).get(
        "type") == "error"
    server.check()


def test_the_port_is_open_by_ipv6_too(own_server):
    p = Proxy(own_server, {"listen": [
        dict(CLIENTS), {**PORT, "address": "*"}]})
    for host in ("127.0.0.1", "::1"):
        passes(*p.pair(host=host))
    p.server.check()


def test_what_is_told_can_be_connected_to(own_server):
    server = own_server(conf_of({}, {}), start=False)
    for name, value in (("addresses", ["192.0.2.1", "192.0.2.300"]),
                        ("addresses", "a b"), ("name", "2001:db8::x")):
        server.conf["modules"] = {"proxy65": {name: value}}
        server.write_conf()
        done = subprocess.run(
            [server.program(), "--check-config", "--config", server.conf_path,
             "--module-dir", server.module_dir()], capture_output=True,
            text=True, timeout=PATIENCE)
        wrong = value[-1] if isinstance(value, list) else value
        assert done.returncode == 1
        assert re.search(
            r'antiphond\.yml:\d+: modules: proxy65: %s: found "%s", expected an '
            "IP address or a domain name, such as "
            % (name, re.escape(wrong)), done.stdout + done.stderr), done


def test_of_an_ipv6_address_the_brackets_are_not_told(own_server):
    p = Proxy(own_server, name="[2001:db8::1]", addresses="2001:db8::2")
    hosts = list(p.romeo.iq("get", QUERY, p.domain).find("query").elems())
    assert [h.get("host") for h in hosts] == ["2001:db8::1", "2001:db8::2"]
    p.server.check()


def test_who_asks_where_a_port_is_that_is_shut(own_server):
    """XEP-0065 §4, example 10"""
    server = own_server({})
    scene = scenes.Scene(server)
    scene.add_accounts("romeo")
    romeo = scene.online("romeo/a")
    with socket.create_server(("127.0.0.1", 0)) as taken:
        server.conf["listen"].append(
            dict(PORT, port=taken.getsockname()[1]))
        server.write_conf()
        server.ctl("reload", ok=False)
        server.process.wait_line("a port stays shut.* kind=proxy65")
        refuses(romeo.iq("get", QUERY, "proxy." + server.domain),
                "not-allowed")
    server.process.alarms.clear()
    server.check()


# --- its port, where nobody has named one ---------------------------------------

needs_network = pytest.mark.skipif(
    not shutil.which("unshare") or subprocess.run(
        ["unshare", "-rn", "true"], capture_output=True).returncode != 0,
    reason="there are no networks of one's own")


def where_taken(own_server, port):
    """A server whose file has no `listen', in a network where port is taken: by
    what it has as its input."""
    def before():
        if ctypes.CDLL(None).unshare(CLONE_NEWUSER | CLONE_NEWNET) != 0:
            raise OSError
        with socket.create_server(("", port)) as taken:
            os.dup2(taken.fileno(), 0)

    server = own_server(conf_of({}, {}), start=False)
    del server.conf["listen"]
    server.before = before
    return server


@needs_network
def test_the_server_starts_where_the_port_is_taken(own_server):
    server = where_taken(own_server, 5000)
    server.launch()
    server.process.wait_line(r"\bready$")
    assert server.ctl("reload") == ""
    told = [line for line in server.process.lines if "port=5000" in line]
    assert len(told) == 1, told
    assert re.search(
        r"warn.* a port that nobody has named stays shut: free it and reload, or name all "
        r"ports in `listen', without it or with another one kind=proxy65 "
        r'address=\* port=5000 reason=".*another process listens',
        told[0])
    for port in (5222, 5223):
        assert any("listening kind=c2s" in line and "port=%d " % port in line
                   for line in server.process.lines)
    mark = len(server.process.lines)
    server.conf["listen"] = [dict(CLIENTS), dict(PORT)]
    server.write_conf()
    assert server.ctl("reload") == ""
    server.process.wait_line("listening kind=proxy65", mark)
    server.check()


@needs_network
def test_it_does_not_where_that_of_clients_is(own_server):
    server = where_taken(own_server, 5222)
    server.launch()
    assert server.process.wait() == 1
    assert any("port 5222: another process listens" in line
               for line in server.process.lines), server.process.lines
    server.process = None


# --- who may ------------------------------------------------------------------

def ask_as(component, kind, payload, to):
    who = "u@%s/x" % component.domain
    component.send("<iq type='%s' id='1' from='%s' to='%s'>%s</iq>"
                   % (kind, who, to, payload))
    return component.take(lambda e: e.is_("iq") and e.get("to") == who,
                          "an answer")


def test_a_stranger_may_not(own_server):
    made = component.conf(gate={}, other={})
    made["listen"] = made["listen"][:1] + [dict(PORT)] + made["listen"][2:]
    p = Proxy(own_server, made, allow=[component.domain_of("gate")])
    refused, allowed = (component.Component(p.server, name).login()
                        for name in ("other", "gate"))
    for kind, payload in (("get", QUERY), (
            "set", "<query xmlns='%s' sid='a'><activate>a@b</activate>"
            "</query>" % NS)):
        got = ask_as(refused, kind, payload, p.domain)
        refuses(got, "forbidden")
        assert got.find("error").get("type") == "auth"
    assert ask_as(allowed, "get", QUERY, p.domain).get("type") == "result"
    sid, me = p.sid(), "u@%s/x" % allowed.domain
    name = digest(sid, me, TARGET)
    ends = [p.end().join(name), p.end().join(name)]
    refuses(p.activate(sid), "item-not-found")
    assert ask_as(allowed, "set", "<query xmlns='%s' sid='%s'><activate>%s"
                  "</activate></query>" % (NS, escape(sid), TARGET),
                  p.domain).get("type") == "result"
    passes(*ends)
    p.server.check()


@pytest.mark.parametrize("allow", [[], ["anna@example.net"]])
def test_other_servers_hear_of_it_where_one_of_theirs_may(own_server, allow):
    """Else it needs no name in a certificate."""
    p = Proxy(own_server, {"federation": "on"}, allow=allow)
    lines = [line for line in p.server.process.lines
             if "other servers" in line and "host=" + p.domain in line]
    assert lines and all(
        ("does not talk" in line and "it is kept local" in line) != bool(allow)
        for line in lines), lines
    p.server.process.alarms.clear() # of the certificate, and of no port
    p.server.check()


def test_both_may_have_to_be_ours(own_server):
    p = Proxy(own_server, local_only=True)
    sid = p.sid()
    name = digest(sid, p.me, TARGET)
    ends = p.end().join(name), p.end().join(name)
    refuses(p.activate(sid), "forbidden")
    refuses(p.activate(sid, p.domain), "forbidden")
    assert ends[0].is_quiet() and ends[1].is_quiet()
    passes(*p.pair("juliet@%s/b" % p.server.domain))
    p.server.check()


# --- SOCKS5 -------------------------------------------------------------------

A_NAME = "0123456789" * 4


@pytest.mark.parametrize("says, answer", [
    (b"\4\1\0\x50\x7f\0\0\1\0", b""),
    (b"GET / HTTP/1.1\r\n\r\n", b""),
    (b"\5\1\2", b"\5\xff"),
    (b"\5\0", b"\5\xff"),
    (HELLO + request(A_NAME, command=2), bytes([5, 0, 5, NO_COMMAND])),
    (HELLO + request(A_NAME, command=3), bytes([5, 0, 5, NO_COMMAND])),
    (HELLO + b"\5\1\0\1\x7f\0\0\1\0\x16", bytes([5, 0, 5, NO_ADDRESS_TYPE])),
    (HELLO + request("localhost"), bytes([5, 0, 5, NOT_ALLOWED])),
    (HELLO + request("g" * 40), bytes([5, 0, 5, NOT_ALLOWED])),
    (HELLO + b"\5\1\1", bytes([5, 0, 5, FAILURE]))])
def test_what_is_no_bytestream_is_refused(own_server, says, answer):
    p = Proxy(own_server)
    end = p.end().say(says)
    assert end.read(len(answer)) == answer
    try:
        assert len(end.rest()) in (0, 8)
    except ConnectionResetError:
        pass
    p.server.check()


def test_a_handshake_may_come_in_single_bytes(own_server):
    p = Proxy(own_server)
    sid = p.sid()
    name = digest(sid, p.me, TARGET)
    ends = [p.end(), p.end()]
    for byte in HELLO + request(name):
        for end in ends:
            end.say(bytes([byte]))
    for end in ends:
        assert end.read(2 + 7 + 40)[3] == OK
    assert p.activate(sid).get("type") == "result"
    passes(*ends)
    p.server.check()


def test_a_slow_handshake_ends(own_server):
    p = Proxy(own_server)
    silent, half = p.end(), p.end().say(b"\5")
    asked = p.end().say(HELLO)
    asked.read(2)
    asked.say(request(A_NAME)[:-1])
    passes(*p.pair()) # each of them has been heard
    p.server.advance(20)
    half.say(b"\1") # does not prolong it
    p.server.advance(11)
    for end in (silent, half, asked):
        end.wait_closed()
    p.server.check()


# --- activation ---------------------------------------------------------------

def test_a_transfer_needs_both_and_its_initiator(own_server):
    p = Proxy(own_server)
    sid = p.sid()
    name = digest(sid, p.me, TARGET)
    juliet = p.scene.online("juliet/b")
    refuses(p.activate(sid), "item-not-found")
    to = p.end().join(name)
    refuses(p.activate(sid), "not-allowed")
    frm = p.end().join(name)
    refuses(p.activate(sid, by=juliet), "item-not-found")
    refuses(p.activate(sid + "x"), "item-not-found")
    refuses(p.activate(sid, "somebody@else.example"), "item-not-found")
    refuses(p.activate(sid, more=" dstaddr='%s'" % A_NAME), "not-authorized")
    refuses(p.activate(sid, "a b@@"), "jid-malformed")
    refuses(p.activate(""), "bad-request")
    refuses(p.romeo.iq("set", "<query xmlns='%s' sid='a'/>" % NS, p.domain),
            "bad-request")
    assert frm.is_quiet() and to.is_quiet()
    assert p.activate(sid, more=" dstaddr='%s'" % name.upper()).get(
        "type") == "result"
    passes(frm, to)
    passes(to, frm)
    refuses(p.activate(sid), "item-not-found")
    p.server.check()


def test_addresses_are_prepared_before_they_are_hashed(own_server):
    p = Proxy(own_server)
    sid = p.sid()
    name = digest(sid, p.me, TARGET)
    ends = [p.end().join(name.upper()), p.end().join(name)]
    assert p.activate(sid, TARGET.replace("juliet", "JULIET").replace(
        "example", "EXAMPLE")).get("type") == "result"
    passes(*ends)
    p.server.check()


def test_a_third_is_refused(own_server):
    p = Proxy(own_server)
    sid = p.sid()
    name = digest(sid, p.me, TARGET)
    ends = [p.end().join(name), p.end().join(name)]
    assert p.end().ask(name) == NOT_ALLOWED
    assert p.activate(sid).get("type") == "result"
    passes(*ends)
    p.server.check()


def test_a_target_may_have_come_by_each_address(own_server):
    """slixmpp connects to all that it is told, takes the first, and forgets the
    others; who has begun comes when the target has answered, and so last.  What it
    does not use stays until the end, for it takes that of any for the end."""
    p = Proxy(own_server, addresses=["192.0.2.1", "192.0.2.2"])
    for gone in (0, 1, 2):
        sid = p.sid()
        name = digest(sid, p.me, TARGET)
        ends = [p.end().join(name) for _ in range(4)]
        assert p.end().ask(name) == NOT_ALLOWED
        for end in ends[:gone]: # others close what they do not use
            end.sock.close()
        assert p.activate(sid).get("type") == "result"
        passes(ends[gone], ends[-1])
        passes(ends[-1], ends[gone])
        p.romeo.ping()
        assert all(end.is_quiet() for end in ends[gone + 1:-1])
        ends[gone].sock.close()
        ends[-1].wait_closed()
        for end in ends[gone + 1:-1]:
            end.wait_closed()
    assert p.transfers() == []
    p.server.check()


def test_so_many_are_too_many_where_it_was_told_more(own_server):
    """They have come already when a reload takes the addresses."""
    p = Proxy(own_server,
              addresses=["192.0.2.%d" % n for n in range(1, 5)])
    sid = p.sid()
    name = digest(sid, p.me, TARGET)
    ends = [p.end().join(name) for _ in range(4)]
    del p.server.conf["modules"]["proxy65"]["addresses"]
    p.server.write_conf()
    p.server.ctl("reload")
    assert p.end().ask(name) == NOT_ALLOWED
    assert p.activate(sid).get("type") == "result"
    passes(ends[0], ends[-1])
    p.server.check()


@pytest.mark.parametrize("how", sorted(CUTS))
def test_what_a_target_does_not_use_may_go(own_server, how):
    """While the transfer runs; and with it, whatever ends it."""
    p = Proxy(own_server, addresses=["192.0.2.1", "192.0.2.2"],
              idle_timeout="1m")
    for last in ("closed", "reset", "idle"):
        sid = p.sid()
        name = digest(sid, p.me, TARGET)
        ends = [p.end().join(name) for _ in range(4)]
        assert p.activate(sid).get("type") == "result"
        CUTS[how](ends[1])
        passes(ends[0], ends[-1])
        passes(ends[-1], ends[0])
        if last == "idle":
            p.server.advance(61)
        else:
            CUTS[last](ends[0])
        for end in (ends[-1], ends[2]):
            end.wait_closed()
        until(p.transfers, lambda rows: not rows)
    p.server.check()


@pytest.mark.parametrize("shards", [1, 3])
def test_nothing_passes_before_the_activation(own_server, shards):
    """What was said ahead of it comes then, all of it, and so does the end: libpurple
    sends the first block with the request, and small files whole."""
    p = Proxy(own_server, {"shards": shards})
    for i in range(20):
        frm, to = p.pair(activate=False)
        frm.say(b"early" * 1000)
        to.say(b"early, too")
        if i % 2:
            frm.end()
        p.romeo.ping()
        refuses(p.activate("another"), "item-not-found")
        assert frm.is_quiet() and to.is_quiet()
        assert p.activate("sid<&>%d" % p.serial).get("type") == "result"
        assert to.read(5000) == b"early" * 1000
        assert frm.read(10) == b"early, too"
        if i % 2:
            assert to.rest() == b""
        else:
            passes(frm, to, b"now")
        passes(to, frm, b"now")
    p.server.check()


def test_a_file_that_was_sent_and_closed_before_arrives(own_server):
    p = Proxy(own_server)
    frm, to = p.pair(activate=False)
    frm.say(b"a small file").sock.close()
    assert p.activate("sid<&>%d" % p.serial).get("type") == "result"
    assert to.rest() == b"a small file"
    p.server.check()


def test_who_does_not_wait_for_the_answer_is_closed(own_server):
    p = Proxy(own_server)
    assert p.end().say(HELLO + request(A_NAME) + b"x").rest() in (
        b"", b"\5\0")
    p.server.check()


def test_who_says_much_before_is_slowed(own_server):
    p = Proxy(own_server)
    one = p.end().join(A_NAME)
    one.sock.settimeout(0.5)
    with pytest.raises(TimeoutError):
        while True:
            one.say(bytes(65536))
    p.server.check()


@pytest.mark.parametrize("n", [0, 1, 300])
def test_what_is_not_activated_ends(own_server, n):
    p = Proxy(own_server, activation_timeout="1h", idle_timeout="1d")
    runs = p.pair()
    ends = [p.end().join("%040x" % i) for i in range(n)]
    for _ in range(n):
        ends += p.pair(activate=False)
    p.server.advance(50 * 60)
    passes(*runs)
    assert all(end.is_quiet() for end in ends)
    p.server.advance(11 * 60)
    for end in ends:
        end.wait_closed()
    passes(*runs)
    p.server.check()


def test_who_goes_makes_room(own_server):
    p = Proxy(own_server)
    sid = p.sid()
    name = digest(sid, p.me, TARGET)
    first, stays = p.end().join(name), p.end().join(name)
    first.sock.close()
    while (again := p.end()).ask(name) != OK:
        again.sock.close()
    assert p.activate(sid).get("type") == "result"
    passes(stays, again)
    p.server.check()


# --- relaying -----------------------------------------------------------------

def send_all(end, data, errors):
    try:
        end.say(data)
        end.end()
    except Exception as error: # told by who waits
        errors.append(error)


@pytest.mark.parametrize("size", [0, 1, 65536, 50_000_001])
def test_all_arrives_and_the_end_behind_it(own_server, size):
    p = Proxy(own_server, bytes_per_second=0)
    frm, to = p.pair()
    data, errors = random.Random(size).randbytes(size), []
    sender = threading.Thread(target=send_all, args=(frm, data, errors))
    sender.start()
    assert to.rest() == data
    sender.join()
    assert not errors
    passes(to, frm, b"thanks") # half is open
    to.sock.close()
    assert frm.rest() == b""
    assert " bytes=%d " % (size + 6) in p.ended()
    p.server.check()


def test_both_send_at_once(own_server):
    p = Proxy(own_server, bytes_per_second=0)
    ends = p.pair(small=20000)
    data = [random.Random(i).randbytes(20_000_000) for i in (1, 2)]
    errors = []
    senders = [threading.Thread(target=send_all, args=(e, d, errors))
               for e, d in zip(ends, data)]
    for sender in senders:
        sender.start()
    got = [None, None]

    def take(i):
        got[i] = ends[i].rest()
    takers = [threading.Thread(target=take, args=(i,)) for i in (0, 1)]
    for thread in takers:
        thread.start()
    for thread in takers + senders:
        thread.join()
    assert not errors and got == data[::-1]
    p.ended()
    p.server.check()


def test_who_breaks_off_resets_the_other(own_server):
    p = Proxy(own_server)
    for i in (0, 1):
        ends = p.pair()
        passes(*ends)
        ends[i].reset()
        ends[1 - i].wait_reset()
    p.server.check()


@pytest.mark.parametrize("n", [0, 1, 300])
def test_many_transfers_at_once(own_server, n):
    p = Proxy(own_server, transfers_per_user=1000)
    juliet = p.scene.online("juliet/b")
    pairs = [p.pair() for _ in range(n)]
    for i in range(n): # of somebody on another shard, perhaps
        sid = p.sid()
        name = digest(sid, juliet.jid, TARGET)
        pairs.append((p.end().join(name), p.end().join(name)))
        assert p.activate(sid, by=juliet).get("type") == "result"
    for i, (frm, to) in enumerate(pairs):
        frm.say(b"%08d" % i)
    for i, (frm, to) in enumerate(pairs):
        assert to.read(8) == b"%08d" % i
    assert len(p.transfers()) == 2 * n
    assert p.stat("transfers") == 2 * n
    assert p.stat("relayed_bytes") == 8 * 2 * n
    for i, (frm, to) in enumerate(pairs):
        if i % 3 == 0:
            frm.sock.close(), to.sock.close()
        elif i % 3 == 1:
            frm.reset()
            to.wait_reset()
        else:
            frm.sock.close()
            assert to.rest() == b""
            to.sock.close()
    until(p.transfers, lambda rows: not rows)
    assert p.stat("transfers") == 0
    p.server.check()


def test_they_are_listed(own_server):
    p = Proxy(own_server)
    pair = p.pair()
    passes(*pair, b"1234")
    row, = p.transfers()
    assert (row["user"], row["target"], row["host"], row["bytes"]) == (
        p.me.split("/")[0], TARGET, p.server.domain, 4)
    assert len(p.transfers(p.server.domain)) == 1
    p.server.check()


def said_until(end, name, at):
    """Has said the first bytes of its handshake, and heard what is answered."""
    for part in (HELLO, request(name)):
        now, at = min(at, len(part)), max(at - len(part), 0)
        end.say(part[:now])
        if now == len(part):
            end.read(2 if part is HELLO else 7 + len(name))
    return end


@pytest.mark.parametrize("how", sorted(CUTS))
def test_both_are_cut_at_every_moment(own_server, how):
    """Of the handshake, while they wait, while they are joined, and with bytes on
    their way; what of it can still be whole is."""
    p = Proxy(own_server)
    cut = CUTS[how]
    left = []
    for at in range(len(HELLO + request(A_NAME)) + 1):
        sid = p.sid()
        name = digest(sid, p.me, TARGET)
        ends = [said_until(p.end(), name, at) for _ in range(2)]
        for end in ends:
            cut(end)
        got = p.activate(sid)
        if how == "half closed" and at == len(HELLO + request(A_NAME)):
            assert got.get("type") == "result"
        elif at < len(HELLO + request(A_NAME)):
            refuses(got, "item-not-found")
        left += ends if how == "half closed" else []
    for data in (b"", b"on its way" * 10000):
        for both in (False, True):
            for joined in (False, True):
                ends = p.pair(activate=joined)
                ends[0].say(data)
                for end in ends if both else ends[:1]:
                    cut(end)
                if not joined:
                    p.activate("sid<&>%d" % p.serial)
                left += ends if how == "half closed" else ends[both * 2:][-1:]
    for end in left:
        end.sock.close()
    until(p.transfers, lambda rows: not rows)
    assert p.stat("transfers") == 0
    passes(*p.pair())
    p.server.check()


# --- bounds ---------------------------------------------------------------------

def test_a_user_has_so_many_at_once(own_server):
    p = Proxy(own_server, transfers_per_user=2)
    pairs = [p.pair(), p.pair()]
    frm, to = p.pair(activate=False)
    refuses(p.activate("sid<&>%d" % p.serial), "resource-constraint")
    frm.wait_closed(), to.wait_closed()
    pairs[0][0].reset()
    p.ended()
    pairs[0] = p.pair()
    for pair in pairs:
        passes(*pair)
    p.server.check()


def test_a_transfer_has_a_size(own_server):
    p = Proxy(own_server, transfer_bytes="1MiB")
    frm, to = p.pair()
    data = bytes(1 << 20)
    threading.Thread(target=frm.say, args=(data,)).start()
    assert to.read(len(data)) == data
    frm.end()
    assert to.rest() == b"" # just so much is not too much
    frm.sock.close(), to.sock.close()
    p.ended()
    frm, to = p.pair()
    threading.Thread(target=send_all, args=(frm, data + b"x", [])).start()
    to.wait_reset()
    p.server.process.wait_line("transfer ends.* limit=transfer_bytes")
    p.server.check()


def test_a_transfer_has_a_time(own_server):
    p = Proxy(own_server, transfer_timeout="1h", idle_timeout="40m")
    frm, to = p.pair()
    for _ in range(2):
        p.server.advance(29 * 60)
        passes(frm, to)
    p.server.advance(3 * 60)
    frm.wait_reset(), to.wait_reset()
    assert "limit=transfer_timeout" in p.ended()
    p.server.check()


def test_an_idle_transfer_ends(own_server):
    p = Proxy(own_server, idle_timeout="1m")
    frm, to = p.pair()
    other = p.pair()
    for _ in range(3):
        p.server.advance(50)
        passes(to, frm)
        other[0].say(b"x")
        other[1].read(1)
    other[0].end() # half of it is closed: that does not keep it
    assert other[1].rest() == b""
    p.server.advance(50)
    passes(to, frm)
    p.server.advance(11)
    other[0].wait_reset()
    assert "limit=idle_timeout" in p.ended()
    passes(frm, to)
    p.server.check()


def test_a_user_has_a_rate(own_server):
    """By the server's clock: what may go in no time, and then in each second."""
    p = Proxy(own_server, bytes_per_second="1MiB", transfers_per_user=10)
    pairs = [p.pair() for _ in range(3)]
    stop = threading.Event()
    got = [0] * len(pairs)

    def send(end):
        try:
            while not stop.is_set():
                end.say(bytes(65536))
        except OSError:
            pass

    def take(i):
        try:
            while data := pairs[i][1].sock.recv(1 << 20):
                got[i] += len(data)
        except OSError:
            pass
    threads = [threading.Thread(target=send, args=(p_[0],)) for p_ in pairs]
    threads += [threading.Thread(target=take, args=(i,)) for i in range(3)]
    start = time.monotonic()
    for thread in threads:
        thread.start()
    while sum(got) < 4 << 20:
        pass
    took = time.monotonic() - start
    stop.set()
    for pair in pairs:
        pair[0].reset()
        pair[1].sock.close()
    for thread in threads:
        thread.join()
    assert took > 3.5, took # a quarter of a second is had at once
    assert min(got) > sum(got) / 10, got # nobody starves
    p.server.check()


def test_what_went_without_a_rate_is_no_debt(own_server):
    """A user has a transfer that has no bound, and another when there is one."""
    p = Proxy(own_server, bytes_per_second=0)
    pair = p.pair()
    for _ in range(100):
        passes(*pair, bytes(200_000))
    p.server.conf["modules"]["proxy65"]["bytes_per_second"] = "1MiB"
    p.server.write_conf()
    p.server.ctl("reload")
    start = time.monotonic()
    other = p.pair()
    for _ in range(5):
        passes(*other, bytes(100_000))
    assert time.monotonic() - start < 10 # not 20
    p.server.check()


def test_an_address_has_so_many_connections(own_server):
    p = Proxy(own_server, {"limits": {"connections_per_address": 6}})
    pairs = [p.pair(), p.pair()]
    fifth = p.end().join(A_NAME)
    with pytest.raises((AssertionError, ConnectionError)):
        p.end().join(A_NAME)
    p.server.process.alarms.clear()
    for pair in pairs:
        passes(*pair)
    assert fifth.is_quiet()
    p.server.check()


# --- what happens to all ----------------------------------------------------------

def test_the_module_leaves_and_comes_again(own_server):
    p = Proxy(own_server)
    for how in ("unload", "reload"):
        runs, waits = p.pair(), p.pair(activate=False)
        passes(*runs)
        mark = p.mark()
        p.server.ctl("modules", how, "proxy65")
        for end in runs:
            end.wait_reset()
        for end in waits:
            end.wait_closed()
        p.server.process.wait_line("unloaded module=proxy65", mark)
        if how == "unload":
            assert p.romeo.iq("get", QUERY, p.domain).get("type") == "error"
            p.server.ctl("modules", "load", "proxy65")
    passes(*p.pair())
    p.server.check()


def test_a_stop_resets_transfers(own_server):
    p = Proxy(own_server)
    runs, waits = p.pair(), p.pair(activate=False)
    p.server.stop()
    for end in runs:
        end.wait_reset()
    for end in waits:
        end.wait_closed()


@pytest.mark.parametrize("seed", range(3))
def test_whatever_they_do(own_server, seed):
    """Ends that come, go, activate and send in any order; then all is gone."""
    p = Proxy(own_server, transfers_per_user=5)
    rand = random.Random(seed)
    sids = ["s%d" % i for i in range(6)]
    ends = []
    for _ in range(400):
        what = rand.random()
        sid = rand.choice(sids)
        if what < 0.4:
            end = p.end()
            end.say(HELLO + request(digest(sid, p.me, TARGET)))
            ends.append(end)
        elif what < 0.6:
            p.activate(sid)
        elif ends and what < 0.8:
            try:
                rand.choice(ends).say(rand.randbytes(rand.randrange(1, 9999)))
            except OSError:
                pass
        elif ends:
            end = ends.pop(rand.randrange(len(ends)))
            end.reset() if rand.random() < 0.5 else end.sock.close()
    for end in ends:
        end.sock.close()
    until(p.transfers, lambda rows: not rows)
    passes(*p.pair())
    p.server.check()
