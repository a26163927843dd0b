"""Finch, that is libpurple, Pidgin's core, in a terminal that nobody looks at."""

import os
import pty
import shutil
import signal
import subprocess
import termios
import threading
import time

import pytest

from client import PATIENCE

dbus = pytest.importorskip("dbus")

IS_THERE = pytest.mark.skipif(
    not (shutil.which("finch") and shutil.which("dbus-daemon")),
    reason="there is no Finch")

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
    """Commanded over a bus of its own.  What is in the folder stays when it ends."""

    def __init__(self, folder, account, port, taken=0):
        """taken: a port at which it cannot listen for transfers."""
        self.folder = folder
        os.makedirs(folder, mode=0o700, exist_ok=True)
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
        self.await_connected()

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
        """Some time after it has heard of it; it is asked, and not told."""
        deadline = time.monotonic() + PATIENCE
        while not (got := ask()):
            assert time.monotonic() < deadline
            time.sleep(0.02)
        return got

    def await_connected(self):
        self.until(lambda: self.purple.PurpleAccountIsConnected(self.account))

    def logout(self):
        self.purple.PurpleAccountDisconnect(self.account)

    def login(self):
        self.purple.PurpleAccountConnect(self.account)
        self.await_connected()

    def shown(self):
        """The text of all messages that it shows or has shown, the oldest first."""
        p = self.purple
        return [str(p.PurpleConversationMessageGetMessage(message))
                for conversation in p.PurpleGetConversations()
                for message in reversed(
                    p.PurpleConversationGetMessageHistory(conversation))]

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

    def end(self, how=signal.SIGTERM):
        self.process.send_signal(how)
        self.process.wait(PATIENCE)
        self.bus.terminate()
        self.bus.wait(PATIENCE)
        self.drain.join(PATIENCE)
        os.close(self.terminal)
