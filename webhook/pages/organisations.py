"""Organisations, their projects, members and accounts."""

from __future__ import annotations

from apiflask import APIBlueprint
from flask import render_template

from ..api.here import caller
from ..api.here import desk
from ..desk import organisations
from ..runs import ledger

blueprint = APIBlueprint("organisations", __name__, url_prefix="/organisations", enable_openapi=False)


@blueprint.get("")
def index():
    here, who = desk(), caller()
    everywhere = organisations.everywhere(here) if who.sees(organisations.ALL) else []
    return render_template(
        "organisations.html",
        organisations=organisations.index(here, who),
        everywhere=everywhere,
        units=ledger.UNITS,
    )
