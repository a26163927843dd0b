"""Servers of a network (network.py): Prosody and ejabberd, both Debian's.  Each
has an address of its own, and there the ports that are usual.
"""

import glob
import os
import re
import shutil
import signal
import subprocess

import people
from process import Failed, PATIENCE, Process

C2S, C2S_DIRECT, S2S, S2S_DIRECT, COMPONENT = 5222, 5223, 5269, 5270, 5347


def lacks(package, *programs):
    """Why it cannot run here, or None."""
    path = os.environ.get("PATH", "") + ":/usr/sbin:/sbin"
    for program in programs:
        if not shutil.which(program, path=path):
            return "%s is not installed: see contrib/deps.sh" % package
    return None


class Peer:
    """What they have in common.  domains: by name, with what network.Domain
    says of each."""

    kind = None

    def __init__(self, network, address, domains):
        self.network, self.address = network, address
        self.domains = domains
        self.domain = next(iter(domains))
        self.folder = network.new_folder(self.kind)
        self.ca_file = network.authority.cert
        self.process = None

    def path(self, name):
        return os.path.join(self.folder, name)

    def write(self, name, text):
        with open(self.path(name), "w") as f:
            f.write(text)
        return self.path(name)

    def port(self, tls):
        return {"starttls": C2S, "direct": C2S_DIRECT}[tls]

    def certificate(self, domain):
        return self.network.authority.issue(self.domains[domain].certificate,
                                            domain)

    # --- life -------------------------------------------------------------

    def launch(self):
        """Begins to start; ready() waits until it has."""
        raise NotImplementedError

    def start(self):
        self.launch()
        return self.ready()

    def ready(self):
        """Those that take their time are waited for longer."""
        for pattern in self.ready_lines:
            self.process.wait_line(pattern, patience=PATIENCE * 6)
        return self

    def alive(self):
        return self.process is not None and self.process.alive()

    def check(self):
        if not self.alive():
            raise Failed("%s ended:\n%s" % (
                self.kind, self.process.tail() if self.process else ""))

    def stop(self):
        self.end(signal.SIGTERM)

    def kill9(self):
        self.end(signal.SIGKILL)

    def end(self, number):
        process, self.process = self.process, None
        if process is not None:
            process.signal(number)
            process.wait()

    def restart(self):
        self.stop()
        return self.start()

    def lines(self):
        """How many lines its log has, for wait_line()."""
        return len(self.process.lines)

    def wait_line(self, pattern, start=0):
        return self.process.wait_line(pattern, start)

    def authenticated(self, way, how, here, there):
        """What its log says, as a pattern: way in or out, how external or
        dialback, domains here and there."""
        raise NotImplementedError

    # --- users ------------------------------------------------------------

    def adduser(self, name, password, domain):
        people.register(self, name, password, domain)


PROSODY = """
data_path = "%(folder)s/data"
run_as_root = %(root)s
pidfile = "%(folder)s/prosody.pid"
log = { { levels = { min = "debug" }, to = "file", filename = "/dev/stderr" } }
interfaces = { "%(address)s" }
modules_enabled = {
  "roster", "saslauth", "tls", "dialback", "disco", "vcard", "version", "ping",
  "register_ibr", "presence", "message", "iq", "offline", "s2s",
  "s2s_auth_certs", "smacks", %(more)s
}
allow_registration = true
c2s_ports = { 5222 }
c2s_direct_tls_ports = { 5223 }
s2s_ports = { 5269 }
s2s_direct_tls_ports = { 5270 }
c2s_stanza_size_limit = 1024 * 1024
s2s_require_encryption = true
s2s_secure_auth = false
use_dane = true
s2s_secure_domains = { %(secure)s }
authentication = "internal_hashed"
storage = "internal"
limits = {}
certificates = "%(folder)s/certs"
ssl = { cafile = "%(ca)s" }
unbound = {
  resolvconf = false; hoststxt = false; forward = { "%(dns)s" };
  %(anchors)s
  options = { ["do-not-query-localhost:"] = "no" };
}
"""
VIRTUAL_HOST = """%s
ssl = { certificate = "%s"; key = "%s"; cafile = "%s" }
"""


class Prosody(Peer):
    """secure: domains of others whose certificate has to be trusted.  modules: more of
    those, by name."""

    kind = "prosody"
    ready_lines = (r"Activated service 'c2s'", r"Activated service 's2s'")

    @staticmethod
    def lacks():
        if not glob.glob("/usr/lib/*/lua/5.4/lunbound.so"):
            return "lua-unbound is not installed: see contrib/deps.sh"
        return lacks("prosody", "prosody")

    def __init__(self, network, address, domains, secure=(), modules=()):
        super().__init__(network, address, domains)
        self.secure, self.modules = secure, modules
        for name in ("data", "certs"):
            os.makedirs(self.path(name), exist_ok=True)

    def conf(self):
        names = self.network.names
        anchors = ('trustfile = "%s";' % names.path("anchors")
                   if names.anchors else "")
        text = PROSODY % {
            "folder": self.folder, "address": self.address,
            "root": "true" if os.getuid() == 0 else "false",
            "more": " ".join('"%s";' % m for m in self.modules),
            "secure": " ".join('"%s";' % d for d in self.secure),
            "ca": self.ca_file, "dns": "127.0.0.1@%d" % names.port,
            "anchors": anchors}
        for domain in self.domains:
            certificate = self.certificate(domain)
            kind = self.domains[domain].service
            what = ('Component "%s" "%s"' % (domain, kind) if kind else
                    'VirtualHost "%s"' % domain)
            text += VIRTUAL_HOST % (what, certificate.chain,
                                    certificate.key, self.ca_file)
        return text

    def authenticated(self, way, how, here, there):
        if how == "external":
            return {"in": "Accepting SASL EXTERNAL identity from %s",
                    "out": "SASL EXTERNAL with %s succeeded"}[way] % there
        ends = (here, there) if way == "in" else (there, here)
        return (r"%s.*<(db:)?result(?=.* type='valid')(?=.* from='%s')"
                "(?=.* to='%s')" % ({"in": "Sending", "out": "Received"}[way],
                                    *ends))

    def launch(self):
        conf = self.write("prosody.cfg.lua", self.conf())
        for domain in self.domains:
            # that of direct TLS is found by its name
            certificate = self.certificate(domain)
            shutil.copy(certificate.chain, self.path("certs/%s.crt" % domain))
            shutil.copy(certificate.key, self.path("certs/%s.key" % domain))
        self.process = Process(["prosody", "--config", conf, "-F"],
                               self.path("log"))


EJABBERD = """
loglevel: info
log_rotate_count: 0
hosts:
%(hosts)s
certfiles:
%(certfiles)s
ca_file: "%(ca)s"
s2s_cafile: "%(ca)s"
s2s_use_starttls: required
s2s_max_retry_delay: 1
s2s_dns_timeout: 5
s2s_dns_retries: 1
registration_timeout: infinity
auth_password_format: scram
listen:
  - port: 5222
    ip: "%(address)s"
    module: ejabberd_c2s
    starttls: true
    max_stanza_size: 1048576
  - port: 5223
    ip: "%(address)s"
    module: ejabberd_c2s
    tls: true
    max_stanza_size: 1048576
  - port: 5269
    ip: "%(address)s"
    module: ejabberd_s2s_in
    max_stanza_size: 524288
  - port: 5270
    ip: "%(address)s"
    module: ejabberd_s2s_in
    tls: true
    max_stanza_size: 524288
modules:
  mod_disco: {}
  mod_last: {}
  mod_offline: {}
  mod_ping: {}
  mod_register:
    access: all
  mod_roster: {}
  mod_s2s_dialback: {}
  mod_vcard: {}
  mod_version: {}
%(more)s
"""
# Erlang asks for SRV by itself, and the C library for addresses
INETRC = """{lookup, [file, native]}.
{file, resolv, "/etc/resolv.conf"}.
"""
# as ejabberdctl does, but without epmd, and with our resolv.conf
LAUNCH = """mount --bind "$1" /etc/resolv.conf && shift &&
exec setpriv --reuid nobody --regid nogroup --clear-groups "$@" >&2"""


class Ejabberd(Peer):
    kind = "ejabberd"
    ready_lines = tuple(r"Start accepting TLS connections at \S*:%d|"
                        r"Start accepting TCP connections at \S*:%d" % (p, p)
                        for p in (C2S, S2S))

    @staticmethod
    def lacks():
        if os.getuid() != 0 or subprocess.run(
                ["unshare", "-m", "true"], capture_output=True).returncode:
            return "only root can give ejabberd another /etc/resolv.conf"
        return lacks("ejabberd", "erl", "ejabberdctl")

    def authenticated(self, way, how, here, there):
        ends = (there, here) if way == "in" else (here, there)
        return r"Accepted %sbound s2s %s authentication %s -> %s" % (
            way, {"external": "EXTERNAL"}.get(how, how), *ends)

    def __init__(self, network, address, domains):
        super().__init__(network, address, domains)
        self.distribution = network.free_port()

    def conf(self):
        def rows(form, values):
            return "\n".join(form % v for v in values)
        hosts = [d for d in self.domains if not self.domains[d].service]
        rooms = [d for d in self.domains if self.domains[d].service == "muc"]
        more = "  mod_muc:\n    hosts:\n" + rows('      - "%s"', rooms) if rooms \
            else ""
        return EJABBERD % {
            "hosts": rows('  - "%s"', hosts),
            "certfiles": rows('  - "%s"', [self.certificate(d).both
                                       for d in self.domains]),
            "ca": self.ca_file, "address": self.address, "more": more}

    def launch(self):
        conf = self.write("ejabberd.yml", self.conf())
        inetrc = self.write("inetrc", INETRC)
        resolv = self.write("resolv.conf", "nameserver %s\n"
                            % self.network.name_server)
        os.makedirs(self.path("spool"), exist_ok=True)
        self.network.to_nobody(self.folder)
        self.process = Process(
            ["unshare", "-m", "sh", "-c", LAUNCH, "sh", resolv, "erl",
             "-sname", "%s@localhost" % os.path.basename(self.folder),
             "+K", "true", "+S", "1:1", "+SDcpu", "1", "+SDio", "1", "+sbwt", "none", "+sbwtdcpu", "none", "+sbwtdio",
             "none", "-start_epmd", "false", "-erl_epmd_port",
             str(self.distribution), "-kernel", "inet_dist_use_interface",
             "{127,0,0,1}", "-mnesia", "dir", '"%s"' % self.path("spool"),
             "-s", "ejabberd", "-noinput"],
            self.path("log"), {"cwd": self.folder, "env": {
                **os.environ, "HOME": self.folder, "ERL_INETRC": inetrc,
                "ERL_LIBS": self.libraries(), "EJABBERD_CONFIG_PATH": conf,
                "EJABBERD_LOG_PATH": self.path("ejabberd.log"),
                "ERL_CRASH_DUMP_BYTES": "0"}})

    @staticmethod
    def libraries():
        """As its own script says."""
        with open(shutil.which("ejabberdctl", path="/usr/sbin:/usr/bin")) as f:
            return re.search(r"^ERL_LIBS='(.*)'", f.read(), re.M)[1]
