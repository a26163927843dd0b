"""What is said of `federation' before another server is there: in the log, and by
check-config and show-config."""

import os
import re

import pytest

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
