"""Judging over HTTP."""

from __future__ import annotations

from apiflask import APIBlueprint

from ..desk import approvals
from . import records
from .here import caller
from .here import desk

blueprint = APIBlueprint("approvals", __name__, url_prefix="/api/v1/tasks/<run>", tag="Approvals")


@blueprint.post("/approve")
@blueprint.input(records.Approve, arg_name="asked")
@blueprint.output(records.Task)
def approve(run, asked):
    """Approve the plan of this digest. It is signed, and started once enough people have."""
    return approvals.approve(desk(), caller(), run, asked.digest)


@blueprint.post("/reject")
@blueprint.input(records.Reject, arg_name="asked")
@blueprint.output(records.Task)
def reject(run, asked):
    """Reject the plan of this digest, with a reason."""
    return approvals.reject(desk(), caller(), run, asked.digest, asked.reason)
