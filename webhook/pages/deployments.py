"""Deployments: what stands, where and until when; letting it stay, and ending it."""

from __future__ import annotations

from apiflask import APIBlueprint
from flask import render_template
from flask import request

from ..api import deployments as api
from ..api.here import caller
from ..api.here import desk
from ..desk import deployments
from . import frame

blueprint = APIBlueprint("deployments", __name__, url_prefix="/deployments", enable_openapi=False)


@blueprint.get("")
def index():
    return render_template("deployments.html", deployments=deployments.index(desk(), caller()))


@blueprint.post("/<tenant>/<name>/extend")
def extend(tenant, name):
    asked = frame.checked(api.Extend, hours=request.form.get("hours", ""))
    deployments.extend(desk(), caller(), tenant, name, asked.hours)
    return frame.go("/deployments")


@blueprint.post("/<tenant>/<name>/end")
def end(tenant, name):
    deployments.end(desk(), caller(), tenant, name)
    return frame.go("/deployments")
