"""Debian's Prosody behind the same face as antiphon.Server: the tests' own
test.  ANTIPHON_TEST_SERVER=prosody has them run against it."""

import getpass
import os
import signal
import socket
import subprocess

from antiphon import DOMAIN, OTHER_DOMAIN
from process import Failed, Process, certificates

CONFIG = """
data_path = "%(folder)s/data"
run_as_root = %(root)s
prosody_user = "%(user)s"
pidfile = "%(folder)s/prosody.pid"
log = { { levels = { min = "debug" }, to = "file", filename = "/dev/stderr" } }
interfaces = { "127.0.0.1" }
modules_enabled = {
  "roster", "saslauth", "tls", "disco", "private", "vcard", "version",
  "uptime", "time", "ping", "register", "lastactivity", "presence", "message",
  "iq", "offline", "server_contact_info",
}
modules_disabled = { "s2s", "s2s_auth_certs" }
allow_registration = false
c2s_require_encryption = true
c2s_ports = { %(starttls)d }
c2s_direct_tls_ports = { %(direct)d }
authentication = "internal_hashed"
storage = "internal"
limits = {}
ssl = { certificate = "%(cert)s"; key = "%(key)s" }
contact_info = { abuse = { "mailto:abuse@%(domain)s" } }
VirtualHost "%(domain)s"
VirtualHost "%(other)s"
Component "conference.%(domain)s" "muc"
modules_enabled = { "muc_mam" }
"""


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


class Prosody:
    kind = "prosody"
    domain, other_domain = DOMAIN, OTHER_DOMAIN
    address = "127.0.0.1"

    def __init__(self, folder, conf=None, cert_dir=None):
        self.folder, self.process = folder, None
        os.makedirs(os.path.join(folder, "data"), exist_ok=True)
        self.certs = certificates(cert_dir or os.path.join(folder, "certs"),
                                  (DOMAIN, OTHER_DOMAIN))
        self.ca_file = self.certs["ca.crt"]
        self.conf_path = os.path.join(folder, "prosody.cfg.lua")

    def start(self):
        self.ports = {"starttls": free_port(), "direct": free_port()}
        with open(self.conf_path, "w") as f:
            f.write(CONFIG % dict(
                self.ports, folder=self.folder, domain=self.domain,
                other=self.other_domain, cert=self.certs["server.crt"],
                key=self.certs["server.key"], user=getpass.getuser(),
                root="true" if os.getuid() == 0 else "false"))
        self.process = Process(["prosody", "--config", self.conf_path, "-F"],
                               os.path.join(self.folder, "log"))
        for _ in self.ports:
            self.process.wait_line(r"Activated service 'c2s'")
        self.process.wait_line(r"Activated service 'c2s_direct_tls'")
        return self

    def port(self, tls):
        return self.ports[tls]

    def alive(self):
        return self.process is not None and self.process.alive()

    def check(self):
        if not self.alive():
            raise Failed("Prosody ended:\n" + self.process.tail())

    def stop(self):
        process, self.process = self.process, None
        if process is not None:
            process.signal(signal.SIGTERM)
            process.wait()

    def restart(self):
        self.stop()
        return self.start()

    def adduser(self, name, password, domain=None):
        done = subprocess.run(
            ["prosodyctl", "--config", self.conf_path, "register", name,
             domain or self.domain, password], capture_output=True, text=True)
        if done.returncode != 0:
            raise Failed("prosodyctl: " + done.stdout + done.stderr)

    def add_users_batch(self, users, hashed=False):
        for name, password in users:
            self.adduser(name, password)
