"""A file from one Finch to another, that is two libpurples, through the proxy: the
ports at which the one who sends would listen are taken."""

import os
import pty
import secrets
import shutil
import socket
import subprocess
import termios
import threading

import pytest

import scene as scenes
from client import PATIENCE
from test_proxy65 import CLIENTS, PORT
from test_stats import until

dbus = pytest.importorskip("dbus")

pytestmark = [pytest.mark.only("antiphon"),
              pytest.mark.skipif(not (shutil.which("finch") and
                                      shutil.which("dbus-daemon")),
                                 reason="there is no Finch")]

NAME = "im.pidgin.purple.Purple"
PREFS = """<?xml version='1.0'?>
<pref version='1' name='/'><pref name='purple'>
<pref name='network'><pref name='ports_range_use' type='bool' value='1'/>
<pref name='ports_range_start' type='int' value='%(taken)d'/>
<pref name='ports_range_end' type='int' value='%(taken)d'/></pref>
</pref>
</pref>
"""
ACCOUNTS = """<?xml version='1.0'?>
<account version='1.0'><account><protocol>prpl-jabber</protocol>
<name>%(jid)s/finch</name><password>%(password)s</password>
<settings><setting name='connect_server' type='string'>127.0.0.1</setting>
<setting name='port' type='int'>%(port)d</setting>
<setting name='connection_security' type='string'>opportunistic_tls</setting>
</settings>
<settings ui='gnt-purple'><setting name='auto-login' type='bool'>1</setting>
</settings></account></account>
"""


class Finch:
    """In a terminal that nobody looks at, commanded over a bus of its own."""

    def __init__(self, folder, account, port, taken):
        self.folder = folder
        os.makedirs(folder, mode=0o700)
        for name, text in (("prefs.xml", PREFS), ("accounts.xml", ACCOUNTS)):
            with open(os.path.join(folder, name), "w") as f:
                f.write(text % {"taken": taken, "jid": account.jid,
                                "password": account.password, "port": port})
        self.bus = subprocess.Popen(
            ["dbus-daemon", "--session", "--nofork", "--print-address"],
            stdout=subprocess.PIPE, text=True)
        address = self.bus.stdout.readline().strip()
        self.terminal, slave = pty.openpty()
        termios.tcsetwinsize(slave, (50, 160)) # its windows need room
        self.process = subprocess.Popen(
            ["finch", "-c", folder], stdin=slave, stdout=slave, stderr=slave,
            start_new_session=True,
            env={**os.environ, "DBUS_SESSION_BUS_ADDRESS": address,
                 "TERM": "xterm", "HOME": folder})
        os.close(slave)
        self.seen = b"" # of the screen
        self.drain = threading.Thread(target=self._drain, daemon=True)
        self.drain.start()
        bus = dbus.bus.BusConnection(address)
        self.until(lambda: bus.name_has_owner(NAME + "Service"))
        self.purple = dbus.Interface(
            bus.get_object(NAME + "Service", "/im/pidgin/purple/PurpleObject"),
            NAME + "Interface")
        self.account = self.until(self.purple.PurpleAccountsGetAll)[0]
        self.until(lambda: self.purple.PurpleAccountIsConnected(self.account))
        self.open_transfers()

    def open_transfers(self):
        """Its window of transfers, without which 2.14 crashes at the first one that
        comes."""
        os.write(self.terminal, b"\x1ba") # the sixth of the actions
        self.until(lambda: b"File Transfers" in self.seen)
        for _ in range(5):
            os.write(self.terminal, b"\x1bOB")
        os.write(self.terminal, b"\r")
        self.until(lambda: b"Progress" in self.seen)

    @staticmethod
    def until(ask):
        return until(ask, bool)

    def _drain(self):
        try:
            while some := os.read(self.terminal, 65536):
                self.seen += some
        except OSError:
            pass

    def send(self, to, path):
        self.purple.ServSendFile(
            self.purple.PurpleAccountGetConnection(self.account), to, path)

    def sees(self, who):
        buddy = self.purple.PurpleFindBuddy(self.account, who)
        return buddy and self.purple.PurplePresenceIsOnline(
            self.purple.PurpleBuddyGetPresence(buddy))

    def take(self, path):
        xfer = self.until(self.purple.PurpleXfersGetAll)[0]
        self.purple.PurpleXferRequestAccepted(xfer, path)

    def end(self):
        self.process.terminate()
        self.process.wait(PATIENCE)
        self.bus.terminate()
        self.bus.wait(PATIENCE)
        self.drain.join(PATIENCE)
        os.close(self.terminal)


def test_finch_sends_finch_a_file(own_server, tmp_path):
    server = own_server({"modules": {"proxy65": {"name": "127.0.0.1"}},
                         "auth": {"tls_required": "no"},
                         "listen": [dict(CLIENTS, tls="none"), dict(CLIENTS),
                                    dict(PORT)]})
    scene = scenes.Scene(server)
    scene.add_accounts("romeo", "juliet")
    scene.befriend("romeo", "juliet")
    taken = socket.create_server(("", 0))
    data = secrets.token_bytes(1_500_001)
    (tmp_path / "sent.bin").write_bytes(data)
    finches = []
    try:
        for name in ("romeo", "juliet"):
            finches.append(Finch(
                str(tmp_path / name), scene.accounts[name],
                server.port("none"), taken.getsockname()[1]))
        romeo, juliet = finches
        mark = len(server.process.lines)
        romeo.until(lambda: romeo.sees(scene.accounts["juliet"].jid))
        juliet.until(lambda: juliet.sees(scene.accounts["romeo"].jid))
        romeo.send(scene.accounts["juliet"].jid + "/finch",
                   str(tmp_path / "sent.bin"))
        juliet.take(str(tmp_path / "taken.bin"))
        ended = server.process.wait_line("transfer ends.*", mark)[0]
        got = tmp_path / "taken.bin"
        juliet.until(lambda: got.exists() and got.read_bytes() == data)
    finally:
        for finch in finches:
            finch.end()
        taken.close()
    assert int(ended.split(" bytes=")[1].split()[0]) == len(data)
    server.check()
