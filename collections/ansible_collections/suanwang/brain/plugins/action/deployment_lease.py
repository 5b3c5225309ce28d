# Copyright: SuanWang Brain contributors
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import dataclasses

from ..plugin_utils import claim
from ..plugin_utils import clock
from ..plugin_utils import leases
from ..plugin_utils.api import BrainAction
from ..plugin_utils.store import Store

_SPEC = {"deployment": {"type": "str", "required": True}, "lease_h": {"type": "float", "required": True}}


class ActionModule(BrainAction):
    """Let a deployment stay longer than its lease says."""

    def act(self, task_vars):
        params = self.parameters(_SPEC)
        store, now = Store(), clock.now()
        there = leases.find(store, params["deployment"])
        until = leases.prolonged(there, params["lease_h"], now)
        if not self._task.check_mode:
            leases.prolong(store, there, until, claim.holder(), now)
        result = {"changed": True, "standing": dataclasses.asdict(dataclasses.replace(there, until=until))}
        if self._task.diff:
            result["diff"] = {"before": _text(there, there.until), "after": _text(there, until)}
        return result


def _text(there, until):
    return f"{there.tenant}/{there.deployment} stays until {until}\n"
