"""Who is in the network of the tests: servers, as far as they are there, and domains,
each with what is odd about it."""

import ours
import peers
from network import DIRECT, Domain, STARTTLS

FEDERATES = {"federation": {"mode": "on"}} # whatever its certificate is
STRICT = {"federation": {"policy": "required-trusted"}}
# of Prosody: certificates, with the names of the domains that show them
KINDS = {kind: kind + "-cert.example" for kind in (
    "server", "srv-name", "xmpp-addr", "expired", "other-name", "cn-only")}
DANE = {"federation": {"mode": "on", "policy": "dane-or-trusted"}}
# of ours: the same, for others to judge; both of them take a CN
OURS = {kind: "ant-%s.example" % kind for kind in (
    "expired", "other-name", "untrusted")}
IDN, IDN_OF_OTHERS = "b\u00fccher.example", "m\u00e4rchen.example"


def srv(name, priority, port, target):
    return "_%s._tcp SRV %d 5 %d %s" % (name, priority, port, target)


def dane_domains():
    """Of the other Antiphon, by what signed records say of their certificates; none
    of those that sign themselves is trusted otherwise."""
    def one(name, certificate, *tlsa, signed=True, **how):
        return Domain("dane-%s.example" % name, certificate, conf=DANE,
                      signed=signed, tlsa=tlsa, **how)
    # SRV leads to another name of the server
    def alias(name, certificate, *tlsa, to="xmpp", **how):
        return one(name, certificate, *tlsa, records=[
            srv("xmpp-server", 0, 5269, "alias"), "alias CNAME " + to], **how)
    return (
        alias("cname", "self-signed", ("3 1 1", None)),
        alias("cname-name", "self-signed", ("3 1 1", None), at="alias"),
        alias("cname-trusted", "target", ("2 0 1", "")),
        alias("cname-none", "target"),
        alias("cname-out", "self-signed", ("3 1 1", None), at="alias",
              to="xmpp.bee.example."),
        alias("cname-wrong", "good", ("3 1 1", "self-signed")),
        one("311", "self-signed", ("3 1 1", None)),
        one("302", "self-signed", ("3 0 2", None)),
        # an authority, and a certificate that has it with it
        one("201", "good", ("2 0 1", "")),
        one("two", "self-signed", ("3 1 1", "expired"), ("3 1 1", None)),
        one("unusable", "self-signed", ("9 1 1", None)),
        one("none", "self-signed"),
        one("target", "target"),
        one("other", "good", ("3 1 1", "self-signed")),
        one("wrong", "self-signed", ("3 1 1", "expired")),
        one("forged", "self-signed", ("3 1 1", None),
            forged=("TLSA\t3 1 1", "TLSA\t3 1 2")),
        one("name", "other-name", ("2 0 1", "")),
        one("bogus", "good", ("3 1 1", None),
            forged=("TLSA\t3 1 1", "TLSA\t3 1 2")),
        one("address", "good", forged=("xmpp.dane-address.example.\t300\tIN\tA\t127.",
                                       "xmpp.dane-address.example.\t300\tIN\tA\t126.")),
        one("stripped", "self-signed", ("3 1 1", None), stripped=True),
        one("unsigned", "self-signed", ("3 1 1", None), signed=False))


def everybody(made):
    """Makes them, in a Network."""
    slow, silent, half = (made.names.middle() for _ in range(3))
    silent.silent, slow.delay = True, 0.3
    half.fails = b"_xmpps-server"
    made.ours = made.add(
        ours.Antiphon, "ant.example", Domain("ant-strict.example", conf=STRICT),
        Domain("ant-self.example", "self-signed", conf=FEDERATES),
        Domain("ant-both.example", "self-signed", conf=FEDERATES),
        Domain("ant-dane.example", "self-signed", conf=DANE, signed=True,
               tlsa=[("3 1 1", None)]),
        *(Domain(name, "self-signed" if kind == "untrusted" else kind,
                 conf=FEDERATES) for kind, name in OURS.items()),
        Domain("conference.ant.example", service="rooms"),
        Domain("conference.ant-self.example", service="rooms"),
        Domain("echo.ant.example", service="echo"),
        Domain("irc.ant.example", service="component"))
    six = made.free_port()
    made.other = made.add(
        ours.Antiphon, "bee.example", Domain(IDN),
        Domain("bee-self.example", "self-signed", conf=FEDERATES),
        Domain("bee-both.example", "self-signed", conf=FEDERATES),
        *dane_domains(),
        # what is found in the DNS
        Domain("slow.example", through=slow),
        Domain("no-srv.example", records=["@ A {address}"]),
        # of one kind of TLS, it is not known where
        Domain("half.example", through=half),
        Domain("half-signed.example", signed=True, through=half),
        Domain("direct.example", records=[DIRECT]),
        Domain("second.example", records=[
            srv("xmpp-server", 0, 5269, "dead"),
            srv("xmpp-server", 5, 5269, "xmpp"), "dead A 127.0.0.1"]),
        Domain("six.example", records=[
            srv("xmpp-server", 0, six, "xmpp6"), "xmpp6 AAAA ::1"]),
        conf={"listen": [{"kind": "server", "address": "::1", "port": six}],
              "limits": {"stanza_bytes": "1MiB"}})
    made.prosody = made.add(
        peers.Prosody, "pro.example",
        Domain("pro-self.example", "self-signed"),
        Domain("pro-both.example", "self-signed"), Domain(IDN_OF_OTHERS),
        Domain("pro-dane.example", "self-signed", signed=True,
               tlsa=[("3 1 1", None)]),
        Domain("pro-dane-other.example", "self-signed", signed=True,
               tlsa=[("3 1 1", "expired")]),
        Domain("rooms.pro.example", service="muc"),
        *(Domain(name, kind) for kind, name in KINDS.items()),
        secure=OURS.values())
    # whose streams go both ways; the second cannot be reached
    made.both = made.add(
        peers.Prosody, "both.example",
        Domain("both-self.example", "self-signed"),
        Domain("hidden.example", records=[
            srv("xmpp-server", 0, 5269, "dead"), "dead A 127.0.0.1"]),
        modules=["s2s_bidi"])
    made.eja = made.add(peers.Ejabberd, "eja.example",
             Domain("eja-self.example", "self-signed"),
             Domain("eja-both.example", "self-signed"),
             Domain("rooms.eja.example", service="muc"))
    # where there is no server
    zone = made.names.zone
    zone("dot.example", "_xmpp-server._tcp SRV 0 0 0 .",
         "_xmpps-server._tcp SRV 0 0 0 .")
    zone("empty.example")
    zone("dead.example", STARTTLS, "xmpp A 127.0.0.1")
    zone("silent.example", through=silent)
    made.names.signed("bogus.example", STARTTLS, "xmpp A 127.0.0.1",
                      forged=("127.0.0.1", "127.0.0.2"))
