"""Logging in and out, and the account: who one is here, and one's tokens."""

from __future__ import annotations

from apiflask import APIBlueprint
from flask import current_app
from flask import make_response
from flask import render_template
from flask import request

from ..api import records
from ..api import session as api
from ..api.here import caller
from ..api.here import desk
from ..login import cookies
from ..login import sessions
from ..problems import Problem
from . import frame

blueprint = APIBlueprint("session", __name__, enable_openapi=False)


def page(**more):
    oidc = current_app.extensions["providers"].get("oidc")
    farewell = oidc.farewell if oidc and request.args.get("left") else None
    known = {
        "farewell": farewell,
        "wrong": False,
        "principal": "",
        "next": frame.inside(request.values.get("next", "/")),
        **more,
    }
    return render_template("login.html", ways=desk().settings.file.login, **known)


@blueprint.get("/login")
def show():
    return page()


@blueprint.post("/login")
def enter():
    principal = request.form.get("principal", "")[:200]
    try:
        cookie, _who = api.admit(principal, request.form.get("password", "")[:200])
    except Problem as error:
        if error.status != 401:
            raise
        return page(wrong=True, principal=principal), 401
    answer = make_response(frame.go(frame.inside(request.form.get("next", "/"))))
    return cookies.put(answer, desk().settings, cookie)


@blueprint.post("/logout")
def leave():
    left = api.leave()
    answer = make_response(frame.go("/login?left=1"))
    for value in left.headers.getlist("Set-Cookie"):
        answer.headers.add("Set-Cookie", value)
    return answer


@blueprint.get("/account")
def account(secret=None):
    return render_template("account.html", tokens=sessions.tokens(desk(), caller()), secret=secret)


@blueprint.post("/account/tokens")
def make_token():
    asked = frame.checked(records.TokenIn, name=request.form.get("name", ""), days=request.form.get("days", "30"))
    _row, secret = sessions.make_token(desk(), caller(), asked.name, [], asked.days)
    return account(secret)


@blueprint.post("/account/tokens/<token_id>/revoke")
def revoke(token_id):
    if not sessions.revoke(desk(), caller(), token_id):
        raise Problem(404, "there is no such token of yours")
    return frame.go("/account")
