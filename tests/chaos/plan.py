"""What will happen, drawn from a seed before anything does: who sends what to
whom, who goes away, when the server stops or is killed, and what becomes of
each connection.

Each thing is drawn from a source of its own, named after it, so that the fifth
connection of a device meets the same fate whatever has become of the fourth.
"""

import dataclasses
import random


def source(seed, *names):
    return random.Random("/".join(map(str, (seed,) + names)))


@dataclasses.dataclass
class Device:
    name: str           # such as a2-1
    account: str        # such as a2
    resource: str       # "": the server may choose, each time
    lazy: float         # seconds that it takes to answer <r/>
    actions: list       # (when, what, ...)
    reads_first: bool = False # its archive, before it is available


@dataclasses.dataclass
class Fault:
    """What becomes of a connection: kind, when so many bytes have gone up or
    down, or after so many seconds."""
    kind: str
    up: int = None
    down: int = None
    after: float = None
    lasts: float = 0


@dataclasses.dataclass
class Way:
    """How a connection behaves, until a fault ends it or for ever."""
    delay: float
    pieces: int         # of at most so many bytes; 0: as it comes
    fault: Fault        # or None


KINDS = ("reset", "end", "half up", "half down", "stall", "swallow", "dead")


class Plan:
    def __init__(self, seed, seconds, devices):
        self.seed, self.seconds = seed, seconds
        self.devices = []
        self._draw_conf(source(seed, "conf"))
        self._draw_devices(source(seed, "devices"), devices)
        for device in self.devices:
            self._draw_actions(device, source(seed, "actions", device.name))
        self.blows = self._draw_blows(source(seed, "blows"))
        self.faulty = source(seed, "faulty").choice((0.3, 0.6, 0.85))

    def _draw_conf(self, rng):
        self.sleep = rng.choice((2, 5, 300))
        self.shards = rng.choice((1, 2, 4))
        self.conf = {
            "log": {"level": "info"},
            "auth": {"scram_iterations": "4096", "tls_required": "no"},
            "limits": {"sessions_per_account": "1000"},
            "shards": self.shards,
            "modules": {
                "sm": {"sleep": "%ds" % self.sleep,
                       "sleepers": str(rng.choice((1, 3, 100))),
                       "unacked_stanzas": str(rng.choice((20, 500, 500))),
                       "ask_after_stanzas": str(rng.choice((1, 5, 10))),
                       "ask_after": rng.choice(("200ms", "1s", "3s")),
                       "answer_within": rng.choice(("2s", "60s"))},
                # who sends is a stranger, and may fill all of the space
                "offline": {"max_messages": "100000", "max_bytes": "1GiB",
                            "stranger_share": "100", "sender_share": "100"},
            },
        }

    def _draw_devices(self, rng, n):
        self.accounts = []
        while len(self.devices) < n:
            account = "a%d" % len(self.accounts)
            self.accounts.append(account)
            for i in range(min(rng.randint(1, 3), n - len(self.devices))):
                self.devices.append(Device(
                    "%s-%d" % (account, i), account,
                    rng.choice(("d%d" % i, "d%d" % i, "")),
                    rng.choice((0, 0, 0, 0.5, 2)), []))
        for d in self.devices:
            d.reads_first = source(self.seed, "reads", d.name).random() < 0.3

    def _draw_actions(self, device, rng):
        others = [d for d in self.devices if d.account != device.account]
        rate = rng.choice((1, 4, 15))
        t = rng.random()
        while t < self.seconds and others:
            to = rng.choice(others)
            dice = rng.random()
            if dice < 0.02:
                device.actions.append((t, "away", rng.uniform(0.2, 3)))
            elif dice < 0.04: # it has forgotten its session, not its messages
                device.actions.append((t, "forget"))
            elif dice < 0.06:
                device.actions.append((t, "break", rng.uniform(0, 3)))
            elif dice < 0.08: # many at once
                for _ in range(rng.randint(5, 40)):
                    device.actions.append(self._draw_send(t, to, rng))
            else:
                device.actions.append(self._draw_send(t, to, rng))
            t += rng.expovariate(rate)

    @staticmethod
    def _draw_send(t, to, rng):
        dice = rng.random()
        kind = "normal" if dice < 0.1 else "chat"
        full = dice > 0.9
        size = rng.choice((10, 10, 10, 100, 1000, 5000))
        return (t, "send", to.account, to.name if full else None, kind, size)

    def _draw_blows(self, rng):
        """When the server is stopped or killed, and for how long."""
        blows, t = [], rng.uniform(0.5, self.seconds)
        wanted = rng.choice((0, 1, 1, 2, 3))
        while t < self.seconds and len(blows) < wanted:
            blows.append((t, rng.choice(("stop", "kill")),
                          rng.choice((0, 0, 0.5))))
            t += rng.uniform(0.5, self.seconds)
        return blows

    def way(self, device, n):
        """Of the n-th connection of a device."""
        rng = source(self.seed, "way", device, n)
        delay = rng.choice((0, 0, 0, rng.uniform(0, 0.05), 0.2))
        pieces = rng.choice((0, 0, 0, 1000, rng.randint(1, 100)))
        return Way(delay, pieces,
                   self._draw_fault(rng) if rng.random() < self.faulty
                   else None)

    @staticmethod
    def _draw_fault(rng):
        fault = Fault(rng.choice(KINDS), lasts=rng.uniform(0.1, 5))
        dice = rng.random()
        if dice < 0.1: # while it logs in
            fault.up = rng.randint(0, 2000)
        elif dice < 0.45:
            fault.up = rng.randint(1000, rng.choice((3000, 30000)))
        elif dice < 0.8:
            fault.down = rng.randint(1500, rng.choice((4000, 30000)))
        else:
            fault.after = rng.expovariate(0.5)
        return fault
