"""What a device knows of its archive (XEP-0313): the ids of what it was given, by
whichever way.  In a new session it asks for what is behind the last that it has
seen, page by page, while others speak; in one that it resumes, it has the rest
coming.
"""

from plan import source

MAM = "urn:xmpp:mam:2"
RSM = "http://jabber.org/protocol/rsm"
SID = "urn:xmpp:sid:0"


class Reader:
    def __init__(self, device, seed):
        self.device = device
        self.rng = source(seed, "pages", device.name)
        self.has = {}           # id in the archive -> that of the message
        self.last = None        # of these
        self.cursor = None      # the device has all up to this one
        self.complete = False   # and all that is behind it comes by itself
        self.query = None       # the iq that is not answered
        self.pages = 0          # that were asked for
        self.shown = set()      # by these pages, in this session

    def begin(self):
        """A new session, which is asked in as soon as it is available."""
        if self.complete:
            self.cursor = self.last
        self.complete, self.query = False, None
        self.shown.clear()

    def ask(self):
        self.pages += 1
        self.device.note("asks for page %d, behind %s" % (
            self.pages, self.cursor))
        after = "<after>%s</after>" % self.cursor if self.cursor else ""
        self.query = self.device.iq("set", (
            "<query xmlns='%s' queryid='p%d'><set xmlns='%s'><max>%d</max>%s"
            "</set></query>" % (MAM, self.pages, RSM,
                                self.rng.choice((1, 3, 10, 50, 250)), after)))

    def note(self, id_, message):
        """One that the device is given."""
        self.last = id_
        if self.has.setdefault(id_, message) != message:
            self.device.fault("%s is %s, and was %s" % (
                id_, message, self.has[id_]))

    def live(self, message):
        """As it came, or a copy of what did."""
        for e in message.elems():
            if (e.is_("stanza-id", SID) and
                    e.get("by") == self.device.account.jid):
                self.note(e.get("id"), message.get("id"))

    def result(self, result):
        """Of a page; those that are asked for again stand behind the cursor."""
        id_ = result.get("id")
        if result.get("queryid") != "p%d" % self.pages or not self.query:
            self.device.fault("a page that nobody asks for: %s" % result)
        if id_ in self.shown:
            self.device.fault("%s is in two pages" % id_)
        self.shown.add(id_)
        self.cursor = id_
        message = result.find("forwarded", "message")
        if message.get("id") not in self.device.story.messages:
            self.device.fault("is archived, and of nobody: %s" % message)
        self.note(id_, message.get("id"))

    def answer(self, e):
        """True: it is the end of a page."""
        if self.query is None or e.get("id") != self.query:
            return False
        self.query = None
        fin = e.child("fin", MAM)
        self.device.note("has page %d, up to %s: %s" % (
            self.pages, self.cursor, fin or e))
        if fin is None and e.find("error", "resource-constraint") is None:
            self.device.fault("is refused a page: %s" % e)
        if fin is not None and fin.get("complete") == "true":
            self.complete = True
            self.device.note("has all of its archive, by %d pages"
                             % self.pages)
        else:
            self.ask()
        return True
