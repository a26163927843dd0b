"""Components (XEP-0114): who may connect, what goes to and fro, what happens when
one is away, slow, or not to be trusted."""

import asyncio
import json
import re
import socket
import threading
import time

import pytest

from antiphon import DOMAIN, OTHER_DOMAIN
from client import Closed, PATIENCE
from component import ACCEPT, Component, conf, domain_of
from scene import Scene
from sm import ask, enable
from test_sm import authenticated, resume
from xmltree import Mismatch

pytestmark = pytest.mark.only("antiphon")

IRC = domain_of("irc")
ITEMS = "<query xmlns='http://jabber.org/protocol/disco#items'/>"


def condition(e):
    """The condition of an error stanza."""
    assert e.get("type") == "error", str(e)
    return [c.name for c in e.child("error").elems()
            if c.name != "text"][0]


def message(to, id_, body="x", frm=None):
    return ("<message to='%s' id='%s' type='chat'%s><body>%s</body></message>"
            % (to, id_, " from='%s'" % frm if frm else "", body))


def ids(c, n):
    return [c.next("message %d of %d" % (i + 1, n)).get("id")
            for i in range(n)]


def online(server, *names):
    scene = Scene(server, {n.partition("/")[0]: 0 for n in names})
    return [scene, *(scene.online(n) for n in names)]


# --- to and fro ----------------------------------------------------------------


def test_stanzas_go_both_ways_whatever_the_address(own_server):
    server = own_server(conf(irc={}))
    scene, romeo = online(server, "romeo/orchard")
    irc = Component(server, "irc").login()
    for who in (IRC, "nurse@" + IRC, "nurse@%s/hall" % IRC):
        romeo.send(message(who, "1", "hi"))
        irc.expect("<message from='%s' to='%s' id='1' type='chat'>"
                   "<body>hi</body></message>" % (romeo.jid, who))
        irc.send(message(romeo.jid, "2", "ho", who))
        romeo.expect("<message from='%s' id='2' type='chat'><body>ho</body>"
                     "<any/></message>" % who)
    scene.end()
    irc.close()


def test_stanzas_are_in_the_language_of_the_stream(own_server):
    """RFC 6120 §4.7.4"""
    server = own_server(conf(irc={}))
    scene, romeo = online(server, "romeo/orchard")
    irc = Component(server, "irc").connect()
    irc.open(lang="de")
    irc.shake().next("the end of the handshake")
    irc.send(message(romeo.jid, "1"))
    romeo.expect("<message from='%s' id='1' type='chat' xml:lang='de'>"
                 "<body>x</body><any/></message>" % IRC)
    scene.end()
    irc.close()


def test_many_who_talk_to_many_there_keep_their_order(own_server):
    """Whatever the address, and whatever shard the sender is on."""
    server = own_server(conf(irc={}))
    names = ["u%d/x" % i for i in range(8)]
    scene, *users = online(server, *names)
    irc = Component(server, "irc").login()
    for i in range(40):
        for k, user in enumerate(users):
            user.send(message("c%d@%s" % (i % 5, IRC), "%d-%d" % (k, i)))
    seen = {}
    for _ in range(40 * len(users)):
        k, i = irc.next("a message").get("id").split("-")
        assert int(i) == seen.get(k, -1) + 1
        seen[k] = int(i)
    scene.end()
    irc.close()


def test_addresses_below_are_its_own_where_it_says_so(own_server):
    server = own_server(conf(irc={"subdomains": "yes"}, other={}))
    scene, romeo = online(server, "romeo/orchard")
    irc = Component(server, "irc").login()
    other = Component(server, "other").login()
    below = "x@a.b.%s" % IRC
    romeo.send(message(below, "1"))
    irc.expect(message(below, "1", frm=romeo.jid))
    irc.send(message(romeo.jid, "2", frm=below))
    assert ids(romeo, 1) == ["2"]
    romeo.send(message("x@a." + other.domain, "3"))
    assert condition(romeo.next()) == "remote-server-not-found"
    other.send(message(romeo.jid, "4", frm="x@a." + other.domain))
    other.expect_error("invalid-from")
    # one below cannot connect by itself
    deep = Component(server, "irc")
    deep.connect().open(to="a." + IRC)
    deep.expect_error("host-unknown")
    scene.end()
    irc.close()


def test_a_receipt_is_held_until_it_is_written(own_server):
    """XEP-0198 §4: nobody waits for the component itself."""
    server = own_server(conf(irc={}))
    scene, romeo = online(server, "romeo/orchard")
    irc = Component(server, "irc").login()
    enable(romeo)
    for i in range(50):
        romeo.send(message("x@" + IRC, str(i)))
    h = ask(romeo)
    while h < 50:
        h = int(romeo.take(lambda e: e.name == "a", "<a/>").get("h"))
    assert ids(irc, 50) == [str(i) for i in range(50)]
    irc.close()
    for i in range(50):
        romeo.send(message("x@" + IRC, str(i)))
    h = ask(romeo)
    while h < 100:
        h = int(romeo.take(lambda e: e.name == "a", "<a/>").get("h"))
    romeo.ping()
    assert [e.get("id") for e in romeo.inbox if e.name == "message"] == \
        [str(i) for i in range(50)]
    scene.end()


def test_disco_lists_those_that_are_there(own_server):
    server = own_server(conf({"components": {
        IRC: {"secret": "s"}, domain_of("quiet"): {"secret": "s",
                                                   "disco": "no"},
        "far.example": {"secret": "s"}}}))
    scene, romeo = online(server, "romeo/orchard")

    def items(host):
        got = romeo.iq("get", ITEMS, host)
        return {i.get("jid") for i in got.child("query").elems()}
    assert not items(DOMAIN) & {IRC, domain_of("quiet"), "far.example"}
    irc = Component(server, "irc").login()
    quiet = Component(server, "quiet").login()
    far = Component(server, "irc", "s")
    far.domain = "far.example"
    far.login()
    assert items(DOMAIN) >= {IRC, "far.example"}
    assert domain_of("quiet") not in items(DOMAIN)
    assert "far.example" in items(OTHER_DOMAIN)
    assert IRC not in items(OTHER_DOMAIN)
    for c in (irc, quiet, far):
        c.close()
    assert not items(DOMAIN) & {IRC, "far.example"}
    scene.end()


def slow_component(server, name="irc"):
    """It takes little, for it does not read."""
    irc = Component(server, name)
    irc.sock = socket.socket()
    irc.sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    irc.sock.connect(("127.0.0.1", server.port(("component", "none"))))
    irc.open()
    irc.shake()
    irc.next("the end of the handshake")
    return irc


@pytest.mark.parametrize("slow", [False, True], ids=["away", "slow"])
def test_what_waits_when_the_server_stops_goes_back(own_server, slow):
    """It was acknowledged, and is kept nowhere."""
    server = own_server(conf(irc={"queue_bytes": "1MiB"}))
    scene, romeo = online(server, "romeo/orchard")
    previd = enable(romeo).get("id")
    irc = slow_component(server) if slow else None
    n = 60
    for i in range(n):
        romeo.send(message("x@" + IRC, str(i), "x" * (100000 if slow else 9)))
    h = ask(romeo)
    while h < n:
        server.advance(5) # it rests
        h = int(romeo.take(lambda e: e.name == "a", "<a/>").get("h"))
    server.stop()
    romeo.wait_end()
    server.start()
    romeo = authenticated(scene, "romeo")
    assert resume(romeo, previd).get("h") == str(n)
    back = []
    while not back or back[-1] != str(n - 1):
        got = romeo.next()
        assert condition(got) == "remote-server-timeout"
        back.append(got.get("id"))
    assert back == [str(i) for i in range(n - len(back), n)]
    assert len(back) == n or (slow and len(back) > n // 2)
    romeo.close()
    if slow:
        irc.drop()


# --- a second connection ---------------------------------------------------------


def test_who_connects_once_more_replaces_the_first(own_server):
    server = own_server(conf(irc={}))
    scene, romeo = online(server, "romeo/orchard")
    first = Component(server, "irc").login()
    second = Component(server, "irc").login()
    first.expect_error("conflict")
    romeo.send(message(IRC, "1"))
    assert ids(second, 1) == ["1"]
    scene.end()
    second.close()


def test_who_connects_once_more_is_refused(own_server):
    server = own_server(conf(irc={"conflict": "refuse"}))
    scene, romeo = online(server, "romeo/orchard")
    first = Component(server, "irc").login()
    second = Component(server, "irc")
    second.connect().open()
    second.shake().expect_error("conflict")
    romeo.send(message(IRC, "1"))
    assert ids(first, 1) == ["1"]
    first.close()
    third = Component(server, "irc").login()
    third.close()
    scene.end()


def test_those_who_share_have_each_some_of_the_senders(own_server):
    server = own_server(conf(irc={"conflict": "share"}))
    names = ["u%d/x" % i for i in range(24)]
    scene, *users = online(server, *names)
    all_ = [Component(server, "irc").login() for _ in range(3)]

    def who_gets(n):
        for user in users:
            user.send(message("x@" + IRC, user.name))
        got = {}
        deadline = time.monotonic() + PATIENCE
        while len(got) < n:
            assert time.monotonic() < deadline
            for k, c in enumerate(all_):
                while c.has_come():
                    got[c.next().get("id")] = k
        return got
    for c in all_ * 3: # answers come to who has asked
        c.ping()
    before = who_gets(len(users))
    assert len(set(before.values())) == 3
    assert who_gets(len(users)) == before
    all_.pop(0).close()
    after = who_gets(len(users))
    # who had another one stays there
    for name, k in before.items():
        assert k == 0 or after[name] == k - 1
    scene.end()
    for c in all_:
        c.close()


def timer_of(port):
    """What the kernel waits for at the connection that was accepted at port, once
    all that was sent there is acknowledged."""
    deadline = time.monotonic() + PATIENCE
    while time.monotonic() < deadline:
        with open("/proc/net/tcp", encoding="ascii") as f:
            rows = [line.split() for line in f]
        for row in rows[1:]:
            if row[1].endswith(":%04X" % port) and row[3] == "01" and \
                    row[4].startswith("00000000:"):
                return row[5].split(":")[0]
        time.sleep(0.01)
    return None


def test_one_whose_machine_is_gone_is_noticed(own_server):
    server = own_server(conf(irc={"conflict": "refuse"}))
    irc = Component(server, "irc").login()
    # for a sign of life (proc_pid_net(5)), as long as nothing is on its way
    assert timer_of(server.port(("component", "none"))) == "02"
    irc.close()


# --- away ------------------------------------------------------------------------


def test_what_waits_for_one_who_is_away_comes_in_order(own_server):
    server = own_server(conf(irc={"queue_bytes": "1MiB",
                                  "queue_stanzas": "20"}))
    scene, romeo = online(server, "romeo/orchard")
    for i in range(25):
        romeo.send(message("x@" + IRC, str(i)))
    for i in range(20, 25):
        got = romeo.next()
        assert got.get("id") == str(i)
        assert condition(got) == "resource-constraint"
        assert IRC in got.child("error").child("text").text()
    romeo.ping()
    assert not romeo.inbox
    irc = Component(server, "irc").login()
    for i in range(20):
        got = irc.next()
        assert got.get("id") == str(i)
        assert got.child("delay", "urn:xmpp:delay") is not None
    # and what it has not got when it goes waits again
    irc.close()
    romeo.send(message("x@" + IRC, "late"))
    server.advance(299)
    romeo.ping()
    assert not romeo.inbox
    server.advance(2)
    got = romeo.next()
    assert got.get("id") == "late"
    assert condition(got) == "remote-server-timeout"
    scene.end()


def test_a_reload_brings_changes_and_removes_them(own_server):
    server = own_server(conf(irc={"queue_bytes": "1MiB"}))
    scene, romeo = online(server, "romeo/orchard")
    irc = Component(server, "irc").login()
    # another one comes, and a new secret is asked of who connects next
    server.conf["components"][IRC]["secret"] = "new"
    server.conf["components"][domain_of("bot")] = {"secret": "s"}
    server.write_conf()
    assert server.ctl("reload") == ""
    irc.ping()
    bot = Component(server, "bot").login()
    romeo.send(message("x@" + bot.domain, "1"))
    assert ids(bot, 1) == ["1"]
    old = Component(server, "irc", "secret of irc")
    old.connect().open()
    old.shake()
    server.advance(1.5)
    old.expect_error("not-authorized")
    irc.close()
    romeo.send(message("x@" + IRC, "2"))
    romeo.ping()
    # what is removed ends, and what waits for it goes back
    bot.ping()
    del server.conf["components"][IRC]
    del server.conf["components"][bot.domain]
    server.write_conf()
    server.ctl("reload")
    bot.expect_error("host-gone")
    assert condition(romeo.next()) == "item-not-found"
    romeo.send(message("x@" + IRC, "3"))
    assert condition(romeo.next()) == "remote-server-not-found"
    gone = Component(server, "bot", "s")
    gone.connect().open()
    gone.expect_error("host-unknown")
    scene.end()


def test_contacts_are_told_across_a_reload(own_server):
    """What is a contact at a component, and then nobody, and then again."""
    server = own_server(conf(irc={}))
    scene, romeo = online(server, "romeo/orchard")
    irc = Component(server, "irc").login()
    for i in range(30):
        romeo.send("<presence type='subscribe' to='c%d@%s'/>" % (i, IRC))
        irc.take(lambda e: e.get("type") == "subscribe", "the request")
        irc.send("<presence type='subscribed' from='c%d@%s' to='%s'/>"
                 "<presence type='subscribe' from='c%d@%s' to='%s'/>"
                 % (i, IRC, scene.binds["romeo"], i, IRC,
                    scene.binds["romeo"]))
        romeo.take(lambda e: e.get("type") == "subscribe", "the request")
        romeo.send("<presence type='subscribed' to='c%d@%s'/>" % (i, IRC))
        irc.take(lambda e: e.get("type") == "subscribed", "the answer")
    kept = server.conf["components"].pop(IRC)

    def told(show):
        irc.ping()
        irc.inbox.clear()
        romeo.send("<presence><show>%s</show></presence>" % show)
        romeo.ping()
        got = {irc.next().get("to") for _ in range(30)}
        assert got == {"c%d@%s" % (i, IRC) for i in range(30)}
    told("away")
    server.write_conf()
    server.ctl("reload")
    irc.expect_error("host-gone")
    romeo.send("<presence><show>dnd</show></presence>")
    romeo.ping()
    server.conf["components"][IRC] = kept
    server.write_conf()
    server.ctl("reload")
    irc = Component(server, "irc").login()
    told("xa")
    scene.end()
    irc.close()


def test_commands_list_show_and_kick(own_server):
    server = own_server(conf(irc={"queue_bytes": "1MiB"}, bot={}))
    scene, romeo = online(server, "romeo/orchard")
    romeo.send(message("x@" + IRC, "1"))
    romeo.ping()
    listed = server.ctl("components", "list")
    assert re.search(r"%s +0 +1 +[1-9]" % IRC, listed), listed
    irc = Component(server, "irc").login()
    irc.ping()
    listed = server.ctl("components", "list")
    assert re.search(r"%s +1 +0 +0" % IRC, listed), listed
    assert re.search(r"%s +0 +0 +0" % domain_of("bot"), listed), listed
    shown = server.ctl("components", "show", IRC)
    assert "127.0.0.1:" in shown
    assert server.ctl("components", "kick", IRC) == ""
    irc.inbox.clear()
    irc.expect_error("policy-violation")
    for what in ("kick", "show"):
        done = server.ctl("components", what, "nobody.example", ok=False)
        assert done.returncode == 1 and "is no component" in done.stderr
    done = server.ctl("components", "kick", IRC, ok=False)
    assert done.returncode == 1 and "not connected" in done.stderr
    scene.end()


def shows(server, what):
    return json.loads(server.ctl("--json", "components", "show", what))


def test_one_that_is_away_is_shown_as_that(own_server):
    """Also when it was never there, and after a reload has taken it away."""
    server = own_server(conf(irc={"queue_bytes": "1MiB"}))
    row = shows(server, IRC)
    assert (row["peer"], row["since"], row["waits"]) == ("away", "", 0)
    irc = Component(server, "irc").login()
    assert shows(server, IRC)["peer"].startswith("127.0.0.1:")
    before = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime())
    irc.close()
    scene, romeo = online(server, "romeo/orchard")
    romeo.send(message("x@" + IRC, "1"))
    romeo.ping()
    row = shows(server, IRC)
    assert row["peer"] == "away" and row["since"] >= before
    assert row["waits"] == 1 and row["waits_bytes"] > 0
    kept = server.conf["components"].pop(IRC)
    server.write_conf()
    server.ctl("reload")
    server.conf["components"][IRC] = kept
    server.write_conf()
    server.ctl("reload")
    assert shows(server, IRC)["since"] == ""
    scene.end()


# --- hostile -------------------------------------------------------------------


def guess(server):
    c = Component(server, "irc", secret="guess")
    c.connect().open()
    return c.shake()


def test_a_wrong_secret_is_told_after_a_while(own_server):
    server = own_server(conf(irc={}))
    right = Component(server, "irc").login()
    wrong = guess(server)
    # nothing more is read of it
    wrong.send(message("romeo@" + DOMAIN, "1", frm=IRC))
    right.ping()
    assert not wrong.has_come()
    server.advance(1.5)
    wrong.expect_error("not-authorized")
    right.ping()
    right.close()


def test_guesses_are_slowed_and_the_right_secret_has_its_turn(own_server):
    server = own_server(conf({"limits": {"auth_failures_per_account": "5"}},
                             irc={}))
    for _ in range(5):
        wrong = guess(server)
        server.process.wait_line("the secret is wrong")
        server.advance(1.1)
        wrong.expect_error("not-authorized")
    # the sixth waits, and so does the right one behind it
    sixth = guess(server)
    right = Component(server, "irc")
    right.connect().open()
    right.shake()
    assert not right.has_come()
    server.advance(2.1)
    server.advance(2.1)
    right.expect("<handshake xmlns='%s'/>" % ACCEPT)
    server.advance(2.1)
    sixth.expect_error("not-authorized")
    # no more than some wait
    many = [guess(server) for _ in range(10)]
    server.process.wait_line("too many were wrong before")
    server.advance(1.1)
    server.advance(20)
    server.advance(2)
    for c in many:
        c.expect_error("not-authorized")
    right.ping()
    right.close()


def test_what_does_not_come_to_an_end_is_ended(own_server):
    server = own_server(conf({"limits": {"login_timeout": "10s"}}, irc={}))
    silent = Component(server, "irc").connect().restart()
    half = Component(server, "irc")
    half.connect().open()
    begun = Component(server, "irc")
    begun.connect().open()
    begun.send("<handshake>abc")
    endless = Component(server, "irc").connect().restart()
    endless.send("<stream:stream xmlns='%s' " % ACCEPT)
    for c in (half, begun):
        assert not c.has_come()
    server.advance(11)
    for c in (silent, half, begun, endless):
        c.expect_error("connection-timeout")
    # one attribute after the other, and one that never ends
    for more in (("a%d='x' ", 5000), ("x" * 100, 5000)):
        c = Component(server, "irc").connect().restart()
        c.send("<stream:stream to='")
        with pytest.raises((OSError, Closed, Mismatch)):
            for i in range(more[1]):
                c.send(more[0] % i if "%d" in more[0] else more[0])
            c.expect_error("policy-violation|not-well-formed")
            raise Closed("as it should")
        c.drop()
    Component(server, "irc").login().close()


def test_stanzas_have_the_bounds_of_all(own_server):
    server = own_server(conf(irc={}))
    for text, cond in (
            ("<message><body>" + "x" * 300000, "policy-violation"),
            ("<message>" + "<a>" * 100, "policy-violation"),
            ("<message><!-- c --></message>", "restricted-xml"),
            ("<message></presence>", "not-well-formed"),
            ("<handshake/>", "unsupported-stanza-type"),
            ("<message xmlns='jabber:server'/>", "unsupported-stanza-type"),
            ("<nothing/>", "unsupported-stanza-type")):
        c = Component(server, "irc").login()
        try:
            c.send(text)
        except OSError:
            pass
        c.expect_error(cond)
    # a handshake is small
    c = Component(server, "irc")
    c.connect().open()
    c.send("<handshake>" + "x" * 20000)
    c.expect_error("policy-violation")


def test_a_flood_is_read_at_the_rate_that_it_may_have(own_server):
    server = own_server(conf(irc={"stanzas_per_second": "100"}))
    scene, romeo = online(server, "romeo/orchard")
    irc = Component(server, "irc").login()
    n = 1000
    irc.send("".join(message(romeo.jid, str(i), frm=IRC) for i in range(n)))
    for first in range(0, n, 50):
        assert ids(romeo, 50) == [str(first + i) for i in range(50)]
        server.advance(1)  # what it may have is no more than that of a second
    scene.end()
    irc.close()


def test_a_storm_of_connections_leaves_one(own_server):
    """All of them know the secret: the last one stays, and nothing is lost that
    came before."""
    server = own_server(conf(irc={}))
    scene, romeo = online(server, "romeo/orchard")
    last = None
    got = []
    for i in range(60):
        new = Component(server, "irc").login()
        romeo.send(message("x@" + IRC, str(i)))
        got.append(new.next().get("id"))
        if last is not None:
            last.expect_error("conflict")
        last = new
    assert got == [str(i) for i in range(60)]
    # and some that break off at any moment
    for i in range(60):
        c = Component(server, "irc").connect()
        if i % 3 > 0:
            c.open()
        if i % 3 > 1:
            c.shake()
        c.reset()
    Component(server, "irc").login().close()
    assert re.search(r"%s +0 +0 +0" % IRC, server.ctl("components", "list"))
    scene.end()


def test_one_who_does_not_read_is_cut_and_costs_himself(own_server):
    """What it has not got goes back to those who sent it, and they are slowed."""
    server = own_server(conf({"limits": {"write_queue_bytes": "256KiB",
                                         "write_queue_max_bytes": "64MiB"}},
                             irc={}, bot={}))
    scene, romeo, juliet = online(server, "romeo/orchard", "juliet/balcony")
    irc = slow_component(server)
    n = 100
    for i in range(n):
        romeo.send(message("x@" + IRC, str(i), "x" * 100000))
    bot = Component(server, "bot").login()
    juliet.send(message("x@" + bot.domain, "1"))
    assert ids(bot, 1) == ["1"]
    for _ in range(40):
        server.advance(10)
    server.process.wait_line("cut off")
    back = []
    while not back or back[-1] != str(n - 1):
        got = romeo.next()
        assert condition(got) == "remote-server-timeout"
        back.append(got.get("id"))
    # what the kernel had, nobody knows; the rest came back, in order
    assert back == [str(i) for i in range(n - len(back), n)]
    assert len(back) > n // 2
    irc.drop()
    scene.end()
    bot.close()


def stat(server, name):
    return int(re.search(r"^%s +(\d+)$" % name, server.ctl("stats"),
                         re.M).group(1))


@pytest.mark.parametrize("whom", ["irc", "flood"])
def test_one_who_floods_another_is_slowed_itself(own_server, whom):
    """Or itself, so that it cuts nobody off; and what others send arrives."""
    server = own_server(conf(irc={}, flood={}, bot={}))
    scene, juliet = online(server, "juliet/balcony")
    irc = slow_component(server, whom)
    flood = irc if whom == "flood" else Component(server, "flood").login()
    bot = Component(server, "bot").login()
    n = 300
    out = "".join(message("x@" + irc.domain, str(i), "x" * 100000,
                          "y@" + flood.domain) for i in range(n))
    sends = threading.Thread(target=flood.send, args=(out,), daemon=True)
    sends.start()
    while not stat(server, "link_bytes"):
        pass
    for _ in range(5):
        server.advance(1)
        bot.ping()
        bot.send(message(juliet.jid, "1", frm=bot.domain))
        juliet.take(lambda e: e.name == "message", "a message")
        juliet.send(message("x@" + bot.domain, "2"))
        assert ids(bot, 1) == ["2"]
    # write_queue_max_bytes
    assert stat(server, "link_bytes_highest") < 16 << 20
    # all of it comes when it reads
    for i in range(n):
        assert irc.next("a message").get("id") == str(i)
    sends.join(PATIENCE)
    flood.ping()
    scene.end()
    bot.close()


# --- somebody else's library ------------------------------------------------------


async def play(server, romeo):
    slixmpp = pytest.importorskip("slixmpp")
    from slixmpp.componentxmpp import ComponentXMPP
    irc = ComponentXMPP(IRC, "secret of irc", "127.0.0.1",
                        server.port(("component", "none")))
    irc.register_plugin("xep_0030")
    irc.register_plugin("xep_0199")
    ready = asyncio.get_event_loop().create_future()
    came = asyncio.Queue()
    irc.add_event_handler("session_start",
                          lambda _: ready.done() or ready.set_result(None))
    irc.add_event_handler("message", came.put_nowait)
    irc.connect()
    await asyncio.wait_for(ready, PATIENCE)
    romeo.send(message("nurse@" + IRC, "1", "hello"))
    got = await asyncio.wait_for(came.get(), PATIENCE)
    assert got["body"] == "hello" and got["from"] == romeo.jid
    irc.send_message(mto=romeo.jid, mfrom="nurse@" + IRC, mbody="hi",
                     mtype="chat")
    await irc["xep_0199"].ping(DOMAIN, ifrom=IRC, timeout=PATIENCE)
    info = await irc["xep_0030"].get_info(jid=DOMAIN, ifrom=IRC,
                                          timeout=PATIENCE)
    assert ("server", "im") in {i[:2] for i in
                                info["disco_info"]["identities"]}
    await asyncio.wait_for(irc.disconnect(), PATIENCE)


def test_a_component_of_slixmpp(own_server):
    pytest.importorskip("slixmpp")
    server = own_server(conf(irc={}))
    scene, romeo = online(server, "romeo/orchard")
    loop = asyncio.new_event_loop()
    asyncio.set_event_loop(loop)
    loop.run_until_complete(play(server, romeo))
    for task in asyncio.all_tasks(loop): # slixmpp leaves some behind
        task.cancel()
    loop.run_until_complete(asyncio.sleep(0))
    loop.close()
    romeo.expect("<message from='nurse@%s' type='chat' id='*'>"
                 "<body>hi</body><any/></message>" % IRC)
    scene.end()
