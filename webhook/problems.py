"""Every error as problem+json (RFC 9457), and never more in it than a person may know."""

from __future__ import annotations

import json
import logging

from flask import current_app
from flask import request
from flask import Response
from sqlalchemy.exc import OperationalError
from werkzeug.exceptions import HTTPException

from ansible_collections.suanwang.brain.plugins.module_utils import errors
from ansible_collections.suanwang.brain.plugins.module_utils.said import say
from ansible_collections.suanwang.brain.plugins.module_utils.said import words

from .database import Stale
from .desk.desk import Clash
from .desk.desk import Denied
from .desk.desk import Missing
from .states import Illegal

log = logging.getLogger(__name__)
STATUS = {
    errors.Invalid: 422,
    errors.NotFound: 404,
    errors.QuotaExceeded: 409,  # before what it is a kind of
    errors.Refused: 422,
    errors.Corrupt: 409,
    errors.Conflict: 409,
    errors.Timeout: 504,
}
#: Where programs ask, and get JSON; everywhere else a person looks.
FOR_PROGRAMS = ("/api/", "/hooks/", "/healthz", "/metrics", "/openapi.json")
TITLES = {
    400: "This is not a request we can read",
    401: "Log in first",
    403: "This is not yours to do",
    404: "There is no such thing",
    405: "That is not done this way",
    409: "It is not as you think it is",
    413: "That is too much",
    415: "That is not JSON",
    422: "Something in it is wrong",
    429: "Too often",
    503: "Not now",
    504: "It took too long",
}


class Problem(Exception):
    """An answer of the API that is an error."""

    def __init__(self, status, detail, **more):
        super().__init__(detail)
        self.status, self.detail, self.more = status, detail, more


def body(status, detail=None, **more):
    known = {name: value for name, value in more.items() if value is not None}
    title = TITLES.get(status, "It did not work")
    return {"type": "about:blank", "title": title, "status": status, "detail": detail, **known}


def read(error):
    """Return (status, detail, more) of any exception that we know, or None."""
    if isinstance(error, Problem):
        return error.status, error.detail, error.more
    if isinstance(error, errors.BrainError):
        status = next((code for kind, code in STATUS.items() if isinstance(error, kind)), 502)
        return status, error.message, {"field": error.details.get("field"), "way_out": error.way_out}
    if isinstance(error, Illegal):
        return 409, _illegal(error), {"allowed": error.allowed}
    if isinstance(error, Stale | Clash):
        return 409, error.args[0], {}
    if isinstance(error, Denied):
        return 403, error.args[0], {}
    if isinstance(error, Missing):
        return 404, error.args[0], {}
    if isinstance(error, OperationalError):
        return 503, words("the database does not answer"), {}
    if isinstance(error, HTTPException):
        return error.code or 500, error.description, {}
    return None


def _illegal(error):
    """The sentence of a move that the table of states does not have."""
    kind, state, event = (words(one) for one in (error.kind, error.state, error.event))
    return say("a {kind} that is {state} cannot {event}", kind=kind, state=state, event=event)


def answer(status, detail=None, headers=None, **more):
    said = body(status, detail, **more)
    speak = current_app.extensions.get("speak")
    if speak is not None and _asks_for_chinese():
        said.update({name: speak(said[name]) for name in ("title", "detail", "way_out") if said.get(name)})
    text = json.dumps(said, ensure_ascii=False)
    answered = Response(text, status, headers=headers, content_type="application/problem+json")
    answered.vary.add("Accept-Language")
    return answered


def _asks_for_chinese():
    """Programs get English, but for those that ask for Chinese rather than for it."""
    return request.accept_languages.best_match(["en", "zh-CN", "zh"], default="en") != "en"


def install(app, page=None, speak=None):
    """Answer every error: as JSON to programs, by `page(status, detail, more)` to people. speak: English → Chinese."""
    app.extensions["speak"] = speak

    @app.errorhandler(Exception)
    def _any(error):
        found = read(error)
        if found is None:
            log.exception("an unexpected error")
            found = 500, words("an error that we did not expect; it is in the log"), {}
        status, detail, more = found
        if isinstance(error, HTTPException) and error.response is not None:
            return error.response
        if page is not None and not request.path.startswith(FOR_PROGRAMS):
            return page(status, detail, more)
        headers = {"WWW-Authenticate": "Bearer"} if status == 401 else None
        return answer(status, detail, headers, **more)
