"""Where a stanza goes that one local user sends to another: every cell of the
table in RFC 6121 §8.5, and the cases before it (§8.1 to §8.4).

Outcomes: S silence, E error service-unavailable, O stored and delivered later,
H the server answers (error service-unavailable for a payload nobody knows),
and else the resources that get it.
"""

import pytest

pytestmark = pytest.mark.plain

TYPES = ("normal", "chat", "groupchat", "headline", "message-error",
         "available", "unavailable", "get", "set", "result", "iq-error")
PAYLOAD = "<q xmlns='urn:antiphon:test'/>"
ERROR = ("<error type='cancel'><gone "
         "xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'/></error>")

# situation: (resources and their priorities, to, outcome for each of TYPES)
ALL = "a b"
TABLE = {
    "no account, bare": ((), "nobody@{HOST}",
                         "S S E S S S S H H S S"),
    "no account, full": ((), "nobody@{HOST}/x",
                         "? S E S S S S E E S S"),
    "bare, no resource": ((), "{juliet}",
                          "O O E S S S S H H S S"),
    "bare, one without presence": ((("a", None),), "{juliet}",
                                   "O O E S S S S H H S S"),
    "bare, one negative": ((("a", -1),), "{juliet}",
                           "O O E S S a a H H S S"),
    "bare, one": ((("a", 0),), "{juliet}",
                  "a a E a S a a H H S S"),
    "bare, one and a negative one": ((("a", 5), ("n", -5)), "{juliet}",
                                     "a a E a S an an H H S S"),
    "bare, several": ((("a", 5), ("b", 0), ("n", -1)), "{juliet}",
                      "ab ab E ab S abn abn H H S S"),
    "full, it is there": ((("a", 0), ("b", 0)), "{juliet}/a",
                          "a a a a a a a a a a a"),
    "full, it is negative": ((("n", -1), ("b", 0)), "{juliet}/n",
                             "n n n n n n n n n n n"),
    "full, it has no presence": ((("a", None),), "{juliet}/a",
                                 "a a a a a a a a a a a"),
    "full, nobody is there": ((), "{juliet}/x",
                              "? O E S S S S E E S S"),
    "full, a negative one is there": ((("n", -1),), "{juliet}/x",
                                      "? O E S S S S E E S S"),
    "full, another is there": ((("a", 0),), "{juliet}/x",
                               "? a E S S S S E E S S"),
    "full, others are there": ((("a", 0), ("b", 1), ("n", -1)), "{juliet}/x",
                               "? ab E S S S S E E S S"),
}


def stanza(kind, to, id_):
    head = "to='%s' id='%s'" % (to, id_)
    if kind == "normal":
        return "<message %s><body>n</body></message>" % head
    if kind in ("chat", "groupchat", "headline"):
        return "<message %s type='%s'><body>x</body></message>" % (head, kind)
    if kind == "message-error":
        return "<message %s type='error'>%s</message>" % (head, ERROR)
    if kind == "available":
        return "<presence %s/>" % head
    if kind == "unavailable":
        return "<presence %s type='unavailable'/>" % head
    if kind == "iq-error":
        return "<iq %s type='error'>%s</iq>" % (head, ERROR)
    return "<iq %s type='%s'>%s</iq>" % (head, kind, PAYLOAD)


def outcome(scene, romeo, id_):
    """What has happened to the stanza with that id, in the letters above."""
    got = "".join(sorted(
        name.partition("/")[2] for name, s in scene.sessions.items()
        if name.startswith("juliet/") and
        any(e.get("id") == id_ for e in s.inbox)))
    mine = [e for e in romeo.inbox if e.get("id") == id_]
    if len(mine) > 1:
        return "answered %d times" % len(mine)
    if mine:
        error = mine[0].find("error", "service-unavailable")
        assert mine[0].get("type") == "error" and error is not None, \
            str(mine[0])
        return "E" + got
    return got or "S"


@pytest.mark.parametrize("situation", TABLE)
def test_table(scene, situation):
    resources, to, wanted = TABLE[situation]
    wanted = dict(zip(TYPES, wanted.split()))
    scene.add_accounts("romeo", "juliet")
    # an iq reaches a resource only if its presence may be known (§8.5.3.1)
    scene.subscribe("romeo", "juliet")
    romeo = scene.online("romeo/r")
    for name, priority in resources:
        if priority is None:
            scene.login("juliet/" + name)
        else:
            scene.online("juliet/" + name, priority)
    scene.settle()
    to = scene.fill(to)
    for kind in TYPES:
        romeo.send(stanza(kind, to, "t-" + kind))
    if not resources: # what is answered behind them: they have been
        romeo.iq("get", PAYLOAD, to)
    scene.flush()

    wrong, stored = [], []
    for kind, want in wanted.items():
        got = outcome(scene, romeo, "t-" + kind)
        if want == "O":
            stored.append("t-" + kind)
            want = "S"
        elif want == "?": # silence (stored or not) or an error: §8.5.3.2.1
            want = got if got in ("S", "E") else "S or E"
        if got != {"H": "E"}.get(want, want):
            wrong.append("%s: expected %s, got %s" % (kind, want, got))
    assert wrong == []
    if stored:
        late = scene.online("juliet/late")
        scene.flush()
        got = [e.get("id") for e in late.inbox if e.is_("message")]
        assert [i for i in got if i != "t-normal" or i in stored] == stored


def test_iq_to_a_stranger_is_refused(scene):
    """RFC 6121 §8.5.3.1: a resource gets requests only from those who may see
    its presence; the answer is that of a resource that is not there."""
    scene.add_accounts("romeo", "juliet")
    romeo = scene.online("romeo/r")
    scene.online("juliet/a")
    scene.settle()
    answers = [romeo.iq("get", PAYLOAD, scene.fill(to)).find("error")
               for to in ("{juliet/a}", "{juliet}/x", "nobody@{HOST}/a")]
    assert len({str(a) for a in answers}) == 1
    assert answers[0].child("service-unavailable") is not None
    scene.quiet()


def test_iq_by_directed_presence(scene):
    """RFC 6121 §8.5.3.1: directed presence opens the way, while it lasts."""
    scene.add_accounts("romeo", "juliet")
    scene.online("romeo/r")
    scene.online("juliet/a")
    scene.send("juliet/a", "<presence to='{romeo}'/>")
    scene.settle()
    scene.send("romeo/r", "<iq type='get' id='1' to='{juliet/a}'>%s</iq>"
               % PAYLOAD)
    scene.expect("juliet/a", "<iq type='get' id='1' from='{romeo/r}' "
                 "to='{juliet/a}'>%s</iq>" % PAYLOAD)
    scene.send("juliet/a", "<iq type='result' id='1' to='{romeo/r}'/>")
    scene.expect("romeo/r", "<iq type='result' id='1' from='{juliet/a}' "
                 "to='{romeo/r}'/>")


@pytest.mark.parametrize("to", ["{juliet}", "nobody@{HOST}"])
@pytest.mark.parametrize("payload", [
    "<query xmlns='http://jabber.org/protocol/disco#info'/>",
    "<query xmlns='jabber:iq:last'/>", "<ping xmlns='urn:xmpp:ping'/>",
    "<query xmlns='jabber:iq:roster'/>", "<query xmlns='jabber:iq:private'/>",
    "<query xmlns='jabber:iq:version'/>",
])
def test_a_stranger_learns_nothing(scene, to, payload):
    """hostile-53: an account that exists answers like one that does not."""
    scene.add_accounts("romeo", "juliet")
    romeo = scene.online("romeo/r")
    scene.online("juliet/a")
    got = romeo.iq("get", payload, scene.fill(to))
    assert got.get("type") == "error"
    assert [e.name for e in got.child("error").elems()
            if e.name != "text"] == ["service-unavailable"]


# --- before the table --------------------------------------------------------

def test_message_without_to_is_for_oneself(scene):
    """RFC 6120 §10.3.1"""
    scene.add_accounts("romeo")
    scene.online("romeo/a")
    scene.online("romeo/b")
    scene.send("romeo/a", "<message type='chat'><body>note</body></message>")
    for s in ("romeo/a", "romeo/b"):
        scene.expect(s, "<message from='{romeo/a}' type='chat'>"
                     "<body>note</body></message>")


def test_unknown_message_type_is_normal(scene):
    """RFC 6121 §5.2.2"""
    scene.add_accounts("romeo")
    s = scene.online("romeo/a")
    s.send("<message type='strange' id='m'><body>x</body></message>")
    assert s.take(lambda e: e.get("id") == "m", "it").is_("message")


@pytest.mark.parametrize("iq, cond", [
    ("<iq type='get'>%s</iq>" % PAYLOAD, "bad-request"),
    ("<iq type='get' id='i'/>", "bad-request"),
    ("<iq type='get' id='i'>%s%s</iq>" % (PAYLOAD, PAYLOAD), "bad-request"),
    ("<iq type='strange' id='i'>%s</iq>" % PAYLOAD, "bad-request"),
    ("<iq id='i'>%s</iq>" % PAYLOAD, "bad-request"),
    ("<iq type='get' id='i' to='@@'>%s</iq>" % PAYLOAD, "jid-malformed"),
    ("<iq type='get' id='i' to='a@b@c/'>%s</iq>" % PAYLOAD, "jid-malformed"),
    ("<message id='i' to='/x'><body/></message>", "jid-malformed"),
    ("<message id='i' to='%s@x.test'/>" % ("a" * 1100), "jid-malformed"),
    ("<presence id='i' to='a@'/>", "jid-malformed"),
    ("<presence id='i' type='strange'/>", "bad-request"),
    ("<iq type='get' id='i' to='{HOST}'>%s</iq>" % PAYLOAD,
     "service-unavailable"),
    ("<iq type='set' id='i'>%s</iq>" % PAYLOAD, "service-unavailable"),
    ("<message id='i' to='juliet@remote.test'><body>x</body></message>",
     "remote-server-not-found"),
    ("<iq type='get' id='i' to='remote.test'>%s</iq>" % PAYLOAD,
     "remote-server-not-found"),
])
def test_refused(scene, iq, cond):
    """RFC 6120 §8.2.3, §8.3, §10.4"""
    scene.add_accounts("romeo")
    s = scene.online("romeo/a")
    s.send(scene.fill(iq))
    got = s.next("an error")
    assert got.get("type") == "error", str(got)
    assert got.find("error", cond) is not None, str(got)
    s.quiet()


@pytest.mark.parametrize("quiet", [
    "<iq type='result' id='i'/>", "<iq type='result' id='i' to='{HOST}'/>",
    "<iq type='error' id='i'>%s</iq>" % ERROR,
    "<iq type='error' id='i'/>", "<iq type='result' to='nobody@{HOST}'/>",
    "<message type='error' to='nobody@{HOST}'>%s</message>" % ERROR,
    "<message type='error' to='a@remote.test'>%s</message>" % ERROR,
    "<presence type='error' to='a@remote.test'/>",
    "<presence type='unavailable' to='nobody@{HOST}'/>",
    "<message type='error' to='@@'/>", "<iq type='result' to='@@' id='1'/>",
])
def test_never_answered(scene, quiet):
    """RFC 6120 §8.3.1: an error does not get an error."""
    scene.add_accounts("romeo")
    s = scene.online("romeo/a")
    s.send(scene.fill(quiet))
    s.quiet()


def test_from_is_stamped(scene):
    """RFC 6120 §8.1.2.1"""
    scene.add_accounts("romeo", "juliet")
    scene.online("romeo/a")
    scene.online("juliet/a")
    for sender in ("", "from='{romeo/a}' ", "from='{romeo}' "):
        scene.send("romeo/a", "<message %sto='{juliet/a}'><body>x</body>"
                   "</message>" % sender)
        scene.expect("juliet/a", "<message from='{romeo/a}' to='{juliet/a}'>"
                     "<body>x</body></message>")


def test_order_is_kept(scene):
    """RFC 6120 §10.1: for one pair, bare and full counted as one."""
    scene.add_accounts("romeo", "juliet")
    romeo = scene.online("romeo/a")
    juliet = scene.online("juliet/a")
    for i in range(300):
        to = scene.fill("{juliet/a}" if i % 2 else "{juliet}")
        romeo.send("<message to='%s' id='%d' type='chat'><body>x</body>"
                   "</message>" % (to, i))
    scene.flush()
    assert [e.get("id") for e in juliet.inbox] == [str(i) for i in range(300)]


def test_between_hosts(scene):
    """Two hosts of one server."""
    other = scene.server.other_domain
    scene.add_accounts("romeo")
    scene.server.adduser("juliet-x", "secret-one", other)
    scene.online("romeo/a")
    juliet = scene.new("juliet-x/a")
    juliet.domain = other
    juliet.login("juliet-x", "secret-one", "a").send("<presence/>")
    juliet.take(lambda e: e.is_("presence"), "own presence")
    scene.send("romeo/a", "<message to='juliet-x@%s'><body>x</body></message>"
               % other)
    scene.expect("juliet-x/a", "<message from='{romeo/a}'><body>x</body>"
                 "</message>")


def test_forged_roster_pushes_do_not_pass(scene):
    """hostile-46"""
    scene.add_accounts("romeo", "juliet")
    scene.befriend("romeo", "juliet")
    romeo = scene.online("romeo/a")
    scene.online("juliet/a")
    push = ("<query xmlns='jabber:iq:roster'><item jid='eve@{HOST}' "
            "subscription='both'/></query>")
    for to in ("{juliet/a}", "{juliet}"):
        got = romeo.iq("set", scene.fill(push), scene.fill(to))
        assert got.get("type") == "error"
    scene.quiet()


@pytest.mark.parametrize("kind", ["", "type='chat'", "type='groupchat'",
                                  "type='headline'"])
@pytest.mark.parametrize("resource", ["", "/x"])
def test_messages_do_not_tell_who_exists(scene, kind, resource):
    """hostile-53: an account that nobody uses, and none at all."""
    scene.add_accounts("romeo", "juliet")
    romeo = scene.online("romeo/r")
    for i, to in enumerate(("{juliet}", "nobody@{HOST}")):
        romeo.send(scene.fill("<message to='%s%s' id='%d' %s><body>x</body>"
                              "</message>" % (to, resource, i, kind)))
        # what is answered behind it: its own answer has come before
        got = romeo.iq("get", PAYLOAD, scene.fill(to))
        assert got.get("type") == "error"
    told = {e.get("id"): str(e.child("error")) for e in romeo.inbox}
    assert told.get("0") == told.get("1")
