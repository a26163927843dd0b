"""What a file costs that is sent to a server over HTTP, and fetched from it: CPU of
the server for each GiB, Antiphon beside nginx, Prosody and ejabberd.

    upload.py [--mib N] [--repeat N] [--only NAME,...] [--folder PATH]

The client is curl, which is not counted.  nginx has the files of a folder, and takes
them by its dav module; the others give slots (XEP-0363).  nginx, Prosody and ejabberd
do not sync what they have taken: `unsynced', which is ours too, does neither.  All
servers take one file each in turn, --repeat times, and the last lines are medians.
Memory is the most that the server had of its own (RssAnon) while a file moved, less
what it had before.
"""

import argparse
import os
import re
import shutil
import statistics
import subprocess
import sys
import tempfile
import threading
import time

sys.dont_write_bytecode = True
sys.path[:0] = [os.path.join(os.path.dirname(os.path.abspath(__file__)), "..",
                             folder) for folder in ("e2e", "net")]

# pylint: disable=wrong-import-position
import network as net # noqa: E402
import ours # noqa: E402
import peers # noqa: E402
from links import cpu_ms, family, newcomer # noqa: E402
from process import Process # noqa: E402

UPLOAD = "urn:xmpp:http:upload:0"
HTTP, HTTPS = 5280, 5281
MOST = 1 << 34 # bytes that limits permit

NGINX = """
daemon off; master_process off; error_log stderr; pid %(folder)s/pid;
%(user)s
events { worker_connections 1024; }
http {
  sendfile on; tcp_nopush on; access_log off; types { }
  client_max_body_size 0; client_body_temp_path %(folder)s/temp;
  server {
    listen %(address)s:%(http)d; listen %(address)s:%(https)d ssl;
    ssl_certificate %(cert)s; ssl_certificate_key %(key)s;
    root %(folder)s/files;
    location / { dav_methods PUT DELETE; }
  }
}
"""


PROSODY = """
Component "share.%(domain)s" "http_file_share"
http_host = "%(domain)s"
http_file_share_size_limit = %(most)d
http_file_share_daily_quota = %(many)d
http_file_share_global_quota = %(many)d
ssl = { certificate = "%(cert)s"; key = "%(key)s" }
"""


class Nginx(peers.Peer):
    kind = "nginx"
    ready_lines = ()

    @staticmethod
    def lacks():
        return peers.lacks("nginx-light", "nginx")

    def launch(self):
        certificate = self.certificate(self.domain)
        for name in ("files", "temp"):
            os.makedirs(self.path(name), exist_ok=True)
        conf = self.write("nginx.conf", NGINX % {
            "folder": self.folder, "address": self.address, "http": HTTP,
            "https": HTTPS, "cert": certificate.chain, "key": certificate.key,
            "user": "user root;" if os.getuid() == 0 else ""})
        self.process = Process([shutil.which("nginx", path="/usr/sbin"), "-c",
                                conf], self.path("log"))

    def slot(self, name, size, tls):
        url = "%s://%s:%d/%s" % ("https" if tls else "http", self.domain,
                                 HTTPS if tls else HTTP, name)
        return url, url, []


class Slots:
    """Of who gives slots."""

    person = None

    def slot(self, name, size, tls):
        self.person = self.person or newcomer(self.network, self)
        answer = self.person.iq(
            "get", "<request xmlns='%s' filename='%s' size='%d'/>"
            % (UPLOAD, name, size), self.service % self.domain)
        assert answer.get("type") == "result", answer
        slot = answer.child("slot", UPLOAD)
        put, get = slot.child("put"), slot.child("get")
        headers = ["%s: %s" % (h.get("name"), h.text()) for h in put.elems()]
        return (self.by(put.get("url"), tls), self.by(get.get("url"), tls),
                headers)

    @staticmethod
    def by(url, tls):
        """As if it were announced so."""
        return re.sub(r"^https?://([^:/]+)(:\d+)?", lambda m: "%s://%s:%d" % (
            "https" if tls else "http", m[1], HTTPS if tls else HTTP), url)


class Prosody(Slots, peers.Prosody):
    service = "share.%s"

    def conf(self):
        certificate = self.certificate(self.domain)
        return 'http_interfaces = { "%s" }\n' % self.address + \
            super().conf().replace('min = "debug"', 'min = "info"') + (
            PROSODY % {"domain": self.domain, "most": MOST,
                       "many": MOST * 1000, "cert": certificate.chain,
                       "key": certificate.key})


class Ejabberd(Slots, peers.Ejabberd):
    service = "upload.%s"

    def conf(self):
        text = super().conf()
        docroot = self.path("files")
        os.makedirs(docroot, exist_ok=True)
        more = "".join("""  - port: %d
    ip: "%s"
    module: ejabberd_http
    tls: %s
    request_handlers:
      /upload: mod_http_upload
""" % (port, self.address, tls) for port, tls in ((HTTP, "false"),
                                                  (HTTPS, "true")))
        text = text.replace("modules:\n", more + "modules:\n", 1)
        return text + """  mod_http_upload:
    put_url: "https://@HOST@:%d/upload"
    docroot: "%s"
    max_size: %d
    access: all
""" % (HTTPS, docroot, MOST)


class Ours(Slots, ours.Antiphon):
    service = "upload.%s"
    label = "antiphon"
    sync = True

    def default_conf(self):
        conf = super().default_conf()
        conf["listen"] += [
            {"kind": "http", "address": self.address, "port": HTTP},
            {"kind": "https", "address": self.address, "port": HTTPS}]
        conf["modules"] = {"upload": {
            "file_bytes": MOST, "day_bytes": MOST * 1000, "sync": self.sync,
            "disk_free_bytes": 0, "disk_free_percent": 0}}
        return conf


class Unsynced(Ours):
    label = "unsynced"
    sync = False


def own_kib(pid):
    total = 0
    for one in family(pid):
        with open("/proc/%d/status" % one) as f:
            found = re.search(r"RssAnon:\s+(\d+)", f.read())
            total += int(found[1]) if found else 0 # it has ended
    return total


class Watch:
    """The most memory of a server, from now until stopped."""

    def __init__(self, pid):
        self.pid, self.before = pid, own_kib(pid)
        self.most, self.over = self.before, threading.Event()
        self.thread = threading.Thread(target=self.run)
        self.thread.start()

    def run(self):
        while not self.over.wait(0.02):
            self.most = max(self.most, own_kib(self.pid))

    def stop(self):
        self.over.set()
        self.thread.join()
        return (self.most - self.before) / 1024


def curl(server, url, *more, nice=0):
    done = subprocess.run(
        ["nice", "-n", str(nice), "curl", "-sS", "--fail", "--insecure", "--noproxy", "*", "-H",
         "Expect:", "--connect-to", "::%s:" % server.address, "-o",
         "/dev/null", "-w", "%{http_code}", *more, url],
        capture_output=True, text=True)
    if done.returncode != 0:
        sys.exit("upload.py: curl %s: %s%s" % (url, done.stderr, done.stdout))


def counted(server, gib, work):
    pid = server.process.proc.pid
    watch, before, start = Watch(pid), cpu_ms(pid), time.monotonic()
    work()
    took = time.monotonic() - start
    time.sleep(0.2) # what it has left to do
    return (cpu_ms(pid) - before) / gib, gib * 1024 / took, watch.stop()


def transfer(server, turn, args, tls):
    """One file there and back: what each cost."""
    put, get, headers = server.slot("file%d.bin" % turn, args.mib << 20, tls)
    more = [x for h in headers for x in ("-H", h)]
    yield "put", counted(server, args.mib / 1024, lambda: curl(
        server, put, *more, "-H", "Content-Type: application/octet-stream",
        "-T", args.file))
    yield "get", counted(server, args.mib / 1024, lambda: curl(server, get))


def show(server, tls, what, cost):
    print("%-10s %-4s %-4s %8.0f ms of CPU for a GiB %7.0f MiB/s "
          "%7.1f MiB more memory" % (
              getattr(server, "label", server.kind), "tls" if tls else "none",
              what, *cost), flush=True)


def measure(every, args):
    costs = {}
    for turn in range(args.repeat):
        for tls in (False, True):
            for server in every:
                for what, cost in transfer(server, turn, args, tls):
                    show(server, tls, what, cost)
                    costs.setdefault((tls, what, server), []).append(cost)
    print("# medians of %d, %d MiB" % (args.repeat, args.mib))
    for (tls, what, server), all_of in sorted(
            costs.items(), key=lambda item: item[0][:2]):
        show(server, tls, what, [statistics.median(x) for x in zip(*all_of)])


def servers(network, args):
    conf = {"log": {"level": "info"}, "shards": 1}
    kinds = (("antiphon", Ours, {"conf": conf}),
             ("unsynced", Unsynced, {"conf": conf}), ("nginx", Nginx, {}),
             ("prosody", Prosody, {}), ("ejabberd", Ejabberd, {}))
    for name, kind, how in kinds:
        if name in args.only.split(","):
            server = network.add(kind, name + ".example", **how)
            if server is None:
                print("# %s" % network.lacking[name + ".example"])
            else:
                yield server


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--mib", type=int, default=1024)
    parser.add_argument("--repeat", type=int, default=3)
    parser.add_argument("--only",
                        default="antiphon,unsynced,nginx,prosody,ejabberd")
    parser.add_argument("--folder", help="on the disk that is to be measured")
    args = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="antiphon-upload-",
                                     dir=args.folder) as folder:
        os.chmod(folder, 0o755)
        args.file = os.path.join(folder, "file")
        with open(args.file, "wb") as f:
            for _ in range(args.mib):
                f.write(os.urandom(1 << 20))
        network = net.Network(os.path.join(folder, "net"))
        every = list(servers(network, args))
        network.start()
        try:
            for server in every:
                server.ready()
            measure(every, args)
        finally:
            network.stop()


if __name__ == "__main__":
    main()
