"""What a stanza costs that goes to another server, or comes from one.

    links.py compare [MODE...] [--count N] [--window N] [--repeat N] [--only NAME,...]
    links.py idle [--count N]
    links.py drive MODE --count N --window N --domain D --client PORT
             --server PORT --far PORT --certificate FILE --key FILE [--mark COMMAND]

A client of the server that is measured, and the other server, are scripts in one
process, and take and give as fast as it does.  compare starts Antiphon, Prosody and
ejabberd, one after the other, in a network of names (tests/net), and prints the CPU
of each, all threads and processes, in ms for 1,000 stanzas of the link; and how many
of them it has carried in a second.  idle prints what an idle link
of Antiphon takes in memory: N domains, each of which it has opened a stream to, and N
streams that one domain has opened.  drive does the same as compare once with a server that runs
(far.test is what it takes to be another server's), for tests/bench/instructions.sh.

    out       messages of the client to users of the other server
    in        messages of theirs to the client
    mix       both ways: of 5, 3 messages, an iq that is answered, and a presence
    contacts  presence of the client to 20 contacts there, each counts
    counted   the same, where the other server acknowledges them (XEP-0198); of
              Antiphon alone, as others do not count unless they are told to
"""

import argparse
import copy
import glob
import os
import ssl
import subprocess
import sys
import tempfile
import threading
import time

sys.dont_write_bytecode = True
sys.path[:0] = [os.path.join(os.path.dirname(os.path.abspath(__file__)), "..",
                             folder) for folder in ("e2e", "net")]

# pylint: disable=wrong-import-position
import s2s_peer # noqa: E402
from client import Client, Closed # noqa: E402
from sm import SM # noqa: E402
from xmltree import Mismatch # noqa: E402

STANZAS = (b"<message ", b"<iq ", b"<presence ")
TOKENS = STANZAS + (b"<r ",)
CONTACTS = 20
WAIT = 60
BODY = "a message such as people write, some sixty bytes long, no more"
PING = "<ping xmlns='urn:xmpp:ping'/>"


# --- what is counted ------------------------------------------------------------


def family(pid):
    """It, and all below it."""
    found = [pid]
    for path in glob.glob("/proc/%d/task/*/children" % pid):
        with open(path) as f:
            for child in f.read().split():
                found += family(int(child))
    return found


def cpu_ms(pid):
    total = 0
    for one in family(pid):
        for path in glob.glob("/proc/%d/task/*/schedstat" % one):
            with open(path) as f:
                total += int(f.read().split()[0])
    return total / 1e6


class Counter:
    """Stanzas in bytes that come in pieces, by their kind."""

    def __init__(self):
        self.counts, self.tail = [0] * len(TOKENS), b""
        self.changed = threading.Condition()
        self.broken = None

    def feed(self, data):
        with self.changed:
            for i, token in enumerate(TOKENS):
                part = self.tail[-(len(token) - 1):] + data
                self.counts[i] += part.count(token)
            self.tail = (self.tail + data)[-(max(map(len, TOKENS)) - 1):]
            if b"type='error'" in data or b'type="error"' in data:
                self.broken = data
            self.changed.notify_all()

    def await_counts(self, wanted):
        """Until at least so many of each have come; None: that is no matter."""
        with self.changed:
            if not self.changed.wait_for(
                    lambda: self.broken or all(
                        w is None or n >= w
                        for n, w in zip(self.counts, wanted)), WAIT):
                sys.exit("links.py: %s came of %s" % (self.counts, wanted))
        if self.broken:
            sys.exit("links.py: an error came: %r" % self.broken[:2000])


# --- those who take and give -------------------------------------------------------


def stanzas_of(stream):
    return [e for e in stream.got if e.name in ("message", "iq", "presence")]


class OtherHost(s2s_peer.Host):
    """At a port that was known before; what comes is only counted, when count() has
    been called."""

    def __init__(self, domain, certificate, port=0):
        super().__init__(domain, certificate)
        self.counter = Counter()
        if port:
            old, self.sock = self.sock, s2s_peer.socket.socket()
            self.sock.setsockopt(s2s_peer.socket.SOL_SOCKET,
                                 s2s_peer.socket.SO_REUSEADDR, 1)
            self.sock.bind(("127.0.0.1", port))
            self.sock.listen(64)
            self.port = port
            old.shutdown(s2s_peer.socket.SHUT_RDWR)
            old.close()
            self.thread.join()
            self.thread = threading.Thread(target=self.run, daemon=True)
            self.thread.start()

    def acknowledge(self, on):
        """In streams that come from now on."""
        self.offers = "<sm xmlns='%s'/>" % SM if on else ""
        self.on_element = self.on_sm if on else None

    @staticmethod
    def on_sm(stream, e):
        if e.is_("enable", SM):
            stream.send("<enabled xmlns='%s'/>" % SM)
        elif e.is_("r", SM):
            stream.send("<a xmlns='%s' h='%d'/>" % (SM, len(stanzas_of(stream))))
        return e.ns == SM

    def count(self):
        for stream in self.streams:
            if stream.authenticated:
                stream.feed = self.feeder(stream)

    def feeder(self, stream):
        before, counter = len(stanzas_of(stream)), self.counter

        def feed(data):
            asked = counter.counts[-1]
            counter.feed(data)
            if counter.counts[-1] != asked:
                stream.send("<a xmlns='%s' h='%d'/>" % (
                    SM, before + sum(counter.counts[:len(STANZAS)])))
        return feed


class OtherPeer(s2s_peer.Peer):
    """To a server that has an address, and a port for others."""

    def connect(self, kind="starttls", source=None):
        self.sock = s2s_peer.socket.create_connection(
            (self.server.address, self.server.s2s_port), WAIT)
        self.sock.setsockopt(s2s_peer.socket.IPPROTO_TCP,
                             s2s_peer.socket.TCP_NODELAY, 1)
        self.eof = False
        return self


class Links:
    """client is logged in at the server, host and peer are the two ways of another;
    all is up when it is made."""

    def __init__(self, client, host, peer):
        self.client, self.host, self.peer = client, host, peer
        self.far, self.here = peer.me, client.jid
        self.mine = Counter()
        self.befriend()
        client.send("<message to='x@%s' id='first'/>" % self.far)
        host.wait_element(lambda e: e.get("id") == "first", "the first message")
        peer.send("<message from='x@%s' to='%s' id='first'/>"
                  % (self.far, self.here))
        client.take(lambda e: e.get("id") == "first", "a message")
        client.ping()
        host.count()
        self.reader = threading.Thread(target=self.read, daemon=True)
        client.sock.settimeout(None)
        self.reader.start()

    def befriend(self):
        """The contacts see the client's presence."""
        bare = self.here.partition("/")[0]
        known = str(self.client.iq("get", "<query xmlns='jabber:iq:roster'/>"))
        for i in range(CONTACTS):
            if "c%d@%s" % (i, self.far) in known:
                continue
            self.peer.send("<presence type='subscribe' from='c%d@%s' to='%s'/>"
                           % (i, self.far, bare))
            self.client.take(lambda e: e.get("type") == "subscribe",
                             "a request")
            self.client.send("<presence type='subscribed' to='c%d@%s'/>"
                             % (i, self.far))
        self.client.ping()

    def read(self):
        try:
            while True:
                data = self.client.sock.recv(1 << 18)
                if not data:
                    break
                self.mine.feed(data)
        except OSError:
            pass

    # --- a round of each mode: stanzas of the link -----------------------------

    def blocks(self, mode, window):
        """What one round sends at first, by the client and by the peer, and then by
        each when that has come."""
        far, here = self.far, self.here
        n = window
        out, back, ping, pong = [], [], [], []
        if mode in ("contacts", "counted"):
            return ["<presence><show>%s</show><status>%s</status></presence>"
                    % (show, BODY[:20]) for show in ("away", "xa")]
        if mode == "mix":
            n = max(window * 3 // 5, 1)
            for i in range(max(window // 5, 1)):
                out += ["<presence to='u%d@%s/y'/>" % (i, far),
                        "<iq type='get' id='p%d' to='u%d@%s/y'>%s</iq>"
                        % (i, i, far, PING)]
                back += ["<presence from='u%d@%s/y' to='%s'/>" % (i, far, here),
                         "<iq type='get' id='q%d' from='u%d@%s/y' to='%s'>%s"
                         "</iq>" % (i, i, far, here, PING)]
                ping.append("<iq type='result' id='q%d' to='u%d@%s/y'/>"
                            % (i, i, far))
                pong.append("<iq type='result' id='p%d' from='u%d@%s/y' to='%s'"
                            "/>" % (i, i, far, here))
        for i in range(n):
            body = "type='chat' id='m%d'><body>%s</body></message>" % (i, BODY)
            out.append("<message to='u%d@%s/y' %s" % (i, far, body))
            back.append("<message from='u%d@%s/y' to='%s' %s"
                        % (i, far, here, body))
        return ["".join(b).encode() for b in (out, back, ping, pong)]

    def round_of(self, mode, window):
        """A function that does one round, and how many stanzas that is."""
        theirs, mine = list(self.host.counter.counts), list(self.mine.counts)
        blocks = self.blocks(mode, window)

        def until(counter, start, *more):
            for i, n in enumerate(more):
                start[i] += n
            counter.await_counts([start[0], start[1], None])

        def out():
            self.client.sock.sendall(blocks[0])
            until(self.host.counter, theirs, window)

        def back():
            self.peer.sock.sendall(blocks[1])
            until(self.mine, mine, window)

        def mix():
            n, asks = max(window * 3 // 5, 1), max(window // 5, 1)
            self.client.sock.sendall(blocks[0])
            self.peer.sock.sendall(blocks[1])
            until(self.host.counter, theirs, n, asks)
            until(self.mine, mine, n, asks)
            self.client.sock.sendall(blocks[2])
            self.peer.sock.sendall(blocks[3])
            until(self.host.counter, theirs, 0, asks)
            until(self.mine, mine, 0, asks)

        def contacts():
            self.client.sock.sendall(blocks[0].encode())
            blocks.reverse()
            theirs[2] += CONTACTS
            self.host.counter.await_counts([None, None, theirs[2]])

        if mode == "mix":
            return mix, 2 * (max(window * 3 // 5, 1) +
                             3 * max(window // 5, 1))
        return {"out": (out, window), "in": (back, window),
                "contacts": (contacts, CONTACTS),
                "counted": (contacts, CONTACTS)}[mode]

    def run(self, mode, count, window, at_ends=lambda: None, warm=0.1):
        """Stanzas, and seconds; at_ends is called at both ends of it."""
        do, each = self.round_of(mode, window)
        rounds = max(count // each, 1)
        for _ in range(int(rounds * warm)):
            do()
        at_ends()
        start = time.monotonic()
        for _ in range(rounds):
            do()
        seconds = time.monotonic() - start
        at_ends()
        return rounds * each, seconds


# --- beside others ---------------------------------------------------------------------


def compare(args):
    # only here: it needs pytest, and name servers
    # pylint: disable=import-outside-toplevel
    import network as net
    import ours
    import peers

    class Quiet(peers.Prosody):
        def conf(self):
            return super().conf().replace('min = "debug"', 'min = "info"')

    folder = tempfile.mkdtemp(prefix="links")
    os.chmod(folder, 0o755)
    network = net.Network(os.path.join(folder, "net"))
    host = OtherHost("far.example", network.authority.issue("good",
                                                            "far.example"))
    network.names.zone("far.example", "xmpp A 127.0.0.1",
                       "_xmpp-server._tcp SRV 5 5 %d xmpp" % host.port)
    fast = {"stanzas_per_second": "1000000", "bytes_per_second": "1GiB"}
    kinds = (("antiphon", ours.Antiphon, {"conf": {
        "log": {"level": "info"}, "shards": 1, "s2s": fast,
        # others have none here
        "modules": {"archive": "no"}}}),
             ("prosody", Quiet, {}), ("ejabberd", peers.Ejabberd, {}))
    for name, kind, how in kinds:
        if name not in args.only.split(","):
            continue
        if network.add(kind, name + ".example", **how) is None:
            print("# %s" % network.lacking[name + ".example"])
    network.start()
    try:
        for mode in args.modes:
            for server in network.servers:
                if mode == "counted" and server.kind != "antiphon":
                    continue
                server.ready()
                measure(args, network, server, host, mode)
    finally:
        network.stop()
        host.end()


def newcomer(network, server):
    """ejabberd does not begin TLS now and then."""
    for _ in range(5):
        try:
            return network.person("romeo", server.domain).online()
        except (ssl.SSLError, Mismatch, Closed):
            pass
    return sys.exit("links.py: nobody can log in at " + server.domain)


def measure(args, network, server, host, mode):
    """In streams of its own."""
    server.s2s_port, server.ca_file = peers_port(), network.authority.cert
    host.streams.clear()
    host.counter = Counter()
    host.acknowledge(mode == "counted")
    person = newcomer(network, server)
    peer = OtherPeer(server, "far.example", network.authority.issue(
        "good", "far.example"), to=server.domain)
    peer.secure().external()
    links = Links(person, host, peer)
    count = args.count if server.kind == "antiphon" else args.count // 5
    for _ in range(args.repeat):
        ends = []
        n, seconds = links.run(mode, count, args.window, lambda: ends.append(
            cpu_ms(server.process.proc.pid)))
        print("%-9s %-9s %8.2f ms of CPU for 1,000, %7.0f a second"
              % (mode, server.kind, (ends[1] - ends[0]) / n * 1000,
                 n / seconds), flush=True)
    person.drop()
    peer.drop()
    for stream in host.streams:
        stream.cut()


def peers_port():
    import peers # pylint: disable=import-outside-toplevel
    return peers.S2S


# --- memory ------------------------------------------------------------------------------


def pss(pid):
    with open("/proc/%d/smaps_rollup" % pid) as f:
        return next(int(line.split()[1]) * 1024 for line in f
                    if line.startswith("Pss:"))


class AnyStream(s2s_peer.Incoming):
    """Its host has all names that it is called by."""

    def on_header(self, header):
        host, self.host = self.host, copy.copy(self.host)
        self.host.domain = header.get("to")
        super().on_header(header)
        self.host = host


def idle(args):
    # pylint: disable=import-outside-toplevel
    import network as net
    import ours

    folder = tempfile.mkdtemp(prefix="links")
    os.chmod(folder, 0o755)
    network = net.Network(os.path.join(folder, "net"))
    certificate = network.authority.issue("good", "far.example")
    s2s_peer.Incoming = AnyStream
    host = OtherHost("far.example", certificate)
    srv = "_xmpp-server._tcp%%s SRV 5 5 %d xmpp" % host.port
    network.names.zone("far.example", "xmpp A 127.0.0.1", srv % "")
    network.names.zone("many.example", "xmpp A 127.0.0.1", *(
        srv % ".d%d" % i for i in range(args.count + 1)))
    network.add(ours.Antiphon, "antiphon.example", conf={
        "log": {"level": "info"}, "shards": 1, "modules": {"archive": "no"}})
    network.start()
    server, = network.servers
    server.s2s_port, server.ca_file = peers_port(), network.authority.cert
    person = newcomer(network, server)
    pid, sizes, streams = server.process.proc.pid, [], []

    def go_out(i):
        person.send("<message to='x@d%d.many.example' id='n%d'/>" % (i, i))
        host.wait_element(lambda e: e.get("id") == "n%d" % i, "a message")

    def come_in():
        peer = OtherPeer(server, "far.example", certificate, to=server.domain)
        streams.append(peer.secure().external())

    def look():
        person.ping()
        time.sleep(8) # memory that is free goes back, see core/memory_trim.c
        sizes.append(pss(pid))

    go_out(args.count) # the first have more to make
    come_in()
    look()
    for i in range(args.count):
        go_out(i)
    look()
    for i in range(args.count):
        come_in()
    look()
    for what, a, b in zip(("out", "in"), sizes, sizes[1:]):
        print("idle %-3s %d: %d bytes each" % (what, args.count,
                                              (b - a) / args.count))
    for one in [person] + streams:
        one.drop()
    network.stop()
    host.end()


# --- one that runs already ------------------------------------------------------------


class Given:
    """A server, of which there is no more than its ports."""

    address = "127.0.0.1"

    def __init__(self, args):
        self.domain, self.ca_file = args.domain, args.certificate
        self.client_port, self.s2s_port = args.client, args.server

    def port(self, _):
        return self.client_port


class Certificate:
    def __init__(self, chain, key):
        self.chain, self.key = chain, key


def drive(args):
    server = Given(args)
    host = OtherHost("far.test", Certificate(args.certificate, args.key),
                     args.far)
    host.acknowledge(args.modes[0] == "counted")
    client = Client(server, "b0").connect("none")
    client.open()
    client.auth("b0", "bench-password", "SCRAM-SHA-1")
    client.bind("links")
    client.send("<presence/>")
    client.ping()
    peer = OtherPeer(server, "far.test").secure()
    if peer.result() != "valid":
        sys.exit("links.py: the server does not take our key")
    links = Links(client, host, peer)
    n, seconds = links.run(
        args.modes[0], args.count, args.window,
        lambda: args.mark and subprocess.run(args.mark, shell=True, check=True),
        warm=0)
    print("%s n=%d seconds=%.2f" % (args.modes[0], n, seconds))
    client.drop()
    peer.drop()
    host.end()


def main():
    p = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    p.add_argument("what", choices=("compare", "idle", "drive"))
    p.add_argument("modes", nargs="*",
                   default=["out", "in", "mix", "contacts"])
    for name, default in (("count", 20000), ("window", 100), ("repeat", 1),
                          ("client", 0), ("server", 0), ("far", 0)):
        p.add_argument("--" + name, type=int, default=default)
    p.add_argument("--only", default="antiphon,prosody,ejabberd")
    for name in ("domain", "certificate", "key", "mark"):
        p.add_argument("--" + name)
    args = p.parse_args()
    {"compare": compare, "idle": idle, "drive": drive}[args.what](args)


if __name__ == "__main__":
    main()
