# Copyright: SuanWang Brain contributors
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The network path from here to an endpoint, as it is now: does it answer, as whom, how fast, and where does it stop.

Nothing is sent but what a connection itself sends: TCP, then TLS or the key exchange of SSH.
"""

from __future__ import annotations

import dataclasses
import errno
import hashlib
import os
import pathlib
import socket
import ssl
import time
from datetime import datetime
from datetime import UTC
from urllib.parse import urlsplit

from . import hops
from . import networks
from . import sshlink
from .errors import BrainError
from .errors import Invalid
from .resources import Hop

CONNECT_S = 3.0
#: The kernel asks again for a connection after one second: what takes longer lost a packet.
ASKS_AGAIN_S = 1.0
#: How many handshakes tell what a path loses.
PROBES = 5
_REFUSED = "it refuses the connection: the address answers, but nothing listens there, or a filter refuses"


@dataclasses.dataclass(frozen=True)
class Survey:
    """What was found. Unknown is None.

    phase: where it ended: connect, tls or host_key; None where all is well. error: why, a sentence without its full
    stop. rtt_ms: of the TCP handshake. loss_pct: of the handshakes tried, those that failed or needed a second packet.
    identity: SHA-256 of the certificate (hex) or host key (as OpenSSH shows it).
    expires_at: when the certificate ends. hops, stops_at: routers on the way, asked only where nothing answered or
    they were wanted; hops_note: why none are known.
    """

    endpoint: str | None
    protocol: str
    via: str
    address: str
    port: int
    port_range: str
    reachable: bool
    phase: str | None = None
    error: str | None = None
    rtt_ms: float | None = None
    loss_pct: float | None = None
    identity: str | None = None
    expires_at: str | None = None
    hops: tuple[Hop, ...] | None = None
    stops_at: Hop | None = None
    hops_note: str | None = None

    @property
    def sentence(self):
        """Return what is wrong, with how far packets come, without a full stop; None where nothing is."""
        if self.error is None:
            return None
        if self.stops_at:
            return f"{self.error}; the path stops at {self.stops_at.address}, hop {self.stops_at.number}"
        return self.error


def survey(site, endpoint, folder, *, host_key=False, trace=False, timeout_s=CONNECT_S, probes=1):
    """Return the Survey of an endpoint; raise Refused or Invalid where the site's policy forbids to look.

    site, endpoint: records of sites.py. folder: the config folder, for certificates and host keys. host_key: ask an
    SSH server who it is, which costs it a key exchange. trace: find the routers although the endpoint answers.
    probes: TCP handshakes in all; one says nothing of what is lost on the way.
    Through a proxy or a jump host only that can be tried, so neither round trip, loss nor hops are known there.
    """
    found = {
        "endpoint": endpoint.id,
        "protocol": endpoint.protocol,
        "via": endpoint.via,
        "address": endpoint.address,
        "port": endpoint.port,
        "port_range": networks.allowed(site, endpoint.via, endpoint.address, endpoint.port),
    }
    first = site.endpoint(endpoint.jump) if endpoint.jump else endpoint
    beyond = endpoint.jump or first.proxy
    connection, rtt_ms, error = _connected(first, timeout_s)
    found |= {"reachable": error is None, "rtt_ms": None if beyond else rtt_ms}
    if probes > 1 and not beyond:
        found["loss_pct"] = 100.0 if error is not None else _loss_pct(endpoint, rtt_ms, probes)
    if error is not None:
        found |= {"phase": "connect", "error": _words(error)}
    else:
        with connection:
            if endpoint.protocol == "https" and not beyond:
                found |= _certificate(connection, endpoint, pathlib.Path(folder), timeout_s)
        if endpoint.protocol == "ssh" and host_key and not beyond:
            found |= _host_key(endpoint, pathlib.Path(folder))
    silent = error is not None and not isinstance(error, ConnectionRefusedError)
    if (trace or silent) and not beyond:
        found |= _hops(endpoint)
    return Survey(**found)


def _connected(endpoint, timeout_s):
    """Return (socket, milliseconds, None), or (None, None, the OSError)."""
    host, port = endpoint.address, endpoint.port
    if endpoint.proxy:
        parts = urlsplit(endpoint.proxy)
        host, port = parts.hostname, parts.port or 3128
    started = time.perf_counter()
    try:
        connection = socket.create_connection((host, port), timeout=timeout_s)
    except OSError as error:
        return None, None, error
    return connection, round((time.perf_counter() - started) * 1000, 3), None


def _loss_pct(endpoint, first_ms, probes):
    """Return the share of handshakes that lost a packet, the first of them done already."""
    lost = int(first_ms > ASKS_AGAIN_S * 1000)
    for _unused in range(probes - 1):
        connection, _rtt_ms, error = _connected(endpoint, ASKS_AGAIN_S)
        if error is None:
            connection.close()
        lost += int(error is not None)
    return round(100 * lost / probes, 1)


def _words(error):
    if isinstance(error, ConnectionRefusedError):
        return _REFUSED
    if isinstance(error, TimeoutError) or error.errno == errno.ETIMEDOUT:
        return "nothing answers: no connection came about in time"
    if error.errno and error.errno > 0:
        return f"nothing answers: {os.strerror(error.errno).lower()}"
    return "nothing answers: the name does not resolve"


# -- who answers ------------------------------------------------------------------------------------
def _certificate(connection, endpoint, folder, timeout_s):
    """Return {identity, expires_at}, or {phase, error} where the server is not the one it should be."""
    tls = endpoint.tls
    try:
        context = ssl.create_default_context(cafile=_bundle(tls, folder))
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        connection.settimeout(timeout_s)
        name = tls.get("server_name") or endpoint.address
        with context.wrap_socket(connection, server_hostname=name) as secure:
            raw, stated = secure.getpeercert(binary_form=True), secure.getpeercert()
    except ssl.SSLCertVerificationError as error:
        return {"phase": "tls", "error": f"the certificate is refused: {error.verify_message.rstrip('.').lower()}"}
    except BrainError as error:
        return {"phase": "tls", "error": error.message.rstrip(".")}
    except TimeoutError:
        return {"phase": "tls", "error": "it accepts the connection, but does not answer TLS in time"}
    except OSError:
        return {"phase": "tls", "error": "it accepts the connection, but TLS fails"}
    identity = hashlib.sha256(raw).hexdigest()
    ends = datetime.fromtimestamp(ssl.cert_time_to_seconds(stated["notAfter"]), UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    found = {"identity": identity, "expires_at": ends}
    if tls.get("pin_sha256") not in (None, identity):
        found |= {"phase": "tls", "error": "its certificate is not the pinned one"}
    return found


def _bundle(tls, folder):
    """Return the file of the CAs that are believed: the endpoint's own, else those that the HTTP library brings."""
    if tls.get("ca_bundle"):
        if not (folder / tls["ca_bundle"]).is_file():
            raise Invalid(f"the CA bundle {folder / tls['ca_bundle']} is not there.")
        return str(folder / tls["ca_bundle"])
    try:
        import certifi
    except ImportError:
        return None
    return certifi.where()


def _host_key(endpoint, folder):
    try:
        identity, trusted = sshlink.host_key(endpoint.address, endpoint.port, folder / endpoint.known_hosts)
    except BrainError as error:
        return {"phase": "host_key", "error": error.message.rstrip(".")}
    if trusted:
        return {"identity": identity}
    said = f"its host key is not the one of {endpoint.known_hosts}"
    return {"identity": identity, "phase": "host_key", "error": said}


def _hops(endpoint):
    found = hops.trace(endpoint.address, endpoint.port)
    return {"hops": found.hops, "stops_at": found.stops_at, "hops_note": found.why}
