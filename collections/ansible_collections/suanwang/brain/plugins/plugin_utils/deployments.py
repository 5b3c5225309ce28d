# Copyright: SuanWang Brain contributors
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the store knows of a deployment: the plans that made and changed it, and every place where it may stand."""

from __future__ import annotations

from ..module_utils.errors import BrainError
from ..module_utils.errors import Invalid
from ..module_utils.errors import NotFound
from .planned import KEPT


def find(store, name):
    """Return (folder of the newest applied plan, [{kind, id, pools}] of what any of them kept) of a deployment.

    name: the deployment, or ``tenant/deployment`` where several tenants have one of that name.
    """
    tenant, _slash, deployment = name.rpartition("/")
    plans = list(_applied(store, deployment, tenant))
    if not plans:
        raise NotFound(
            f"the store {store.root} has no plan of the deployment {name} that was ever applied.",
            way_out="status.yml lists the runs; check the name, and SUANWANG_STATE.",
        )
    tenants = sorted({plan["tenant"] for _folder, plan in plans})
    if len(tenants) > 1:
        raise Invalid(
            f"the deployment {deployment} is of several tenants: {', '.join(tenants)}.",
            way_out=f"Name one: -e deployment={tenants[0]}/{deployment}",
        )
    stood = {}
    for _folder, plan in plans:
        for item in plan["components"]:
            if item["kind"] in KEPT:
                stood.setdefault((item["kind"], item["id"]), set()).update(item["pools"])
    rows = [{"kind": kind, "id": key, "pools": sorted(pools)} for (kind, key), pools in sorted(stood.items())]
    return plans[0][0], rows


def _applied(store, deployment, tenant):
    for run in store.runs():
        try:
            folder = store.find_plan(run)
            plan, _digest = store.read_plan(folder)
        except (BrainError, OSError):
            continue  # a damaged plan was never applied as it is
        if plan.get("deployment") == deployment and tenant in ("", plan["tenant"]) and store.journal(run):
            yield folder, plan
