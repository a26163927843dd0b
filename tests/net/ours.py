"""Antiphon in a network (network.py)."""

import os

import antiphon
from peers import C2S, C2S_DIRECT, COMPONENT, S2S, S2S_DIRECT


class Antiphon(antiphon.Server):
    """domains: its hosts.  conf: more of its configuration, and of its
    listeners, than makes it one of the network."""

    def __init__(self, network, address, domains, conf=None):
        self.network, self.address = network, address
        self.domains, self.more = domains, conf or {}
        super().__init__(network.new_folder(self.kind),
                         cert_dir=os.path.join(network.folder, "certs"))
        self.domain = next(iter(domains))

    @staticmethod
    def lacks():
        return None

    def default_conf(self):
        base = antiphon.merge(super().default_conf(), {
            "listen": [{"kind": kind, "address": self.address, "port": port,
                        "tls": tls} for kind, tls, port in (
                            ("c2s", "starttls", C2S),
                            ("c2s", "direct", C2S_DIRECT),
                            ("server", "starttls", S2S),
                            ("server", "direct", S2S_DIRECT),
                            ("component", "none", COMPONENT))],
            "components": {d: {"secret": "secret"} for d in self.domains
                           if self.domains[d].service == "component"},
            "modules": {"testecho": {}},
            "federation": {"authorities": self.network.authority.cert},
            "hosts": {antiphon.DOMAIN: None, antiphon.OTHER_DOMAIN: None,
                      **{d: self.host(d) for d in self.domains
                         if not self.domains[d].service}}})
        more = dict(self.more)
        base["listen"] += more.pop("listen", [])
        return antiphon.merge(base, more)

    def host(self, domain):
        certificate = self.network.authority.issue(
            self.domains[domain].certificate, domain)
        return {"certificate": certificate.chain, "key": certificate.key,
                **self.domains[domain].conf}

    def launch(self, *options):
        # known when all have been added
        self.conf = antiphon.merge({"dns": self.network.names.conf()},
                                   self.conf)
        super().launch(*options)

    def lines(self):
        return len(self.process.lines)

    def wait_line(self, pattern, start=0):
        return self.process.wait_line(pattern, start)

    def authenticated(self, way, how, here, there):
        """See peers.Peer."""
        how = {"external": "EXTERNAL"}.get(how, how)
        if way == "in":
            return "server authenticated domain=%s to=%s by=%s " % (
                there, here, how)
        return "%s->%s.*link is up by=%s " % (here, there, how)
