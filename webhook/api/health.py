"""Whether we are well, what there is to measure, and the API's own description."""

from __future__ import annotations

from apiflask import APIBlueprint
from flask import current_app
from flask import jsonify
from flask import render_template
from flask import Response
from sqlalchemy import text

from .. import metrics as measured
from .here import desk

blueprint = APIBlueprint("health", __name__, tag="Health")


@blueprint.get("/healthz")
@blueprint.doc(responses={200: {"description": "the database answers", "content": {"application/json": {}}}})
def healthz():
    """Say whether the database answers."""
    with desk().database.read() as session:
        session.execute(text("SELECT 1"))
    return jsonify({"well": True})


@blueprint.get("/metrics")
@blueprint.doc(responses={200: {"description": "Prometheus text", "content": {"text/plain": {}}}})
def metrics():
    """Give the metrics in Prometheus' format."""
    return Response(measured.text(desk()), content_type="text/plain; version=0.0.4; charset=utf-8")


@blueprint.get("/openapi.json")
@blueprint.doc(hide=True)
def openapi():
    """Give the OpenAPI 3.1 document."""
    return jsonify(current_app.spec)


@blueprint.get("/docs")
@blueprint.doc(hide=True)
def docs():
    """Show the OpenAPI document for people."""
    return render_template("docs.html", spec=current_app.spec)
