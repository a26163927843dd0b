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
