"""Tasks: the list, a new one, and one with its proposals."""

from __future__ import annotations

import re

from apiflask import APIBlueprint
from flask import render_template
from flask import request

from ansible_collections.suanwang.brain.plugins.module_utils.errors import BrainError
from ansible_collections.suanwang.brain.plugins.plugin_utils.planning.catalogue import MODELS

from .. import problems
from ..api import catalogue
from ..api import fleet
from ..api import records
from ..api import shaping
from ..api.here import caller
from ..api.here import desk
from ..desk import proposals
from ..desk import tasks
from ..pictures import plans
from ..states import TASK_STATES
from . import fields
from . import forms
from . import frame
from . import showing
from .words import mark
from .words import translate

blueprint = APIBlueprint("tasks", __name__, url_prefix="/tasks", enable_openapi=False)


#: state of a task → what comes next, for whoever can do it, and for everybody else.
STEPS = {
    "proposed": (
        mark("Choose a proposal, fine-tune it if you like, and ask for its approval."),
        mark("Whoever asked for this has to choose a proposal."),
    ),
    "confirmed": (mark("Its plan waits for an approval."), mark("Its plan waits for somebody else's approval.")),
    "approved": (mark("It is approved, and begins when its turn comes."),) * 2,
    "failed": (mark("The run failed: see what failed, and resume it there, or propose again as a new task."),) * 2,
}
STEPS["revised"] = STEPS["proposed"]


def full(run):
    return shaping.full(desk(), caller(), tasks.show(desk(), caller(), run))


def gantt(proposal):
    """Return the timeline of a proposal."""
    rows = [
        {
            "name": one.component,
            "kind": one.kind,
            "where": one.pool or showing.way(one.link) or one.site,
            "start_s": one.start_s,
            "end_s": one.end_s,
        }
        for one in proposal.placements
    ]
    finish = max((one.end_s for one in proposal.placements), default=0)
    return plans.gantt(rows, finish, translate("Timeline of the proposal"), showing.length)


@blueprint.get("")
def index():
    state = request.args.get("state") or None
    mine = bool(request.args.get("mine"))
    rows, after = tasks.index(
        desk(), caller(), [state] if state in TASK_STATES else None, None, mine, request.args.get("after"), 50
    )  # fmt: skip
    return render_template("tasks.html", tasks=rows, after=after, states=TASK_STATES, chosen=state, mine=mine)


@blueprint.get("/new")
def new(wrong=(), form=None):
    """The form. After a problem it is shown again as it was filled in: nothing is lost."""
    form = {} if form is None else form
    entries = catalogue.entries(desk())
    wanted = form.get("from") or request.args.get("from")
    chosen = next((one for one in entries if one.name == wanted), None if wanted else next(iter(entries), None))
    raw = "yaml" in form or bool(request.args.get("yaml")) or chosen is None
    yaml = form.get("yaml") or (_yaml(chosen) if chosen else "")
    return render_template(
        "new.html", catalogue=entries, chosen=chosen, raw=raw, yaml=yaml, tenants=fleet.mine(), models=sorted(MODELS),
        groups=fields.groups(chosen.document) if chosen and not raw else (), wrong=_by_field(wrong), problems=wrong,
        value=lambda field: form.get(field.path, field.value), once=form.get("once") or desk().new_id(),
    )  # fmt: skip


def _by_field(problems):
    found = {}
    for one in problems:
        found.setdefault(one["field"], []).append(one)
    return found


def _yaml(entry):
    return (desk().settings.catalogue()[entry.name] / "task.yml").read_text(encoding="utf-8")


@blueprint.post("/new")
def make():
    """Hand the form in. A browser with scripts is answered what is wrong alone, and keeps even the chosen files."""
    form = request.form
    try:
        row = tasks.make(desk(), caller(), _asked(form), records.FILE_NAME, "page", _once(form))
    except (BrainError, problems.Problem, tasks.Denied) as error:
        wrong, status = fields.problems(error), problems.read(error)[0]
        if "HX-Request" in request.headers:
            said = {"problems": wrong, "wrong": _by_field(wrong), "groups": _groups(form)}
            return render_template("parts/wrong.html", **said), 422
        return new(wrong, form), status
    if "HX-Request" in request.headers:
        return "", 204, {"HX-Redirect": f"/tasks/{row.id}"}
    return frame.go(f"/tasks/{row.id}")


def _groups(form):
    entry = _entry(form)
    return fields.groups(entry.document) if entry and "yaml" not in form else ()


def _entry(form):
    return next((one for one in catalogue.entries(desk()) if one.name == form.get("from")), None)


def _asked(form):
    """Return the TaskIn record of the form."""
    files = forms.files(request.files.getlist("files"), form.get("folder", ""))
    asked = {"catalogue": form.get("from") or None, "files": files}
    if "yaml" in form:
        return frame.checked(records.TaskIn, yaml=form["yaml"], **asked)
    entry = _entry(form)
    if entry is None:
        raise problems.Problem(422, "choose an entry of the catalogue")
    document = fields.filled(form, entry.document)
    files += forms.data(request.files, document)
    return frame.checked(records.TaskIn, document=document, **asked)


def _once(form):
    """Return the run id that the form was given: sent twice, it makes one task."""
    text = form.get("once", "")
    return text if re.fullmatch(records.RUN, text) else None


@blueprint.get("/<run>")
def show(run):
    found = shaping.proposals(*proposals.index(desk(), caller(), run))
    return render_template("task.html", task=full(run), proposals=found, gantt=gantt, steps=STEPS)


@blueprint.post("/<run>/withdraw")
def withdraw(run):
    tasks.withdraw(desk(), caller(), run)
    return frame.go(f"/tasks/{run}")
