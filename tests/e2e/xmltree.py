"""A small element tree on expat, a reader for XML streams, and the comparison
of what came with what was expected.

An expectation is XML, too, with these freedoms:
  attribute or text '*'   any value, but there must be one
  {name}                  the first time: remembers the value; later: that value
  <any/>                  further children may follow
  <error cond='x'/>       the error condition x, with any text and by, and with
                          or without the payload echoed beside the error
On a stanza itself, to, id and xml:lang may be left out of the expectation; on
roster pushes and answers to an iq, also from; on rosters, ver; on the fields of a
form, label and type; of what a room says, what without_room_marks() tells.
"""

import re
from xml.parsers import expat
from xml.sax.saxutils import escape, quoteattr

CLIENT = "jabber:client"
STREAM = "http://etherx.jabber.org/streams"
STANZAS = "urn:ietf:params:xml:ns:xmpp-stanzas"
STREAMS = "urn:ietf:params:xml:ns:xmpp-streams"
SASL = "urn:ietf:params:xml:ns:xmpp-sasl"
TLS = "urn:ietf:params:xml:ns:xmpp-tls"
BIND = "urn:ietf:params:xml:ns:xmpp-bind"
SID = "urn:xmpp:sid:0"
ARCHIVED = ("normal", "chat")
ROSTER = "jabber:iq:roster"
MUC_USER = "http://jabber.org/protocol/muc#user"
OCCUPANT_ID = "urn:xmpp:occupant-id:0"
FORM = "jabber:x:data"
XML_LANG = "http://www.w3.org/XML/1998/namespace lang"
OPTIONAL_ON_STANZA = ("to", "id", XML_LANG)


class Elem:
    """One element: ns, name, attrs ("name" or "ns name"), children (Elem or
    str)."""

    def __init__(self, ns, name, attrs):
        self.ns, self.name, self.attrs = ns, name, attrs
        self.children = []

    def elems(self):
        return [c for c in self.children if isinstance(c, Elem)]

    def text(self):
        return "".join(c for c in self.children if isinstance(c, str))

    def get(self, key, default=None):
        return self.attrs.get(key, default)

    def child(self, name, ns=None):
        for c in self.elems():
            if c.name == name and (ns is None or c.ns == ns):
                return c
        return None

    def find(self, *names):
        """Goes down along child names; None when one is missing."""
        e = self
        for name in names:
            e = e.child(name) if e is not None else None
        return e

    def is_(self, name, ns=CLIENT):
        return self.name == name and self.ns == ns

    def __str__(self):
        return self.serialise(CLIENT)

    def serialise(self, ns):
        out = "<" + self.name
        if self.ns != ns:
            out += " xmlns=" + quoteattr(self.ns)
        for key, value in sorted(self.attrs.items()):
            key = "xml:lang" if key == XML_LANG else key.split(" ")[-1]
            out += " %s=%s" % (key, quoteattr(value))
        if not self.children:
            return out + "/>"
        inner = "".join(escape(c) if isinstance(c, str) else
                        c.serialise(self.ns) for c in self.children)
        return "%s>%s</%s>" % (out, inner, self.name)


def split_name(name):
    ns, _, local = name.rpartition(" ")
    return ns, local


class StreamReader:
    """Feeds bytes of one XML stream; collects the header and the elements
    below it."""

    def __init__(self, on_element):
        self.header = None
        self.closed = False
        self.on_element = on_element
        self.stack = []
        self.rest = []
        self.parser = expat.ParserCreate("UTF-8", " ")
        self.parser.buffer_text = True
        self.parser.StartElementHandler = self._start
        self.parser.EndElementHandler = self._end
        self.parser.CharacterDataHandler = self._text

    def feed(self, data):
        """Up to the end of a tag: expat takes its time for one that comes in
        pieces, and may wait for more even when it is complete."""
        end = data.rfind(b">") + 1
        if end != 0:
            self.parser.Parse(b"".join(self.rest) + data[:end], False)
            self.rest = []
        self.rest.append(data[end:])

    def _start(self, name, attrs):
        e = Elem(*split_name(name), attrs)
        if self.header is None:
            self.header = e
        else:
            self.stack.append(e)

    def _end(self, _name):
        if not self.stack:
            self.closed = True
            return
        e = self.stack.pop()
        if self.stack:
            self.stack[-1].children.append(e)
        else:
            self.on_element(e)

    def _text(self, data):
        if self.stack:
            self.stack[-1].children.append(data)


def parse(text):
    """The elements in text, read as if inside a client stream."""
    found = []
    reader = StreamReader(found.append)
    reader.feed(("<stream:stream xmlns='%s' xmlns:stream='%s'>"
                 % (CLIENT, STREAM)).encode())
    reader.feed(text.encode())
    if reader.stack:
        raise ValueError("not a whole element: " + text)
    return found


class Mismatch(AssertionError):
    pass


def match_value(want, got, binds, where):
    if want == "*" and got is not None:
        return
    name = re.fullmatch(r"\{([A-Za-z_][\w-]*)\}", want or "")
    if name and got is not None and name[1] not in binds:
        binds[name[1]] = got
        return
    if name and name[1] in binds:
        want = binds[name[1]]
    if want != got:
        raise Mismatch("%s: expected %r, got %r" % (where, want, got))


def match_error(want, got, where):
    """want is <error type= cond= by=/>."""
    conds = [c.name for c in got.elems() if c.ns == STANZAS and
             c.name != "text"]
    if conds != [want.attrs["cond"]]:
        raise Mismatch("%s: expected the condition %s, got %s"
                       % (where, want.attrs["cond"], conds))
    if "type" in want.attrs and want.attrs["type"] != got.get("type"):
        raise Mismatch("%s: expected an error of type %s, got %s"
                       % (where, want.attrs["type"], got.get("type")))
    if "by" in want.attrs and want.attrs["by"] != got.get("by"):
        raise Mismatch("%s: expected an error by %s, got one by %s"
                       % (where, want.attrs["by"], got.get("by")))


def may_be_there(want, top):
    """Attributes that an expectation need not tell."""
    if want.is_("query", ROSTER):
        return ("ver",)
    if want.is_("field", FORM):
        return ("label", "type")
    if not top:
        # what is forwarded says in which language it was
        return (XML_LANG,) if want.ns == CLIENT else ()
    # what comes from the own account may say so, or not (RFC 6120 §8.1.2.1)
    own = want.is_("iq") and (want.child("query", ROSTER) is not None or
                              want.get("type") in ("result", "error"))
    return OPTIONAL_ON_STANZA + (("from",) if own else ())


def match_attrs(want, got, binds, where, top):
    optional = may_be_there(want, top)
    for key, value in want.attrs.items():
        match_value(value, got.get(key), binds, "%s/@%s" % (where, key))
    for key, value in got.attrs.items():
        if key in want.attrs or key in optional:
            continue
        if key == "type" and value == "normal" and want.is_("message"):
            continue # what it is without (RFC 6121 §5.2.2)
        raise Mismatch("%s: unexpected attribute %s=%r" % (where, key, value))


def match_children(want, got, binds, where):
    """In any order: the order of children means nothing in XMPP stanzas but
    for items, which scripts compare one by one where it matters."""
    wanted = [c for c in want.elems() if c.name != "any" or c.attrs]
    lax = len(wanted) != len(want.elems())
    rest = got.elems()
    for w in wanted:
        why = Mismatch("%s: missing child <%s xmlns='%s'/>"
                       % (where, w.name, w.ns))
        for g in rest:
            tried = dict(binds)
            try:
                match_elem(w, g, tried, "%s/%s" % (where, w.name), False)
            except Mismatch as e:
                if g.name == w.name and g.ns == w.ns:
                    why = e
                continue
            binds.update(tried)
            rest.remove(g)
            break
        else:
            raise why
    # RFC 6120 §8.3.1: the payload may be echoed with an error
    lax = lax or any(w.is_("error") and "cond" in w.attrs for w in wanted)
    if rest and not lax:
        raise Mismatch("%s: unexpected child %s" % (where, rest[0]))


def match_elem(want, got, binds, where, top):
    if (want.ns, want.name) != (got.ns, got.name):
        raise Mismatch("%s: expected <%s xmlns='%s'/>, got <%s xmlns='%s'/>"
                       % (where, want.name, want.ns, got.name, got.ns))
    if want.name == "error" and "cond" in want.attrs:
        return match_error(want, got, where)
    match_attrs(want, got, binds, where, top)
    text = want.text().strip()
    if text or not want.elems():
        match_value(text, got.text().strip(), binds, where + "/text()")
    return match_children(want, got, binds, where)


def tells_ids(want):
    return want.is_("stanza-id", SID) or any(map(tells_ids, want.elems()))


def without_archive_ids(got, by):
    """By which id the archive of the account `by` has a message, be it forwarded, an
    expectation need not tell (XEP-0359)."""
    ids = [c for c in got.elems() if c.is_("stanza-id", SID) and
           c.get("by") == by]
    if (not got.is_("message") or got.get("type", "normal") not in ARCHIVED or
            len(ids) != 1):
        ids = []
    less = Elem(got.ns, got.name, got.attrs)
    less.children = [without_archive_ids(c, by) if isinstance(c, Elem) else c
                     for c in got.children if c not in ids]
    return less


def without_item_marks(want, got, nick, own):
    """Of an <item/>: by whom and why something was done, and the address of whom for
    those who are told that of the item; the nickname that stands in the stanza
    already; one's own address."""
    wants = [c for c in want.elems() if c.is_("item", MUC_USER)]
    told = {c.name for w in wants for c in w.elems()}
    keys = {key for w in wants for key in w.attrs}
    less = Elem(got.ns, got.name, {
        key: value for key, value in got.attrs.items() if key in keys or not (
            key == "nick" and value == nick or key == "jid" and own)})
    less.children = [c for c in got.children if not isinstance(c, Elem) or
                     c.name in told or c.name not in ("actor", "reason")]
    if "jid" in less.attrs:
        less.children = [
            Elem(c.ns, c.name, {k: v for k, v in c.attrs.items() if k != "jid"})
            if isinstance(c, Elem) and c.name == "actor" else c
            for c in less.children]
    return less


def without_room_marks(want, got):
    """What an expectation need not tell of what comes from a room: who an occupant is
    (XEP-0421), by which id the room has a message (XEP-0359), and what
    without_item_marks() says."""
    room, _, nick = got.get("from", "").partition("/")
    less = Elem(got.ns, got.name, got.attrs)
    for c in got.children:
        if not isinstance(c, Elem):
            less.children.append(c)
        elif c.is_("x", MUC_USER) and got.is_("presence"):
            own = any(s.get("code") == "110" for s in c.elems())
            want_x = want.child("x", MUC_USER)
            x = Elem(c.ns, c.name, c.attrs)
            x.children = [
                without_item_marks(want_x, i, nick, own) if want_x is not None
                and isinstance(i, Elem) and i.is_("item", MUC_USER) else i
                for i in c.children]
            less.children.append(x)
        elif not (c.is_("occupant-id", OCCUPANT_ID) and
                  want.child("occupant-id", OCCUPANT_ID) is None or
                  c.is_("stanza-id", SID) and c.get("by") == room and
                  not tells_ids(want)):
            less.children.append(c)
    return less


def match(want, got, binds):
    """Raises Mismatch, or adds what was captured to binds."""
    tried = dict(binds)
    if got.is_("message") and not tells_ids(want):
        got = without_archive_ids(got, got.get("to", "").split("/")[0])
    if got.get("from", "").partition("/")[0].endswith(
            "@" + binds.get("ROOMS", "@")):
        got = without_room_marks(want, got)
    try:
        match_elem(want, got, tried, got.name, got.ns == CLIENT)
    except Mismatch as e:
        raise Mismatch("%s\n  expected %s\n  got      %s"
                       % (e, want, got)) from None
    binds.update(tried)
