"""Two components of one server talk: half of what is counted goes in, half out.

    components.py PORT[,PORT] DOMAIN COUNT WINDOW PID[,PID...]

The components are a.DOMAIN and b.DOMAIN, their secret is "bench".  Prints the CPU
that the processes have used, in ms for 1,000 messages from one to the other.
"""

import hashlib
import os
import re
import socket
import sys

TICK_MS = 1000 / os.sysconf("SC_CLK_TCK")
BODY = "a message such as people write, some sixty bytes long, no more"


def cpu_ms(pids):
    total = 0
    for pid in pids:
        with open("/proc/%s/stat" % pid) as f:
            total += sum(map(int, f.read().rpartition(")")[2].split()[11:13]))
    return total * TICK_MS


def component(port, domain):
    s = socket.create_connection(("127.0.0.1", port), 20)
    s.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    s.sendall(("<stream:stream xmlns='jabber:component:accept' to='%s' "
               "xmlns:stream='http://etherx.jabber.org/streams'>"
               % domain).encode())
    got = b""
    while not re.search(rb"\bid=['\"]([^'\"]+)['\"][^>]*>", got):
        got += s.recv(4096)
    id_ = re.search(rb"\bid=['\"]([^'\"]+)['\"]", got)[1].decode()
    digest = hashlib.sha1((id_ + "bench").encode()).hexdigest()
    s.sendall(("<handshake>%s</handshake>" % digest).encode())
    got = b""
    while b"<handshake" not in got:
        got += s.recv(4096)
        assert b"error" not in got, got
    return s


def take(s, n):
    """Until n messages have come; b"</message>" may come in two pieces."""
    seen, tail = 0, b""
    while seen < n:
        data = tail + s.recv(1 << 18)
        assert len(data) > len(tail) and b"type='error'" not in data, data
        seen += data.count(b"</message>")
        tail = data[-9:] if not data.endswith(b"</message>") else b""
    assert seen == n


def main():
    ports, domain, count, window = (
        [int(p) for p in sys.argv[1].split(",")], sys.argv[2],
        int(sys.argv[3]), int(sys.argv[4]))
    pids = sys.argv[5].split(",")
    a = component(ports[0], "a." + domain)
    b = component(ports[-1], "b." + domain)
    some = "".join("<message from='u%d@a.%s/x' to='u%d@b.%s/y' type='chat' "
                   "id='m%d'><body>%s</body></message>"
                   % (i, domain, i, domain, i, BODY)
                   for i in range(window)).encode()
    for rounds in (count // window // 10 + 1, count // window):
        before = cpu_ms(pids) # the first ones warm it up
        for _ in range(rounds):
            a.sendall(some)
            take(b, window)
    print("%.2f" % ((cpu_ms(pids) - before) / (rounds * window) * 1000))


if __name__ == "__main__":
    main()
