"""The library @xmpp/client of npm, where ANTIPHON_XMPP_CLIENT names the folder in
which `npm install @xmpp/client' was run."""

import os
import subprocess

import pytest

import scene as scenes
from client import PATIENCE

pytestmark = [
    pytest.mark.only("antiphon"),
    pytest.mark.skipif("ANTIPHON_XMPP_CLIENT" not in os.environ,
                       reason="ANTIPHON_XMPP_CLIENT is not set")]


def test_it_breaks_off_and_resumes(own_server):
    """XEP-0198"""
    server = own_server()
    scene = scenes.Scene(server, ("romeo", "juliet"))
    words = []
    for name in ("romeo", "juliet"):
        a = scene.accounts[name]
        words += [a.name, a.password]
    done = subprocess.run(
        ["node", os.path.join(os.path.dirname(__file__), "xmpp_client.mjs"),
         "xmpp://127.0.0.1:%d" % server.port("starttls"), server.domain] + words,
        capture_output=True, text=True, timeout=6 * PATIENCE,
        env=dict(os.environ, NODE_EXTRA_CA_CERTS=server.ca_file))
    assert done.stdout.split() == ["a0", "b0", "a1", "b1", "a2", "b2", "end",
                                   "3"], done.stdout + done.stderr
    scene.end()
