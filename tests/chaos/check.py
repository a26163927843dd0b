"""Decides whether what has happened may happen.

A message that the server has acknowledged is at each device that should have
it, once; or it is stored for one who is away; or its sender holds an error; and
it is in each archive, once, where there is one.
"""

import os
import re
import sqlite3


def stored(server, accounts, log):
    """For each account, of the messages in one of its logs: the id of the entry, and
    that of the message."""
    names = {a.name: key for key, a in accounts.items()}
    found = {key: [] for key in accounts}
    db = sqlite3.connect("file:%s?mode=ro" % server.conf["storage"]["path"],
                         uri=True)
    try:
        for owner, entry, value in db.execute(
                "SELECT owner, id, value FROM entries WHERE name = ? "
                "ORDER BY number", (log,)):
            account = names.get(owner.split("@")[0])
            id_ = re.search(r"<message\b[^>]*?\sid=(['\"])(.*?)\1", value)
            if account and id_:
                found[account].append((entry, id_[2]))
    finally:
        db.close()
    return found


def stored_ids(server, accounts, log):
    return {account: [id_ for _, id_ in entries] for account, entries in
            stored(server, accounts, log).items()}


class Verdict:
    """faults: (what, message or None); counts: of what may be.  known: for each
    device, the ids in the archive that it was shown, and of which messages."""

    def __init__(self, story, server, accounts, known=None):
        self.story = story
        self.faults = [(text, None) for text in story.faults]
        self.counts = dict.fromkeys(
            ("messages", "acknowledged", "refused", "seen", "again",
             "read only", "lost by kill", "lost before enable", "sessions"), 0)
        self.offline = self.archive = None
        self.read = self.read_first(known or {})
        if server is not None:
            self.offline = stored_ids(server, accounts, "offline")
            if has_archive(server):
                self.archive = stored_ids(server, accounts, "archive")
        self.decide()
        if self.archive is not None and story.quiet:
            entries = stored(server, accounts, "archive")
            for device, has in (known or {}).items():
                self.check_known(device, has,
                                 entries[story.devices[device].account])

    def read_first(self, known):
        """For each account, the messages that one read in its archive who asks
        there first: what was kept for him is not given to anybody any more."""
        read = {}
        for name, has in known.items():
            device = self.story.devices[name]
            if device.reads_first:
                read.setdefault(device.account, set()).update(has.values())
        return read

    def fault(self, text, m=None):
        self.faults.append((text, m))

    def count(self, what, n=1):
        self.counts[what] += n

    def decide(self):
        self.where = {} # id -> [(session, sight)], of the recipient
        for s in self.story.sessions:
            self.count("sessions")
            self.check_session(s)
        for m in self.story.messages.values():
            self.check_message(m)
        for s in self.story.sessions if self.story.quiet else ():
            self.check_gaps(s)
        if self.archive is not None:
            for m in self.story.messages.values():
                self.check_archives(m)

    # --- one session ------------------------------------------------------

    def check_session(self, s):
        """Each message once, and in order."""
        account = self.story.devices[s.device].account
        seen, last = {}, {}
        for sight in s.sights:
            m = self.story.messages[sight.id]
            own = self.story.devices[m.sender].account == account
            if own != (sight.copy == "sent"):
                self.fault("%s sees a message that is none of its own"
                           % s.device, m)
            elif not own and m.account != account:
                self.fault("%s sees a message for %s" % (s.device, m.account),
                           m)
            key = (sight.copy == "sent", m.id)
            if key in seen:
                self.fault("twice in session %d of %s" % (s.no, s.device), m)
                continue
            seen[key] = sight
            if not own:
                self.where.setdefault(m.id, []).append((s, sight))
                self.check_order(s, sight, m, last)

    def check_order(self, s, sight, m, last):
        """What was kept for one who was away may come later than what was
        sent meanwhile to several sessions, or was for one that takes nothing
        else yet."""
        lines = []
        if not sight.stamped:
            lines.append("at once")
        if self.is_alone(s) and m.device is None:
            lines.append("to all")
        for line in lines:
            before = last.get((line, m.sender))
            if before is not None and before.n > m.n:
                self.fault("comes behind %s in session %d of %s (%s)"
                           % (before.id, s.no, s.device, line), m)
                break
            last[line, m.sender] = m

    def is_alone(self, s):
        """Of an account that has one device with one name, nothing waits at two
        places."""
        device = self.story.devices[s.device]
        return bool(device.resource) and all(
            d is device for d in self.story.devices.values()
            if d.account == device.account)

    # --- one message ------------------------------------------------------

    def check_message(self, m):
        self.count("messages")
        sights = self.where.get(m.id, [])
        offline = self.offline[m.account].count(m.id) if self.offline else 0
        self.count("seen", len(sights))
        if m.acked is None and m.sends and not self.story.faults:
            self.fault("is never acknowledged", m)
        if m.acked is not None:
            self.count("acknowledged")
        if m.errors:
            self.count("refused")
            if sights and not m.sent_again():
                self.fault("is delivered, and its sender has an error", m)
        elif m.acked is not None and not sights and not offline and \
                self.story.quiet:
            self.lost(m)
        self.check_later_sessions(m, sights)

    def lost(self, m):
        if m.id in self.read.get(m.account, ()):
            self.count("read only")
        elif self.is_lost_by_kill(m):
            self.count("lost by kill")
        elif self.is_lost_before_enable(m):
            self.count("lost before enable")
        else:
            self.fault("is lost", m)

    def is_lost_by_kill(self, m):
        """It was stored nowhere, or in archives alone, and has waited with a
        session that lived, be it that its device had given it up: it sleeps,
        also behind a stop, until the server is killed."""
        kills = self.story.kills
        return any(t >= m.first() and any(
            s.begun < t and (s.ended is None or s.ended > m.first() or
                             not any(s.begun < k < t for k in kills))
            for s in self.story.of_account(m.account))
            for t in kills)

    def is_lost_before_enable(self, m):
        """It was for a full address, of a session whose device had not yet
        asked for stream management."""
        return m.device is not None and any(
            s.device == m.device and s.begun <= m.acked and
            (s.counts is None or m.first() <= s.counts)
            for s in self.story.sessions)

    def check_later_sessions(self, m, sights):
        """Again in a later session of a device only when the one before it has
        ended without its ack, and then with a delay."""
        before = {}
        for later, again in sights:
            if later.device in before:
                self.count("again")
                self.check_again(m, *before[later.device], later, again)
            before[later.device] = (later, again)

    def check_again(self, m, s, sight, later, again):
        if not again.stamped:
            self.fault("again in session %d of %s, without a delay"
                       % (later.no, later.device), m)
        if sight.number is not None and sight.number <= s.sure and \
                not self.killed_between(sight.t, later.begun):
            self.fault("again in session %d of %s, which had acknowledged it "
                       "in %d" % (later.no, later.device, s.no), m)

    def killed_between(self, begin, end):
        return any(begin <= t <= end for t in self.story.kills)

    # --- who should have it -----------------------------------------------

    def check_gaps(self, s):
        """A session that was there when a message was sent has it, if it lives
        to the end, or has a later one of the same sender."""
        if s.available is None:
            return
        account = self.story.devices[s.device].account
        seen = {sight.id for sight in s.sights if sight.copy != "sent"}
        last = {}
        for sight in s.sights:
            m = self.story.messages[sight.id]
            if not sight.stamped and sight.copy is None:
                last[m.sender] = max(last.get(m.sender, 0), m.n)
        for m in self.story.messages.values():
            if (m.account == account and m.id not in seen and m.sends and
                    m.first() > s.available and not m.errors and
                    self.is_for(m, s) and
                    (s.ended is None or m.n < last.get(m.sender, 0))):
                self.fault("is missing in session %d of %s" % (s.no, s.device),
                           m)

    def is_for(self, m, s):
        if m.device is None:
            return True
        # a full address is that which the device had last
        return s.copies is not None and s.copies < m.first() or \
            m.device == s.device and bool(self.story.devices[s.device].resource)

    # --- archives ---------------------------------------------------------

    def check_archives(self, m):
        if m.acked is None or m.errors:
            return
        own = self.story.devices[m.sender].account
        for account in {own, m.account}:
            n = self.archive[account].count(m.id)
            if n != 1:
                self.fault("is %d times in the archive of %s" % (n, account), m)

    def check_known(self, name, has, entries):
        """A device has all that is archived, by that id; but of its own messages
        it needs nothing."""
        unknown = dict(has)
        for entry, id_ in entries:
            m = self.story.messages.get(id_)
            if unknown.pop(entry, id_) != id_:
                self.fault("%s has been shown another one by its id" % name, m)
            elif entry not in has and m is not None and m.sender != name:
                self.fault("is not known to %s, from the archive" % name, m)
        for entry, id_ in unknown.items():
            self.fault("%s was shown it by %s, which is not in the archive"
                       % (name, entry), self.story.messages.get(id_))

    # --- what is said -----------------------------------------------------

    def summary(self):
        return " ".join("%s=%d" % (what.replace(" ", "-"), n)
                        for what, n in self.counts.items())

    def report(self, stories=3):
        """Each fault, and the story of the first few messages."""
        out, told = "", set()
        for text, m in self.faults:
            out += "  %s%s\n" % (m.id + " " if m else "", text)
        for _, m in self.faults:
            if m is not None and m.id not in told and len(told) < stories:
                told.add(m.id)
                out += "\nthe story of %s, from %s to %s:\n" % (
                    m.id, m.sender, m.device or m.account)
                out += self.story.tell(self.story.of_message(m))
        return out


def has_archive(server):
    """Is there such a module, and is it not switched off?"""
    conf = server.conf["modules"].get("archive")
    built = os.path.join(server.folder, "modules", "mod_archive.so")
    return os.path.exists(built) and conf not in ("off", False)
