"""The overview: sites, capacity, alarms, and what waits for whoever looks."""

from __future__ import annotations

from apiflask import APIBlueprint
from flask import make_response
from flask import render_template
from flask import request

from ..api import records
from ..api.here import caller
from ..api.here import desk
from ..desk import runs
from ..desk import tasks
from . import frame
from . import words

blueprint = APIBlueprint("home", __name__, enable_openapi=False)


def waiting(who):
    """Return the tasks that wait for this person: to be judged, or to be tuned and confirmed."""
    found = []
    if who.has("approver"):
        rows, _after = tasks.index(desk(), who, ["confirmed"], limit=20)
        found += [row for row in rows if row.requester != who.principal]
    if who.has("requester", "admin"):
        rows, _after = tasks.index(desk(), who, ["proposed", "revised", "refused", "failed"], mine=True, limit=10)
        found += rows
    return found


@blueprint.get("/")
def index():
    rows, _after = tasks.index(desk(), caller(), limit=8)
    with desk().database.read() as session:
        paused = runs.paused(session)
    return render_template(
        "home.html", fleet=desk().planner.ask("overview"), tasks=rows, waiting=waiting(caller()), paused=paused
    )  # fmt: skip


@blueprint.get("/parts/fleet")
def fleet():
    return render_template("parts/fleet.html", fleet=desk().planner.ask("overview"))


@blueprint.post("/language")
def language():
    answer = make_response(frame.go(frame.inside(request.form.get("next", "/"))))
    chosen = request.form.get("language")
    if chosen in words.LANGUAGES:
        secure = desk().settings.secure
        answer.set_cookie(words.COOKIE, chosen, max_age=31536000, secure=secure, httponly=True, samesite="Lax")
    return answer


@blueprint.post("/pause")
def pause():
    """An operator holds every launch back, or lets them go on."""
    asked = frame.checked(
        records.Pause, paused=request.form.get("paused") == "1", reason=request.form.get("reason", "").strip()
    )  # fmt: skip
    runs.pause(desk(), caller(), asked.paused, asked.reason)
    return frame.go("/")
