"""What a client asks of an archive, and what it is shown (XEP-0313)."""

from xml.sax.saxutils import escape, quoteattr

MAM = "urn:xmpp:mam:2"
RSM = "http://jabber.org/protocol/rsm"
FORM = "jabber:x:data"
FORWARD = "urn:xmpp:forward:0"


class Page:
    """ids: as they came; error: the condition, or None."""

    def __init__(self):
        self.ids, self.messages, self.stamps = [], [], []
        self.complete = False
        self.first = self.last = self.count = self.error = self.text = None


def form(fields, kind="submit"):
    out = "<x xmlns='%s' type='%s'>" % (FORM, kind)
    for var, values in fields.items():
        if isinstance(values, str):
            values = [values]
        out += "<field var=%s>%s</field>" % (quoteattr(var), "".join(
            "<value>%s</value>" % escape(v) for v in values))
    return out + "</x>"


def rsm(max=None, after=None, before=None):
    out = ""
    for name, value in (("max", max), ("after", after), ("before", before)):
        if value is not None:
            out += "<%s>%s</%s>" % (name, escape(str(value)), name)
    return "<set xmlns='%s'>%s</set>" % (RSM, out) if out else ""


def query_xml(queryid=None, fields=None, max=None, after=None, before=None,
              flip=False, desc=None, raw=""):
    inner = raw
    if fields:
        inner += form({"FORM_TYPE": MAM, **fields})
    inner += rsm(max, after, before)
    if flip:
        inner += "<flip-page/>"
    if desc is not None:
        inner += ("<order xmlns='urn:xmpp:order-by:1' by='creation' desc='%s'/>"
                  % ("true" if desc else "false"))
    return "<query xmlns='%s'%s>%s</query>" % (
        MAM, " queryid=%s" % quoteattr(queryid) if queryid else "", inner)


def condition(answer):
    error = answer.child("error")
    return [c.name for c in error.elems() if c.name != "text"][0]


def take_results(client, queryid, of=None):
    """Those that have come, out of the inbox, each as it has to be: of whose archive."""
    page, rest = Page(), []
    for e in client.inbox:
        result = e.child("result", MAM) if e.is_("message") else None
        if result is None or result.get("queryid") != queryid:
            rest.append(e)
            continue
        assert e.get("from") == (of or client.jid.split("/")[0])
        assert e.get("to") == client.jid
        forwarded = result.child("forwarded", FORWARD)
        page.ids.append(result.get("id"))
        page.stamps.append(forwarded.child("delay", "urn:xmpp:delay").get("stamp"))
        page.messages.append(forwarded.child("message", "jabber:client"))
    client.inbox[:] = rest
    return page


def fin_of(page, answer):
    if answer.get("type") == "error":
        page.error = condition(answer)
        text = answer.child("error").child("text")
        page.text = text.text() if text else None
        return page
    fin = answer.child("fin", MAM)
    assert fin.get("complete") in (None, "true")
    page.complete = fin.get("complete") == "true"
    found = fin.child("set", RSM)
    for name in ("first", "last", "count"):
        e = found.child(name)
        setattr(page, name, e.text() if e else None)
    return page


def query(client, queryid="q", to=None, **what):
    answer = client.iq("set", query_xml(queryid, **what), to)
    return fin_of(take_results(client, queryid, to), answer)
