"""Sessions that survive a restart of the daemon: saved at an orderly stop, and
found again, resumed by a toy of stream management (mod_testresume)."""

import resource
import signal
import sqlite3

import pytest

import scene as scenes
from client import Client
from process import Failed
from test_disk import Limit

pytestmark = pytest.mark.only("antiphon")

RESUME = "urn:antiphon:test:resume"
STANZAS = ("message", "presence", "iq")


class Device:
    """A client that counts what comes, and can resume."""

    def __init__(self, scene, name):
        self.scene, self.name = scene, name
        account, _, self.resource = name.partition("/")
        self.account = scene.accounts[account]
        self.client = scene.online(name, settle=False)
        self.jid = self.client.jid
        self.seen = []
        self.client.send("<iq type='set' id='en'><enable xmlns='%s'/></iq>"
                         % RESUME)
        while self.client.next("to be resumable").get("id") != "en":
            pass # it does not count
        self.h = 1

    def collect(self):
        for e in self.client.inbox:
            assert e.name in STANZAS, str(e)
            self.h += 1
            self.seen.append(e)
        self.client.inbox.clear()

    def wait_cut(self):
        """The server stops: the end comes without a closing tag."""
        client = self.client
        client.wait_end()
        assert not client.reader.closed
        self.collect()

    def resume(self, ok=True):
        client = Client(self.scene.server, self.name)
        client.secure().auth(self.account.name, self.account.password)
        client.jid = self.jid
        client.send("<resume xmlns='%s' resource='%s' h='%d'/>"
                    % (RESUME, self.resource, self.h))
        got = client.next("an answer to resume")
        assert got.name == ("resumed" if ok else "failed"), str(got)
        self.client = self.scene.sessions[self.name] = client
        return self

    def ping(self):
        """All that waited has come."""
        self.client.ping()
        # the answer, too
        self.h += 1
        self.collect()

    def wait(self, what, wanted):
        """Until such a stanza has come."""
        while not any(wanted(e) for e in self.seen):
            self.client.inbox.insert(0, self.client.next(what))
            self.collect()

    def wait_presence(self, jid):
        self.wait("presence of " + jid, lambda e:
                  e.is_("presence") and e.get("from") == jid)

    def wait_message(self, id_):
        self.wait("message " + id_, lambda e: e.get("id") == id_)

    def ids(self):
        return [e.get("id") for e in self.seen if e.is_("message")]

    def presences(self):
        return [(e.get("from"), e.get("type")) for e in self.seen
                if e.is_("presence")]


def meet(scene, *names):
    """Devices that have seen each other come."""
    devices = [Device(scene, name) for name in names]
    for _ in range(2):
        for d in devices:
            for other in devices:
                d.client.send("<message to='%s' type='headline'/>" % other.jid)
            d.ping()
    for d in devices:
        d.ping()
        d.seen.clear()
    return devices


def stop(server, *devices):
    """The server ends, and all of them see it."""
    process = server.process
    process.signal(signal.SIGTERM)
    for d in devices:
        d.wait_cut()
    server.stop()
    return process


def stored(server):
    """Whose sessions lie in the store."""
    path = server.conf["storage"]["path"]
    with sqlite3.connect(path) as db:
        return {r[0] for r in db.execute(
            "SELECT owner FROM map WHERE name = 'sessions'")}


@pytest.fixture
def house(own_server):
    """Two contacts, and one who knows neither; all can resume, if they ask."""
    server = own_server({"modules": {"testresume": {"sleep": "1h"}}})
    scene = scenes.Scene(server, ("romeo", "juliet", "mercutio"))
    scene.subscribe("romeo", "juliet")
    scene.subscribe("juliet", "romeo")
    yield scene
    scene.end()


def say(sender, to, *ids):
    for i in ids:
        sender.client.send("<message to='%s' id='%s' type='chat'><body>%s"
                           "</body></message>" % (to, i, i))


def test_a_restart_is_like_a_broken_link(house):
    romeo, juliet = meet(house, "romeo/orchard", "juliet/balcony")
    say(romeo, juliet.jid, "a")
    juliet.wait_message("a")
    process = stop(house.server, romeo, juliet)
    process.wait_line(r"sessions were saved n=2")
    house.server.conf["shards"] = 3
    house.server.start()
    house.server.process.wait_line(
        r"sessions of the last stop are back accounts=2")
    juliet.resume()
    say(juliet, romeo.jid, "b", "c")
    juliet.ping()
    romeo.resume().wait_message("c")
    assert romeo.ids() == ["b", "c"]
    assert juliet.ids() == ["a"]
    # nobody has come or gone
    assert romeo.presences() == [] and juliet.presences() == []
    romeo.client.send("<presence to='%s' type='probe'/>"
                      % house.binds["juliet"])
    romeo.client.send("<presence><show>away</show></presence>")
    romeo.wait_presence(juliet.jid)
    juliet.wait_presence(romeo.jid)
    assert juliet.presences() == [(romeo.jid, None)]


@pytest.mark.parametrize("n", [0, 1, 2, 300])
def test_what_waits_is_there_again_twice(house, n):
    romeo, juliet = meet(house, "romeo/orchard", "juliet/balcony")
    romeo.client.reset()
    house.server.process.wait_line(r"asleep")
    ids = ["m%d" % i for i in range(n)]
    say(juliet, romeo.jid, *ids[:n // 2])
    juliet.ping()
    stop(house.server, juliet)
    house.server.start()
    juliet.resume()
    say(juliet, romeo.jid, *ids[n // 2:])
    juliet.ping()
    stop(house.server, juliet)
    house.server.start()
    romeo.resume().ping()
    assert romeo.ids() == ids
    assert juliet.resume().presences() == []


def test_who_cannot_resume_says_goodbye(house):
    romeo = Device(house, "romeo/orchard")
    juliet = house.online("juliet/balcony", settle=False)
    juliet.iq("set", scenes.BARRIER)
    juliet.send("<message to='%s' type='headline'/>" % romeo.jid)
    romeo.wait("a headline", lambda e: e.is_("message"))
    juliet.ping()
    juliet.inbox.clear()
    romeo.ping()
    romeo.seen.clear()
    house.server.process.signal(signal.SIGTERM)
    juliet.expect_error("system-shutdown")
    romeo.wait_cut()
    house.server.stop()
    house.server.start()
    romeo.resume().ping()
    assert romeo.presences() == [(juliet.jid, "unavailable")]


def test_who_comes_new_sees_who_sleeps(house):
    """Before he has been woken, too: the first who asks wakes him."""
    romeo = Device(house, "romeo/orchard")
    stop(house.server, romeo)
    house.server.start()
    juliet = house.login("juliet/balcony")
    juliet.send("<presence/>")
    juliet.take(lambda e: e.is_("presence") and e.get("from") == romeo.jid,
                "the presence of romeo")
    romeo.resume().wait_presence(juliet.jid)
    assert romeo.presences() == [(juliet.jid, None)]


def test_a_state_is_good_for_one_start(house):
    """What a crash has lost does not come back from the stop before."""
    romeo = Device(house, "romeo/orchard")
    stop(house.server, romeo)
    house.server.start()
    house.server.process.wait_line(r"sessions of the last stop are back")
    romeo.resume()
    house.server.kill9()
    romeo.client.drop()
    house.server.start()
    romeo.resume(ok=False)
    romeo.client.close()
    house.server.restart()
    romeo.resume(ok=False)
    romeo.client.close()


def test_a_crash_while_they_are_woken(house):
    """Each comes back once: at this start, or at the one behind the crash."""
    server = house.server
    names = ["u%d" % i for i in range(160)]
    house.add_accounts(*names)
    devices = [Device(house, n + "/x") for n in names]
    stop(server, *devices)
    left = [stored(server)]
    assert len(left[0]) == len(names)
    server.conf["shards"] = 1
    while len(left) < 4:
        server.start()
        server.process.wait_line(r"asleep")
        server.kill9()
        left.append(stored(server))
        assert left[-1] <= left[-2]
        if not left[-1]:
            break
    print("left after each crash:", [len(some) for some in left])
    server.start()
    for d in devices[::20] + [d for d in devices
                              if d.account.name in left[-1]][:20]:
        d.resume(ok=d.account.name in left[-1])
    if left[-1]:
        server.process.wait_line(r"sessions of the last stop are back")
    assert not stored(server)


# --- what does not fit ----------------------------------------------------------


def change(server, *statements):
    with sqlite3.connect(server.conf["storage"]["path"]) as db:
        for statement in statements:
            db.execute(*statement)


def leave_waiting(house):
    """romeo is gone, a message waits for him, and the server is down."""
    romeo, juliet = meet(house, "romeo/orchard", "juliet/balcony")
    romeo.client.reset()
    house.server.process.wait_line(r"asleep")
    say(juliet, romeo.jid, "waits")
    juliet.ping()
    stop(house.server, juliet)
    return romeo, juliet


def check_gone(house, romeo, juliet, kept=True):
    """His contacts have been told that he has gone, and what waited is kept."""
    juliet.resume().wait_presence(romeo.jid)
    assert juliet.presences() == [(romeo.jid, "unavailable")]
    romeo.resume(ok=False)
    romeo.client.close()
    if kept:
        c = house.login("romeo/orchard")
        c.send("<presence/>")
        got = c.take(lambda e: e.get("id") == "waits", "what waited")
        assert got.child("delay", "urn:xmpp:delay") is not None


VALUE = "UPDATE map SET value = %s WHERE name = 'sessions' AND owner = ?"


def test_another_version_ends_by_the_table(house):
    romeo, juliet = leave_waiting(house)
    change(house.server, (VALUE % "replace(value, 'version=''1''', "
                          "'version=''99''')", (romeo.account.name,)))
    process = house.server.start().process
    process.wait_line(r"a saved session is dropped account=%s.*version"
                      % romeo.account.jid)
    check_gone(house, romeo, juliet)
    assert sum("is dropped" in line for line in process.lines) == 1


def test_damage_is_no_way_in(house):
    romeo, juliet = leave_waiting(house)
    change(house.server, (VALUE % "'<session'", (romeo.account.name,)))
    house.server.start().process.wait_line(r"a saved session is dropped")
    check_gone(house, romeo, juliet, kept=False)


def test_what_is_of_another_stop_is_forgotten(house):
    """As that of a domain that was not served at the last start."""
    romeo, juliet = leave_waiting(house)
    change(house.server, (VALUE % "replace(value, 'stop=''', 'stop=''x')",
                          (romeo.account.name,)))
    house.server.start().process.wait_line(r"it is of another stop")
    check_gone(house, romeo, juliet)


def test_without_its_module_a_session_ends(house):
    romeo, _ = leave_waiting(house)
    house.server.conf["modules"]["testresume"] = "no"
    house.server.start().process.wait_line(r"module .* is not in force")
    c = house.login("romeo/orchard")
    c.send("<presence/>")
    c.take(lambda e: e.get("id") == "waits", "what waited")
    assert not stored(house.server)


def test_fewer_sessions_are_allowed_than_there_were(house):
    names = ["romeo/r%d" % i for i in range(5)]
    devices = [Device(house, name) for name in names]
    stop(house.server, *devices)
    house.server.conf["limits"] |= {"sessions_per_account": "3"}
    house.server.start().process.wait_line(r"sessions of the last stop")
    there = house.server.ctl("sessions", house.accounts["romeo"].jid)
    assert there.count("/r") == 3, there


def test_an_account_that_is_gone_has_no_sessions(house):
    """The control program needs the server; somebody else has removed it."""
    romeo, juliet = leave_waiting(house)
    assert house.server.ctl("deluser", romeo.account.jid,
                            ok=False).returncode != 0
    assert house.server.ctl("passwd", romeo.account.jid, stdin="other\n",
                            ok=False).returncode != 0
    change(house.server, ("DELETE FROM map WHERE name = 'account' AND "
                          "owner = ?", (romeo.account.name,)))
    house.server.start().process.wait_line(r"there is no such account")
    juliet.resume().ping()
    assert not stored(house.server)


@pytest.mark.parametrize("command", ["passwd", "deluser", "kick"])
def test_what_ends_sessions_ends_those_that_have_come_back(house, command):
    romeo, juliet = leave_waiting(house)
    house.server.start()
    house.server.ctl(command, romeo.account.jid,
                     stdin="other word\n" if command == "passwd" else None)
    juliet.resume().wait_presence(romeo.jid)
    assert (romeo.jid, "unavailable") in juliet.presences()


# --- disks ----------------------------------------------------------------------


def no_signal():
    """What is written above the limit fails, and does not kill."""
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)


def no_writes():
    no_signal()
    resource.setrlimit(resource.RLIMIT_FSIZE, (1, resource.RLIM_INFINITY))


def test_a_full_disk_at_the_stop_is_as_a_crash(house):
    house.server.stop()
    house.server.before = no_signal
    house.server.start()
    romeo = Device(house, "romeo/orchard")
    Limit(house.server).fill()
    process = stop(house.server, romeo)
    process.wait_line(r"sessions could not be saved in time, they are lost as "
                      r"by a crash n=1")
    house.server.start()
    romeo.resume(ok=False)


def test_a_full_disk_at_the_start_keeps_them(house):
    romeo = Device(house, "romeo/orchard")
    stop(house.server, romeo)
    house.server.before = no_writes
    with pytest.raises(Failed):
        house.server.start()
    process, house.server.process = house.server.process, None
    assert process.wait() != 0
    process.wait_line("cannot start")
    house.server.before = None
    assert stored(house.server) == {romeo.account.name}
    house.server.start()
    romeo.resume().ping()


def test_a_database_that_is_held_does_not_hold_the_stop(house):
    romeo = Device(house, "romeo/orchard")
    db = sqlite3.connect(house.server.conf["storage"]["path"],
                         isolation_level=None)
    db.execute("BEGIN IMMEDIATE")
    process = stop(house.server, romeo)
    process.wait_line(r"sessions could not be saved in time")
    db.close()
    house.server.start()
    romeo.resume(ok=False)
