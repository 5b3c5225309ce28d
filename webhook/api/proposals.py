"""Proposals over HTTP."""

from __future__ import annotations

from apiflask import APIBlueprint

from ..desk import proposals
from . import records
from . import shaping
from .here import caller
from .here import desk

blueprint = APIBlueprint("proposals", __name__, url_prefix="/api/v1/tasks/<run>", tag="Proposals")


@blueprint.get("/proposals")
@blueprint.output(records.Proposals)
def index(run):
    """Show the proposals of the present round, revisions included."""
    return shaping.proposals(*proposals.index(desk(), caller(), run))


@blueprint.post("/proposals")
@blueprint.output(records.Proposals, status_code=201)
def make(run):
    """Propose again, from what is known now."""
    proposals.make(desk(), caller(), run)
    return shaping.proposals(*proposals.index(desk(), caller(), run))


@blueprint.post("/revise")
@blueprint.input(records.Revise, arg_name="asked")
@blueprint.output(records.Proposal, status_code=201)
def revise(run, asked):
    """Edit a proposal: it is checked again, and the answer says what changes by it."""
    edits = asked.model_dump(exclude_none=True, include={"components", "window"})
    row = proposals.revise(desk(), caller(), run, asked.proposal, edits, asked.keep)
    return shaping.proposal(row), 201 if asked.keep else 200


@blueprint.post("/confirm")
@blueprint.input(records.Confirm, arg_name="asked")
@blueprint.output(records.Task)
def confirm(run, asked):
    """Make a proposal the plan, and ask for approval."""
    return proposals.confirm(desk(), caller(), run, asked.proposal)
