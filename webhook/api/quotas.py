"""Quotas a month, of tenants and of people in them."""

from __future__ import annotations

from apiflask import APIBlueprint

from ..desk import quotas
from . import records
from .here import caller
from .here import desk

blueprint = APIBlueprint("quotas", __name__, url_prefix="/api/v1/quotas", tag="Usage")


@blueprint.get("")
@blueprint.output(records.Quotas)
def index():
    """List quotas, with what is used and held of them this month."""
    return records.Quotas(items=quotas.index(desk(), caller()))


@blueprint.post("")
@blueprint.input(records.QuotaIn, arg_name="asked")
@blueprint.output(records.Quotas)
def put(asked):
    """Set a quota, or with amount null take it away. What is approved already goes on."""
    found = quotas.put(desk(), caller(), asked.tenant, asked.person, asked.resource, asked.amount)
    return records.Quotas(items=found)
