# Copyright: SuanWang Brain contributors
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""One pass of a playbook over a run: what its workers share, in a folder private to that playbook process.

The folder lies in ansible's DEFAULT_LOCAL_TMP, which one playbook process makes, its workers inherit, and its exit
removes. No variable reaches it: host variables and `-e` change nothing. The plan is read again and its digest checked
again at every use.
"""

from __future__ import annotations

import contextlib
import fcntl
import functools
import json
import os
import pathlib
import time

from ansible import constants

from ..module_utils import sites
from ..module_utils.errors import Conflict
from ..module_utils.errors import Invalid
from . import claim
from . import clock
from .store import Store

_FILE = "swb-pass.json"
HOST_PREFIX = "c-"
#: How often a copy asks for a share that another copy of the plan holds.
SHARE_POLL_S = 0.2


def _folder():
    return pathlib.Path(constants.DEFAULT_LOCAL_TMP)


def _taken(stream):
    """Lock an open file if nobody holds it; return whether."""
    try:
        fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


class RunPass:
    """The pass that plan_load opened in this playbook process."""

    def __init__(self, facts):
        self.facts = facts
        self.store = Store(facts["store"])
        self.plan_dir = pathlib.Path(facts["plan_dir"])
        self.check = facts["check"]

    # -- opening and finding ---------------------------------------------------------------------------
    @classmethod
    def open(
        cls, *, store, plan_dir, digest, config, check, may_start, purpose, pid, components=None, done=False, stood=None
    ):
        """Begin a pass; the pass before it in the same process, if any, is over.

        components: the ids of those that take part, None for all. done: every component ended well in an earlier
        pass, and only the giving back is left. stood: of a deployment that is given back, what it
        kept, with the pools where it may stand, whichever plan put it there.
        """
        facts = {
            "store": str(store.root),
            "plan_dir": str(plan_dir),
            "digest": digest,
            "config": str(config),
            "check": check,
            "may_start": may_start,
            "purpose": purpose,
            "pid": pid,
            "components": components,
            "done": done,
            "stood": stood,
            "id": f"{clock.now()}-{pid}",
        }
        for old in _folder().glob("swb-*.json"):
            old.unlink()
        (_folder() / _FILE).write_text(json.dumps(facts))
        return cls(facts)

    @classmethod
    def current(cls):
        """Return the pass of this playbook process; raise Invalid where there is none."""
        path = _folder() / _FILE
        if not path.is_file():
            raise Invalid(
                "no plan is loaded in this playbook.",
                way_out="Put suanwang.brain.plan_load before it, or give the parameters instead of `planned`.",
            )
        return cls(json.loads(path.read_text()))

    # -- the verified plan -----------------------------------------------------------------------------
    @functools.cached_property
    def plan(self):
        plan, digest = self.store.read_plan(self.plan_dir, self.facts["digest"])
        if digest != self.facts["digest"]:
            raise Conflict(
                f"the plan in {self.plan_dir} changed while it was being applied.",
                way_out="Start again; a changed plan needs a new approval.",
            )
        return plan

    @property
    def run(self):
        return self.plan["run"]

    @functools.cached_property
    def config(self):
        return sites.load(self.facts["config"], self.store.hints)

    def component(self, name):
        """Return a component of the plan, or None where the plan has none of that name."""
        return next((item for item in self.plan["components"] if item["id"] == name), None)

    def component_of_host(self, host):
        """Return the component that a host stands for, or None: a stranger in our group is left alone."""
        name = host.removeprefix(HOST_PREFIX)
        taking_part = self.facts["components"]
        if name == host or (taking_part is not None and name not in taking_part):
            return None
        return self.component(name)

    # -- what workers tell each other --------------------------------------------------------------------
    def _record(self, kind, name):
        return _folder() / f"swb-{kind}-{name}.json"

    def tell(self, kind, name, record):
        """Leave a record for the other workers of this pass. kind: placed held ready started datum end refused all."""
        path = self._record(kind, name)
        part = path.with_suffix(f".{os.getpid()}.part")
        try:
            part.write_text(json.dumps(record))
            part.replace(path)
        except OSError as error:
            raise Invalid(
                f"the pass cannot write {path}: {error.strerror}.",
                way_out="Free space there, or set ANSIBLE_LOCAL_TEMP to another folder.",
            ) from error

    def told(self, kind, name):
        """Return a record of this pass, or None."""
        try:
            return json.loads(self._record(kind, name).read_text())
        except FileNotFoundError:
            return None

    @contextlib.contextmanager
    def share_of(self, link):
        """Hold a share of a link of this pass: no more of the plan's copies move at once than the link has shares."""
        shares = max((one.shares for one in self.config.links if f"{one.source}-{one.target}" == link), default=1)
        with contextlib.ExitStack() as stack:
            paths = [_folder() / f"swb-link-{link}-{number}.lock" for number in range(shares)]
            streams = [stack.enter_context(open(path, "ab")) for path in paths]
            if shares == 1:
                fcntl.flock(streams[0], fcntl.LOCK_EX)
            while shares > 1 and not any(map(_taken, streams)):
                time.sleep(SHARE_POLL_S)
            yield

    def placed(self, component):
        """Return {pool, site, endpoint, name, arch, …} of where a component runs.

        move_data and collect follow the component they serve.
        """
        found = self.told("placed", component.get("of", component["id"]))
        if found is None:
            raise Conflict(
                f"{component['id']} has no pool in this pass.",
                way_out="Run the whole playbook: its preflight chooses the pools.",
            )
        if found.get("error"):
            raise Conflict(found["error"], details={"placed": found})
        return found

    def refusal_of_all(self):
        """Return (culprit, sentence) where a plan with a gang may not begin: all have a place, or none starts.

        What runs already goes on: then it is the culprit alone that fails, and a later pass may place it.
        """
        if not self.plan.get("gangs"):
            return None
        places = {item["id"]: self.told("placed", item["id"]) for item in self.plan["components"] if "of" not in item}
        if any(place and place["found"] for place in places.values()):
            return None
        culprit = next((name for name, place in places.items() if place and place.get("error")), None)
        return (culprit, f"{culprit} has no place") if culprit else None

    def all_done(self):
        """Keep in the journal, before anything is given back, that every component ended well."""
        if not self.check and self.told("all", "done") is None:
            self.tell("all", "done", {})
            self.note(None, "done")

    def succeeded(self):
        """Return whether every component of the plan ended well in this pass."""
        ends = [self.told("end", item["id"]) for item in self.plan["components"]]
        return all(end and end["state"] == "succeeded" for end in ends)

    # -- what earlier passes left in the journal -----------------------------------------------------------
    def earlier(self, name=None):
        """Return the events, of one component if named, since everything was last given back."""
        found = []
        for event in self.store.journal(self.run):
            if event["event"] == "loaded" and event.get("purpose") == "release":
                found = []
            elif name in (None, event.get("component")):
                found.append(event)
        return found

    # -- the journal -------------------------------------------------------------------------------------
    def note(self, component, event, **fields):
        """Append to the journal, and keep the claim alive. Nothing is written in check mode."""
        if self.check:
            return
        claim.renew(self.store, self.run, self.facts["pid"])
        known = {key: value for key, value in fields.items() if value is not None}
        self.store.note(
            self.run,
            {
                "at": clock.now(),
                "pass": self.facts["id"],
                "component": component,
                "event": event,
                **known,
            },
        )
