"""Requests by HTTP, as bytes over sockets, so that anything can be sent."""

import re
import socket
import ssl

from antiphon import DOMAIN
from client import PATIENCE

LISTEN = [{"kind": "http", "address": "127.0.0.1", "port": 0, "tls": "none"},
          {"kind": "https", "address": "127.0.0.1", "port": 0,
           "tls": "direct"}]


def conf(more=None):
    """A server with ports for the web beside that of clients."""
    return {"listen": [{"kind": "c2s", "address": "127.0.0.1", "port": 0,
                        "tls": "starttls"}] + [dict(e) for e in LISTEN],
            **(more or {})}


class Answer:
    def __init__(self, status, head, body):
        self.status, self.head, self.body = status, head, body
        self.fields = {}
        for line in head.split("\r\n")[1:]:
            name, value = line.split(": ", 1)
            self.fields.setdefault(name.lower(), value)


class Web:
    """A connection; context: over TLS; source: which of our own addresses it comes
    from."""

    def __init__(self, port, context=None, name=DOMAIN, source=None):
        self.sock = socket.create_connection(("127.0.0.1", port), PATIENCE,
                                             source and (source, 0))
        if context:
            self.sock = context.wrap_socket(self.sock, server_hostname=name)
        self.got = b""

    def send(self, text):
        self.sock.sendall(text.encode() if isinstance(text, str) else text)
        return self

    def more(self):
        """False: the other side has closed."""
        try:
            part = self.sock.recv(65536)
        except (ConnectionResetError, ssl.SSLEOFError):
            part = b""
        self.got += part
        return part != b""

    def take(self, n):
        while len(self.got) < n:
            assert self.more(), "it ends with %r" % self.got[-200:]
        part, self.got = self.got[:n], self.got[n:]
        return part

    def line(self, end=b"\r\n"):
        while end not in self.got:
            assert self.more(), "it ends with %r" % self.got[-200:]
        part, self.got = self.got.split(end, 1)
        return part

    def chunks(self):
        body = b""
        while True:
            n = int(self.line(), 16)
            body += self.take(n)
            assert self.take(2) == b"\r\n"
            if n == 0:
                return body

    def answer(self, bodyless=False):
        head = self.line(b"\r\n\r\n").decode()
        found = re.match(r"HTTP/1\.1 (\d+) ", head)
        made = Answer(int(found[1]), head, b"")
        if bodyless or made.status in (100, 204, 304):
            return made
        if made.fields.get("transfer-encoding") == "chunked":
            made.body = self.chunks()
        elif "content-length" in made.fields:
            made.body = self.take(int(made.fields["content-length"]))
        else:
            while self.more():
                pass
            made.body, self.got = self.got, b""
        return made

    def ask(self, path, method="GET", host=DOMAIN, fields="", body=b"", **how):
        self.send("%s %s HTTP/1.1\r\nHost: %s\r\n%s\r\n" % (
            method, path, host, fields))
        self.send(body)
        return self.answer(**how)

    def ended(self):
        """It has been closed, and nothing else was said."""
        while self.more():
            pass
        return self.got == b""

    def close(self):
        self.sock.close()


def context(server, alpn=None):
    made = ssl.create_default_context(cafile=server.ca_file)
    if alpn:
        made.set_alpn_protocols(alpn)
    return made


def plain(server):
    return Web(server.port(("http", "none")))


def secure(server, alpn=None, **how):
    return Web(server.port(("https", "direct")), context(server, alpn), **how)
