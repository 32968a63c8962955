# Both ends of many UDP flows whose packets carry a number and a checksum, for test/gateway/workers.test.ts.
#
#   flows.py sink PORT                                 until SIGTERM; answers each eighth packet with itself
#   flows.py source FIRST ADDRESS PORT FLOWS COUNT     COUNT packets of each flow, from ports FIRST on, as fast as it can
#
# The source has each flow answered once before it begins. Both print a line of JSON: packets, those that came after a later one of
# their flow, and those that are not what was sent.

import json
import select
import signal
import socket
import struct
import sys
import zlib

HEAD = struct.Struct("!III")
FILL = bytes(i * 7 & 255 for i in range(1200))


def packet(flow, number):
    body = struct.pack("!II", flow, number) + FILL[: (flow * 31 + number * 17) % 600]
    return struct.pack("!I", zlib.crc32(body)) + body


class Seen:
    def __init__(self):
        self.packets, self.disorder, self.corrupt, self.last = 0, 0, 0, {}

    def take(self, data):
        if len(data) < HEAD.size or zlib.crc32(data[4:]) != HEAD.unpack_from(data)[0]:
            self.corrupt += 1
            return None
        _, flow, number = HEAD.unpack_from(data)
        self.packets += 1
        if number <= self.last.get(flow, -1):
            self.disorder += 1
        self.last[flow] = number
        return number

    def result(self, **more):
        seen = dict(packets=self.packets, disorder=self.disorder, corrupt=self.corrupt, flows=len(self.last))
        print(json.dumps({**seen, **more}), flush=True)


def udp():
    s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    s.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 20)
    s.setsockopt(socket.SOL_SOCKET, getattr(socket, "SO_RCVBUFFORCE", 33), 1 << 26)
    return s


def sink(port):
    s = udp()
    s.bind(("0.0.0.0", port))
    ended = []
    signal.signal(signal.SIGTERM, lambda *_: ended.append(True))
    print("ready", flush=True)
    seen = Seen()
    s.settimeout(0.2)
    while True:
        try:
            data, source = s.recvfrom(2048)
        except TimeoutError:
            if ended:
                return seen.result()
            continue
        number = seen.take(data)
        if number == 0 or number is not None and seen.packets % 8 == 0:
            s.sendto(data, source)


def source(first, address, port, flows, count):
    sockets = []
    for flow in range(flows):
        s = udp()
        s.bind(("0.0.0.0", first + flow))
        s.connect((address, port))
        sockets.append(s)
    answered = 0
    for flow, s in enumerate(sockets):
        for _ in range(20):
            s.send(packet(flow, 0))
            if select.select([s], [], [], 0.5)[0]:
                s.recv(2048)
                answered += 1
                break
    seen, sent = Seen(), flows
    for base in range(1, count, 16):
        for flow, s in enumerate(sockets):
            for number in range(base, min(base + 16, count)):
                s.send(packet(flow, number))
                sent += 1
    while True:
        ready = select.select(sockets, [], [], 0.5)[0]
        if not ready:
            break
        for s in ready:
            seen.take(s.recv(2048))
    seen.result(sent=sent, answered=answered)


def only_send(first, address, port, flows, count):
    """Whoever answers or not."""
    sockets = []
    for flow in range(flows):
        s = udp()
        s.bind(("0.0.0.0", first + flow))
        s.connect((address, port))
        sockets.append(s)
    for _ in range(count):
        for s in sockets:
            try:
                s.send(FILL[:72])
            except OSError:
                pass
    print(json.dumps(dict(sent=flows * count)), flush=True)


mode, *rest = sys.argv[1:]
numbers = [int(word) if word.isdigit() else word for word in rest]
{"sink": sink, "source": source, "send": only_send}[mode](*numbers)
