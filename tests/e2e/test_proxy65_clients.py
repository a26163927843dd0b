"""The proxy for bytestreams with clients' libraries, and as Jingle uses it
(XEP-0260): what they send each other goes through it alone, for the ends offer
nothing else."""

import asyncio
import hashlib
import secrets
from xml.sax.saxutils import escape

import pytest

import scene as scenes
from client import PATIENCE
from socks import End, digest
from test_proxy65 import CLIENTS, NS, PORT, Proxy
from test_slixmpp import Peer, play, run, slixmpp

pytestmark = pytest.mark.only("antiphon")

JINGLE, S5B = "urn:xmpp:jingle:1", "urn:xmpp:jingle:transports:s5b:1"
SIZE = 3_000_001


# --- slixmpp ---------------------------------------------------------------------

async def send_file(scene):
    """By XEP-0065: slixmpp offers the proxies that it finds, and no address of its
    own."""
    scene.befriend("romeo", "juliet") # strangers get no requests
    romeo, juliet = [Peer(scene.accounts[name], scene.server)
                     for name in ("romeo", "juliet")]
    got, closed = [], asyncio.Event()
    for peer in romeo, juliet:
        peer.register_plugin("xep_0065")
        peer.connect(("127.0.0.1", scene.server.port("starttls")))
        await asyncio.wait_for(peer.ready, PATIENCE)
    juliet["xep_0065"].auto_accept = True
    juliet.add_event_handler("socks5_data", got.append)
    juliet.add_event_handler("socks5_closed", lambda _: closed.set())
    data = secrets.token_bytes(SIZE)
    stream = await asyncio.wait_for(
        romeo["xep_0065"].handshake(str(juliet.boundjid)), PATIENCE)
    assert stream is not None
    await stream.write(data)
    stream.transport.write_eof()
    while sum(map(len, got)) < SIZE:
        await asyncio.sleep(0)
    assert b"".join(bytes(part) for part in got) == data
    stream.transport.close()
    for peer in romeo, juliet:
        await asyncio.wait_for(peer.disconnect(), PATIENCE)


def test_slixmpp_sends_a_file(own_server):
    assert slixmpp
    server = own_server({"modules": {"proxy65": {"name": "127.0.0.1"}},
                         "listen": [dict(CLIENTS), dict(PORT)], "shards": 3})
    play(scenes.Scene(server), send_file)
    assert "bytes=%d " % SIZE in server.process.wait_line(
        "transfer ends.*")[0]
    server.check()


async def take_file(p):
    """It connects to all streamhosts at once, keeps all of that open, and takes what
    comes by any, so that it does not matter which the proxy has taken for the first:
    they come at the same moment.  The end of any is the end for it."""
    p.scene.befriend("romeo", "juliet")
    juliet = Peer(p.scene.accounts["juliet"], p.server)
    got, closed_at = [], []
    juliet.register_plugin("xep_0065")
    juliet.connect(("127.0.0.1", p.server.port("starttls")))
    await asyncio.wait_for(juliet.ready, PATIENCE)
    juliet["xep_0065"].auto_accept = True
    juliet.add_event_handler("socks5_data", got.append)
    juliet.add_event_handler(
        "socks5_closed", lambda _: closed_at.append(sum(map(len, got))))
    target, sid = str(juliet.boundjid), p.sid()

    def begin():
        hosts = p.romeo.iq("get", "<query xmlns='%s'/>" % NS, p.domain).find(
            "query").elems()
        assert [h.get("host") for h in hosts] == ["127.0.0.1", "127.0.0.2"]
        answer = p.romeo.iq("set", "<query xmlns='%s' sid='%s'>%s</query>" % (
            NS, escape(sid), "".join(map(str, hosts))), target)
        assert answer.find("query").find("streamhost-used").get(
            "jid") == p.domain, answer
        frm = p.end().join(digest(sid, p.me, target))
        assert p.activate(sid, target).get("type") == "result"
        return frm

    def in_thread(fn, *args):
        return asyncio.get_event_loop().run_in_executor(None, fn, *args)

    frm = await in_thread(begin)
    data = secrets.token_bytes(SIZE)
    await in_thread(frm.say, data)
    while sum(map(len, got)) < SIZE:
        await asyncio.sleep(0)
    assert b"".join(bytes(part) for part in got) == data
    frm.sock.close()
    while not closed_at:
        await asyncio.sleep(0)
    assert set(closed_at) == {SIZE}
    await asyncio.wait_for(juliet.disconnect(), PATIENCE)


def test_slixmpp_gets_a_file_by_one_of_several_addresses(own_server):
    p = Proxy(own_server, {"listen": [dict(CLIENTS), {**PORT, "address": "*"}]},
              name="127.0.0.1", addresses="127.0.0.2")
    run(take_file(p))
    p.server.check()


# --- Jingle ------------------------------------------------------------------------

def jingle(action, sid, payload):
    return ("<jingle xmlns='%s' action='%s' sid='%s'><content creator='initiator' "
            "name='ex'>%s</content></jingle>" % (JINGLE, action, sid, payload))


def tell(frm, to, action, payload, sid="a73sjjvkla37jfea"):
    """What the other one gets of it."""
    frm.send("<iq type='set' id='%s' to='%s'>%s</iq>" % (
        action, to.jid, jingle(action, sid, payload)))
    got = to.take(lambda e: e.is_("iq") and e.find("jingle") is not None, action)
    to.send("<iq type='result' id='%s' to='%s'/>" % (got.get("id"), frm.jid))
    frm.take(lambda e: e.is_("iq") and e.get("id") == action, "its receipt")
    return got.find("jingle").find("content").find("transport")


@pytest.mark.parametrize("whose", ["initiator", "responder"])
def test_jingle_goes_through_it(own_server, whose):
    """XEP-0260 §2: each offers what he has, a proxy; the one whose candidate was
    chosen connects to it as well, activates it (§2.4), and tells the other."""
    p = Proxy(own_server, name="127.0.0.1")
    p.scene.befriend("romeo", "juliet")
    romeo, juliet = p.romeo, p.scene.online("juliet/b")
    sid = "vj3hs98y" # of the transport
    owner, other = (romeo, juliet) if whose == "initiator" else (juliet, romeo)
    hosts = owner.iq("get", "<query xmlns='%s'/>" % NS, p.domain)
    host, = hosts.find("query").elems()
    name = digest(sid, owner.jid, other.jid)
    candidate = ("<transport xmlns='%s' dstaddr='%s' mode='tcp' sid='%s'>"
                 "<candidate cid='ht567dq' host='%s' jid='%s' port='%s' "
                 "priority='655360' type='proxy'/></transport>" % (
                     S5B, name, sid, host.get("host"), host.get("jid"),
                     host.get("port")))
    none = "<transport xmlns='%s' mode='tcp' sid='%s'/>" % (S5B, sid)
    tell(romeo, juliet, "session-initiate",
         candidate if owner is romeo else none)
    tell(juliet, romeo, "session-accept",
         candidate if owner is juliet else none)
    used = "<transport xmlns='%s' sid='%s'>%%s</transport>" % (S5B, sid)
    to = End(int(host.get("port")), host=host.get("host")).join(name)
    tell(other, owner, "transport-info", used % "<candidate-used cid='ht567dq'/>")
    tell(owner, other, "transport-info", used % "<candidate-error/>")
    frm = End(int(host.get("port")), host=host.get("host")).join(name)
    assert p.activate(sid, other.jid, by=owner).get("type") == "result"
    got = tell(owner, other, "transport-info",
               used % "<activated cid='ht567dq'/>")
    assert got.find("activated") is not None
    data = secrets.token_bytes(200_000)
    for one, two in ((frm, to), (to, frm)):
        one.say(data)
        assert hashlib.sha256(two.read(len(data))).digest() == \
            hashlib.sha256(data).digest()
    p.server.check()
