"""At the limits: proxies that are trusted."""

import pytest

import proxy_protocol as told
from options import MAX, option, proves
from test_proxy_protocol import begin, listen

pytestmark = pytest.mark.only("antiphon")


@proves("proxies: trusted", ends=MAX)
def test_so_many_proxies(own_server):
    names = option("proxies: trusted").value("max")
    server = own_server({
        "listen": listen({"kind": "c2s", "tls": "starttls"}),
        "proxies": {"trusted": names[1:] + ["127.0.0.1"]}})
    begin(server, "starttls", told.v1("192.0.2.7")).drop()
    server.check()
