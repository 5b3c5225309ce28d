"""Requests of ours to other servers, none of them a site: robots of chat groups, files of pushed commits.

One answer, no redirect followed, TLS verified, the environment's proxies ignored, bounded in size and time. The name is
resolved once, and what was checked is what is connected to. No message holds an address, since it may hold a key.
"""

from __future__ import annotations

import http.client
import ipaddress
import socket
import ssl
import time
import urllib.parse

CHUNK = 64 * 1024
NAT64 = ipaddress.ip_network("64:ff9b::/96")


class Failed(Exception):
    """A request had no good answer. final: trying again would not help."""

    def __init__(self, message, final=False):
        super().__init__(message)
        self.final = final


class _Pinned(http.client.HTTPConnection):
    """Connects to an address that was checked, whatever the name says by now."""

    def __init__(self, host, port, address, timeout, context=None):
        super().__init__(host, port, timeout=timeout)
        self._address, self._context = address, context

    def connect(self):
        self.sock = socket.create_connection((self._address, self.port), self.timeout)
        if self._context is not None:
            self.sock = self._context.wrap_socket(self.sock, server_hostname=self.host)


def request(method, url, *, headers=None, body=None, within_s=20, most=1 << 20, ca_bundle=None, inside=None):
    """Return (status, bytes) of an answer; raise Failed.

    inside: networks that the address may lie in where it is not a public one; None: any address is fine.
    most: the longest answer, bytes. within_s: for all of it.
    """
    parts = urllib.parse.urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise Failed("the address is no http or https address", final=True)
    until = time.monotonic() + within_s
    context = ssl.create_default_context(cafile=ca_bundle) if parts.scheme == "https" else None
    try:
        port = parts.port or (443 if context else 80)
        address = _address(parts.hostname, port, inside)
        connection = _Pinned(parts.hostname, port, address, within_s, context)
        try:
            path = urllib.parse.urlunsplit(("", "", parts.path or "/", parts.query, ""))
            connection.request(method, path, body, headers or {})
            answer = connection.getresponse()
            return answer.status, _read(answer, connection, most, until)
        finally:
            connection.close()
    except ssl.SSLCertVerificationError as error:
        raise Failed(f"the certificate of {parts.hostname} is not trusted: {error.verify_message}") from error
    except (OSError, http.client.HTTPException, ValueError) as error:
        raise Failed(f"{parts.hostname} does not answer as it should: {type(error).__name__}") from error


def _address(host, port, inside):
    found = [row[4][0] for row in socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)]
    if inside is not None:
        for one in found:
            if not may_reach(one, inside):
                raise Failed(f"{host} lies in a private network that the settings do not list", final=True)
    return found[0]


def may_reach(address, inside):
    """Return whether an address is public, or lies in one of the listed networks."""
    found = ipaddress.ip_address(address.partition("%")[0])
    mapped = getattr(found, "ipv4_mapped", None) or getattr(found, "sixtofour", None)
    if mapped is None and found.version == 6 and found in NAT64:
        mapped = ipaddress.ip_address(int(found) & 0xFFFFFFFF)
    found = mapped or found
    networks = [ipaddress.ip_network(one) for one in inside]
    return (found.is_global and not found.is_multicast) or any(found in one for one in networks)


def _read(answer, connection, most, until):
    parts, size = [], 0
    while True:
        left = until - time.monotonic()
        if left <= 0:
            raise Failed("the answer took too long")
        if connection.sock is not None:
            connection.sock.settimeout(left)
        part = answer.read1(CHUNK)
        if not part:
            return b"".join(parts)
        parts.append(part)
        size += len(part)
        if size > most:
            raise Failed(f"the answer is longer than {most} bytes", final=True)
