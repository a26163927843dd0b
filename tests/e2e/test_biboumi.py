"""A gateway of others with a network of others: biboumi, and ngircd on this machine."""

import os
import random
import shutil
import signal
import socket
import subprocess
import time

import pytest

from client import PATIENCE
from component import conf, domain_of
from process import Failed
from test_components import online

pytestmark = pytest.mark.only("antiphon")

IRC = domain_of("irc")
# what it listens on cannot be chosen for a gateway, but where can
ADDRESS = "127.%d.%d.%d" % (random.randint(1, 254), random.randint(1, 254),
                            random.randint(1, 254))
CHANNEL = "#antiphon%%%s@%s" % (ADDRESS, IRC)

NGIRCD = """[Global]
Name = irc.antiphon.test
Info = for a test
Listen = %s
Ports = 6667
[Limits]
MaxConnectionsIP = 0
[Options]
DNS = no
Ident = no
PAM = no
"""

BIBOUMI = """hostname=%s
password=%s
xmpp_server_ip=127.0.0.1
port=%d
db_name=%s/biboumi.sqlite
log_level=1
"""


def found(program):
    path = shutil.which(program, path="%s:/usr/sbin" % os.environ["PATH"])
    if path is None:
        pytest.skip("%s is not installed" % program)
    return path


class Others:
    """Their programs, which end with the test."""

    def __init__(self, server):
        self.server, self.all = server, []

    def start(self, name, text, *args):
        path = os.path.join(self.server.folder, name + ".conf")
        with open(path, "w") as f:
            f.write(text)
        with open(os.path.join(self.server.folder, name + ".log"), "w") as log:
            self.all.append(subprocess.Popen(
                [found(name), *args, path], stdin=subprocess.DEVNULL,
                stdout=log, stderr=log, **self.server.unprivileged()))

    def stop(self):
        for one in self.all:
            one.send_signal(signal.SIGTERM)
        for one in self.all:
            try:
                one.wait(PATIENCE)
            except subprocess.TimeoutExpired:
                one.kill()
                one.wait()


class Irc:
    """Somebody in the channel (RFC 2812)."""

    def __init__(self, nick):
        deadline = time.monotonic() + PATIENCE
        while True: # until the server listens
            try:
                self.sock = socket.create_connection((ADDRESS, 6667), PATIENCE)
                break
            except ConnectionRefusedError:
                if time.monotonic() > deadline:
                    raise
                time.sleep(0.05)
        self.file = self.sock.makefile("r", errors="replace")
        self.send("NICK " + nick)
        self.send("USER %s 0 * :%s" % (nick, nick))
        self.wait(" 001 ")

    def send(self, line):
        self.sock.sendall((line + "\r\n").encode())

    def wait(self, *words):
        seen = []
        for line in self.file:
            seen.append(line.strip())
            if line.startswith("PING"):
                self.send("PONG" + line.strip()[4:])
            elif all(w in line for w in words):
                return line.strip()
        raise Failed("no %s, but\n%s" % (words, "\n".join(seen)))


def statuses(e):
    x = e.child("x", "http://jabber.org/protocol/muc#user")
    return {s.get("code") for s in x.elems() if s.name == "status"} \
        if x is not None else set()


def said(body):
    return lambda e: (e.name == "message" and e.get("type") == "groupchat" and
                      e.child("body") is not None and
                      e.child("body").text() == body)


def talk(server):
    nurse = Irc("nurse")
    nurse.send("JOIN #antiphon")
    nurse.wait(" 366 ")
    scene, romeo = online(server, "romeo/orchard")
    romeo.send("<presence to='%s/romeo'>"
               "<x xmlns='http://jabber.org/protocol/muc'/></presence>"
               % CHANNEL)
    nurse.wait("JOIN", "romeo")
    romeo.take(lambda e: e.name == "presence" and "110" in statuses(e) and
               e.get("from") == CHANNEL + "/romeo", "the own presence")
    romeo.send("<message to='%s' type='groupchat'><body>hello nurse</body>"
               "</message>" % CHANNEL)
    nurse.wait("PRIVMSG #antiphon", "hello nurse")
    romeo.take(said("hello nurse"), "what he said")
    nurse.send("PRIVMSG #antiphon :good morrow")
    got = romeo.take(said("good morrow"), "what the nurse said")
    assert got.get("from") == CHANNEL + "/nurse"
    # and in private
    romeo.send("<message to='%s/nurse' type='chat'><body>psst</body>"
               "<x xmlns='http://jabber.org/protocol/muc#user'/></message>"
               % CHANNEL)
    nurse.wait("PRIVMSG nurse", "psst")
    romeo.send("<presence type='unavailable' to='%s/romeo'/>" % CHANNEL)
    nurse.wait("romeo", "antiphon")
    romeo.take(lambda e: e.get("type") == "unavailable" and
               "110" in statuses(e), "the end of it")
    nurse.sock.close()
    scene.end()


def test_a_user_talks_on_irc(own_server):
    found("biboumi")
    found("ngircd")
    server = own_server(conf(irc={}))
    others = Others(server)
    try:
        others.start("ngircd", NGIRCD % ADDRESS, "-n", "-f")
        others.start("biboumi", BIBOUMI % (
            IRC, "secret of irc", server.port(("component", "none")),
            server.folder))
        server.process.wait_line("component connected")
        talk(server)
    finally:
        others.stop()
