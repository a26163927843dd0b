"""What was acknowledged (XEP-0198) is in both archives after kill -9, once.

Devices send each other, and two who are away, messages as fast as they are
acknowledged, until the server is killed: in the midst of it, or while they log
in and send again.  Then they do what XEP-0198 asks of them: they try to resume,
believe the count that comes with <failed/>, and send again, in a new session and
with the same ids, what is not acknowledged.  ANTIPHON_KILLS is how often (5),
ANTIPHON_SEED chooses the moments.
"""

import collections
import os
import random
import re
import secrets
import threading

import pytest

from client import PATIENCE, Client, Closed
from scene import Account
from sm import SM, enable
from test_archive import SID, archive
from xmltree import Mismatch

pytestmark = [pytest.mark.only("antiphon"), pytest.mark.plain]
KILLS = int(os.environ.get("ANTIPHON_KILLS", "5"))
SEED = int(os.environ.get("ANTIPHON_SEED") or secrets.randbits(32))
# Is what was sent again recognised?
ONCE = True
WINDOW = 30     # messages that are under way at once, of each device
SENDERS = 6
AWAY = 2
CONF = {
    "listen": [{"kind": "c2s", "address": "127.0.0.1", "port": 0,
                "tls": "none"}],
    "auth": {"tls_required": "no"},
    "log": {"level": "info"},
    # all are strangers to each other, and may fill all of the space
    "modules": {"archive": {"stranger_bytes": "1TiB"},
                "offline": {"max_messages": "100000", "max_bytes": "1GiB",
                            "stranger_share": "100", "sender_share": "100"}}}


class Device:
    """Its state outlives the lives of the server; each of them is a thread."""

    def __init__(self, server, name, seed):
        self.account = Account(name, server.domain)
        self.server, self.name = server, name
        self.rng = random.Random("%d %s" % (seed, name))
        self.others = []
        self.sm_id = None
        self.out = self.got = self.n = 0
        self.unacked = collections.deque()  # (number, id, text)
        self.acked = {}         # id -> to whom
        self.to = {}            # the same, of all that was sent
        self.again = set()      # ids
        self.told = 0           # were acknowledged by a <failed/>
        self.seen = []          # a list of ids for each session
        self.wanted = set()     # that have still to come
        self.shown = {}         # stanza-id -> id
        self.errors = []
        self.is_over = lambda: False
        self.first_ack = threading.Event()
        self.thread = self.error = None

    # --- a life -----------------------------------------------------------

    def begin(self, is_over=None):
        self.is_over = is_over or (lambda: False)
        self.first_ack.clear()
        self.thread = threading.Thread(target=self.live, daemon=True)
        self.thread.start()

    def end(self):
        self.thread.join(PATIENCE * 6)
        assert not self.thread.is_alive(), "%s does not end" % self.name
        if self.error is not None:
            raise self.error

    def live(self):
        c = Client(self.server, self.name)
        try:
            self.enter(c)
            while not self.is_over():
                self.fill(c)
                self.take(c, c.next())
            c.close()
            self.sm_id = None
        except (Closed, OSError):
            pass # the server was killed under our hands
        except Mismatch as e:
            self.error = e if not self.wanted else AssertionError(
                "%s: %d messages that were acknowledged do not come: %s" % (
                    self.name, len(self.wanted), sorted(self.wanted)[:5]))
        except BaseException as e: # for the main thread to raise
            self.error = e
        finally:
            c.drop()

    def enter(self, c):
        c.connect("none").open()
        c.auth(self.account.name, self.account.password)
        if self.sm_id is not None:
            c.send("<resume xmlns='%s' previd='%s' h='%d'/>"
                   % (SM, self.sm_id, self.got))
            answer = c.next("no session")
            assert answer.is_("failed", SM), str(answer)
            before = len(self.unacked)
            if answer.get("h"):
                self.acknowledged(int(answer.get("h")))
            self.told += before - len(self.unacked)
        c.bind(self.name)
        again, self.unacked = self.unacked, collections.deque()
        self.out = self.got = 0
        self.seen.append([])
        self.sm_id = enable(c).get("id")
        c.send("<presence/>")
        self.out += 1
        for _, id_, text in again:
            self.again.add(id_)
            self.say(c, id_, text)
        c.send("<r xmlns='%s'/>" % SM)

    # --- what it sends ----------------------------------------------------

    def say(self, c, id_, text):
        self.out += 1
        self.unacked.append((self.out, id_, text))
        c.send(text)
        if self.out % 5 == 0 or len(self.unacked) >= WINDOW:
            c.send("<r xmlns='%s'/>" % SM)

    def fill(self, c):
        while self.others and len(self.unacked) < WINDOW:
            self.n += 1
            id_, to = "%s.%d" % (self.name, self.n), self.rng.choice(
                self.others)
            self.to[id_] = to.name
            self.say(c, id_, "<message to='%s' type='chat' id='%s'>"
                     "<body>%s</body><origin-id xmlns='%s' id='%s'/></message>"
                     % (to.account.jid, id_, "x" * self.rng.randrange(400), SID,
                        id_))

    def finish(self):
        """No more of its own; it lives until all is acknowledged."""
        self.others = []
        self.begin(lambda: not self.unacked)

    def acknowledged(self, h):
        assert h <= self.out, "h=%d of %d" % (h, self.out)
        while self.unacked and self.unacked[0][0] <= h:
            _, id_, _ = self.unacked.popleft()
            self.acked[id_] = self.to[id_]
            self.first_ack.set()

    # --- what it reads ----------------------------------------------------

    def take(self, c, e):
        if e.is_("a", SM):
            self.acknowledged(int(e.get("h")))
        elif e.is_("r", SM):
            c.send("<a xmlns='%s' h='%d'/>" % (SM, self.got))
        else:
            self.got += 1
            if e.get("type") == "error":
                self.errors.append(str(e))
            elif e.is_("message"):
                self.see(e)

    def see(self, e):
        self.seen[-1].append(e.get("id"))
        self.wanted.discard(e.get("id"))
        for c in e.elems():
            if c.is_("stanza-id", SID) and c.get("by") == self.account.jid:
                self.shown[c.get("id")] = e.get("id")


class Story:
    """What was sent, and what has become of it."""

    def __init__(self, server):
        self.server, self.rng = server, random.Random(SEED)
        self.senders = [Device(server, "d%d" % i, SEED)
                        for i in range(SENDERS)]
        self.away = [Device(server, "away%d" % i, SEED) for i in range(AWAY)]
        self.all = self.senders + self.away
        for d in self.senders:
            d.others = [o for o in self.all if o is not d]
        server.add_users_batch([(d.account.name, d.account.password)
                                for d in self.all])
        self.twice = 0

    def life(self):
        """Until a kill."""
        for d in self.senders:
            d.begin()
        if self.rng.random() < 0.75:
            assert self.rng.choice(self.senders).first_ack.wait(PATIENCE * 3)
        # not to wait for anything: to die at different moments
        threading.Event().wait(self.rng.uniform(0, 0.5))
        self.server.kill9()
        for d in self.senders:
            d.end()

    def finish(self):
        """All is acknowledged; who was away fetches what there is for him."""
        for d in self.senders:
            d.finish()
        for d in self.senders:
            d.end()
        for d in self.away:
            d.wanted = self.acknowledged(to=d.name)
            d.begin(lambda d=d: not d.wanted)
        for d in self.away:
            d.end()

    def acknowledged(self, to=None):
        return {id_ for d in self.senders for id_, whom in d.acked.items()
                if to in (None, whom)}

    # --- what must be -----------------------------------------------------

    def count(self, where, ids, wanted):
        """Each that is wanted is there: once, or again if it was sent again."""
        again = set().union(*(d.again for d in self.senders))
        found = collections.Counter(ids)
        missing = sorted(wanted - set(found))
        assert not missing, "%d are not %s: %s" % (
            len(missing), where, missing[:10])
        more = {i for i, n in found.items() if n > 1}
        assert more <= (set() if ONCE else again), \
            "more than once %s: %s" % (where, sorted(more)[:10])
        self.twice += len(more)
        self.in_order(where, ids)

    @staticmethod
    def in_order(where, ids):
        """Those of each sender, when they came first."""
        last, seen = collections.Counter(), set()
        for id_ in ids:
            sender, _, n = id_.partition(".")
            if id_ in seen:
                continue
            seen.add(id_)
            assert int(n) > last[sender], "%s %s is behind %d" % (
                where, id_, last[sender])
            last[sender] = int(n)

    def check(self):
        for d in self.all:
            assert not d.errors, d.errors[:3]
            rows = archive(self.server, d.account.jid)
            ids = [re.search(r"<message\b[^>]*?\sid=['\"](.*?)['\"]",
                             row[2])[1] for row in rows]
            theirs = [i for i in ids if not i.startswith(d.name + ".")]
            own = [i for i in ids if i.startswith(d.name + ".")]
            self.count("in the archive of " + d.name, theirs,
                       self.acknowledged(to=d.name))
            self.count("in the archive of its sender, of " + d.name, own,
                       set(d.acked))
            # what was shown exists, under that id (XEP-0359 §2.1)
            kept = dict(zip((row[0] for row in rows), ids))
            assert d.shown.items() <= kept.items(), d.name
        for d in self.away:
            self.count("at a device that was away, of " + d.name, d.seen[-1],
                       self.acknowledged(to=d.name))

    def tell(self):
        return "seed %d: %d acknowledged, %d of them by <failed/>; %d sent " \
            "again; %d more than once" % (
                SEED, len(self.acknowledged()),
                sum(d.told for d in self.senders),
                sum(len(d.again) for d in self.senders), self.twice)


def test_what_was_acknowledged_is_in_both_archives(own_server):
    server = own_server(CONF)
    story = Story(server)
    for _ in range(KILLS):
        story.life()
        server.start()
        server.check()
    story.finish()
    story.check()
    print(story.tell())
    assert story.acknowledged(), "nothing was acknowledged: nothing was tried"
