"""Limits of tenants' accounts at the sites over HTTP: try, look, push."""

from __future__ import annotations

from typing import Annotated
from typing import Literal

from apiflask import APIBlueprint
from pydantic import Field

from ..desk import limits
from ..runs import logs
from ..states import LAUNCH_ENDS
from . import records
from .here import caller
from .here import desk

blueprint = APIBlueprint("limits", __name__, url_prefix="/api/v1/limits", tag="Usage")
Resource = Literal["accelerators", "cpu", "memory_gib", "nodes", "instances", "jobs"]
Place = Annotated[str, Field(pattern=r"^[a-z][a-z0-9-]{0,39}/[a-z][a-z0-9_-]{0,39}$", examples=["hunan/slurm"])]


class Asked(records.In):
    """What a list is asked for."""

    after: str | None = Field(default=None, pattern=records.RUN)
    limit: int = Field(default=50, ge=1, le=200)


class LimitsIn(records.In):
    """limits: of the tenant's account as a whole, at each of the endpoints; what is not named stays as it is."""

    tenant: str = Field(max_length=40)
    at: list[Place] = Field(min_length=1, max_length=50)
    limits: dict[Resource, Annotated[float, Field(ge=0, le=10**9)]] = Field(min_length=1)


class Outcome(records.Out):
    """changed: was set, of a trial run: would be. held: the platform has no such verb, our own quotas hold."""

    at: str
    state: Literal["changed", "same", "held", "failed"]
    message: str | None = None


class Launched(records.Out):
    """One run of quota.yml."""

    state: str
    asked_by: str
    created_at: records.Time
    ended_at: records.Time | None = None
    message: str | None = None
    outcome: list[Outcome] | None = None


class Limits(records.Out):
    """tried: the trial run; diff: what it said, null while it goes on. pushed: null where nobody has pushed it."""

    id: str
    tenant: str
    at: list[str]
    limits: dict[str, float]
    tried: Launched
    diff: str | None = None
    pushed: Launched | None = None


class Pushes(records.Page):
    items: list[Limits]


def full(found):
    """Return the record of what `desk.limits` shows, with what the trial run said."""
    row = found["tried"]
    diff = logs.text(desk().settings, row.id) if row.state in LAUNCH_ENDS else None
    return Limits.model_validate({**found, "diff": diff})


@blueprint.get("")
@blueprint.input(Asked, location="query", arg_name="asked")
@blueprint.output(Pushes)
def index(asked):
    """List what was tried and pushed, newest first."""
    rows, after = limits.index(desk(), caller(), asked.after, asked.limit)
    return Pushes(items=rows, after=after)


@blueprint.post("")
@blueprint.input(LimitsIn, arg_name="asked")
@blueprint.output(Limits, status_code=202)
def try_(asked):
    """Try to set limits: nothing is written, and what would be is shown."""
    return full(limits.try_(desk(), caller(), asked.tenant, asked.at, asked.limits))


@blueprint.get("/<trial>")
@blueprint.output(Limits)
def show(trial):
    """Show a trial run with its difference, and what came of pushing it."""
    return full(limits.show(desk(), caller(), trial))


@blueprint.post("/<trial>/push")
@blueprint.output(Limits, status_code=202)
def push(trial):
    """Set what the trial run showed. Asked again, it is pushed once."""
    return full(limits.push(desk(), caller(), trial))
