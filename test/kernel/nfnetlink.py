"""Listens to NFLOG groups or NFQUEUE queues of the network namespace that it runs in, and prints what the kernel hands over as
lines of JSON. `ready` is the first line. It ends with its standard input.

    nfnetlink.py nflog GROUP [THRESHOLD [COPY]]
    nfnetlink.py nfqueue QUEUE VERDICT [LENGTH [FAILOPEN]]

VERDICT is what every packet gets: accept, drop, repeat, hold (no verdict), late (accepted when the next one that is not late has its
verdict), `queue N`, with `mark N` and `payload HEX` behind it; or several
of these joined by commas, one a packet in turn, the last for all that follow.
"""
import json
import os
import select
import socket
import struct
import sys

NETLINK_NETFILTER = 12
ACK = 0x0005  # NLM_F_REQUEST | NLM_F_ACK
ULOG, QUEUE = 4, 3
VERDICTS = {'drop': 0, 'accept': 1, 'queue': 3, 'repeat': 4}


def attribute(kind, value):
    return struct.pack('=HH', len(value) + 4, kind) + value + b'\0' * (-len(value) % 4)


def message(kind, number, body, flags=ACK):
    payload = struct.pack('=BBH', 0, 0, socket.htons(number)) + body
    return struct.pack('=IHHII', 16 + len(payload), kind, flags, 1, 0) + payload


def messages(data):
    at = 0
    while at + 16 <= len(data):
        length, kind = struct.unpack_from('=IH', data, at)
        yield kind, data[at + 16 : at + length]
        at += (length + 3) & ~3


def attributes(body):
    found = {}
    at = 4
    while at + 4 <= len(body):
        length, kind = struct.unpack_from('=HH', body, at)
        found[kind & 0x3FFF] = body[at + 4 : at + length]
        at += (length + 3) & ~3
    return found


def ask(sock, *args):
    sock.send(message(*args))
    for kind, body in messages(sock.recv(1 << 17)):
        if kind == 2:
            error = struct.unpack_from('=i', body)[0]
            if error:
                raise OSError(-error, os.strerror(-error))


def number(value):
    return struct.unpack('>I', value)[0] if value else 0


def device(value):
    return socket.if_indextoname(number(value)) if value else ''


def say(record):
    sys.stdout.write(json.dumps(record) + '\n')
    sys.stdout.flush()


def nflog(sock, group, threshold=1, copy=65535):
    config = (ULOG << 8) | 1
    ask(sock, config, group, attribute(1, b'\1'))
    ask(sock, config, group, attribute(2, struct.pack('>IBB', copy, 2, 0)) + attribute(5, struct.pack('>I', threshold)))
    say('ready')
    for data in received(sock):
        batch = []
        for kind, body in messages(data):
            if kind != ULOG << 8:
                continue
            found = attributes(body)
            batch.append(
                {
                    'family': body[0],
                    'hook': found[1][2],
                    'prefix': found.get(10, b'').rstrip(b'\0').decode(),
                    'mark': number(found.get(2)),
                    'in': device(found.get(4)),
                    'out': device(found.get(5)),
                    'payload': found.get(9, b'').hex(),
                }
            )
        if batch:
            say(batch)


def verdict_of(words, found):
    verdict = VERDICTS[words[0]]
    rest = words[1:]
    if words[0] == 'queue':
        verdict |= int(rest.pop(0)) << 16
    body = attribute(2, struct.pack('>I', verdict) + found[1][:4])
    while rest:
        name, value = rest[:2]
        rest = rest[2:]
        if name == 'mark':
            body += attribute(3, struct.pack('>I', int(value, 0)))
        else:
            body += attribute(10, bytes.fromhex(value))
    return body


def nfqueue(sock, queue, verdicts, length=1024, failopen=0):
    config = (QUEUE << 8) | 2
    ask(sock, config, queue, attribute(1, b'\1\0\0\0'))
    ask(sock, config, queue, attribute(2, struct.pack('>IB', 65535, 2)) + attribute(3, struct.pack('>I', length)))
    if failopen:
        ask(sock, config, queue, attribute(4, struct.pack('>I', 1)) + attribute(5, struct.pack('>I', 1)))
    plan = [part.split() for part in verdicts.split(',')]
    late = []
    say('ready')
    for data in received(sock):
        for kind, body in messages(data):
            if kind != QUEUE << 8:
                continue
            found = attributes(body)
            say(
                {
                    'family': body[0],
                    'queue': struct.unpack('>H', body[2:4])[0],
                    'hook': found[1][6],
                    'mark': number(found.get(3)),
                    'priority': number(found.get(21)),
                    'in': device(found.get(5)),
                    'out': device(found.get(6)),
                    'payload': found.get(10, b'').hex(),
                }
            )
            words = plan.pop(0) if len(plan) > 1 else plan[0]
            if words[0] == 'late':
                late.append(found)
            elif words[0] != 'hold':
                sock.send(message((QUEUE << 8) | 1, queue, verdict_of(words, found), 1))
                for each in late:
                    sock.send(message((QUEUE << 8) | 1, queue, verdict_of(['accept'], each), 1))
                late = []


def received(sock):
    while True:
        ready = select.select([sock, sys.stdin], [], [])[0]
        if sock in ready:
            try:
                yield sock.recv(1 << 17)
            except OSError as error:
                say({'error': str(error)})
        elif sys.stdin in ready and not os.read(0, 1):
            return


def main():
    sock = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, NETLINK_NETFILTER)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 22)
    sock.bind((0, 0))
    kind, first, *rest = sys.argv[1:]
    if kind == 'nflog':
        nflog(sock, int(first), *map(int, rest))
    else:
        nfqueue(sock, int(first), rest[0], *map(int, rest[1:]))


main()
