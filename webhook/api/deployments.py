"""Deployments over HTTP: what stands and until when; letting it stay, and ending it."""

from __future__ import annotations

from typing import Literal

from apiflask import APIBlueprint
from pydantic import Field

from ..desk import deployments
from . import records
from .here import caller
from .here import desk

blueprint = APIBlueprint("deployments", __name__, url_prefix="/api/v1/deployments", tag="Deployments")


class Extend(records.In):
    hours: float = Field(gt=0, le=24 * 3650, description="From now; no more than the lease that was approved.")


class Place(records.Out):
    component: str
    pool: str | None = None


class Deployment(records.Out):
    """What a deployment keeps. run: of its newest plan; until: when the last of its leases ends."""

    tenant: str
    deployment: str
    state: Literal["standing", "ending", "overdue", "stopping"]
    run: records.RunId
    since: records.Time
    until: records.Time
    lease_s: int
    pools: list[Place]
    may_extend: bool
    may_end: bool


class Deployments(records.Out):
    items: list[Deployment]


@blueprint.get("")
@blueprint.output(Deployments)
def index():
    """List what stands, the one that ends first first."""
    return Deployments(items=deployments.index(desk(), caller()))


@blueprint.post("/<tenant>/<name>/extend")
@blueprint.input(Extend, arg_name="asked")
@blueprint.output(Deployment)
def extend(tenant, name, asked):
    """Let it stay so many hours from now. What stays longer than its lease was approved for is a new plan."""
    return Deployment.model_validate(deployments.extend(desk(), caller(), tenant, name, asked.hours))


@blueprint.post("/<tenant>/<name>/end")
@blueprint.output(records.Launch, status_code=202)
def end(tenant, name):
    """Give everything of it back."""
    return deployments.end(desk(), caller(), tenant, name)
