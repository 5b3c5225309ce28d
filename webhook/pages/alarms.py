"""The alarms of all sites, and acknowledging them."""

from __future__ import annotations

from apiflask import APIBlueprint
from flask import render_template
from flask import request

from ..api import alarms as api
from ..api.here import caller
from ..api.here import desk
from ..desk import alarms
from . import frame

blueprint = APIBlueprint("alarms", __name__, url_prefix="/alarms", enable_openapi=False)


def _known():
    """Return what the page shows: the alarms that the filter leaves, and the filter."""
    given = {name: value for name, value in request.args.items() if value and name in api.Asked.model_fields}
    asked = frame.checked(api.Asked, **given)
    return {
        "alarms": alarms.index(desk(), asked.site, asked.severity, asked.acknowledged),
        "asked": asked,
        "query": request.query_string.decode(errors="replace"),
        "sites": sorted(desk().config().sites),
        "severities": alarms.SEVERITIES,
    }


@blueprint.get("")
def index():
    return render_template("alarms.html", **_known())


@blueprint.get("/part")
def part():
    return render_template("parts/alarms.html", **_known())


@blueprint.post("/acknowledge")
def acknowledge():
    fields = {name: request.form.get(name, "").strip() or None for name in ("site", "id", "note")}
    asked = frame.checked(api.Acknowledge, **fields)
    alarms.acknowledge(desk(), caller(), asked.site, asked.id, asked.note)
    return frame.go("/alarms")
