"""What becomes of each kind of message (XEP-0313 §6.1.1, XEP-0280 §6.1, XEP-0160 §3,
XEP-0334): what the devices of both sides see, what their archives hold, and what waits
for who is away.  All kinds in one go; tests/unit/test_message.c has more of them."""

import re

import pytest

from test_archive import BODY, STATE, archive, hint, one
from xmltree import parse

pytestmark = pytest.mark.only("antiphon")
ENABLE = "<enable xmlns='urn:xmpp:carbons:2'/>"
MARKERS = "urn:xmpp:chat-markers:0"
STORE = hint("store")
RETRACT = ("<retract xmlns='urn:xmpp:message-retract:1' id='y'/><fallback "
           "xmlns='urn:xmpp:fallback:0' for='urn:xmpp:message-retract:1'/>")
REACTIONS = ("<reactions xmlns='urn:xmpp:reactions:0' id='x'>"
             "<reaction>\U0001f44b</reaction></reactions>")
REPLY = ("<reply xmlns='urn:xmpp:reply:0' to='juliet@x.test/b' id='x'/>"
         "<fallback xmlns='urn:xmpp:fallback:0' for='urn:xmpp:reply:0'>"
         "<body start='0' end='4'/></fallback>")


def call(name, inner=""):
    """XEP-0353 §3"""
    return "<%s xmlns='urn:xmpp:jingle-message:0' id='c'>%s</%s>" % (
        name, inner, name)


MEDIA = "<description xmlns='urn:xmpp:jingle:apps:rtp:1' media='audio'/>"
REASON = "<reason xmlns='urn:xmpp:jingle:1'><busy/><text>B</text></reason>"
# type, payload, and what becomes of it: A it is in both archives; S, R other devices
# of who sends, who gets it see a copy; W it waits for who is away
KINDS = {
    "a body": ("chat", BODY, "ASRW"),
    "a body of type normal": ("normal", BODY, "ASRW"),
    "a subject": ("normal", "<subject>s</subject>", "AW"),
    "OMEMO": ("chat", "<encrypted xmlns='urn:xmpp:omemo:2'><header sid='1'/>"
              "</encrypted>", "ASRW"),
    "OMEMO, normal": ("normal", one("encrypted", "urn:xmpp:omemo:2"), "ASRW"),
    "a chat state": ("chat", STATE, "SR"),
    "a chat state of a thread": ("chat", STATE + "<thread>t</thread>" +
                                 hint("no-store"), "SR"),
    "a chat state beside a body": ("chat", STATE + BODY, "ASRW"),
    "a receipt": ("chat", one("received", "urn:xmpp:receipts") + STORE, "ASRW"),
    "a receipt, normal": ("normal", one("received", "urn:xmpp:receipts"), "ASRW"),
    "a request for one": ("chat", one("request", "urn:xmpp:receipts"), "SR"),
    "displayed": ("chat", "<displayed xmlns='%s' id='x'/>" % MARKERS + STORE,
                  "ASRW"),
    "markable": ("chat", one("markable", MARKERS), "SR"),
    "a correction": ("chat", BODY + "<replace xmlns='urn:xmpp:message-correct:0' "
                     "id='x'/>", "ASRW"),
    "a retraction": ("chat", RETRACT + BODY + STORE, "ASRW"),
    "a reaction": ("chat", REACTIONS + STORE, "ASRW"),
    "a reaction, normal": ("normal", REACTIONS, "ASRW"),
    "a reply": ("chat", "<body>&gt; x\ny</body>" + REPLY, "ASRW"),
    "propose": ("chat", call("propose", MEDIA) + STORE, "ASRW"),
    "ringing": ("chat", call("ringing") + STORE, "ASRW"),
    "proceed": ("chat", call("proceed") + STORE, "ASRW"),
    "reject": ("chat", call("reject", REASON + "<tie-break/>") + STORE, "ASRW"),
    "retract": ("chat", call("retract", REASON) + STORE, "ASRW"),
    "finish": ("chat", call("finish", REASON + "<migrated to='d'/>") + STORE,
               "ASRW"),
    "an invitation": ("normal", "<x xmlns='jabber:x:conference' jid='r@x.test'/>",
                      "ASRW"),
    "a headline": ("headline", BODY, ""),
    "a headline that asks for it": ("headline", BODY + STORE, "A"),
    "no-store": ("chat", BODY + hint("no-store"), "SR"),
    "no-permanent-store": ("chat", BODY + hint("no-permanent-store"), "SRW"),
    "no-copy": ("chat", BODY + hint("no-copy"), "AW"),
    "store": ("chat", STATE + STORE, "ASRW"),
    "what nobody knows": ("chat", one("x", "urn:x"), "SRW"),
    "what nobody knows and asks": ("chat", one("x", "urn:x") + STORE, "ASRW"),
    "nothing": ("chat", "", "SR"),
}


def send_all(scene, to, mark):
    """One of each, with the mark and its number as id."""
    for i, (kind, payload, _) in enumerate(KINDS.values()):
        scene.send("romeo/a", "<message to='%s' type='%s' id='%s%d'>%s</message>"
                   % (to, kind, mark, i, payload))


def ids(mark, letter):
    return ["%s%d" % (mark, i) for i, row in enumerate(KINDS.values())
            if letter in row[2]]


def heard(client):
    return [e for e in client.inbox if e.is_("message") and e.get("id")]


def copies(client, name):
    return [wrap.elems()[0].elems()[0] for wrap in (
        e.child(name, "urn:xmpp:carbons:2") for e in client.inbox)
        if wrap is not None]


def check(messages, mark, want, added=("stanza-id",)):
    """These, in order, and what they say is what was sent."""
    assert [e.get("id") for e in messages] == want
    for e in messages:
        kind, payload, _ = list(KINDS.values())[int(e.get("id")[len(mark):])]
        sent = parse("<message xmlns='jabber:client'>%s</message>" % payload)[0]
        assert e.get("type", "normal") == kind
        assert [str(c) for c in e.elems() if c.name not in added] == [
            str(c) for c in sent.elems()]


def archived(scene, who, mark):
    rows = [re.match(r"<message\b[^>]*\bid=[\"'](\w+)", row[2])[1]
            for row in archive(scene.server, scene.binds[who])]
    return [id_ for id_ in rows if id_.startswith(mark)]


def test_what_devices_see_what_is_archived_and_what_waits(scene):
    scene.add_accounts("romeo", "juliet", "nurse")
    scene.online("romeo/a")
    for name, priority in (("romeo/c", 0), ("juliet/low", -1)):
        scene.login(name).iq("set", ENABLE)
        scene.present(name, priority)
    scene.online("juliet/b")
    send_all(scene, "{juliet/b}", "m")
    send_all(scene, "{nurse}", "w")
    scene.flush()
    everything = ["m%d" % i for i in range(len(KINDS))]
    check(heard(scene["juliet/b"]), "m", everything)
    check(copies(scene["juliet/low"], "received"), "m", ids("m", "R"))
    sent = copies(scene["romeo/c"], "sent")
    check([e for e in sent if e.get("id").startswith("m")], "m", ids("m", "S"))
    assert [e.get("id") for e in heard(scene["romeo/a"])] == [
        "w%d" % list(KINDS).index("no-store")]
    scene.online("nurse/n")
    scene.flush()
    check(heard(scene["nurse/n"]), "w", ids("w", "W"), ("stanza-id", "delay"))
    for who, mark in (("juliet", "m"), ("romeo", "m"), ("nurse", "w"),
                      ("romeo", "w")):
        assert archived(scene, who, mark) == ids(mark, "A")
