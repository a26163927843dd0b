"""What a script asks by HTTP, and what has to come back; the format is told in
README."""

import re
from urllib.parse import urlsplit

import web
from xmltree import Mismatch, match_value


def divide(rest):
    """First line, the lines below it, and the lines of a body, or None."""
    first, *lines = rest.split("\n")
    head = [line for line in lines if not line.startswith("|")]
    body = [line[1:].removeprefix(" ") for line in lines
            if line.startswith("|")]
    return first, head, "\n".join(body) if body else None


def as_pattern(text):
    """A * stands for anything."""
    return ".*".join(map(re.escape, text.split("*")))


class Asker:
    """One connection, by which one request follows the other."""

    def __init__(self, scene, kind):
        self.scene = scene
        self.conn = {"http": web.plain, "https": web.secure}[kind](
            scene.server)
        self.asked = [] # methods that have no answer yet
        self.over = False

    def send(self, rest):
        first, head, body = divide(self.scene.fill(rest))
        method, target = first.split()
        url = urlsplit(target)
        if url.netloc:
            target = url.path + ("?" + url.query if url.query else "")
        text = "%s %s HTTP/1.1\r\n" % (method, target)
        names = [line.split(":")[0].lower() for line in head]
        if "host" not in names:
            head.insert(0, "Host: " + (url.netloc or self.scene.binds["HOST"]))
        if body is not None and not {"content-length",
                                     "transfer-encoding"} & set(names):
            head.append("Content-Length: %d" % len(body.encode()))
        self.raw((text + "".join(line + "\r\n" for line in head) +
                  "\r\n" + (body or "")).encode(), method)

    def raw(self, data, method=None):
        """method: what data asks, if that is known."""
        self.asked.append(method or data.split(b" ")[0].decode("latin-1"))
        self.conn.send(data)

    def expect(self, rest):
        if rest == "closed":
            if not self.conn.ended():
                raise Mismatch("more has come: %r" % self.conn.got[:500])
            self.over = True
            return
        status, head, body = divide(self.scene.fill(rest, False))
        got = self.conn.answer(bodyless=self.asked[:1] == ["HEAD"])
        if got.status != 100:
            del self.asked[:1]
        if str(got.status) != status:
            raise Mismatch("expected %s, got %s\n%s" % (
                status, got.head, got.body[:500].decode("latin-1")))
        for line in head:
            self.expect_field(line, got)
        if body is not None and got.body != body.encode():
            raise Mismatch("expected %r, got %r" % (body, got.body[:500]))

    def expect_field(self, line, got):
        absent = re.fullmatch(r"no ([\w-]+)", line)
        if absent:
            if absent[1].lower() in got.fields:
                raise Mismatch("%s is in\n%s" % (absent[1], got.head))
            return
        name, want = line.split(": ", 1)
        value = got.fields.get(name.lower())
        if value is None:
            raise Mismatch("no %s in\n%s" % (name, got.head))
        if want.startswith("{"):
            match_value(want, value, self.scene.binds, name)
        elif not re.fullmatch(as_pattern(want), value):
            raise Mismatch("%s: expected %r, got %r" % (name, want, value))

    def quiet(self):
        """Nothing has come that was not expected: the next answer is that to what is
        asked now."""
        if self.over:
            return
        if self.asked:
            raise Mismatch("not answered: %s" % self.asked)
        got = self.conn.ask("*", "OPTIONS")
        if got.status != 204 or "DELETE" not in got.fields.get("allow", ""):
            raise Mismatch("more has come: %s" % got.head)
