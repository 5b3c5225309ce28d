"""The Flask application: everything is put together here, and nothing is done."""

from __future__ import annotations

from apiflask import APIBlueprint
from apiflask import APIFlask
from flask import g
from flask import request
from flask_limiter import Limiter
from flask_limiter.util import get_remote_address
from pydantic import ValidationError
from werkzeug.middleware.proxy_fix import ProxyFix

from ansible_collections.suanwang.brain.plugins.plugin_utils import governance

from . import config
from . import guard
from . import problems
from . import wrong
from .api import alarms
from .api import approvals
from .api import audit
from .api import catalogue
from .api import deliveries
from .api import deployments
from .api import fleet
from .api import health
from .api import limits
from .api import notices
from .api import organisations
from .api import proposals
from .api import quotas
from .api import runs
from .api import session
from .api import sites
from .api import tasks
from .api import tokens
from .api import usage
from .database import Database
from .desk.desk import Desk
from .login import cas
from .login import oidc
from .pages import alarms as alarm_pages
from .pages import approvals as approval_pages
from .pages import audit as audit_pages
from .pages import deployments as deployment_pages
from .pages import frame
from .pages import home as home_pages
from .pages import limits as limit_pages
from .pages import notices as notice_pages
from .pages import organisations as organisation_pages
from .pages import proposals as proposal_pages
from .pages import providers as provider_pages
from .pages import runs as run_pages
from .pages import session as session_pages
from .pages import showing
from .pages import sites as site_pages
from .pages import tasks as task_pages
from .pages import usage as usage_pages
from .problems import Problem
from .runs.events import Watchers

PAGES = (
    home_pages,
    session_pages,
    provider_pages,
    task_pages,
    proposal_pages,
    approval_pages,
    run_pages,
    usage_pages,
    limit_pages,
    audit_pages,
    alarm_pages,
    site_pages,
    deployment_pages,
    organisation_pages,
    notice_pages,
)
API = (
    health,
    session,
    tokens,
    catalogue,
    tasks,
    proposals,
    approvals,
    runs,
    fleet,
    sites,
    deployments,
    alarms,
    organisations,
    notices,
    usage,
    quotas,
    limits,
    audit,
    deliveries,
)


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
        # Flask's own session holds nothing but a login that is under way at a provider.
        SECRET_KEY=settings.own_key(),
        SESSION_COOKIE_NAME="suanwang-login",
        SESSION_COOKIE_SECURE=settings.secure,
        SESSION_COOKIE_HTTPONLY=True,
        SESSION_COOKIE_SAMESITE="Lax",
    )
    app.json.sort_keys = False
    if settings.file.proxies:
        count = settings.file.proxies
        app.wsgi_app = ProxyFix(app.wsgi_app, x_for=count, x_proto=count, x_host=count)
    app.extensions["desk"] = desk
    app.extensions["watchers"] = Watchers(settings.file.limits.watchers)
    app.error_processor(_validation)
    app.extensions["providers"] = _providers(app, settings)
    frame.install(app)
    problems.install(app, frame.problem, showing.sentence)
    guard.install(app, desk)
    for module in API:
        app.register_blueprint(module.blueprint)
    pages = APIBlueprint("pages", __name__, enable_openapi=False)
    for module in PAGES:
        pages.register_blueprint(module.blueprint)
    app.register_blueprint(pages)
    _limit(app, settings)
    app.spec_processor(_described)
    return app


def _providers(app, settings):
    made = {"oidc": lambda: oidc.Provider(app, settings), "cas": lambda: cas.Server(settings)}
    return {name: made[name]() for name in settings.file.login if name in made}


def _limit(app, settings):
    limits = settings.file.limits
    limiter = Limiter(
        lambda: g.caller.principal or get_remote_address(),
        app=app, default_limits=[limits.rate], storage_uri="memory://", headers_enabled=True,
    )  # fmt: skip
    app.extensions["limiter_"] = limiter
    rates = {"session.enter": limits.rate_login, "pages.session.enter": limits.rate_login}
    for name, rate in {**rates, "deliveries.deliver": limits.rate_delivery}.items():
        app.view_functions[name] = limiter.limit(rate, key_func=get_remote_address)(app.view_functions[name])


def _validation(error):
    """Turn what APIFlask says of a request into a problem: the first field that is wrong."""
    if isinstance(error.__cause__, ValidationError):
        field, said = wrong.first(error.__cause__)
        return problems.answer(error.status_code, said, field=field or None)
    if not request.path.startswith(problems.FOR_PROGRAMS):
        return frame.problem(error.status_code, error.message, {})
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
