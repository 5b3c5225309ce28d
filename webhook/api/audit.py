"""The audit over HTTP."""

from __future__ import annotations

from typing import Any

from apiflask import APIBlueprint
from pydantic import BaseModel
from pydantic import Field
from sqlalchemy import select

from .. import audit
from ..models import Entry
from . import records
from .here import desk

blueprint = APIBlueprint("audit", __name__, url_prefix="/api/v1/audit", tag="Audit")


class Asked(BaseModel):
    """What a list is asked for."""

    object: str | None = Field(default=None, max_length=200)
    after: int | None = Field(default=None, ge=1, le=2**53)
    limit: int = Field(default=100, ge=1, le=500)


class AuditEntry(records.Out):
    number: int
    at: records.Time
    actor: str
    action: str
    object: str
    details: dict[str, Any]
    before: str
    hash: str


class Audit(records.Page):
    items: list[AuditEntry]


class Verified(records.Out):
    rows: int
    good: bool
    sentence: str


def rows(here, asked):
    """Return (entries, newest first, number to go on from)."""
    query = select(Entry).order_by(Entry.number.desc()).limit(asked.limit + 1)
    if asked.object:
        query = query.where(Entry.object == asked.object)
    if asked.after:
        query = query.where(Entry.number < asked.after)
    with here.database.read() as session:
        found = list(session.scalars(query))
    return found[: asked.limit], str(found[asked.limit - 1].number) if len(found) > asked.limit else None


def verified(here):
    """Return (rows, sentence or None) of checking the whole chain."""
    heads = audit.read_heads(here.settings.folder / "audit.heads")
    with here.database.read() as session:
        return audit.verify(session, heads)


@blueprint.get("")
@blueprint.input(Asked, location="query", arg_name="asked")
@blueprint.output(Audit)
def index(asked):
    """List what was done, newest first."""
    found, after = rows(desk(), asked)
    return Audit(items=found, after=after)


@blueprint.get("/verify")
@blueprint.output(Verified)
def verify():
    """Check the chain of hashes."""
    count, wrong = verified(desk())
    return Verified(rows=count, good=wrong is None, sentence=wrong or "every row is there, and unchanged")
