# Copyright: SuanWang Brain contributors
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The pools of the inventory that a playbook was given, as records."""

from __future__ import annotations

from ..module_utils.errors import Invalid
from ..module_utils.hostvars import from_hostvars

GROUP = "brain_pools"


def pools_of(task_vars):
    """Return the Pool records of the group brain_pools; raise Invalid where the inventory has none."""
    names = (task_vars.get("groups") or {}).get(GROUP) or []
    if not names and not sites_of(task_vars):
        raise Invalid(
            "there is no pool in the inventory.",
            way_out="Add -i inventories/lab/fleet.brain.yml, or the fleet.brain.yml of your installation.",
        )
    hostvars = task_vars["hostvars"]
    return [from_hostvars(_plain(hostvars[name])) for name in names]


def sites_of(task_vars):
    """Return {endpoint path: {site, state, since, error}} of every endpoint that was read, pools or none."""
    return dict(task_vars.get("brain_sites") or {})


def _plain(variables):
    return {key: variables[key] for key in variables if key.startswith("brain_")}
