# Copyright: SuanWang Brain contributors
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

from ..module_utils import sites
from ..plugin_utils import clock
from ..plugin_utils import leases
from ..plugin_utils import showing
from ..plugin_utils.api import BrainAction
from ..plugin_utils.console import printable
from ..plugin_utils.store import Store
from ..plugin_utils.watching import Watch

_SPEC = {"rounds": {"type": "int"}, "for_s": {"type": "int"}, "config": {"type": "path"}}


class ActionModule(BrainAction):
    """Read every site again and again, each at its own interval, and keep what they say in the store."""

    def act(self, task_vars):
        params = self.parameters(_SPEC)
        if self._task.check_mode:
            return {"skipped": True, "skip_reason": "It would write snapshots."}
        store = Store()
        watch = Watch(sites.load(params["config"]), store, params["rounds"], params["for_s"])
        for line in showing.overdue(leases.standing(store), clock.now()):
            self._display.display(line, color="yellow")
        with store.only_one("watch"):
            watch.run(lambda line: self._display.display(printable(line)))
        return {"changed": False, "reads": watch.reads}
