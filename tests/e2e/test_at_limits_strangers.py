"""How much strangers may ask for, at both ends (see options.py)."""

import pytest

import component
import scene as scenes
from antiphon import DOMAIN, merge
from options import BOTH, BOTH_MAX_ONCE, proves
from test_at_limits import served

pytestmark = pytest.mark.only("antiphon")

MOST = {"requests_per_sender": "10000", "requests": "10000",
        "requests_share": "100"}


class Play:
    """romeo, who is there, and a component of which any address may ask."""

    def __init__(self, own_server, name, end, pending="100000"):
        strangers = {k: v for k, v in MOST.items() if k != name}
        server, self.most = served(
            own_server, "modules: strangers: " + name, end, merge(
                component.conf(irc={}), {
                    "shards": 1, "modules": {"strangers": strangers},
                    "limits": {"pending_subscriptions": pending}}))
        self.scene = scenes.Scene(server, ("romeo", "juliet"))
        self.romeo = self.scene.online("romeo/a")
        self.irc = component.Component(server, "irc").login()

    def ask(self, from_, to="romeo"):
        return "<presence type='subscribe' from='%s@irc.%s' to='%s'/>" % (
            from_, DOMAIN, self.scene.binds.get(to, to + "@" + DOMAIN))

    def ask_all(self, asked):
        """Whose requests romeo sees."""
        for at in range(0, len(asked), 200):
            self.irc.send("".join(asked[at:at + 200]))
            self.irc.ping()
        # behind all that
        self.irc.send("<message id='end' from='irc.%s' to='%s'><body>x</body>"
                      "</message>" % (DOMAIN, self.romeo.jid))
        self.romeo.take(lambda e: e.get("id") == "end", "the end")
        seen = [e.get("from").partition("@")[0] for e in self.romeo.inbox
                if e.get("type") == "subscribe"]
        self.romeo.inbox.clear()
        return seen

    def end(self):
        self.irc.close()
        self.scene.end()


@proves("modules: strangers: requests_per_sender")
@pytest.mark.parametrize("end", BOTH)
def test_requests_of_one_sender(own_server, end):
    """Whomever he asks: there need not be such a user.  After an hour he may again,
    and meanwhile others."""
    play = Play(own_server, "requests_per_sender", end)
    asked = [play.ask("iago", "nobody")] * (play.most - 1)
    assert play.ask_all(asked + [play.ask("iago")]) == ["iago"]
    romeo = play.romeo
    romeo.send("<presence type='unsubscribed' to='iago@irc.%s'/>" % DOMAIN)
    romeo.ping()
    assert play.ask_all([play.ask("iago"), play.ask("emilia")]) == ["emilia"]
    play.scene.server.advance(3601)
    assert play.ask_all([play.ask("iago")]) == ["iago"]
    play.end()


@proves("modules: strangers: requests")
@pytest.mark.parametrize("end", BOTH_MAX_ONCE)
def test_requests_to_one_user(own_server, end):
    """Of all; one who is in his roster is not counted, and no stranger who has asked
    already."""
    play = Play(own_server, "requests", end)
    asked = [play.ask("u%d" % i) for i in range(play.most)]
    seen = play.ask_all(asked + [play.ask("u0"), play.ask("more")])
    assert seen == ["u%d" % i for i in range(play.most)]
    play.romeo.iq("set", "<query xmlns='jabber:iq:roster'><item jid='friend@irc.%s'/>"
                  "</query>" % DOMAIN)
    assert play.ask_all([play.ask("friend"), play.ask("more")]) == ["friend"]
    play.scene.server.advance(3601)
    # nor does one who is blocked take the place of another
    play.romeo.iq("set", "<block xmlns='urn:xmpp:blocking'><item jid='iago@irc.%s'/>"
                  "</block>" % DOMAIN)
    assert play.ask_all([play.ask("iago")] * 2 + [play.ask("more")]) == ["more"]
    play.end()


@proves("modules: strangers: requests_share")
@pytest.mark.parametrize("end", BOTH)
def test_requests_of_strangers_that_wait(own_server, end):
    """The rest is for contacts."""
    play = Play(own_server, "requests_share", end, "100")
    asked = [play.ask("u%d" % i) for i in range(play.most + 1)]
    assert play.ask_all(asked) == ["u%d" % i for i in range(play.most)]
    play.romeo.iq("set", "<query xmlns='jabber:iq:roster'><item jid='friend@irc.%s'/>"
                  "</query>" % DOMAIN)
    seen = play.ask_all([play.ask("friend")])
    assert seen == (["friend"] if end == "min" else [])
    # an answer makes room
    play.romeo.send("<presence type='unsubscribed' to='u0@irc.%s'/>" % DOMAIN)
    play.romeo.ping()
    assert play.ask_all([play.ask("more")]) == ["more"]
    play.end()
