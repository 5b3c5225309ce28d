# Copyright: SuanWang Brain contributors
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

from ..module_utils import sites
from ..plugin_utils import clock
from ..plugin_utils import leases
from ..plugin_utils import runs
from ..plugin_utils import showing
from ..plugin_utils.api import BrainAction
from ..plugin_utils.store import Store

_SPEC = {"config": {"type": "path"}}


class ActionModule(BrainAction):
    """List the runs of the store, as their journals tell them."""

    def act(self, task_vars):
        params = self.parameters(_SPEC)
        store, now = Store(), clock.now()
        found, there = runs.records(store, sites.load(params["config"]), now), leases.standing(store)
        self._display.display(showing.runs(found) if found else f"The store {store.root} has no runs yet.")
        if there:
            self._display.display(showing.deployments(there, now))
        return {
            "changed": False,
            "runs": found,
            "deployments": [{**vars(one), "state": one.state(now)} for one in there],
        }
