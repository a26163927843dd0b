"""check-dns, and the resolver below it, with real name servers."""

import json
import os
import re
import subprocess
import threading
import time

import pytest

import names as dns
from process import certificates

pytestmark = [
    pytest.mark.only("antiphon"),
    pytest.mark.skipif(bool(dns.missing()), reason="%s: see contrib/deps.sh"
                       % " ".join(dns.missing()))]


@pytest.fixture
def names(open_path):
    made = dns.Names(open_path)
    yield made
    made.stop()


def serving(own_server, names, tmp, *domains, conf=None, **more):
    """A server of these domains, which asks names as more says."""
    certs = certificates(str(tmp / "certs"), domains)
    os.chmod(certs["server.key"], 0o644)
    host = {"certificate": certs["server.crt"], "key": certs["server.key"]}
    return own_server({"dns": names.conf(**more),
                       "hosts": {"antiphon.test": None, "other.test": None,
                                 **{domain: host for domain in domains}},
                       **(conf or {})})


def check(server, domain):
    """Lines for the zone, and rows by their record."""
    lines, rows = [], {}
    for line in server.ctl("--json", "check-dns", domain).splitlines():
        answer = json.loads(line)
        if "text" in answer:
            lines.append(answer["text"])
        else:
            assert set(answer) == {"record", "state", "found", "note"}
            rows[answer["record"]] = answer
    return lines, rows


def states(rows):
    return {record: row["state"] for record, row in rows.items()}


def threads(server):
    """The names of its threads."""
    folder = "/proc/%d/task" % server.process.proc.pid
    found = []
    for task in os.listdir(folder):
        with open("%s/%s/comm" % (folder, task)) as f:
            found.append(f.read().strip())
    return found


def test_what_is_missing_is_told_as_lines_for_the_zone(own_server, names,
                                                       open_path):
    names.zone("plain.example", "xmpp A 127.93.5.22",
               "_xmpp-client._tcp SRV 0 5 5222 xmpp")
    names.start()
    server = serving(own_server, names, open_path, "plain.example",
                     conf={"modules": {"testclock": {}, "testecho": {}}})
    lines, rows = check(server, "plain.example")
    assert lines[0].startswith(";")
    assert lines[1:] == [
        "_xmpps-client._tcp.plain.example. 86400 IN SRV 0 5 %d "
        "xmpp.plain.example." % server.port("direct"),
        "_xmpp-server._tcp.plain.example. 86400 IN SRV 5 5 5269 "
        "xmpp.plain.example.",
        "_xmpps-server._tcp.plain.example. 86400 IN SRV 0 5 5270 "
        "xmpp.plain.example.",
        "_xmpp-server._tcp.echo.plain.example. 86400 IN SRV 5 5 5269 "
        "xmpp.plain.example.",
        "_xmpps-server._tcp.echo.plain.example. 86400 IN SRV 0 5 5270 "
        "xmpp.plain.example.",
        "_xmpp-server._tcp.conference.plain.example. 86400 IN SRV 5 5 5269 "
        "xmpp.plain.example.",
        "_xmpps-server._tcp.conference.plain.example. 86400 IN SRV 0 5 5270 "
        "xmpp.plain.example.",
        ";plain.example. 86400 IN CAA 0 issue \"your authority, such as "
        "letsencrypt.org\""]
    assert states(rows) == {
        "DNSSEC": "off",
        "_xmpp-client._tcp.plain.example SRV": "found",
        "_xmpps-client._tcp.plain.example SRV": "missing",
        "_xmpp-server._tcp.plain.example SRV": "missing",
        "_xmpps-server._tcp.plain.example SRV": "missing",
        "_xmpp-server._tcp.echo.plain.example SRV": "missing",
        "_xmpps-server._tcp.echo.plain.example SRV": "missing",
        "_xmpp-server._tcp.conference.plain.example SRV": "missing",
        "_xmpps-server._tcp.conference.plain.example SRV": "missing",
        "xmpp.plain.example AAAA": "missing",
        "xmpp.plain.example A": "found",
        "_5269._tcp.xmpp.plain.example TLSA": "missing",
        "plain.example CAA": "missing",
        "127.93.5.22:5222": "not judged",
        "127.93.5.22:5269": "not judged"}
    assert rows["_xmpp-client._tcp.plain.example SRV"]["found"] == (
        "0 5 5222 xmpp.plain.example.")
    assert "their users cannot write to it" in rows[
        "_xmpp-server._tcp.plain.example SRV"]["note"]
    assert "NAT" in rows["127.93.5.22:5222"]["note"]
    # as people see it: lines for the zone whole, then a table
    text = server.ctl("check-dns", "plain.example")
    assert text.startswith("\n".join(lines) + "\nrecord ")


def test_a_zone_that_lacks_nothing(own_server, names, open_path):
    """Signed, with every record, and the certificate served everywhere."""
    ports = [dns.free_port() for _ in range(3)]
    domain = "signed.example"
    certs = certificates(str(open_path / "certs"), (domain,))
    digest = subprocess.run(
        "openssl x509 -in %s -pubkey -noout | openssl pkey -pubin -outform DER "
        "| openssl dgst -sha256 -r" % certs["leaf.crt"], shell=True,
        capture_output=True, text=True, check=True).stdout.split()[0]
    records = [
        "@ A 127.0.0.1", "@ CAA 0 issue \"example.net\"",
        "_xmpp-client._tcp SRV 5 5 %d signed.example." % ports[0],
        "_xmpps-client._tcp SRV 0 5 %d signed.example." % ports[1],
        "_xmpp-server._tcp SRV 5 5 %d signed.example." % ports[2],
        "_xmpps-server._tcp SRV 0 0 0 .",
        "_%d._tcp TLSA 3 1 1 %s" % (ports[2], digest)]
    names.signed(domain, *records)
    names.start()
    server = serving(own_server, names, open_path, domain, conf={
        "modules": {"muc": "no"}, "listen": [
        {"address": "127.0.0.1", "port": ports[0]},
        {"address": "127.0.0.1", "port": ports[1], "tls": "direct"}]})
    lines, rows = check(server, domain)
    assert lines == []
    assert states(rows) == {
        "DNSSEC": "ok",
        "_xmpp-client._tcp.signed.example SRV": "signed",
        "_xmpps-client._tcp.signed.example SRV": "signed",
        "_xmpp-server._tcp.signed.example SRV": "signed",
        "_xmpps-server._tcp.signed.example SRV": "signed",
        "signed.example AAAA": "missing",
        "signed.example A": "signed",
        "_%d._tcp.signed.example TLSA" % ports[2]: "signed",
        "signed.example CAA": "signed",
        "127.0.0.1:%d" % ports[0]: "ok",
        "127.0.0.1:%d" % ports[1]: "ok",
        "127.0.0.1:%d" % ports[2]: "not judged"}
    assert "private" in rows["127.0.0.1:%d" % ports[0]]["note"]
    assert "is loaded" in rows["_%d._tcp.signed.example TLSA"
                               % ports[2]]["note"]
    # the certificate is another one since, and the key, too: then TLSA lies
    other = certificates(str(open_path / "other"), (domain,))
    os.chmod(other["server.key"], 0o644)
    server.conf["hosts"][domain] = {"certificate": other["server.crt"],
                                    "key": other["server.key"]}
    server.write_conf()
    server.ctl("reload")
    lines, rows = check(server, domain)
    assert rows["_%d._tcp.signed.example" % ports[2]]["state"] == "wrong"
    assert re.search(r"^_%d\._tcp\.signed\.example\. \d+ IN TLSA 3 1 1 [0-9a-f]{64}$"
                     % ports[2], "\n".join(lines), re.M)
    assert digest not in "".join(lines)
    assert rows["127.0.0.1:%d" % ports[0]]["state"] == "ok"


def test_a_port_for_clients_and_servers_is_looked_at_as_both(own_server, names,
                                                             open_path):
    ports = [dns.free_port() for _ in range(2)]
    names.zone("shared.example", "@ A 127.0.0.1",
               "_xmpp-client._tcp SRV 0 5 %d shared.example." % ports[0],
               "_xmpp-server._tcp SRV 0 5 %d shared.example." % ports[0])
    names.start()
    server = serving(own_server, names, open_path, "shared.example", conf={
        "federation": {"mode": "on"},
        "listen": [{"kind": ["c2s", "server"], "port": ports[0]},
                   {"kind": ["c2s", "server"], "port": ports[1],
                    "tls": "direct"}]})
    found = [json.loads(line) for line in server.ctl(
        "--json", "check-dns", "shared.example").splitlines()]
    # what is missing leads to that of the two which begins with TLS
    for service in "client", "server":
        assert {"text": "_xmpps-%s._tcp.shared.example. 86400 IN SRV 0 5 %d "
                "shared.example." % (service, ports[1])} in found
    assert [(row["found"], row["state"]) for row in found
            if row.get("record") == "127.0.0.1:%d" % ports[0]] == [
                ("clients, STARTTLS", "ok"), ("servers, STARTTLS", "ok")]


def test_somebody_else_at_the_port_is_told_of(own_server, names, open_path):
    domain = "plain.example"
    other = certificates(str(open_path / "other"), ("elsewhere.example",))
    port, deaf = dns.free_port(), dns.free_port()
    names.zone(domain, "@ A 127.0.0.1",
               "_xmpps-client._tcp SRV 0 5 %d plain.example." % port,
               "_xmpp-client._tcp SRV 0 5 %d plain.example." % deaf)
    names.start()
    peers = [subprocess.Popen(
        ["openssl", "s_server", "-accept", "127.0.0.1:%d" % port, "-cert",
         other["server.crt"], "-key", other["server.key"], "-quiet"],
        stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL)]
    # it speaks TLS, and no XMPP
    peers.append(subprocess.Popen(
        ["openssl", "s_server", "-accept", "127.0.0.1:%d" % deaf, "-cert",
         other["server.crt"], "-key", other["server.key"], "-quiet"],
        stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL))
    try:
        names.await_port(port)
        names.await_port(deaf)
        server = serving(own_server, names, open_path, domain)
        _, rows = check(server, domain)
    finally:
        for peer in peers:
            peer.kill()
            peer.wait()
    assert rows["127.0.0.1:%d" % port]["state"] == "other"
    assert "another certificate" in rows["127.0.0.1:%d" % port]["note"]
    assert rows["127.0.0.1:%d" % deaf]["state"] == "no TLS"


def test_what_is_forged_is_bogus(own_server, names, open_path):
    names.signed("signed.example", "@ A 127.0.0.1")
    names.signed("forged.example", "xmpp A 192.0.2.1",
                 "_xmpp-client._tcp SRV 0 5 5222 xmpp",
                 forged=("192.0.2.1", "192.0.2.2"))
    names.start()
    server = serving(own_server, names, open_path, "forged.example")
    _, rows = check(server, "forged.example")
    found = rows["xmpp.forged.example A"]
    assert (found["state"], found["found"]) == ("bogus", "")
    assert "signature" in found["note"]
    assert rows["_xmpp-client._tcp.forged.example SRV"]["state"] == "signed"
    # with dnssec off anything goes
    server.conf["dns"]["dnssec"] = "off"
    server.write_conf()
    server.ctl("reload")
    _, rows = check(server, "forged.example")
    assert rows["xmpp.forged.example A"]["found"] == "192.0.2.2"
    assert rows["DNSSEC"]["state"] == "off"


def test_where_the_keys_do_not_come_names_are_unsigned(own_server, names,
                                                       open_path):
    """As behind a router that strips signatures: the key that is trusted is of a
    zone that is served without any."""
    names.signed("plain.example", "xmpp A 127.0.0.1",
                 "_xmpp-client._tcp SRV 0 5 5222 xmpp")
    names.zones["plain.example"] = "plain.example.zone"
    names.start()
    server = serving(own_server, names, open_path, "plain.example")
    _, rows = check(server, "plain.example")
    assert rows["DNSSEC"]["state"] == "unsigned"
    assert rows["xmpp.plain.example A"]["state"] == "found"
    told = [line for line in server.process.lines
            if "the keys of the DNS do not come" in line]
    assert len(told) == 1 and "names count as unsigned" in told[0]
    server.conf["dns"]["dnssec"] = "required"
    server.write_conf()
    server.ctl("reload")
    _, rows = check(server, "plain.example")
    assert rows["_xmpp-client._tcp.plain.example SRV"]["state"] == "bogus"


def test_without_keys_nothing_is_checked(own_server, names, open_path):
    names.zone("plain.example", "@ A 127.0.0.1")
    names.start()
    server = serving(own_server, names, open_path, "plain.example",
                     dnssec="auto", trust_anchor=str(open_path / "none"))
    _, rows = check(server, "plain.example")
    assert rows["DNSSEC"]["state"] == "off"
    assert rows["plain.example A"]["found"] == "127.0.0.1"
    server.process.wait_line("is dns-root-data installed")


def test_silence_ends_and_slow_answers_are_waited_for(own_server, names,
                                                      open_path):
    silent, slow = names.middle(), names.middle()
    silent.silent = True
    slow.delay = 0.6
    records = ("@ A 127.0.0.1", "_xmpp-client._tcp SRV 0 5 5222 slow.example.")
    names.zone("silent.example", "@ A 127.0.0.1", through=silent)
    names.zone("slow.example", *records, through=slow)
    names.start()
    server = serving(own_server, names, open_path, "silent.example",
                     "slow.example", timeout="6s")
    _, rows = check(server, "slow.example")
    assert rows["_xmpp-client._tcp.slow.example SRV"]["state"] == "found"
    server.conf["dns"]["timeout"] = "1s"
    server.write_conf()
    server.ctl("reload")
    began = time.monotonic()
    lines, rows = check(server, "silent.example")
    assert rows["_xmpp-client._tcp.silent.example SRV"]["state"] == "unknown"
    assert "silent" in rows["_xmpp-client._tcp.silent.example SRV"]["note"]
    # what is not known is not missing
    assert lines == []
    assert silent.asked > 0
    assert time.monotonic() - began < 30


def test_others_do_not_see_our_hosts_file(own_server, names, open_path):
    hosts = open_path / "hosts"
    hosts.write_text("192.0.2.9 plain.example\n")
    names.zone("plain.example", "@ A 127.0.0.1")
    names.start()
    server = serving(own_server, names, open_path, "plain.example",
                     hosts_file=str(hosts))
    _, rows = check(server, "plain.example")
    assert rows["plain.example A"]["found"] == "127.0.0.1"
    assert "port 5222" in rows["_xmpp-client._tcp.plain.example SRV"]["note"]


def test_reserved_zones_are_asked_for_when_the_file_says_so(own_server, names,
                                                            open_path):
    names.zone("antiphon.test", "@ A 127.0.0.1")
    names.start()
    server = serving(own_server, names, open_path, "antiphon.test")
    _, rows = check(server, "antiphon.test")
    assert rows["antiphon.test A"]["state"] == "missing"
    server.conf["dns"]["reserved_zones"] = ["test"]
    server.write_conf()
    server.ctl("reload")
    _, rows = check(server, "antiphon.test")
    assert rows["antiphon.test A"]["state"] == "found"


def test_names_that_are_not_ascii(own_server, names, open_path):
    names.zone("xn--bcher-kva.example", "@ A 127.0.0.1",
               "_xmpp-client._tcp SRV 0 5 5222 xn--bcher-kva.example.")
    names.start()
    server = serving(own_server, names, open_path, "b\u00fccher.example")
    lines, rows = check(server, "b\u00fccher.example")
    assert rows["_xmpp-client._tcp.xn--bcher-kva.example SRV"][
        "state"] == "found"
    assert all(line.isascii() for line in lines)


def test_what_cannot_be_checked_is_refused(own_server, names, open_path):
    names.zone("plain.example", "@ A 127.0.0.1")
    names.start()
    server = own_server({"dns": names.conf(), "hosts": {"127.0.0.1": {}}})
    for host, why in (("127.0.0.1", "it is an address"),
                      ("elsewhere.example", "not served here"),
                      ("a b", "")):
        done = server.ctl("check-dns", host, ok=False)
        assert done.returncode == 1
        assert why in done.stderr, done.stderr


def test_servers_that_cannot_be_are_told(own_server, names, open_path):
    names.zone("plain.example", "@ A 127.0.0.1")
    names.start()
    server = serving(own_server, names, open_path, "plain.example",
                     servers=["nowhere"])
    lines, rows = check(server, "plain.example")
    assert lines == []
    row = rows["_xmpp-client._tcp.plain.example SRV"]
    assert row["state"] == "unknown" and "nowhere" in row["note"]


def test_nothing_of_it_is_there_unless_it_is_used(own_server, names, open_path):
    names.zone("plain.example", "@ A 127.0.0.1")
    names.start()
    server = serving(own_server, names, open_path, "plain.example")
    before = threads(server)
    assert "dns" not in before
    check(server, "plain.example")
    assert sorted(threads(server)) == sorted(before)


def test_a_stop_does_not_wait_for_the_dns(own_server, names, open_path):
    silent = names.middle()
    silent.silent = True
    names.zone("silent.example", "@ A 127.0.0.1", through=silent)
    names.start()
    server = serving(own_server, names, open_path, "silent.example",
                     timeout="1m")
    failed = []
    caller = threading.Thread(target=lambda: failed.append(
        server.ctl("check-dns", "silent.example", ok=False).returncode))
    caller.start()
    while silent.asked == 0:
        time.sleep(0.02)
    # one at a time
    done = server.ctl("check-dns", "silent.example", ok=False)
    assert done.returncode == 1 and "under way" in done.stderr
    began = time.monotonic()
    server.stop()
    assert time.monotonic() - began < 30
    caller.join()
    assert failed and failed[0] != 0
