"""What a proxy says ahead of a connection (proxy-protocol.txt §2.1, §2.2)."""

import ipaddress
import socket
import struct

SIGNATURE = b"\r\n\r\n\0\r\nQUIT\n"
LOCAL = SIGNATURE + b"\x20\0\0\0"
UNKNOWN = b"PROXY UNKNOWN\r\n"


def v1(address, port=40000):
    ip = ipaddress.ip_address(address)
    to = "127.0.0.1" if ip.version == 4 else "::1"
    return b"PROXY TCP%d %s %s %d 5222\r\n" % (
        ip.version, address.encode(), to.encode(), port)


def v2(address, port=40000, more=b""):
    ip = ipaddress.ip_address(address)
    body = ip.packed * 2 + struct.pack("!HH", port, 5222) + more
    return SIGNATURE + struct.pack(
        "!BBH", 0x21, 0x11 if ip.version == 4 else 0x21, len(body)) + body


def connect(client, tls, said, source=None):
    """client, by a proxy that says it."""
    server = client.server
    client.sock = socket.create_connection(
        (server.address, server.port(tls)), 10, source and (source, 0))
    client.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    client.eof = False
    client.send(said)
    return client
