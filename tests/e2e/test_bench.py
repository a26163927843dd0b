"""The load generator plays every mode to its end: against the daemon, and
against the floor, which relays and knows nothing.

What it measures is not looked at; that it measures is.
"""

import os
import re
import subprocess
import threading

import pytest

from process import PATIENCE, Failed
from prosody import free_port

CLIENTS = 12
DOMAIN_OPTIONS = ("--clients", str(CLIENTS), "--seconds", "1")

# mode, options, and what it must tell
LATENCY = ["latency_%s_ms" % p for p in ("p50", "p90", "p99", "p999", "max")]
MODES = {
    "login": ([], {"n": 2 * CLIENTS}),
    "idle": ([], {"n": CLIENTS}),
    "ping": (["--count", "20"], {"n": 20 * CLIENTS}),
    "chat": (["--count", "20", "--window", "2"], {"n": 20 * CLIENTS}),
    "chat --one-way": (["--count", "20", "--bare"], {"n": 10 * CLIENTS}),
    "open": (["--rate", "300"], {"n": 300, "rate": 300}),
    "presence": (["--contacts", "3", "--count", "5"],
                 {"n": CLIENTS * 3 * 5}),
    "presence --paced": (["--contacts", "5", "--count", "5",
                          "--window", "2"], {"n": CLIENTS * 5 * 5}),
    "return": ([], {"n": CLIENTS, "resumed": 0, "sessions": 0}),
}
ALONE = {
    "return --sm": ([], {"n": CLIENTS, "sessions": CLIENTS}),
    "offline": (["--count", "10"], {"n": CLIENTS * 10}),
    "pages": (["--clients", "2", "--count", "100", "--pages", "10"],
              {"n": 100 + 2 * 10}),
    "roster": (["--contacts", "2"], {"n": CLIENTS * 2}),
    "soak": (["--clients", "16", "--pace", "100"], {}),
}


def program(name):
    from antiphon import build_dir
    return os.path.join(build_dir(), "tests", "bench", name)


def bench(mode, *options):
    """The line of results, as pairs; a mode that measures twice says n
    twice."""
    done = subprocess.run(
        [program("antiphon-bench"), *mode.split(), *DOMAIN_OPTIONS, *options,
         "--patience", str(int(PATIENCE))],
        capture_output=True, text=True, timeout=PATIENCE * 12)
    assert done.returncode == 0, done.stdout + done.stderr
    assert re.fullmatch(r"mode=\w+( \w+=[\w.-]+)+\n", done.stdout), done.stdout
    return [pair.split("=") for pair in done.stdout.split()]


def check(mode, want, got):
    keys = dict(got)
    assert keys["mode"] == mode.split()[0]
    for key in ("lost", "doubled", "reordered", "errors"):
        assert keys[key] == "0"
    if mode.startswith("idle"):
        assert int(keys["server_bytes_after"]) > 0
    else:
        assert float(keys["server_cpu_ms_per_1000"]) > 0
    if mode == "open":
        latency = [float(keys[key]) for key in LATENCY]
        assert latency == sorted(latency) and latency[0] > 0
    for key, value in want.items():
        if key == "n":
            found = sum(int(v) for k, v in got if k == "n")
        else:
            found = int(keys[key])
        assert found == value, got


@pytest.fixture(scope="module", params=["direct", "none"])
def floor(request, pool):
    tls = request.param
    options = []
    if tls == "direct":
        certs = pool.new().certs
        options = ["--cert", certs["server.crt"], "--key",
                   certs["server.key"]]
    proc = subprocess.Popen([program("antiphon-floor"), *options],
                            stdout=subprocess.PIPE, text=True)
    line = proc.stdout.readline()
    found = re.fullmatch(r"listening port=(\d+) tls=(\w+)\n", line)
    if not found:
        proc.kill()
        raise Failed("not a port: " + line)
    assert found[2] == tls
    yield ["--floor", "--tls", tls, "--port", found[1], "--pid",
           str(proc.pid)]
    proc.kill()
    proc.wait()
    proc.stdout.close()


@pytest.mark.parametrize("mode", MODES)
def test_the_floor_relays_every_mode(floor, mode):
    options, want = MODES[mode]
    check(mode, want, bench(mode, *options, *floor))


def test_the_floor_refuses_what_it_cannot_do(floor):
    done = subprocess.run([program("antiphon-bench"), "offline", *floor],
                          capture_output=True, text=True)
    assert done.returncode == 2
    assert "the floor cannot do: offline" in done.stderr


def add_accounts(server):
    server.ctl("adduser", "--batch", "-", stdin=subprocess.run(
        [program("antiphon-bench"), "accounts", "--clients", "16",
         "--domain", server.domain], check=True, capture_output=True,
        text=True).stdout)


@pytest.fixture(scope="session")
def accounts(pool):
    """The shared server, with the generator's accounts."""
    server = pool.shared()
    add_accounts(server)
    return server


@pytest.mark.only("antiphon")
@pytest.mark.parametrize("tls", ["starttls", "direct"])
@pytest.mark.parametrize("mode", [*MODES, *ALONE])
def test_the_daemon_serves_every_mode(accounts, mode, tls):
    options, want = {**MODES, **ALONE}[mode]
    check(mode, want, bench(
        mode, *options, "--tls", tls, "--port", str(accounts.port(tls)),
        "--pid", str(accounts.process.proc.pid), "--domain",
        accounts.domain))
    accounts.check()


@pytest.mark.only("antiphon")
@pytest.mark.parametrize("how", ["return", "return --sm"])
def test_clients_return_to_a_server_that_was_restarted(own_server, tmp_path,
                                                       how):
    server = own_server({"listen": [{
        "kind": "c2s", "address": "127.0.0.1", "port": free_port(),
        "tls": "starttls"}]})
    add_accounts(server)
    away, back = str(tmp_path / "away"), str(tmp_path / "back")
    os.mkfifo(away)
    os.mkfifo(back)
    got = []
    load = threading.Thread(target=lambda: got.append(bench(
        how, "--port", str(server.port("starttls")), "--domain",
        server.domain, "--pid", str(server.process.proc.pid), "--command",
        "echo go >%s; cat %s" % (away, back))), daemon=True)
    load.start()
    with open(away) as f:
        assert f.read() == "go\n"
    server.restart()
    with open(back, "w") as f:
        f.write("%d\n" % server.process.proc.pid)
    load.join(PATIENCE * 12)
    check("return", {"n": CLIENTS, "resumed": 0,
                     "sessions": CLIENTS * ("--sm" in how)}, got[0])


@pytest.mark.only("antiphon")
@pytest.mark.parametrize("tickets", ["yes", "no"])
def test_clients_resume_tls_where_the_server_gives_tickets(
        own_server, tickets):
    server = own_server({"tls": {"tickets": tickets}})
    add_accounts(server)
    check("return", {"n": CLIENTS, "resumed": (tickets == "yes") * CLIENTS},
          bench("return", "--resume", "--port", str(server.port("starttls")),
                "--pid", str(server.process.proc.pid), "--domain",
                server.domain))


def test_help_names_every_mode():
    told = subprocess.run([program("antiphon-bench"), "--help"], check=True,
                          capture_output=True, text=True).stdout
    for mode in [*MODES, *ALONE, "kill", "accounts"]:
        assert re.search(r"^  %s\b" % mode.split()[0], told, re.M), told
