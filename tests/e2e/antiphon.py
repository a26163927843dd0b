"""Starts antiphond for a test, in a folder and on ports of its own.

    server = Server(folder, conf={"limits": {...}})
    server.start()
    server.adduser("romeo", "secret")
    ...
    server.stop()

ANTIPHON_BUILD_DIR names the build tree (default: build/ beside tests/),
ANTIPHON_SHARDS the number of shards (default 4).
"""

import copy
import glob
import json
import os
import pwd
import re
import shutil
import signal
import socket
import subprocess

import sasl
from process import Failed, PATIENCE, Process, certificates

TOP = os.path.dirname(os.path.dirname(os.path.dirname(
    os.path.abspath(__file__))))
DOMAIN = "antiphon.test"
OTHER_DOMAIN = "other.test"
LISTENERS = ("starttls", "direct")


def merge(base, over):
    """over on top of base, dictionaries key by key; None takes a key away.  A
    server's may be changed: it shares nothing with them."""
    out = copy.deepcopy(base)
    for key, value in over.items():
        if value is None:
            out.pop(key, None)
        elif isinstance(value, dict) and isinstance(out.get(key), dict):
            out[key] = merge(out[key], value)
        else:
            out[key] = copy.deepcopy(value)
    return out


def build_dir():
    found = os.environ.get("ANTIPHON_BUILD_DIR") or os.path.join(TOP, "build")
    if not os.path.exists(os.path.join(found, "antiphond")):
        raise Failed("no antiphond in %s; build it, or set ANTIPHON_BUILD_DIR"
                     % found)
    return os.path.abspath(found)


class Server:
    """kind: what scripts may ask for with "only:" and "not:"."""

    kind = "antiphon"
    domain, other_domain = DOMAIN, OTHER_DOMAIN
    address = "127.0.0.1"

    def __init__(self, folder, conf=None, cert_dir=None):
        self.folder = folder
        self.build = build_dir()
        os.makedirs(folder, exist_ok=True)
        self.certs = certificates(cert_dir or os.path.join(folder, "certs"),
                                  (DOMAIN, OTHER_DOMAIN))
        self.ca_file = self.certs["ca.crt"]
        self.conf_path = os.path.join(folder, "antiphond.yml")
        self.socket = os.path.join(folder, "ctl.sock")
        self.conf = merge(self.default_conf(), conf or {})
        self.process = None
        self.before = None # called in the process that becomes the server
        self.ports = {}

    def default_conf(self):
        host = {"certificate": self.certs["server.crt"],
                "key": self.certs["server.key"]}
        listen = [{"kind": "c2s", "address": "127.0.0.1", "port": 0,
                   "tls": tls} for tls in LISTENERS]
        return {
            "log": {"level": "debug"},
            "shards": int(os.environ.get("ANTIPHON_SHARDS", "4")),
            # all tests come from one address, know their passwords, and hurry
            "auth": {"scram_iterations": "4096"},
            "limits": {name: "1000000" for name in (
                "connections_per_address", "auth_failures_per_address",
                "auth_failures_per_account", "auth_failures_spread",
                "stanzas_per_second", "stanzas_burst")} | {"bytes_per_second": "1GiB",
                                     "bytes_burst": "1GiB"},
            "listen": listen,
            "storage": {"driver": "sqlite",
                        "path": os.path.join(self.folder, "data.sqlite")},
            "control": {"socket": self.socket},
            "modules": {"testclock": {}, "muc": {name: "0" for name in (
                "message_rate", "join_rate", "presence_rate", "nick_rate",
                "request_rate")}},
            "hosts": {DOMAIN: host, OTHER_DOMAIN: host},
        }

    def write_conf(self):
        # JSON is YAML, and needs no other library
        with open(self.conf_path, "w") as f:
            json.dump(self.conf, f, indent=2)
            f.write("\n")

    # --- life -------------------------------------------------------------

    def start(self, *options):
        self.launch(*options)
        return self.ready()

    def launch(self, *options):
        """Begins to start it."""
        self.write_conf()
        self.process = Process(
            [self.program(), "--config", self.conf_path,
             "--module-dir", self.module_dir(), *options],
            os.path.join(self.folder, "log"),
            {**self.unprivileged(), "preexec_fn": self.before,
             "env": self.environment()})

    def ready(self):
        """Waits until it has started."""
        self.process.wait_line(r"\bready$")
        self._read_ports()
        return self

    def environment(self):
        """The system trusts one authority there.  It takes longer to read the
        hundreds that it does trust than all else of a start and an end."""
        return {**os.environ, "SSL_CERT_FILE": self.certs["system.crt"],
                "SSL_CERT_DIR": "/nonexistent"}

    def unprivileged(self):
        """Whom to start it as: it does not serve as root."""
        if os.getuid() != 0:
            return {}
        nobody = pwd.getpwnam("nobody")
        os.chmod(os.path.dirname(self.folder), 0o755)
        os.chmod(self.certs["server.key"], 0o644)
        for folder, _, files in os.walk(self.folder):
            for name in [""] + files:
                os.chown(os.path.join(folder, name), nobody.pw_uid,
                         nobody.pw_gid, follow_symlinks=False)
        return {"user": nobody.pw_uid, "group": nobody.pw_gid,
                "extra_groups": []}

    def place(self, path, folder):
        """What was built, in folder: a link, or a copy for nobody, who may not
        reach a build tree of root."""
        there = os.path.join(folder, os.path.basename(path))
        if os.path.lexists(there):
            return there
        if os.getuid() == 0:
            shutil.copy(path, there)
        else:
            os.symlink(path, there)
        return there

    def sanitized(self):
        """Was it built with a sanitizer?"""
        with open(os.path.join(self.build, "antiphond"), "rb") as f:
            return re.search(rb"__[at]san_init", f.read()) is not None

    def memory_kib(self):
        """What it has of its own: how much of its files is in memory the system
        decides.  0 where a sanitizer keeps what was freed."""
        if self.sanitized():
            return 0
        with open("/proc/%d/status" % self.process.proc.pid) as f:
            return int(re.search(r"RssAnon:\s+(\d+)", f.read())[1])

    def program(self):
        return self.place(os.path.join(self.build, "antiphond"),
                          os.path.dirname(self.folder))

    def module_dir(self):
        """A folder with what the build made, the test modules among it: the same
        files for all servers, or to copy them takes as long as to start one."""
        folder = os.path.join(self.folder, "modules")
        common = os.path.join(os.path.dirname(self.folder), "modules")
        for one in folder, common:
            os.makedirs(one, exist_ok=True)
        for made in ("modules", os.path.join("tests", "modules")):
            for path in glob.glob(os.path.join(self.build, made, ".libs",
                                               "mod_*.so")):
                there = os.path.join(folder, os.path.basename(path))
                if not os.path.lexists(there):
                    os.link(self.place(path, common), there,
                            follow_symlinks=False)
        return folder

    def _read_ports(self):
        """Lines about them come in the order of the configuration; of one that is
        not opened the port is what stands there."""
        chosen = [int(m[1]) for m in
                  (re.search(r"(?:listening|not opened) kind=\S+ .*"
                             r"\bport=(\d+)", line)
                   for line in self.process.lines) if m]
        if len(chosen) < len(self.conf["listen"]):
            raise Failed("%d listeners of %d in the log:\n%s" % (
                len(chosen), len(self.conf["listen"]), self.process.tail()))
        for entry, port in zip(self.conf["listen"], chosen):
            kinds, tls = entry.get("kind", "c2s"), entry.get("tls", "starttls")
            for kind in kinds if isinstance(kinds, list) else [kinds]:
                self.ports[tls if kind == "c2s" else (kind, tls)] = port

    def port(self, tls):
        return self.ports[tls]

    def alive(self):
        return self.process is not None and self.process.alive()

    def check(self):
        """Nothing alarming has been logged; to be called after each test."""
        if self.process is None:
            return
        if self.process.alarms:
            alarm = self.process.alarms[0]
            self.process.alarms.clear()
            raise Failed("in %s: %s\n%s" % (self.process.log_path, alarm,
                                            self.process.tail(60)))
        if not self.alive():
            raise Failed("the server ended by itself, with %s:\n%s" % (
                self.process.proc.returncode, self.process.tail(60)))

    def stop(self):
        """Ends it properly, and complains if it does not end well."""
        process, self.process = self.process, None
        if process is None:
            return
        process.signal(signal.SIGTERM)
        code = process.wait()
        if code != 0 or process.alarms:
            raise Failed("the server ended with %d:\n%s"
                         % (code, process.tail(60)))

    def kill9(self):
        """Ends it as a power cut does."""
        process, self.process = self.process, None
        process.signal(signal.SIGKILL)
        process.wait()

    def restart(self):
        self.stop()
        return self.start()

    # --- control ----------------------------------------------------------

    def ctl(self, *args, stdin=None, ok=True):
        """Runs antiphonctl; answers with its standard output."""
        done = subprocess.run(
            [os.path.join(self.build, "antiphonctl"), "--socket", self.socket,
             *args], input=stdin, text=True, capture_output=True,
            timeout=PATIENCE * 3)
        if ok and done.returncode != 0:
            raise Failed("antiphonctl %s: %d %s%s" % (
                " ".join(args), done.returncode, done.stdout, done.stderr))
        return done.stdout if ok else done

    def call(self, command, **args):
        """What antiphonctl asks and hears, without the program: to start that takes
        longer than what most tests ask for.  The rows."""
        rows = []
        with socket.socket(socket.AF_UNIX) as sock:
            sock.settimeout(PATIENCE * 3)
            sock.connect(self.socket)
            sock.sendall(json.dumps({"command": command, "args": args}).encode()
                         + b"\n")
            with sock.makefile("rb") as answer:
                for line in map(json.loads, answer):
                    if "error" in line:
                        raise Failed("%s: %s" % (command, line))
                    if "done" in line:
                        return rows
                    rows.append(line)
        raise Failed("%s: no answer" % command)

    def adduser(self, name, password, domain=None):
        self.call("adduser", jid="%s@%s" % (name, domain or self.domain),
                  password=password)

    def add_users_batch(self, users, hashed=False):
        """users: pairs of name and password.  hashed: the server is given what it
        would make of the passwords."""
        made = sasl.verifiers if hashed else str
        lines = ["%s@%s %s\n" % (name, self.domain, made(password))
                 for name, password in users]
        for at in range(0, len(lines), 1000):  # so many are taken at once
            refused = self.call("adduser", batch="".join(lines[at:at + 1000]))
            if refused:
                raise Failed("adduser: %s" % refused)

    def advance(self, seconds):
        """Moves the server's clock; timers that are due have run after."""
        self.ctl("clock", "advance", "%dms" % round(seconds * 1000))
