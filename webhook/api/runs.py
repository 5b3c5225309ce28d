"""Runs over HTTP: states, events, log, artifacts; cancel and resume."""

from __future__ import annotations

from apiflask import APIBlueprint
from flask import current_app
from flask import request
from flask import Response
from flask import send_from_directory

from ansible_collections.suanwang.brain.plugins.module_utils.said import say

from ..desk import runs
from ..desk import tasks
from ..problems import Problem
from ..runs import events as stream
from ..runs import logs
from ..runs.specs import OF_A_RUN
from ..states import TASK_ENDS
from . import records
from . import shaping
from .here import caller
from .here import desk
from .tasks import Asked

blueprint = APIBlueprint("runs", __name__, url_prefix="/api/v1/runs", tag="Runs")


@blueprint.get("")
@blueprint.input(Asked, location="query", arg_name="asked")
@blueprint.output(records.Runs)
def index(asked):
    """List runs, newest first: tasks that were approved."""
    states = [one for one in asked.states or runs.STATES if one in runs.STATES]
    rows, after = tasks.index(desk(), caller(), states, asked.tenant, asked.mine, asked.after, asked.limit)
    return records.Runs(items=rows, after=after)


@blueprint.get("/<run>")
@blueprint.output(records.Run)
def show(run):
    """Show a run: its components as the journal tells them, and its launches."""
    return shaping.run(runs.show(desk(), caller(), run))


@blueprint.get("/<run>/events")
@blueprint.doc(
    responses={200: {"description": "text/event-stream of the journal", "content": {"text/event-stream": {}}}}
)
def events(run):
    """Follow the journal as server-sent events; Last-Event-ID goes on where a stream broke."""
    here, who = desk(), caller()
    tasks.show(here, who, run)
    last = request.headers.get("Last-Event-ID") or request.args.get("after") or "0"
    if not last.isdigit() or len(last) > 15:
        raise Problem(422, "Last-Event-ID is a number that we gave", field="Last-Event-ID")
    watchers = current_app.extensions["watchers"]
    if not watchers.enter():
        raise Problem(503, "too many are watching; ask for GET /api/v1/runs/<run> instead")

    def state():
        now = tasks.show(here, who, run).state
        return now, now in TASK_ENDS

    answer = Response(stream.stream(here.store.journal_path(run), state, int(last)), mimetype="text/event-stream")
    answer.headers["X-Accel-Buffering"] = "no"
    answer.call_on_close(watchers.leave)
    return answer


@blueprint.get("/<run>/log")
@blueprint.doc(responses={200: {"description": "text/plain", "content": {"text/plain": {}}}})
def log(run):
    """Read what the newest launch said."""
    tasks.show(desk(), caller(), run)
    found = [one for one in runs.launches(desk(), run) if one.kind in OF_A_RUN]
    text = logs.text(desk().settings, found[-1].id) if found else ""
    return Response(text, content_type="text/plain; charset=utf-8")


@blueprint.post("/<run>/cancel")
@blueprint.output(records.Task, status_code=202)
def cancel(run):
    """End a run: what it took is given back."""
    return runs.cancel(desk(), caller(), run)


@blueprint.post("/<run>/resume")
@blueprint.output(records.Task, status_code=202)
def resume(run):
    """Start a failed run again: only what is not done is carried out."""
    return runs.resume(desk(), caller(), run)


@blueprint.get("/<run>/artifacts")
@blueprint.output(records.Artifacts)
def artifacts(run):
    """List what came home."""
    found = runs.artifacts(desk(), caller(), run)
    sums = {one["path"].rpartition("/artifacts/")[2]: one["sha256"] for one in _models(run)}
    return records.Artifacts(
        items=[records.Artifact(path=path, size=size, sha256=sums.get(path)) for path, size in found]
    )


def _models(run):
    return runs.models(desk().store.journal(run))


@blueprint.get("/<run>/artifacts/<path:path>")
@blueprint.doc(responses={200: {"description": "the file", "content": {"application/octet-stream": {}}}})
def artifact(run, path):
    """Download a file that came home."""
    known = dict(runs.artifacts(desk(), caller(), run))
    if path not in known:
        raise Problem(404, say("run {run} has no artifact {path}", run=run, path=path))
    return send_from_directory(
        runs.artifact_root(desk(), run), path, as_attachment=True, mimetype="application/octet-stream"
    )
