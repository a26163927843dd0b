"""The less common ways to log in: client certificates, guests, without TLS;
and a certificate that is replaced while clients are connected."""

import base64
import os
import re
import shutil
import ssl

import pytest

from client import BIND, SASL, Client
from process import certificates, openssl
from sm import enable

pytestmark = pytest.mark.only("antiphon")

XMPP_ADDR = "otherName:1.3.6.1.5.5.7.8.5;UTF8:"


def client_certificate(server, folder, *addresses):
    """Signed by the test CA; answers with the name of a PEM with its key."""
    os.makedirs(folder, exist_ok=True)
    path = {n: os.path.join(folder, n) for n in ("key", "csr", "ext", "crt",
                                                 "pem")}
    openssl("ecparam", "-name", "prime256v1", "-genkey", "-noout", "-out",
            path["key"])
    openssl("req", "-new", "-key", path["key"], "-out", path["csr"],
            "-subj", "/CN=juliet@%s" % server.domain)
    with open(path["ext"], "w") as f:
        f.write("basicConstraints=CA:FALSE\nkeyUsage=digitalSignature\n"
                "extendedKeyUsage=clientAuth\nsubjectAltName=%s\n"
                % ",".join(XMPP_ADDR + a for a in addresses))
    openssl("x509", "-req", "-in", path["csr"], "-CA", server.certs["ca.crt"],
            "-CAkey", server.certs["ca.key"], "-CAcreateserial", "-days",
            "30", "-sha256", "-extfile", path["ext"], "-out", path["crt"])
    with open(path["pem"], "w") as out:
        for part in ("key", "crt"):
            with open(path[part]) as f:
                out.write(f.read())
    return path["pem"]


def secure_with(server, pem):
    context = ssl.create_default_context(cafile=server.ca_file)
    if pem:
        context.load_cert_chain(pem)
    c = Client(server).connect()
    c.open()
    c.starttls(context=context)
    c.open()
    return c


def external(c, authzid=None):
    text = base64.b64encode(authzid.encode()).decode() if authzid else "="
    return c.auth_send("EXTERNAL", text)


@pytest.fixture
def certified(own_server, tmp_path):
    """A server that asks for client certificates, and Romeo's."""
    server = own_server()
    server.stop()
    server.conf["tls"] = {"client_ca": server.certs["ca.crt"]}
    server.start()
    server.adduser("romeo", "secret-one")
    return server, str(tmp_path)


def test_a_certificate_logs_in(certified):
    """XEP-0178 §2: EXTERNAL is offered to who shows an address of this host."""
    server, folder = certified
    pem = client_certificate(server, folder, "romeo@" + server.domain)
    c = secure_with(server, pem)
    assert c.mechanisms()[0] == "EXTERNAL"
    assert external(c).is_("success", SASL)
    c.open()
    assert c.bind("orchard").startswith("romeo@")


def test_a_certificate_chooses_among_its_addresses(certified):
    server, folder = certified
    server.adduser("nurse", "secret-two")
    pem = client_certificate(server, folder, "romeo@" + server.domain,
                             "nurse@" + server.domain)
    assert external(secure_with(server, pem)).is_("failure", SASL)
    c = secure_with(server, pem)
    assert external(c, "nurse@" + server.domain).is_("success", SASL)
    c.open()
    assert c.bind().startswith("nurse@")


@pytest.mark.parametrize("address", ["romeo@elsewhere.test", "romeo"])
def test_a_certificate_of_elsewhere_is_no_use(certified, address):
    server, folder = certified
    c = secure_with(server, client_certificate(server, folder, address))
    assert "EXTERNAL" not in c.mechanisms()
    assert external(c).find("invalid-mechanism") is not None


def test_nobody_but_its_owner_is_reached_by_a_certificate(certified):
    """hostile-26"""
    server, folder = certified
    server.adduser("nurse", "secret-two")
    pem = client_certificate(server, folder, "romeo@" + server.domain)
    got = external(secure_with(server, pem), "nurse@" + server.domain)
    assert got.find("invalid-authzid") is not None


def test_without_a_certificate_the_password_still_does(certified):
    server, _ = certified
    c = secure_with(server, None)
    assert "EXTERNAL" not in c.mechanisms()
    c.auth("romeo", "secret-one")
    assert c.bind()


# --- guests (XEP-0175) -----------------------------------------------------------


@pytest.fixture
def guests(own_server):
    server = own_server({"hosts": {"other.test": {"auth": {
        "anonymous": "yes"}}}})
    server.adduser("romeo", "secret-one", "other.test")
    return server


def guest(server):
    c = Client(server, domain="other.test").secure()
    assert "ANONYMOUS" in c.mechanisms()
    assert c.auth_send("ANONYMOUS", "=").is_("success", SASL)
    c.open()
    c.bind()
    return c


def test_guests_get_addresses_of_their_own(guests):
    one, two = guest(guests), guest(guests)
    assert one.jid.split("/")[0] != two.jid.split("/")[0]
    one.send("<message to='%s' type='chat'><body>hello</body></message>"
             % two.jid)
    got = two.next()
    assert got.is_("message") and got.get("from") == one.jid


def test_nothing_of_a_guest_stays(guests):
    c = guest(guests)
    bare = c.jid.split("/")[0]
    c.iq("set", "<query xmlns='jabber:iq:roster'><item jid='a@b'/></query>")
    c.close()
    assert bare.split("@")[0] not in guests.ctl("users", "other.test")


def test_no_guest_comes_back(guests):
    """Who cannot log in as the same one again is not told that he may resume
    (XEP-0198 §3), and nothing waits for him."""
    c = guest(guests)
    got = enable(c)
    assert got.get("resume") is got.get("id") is None
    c.reset()
    guests.process.wait_line(r"%s: ended$" % re.escape(c.jid))
    assert not any("asleep" in line for line in guests.process.lines)


def test_hosts_without_guests_do_not_offer_it(guests):
    """hostile-24"""
    c = Client(guests).secure()
    assert "ANONYMOUS" not in c.mechanisms()
    got = c.auth_send("ANONYMOUS", "=")
    assert got.find("invalid-mechanism") is not None


# --- without TLS --------------------------------------------------------------------


def test_a_plain_listener_is_for_hosts_that_permit_it(own_server):
    server = own_server({
        "listen": [{"kind": "c2s", "address": "127.0.0.1", "port": 0,
                    "tls": "none"}],
        "hosts": {"other.test": {"auth": {"tls_required": "no"}}}})
    server.adduser("romeo", "secret-one", "other.test")
    c = Client(server, domain="other.test").connect("none")
    c.open()
    assert c.features.find("starttls") is None
    # a password in the clear is too much even there
    assert "PLAIN" not in c.mechanisms()
    assert not [m for m in c.mechanisms() if m.endswith("-PLUS")]
    c.auth("romeo", "secret-one")
    c.send("<iq type='set' id='b'><bind xmlns='%s'/></iq>" % BIND)
    assert c.next().get("type") == "result"
    Client(server).connect("none").restart().send(
        Client(server).header()).expect_error("policy-violation|host-unknown|"
                                              "unsupported-feature")


# --- certificates -----------------------------------------------------------------------


def test_a_reload_replaces_the_certificate_and_keeps_connections(own_server,
                                                                 tmp_path):
    server = own_server()
    server.adduser("romeo", "secret-one")
    before = Client(server).login("romeo", "secret-one")
    old = before.sock.getpeercert(binary_form=True)
    fresh = certificates(str(tmp_path / "fresh"),
                         (server.domain, server.other_domain))
    mine = {}
    for name in ("server.crt", "server.key"):
        mine[name] = os.path.join(server.folder, "new-" + name)
        shutil.copy(fresh[name], mine[name])
        os.chmod(mine[name], 0o644)
    for host in server.conf["hosts"].values():
        host.update(certificate=mine["server.crt"], key=mine["server.key"])
    server.write_conf()
    server.ctl("reload")
    server.ca_file = fresh["ca.crt"]
    after = Client(server).login("romeo", "secret-one", "second")
    assert after.sock.getpeercert(binary_form=True) != old
    before.ping()


def test_a_bad_certificate_leaves_the_old_one_in_force(own_server):
    server = own_server()
    server.adduser("romeo", "secret-one")
    server.conf["hosts"][server.domain]["certificate"] = "/nonexistent.pem"
    server.write_conf()
    done = server.ctl("reload", ok=False)
    assert done.returncode == 1 and "/nonexistent.pem: certificate: No such file" in done.stdout
    Client(server).login("romeo", "secret-one").ping()
