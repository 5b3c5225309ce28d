"""Alarms over HTTP, as the store remembers them, and acknowledging them."""

from __future__ import annotations

from typing import Literal

from apiflask import APIBlueprint
from pydantic import BaseModel
from pydantic import Field

from ..desk import alarms
from . import records
from .here import caller
from .here import desk

blueprint = APIBlueprint("alarms", __name__, url_prefix="/api/v1/alarms", tag="Alarms")


class Asked(BaseModel):
    """What a list is asked for."""

    site: str | None = Field(default=None, max_length=100)
    severity: Literal["critical", "major", "minor", "warning", "info"] | None = None
    acknowledged: bool | None = None


class Acknowledge(records.In):
    """Which alarm, as the list names it. It counts for every pool that the alarm is about."""

    site: str = Field(min_length=1, max_length=100)
    id: str = Field(min_length=1, max_length=500)
    note: str | None = Field(default=None, max_length=500)


class Acknowledged(records.Out):
    by: str
    at: records.Time
    note: str | None = None


class Alarm(records.Out):
    """pools: none where it belongs to the site as a whole. since: None where the platform does not say."""

    site: str
    pools: list[str]
    severity: str
    id: str
    name: str
    since: str | None = None
    source: str | None = None
    acknowledged: Acknowledged | None = None


class Alarms(records.Out):
    items: list[Alarm]


@blueprint.get("")
@blueprint.input(Asked, location="query", arg_name="asked")
@blueprint.output(Alarms)
def index(asked):
    """List the alarms that the platforms report, those that nobody has acknowledged first, then by severity."""
    return Alarms(items=alarms.index(desk(), asked.site, asked.severity, asked.acknowledged))


@blueprint.post("/acknowledge")
@blueprint.input(Acknowledge, arg_name="asked")
@blueprint.output(Alarm)
def acknowledge(asked):
    """Say that you have seen an alarm. It stays until the site says that it is over."""
    return Alarm.model_validate(alarms.acknowledge(desk(), caller(), asked.site, asked.id, asked.note))
