"""A test authority, and certificates of every kind that a server may show.

    authority = Authority(folder)
    certificate = authority.issue("good", "montague.example")
    certificate.chain, certificate.key, certificate.both
"""

import base64
import hashlib
import os
import re

from process import openssl

AUTHORITY = ("-addext", "basicConstraints=critical,CA:TRUE",
             "-addext", "keyUsage=critical,keyCertSign,cRLSign")
BOTH = "serverAuth,clientAuth"
SRV_NAME, XMPP_ADDR = "1.3.6.1.5.5.7.8.7", "1.3.6.1.5.5.7.8.5"
NOBODY = "/CN=not to be looked at"


def a_label(domain):
    """As it stands in DNS and in certificates."""
    return domain.encode("idna").decode()


# kind: what is said of the domain, purposes, subject, days
KINDS = {
    # for users of others in its rooms, too
    "good": ("DNS:%s,DNS:conference.%s", BOTH, NOBODY, 30),
    # what public authorities still issue
    "server": ("DNS:%s", "serverAuth", NOBODY, 30),
    "srv-name": ("otherName:" + SRV_NAME + ";IA5STRING:_xmpp-server.%s", BOTH,
                 NOBODY, 30),
    "xmpp-addr": ("otherName:" + XMPP_ADDR + ";UTF8:%s", BOTH, NOBODY, 30),
    "wildcard": ("DNS:*.%s", BOTH, NOBODY, 30),
    # not after the moment in which it was made
    "expired": ("DNS:%s", BOTH, NOBODY, 0),
    "self-signed": ("DNS:%s", BOTH, NOBODY, 30),
    "other-name": ("DNS:not-%s", BOTH, NOBODY, 30),
    # of the server, where SRV leads
    "target": ("DNS:xmpp.%s", BOTH, NOBODY, 30),
    "cn-only": (None, BOTH, "/CN=%s", 30),
}


class Certificate:
    def __init__(self, base):
        self.chain, self.key = base + ".crt", base + ".key"
        self.both = base + ".pem"


def tlsa(kind, path):
    """The data of a record for the first certificate of a file: kind is "3 1 1" and
    so on."""
    _, selector, match = kind.split()
    if selector == "1":
        pem = openssl("x509", "-in", path, "-noout", "-pubkey")
    else:
        pem = openssl("x509", "-in", path)
    der = base64.b64decode("".join(l for l in pem.splitlines()
                                   if not l.startswith("-")))
    digest = {"0": lambda b: b, "1": lambda b: hashlib.sha256(b).digest(),
              "2": lambda b: hashlib.sha512(b).digest()}[match](der)
    return "%s %s" % (kind, digest.hex())


class Authority:
    def __init__(self, folder):
        self.folder = str(folder)
        os.makedirs(self.folder, exist_ok=True)
        self.cert, self.key = self.path("ca.crt"), self.path("ca.key")
        self.made = {}
        self.new_key(self.key)
        openssl("req", "-x509", "-new", "-key", self.key, "-sha256", "-days",
                "30", "-out", self.cert, "-subj", "/CN=Network's Authority",
                *AUTHORITY)

    def path(self, name):
        return os.path.join(self.folder, name)

    @staticmethod
    def new_key(path):
        openssl("ecparam", "-name", "prime256v1", "-genkey", "-noout", "-out",
                path)

    def issue(self, kind, domain):
        """Made once: chain (leaf, then authority), key, and both in one file."""
        base = self.path("%s-%s" % (kind, a_label(domain)))
        if base in self.made:
            return self.made[base]
        made = self.made[base] = Certificate(base)
        self.new_key(made.key)
        self.sign(kind, a_label(domain), base)
        parts = [base + ".leaf"]
        if kind != "self-signed":
            parts.append(self.cert)
        self.join(made.chain, parts)
        self.join(made.both, [made.chain, made.key])
        os.chmod(made.key, 0o644)
        return made

    def sign(self, kind, domain, base):
        names, purposes, subject, days = KINDS[kind]
        lines = ["basicConstraints=CA:FALSE", "keyUsage=digitalSignature",
                 "extendedKeyUsage=" + purposes]
        if kind == "wildcard":
            domain = domain.partition(".")[2]
        if names:
            lines.append("subjectAltName=" + names.replace("%s", domain))
        with open(base + ".cnf", "w") as f:
            f.write("\n".join(lines) + "\n")
        if "%" in subject:
            subject = subject % domain
        openssl("req", "-new", "-key", base + ".key", "-out", base + ".csr",
                "-subj", subject)
        signer = (["-signkey", base + ".key"] if kind == "self-signed" else
                  ["-CA", self.cert, "-CAkey", self.key, "-CAcreateserial"])
        openssl("x509", "-req", "-in", base + ".csr", *signer, "-days",
                str(days), "-sha256", "-extfile", base + ".cnf", "-out",
                base + ".leaf")

    @staticmethod
    def join(path, parts):
        text = ""
        for part in parts:
            with open(part) as f:
                text += f.read()
        # a key of openssl's may have its curve in front
        text = re.sub(r"-----BEGIN EC PARAMETERS.*?END EC PARAMETERS-----\n",
                      "", text, flags=re.S)
        with open(path, "w") as f:
            f.write(text)
