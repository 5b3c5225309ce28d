# Copyright: SuanWang Brain contributors
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

from ..module_utils.errors import Refused
from ..module_utils.verbs.artifact import sha256_of
from ..plugin_utils.api import BrainAction
from ..plugin_utils.evaluate import measured
from ..plugin_utils.planned import artifact_path
from ..plugin_utils.run_pass import RunPass


class ActionModule(BrainAction):
    """Measure what came home on data that never left. No figure is taken from the job's own words."""

    def act(self, task_vars):
        run_pass = RunPass.current()
        component = run_pass.component_of_host(str(task_vars["inventory_hostname"]))
        wanted = (component or {}).get("evaluate")
        if not wanted or run_pass.check:
            return {"skipped": True, "skip_reason": "There is nothing to measure here."}
        path = artifact_path(run_pass, component)
        held = run_pass.store.object_path(wanted["file"]["sha256"])
        accuracy, rows = measured(path, held, wanted)
        run_pass.note(
            component["id"],
            "evaluated",
            accuracy=f"{accuracy:.6f}",
            rows=rows,
            path=str(path),
            sha256=sha256_of(path),
        )
        if accuracy < float(wanted["at_least"]):
            raise Refused(
                f"{path.name} reached {accuracy:.4f} on {rows} rows, of which what counts never left the controller;"
                f" {wanted['at_least']} was asked for.",
                way_out="Change the code, or `at_least` in the task.",
            )
        return {"changed": False, "accuracy": accuracy, "rows": rows, "path": str(path)}
