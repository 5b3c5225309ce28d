"""The Flask application: everything is put together here, and nothing is done."""

from __future__ import annotations

from apiflask import APIFlask
from flask import g
from flask_limiter import Limiter
from flask_limiter.util import get_remote_address

from ansible_collections.suanwang.brain.plugins.plugin_utils import governance

from . import config
from . import guard
from . import problems
from .api import approvals
from .api import audit
from .api import catalogue
from .api import fleet
from .api import health
from .api import proposals
from .api import runs
from .api import session
from .api import tasks
from .api import tokens
from .database import Database
from .desk.desk import Desk
from .problems import Problem
from .runs.events import Watchers

API = (health, session, tokens, catalogue, tasks, proposals, approvals, runs, fleet, audit)


def create_app(settings=None):
    """Return the application over its settings; tables are brought to this version first."""
    settings = settings or config.load()
    database = Database(settings.database, settings.database_password())
    database.migrate()
    return build(settings, Desk(settings, database))


def build(settings, desk):
    """Return the application over a desk."""
    app = APIFlask(
        "webhook", title="SuanWang Brain", version="1.0.0", json_errors=False, spec_path=None, docs_path=None
    )
    app.config.update(
        OPENAPI_VERSION="3.1.0",
        MAX_CONTENT_LENGTH=settings.file.limits.body_mib << 20,
        VALIDATION_ERROR_STATUS_CODE=422,
        AUTO_404_RESPONSE=False,
    )
    app.json.sort_keys = False
    app.extensions["desk"] = desk
    app.extensions["watchers"] = Watchers(settings.file.limits.watchers)
    app.error_processor(_validation)
    problems.install(app)
    guard.install(app, desk)
    for module in API:
        app.register_blueprint(module.blueprint)
    _limit(app, settings)
    app.spec_processor(_described)
    return app


def _limit(app, settings):
    limits = settings.file.limits
    limiter = Limiter(
        lambda: g.caller.principal or get_remote_address(),
        app=app, default_limits=[limits.rate], storage_uri="memory://", headers_enabled=True,
    )  # fmt: skip
    app.extensions["limiter_"] = limiter
    limiter.limit(limits.rate_login, key_func=get_remote_address)(app.view_functions["session.enter"])


def _validation(error):
    """Turn what APIFlask says of a request into a problem: the first field that is wrong."""
    detail = error.detail or {}
    for place in detail.values():
        if isinstance(place, dict):
            for field, said in place.items():
                sentence = said[0] if isinstance(said, list) else str(said)
                return problems.answer(error.status_code, sentence, field=None if field == "_schema" else field)
    return problems.answer(error.status_code, error.message)


def _described(spec):
    """Say in the document how to log in, how errors look, and what a task is: the collection's own schema."""
    parts = spec.setdefault("components", {})
    parts["securitySchemes"] = {
        "token": {"type": "http", "scheme": "bearer"},
        "session": {"type": "apiKey", "in": "cookie", "name": "suanwang"},
    }
    parts.setdefault("schemas", {})["TaskDocument"] = governance.schema("task")
    spec["security"] = [{"token": []}, {"session": []}]
    problem = {"description": "problem+json (RFC 9457)", "content": {"application/problem+json": {}}}
    for item in spec.get("paths", {}).values():
        for verb, operation in item.items():
            if verb in ("get", "post", "delete"):
                operation["responses"].setdefault("default", problem)
    return spec


__all__ = ["Problem", "build", "create_app"]
