"""Logging in and out over HTTP, for the lab's own people; a university's people come by /login."""

from __future__ import annotations

from apiflask import APIBlueprint
from flask import current_app
from flask import request

from ..login import cookies
from ..login import lab
from ..login import sessions
from ..problems import Problem
from . import records
from .here import caller
from .here import desk

blueprint = APIBlueprint("session", __name__, url_prefix="/api/v1/session", tag="Session")


def record(who):
    return records.Session(
        principal=who.principal, name=who.name, roles=list(who.roles), tenants=list(who.tenants),
        sites=list(who.sites), csrf=who.csrf,
    )  # fmt: skip


def admit(principal, password):
    """Return (cookie, Caller) of one of the lab's people; raise Problem."""
    settings = desk().settings
    if "lab" not in settings.file.login:
        raise Problem(404, "this service has no logins of its own")
    person = lab.person(settings, principal, password)
    if person is None:
        raise Problem(401, "name or password is wrong")
    return sessions.enter(desk(), person)


@blueprint.post("")
@blueprint.input(records.Enter, arg_name="asked")
@blueprint.output(records.Session, status_code=201)
def enter(asked):
    """Log in as one of the lab's people. The answer sets the cookie, and holds what X-CSRF-Token must be."""
    cookie, who = admit(asked.principal, asked.password)
    answer = current_app.make_response((record(who).model_dump(), 201))
    return cookies.put(answer, desk().settings, cookie)


@blueprint.get("")
@blueprint.output(records.Session)
def show():
    """Show who is calling."""
    return record(caller())


@blueprint.delete("")
@blueprint.output({}, status_code=204)
def leave():
    """Log out."""
    settings = desk().settings
    cookie = request.cookies.get(cookies.name(settings))
    if cookie and caller().how == "session":
        sessions.leave(desk(), cookie, caller())
    return cookies.drop(current_app.make_response(("", 204)), settings)
