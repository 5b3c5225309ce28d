"""Limits of tenants' accounts at the sites: the form, what a trial run says, and pushing it."""

from __future__ import annotations

from apiflask import APIBlueprint
from flask import render_template
from flask import request

from ..api import limits as api
from ..api.here import caller
from ..api.here import desk
from ..desk import limits
from ..desk import quotas
from ..problems import Problem
from ..states import LAUNCH_ENDS
from . import frame
from . import words

blueprint = APIBlueprint("limits", __name__, url_prefix="/limits", enable_openapi=False)
#: What of a tenant's account is limited, in words.
NAMES = {
    "accelerators": words.mark("cards"),
    "cpu": words.mark("cores"),
    "memory_gib": words.mark("memory, GiB"),
    "nodes": words.mark("nodes"),
    "instances": words.mark("instances"),
    "jobs": words.mark("jobs"),
}
TRIED = {
    "changed": words.mark("would be set"),
    "same": words.mark("is so already"),
    "held": words.mark("no such verb here: held in our ledger"),
    "failed": words.mark("cannot be set"),
}
PUSHED = {**TRIED, "changed": words.mark("set")}


@blueprint.get("")
def index():
    here, who = desk(), caller()
    asked = frame.checked(api.Asked, after=request.args.get("after") or None)
    tenants = quotas.tenants(here, who)
    rows, after = limits.index(here, who, asked.after, asked.limit)
    return render_template(
        "limits.html", rows=rows, after=after, names=NAMES, tenants={one: limits.places(here, one) for one in tenants}
    )  # fmt: skip


@blueprint.post("")
def try_():
    form = request.form
    figures = {name: form[name].strip() for name in NAMES if form.get(name, "").strip()}
    if not figures:
        raise Problem(422, "name at least one limit", field="limits")
    asked = frame.checked(api.LimitsIn, tenant=form.get("tenant", ""), at=form.getlist("at"), limits=figures)
    made = limits.try_(desk(), caller(), asked.tenant, asked.at, asked.limits)
    return frame.go(f"/limits/{made['id']}")


def _known(trial):
    found = api.full(limits.show(desk(), caller(), trial))
    runs = [found.tried, *([found.pushed] if found.pushed else [])]
    held = any(one.state == "held" for one in found.tried.outcome or ())
    limited = any(one["tenant"] == found.tenant for one in quotas.index(desk(), caller()))
    return {"found": found, "names": NAMES, "tried": TRIED, "pushed": PUSHED, "free": held and not limited,
            "ended": all(one.state in LAUNCH_ENDS for one in runs)}  # fmt: skip


@blueprint.get("/<trial>")
def show(trial):
    return render_template("limit.html", **_known(trial))


@blueprint.get("/<trial>/part")
def part(trial):
    return render_template("parts/limit.html", **_known(trial))


@blueprint.post("/<trial>/push")
def push(trial):
    limits.push(desk(), caller(), trial)
    return frame.go(f"/limits/{trial}")
