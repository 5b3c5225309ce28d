"""What the faces share: reading a request, finding its handler, and pages."""

import calendar
import json
import re
import secrets
import time
from urllib.parse import parse_qsl
from urllib.parse import unquote
from urllib.parse import urlsplit

from tests.lab.profiled.house import House
from tests.lab.profiled.house import Refusal
from tests.lab.profiled.services import Services
from tests.lab.profiled.store import Store
from tests.lab.slurm.answers import Answer

TOKEN_S = 6 * 3600


class Call:
    """One request: query and form as text, `json` the body where it is one, `file` the bytes of a multipart part."""

    def __init__(self, method, target, headers, body):
        parts = urlsplit(target)
        self.method, self.path, self.body = method, parts.path, body
        self.query = dict(parse_qsl(parts.query, keep_blank_values=True))
        self.headers, self.json, self.form, self.file = headers, None, {}, b""
        self.words: tuple = ()
        kind = headers.get("Content-Type", "")
        if kind.startswith("multipart/form-data"):
            self.form, self.file = multipart(kind, body)
        elif kind.startswith("application/x-www-form-urlencoded"):
            self.form = dict(parse_qsl(body.decode(), keep_blank_values=True))
        elif body:
            try:
                self.json = json.loads(body)
            except ValueError:
                raise Refusal("bad_request", "the body is not JSON") from None

    def range(self) -> tuple[int, int]:
        match = re.fullmatch(r"bytes=(\d+)-(\d+)", self.headers.get("Range", ""))
        return (int(match[1]), int(match[2])) if match else (0, 1 << 62)


def multipart(kind: str, body: bytes) -> tuple[dict, bytes]:
    """Return (fields, bytes of the one file) of a multipart body."""
    mark = b"--" + kind.partition("boundary=")[2].strip('"').encode()
    fields, file = {}, b""
    for piece in body.split(mark)[1:-1]:
        head, _, data = piece[2:].partition(b"\r\n\r\n")
        data = data[:-2]  # the line break before the next mark
        name = re.search(rb'name="([^"]*)"', head)[1].decode()
        if b"filename" in head:
            file = data
        else:
            fields[name] = data.decode()
    return fields, file


class Face:
    """A platform's face. ROUTES: (method, pattern) → (kind, handler); kind is "read", "write" or "login"."""

    ROUTES: dict = {}
    APP = re.compile(r"/apps/([^/]+)(/.*)?")

    def __init__(self, cluster, folder, home, faults, secret: str, address: str):
        self.house, self.store = House(cluster), Store(folder, home, faults)
        self.services, self.address = Services(self.house, folder), address
        self.cluster, self.home, self.secret = cluster, home, secret
        self._tokens: dict[str, float] = {}
        self._routes = [
            (method, re.compile(pattern), kind, act) for (method, pattern), (kind, act) in self.ROUTES.items()
        ]

    # -- who ---------------------------------------------------------------------------------
    def new_token(self) -> str:
        token = secrets.token_urlsafe(24)
        self._tokens[token] = time.time() + TOKEN_S
        return token

    def known(self, token: str) -> bool:
        return self._tokens.get(token, 0) > time.time()

    def admit(self, call: Call, expired: bool) -> None:
        """Raise Refusal unless the request is one of an account that may. A subclass reads its own headers."""
        raise NotImplementedError

    # -- answering ---------------------------------------------------------------------------
    def route(self, method: str, path: str):
        for wanted, pattern, kind, act in self._routes:
            if wanted == method and (match := pattern.fullmatch(path)):
                return kind, act, tuple(map(unquote, match.groups()))
        return None

    def writes(self, method: str, path: str) -> bool:
        found = self.route(method, path)
        return bool(found) and found[0] == "write"

    def respond(self, method, target, headers, body, expired=False) -> Answer:
        try:
            call = Call(method, target, headers, body)
            if app := self.APP.fullmatch(call.path):
                return self.services.forward(app[1], call)
            found = self.route(method, call.path)
            if found is None:
                raise Refusal("no_route", f"no {method} {call.path} here")
            kind, act, call.words = found
            if kind == "login":
                return self.good(act(self, call, expired))
            self.admit(call, expired)
            with self.cluster.lock:
                answer = act(self, call)
            return answer if isinstance(answer, Answer) else self.good(answer)
        except Refusal as refusal:
            return self.bad(refusal)
        except (KeyError, TypeError) as error:
            return self.bad(Refusal("bad_request", f"missing {error}"))

    def good(self, data) -> Answer:
        raise NotImplementedError

    def bad(self, refusal: Refusal) -> Answer:
        raise NotImplementedError

    def bytes(self, path: str, first: int, last: int) -> Answer:
        data, size = self.store.read(path, first, last)
        if first == 0 and last >= size - 1 and last > 1 << 60:
            return Answer(200, data)
        end = first + len(data) - 1
        return Answer(206, data, {"Content-Range": f"bytes {first}-{end}/{size}"})


def written(epoch: float, pattern: str = "%Y-%m-%d %H:%M:%S") -> str:
    """Return a time as a server in China writes it: its own local time, 8 hours ahead of UTC."""
    return time.strftime(pattern, time.gmtime(epoch + 8 * 3600)) if epoch else ""


def read_time(text: str, pattern: str = "%Y-%m-%d %H:%M:%S") -> float:
    return calendar.timegm(time.strptime(text, pattern)) - 8 * 3600
