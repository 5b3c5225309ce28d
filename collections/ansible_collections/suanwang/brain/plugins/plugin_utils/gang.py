# Copyright: SuanWang Brain contributors
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Members of a gang start together, or none of them runs: what one member does, beside its mates' workers.

Each waits until all are ready, submits its own job, and waits until all run. Where one cannot, every member ends its
own job again. Starts are compared as the platforms state them, by clocks that the sites keep.
"""

from __future__ import annotations

import time

from ..module_utils.errors import BrainError
from ..module_utils.sites import connect
from ..module_utils.verbs import VERBS
from ..module_utils.verbs.patience import patiently
from . import clock
from . import planned

#: Between two looks at the mates, which cost a stat each; and between two looks at a job of ours at its site.
PAUSE_S, LOOK_S = 0.05, 0.5


class GangFailed(BrainError):
    """Not all members of a gang could start together. This member's job is ended."""

    code = "gang_failed"


class Member:
    """One component of a gang in this pass."""

    def __init__(self, run_pass, component, report):
        self.run_pass, self.component, self.report = run_pass, component, report
        self.name = component["id"]
        self.gang = component["gang"]
        self.tolerance_s = run_pass.plan["gangs"][self.gang]["tolerance_s"]
        members = [item["id"] for item in run_pass.plan["components"] if item.get("gang") == self.gang]
        self.members, self.mates = members, [name for name in members if name != self.name]
        (self.asked,) = planned.job(run_pass, component, "present")

    def start(self):
        """Return {changed, job, skew_s}; raise GangFailed, with nothing of this member running."""
        try:
            return self._start()
        except BrainError as error:
            self._end()
            raise GangFailed(str(error), details=error.details) from error

    def _start(self):
        there = not self.run_pass.placed(self.component)["submits"]
        since = self._since(self._look()) if there else None
        self.run_pass.tell("ready", self.name, {"since": since})
        while not all(self._of_mates("ready").values()):
            self._mates_live()
            time.sleep(PAUSE_S)
        self._refuse_torn(since)
        out = self._verb("job", wait=False)
        self._wait_started()
        starts = {name: self.run_pass.told("started", name)["at"] for name in self.members}
        skew_s = max(starts.values()) - min(starts.values())
        if skew_s > self.tolerance_s:
            raise GangFailed(f"the members of {self.gang} started {skew_s} s apart; {self.tolerance_s} s are allowed.")
        if self.name == self.members[0]:
            self.run_pass.note(None, "gang", gang=self.gang, skew_s=skew_s, allowed_s=self.tolerance_s, starts=starts)
        return {"changed": out["changed"], "job": out["job"], "skew_s": skew_s}

    def _refuse_torn(self, since):
        """A pass may have died between two submits: what starts now would be too late for what runs already."""
        if since is not None:
            return
        began = [one["since"] for one in self._of_mates("ready").values() if one["since"]]
        late_s = clock.epoch() - min(began, default=clock.epoch())
        if late_s > self.tolerance_s:
            raise GangFailed(
                f"{self.name} would start {late_s} s after the first of {self.gang}; {self.tolerance_s} s are allowed.",
                way_out="Release the run, and propose again.",
            )

    def _wait_started(self):
        while (since := self._since(self._look())) is None:
            self._mates_live()
            self._refuse_late()
            time.sleep(LOOK_S)
        self.run_pass.tell("started", self.name, {"at": since, "seen": time.time()})
        while not all(self._of_mates("started").values()):
            self._mates_live()
            self._refuse_late()
            time.sleep(PAUSE_S)

    def _refuse_late(self):
        """The first that is seen running gives the others so long, and no longer."""
        seen = {name: self.run_pass.told("started", name) for name in self.members}
        first = min((one["seen"] for one in seen.values() if one), default=None)
        if first is not None and time.time() - first > self.tolerance_s:
            late = ", ".join(name for name, one in seen.items() if not one)
            raise GangFailed(
                f"{late} does not run {self.tolerance_s} s after the first of {self.gang}.",
                way_out="Look at the queue there, and propose again.",
            )

    def _mates_live(self):
        for name, end in self._of_mates("end").items():
            if end and end["state"] != "succeeded":
                culprit = end.get("culprit") or name
                raise GangFailed(
                    f"{self.name} was not started: {culprit}, which starts together with it, could not.",
                    details={"culprit": culprit},
                )

    def _of_mates(self, kind):
        return {name: self.run_pass.told(kind, name) for name in self.mates}

    # -- this member's own job -----------------------------------------------------------------------------
    def _verb(self, name, **given):
        verb = VERBS[name]
        defaults = {key: option.get("default") for key, option in verb.spec["argument_spec"].items()}
        asked = {**defaults, **self.asked, "planned": True, **given}
        return verb.run(connect(asked), asked, False, self.report)

    def _look(self):
        return patiently(lambda: self._verb("job_info"), self.report)

    @staticmethod
    def _since(out):
        """Return since when a job runs, in epoch s, or None where it does not run yet."""
        job = out["job"] or {}
        started = (out["result"] or {}).get("started") or job.get("started")
        if started:
            return clock.epoch(started)
        return clock.epoch() if out["state"] in ("running", "succeeded") else None

    def _end(self):
        """End this member's job, so that none runs alone. What cannot be ended is told, and keeps its nodes."""
        try:
            self._verb("job", state="absent")
        except BrainError as error:
            raise GangFailed(
                f"{self.name} may still run, and could not be ended: {error}",
                way_out=f"ansible-playbook playbooks/release.yml -e plan={self.run_pass.run}",
            ) from error
