"""A DNS for tests: nsd has the zones, one of them signed, and unbound is the name
server of the network, which antiphond asks.  Both are Debian's, on loopback.

    names = Names(folder)
    names.zone("plain.example", "_xmpp-client._tcp SRV 0 5 5222 xmpp")
    names.signed("signed.example", "@ A 127.0.0.1")
    names.start()
    server = own_server({"dns": names.conf(), ...})
    ...
    names.stop()
"""

import os
import random
import select
import shutil
import socket
import subprocess
import threading
import time

from process import PATIENCE, Failed

HEAD = """$ORIGIN %s.
$TTL 300
@ SOA ns hostmaster 1 3600 600 86400 60
@ NS ns
ns A 127.0.0.1
"""
NSD = """server:
    ip-address: 127.0.0.1@%(port)d
    username: ""
    chroot: ""
    zonesdir: "%(folder)s"
    database: ""
    pidfile: "%(folder)s/nsd.pid"
    xfrdfile: "%(folder)s/xfrd.state"
    zonelistfile: "%(folder)s/zone.list"
    xfrdir: "%(folder)s"
remote-control:
    control-enable: no
"""
UNBOUND = """server:
    interface: 127.0.0.1@%(port)d
%(also)s    access-control: 127.0.0.0/8 allow
    username: ""
    chroot: ""
    directory: "%(folder)s"
    pidfile: "%(folder)s/unbound.pid"
    use-syslog: no
    do-ip6: no
    do-not-query-localhost: no
    module-config: "iterator"
    infra-host-ttl: 1
    local-zone: "test." nodefault
remote-control:
    control-enable: no
"""
PROGRAMS = ("nsd", "unbound", "ldns-keygen", "ldns-signzone")


def missing():
    """Which of the programs is not there."""
    path = os.environ.get("PATH", "") + ":/usr/sbin:/sbin"
    return [name for name in PROGRAMS if not shutil.which(name, path=path)]


def free_port():
    """One that nobody has, for UDP and TCP; and that whoever asks the system for any
    one is not given before it is used here."""
    with open("/proc/sys/net/ipv4/ip_local_port_range") as f:
        given = int(f.read().split()[0])
    while True:
        address = ("127.0.0.1", random.randrange(10000, given))
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as udp, \
                socket.socket() as tcp:
            try:
                udp.bind(address)
                tcp.bind(address)
            except OSError:
                continue
            return address[1]


class Middle(threading.Thread):
    """Between resolver and name server: hands questions on as long as it speaks,
    after a while."""

    def __init__(self, to_port):
        super().__init__(daemon=True)
        self.to = ("127.0.0.1", to_port)
        self.sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.sock.bind(("127.0.0.1", 0))
        self.port = self.sock.getsockname()[1]
        self.silent, self.delay = False, 0
        self.fails = None # part of the names for which it has no answer but SERVFAIL
        self.asked = 0
        self.ended = False
        self.start()

    def run(self):
        while not self.ended:
            if not select.select([self.sock], [], [], 0.1)[0]:
                continue
            data, peer = self.sock.recvfrom(4096)
            self.asked += 1
            if not self.silent:
                threading.Thread(target=self.ask, args=(data, peer),
                                 daemon=True).start()

    def ask(self, data, peer):
        time.sleep(self.delay)
        if self.fails and self.fails in data:
            self.sock.sendto(data[:2] + b"\x80\x02" + data[4:], peer)
            return
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as up:
            up.settimeout(PATIENCE)
            up.sendto(data, self.to)
            self.sock.sendto(up.recv(4096), peer)

    def end(self):
        self.ended = True
        self.join()
        self.sock.close()


class Names:
    """also: an address, at whose port 53 the resolver is too."""

    def __init__(self, folder, also=None):
        self.folder = str(folder)
        self.also = also
        self.port, self.authority = free_port(), free_port()
        self.zones, self.stubs = {}, {}
        self.anchors = []
        self.middles = []
        self.processes = []
        # antiphond does not run as root
        os.chmod(self.folder, 0o755)

    def path(self, name):
        return os.path.join(self.folder, name)

    def run(self, *argv):
        done = subprocess.run(argv, cwd=self.folder, capture_output=True,
                              text=True, env=self.env())
        if done.returncode != 0:
            raise Failed("%s: %s%s" % (argv, done.stdout, done.stderr))
        return done.stdout

    @staticmethod
    def env():
        return {**os.environ, "PATH": os.environ["PATH"] + ":/usr/sbin:/sbin"}

    # --- zones ------------------------------------------------------------

    def zone(self, name, *records, through=None):
        """records as in a zone file; through: a Middle that is asked for it."""
        with open(self.path(name + ".zone"), "w") as f:
            f.write(HEAD % name + "\n".join(records) + "\n")
        self.zones[name] = name + ".zone"
        self.stubs[name] = through.port if through else self.authority

    def signed(self, name, *records, forged=None, stripped=False,
               through=None):
        """forged: (what, by what) is put into the zone once it is signed.
        stripped: the signatures are on none of its answers."""
        self.zone(name, *records, through=through)
        key = self.run("ldns-keygen", "-a", "ECDSAP256SHA256", "-k",
                       name).strip()
        self.run("ldns-signzone", name + ".zone", key)
        if not stripped:
            self.zones[name] = name + ".zone.signed"
        if forged:
            with open(self.path(self.zones[name])) as f:
                text = f.read()
            assert forged[0] in text
            with open(self.path(self.zones[name]), "w") as f:
                f.write(text.replace(*forged))
        with open(self.path(key + ".key")) as f:
            self.anchors.append(f.read())

    def middle(self):
        self.middles.append(Middle(self.authority))
        return self.middles[-1]

    # --- life -------------------------------------------------------------

    def start(self):
        with open(self.path("nsd.conf"), "w") as f:
            f.write(NSD % {"port": self.authority, "folder": self.folder})
            for name, path in self.zones.items():
                f.write('zone:\n    name: "%s"\n    zonefile: "%s"\n'
                        % (name, path))
        with open(self.path("unbound.conf"), "w") as f:
            also = "    interface: %s@53\n" % self.also if self.also else ""
            f.write(UNBOUND % {"port": self.port, "folder": self.folder,
                               "also": also})
            for name, port in self.stubs.items():
                f.write('stub-zone:\n    name: "%s"\n'
                        '    stub-addr: 127.0.0.1@%d\n' % (name, port))
        with open(self.path("anchors"), "w") as f:
            f.write("".join(self.anchors))
        self.spawn("nsd", "-d", "-c", self.path("nsd.conf"))
        self.spawn("unbound", "-d", "-c", self.path("unbound.conf"))
        for port in (self.authority, self.port):
            self.await_port(port)
        return self

    def spawn(self, *argv):
        log = open(self.path(argv[0] + ".log"), "a")
        with log:
            self.processes.append(subprocess.Popen(
                argv, stdout=log, stderr=log, cwd=self.folder,
                env=self.env(), start_new_session=True))

    def await_port(self, port):
        """Both take TCP as well, when they are ready."""
        end = time.monotonic() + PATIENCE
        while time.monotonic() < end:
            with socket.socket() as s:
                if s.connect_ex(("127.0.0.1", port)) == 0:
                    return
            time.sleep(0.02)
        logs = [open(self.path(name + ".log")).read()
                for name in ("nsd", "unbound")
                if os.path.exists(self.path(name + ".log"))]
        raise Failed("no DNS at port %d:\n%s" % (port, "".join(logs)))

    def stop(self):
        for process in self.processes:
            process.terminate()
        for process in self.processes:
            process.wait()
        for middle in self.middles:
            middle.end()
        self.processes, self.middles = [], []

    # --- for antiphond ----------------------------------------------------

    def conf(self, **more):
        out = {"servers": ["127.0.0.1@%d" % self.port], "timeout": "5s",
               **more}
        if self.anchors:
            out.setdefault("trust_anchor", self.path("anchors"))
        else:
            out.setdefault("dnssec", "off")
        return out
