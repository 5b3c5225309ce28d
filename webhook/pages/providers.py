"""The ways in and out through an identity provider: OpenID Connect and CAS."""

from __future__ import annotations

from apiflask import APIBlueprint
from flask import current_app
from flask import make_response
from flask import redirect
from flask import request
from flask import session

from ansible_collections.suanwang.brain.plugins.module_utils.said import say

from ..api.here import desk
from ..login import cookies
from ..login import sessions
from ..login.oidc import Refused
from ..problems import Problem
from . import frame

blueprint = APIBlueprint("providers", __name__, url_prefix="/login", enable_openapi=False)


def _provider(name):
    found = current_app.extensions["providers"].get(name)
    if found is None:
        raise Problem(404, say("this service does not know {name} logins", name=name))
    return found


def _enter(person, **more):
    if not person["roles"]:
        raise Problem(403, say("{person} is in no group that may use this service", person=person["principal"]))
    cookie, _caller = sessions.enter(desk(), person, **more)
    answer = make_response(frame.go(frame.inside(session.pop("next", "/"))))
    return cookies.put(answer, desk().settings, cookie)


@blueprint.get("/oidc")
def oidc():
    session["next"] = frame.inside(request.args.get("next", "/"))
    try:
        return _provider("oidc").send()
    except Refused as error:
        raise Problem(503, error.args[0]) from error


@blueprint.get("/oidc/back")
def oidc_back():
    try:
        person, sid = _provider("oidc").receive()
    except Refused as error:
        raise Problem(401, error.args[0]) from error
    return _enter(person, provider_sid=sid)


@blueprint.post("/oidc/logout")
def oidc_logout():
    """The provider says that a session is over (back-channel logout)."""
    try:
        sid = _provider("oidc").told(request.form.get("logout_token", ""))
    except Refused as error:
        raise Problem(400, error.args[0]) from error
    sessions.leave_all(desk(), provider_sid=sid)
    return "", 200


@blueprint.get("/cas")
def cas():
    session["next"] = frame.inside(request.args.get("next", "/"))
    return redirect(_provider("cas").send())


@blueprint.get("/cas/back")
def cas_back():
    try:
        person, ticket = _provider("cas").receive(request.args.get("ticket", ""))
    except Refused as error:
        raise Problem(401, error.args[0]) from error
    return _enter(person, provider_sid=ticket)


@blueprint.post("/cas/back")
def cas_logout():
    """The CAS server says that a ticket's session is over (single logout). A ticket is a secret of the two of us."""
    try:
        ticket = _provider("cas").told(request.form.get("logoutRequest", ""))
    except Refused as error:
        raise Problem(400, error.args[0]) from error
    sessions.leave_all(desk(), provider_sid=ticket)
    return "", 200
