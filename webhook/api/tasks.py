"""Tasks over HTTP."""

from __future__ import annotations

from apiflask import APIBlueprint
from flask import g
from flask import send_file
from pydantic import BaseModel
from pydantic import ConfigDict
from pydantic import Field

from ansible_collections.suanwang.brain.plugins.module_utils.said import say

from ..desk import approvals
from ..desk import tasks
from ..problems import Problem
from ..runs import logs
from . import records
from . import shaping
from .here import caller
from .here import desk

blueprint = APIBlueprint("tasks", __name__, url_prefix="/api/v1/tasks", tag="Tasks")


class Asked(BaseModel):
    """What a list is asked for."""

    model_config = ConfigDict(extra="forbid")
    state: str | None = Field(default=None, max_length=200, description="One state or several, with commas between.")
    tenant: str | None = Field(default=None, max_length=40)
    mine: bool = False
    after: str | None = Field(default=None, pattern=records.RUN)
    limit: int = Field(default=50, ge=1, le=200)

    @property
    def states(self):
        return self.state.split(",") if self.state else None


@blueprint.get("")
@blueprint.input(Asked, location="query", arg_name="asked")
@blueprint.output(records.Tasks)
def index(asked):
    """List tasks, newest first."""
    rows, after = tasks.index(desk(), caller(), asked.states, asked.tenant, asked.mine, asked.after, asked.limit)
    return records.Tasks(items=rows, after=after)


@blueprint.post("")
@blueprint.input(records.TaskIn, arg_name="asked")
@blueprint.output(records.TaskFull, status_code=201)
def make(asked):
    """Hand a task in. Proposals are made at once where the sites have been read."""
    row = tasks.make(desk(), caller(), asked, records.FILE_NAME, run=g.reserved)
    return shaping.full(desk(), caller(), row), 201, {"Location": f"/api/v1/tasks/{row.id}"}


@blueprint.get("/<run>")
@blueprint.output(records.TaskFull)
def show(run):
    """Show a task."""
    return shaping.full(desk(), caller(), tasks.show(desk(), caller(), run))


@blueprint.get("/<run>/plan")
@blueprint.output(records.Plan)
def plan(run):
    """Show what is asked to be approved: the whole plan, its estimate, and what --check --diff says of it."""
    found = approvals.plan(desk(), caller(), run)
    check = found["check"]
    ended = check is not None and check.state in ("succeeded", "failed")
    return shaping.plan(desk(), found, logs.text(desk().settings, check.id) if ended else None)


@blueprint.get("/<run>/objects/<sha256>")
@blueprint.doc(responses={200: {"description": "the file", "content": {"application/octet-stream": {}}}})
def file(run, sha256):
    """Download a file that the plan names, by its hash; a part of it with Range."""
    path = approvals.object_path(desk(), caller(), run, sha256)
    if not path.is_file():
        raise Problem(404, say("the file {sha256} of task {run} is no longer here", sha256=sha256, run=run))
    return send_file(path, as_attachment=True, mimetype="application/octet-stream", download_name=sha256)


@blueprint.post("/<run>/withdraw")
@blueprint.output(records.TaskFull)
def withdraw(run):
    """Take a task back, before it is approved."""
    return shaping.full(desk(), caller(), tasks.withdraw(desk(), caller(), run))
