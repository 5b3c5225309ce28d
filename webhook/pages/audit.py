"""The audit, and whether its chain is whole."""

from __future__ import annotations

from apiflask import APIBlueprint
from flask import render_template
from flask import request

from ..api import audit as api
from ..api.here import desk

blueprint = APIBlueprint("audit", __name__, url_prefix="/audit", enable_openapi=False)


@blueprint.get("")
def index():
    after = request.args.get("after", "")
    asked = api.Asked(after=int(after) if after.isdigit() and len(after) < 16 else None)
    rows, more = api.rows(desk(), asked)
    count, wrong = api.verified(desk())
    return render_template("audit.html", entries=rows, after=more, count=count, wrong=wrong)
