"""The load generator plays every mode to its end: against the daemon, and
against the floor, which relays and knows nothing.

What it measures is not looked at; that it measures is.
"""

import os
import re
import subprocess

import pytest

from process import PATIENCE, Failed

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
}
ALONE = {
    "offline": (["--count", "10"], {"n": CLIENTS * 10}),
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


@pytest.fixture(scope="module")
def accounts(pool):
    """The shared server, with the generator's accounts."""
    server = pool.shared()
    server.ctl("adduser", "--batch", "-", stdin=subprocess.run(
        [program("antiphon-bench"), "accounts", "--clients", "16",
         "--domain", server.domain], check=True, capture_output=True,
        text=True).stdout)
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


def test_help_names_every_mode():
    told = subprocess.run([program("antiphon-bench"), "--help"], check=True,
                          capture_output=True, text=True).stdout
    for mode in [*MODES, *ALONE, "kill", "accounts"]:
        assert re.search(r"^  %s\b" % mode.split()[0], told, re.M), told
