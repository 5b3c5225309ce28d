# Copyright: SuanWang Brain contributors
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

from ..plugin_utils.api import BrainAction
from ..plugin_utils.api import Reporter
from ..plugin_utils.gang import Member
from ..plugin_utils.run_pass import RunPass


class ActionModule(BrainAction):
    """Start the job of a gang's member together with its mates."""

    def act(self, task_vars):
        run_pass = RunPass.current()
        component = run_pass.component_of_host(str(task_vars["inventory_hostname"]))
        if component is None or "gang" not in component:
            return {"skipped": True, "skip_reason": "This host is no member of a gang."}
        if self._task.check_mode or run_pass.check:
            return {"skipped": True, "skip_reason": "In check mode no job starts."}
        return Member(run_pass, component, Reporter(run_pass, component["id"])).start()
