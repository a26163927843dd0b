"""Stream management (XEP-0198) for tests: sessions that break off and come back."""

SM = "urn:xmpp:sm:3"


def enable(c, more=" resume='true'"):
    """The answer; c counts from here on."""
    c.send("<enable xmlns='%s'%s/>" % (SM, more))
    got = c.next("<enabled/>")
    assert got.is_("enabled", SM), str(got)
    return got


def ask(c):
    """What of what c has sent is handled; other elements stay in its inbox."""
    c.send("<r xmlns='%s'/>" % SM)
    return int(c.take(lambda e: e.is_("a", SM), "<a/>").get("h"))


def failed_with(got):
    assert got.is_("failed", SM), str(got)
    return [e.name for e in got.elems()][0]
