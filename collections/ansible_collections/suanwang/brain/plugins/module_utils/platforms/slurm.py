# Copyright: SuanWang Brain contributors
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Slurm by slurmrestd: a pool is a partition, a job a batch job, the history slurmdbd's.

Sources: Slurm 22.05.8 (Debian 12) and 24.11.5 (Debian 13), two clusters each, seen; their OpenAPI files. v0.0.39 is
known from its file alone, and not spoken. Never verified: the states BOOT_FAIL, REVOKED and SUSPENDED, federations,
power saving. Status codes are no judgement: 200 may hold a failure and 500 a plain "no"; the error numbers count.
Reservations are made by `scontrol` and limits set by `sacctmgr` on the login node that the site file names under
`shell` (REST makes no reservation before 25.05), and are read by REST. sacctmgr ends with 0 where a number was none,
and with 1 where there is no such account; what is set is read back.

What the versions changed (22.05 serves v0.0.36 to 38, 24.11 serves v0.0.40 to 42; one FIELDS reads both):

- v0.0.39: numbers that may be unset are {set, infinite, number}; a node's state is a list with its flags in it; idle
  CPUs are `alloc_idle_cpus`; a partition is nested (`nodes.configured`, `cpus.total`, `maximums.time`). A submit takes
  `environment` as a list, and `tres_per_node` ("gres/npu:x:2") in the place of `gres`. Answers hold `warnings`.
- v0.0.40: `job_state`, a partition's state and `state.current` of the history are lists; times are such numbers too;
  `exit_code` is {status, return_code, signal}, no longer a wait status, and the history's is right as well.
- v0.0.41 and 42: nothing that is read here (42 drops `result` beside `job_id`).
- 24.11 itself: an unknown key of a submit, such as `gres`, is a *warning*, and the job runs without; so is "held". More
  than the partition has is 2014 where 22.05 took it and let it wait. `DELETE` says 200 and the trouble in `status[]`.
  A bad token is 511 and 1007 of the controller, 502 and 7000 with "authentication" of slurmdbd, and to a ping nothing
  but a controller that is DOWN. Unknown jobs are 404, a dead controller 502 and 1800 at once instead of 500 and -1.
"""

from __future__ import annotations

import contextlib
import math
import time
from dataclasses import replace

from .. import nodefacts
from ..errors import BrainError
from ..errors import Invalid
from ..errors import NotFound
from ..errors import Refused
from ..errors import Unauthorized
from ..errors import Unreachable
from ..errors import Unsupported
from ..nodefacts import utc
from ..resources import Accelerator
from ..resources import Job
from ..resources import JOB_ENDED
from ..resources import Pool
from ..resources import Quota
from . import slurm_text as text
from .base import compiled
from .base import NameRule
from .base import Platform

# -- LOGIN: two headers, read at use (`Authorization: Bearer` is 401 in 22.05) ---------------------
USER_HEADER = "X-SLURM-USER-NAME"
TOKEN_HEADER = "X-SLURM-USER-TOKEN"

# -- PATHS: /<plugin>/<version>/…, newest version first --------------------------------------------
VERSIONS = ("v0.0.42", "v0.0.41", "v0.0.40", "v0.0.38", "v0.0.37", "v0.0.36")
PING, PARTITIONS, NODES, RESERVATIONS = "/ping", "/partitions", "/nodes", "/reservations"
JOBS, ONE_JOB, SUBMIT = "/jobs", "/job/{}", "/job/submit"
CLUSTERS, ASSOCIATIONS = "/clusters", "/associations"  # of slurmdb; /jobs is there too
#: slurmrestd answers so itself since 23.02: slurmdbd or the controller is away
OWN_GATEWAY = (502,)
#: Seconds. A dead controller blocks a read or a submit for 9 s before it says so (seen).
READ_S, SUBMIT_S = 20, 40

# -- FIELDS: theirs → ours -------------------------------------------------------------------------
FIELDS = {
    "partition": """partitions[].{name: name, state: partition.state || state, nodes: nodes.configured || nodes,
        count: total_nodes || nodes.total, wall: maximums.time || max_time_limit}""",
    "node": """nodes[].{name: name, state: state, flags: state_flags, reason: reason,
        since: reason_changed_at, arch: architecture, cpus: cpus, idle: idle_cpus || alloc_idle_cpus,
        memory: real_memory, taken: alloc_memory, gres: gres, gres_used: gres_used,
        partitions: partitions}""",
    "job": """jobs[].{id: job_id, name: name, state: job_state, reason: state_reason,
        exit: exit_code, pool: partition, label: comment, submitted: submit_time,
        started: start_time, ended: end_time, nodes: nodes, count: node_count, cpus: cpus,
        account: account, user: user_name, gres: gres_detail, tres: tres_alloc_str,
        wanted: tres_req_str}""",
    "past": """jobs[].{id: job_id, name: name, state: state.current, reason: state.reason,
        exit: exit_code.signal.id && exit_code, pool: partition, label: comment.job,
        submitted: time.submission, started: time.start, ended: time.end, nodes: nodes}""",
    "reservation": """reservations[].{name: name, nodes: node_list, start: start_time,
        end: end_time, pool: partition, count: node_count, cores: core_count, users: users}""",
    "limit": """associations[].{account: account, user: user, total: max.tres.total,
        jobs: max.jobs.per.submitted}""",
}

_SCONTROL = "SSH scontrol"

_NO_SHELL = "{} runs on a login node, and the site file names none (`shell: <endpoint>`)."
_SERVE = "it runs jobs that end, and keeps no service that answers."
_INSTANCE = "it gives nodes to jobs, and makes no machines."


class Slurm(Platform):
    """One cluster behind one slurmrestd, as one user."""

    NAME = "slurm"
    NAME_RULE = NameRule(length=200, characters="A-Za-z0-9._-", unique=False, dot=True)
    FIND_BY_NAME = "scan"
    KEEPS_LABEL = False
    CAPABILITIES = {
        **dict.fromkeys(("serve", "inference_service", "unserve"), _SERVE),
        **dict.fromkeys(("create_instance", "instance", "delete_instance"), _INSTANCE),
    }

    def __init__(self, connection):
        super().__init__(connection)
        self._versions = {}
        self._ids = {}

    # -- perception --------------------------------------------------------------------------------
    def ping(self):
        """Return {version, api, history}: the release, and the APIs that both sides know."""
        body = self._checked("GET", "slurm", PING)
        if not any("UP" in (one.get("ping"), one.get("pinged")) for one in body.get("pings") or ()):
            raise self._unspecified(f"GET {PING}")
        self._checked("GET", "slurmdb", CLUSTERS)
        meta = body.get("meta") or {}
        release = (meta.get("slurm") or meta.get("Slurm") or {}).get("release")
        served = self._versions
        return {"version": release, "api": served["slurm"], "history": served["slurmdb"]}

    def pools(self):
        """Return one Pool a partition; `partial`, with the reason, where a side fact is missing."""
        partitions, nodes = self._rows("partition", PARTITIONS), self._nodes()
        jobs = self._rows("job", JOBS)
        missed = []
        reservations = self._or_missed(self._reservations, missed)
        limits = self._or_missed(lambda: self._limits(jobs), missed)
        domains, now = self._domains(partitions), time.time()
        reserved = {host for _name, start, end, there in reservations if start <= now < end for host in there}
        found = []
        for row in partitions:
            name, members = row["name"], text.hosts(row["nodes"])
            mine = [nodes[host] for host in members if host in nodes]
            native = nodefacts.accelerator(mine)
            facts = nodefacts.capacity_facts(mine, native, reserved)
            loads = [text.load(j, native, self._job(j)) for j in jobs if name in (j["pool"] or "").split(",")]
            found.append(
                Pool(
                    id=self._pool_id(name),
                    name=name,
                    site=self.site.id,
                    platform=self.NAME,
                    endpoint=self.endpoint.id,
                    domains=(domains[name],),
                    accelerator=self._accelerator(native, facts["capacity"].accelerators),
                    max_wall_s=text.seconds(row["wall"]),
                    windows=nodefacts.windows(reservations, members),
                    quota=tuple(q for kind, q in limits if kind in (None, text.kind(native))),
                    alarms=tuple(text.alarms(row, mine, self._place, domains[name])),
                    open=text.words(row["state"]) == {"UP"},
                    seen=text.seen(self.NAME, now, missed, len(mine), text.num(row["count"], len(members))),
                    **facts,
                    **nodefacts.queue_facts(loads, facts, now),
                )
            )
        return found

    def alarms(self):
        """Return Alarms of partitions and nodes that do not work, each once."""
        partitions, nodes = self._rows("partition", PARTITIONS), self._nodes()
        domains, found = self._domains(partitions), {}
        for row in partitions:
            mine = [nodes[host] for host in text.hosts(row["nodes"]) if host in nodes]
            found |= {alarm.id: alarm for alarm in text.alarms(row, mine, self._place, domains[row["name"]])}
        return list(found.values())

    def quota(self):
        """Return the account's limits. Use is summed over jobs: slurmdbd's own is always null."""
        return [quota for _kind, quota in self._limits(self._rows("job", JOBS))]

    def set_quota(self, account, limits):
        """Set limits of an account at this cluster alone: GrpTRES, and GrpSubmitJobs for `jobs`. Needs an Operator."""
        there = self._checked("GET", "slurmdb", CLUSTERS)["clusters"]
        if len(there) != 1:
            names = ", ".join(sorted(one["name"] for one in there)) or "none"
            why = f"its accounting keeps several clusters or none ({names}), and which is ours is not known."
            raise Refused(why, site=self.site.id, request=f"GET {CLUSTERS}", way_out="Have the site set the limit.")
        kinds = {native.partition(":")[0] for node in self._nodes().values() for native in node.cards}
        self._command("sacctmgr", "set_quota", text.limit_words(account, there[0]["name"], limits, kinds))

    # -- work --------------------------------------------------------------------------------------
    def job(self, name):
        """Return the newest Job of that name, or None where controller and history both said so.

        The controller first: held jobs never reach the history, finished ones leave the controller.
        """
        live = self._running(name) or text.newest(self._rows("job", JOBS), name)
        if live:
            self._ids[name] = live["id"]
            return self._job(live)
        params = {"job_name": name, "start_time": text.since(name)}
        past = text.newest(self._rows("past", JOBS, "slurmdb", params), name)
        return self._job(past, past=True) if past else None

    def _running(self, name):
        """Return the row that this name had at the last look, while it runs: a poll need not scan."""
        number = self._ids.pop(name, None)
        if number is None:
            return None
        try:
            rows = self._rows("job", ONE_JOB.format(number))
        except NotFound:
            return None
        # Ids are reused after a crash, so the name is compared.
        rows = [row for row in rows if row["name"] == name]
        return next((row for row in rows if self._job(row).state not in JOB_ENDED), None)

    def jobs(self):
        return [self._job(row) for row in self._rows("job", JOBS)]

    def submit(self, spec):
        """Submit once. Unreachable with details.doubt: look it up by name before anything else."""
        request = f"POST {SUBMIT}"
        if "slurm" not in self._versions:
            self._send("GET", "slurm", PING)  # a write is sent once, so it is known beforehand where to
        body = self._body(spec)
        answer = self._send("POST", "slurm", SUBMIT, json=body, timeout_s=SUBMIT_S)
        said = text.errors(answer.body)
        number = text.num(answer.body.get("job_id"), 0) if answer.body else 0
        if number > 0:
            return Job(
                id=str(number),
                name=spec.name,
                state="queued",
                native_state="PENDING",
                reason="; ".join(text.NOTES.get(code, words) for code, words in said) or None,
                pool=self._pool_id(body["job"]["partition"]),
                label=spec.label,
            )
        if not answer.body and answer.status in (400, 401, 404, 405, 415):
            raise self._without_json(answer, request)
        if said and not text.DOUBTFUL & {code for code, _words in said}:
            raise self._error(said, request)
        why = self._unspecified(request)
        if isinstance(why, Unauthorized):
            raise why
        words = said[0][1] if said else f"HTTP {answer.status} without a job id"
        raise Unreachable(
            f"it says {words!r}: the job may have been taken or not.",
            site=self.site.id,
            request=request,
            details={"doubt": True},
        )

    def cancel(self, job):
        """Ask for the end of a Job, if its id is still that of its name."""
        try:
            rows = self._rows("job", ONE_JOB.format(job.id))
            if any(row["name"] == job.name for row in rows):
                body = self._checked("DELETE", "slurm", ONE_JOB.format(job.id))
                if said := text.told(body):
                    raise self._error(said, f"DELETE {ONE_JOB.format(job.id)}")
        except NotFound:
            return

    # -- holding: whole nodes, since a GRES cannot be reserved -------------------------------------
    def reserve(self, spec):
        """Reserve nodes for our user. The partition's nodes are taken for equal."""
        self.NAME_RULE.check(spec.name)
        self._command("scontrol", "reserve", text.reservation_words(spec, self.account.user))
        made = self.reservation(spec.name)
        if made is None:
            why = f"the reservation {spec.name} was made, and is not shown."
            raise Unreachable(why, site=self.site.id, request=_SCONTROL)
        if made.nodes < spec.nodes:
            # More than are free then is no error of 22.05, if only one is: it gives what it has (seen).
            self.release(spec.name)
            why = f"{spec.nodes} nodes are asked for, and it can hold {made.nodes} then."
            raise Refused(why, site=self.site.id, request=_SCONTROL, way_out="Take another time, or fewer nodes.")
        return made

    def reservation(self, name):
        rows = [row for row in self._rows("reservation", RESERVATIONS) if row["name"] == name]
        return text.reservation(rows[0], self._place, time.time()) if rows else None

    def release(self, name):
        with contextlib.suppress(NotFound):
            self._command("scontrol", "release", ["delete", f"ReservationName={name}"])

    def _command(self, program, verb, words):
        """Run a command of Slurm, in UTC whatever the zone there; raise what it says where it did not do it."""
        shell = self.connection.shell()
        if shell is None:
            why = f"slurm cannot {verb} here: {_NO_SHELL.format(program)}"
            raise Unsupported(why, site=self.site.id, request=verb)
        done = shell.run([program, *words], timeout_s=SUBMIT_S, environment={"TZ": "UTC0"})
        if done.code:
            raise text.refusal(done).at(self.site.id, f"SSH {program}")

    # -- asking ------------------------------------------------------------------------------------
    def _headers(self):
        token = self.connection.secret().removeprefix("SLURM_JWT=")
        if not self.account.user:
            way_out = "Add it to the site file or to tenants.yml."
            raise Invalid("no native_user is named.", site=self.site.id, way_out=way_out)
        expires = text.expiry(token)
        if expires is not None and expires <= time.time():
            # A site answers a late token with 500 and -1, as it does when its controller is down.
            raise Unauthorized(
                f"the token of {self.account.user} expired at {utc(expires)}.",
                site=self.site.id,
                way_out=self._way_out(text.TOKEN),
            )
        return {USER_HEADER: self.account.user, TOKEN_HEADER: token}

    def _send(self, method, plugin, path, params=None, json=None, timeout_s=READ_S):
        """Send to the newest version that both sides know. A body that is no object is None."""
        for version in self._asked(plugin):
            answer = self.connection.http.request(
                method,
                f"/{plugin}/{version}{path}",
                params=params,
                json=json,
                headers=self._headers(),
                timeout_s=timeout_s,
                read=method == "GET",
                own=OWN_GATEWAY,
            )
            if isinstance(answer.body, dict):
                if self._versions.get(plugin) != version:
                    self._versions[plugin] = version
                    self.connection.learn(plugin, version)
                return answer
            if answer.status != 404:
                return replace(answer, body=None)
        served = self.connection.http.request("GET", "/openapi/v3", headers=self._headers()).body
        there = text.versions(served, plugin) or "none"
        raise Refused(
            f"slurmrestd serves no {plugin} API that we know ({', '.join(VERSIONS)}), but {there}.",
            site=self.site.id,
            request=f"{method} {path}",
            way_out="Have it load one of those.",
        )

    def _asked(self, plugin):
        """Return the versions to ask for: the known one alone, or what an earlier process found, then newest first."""
        if plugin in self._versions:
            return (self._versions[plugin],)
        # The history's is the controller's or, where it was not loaded, an older one.
        left = VERSIONS[VERSIONS.index(self._versions.get("slurm", VERSIONS[0])) :]
        hinted = self.connection.hints.get(plugin)
        return sorted(left, key=lambda version: version != hinted)

    def _checked(self, method, plugin, path, params=None):
        """Return the body of an answer that holds no error; raise what it says otherwise."""
        request = f"{method} {path}"
        answer = self._send(method, plugin, path, params)
        if answer.body is None:
            raise self._without_json(answer, request)
        said = text.errors(answer.body)
        if any(code != text.NOTHING_FOUND for code, _words in said):
            raise self._error(said, request)
        if answer.status >= 300 and not said:
            if plugin == "slurm":  # 24.11 about partitions, be it a bad token (511) or a dead controller (502)
                raise self._unspecified(request)
            why = f"HTTP {answer.status} without a reason."
            raise Unreachable(why, site=self.site.id, request=request)
        return answer.body

    def _rows(self, kind, path, plugin="slurm", params=None):
        """Return the rows of a list. A list that is missing is no empty list."""
        body = self._checked("GET", plugin, path, params)
        rows = compiled(FIELDS[kind]).search(body)
        if rows is None and not text.errors(body):
            raise Unreachable("the list is missing.", site=self.site.id, request=f"GET {path}")
        return rows or []

    def _or_missed(self, call, missed):
        try:
            return call()
        except BrainError as error:
            missed.append(str(error))
            return []

    def _without_json(self, answer, request):
        kind = {400: Invalid, 401: Unauthorized, 404: NotFound}.get(answer.status, Refused)
        kind = Unreachable if answer.status < 300 or answer.status >= 500 else kind
        return kind(f"HTTP {answer.status} without a JSON object.", site=self.site.id, request=request)

    def _error(self, said, request):
        """Return the error that a list of (number, words) stands for."""
        telling = [one for one in said if one[0] in text.ERRORS and one[0] != 9001]
        number, words = (telling or said)[0]
        if number == -1:
            return self._unspecified(request)
        kind, way_out = text.ERRORS.get(number, (Refused, None))
        return kind(
            f"Slurm says {number}, {words}.",
            site=self.site.id,
            request=request,
            way_out=self._way_out(way_out),
            details={"number": number},
        )

    def _way_out(self, told):
        """Return a way out with the name of the credential file in it."""
        return told.replace("credential file", f"credential file {self.account.credential}") if told else None

    def _unspecified(self, request):
        # -1, and no word at all, is a bad token and a dead controller alike; slurmdbd tells them apart.
        why = "slurmctld is down."
        try:
            if request != f"GET {CLUSTERS}":
                self._checked("GET", "slurmdb", CLUSTERS)
        except Unauthorized as error:
            error.request = request
            return error
        except BrainError:
            why = "neither slurmctld nor slurmdbd answers."
        return Unreachable(why, site=self.site.id, request=request, way_out="Ask the site.")

    # -- their rows → our records ------------------------------------------------------------------
    @property
    def _place(self):
        return f"{self.site.id}/{self.endpoint.id}"

    def _pool_id(self, partition):
        return f"{self._place}/{partition}"

    def _job(self, row, past=False):
        return text.job(row, text.STATES, self._place, past)

    def _nodes(self):
        return {node.name: node for node in map(text.node, self._rows("node", NODES))}

    def _domains(self, partitions):
        members = {row["name"]: text.hosts(row["nodes"]) for row in partitions}
        if self.endpoint.capacity_domain:
            return dict.fromkeys(members, f"{self.site.id}/{self.endpoint.capacity_domain}")
        return nodefacts.domains(members, self._place)

    def _reservations(self):
        rows = self._rows("reservation", RESERVATIONS)
        return [(r["name"], text.num(r["start"], 0), text.num(r["end"], 0), text.hosts(r["nodes"])) for r in rows]

    def _limits(self, jobs):
        """Return (accelerator kind or None, Quota) pairs of our account, and of our user in it."""
        user, accounts = self.account.user, {self.account.account}
        if not self.account.account:
            accounts = {row["account"] for row in self._rows("limit", ASSOCIATIONS, "slurmdb", {"user": user})}
        found = []
        for account in sorted(accounts):
            for row in self._rows("limit", ASSOCIATIONS, "slurmdb", {"account": account}):
                if row["account"] != account or row["user"] not in (None, "", user):
                    continue
                there = [j for j in jobs if j["account"] == account]
                there = [j for j in there if not row["user"] or j["user"] == row["user"]]
                for kind, *limit in text.limits(row, there):
                    who = self.connection.tenant, row["user"] or None
                    found.append((kind, Quota(*limit, *who)))
        return found

    def _model(self, native):
        return self.site.accelerators.get(native) or native.rpartition(":")[2]

    def _accelerator(self, native, count):
        if native is None:
            return None
        return Accelerator(text.kind(native), self._model(native), native, count=count)

    # -- our spec → their body ---------------------------------------------------------------------
    def _body(self, spec):
        self.NAME_RULE.check(spec.name)
        partition = spec.pool.rpartition("/")[2]
        gres = self._gres(spec, partition) if spec.accelerators else None
        return text.submission(spec, partition, gres, spec.account or self.account.account, self._versions["slurm"])

    def _gres(self, spec, partition):
        """Return what each node must give. A type that no node has would wait for ever."""
        there = text.cards(self._nodes().values(), partition)
        for native in there:
            if spec.accelerator in (None, self._model(native)):
                return f"{native}:{math.ceil(spec.accelerators / spec.nodes)}"
        has = ", ".join(map(self._model, there)) or "none"
        raise Refused(
            f"partition {partition} has no accelerator {spec.accelerator} (it has: {has}).",
            site=self.site.id,
            way_out="Take another pool.",
        )
