"""A server process whose log is read line by line, and the test CA."""

import collections
import os
import re
import signal
import subprocess
import threading
import time

PATIENCE = float(os.environ.get("ANTIPHON_TEST_PATIENCE", "10"))
# What may never stand in a log, whatever a test did.
ALARM = re.compile(r"(ERROR|WARNING): \w+Sanitizer|runtime error:|"
                   r"Assertion .* failed|SUMMARY: \w+Sanitizer")


class Failed(AssertionError):
    pass


def openssl(*args, stdin=None):
    done = subprocess.run(["openssl", *args], input=stdin, text=True,
                          capture_output=True)
    if done.returncode != 0:
        raise Failed("openssl %s: %s" % (args[0], done.stderr))
    return done.stdout


def certificates(folder, domains):
    """A CA and one certificate for all domains in folder: ca.crt, server.crt
    (leaf, then CA), server.key; and system.crt, of a CA that has signed nothing.
    Made once."""
    path = {n: os.path.join(folder, n) for n in
            ("ca.crt", "ca.key", "server.crt", "server.key", "leaf.crt",
             "server.csr", "ext.cnf", "system.crt", "system.key")}
    if os.path.exists(path["server.crt"]):
        return path
    os.makedirs(folder, exist_ok=True)
    for key in ("ca.key", "server.key", "system.key"):
        openssl("ecparam", "-name", "prime256v1", "-genkey", "-noout",
                "-out", path[key])
    for ca in ("ca", "system"):
        openssl("req", "-x509", "-new", "-key", path[ca + ".key"], "-sha256",
                "-days", "30", "-out", path[ca + ".crt"],
                "-subj", "/CN=Test CA" if ca == "ca" else "/CN=Nobody's CA",
                "-addext", "basicConstraints=critical,CA:TRUE",
                "-addext", "keyUsage=critical,keyCertSign,cRLSign")
    openssl("req", "-new", "-key", path["server.key"], "-out",
            path["server.csr"], "-subj", "/CN=not to be looked at")
    with open(path["ext.cnf"], "w") as f:
        f.write("basicConstraints=CA:FALSE\nkeyUsage=digitalSignature\n"
                "extendedKeyUsage=serverAuth\nsubjectAltName=%s\n"
                % ",".join("DNS:" + d for d in domains))
    openssl("x509", "-req", "-in", path["server.csr"], "-CA", path["ca.crt"],
            "-CAkey", path["ca.key"], "-CAcreateserial", "-days", "30",
            "-sha256", "-extfile", path["ext.cnf"], "-out", path["leaf.crt"])
    with open(path["server.crt"], "w") as out:
        for part in ("leaf.crt", "ca.crt"):
            with open(path[part]) as f:
                out.write(f.read())
    return path


class Process:
    """Keeps what the process writes to standard error, and lets others wait
    for a line of it."""

    def __init__(self, argv, log_path, who=None):
        self.log_path = log_path
        self.lines = []
        self.more = threading.Condition()
        self.ended = False
        self.alarms = collections.deque()
        self.proc = subprocess.Popen(
            argv, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE, start_new_session=True, **(who or {}))
        self.reader = threading.Thread(target=self._read, daemon=True)
        self.reader.start()

    def _read(self):
        with open(self.log_path, "ab") as log:
            for raw in self.proc.stderr:
                log.write(raw)
                log.flush()
                line = raw.decode(errors="replace").rstrip("\n")
                with self.more:
                    self.lines.append(line)
                    if ALARM.search(line):
                        self.alarms.append(line)
                    self.more.notify_all()
        with self.more:
            self.ended = True
            self.more.notify_all()

    def tail(self, n=30):
        return "\n".join(self.lines[-n:])

    def wait_line(self, pattern, start=0, patience=PATIENCE * 2):
        """The match of the first line, from line start on, that has it."""
        deadline = time.monotonic() + patience
        seen = start
        with self.more:
            while True:
                for line in self.lines[seen:]:
                    found = re.search(pattern, line)
                    if found:
                        return found
                seen = len(self.lines)
                left = deadline - time.monotonic()
                if self.ended or left <= 0:
                    raise Failed("no line like %r in %s:\n%s"
                                 % (pattern, self.log_path, self.tail()))
                self.more.wait(left)

    def alive(self):
        return self.proc.poll() is None

    def signal(self, number):
        self.proc.send_signal(number)

    def wait(self):
        try:
            code = self.proc.wait(PATIENCE * 3)
        except subprocess.TimeoutExpired:
            self.proc.send_signal(signal.SIGABRT) # leaves a trace
            self.proc.wait()
            raise Failed("the server did not end:\n" + self.tail()) from None
        self.reader.join(PATIENCE)
        return code
