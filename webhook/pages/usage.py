"""What was used a month, and the quotas."""

from __future__ import annotations

from apiflask import APIBlueprint
from flask import render_template
from flask import request

from ..api import records
from ..api import usage as api
from ..api.here import caller
from ..api.here import desk
from ..desk import quotas
from ..runs import ledger
from . import frame

blueprint = APIBlueprint("usage", __name__, url_prefix="/usage", enable_openapi=False)


@blueprint.get("")
def index():
    asked = frame.checked(api.Asked, month=request.args.get("month") or None, tenant=request.args.get("tenant") or None)
    found = quotas.rows(desk(), caller(), asked.month_, asked.tenant)
    return render_template(
        "usage.html",
        month=asked.month_,
        sums=quotas.sums(found),
        rows=found[-200:],
        quotas=[{**one, "parts": ledger.UNITS[one["resource"]][1]} for one in quotas.index(desk(), caller())],
        tenants=quotas.tenants(desk(), caller()),
        units=ledger.UNITS,
    )


@blueprint.post("")
def put():
    form = request.form
    resource, amount = form.get("resource", ""), form.get("amount", "").strip()
    parts = ledger.UNITS.get(resource, (None, 1))[1]
    try:
        amount = round(float(amount) * parts) if amount else None
    except (ValueError, OverflowError):
        pass  # the record says which field is wrong
    asked = frame.checked(
        records.QuotaIn,
        tenant=form.get("tenant", ""), person=form.get("person") or None, resource=resource, amount=amount,
    )  # fmt: skip
    quotas.put(desk(), caller(), asked.tenant, asked.person, asked.resource, asked.amount)
    return frame.go("/usage")
