# Copyright: SuanWang Brain contributors
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A service of the organisation that is no site: the approval service, a controller. One session, one token."""

from __future__ import annotations

import ipaddress
import types
from urllib.parse import urlsplit

from ..module_utils import sites
from ..module_utils.errors import BrainError
from ..module_utils.errors import Invalid
from ..module_utils.errors import NotFound
from ..module_utils.errors import Unauthorized
from ..module_utils.http import Http

CALL_S = 60
_KINDS = {401: Unauthorized, 403: Unauthorized, 404: NotFound}


class Service:
    """A session with a service. Raises BrainError; the token is in a header and nowhere else.

    name: what messages call it. address: of https, or http on this machine, where a token in the clear is nobody's to
    read. folder: the config folder, in which `ca_file` is its private certificate authority, where it has one.
    setting: what holds the address, for messages.
    """

    def __init__(self, name, address, token, folder, ca_file, setting):
        self.name, self._setting, self._ca_file = name, setting, ca_file
        self._prefix, endpoint = self._endpoint(address, folder, ca_file)
        self._headers = {"Authorization": f"Bearer {token}"}
        self._http = Http(types.SimpleNamespace(id=name), endpoint, folder)

    def __enter__(self):
        return self

    def __exit__(self, *_unused):
        self._http.close()

    def get(self, path, params=None, raw=False, headers=None):
        """Return the Answer of a read, which is retried."""
        answer = self._asked("GET", path, params=params, headers={**self._headers, **(headers or {})}, raw=raw)
        return self._judged(answer, f"GET {path}")

    def post(self, path, body):
        """Return the Answer of a write, which is sent once; an error with details.doubt may have done it."""
        answer = self._asked("POST", path, json=body, headers=self._headers, read=False)
        return self._judged(answer, f"POST {path}")

    def _asked(self, verb, path, **options):
        try:
            return self._http.request(verb, self._prefix + path, timeout_s=CALL_S, **options)
        except Unauthorized as error:  # its certificate: nothing was sent, so nobody has said anything of the token
            error.way_out = (
                f"Put the certificate authority of {self.name} into {self._ca_file} of the config folder,"
                f" or correct {self._setting}."
            )
            raise

    def _judged(self, answer, request):
        if answer.status < 300:
            return answer
        body = answer.body if isinstance(answer.body, dict) else {}
        said = str(body.get("detail") or body or f"it answered {answer.status}")[:600].rstrip(".")
        kind = _KINDS.get(answer.status, BrainError)
        way_out = f"Check its credential and {self._setting}." if kind is Unauthorized else None
        raise kind(
            f"{said}.", site=self.name, request=request, way_out=way_out, details={"status": answer.status}
        )  # fmt: skip

    def _endpoint(self, address, folder, ca_file):
        parts = urlsplit(address)
        try:
            port = parts.port or {"https": 443, "http": 80}[parts.scheme]
        except (KeyError, ValueError):
            port = None
        if not parts.hostname or port is None or parts.username or parts.query:
            raise Invalid(f"{self._setting} is no address.", way_out="Write https://host:port.")
        if parts.scheme == "http" and not _loopback(parts.hostname):
            raise Invalid(
                f"{self._setting} is plain http, which would show the token to everybody on the way.",
                way_out="Write https://, which only on this machine is not needed.",
            )
        tls = {"ca_bundle": ca_file} if (folder / ca_file).is_file() else {}
        endpoint = sites.Endpoint(self.name, parts.scheme, "intranet", parts.hostname, port, tls=tls)
        return parts.path.rstrip("/"), endpoint


def _loopback(host):
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
