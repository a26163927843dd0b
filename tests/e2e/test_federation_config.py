"""What is said of `federation' before another server is there: in the log, and by
check-config and show-config."""

import os
import re
import socket
import subprocess
import time

import pytest

from client import PATIENCE
from options import COMPONENT_PORT
from s2s_peer import Peer, conf as s2s_conf
from test_at_limits import check_config

pytestmark = pytest.mark.only("antiphon")

TALKS = r"talks to other servers host=%s$"
DOES_NOT = r'does not talk to other servers host=%s reason="%s"$'


def reload(server, **conf):
    """With more options of the host; gives where the log was."""
    start = len(server.process.lines)
    server.conf["hosts"][server.domain].update(conf)
    server.write_conf()
    assert server.ctl("reload") == ""
    return start


def told(server, start):
    return [line for line in server.process.lines[start:]
            if "other servers" in line]


def test_the_log_says_what_each_host_does(own_server):
    server = own_server({"modules": {"testecho": {}}})
    log = server.process
    log.wait_line(TALKS % re.escape(server.domain))
    # the certificate is for the hosts alone
    log.wait_line(r"which may refuse it: .* does not name it host=echo\.%s "
                  r"certificate_of=%s$" % ((re.escape(server.domain),) * 2))
    assert told(server, reload(server)) == []
    start = reload(server, federation="off")
    log.wait_line(DOES_NOT % (re.escape(server.domain),
                              "it is switched off"), start)
    assert len([line for line in told(server, start)
                if server.other_domain not in line]) == 1
    start = reload(server, federation={"mode": "on"})
    log.wait_line(TALKS % re.escape(server.domain), start)


def test_a_service_that_others_do_not_ask_needs_no_certificate(own_server):
    server = own_server({"modules": {"testecho": {"local": True}}})
    echo = "echo." + re.escape(server.domain)
    server.process.wait_line(TALKS % re.escape(server.domain))
    server.process.wait_line(DOES_NOT % (echo, "it is kept local"))
    assert not any("may refuse it" in line and "host=echo." in line
                   for line in server.process.lines)
    server.conf["modules"]["testecho"]["local"] = False
    start = reload(server)
    server.process.wait_line("which may refuse it: .* host=%s " % echo, start)


def test_a_certificate_of_his_own_is_a_reason_not_to(own_server):
    server = own_server()
    server.ctl("cert", "make", server.domain, "--dir", server.folder)
    name = os.path.join(server.folder, server.domain)
    os.chmod(name + ".key", 0o644) # for whoever the server runs as
    start = reload(server, certificate=name + ".pem", key=name + ".key")
    server.process.wait_line(DOES_NOT % (
        re.escape(server.domain), "its certificate is signed by itself"), start)


def test_authorities_that_cannot_be_read_have_a_line(own_server):
    server = own_server({"federation": {"authorities": "/nonexistent.pem"}},
                        start=False)
    code, said = check_config(server)
    assert code == 1
    assert re.search(r"\.yml:\d+: federation: authorities: /nonexistent\.pem: "
                     r"No such file or directory$", said, re.M), said
    good = server.certs["ca.crt"]
    server.conf["federation"]["authorities"] = good
    assert check_config(server)[0] == 0
    server.start()
    assert "authorities: %s" % good in server.ctl("show-config")
    server.conf["federation"]["authorities"] = "/nonexistent.pem"
    server.write_conf()
    done = server.ctl("reload", ok=False)
    assert done.returncode == 1 and "/nonexistent.pem" in \
        done.stdout + done.stderr


# --- ports ------------------------------------------------------------------------

def server_ports(**tls):
    return [{"kind": "c2s", "address": "127.0.0.1", "port": 0}] + [
        {"kind": "server", "address": "127.0.0.1", "port": port, "tls": how}
        for how, port in tls.items()]


def free_port():
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        return sock.getsockname()[1]


def is_open(port):
    with socket.socket() as sock:
        return sock.connect_ex(("127.0.0.1", port)) == 0


def test_a_port_for_servers_is_open_while_a_host_talks_to_them(own_server):
    port = free_port()
    server = own_server({"federation": "off",
                         "listen": server_ports(starttls=port)})
    log = server.process
    log.wait_line(r'a port is not opened kind=server address=127\.0\.0\.1 '
                  r'port=%d tls=starttls reason="no host talks to other '
                  r'servers"' % port)
    assert not is_open(port)
    start = reload(server, federation="on")
    log.wait_line("listening kind=server address=127.0.0.1 port=%d" % port,
                  start)
    assert is_open(port)
    start = reload(server, federation="off")
    log.wait_line("a port is not opened kind=server", start)
    deadline = time.monotonic() + PATIENCE # each shard shuts its own
    while is_open(port):
        assert time.monotonic() < deadline
    # and that is told once
    assert not any("not opened" in line
                   for line in server.process.lines[reload(server):])


def test_the_ports_that_everybody_uses_are_those_of_no_listen(own_server):
    server = own_server(start=False)
    del server.conf["listen"]
    server.write_conf()
    shown = subprocess.run(
        [server.program(), "--show-config", "--config", server.conf_path,
         "--module-dir", server.module_dir()], capture_output=True, text=True,
        timeout=PATIENCE, check=True).stdout
    entries = re.findall(r"- kind: (\w+)\n.*\n +port: (\d+)\n +tls: (\w+)$", shown,
                         re.M)
    assert entries == [("c2s", "5222", "starttls"), ("c2s", "5223", "direct"),
                       ("server", "5269", "starttls"),
                       ("server", "5270", "direct"),
                       ("http", "5280", "none"), ("https", "5281", "direct"),
                       ("proxy65", "5000", "none")], shown


def test_who_talks_without_a_port_is_told(own_server):
    server = own_server({"federation": "on"}, start=False)
    code, said = check_config(server)
    assert code == 0
    assert "note: other servers cannot connect" in said
    server.start()
    server.process.wait_line("other servers cannot connect: `listen' has no "
                             "port of kind server")
    server.conf["listen"] += server_ports(starttls=0)[1:]
    code, said = check_config(server)
    assert code == 0 and "other servers cannot" not in said
    start = reload(server)
    server.process.wait_line("listening kind=server", start)
    assert told(server, start) == []


def test_check_config_names_services_that_the_certificate_does_not(own_server):
    server = own_server({"federation": "on"}, start=False)
    server.conf["listen"] += server_ports(starttls=0)[1:]
    note = "note: other servers may refuse conference.%s: the certificate of %s has " \
        "not that name" % (server.domain, server.domain)
    code, said = check_config(server)
    assert code == 0 and note in said
    # what is for our users alone needs none
    assert "refuse proxy." not in said and "refuse upload." not in said
    server.conf["hosts"][server.domain]["federation"] = "off"
    code, said = check_config(server)
    assert code == 0 and note not in said
    del server.conf["hosts"][server.domain]["federation"]
    server.conf["modules"]["muc"] = "no"
    code, said = check_config(server)
    assert code == 0 and "may refuse" not in said


def test_check_config_says_what_automatic_comes_to(own_server):
    server = own_server(start=False)
    server.conf["hosts"]["bare.test"] = {"auth": {"tls_required": "no"}}
    server.conf["hosts"]["off.test"] = {"federation": "off"}
    code, said = check_config(server)
    assert code == 0
    assert "note: bare.test does not talk to other servers: it has no " \
        "certificate\n" in said
    assert "off.test" not in said and server.domain + " does not" not in said


# --- services and components ----------------------------------------------------------

def answers_of(server, domain):
    """What a server hears that shows a key for the domain, by a stream to a host
    which talks to everybody."""
    peer = Peer(server, "peer.example", to=server.other_domain).secure()
    return peer.result(to=domain)


def test_services_and_components_stay_local_and_keep_to_lists(own_server):
    server = own_server(s2s_conf({
        "modules": {"testecho": {}},
        "remotes": {"peer.example": {"address": "127.0.0.1", "port": 1}}}),
        start=False)
    parts = ["echo", "irc"]
    names = ["%s.%s" % (part, server.domain) for part in parts]
    server.conf["components"] = {names[1]: {"secret": "s"}}
    server.conf["listen"].append(COMPONENT_PORT)
    hosts = server.conf["hosts"] # they share what is said of them
    hosts[server.other_domain] = dict(hosts[server.domain])
    server.start()
    for name in names:
        # nobody is there to be asked about the key
        assert answers_of(server, name) == "remote-server-timeout"
    for federation in ({"local": parts}, {"local": names},
                       {"deny": ["peer.example"]}, {"allow": ["a.example"]}):
        reload(server, federation=federation)
        for name in names:
            assert answers_of(server, name) == "not-allowed"
    reload(server, federation={"local": parts})
    assert answers_of(server, server.domain) == "remote-server-timeout"
