# Copyright: SuanWang Brain contributors
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import time

from ansible import constants
from ansible import context

from ..module_utils.errors import BrainError
from ..module_utils.errors import Conflict
from ..plugin_utils.api import BrainAction
from ..plugin_utils.planned import KEPT
from ..plugin_utils.planned import WORK
from ..plugin_utils.run_pass import HOST_PREFIX
from ..plugin_utils.run_pass import RunPass

#: A look is one stat of a file in memory; the pause bounds how late a dependant starts.
PAUSE_S = 0.2
#: Kind of a component → the role that does it.
ROLES = {
    **dict.fromkeys(WORK, "run_job"),
    **{kind: kind for kind in KEPT},
    "move_data": "move_data",
    "collect": "collect",
}


class NeedFailed(BrainError):
    """Something that this component needs ended badly."""

    code = "need_failed"


class ActionModule(BrainAction):
    """Wait until everything that a component needs has ended well in this pass."""

    def act(self, task_vars):
        run_pass = RunPass.current()
        component = run_pass.component_of_host(str(task_vars["inventory_hostname"]))
        if component is None or run_pass.facts["done"]:
            return {"changed": False, "kind": "", "role": "", "held": False, "unmet": []}
        turn = {"changed": False, "kind": component["kind"], "role": ROLES[component["kind"]]}
        unmet = list(component["needs"])
        if self._task.check_mode or run_pass.check:
            run_pass.tell("turn", component["id"], {})
            return {**turn, "held": False, "unmet": unmet}
        self._refuse(run_pass, component)
        run_pass.placed(component)
        self._check_order(component, task_vars)
        if unmet:
            run_pass.note(component["id"], "waiting", needs=unmet)
        while unmet:
            unmet = [need for need in unmet if not self._ended(run_pass, component, need)]
            if unmet:
                time.sleep(PAUSE_S)
        run_pass.tell("turn", component["id"], {})
        run_pass.note(component["id"], "begin")
        held = run_pass.told("held", component["id"]) is not None
        return {**turn, "held": held, "unmet": []}

    def _refuse(self, run_pass, component):
        """Nothing begins in a pass in which what has to start together got no nodes, or what follows no place."""
        refused = run_pass.told("refused", "all")
        if refused and refused["culprit"] == component["id"]:
            raise NeedFailed(run_pass.told("end", component["id"])["message"])  # what it was refused with stays
        if refused:
            culprit, why = refused["culprit"], f"{refused['culprit']} could not be reserved"
        else:
            culprit, why = run_pass.refusal_of_all() or (None, None)
        if culprit and culprit != component["id"]:
            raise NeedFailed(f"{component['id']} was not started: {why}.", details={"culprit": culprit})

    def _ended(self, run_pass, component, need):
        end = run_pass.told("end", need)
        if end is None:
            return False
        if end["state"] != "succeeded":
            culprit = end.get("culprit") or need
            raise NeedFailed(
                f"{component['id']} was not started: what it needs failed ({culprit}).",
                details={"culprit": culprit},
            )
        return True

    def _check_order(self, component, task_vars):
        """A need outside this play would never end; nor one behind this host, where forks are fewer than hosts."""
        hosts = list(task_vars.get("ansible_play_hosts_all") or ())
        if len(hosts) > context.CLIARGS.get("forks", constants.DEFAULT_FORKS):
            hosts = hosts[: hosts.index(HOST_PREFIX + component["id"])]
        for need in component["needs"]:
            if HOST_PREFIX + need not in hosts:
                raise Conflict(
                    f"{component['id']} needs {need}, which is not before it in this play.",
                    way_out="Run the whole plan; --limit is not for components.",
                )
