"""Runs: followed while they go on, and as one page for the files."""

from __future__ import annotations

from apiflask import APIBlueprint
from flask import render_template
from flask import request

from ..api import records
from ..api import shaping
from ..api.here import caller
from ..api.here import desk
from ..desk import runs
from ..desk import tasks as asked
from ..pictures import plans
from ..runs import logs
from ..runs.specs import OF_A_RUN
from . import frame
from . import showing
from .approvals import timeline
from .words import translate

blueprint = APIBlueprint("runs", __name__, url_prefix="/runs", enable_openapi=False)
LOG = 60_000


def _known(run):
    """Return what the page of a run shows."""
    here, who = desk(), caller()
    found = runs.show(here, who, run)
    shown = shaping.run(found)
    sums = {one["path"].rpartition("/artifacts/")[2]: one["sha256"] for one in shown.models}
    launches = [one for one in found["launches"] if one.kind in OF_A_RUN]
    nodes = [{**one.model_dump(), "note": one.pool or translate(one.kind)} for one in shown.components]
    return {
        "run": shown,
        "can": asked.can(who, found["task"]),
        "artifacts": [
            records.Artifact(path=path, size=size, sha256=sums.get(path))
            for path, size in runs.artifacts(here, who, run)
        ],
        "log": logs.text(here.settings, launches[-1].id, LOG) if launches else "",
        "graph": plans.graph(nodes, translate("Graph of components")),
        "picture": timeline(found["plan"], here.store.estimate(shown.digest), shown.components),
        "plan": found["plan"],
    }


@blueprint.get("")
def index():
    rows, after = asked.index(desk(), caller(), list(runs.STATES), None, False, request.args.get("after"), 50)
    return render_template("runs.html", tasks=rows, after=after)


@blueprint.get("/<run>")
def show(run):
    journal = desk().store.journal_path(run)
    end = journal.stat().st_size if journal.exists() else 0
    return render_template("run.html", **_known(run), end=end)


@blueprint.get("/<run>/part")
def part(run):
    return render_template("parts/run.html", **_known(run))


@blueprint.get("/<run>/report")
def report(run):
    known = _known(run)
    shown, estimate = known["run"], desk().store.estimate(known["run"].digest)
    times = [one.since for one in shown.components if one.since] + [one.until for one in shown.components if one.until]
    sizes = {item["id"]: item["datum"]["file"]["size"] for item in known["plan"]["components"]
             if item.get("datum", {}).get("file")}  # fmt: skip
    moved = sum(sizes.get(one.id, 0) for one in shown.components if one.state in ("succeeded", "released"))
    return render_template(
        "report.html", **known, estimate=estimate, decisions=asked.decisions(desk(), run), moved=moved,
        planned_s=(estimate.get("objectives") or {}).get("finish_s"), signer=desk().settings.file.signer.principal,
        real_s=showing.seconds(max(times)) - showing.seconds(min(times)) if times else None,
    )  # fmt: skip


@blueprint.post("/<run>/cancel")
def cancel(run):
    runs.cancel(desk(), caller(), run)
    return frame.go(f"/runs/{run}")


@blueprint.post("/<run>/resume")
def resume(run):
    runs.resume(desk(), caller(), run)
    return frame.go(f"/runs/{run}")
