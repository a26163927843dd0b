"""The server behind nginx and HAProxy, with the configurations of contrib/."""

import pytest

from client import Client
from fronts import Front, contrib, free_port

pytestmark = pytest.mark.only("antiphon")

STREAMS = [("c2s", "starttls", 5222), ("c2s", "direct", 5223),
           ("server", "starttls", 5269), ("server", "direct", 5270)]


@pytest.fixture(scope="module")
def behind(pool):
    server = pool.new({"listen": [
        {"kind": kind, "address": "127.0.0.1", "port": 0, "tls": tls,
         "proxy_protocol": "yes"} for kind, tls, _ in STREAMS]})
    server.start()
    server.adduser("anna", "secret")
    yield server
    server.stop()


@pytest.fixture
def front(behind):
    made = Front(behind)
    yield made
    made.end()
    behind.check()


class Through:
    """A server as clients see it: at other ports."""

    def __init__(self, server, ports):
        self.ca_file, self.domain = server.ca_file, server.domain
        self.address = server.address
        self.ports = ports

    def port(self, tls):
        return self.ports[tls]


def log_in(front, ports):
    for tls in "starttls", "direct":
        c = Client(Through(front.server, ports)).secure(tls)
        c.auth("anna", "secret")
        c.bind()
        own = "127.0.0.1:%d" % c.sock.getsockname()[1]
        assert own in front.server.ctl("sessions")
        c.ping()
        c.close()


def test_nginx_hands_on_streams(front):
    ports = {tls: free_port() for kind, tls, _ in STREAMS if kind == "c2s"}
    changes = [("listen [::]:%d so_keepalive=on;\n" % port, "\n")
               for _, _, port in STREAMS]
    for kind, tls, port in STREAMS:
        at = ports[tls] if kind == "c2s" else free_port()
        to = front.server.port(tls if kind == "c2s" else (kind, tls))
        changes += [("listen %d " % port, "listen 127.0.0.1:%d " % at),
                    ("127.0.0.1:%d;" % (10000 + port), "127.0.0.1:%d;" % to)]
    front.nginx(stream=contrib("nginx/antiphon-stream.conf", changes))
    log_in(front, ports)


def test_haproxy_hands_on_streams(front):
    ports = {tls: free_port() for kind, tls, _ in STREAMS if kind == "c2s"}
    changes = []
    for kind, tls, port in STREAMS:
        at = ports[tls] if kind == "c2s" else free_port()
        to = front.server.port(tls if kind == "c2s" else (kind, tls))
        changes += [("bind :::%d v4v6" % port, "bind 127.0.0.1:%d" % at),
                    ("127.0.0.1:%d send-proxy-v2" % (10000 + port),
                     "127.0.0.1:%d send-proxy-v2 proxy-v2-options crc32c" % to)]
    front.haproxy(contrib("haproxy/antiphon.cfg", changes))
    log_in(front, ports)
