"""Somebody else's client library, so that our own client and our server cannot
be wrong in the same way."""

import asyncio

import pytest

import scene as scenes
from client import PATIENCE

slixmpp = pytest.importorskip("slixmpp")


class Peer(slixmpp.ClientXMPP):
    def __init__(self, account, server):
        super().__init__(account.jid, account.password)
        self.ca_certs = server.ca_file
        self.messages = asyncio.Queue()
        self.ready = asyncio.get_event_loop().create_future()
        self.register_plugin("xep_0030")
        self.register_plugin("xep_0199")
        self.add_event_handler("session_start", self.on_start)
        self.add_event_handler("failed_all_auth", self.on_failed)
        self.add_event_handler("message", self.messages.put_nowait)

    async def on_start(self, _event):
        await self.get_roster()
        self.send_presence()
        self.ready.set_result(None)

    def on_failed(self, _event):
        self.ready.set_exception(AssertionError("no login"))


async def talk(scene):
    peers = []
    for name in ("romeo", "juliet"):
        peer = Peer(scene.accounts[name], scene.server)
        peer.connect(("127.0.0.1", scene.server.port("starttls")))
        await asyncio.wait_for(peer.ready, PATIENCE)
        peers.append(peer)
    romeo, juliet = peers
    romeo.send_message(mto=juliet.boundjid, mbody="hello", mtype="chat")
    got = await asyncio.wait_for(juliet.messages.get(), PATIENCE)
    assert got["body"] == "hello" and got["from"] == romeo.boundjid
    info = await romeo["xep_0030"].get_info(jid=scene.server.domain,
                                            timeout=PATIENCE)
    assert ("server", "im") in {i[:2] for i in
                                info["disco_info"]["identities"]}
    await romeo["xep_0199"].ping(scene.server.domain, timeout=PATIENCE)
    for peer in peers:
        await asyncio.wait_for(peer.disconnect(), PATIENCE)


async def copy(scene):
    """Each of two of romeo's devices sees what the other sends and gets."""
    peers = []
    for name in ("romeo", "romeo", "juliet"):
        peer = Peer(scene.accounts[name], scene.server)
        peer.register_plugin("xep_0280")
        peer.connect(("127.0.0.1", scene.server.port("starttls")))
        await asyncio.wait_for(peer.ready, PATIENCE)
        peers.append(peer)
    one, two, juliet = peers
    seen = asyncio.Queue()
    for peer in (one, two):
        peer.add_event_handler("carbon_sent", seen.put_nowait)
        peer.add_event_handler("carbon_received", seen.put_nowait)
        await peer["xep_0280"].enable(timeout=PATIENCE)
    one.send_message(mto=juliet.boundjid, mbody="out", mtype="chat")
    got = await asyncio.wait_for(seen.get(), PATIENCE)
    assert got["to"] == two.boundjid and got["from"] == two.boundjid.bare
    assert got["carbon_sent"]["body"] == "out"
    juliet.send_message(mto=one.boundjid, mbody="in", mtype="chat")
    got = await asyncio.wait_for(seen.get(), PATIENCE)
    assert got["to"] == two.boundjid
    assert got["carbon_received"]["body"] == "in"
    assert got["carbon_received"]["from"] == juliet.boundjid
    await two["xep_0280"].disable(timeout=PATIENCE)
    juliet.send_message(mto=one.boundjid, mbody="in", mtype="chat")
    for peer in peers:
        await peer["xep_0199"].ping(scene.server.domain, timeout=PATIENCE)
        await asyncio.wait_for(peer.disconnect(), PATIENCE)
    assert seen.empty()


async def break_and_resume(scene):
    romeo, juliet = [Peer(scene.accounts[name], scene.server)
                     for name in ("romeo", "juliet")]
    romeo.register_plugin("xep_0198")
    resumed = asyncio.Queue()
    acked = asyncio.Queue()
    romeo.add_event_handler("session_resumed", resumed.put_nowait)
    romeo.add_event_handler("stanza_acked", acked.put_nowait)
    port = scene.server.port("starttls")
    for peer in romeo, juliet:
        peer.connect(("127.0.0.1", port))
        await asyncio.wait_for(peer.ready, PATIENCE)
    for i in range(3):
        romeo.send_message(mto=juliet.boundjid, mbody="a%d" % i, mtype="chat")
        got = await asyncio.wait_for(juliet.messages.get(), PATIENCE)
        assert got["body"] == "a%d" % i
        # by itself it asks ahead of what it sends
        romeo["xep_0198"].request_ack()
        while (await asyncio.wait_for(acked.get(), PATIENCE)).name != "message":
            pass
    for i in range(3):
        process = scene.server.process
        lines = len(process.lines)
        romeo.transport.abort()
        await asyncio.get_event_loop().run_in_executor(
            None, process.wait_line, "asleep", lines)
        juliet.send_message(mto=romeo.boundjid.bare, mbody="b%d" % i,
                            mtype="chat")
        await asyncio.sleep(0)
        romeo.connect(("127.0.0.1", port))
        await asyncio.wait_for(resumed.get(), PATIENCE)
        got = await asyncio.wait_for(romeo.messages.get(), PATIENCE)
        assert got["body"] == "b%d" % i
        assert got.xml.find("{urn:xmpp:delay}delay") is None
        romeo.send_message(mto=juliet.boundjid, mbody="c%d" % i, mtype="chat")
        got = await asyncio.wait_for(juliet.messages.get(), PATIENCE)
        assert got["body"] == "c%d" % i
    assert romeo.messages.empty() and juliet.messages.empty()
    for peer in romeo, juliet:
        await asyncio.wait_for(peer.disconnect(), PATIENCE)


def play(scene, what):
    scene.add_accounts("romeo", "juliet")
    run(what(scene))


def run(what):
    loop = asyncio.new_event_loop()
    asyncio.set_event_loop(loop)
    loop.run_until_complete(what)
    for task in asyncio.all_tasks(loop): # slixmpp leaves some behind
        task.cancel()
    loop.run_until_complete(asyncio.sleep(0))
    loop.close()


def test_slixmpp_talks(scene):
    play(scene, talk)


def test_slixmpp_is_shown_copies(scene):
    play(scene, copy)


@pytest.mark.only("antiphon")
def test_slixmpp_breaks_off_and_resumes(own_server):
    """XEP-0198"""
    scene = scenes.Scene(own_server())
    play(scene, break_and_resume)
    scene.end()
