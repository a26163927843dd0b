"""Uploads by HTTP (XEP-0363), as clients make them."""

import json
import re
from urllib.parse import quote, urlsplit
from xml.sax.saxutils import quoteattr

import scene as scenes
import web

NS = "urn:xmpp:http:upload:0"
PURPOSE = "urn:xmpp:http:upload:purpose:0"
NOBODY_IS_SHORT = {"disk_free_bytes": "0", "disk_free_percent": 0}


def conf_of(options, more=None):
    return web.conf({
        "modules": {"upload": {**NOBODY_IS_SHORT, **options}, "testclock": {}},
        "limits": {"connections_per_address": 5000}, "shards": 3,
        **(more or {})})


class Slot:
    def __init__(self, answer):
        slot = answer.find("slot")
        put = slot.find("put")
        self.put, self.get = put.get("url"), slot.find("get").get("url")
        header, = put.elems()
        assert header.get("name") == "Authorization"
        self.token = header.text()
        self.path = urlsplit(self.put).path
        self.id = self.path.split("/")[2]


class Uploads:
    """A server with uploads, and romeo there."""

    def __init__(self, own_server, more=None, **options):
        self.server = own_server(conf_of(options, more))
        self.scene = scenes.Scene(self.server)
        self.scene.add_accounts("romeo", "juliet")
        self.domain = "upload." + self.server.domain
        self.romeo = self.scene.online("romeo/a")
        self.me = self.scene.accounts["romeo"].jid

    def request(self, name="a.txt", size=5, type_="text/plain", purpose="",
                by=None):
        more = " content-type=%s" % quoteattr(type_) if type_ else ""
        return (by or self.romeo).iq(
            "get", "<request xmlns='%s' filename=%s size='%s'%s>%s</request>"
            % (NS, quoteattr(name), size, more, purpose), self.domain)

    def slot(self, *args, **how):
        got = self.request(*args, **how)
        assert got.get("type") == "result", got
        return Slot(got)

    def web(self):
        return web.plain(self.server)

    def put(self, slot, body=b"hello", type_="text/plain", token=None,
            length=None, fields="", conn=None):
        fields = "Content-Length: %d\r\n%s" % (
            len(body) if length is None else length, fields)
        if type_:
            fields += "Content-Type: %s\r\n" % type_
        if token != "":
            fields += "Authorization: %s\r\n" % (token or slot.token)
        return (conn or self.web()).ask(slot.path, "PUT", fields=fields,
                                        body=body)

    def upload(self, body=b"hello", name="a.txt", type_="text/plain", **how):
        slot = self.slot(name, len(body), type_, **how)
        assert self.put(slot, body, type_).status == 201
        return slot

    def get(self, slot, method="GET", fields="", **how):
        path = slot if isinstance(slot, str) else urlsplit(slot.get).path
        return self.web().ask(path, method, fields=fields, **how)

    def there(self, slot):
        status = self.get(slot).status
        assert status in (200, 404), status
        return status == 200

    def gone(self, slot):
        """Waits until it is."""
        for _ in range(1000):
            if not self.there(slot):
                return True
        return False

    def rows(self, *args):
        return [json.loads(line) for line in
                self.server.ctl("--json", *args).splitlines()]

    def files(self, user=None):
        return self.rows("uploads", user or self.me)

    def listed_no_more(self):
        """Waits until nothing is: records go behind their files."""
        for _ in range(1000):
            if self.files() == []:
                return True
        return False

    def usage(self, user=None, purpose="message"):
        row, = (r for r in self.rows("upload-usage", user or self.me)
                if r["purpose"] == purpose)
        return row

    def max_bytes(self, by=None):
        info = (by or self.romeo).iq(
            "get", "<query xmlns='http://jabber.org/protocol/disco#info'/>",
            self.domain).find("query")
        form = info.find("x")
        field, = (f for f in form.elems() if f.get("var") == "max-file-size")
        return int(field.find("value").text())


def path_of(id_, name):
    return "/upload/%s/%s" % (id_, quote(name, safe=""))


def on_disk(server):
    """Files below the folder, and what they hold; without notes of what comes."""
    import os
    found = {}
    for folder, folders, files in os.walk(os.path.join(server.folder, "files")):
        if "new" in folders:
            folders.remove("new")
        for name in files:
            path = os.path.join(folder, name)
            with open(path, "rb") as f:
                found[os.path.relpath(path, os.path.join(
                    server.folder, "files"))] = f.read()
    return found


def retry_of(got):
    retry = got.find("error").find("retry")
    return retry and re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ",
                                  retry.get("stamp"))[0]
