"""A disk that takes no writes: full, read-only, or broken.  What would be stored is refused,
all else goes on, nobody is disconnected, and it ends by itself.

The database lies on a small tmpfs, which needs root; or a limit on the size of
files stands in for a disk that answers with errors, and immutable files for one
that has become read-only.
"""

import json
import os
import signal
import subprocess
import threading

import pytest

import scene as scenes
from client import Client
from process import PATIENCE, Failed

pytestmark = pytest.mark.only("antiphon")
NONE = r"the disk takes no writes"
AGAIN = r"the disk takes writes again"
LATER = "Nothing can be stored at the moment, try again later"
ITEM = ("<query xmlns='jabber:iq:roster'><item jid='%s@x.test' name='n'/>"
        "</query>")
CARD = "<vCard xmlns='vcard-temp'><FN>%s</FN></vCard>"
PRIVATE = "<query xmlns='jabber:iq:private'><x xmlns='urn:%s'>y</x></query>"
REGISTER = ("<query xmlns='jabber:iq:register'><username>%s</username>"
            "<password>a new password</password></query>")


class Tmpfs:
    """A folder on a disk of its own, larger than what SQLite writes before it
    tidies up; fill() leaves no byte of it."""

    why = "disk"

    def __init__(self, path):
        self.path = path
        self.ballast = os.path.join(path, "ballast")
        os.mkdir(path)
        done = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=48m", "tmpfs",
                               path], capture_output=True, text=True)
        if done.returncode != 0:
            pytest.skip("no tmpfs can be mounted here: " + done.stderr)

    def fill(self):
        with open(self.ballast, "ab", buffering=0) as f:
            for size in (65536, 4096):
                try:
                    while True:
                        f.write(b"x" * size)
                except OSError:
                    pass

    def free(self):
        os.unlink(self.ballast)

    def close(self):
        subprocess.run(["umount", "-l", self.path], check=True)


class Limit:
    """For a disk that answers with an error whatever is written."""

    why = "disk"

    def __init__(self, server):
        self.server = server

    def set(self, most):
        # as its own user: others may not
        subprocess.run(["prlimit", "--pid", str(self.server.process.proc.pid),
                        "--fsize=%s:" % most], check=True,
                       **self.server.unprivileged())

    def fill(self):
        self.set(1)

    def free(self):
        self.set("unlimited")

    def close(self):
        pass


class Immutable:
    """For a disk that has become read-only under an open database, which a
    mount with open files cannot: where the file system refuses to write to a
    file that is immutable, also when it is open."""

    why = "disk"

    def __init__(self, server):
        self.path = server.conf["storage"]["path"]
        trial = os.path.join(server.folder, "trial")
        with open(trial, "wb", buffering=0) as f:
            self.chattr("+i", trial)
            try:
                f.write(b"x")
                pytest.skip("what is immutable can be written to here")
            except OSError:
                pass
            finally:
                self.chattr("-i", trial)

    def chattr(self, how, *paths):
        done = subprocess.run(["chattr", how, *paths], capture_output=True,
                              text=True)
        if done.returncode != 0:
            pytest.skip("no file can be made immutable: " + done.stderr)

    def fill(self):
        self.chattr("+i", self.path, self.path + "-wal")

    def free(self):
        self.chattr("-i", self.path, self.path + "-wal")

    def close(self):
        """After a test that failed."""
        subprocess.run(["chattr", "-i", self.path, self.path + "-wal"],
                       capture_output=True)


class Moved:
    """Somebody moves the database away under the server, and back."""

    why = "was deleted while the server has it open"

    def __init__(self, server):
        self.path = server.conf["storage"]["path"]

    def fill(self):
        os.rename(self.path, self.path + ".away")

    def free(self):
        os.rename(self.path + ".away", self.path)

    def close(self):
        pass


@pytest.fixture(params=["tmpfs", "limit", "immutable", "moved"])
def disk(request, pool):
    """A server, and its disk: server.disk."""
    server = pool.new({"modules": {
        "archive": "no",
        "register": {"allow": "yes"},
        "offline": {"max_messages": "1000000", "max_bytes": "1GiB",
                    "stranger_share": "100", "sender_share": "100"}}})
    if request.param == "limit":
        server.before = lambda: signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        server.disk = Limit(server)
    elif request.param == "moved":
        server.disk = Moved(server)
    elif os.getuid() != 0:
        pytest.skip("only root can mount a tmpfs, or make files immutable")
    elif request.param == "immutable":
        server.disk = Immutable(server)
    else:
        server.disk = Tmpfs(os.path.join(server.folder, "disk"))
        server.conf["storage"]["path"] = os.path.join(server.disk.path,
                                                      "data.sqlite")
    server.start()
    yield server
    try:
        server.stop()
    finally:
        server.disk.close()


def status(server):
    return json.loads(server.ctl("--json", "status"))


def lines(server, pattern):
    return sum(pattern in line for line in server.process.lines)


def refused(got, text=LATER):
    """Is it the error that says that it will pass?  What was on its way to the
    disk when that ceased to take writes has it without a text."""
    error = got.child("error")
    return (got.get("type") == "error" and error.get("type") == "wait" and
            error.child("resource-constraint",
                        "urn:ietf:params:xml:ns:xmpp-stanzas") is not None and
            text in str(error))


def fill(server, scene, who):
    """Until the server has noticed."""
    server.disk.fill()
    for i in range(1000):
        got = scene[who].iq("set", ITEM % ("fill%d" % i))
        if got.get("type") == "error":
            break
    server.process.wait_line(NONE)
    assert status(server)["writes"] == "refused"


def free(server):
    start = len(server.process.lines)
    server.disk.free()
    server.process.wait_line(AGAIN, start)
    assert status(server)["writes"] == "ok"


@pytest.fixture
def scene(disk):
    found = scenes.Scene(disk, ("romeo", "juliet", "nurse", "paris"))
    found.online("romeo/a")
    found.online("juliet/a")
    yield found
    found.end()  # the stop would wait for their goodbyes


def messages(c, n):
    """The n that come, and those that should not."""
    seen = 0

    def counted(e):
        nonlocal seen
        seen += e.is_("message")
        return seen == n
    if n != 0:
        c.inbox.append(c.take(counted, "%d messages" % n))
    c.ping()
    return [e for e in c.inbox if e.is_("message")]


# --- what is refused, and what is not -------------------------------------------


def test_what_is_refused(disk, scene):
    romeo = scene["romeo/a"]
    fill(disk, scene, "romeo/a")
    before = romeo.roster()
    for payload in (ITEM % "late", CARD % "R", PRIVATE % "z",
                    REGISTER % scene.accounts["romeo"].name):
        assert refused(romeo.iq("set", payload)), payload
    assert romeo.roster().keys() == before.keys()
    assert romeo.iq("get", CARD % "").get("type") == "result"
    # reading, talking and logging in go on
    scene.send("romeo/a", "<message to='{juliet/a}' id='m'><body>x</body>"
               "</message>")
    scene["juliet/a"].take(lambda e: e.get("id") == "m", "the message")
    scene.login("paris/b").close()
    shown = status(disk)
    assert shown["writes"] == "refused" and shown["refused"] > 4
    assert shown["refused_s"] >= 0 and disk.disk.why in shown["refused_why"]
    stats = {r["name"]: r["value"] for r in
             map(json.loads, disk.ctl("--json", "stats").splitlines())}
    assert stats["store_outages"] == 1
    assert stats["store_refused"] >= shown["refused"]
    free(disk)
    assert romeo.iq("set", ITEM % "late").get("type") == "result"
    assert lines(disk, NONE) == lines(disk, AGAIN) == 1
    assert lines(disk, " error ") == 1


def test_what_would_be_archived_is_refused(disk, scene):
    """Nobody sees what the archive does not have, and who sends it is told,
    whether there is such an account or not; chat states go on."""
    disk.conf["modules"]["archive"] = "yes"
    disk.write_conf()
    disk.ctl("reload")
    romeo = scene["romeo/a"]
    fill(disk, scene, "romeo/a")
    for to in "{juliet/a}", "{juliet}", "nobody@{HOST}":
        scene.send("romeo/a", "<message to='%s' id='m' type='chat'><body>x"
                   "</body></message>" % to)
        got = romeo.take(lambda e: e.get("id") == "m", "an error")
        assert got.find("error", "resource-constraint") is not None
    scene.send("romeo/a", "<message to='{juliet/a}' id='s' type='chat'>"
               "<active xmlns='http://jabber.org/protocol/chatstates'/>"
               "</message>")
    got = scene["juliet/a"].take(lambda e: e.is_("message"), "the state")
    assert got.get("id") == "s"
    free(disk)
    scene.send("romeo/a", "<message to='{juliet/a}' id='n'><body>x</body>"
               "</message>")
    scene["juliet/a"].take(lambda e: e.get("id") == "n", "the message")


def test_commands_say_why(disk, scene):
    romeo = scene.accounts["romeo"]
    fill(disk, scene, "romeo/a")
    for args, stdin in ((("adduser", "new@" + disk.domain), "secret-1\n"),
                        (("passwd", romeo.jid), "secret-2\n"),
                        (("deluser", romeo.jid), None)):
        done = disk.ctl(*args, stdin=stdin, ok=False)
        assert done.returncode == 1, args
        assert "disk" in done.stderr or "stored" in done.stderr, done.stderr
    c = Client(disk).secure()
    assert refused(c.iq("set", REGISTER % "stranger"))
    c.drop()
    scene["romeo/a"].ping()
    free(disk)
    assert scene.login("romeo/b")
    disk.ctl("adduser", "new@" + disk.domain, stdin="secret-1\n")


def test_existence_cannot_be_told(disk, scene):
    """hostile 53: requests and messages, to one who is away, to one who does
    not exist, and to one who has been asked already."""
    romeo, absent = scene["romeo/a"], "nobody@" + disk.domain
    for to in ("{paris}", "asked@{HOST}"):
        scene.send("romeo/a", "<presence type='subscribe' to='%s'/>" % to)
    scene.flush()
    fill(disk, scene, "romeo/a")
    romeo.inbox.clear()

    def answer(text, to):
        romeo.send(text % to)
        got = romeo.take(lambda e: e.get("type") == "error" and
                         e.get("id") == "i", "an error")
        assert refused(got)
        return str(got).replace(to, "TO")

    message = "<message to='%s' id='i'><body>x</body></message>"
    request = "<presence type='subscribe' to='%s' id='i'/>"
    for text in (message, request):
        assert (answer(text, scene.accounts["nurse"].jid) ==
                answer(text, absent))
    # what changes nothing of his own is sent on
    asked = [answer(request, to) for to in
             (scene.accounts["paris"].jid, "asked@" + disk.domain)]
    assert asked[0] == asked[1]
    romeo.quiet()
    free(disk)


def test_messages_that_cannot_be_deleted(disk, scene):
    """They come once to each session that finds them, however many there are,
    and are deleted when that is possible."""
    n = 1200 # more than are read at once
    for i in range(n):
        scene.send("romeo/a", "<message to='{nurse}' id='%d'><body>x</body>"
                   "</message>" % i)
    scene.flush()
    # what is stored in order is stored before this
    assert scene["romeo/a"].iq("set", PRIVATE % "y").get("type") == "result"
    fill(disk, scene, "romeo/a")

    def found():
        c = scene.online("nurse/b", settle=False)
        messages(c, n)
        second = scene.online("nurse/c", settle=False)
        for other in (second, c):
            other.send("<presence><show>away</show></presence>")
            other.ping()
        got = [e.get("id") for e in c.inbox if e.is_("message")]
        assert not [e for e in second.inbox if e.is_("message")]
        second.close()
        c.close()
        return got

    want = [str(i) for i in range(n)]
    assert found() == want
    assert found() == want
    free(disk)
    assert found() == want
    c = scene.online("nurse/b", settle=False)
    c.iq("set", PRIVATE % "z")
    assert not [e for e in c.inbox if e.is_("message")]


# --- under load -------------------------------------------------------------------


class Worker(threading.Thread):
    """Does step() again and again; what raises ends the test."""

    def __init__(self, step):
        super().__init__(daemon=True)
        self.step, self.error, self.n = step, None, 0
        self.ends = threading.Event()
        self.more = threading.Condition()

    def run(self):
        try:
            while not self.ends.is_set():
                self.step(self.n)
                with self.more:
                    self.n += 1
                    self.more.notify_all()
        except BaseException as e: # for the main thread to raise
            self.error = e
            with self.more:
                self.more.notify_all()

    def wait_steps(self, n):
        with self.more:
            want = self.n + n
            if not self.more.wait_for(lambda: self.error or self.n >= want,
                                      PATIENCE * 3):
                raise Failed("the load stands still")
        if self.error:
            raise self.error

    def end(self):
        self.ends.set()
        self.join()
        if self.error:
            raise self.error


class Load:
    """What was acknowledged, and what was refused."""

    def __init__(self, server, scene):
        self.server, self.scene = server, scene
        self.items, self.cards, self.asked = set(), None, set()
        self.refusals = {"items": 0, "cards": 0, "asked": 0, "messages": 0}
        self.sent, self.bounced = 0, set()
        scene.add_accounts("setter", "writer", "asker", "guest")
        self.setter = scene.login("setter/a")
        self.writer = scene.login("writer/a")
        self.asker = scene.online("asker/a", settle=False)
        self.workers = [Worker(f) for f in (
            self.set_item, self.set_card, self.ask, self.leave_messages,
            self.chat, self.log_in)]

    def outcome(self, got, what):
        if got.get("type") == "result":
            return True
        assert refused(got, ""), str(got)
        self.refusals[what] += 1
        return False

    def set_item(self, i):
        if self.outcome(self.setter.iq("set", ITEM % i), "items"):
            self.items.add("%d@x.test" % i)

    def set_card(self, i):
        if self.outcome(self.writer.iq("set", CARD % ("%d " % i * 4000)),
                        "cards"):
            self.cards = i

    def ask(self, i):
        """A push says that it is stored; to is never there."""
        to = "ask%d@%s" % (i, self.server.domain)
        self.asker.send("<presence type='subscribe' to='%s' id='%s'/>"
                        % (to, to))
        while True:
            got = self.asker.next("a push, or an error")
            if got.is_("iq") and got.get("type") == "set":
                if to in str(got):
                    self.asked.add(to)
                    return
            elif got.get("type") == "error" and got.get("id") == to:
                self.outcome(got, "asked")
                return

    def leave_messages(self, i):
        romeo = self.scene["romeo/a"]
        self.scene.send("romeo/a", "<message to='{nurse}' id='%d'><body>%s"
                        "</body></message>" % (i, "x" * 50))
        romeo.ping()
        self.sent = i + 1
        self.take_bounced(romeo)

    def take_bounced(self, romeo):
        for e in romeo.inbox:
            if e.is_("message"):
                if refused(e, ""):
                    self.refusals["messages"] += 1
                self.bounced.add(int(e.get("id")))
        romeo.inbox.clear()

    def chat(self, i):
        paris = self.paris = getattr(self, "paris", None) or \
            self.scene.login("paris/a")
        juliet = self.scene["juliet/a"]
        paris.send("<message to='%s' id='c%d'/>" % (juliet.jid, i))
        assert juliet.next("the message").get("id") == "c%d" % i

    def log_in(self, i):
        guest = self.scene.accounts["guest"]
        c = Client(self.server).login(guest.name, guest.password)
        c.send("<presence/>")
        c.roster()
        c.close()

    def wait_steps(self, n):
        for w in self.workers:
            w.wait_steps(n)

    def check(self):
        """What there is now is what was acknowledged."""
        assert set(self.scene.login("setter/z").roster()) == self.items
        card = self.scene.login("writer/z").iq("get", CARD % "")
        assert card.find("vCard", "FN").text().startswith("%d " % self.cards)
        assert set(self.scene.login("asker/z").roster()) == self.asked
        want = [i for i in range(self.sent) if i not in self.bounced]
        c = self.scene.online("nurse/z", settle=False)
        got = [int(e.get("id")) for e in messages(c, len(want))]
        assert got == want


def test_under_load(disk, scene):
    load = Load(disk, scene)
    for w in load.workers:
        w.start()
    for _ in range(2):
        load.wait_steps(10)
        start = len(disk.process.lines)
        disk.disk.fill()
        disk.process.wait_line(NONE, start)
        assert status(disk)["writes"] == "refused"
        load.wait_steps(20)
        free(disk)
        load.wait_steps(10)
    for w in load.workers:
        w.end()
    # what is on its way to the disk
    scene["romeo/a"].iq("set", PRIVATE % "z")
    load.take_bounced(scene["romeo/a"])
    assert all(load.refusals.values()), load.refusals
    assert lines(disk, NONE) == lines(disk, AGAIN) == 2
    assert lines(disk, " error ") == 2
    for c in scene.live():
        c.ping()
        c.close()
    disk.restart()
    load.check()


# --- at other times ---------------------------------------------------------------


def test_full_at_the_start(disk, scene):
    """It does not start, and says why."""
    if not isinstance(disk.disk, Tmpfs):
        pytest.skip("the others need a server that runs")
    disk.stop()
    disk.disk.fill()
    with pytest.raises(Failed):
        disk.start()
    process, disk.process = disk.process, None
    assert process.wait() != 0
    text = process.tail()
    assert "disk is full" in text or "No space left" in text, text
    disk.disk.free()
    disk.start()
    scene.login("romeo/b")


def test_backup_to_a_full_disk(pool, tmp_path):
    if os.getuid() != 0:
        pytest.skip("only root can mount a tmpfs")
    server = pool.new().start()
    other = Tmpfs(str(tmp_path / "disk"))
    try:
        os.chmod(tmp_path.parent, 0o755)
        os.chmod(tmp_path, 0o755)
        os.chmod(other.path, 0o777)
        other.fill()
        scene = scenes.Scene(server, ("romeo",))
        romeo = scene.online("romeo/a")
        done = server.ctl("backup", other.path + "/copy", ok=False)
        assert done.returncode == 1
        assert other.path + "/copy" in done.stderr
        assert "full" in done.stderr or "No space" in done.stderr, done.stderr
        assert os.listdir(other.path) == ["ballast"]
        assert status(server)["writes"] == "ok"
        assert romeo.iq("set", ITEM % "x").get("type") == "result"
        server.stop()
    finally:
        other.close()
