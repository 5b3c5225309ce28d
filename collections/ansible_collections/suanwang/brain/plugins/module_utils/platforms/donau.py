# Copyright: SuanWang Brain contributors
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Donau Scheduler (DonauKit, Huawei's HPC suite) by its commands on a login node: a pool is a queue.

There is no public REST API, and the vendor's command reference was not read. Sources: openEuler's donau-slurm-wrappers
(HPC22: options, columns, state words, what its errors say); an excerpt of the DonauKit 24 manual and pages of
universities that run it (the newer options); one real answer of `dsub --json`. Tried on a stand-in only.
Assumed, by analogy: how an accelerator is asked for (`-R "…;<key>=n"`, the key is the one under `accelerators` in the
site file) and shown (`nativeResources.<key>`, `loadResources.<key>Free`); `loadResources.memFree`; `djob -D` for the
past. Not known publicly: the states of nodes, the nodes of a queue (each has all), start and end times of jobs, quotas,
how a token is had without a person.
"""

from __future__ import annotations

import contextlib
import time

from .. import names
from .. import nodefacts
from ..errors import Invalid
from ..errors import NotFound
from ..errors import Refused
from ..errors import Unreachable
from ..jobfile import Layout
from ..nodefacts import utc
from ..resources import Accelerator
from ..resources import Job
from ..resources import JOB_ENDED
from ..resources import Pool
from ..resources import Queue
from ..resources import Seen
from . import donau_text as text
from .base import NameRule
from .base import Platform

# -- LOGIN: an SSH key, and the access token that a person left on the login node by dlogin or dconfig ----------
HOME = ("CCSCHEDULER_CLI_HOME", "CCS_CLI_HOME")

# -- PATHS: the commands; those that differ by generation are in donau_text.GENERATIONS -------------------------
QUEUES, NODES, NODES_LONG, LABELS = ["dqueue"], ["dnode"], ["dnode", "-L"], ["dadmin", "label", "show"]
JOBS, DETAILS, HELP = ["djob"], ["djob", "-x", "-CO", " ".join(text.COLUMNS)], ["dsub", "--help"]
#: Puts its input at a path, as an executable file, and then does the rest of its words: one request for both.
PUT = ["sh", "-c", 'install -m 700 /dev/stdin "$1" && shift && exec "$@"', "sh"]
LIVE = "WAITING PENDING RUNNING STOPPED SSTOPPED SUCCEEDED FAILED"
#: Seconds.
READ_S, SUBMIT_S = 30, 60
#: How far back the history is asked: the run's beginning, less a day for their clock and zone.
DAY_S = 86400

# -- FIELDS: djob's first five columns are Row, the asked-for ones Detail (donau_text) ---------------------------

# -- STATES: a word that is not here is `unknown` -----------------------------------------------------------------
STATES = {
    "WAITING": "queued",
    "PENDING": "queued",
    "RUNNING": "running",
    "STOPPED": "suspended",
    "SSTOPPED": "suspended",
    "SUCCEEDED": "succeeded",
    "FAILED": "failed",
}

# -- ERRORS: sentences, in donau_text ------------------------------------------------------------------------------
_QUOTA = "its limits are shown to administrators only, by commands whose answers are not documented."
_RESERVE = "how it reserves (`dsub -ar`) is not documented publicly."
_SERVE = "it runs jobs that end, and keeps no service that answers."
_INSTANCE = "it gives nodes to jobs, and makes no machines."


class Donau(Platform):
    """One scheduler, by the login node that the endpoint names under `shell`, as one user."""

    NAME = "donau"
    NAME_RULE = NameRule(length=64, characters="A-Za-z0-9._-", unique=False, dot=True)
    FIND_BY_NAME = "exact"
    KEEPS_LABEL = False
    CAPABILITIES = {
        **dict.fromkeys(("quota", "set_quota"), _QUOTA),
        **dict.fromkeys(("reserve", "reservation", "release"), _RESERVE),
        **dict.fromkeys(("serve", "inference_service", "unserve"), _SERVE),
        **dict.fromkeys(("create_instance", "instance", "delete_instance"), _INSTANCE),
    }

    def __init__(self, connection):
        super().__init__(connection)
        self._known_generation = self.endpoint.profile

    @classmethod
    def check_endpoint(cls, folder, endpoint):
        if not endpoint.shell:
            way_out = "Add `shell: <endpoint>`; it may be this one."
            raise Invalid("no login node is named for its commands.", way_out=way_out, details={"field": "shell"})
        if endpoint.profile not in (None, *text.GENERATIONS):
            said = f"there is no generation {endpoint.profile!r} of its options."
            raise Invalid(said, way_out=f"Known: {', '.join(text.GENERATIONS)}; or leave `profile` out.")

    # -- perception --------------------------------------------------------------------------------
    def ping(self):
        """Return {version, api}: dqueue has to reach the scheduler, which dversion need not."""
        self._queues()
        version = self._run(["dversion"]).said.splitlines()
        return {"version": version[0] if version else None, "api": f"{self._generation()} commands"}

    def pools(self):
        """Return one Pool a queue. `queue` is unknown: an ordinary user sees only jobs of their own."""
        queues, nodes, now = self._queues(), self._nodes(), time.time()
        native = nodefacts.accelerator(nodes)
        facts = nodefacts.capacity_facts(nodes, native)
        loads = self._loads()
        found = []
        for name, state in queues.items():
            mine = [load for load in loads if load.job.pool == self._pool_id(name)]
            alarm = text.alarm(name, state, self._place, self._domain)
            found.append(
                Pool(
                    id=self._pool_id(name),
                    name=name,
                    site=self.site.id,
                    platform=self.NAME,
                    endpoint=self.endpoint.id,
                    domains=(self._domain,),
                    accelerator=self._accelerator(native, facts["capacity"].accelerators),
                    alarms=(alarm,) if alarm else (),
                    open=state == "OPEN,ACTIVE",
                    seen=Seen(utc(now), self.NAME, "live"),
                    **facts,
                    **{**nodefacts.queue_facts(mine, facts, now), "queue": Queue()},
                )
            )
        return found

    def alarms(self):
        """Return Alarms of queues that take or start no work; nodes have no documented states."""
        found = (text.alarm(name, state, self._place, self._domain) for name, state in self._queues().items())
        return [alarm for alarm in found if alarm]

    # -- work --------------------------------------------------------------------------------------
    def job(self, name):
        """Return the newest Job of that name, or None where both the list and the past have none."""
        for past in (False, True):
            which = self._past(name) if past else JOBS
            rows = [row for row in self._list([*which, "-s", LIVE, "-n", name]) if row.name == name]
            if rows:
                newest = max(rows, key=lambda row: int(row.id))
                return self._job(newest, self._details([newest], which[1:]).get(newest.id, text.Detail()))
        return None

    def jobs(self):
        rows = self._list([*JOBS, "-s", LIVE])
        details = self._details(rows)
        return [self._job(row, details.get(row.id, text.Detail())) for row in rows]

    def submit(self, spec):
        """Submit once. The script is put there first: dsub takes an executable file, not a text."""
        self.NAME_RULE.check(spec.name)
        queue = spec.pool.rpartition("/")[2]
        native = self._native(spec) if spec.accelerators else None
        path = _script_path(spec.workdir, spec.name)
        asked = {"nodes": spec.nodes, "accelerators": spec.accelerators, "cpu": spec.cpu}
        account = spec.account or self.account.account
        argv = text.submission(spec, self._generation(), queue, account, native, path)
        done = self._run(argv, input=text.script(spec, asked), timeout_s=SUBMIT_S, before=[*PUT, path])
        number = text.submitted(done.out)
        if number is None:
            raise Unreachable(
                f"dsub names no job: {done.said[:200]!r}. It may have been taken or not.",
                site=self.site.id,
                request="SSH dsub",
                details={"doubt": True},
            )
        return Job(number, spec.name, "queued", "WAITING", pool=self._pool_id(queue))

    def cancel(self, job):
        """Ask for the end of a Job, if its id is still that of its name. One that is gone or has ended is fine."""
        rows = [row for row in self._list([*JOBS, "-s", LIVE, "-n", job.name]) if row.id == job.id]
        if any(row.name == job.name and STATES.get(row.state) not in JOB_ENDED for row in rows):
            done = self._run([*text.GENERATIONS[self._generation()]["cancel"], job.id], checked=False)
            error = text.failure(done, self.account.user, nothing=True)
            if error:
                raise error.at(self.site.id, "SSH djob")

    # -- asking ------------------------------------------------------------------------------------
    def _run(self, argv, input=None, timeout_s=READ_S, checked=True, before=()):
        """Run a command of the platform; raise what it says where it did not do its work. before: words before it."""
        home = self.endpoint.cli_home
        where, environment = (f"{home}/bin/", dict.fromkeys(HOME, home)) if home else ("", None)
        words = [*before, where + argv[0], *argv[1:]]
        done = self.connection.shell().run(words, input=input, timeout_s=timeout_s, environment=environment)
        error = text.failure(done, self.account.user) if checked else None
        if error:
            raise error.at(self.site.id, f"SSH {argv[0]}")
        return done

    def _generation(self):
        """Return the generation of options: as the site file says, else as `dsub --help` shows."""
        if self._known_generation is None:
            shown = self._run(HELP, checked=False).said
            self._known_generation = next((kind for mark, kind in text.MARK.items() if mark in shown), None)
        if self._known_generation is None:
            raise Refused(
                "dsub --help names the options of no generation that we know.",
                site=self.site.id,
                request="SSH dsub",
                way_out=f"Say `profile: {' | '.join(text.GENERATIONS)}` in the site file.",
            )
        return self._known_generation

    def _past(self, name):
        mark = names.parse(name)
        since = names.minted(mark.run).timestamp() if mark else time.time() - 30 * DAY_S
        stamp = {
            key: time.strftime("%Y/%m/%d %H:%M:%S", time.gmtime(at))
            for key, at in (("since", since - DAY_S), ("now", time.time() + DAY_S))
        }
        return [word.format(**stamp) for word in text.GENERATIONS[self._generation()]["past"]]

    def _list(self, argv):
        """Return Rows. No table is no empty list, unless it says that nothing matches."""
        done = self._run(argv, checked=False)
        error = text.failure(done, self.account.user, nothing=True)
        if error:
            raise error.at(self.site.id, f"SSH {argv[0]}")
        rows = text.jobs(done.out)
        if rows is None and not text.failure(done, self.account.user):
            raise Unreachable(f"{argv[0]} shows no table.", site=self.site.id, request=f"SSH {argv[0]}")
        return rows or []

    def _details(self, rows, where=()):
        """Return id → Detail of Rows. where: the words that look into the past. What it no longer tells is unknown."""
        argv = [*DETAILS, *where, *(row.id for row in rows)]
        with contextlib.suppress(NotFound):
            return text.details(self._run(argv).out) if rows else {}
        return {}

    def _queues(self):
        found = text.queues(self._run(QUEUES).out)
        if not found:
            raise Unreachable("dqueue shows no queue.", site=self.site.id, request="SSH dqueue")
        return found

    def _nodes(self):
        try:
            labels = self._run(LABELS).out
        except (Refused, NotFound):
            labels = ""  # a site without labels, or that shows them to nobody: architectures are unknown
        native, arches = self.site.accelerators, text.arches(labels)
        try:
            return text.nodes(self._run(NODES).out, self._run(NODES_LONG).out, native, arches)
        except Unreachable as error:
            raise error.at(self.site.id, "SSH dnode") from None

    def _loads(self):
        """Return Loads of our own jobs. What they asked for is read from their scripts: djob does not tell it."""
        rows = [row for row in self._list([*JOBS, "-s", LIVE]) if STATES.get(row.state) not in JOB_ENDED]
        details, found = self._details(rows), []
        for row in rows:
            detail, mark = details.get(row.id, text.Detail()), names.parse(row.name)
            asked = {}
            if mark:
                layout = Layout(self.files.root(), mark.run, mark.component, mark.attempt)
                asked = text.request(self.files.read_text(_script_path(layout.workdir, row.name)))
            nodes = asked.get("nodes", len(detail.nodes))
            cpu = detail.cpu or asked.get("cpu", 0) * nodes
            known = detail.timeout_s is not None and detail.run_s is not None
            end = int(time.time() + detail.timeout_s - detail.run_s) if known else None
            job = self._job(row, detail)
            found.append(nodefacts.Load(job, asked.get("accelerators", 0), cpu, nodes, end=end))
        return found

    # -- their rows → our records ------------------------------------------------------------------
    @property
    def _place(self):
        return f"{self.site.id}/{self.endpoint.id}"

    @property
    def _domain(self):
        # Which nodes a queue has is not known: each may have all of them.
        return f"{self.site.id}/{self.endpoint.capacity_domain or self.endpoint.id}"

    def _pool_id(self, queue):
        return f"{self._place}/{queue}"

    def _job(self, row, detail):
        state = STATES.get(row.state, "unknown")
        if state == "failed" and detail.terminated:
            state = "cancelled"
        code = detail.exit_code if state == "failed" else 0 if state == "succeeded" else None
        return Job(
            id=row.id,
            name=row.name,
            state=state,
            native_state=row.state,
            reason=detail.reason,
            exit_code=code,
            pool=self._pool_id(row.queue),
            nodes=",".join(detail.nodes) or None,
        )

    def _model(self, native):
        return self.site.accelerators.get(native) or native

    def _accelerator(self, native, count):
        if native is None:
            return None
        return Accelerator("npu" if "npu" in native else "gpu", self._model(native), native, count=count)

    def _native(self, spec):
        has = nodefacts.accelerator(self._nodes())
        if has is None or spec.accelerator not in (None, self._model(has)):
            there = self._model(has) if has else "none"
            said = f"queue {spec.pool} has no accelerator {spec.accelerator} (it has: {there})."
            raise Refused(said, site=self.site.id, way_out="Take another pool.")
        return has


def _script_path(workdir, name):
    return f"{workdir}/{name}.sh"
