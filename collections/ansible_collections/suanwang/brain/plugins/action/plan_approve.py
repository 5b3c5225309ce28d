# Copyright: SuanWang Brain contributors
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

from ..module_utils import sites
from ..module_utils.errors import Refused
from ..plugin_utils import clock
from ..plugin_utils import draining
from ..plugin_utils import showing
from ..plugin_utils import statement
from ..plugin_utils.api import BrainAction
from ..plugin_utils.store import Store

_SPEC = {
    "plan": {"type": "str", "required": True},
    "key": {"type": "path", "no_log": False},
    "config": {"type": "path"},
}


class ActionModule(BrainAction):
    """Sign a plan's digest with the approver's own key, and keep the signature beside the plan."""

    def act(self, task_vars):
        params = self.parameters(_SPEC)
        store, config = Store(), sites.load(params["config"])
        folder = store.find_plan(params["plan"])
        plan, digest = store.read_plan(folder)
        key = statement.read_key(params["key"]) if params["key"] else statement.agent_key(config.allowed_signers)
        blob = statement.public_blob(key)
        names = statement.principals_of(blob, config.allowed_signers)
        if not names:
            raise Refused(
                f"the key {statement.fingerprint(key)} stands in no line of allowed_signers.",
                way_out=f"Add it to {config.folder / 'allowed_signers'}, or use an approver's key.",
            )
        now = clock.now()
        expires = statement.valid_until(plan, config.policy, now)
        approval = statement.sign(key, digest, plan["run"], names[0], now, expires)
        # What would not count is never written: a refused approver finds out now, not at apply.
        statement.check_approval(approval, plan, digest, config.policy, config.allowed_signers)
        self._display.display(showing.plan(plan, digest, store.estimate(digest)))
        for one in draining.planned(plan, draining.read(store)):
            way = f"{', '.join(one['others'])} would be taken" if one["others"] else "it would be refused there"
            said = f"{one['component']} is to run on {one['pool']}, which is drained: {one['why']}; {way}."
            self._display.display(said, color="yellow")
        if self._task.check_mode:
            return {"changed": True, "approver": names[0], "brain_digest": digest}
        path = store.save_approval(folder, statement.key_id(blob), approval)
        return {
            "changed": True,
            "approver": names[0],
            "expires": expires,
            "signature": str(path),
            "brain_run": plan["run"],
            "brain_digest": digest,
        }
