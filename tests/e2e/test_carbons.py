"""Copies for all devices of a user (XEP-0280), where a dialog does not do."""

import pytest

import test_archive
from options import once
from scene import Scene
from test_delivery import TABLE, TYPES, stanza

ENABLE = "<enable xmlns='urn:xmpp:carbons:2'/>"
DISABLE = "<disable xmlns='urn:xmpp:carbons:2'/>"
MESSAGES = ("normal", "chat", "groupchat", "headline", "message-error")


def online(scene, name, priority=None, available=True):
    client = scene.login(name)
    client.iq("set", ENABLE)
    if available:
        scene.present(name, priority)
    return client


def had(client, id_):
    """How often it had the message with this id: itself, and as a copy."""
    direct = [e for e in client.inbox if e.is_("message") and
              e.get("id") == id_]
    copies = [f for e in client.inbox for f in forwarded(e)
              if f.get("id") == id_]
    return len(direct), len(copies)


def forwarded(e):
    wrapped = e.child("received", "urn:xmpp:carbons:2")
    if wrapped is None:
        wrapped = e.child("sent", "urn:xmpp:carbons:2")
    return [] if wrapped is None else wrapped.elems()[0].elems()


def wanted(kind, bare, cell, name, priority):
    """The same, as it should be, of the device with this name."""
    if name in cell:
        return 1, 0
    copied = kind in ("normal", "chat") or (kind == "message-error" and
                                            not bare)
    # who is not available finds it when it is
    waits = priority is None and cell == "O"
    return 0, int(copied and not waits)


@pytest.mark.parametrize("situation", sorted(
    s for s in TABLE if TABLE[s][0]))
def test_who_has_not_got_it_gets_a_copy(scene, situation):
    """Each cell of the table of RFC 6121 §8.5, when all want copies."""
    devices, to, row = TABLE[situation]
    scene.add_accounts("romeo", "juliet")
    romeo = scene.login("romeo/r")
    for name, priority in devices:
        online(scene, "juliet/" + name, priority, priority is not None)
    scene.settle()
    for kind, cell in zip(TYPES, row.split()):
        if kind not in MESSAGES:
            continue
        id_ = "m-" + kind
        romeo.send(scene.fill(stanza(kind, to, id_)))
        scene.flush()
        counts = []
        for name, priority in devices:
            counts.append(had(scene["juliet/" + name], id_))
            assert counts[-1] == wanted(kind, "/" not in to, cell, name,
                                        priority), (kind, name)
        errors = [e for e in romeo.inbox if e.get("id") == id_]
        assert bool(errors) == (cell == "E" or (
            cell == "?" and not any(map(any, counts)))), kind


@pytest.mark.parametrize("n", (1, 2, 3, once(20)))
def test_each_of_many_devices_sees_each_message_once(scene, n):
    """As many as one account may have; each sends, and those that want copies
    see all in one order."""
    scene.add_accounts("romeo", "juliet")
    juliet = scene.online("juliet/j")
    names = ["romeo/r%02u" % i for i in range(n)]
    for i, name in enumerate(names):
        online(scene, name, priority=(0, 5, -1)[i % 3], available=i % 5 != 4)
    scene.settle()
    said = []
    for i, name in enumerate(names):
        said.append("out-%02u" % i)
        scene[name].send(scene.fill("<message to='{juliet}' type='chat' "
                                    "id='out-%02u'><body>1</body></message>"
                                    % i))
        scene[name].ping()
        for to in ("{romeo}", "{romeo/r%02u}" % i):
            said.append("in-%02u-%s" % (i, "full" if "/" in to else "bare"))
            juliet.send(scene.fill("<message to='%s' type='chat' id='%s'>"
                                   "<body>2</body></message>"
                                   % (to, said[-1])))
        scene.flush()
    for i, name in enumerate(names):
        seen = [e.get("id") or f.get("id") for e in scene[name].inbox
                if e.is_("message") for f in forwarded(e) or [e]]
        assert seen == [x for x in said if x != "out-%02u" % i], name


def test_disguised_copies_are_taken_out_however_many(scene):
    scene.add_accounts("romeo", "tybalt")
    romeo = scene.online("romeo/r")
    tybalt = scene.online("tybalt/t")
    fakes = ("<received xmlns='urn:xmpp:carbons:2'/><x xmlns='urn:y'/>"
             "<sent xmlns='urn:xmpp:carbons:2'>x</sent>")
    for n in (1, 2, 300, 1000):
        tybalt.send(scene.fill("<message to='{romeo}' type='chat'>%s"
                               "<body>1</body></message>" % (fakes * n)))
        romeo.expect(scene.fill("<message from='{tybalt/t}' type='chat'>%s"
                                "<body>1</body></message>"
                                % ("<x xmlns='urn:y'/>" * n)))


def ids(e):
    """(by, id) of each <stanza-id/> of the message e."""
    return [(c.get("by"), c.get("id")) for c in e.elems()
            if c.is_("stanza-id", "urn:xmpp:sid:0")]


@pytest.mark.only("antiphon")
def test_what_is_sent_is_shown_with_its_id_in_the_archive(scene):
    """XEP-0313 §5, XEP-0359: to the other devices, and to nobody else."""
    scene.add_accounts("romeo", "juliet")
    romeo = scene.online("romeo/a")
    other = online(scene, "romeo/b")
    juliet = online(scene, "juliet/j")
    juliet_too = online(scene, "juliet/k", -1)
    scene.settle()
    n = 20
    for i in range(n):
        romeo.send(scene.fill("<message to='{juliet/j}' type='chat' id='%d'>"
                              "<body>1</body>%s</message>"
                              % (i, "<stanza-id xmlns='urn:xmpp:sid:0' id='1'"
                                 " by='{romeo}'/>" * (i % 3))))
        # is in no archive, and stays behind it
        romeo.send(scene.fill("<message to='{juliet/j}' type='chat' id='s%d'>"
                              "<active xmlns='http://jabber.org/protocol/"
                              "chatstates'/></message>" % i))
    said = [x for i in range(n) for x in (str(i), "s%d" % i)]
    romeo.ping()
    shown = [forwarded(other.take(lambda e: e.is_("message"), "a copy"))[0]
             for _ in said]
    assert [f.get("id") for f in shown] == said
    heard = [juliet.take(lambda e: e.is_("message"), "it") for _ in said]
    copies = [forwarded(juliet_too.take(lambda e: e.is_("message"), "it"))[0]
              for _ in said]
    sent, got = (test_archive.archive(scene.server, scene.binds[who])
                 for who in ("romeo", "juliet"))
    assert [ids(f) for f in shown[::2]] == [
        [(scene.binds["romeo"], row[0])] for row in sent]
    assert all(ids(f) == [] for f in shown[1::2])
    for seen in heard, copies:
        assert sorted(id_ for e in seen for id_ in ids(e)) == sorted(
            (scene.binds["juliet"], row[0]) for row in got)


@pytest.mark.only("antiphon")
@pytest.mark.parametrize("to", ("{romeo}", "{romeo/a}", "{romeo/b}"))
def test_what_one_sends_to_himself_has_one_id(scene, to):
    scene.add_accounts("romeo")
    devices = [online(scene, "romeo/" + x) for x in "abc"]
    scene.settle()
    devices[0].send(scene.fill("<message to='%s' type='chat' id='m'>"
                               "<body>1</body></message>" % to))
    shown = []
    for device in devices[0 if "b" not in to else 1:]:
        e = device.take(lambda e: e.is_("message"), "it")
        shown += [ids(f) for f in forwarded(e) or [e]]
    row, = test_archive.archive(scene.server, scene.binds["romeo"])
    assert shown == [[(scene.binds["romeo"], row[0])]] * len(shown)


def test_the_module_comes_and_goes(own_server):
    """Where it is off nobody gets copies, also who has asked for them before."""
    server = own_server()
    scene = Scene(server, ("romeo", "juliet"))
    online(scene, "romeo/a", -1)
    romeo = online(scene, "romeo/b")
    juliet = scene.online("juliet/j")
    scene.settle()
    juliet.send(scene.fill("<message to='{romeo}' type='chat' id='1'>"
                           "<body>1</body></message>"))
    scene.flush()
    assert had(scene["romeo/a"], "1") == (0, 1)
    server.conf.setdefault("modules", {})["carbons"] = "off"
    server.write_conf()
    server.ctl("reload")
    juliet.send(scene.fill("<message to='{romeo}' type='chat' id='2'>"
                           "<body>1</body></message>"))
    scene.flush()
    assert had(scene["romeo/a"], "2") == (0, 0)
    assert had(romeo, "2") == (1, 0)
    assert romeo.iq("set", ENABLE).get("type") == "error"
    del server.conf["modules"]["carbons"]
    server.write_conf()
    server.ctl("reload")
    assert romeo.iq("set", DISABLE).get("type") == "result"
