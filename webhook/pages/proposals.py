"""Proposals: again, confirmed, and fine-tuned with what each change comes to."""

from __future__ import annotations

from apiflask import APIBlueprint
from flask import render_template
from flask import request

from ansible_collections.suanwang.brain.plugins.module_utils.errors import BrainError
from ansible_collections.suanwang.brain.plugins.module_utils.said import say

from .. import problems
from ..api import shaping
from ..api.here import caller
from ..api.here import desk
from ..desk import proposals
from ..desk.desk import Missing
from ..pictures import plans
from . import forms
from . import frame
from . import showing
from . import tasks
from .words import translate

blueprint = APIBlueprint("proposals", __name__, url_prefix="/tasks/<run>", enable_openapi=False)


@blueprint.post("/propose")
def make(run):
    proposals.make(desk(), caller(), run)
    return frame.go(f"/tasks/{run}")


@blueprint.post("/confirm/<proposal>")
def confirm(run, proposal):
    proposals.confirm(desk(), caller(), run, proposal)
    return frame.go(f"/tasks/{run}/plan")


def _row(run, proposal):
    _task, rows = proposals.index(desk(), caller(), run)
    row = next((one for one in rows if one.id == proposal), None)
    if row is None:
        raise Missing(say("there is no proposal {proposal} of this round", proposal=proposal))
    return row


def _components(row):
    """Return what can be edited, one mapping a component, in the order of the graph."""
    body = row.body
    places = {one["component"]: one for one in body["placements"]}
    return [
        {
            **place,
            "id": name,
            "pools": body["pools"].get(name),
            "share_mbps": body.get("shares_mbps", {}).get(name) if place["end_s"] > place["start_s"] else None,
            "parameters": {
                key: forms.lines({"": value})[1:] for key, value in body["parameters"].get(name, {}).items()
            },
        }
        for name, place in places.items()
    ]


@blueprint.get("/tune/<proposal>")
def tune(run, proposal):
    row, task = _row(run, proposal), tasks.full(run)
    nodes = [
        {
            "id": one["component"],
            "kind": one["kind"],
            "needs": row.body["needs"][one["component"]],
            "note": one["pool"] or showing.way(one["link"]) or one["site"],
        }
        for one in row.body["placements"]
    ]
    return render_template(
        "tune.html", task=task, proposal=row, shown=shaping.proposal(row), components=_components(row),
        window=_window(row), gantt=tasks.gantt, graph=plans.graph(nodes, translate("Graph of components")),
    )  # fmt: skip


def _edits(row, form):
    """Return what a form changes against the proposal it was shown for."""
    found = {}
    for one in _components(row):
        name, edit = one["id"], {}
        for field in ("pool", "accelerators", "nodes") if one["pools"] else ("rate_mbps",):
            given = form.get(f"{name}.{field}", "").strip()
            if given and given != str(one[field]):
                edit[field] = given if field == "pool" else forms.scalar(given)
        changed = {
            key: forms.scalar(form[f"{name}.p.{key}"].strip())
            for key, value in one["parameters"].items()
            if form.get(f"{name}.p.{key}", value).strip() != value
        }
        if changed:
            edit["parameters"] = changed
        if edit:
            found[name] = edit
    window = _window_edit(row, form)
    return {**({"components": found} if found else {}), **({"window": window} if window is not None else {})}


def _window(row):
    """Return the window of a proposal as the fields of the form show it."""
    asked = row.body.get("window", {})
    return {field: showing.field(asked.get(field)) for field in ("not_before", "start_by")}


def _window_edit(row, form):
    """Return the window that a form asks for, None where it is the one shown; a field not touched keeps its seconds."""
    shown, asked = _window(row), row.body.get("window", {})
    given = {field: form.get(f"window.{field}", shown[field]).strip() for field in shown}
    if given == shown:
        return None
    kept = {field: asked.get(field) if given[field] == shown[field] else showing.utc(given[field]) for field in given}
    return {field: at for field, at in kept.items() if at}


@blueprint.post("/tune/<proposal>/try")
def attempt(run, proposal):
    """Say what the edits of the form come to, without keeping them."""
    row = _row(run, proposal)
    edits = _edits(row, request.form)
    try:
        shown = proposals.revise(desk(), caller(), run, proposal, edits, keep=False) if edits else row
    except BrainError as error:
        status, detail, more = problems.read(error)
        return render_template("parts/deltas.html", problem=problems.body(status, detail, **more))
    return render_template("parts/deltas.html", shown=shaping.proposal(shown), gantt=tasks.gantt)


@blueprint.post("/tune/<proposal>")
def revise(run, proposal):
    edits = _edits(_row(run, proposal), request.form)
    if edits:
        proposals.revise(desk(), caller(), run, proposal, edits)
    return frame.go(f"/tasks/{run}")
