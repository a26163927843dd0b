"""Stands between a device and the server, and does to each connection what the
plan has for it, down to the byte: most break inside a stanza.

    reset       both sides get an RST
    end         both sides get an end, behind the last byte
    half up     the server sees the end of what the device sends, and may go on
    half down   the device sees the end of what the server sends, and may go on
    stall       nothing goes on for a while, in either direction
    swallow     what comes is taken, by nobody, and both believe all is well
    dead        the device is gone, and the server does not know
"""

import asyncio
import socket
import struct

CHUNK = 16384


def abort(writer):
    """With an RST, whatever waits."""
    sock = writer.get_extra_info("socket")
    if sock is not None and sock.fileno() >= 0:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER,
                        struct.pack("ii", 1, 0))
    writer.transport.abort()


class Link:
    """One connection through the proxy."""

    def __init__(self, proxy, way, down, up):
        self.proxy, self.way = proxy, way
        self.device, self.server = down, up # pairs of reader and writer
        self.fault = way.fault
        self.swallows = False
        self.deaf = set() # ways that have ended for who would be told
        self.held = asyncio.Event()
        self.held.set()
        self.tasks = []

    async def run(self):
        go = asyncio.ensure_future
        self.tasks = [
            go(self.pump("up", self.device[0], self.server[1])),
            go(self.pump("down", self.server[0], self.device[1]))]
        late = None
        if self.fault is not None and self.fault.after is not None:
            late = go(self.wait_for_fault())
        try:
            await asyncio.gather(*self.tasks)
        finally:
            if late is not None:
                late.cancel()
            for _, writer in (self.device, self.server):
                writer.close()

    async def wait_for_fault(self):
        await asyncio.sleep(self.fault.after)
        self.strike()

    def strike(self):
        fault, self.fault = self.fault, None
        if fault is None:
            return
        self.proxy.note("%s (%s)" % (fault.kind, fault))
        if fault.kind == "reset":
            self.cut()
        elif fault.kind == "end":
            self.device[1].close()
            self.server[1].close()
            self.swallows = True
        elif fault.kind == "half up":
            self.deaf.add("up")
            self.end(self.server[1])
        elif fault.kind == "half down":
            self.deaf.add("down")
            self.end(self.device[1])
        elif fault.kind == "stall":
            self.held.clear()
            asyncio.get_running_loop().call_later(fault.lasts, self.held.set)
        elif fault.kind == "swallow":
            self.swallows = True
        else:
            self.swallows = True
            abort(self.device[1])

    @staticmethod
    def end(writer):
        try:
            if not writer.is_closing():
                writer.write_eof()
        except OSError:
            pass

    def cut(self):
        self.swallows = True
        self.held.set()
        abort(self.device[1])
        abort(self.server[1])

    def room(self, way, seen):
        """How many bytes may go before the fault; None: as many as come."""
        at = getattr(self.fault, way, None)
        return None if at is None else max(at - seen, 0)

    async def pump(self, way, reader, writer):
        seen = 0
        try:
            while True:
                data = await reader.read(CHUNK)
                if not data:
                    break
                if self.way.delay:
                    await asyncio.sleep(self.way.delay)
                while data:
                    n = self.way.pieces or len(data)
                    room = self.room(way, seen)
                    piece = data[:n if room is None else min(n, room)]
                    data = data[len(piece):]
                    seen += len(piece)
                    await self.forward(way, piece, writer)
                    if room is not None and len(piece) == room:
                        self.strike()
        except OSError:
            self.lost(way)
            return
        self.deaf.add(way)
        # who is dead for the server says nothing, not even that he goes
        if way == "up" and self.swallows and not self.proxy.calm:
            return
        self.end(writer)

    async def forward(self, way, piece, writer):
        await self.held.wait()
        if piece and not self.swallows and way not in self.deaf:
            writer.write(piece)
            await writer.drain()

    def lost(self, way):
        """One side has broken: so does the other, unless it is not to know."""
        if self.swallows and not self.proxy.calm:
            return
        abort(self.server[1] if way == "up" else self.device[1])


class Proxy:
    """Of one device.  port_of_server(): where it listens now."""

    def __init__(self, name, plan, port_of_server, note):
        self.name, self.plan = name, plan
        self.port_of_server, self.note_at = port_of_server, note
        self.links = set()
        self.n = 0
        self.calm = False
        self.listener = self.port = None

    async def start(self):
        self.listener = await asyncio.start_server(
            self.accept, "127.0.0.1", 0)
        self.port = self.listener.sockets[0].getsockname()[1]

    def note(self, text):
        self.note_at("proxy " + self.name, text)

    async def accept(self, reader, writer):
        self.n += 1
        way = self.plan.way(self.name, self.n)
        if self.calm:
            way.fault, way.delay, way.pieces = None, 0, 0
        try:
            up = await asyncio.open_connection("127.0.0.1",
                                               self.port_of_server())
        except OSError:
            abort(writer)
            return
        link = Link(self, way, (reader, writer), up)
        self.links.add(link)
        try:
            await link.run()
        except asyncio.CancelledError:
            pass # the loop ends, and asks what has become of us
        finally:
            self.links.discard(link)

    def be_calm(self):
        """No more faults; those that wear one break now."""
        self.calm = True
        for link in list(self.links):
            link.fault, link.way.delay, link.way.pieces = None, 0, 0
            if link.swallows or link.deaf or not link.held.is_set():
                link.cut()

    async def close(self):
        self.be_calm()
        self.listener.close()
        for link in list(self.links):
            link.cut()
        await self.listener.wait_closed()
