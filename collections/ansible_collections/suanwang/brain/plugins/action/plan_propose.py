# Copyright: SuanWang Brain contributors
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import os
import pathlib
import time

from ..module_utils import configfile
from ..module_utils import sites
from ..module_utils.errors import Invalid
from ..module_utils.names import new_run
from ..plugin_utils import clock
from ..plugin_utils import console
from ..plugin_utils import proposing
from ..plugin_utils import showing
from ..plugin_utils.api import BrainAction
from ..plugin_utils.fleet import pools_of
from ..plugin_utils.planning.propose import pick
from ..plugin_utils.planning.revise import revise
from ..plugin_utils.statement import principals_listed
from ..plugin_utils.store import Store

_SPEC = {
    "task": {"type": "path", "required": True},
    "pick": {"type": "str"},
    "edits": {"type": "path"},
    "requester": {"type": "str"},
    "config": {"type": "path"},
}


class ActionModule(BrainAction):
    """Turn a task into proposals, show them, and write the picked one as plan and estimate."""

    def act(self, task_vars):
        params = self.parameters(_SPEC)
        store, config = Store(), sites.load(params["config"])
        reading, now = proposing.read(params["task"], store), clock.now()
        found = proposing.proposals(reading, pools_of(task_vars), config, proposing.commitments(store, now), now)
        self._display.display(showing.proposals(found))
        if not params["pick"] and not params["edits"]:
            first = found.proposals[0].labels[0]
            self._display.display(f"Nothing is written yet. Choose one: add -e pick={first}")
            return {"changed": False, "labels": [list(p.labels) for p in found.proposals]}
        chosen = pick(found, params["pick"] or found.proposals[0].labels[0])
        if params["edits"]:
            chosen, deltas = revise(found, chosen, configfile.parse(params["edits"]))
            self._display.display(showing.deltas(deltas))
        return self._write(params, store, config, chosen, reading)

    def _write(self, params, store, config, chosen, reading):
        requester = _requester(params["requester"], config)
        run = new_run(time.time() * 1000)
        plan, estimate = proposing.planned(reading, chosen, config, run, requester, clock.now())
        if self._task.check_mode:
            return {"changed": True, "brain_run": None, "brain_digest": None}
        digest, path = store.save_plan(plan, estimate)
        self._display.display(
            console.render(
                f"Plan {digest[:8]} of run {run} is written: {path}",
                f"Approve it: ansible-playbook playbooks/approve.yml -e plan={digest[:16]} -e key=FILE",
            )
        )
        return {
            "changed": True,
            "brain_run": run,
            "brain_digest": digest,
            "plan": str(path),
            "labels": list(chosen.labels),
        }


def _requester(named, config):
    name = named or os.environ.get("SUANWANG_REQUESTER")
    known = principals_listed(config.allowed_signers)
    if name in known:
        return name
    said = f"{name!r} is no principal" if name else "nobody is named as requester, who must be a principal"
    raise Invalid(
        f"{said} of {pathlib.Path(config.folder) / 'allowed_signers'}.",
        way_out=f"Add -e requester=NAME, or set SUANWANG_REQUESTER; known: {', '.join(known) or 'none'}.",
    )
