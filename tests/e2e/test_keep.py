"""What modules store of stanzas before they are delivered, and what they hide,
shown by modules that are not bundled (tests/modules)."""

import pytest

import scene as scenes

pytestmark = pytest.mark.only("antiphon")
ARCHIVE = "urn:antiphon:test:archive"


@pytest.fixture
def archives(own_server):
    server = own_server({"modules": {"testarchive": {}}, "shards": 2})
    scene = scenes.Scene(server, ("romeo", "juliet"))
    yield scene
    scene.end()
    server.check()


def archived(client, log="got"):
    """The ids of what is in an archive of the client's account."""
    answer = client.iq("get", "<archive xmlns='%s' log='%s'/>" % (ARCHIVE, log))
    return [e.get("id") for e in answer.child("archive", ARCHIVE).elems()]


def numbers(client, kind):
    return [e.get("id") for e in client.inbox if e.is_(kind)]


@pytest.mark.parametrize("n", (0, 1, 2, 20, 300))
def test_what_is_archived_is_not_overtaken(archives, n):
    """RFC 6120 §10.1: presence is not stored, and comes behind the message
    that is."""
    romeo, juliet = archives.online("romeo/a"), archives.online("juliet/b")
    want = [str(i) for i in range(n)]
    for i in want:
        archives.send("romeo/a", "<message to='{juliet/b}' type='chat' id='%s'>"
                      "<body>x</body></message><presence to='{juliet/b}' "
                      "id='%s'/>" % (i, i))
    archives.flush()
    got = [e for e in juliet.inbox if e.is_("message") or e.is_("presence")]
    assert [e.get("id") for e in got] == [i for i in want for _ in range(2)]
    assert [e.is_("message") for e in got] == [True, False] * n
    # what flush() has sent are messages too
    for log, client in (("got", juliet), ("copy", juliet), ("sent", romeo)):
        found = archived(client, log)
        assert [i for i in found if not i.startswith("mark-")] == want


def test_an_archive_does_not_hide_messages_from_what_is_kept(archives):
    romeo = archives.online("romeo/a")
    want = [str(i) for i in range(50)]
    for i in want:
        archives.send("romeo/a", "<message to='{juliet}' type='chat' id='%s'>"
                      "<body>x</body></message>" % i)
    romeo.iq("set", scenes.BARRIER)
    juliet = archives.online("juliet/b")
    assert numbers(juliet, "message") == want
    assert [i for i in archived(juliet) if i in want] == want
    # and they are there when the module is switched off and on again
    archives.server.ctl("modules", "unload", "testarchive")
    archives.send("romeo/a", "<message to='{juliet/b}' id='after'/>")
    archives.flush()
    assert "after" in numbers(juliet, "message")
    archives.server.ctl("modules", "load", "testarchive")
    found = archived(juliet)
    assert [i for i in found if i in want] == want and "after" not in found


# --- what is hidden -----------------------------------------------------------

SUBSCRIBE = "<presence type='%s' to='{%s}'/>"


@pytest.fixture
def blocking(own_server):
    """romeo and mercutio see juliet's presence, and each other's."""
    server = own_server({"modules": {"testblock": {}}, "shards": 2})
    scene = scenes.Scene(server, ("romeo", "juliet", "mercutio"))
    for name in ("romeo/a", "juliet/b", "mercutio/c"):
        scene.online(name)
    for a, b in (("romeo", "juliet"), ("mercutio", "juliet")):
        for mine, yours in ((a, b), (b, a)):
            sender = next(n for n in scene.sessions if n.startswith(mine))
            answer = next(n for n in scene.sessions if n.startswith(yours))
            scene.send(sender, SUBSCRIBE % ("subscribe", yours))
            scene.flush()
            scene.send(answer, SUBSCRIBE % ("subscribed", mine))
            scene.flush()
    forget(scene)
    yield scene
    scene.end()
    server.check()


def forget(scene):
    scene.flush()
    for client in scene.live():
        client.inbox.clear()


def say_everything(scene, name, to):
    """One of each kind, and presence to all."""
    scene.send(name, "<message to='{%s}' id='m'><body>x</body></message>"
               "<message to='{%s/b}' type='chat' id='f'><body>x</body></message>"
               "<presence to='{%s/b}' id='d'><show>dnd</show></presence>"
               "<iq to='{%s/b}' type='get' id='i'><q xmlns='urn:x'/></iq>"
               "<presence id='p'><show>away</show></presence>"
               % (to, to, to, to))


def test_nothing_of_one_who_is_blocked_is_seen(blocking):
    romeo, juliet = blocking["romeo/a"], blocking["juliet/b"]
    mercutio = blocking["mercutio/c"]
    got = juliet.iq("set", "<block xmlns='urn:antiphon:test:block' jid='%s'/>"
                    % blocking.accounts["romeo"].jid)
    assert got.get("type") == "result"
    for name in ("romeo/a", "mercutio/c"):
        say_everything(blocking, name, "juliet")
    # no marks: they would be blocked as well
    for client in (romeo, mercutio):
        client.iq("set", scenes.BARRIER)
    blocking.mark(mercutio, juliet)
    seen = [(e.get("from").partition("/")[0], e.get("id"))
            for e in juliet.inbox]
    assert seen == [(blocking.accounts["mercutio"].jid, i)
                    for i in ("m", "f", "d", "i", "p")]
    # whoever is not blocked hears what he says
    juliet.inbox.clear()
    blocking.send("juliet/b", "<presence id='q'/>")
    juliet.iq("set", scenes.BARRIER)
    for client in (romeo, mercutio):
        client.take(lambda e: e.get("id") == "q", "her presence")
    # and romeo has had no answer to anything, but for his own presence
    romeo.take(lambda e: e.get("id") == "p", "what he told himself")
    romeo.quiet()


def test_without_one_who_blocks_presence_goes_to_all(blocking):
    """The module is switched off while it is in use."""
    juliet = blocking["juliet/b"]
    juliet.iq("set", "<block xmlns='urn:antiphon:test:block' jid='%s'/>"
              % blocking.accounts["romeo"].jid)
    blocking.server.ctl("modules", "unload", "testblock")
    say_everything(blocking, "romeo/a", "juliet")
    blocking.flush()
    assert [e.get("id") for e in juliet.inbox] == ["m", "f", "d", "i", "p"]
    blocking.server.ctl("modules", "load", "testblock")
    juliet.inbox.clear()
    say_everything(blocking, "romeo/a", "juliet")
    blocking["romeo/a"].iq("set", scenes.BARRIER)
    blocking.mark(blocking["mercutio/c"], juliet)
    assert juliet.inbox == []
