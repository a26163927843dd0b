"""Many domains of others at once, of which some are dead, each in its own way: who
asks for those waits, and nobody else does."""

import os
import tempfile

import pytest

from authority import Authority
from client import Client
from many import Many, SILENT
from s2s_peer import conf

pytestmark = pytest.mark.only("antiphon")

# seconds: more than any attempt may take
LIMIT = 31


@pytest.fixture(scope="module")
def certificate(pool):
    folder = tempfile.mkdtemp(dir=pool.folder)
    os.chmod(folder, 0o755)
    return Authority(os.path.join(folder, "authority")).issue("good", "example")


@pytest.fixture
def many(open_path, certificate):
    made = Many(open_path, certificate)
    yield made
    made.end()


@pytest.fixture
def server(own_server, many):
    return own_server(conf({"dns": many.conf()}))


def user(server, name):
    server.adduser(name, "secret")
    client = Client(server, name).login(name, "secret", "home")
    client.send("<presence/>")
    client.ping()
    client.inbox.clear()
    return client


def write(client, *domains):
    client.send("".join("<message type='chat' to='x@%s' id='%s'><body>hi</body>"
                        "</message>" % (d, d) for d in domains))
    client.ping()


def errors(got):
    """domain -> condition"""
    return {e.get("id"): e.child("error").elems()[0].name
            for e in got if e.get("type") == "error"}


def test_silent_names_of_one_are_not_waited_for_by_others(server, many):
    mallory, romeo = user(server, "mallory"), user(server, "romeo")
    for _ in range(6):
        write(mallory, *(many.domain("unnamed") for _ in range(100)))
    new = {many.domain("good") for _ in range(20)}
    write(romeo, *new)
    many.wait(new)
    romeo.ping()
    assert not romeo.inbox
    # nor does he whose names they are hear that there are too many
    mallory.ping()
    assert set(errors(mallory.inbox).values()) <= {"resource-constraint"}


def test_a_silent_name_server_holds_up_nobody(server, many):
    """Neither links that stand, nor new ones, of the very user who waits for it."""
    romeo = user(server, "romeo")
    linked = {many.domain("good") for _ in range(5)}
    write(romeo, *linked)
    many.wait(linked)
    write(romeo, *(many.domain("unnamed") for _ in range(20)))
    new = {many.domain("good") for _ in range(5)}
    write(romeo, *linked, *new)
    many.wait(new)
    many.wait(linked, n=2)
    romeo.ping()
    assert not romeo.inbox


def test_a_name_server_may_take_its_time(server, many):
    """Also one that has answered at once so far, as a resolver does from its cache:
    what it has to look up itself takes longer."""
    romeo = user(server, "romeo")
    quick = {many.domain("good") for _ in range(20)}
    write(romeo, *quick)
    many.wait(quick)
    late = {many.domain("late")}
    write(romeo, *late)
    many.wait(late)
    romeo.ping()
    assert not romeo.inbox


def test_the_dead_among_many_are_nobodys_trouble(server, many):
    """Ten users write to 210 domains at once: 140 are there, the others dead, each
    in one of the ways in which one can be."""
    romeo, juliet = user(server, "romeo"), user(server, "juliet")
    writers = [user(server, "writer%d" % i) for i in range(10)]
    good = {w: {many.domain("good") for _ in range(14)} for w in writers}
    dead = {w: {many.domain(kind) for kind in SILENT} for w in writers}
    for w in writers:
        write(w, *sorted(good[w] | dead[w]))
    for i in range(50):
        romeo.send("<message type='chat' to='%s' id='%d'><body>hi</body>"
                   "</message>" % (juliet.jid, i))
        assert juliet.next().get("id") == str(i)
    many.wait(set().union(*good.values()))
    for w in writers:
        w.ping()
        assert not w.inbox
    # they are not left waiting, either
    server.advance(LIMIT)
    for w in writers:
        got = [w.next() for _ in dead[w]]
        assert errors(got) == {d: "remote-server-timeout" for d in dead[w]}
