# Copyright: SuanWang Brain contributors
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""One HTTP session a site endpoint. Only this file and httplink.py know the library below it.

TLS is verified against the endpoint's own CA; the environment's proxies and bundles are ignored;
redirects are not followed. A call has a deadline of its own, because a timeout of the library is
per read, so a server that trickles would hold us for ever. Reads are retried with jitter, writes
never. No error holds a header, a token or a body.
"""

from __future__ import annotations

import email.utils
import ipaddress
import json as jsonlib
import os
import pathlib
import random
import threading
import time
from dataclasses import dataclass
from urllib.parse import urlsplit
from urllib.parse import urlunsplit

from .errors import BrainError
from .errors import Invalid
from .errors import Refused
from .errors import Timeout
from .errors import Unauthorized
from .errors import Unreachable
from .httplink import Call
from .httplink import current
from .httplink import library
from .networks import inside

CONNECT_S = 5.0
TRIES = 4
BACKOFF_S = 0.2
BODY_LIMIT = 64 * 1024 * 1024
_GATEWAY = (502, 503, 504)


@dataclass(frozen=True)
class Answer:
    """One HTTP answer of any status. headers: lower-case names. body: parsed JSON, or None.

    response: the library's own object, read to its end.
    content: the bytes of an answer that was asked for as bytes; text and body are empty then.
    """

    status: int
    headers: dict
    body: object
    text: str
    response: object = None
    content: bytes = b""


class Http:
    """A session with one endpoint of a site. site, endpoint: records of sites.py.

    folder: the config folder, for a relative `ca_bundle`.
    """

    def __init__(self, site, endpoint, folder):
        self.site = site
        self.endpoint = endpoint
        self.folder = pathlib.Path(folder)
        #: milliseconds of the last TCP connect; None before the first
        self.rtt_ms = None
        self._session = None
        self._pid = None
        self._lock = threading.Lock()
        self._next_at = 0.0

    def request(
        self, method, path, *, params=None, json=None, form=None, files=None, headers=None, timeout_s=20, read=True,
        raw=False, own=(),
    ):  # fmt: skip
        """Send one request and return its Answer; the caller judges the status.

        path: below the endpoint, or a whole address that `foreign_url` returned. form: fields of a form, or a body as
        it is; with files {field: (name, bytes)} a multipart one. timeout_s: for the whole call with all its retries.
        read: False for what changes something, which is sent once. raw: an answer below 400 is bytes.
        own: statuses of a gateway that the platform itself gives too, and means where its body is an object.
        Raises Unreachable or Timeout, with details.doubt True where a write may have happened; Unauthorized where the
        server is not the one it should be.
        """
        name = f"{method} {path}"
        until = time.monotonic() + timeout_s
        parts = {"params": params, "json": json, "data": form, "files": files, "headers": headers}
        for attempt in range(1, TRIES + 1):
            answer = None
            try:
                self._take_turn(name, until)
                answer = self._once(name, method, path, parts, until, raw)
                said_itself = answer.status in own and isinstance(answer.body, dict)
                trouble = None if said_itself else self._trouble(answer, name)
            except Unreachable as error:
                trouble = error
            if trouble is None:
                return answer
            pause = _retry_after(answer)
            if pause is None:
                pause = BACKOFF_S * 2 ** (attempt - 1) * random.uniform(0.5, 1.5)
            last = attempt == TRIES or time.monotonic() + pause >= until
            if last or not read or not trouble.retryable or isinstance(trouble, Timeout):
                if read:
                    trouble.details.pop("doubt", None)
                raise trouble
            time.sleep(pause)

    def foreign_url(self, url):
        """Return a URL out of an answer as one that we may open: mapped, inside the networks.

        Raises Refused for anything else: an answer must not send us to a third party.
        """
        parts = urlsplit(url)
        try:
            port = parts.port or {"https": 443, "http": 80}[parts.scheme]
        except (ValueError, KeyError):
            port = None
        host = parts.hostname
        if port is None or not host or parts.username or parts.password:
            raise self._foreign(url, "is no plain http or https address")
        for row in getattr(self.site, "address_map", None) or ():
            if (row["private"]["address"], row["private"]["port"]) == (host, port):
                host, port = row["public"]["address"], row["public"]["port"]
                break
        try:
            ipaddress.ip_address(host)
        except ValueError:
            raise self._foreign(url, "names a host that the site's address map does not") from None
        if not inside(host, [net for nets in self.site.networks.values() for net in nets]):
            raise self._foreign(url, "lies outside the site's networks")
        netloc = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
        return urlunsplit((parts.scheme, netloc, parts.path, parts.query, ""))

    def lend(self, timeout_s=30):
        """Return what a library takes for a session of the library below us; see Lent."""
        return Lent(self, timeout_s)

    def close(self):
        session, self._session = self._session, None
        if session is not None and self._pid == os.getpid():
            session.close()

    # -- one exchange ------------------------------------------------------------------------------
    def _foreign(self, url, why):
        parts = urlsplit(url)
        shown = f"{parts.scheme}://{parts.hostname}{parts.path}"
        return Refused(
            f"the address {shown} in an answer {why}.",
            site=self.site.id,
            way_out="Add it to `address_map` or `networks` of the site file, if it is the site's.",
        )

    def _take_turn(self, name, until):
        if not self.endpoint.requests_a_s:
            return
        with self._lock:
            at = max(self._next_at, time.monotonic())
            if at >= until:
                raise self._broken(Timeout, name, "the site's rate limit leaves no turn in time.", False)
            self._next_at = at + 1 / self.endpoint.requests_a_s
        time.sleep(max(0.0, at - time.monotonic()))

    def _once(self, name, method, path, parts, until, raw):
        lib = library()
        session = self._ready_session()
        left = until - time.monotonic()
        if left <= 0:
            raise self._broken(Timeout, name, "no time was left to ask.", False)
        call = Call()
        watch = threading.Timer(left, call.cut)
        watch.daemon = True
        watch.start()
        current.call = call
        try:
            response = session.send(
                lib.prepared(session, method, self._url(path), parts),
                timeout=(min(CONNECT_S, left), left),
                allow_redirects=False,
                stream=True,
            )
            with response:
                content = self._read(response, name)
        except lib.RequestException as error:
            # `from None`: the library's own text and request object hold addresses and headers.
            raise self._translate(error, call, name, until) from None
        finally:
            watch.cancel()
            current.call = None
            self.rtt_ms = call.rtt_ms if call.rtt_ms is not None else self.rtt_ms
        if call.was_cut:
            raise self._late(name, call.sent)
        response._content = content
        lower = {key.lower(): value for key, value in response.headers.items()}
        if raw and response.status_code < 400:
            return Answer(response.status_code, lower, None, "", response, content)
        text = content.decode("utf-8", "replace")
        try:
            body = jsonlib.loads(text) if text else None
        except ValueError:
            body = None
        return Answer(response.status_code, lower, body, text, response)

    def _read(self, response, name):
        content = bytearray()
        for piece in response.iter_content(65536):
            content += piece
            if len(content) > BODY_LIMIT:
                raise BrainError(
                    f"the answer is larger than {BODY_LIMIT // 2**20} MiB.",
                    site=self.site.id,
                    request=name,
                )
        return bytes(content)

    def _url(self, path):
        return path if "://" in path else f"{self.base}{path}"

    @property
    def base(self):
        """Return ``https://address:port`` of the endpoint."""
        host = self.endpoint.address
        host = f"[{host}]" if ":" in host else host
        return f"{self.endpoint.protocol}://{host}:{self.endpoint.port}"

    def _ready_session(self):
        with self._lock:
            if self._session is None or self._pid != os.getpid():
                # Never the parent's: two processes on one TLS connection garble both.
                self._session, self._pid = self._new_session(), os.getpid()
            return self._session

    def _new_session(self):
        tls = self.endpoint.tls
        session = library().Session()
        session.trust_env = False
        if tls.get("ca_bundle"):
            bundle = self.folder / tls["ca_bundle"]
            if not bundle.is_file():
                raise Invalid(
                    f"the CA bundle {bundle} is not there.",
                    site=self.site.id,
                    way_out="Put the site's CA certificate there, or correct `tls.ca_bundle`.",
                )
            session.verify = str(bundle)
        if self.endpoint.proxy:
            session.proxies = dict.fromkeys(("http", "https"), self.endpoint.proxy)
        adapter = library().Adapter(tls.get("server_name"), tls.get("pin_sha256"))
        session.mount("https://", adapter)
        session.mount("http://", adapter)
        return session

    # -- what went wrong ---------------------------------------------------------------------------
    def _broken(self, kind, name, message, doubt, way_out=None):
        return kind(message, site=self.site.id, request=name, way_out=way_out, details={"doubt": doubt})

    def _late(self, name, sent):
        return self._broken(Timeout, name, "no whole answer came in time.", sent)

    def _trouble(self, answer, name):
        if answer.status == 429:
            wait = _retry_after(answer)
            hint = f"Try again in {wait:.0f} s." if wait else "Try again later, or lower the rate."
            return self._broken(Unreachable, name, "the site says 429, too many requests.", False, hint)
        if answer.status in _GATEWAY:
            said = f"a gateway in front of the site answers {answer.status}."
            return self._broken(Unreachable, name, said, True)
        return None

    def _translate(self, error, call, name, until):
        lib = library()
        if call.was_cut or (isinstance(error, lib.Late) and time.monotonic() >= until - 0.05):
            return self._late(name, call.sent)
        if isinstance(error, lib.SSLError) and not call.sent:
            found = self._broken(
                Unauthorized,
                name,
                f"the server is not the one it should be: {_tls_reason(error)}.",
                False,
                "Check `tls.ca_bundle`, `tls.server_name` and the pin in the site file.",
            )
            return found
        said = f"no answer: {_reason(error)}."
        return self._broken(Unreachable, name, said, call.sent)


class Lent:
    """Our session, for a library that brings its own requests: same TLS, deadline, retries of reads, address map.

    Every address is one out of an answer, so it goes through `foreign_url`. Errors are ours, and pass through it.
    """

    def __init__(self, http, timeout_s):
        self._http, self._timeout_s = http, timeout_s

    def request(self, method, url, *, params=None, json=None, data=None, headers=None, **_theirs):
        answer = self._http.request(
            method,
            self._http.foreign_url(url),
            params=params,
            json=json,
            form=data,
            headers=headers,
            timeout_s=self._timeout_s,
            read=method in ("GET", "HEAD"),
        )
        return answer.response


def preload():
    """Import the library now, and what its first TLS connection would load, so that forked workers inherit it."""
    library().tls()


def _retry_after(answer):
    """Return the seconds of Retry-After, a number or a date, or None."""
    value = answer.headers.get("retry-after") if answer else None
    if not value:
        return None
    try:
        return max(0.0, float(value))
    except ValueError:
        pass
    try:
        at = email.utils.parsedate_to_datetime(value)
    except (TypeError, ValueError):
        return None
    return max(0.0, at.timestamp() - time.time())


def _causes(error):
    """Yield an exception and everything it wraps."""
    waiting, seen = [error], set()
    while waiting:
        one = waiting.pop(0)
        if not isinstance(one, BaseException) or id(one) in seen:
            continue
        seen.add(id(one))
        yield one
        waiting += [getattr(one, "reason", None), one.__cause__, one.__context__, *one.args]


def _reason(error):
    """Return why a connection failed, in words that cannot hold a secret."""
    for one in _causes(error):
        if isinstance(one, OSError) and isinstance(one.errno, int) and one.errno > 0:
            return os.strerror(one.errno).lower()
    kind = type(error).__name__
    words = {
        "ConnectTimeout": "the connection was not made in time",
        "ReadTimeout": "it took too long",
        "ChunkedEncodingError": "the answer was cut short",
        "ProxyError": "the proxy refused",
    }
    return words.get(kind, "the connection was cut")


def _tls_reason(error):
    for one in _causes(error):
        said = getattr(one, "verify_message", None)
        if said:
            return str(said).rstrip(".")
    for one in _causes(error):
        if type(one).__name__ == "SSLError" and "ingerprint" in str(one):
            return "its certificate is not the pinned one"
        if type(one).__name__ == "CertificateError":
            return "its certificate names another server"
    return "TLS failed"
