"""Many domains of others in a process of its own, for load: the name server that
knows them, and the servers of all of them.

    many = Many(folder, certificate)
    server = own_server({"dns": many.conf(), ...})
    domain = many.domain("good")      nobody had it before
    many.wait({domain, ...})          each of them has got a message
    many.end()

A domain is NAME.KIND.example; for what becomes of it there, KIND says:

    good       it is found, takes a stream under TLS, and our key, unseen
    late       so it is, but its name server takes LATE for each answer
    unnamed    its name server is silent
    dropped    packets to its address are lost
    and where its server falls silent, and keeps the connection:
    accepted   at once, tls    in the handshake, header    before its own,
    features   behind that, dialback    where it is shown our key

As a program it is given the certificate and the key, and says on standard error
`dns PORT' when it can be asked, then `message DOMAIN TIME' for each that has come, by
the monotonic clock of the machine.
"""

import asyncio
import itertools
import re
import resource
import socket
import ssl
import struct
import sys
import threading
import time

SILENT = ("unnamed", "dropped", "accepted", "tls", "header", "features",
          "dialback")
LATE = 1.7 # seconds
A, AAAA, SRV = 1, 28, 33
OPEN = ("<?xml version='1.0'?><stream:stream xmlns='jabber:server' "
        "xmlns:stream='http://etherx.jabber.org/streams' "
        "xmlns:db='jabber:server:dialback' from='%s' to='%s' id='%d' "
        "version='1.0'>")
STARTTLS = ("<stream:features><starttls xmlns='urn:ietf:params:xml:ns:"
            "xmpp-tls'><required/></starttls></stream:features>")
PROCEED = "<proceed xmlns='urn:ietf:params:xml:ns:xmpp-tls'/>"
DIALBACK = ("<stream:features><dialback xmlns='urn:xmpp:features:dialback'>"
            "<errors/></dialback></stream:features>")
VALID = "<db:result from='%s' to='%s' type='valid'/>"


def say(*words):
    sys.stderr.write(" ".join(map(str, words)) + "\n")
    sys.stderr.flush()


# --- names --------------------------------------------------------------------


def wire_name(name):
    return b"".join(bytes([len(label)]) + label.encode()
                    for label in name.split(".")) + b"\0"


class NameServer(threading.Thread):
    """ports: of the server of each kind, all at 127.0.0.1.  Does not wait for what
    those compute."""

    def __init__(self, ports):
        super().__init__(daemon=True)
        self.ports = ports
        self.sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 22)
        self.sock.bind(("127.0.0.1", 0))
        self.port = self.sock.getsockname()[1]

    def run(self):
        while True:
            data, peer = self.sock.recvfrom(4096)
            kind, answer = self.answer(data)
            if kind == "late":
                threading.Timer(LATE, self.sock.sendto, (answer, peer)).start()
            elif kind != "unnamed":
                self.sock.sendto(answer, peer)

    def answer(self, data):
        labels, at = [], 12
        while data[at]:
            labels.append(data[at + 1:at + 1 + data[at]].decode().lower())
            at += 1 + data[at]
        kind = labels[-2] if len(labels) > 1 else ""
        asked = struct.unpack("!H", data[at + 1:at + 3])[0]
        records = self.records(labels, kind, asked)
        # with recursion, to one question
        return kind, (
            data[:2] + struct.pack("!5H", 0x8180, 1, len(records), 0, 0) +
            data[12:at + 5] + b"".join(records))

    def records(self, labels, kind, asked):
        if kind not in self.ports:
            return []
        if asked == A and labels[0] == "xmpp":
            found = socket.inet_aton("127.0.0.1")
        elif asked == SRV and labels[0] == "_xmpp-server":
            found = struct.pack("!3H", 5, 5, self.ports[kind]) + wire_name(
                "xmpp.%s.example" % kind)
        else:
            return []
        return [b"\xc0\x0c" + struct.pack("!HHIH", asked, 1, 300, len(found)) +
                found]


# --- servers --------------------------------------------------------------------


class Server:
    """One stream of one domain of a kind."""

    ids = itertools.count()

    def __init__(self, kind, context, reader, writer):
        self.kind, self.context = kind, context
        self.reader, self.writer = reader, writer
        self.text = ""

    async def wait(self, pattern):
        """Until that has come: its match; what stood before it is forgotten."""
        pattern = re.compile(pattern, re.S)
        while True:
            found = pattern.search(self.text)
            if found:
                self.text = self.text[found.end():]
                return found
            data = await self.reader.read(65536)
            if not data:
                raise EOFError
            self.text += data.decode()

    async def silence(self, step):
        if self.kind == step:
            await self.reader.read()
            raise EOFError

    async def header(self):
        tag = (await self.wait("<stream:stream[^>]*>")).group()
        self.me, self.peer = (
            re.search(" %s=.([^'\"]*)" % name, tag).group(1)
            for name in ("to", "from"))

    def send(self, text):
        self.writer.write(text.encode())

    def answer_header(self):
        self.send(OPEN % (self.me, self.peer, next(self.ids)))

    async def run(self):
        await self.silence("accepted")
        await self.header()
        self.answer_header()
        self.send(STARTTLS)
        await self.wait("<starttls[^>]*>")
        self.send(PROCEED)
        await self.silence("tls")
        await self.writer.start_tls(self.context)
        await self.header()
        await self.silence("header")
        self.answer_header()
        await self.silence("features")
        self.send(DIALBACK)
        await self.wait("</db:result>")
        await self.silence("dialback")
        self.send(VALID % (self.me, self.peer))
        while True:
            await self.wait("<message.*?</message>")
            say("message", self.me, time.monotonic())


async def drops():
    """A port at which connections are neither taken nor refused: its queue is
    full."""
    sock = socket.socket()
    sock.bind(("127.0.0.1", 0))
    sock.listen(0)
    full = []
    for _ in range(4):
        full.append(socket.socket())
        full[-1].setblocking(False)
        full[-1].connect_ex(sock.getsockname())
    return sock, full


async def main(chain, key):
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(chain, key)
    dropping = await drops()
    ports = {"dropped": dropping[0].getsockname()[1]}

    def taker(kind):
        async def take(reader, writer):
            try:
                await Server(kind, context, reader, writer).run()
            except (EOFError, OSError):
                pass
            finally:
                writer.close()
        return take
    servers = []
    for kind in ("good", *SILENT[2:]):
        servers.append(await asyncio.start_server(
            taker(kind), "127.0.0.1", 0, backlog=1024))
        ports[kind] = servers[-1].sockets[0].getsockname()[1]
    ports["late"] = ports["good"]
    names = NameServer(ports)
    names.start()
    say("dns", names.port)
    await asyncio.Event().wait()


# --- for tests ----------------------------------------------------------------------


class Many:
    def __init__(self, folder, certificate):
        import os
        from process import Process
        self.process = Process(
            [sys.executable, os.path.abspath(__file__), certificate.chain,
             certificate.key], os.path.join(str(folder), "many.log"))
        self.port = int(self.process.wait_line("^dns ([0-9]+)$").group(1))
        self.numbers = itertools.count()
        self.seen, self.heard = 0, {}
        self.lock = threading.Lock()

    def conf(self, **more):
        return {"servers": ["127.0.0.1@%d" % self.port], "dnssec": "off",
                **more}

    def domain(self, kind):
        return "n%d.%s.example" % (next(self.numbers), kind)

    def got(self):
        """When each has got its messages."""
        with self.lock:
            lines = self.process.lines[self.seen:]
            self.seen += len(lines)
            for words in (line.split() for line in lines):
                if words[0] == "message":
                    self.heard.setdefault(words[1], []).append(float(words[2]))
            return self.heard

    def wait(self, domains, n=1, patience=None):
        """Until each has got so many messages."""
        from process import Failed, PATIENCE
        deadline = time.monotonic() + (patience or PATIENCE)
        while True:
            got = self.got()
            left = [d for d in domains if len(got.get(d, ())) < n]
            if not left:
                return
            with self.process.more:
                if time.monotonic() > deadline or not self.process.alive():
                    raise Failed("%d of %d domains have got nothing: %s\n%s" % (
                        len(left), len(domains), left[:10],
                        self.process.tail(5)))
                self.process.more.wait(0.2)

    def end(self):
        self.process.proc.terminate()
        self.process.proc.wait()


if __name__ == "__main__":
    most = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    asyncio.run(main(*sys.argv[1:]))
