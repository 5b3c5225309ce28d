"""A line between two interfaces with delay and a switch: ``python -m tests.real.network.delayline LEFT RIGHT``.

Not every kernel has netem, so frames are passed on by hand: read from one packet socket, held until they are due, and
written to the other. Each line on standard input is ``{"delay_ms": one way, "cut": false}``, answered by a line when
it holds. The ends must not leave checksums to a network card that is not there (`offload_off`).
"""

import collections
import ctypes
import fcntl
import json
import os
import select
import socket
import struct
import sys
import time

ALL = 0x0003  # ETH_P_ALL, linux/if_ether.h
SIOCETHTOOL = 0x8946
#: linux/ethtool.h: set transmit checksums, segmentation by TCP and in general, and joining of received packets
OFFLOADS = (0x17, 0x1F, 0x24, 0x2C)


def offload_off(name):
    """Let the kernel finish every frame before it is sent: real checksums, and nothing longer than the MTU."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as any_socket:
        for command in OFFLOADS:
            value = ctypes.create_string_buffer(struct.pack("=II", command, 0))
            fcntl.ioctl(any_socket, SIOCETHTOOL, struct.pack("16sP", name.encode(), ctypes.addressof(value)))


def main(left, right):
    ends = []
    for name in (left, right):
        end = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(ALL))
        end.bind((name, ALL))
        end.setblocking(False)
        ends.append(end)
    other = {ends[0]: ends[1], ends[1]: ends[0]}
    held, delay_s, cut = collections.deque(), 0.0, False
    print("ready", flush=True)
    while True:
        left_s = max(0.0, held[0][0] - time.monotonic()) if held else None
        readable, _w, _x = select.select([*ends, sys.stdin], [], [], left_s)
        for end in readable:
            if end is sys.stdin:
                line = sys.stdin.readline()
                if not line:
                    os._exit(0)
                asked = json.loads(line)
                delay_s, cut = asked["delay_ms"] / 1000, asked["cut"]
                print("done", flush=True)
                continue
            frame, place = end.recvfrom(65536)
            if place[2] != socket.PACKET_OUTGOING and not cut:
                held.append((time.monotonic() + delay_s, other[end], frame))
        while held and held[0][0] <= time.monotonic():
            _due, end, frame = held.popleft()
            try:
                end.send(frame)
            except BlockingIOError:
                pass  # a full queue loses packets, as a router's does


if __name__ == "__main__":
    main(*sys.argv[1:])
