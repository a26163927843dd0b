"""The options of the configuration, as the program itself tells them
(antiphond --options-mdoc), and which tests prove what an option promises.

    @proves("limits: depth")              both ends of its range
    @proves("limits: memory", ends=MIN)   one of them
    @sworn("limits: connections", MAX, "why, and what is run instead")

test_at_limits.py fails for an end of a range that nobody proves.
"""

import os
import re
import subprocess

import pytest

from antiphon import DOMAIN, build_dir, merge
from process import Failed

MIN, MAX = ("min",), ("max",)
BOTH = MIN + MAX


def once(value):
    """A parameter with which a test does for long what it does with others."""
    return pytest.param(value, marks=pytest.mark.once)


BOTH_MAX_ONCE = MIN + (once(*MAX),)

# what stands for all components
COMPONENTS, COMPONENT, SECRET = "components", "irc." + DOMAIN, "secret of irc"
# and for all domains of others
REMOTES, REMOTE, ADDRESS = "remotes", "remote.example", "192.0.2.7"
COMPONENT_PORT = {"kind": "component", "address": "127.0.0.1", "port": 0,
                  "tls": "none"}
# modules that do what such an option says
DOES = {"iq_get": "privilege", "iq_set": "privilege",
        "delegate": "delegation"}

proven = {}   # (option, end): names of tests
left_out = {} # (option, end): what cannot be run, why, and what is instead


class Option:
    def __init__(self, section, name, kind, item=None):
        self.section, self.name, self.kind = section, name, kind
        self.item = item
        self.min = self.max = self.default = None

    @property
    def path(self):
        return ": ".join(filter(None, (self.section, self.name)))

    def end(self, which):
        return getattr(self, which)

    def ends(self):
        return [e for e in BOTH if self.end(e) is not None]

    def value(self, end, more=0):
        """What stands in the file."""
        text = self.end(end)
        if self.kind == "list" and self.section == COMPONENTS:
            return ["urn:x:%d" % i for i in range(int(text) + more)]
        if self.item == "network":
            return ["10.0.%d.0/24" % i for i in range(int(text) + more)]
        if self.kind == "list":
            return ["SCRAM-SHA-256"] * (int(text) + more)
        if self.kind == "text":
            return "x" * (int(text) + more)
        return text

    @property
    def place(self):
        """As a message names it."""
        if self.section == REMOTES:
            return "%s: %s: %s" % (REMOTES, REMOTE, self.name)
        if self.section != COMPONENTS:
            return self.path
        return "%s: %s: %s" % (COMPONENTS, COMPONENT, self.name)

    def conf(self, value):
        """What sets it, to be merged over the configuration of a server."""
        if self.section == COMPONENTS:
            return {COMPONENTS: {COMPONENT: {"secret": SECRET,
                                             self.name: value}},
                    "modules": {DOES[self.name]: {}}
                    if self.name in DOES else {}}
        if self.section == REMOTES:
            return {REMOTES: {REMOTE: {"address": ADDRESS,
                                       self.name: value}}}
        if self.section == "listen":
            return {"listen": {self.name: value}}
        out = {self.name: value}
        for part in reversed(self.section.split(": ") if self.section else []):
            out = {part: out}
        return out

    def beyond(self, end):
        """The nearest value that is out of range; None where there is none."""
        if self.end(end) in (None, "0", "0s", "never"):
            return None
        if self.kind in ("list", "text"):
            return self.value(end, 1 if end == "max" else -1)
        if end == "min":
            n, step = number(self.min), -1
        else:
            n, step = number(self.max), 1
        if self.kind == "duration":
            return "%dms" % (n // 1000 + step)
        return str(n + step)


UNITS = {"ms": 1000, "s": 10**6, "m": 60 * 10**6, "h": 3600 * 10**6,
         "d": 86400 * 10**6, "KiB": 1 << 10, "MiB": 1 << 20, "GiB": 1 << 30,
         "TiB": 1 << 40, "": 1}


def number(text):
    """Bytes, microseconds, or just a number."""
    found = re.fullmatch(r"(\d+)(\D*)", text)
    return int(found[1]) * UNITS[found[2]]


def mdoc():
    build = build_dir()
    done = subprocess.run(
        [os.path.join(build, "antiphond"), "--module-dir",
         os.path.join(build, "modules", ".libs"), "--options-mdoc"],
        capture_output=True, text=True)
    if done.returncode != 0 or done.stderr:
        raise Failed("--options-mdoc: %s" % done.stderr)
    return done.stdout


def options():
    """All there are, in the order of the manual."""
    found, section = [], None
    lines = iter(mdoc().splitlines())

    def quoted(line):
        return re.match(r'\.Ql "(.*?)"', line)[1]
    for line in lines:
        item = re.match(r"\.It Ic (\S+) : Ar (\w+)(?: No of Ar (\w+))?$", line)
        if line.startswith(".Ss "):
            section = line[4:].replace("Top level", "")
        elif item:
            found.append(Option(section, item[1], item[2], item[3]))
        elif line == "Default:":
            found[-1].default = quoted(next(lines))
        elif re.match(r"(Range|Bytes|Number of items): ", line):
            if not line.endswith("at most"):
                found[-1].min = quoted(next(lines))
            if line.endswith("from"):
                assert next(lines) == "to"
            if not line.endswith("at least"):
                found[-1].max = quoted(next(lines))
    return found


def option(path):
    return next(o for o in options() if o.path == path)


def merge_option(conf, o, value):
    """conf with the option; listen is a list, of which all get it."""
    if o.section == COMPONENTS:
        was = conf.get(COMPONENTS, {}).get(COMPONENT)
        made = merge(conf, o.conf(value))
        if was is not None and o.name != "secret":
            made[COMPONENTS][COMPONENT]["secret"] = was["secret"]
        if COMPONENT_PORT not in made["listen"]:
            made["listen"] = made["listen"] + [COMPONENT_PORT]
        return made
    if o.section != "listen":
        return merge(conf, o.conf(value))
    return merge(conf, {"listen": [dict(one, **{o.name: value})
                                   for one in conf["listen"]]})


def proves(*paths, ends=BOTH):
    def mark(test):
        for path in paths:
            for end in ends:
                proven.setdefault((path, end), []).append(test.__name__)
        return test
    return mark


def sworn(path, ends, why):
    """What cannot be run."""
    for end in ends:
        left_out[path, end] = why
