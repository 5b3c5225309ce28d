# Copyright: SuanWang Brain contributors
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

from ..module_utils.errors import BrainError
from ..plugin_utils import claim
from ..plugin_utils import clock
from ..plugin_utils import leases
from ..plugin_utils.api import BrainAction
from ..plugin_utils.planned import KEPT
from ..plugin_utils.run_pass import RunPass


class RunFailed(BrainError):
    """The run did not succeed; the message holds a sentence for each culprit."""

    code = "run_failed"


class ActionModule(BrainAction):
    """Judge a pass, and close the journal where everything ended well."""

    def act(self, task_vars):
        run_pass = RunPass.current()
        plan, ends = run_pass.plan, {}
        part = run_pass.facts["components"]
        for item in plan["components"]:
            if part is not None and item["id"] not in part:
                continue
            ends[item["id"]] = run_pass.told("end", item["id"]) or {
                "state": "unfinished",
                "message": "it did not run in this pass",
            }
        bad = {name: end for name, end in ends.items() if end["state"] != "succeeded"}
        good = "succeeded" if part is None else "partial"
        state = good if not bad else "failed"
        if run_pass.facts["purpose"] == "release":
            state = "released" if not bad else "failed"
        way_out = (
            f"Again: ansible-playbook playbooks/apply.yml -e plan={run_pass.run}."
            f" Give everything back: ansible-playbook playbooks/release.yml -e plan={run_pass.run}."
        )
        if not run_pass.check:
            try:
                run_pass.note(None, "closed", state=state)
                claim.release(run_pass.store, run_pass.run, run_pass.facts["pid"])
            except BrainError as error:
                said = f"run {run_pass.run} cannot be closed: {error} {_sentences(bad)}"
                raise RunFailed(said.strip(), way_out=way_out) from error
        if bad:
            raise RunFailed(f"run {run_pass.run} did not end well: {_sentences(bad)}", way_out=way_out)
        self._tell(run_pass, part)
        home = _brought_home(run_pass)
        for model in home["models"]:
            self._display.display(
                f"{model['path']} is home: accuracy {float(model['accuracy']):.3f} on {model['rows']} withheld rows,"
                f" sha256 {model['sha256'][:16]}",
                color="green",
            )
        return {
            "changed": False,
            "brain_run": plan["run"],
            "brain_digest": run_pass.facts["digest"],
            "brain_state": "checked" if run_pass.check else state,
            "components": ends,
            **home,
        }

    def _tell(self, run_pass, part):
        """Say what came of the pass beside the models: what is left, what started, where it is reached, until when."""
        plan = run_pass.plan
        if part is not None and not run_pass.check and run_pass.facts["purpose"] == "apply":
            left = [item["id"] for item in plan["components"] if item["id"] not in part]
            self._display.display(
                f"This was a part of run {run_pass.run}; still to do: {', '.join(left)}."
                f" The rest: ansible-playbook playbooks/apply.yml -e plan={run_pass.run}.",
                color="yellow",
            )
        for event in run_pass.earlier():
            if event["event"] == "gang" and event["pass"] == run_pass.facts["id"]:
                names, apart = ", ".join(event["starts"]), f"{event['skew_s']} s ({event['allowed_s']} s are allowed)"
                self._display.display(f"{names} started together, within {apart}.", color="green")
        for event in run_pass.earlier():
            if event["event"] == "reachable" and event["pass"] == run_pass.facts["id"]:
                inside, outside = (f"{event[side]['address']}:{event[side]['port']}" for side in ("private", "public"))
                self._display.display(f"{event['machine']} is reached at {outside} ({inside} inside).", color="green")
            if event["event"] == "answers" and event["pass"] == run_pass.facts["id"]:
                took = f"{event['median_ms']} ms, the median of {event['requests']} requests"
                self._display.display(f"{event['component']} answers at {event['url']}: {took}.", color="green")
        kept = [item for item in plan["components"] if item["kind"] in KEPT]
        there = leases.stays(run_pass.store) if kept and run_pass.facts["purpose"] == "apply" else ()
        for stay in there:
            if stay.run == run_pass.run and stay.ended is None and not run_pass.check:
                name = f"{stay.tenant}/{stay.deployment}"
                self._display.display(
                    f"{stay.component} stays until {clock.local(stay.until)}; the approval service ends it then."
                    f" Longer: ansible-playbook playbooks/lease.yml -e deployment={name} -e lease_h=HOURS."
                    f" Sooner: ansible-playbook playbooks/release.yml -e deployment={name}",
                    color="green",
                )


def _sentences(bad):
    culprits = {name: end for name, end in bad.items() if not end.get("culprit")}
    waiting = [name for name in bad if name not in culprits]
    said = [f"{name}: {end.get('message', end['state'])}" for name, end in culprits.items()]
    if waiting:
        said.append(f"not started because of that: {', '.join(waiting)}.")
    return " ".join(said)


def _brought_home(run_pass):
    """Return {models: [{component, path, sha256, accuracy, rows}]} as this run's journal has them."""
    found = {}
    for event in run_pass.store.journal(run_pass.run):
        if event["event"] == "evaluated":
            found[event["component"]] = {key: event[key] for key in ("component", "path", "sha256", "accuracy", "rows")}
    return {"models": list(found.values())}
