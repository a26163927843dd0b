"""A flood for one who sleeps (XEP-0160, XEP-0198) holds no receipts of others."""

import pytest

import scene as scenes
from sm import SM, ask, enable

pytestmark = pytest.mark.only("antiphon")


def message(scene, id_, size=1):
    return ("<message to='%s' type='chat' id='%s'><body>%s</body></message>"
            % (scene.accounts["juliet"].jid, id_, "x" * size))


def all_handled(c, n):
    h = ask(c)
    while h < n: # when the count moves, <a/> follows unasked
        h = int(c.take(lambda e: e.is_("a", SM), "<a h='%d'/>" % n).get("h"))
    assert h == n


def test_who_sends_to_one_who_sleeps_is_told_what_is_durable(own_server):
    """A flood that waits for a client holds no receipts of others."""
    server = own_server({"modules": {
        "offline": {"max_messages": "100000", "max_bytes": "1GiB",
                    "stranger_share": "100", "sender_share": "100"},
        "sm": {"unacked_stanzas": "100000", "unacked_bytes": "1GiB"}},
        "limits": {"write_queue_max_bytes": "64MiB"}})
    scene = scenes.Scene(server, ("romeo", "juliet"))
    romeo = scene.login("romeo/a")
    enable(romeo)
    n = 1500
    for i in range(n):
        romeo.send(message(scene, "m%d" % i, 8000))
    all_handled(romeo, n)
    juliet = scene.login("juliet/j")
    enable(juliet)
    juliet.send("<presence/>")
    juliet.take(lambda e: e.get("id") == "m0", "the first")
    juliet.reset()
    server.process.wait_line("asleep")
    romeo.send(message(scene, "last"))
    all_handled(romeo, n + 1)
    scene.end()
