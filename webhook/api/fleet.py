"""Pools, links and tenants over HTTP, as the store remembers them: this process asks no site."""

from __future__ import annotations

from apiflask import APIBlueprint

from ..desk import runs
from . import records
from .here import caller
from .here import desk

blueprint = APIBlueprint("fleet", __name__, url_prefix="/api/v1", tag="Fleet")


@blueprint.get("/pools")
@blueprint.output(records.Pools)
def pools():
    """List the pools of all sites, with the age of what is known."""
    return records.Pools(items=desk().planner.ask("overview")["pools"])


@blueprint.get("/links")
@blueprint.output(records.Links)
def links():
    """List the network links between places."""
    return records.Links(items=desk().planner.ask("overview")["links"])


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
