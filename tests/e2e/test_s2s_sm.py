"""Stream management between servers (XEP-0198)."""

import json
import os
import tempfile

import pytest

from authority import Authority
from client import Client
from s2s_peer import Peer, conf
from sm import SM

pytestmark = pytest.mark.only("antiphon")

PEER = "peer.example"


@pytest.fixture(scope="module")
def authority(pool):
    folder = tempfile.mkdtemp(dir=pool.folder)
    os.chmod(folder, 0o755)
    return Authority(os.path.join(folder, "authority"))


def facts(server, direction, domain=PEER):
    found = [json.loads(line) for line in
             server.ctl("--json", "s2s", "show", domain).splitlines()]
    return {row["what"]: row["text"] for row in found
            if row["direction"] == direction}


# --- what comes -----------------------------------------------------------------


def come(server, authority):
    peer = Peer(server, PEER, authority.issue("good", PEER)).secure()
    peer.external()
    peer.send("<enable xmlns='%s'/>" % SM)
    peer.take(lambda e: e.is_("enabled", SM), "<enabled/>")
    return peer


def handled(peer):
    return int(peer.take(lambda e: e.is_("a", SM), "<a/>").get("h"))


def wait_handled(peer, n):
    """As it says so itself, behind the first answer."""
    peer.send("<r xmlns='%s'/>" % SM)
    while handled(peer) != n:
        pass


def test_what_is_acknowledged_is_durable(own_server, authority):
    """It survives a kill, and is there once."""
    server = own_server(conf(authorities=authority.cert))
    server.adduser("juliet", "secret")
    peer = come(server, authority)
    for i in range(50):
        peer.send("<message type='chat' id='m%d' from='romeo@%s/x' "
                  "to='juliet@%s'><body>%d</body></message>"
                  % (i, PEER, server.domain, i))
    wait_handled(peer, 50)
    assert facts(server, "in")["counted"] == \
        "50 received, 50 of them dealt with"
    server.kill9()
    server.start()
    juliet = Client(server, "juliet").login("juliet", "secret", "x")
    juliet.send("<presence/>")
    for i in range(50):
        got = juliet.take(lambda e: e.is_("message"), "a message")
        assert got.child("body").text() == str(i)
    peer.drop()
    juliet.close()


def test_a_flood_of_questions(own_server, authority):
    """They are answered, each or several at once, and nobody else waits."""
    server = own_server(conf(authorities=authority.cert))
    peer = come(server, authority)
    peer.send(("<r xmlns='%s'/>" % SM) * 300 +
              "<message from='a@%s' to='nobody@%s'/>" % (PEER, server.domain))
    wait_handled(peer, 1)
    peer.ping()
    peer.close()
