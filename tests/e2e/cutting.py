"""A way between two servers that breaks:

    way = Cutting(random.Random(1), 5000, 100000)
    way.target = ("127.0.0.1", port)
    way.port                          for those who go by it
    way.cuts                          how often it broke

Each connection is cut, without a word, behind a number of bytes that is drawn.
"""

import socket
import struct
import threading


class Cutting:
    def __init__(self, drawn, least, most):
        self.drawn, self.least, self.most = drawn, least, most
        self.target, self.cuts, self.whole = None, 0, False
        self.lock = threading.Lock()
        self.sock = socket.socket()
        self.sock.bind(("127.0.0.1", 0))
        self.sock.listen(16)
        self.port = self.sock.getsockname()[1]
        threading.Thread(target=self.run, daemon=True).start()

    def run(self):
        while True:
            try:
                here, _ = self.sock.accept()
            except OSError:
                return
            try:
                there = socket.create_connection(self.target)
            except OSError:
                here.close()
                continue
            left = [self.drawn.randint(self.least, self.most)]
            for one, other in ((here, there), (there, here)):
                threading.Thread(target=self.pump, args=(one, other, left),
                                 daemon=True).start()

    def pump(self, one, other, left):
        try:
            while True:
                data = one.recv(4096)
                if not data:
                    break
                with self.lock:
                    if not self.whole:
                        if left[0] is not None and left[0] <= len(data):
                            left[0] = None
                            self.cuts += 1
                        if left[0] is None:
                            break
                        left[0] -= len(data)
                other.sendall(data)
        except OSError:
            pass
        for sock in (one, other):
            try:
                sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER,
                                struct.pack("ii", 1, 0))
                sock.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass
            sock.close()

    def end(self):
        self.sock.close()
