"""Programs in front of the server, with the configurations of contrib/: on ports and in
folders of their own."""

import os
import shutil
import socket

import pytest

from antiphon import TOP
from process import Process

NGINX = """daemon off;
pid %(folder)s/nginx.pid;
error_log stderr notice;
%(modules)sevents { worker_connections 256; }
%(more)s
"""
# what a package puts around a site
NGINX_HTTP = """http {
access_log off;
client_body_temp_path %(folder)s/body;
proxy_temp_path %(folder)s/proxy;
fastcgi_temp_path %(folder)s/fastcgi;
uwsgi_temp_path %(folder)s/uwsgi;
scgi_temp_path %(folder)s/scgi;
%(site)s
}
"""
STREAM_MODULE = "/usr/lib/nginx/modules/ngx_stream_module.so"
HAPROXY = "global\n\tmaxconn 256\n"


def found(program):
    path = shutil.which(program, path="%s:/usr/sbin" % os.environ["PATH"])
    if path is None:
        pytest.skip("%s is not installed" % program)
    return path


def free_port():
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        return sock.getsockname()[1]


def contrib(path, changes):
    """What stands there, with other ports and names; each of them does."""
    with open(os.path.join(TOP, "contrib", path)) as f:
        text = f.read()
    for old, new in changes:
        assert old in text, (path, old)
        text = text.replace(old, new)
    return text


class Front:
    def __init__(self, server):
        self.server = server
        self.folder = os.path.join(server.folder, "front")
        self.process = None
        os.makedirs(self.folder, exist_ok=True)

    def run(self, argv, text, ready):
        path = os.path.join(self.folder, "conf")
        with open(path, "w") as f:
            f.write(text)
        who = self.server.unprivileged()
        self.process = Process([*argv, path],
                               os.path.join(self.folder, "log"), who)
        self.process.wait_line(ready)
        return self

    def nginx(self, site="", stream=""):
        argv = [found("nginx"), "-e", "stderr", "-p", self.folder, "-c"]
        if stream and not os.path.exists(STREAM_MODULE):
            pytest.skip("nginx has no stream module")
        modules = "load_module %s;\n" % STREAM_MODULE if stream else ""
        http = NGINX_HTTP % {"folder": self.folder, "site": site}
        return self.run(argv, NGINX % {
            "folder": self.folder, "modules": modules,
            "more": stream or http}, r"start worker process \d+")

    def haproxy(self, text):
        return self.run([found("haproxy"), "-W", "-db", "-f"],
                        HAPROXY + text, r"Loading success")

    def end(self):
        if self.process is not None:
            self.process.proc.terminate()
            self.process.wait()
