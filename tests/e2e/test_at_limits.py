"""Each option at the ends of its range.  The list comes from the program; what
an option promises is proven in the files test_at_limits_*.py, by the tests that
name it (see options.py)."""

import glob
import importlib
import os
import re
import subprocess
import warnings

import pytest

import scene as scenes
from options import (BOTH, left_out, merge_option, number, option, options,
                     proven)
from test_stats import stats

pytestmark = pytest.mark.only("antiphon")

RANGES = [o for o in options() if o.ends()]
ABOVE = re.compile(r"limits: (?:\d+ times )?(\w+) \((\d+)\) is above "
                   r"(\w+) \((\d+)\)")


def rows():
    """Reads what the other files prove."""
    folder = os.path.dirname(os.path.abspath(__file__))
    for path in glob.glob(os.path.join(folder, "test_at_limits_*.py")):
        importlib.import_module(os.path.basename(path)[:-3])


def check_config(server):
    server.write_conf()
    done = subprocess.run(
        [server.program(), "--check-config", "--config", server.conf_path,
         "--module-dir", server.module_dir()], capture_output=True, text=True,
        **server.unprivileged())
    return done.returncode, done.stderr


# --- the list ------------------------------------------------------------------


@pytest.mark.short
def test_every_end_of_a_range_has_a_test():
    rows()
    missing = ["%s at its %simum, %s" % (o.path, end, o.end(end))
               for o in RANGES for end in o.ends()
               if (o.path, end) not in proven and
               (o.path, end) not in left_out]
    assert not missing, (
        "nobody proves what these promise; add a test that says @proves(...) "
        "to tests/e2e/test_at_limits_*.py, or sworn(...) with a reason:\n  " +
        "\n  ".join(missing))


@pytest.mark.short
def test_what_is_proven_exists():
    rows()
    ends = {(o.path, end) for o in RANGES for end in o.ends()}
    assert not (set(proven) | set(left_out)) - ends


def test_what_is_left_out_is_named():
    """In the summary of warnings."""
    rows()
    for (path, end), why in sorted(left_out.items()):
        warnings.warn("left out: %s at its %simum: %s" % (path, end, why))


# --- beyond the range ---------------------------------------------------------


@pytest.mark.short
@pytest.mark.parametrize("end", BOTH)
def test_beyond_the_range_is_refused(pool, end):
    """With file, line, option and range; all at once."""
    server = pool.new()
    beyond = [(o, o.beyond(end)) for o in RANGES if o.beyond(end) is not None]
    assert len(beyond) > 40
    for o, value in beyond:
        server.conf = merge_option(server.conf, o, value)
    code, said = check_config(server)
    assert code == 1
    with open(server.conf_path) as f:
        text = f.read().splitlines()
    for o, value in beyond:
        found = re.search(r"^%s:(\d+): %s: .*\bthe %simum,? (is )?%s$" % (
            re.escape(server.conf_path), re.escape(o.place), end, o.end(end)),
            said, re.M)
        assert found, (o.path, value, said)
        assert '"%s"' % o.name in text[int(found[1]) - 1]


def test_what_is_no_number_is_refused(pool):
    """Also what no machine can hold, and what overflows with its unit."""
    server = pool.new()
    for value in ("-1", "18446744073709551616", "9" * 60, "1e3", "0x10", ""):
        for o in RANGES:
            if o.kind in ("number", "size", "duration"):
                server.conf = merge_option(server.conf, o, value)
        code, said = check_config(server)
        assert code == 1
        for o in RANGES:
            if o.kind in ("number", "size", "duration"):
                assert re.search(r":\d+: %s: " % re.escape(o.place), said), \
                    (o.path, value, said)
        assert "runtime error" not in said


# --- each end by itself ----------------------------------------------------------


def follow(server, o):
    """Where one limit contradicts another, the message names both, and the
    other one is set as it says."""
    for _ in range(10):
        code, said = check_config(server)
        if code == 0:
            return
        found = ABOVE.search(said)
        assert found, said
        low, low_is, high, high_is = found.groups()
        assert o.path in ("limits: " + low, "limits: " + high) or \
            o.section == "limits", said
        name, value = (high, low_is) if o.name != high else (low, high_is)
        server.conf["limits"][name] = value
    raise AssertionError(said)


def served(own_server, path, end, conf=None):
    """A server with one option at an end of its range, and what that is.  A
    duration is in seconds."""
    o = option(path)
    server = own_server(conf, start=False)
    # what is as fast as the disk is a limit of its own
    server.conf["modules"].setdefault("archive", "no")
    alone(server, server.conf, o, end)
    server.start()
    value = number(o.end(end)) if o.end(end) != "never" else None
    return server, value / 1e6 if value and o.kind == "duration" else value


def stat(server, name):
    return stats(server)[name]


def chat(server, k):
    """Two who log in from addresses of their own, each with his roster."""
    names = ["romeo-%d" % k, "juliet-%d" % k]
    passwords = [n + "x" * 255 for n in names]
    server.add_users_batch(zip(names, passwords))
    clients = []
    for i, (name, password) in enumerate(zip(names, passwords)):
        c = scenes.Client(server, name).secure(
            source="127.0.%d.%d" % (i + 1, k % 250 + 1))
        c.auth(name, password)
        c.bind("here")
        c.roster()
        c.send("<presence/>")
        clients.append(c)
    for a, b in (clients, clients[::-1]):
        a.send("<message to='%s' type='chat' id='m'><body>hello</body>"
               "</message>" % b.jid)
        b.take(lambda e: e.get("id") == "m", "the message")
    for c in clients:
        c.ping()
        c.close()


def is_live(o):
    """In force with a reload."""
    return o.section not in ("", "listen", "storage", "control")


def alone(server, base, o, end):
    server.conf = merge_option(base, o, o.value(end))
    follow(server, o)


@pytest.mark.once
@pytest.mark.parametrize("end", BOTH)
def test_each_end_alone_lets_clients_chat(own_server, end):
    server = own_server()
    base = server.conf
    for k, o in enumerate(o for o in RANGES if is_live(o) and o.end(end)):
        try:
            alone(server, base, o, end)
            assert server.ctl("reload") == ""
            chat(server, k)
        except AssertionError as e:
            raise AssertionError("%s: %s: %s" % (o.path, o.end(end), e)) \
                from e


def test_the_longest_time_short_of_never(own_server):
    """A time of the clock can still be added to it."""
    server = own_server()
    longest = "%dd" % ((2**63 - 1) // 4 // (86400 * 10**6))
    for o in RANGES:
        if o.max == "never":
            server.conf = merge_option(server.conf, o, longest)
    server.write_conf()
    assert server.ctl("reload") == ""
    assert server.ctl("show-config").count(longest) >= 3
    for k, wait_s in enumerate((0, 86400, 300 * 86400)):
        server.advance(wait_s)
        chat(server, k)


@pytest.mark.parametrize("end", BOTH)
def test_each_end_alone_lets_a_server_start(pool, end):
    for k, o in enumerate(o for o in RANGES if not is_live(o) and o.end(end)):
        if o.kind == "text" or o.path == "listen: kind" or \
                o.name == "port" and o.end(end) != "0":
            continue
        server = pool.new()
        alone(server, server.conf, o, end)
        server.start()
        chat(server, k)
        server.stop()


TEXTS = ("modules: vcard: name", "modules: vcard: url",
         "modules: vcard: description", "modules: register: instructions")
LISTS = ("modules: contact: abuse", "modules: contact: support",
         "modules: register: blocked_names")


def test_the_longest_texts_and_lists(pool):
    """antiphond.yml(5), Form."""
    server = pool.new({"modules": {"register": {"allow": "yes"}}})
    for more, word in ((1, "maximum"), (0, "")):
        for o in options():
            if o.path in TEXTS:
                server.conf = merge_option(server.conf, o, "x" * (4096 + more))
            if o.path in LISTS:
                server.conf = merge_option(server.conf, o, [
                    "mailto:%d@antiphon.test" % i
                    for i in range(1000 + more)])
        code, said = check_config(server)
        assert code == more
        for path in TEXTS + LISTS if more else ():
            assert re.search(r": %s: .*the maximum is (4096|1000)$"
                             % re.escape(path), said, re.M), (path, said)
    server.start()
    chat(server, 0)
    c = scenes.Client(server, "juliet-0").secure()
    got = c.iq("get", "<query xmlns='jabber:iq:register'/>")
    assert got.find("query", "instructions").text() == "x" * 4096
    c.auth("juliet-0", "juliet-0" + "x" * 255)
    c.bind("here")
    got = c.iq("get", "<vCard xmlns='vcard-temp'/>", server.domain)
    assert len(got.find("vCard", "FN").text()) == 4096
    got = c.iq("get", "<query xmlns='http://jabber.org/protocol/disco#info'/>",
               server.domain)
    fields = [f for f in got.child("query").child("x").elems()
              if f.get("var") == "abuse-addresses"]
    assert len(fields[0].elems()) == 1000
    c.close()
    server.stop()


@pytest.mark.parametrize("end", (
    pytest.param("min", marks=pytest.mark.short), "max"))
def test_all_together_let_clients_chat(pool, end):
    """Everything at its minimum, or at its maximum; but for what makes each
    login take seconds."""
    server = pool.new()
    for o in RANGES:
        if o.end(end) and o.section != "listen" and \
                (o.name, end) != ("scram_iterations", "max"):
            server.conf = merge_option(server.conf, o, o.value(end))
    code, said = check_config(server)
    assert code == 0, said
    server.start()
    chat(server, 0)
    server.advance(3600)
    chat(server, 1)
    server.stop()
