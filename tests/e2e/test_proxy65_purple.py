"""A file from one Finch to another, that is two libpurples, through the proxy: the
ports at which the one who sends would listen are taken."""

import secrets
import socket

import pytest

import scene as scenes
from finch import Finch, IS_THERE
from test_proxy65 import CLIENTS, PORT

pytestmark = [pytest.mark.only("antiphon"), IS_THERE]

def test_finch_sends_finch_a_file(own_server, tmp_path):
    server = own_server({"modules": {"proxy65": {"name": "127.0.0.1"}},
                         "auth": {"tls_required": "no"},
                         "listen": [dict(CLIENTS, tls="none"), dict(CLIENTS),
                                    dict(PORT)]})
    scene = scenes.Scene(server)
    scene.add_accounts("romeo", "juliet")
    scene.befriend("romeo", "juliet")
    taken = socket.create_server(("", 0))
    data = secrets.token_bytes(1_500_001)
    (tmp_path / "sent.bin").write_bytes(data)
    finches = []
    try:
        for name in ("romeo", "juliet"):
            finches.append(Finch(
                str(tmp_path / name), scene.accounts[name],
                server.port("none"), taken.getsockname()[1]))
            finches[-1].open_transfers()
        romeo, juliet = finches
        mark = len(server.process.lines)
        romeo.until(lambda: romeo.sees(scene.accounts["juliet"].jid))
        juliet.until(lambda: juliet.sees(scene.accounts["romeo"].jid))
        romeo.send(scene.accounts["juliet"].jid + "/finch",
                   str(tmp_path / "sent.bin"))
        juliet.take(str(tmp_path / "taken.bin"))
        ended = server.process.wait_line("transfer ends.*", mark)[0]
        got = tmp_path / "taken.bin"
        juliet.until(lambda: got.exists() and got.read_bytes() == data)
    finally:
        for finch in finches:
            finch.end()
        taken.close()
    assert int(ended.split(" bytes=")[1].split()[0]) == len(data)
    server.check()
