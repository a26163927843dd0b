"""A network for federation: name servers, an authority, and servers, each with an
address of 127.0.0.0/8 of its own, and there the ports that are usual.

    network = Network(folder)
    network.add(peers.Prosody, "montague.example")
    network.add(peers.Ejabberd, "capulet.example",
                Domain("expired.example", certificate="expired"))
    network.start()
    romeo = network.person("romeo", "montague.example").online()
    ...
    network.stop()

Each domain has a zone, with what its Domain says.  No other domain below
"example." is there.
"""

import os
import pwd
import random
import secrets

import pytest

import names as dns
from authority import Authority, a_label, tlsa
from peers import S2S, S2S_DIRECT
from people import Person

STARTTLS = "_xmpp-server._tcp SRV 5 5 %d xmpp" % S2S
DIRECT = "_xmpps-server._tcp SRV 5 5 %d xmpp" % S2S_DIRECT


class Domain:
    """service: "muc", for rooms of others; "rooms", "echo" and "component", of ours.
    certificate: a kind of authority.KINDS.  records: of its zone, where "xmpp" is
    its server, whose address is {address}.  conf: of a host of Antiphon's.  signed,
    forged, stripped, through: as for names.Names.  tlsa: records of its server, at the name at, as pairs of "3 1 1" and
    whose certificate it is: None, its own; "", the authority's; else that of a kind."""

    def __init__(self, name, certificate="good", records=(STARTTLS,),
                 conf=None, service=None, signed=False, tlsa=(), at="xmpp", **how):
        self.name, self.certificate = name, certificate
        self.service = service
        self.records, self.conf = records, conf or {}
        self.signed, self.how = signed, how
        self.tlsa, self.at = tlsa, at

    def tlsa_records(self, authority):
        for kind, whose in self.tlsa:
            path = authority.cert if whose == "" else authority.issue(
                whose or self.certificate, self.name).chain
            yield "_%d._tcp.%s TLSA %s" % (S2S, self.at, tlsa(kind, path))

    def publish(self, names, address, authority):
        make = names.signed if self.signed else names.zone
        make(a_label(self.name), "xmpp A " + address,
             *(r.format(address=address) for r in self.records),
             *self.tlsa_records(authority), **self.how)


class Network:
    def __init__(self, folder):
        self.folder = str(folder)
        os.makedirs(self.folder, exist_ok=True)
        # for those that do not run as root
        os.chmod(self.folder, 0o755)
        os.chmod(os.path.dirname(self.folder), 0o755)
        self.net = "127.%d.%d." % (random.randint(1, 254),
                                   random.randint(0, 255))
        self.servers = []
        self.lacking = {} # domains, with why they are not there
        self.authority = Authority(os.path.join(self.folder, "authority"))
        # what the C library asks has a port that only root may have
        self.name_server = self.net + "53" if os.getuid() == 0 else None
        self.names = dns.Names(self.new_folder("names"), self.name_server)
        self.names.zone("example")

    def new_folder(self, name):
        folder = os.path.join(self.folder, "%s%d" % (name, len(self.servers)))
        os.makedirs(folder, exist_ok=True)
        return folder

    @staticmethod
    def free_port():
        return dns.free_port()

    @staticmethod
    def to_nobody(folder):
        nobody = pwd.getpwnam("nobody")
        for here, _, files in os.walk(folder):
            for name in [""] + files:
                os.chown(os.path.join(here, name), nobody.pw_uid,
                         nobody.pw_gid, follow_symlinks=False)

    def add(self, kind, *domains, **how):
        """A server, not yet started, or None: a class of it, and domains, as text or
        Domain; the first is its main one."""
        domains = [d if isinstance(d, Domain) else Domain(d) for d in domains]
        if kind.lacks():
            self.lacking.update((d.name, kind.lacks()) for d in domains)
            return None
        server = kind(self, "%s%d" % (self.net, len(self.servers) + 1),
                      {d.name: d for d in domains}, **how)
        for domain in domains:
            domain.publish(self.names, server.address,
                           self.authority)
        self.servers.append(server)
        return server

    # --- life -------------------------------------------------------------

    def start(self):
        """Others than ours may still be at it; of() waits for them."""
        self.names.start()
        for server in self.servers:
            server.launch()
        for server in self.servers:
            if server.kind == "antiphon":
                server.ready()
        return self

    def stop(self):
        """All of them, also if one does not end well."""
        wrong = []
        for server in self.servers:
            try:
                server.stop()
            except (AssertionError, OSError) as e:
                wrong.append(e)
        self.names.stop()
        if wrong:
            raise wrong[0]

    def marks(self):
        """Where the log of each server is, for since()."""
        return [(s, s.process, s.lines() if s.process else 0)
                for s in self.servers]

    @staticmethod
    def since(marks, most=80):
        """What each log says since then: pairs of a title and a text."""
        for server, process, start in marks:
            if server.process is not process:
                start = 0
            process = server.process or process
            if process is not None:
                yield ("%s at %s (%s)" % (server.kind, server.address,
                                          process.log_path),
                       "\n".join(process.lines[start:][-most:]))

    # --- people -----------------------------------------------------------

    def of(self, domain):
        """Its server; without one the test is skipped."""
        for server in self.servers:
            if domain in server.domains:
                return server.ready()
        return pytest.skip(self.lacking[domain])

    def shown_by(self, way, here, there):
        """How who opens that stream shows what it is: by its certificate, if
        others take that."""
        opens = there if way == "in" else here
        good = self.of(opens).domains[opens].certificate == "good"
        return "external" if good else "dialback"

    def person(self, name, domain):
        """With an account that nobody else has."""
        server = self.of(domain)
        person = Person(server, "%s-%s" % (name, secrets.token_hex(4)), domain)
        server.adduser(person.user, person.password, domain)
        return person


def lacks():
    """Why there can be none here, or None."""
    if dns.missing():
        return "%s: see contrib/deps.sh" % " ".join(dns.missing())
    return None
