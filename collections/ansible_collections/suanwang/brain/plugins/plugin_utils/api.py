# Copyright: SuanWang Brain contributors
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The face of a verb in the controller's worker: no module is shipped, no interpreter is started.

With `planned: true` every parameter is read from the verified plan, for the component that the host stands for;
neither host variables nor `-e` are looked at.
"""

from __future__ import annotations

import contextlib
import multiprocessing
import os
import time

from ansible.errors import AnsibleActionFail
from ansible.module_utils.common.parameters import remove_values
from ansible.plugins.action import ActionBase

from ..module_utils import http
from ..module_utils import plain
from ..module_utils import sites
from ..module_utils import sshlink
from ..module_utils.errors import BrainError
from ..module_utils.errors import Invalid
from ..module_utils.verbs import VERBS
from . import orphans
from . import planned
from .run_pass import RunPass
from .store import Store

# This file is imported in the playbook process, so its workers inherit what would cost each of them 0.2 s. What is
# wrong with any of it is told by the verb that needs it.
for _load in (http.preload, sshlink.preload, sites.load, plain.prepare):
    with contextlib.suppress(BrainError, OSError):
        _load()

_IN_WORKER = ("local", "ansible.builtin.local", "suanwang.brain.api")
#: At most one progress line in the journal in so many seconds, for each component.
PROGRESS_S = 1.0


def die_with_parent():
    """End this worker when the playbook dies, whoever has shown it: our callback ties it from its fork on."""
    # What the fork knows, not what the kernel says now: the playbook may be dead already.
    known = multiprocessing.parent_process()
    orphans.end_with(known.pid if known else os.getppid())


class BrainAction(ActionBase):
    """Base of all our actions: BrainError becomes a failed result with a sentence and plain data."""

    _requires_connection = False
    _supports_check_mode = True
    _supports_async = False

    def run(self, tmp=None, task_vars=None):
        result = super().run(tmp, task_vars)
        die_with_parent()
        try:
            self._refuse_ignored_keywords()
            return {**result, **self.act(task_vars or {})}
        except BrainError as error:
            return {**result, "failed": True, "msg": str(error), "failure": error.failure()}

    def act(self, task_vars):
        """Do the work and return the result; raise BrainError."""
        raise AnsibleActionFail("an action must say what it does")

    def _refuse_ignored_keywords(self):
        named = [name for name in ("become", "async_val") if getattr(self._task, name, None)]
        if any(self._task.environment or ()):
            named.append("environment")
        if named:
            raise Invalid(
                f"{self._task.action} works inside the controller and cannot honour"
                f" `{', '.join(named).replace('async_val', 'async')}`.",
                way_out="Remove the keyword; credentials are files that SUANWANG_CREDENTIALS names.",
            )

    def parameters(self, argument_spec, **rules):
        """Return the task's arguments, validated. Anything wrong is a sentence."""
        _checked, params = self.validate_argument_spec(argument_spec=argument_spec, **rules)
        return params


class ApiAction(BrainAction):
    """An action of the same name as a module, running the module's verb here."""

    _supports_async = True

    def run(self, tmp=None, task_vars=None):
        here = self._connection.transport in _IN_WORKER or self._task.args.get("planned")
        if not here:
            result = super(BrainAction, self).run(tmp, task_vars)
            return {
                **result,
                **self._execute_module(task_vars=task_vars, wrap_async=self._task.async_val),
            }
        return super().run(tmp, task_vars)

    def act(self, task_vars):
        name = self._task.action.rpartition(".")[2]
        verb = VERBS[name]
        checked, params = self.validate_argument_spec(**verb.spec)
        if params.get("planned"):
            return self._act_planned(name, verb, params, task_vars)
        platform = sites.connect(params, verb.any_endpoint, Store().hints)
        out = verb.run(platform, params, self._task.check_mode, lambda event, **fields: None)
        # no_log of the spec is not applied to what an action returns.
        return remove_values(out, checked._no_log_values)

    def _act_planned(self, name, verb, params, task_vars):
        run_pass = RunPass.current()
        component = run_pass.component_of_host(str(task_vars["inventory_hostname"]))
        if component is None:
            return {"skipped": True, "skip_reason": "This host is no component of the plan."}
        given = planned.PARAMETERS[name](run_pass, component, params.get("state", "present"))
        if isinstance(given, str):
            return {"skipped": True, "skip_reason": given}
        reporter = Reporter(run_pass, component["id"])
        outs, errors = [], []
        for place in given:
            asked = {**params, **place}
            try:
                check = self._task.check_mode or run_pass.check
                platform = sites.connect(asked, hints=run_pass.store.hints)
                link = None if check else planned.link(name, asked)
                with run_pass.share_of(link) if link else contextlib.nullcontext():
                    outs.append(verb.run(platform, asked, check, reporter))
            except BrainError as error:
                # One place that does not answer must not keep the others from being given back.
                errors.append(error.at(asked["site"]))
                continue
            self._hand_on(run_pass, component, asked, outs[-1])
        if errors:
            raise errors[0]
        if len(outs) == 1:
            return outs[0]
        whole = {"changed": any(out["changed"] for out in outs), "diff": [o["diff"] for o in outs]}
        machines = [out["instance"] for out in outs if out.get("instance")]
        return {**whole, "instances": machines} if machines else whole

    def _hand_on(self, run_pass, component, params, out):
        """Tell the reader of a datum where it lies and what it must be; tell a job which nodes are held for it."""
        for one in out.get("endpoints", ()) if component["kind"] in planned.KEPT else ():
            run_pass.note(component["id"], "reachable", machine=out["instance"]["name"], **one)
        if out.get("reservation"):
            run_pass.tell("held", component["id"], {"name": out["reservation"]["name"]})
        if component["kind"] != "move_data" or params.get("state") == "absent":
            return
        if out.get("dataset"):
            record = {"path": params["path"], "sha256": params["sha256"], "site": params["site"]}
            run_pass.tell("datum", component["id"], record)
        elif out.get("artifact"):
            stated = out["artifact"]
            below = stated["remote_path"].partition(f"/{run_pass.run}/")[2]
            record = {
                "path": f"{run_pass.run}/{below}",
                "sha256": stated["sha256"],
                "site": params["site"],
                "local": stated["path"],
                "filename": below.rpartition("/")[2],
            }
            run_pass.tell("datum", component["id"], record)


class Reporter:
    """What a verb tells goes to the journal: writes always, progress at most once a PROGRESS_S."""

    def __init__(self, run_pass, component):
        self.run_pass = run_pass
        self.component = component
        self.last = {}
        self.last_at = 0.0

    def __call__(self, event, **fields):
        if event in ("progress", "unreachable"):
            same = self.last.get("state") == fields.get("state")
            finished = fields.get("percent") == 100
            if fields == self.last or (same and not finished and time.monotonic() - self.last_at < PROGRESS_S):
                return
            self.last, self.last_at = dict(fields), time.monotonic()
        self.run_pass.note(self.component, event, **fields)
