"""Sites, their pools, and what operators do with them: drain, undrain, hold launches back."""

from __future__ import annotations

from apiflask import APIBlueprint
from flask import render_template
from flask import request

from ..api import sites as api
from ..api.here import caller
from ..api.here import desk
from ..desk import sites
from . import frame

blueprint = APIBlueprint("sites", __name__, url_prefix="/sites", enable_openapi=False)


@blueprint.get("")
def index():
    here = desk()
    return render_template("sites.html", sites=sites.index(here), paused=sites.paused(here))


@blueprint.post("/drain")
def drain():
    asked = frame.checked(
        api.Drain, scope=request.form.get("scope", ""), reason=request.form.get("reason", "").strip()
    )  # fmt: skip
    sites.drain(desk(), caller(), asked.scope, asked.reason)
    return frame.go("/sites")


@blueprint.post("/undrain")
def undrain():
    asked = frame.checked(api.Undrain, scope=request.form.get("scope", ""))
    sites.undrain(desk(), caller(), asked.scope)
    return frame.go("/sites")
