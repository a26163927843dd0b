"""Invisible clients (XEP-0186) as contacts on another server see them."""

import pytest

from client import Client
from s2s_peer import conf, Host, PEER, Peer

pytestmark = pytest.mark.only("antiphon")

NURSE = "nurse@" + PEER
SET = ("<iq type='set' id='%s'><%s xmlns='urn:xmpp:invisible:1'%s/></iq>")


class Elsewhere:
    """romeo, and the server of nurse, who see each other."""

    def __init__(self, server, host, authority):
        self.host = host
        server.adduser("romeo", "secret")
        self.romeo = Client(server, "romeo").login("romeo", "secret", "home")
        self.bare = "romeo@" + server.domain
        self.peer = Peer(server, PEER, authority.issue("good", PEER)).secure()
        self.peer.external()
        self.romeo.roster()
        self.romeo.send("<presence/>")
        self.says("subscribe")
        self.romeo.take(lambda e: e.get("type") == "subscribe", "a request")
        self.romeo.send("<presence type='subscribed' to='%s'/>"
                        "<presence type='subscribe' to='%s'/>" % (NURSE, NURSE))
        self.hears("subscribe")
        self.says("subscribed")
        self.romeo.take(lambda e: e.get("type") == "subscribed", "a grant")
        self.anew()

    def says(self, kind, more=""):
        self.peer.send("<presence type='%s' from='%s' to='%s'%s/>"
                       % (kind, NURSE, self.bare, more))

    def presence(self):
        return [e for s in self.host.streams for e in list(s.got)
                if e.is_("presence")]

    def hears(self, kind):
        return self.host.wait_element(
            lambda e: e.is_("presence") and e.get("type") == kind, kind)

    def anew(self):
        """What romeo has said has come there, and is forgotten."""
        self.romeo.send("<message type='headline' id='anew' to='%s'/>" % NURSE)
        self.host.wait_element(lambda e: e.get("id") == "anew", "a message")
        got = self.presence()
        for stream in self.host.streams:
            del stream.got[:]
        return got

    def asks(self, name, more=""):
        self.romeo.send(SET % (name, name, more))
        self.romeo.take(lambda e: e.is_("iq") and e.get("id") == name, name)


@pytest.fixture
def elsewhere(pool, authority):
    host = Host(PEER, authority.issue("good", PEER))
    host.says = lambda ask: ask.key
    server = pool.new(conf({"remotes": host.remotes()},
                           authorities=authority.cert)).start()
    yield Elsewhere(server, host, authority)
    server.stop()
    host.end()


def kinds(presence):
    return [(e.get("type"), e.get("from").partition("/")[2])
            for e in presence]


def test_a_contact_elsewhere_sees_nothing_of_an_invisible_client(elsewhere):
    romeo = elsewhere.romeo
    # §3.1; and the probe is from the account
    elsewhere.asks("invisible", " probe='true'")
    assert kinds(elsewhere.anew()) == [("unavailable", "home"), ("probe", "")]
    # §3.1.1, 1
    romeo.send("<presence><show>away</show></presence><presence/>")
    assert elsewhere.anew() == []
    # 4, 5
    elsewhere.peer.send("<presence from='%s/n' to='%s'/>"
                        "<message type='chat' id='m' from='%s/n' to='%s'>"
                        "<body>?</body></message>"
                        % (NURSE, elsewhere.bare, NURSE, elsewhere.bare))
    romeo.take(lambda e: e.is_("presence") and e.get("from") == NURSE + "/n",
               "presence")
    romeo.take(lambda e: e.get("id") == "m", "the message")
    # 8: as if nobody were there
    elsewhere.says("probe", " id='p'")
    answer = elsewhere.hears("unavailable")
    assert answer.get("from") == elsewhere.bare
    assert answer.get("id") == "p"
    assert len(elsewhere.anew()) == 1
    # 2, 9
    romeo.send("<presence to='%s'/>" % NURSE)
    assert kinds(elsewhere.anew()) == [(None, "home")]
    romeo.send("<presence type='unavailable'/>")
    assert kinds(elsewhere.anew()) == [("unavailable", "home")]
    # §3.2: nothing until it is said; then as ever
    elsewhere.asks("visible")
    assert elsewhere.anew() == []
    romeo.send("<presence/>")
    assert kinds(elsewhere.anew()) == [(None, "home"), ("probe", "")]
