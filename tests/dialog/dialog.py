"""Reads and plays dialog scripts; the format is told in README."""

import codecs
import json
import re
import shlex

import asker
import component
import rooms
import scene as scenes
from antiphon import merge
from xmltree import Mismatch, match_value

HEADER = re.compile(r"(accounts|components|contacts|rooms|subscribed|conf|only|"
                    r"not):\s*(.*)$")
STEP = re.compile(r"([\w.-]+(?:/[\w.-]+)?)(:|>>|>|<\||<!|<)(?:\s+(.*))?$",
                  re.S)
GLOBAL = ("advance", "settle", "quiet", "check", "ctl", "restart", "kill")


class BadScript(Exception):
    pass


class Script:
    def __init__(self, path):
        self.path = path
        self.accounts, self.contacts, self.subscribed = [], [], []
        self.conf, self.only, self.not_ = None, [], []
        self.components, self.rooms = [], []
        self.steps = [] # (line number, text)
        with open(path, encoding="utf-8") as f:
            self._read(f.read().split("\n"))

    def _read(self, lines):
        joined = []
        for number, line in enumerate(lines, 1):
            if not line.strip() or line.startswith("#"):
                continue
            if line[0] in " \t" and joined:
                joined[-1][1] += "\n" + line.strip()
            else:
                joined.append([number, line.rstrip()])
        self._read_lines(joined)
        if self.components:
            named = component.conf(**{name: {} for name in self.components})
            self.conf = merge(named, self.conf or {})

    def _read_lines(self, joined):
        for number, text in joined:
            header = HEADER.match(text.replace("\n", " "))
            if header and not self.steps:
                self._header(header[1], header[2])
            else:
                self.steps.append((number, text))

    def _header(self, key, value):
        words = value.split()
        if key == "conf":
            self.conf = json.loads(value)
        elif key in ("contacts", "subscribed"):
            getattr(self, key).append(words)
        else:
            getattr(self, key.replace("not", "not_")).extend(words)

    def unfit(self, kind):
        """Why this script is not for that server, or None."""
        if self.only and kind not in self.only:
            return "only for " + " ".join(self.only)
        return "not for " + kind if kind in self.not_ else None


class Player:
    def __init__(self, script, server):
        self.script, self.server = script, server
        self.scene = scenes.Scene(server, script.accounts)
        for name in script.components:
            self.scene.binds[name] = component.domain_of(name)
        self.scene.add_rooms(*script.rooms)
        for pair in script.contacts:
            self.scene.befriend(*pair)
        for pair in script.subscribed:
            self.scene.subscribe(*pair)
        self.askers = {}

    def play(self):
        try:
            for number, text in self.script.steps:
                try:
                    self.step(text)
                except (AssertionError, OSError, KeyError, ValueError) as e:
                    raise Mismatch("%s:%d: %s\n%s" % (
                        self.script.path, number, text, e)) from e
            try:
                self.scene.quiet()
                for each in self.askers.values():
                    each.quiet()
            except AssertionError as e:
                raise Mismatch("%s: at the end: %s"
                               % (self.script.path, e)) from e
        finally:
            self.scene.end()
            for each in self.askers.values():
                each.conn.close()

    def step(self, text):
        word, _, rest = text.partition(" ")
        if word in GLOBAL:
            return getattr(self, "all_" + word)(rest)
        m = STEP.match(text)
        if m is None:
            raise BadScript("%s: not a step: %s" % (self.script.path, text))
        name, sign, rest = m[1], m[2], m[3] or ""
        return self.signs[sign](self, name, rest)

    # --- steps about all --------------------------------------------------

    def all_advance(self, rest):
        unit = {"s": 1, "m": 60, "h": 3600, "d": 86400}[rest[-1]]
        self.server.advance(float(rest[:-1]) * unit)

    def all_settle(self, _rest):
        self.scene.settle()

    def all_quiet(self, _rest):
        self.scene.quiet()

    def all_check(self, rest):
        if not eval(rest, {"int": int, "len": len}, dict(self.scene.binds)):
            raise Mismatch("not true with %s" % self.scene.binds)

    def all_ctl(self, rest):
        self.server.ctl(*self.scene.fill(rest).split())

    def all_restart(self, _rest):
        self.server.restart()

    def all_kill(self, _rest):
        self.server.kill9()
        self.server.start()

    # --- sending and receiving --------------------------------------------

    def on_send(self, name, rest):
        if name in self.askers:
            return self.askers[name].send(rest)
        self.scene.send(name, rest)

    def on_raw(self, name, rest):
        raw = codecs.escape_decode(self.scene.fill(rest).encode())[0]
        if name in self.askers:
            return self.askers[name].raw(raw)
        self.scene[name].send(raw)

    def on_expect(self, name, rest):
        if name in self.askers:
            return self.askers[name].expect(rest)
        if rest.startswith("<"):
            return self.scene.expect(name, rest)
        what, _, more = re.sub(r"\s+", " ", rest, 1).partition(" ")
        if what == "carbon":
            return self.scene.expect(name, rest)
        if what == "push":
            return self.scene.expect_push(name, more)
        if what == "stream":
            return self.on_header(name, more)
        if what == "error":
            return self.scene[name].expect_error(more)
        if what == "closed":
            return self.scene[name].expect_closed(tag=more != "abruptly")
        if what == "refused":
            return self.on_refused(name)
        raise BadScript("cannot expect " + rest)

    def on_refused(self, name):
        """Whatever the words, it is the end."""
        for e in self.scene[name].wait_end():
            if e.name not in ("error", "failure", "proceed"):
                raise Mismatch("%s: expected a refusal, got %s" % (name, e))

    def on_header(self, name, rest):
        got = self.scene[name].wait_header()
        wants = re.findall(r"([\w:]+)='([^']*)'", self.scene.fill(rest, False))
        for key, want in wants:
            match_value(want, got.get(key), self.scene.binds, "stream/" + key)

    def on_set(self, name, rest):
        texts = [t.strip() for t in re.split(r"(?:^|\n)\s*\|", rest)]
        self.scene.expect_set(name, [t for t in texts if t])

    def on_quiet(self, name, _rest):
        self.scene.quiet(name)

    # --- what a session does ----------------------------------------------

    def on_act(self, name, rest):
        words = shlex.split(rest)
        act = getattr(self, "act_" + words[0].replace("-", "_"), None)
        if act is None:
            raise BadScript("%s: no action %s" % (self.script.path, words[0]))
        act(name, *words[1:])

    def act_http(self, name):
        self.askers[name] = asker.Asker(self.scene, "http")

    def act_https(self, name):
        self.askers[name] = asker.Asker(self.scene, "https")

    def act_connect(self, name, kind="starttls"):
        self.scene.new(name).connect(kind).restart()

    def act_component(self, name, how="login"):
        """connect: no more than that."""
        made = component.Component(self.server, name)
        self.scene.sessions[name] = made
        if how == "login":
            made.login()
        else:
            made.connect().restart()

    def act_shake(self, name):
        self.scene[name].wait_header()
        self.scene[name].shake()

    def act_header(self, name, *attrs):
        """Sends a header without waiting; to='', from=, version=, ns=."""
        more = {}
        for a in attrs:
            key, _, value = a.partition("=")
            key = {"from": "frm", "stream-ns": "stream_ns"}.get(key, key)
            more[key] = self.scene.fill(value.strip("'"))
        client = self.scene[name].restart()
        client.send(client.header(**more))

    def act_open(self, name):
        self.scene[name].open()

    def act_restart(self, name):
        self.scene[name].restart()

    def act_tls(self, name):
        self.scene[name].tls()

    def act_starttls(self, name):
        self.scene[name].starttls()

    def act_secure(self, name, kind="starttls"):
        self.scene.new(name).secure(kind)

    def act_auth(self, name, mech=None):
        account = self.scene.accounts[name.partition("/")[0]]
        self.scene[name].auth(account.name, account.password, mech)

    def act_authenticated(self, name):
        """As far as before bind."""
        self.act_secure(name)
        self.act_auth(name)

    def act_bind(self, name, resource=None):
        self.scene[name].bind(resource or name.partition("/")[2] or None)

    def act_login(self, name, kind="starttls"):
        self.scene.login(name, kind)

    def act_online(self, name, priority=None):
        self.scene.online(name, priority)

    def act_present(self, name, priority=None):
        self.scene.present(name, priority)
        self.scene.settle()

    def act_carbons(self, name, switch="enable"):
        self.scene[name].iq("set", "<%s xmlns='urn:xmpp:carbons:2'/>" % switch)

    # --- what a session does in a room --------------------------------------

    def _room(self, name, room):
        return self.scene[name], self.scene.rooms[room]

    def act_create(self, name, room, nick, *fields):
        """Enters a room that is not there, and gives it this configuration."""
        rooms.create(*self._room(name, room), nick, self._filled(fields))

    def act_configure(self, name, room, *fields):
        rooms.configure(*self._room(name, room), self._filled(fields))

    def _filled(self, fields):
        return [self.scene.fill(field) for field in fields]

    def act_enter(self, name, room, nick, password=None):
        rooms.enter(*self._room(name, room), nick, password)

    def act_affiliate(self, name, room, account, affiliation, nick=None):
        more = {"nick": nick} if nick else {}
        rooms.admin(*self._room(name, room), affiliation=affiliation,
                    jid=self.scene.binds.get(account) or
                    self.scene.fill(account), **more)

    def act_role(self, name, room, nick, role):
        rooms.admin(*self._room(name, room), nick=nick, role=role)

    def act_disconnect(self, name):
        self.scene[name].close()

    def act_break(self, name):
        self.scene[name].reset()

    def act_hangup(self, name):
        self.scene[name].drop()

    signs = {":": on_act, ">": on_send, ">>": on_raw, "<": on_expect,
             "<|": on_set, "<!": on_quiet}


def play(script, server):
    Player(script, server).play()
