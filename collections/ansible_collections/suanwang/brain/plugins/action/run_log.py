# Copyright: SuanWang Brain contributors
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import time

from ..module_utils import sites
from ..plugin_utils import claim
from ..plugin_utils.api import BrainAction
from ..plugin_utils.history import History
from ..plugin_utils.joblogs import JobLogs
from ..plugin_utils.store import Store
from ..plugin_utils.telling import Teller

_SPEC = {
    "plan": {"type": "str", "required": True},
    "follow": {"type": "bool", "default": True},
    "config": {"type": "path"},
}
PAUSE_S = 0.5


class ActionModule(BrainAction):
    """Show what a run's journal says, and what its jobs print; go on until the run is over, or nobody drives it."""

    def act(self, task_vars):
        params = self.parameters(_SPEC)
        store = Store()
        plan, _digest = store.read_plan(store.find_plan(params["plan"]))
        logs, teller, told = JobLogs(sites.load(params["config"]), plan), Teller(), 0
        while True:
            # Asked before the journal is read: what its holder wrote last is then in it.
            held = claim.living(store, plan["run"])
            events = store.journal(plan["run"])
            for event in events[told:]:
                logs.take(event)
                if line := teller.line(event):
                    self._display.display(line)
            told, past = len(events), History(events)
            if not params["follow"] or not held:
                break
            logs.follow()
            self._show(logs)
            time.sleep(PAUSE_S)
        logs.finish()
        self._show(logs)
        if not held:
            self._display.display(_no_holder(plan["run"], past, told), color="yellow")
        return {"changed": False, "brain_run": plan["run"], "brain_state": past.closed if not past.open else None}

    def _show(self, logs):
        while not logs.lines.empty():
            self._display.display(logs.lines.get())


def _no_holder(run, past, told):
    if not told:
        return f"Nothing has been done for run {run} yet. ansible-playbook playbooks/apply.yml -e plan={run}"
    if past.open:
        return f"Nobody drives this run now. It goes on with: ansible-playbook playbooks/apply.yml -e plan={run}"
    return f"Run {run} is over: {past.closed}."
