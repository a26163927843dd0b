"""Streams: headers, errors, TLS (RFC 6120 §4, §5, §11; hostile input)."""

import os
import re
import socket
import ssl

import pytest

import client as clients
from client import Client
from process import certificates
from xmltree import STREAM, TLS

pytestmark = pytest.mark.plain

HEAD = ("<?xml version='1.0'?><stream:stream xmlns='jabber:client' "
        "xmlns:stream='http://etherx.jabber.org/streams' version='1.0' "
        "to='{HOST}'>")
BOMB = ("<!DOCTYPE x [<!ENTITY a 'aaaaaaaaaa'><!ENTITY b '&a;&a;&a;&a;'>"
        "<!ENTITY c '&b;&b;&b;&b;'>]>")


def with_head(**change):
    decl, out = HEAD[:21], HEAD[21:]
    for key, value in change.items():
        key = {"sns": "xmlns:stream", "ns": "xmlns"}.get(key, key)
        new = "" if value is None else " %s='%s'" % (key, value)
        out = re.sub(" %s='[^']*'" % re.escape(key), new, out, 1)
    return decl + out


# what a stranger sends; what he gets
BEFORE_LOGIN = {
    "garbage instead of a header": ("hello world<\n", "not-well-formed"),
    "http": ("GET / HTTP/1.1\r\nHost: x\r\n\r\n", "not-well-formed"),
    "mismatched tags": (HEAD + "<a></b>", "not-well-formed"),
    "an attribute twice": (HEAD + "<a b='1' b='2'/>", "not-well-formed"),
    "an unknown prefix": (HEAD + "<x:iq type='get' id='1'/>",
                          "bad-namespace-prefix|not-well-formed"),
    "another namespace of streams": (with_head(sns="urn:wrong"),
                                     "invalid-namespace"),
    "another default namespace": (with_head(ns="urn:wrong"),
                                  "invalid-namespace"),
    "another root": ("<?xml version='1.0'?><root xmlns='jabber:client' "
                     "to='{HOST}' version='1.0'>",
                     "invalid-namespace|bad-format|invalid-xml"),
    "an unknown domain": (with_head(to="nowhere.test"), "host-unknown"),
    "no domain that could be one": (with_head(to="@@"),
                                    "host-unknown|improper-addressing"),
    "no to": (with_head(to=None), "host-unknown|improper-addressing"),
    "no version": (with_head(version=None), "unsupported-version"),
    "version 0.9": (with_head(version="0.9"), "unsupported-version"),
    "a version of letters": (with_head(version="one"), "unsupported-version"),
    "another encoding": ("<?xml version='1.0' encoding='ISO-8859-1'?>" +
                         HEAD[21:], "unsupported-encoding"),
    "broken UTF-8": (HEAD.encode() + b"<a>\xff</a>",
                     "unsupported-encoding|not-well-formed"),
    "broken UTF-8 in an attribute": (HEAD.encode() + b"<a b='\xc0\x80'/>",
                                     "unsupported-encoding|not-well-formed"),
    "an overlong end of UTF-8": (HEAD.encode() + b"<a>\xf8\x88\x80\x80\x80",
                                 "unsupported-encoding|not-well-formed"),
    "UTF-16": (HEAD.encode("utf-16"), "unsupported-encoding|not-well-formed"),
    "a DOCTYPE": (BOMB + HEAD[21:], "restricted-xml"),
    "a DOCTYPE after the declaration": (HEAD[:21] + BOMB + HEAD[21:],
                                        "restricted-xml"),
    "a comment": (HEAD + "<!-- hello -->", "restricted-xml"),
    "a comment before the header": ("<!-- hello -->" + HEAD[21:],
                                    "restricted-xml"),
    "a processing instruction": (HEAD + "<?php exit ?>", "restricted-xml"),
    "an unknown entity": (HEAD + "<a>&foo;</a>",
                          "restricted-xml|not-well-formed"),
    "a message": (HEAD + "<message to='a@{HOST}'><body>x</body></message>",
                  "not-authorized"),
    "an iq": (HEAD + "<iq type='set' id='1'><query "
              "xmlns='jabber:iq:roster'/></iq>", "not-authorized"),
    "bind": (HEAD + "<iq type='set' id='1'><bind "
             "xmlns='urn:ietf:params:xml:ns:xmpp-bind'/></iq>",
             "not-authorized"),
    "something unknown": (HEAD + "<a xmlns='urn:x'/>",
                          "not-authorized|unsupported-stanza-type"),
    "text between stanzas": (HEAD + "hello",
                             "bad-format|not-well-formed|policy-violation|"
                             "invalid-xml"),
    "a namespace with the separator": (HEAD + "<a xmlns='urn:x y'/>"
                                       "<iq type='get' id='1'/>",
                                       "not-well-formed|not-authorized|"
                                       "unsupported-stanza-type"),
    "deep nesting": (HEAD + "<a>" * 5000, "policy-violation"),
    "many attributes": (HEAD + "<a %s/>" % " ".join(
        "a%d=''" % i for i in range(3000)), "policy-violation"),
    "many namespaces": (HEAD + "<a %s/>" % " ".join(
        "xmlns:a%d='urn:a'" % i for i in range(2000)), "policy-violation"),
    "a long name": (HEAD + "<" + "a" * 60000, "policy-violation"),
    "a long attribute": (HEAD + "<a b='" + "c" * 400000, "policy-violation"),
    "a long text": (HEAD + "<a>" + "c" * 400000, "policy-violation"),
    "a long header": (HEAD[:-1] + " x='" + "c" * 400000, "policy-violation"),
    "much white space": (HEAD + " " * 2000000, "policy-violation"),
    "many elements": (HEAD + "<a>" + "<b/>" * 60000, "policy-violation"),
}


def fill(data, server):
    if isinstance(data, str):
        data = data.encode()
    return data.replace(b"{HOST}", server.domain.encode())


def send_all(c, data):
    """The server may have closed before all was sent."""
    try:
        c.send(data)
    except OSError:
        pass


@pytest.mark.parametrize("case", BEFORE_LOGIN)
def test_before_login(server, case):
    """RFC 6120 §4.9.3; hostile-01, -03, -05, -06, -11."""
    data, cond = BEFORE_LOGIN[case]
    c = Client(server).connect().restart()
    send_all(c, fill(data, server))
    if data[:len(HEAD)] in (HEAD, HEAD.encode()):
        c.features = c.next("features")
    try:
        c.expect_error(cond)
    except clients.Closed:
        # a reset may overtake the error when much of what was sent had not
        # been read; the end is what counts then
        if len(data) < 100000:
            raise
    # RFC 6120 §4.9.1.2: the error comes inside a stream
    assert c.reader.header is None or c.reader.header.is_("stream", STREAM)


SECURE = [case for case in BEFORE_LOGIN if BEFORE_LOGIN[case][0][:len(HEAD)]
          in (HEAD, HEAD.encode())]


@pytest.mark.parametrize("kind", ["starttls", "direct"])
@pytest.mark.parametrize("case", SECURE)
def test_before_login_under_tls(server, case, kind):
    """hostile-02: the same on every entry."""
    data, cond = BEFORE_LOGIN[case]
    c = Client(server).secure(kind)
    send_all(c, fill(data[len(HEAD):], server))
    try:
        c.expect_error(cond)
    except clients.Closed:
        if len(data) < 100000:
            raise


AFTER_LOGIN = {
    "a comment": ("<!-- x -->", "restricted-xml"),
    "a comment in a stanza": ("<message><!-- x --></message>",
                              "restricted-xml"),
    "a processing instruction": ("<message><?x y?></message>",
                                 "restricted-xml"),
    "mismatched tags": ("<message></presence>", "not-well-formed"),
    "an unknown stanza": ("<a xmlns='urn:x'/>", "unsupported-stanza-type"),
    "an unknown element of ours": ("<foo/>", "unsupported-stanza-type"),
    "compression": ("<compress xmlns='http://jabber.org/protocol/compress'>"
                    "<method>zlib</method></compress>",
                    "unsupported-stanza-type"),
    "starttls again": ("<starttls xmlns='%s'/>" % TLS,
                       "unsupported-stanza-type|not-authorized|"
                       "policy-violation"),
    "another sender": ("<message from='eve@{HOST}' to='{HOST}'/>",
                       "invalid-from"),
    "another resource as sender": ("<message from='{romeo}/other' "
                                   "to='{HOST}'/>", "invalid-from"),
    "no address as sender": ("<message from='@@' to='{HOST}'/>",
                             "invalid-from"),
    "deep nesting": ("<message>" + "<a>" * 5000, "policy-violation"),
    "endless text": ("<message><body>" + "x" * 3000000, "policy-violation"),
    "endless children": ("<message>" + "<a/>" * 200000, "policy-violation"),
}


@pytest.mark.parametrize("case", AFTER_LOGIN)
def test_after_login(scene, case):
    """RFC 6120 §4.9.3, §8.1.2.1; hostile-09, -11."""
    data, cond = AFTER_LOGIN[case]
    scene.add_accounts("romeo")
    c = scene.login("romeo/orchard")
    send_all(c, scene.fill(data))
    try:
        c.expect_error(cond)
    except clients.Closed:
        if len(data) < 100000:
            raise


@pytest.mark.parametrize("inner", [
    "<stream:stream/>", "<stream:error/>", "<stream:features/>",
    "<x xmlns='http://etherx.jabber.org/streams'/>",
])
def test_stream_elements_do_not_pass_inside_a_stanza(scene, inner):
    """hostile-07"""
    scene.add_accounts("romeo", "juliet")
    juliet = scene.online("juliet/balcony")
    romeo = scene.online("romeo/orchard")
    scene.settle()
    romeo.send(scene.fill("<message to='{juliet}'>%s</message>" % inner))
    try:
        romeo.ping()
    except clients.Closed:
        pass # refused with the whole stream
    juliet.ping()
    assert not [e for m in juliet.inbox for e in m.elems()
                if e.ns == STREAM]


@pytest.mark.parametrize("form", [
    "<message to='{juliet}'><body><![CDATA[a<b&c]]></body></message>",
    "<message to='{juliet}'><body>a&lt;b&amp;c</body></message>",
    "<x:message xmlns:x='jabber:client' to='{juliet}'>"
    "<x:body>a&#60;b&amp;c</x:body></x:message>",
])
def test_what_passes_is_written_anew(scene, form):
    """hostile-07: no trace of how the sender wrote it."""
    scene.add_accounts("romeo", "juliet")
    scene.online("romeo/orchard")
    scene.online("juliet/balcony")
    scene.send("romeo/orchard", form)
    scene.expect("juliet/balcony", "<message from='{romeo/orchard}'>"
                 "<body>a&lt;b&amp;c</body></message>")


def test_the_namespace_of_a_child_survives(scene):
    scene.add_accounts("romeo")
    scene.online("romeo/orchard")
    xml = ("<message to='{romeo/orchard}' type='chat' xml:lang='de'>"
           "<a xmlns='urn:a' xmlns:b='urn:b' b:c='d'><b:e/><f xmlns=''/></a>"
           "</message>")
    scene.send("romeo/orchard", xml)
    scene.expect("romeo/orchard", xml.replace(
        "<message ", "<message from='{romeo/orchard}' "))


# --- headers ---------------------------------------------------------------

def test_header_answer(server):
    """RFC 6120 §4.7"""
    c = Client(server).connect()
    c.open(frm="juliet@" + server.domain, version="1.0")
    head = c.reader.header
    assert head.get("from") == server.domain
    assert head.get("version") == "1.0"
    assert len(head.get("id")) >= 16
    c.close()


def test_a_higher_version_gets_ours(server):
    """RFC 6120 §4.7.5"""
    c = Client(server).connect()
    c.open(version="1.7")
    assert c.reader.header.get("version") == "1.0"
    c.close()


def test_stream_ids_differ(server):
    """RFC 6120 §4.7.3; hostile-34"""
    ids = set()
    for _ in range(3):
        c = Client(server).connect()
        for _ in range(1):
            c.open()
            ids.add(c.reader.header.get("id"))
        c.starttls()
        c.open()
        ids.add(c.reader.header.get("id"))
        c.close()
    assert len(ids) == 6


def test_header_in_single_bytes(server):
    c = Client(server).connect().restart()
    for byte in c.header().encode():
        c.send(bytes([byte]))
    assert c.next().is_("features", STREAM)
    c.close()


PINNED = ("not-authorized|host-unknown|invalid-from|policy-violation|conflict|"
          "improper-addressing|undefined-condition")


@pytest.mark.only("antiphon")
def test_to_is_pinned_by_the_first_header(scene):
    """hostile-25: at each restart."""
    c = Client(scene.server).connect()
    c.open()
    c.starttls()
    c.restart().send(c.header(to=scene.server.other_domain))
    c.expect_error(PINNED)
    scene.add_accounts("romeo")
    a = scene.accounts["romeo"]
    c = Client(scene.server).secure()
    got = c.auth_step("PLAIN", a.name, a.password)
    assert got.name == "success"
    c.restart().send(c.header(to=scene.server.other_domain))
    c.expect_error(PINNED)


@pytest.mark.only("antiphon")
def test_from_is_pinned_by_authentication(scene):
    """hostile-25"""
    scene.add_accounts("romeo", "juliet")
    a = scene.accounts["romeo"]
    c = Client(scene.server).secure()
    assert c.auth_step("PLAIN", a.name, a.password).name == "success"
    c.restart().send(c.header(frm=scene.accounts["juliet"].jid))
    c.expect_error(PINNED)


# --- TLS ---------------------------------------------------------------------

def test_starttls_is_required(server):
    """RFC 6120 §5.4.1; nothing else is offered before it."""
    c = Client(server).connect()
    features = c.open()
    assert features.find("starttls", "required") is not None
    assert c.mechanisms() == []
    c.close()


def shown(server, kind, to, sni):
    """The certificate that the server shows."""
    c = Client(server, domain=to)
    c.sock = socket.create_connection(("127.0.0.1", server.port(kind)))
    c.eof = False
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    if kind == "starttls":
        c.open()
        c.send("<starttls xmlns='%s'/>" % TLS)
        c.expect("<proceed xmlns='%s'/>" % TLS)
    c.sock = context.wrap_socket(c.sock, server_hostname=sni)
    der = c.sock.getpeercert(binary_form=True)
    c.drop()
    return ssl.DER_cert_to_PEM_cert(der)


@pytest.mark.only("antiphon")
def test_which_certificate(own_server):
    """RFC 6120 §5.4.3.1: that of the header's to, whatever SNI says; where no
    header was, that of SNI, or of the first host of the file."""
    server = own_server()
    one, other = server.other_domain, server.domain
    paths = certificates(os.path.join(server.folder, "second"), (other,))
    host = {"certificate": paths["server.crt"], "key": paths["server.key"]}
    server.conf["hosts"] = {one: server.conf["hosts"][one], other: host}
    server.write_conf()
    server.restart()
    certs = {}
    for domain, file in ((one, server.certs["leaf.crt"]),
                         (other, paths["leaf.crt"])):
        with open(file) as f:
            certs[domain] = f.read()
    assert one > other # so that the order is that of the file, and no other
    for sni in (None, one, other, "elsewhere.test"):
        for to in (one, other):
            assert shown(server, "starttls", to, sni) == certs[to]
        assert shown(server, "direct", one, sni) == certs[
            other if sni == other else one]


@pytest.mark.only("antiphon")
def test_a_domain_in_from_is_nobodys_account(server, scene):
    """RFC 6120 §4.7.1: some clients give no more; it is answered as it came
    (§4.7.2), and does not keep them from an account."""
    scene.add_accounts("romeo")
    romeo = scene.accounts["romeo"]
    c = Client(server).connect()
    c.open(frm=server.domain)
    c.starttls()
    c.open(frm=server.other_domain)
    c.auth_step("PLAIN", romeo.name, romeo.password)
    c.open(frm=server.domain)
    assert c.reader.header.get("to") == server.domain
    c.bind("a")
    c.close()
    c = Client(server).connect()
    c.open(frm=romeo.jid)
    c.starttls()
    c.restart().send(c.header(frm="other@" + server.domain))
    c.expect_error("invalid-from")


@pytest.mark.only("antiphon")
def test_the_log_says_why_a_stream_ended_after_a_login(own_server):
    server = own_server({"log": {"level": "info"}})
    server.adduser("romeo", "secret-one")
    for i, (ends, why) in enumerate((
            (lambda c: c.send(c.header(frm="juliet@" + server.domain)),
             "stream closed reason=\"invalid-from\""),
            (lambda c: c.send("<x/>"),
             "stream closed reason=\"invalid-namespace\""),
            (lambda c: c.reset(), "connection lost reason=\""))):
        start = len(server.process.lines)
        c = Client(server).secure()
        c.auth_step("PLAIN", "romeo", "secret-one")
        ends(c.restart())
        server.process.wait_line("info stream .* romeo@antiphon.test: " + why,
                                 start)
        c.drop()


@pytest.mark.only("antiphon")
@pytest.mark.parametrize("more", [
    HEAD, "<iq type='get' id='1'><ping xmlns='urn:xmpp:ping'/></iq>",
    " \n" + HEAD, "\n\0", "\x16\x03\x01\x00\x05hello",
])
def test_nothing_may_be_pipelined_after_starttls(server, more):
    """hostile-19: what came in the clear is never taken as protected."""
    c = Client(server).connect()
    c.open()
    c.send(fill("<starttls xmlns='%s'/>%s" % (TLS, more), server))
    came = c.wait_end()
    assert not [e for e in came if e.name not in ("proceed", "error",
                                                  "failure")]


def test_starttls_is_not_offered_under_tls(server):
    """RFC 6120 §5.3; XEP-0368 §4"""
    for kind in ("starttls", "direct"):
        c = Client(server).secure(kind)
        assert c.features.child("starttls") is None
        assert c.mechanisms()
        c.close()


def test_direct_tls_with_alpn(server):
    """XEP-0368 §4: the protocol is xmpp-client."""
    c = Client(server).connect("direct")
    if server.kind == "antiphon":
        assert c.sock.selected_alpn_protocol() == "xmpp-client"
    c.open()
    c.close()


@pytest.mark.only("antiphon")
def test_direct_tls_refuses_another_protocol(server):
    """XEP-0368 §4"""
    c = Client(server)
    c.sock = socket.create_connection(("127.0.0.1", server.port("direct")),
                                      clients.PATIENCE)
    with pytest.raises((ssl.SSLError, OSError)):
        c.tls(alpn=["h2"])
        c.open()
    c.drop()


def resumed(server, context, session=None):
    """Another connection: whether session was resumed, and the client's now."""
    with socket.create_connection(
            ("127.0.0.1", server.port("direct")), clients.PATIENCE) as plain:
        with context.wrap_socket(plain, server_hostname=server.domain,
                                 session=session) as tls:
            return tls.session_reused, tls.session


def test_a_session_is_resumed_at_every_shard_while_its_keys_last(own_server):
    server = own_server()
    context = ssl.create_default_context(cafile=server.ca_file)
    context.maximum_version = ssl.TLSVersion.TLSv1_2
    first = resumed(server, context)[1]
    assert all(resumed(server, context, first)[0] for _ in range(40))
    os.utime(server.certs["server.crt"])
    server.ctl("reload")
    assert all(resumed(server, context, first)[0] for _ in range(40))
    server.advance(3600)
    known, second = resumed(server, context, first)
    assert known
    server.advance(3600)
    assert not any(resumed(server, context, first)[0] for _ in range(40))
    assert all(resumed(server, context, second)[0] for _ in range(40))


@pytest.mark.parametrize("version", ["TLSv1_2", "TLSv1_3"])
def test_tls_versions(server, version):
    context = ssl.create_default_context(cafile=server.ca_file)
    context.minimum_version = context.maximum_version = \
        ssl.TLSVersion[version]
    c = Client(server).connect()
    c.open()
    c.starttls(context=context)
    assert c.mechanisms() == []
    c.open()
    assert c.mechanisms()
    c.close()


@pytest.mark.parametrize("ciphers, versions", [
    ("ALL:@SECLEVEL=0", ("TLSv1", "TLSv1_1")),
    ("AES128-SHA:AES256-SHA:ECDHE-RSA-AES128-SHA:ECDHE-ECDSA-AES128-SHA",
     ("TLSv1_2",)),
])
def test_old_tls_is_refused(server, ciphers, versions):
    """hostile-21"""
    for version in versions:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
        context.set_ciphers(ciphers)
        context.minimum_version = ssl.TLSVersion.MINIMUM_SUPPORTED
        context.maximum_version = ssl.TLSVersion[version]
        c = Client(server).connect()
        c.open()
        with pytest.raises((ssl.SSLError, OSError)):
            c.starttls(sni=False, context=context)
        c.drop()


def test_garbage_instead_of_a_handshake(server):
    c = Client(server).connect()
    c.open()
    c.send("<starttls xmlns='%s'/>" % TLS)
    c.expect("<proceed xmlns='%s'/>" % TLS)
    c.reader = None
    c.send("<iq type='get' id='1'/>\r\n\r\n")
    sock, c.sock = c.sock, None
    sock.settimeout(clients.PATIENCE)
    seen = b""
    while True:
        try:
            data = sock.recv(4096)
        except ConnectionError:
            break
        if not data:
            break
        seen += data
    assert b"<" not in seen[7:]
    sock.close()


# --- the end -----------------------------------------------------------------

@pytest.mark.parametrize("stage", ["connect", "header", "proceed", "tls",
                                   "auth", "bound"])
@pytest.mark.parametrize("how", ["reset", "drop", "error"])
def test_a_peer_that_goes_at_any_stage(scene, stage, how):
    """hostile-04, -14: the server goes on."""
    scene.add_accounts("romeo")
    a = scene.accounts["romeo"]
    c = Client(scene.server).connect()
    if stage != "connect":
        c.open()
    if stage == "proceed":
        c.send("<starttls xmlns='%s'/>" % TLS)
        c.next()
    elif stage in ("tls", "auth", "bound"):
        c.starttls()
        c.open()
    if stage == "auth":
        c.auth_send("SCRAM-SHA-1", "biwsbj1hLHI9Yg==")
    elif stage == "bound":
        c.auth(a.name, a.password)
        c.bind()
    if how == "error":
        c.send("<not></well>")
    c.drop() if how == "drop" else c.reset()
    probe = scene.login("romeo/probe")
    probe.ping()
    probe.close()


def test_a_big_attribute_in_pieces_is_handled_at_once(scene):
    """hostile-08"""
    scene.add_accounts("romeo")
    c = scene.login("romeo/orchard")
    iq = ("<iq type='get' id='big'><ping xmlns='urn:xmpp:ping' a='%s'/></iq>"
          % ("x" * 20000)).encode()
    for at in range(0, len(iq), 997):
        c.send(iq[at:at + 997])
    c.take(lambda e: e.get("id") == "big", "the answer")


def test_whitespace_keepalive(scene):
    """RFC 6120 §4.6.1"""
    scene.add_accounts("romeo")
    c = scene.login("romeo/orchard")
    c.send(" \n\t\r\n ")
    c.quiet()


def test_closing_handshake(scene):
    """RFC 6120 §4.4"""
    scene.add_accounts("romeo")
    for make in (lambda: Client(scene.server).connect(),
                 lambda: Client(scene.server).secure(),
                 lambda: scene.login("romeo/orchard")):
        c = make()
        if c.reader is None:
            c.open()
        c.close()


def test_half_closed_connection_ends(scene):
    """A client that shuts its side without a closing tag."""
    scene.add_accounts("romeo")
    c = Client(scene.server).connect()
    c.open()
    c.sock.shutdown(socket.SHUT_WR)
    c.wait_end()


@pytest.mark.only("antiphon")
def test_a_stranger_who_does_not_log_in_is_sent_away(own_server):
    """limits: login_timeout; hostile-04"""
    server = own_server({"limits": {"login_timeout": "30s"}})
    quiet = Client(server).connect()
    asked = Client(server).connect()
    asked.open()
    server.advance(31)
    asked.expect_error("connection-timeout|policy-violation")
    # RFC 6120 4.9.1.2: the error comes inside of a stream, even here
    quiet.restart().expect_error("connection-timeout|policy-violation")
