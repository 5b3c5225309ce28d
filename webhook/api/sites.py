"""Sites over HTTP: state, endpoints and pools as the store remembers them; draining."""

from __future__ import annotations

from apiflask import APIBlueprint
from pydantic import Field

from ..desk import sites
from . import places
from . import records
from .here import caller
from .here import desk

blueprint = APIBlueprint("sites", __name__, url_prefix="/api/v1/sites", tag="Sites")
SCOPE = "<site>, <site>/<endpoint> or <site>/<endpoint>/<pool>"


class Drain(records.In):
    scope: str = Field(min_length=1, max_length=300, description=SCOPE)
    reason: str = Field(min_length=3, max_length=500)


class Undrain(records.In):
    scope: str = Field(min_length=1, max_length=300, description=SCOPE)


class Drained(records.Out):
    """What new work does not go to, why, who said so and when."""

    scope: str
    reason: str
    by: str | None = None
    at: str | None = None


class Sites(records.Out):
    """items: one a platform endpoint. paused: the reason for which every launch is held back, null where none is."""

    items: list[places.Site]
    drains: list[Drained]
    paused: str | None = None


@blueprint.get("")
@blueprint.output(Sites)
def index():
    """List the platform endpoints of all sites, when each was read last, and what is drained."""
    here = desk()
    return Sites(items=here.planner.ask("overview")["sites"], drains=sites.drains(here), paused=sites.paused(here))


@blueprint.post("/drain")
@blueprint.input(Drain, arg_name="asked")
@blueprint.output(Drained)
def drain(asked):
    """Send no new work there: the planner says why, and no plan starts anything there. What runs goes on."""
    return Drained.model_validate(sites.drain(desk(), caller(), asked.scope, asked.reason))


@blueprint.post("/undrain")
@blueprint.input(Undrain, arg_name="asked")
@blueprint.output(Drained)
def undrain(asked):
    """Let new work go there again; answers what was lifted."""
    return Drained.model_validate(sites.undrain(desk(), caller(), asked.scope))
