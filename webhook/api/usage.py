"""What was used, a month and tenant."""

from __future__ import annotations

from apiflask import APIBlueprint
from flask import Response
from pydantic import BaseModel
from pydantic import ConfigDict
from pydantic import Field

from ..desk import quotas
from ..runs import ledger
from . import records
from .here import caller
from .here import desk

blueprint = APIBlueprint("usage", __name__, url_prefix="/api/v1/usage", tag="Usage")


class Asked(BaseModel):
    """month: in China; without one, the present one."""

    model_config = ConfigDict(extra="forbid")
    month: str | None = Field(default=None, pattern=f"^{quotas.MONTH.pattern}$", examples=["2026-11"])
    tenant: str | None = Field(default=None, max_length=40)
    language: str = Field(default="en", pattern="^(en|zh)$", description="Of a statement's first line.")

    @property
    def month_(self):
        return self.month or ledger.month_of(desk().now())


@blueprint.get("")
@blueprint.input(Asked, location="query", arg_name="asked")
@blueprint.output(records.Usage)
def index(asked):
    """Sum up what ended in a month: card-hours, core-hours, GiB moved and yuan, by tenant and person."""
    found = quotas.rows(desk(), caller(), asked.month_, asked.tenant)
    return records.Usage(month=asked.month_, items=quotas.sums(found))


@blueprint.get("/statement")
@blueprint.input(Asked, location="query", arg_name="asked")
def statement(asked):
    """Give the statement of a month as CSV: one line an attempt of a component or a copy, and their sum."""
    found = quotas.rows(desk(), caller(), asked.month_, asked.tenant)
    name = f"statement-{asked.tenant or 'all'}-{asked.month_}.csv"
    # A spreadsheet takes UTF-8 for what it is only by its mark at the beginning.
    return Response(
        "\ufeff" + quotas.statement(found, asked.language == "zh"),
        content_type="text/csv; charset=utf-8",
        headers={"Content-Disposition": f'attachment; filename="{name}"'},
    )
