# Copyright: SuanWang Brain contributors
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

from ..plugin_utils.api import BrainAction
from ..plugin_utils.placing import place
from ..plugin_utils.planned import KEPT
from ..plugin_utils.planned import WORK
from ..plugin_utils.run_pass import RunPass


class ActionModule(BrainAction):
    """Find where a component of the plan runs, or shall run."""

    def act(self, task_vars):
        run_pass = RunPass.current()
        component = run_pass.component_of_host(str(task_vars["inventory_hostname"]))
        if component is None or component["kind"] not in (*WORK, *KEPT):
            return {
                "skipped": True,
                "skip_reason": "This host is placed by another one, or by none.",
            }
        placed = place(run_pass, component)
        run_pass.tell("placed", component["id"], placed)
        run_pass.note(component["id"], "placed", **placed)
        return {"changed": False, "placed": placed}
