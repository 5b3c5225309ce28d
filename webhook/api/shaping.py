"""Rows of the database as records of the API."""

from __future__ import annotations

from ..desk import proposals as proposals_
from ..desk import tasks
from . import records


def full(desk, caller, row):
    """Return a task with its decisions and what the caller can do with it."""
    found = records.Task.model_validate(row)
    return records.TaskFull(
        **found.model_dump(),
        document=row.document,
        decisions=[records.Decision.model_validate(one) for one in tasks.decisions(desk, row.id)],
        can=tasks.can(caller, row),
        told=proposals_.refusal(desk, row.id) if row.state == "refused" else {},
    )


def proposal(row):
    body = row.body
    return records.Proposal(
        id=row.id,
        round=row.round,
        number=row.number,
        label=row.label,
        labels=body["labels"],
        parent=row.parent,
        edits=row.chain,
        objectives=body["objectives"],
        unknown=body["unknown"],
        placements=body["placements"],
        pools=body["pools"],
        window=body.get("window", {}),
        shares_mbps=body.get("shares_mbps", {}),
        reasons=body["reasons"],
        loses=body["loses"],
        notes=body["notes"],
        risks=body["risks"],
        facts=body.get("facts", {}),
        told=body.get("told", {}),
        deltas=row.deltas,
        created_at=row.created_at,
    )


def proposals(task, rows):
    of_round = rows[0].body.get(proposals_.ROUND, {}) if rows else {}
    return records.Proposals(
        task=task.id,
        state=task.state,
        round=task.round,
        items=[proposal(row) for row in rows],
        **of_round,
    )


def plan(desk, found, log):
    """Return the Plan record of what desk.approvals.plan found. log: text of a launch's log, or None."""
    check = found["check"]
    return records.Plan(
        task=found["task"].id,
        digest=found["task"].digest,
        plan=found["plan"],
        estimate=found["estimate"],
        check=log,
        check_state=check.state if check else None,
        quotas=found["quotas"],
        drained=found["drained"],
        needed=found["needed"],
        approvers=found["approvers"],
        carried=found["carried"],
        decisions=[
            records.Decision.model_validate(one)
            for one in tasks.decisions(desk, found["task"].id)
            if one.digest == found["task"].digest
        ],
    )


def run(found):
    row = records.Task.model_validate(found["task"])
    return records.Run(
        **row.model_dump(),
        components=[records.Component(**one) for one in found["components"]],
        launches=[records.Launch.model_validate(one) for one in found["launches"]],
        models=found["models"],
        endpoints=found["endpoints"],
        services=found["services"],
        gangs=found["gangs"],
    )
