"""What a user says to many contacts at one other server: each gets it, with an address
of his own and in order with all else, whether there is a stream yet or not."""

import os
import tempfile

import pytest

from authority import Authority
from client import Client
from s2s_peer import conf, Host, PEER, Peer

pytestmark = pytest.mark.only("antiphon")

CONTACTS = 40


@pytest.fixture
def scene(pool):
    folder = tempfile.mkdtemp(dir=pool.folder)
    os.chmod(folder, 0o755)
    authority = Authority(os.path.join(folder, "authority"))
    certificate = authority.issue("good", PEER)
    host = Host(PEER, certificate)
    server = pool.new(conf({"remotes": host.remotes()},
                           authorities=authority.cert))
    server.start()
    yield server, host, certificate
    server.stop()
    host.end()


def contact(i):
    return "c%d@%s" % (i, PEER)


def befriended(server, certificate):
    """A user whose presence so many see."""
    server.adduser("romeo", "secret")
    romeo = Client(server, "romeo").login("romeo", "secret", "home")
    romeo.send("<presence/>")
    peer = Peer(server, PEER, certificate).secure().external()
    for i in range(CONTACTS):
        peer.send("<presence type='subscribe' from='%s' to='romeo@%s'/>"
                  % (contact(i), server.domain))
        romeo.take(lambda e: e.get("type") == "subscribe", "a request")
        romeo.send("<presence type='subscribed' to='%s'/>" % contact(i))
    romeo.ping()
    return romeo, peer


def told(host, show):
    """To whom, in the order in which it came."""
    return [e.get("to") for stream in host.streams for e in list(stream.got)
            if e.is_("presence") and e.child("show") and
            e.child("show").text() == show]


def say(romeo, show):
    """Presence, and a message behind it."""
    romeo.send("<presence><show>%s</show></presence>" % show)
    romeo.send("<message to='%s' id='after-%s'><body>x</body></message>"
               % (contact(0), show))


def test_each_contact_gets_it(scene):
    server, host, certificate = scene
    romeo, peer = befriended(server, certificate)
    everybody = sorted(contact(i) for i in range(CONTACTS))
    for show in ("away", "dnd", "xa"):
        say(romeo, show)
        host.wait_element(lambda e: e.get("id") == "after-" + show, show)
        assert sorted(told(host, show)) == everybody
        if show == "dnd": # the next finds no stream
            host.streams[-1].cut()
            server.process.wait_line("link is down")
    stream = host.streams[-1]
    for i, e in enumerate(stream.got):
        if e.get("id") == "after-xa":
            assert all(not b.child("show") for b in stream.got[i + 1:])
    romeo.close()
    for who in everybody:
        host.wait_element(lambda e: e.get("type") == "unavailable" and
                          e.get("to") == who, "a goodbye")
    peer.close()
