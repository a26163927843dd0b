"""Requests that no specification foresees, drawn from a seed: each is answered
exactly once, and the server goes on (hostile-13).

ANTIPHON_FUZZ_SEED begins elsewhere, ANTIPHON_FUZZ_ROUNDS does more.
"""

import os
import random
from xml.sax.saxutils import quoteattr

import pytest

SEED = int(os.environ.get("ANTIPHON_FUZZ_SEED", "1"))
ROUNDS = int(os.environ.get("ANTIPHON_FUZZ_ROUNDS", "10"))
BATCH = 40 # requests that are under way at once

FORM = "jabber:x:data"
ROSTER = "jabber:iq:roster"
REGISTER = "jabber:iq:register"
HANDLERS = (
    ("query", ROSTER), ("query", "jabber:iq:last"),
    ("query", "jabber:iq:version"), ("query", "jabber:iq:private"),
    ("query", REGISTER), ("vCard", "vcard-temp"),
    ("query", "http://jabber.org/protocol/disco#info"),
    ("query", "http://jabber.org/protocol/disco#items"),
    ("time", "urn:xmpp:time"), ("ping", "urn:xmpp:ping"),
    ("bind", "urn:ietf:params:xml:ns:xmpp-bind"),
    ("session", "urn:ietf:params:xml:ns:xmpp-session"),
)
# no <remove/>, nor the own name: the account is still needed
INSIDE = HANDLERS + (
    ("item", ROSTER), ("group", ROSTER), ("item", "urn:x"), ("x", FORM),
    ("field", FORM), ("value", FORM), ("username", REGISTER),
    ("password", REGISTER), ("instructions", REGISTER), ("FN", "vcard-temp"),
    ("storage", "storage:bookmarks"), ("resource", HANDLERS[-2][1]),
)
ATTRS = ("jid", "subscription", "ask", "name", "node", "ver", "type", "var",
         "id", "to", "from", "xml:lang", "seconds", "approved")
VALUES = ("", "x", "a@b", "a@b/c", "@", "/", "a@", "romeo@antiphon.test",
          "both", "remove", "none", "submit", "form", "username", "password",
          "FORM_TYPE", "0", "-1", "99999999999999999999", "\u00e9\u4e2d",
          "a" * 1100, "%s%n", "' or 1=1 --")
TEXTS = ("", "", "x", " \n\t ", "&lt;&amp;&gt;", "\u00e9", "a" * 2000,
         "secret-one", "]]&gt;")
TO = (None, None, "{HOST}", "{HOST}/r", "{romeo}", "{juliet}", "{juliet/j}",
      "{romeo}/none", "{juliet}/none", "nobody@{HOST}", "nobody@{HOST}/r",
      "{OTHER}", "a@{OTHER}", "elsewhere.invalid")


class Maker:
    def __init__(self, seed):
        self.rand = random.Random(seed)

    def attrs(self):
        names = self.rand.sample(ATTRS, self.rand.choice((0, 0, 0, 1, 1, 2, 4)))
        return "".join(" %s=%s" % (n, quoteattr(self.rand.choice(VALUES)))
                       for n in names)

    def elem(self, names, depth):
        name, ns = self.rand.choice(names)
        inner = self.rand.choice(TEXTS)
        if depth:
            for _ in range(self.rand.choice((0, 0, 1, 1, 2, 5))):
                inner += self.elem(INSIDE, depth - 1)
                inner += self.rand.choice(TEXTS)
        return "<%s xmlns='%s'%s>%s</%s>" % (name, ns, self.attrs(), inner,
                                            name)

    def iq(self, id_, scene):
        to = self.rand.choice(TO)
        at = " to=%s" % quoteattr(scene.fill(to)) if to else ""
        return "<iq type='%s' id='%s'%s>%s</iq>" % (
            self.rand.choice(("get", "set")), id_, at,
            self.elem(HANDLERS, self.rand.randrange(4)))


def answer_all(client, ids):
    """Waits for the answer to each; others than these are not answers."""
    seen = []
    while len(seen) < len(ids):
        e = client.take(lambda e: e.is_("iq") and e.get("id") in ids and
                        e.get("type") in ("result", "error"),
                        "the answers to %s" % (set(ids) - set(seen)))
        seen.append(e.get("id"))
    client.ping()
    more = [e.get("id") for e in client.inbox if e.is_("iq")
            and e.get("type") in ("result", "error")]
    assert sorted(seen) == sorted(ids) and not more


@pytest.mark.only("antiphon")
@pytest.mark.parametrize("seed", range(SEED, SEED + ROUNDS))
def test_every_request_is_answered_once(scene, seed):
    scene.add_accounts("romeo", "juliet")
    # one that does not answer would keep what it is asked waiting
    scene.binds["juliet/j"] = scene.accounts["juliet"].jid + "/j"
    romeo = scene.online("romeo/a")
    make = Maker(seed)
    ids = ["f%d" % i for i in range(BATCH)]
    sent = [make.iq(id_, scene) for id_ in ids]
    try:
        romeo.send("".join(sent))
        answer_all(romeo, ids)
    except AssertionError as e:
        raise AssertionError("seed %d: %s\n%s" % (
            seed, e, "\n".join(sent))) from None
    romeo.inbox.clear()


STRANGE = (REGISTER, "jabber:iq:auth", "jabber:iq:roster", "vcard-temp")


@pytest.mark.only("antiphon")
@pytest.mark.parametrize("seed", range(SEED, SEED + ROUNDS))
def test_strangers_end_nothing_but_their_stream(own_server_once, seed):
    """Before login a request is answered, or the stream ends."""
    from client import Client, Closed
    make = Maker(seed)
    client = Client(own_server_once).secure()
    names = tuple(("query", ns) for ns in STRANGE)
    for i in range(20):
        names = names if i % 4 == 0 else names[:1]
        try:
            client.send("<iq type='%s' id='s'>%s</iq>" % (
                make.rand.choice(("get", "set")),
                make.elem(names, make.rand.randrange(4))))
            got = client.next("an answer")
        except (Closed, OSError):
            client = Client(own_server_once).secure()
            continue
        if got.is_("iq"):
            assert got.get("type") in ("result", "error")
            continue
        assert got.name == "error", str(got)
        client.wait_end()
        client = Client(own_server_once).secure()
    client.close()
    Client(own_server_once).secure().close()


@pytest.fixture(scope="module")
def own_server_once(request):
    """A server with registration, for all seeds."""
    server = request.config.pool.new({"modules": {"register": {
        "allow": "yes", "per_hour": "100000"}}})
    server.start()
    yield server
    server.check()
    server.stop()
