"""A gateway of others with privileges: superduper, slidge's own example of one, and the
network that it makes up.

It comes from PyPI (superduper is in the source of slidge alone), and so only when
ANTIPHON_TEST_SLIDGE names the folder where it is:

    python3 -m venv V
    pip download --no-deps --no-binary slidge slidge && tar xf slidge-*.tar.gz -C V
    V/bin/pip install V/slidge-*/
"""

import glob
import os
import signal
import subprocess
import time

import pytest

from client import PATIENCE
from component import conf, domain_of
from test_components import online

pytestmark = pytest.mark.only("antiphon")

GATE = domain_of("gate")
FOLDER = os.environ.get("ANTIPHON_TEST_SLIDGE")
# 0.4.2 never fills a roster by itself, since it takes itself for one under test; and
# its network, where the user has another device, which says what he says here
RUN = """
from slidge import entrypoint
from superduper import legacy_client
client = legacy_client.SuperDuperClient
send = client.send_direct_msg
async def send_direct_msg(self, text, contact_id):
    contact = await self.session.contacts.by_legacy_id(str(contact_id))
    await contact.add_to_roster(force=True)
    contact.send_text("written elsewhere: " + text, "elsewhere", carbon=True)
    return await send(self, text, contact_id)
client.send_direct_msg = send_direct_msg
entrypoint("superduper")
"""
PUBSUB = "http://jabber.org/protocol/pubsub"


@pytest.fixture
def gateway(own_server):
    sources = glob.glob(os.path.join(FOLDER or "", "slidge-*", "superduper"))
    if not FOLDER or not sources:
        pytest.skip("ANTIPHON_TEST_SLIDGE names no folder with slidge, see the"
                    " head of this file")
    server = own_server(conf(
        {"modules": {"privilege": "yes"}},
        gate={"roster": "both", "message": "outgoing",
              "iq_get": [PUBSUB], "iq_set": [PUBSUB]}))
    port = server.port(("component", "none"))
    log = open(os.path.join(server.folder, "slidge.log"), "w+")
    home = os.path.join(server.folder, "slidge")
    gate = subprocess.Popen(
        [os.path.abspath(os.path.join(FOLDER, "bin", "python")), "-c",
         RUN, "--jid", GATE, "--secret", "secret of gate",
         "--server", "127.0.0.1", "--port", str(port), "--home-dir", home,
         "--user-jid-validator", ".*@antiphon.test", "-d"],
        cwd=os.path.dirname(sources[0]), stdin=subprocess.DEVNULL,
        stdout=log, stderr=log)
    yield server
    gate.send_signal(signal.SIGTERM)
    try:
        gate.wait(PATIENCE)
    except subprocess.TimeoutExpired:
        gate.kill()
        gate.wait()
    log.seek(0)
    print("".join(l for l in log if "SEND:" in l or "RECV:" in l or "WARN" in l
                  or "ERROR" in l))
    log.close()


def is_there(romeo):
    deadline = time.monotonic() + 6 * PATIENCE
    while time.monotonic() < deadline:
        got = romeo.iq("get", "<query xmlns='http://jabber.org/protocol/"
                       "disco#info'/>", GATE)
        if got.get("type") == "result":
            return
        time.sleep(0.2) # it has an interpreter to start
    raise AssertionError("the gateway has not come")


def register(romeo):
    """Answers the questions of the gateway, until it has logged in."""
    answers = {"User name?": "slidger", "Password?": "any", "Code?": "666"}
    romeo.send("<message to='%s' type='chat' id='r'><body>register</body>"
               "</message>" % GATE)
    while True:
        got = romeo.next("a question, or the end of them")
        if got.name == "presence" and got.child("status") is not None \
                and text_of(got.child("status")) == "Success!":
            return
        body = got.child("body")
        if got.name == "message" and body is not None \
                and "(or 'abort')" in text_of(body):
            question = text_of(body).partition(" (or")[0]
            romeo.send("<message to='%s' type='chat' id='a'><body>%s</body>"
                       "</message>" % (GATE, answers.get(question, "yes")))


def text_of(e):
    return "".join(c for c in e.children if isinstance(c, str))


def test_it_fills_the_roster_and_shows_what_was_sent_elsewhere(gateway):
    scene, romeo = online(gateway, "romeo/orchard")
    is_there(romeo)
    romeo.iq("set", "<enable xmlns='urn:xmpp:carbons:2'/>")
    register(romeo)
    romeo.send("<message to='111@%s' type='chat' id='m'><body>hi</body>"
               "</message>" % GATE)
    push = romeo.take(lambda e: e.name == "iq" and e.get("type") == "set" and
                      any(c.get("jid") == "111@" + GATE
                          for c in e.child("query").elems()), "a contact")
    item = list(push.child("query").elems())[0]
    assert (item.get("name"), item.get("subscription")) == ("Baba", "both")
    copy = romeo.take(lambda e: e.name == "message" and
                      e.child("sent") is not None, "a copy")
    inner = list(list(copy.child("sent").elems())[0].elems())[0]
    assert inner.get("to") == "111@" + GATE
    assert inner.get("from") == scene.accounts["romeo"].jid
    assert text_of(inner.child("body")) == "written elsewhere: hi"
    romeo.take(lambda e: e.name == "message" and e.child("body") is not None
               and text_of(e.child("body")) == "A reply", "a reply")
    scene.end()
