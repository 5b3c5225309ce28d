"""Notices over HTTP: what was sent, what waits, what could not be sent."""

from __future__ import annotations

from typing import Literal

from apiflask import APIBlueprint
from pydantic import BaseModel
from pydantic import Field

from ..notices import outbox
from . import records
from .here import caller
from .here import desk

blueprint = APIBlueprint("notices", __name__, url_prefix="/api/v1/notices", tag="Notices")


class Asked(BaseModel):
    """What a list is asked for."""

    state: Literal["pending", "sending", "sent", "failed"] | None = None
    after: str | None = Field(default=None, pattern=records.RUN)
    limit: int = Field(default=50, ge=1, le=200)


class Notice(records.Out):
    """channel: mail, or the robot's name in webhook.yml. message: why the last try failed."""

    id: str
    channel: str
    recipient: str
    event: str
    task: str
    state: str
    attempts: int
    due_at: records.Time
    message: str | None = None
    created_at: records.Time
    sent_at: records.Time | None = None


class Notices(records.Page):
    items: list[Notice]


@blueprint.get("")
@blueprint.input(Asked, location="query", arg_name="asked")
@blueprint.output(Notices)
def index(asked):
    """List notices, newest first."""
    rows, after = outbox.index(desk(), asked.state, asked.after, asked.limit)
    return Notices(items=rows, after=after)


@blueprint.post("/<notice>/again")
@blueprint.output(Notice, status_code=202)
def again(notice):
    """Send a notice again that was given up."""
    return outbox.again(desk(), caller(), notice)
