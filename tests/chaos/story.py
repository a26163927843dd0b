"""What has happened: messages, who saw them in which session, and all else, so
that the story of one message can be told."""

import dataclasses
import time


@dataclasses.dataclass
class Message:
    id: str
    n: int                  # of its device
    sender: str             # a device
    account: str            # for whom
    device: str             # or None: for all
    kind: str
    sends: list = dataclasses.field(default_factory=list) # (t, session)
    acked: float = None
    errors: list = dataclasses.field(default_factory=list)
    to: str = None          # as it was addressed when it was sent first

    def sent_again(self):
        """In another session than the first: the server may know it already."""
        return len({session for _, session in self.sends}) > 1

    def first(self):
        return self.sends[0][0] if self.sends else None


@dataclasses.dataclass
class Sight:
    t: float
    id: str
    number: int             # in what the session has got; None: not counted
    stamped: bool
    copy: str = None        # "sent", "received": a carbon


@dataclasses.dataclass
class Session:
    """With all its resumptions."""
    no: int
    device: str
    begun: float            # when the device asked for it
    jid: str = None
    counts: float = None    # with stream management since then
    available: float = None # the server is past its presence since
    copies: float = None    # and sends it carbons
    ended: float = None     # None: it lives to the end
    sights: list = dataclasses.field(default_factory=list)
    sure: int = 0           # the server knows that it has got so many
    acked: int = 0          # it has said so, and may not have been heard


class Story:
    def __init__(self, seed, devices):
        self.seed = seed
        self.devices = {d.name: d for d in devices}
        self.began = time.monotonic()
        self.events = []
        self.last = {}      # what was noted of each, last
        self.messages = {}
        self.sessions = []
        self.kills = []
        self.lives = 0
        self.quiet = True   # in the end: else much is still on its way
        self.faults = []    # what is wrong whatever became of the messages

    def now(self):
        return time.monotonic() - self.began

    def note(self, who, text, id_=None):
        self.events.append((self.now(), who, text, id_))
        self.last[who] = text

    def fault(self, who, text):
        self.note(who, "FAULT " + text)
        self.faults.append("%s: %s" % (who, text))

    def session(self, device):
        s = Session(len(self.sessions), device, self.now())
        self.sessions.append(s)
        return s

    def of_account(self, account):
        return [s for s in self.sessions
                if self.devices[s.device].account == account]

    def of_message(self, m):
        """The story of one: its own events, and what those did whom it
        concerned, and the server, meanwhile."""
        own = [e for e in self.events if e[3] == m.id]
        if not own:
            return []
        names = {m.sender} | {n for n, d in self.devices.items()
                              if d.account == m.account}
        names |= {"proxy " + n for n in names} | {"server"}
        return [e for e in self.events if e[3] == m.id or
                (e[3] is None and e[1] in names and
                 own[0][0] - 1 <= e[0] <= own[-1][0] + 2)]

    @staticmethod
    def tell(events):
        return "".join("  %8.3f  %-12s %s%s\n" % (
            t, who, text, " " + id_ if id_ else "")
            for t, who, text, id_ in events)
