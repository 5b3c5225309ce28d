# Copyright: SuanWang Brain contributors
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The routers on the way to a TCP port, asked without any privilege.

One connection attempt a hop limit, all at once. A router that discards a packet answers ICMP, which the kernel hands
to the socket's error queue (ip(7), IP_RECVERR; for TCP since Linux 5.8). So the very port is tried, through
the same translation and filters, where a probe by UDP would be judged by other rules.
"""

from __future__ import annotations

import contextlib
import dataclasses
import errno
import ipaddress
import os
import selectors
import socket
import struct
import sys
import time

from .resources import Hop

WAIT_S = 1.0
FARTHEST = 20
#: of linux/in.h and linux/in6.h; Python's socket has no names for them
_RECVERR = {socket.AF_INET: (socket.IPPROTO_IP, 11), socket.AF_INET6: (socket.IPPROTO_IPV6, 25)}
_LIMIT = {
    socket.AF_INET: (socket.IPPROTO_IP, socket.IP_TTL),
    socket.AF_INET6: (socket.IPPROTO_IPV6, socket.IPV6_UNICAST_HOPS),
}
#: struct sock_extended_err: errno, origin, type, code, pad, info, data; the sender's address follows
_EXTENDED = struct.Struct("=IBBBBII")
_ORIGIN_LOCAL = 1
#: type of "time exceeded": ICMP and ICMPv6
_EXCEEDED = {(2, 11), (3, 3)}


@dataclasses.dataclass(frozen=True)
class Trace:
    """hops: routers that answered, by distance. arrived: whether the far end answered, be it with a refusal.

    stops_at: the last router that passed a packet on, or the one that says it cannot; None where the far end answered
    or nobody did. why: what that one said, or why nothing is known.
    """

    hops: tuple[Hop, ...] = ()
    arrived: bool = False
    stops_at: Hop | None = None
    why: str | None = None


def trace(address, port, wait_s=WAIT_S, farthest=FARTHEST):
    """Return the Trace to an IP address and a TCP port. Never raises; takes wait_s at most, and little more."""
    if not hasattr(socket, "MSG_ERRQUEUE"):
        return Trace(why="hops can be found on Linux only")
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    with contextlib.ExitStack() as stack:
        try:
            answers = _ask(stack, family, address, port, wait_s, farthest)
        except OSError as error:
            return Trace(why=f"hops cannot be found here: {os.strerror(error.errno or errno.EIO).lower()}")
    return _judged(answers)


def _ask(stack, family, address, port, wait_s, farthest):
    """Return hop limit → (kind, address or None, ms): kind is exceeded, refusing, arrived or an errno's sentence."""
    waiting, answers = selectors.DefaultSelector(), {}
    stack.callback(waiting.close)
    for limit in range(1, farthest + 1):
        probe = stack.enter_context(socket.socket(family, socket.SOCK_STREAM))
        probe.setblocking(False)
        probe.setsockopt(*_RECVERR[family], 1)
        probe.setsockopt(*_LIMIT[family], limit)
        started = time.perf_counter()
        code = probe.connect_ex((address, port))
        if code not in (0, errno.EINPROGRESS):
            answers[limit] = (os.strerror(code).lower(), None, None)
            break
        waiting.register(probe, selectors.EVENT_WRITE, (limit, started))
    until = time.monotonic() + wait_s
    while waiting.get_map() and (left := until - time.monotonic()) > 0:
        for key, _events in waiting.select(left):
            limit, started = key.data
            waiting.unregister(key.fileobj)
            answers[limit] = (*_answer(key.fileobj), round((time.perf_counter() - started) * 1000, 3))
        arrived = min((n for n, (kind, *_rest) in answers.items() if kind == "arrived"), default=None)
        if arrived and all(limit in answers for limit in range(1, arrived)):
            break
    return answers


def _answer(probe):
    """Return (kind, address of who answered or None) of a connection attempt that has ended."""
    with contextlib.suppress(OSError):
        _data, extra, _flags, _sender = probe.recvmsg(1, 512, socket.MSG_ERRQUEUE)
        for level, kind, data in extra:
            if (level, kind) not in _RECVERR.values() or len(data) < _EXTENDED.size:
                continue
            code, origin, icmp, _code, *_rest = _EXTENDED.unpack_from(data)
            sender = _sender_of(data[_EXTENDED.size :])
            if origin == _ORIGIN_LOCAL:
                return os.strerror(code).lower(), None
            return ("exceeded" if (origin, icmp) in _EXCEEDED else os.strerror(code).lower()), sender
    code = probe.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
    return ("arrived", None) if code in (0, errno.ECONNREFUSED) else (os.strerror(code).lower(), None)


def _sender_of(data):
    """Return the address in a struct sockaddr_in or sockaddr_in6; None where there is none."""
    family = int.from_bytes(data[:2], sys.byteorder) if len(data) >= 8 else None
    if family == socket.AF_INET:
        return str(ipaddress.ip_address(data[4:8]))
    if family == socket.AF_INET6 and len(data) >= 24:
        return str(ipaddress.ip_address(data[8:24]))
    return None


def _judged(answers):
    hops = [Hop(n, who, ms) for n, (kind, who, ms) in sorted(answers.items()) if kind == "exceeded" and who]
    if any(kind == "arrived" for kind, *_rest in answers.values()):
        nearest = min(n for n, (kind, *_rest) in answers.items() if kind == "arrived")
        return Trace(tuple(hop for hop in hops if hop.number < nearest), arrived=True)
    for number, (kind, who, ms) in sorted(answers.items()):
        if kind != "exceeded" and who:
            said = Hop(number, who, ms)
            return Trace((*(hop for hop in hops if hop.number < number), said), stops_at=said, why=f"it says: {kind}")
    if hops:
        return Trace(tuple(hops), stops_at=hops[-1], why="nothing answers behind it")
    first = min(answers, default=None)
    if first and answers[first][1] is None and answers[first][0] not in ("exceeded", "arrived"):
        return Trace(why=f"this machine sends nothing there: {answers[first][0]}")
    return Trace(why="no router on the way answers, so it is not known how far packets come")
