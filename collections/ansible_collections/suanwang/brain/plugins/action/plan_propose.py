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
from ..plugin_utils import intake
from ..plugin_utils import showing
from ..plugin_utils.api import BrainAction
from ..plugin_utils.fleet import pools_of
from ..plugin_utils.planning.plan import build
from ..plugin_utils.planning.propose import pick
from ..plugin_utils.planning.propose import propose
from ..plugin_utils.planning.revise import revise
from ..plugin_utils.promised import promised
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
        task, folder, task_sha256 = intake.read_task(params["task"])
        facts = intake.facts(task, folder, store)
        found = propose(
            task,
            facts,
            pools_of(task_vars),
            config.links,
            promised(store, clock.now()),
            config.policy,
            config.tenants,
            clock.now(),
        )
        self._display.display(showing.proposals(found))
        if not params["pick"] and not params["edits"]:
            first = found.proposals[0].labels[0]
            self._display.display(f"Nothing is written yet. Choose one: add -e pick={first}")
            return {"changed": False, "labels": [list(p.labels) for p in found.proposals]}
        chosen = pick(found, params["pick"] or found.proposals[0].labels[0])
        if params["edits"]:
            chosen, deltas = revise(found, chosen, configfile.parse(params["edits"]))
            self._display.display(showing.deltas(deltas))
        return self._write(params, store, config, found, chosen, task, facts, task_sha256)

    def _write(self, params, store, config, found, chosen, task, facts, task_sha256):
        requester = _requester(params["requester"], config)
        run = new_run(time.time() * 1000)
        plan, estimate = build(
            chosen,
            task,
            facts,
            run=run,
            requester=requester,
            task_sha256=task_sha256,
            site_pins={name: (site.pin, site.lab) for name, site in config.sites.items()},
            policy=config.policy,
            now=clock.now(),
        )
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
