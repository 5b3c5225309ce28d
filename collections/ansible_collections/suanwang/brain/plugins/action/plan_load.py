# Copyright: SuanWang Brain contributors
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import os
import pathlib

from ansible import constants
from ansible import context

from ..module_utils import configfile
from ..module_utils import sites
from ..module_utils.errors import Corrupt
from ..module_utils.errors import Invalid
from ..module_utils.errors import Refused
from ..plugin_utils import claim
from ..plugin_utils import clock
from ..plugin_utils import deployments
from ..plugin_utils import fetching
from ..plugin_utils import statement
from ..plugin_utils.api import BrainAction
from ..plugin_utils.history import History
from ..plugin_utils.history import part_of
from ..plugin_utils.planned import KEPT
from ..plugin_utils.run_pass import RunPass
from ..plugin_utils.store import Store

_SPEC = {
    "plan": {"type": "str"},
    "deployment": {"type": "str"},
    "config": {"type": "path"},
    "purpose": {"type": "str", "choices": ["apply", "release"], "default": "apply"},
    "only": {"type": "list", "elements": "str"},
}


class ActionModule(BrainAction):
    """Verify a plan, claim its run, and open the pass of this playbook."""

    def act(self, task_vars):
        params = self.parameters(
            _SPEC, mutually_exclusive=[("plan", "deployment")], required_one_of=[("plan", "deployment")]
        )
        check, store, now, stood = self._task.check_mode, Store(), clock.now(), None
        config = sites.load(params["config"])
        if params["deployment"]:
            folder, stood = _deployment(store, params)
        else:
            folder = fetching.find(store, params["plan"], config, pathlib.Path(constants.DEFAULT_LOCAL_TMP))
        plan, digest = store.read_plan(folder)
        configfile.check(plan, "plan", folder / "plan.json")
        _check_sites(plan, config)
        _check_forks(plan)
        note = self._check_approval(store, folder, plan, digest, config, now, check)
        past = History(store.journal(plan["run"]))
        finished = past.closed == "succeeded" and params["purpose"] == "apply"
        taking_part = None if finished else part_of(plan, params["only"], past.done)
        if stood is not None:
            taking_part = [item["id"] for item in plan["components"] if item["kind"] in KEPT]
        if not past.started and not check and params["purpose"] == "apply":
            _check_time(plan, digest, note["expired"], now)
        if not check:
            folder = store.adopt(folder, plan, digest)
            if params["purpose"] == "apply" and not finished:
                fetching.files(store, plan, config)
        if not finished:
            pid = os.getppid()
            if not check:
                claim.take(store, plan["run"], pid)
            run_pass = RunPass.open(
                store=store,
                plan_dir=folder,
                digest=digest,
                config=config.folder,
                check=check,
                may_start=not note["expired"],
                purpose=params["purpose"],
                pid=pid,
                components=taking_part,
                done=past.all_done and params["purpose"] == "apply",
                stood=stood,
            )
            run_pass.note(None, "loaded", digest=digest, purpose=params["purpose"], only=taking_part)
        if finished:
            self._display.display(f"Run {plan['run']} has succeeded before; nothing is left to do.", color="green")
        for line in note["lines"]:
            self._display.display(line, color="yellow")
        return {
            "changed": False,
            "brain_run": plan["run"],
            "brain_digest": digest,
            "journal": str(store.journal_path(plan["run"])),
            "finished": finished,
            "approvers": note["approvers"],
            "components": [
                _shown(item)
                for item in plan["components"]
                if not finished and (taking_part is None or item["id"] in taking_part)
            ],
        }

    def _check_approval(self, store, folder, plan, digest, config, now, check):
        late = now > plan["window"]["start_by"]
        if not config.policy["require_approval"]:
            if plan["lab"] == "true" and all(config.site(name).lab for name in plan["sites"]):
                return {"lines": [], "approvers": [], "expired": late}
            raise Refused(
                "policy.yml asks for no approval, which holds for labs only, and this plan uses other sites.",
                way_out="Set require_approval: true and have an approver sign.",
            )
        verdict = statement.judge(store.approvals(folder), plan, digest, config.policy, config.allowed_signers, now)
        if not verdict.enough:
            needed = config.policy["approvals"] - len(verdict.approvers)
            said = " ".join(verdict.refusals)
            text = f"plan {digest[:8]} is not approved: {needed} approval(s) missing. {said}".strip()
            if not check:
                raise Refused(
                    text,
                    way_out=f"ansible-playbook playbooks/approve.yml -e plan={digest[:16]} -e key=FILE",
                )
            lines = [f"Not approved yet: this is what would be done. {text}"]
            return {"lines": lines, "approvers": list(verdict.approvers), "expired": late}
        return {
            "lines": [],
            "approvers": list(verdict.approvers),
            "expired": verdict.expired or late,
        }


def _deployment(store, params):
    if params["purpose"] != "release":
        raise Invalid("a deployment is given back as a whole, and applied by a plan.", way_out="Name the plan.")
    return deployments.find(store, params["deployment"])


def _check_sites(plan, config):
    for name, pin in plan["sites"].items():
        site = config.site(name)
        if site.pin != pin:
            raise Corrupt(
                f"{config.folder} describes {name} otherwise than the plan's approval: its endpoints,"
                " certificates, host keys or lab flag differ.",
                site=name,
                way_out="Use the folder the plan was made with, or propose again.",
            )


def _check_time(plan, digest, expired, now):
    if expired:
        raise Refused(
            f"the approval of plan {digest[:8]} has expired, or its start window has passed.",
            way_out="Approve it again, or propose again.",
        )
    opens = plan["window"].get("not_before", now)
    if now < opens:
        raise Refused(
            f"plan {digest[:8]} starts not before {opens}.",
            way_out="Start it then, or revise the proposal with another window.",
        )


def _check_forks(plan):
    forks = context.CLIARGS.get("forks", constants.DEFAULT_FORKS)
    if forks < plan["min_forks"]:
        raise Invalid(
            f"this plan needs {plan['min_forks']} forks, {forks} are set; a waiting component holds one.",
            way_out=f"Add --forks {plan['min_forks']}, or set forks in ansible.cfg.",
        )


def _shown(item):
    """Return what a component's host shows. For display and targeting only: actions read the plan."""
    return {
        "id": item["id"],
        "host": f"c-{item['id']}",
        "kind": item["kind"],
        "needs": item["needs"],
        "pools": item["pools"],
    }
