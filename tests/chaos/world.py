"""One seed: a server, a proxy before each device, and what the plan has for
them; then everything is quiet, and the checker decides.
"""

import asyncio
import os
import signal

import antiphon
import check
from client import PATIENCE
from device import Device
from plan import Plan
from process import Failed
from proxy import Proxy
from scene import Account
from story import Story


class World:
    def __init__(self, seed, seconds, devices, folder, certs):
        self.plan = Plan(seed, seconds, devices)
        self.story = Story(seed, self.plan.devices)
        self.server = antiphon.Server(
            os.path.join(folder, "s%d" % seed), self.plan.conf, certs)
        self.server.conf["listen"].append({
            "kind": "c2s", "address": "127.0.0.1", "port": 0, "tls": "none"})
        self.accounts = {a: Account(a, self.server.domain)
                         for a in self.plan.accounts}
        self.carbons = None     # does the server have them? None: nobody asked
        self.archive = False    # has the server any?
        self.calm = False
        self.up = asyncio.Lock()        # held while the server is not there
        self.devices = {
            d.name: Device(d, self.accounts[d.account], self.story, self)
            for d in self.plan.devices}
        self.proxies = {
            d.name: Proxy(d.name, self.plan, self.port, self.story.note)
            for d in self.plan.devices}
        self.tasks = []

    def port(self):
        return self.server.port("none")

    async def call(self, fn, *args, **more):
        """What blocks, beside the loop."""
        return await asyncio.get_running_loop().run_in_executor(
            None, lambda: fn(*args, **more))

    # --- the server -------------------------------------------------------

    async def start(self):
        await self.call(self.server.start)
        self.archive = check.has_archive(self.server)
        self.story.lives += 1
        self.story.note("server", "has started, life %d" % self.story.lives)

    async def stop(self):
        self.story.note("server", "is stopped")
        await self.call(self.server.stop)
        self.story.note("server", "has stopped")

    async def kill(self):
        self.story.note("server", "is killed")
        self.server.process.signal(signal.SIGKILL)
        self.story.kills.append(self.story.now())
        await self.call(self.server.kill9)

    async def blows(self):
        for t, how, pause in self.plan.blows:
            await asyncio.sleep(max(0, t - self.story.now()))
            self.server.check()
            async with self.up:
                await (self.kill if how == "kill" else self.stop)()
                await asyncio.sleep(pause)
                await self.start()

    # --- its course -------------------------------------------------------

    async def run(self):
        """The checker's verdict."""
        try:
            await self.begin()
            await asyncio.gather(
                self.blows(), *(d.act() for d in self.devices.values()))
            await self.end()
        except Failed as e:
            self.story.fault("server", str(e))
        finally:
            await self.clean_up()
        return check.Verdict(self.story, self.server, self.accounts, {
            d.name: d.archive.has for d in self.devices.values()})

    async def begin(self):
        await self.start()
        await self.call(self.server.add_users_batch, [
            (a.name, a.password) for a in self.accounts.values()])
        for proxy in self.proxies.values():
            await proxy.start()
        self.story.note("server", "conf %s" % self.plan.conf["modules"]["sm"])
        self.tasks = [asyncio.ensure_future(self.watch(d))
                      for d in self.devices.values()]

    async def watch(self, device):
        try:
            await device.run()
        except asyncio.CancelledError:
            raise
        except Exception as e: # of the test itself, or of what it cannot read
            self.story.fault(device.name, "%s: %s" % (type(e).__name__, e))
            raise

    async def end(self):
        """No more faults: all log in, and what is on its way arrives; also what
        waits in sessions to which nobody comes back."""
        self.story.note("world", "is calm")
        self.calm = True
        for proxy in self.proxies.values():
            proxy.be_calm()
        if not await self.settle():
            return
        await self.call(self.server.advance, self.plan.sleep + 1)
        if not await self.settle():
            return
        self.story.note("world", "is quiet")
        rows = (await self.call(self.server.ctl, "--json", "sessions")
                ).splitlines()
        if len(rows) != len(self.devices):
            self.story.fault("server", "%d sessions of %d devices:\n%s" % (
                len(rows), len(self.devices), "\n".join(rows)))

    async def settle(self):
        """All that was under way between devices that live has arrived."""
        deadline = self.story.now() + PATIENCE * 3
        while self.story.now() < deadline:
            if await self.all_quiet() and await self.flush() and \
                    await self.flush() and await self.all_acknowledge():
                return True
            await asyncio.sleep(0.05)
        for d in self.devices.values():
            self.story.note(d.name, "quiet=%s live=%s todo=%d unacked=%d "
                            "sent=%d" % (d.is_quiet(), d.live, len(d.todo),
                                         len(d.unacked), d.out))
        for what in ("sessions", "stats"):
            self.story.note("server", "says of %s: %s" % (
                what, await self.call(self.server.ctl, what)))
        self.story.quiet = False
        self.story.fault("world", "is not quiet in time: %s" % ", ".join(
            "%s %s" % (d.name, "waits" if d.live else "cannot come back")
            for d in self.devices.values() if not d.is_quiet()))
        return False

    async def all_quiet(self):
        for d in self.devices.values():
            if not await d.until(d.is_quiet, PATIENCE):
                return False
        return True

    async def flush(self):
        """As Scene.flush(): marks, which overtake nothing."""
        marks = []
        for a in self.devices.values():
            for b in self.devices.values():
                if a is b:
                    continue
                if not a.live or b.session is None:
                    return False
                id_ = "mark-%s-%s-%d" % (a.name, b.name, len(self.story.events))
                a.send("<message to='%s' id='%s' type='headline'>"
                       "<mark xmlns='urn:antiphon:test'/></message>"
                       % (b.session.jid, id_))
                marks.append((b, id_))
        for b, id_ in marks:
            if not await b.until(lambda b=b, i=id_: i in b.marks, PATIENCE):
                self.story.note("world", "waits in vain for " + id_)
                return False
        return True

    async def all_acknowledge(self):
        pings = []
        for d in self.devices.values():
            if not d.live:
                return False
            d.ack()
            pings.append((d, d.iq("get", "<ping xmlns='urn:xmpp:ping'/>")))
        for d, id_ in pings:
            if not await d.until(lambda d=d, i=id_: i not in d.answers,
                                 PATIENCE):
                return False
        return True

    async def clean_up(self):
        left = set(self.tasks)
        while left: # wait_for() may swallow it (before Python 3.12)
            for task in left:
                task.cancel()
            left = (await asyncio.wait(left, timeout=0.5))[1]
        for d in self.devices.values():
            d.drop()
        for proxy in self.proxies.values():
            await proxy.close()
        try:
            if self.server.process is not None:
                self.server.check()
            await self.call(self.server.stop)
        except Failed as e:
            self.story.fault("server", str(e))
