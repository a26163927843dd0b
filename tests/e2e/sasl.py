"""The client's side of SASL: PLAIN (RFC 4616), SCRAM (RFC 5802, RFC 7677)."""

import base64
import functools
import hashlib
import hmac
import secrets


def b64(data):
    return base64.b64encode(data).decode()


def unb64(text):
    return base64.b64decode(text, validate=True)


def plain(user, password, authzid=""):
    return b64(("%s\0%s\0%s" % (authzid, user, password)).encode())


def xor(a, b):
    return bytes(x ^ y for x, y in zip(a, b))


def fields(message):
    return dict(part.split("=", 1) for part in message.split(","))


@functools.lru_cache(maxsize=1000)
def salted_password(hash_, password, salt, iterations):
    """Thousands of rounds of hashing, which are the same for each login."""
    return hashlib.pbkdf2_hmac(hash_, password, salt, iterations)


@functools.lru_cache(maxsize=10)
def verifiers(password, iterations=4096):
    """What antiphonctl takes in the place of the password (RFC 5803 §2)."""
    salt, out = secrets.token_bytes(16), []
    for name in ("SHA-1", "SHA-256", "SHA-512"):
        hash_ = name.replace("-", "").lower()
        salted = salted_password(hash_, password.encode(), salt, iterations)
        stored = hashlib.new(hash_, hmac.digest(salted, b"Client Key",
                                                hash_)).digest()
        out.append("SCRAM-%s$%d:%s$%s:%s" % (
            name, iterations, b64(salt), b64(stored),
            b64(hmac.digest(salted, b"Server Key", hash_))))
    return " ".join(out)


class Scram:
    """One exchange.  binding: None, or (type, bytes) for a -PLUS mechanism;
    gs2: the flag when there is none, "n" or "y"."""

    def __init__(self, mech, user, password, authzid="", binding=None,
                 gs2="n"):
        base = mech[:-5] if mech.endswith("-PLUS") else mech
        self.hash = base[len("SCRAM-"):].replace("-", "").lower()
        self.password = password.encode()
        name = user.replace("=", "=3D").replace(",", "=2C")
        flag = "p=" + binding[0] if binding else gs2
        self.gs2 = "%s,%s," % (flag, "a=" + authzid if authzid else "")
        self.binding = binding[1] if binding else b""
        self.nonce = secrets.token_urlsafe(18)
        self.bare = "n=%s,r=%s" % (name, self.nonce)

    def first(self):
        return b64((self.gs2 + self.bare).encode())

    def _hmac(self, key, data):
        return hmac.digest(key, data.encode() if isinstance(data, str)
                           else data, self.hash)

    def final(self, challenge):
        """The answer to the server's first message."""
        server_first = unb64(challenge).decode()
        got = fields(server_first)
        assert got["r"].startswith(self.nonce), "the nonce is not ours"
        assert len(got["r"]) > len(self.nonce), "no nonce of the server"
        self.iterations = int(got["i"])
        self.salt = got["s"]
        salted = salted_password(self.hash, self.password, unb64(got["s"]),
                                 self.iterations)
        client_key = self._hmac(salted, "Client Key")
        stored = hashlib.new(self.hash, client_key).digest()
        without = "c=%s,r=%s" % (b64(self.gs2.encode() + self.binding),
                                 got["r"])
        signed = ",".join((self.bare, server_first, without))
        proof = xor(client_key, self._hmac(stored, signed))
        self.signature = self._hmac(self._hmac(salted, "Server Key"), signed)
        return b64(("%s,p=%s" % (without, b64(proof))).encode())

    def verify(self, success):
        got = fields(unb64(success).decode())
        assert unb64(got["v"]) == self.signature, "the server's signature"
