"""contrib/quickstart.sh with what a developer of servers wants: two that talk."""

import fcntl
import os
import re
import shutil
import socket
import ssl
import subprocess

import pytest

import web
from antiphon import TOP, build_dir
from client import Client, PATIENCE
from socks import End

# the program is that of the build, and what is tested is a script
pytestmark = [pytest.mark.only("antiphon"), pytest.mark.once]


@pytest.fixture(autouse=True)
def alone():
    """There are four sets of ports, one of which others may have; so tests of other
    processes wait."""
    with open(os.path.join(build_dir(), "quickstart.lock"), "w") as f:
        fcntl.flock(f, fcntl.LOCK_EX)
        yield


class Quickstart:
    address = "127.0.0.1"

    def __init__(self, folder, domain, *words):
        self.folder, self.domain = str(folder), domain
        self.said = self.run("--no-install", "--host", domain, "--shards", "1",
                             *words)
        with open(os.path.join(self.folder, "env.sh")) as f:
            self.env = dict(re.findall(r"^export (\w+)='?(.*?)'?$", f.read(),
                                       re.M))
        self.ca_file = self.env["CA_FILE"]

    def run(self, *words):
        done = subprocess.run(
            ["sh", os.path.join(TOP, "contrib", "quickstart.sh"), "--dir",
             self.folder, "--build", build_dir(), *words],
            capture_output=True, text=True, timeout=20 * PATIENCE)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    def port(self, kind):
        return int(self.env[{"starttls": "PORT_C2S",
                             "direct": "PORT_DIRECT_TLS"}[kind]])

    def user(self, name):
        subprocess.run([*self.env["CTL"].split(), "adduser",
                        "%s@%s" % (name, self.domain)], input="secret\n",
                       text=True, check=True, timeout=PATIENCE)
        client = Client(self, name).login(name, "secret", "home")
        client.send("<presence/>")
        client.ping()
        client.inbox.clear()
        return client

    def stop(self):
        assert "stopped" in self.run("--stop")


def say(one, other, text):
    one.send("<message type='chat' to='%s'><body>%s</body></message>" % (
        other.jid, text))
    other.expect("<message type='chat' from='%s' to='%s'><body>%s</body>"
                 "</message>" % (one.jid, other.jid, text))


def shows_page(server, name):
    tls = name != "PORT_HTTP"
    assert server.env["HTTP_TLS"] == "0"
    conn = web.Web(int(server.env[name]), web.context(server) if tls else None,
                   server.domain)
    page = conn.ask("/", host=server.domain)
    assert page.status == 200 and server.domain.encode() in page.body
    conn.close()


def test_two_quickstarts_talk(open_path):
    started = []
    try:
        started.append(Quickstart(open_path / "a", "a.localhost", "--s2s"))
        one = started[0]
        assert "--peer %s" % one.folder in one.said
        started.append(Quickstart(open_path / "b", "b.localhost", "--peer",
                                  one.folder))
        other = started[1]
        assert "was not told" not in other.said
        assert len({each.env[name] for each in started for name in (
            "PORT_S2S", "PORT_S2S_DIRECT_TLS", "PORT_C2S",
            "PORT_PROXY", "PORT_HTTP", "PORT_HTTPS")}) == 12
        for each in started:
            End(int(each.env["PORT_PROXY"])).join("0" * 40).sock.close()
            shows_page(each, "PORT_HTTP")
            shows_page(each, "PORT_HTTPS")
        romeo, juliet = one.user("romeo"), other.user("juliet")
        say(romeo, juliet, "from the first")
        say(juliet, romeo, "and back")
    finally:
        for each in started:
            each.stop()
    shutil.rmtree(open_path)


def alpn(server, kind, offered):
    context = ssl.create_default_context(cafile=server.ca_file)
    context.set_alpn_protocols([offered])
    with socket.create_connection((server.address, server.port(kind)),
                                  PATIENCE) as sock:
        with context.wrap_socket(sock, server_hostname=server.domain) as tls:
            return tls.selected_alpn_protocol()


def test_clients_and_servers_share_a_port(open_path):
    started = []
    try:
        started.append(Quickstart(open_path / "a", "a.localhost", "--one-port"))
        one = started[0]
        assert one.env["PORT_S2S"] == one.env["PORT_C2S"]
        assert one.env["PORT_S2S_DIRECT_TLS"] == one.env["PORT_DIRECT_TLS"]
        shows_page(one, "PORT_DIRECT_TLS")
        for each in "xmpp-client", "xmpp-server", "http/1.1":
            assert alpn(one, "direct", each) == each
        # one that has ports for each kind, and one that has not
        started.append(Quickstart(open_path / "b", "b.localhost", "--peer",
                                  one.folder, "--one-port"))
        started.append(Quickstart(open_path / "c", "c.localhost", "--peer",
                                  one.folder))
        romeo = one.user("romeo")
        for other in started[1:]:
            juliet = other.user("juliet")
            say(romeo, juliet, "there")
            say(juliet, romeo, "and back")
    finally:
        for each in started:
            each.stop()
    shutil.rmtree(open_path)
