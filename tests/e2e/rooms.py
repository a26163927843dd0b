"""What scripts and tests do with rooms (XEP-0045).

A room of a scene has a name, and an address that no other scene has.  What is done
here is asked for, and waited for, and what the room says meanwhile to whoever asks is
left out.
"""

import secrets
from xml.sax.saxutils import escape, quoteattr

from xmltree import Mismatch

MUC = "http://jabber.org/protocol/muc"
USER, ADMIN, OWNER = MUC + "#user", MUC + "#admin", MUC + "#owner"
PING = "<ping xmlns='urn:xmpp:ping'/>"


def service_of(server):
    return "conference." + server.domain


def new_address(server, name):
    return "%s-%s@%s" % (name, secrets.token_hex(4), service_of(server))


def codes(e):
    """The status codes of what a room has said."""
    x = e.child("x", USER)
    return {c.get("code") for c in x.elems() if c.name == "status"} \
        if x is not None else set()


def is_note(e):
    """What a room says of itself, or of who is not there: neither speech, nor
    subject, nor invitation."""
    x = e.child("x", USER) if e.is_("message") else None
    return (x is not None and e.child("body") is None and
            e.child("subject") is None and "/" not in e.get("from", "/") and
            {c.name for c in x.elems()} <= {"status", "item"})


def submitted(fields):
    """A form of the configuration; fields: "membersonly=1", several values with
    commas."""
    out = "<x xmlns='jabber:x:data' type='submit'>"
    if fields:
        out += ("<field var='FORM_TYPE'><value>%s#roomconfig</value></field>"
                % MUC)
    for field in fields:
        var, _, values = field.partition("=")
        var = var if "#" in var else "muc#roomconfig_" + var
        out += "<field var=%s>%s</field>" % (quoteattr(var), "".join(
            "<value>%s</value>" % escape(v) for v in values.split(",")))
    return out + "</x>"


def ask(client, kind, payload, room):
    """The answer, which is to be no error."""
    got = client.iq(kind, payload, room)
    if got.get("type") != "result":
        raise Mismatch("%s: refused: %s" % (client.name, got))
    return got


def forget(client, room):
    """All that the room has said to this client until now."""
    client.iq("get", PING, room)
    client.inbox[:] = [e for e in client.inbox if
                       e.get("from", "").partition("/")[0] != room]


def enter(client, room, nick, password=None):
    """Is in the room, and has been told all that comes with that."""
    inner = "<password>%s</password>" % escape(password) if password else ""
    client.send("<presence to=%s><x xmlns='%s'>%s</x></presence>"
                % (quoteattr(room + "/" + nick), MUC, inner))

    def own(e):
        return (e.is_("presence") and
                e.get("from", "").partition("/")[0] == room and
                (e.get("type") == "error" or "110" in codes(e)))
    got = client.take(own, "own presence in " + room)
    if got.get("type") is not None:
        raise Mismatch("%s: not let in: %s" % (client.name, got))
    client.take(lambda e: e.is_("message") and e.child("subject") is not None
                and e.child("body") is None and
                e.get("from", "").partition("/")[0] == room, "the subject")
    forget(client, room)


def configure(client, room, fields=()):
    ask(client, "set", "<query xmlns='%s'>%s</query>"
        % (OWNER, submitted(fields)), room)
    forget(client, room)


def create(client, room, nick, fields=()):
    enter(client, room, nick)
    configure(client, room, fields)


def admin(client, room, **item):
    """An item of the kind that moderators, admins and owners send."""
    ask(client, "set", "<query xmlns='%s'><item %s/></query>" % (
        ADMIN, " ".join("%s=%s" % (k, quoteattr(v)) for k, v in item.items())),
        room)
    forget(client, room)
