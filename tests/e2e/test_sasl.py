"""SASL and resource binding over the wire (RFC 6120 §6, §7; hostile input)."""

import re

import pytest

import sasl
from client import Client, Closed
from xmltree import BIND, SASL

pytestmark = pytest.mark.plain

SCRAM = ("SCRAM-SHA-1", "SCRAM-SHA-256", "SCRAM-SHA-512")
ANY_FAILURE = ("not-authorized", "malformed-request", "invalid-authzid",
               "invalid-mechanism", "incorrect-encoding", "aborted")


@pytest.fixture
def romeo(scene):
    scene.add_accounts("romeo", "juliet")
    return scene.accounts["romeo"]


@pytest.fixture
def c(server):
    client = Client(server).secure()
    yield client
    client.drop()


def condition(got):
    assert got.is_("failure", SASL), str(got)
    return [e.name for e in got.elems() if e.name != "text"][0]


# --- what works --------------------------------------------------------------

@pytest.mark.only("antiphon")
def test_mechanisms_offered(c):
    """RFC 6120 §13.8.1, in the order of preference (RFC 6120 §6.3.3)."""
    got = c.mechanisms()
    assert got == [
        "SCRAM-SHA-512-PLUS", "SCRAM-SHA-256-PLUS", "SCRAM-SHA-1-PLUS",
        "SCRAM-SHA-512", "SCRAM-SHA-256", "SCRAM-SHA-1", "PLAIN"]


@pytest.mark.only("antiphon")
def test_channel_bindings_offered(c):
    """XEP-0440 §3"""
    got = c.features.child("sasl-channel-binding", "urn:xmpp:sasl-cb:0")
    types = [e.get("type") for e in got.elems()]
    assert "tls-server-end-point" in types and "tls-exporter" in types


@pytest.mark.only("antiphon")
def test_limits_offered(c):
    """XEP-0478 §3"""
    got = c.features.child("limits", "urn:xmpp:stream-limits:0")
    before = int(got.child("max-bytes").text())
    assert before >= 1000


@pytest.mark.parametrize("mech", SCRAM + ("PLAIN",))
def test_login(c, romeo, mech):
    if mech not in c.mechanisms():
        pytest.skip("not offered")
    c.auth(romeo.name, romeo.password, mech)
    assert c.features.child("bind", BIND) is not None
    assert c.bind().startswith(romeo.jid + "/")


@pytest.mark.parametrize("mech", SCRAM)
def test_login_bound_to_the_channel(c, romeo, mech):
    """RFC 5802 §6, RFC 5929 §4"""
    if mech + "-PLUS" not in c.mechanisms() or c.server.kind != "antiphon":
        pytest.skip("not offered")
    c.auth(romeo.name, romeo.password, mech + "-PLUS", binding=c.end_point())


def test_login_over_direct_tls(scene, romeo):
    scene.login("romeo/orchard", kind="direct").ping()


@pytest.mark.parametrize("mech", ["PLAIN", "SCRAM-SHA-1"])
def test_own_address_as_authzid(c, romeo, mech):
    """RFC 6120 §6.3.8"""
    c.auth(romeo.name, romeo.password, mech, authzid=romeo.jid)


@pytest.mark.only("antiphon")
@pytest.mark.parametrize("mech", ["PLAIN", "SCRAM-SHA-1"])
def test_without_an_initial_response(c, romeo, mech):
    """RFC 6120 §6.4.2: an empty challenge asks for it."""
    got = c.auth_send(mech, "")
    assert got.is_("challenge", SASL) and got.text() in ("", "=")
    exchange = None
    if mech == "PLAIN":
        text = sasl.plain(romeo.name, romeo.password)
    else:
        exchange = sasl.Scram(mech, romeo.name, romeo.password)
        text = exchange.first()
    c.send("<response xmlns='%s'>%s</response>" % (SASL, text))
    got = c.next()
    if exchange:
        c.send("<response xmlns='%s'>%s</response>"
               % (SASL, exchange.final(got.text())))
        got = c.next()
    assert got.is_("success", SASL)


def test_names_are_prepared(c, scene, romeo):
    """RFC 6120 §6.3.7: upper case is mapped before the account is looked up."""
    c.auth(romeo.name.upper(), romeo.password, "PLAIN")
    assert c.bind().startswith(romeo.jid + "/")


def test_a_second_try_may_succeed(c, romeo):
    """RFC 6120 §6.4.4"""
    assert condition(c.auth_step("PLAIN", romeo.name, "x")) == \
        "not-authorized"
    c.auth(romeo.name, romeo.password, "PLAIN")
    c.bind()


# --- what fails --------------------------------------------------------------

FAILURES = {
    "a wrong password": ("PLAIN", "{name}\0wrong", "not-authorized"),
    "no such account": ("PLAIN", "nobody\0{password}", "not-authorized"),
    "an empty password": ("PLAIN", "{name}\0",
                          "not-authorized|malformed-request"),
    "PLAIN without separators": ("PLAIN", None, "malformed-request"),
    "bytes that are not UTF-8": ("PLAIN", b"\xff\xfe\0\xff",
                                 "malformed-request|not-authorized"),
    "another's name with own password": ("PLAIN", "{other}\0{password}",
                                         "not-authorized"),
}


@pytest.mark.parametrize("case", FAILURES)
def test_plain_failures(c, scene, romeo, case):
    """RFC 6120 §6.5"""
    mech, text, cond = FAILURES[case]
    if text is None:
        data = b"abc"
    elif isinstance(text, bytes):
        data = b"\0" + text
    else:
        data = ("\0" + text.format(name=romeo.name, password=romeo.password,
                                   other=scene.accounts["juliet"].name)
                ).encode()
    assert condition(c.auth_send(mech, sasl.b64(data))) in cond.split("|")


@pytest.mark.parametrize("text", ["%%%%", "abc", "YQ=", "AGEAYg", "A\nB==",
                                  "====", "&#x41;B"])
def test_base64_is_strict(c, text):
    """RFC 6120 §6.5.5: incorrect-encoding."""
    got = condition(c.auth_send("PLAIN", text))
    assert got == "incorrect-encoding"


@pytest.mark.parametrize("mech", [
    "ANONYMOUS", "EXTERNAL", "DIGEST-MD5", "CRAM-MD5", "GSSAPI", "LOGIN",
    "X-OAUTH2", "OAUTHBEARER", "HT-SHA-256-NONE", "scram-sha-1", "", "A" * 500,
])
def test_mechanism_not_offered(c, mech):
    """hostile-24; RFC 6120 §6.5.7"""
    assert mech not in c.mechanisms()
    assert condition(c.auth_send(mech, "=")) == "invalid-mechanism"


@pytest.mark.only("antiphon")
def test_no_mechanism_before_tls(server):
    """hostile-10, -24"""
    c = Client(server).connect()
    c.open()
    got = c.auth_send("PLAIN", sasl.plain("romeo", "x"))
    if got.name == "failure":
        assert condition(got) in ("encryption-required", "invalid-mechanism")
    else:
        assert got.name == "error"


@pytest.mark.parametrize("mech", ["PLAIN", "SCRAM-SHA-1", "SCRAM-SHA-256"])
def test_another_authzid(c, scene, romeo, mech):
    """hostile-26"""
    if mech not in c.mechanisms():
        pytest.skip("not offered")
    for other in (scene.accounts["juliet"].jid,
                  romeo.name + "@" + scene.server.other_domain):
        got = c.auth_step(mech, romeo.name, romeo.password, authzid=other)
        assert condition(got) in ("invalid-authzid", "not-authorized")


@pytest.mark.parametrize("mech", SCRAM)
def test_scram_wrong_password(c, romeo, mech):
    if mech not in c.mechanisms():
        pytest.skip("not offered")
    got = c.auth_step(mech, romeo.name, "wrong")
    assert condition(got) == "not-authorized"


@pytest.mark.only("antiphon")
@pytest.mark.parametrize("mech", SCRAM)
def test_scram_does_not_tell_who_exists(own_server, mech):
    """hostile-28: the salt of an unknown account is stable, and looks like any
    other; so does the failure.  Nobody has brought salts of another size."""
    server = own_server()
    server.adduser("romeo", "secret")

    def ask(user):
        c = Client(server).secure()
        exchange = sasl.Scram(mech, user, "wrong")
        got = c.auth_send(mech, exchange.first())
        c.send("<response xmlns='%s'>%s</response>"
               % (SASL, exchange.final(got.text())))
        failure = c.next()
        c.close()
        return (exchange.salt, exchange.iterations, len(exchange.salt),
                str(failure))

    real, ghost, again, other = map(ask, ("romeo", "ghost", "ghost", "ghost2"))
    assert ghost == again
    assert ghost[0] != other[0]
    assert real[1:] == ghost[1:]


@pytest.mark.only("antiphon")
@pytest.mark.parametrize("first", [
    "n,,n=romeo", "n,,r=abc", "", "n", "x,,n=a,r=b", "n,,m=ext,n=a,r=b",
    "n,,n=a=20b,r=c", "n,,n=,r=c", "p=tls-exporter,,n=a,r=b", "n,b=c,n=a,r=b",
    "n,,n=a,r=", "n,,n=a,r=b\x7f\x00", "n,,n=\ud800".replace("\ud800", ""),
])
def test_scram_malformed_first(c, first):
    """RFC 5802 §7"""
    got = c.auth_send("SCRAM-SHA-1", sasl.b64(first.encode()) or "=")
    assert condition(got) in ANY_FAILURE


@pytest.mark.only("antiphon")
@pytest.mark.parametrize("final", [
    "", "c=biws", "c=biws,r=x,p=AAAA", "c=eSws,r={nonce},p={proof}",
    "c=biws,r={nonce}", "c=biws,r={nonce},p=%%%", "p={proof}",
    "c=biws,r={nonce},p=" + "A" * 3000,
])
def test_scram_malformed_final(c, romeo, final):
    exchange = sasl.Scram("SCRAM-SHA-1", romeo.name, romeo.password)
    got = c.auth_send("SCRAM-SHA-1", exchange.first())
    good = sasl.fields(sasl.unb64(exchange.final(got.text())).decode())
    text = final.replace("{nonce}", good["r"]).replace("{proof}", good["p"])
    c.send("<response xmlns='%s'>%s</response>"
           % (SASL, sasl.b64(text.encode()) or "="))
    assert condition(c.next()) in ANY_FAILURE


@pytest.mark.only("antiphon")
def test_scram_downgrade_is_noticed(c, romeo):
    """RFC 5802 §6: the client could bind, and was told that we cannot."""
    got = c.auth_step("SCRAM-SHA-1", romeo.name, romeo.password, gs2="y")
    assert condition(got) in ANY_FAILURE


@pytest.mark.only("antiphon")
@pytest.mark.parametrize("binding", [
    ("tls-server-end-point", b"\0" * 32), ("tls-exporter", b""),
    ("tls-unique", b"x" * 12), ("nonsense", b"x"),
])
def test_scram_wrong_binding(c, romeo, binding):
    got = c.auth_step("SCRAM-SHA-256-PLUS", romeo.name, romeo.password,
                      binding=binding)
    assert condition(got) in ANY_FAILURE


def test_abort(c, romeo):
    """RFC 6120 §6.4.4, §6.5.1"""
    got = c.auth_send("SCRAM-SHA-1", sasl.Scram(
        "SCRAM-SHA-1", romeo.name, romeo.password).first())
    assert got.is_("challenge", SASL)
    c.send("<abort xmlns='%s'/>" % SASL)
    assert condition(c.next()) == "aborted"
    c.auth(romeo.name, romeo.password)


@pytest.mark.only("antiphon")
@pytest.mark.parametrize("out_of_turn", [
    "<response xmlns='%s'>YQ==</response>", "<abort xmlns='%s'/>",
    "<success xmlns='%s'/>", "<challenge xmlns='%s'>YQ==</challenge>",
    "<auth xmlns='%s'/>",
])
def test_out_of_turn(c, romeo, out_of_turn):
    """hostile-31: an answer or an error, and no harm."""
    c.send(out_of_turn % SASL)
    got = c.next()
    assert got.name in ("failure", "error")
    if got.name == "failure":
        c.auth(romeo.name, romeo.password)


@pytest.mark.only("antiphon")
def test_auth_within_an_exchange(c, romeo):
    """hostile-31"""
    exchange = sasl.Scram("SCRAM-SHA-1", romeo.name, romeo.password)
    c.auth_send("SCRAM-SHA-1", exchange.first())
    got = c.auth_send("PLAIN", sasl.plain(romeo.name, romeo.password))
    assert got.name in ("failure", "error")


def test_auth_after_login(c, romeo):
    """RFC 6120 §6.4.6: it is over."""
    c.auth(romeo.name, romeo.password)
    got = c.auth_send("PLAIN", sasl.plain(romeo.name, romeo.password))
    assert got.name in ("failure", "error")


@pytest.mark.only("antiphon")
def test_tries_are_limited(own_server):
    """limits: auth_attempts; RFC 6120 §6.4.5: some retries, then the end."""
    server = own_server({"limits": {"auth_attempts": "4"}})
    server.adduser("romeo", "secret-one")
    c = Client(server).secure()
    failures = 0
    try:
        while failures < 10:
            got = c.auth_step("PLAIN", "romeo", "x%d" % failures)
            if got.name == "error":
                break
            failures += 1
        else:
            pytest.fail("ten tries")
        assert "policy-violation" in str(got)
    except Closed:
        pytest.fail("no stream error")
    assert failures == 4


def test_a_client_that_skips_the_new_stream(c, romeo):
    """RFC 6120 §6.4.6: after success there has to be a new header."""
    got = c.auth_step("PLAIN", romeo.name, romeo.password)
    assert got.name == "success"
    c.restart().send("<iq type='set' id='b'><bind xmlns='%s'/></iq>" % BIND)
    c.expect_error("invalid-namespace|bad-format|not-authorized")


# --- binding -----------------------------------------------------------------

@pytest.fixture
def ready(c, romeo):
    return c.auth(romeo.name, romeo.password)


def test_server_makes_a_resource(ready, romeo):
    """RFC 6120 §7.6"""
    jid = ready.bind()
    assert jid.startswith(romeo.jid + "/")
    assert len(jid.partition("/")[2]) >= 8


def test_made_resources_differ(server, romeo):
    made = set()
    for _ in range(3):
        c = Client(server).secure().auth(romeo.name, romeo.password)
        made.add(c.bind())
    assert len(made) == 3


def test_client_chooses_the_resource(ready, romeo):
    """RFC 6120 §7.7"""
    assert ready.bind("balcony/2 @home") == romeo.jid + "/balcony/2 @home"


@pytest.mark.parametrize("resource", ["a" * 1024, "\u200e", "a\u0007b".replace(
    "\u0007", "\u0091")])
def test_bad_resource(ready, romeo, resource):
    """RFC 6120 §7.7.2.1: refused, or another one is made."""
    got = ready.iq("set", "<bind xmlns='%s'><resource>%s</resource></bind>"
                   % (BIND, resource))
    if got.get("type") == "error":
        assert got.find("error", "bad-request") is not None
    else:
        jid = got.find("bind", "jid").text()
        assert jid.startswith(romeo.jid + "/") and resource not in jid


def test_bind_twice(ready):
    """RFC 6120 §7.7.2.3: not-allowed, where there is one resource a stream."""
    ready.bind("a")
    got = ready.iq("set", "<bind xmlns='%s'/>" % BIND)
    if ready.server.kind == "antiphon":
        assert got.get("type") == "error"
        assert got.find("error", "not-allowed") is not None


def test_bind_get_is_refused(ready):
    ready.send("<iq type='get' id='b'><bind xmlns='%s'/></iq>" % BIND)
    got = ready.next()
    assert got.name == "error" or got.get("type") == "error"


@pytest.mark.only("antiphon")
@pytest.mark.parametrize("stanza", [
    "<presence/>", "<message to='{juliet}'><body>x</body></message>",
    "<iq type='get' id='1' to='{juliet}'><q xmlns='urn:x'/></iq>",
    "<iq type='get' id='1'><query xmlns='jabber:iq:roster'/></iq>",
])
def test_stanza_before_bind(ready, scene, stanza):
    """RFC 6120 §7.1: not-authorized, as a stream error or to the iq."""
    ready.send(scene.fill(stanza))
    got = ready.next()
    assert got.get("type") == "error" or got.name == "error"
    assert "not-authorized" in str(got) or "not-allowed" in str(got)


def test_session_is_a_no_op(ready):
    """RFC 3921 §3, for old clients: answered with an empty result."""
    ready.bind()
    got = ready.iq("set", "<session "
                   "xmlns='urn:ietf:params:xml:ns:xmpp-session'/>")
    assert got.get("type") == "result"


@pytest.mark.only("antiphon")
def test_sessions_are_limited(own_server):
    """limits: sessions_per_account; RFC 6120 §7.6.2.1 resource-constraint"""
    server = own_server({"limits": {"sessions_per_account": "2"}})
    server.adduser("romeo", "secret-one")
    held = [Client(server).login("romeo", "secret-one") for _ in range(2)]
    c = Client(server).secure().auth("romeo", "secret-one")
    got = c.iq("set", "<bind xmlns='%s'/>" % BIND)
    assert got.find("error", "resource-constraint") is not None
    for other in held:
        other.ping()


@pytest.mark.only("antiphon")
def test_conflict_refused_by_policy(own_server):
    """RFC 6120 §7.7.2.2, second way."""
    server = own_server({"limits": {"resource_conflict": "refuse"}})
    server.adduser("romeo", "secret-one")
    first = Client(server).login("romeo", "secret-one", "a")
    c = Client(server).secure().auth("romeo", "secret-one")
    got = c.iq("set", "<bind xmlns='%s'><resource>a</resource></bind>" % BIND)
    assert got.find("error", "conflict") is not None
    first.ping()


def bind_once(server):
    c = Client(server).secure().auth("romeo", "secret-one")
    return c.iq("set", "<bind xmlns='%s'><resource>once</resource></bind>"
                % BIND)


@pytest.mark.only("antiphon")
def test_nobody_goes_for_one_whom_a_module_refuses(own_server):
    server = own_server({"modules": {"testbind": {}}})
    server.adduser("romeo", "secret-one")
    first = Client(server).login("romeo", "secret-one", "once")
    got = bind_once(server)
    assert got.find("error", "not-allowed") is not None
    first.ping()
    assert bind_once(server).get("type") == "result"
    first.expect_error("conflict")


@pytest.mark.only("antiphon")
def test_nobody_goes_for_one_who_is_too_many(own_server):
    server = own_server()
    server.adduser("romeo", "secret-one")
    held = [Client(server).login("romeo", "secret-one", resource)
            for resource in ("once", "b", "c")]
    server.conf["limits"]["sessions_per_account"] = "2"
    server.write_conf()
    server.ctl("reload")
    assert bind_once(server).find("error", "resource-constraint") is not None
    for c in held:
        c.ping()
    # one for one is not one more
    server.conf["limits"]["sessions_per_account"] = "3"
    server.write_conf()
    server.ctl("reload")
    assert bind_once(server).get("type") == "result"
    held[0].expect_error("conflict")
    for c in held[1:]:
        c.ping()


# --- white space behind the last element (RFC 6120 §6.4.6) -------------------

BLANKS = ("\n", " \r\n\t ", "\n" * 3000)


def say(c, mech, account, behind):
    """The exchange, with something behind its last element."""
    if mech == "PLAIN":
        last, text = "auth", sasl.plain(account.name, account.password)
    else:
        scram = sasl.Scram(mech, account.name, account.password)
        last, text = "response", scram.final(
            c.auth_send(mech, scram.first()).text())
    c.send("<%s xmlns='%s' mechanism='%s'>%s</%s>%s"
           % (last, SASL, mech, text, last, behind))
    assert c.next("success").is_("success", SASL)


@pytest.mark.only("antiphon")
@pytest.mark.parametrize("blanks", BLANKS, ids=("one", "some", "many"))
@pytest.mark.parametrize("mech", ("PLAIN", "SCRAM-SHA-1"))
def test_white_space_behind_a_login(server, scene, mech, blanks):
    """Some clients send a line feed along; it is not part of the next stream,
    on whichever shard that is."""
    names = ["user%d" % i for i in range(6)]
    scene.add_accounts(*names)
    for name in names:
        account = scene.accounts[name]
        c = Client(server).secure()
        say(c, mech, account, blanks)
        c.open()
        c.bind("a")
        c.close()


@pytest.mark.only("antiphon")
def test_white_space_after_success(c, romeo):
    say(c, "PLAIN", romeo, "")
    c.send("\n")
    c.send(" \n")
    c.open()
    c.bind("a")


@pytest.mark.only("antiphon")
@pytest.mark.parametrize("rest", (
    "x", "\n\0", "\n<iq type='get' id='1'/>", "\n</stream:stream>",
    "<presence/>", "\u00a0", "\v"))
def test_only_white_space_behind_a_login(c, romeo, rest):
    """hostile-19: what was said to the old stream is not done in the new."""
    c.send("<auth xmlns='%s' mechanism='PLAIN'>%s</auth>%s"
           % (SASL, sasl.plain(romeo.name, romeo.password), rest))
    got = b""
    while more := c.sock.recv(4096):
        got += more
    assert re.search(b"<success .*<stream:error>.*</stream:stream>$", got)
    assert b"<iq" not in got
