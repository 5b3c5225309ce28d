"""The overview: sites, capacity, alarms, and what waits for whoever looks."""

from __future__ import annotations

from apiflask import APIBlueprint
from flask import make_response
from flask import render_template
from flask import request

from ..api import fleet as api
from ..api import places
from ..api import records
from ..api.here import caller
from ..api.here import desk
from ..desk import proposals
from ..desk import runs
from ..desk import tasks
from ..pictures import chart
from ..pictures import map as map_
from . import frame
from . import showing
from . import words

blueprint = APIBlueprint("home", __name__, enable_openapi=False)


#: state of a task → what the person can do with it, and on which of its pages.
DEEDS = {
    "confirmed": (words.mark("Look and approve"), "/tasks/{}/plan"),
    "proposed": (words.mark("Choose a proposal"), "/tasks/{}"),
    "revised": (words.mark("Choose a proposal"), "/tasks/{}"),
    "refused": (words.mark("See why not"), "/tasks/{}"),
    "failed": (words.mark("See what failed"), "/runs/{}"),
}


def waiting(who):
    """Return what waits for this person, {row, deed, href, told, and of a plan sites, caps}: tasks to be judged, or
    to be tuned and confirmed.
    """
    found = []
    if who.has("approver"):
        rows, _after = tasks.index(desk(), who, ["confirmed"], limit=20)
        found += [row for row in rows if row.requester != who.principal]
    if who.has("requester", "admin"):
        rows, _after = tasks.index(desk(), who, ["proposed", "revised", "refused", "failed"], mine=True, limit=10)
        found += rows
    return [_asked(row) for row in found]


def _asked(row):
    deed, href = DEEDS[row.state]
    shown = {"row": row, "deed": deed, "href": href.format(row.id), "told": {}}
    if row.state == "confirmed":
        _folder, plan = desk().plan(row.digest)
        shown.update(sites=sorted(plan["sites"]), caps=plan["caps"])
    elif row.state == "refused":
        shown["told"] = proposals.refusal(desk(), row.id)
    return shown


@blueprint.get("/")
def index():
    rows, _after = tasks.index(desk(), caller(), limit=5)
    with desk().database.read() as session:
        paused = runs.paused(session)
    return render_template(
        "home.html", **_fleet(), **_use(), tasks=rows, waiting=waiting(caller()), paused=paused
    )  # fmt: skip


def _fleet():
    """Return what the picture of the fleet is made of, and the picture."""
    found = desk().planner.ask("overview")
    atlas = places.Map(sites=found["map"], links=found["links"])
    says = map_.Words(words.translate, showing.length, words.language())
    return {"fleet": found, "atlas": atlas, "picture": map_.draw(atlas, says), "says": says}


@blueprint.get("/parts/fleet")
def fleet():
    return render_template("parts/fleet.html", **_fleet())


#: Hours and steps that the page offers.
SPANS = {24: 72, 24 * 30: 120}


def _use():
    text = request.args.get("hours", "")
    hours = int(text) if text.isdigit() and int(text[:6]) in SPANS else 24
    return {"use": api.use_of(hours, SPANS[hours]), "hours": hours, "chart": _chart, "spans": SPANS}


def _chart(pool):
    """Return (picture, newest figure, mean) of a pool's use."""
    known = [one.used_pct for one in pool.points if one.used_pct is not None]
    mean = round(sum(known) / len(known)) if known else None
    title = words.translate("Use of %(pool)s: %(mean)s %% on average") % {
        "pool": pool.pool,
        "mean": showing.known(mean),
    }
    return chart.use(pool.points, title), known[-1] if known else None, mean


@blueprint.get("/parts/use")
def use():
    return render_template("parts/use.html", **_use())


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
