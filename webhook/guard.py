"""What every request passes before a view sees it: who calls, whether he may, CSRF, and answers given before.

And what every answer carries: the headers that keep a page to itself.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import re
import socket
import urllib.parse

from flask import g
from flask import redirect
from flask import request
from flask import Response
from sqlalchemy.exc import IntegrityError

from ansible_collections.suanwang.brain.plugins.plugin_utils import claim
from ansible_collections.suanwang.brain.plugins.plugin_utils import clock

from .login import cookies
from .login import sessions
from .models import Answer
from .problems import Problem
from .rights import NOBODY
from .rights import ROUTES
from .rights import SIGNED

SAFE = ("GET", "HEAD", "OPTIONS")
POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; font-src 'self'; connect-src 'self';"
    " form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)
HEADERS = {
    "Content-Security-Policy": POLICY,
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=()",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
}
_KEY = re.compile(r"[A-Za-z0-9_.:-]{8,128}")
#: A request of another host that holds a key and never answered. Another try may go on after so many seconds.
_ABANDONED_S = 120


def install(app, desk):
    """Set the guard before every request of the app."""
    app.before_request(lambda: _who(desk))
    app.before_request(_may)
    app.before_request(lambda: _same_origin(desk.settings))
    app.before_request(_csrf)
    app.before_request(lambda: _before(desk))
    app.after_request(lambda answer: _after(desk, answer))
    app.after_request(lambda answer: _headers(desk.settings, answer))


def _who(desk):
    g.caller, g.idempotency, g.reserved = NOBODY, None, None
    if ROUTES.get(request.endpoint) == SIGNED:
        return  # whoever signs proves himself by that, whatever else he carries
    kind, _, value = request.headers.get("Authorization", "").partition(" ")
    if kind.lower() == "bearer":
        g.caller = sessions.by_token(desk, value.strip())
        if g.caller is NOBODY:
            raise Problem(401, "this token is not valid")
    else:
        g.caller = sessions.by_cookie(desk, request.cookies.get(cookies.name(desk.settings)))


def _may():
    if request.endpoint is None or g.caller.may(request.endpoint):
        return None  # without an endpoint it is a 404 or 405, which Flask says
    if g.caller.how == "none" and request.endpoint in ROUTES:
        if request.endpoint.startswith("pages.") and request.method in SAFE:
            return redirect(f"/login?next={urllib.parse.quote(request.full_path.rstrip('?'))}")
        raise Problem(401, "log in, or send a token")
    raise Problem(403, "your roles do not include this")


def _same_origin(settings):
    origin = request.headers.get("Origin")
    if request.method in SAFE or origin is None or g.caller.how == "token" or ROUTES.get(request.endpoint) == SIGNED:
        return
    if origin not in (settings.public_url, f"{request.scheme}://{request.host}"):
        raise Problem(403, "this request comes from another site")


def _csrf():
    if request.method in SAFE or g.caller.how != "session" or ROUTES.get(request.endpoint) == SIGNED:
        return
    given = request.headers.get("X-CSRF-Token") or request.form.get("csrf") or ""
    if not hmac.compare_digest(given.encode(), g.caller.csrf.encode()):
        raise Problem(403, "the CSRF token is missing or wrong: load the page again")


# -- Idempotency-Key -------------------------------------------------------------------------------------
def _before(desk):
    key = request.headers.get("Idempotency-Key")
    if request.method != "POST" or key is None or ROUTES.get(request.endpoint) == SIGNED:
        return None
    if not _KEY.fullmatch(key):
        raise Problem(422, "an Idempotency-Key is 8 to 128 letters, digits, _ . : -", field="Idempotency-Key")
    who = g.caller.principal or f"address {request.remote_addr}"
    asked = hashlib.sha256(f"{request.method} {request.full_path}\n".encode() + request.get_data()).hexdigest()
    now = clock.now()
    try:
        with desk.database.write() as session:
            row = session.get(Answer, (key, who))
            if row is not None and row.request != asked:
                raise Problem(422, "this Idempotency-Key was used for another request", field="Idempotency-Key")
            if row is not None and row.status is not None:
                kind = "application/problem+json" if row.status >= 400 else "application/json"
                return Response(row.body, row.status, content_type=kind, headers={"Idempotent-Replay": "true"})
            if row is not None and _being_answered(json.loads(row.body), row.at, now):
                raise Problem(409, "the same request is being answered now")
            if row is None:
                row = Answer(key=key, principal=who, request=asked, status=None)
                row.body = json.dumps({"id": desk.new_id()})
                session.add(row)
            held = {**json.loads(row.body), **desk.process()}
            row.body, row.at = json.dumps(held), now
    except IntegrityError as error:
        raise Problem(409, "the same request is being answered now") from error
    g.idempotency, g.reserved = (key, who), held["id"]
    return None


def _being_answered(held, at, now):
    """Whether whoever took this key still lives; of another host we know only how long ago it was."""
    mine = (socket.gethostname(), claim.boot_id())
    if (held["host"], held["boot_id"]) == mine:
        return claim.start_ticks(held["pid"]) == held["start_ticks"]
    return at > clock.after(now, -_ABANDONED_S)


def _after(desk, answer):
    held = g.get("idempotency")
    if held is None:
        return answer
    with desk.database.write() as session:
        row = session.get(Answer, held)
        secret = request.endpoint in ("tokens.make", "session.enter")
        if row is not None and (answer.status_code >= 500 or answer.status_code == 429 or secret):
            session.delete(row)  # nothing was decided, or it must not be kept
        elif row is not None:
            row.status, row.body = answer.status_code, answer.get_data(as_text=True)
    return answer


# -- headers ---------------------------------------------------------------------------------------------
def _headers(settings, answer):
    for name, value in HEADERS.items():
        answer.headers.setdefault(name, value)
    if settings.secure:
        answer.headers["Strict-Transport-Security"] = "max-age=31536000"
    if request.endpoint != "static":
        answer.headers["Cache-Control"] = "no-store"
    return answer
