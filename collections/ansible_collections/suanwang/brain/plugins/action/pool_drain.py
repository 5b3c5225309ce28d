# Copyright: SuanWang Brain contributors
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import json

from ..module_utils import sites
from ..plugin_utils import claim
from ..plugin_utils import clock
from ..plugin_utils import draining
from ..plugin_utils.api import BrainAction
from ..plugin_utils.store import Store

_SPEC = {
    "scope": {"type": "str", "required": True},
    "reason": {"type": "str"},
    "state": {"type": "str", "choices": ["present", "absent"], "default": "present"},
    "config": {"type": "path"},
}


class ActionModule(BrainAction):
    """Send no new work to a site, an endpoint or a pool, or let it go there again."""

    def act(self, task_vars):
        params = self.parameters(_SPEC)
        store, scope = Store(), params["scope"]
        config = sites.load(params["config"])
        draining.check_scope(config, scope)
        before = draining.read(store).get(scope)
        if params["state"] == "absent":
            after = None
            if not self._task.check_mode:
                before = draining.lift(store, scope)
        else:
            by, now = claim.holder(), clock.now()
            draining.check_reason(params["reason"])
            if self._task.check_mode:
                after = draining.entry(before, params["reason"], by, now)
            else:
                before, after = draining.drain(store, config, scope, params["reason"], by, now)
        result = {"changed": before != after, "drain": after}
        if self._task.diff:
            result["diff"] = {"before": _text(scope, before), "after": _text(scope, after)}
        return result


def _text(scope, entry):
    return "" if entry is None else json.dumps({scope: entry}, ensure_ascii=False, indent=1) + "\n"
