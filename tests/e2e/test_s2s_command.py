"""What antiphonctl says of other servers, and does to their streams."""

import json
import re
import socket

import pytest

from client import Client
from process import Failed
from s2s_peer import conf, Host, PEER, Peer

pytestmark = pytest.mark.only("antiphon")

OURS = "antiphon.test"


@pytest.fixture
def server(own_server, authority, host):
    return own_server(conf({"remotes": host.remotes()},
                           authorities=authority.cert))


def rows(server, *args):
    return [json.loads(line) for line in
            server.ctl("--json", "s2s", *args).splitlines()]


def facts(server, direction):
    return {row["what"]: row["text"] for row in rows(server, "show", PEER)
            if row["direction"] == direction}


def user(server, domain=OURS):
    server.adduser("romeo", "secret", domain)
    client = Client(server, "romeo")
    client.domain = domain
    client.login("romeo", "secret", "home")
    client.send("<presence/>")
    client.ping()
    client.inbox.clear()
    return client


def write(client, to="juliet@" + PEER, body="hi"):
    client.send("<message type='chat' to='%s'><body>%s</body></message>" % (
        to, body))


def come(server, authority, kind="good"):
    return Peer(server, PEER, authority.issue(kind, PEER)).secure()


def logged(server, text):
    with open(server.process.log_path) as log:
        return [line for line in log if text in line]


# --- list, show -----------------------------------------------------------------


def test_nothing_is_listed(server):
    assert rows(server, "list") == []
    (row,) = rows(server, "show", PEER)
    assert row["what"] == "state" and "nothing is known of it" in row["text"]


def test_both_directions(server, host, authority):
    romeo = user(server)
    write(romeo)
    host.wait_stream().wait(lambda e: e.name == "message", "the message")
    peer = come(server, authority).external()
    peer.send("<message from='juliet@%s/x' to='%s'><body>yes</body></message>"
              % (PEER, romeo.jid))
    romeo.next()
    listed = sorted(rows(server, "list"),
                    key=lambda r: r["direction"], reverse=True)
    assert [(r["domain"], r["ours"], r["direction"], r["state"], r["by"],
             r["tls"], r["sent"], r["received"], r["waits"], r["waits_bytes"])
            for r in listed] == [
        (PEER, OURS, "out", "up", "EXTERNAL", "TLSv1.3", 1, 0, 0, 0),
        (PEER, OURS, "in", "up", "EXTERNAL", "TLSv1.3", 0, 1, 0, 0)]
    assert all(r["since"] for r in listed)
    out, come_in = facts(server, "out"), facts(server, "in")
    assert out["address"] == "127.0.0.1:%d" % host.port
    assert out["target"] == "127.0.0.1"
    assert out["stanzas"] == "1 sent, 0 received"
    assert come_in["stanzas"] == "0 sent, 1 received"
    for shown in (out, come_in):
        assert shown["state"] == "up"
        assert shown["certificate"].startswith("is for " + PEER)
    peer.close()


def test_a_stream_that_comes_up(own_server, authority):
    """Of one that waits for an answer to its SASL, and one that has shown nothing."""
    host = Host(PEER, authority.issue("good", PEER))
    host.on_element = lambda stream, e: e.name == "auth"
    server = own_server(conf({"remotes": host.remotes()},
                             authorities=authority.cert))
    write(user(server))
    host.wait_stream().wait(lambda e: e.name == "auth", "SASL")
    peer = come(server, authority, "expired")
    out, come_in = facts(server, "out"), facts(server, "in")
    assert out["state"] == "coming up"
    assert re.fullmatch("1 stanzas, [0-9]+ bytes", out["waits"])
    assert out["waits for"] == "their answer to SASL EXTERNAL"
    assert come_in["state"] == "coming up"
    assert "authenticated by" not in come_in
    assert come_in["certificate"].startswith("not trusted: ")
    peer.close()
    host.end()


# --- failures ---------------------------------------------------------------------


def failures(server, direction):
    found = []
    for row in rows(server, "show", PEER):
        if (row["what"], row["direction"]) == ("failure", direction):
            times = re.search("the last of ([0-9]+) since", row["text"])
            found.append((row["ours"], int(times[1]) if times else 1,
                          row["text"]))
    return found


def test_failures_of_both_directions(own_server, authority):
    """Each is told once, and counted, until something has come up."""
    host = Host(PEER, authority.issue("self-signed", PEER))
    server = own_server(conf(
        {"remotes": host.remotes(), "s2s": {"backoff_max": "1s"}},
        authorities=authority.cert, policy="required-trusted"))
    romeo = user(server)
    write(romeo)
    assert "remote-server-timeout" in str(romeo.next())
    (ours, times, reason), = failures(server, "out")
    assert (ours, times) == (OURS, 1)
    assert "their certificate is not trusted: is for " + PEER in reason
    for n in (1, 2, 3):
        peer = come(server, authority, "expired")
        assert peer.result() == "not-authorized"
        peer.close()
        (ours, times, reason), = failures(server, "in")
        assert (ours, times) == (OURS, n)
        assert "their certificate is not trusted" in reason
        assert "has expired on" in reason
    assert len(logged(server, "server refused domain=" + PEER)) == 1
    peer = come(server, authority).external()
    peer.ping()
    peer.close()
    peer = come(server, authority, "expired")
    assert peer.result() == "not-authorized"
    assert failures(server, "in")[0][1] == 4
    assert len(logged(server, "server refused domain=" + PEER)) == 2
    host.end()


def test_a_dead_domain_is_dead_for_all_hosts(own_server, authority):
    """The second is answered without an attempt, until a stream comes from there."""
    nobody = socket.socket()
    nobody.bind(("127.0.0.1", 0)) # and does not listen
    server = own_server(conf({"remotes": {PEER: {
        "address": "127.0.0.1", "port": nobody.getsockname()[1]}}},
        authorities=authority.cert))
    users = [user(server), user(server, server.other_domain)]
    for each in users * 2:
        write(each)
        assert "remote-server-timeout" in str(each.next())
    (ours, times, _), = failures(server, "out")
    assert ours == OURS and times <= 2
    assert len(logged(server, "cannot be reached")) == 1
    peer = come(server, authority).external()
    peer.ping()
    write(users[1])
    assert "remote-server-timeout" in str(users[1].next())
    assert failures(server, "out")[0][1] == times + 1
    peer.close()
    nobody.close()


def test_what_one_host_fails_by_is_its_own(own_server, authority):
    host = Host(PEER, authority.issue("good", PEER), external=False)

    def refuse(stream, e):
        refused = e.name == "result" and e.get("from") == OURS
        if refused:
            stream.say("result", e, "invalid")
        return refused
    host.on_element = refuse
    server = own_server(conf({"remotes": host.remotes()},
                             authorities=authority.cert))
    one, other = user(server), user(server, server.other_domain)
    write(one)
    assert "internal-server-error" in str(one.next()) # XEP-0220 §2.1.1
    write(other)
    host.wait_stream(2).wait(lambda e: e.name == "message", "the message")
    host.end()


def test_strangers_fill_nothing(own_server, authority):
    """Hundreds of names from one address, and then one from another."""
    server = own_server(conf(policy="required-trusted"))
    for i in range(200):
        peer = Peer(server, "d%d.example" % i).secure()
        assert peer.result() == "not-authorized"
        peer.close()
    kept = [i for i in range(200)
            if rows(server, "show", "d%d.example" % i)[0]["what"] == "failure"]
    assert 199 in kept and len(kept) <= 64


# --- close ------------------------------------------------------------------------


def test_close(server, host, authority):
    romeo = user(server)
    write(romeo)
    host.wait_stream().wait(lambda e: e.name == "message", "the message")
    peer = come(server, authority).external()
    peer.ping()
    server.ctl("s2s", "close", PEER)
    peer.expect_closed()
    write(romeo, body="again")
    host.wait_stream(2).wait(lambda e: e.name == "message", "the message")
    server.ctl("s2s", "close", PEER)


@pytest.mark.parametrize("command", ("close", "show"))
def test_domains_that_are_ours(server, command):
    with pytest.raises(Failed, match="is a domain of ours"):
        server.ctl("s2s", command, OURS)


def test_nothing_to_close(server):
    with pytest.raises(Failed, match="there is no stream to peer.example"):
        server.ctl("s2s", "close", PEER)
