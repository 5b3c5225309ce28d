# Copyright: SuanWang Brain contributors
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

from ..module_utils.errors import BrainError
from ..plugin_utils.api import BrainAction
from ..plugin_utils.run_pass import RunPass

_SPEC = {"failed": {"type": "dict"}, "refuses_all": {"type": "bool", "default": False}}


class ActionModule(BrainAction):
    """Keep how a component ended, for its dependants, the journal and the judge. Never fails the host."""

    def act(self, task_vars):
        params = self.parameters(_SPEC)
        run_pass = RunPass.current()
        component = run_pass.component_of_host(str(task_vars["inventory_hostname"]))
        if component is None:
            return {"skipped": True, "skip_reason": "This host is no component of the plan."}
        end = _end(params["failed"])
        try:
            if params["refuses_all"]:
                run_pass.tell("refused", "all", {"culprit": component["id"]})
            run_pass.tell("end", component["id"], end)
            run_pass.note(component["id"], "end", **end)
        except BrainError as error:
            # A failed host would end the playbook before its judge, who meets the same error and tells it.
            self._display.error(f"{component['id']}: {error}")
        return {"changed": False, **end}


def _end(failed):
    if not failed:
        return {"state": "succeeded"}
    details = failed.get("failure", {}).get("details", {})
    return {
        "state": "failed",
        "message": str(failed.get("msg", "it failed without a message"))[:2000],
        "code": failed.get("failure", {}).get("code"),
        "culprit": details.get("culprit"),
    }
