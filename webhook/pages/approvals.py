"""The plan that is asked to be approved, and judging it."""

from __future__ import annotations

from apiflask import APIBlueprint
from flask import render_template
from flask import request

from ..api import records
from ..api import shaping
from ..api.here import caller
from ..api.here import desk
from ..desk import approvals
from ..pictures import plans
from ..problems import Problem
from ..runs import ledger
from ..runs import logs
from . import frame
from . import showing
from . import tasks
from .words import translate

blueprint = APIBlueprint("approvals", __name__, url_prefix="/tasks/<run>", enable_openapi=False)


def _found(run):
    found = approvals.plan(desk(), caller(), run)
    check = found["check"]
    ended = check is not None and check.state in ("succeeded", "failed", "lost")
    return shaping.plan(desk(), found, logs.text(desk().settings, check.id) if ended else None)


def timeline(plan, estimate, components=()):
    """Return the picture of a plan's components, with what really was where it is known."""
    real = {one.id: one for one in components}
    planned = {one["id"]: one for one in estimate.get("components", ())}
    begun = min((showing.seconds(one.since) for one in components if one.since), default=None)
    rows = []
    for item in plan["components"]:
        one, seen = planned.get(item["id"]), real.get(item["id"])
        row = {
            "name": item["id"],
            "kind": item["kind"],
            "where": (seen.pool if seen else None) or (one or {}).get("pool") or (one or {}).get("site"),
            "state": seen.state if seen else None,
            "start_s": one["start_s"] if one else 0,
            "end_s": one["end_s"] if one else 0,
        }
        if seen is not None and seen.since and begun is not None:
            row["real_start_s"] = showing.seconds(seen.since) - begun
            ended = seen.until or desk().now()
            row["real_end_s"] = showing.seconds(ended) - begun
        rows.append(row)
    finish = max((row["end_s"] for row in rows), default=0)
    return plans.gantt(rows, finish, translate("Timeline of the plan"), showing.length)


@blueprint.get("/plan")
def plan(run):
    found = _found(run)
    return render_template(
        "plan.html", task=tasks.full(run), found=found, picture=timeline(found.plan, found.estimate),
        units=ledger.UNITS,
    )  # fmt: skip


@blueprint.get("/check")
def check(run):
    found = _found(run)
    if found.check:
        return render_template("parts/check.html", found=found)
    part = render_template("parts/check.html", found=found)
    return f'<div hx-get="/tasks/{found.task}/check" hx-trigger="every 1s" hx-swap="outerHTML">{part}</div>'


@blueprint.post("/approve")
def approve(run):
    row = approvals.approve(desk(), caller(), run, request.form.get("digest", ""))
    return frame.go(f"/runs/{run}" if row.state == "approved" else f"/tasks/{run}/plan")


@blueprint.post("/reject")
def reject(run):
    reason = request.form.get("reason", "").strip()
    least = records.Reject.model_fields["reason"].metadata[0].min_length
    if len(reason) < least:
        raise Problem(422, "a rejection needs a reason", field="reason")
    approvals.reject(desk(), caller(), run, request.form.get("digest", ""), reason[:2000])
    return frame.go(f"/tasks/{run}/plan")
