# Copyright: SuanWang Brain contributors
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Asking a platform as its profile says: login, envelope, errors, pages.

HTTP 200 with an error inside is an error, a list shorter than its announced total is said to be, and no message holds
a header, a token or the secret.
"""

from __future__ import annotations

import dataclasses
import hashlib
import hmac
import json
import threading
import time

from ..errors import BrainError
from ..errors import Conflict
from ..errors import Invalid
from ..errors import NotFound
from ..errors import QuotaExceeded
from ..errors import Refused
from ..errors import Unauthorized
from ..errors import Unreachable
from ..platforms.base import compiled
from .language import basic
from .language import fill
from .language import fill_path

READ_S, WRITE_S = 20, 40
TRIES, BACKOFF_S = 3, 0.2
PAGES = 1000
WORDS = 300
CLASSES = {
    "conflict": Conflict,
    "invalid": Invalid,
    "not_found": NotFound,
    "quota_exceeded": QuotaExceeded,
    "refused": Refused,
    "token": Unauthorized,
    "unauthorized": Unauthorized,
    "unreachable": Unreachable,
}
#: What a status means where the profile's errors do not say otherwise.
STATUS = {400: "invalid", 401: "token", 403: "unauthorized", 404: "not_found", 409: "conflict", 422: "invalid"}

#: (config folder, site, endpoint, user, SHA-256 of the secret) → token, for all of this process
_TOKENS = {}
#: The same → a lock, so that a login that waits holds up nobody's but its own.
_LOCKS = {}
_LOCK = threading.Lock()


@dataclasses.dataclass(frozen=True)
class Rows:
    """The rows of a list, as our fields. short: a sentence where the platform announced more than it gave."""

    rows: list
    short: str | None = None


class Talk:
    """One account's conversation with one endpoint."""

    def __init__(self, connection, profile, name):
        self.connection = connection
        self.profile = profile
        self.name = name

    # -- one call ------------------------------------------------------------------------------------
    def can(self, noun):
        return noun in self.profile["paths"]

    def call(self, noun, *, timeout_s=None, raw=False, part=None, page=None, **values):
        """Make a call of the profile's paths; return the data of its answer, or the Answer itself where it is raw.

        part: bytes that a multipart call carries. page: more of the query. A read is tried again where the platform
        says that it cannot answer now. Raises Unreachable with details.doubt True where a write may have happened.
        """
        entry = self.profile["paths"][noun]
        read = entry.get("read", entry["method"] == "GET")
        timeout_s = timeout_s or (READ_S if read else WRITE_S)
        renewed = False
        for attempt in range(1, TRIES + 2):
            token = None
            try:
                headers, token = self._headers()
                return self._ask(entry, {**self._known(), **values}, headers, timeout_s, raw, part, read, page)
            except Unauthorized as error:
                if not error.details.get("renew"):
                    raise
                if renewed or token is None:
                    raise self._about_the_credential(error) from None
                renewed = True
                self._forget(token)
            except Unreachable as error:
                if not read or attempt >= TRIES or not error.details.get("said"):
                    raise
                time.sleep(BACKOFF_S * attempt)
        raise AssertionError("unreachable")

    def _known(self):
        account = self.connection.account
        return {
            **self.profile.get("constants", {}),
            "user": account.user,
            "account": account.account,
            "tenant": self.connection.tenant,
        }

    def _ask(self, entry, values, headers, timeout_s=READ_S, raw=False, part=None, read=True, page=None):
        path = fill_path(entry["path"], values)
        request = f"{entry['method']} {entry['path']}"
        kind, body = entry.get("as", "json"), fill(entry.get("body"), values)
        sent = {"json": body} if kind == "json" else {"form": body}
        if part is not None:
            sent["files"] = {entry.get("part", "file"): (str(values.get("file", "part")), part)}
        try:
            answer = self.connection.http.request(
                entry["method"],
                path,
                params={**fill(entry.get("query", {}), values), **(page or {})},
                headers={**headers, **fill(entry.get("headers", {}), values)},
                timeout_s=timeout_s,
                read=read,
                raw=raw,
                **sent,
            )
        except BrainError as error:
            error.request = request
            raise
        if raw and answer.content and not self._is_error(answer):
            return answer
        if raw and answer.content:
            answer = dataclasses.replace(answer, text=answer.content.decode("utf-8", "replace"), body=_json(answer))
        data = self._judged(answer, request, entry.get("fine", ()), read)
        return answer if raw else data

    def _is_error(self, answer):
        """Tell a file from HTTP 200 with an error inside: JSON by its type, with a code that is not of success."""
        envelope = self.profile["envelope"]
        body = _json(answer) if "json" in answer.headers.get("content-type", "") else None
        if not isinstance(body, dict) or not {"ok", "message"} <= set(envelope):
            return False
        code, words = (compiled(envelope[part]).search(body) for part in ("code", "message"))
        return None not in (code, words) and _text(code) not in map(_text, envelope["ok"])

    def _judged(self, answer, request, fine, read):
        """Return the data of an answer, or raise what it says."""
        envelope, body = self.profile["envelope"], answer.body
        shaped = isinstance(body, (dict, list))
        code = compiled(envelope["code"]).search(body) if shaped and "code" in envelope else None
        if answer.status < 300 and ("ok" not in envelope or _text(code) in map(_text, envelope["ok"])):
            if shaped or not answer.text:
                return compiled(envelope["data"]).search(body) if shaped and "data" in envelope else body
        status = f"http_{answer.status}"
        if {_text(code), status} & set(fine):
            return None
        words = compiled(envelope["message"]).search(body) if shaped and "message" in envelope else None
        errors = self.profile["errors"]
        entry = errors.get(_text(code)) or errors.get(status) or {}
        known = entry.get("class") or STATUS.get(answer.status)
        if known is None:
            # 2xx that holds nothing of the kind is somebody else's page, which says nothing about our request.
            nothing = answer.status < 300 and code is None
            known = "unreachable" if answer.status >= 500 or nothing else "refused"
        if code is None and words is None:
            said = f"HTTP {answer.status} without an answer of its kind."
        else:
            said = f"{self.name} says {_text(code) or answer.status}, {self._clean(words)}."
        details = {"number": _text(code) or status, "said": True}
        if known == "token":
            details["renew"] = True
        if known == "unreachable" and not read:
            details["doubt"] = True
        raise CLASSES[known](
            said, site=self.connection.site.id, request=request, way_out=entry.get("way_out"), details=details
        )

    def _clean(self, words):
        """Return words of theirs without what must not be shown."""
        text = " ".join(str(words if words is not None else "no reason given").split())[:WORDS].rstrip(".。")
        for hidden in (self.connection.secret(), *self._secret_parts().values(), *_TOKENS.values()):
            text = text.replace(hidden, "…") if hidden else text
        return text

    # -- who we are ----------------------------------------------------------------------------------
    def _secret_parts(self):
        """Return what the login may say of the secret. A signed login keeps `access key:secret key` in its file."""
        secret = self.connection.secret()
        if self.profile["auth"]["kind"] != "signed_login":
            return {"secret": secret}
        access, colon, key = secret.partition(":")
        if not colon or not access or not key:
            raise Invalid(
                f"the credential {self.connection.account.credential!r} is not `access key:secret key`.",
                site=self.connection.site.id,
                way_out="Put both into the file, with a colon between.",
            )
        return {"access_key": access, "secret": key}

    def _headers(self):
        auth, parts = self.profile["auth"], self._secret_parts()
        values = {**self._known(), **parts, "basic": basic(self.connection.account.user, parts["secret"])}
        token = None
        if auth["kind"] != "headers":
            token = values["token"] = self._token(parts)
        return fill(auth["headers"], values), token

    def _key(self):
        connection = self.connection
        digest = hashlib.sha256(connection.secret().encode()).hexdigest()
        return (
            str(connection.config.folder),
            connection.site.id,
            connection.endpoint.id,
            connection.account.user,
            digest,
        )

    def _token(self, parts):
        """Return the token of this process, got by one login where there is none."""
        key = self._key()
        with self._lock(key):
            if key not in _TOKENS:
                _TOKENS[key] = self._login(parts)
            return _TOKENS[key]

    def _forget(self, token):
        key = self._key()
        with self._lock(key):
            if _TOKENS.get(key) == token:
                del _TOKENS[key]

    def _lock(self, key):
        with _LOCK:
            return _LOCKS.setdefault(key, threading.Lock())

    def _login(self, parts):
        auth, values = self.profile["auth"], {**self._known(), **parts}
        if auth["kind"] == "signed_login":
            values["timestamp"] = str(int(time.time()))
            text = fill(auth["signed"], values)
            values["signature"] = hmac.new(parts["secret"].encode(), text.encode(), hashlib.sha256).hexdigest()
        try:
            data = self._ask(auth["login"], values, {})
        except BrainError as error:
            if not isinstance(error, (Unauthorized, NotFound, Invalid)):
                raise
            raise self._about_the_credential(error) from None
        token = compiled(auth["token"]).search(data)
        if not isinstance(token, str) or not token:
            raise Unauthorized(
                "the login gave no token for us.",
                site=self.connection.site.id,
                request=f"{auth['login']['method']} {auth['login']['path']}",
                way_out="The account may be suspended there, or `auth.token` of the profile looks in the wrong place.",
            )
        return token

    def _about_the_credential(self, error):
        named = self.connection.account.credential
        way_out = error.way_out or f"Put one that is good into the credential file {named}."
        return Unauthorized(
            error.message, site=error.site, request=error.request, way_out=way_out, details=error.details
        )

    # -- lists ---------------------------------------------------------------------------------------
    def rows(self, noun, fields, strict=True, **values):
        """Return the Rows of a list, all pages of it. fields: the profile's, of that kind of row.

        strict: a list shorter than its announced total raises Unreachable, for what is not in it may still be there.
        """
        entry = self.profile["paths"][noun]
        paging = {**({"kind": "none"} if entry.get("paged") is False else self.profile["paging"]), **entry}
        found, announced = self._pages(noun, paging, values)
        short = f"the list gave {len(found)} of {announced} entries" if (announced or 0) > len(found) else None
        request = f"{entry['method']} {entry['path']}"
        if short and strict:
            raise Unreachable(f"{short}.", site=self.connection.site.id, request=request)
        return Rows([self._fields(fields, row) for row in found], short)

    def row(self, noun, fields, **values):
        """Return the one row that a call answers with, as our fields."""
        return self._fields(fields, self.call(noun, **values))

    def _fields(self, fields, row):
        return {name: compiled(text).search(row) for name, text in self.profile["fields"][fields].items()}

    def _pages(self, noun, paging, values):
        kind, found, announced, before = paging["kind"], [], None, None
        place = None if kind == "cursor" else paging.get("first", 0)
        for _page in range(PAGES):
            data = self._page(noun, paging, place, values)
            rows = compiled(paging.get("rows", "@")).search(data)
            if not isinstance(rows, list):
                raise self._broken(noun, "the list is missing")
            if kind == "none":
                return rows, self._total(paging, data)
            if rows and rows == before:
                raise self._broken(noun, "its pages go in a circle")
            before = rows
            found += rows
            announced = self._total(paging, data)
            if kind == "cursor":
                following = compiled(paging["next"]).search(data)
                if not following:
                    return found, announced
                if following == place:
                    raise self._broken(noun, "its pages go in a circle")
                place = following
                continue
            if not rows or len(found) >= (announced if announced is not None else float("inf")):
                return found, announced
            if announced is None and len(rows) < paging["limit"]:
                return found, announced
            place += 1 if kind == "page" else len(rows)
        raise self._broken(noun, f"it has more than {PAGES} pages")

    def _page(self, noun, paging, place, values):
        if paging["kind"] == "none":
            return self.call(noun, **values)
        page = {paging["size"]: paging["limit"]}
        if place is not None:
            page[paging["place"]] = place
        return self.call(noun, page=page, **values)

    def _total(self, paging, data):
        found = compiled(paging["total"]).search(data) if "total" in paging else None
        return int(found) if isinstance(found, (int, str)) and str(found).isdigit() else None

    def _broken(self, noun, said):
        entry = self.profile["paths"][noun]
        request = f"{entry['method']} {entry['path']}"
        return Unreachable(f"{said}.", site=self.connection.site.id, request=request, way_out="Ask the site.")


def _json(answer):
    try:
        return json.loads(answer.content)
    except ValueError:
        return None


def _text(code):
    return "" if code is None else str(code)
