"""Pools, links and tenants over HTTP, as the store remembers them: this process asks no site."""

from __future__ import annotations

from apiflask import APIBlueprint
from pydantic import BaseModel
from pydantic import ConfigDict
from pydantic import Field

from ..desk import runs
from . import places
from . import records
from .here import caller
from .here import desk

blueprint = APIBlueprint("fleet", __name__, url_prefix="/api/v1", tag="Fleet")


@blueprint.get("/pools")
@blueprint.output(places.Pools)
def pools():
    """List the pools of all sites, with the age of what is known."""
    return places.Pools(items=desk().planner.ask("overview")["pools"])


@blueprint.get("/links")
@blueprint.output(places.Links)
def links():
    """List the network links between places."""
    return places.Links(items=desk().planner.ask("overview")["links"])


@blueprint.get("/map")
@blueprint.output(places.Map)
def map_():
    """Show the map: sites with both sides of NAT, cards used and free, alarms; links with what is promised of them."""
    found = desk().planner.ask("overview")
    return places.Map(sites=found["map"], links=found["links"])


class Span(BaseModel):
    """Over how many hours, in how many steps."""

    model_config = ConfigDict(extra="forbid")
    hours: int = Field(default=24, ge=1, le=24 * 31)
    steps: int = Field(default=72, ge=1, le=500)


@blueprint.get("/use")
@blueprint.input(Span, location="query", arg_name="asked")
@blueprint.output(places.Use)
def use(asked):
    """Show how busy each pool was over the last hours: given away, measured, waiting."""
    return use_of(asked.hours, asked.steps)


def use_of(hours, steps):
    """Return the Use record of the last hours; a step is ten minutes at least, as often as anybody looks."""
    return places.Use(**desk().planner.ask("use", hours=hours, steps=min(steps, hours * 6)))


@blueprint.get("/tenants")
@blueprint.output(records.Tenants)
def tenants():
    """List the tenants that the caller belongs to."""
    return records.Tenants(items=mine())


def mine():
    """Return the Tenant records of the caller."""
    return [
        records.Tenant(
            id=name, name=entry["name"], organisation=entry.get("organisation"), sites=sorted(entry["sites"])
        )
        for name, entry in sorted(desk().config().tenants.items())
        if caller().sees(name)
    ]


@blueprint.post("/perceive")
@blueprint.output(records.Launch, status_code=202)
def perceive():
    """Ask for a reading of all sites now."""
    return runs.perceive(desk(), caller())


@blueprint.post("/pause")
@blueprint.input(records.Pause, arg_name="asked")
@blueprint.output(records.Pause)
def pause(asked):
    """Hold back every launch of a plan, or let them go on."""
    runs.pause(desk(), caller(), asked.paused, asked.reason)
    return asked
