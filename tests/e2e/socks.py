"""One end of a bytestream (XEP-0065): a socket that speaks SOCKS5."""

import hashlib
import socket
import struct

from client import PATIENCE

HELLO = b"\5\1\0"
OK, FAILURE, NOT_ALLOWED, NO_COMMAND, NO_ADDRESS_TYPE = 0, 1, 2, 7, 8


def digest(sid, initiator, target):
    return hashlib.sha1((sid + initiator + target).encode()).hexdigest()


def request(name, command=1, kind=3):
    return bytes([5, command, 0, kind, len(name)]) + name.encode() + b"\0\0"


class End:
    def __init__(self, port, host="127.0.0.1", small=0):
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        self.sock = socket.socket(family)
        self.sock.settimeout(PATIENCE)
        if small:
            self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, small)
        self.sock.connect((host, port))

    def say(self, data):
        self.sock.sendall(data)
        return self

    def read(self, n):
        """Exactly so many bytes."""
        got = bytearray()
        while len(got) < n:
            data = self.sock.recv(min(n - len(got), 1 << 20))
            assert data, "closed after %d of %d bytes" % (len(got), n)
            got += data
        return bytes(got)

    def rest(self):
        """All that comes, until the other side has said all."""
        got = bytearray()
        while data := self.sock.recv(1 << 20):
            got += data
        return bytes(got)

    def ask(self, name):
        """What is answered to it."""
        assert self.say(HELLO).read(2) == b"\5\0"
        answer = self.say(request(name)).read(4)
        if answer[3] == 3:
            n = self.read(1)[0]
            assert self.read(n) == name.encode()
        else:
            assert self.read(4) == bytes(4)
        self.read(2)
        return answer[1]

    def join(self, name):
        assert self.ask(name) == OK
        return self

    def wait_closed(self):
        try:
            assert self.rest() == b""
        except ConnectionError:
            pass
        self.sock.close()

    def wait_reset(self):
        try:
            self.rest()
            assert False, "it ended as if that were the whole"
        except ConnectionResetError:
            self.sock.close()

    def is_quiet(self):
        """Nothing has come."""
        self.sock.setblocking(False)
        try:
            return self.sock.recv(1) is None
        except BlockingIOError:
            return True
        finally:
            self.sock.settimeout(PATIENCE)

    def reset(self):
        self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER,
                             struct.pack("ii", 1, 0))
        self.sock.close()

    def end(self):
        self.sock.shutdown(socket.SHUT_WR)
        return self
