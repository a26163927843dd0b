"""A device: it logs in, sends what its plan says, and speaks XEP-0198 as it
should.  It counts, acknowledges, resumes, and sends again what is not
acknowledged: behind <resumed/> what the server has not got, in a new session
all of it, with the same ids.
"""

import asyncio
import collections
from xml.parsers import expat

import sasl
from client import PATIENCE
from proxy import abort
from reader import MAM, Reader
from sm import SM
from story import Message, Sight
from xmltree import (BIND, CLIENT, SASL, STANZAS, STREAM, STREAMS,
                     StreamReader)

CARBONS = "urn:xmpp:carbons:2"
FORWARD = "urn:xmpp:forward:0"
DELAY = "urn:xmpp:delay"
DISCO = "http://jabber.org/protocol/disco#info"
PRIVATE = ("<query xmlns='jabber:iq:private'><mark xmlns='urn:antiphon:test'/>"
           "</query>")
STANZA_NAMES = ("message", "presence", "iq")
SILENCE = 4     # seconds without an answer after which a connection is given up
WINDOW = 60     # messages that are under way at once
# Ends that a device has to live with.
USUAL = ("conflict", "policy-violation", "system-shutdown", "reset",
         "connection-timeout", "resource-constraint")


class Broken(Exception):
    """Of the connection: there will be another one."""


class Device:
    def __init__(self, plan, account, story, world):
        self.plan, self.name = plan, plan.name
        self.account, self.story, self.world = account, story, world
        self.session = None     # of the story; None: the next one is new
        self.sm_id = None       # by which it is resumed
        self.todo = collections.deque()     # messages to send
        self.unacked = collections.deque()  # (number, text, message or None)
        self.out = self.got = 0 # counted
        self.n = self.n_iq = 0
        self.entered = False    # it has said that it is available
        self.live = False       # sends, and is sent messages
        self.back_at = 0
        self.reader = self.writer = None
        self.marks = {}
        self.changed = asyncio.Event()
        self.asked = None       # since when it waits for an answer
        self.asked_at = 0
        self.presence_id = self.carbons_id = self.last_answer = None
        self.stream = None
        self.answers = {}       # of iqs: id -> what it had acknowledged
        self.inbox = collections.deque()
        self.acks_due = None
        self.archive = Reader(self, story.seed) # of what it asks there

    def note(self, text, id_=None):
        self.story.note(self.name, text, id_)

    def fault(self, text):
        self.story.fault(self.name, text)

    # --- its plan ---------------------------------------------------------

    async def act(self):
        for t, what, *how in self.plan.actions:
            await asyncio.sleep(max(0, t - self.story.now()))
            if what == "send":
                self.compose(*how)
            elif what == "away":
                await self.leave(how[0])
            elif what == "forget":
                # in the middle of a login there is nothing yet to forget
                if self.live or self.writer is None:
                    self.note("forgets its session")
                    self.forget()
                    self.hang_up()
            else:
                self.note("breaks off")
                self.back_at = self.story.now() + how[0]
                self.hang_up()

    def compose(self, account, device, kind, size):
        self.n += 1
        m = Message("%s.%d" % (self.name, self.n), self.n, self.name, account,
                    device, kind)
        m.size = size
        self.story.messages[m.id] = m
        self.todo.append(m)
        self.flush()

    async def leave(self, seconds):
        """With a goodbye, when there is anybody to hear it."""
        self.note("goes away for %.1f s" % seconds)
        self.back_at = self.story.now() + seconds
        if not self.live:
            return
        self.ask()
        await self.until(lambda: not self.live or not self.unacked, 1)
        if self.live:
            # who has yet to hear of something does not say that all is well
            if not self.unacked:
                self.ack()
                self.write("</stream:stream>")
            self.forget()
            self.hang_up()

    async def until(self, test, seconds):
        """False: it is not so in time."""
        end = self.story.now() + seconds
        while not test():
            left = end - self.story.now()
            if left <= 0:
                return False
            self.changed.clear()
            try:
                await asyncio.wait_for(self.changed.wait(), min(left, 0.5))
            except asyncio.TimeoutError:
                pass
        return True

    def forget(self):
        """The session ends for us, and what was not acknowledged is sent again
        in the next one, in order, ahead of all else."""
        if self.session is not None and self.session.ended is None:
            self.session.ended = self.story.now()
            self.note("session %d has ended" % self.session.no)
        self.session = self.sm_id = None
        self.live = False
        again = [m for _, _, m in self.unacked if m is not None]
        self.todo.extendleft(reversed(again))
        self.unacked.clear()
        self.marks.clear()

    def hang_up(self):
        self.live = False
        if self.writer is not None:
            self.writer.close()
        self.writer = None

    # --- what it writes ---------------------------------------------------

    def write(self, text):
        if self.writer is not None and not self.writer.is_closing():
            self.writer.write(text.encode())

    def send(self, text, message=None):
        """A stanza, which is counted, and sent again if need be."""
        self.out += 1
        self.unacked.append((self.out, text, message))
        self.write(text)

    def flush(self):
        while self.live and self.todo and len(self.unacked) < WINDOW:
            m = self.todo.popleft()
            m.sends.append((self.story.now(), self.session.no))
            self.note("sends, as number %d of session %d, to %s"
                      % (self.out + 1, self.session.no,
                         m.device or m.account), m.id)
            self.send(self.text_of(m), m)
            self.write("<r xmlns='%s'/>" % SM)
            self.asked = self.asked or self.story.now()

    def text_of(self, m):
        if m.to is None:
            m.to = self.world.accounts[m.account].jid
            if m.device:
                m.to = self.world.devices[m.device].full(m.to)
        return ("<message to='%s' id='%s' type='%s'><body>%s</body>"
                "<origin-id xmlns='urn:xmpp:sid:0' id='%s'/></message>"
                % (m.to, m.id, m.kind, "x" * m.size, m.id))

    def full(self, bare):
        """Its address, the last that is known."""
        if self.session is not None and self.session.jid:
            return self.session.jid
        return "%s/%s" % (bare, self.plan.resource or "none")

    def ask(self):
        self.write("<r xmlns='%s'/>" % SM)
        self.iq("get", "<ping xmlns='urn:xmpp:ping'/>")
        self.asked_at = self.story.now()
        self.asked = self.asked or self.asked_at

    def iq(self, kind, payload, to=None):
        self.n_iq += 1
        id_ = "q%d" % self.n_iq
        self.answers[id_] = self.session.acked if self.session else 0
        self.send("<iq type='%s' id='%s'%s>%s</iq>" % (
            kind, id_, " to='%s'" % to if to else "", payload))
        return id_

    def ack(self):
        self.session.acked = self.got
        self.write("<a xmlns='%s' h='%d'/>" % (SM, self.got))

    # --- what it reads ----------------------------------------------------

    async def element(self):
        while not self.inbox or self.writer is None:
            if self.writer is None:
                raise Broken("hung up")
            if self.stream.closed:
                raise Broken("the stream was closed")
            try:
                data = await asyncio.wait_for(self.reader.read(65536), 1)
            except asyncio.TimeoutError:
                self.look()
                continue
            except OSError as e:
                raise Broken(str(e)) from None
            if not data:
                raise Broken("the connection ended")
            try:
                self.stream.feed(data)
            except expat.ExpatError as e:
                if self.inbox and self.inbox[-1].is_("success", SASL):
                    # it has ended the stream that we were about to open
                    raise Broken("a new stream at once") from None
                self.fault("not well-formed: %s in %r" % (e, data[-300:]))
                raise Broken(str(e)) from None
            if self.asked is not None:
                self.asked = self.story.now()
            self.look()
        return self.inbox.popleft()

    def look(self):
        """Once a second, or so."""
        now = self.story.now()
        if self.asked is not None and now - self.asked > self.silence():
            raise Broken("no answer for %.0f s" % self.silence())
        if self.live and self.asked is None and now - self.asked_at > 1:
            self.ask()

    def silence(self):
        return PATIENCE if self.world.calm else SILENCE

    async def take(self, *names):
        """The next element of these; what else comes is dealt with."""
        self.asked = self.story.now()
        while True:
            e = await self.element()
            if e.name in names and e.ns != CLIENT:
                self.asked = None
                return e
            self.handle(e)

    def handle(self, e):
        if e.is_("error", STREAM):
            conds = [c.name for c in e.elems() if c.ns == STREAMS]
            if conds[0] not in USUAL:
                self.fault("stream error: %s" % e)
            raise Broken("stream error %s" % conds[0])
        if e.ns == SM:
            self.handle_sm(e)
        elif e.ns != CLIENT or e.name not in STANZA_NAMES:
            self.fault("unexpected: %s" % e)
        else:
            number = None
            if self.sm_id is not None:
                self.got += 1
                number = self.got
            self.handle_stanza(e, number)
        self.changed.set()

    def handle_sm(self, e):
        if e.name == "a":
            self.asked = None
            self.acknowledged(e)
            self.flush()
        elif e.name == "r" and self.acks_due is None:
            self.acks_due = asyncio.get_running_loop().call_later(
                self.plan.lazy if not self.world.calm else 0, self.ack_now)
        elif e.name != "r":
            self.fault("unexpected: %s" % e)

    def ack_now(self):
        """Also while it comes, and reads its archive before it is available."""
        self.acks_due = None
        if self.sm_id is not None:
            self.ack()

    def acknowledged(self, e):
        h = int(e.get("h"))
        if h > self.out:
            self.fault("h=%d of %d sent: %s" % (h, self.out, e))
        if h < self.handled():
            self.fault("h=%d goes back from %d" % (h, self.handled()))
        while self.unacked and self.unacked[0][0] <= h:
            number, _, m = self.unacked.popleft()
            if m is not None:
                m.acked = self.story.now()
                self.note("has number %d acknowledged by %s h=%d"
                          % (number, e.name, h), m.id)

    def handled(self):
        return self.unacked[0][0] - 1 if self.unacked else self.out

    def handle_stanza(self, e, number):
        if e.name == "iq":
            self.handle_iq(e)
        elif e.child("result", MAM) is not None:
            self.archive.result(e.child("result", MAM))
        elif e.name == "message":
            copy = next((c for c in e.elems() if c.ns == CARBONS and
                         c.name in ("sent", "received")), None)
            inner = e if copy is None else (
                copy.find("forwarded", "message") or e)
            self.handle_message(e, inner, copy, number)

    def handle_message(self, e, m, copy, number):
        id_ = m.get("id", "")
        if id_.startswith("mark-"):
            self.marks[id_] = True
        elif m.get("type") == "error":
            self.note("gets an error: %s" % [
                c.name for x in m.elems() if x.name == "error"
                for c in x.elems() if c.ns == STANZAS], id_)
            if copy is None and id_ in self.story.messages:
                self.story.messages[id_].errors.append(self.story.now())
        elif id_ in self.story.messages:
            stamped = e.child("delay", DELAY) is not None
            sight = Sight(self.story.now(), id_, number, stamped,
                          copy.name if copy is not None else None)
            self.session.sights.append(sight)
            self.archive.live(m)
            self.note("sees number %s of session %d%s%s" % (
                number, self.session.no, ", with a delay" if stamped else "",
                ", a carbon: " + sight.copy if sight.copy else ""), id_)
        else:
            self.fault("a message of nobody: %s" % e)

    def handle_iq(self, e):
        id_ = e.get("id", "")
        if e.get("type") in ("result", "error"):
            acked = self.answers.pop(id_, None)
            if acked is not None:
                self.asked = None
                # it had read our <a/> when it read this
                self.session.sure = max(self.session.sure, acked)
            self.on_answer(id_, e)
        elif e.get("type") in ("get", "set"):
            self.send("<iq type='result' id='%s'%s/>" % (
                id_, " to='%s'" % e.get("from") if e.get("from") else ""))

    def on_answer(self, id_, e):
        if self.archive.answer(e):
            pass
        elif id_ == self.presence_id and self.session.available is None:
            self.session.available = self.story.now()
            self.note("is available in session %d" % self.session.no)
        elif id_ == self.carbons_id and e.get("type") == "result":
            self.session.copies = self.story.now()
        self.last_answer = id_

    # --- connections ------------------------------------------------------

    async def run(self):
        """Until it is cancelled."""
        tries = 0
        while True:
            await asyncio.sleep(max(0, self.back_at - self.story.now()))
            try:
                await self.connect()
                tries = 0
                while True:
                    self.handle(await self.element())
            except (Broken, OSError) as e:
                self.note_end("connection ends: %s" % (e or type(e).__name__))
            finally:
                self.close()
            tries += 1
            await asyncio.sleep(0.05 * min(tries, 6))

    def note_end(self, text):
        """Not again and again while the server is not there."""
        if self.story.last.get(self.name) != text:
            self.note(text)

    def close(self):
        self.live = False
        if self.acks_due is not None:
            self.acks_due.cancel()
            self.acks_due = None
        if self.writer is not None:
            self.writer.close()
        self.writer = self.asked = None
        self.changed.set()

    async def open(self):
        self.inbox.clear()
        self.stream = StreamReader(self.inbox.append)
        self.write("<?xml version='1.0'?><stream:stream xmlns='%s' "
                   "xmlns:stream='%s' to='%s' version='1.0'>"
                   % (CLIENT, STREAM, self.world.server.domain))
        return await self.take("features")

    async def connect(self):
        self.reader, self.writer = await asyncio.open_connection(
            "127.0.0.1", self.world.proxies[self.name].port)
        await self.open()
        await self.authenticate()
        await self.open()
        if self.sm_id is None or not await self.resume():
            await self.bind()
        if not self.entered:
            await self.enter()
        self.live = True
        self.ask()
        self.flush()

    async def authenticate(self):
        scram = sasl.Scram("SCRAM-SHA-1", self.account.name,
                           self.account.password)
        self.write("<auth xmlns='%s' mechanism='SCRAM-SHA-1'>%s</auth>"
                   % (SASL, scram.first()))
        e = await self.take("challenge", "failure")
        if e.name == "challenge":
            self.write("<response xmlns='%s'>%s</response>"
                       % (SASL, scram.final(e.text())))
            e = await self.take("success", "failure")
        if e.name == "failure":
            if e.child("temporary-auth-failure") is None:
                self.fault("cannot log in: %s" % e)
            raise Broken("login: %s" % e)
        scram.verify(e.text())

    async def resume(self):
        h = self.got
        self.session.acked = h
        self.write("<resume xmlns='%s' previd='%s' h='%d'/>"
                   % (SM, self.sm_id, h))
        e = await self.take("resumed", "failed")
        if e.name == "failed":
            self.note("cannot resume session %d: %s" % (self.session.no, e))
            if e.get("h"):
                self.acknowledged(e)
            self.forget()
            return False
        if e.get("previd") != self.sm_id:
            self.fault("resumed another session: %s" % e)
        self.session.sure = max(self.session.sure, h)
        self.note("resumes session %d: it has %d, the server %s of %d" % (
            self.session.no, h, e.get("h"), self.out))
        self.acknowledged(e)
        for number, text, m in self.unacked:
            if m is not None:
                m.sends.append((self.story.now(), self.session.no))
                self.note("sends again number %d of session %d"
                          % (number, self.session.no), m.id)
            self.write(text)
        return True

    async def bind(self):
        self.forget()
        self.answers.clear()
        self.presence_id = self.carbons_id = None
        self.entered = False
        resource = self.plan.resource
        self.session = self.story.session(self.name)
        self.archive.begin()
        inner = "<resource>%s</resource>" % resource if resource else ""
        self.write("<iq type='set' id='bind'><bind xmlns='%s'>%s</bind></iq>"
                   % (BIND, inner))
        self.asked = self.story.now()
        e = await self.element()
        if e.is_("error", STREAM):
            self.handle(e)
        if e.get("type") != "result":
            raise Broken("bind: %s" % e)
        self.session.jid = e.find("bind", "jid").text()
        self.note("binds session %d, %s" % (self.session.no, self.session.jid))
        self.out = self.got = 0
        self.write("<enable xmlns='%s' resume='true'/>" % SM)
        e = await self.take("enabled", "failed")
        if not e.get("id"):
            self.fault("no session that can be resumed: %s" % e)
            raise Broken("no stream management")
        self.sm_id = e.get("id")
        self.session.counts = self.story.now()

    async def enter(self):
        """What a new session begins with; a connection may break in between."""
        await self.enable_carbons()
        if self.world.archive and self.plan.reads_first:
            await self.read_archive()
        self.send("<presence/>")
        self.presence_id = self.iq("set", PRIVATE)
        if self.world.archive:
            self.archive.ask()
        self.entered = True

    async def read_archive(self):
        """All of it, so that what was kept is not given to this session once more
        (XEP-0313 §6.1.1); what comes meanwhile is asked for behind the presence."""
        if self.archive.query is None:
            self.archive.ask()
        while not self.archive.complete:
            self.asked = self.story.now()
            self.handle(await self.element())
        self.archive.complete, self.asked = False, None

    async def enable_carbons(self):
        """If there are any: the server is asked once."""
        if self.world.carbons is None:
            e = await self.answer("get", "<query xmlns='%s'/>" % DISCO,
                                  self.world.server.domain)
            query = e.child("query")
            self.world.carbons = query is not None and any(
                f.get("var") == CARBONS for f in query.elems())
        if self.world.carbons:
            self.carbons_id = self.iq("set", "<enable xmlns='%s'/>" % CARBONS)

    async def answer(self, kind, payload, to=None):
        id_ = self.iq(kind, payload, to)
        while True:
            e = await self.element()
            self.handle(e)
            if e.is_("iq") and e.get("id") == id_:
                return e

    # --- in the end -------------------------------------------------------

    def is_quiet(self):
        return (self.live and not self.todo and self.session is not None and
                self.session.available is not None and
                (self.archive.complete or not self.world.archive) and
                not any(m for _, _, m in self.unacked))

    def drop(self):
        if self.writer is not None:
            abort(self.writer)
