# Copyright: SuanWang Brain contributors
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Slurm by slurmrestd: a pool is a partition, a job a batch job, the history slurmdbd's.

Sources: Slurm 22.05.8 (Debian 12), two clusters, seen; its OpenAPI files v0.0.36 to 38. Never
verified: v0.0.39 and later (not spoken here), the states BOOT_FAIL, REVOKED and SUSPENDED,
federations, power saving. Its status codes are no judgement: 200 may hold a failure and 500 a plain
"no"; the error numbers count.
"""

from __future__ import annotations

import base64
import functools
import json
import math
import re
import time
from collections import Counter
from dataclasses import dataclass
from datetime import datetime
from datetime import timedelta
from datetime import timezone

from .. import names
from ..errors import BrainError
from ..errors import Invalid
from ..errors import NotFound
from ..errors import QuotaExceeded
from ..errors import Refused
from ..errors import Unauthorized
from ..errors import Unreachable
from ..nodefacts import accelerator
from ..nodefacts import capacity_facts
from ..nodefacts import domains
from ..nodefacts import expected_wait_s
from ..nodefacts import Node
from ..nodefacts import utc
from ..resources import Accelerator
from ..resources import Alarm
from ..resources import Busy
from ..resources import Job
from ..resources import JOB_ENDED
from ..resources import Ours
from ..resources import Pool
from ..resources import Queue
from ..resources import Quota
from ..resources import Seen
from ..resources import Window
from .base import NameRule
from .base import Platform

try:
    import jmespath
except ImportError:
    jmespath = None

# -- LOGIN: two headers, read at use (`Authorization: Bearer` is 401 in 22.05) ---------------------
USER_HEADER = "X-SLURM-USER-NAME"
TOKEN_HEADER = "X-SLURM-USER-TOKEN"

# -- PATHS: /<plugin>/<version>/…, newest version first --------------------------------------------
VERSIONS = ("v0.0.38", "v0.0.37", "v0.0.36")
PARTITIONS, NODES, JOBS, JOB = "/partitions", "/nodes", "/jobs", "/job/{}"
SUBMIT, RESERVATIONS, PING = "/job/submit", "/reservations", "/ping"
CLUSTERS, ASSOCIATIONS = "/clusters", "/associations"  # of slurmdb
#: Seconds. A dead controller blocks a read for 9 s, a submit too, before it says so (seen).
READ_S, SUBMIT_S = 20, 40

# -- FIELDS: theirs → ours -------------------------------------------------------------------------
FIELDS = {
    "partition": "partitions[].{name: name, state: state, nodes: nodes, wall: max_time_limit}",
    "node": """nodes[].{name: name, state: state, flags: state_flags, reason: reason,
        since: reason_changed_at, arch: architecture, cpus: cpus, idle: idle_cpus,
        memory: real_memory, taken: alloc_memory, gres: gres, gres_used: gres_used,
        partitions: partitions}""",
    "job": """jobs[].{id: job_id, name: name, state: job_state, reason: state_reason,
        exit: exit_code, pool: partition, label: comment, submitted: submit_time,
        started: start_time, ended: end_time, nodes: nodes, count: node_count, cpus: cpus,
        account: account, user: user_name, gres: gres_detail, tres: tres_alloc_str,
        wanted: tres_req_str}""",
    "past": """jobs[].{id: job_id, name: name, state: state.current, reason: state.reason,
        pool: partition, label: comment.job, submitted: time.submission, started: time.start,
        ended: time.end, nodes: nodes}""",
    "reservation": """reservations[].{name: name, nodes: node_list, start: start_time,
        end: end_time}""",
    "limit": """associations[].{account: account, user: user, total: max.tres.total,
        jobs: max.jobs.per.submitted}""",
}

# -- STATES: a word that is not here is `unknown` --------------------------------------------------
STATES = {
    "PENDING": "queued",
    "REQUEUED": "queued",
    "REQUEUE_HOLD": "queued",
    "RESV_DEL_HOLD": "queued",
    "SPECIAL_EXIT": "queued",
    "CONFIGURING": "starting",
    "RUNNING": "running",
    "RESIZING": "running",
    "SIGNALING": "running",
    "SUSPENDED": "suspended",
    "STOPPED": "suspended",
    "COMPLETING": "stopping",
    "STAGE_OUT": "stopping",
    "COMPLETED": "succeeded",
    "CANCELLED": "cancelled",
    "REVOKED": "cancelled",
    "FAILED": "failed",
    "TIMEOUT": "failed",
    "NODE_FAIL": "failed",
    "PREEMPTED": "failed",
    "OUT_OF_MEMORY": "failed",
    "BOOT_FAIL": "failed",
    "DEADLINE": "failed",
}
LIVE = ("starting", "running", "suspended", "stopping")
NODE_WORKS = {"IDLE", "MIXED", "ALLOCATED"}
NODE_BARRED = {"DRAIN", "DOWN", "NOT_RESPONDING", "FAIL", "MAINT", "RESERVED", "UNKNOWN"}
NEVER_STARTS = re.compile(
    r"Per(Job|User|Node)|^(PartitionTimeLimit|PartitionConfig|DependencyNeverSatisfied)$"
)
#: A job that could not be launched shows this instead of a wait status.
LAUNCH_FAILED = 4021

# -- ERRORS: their number → our class (Unreachable alone is retryable) and the way out -------------
_TOKEN = "Make one there with `scontrol token`, and put it into the credential file."
ERRORS = {
    1007: (Unauthorized, _TOKEN),
    5005: (Unauthorized, _TOKEN),
    1800: (Unreachable, "The controller does not answer; ask the site."),
    7000: (Unreachable, "The accounting does not answer; ask the site."),
    2000: (NotFound, "Take a partition that pool_info shows."),
    2002: (Unauthorized, "Ask the site for the right."),
    2009: (Invalid, None),
    2010: (Unauthorized, "It belongs to another user."),
    2012: (Invalid, "A script has at most 4 MiB."),
    2014: (Refused, "No node there can ever give that: ask for less."),
    2017: (NotFound, None),
    2018: (NotFound, None),
    2029: (Refused, "No node there has that feature."),
    2045: (Unauthorized, "Correct native_user and native_account in tenants.yml."),
    2050: (QuotaExceeded, "Ask for less, or have the limit raised."),
    2051: (Refused, "The deadline has passed."),
    2052: (Unauthorized, "The reservation is for other users."),
    2053: (NotFound, "The reservation is gone."),
    2066: (NotFound, "Have the QOS of the account corrected."),
    2070: (Refused, "The partition is drained: take another pool."),
    2127: (Invalid, None),
    9001: (Invalid, "It does not read our request; an unknown accelerator name does that too."),
    9002: (Invalid, None),
}
NOTHING_FOUND = 9003
#: After these a submit may have happened.
DOUBTFUL = (-1, 1800)
#: Numbers that come with an accepted job → why it waits.
NOTES = {
    2015: "cannot start as asked: PartitionTimeLimit or PartitionConfig",
    2042: "JobHeldUser",
    2056: "Reservation",
    2068: "ReqNodeNotAvail",
}

_RESERVE = "reservations need scontrol on the login node, which this version does not call."
_SERVE = "it runs jobs that end, and keeps no service that answers."
_INSTANCE = "it gives nodes to jobs, and makes no machines."


class Slurm(Platform):
    """One cluster behind one slurmrestd, as one user."""

    NAME = "slurm"
    NAME_RULE = NameRule(length=200, characters="A-Za-z0-9._-", unique=False, dot=True)
    FIND_BY_NAME = "scan"
    KEEPS_LABEL = False
    CAPABILITIES = {
        "set_quota": "only an accounting Administrator sets limits, which no tenant's account is.",
        "reserve": _RESERVE,
        "reservation": _RESERVE,
        "release": _RESERVE,
        "serve": _SERVE,
        "inference_service": _SERVE,
        "unserve": _SERVE,
        "create_instance": _INSTANCE,
        "instance": _INSTANCE,
        "delete_instance": _INSTANCE,
    }

    def __init__(self, connection):
        super().__init__(connection)
        self._versions = {}

    # -- perception --------------------------------------------------------------------------------
    def ping(self):
        """Return {version, api, history}: the release, and the API versions that both sides know."""
        body = self._checked("GET", "slurm", PING)
        if not any(one.get("ping") == "UP" for one in body.get("pings") or ()):
            raise Unreachable("slurmctld is down.", site=self.site.id, request=f"GET {PING}")
        self._checked("GET", "slurmdb", CLUSTERS)
        release = ((body.get("meta") or {}).get("Slurm") or {}).get("release")
        served = self._versions
        return {"version": release, "api": served["slurm"], "history": served["slurmdb"]}

    def pools(self):
        """Return one Pool a partition; `partial`, with the reason, where a side fact is missing."""
        partitions = self._rows("partition", PARTITIONS)
        nodes = self._nodes()
        jobs = self._rows("job", JOBS)
        missed, reservations, limits = [], [], []
        try:
            reservations = self._rows("reservation", RESERVATIONS)
            limits = self._limits(jobs)
        except BrainError as error:
            missed.append(str(error))
        now = time.time()
        reserved = {
            host
            for row in reservations
            if _num(row["start"], 0) <= now < _num(row["end"], 0)
            for host in _hosts(row["nodes"])
        }
        domain = self._domains(partitions)
        seen = Seen(utc(now), state="partial", error=missed[0]) if missed else Seen()
        found = []
        for row in partitions:
            mine = [nodes[host] for host in _hosts(row["nodes"]) if host in nodes]
            native = accelerator(mine)
            facts = capacity_facts(mine, native, reserved)
            count = facts["capacity"].accelerators
            found.append(
                Pool(
                    id=self._pool_id(row["name"]),
                    name=row["name"],
                    site=self.site.id,
                    platform=self.NAME,
                    endpoint=self.endpoint.id,
                    domains=(domain[row["name"]],),
                    accelerator=self._accelerator(native, count) if native else None,
                    max_wall_s=_wall_s(row["wall"]),
                    windows=tuple(_windows(reservations, row["nodes"])),
                    quota=tuple(q for kind, q in limits if kind in (None, _kind(native))),
                    alarms=tuple(self._alarms(row, mine, domain[row["name"]])),
                    open=_words(row["state"]) == {"UP"},
                    seen=seen,
                    **facts,
                    **self._queue_facts(row["name"], jobs, facts, native, now),
                )
            )
        return found

    def alarms(self):
        """Return Alarms of partitions and nodes that do not work, each once."""
        partitions = self._rows("partition", PARTITIONS)
        nodes = self._nodes()
        domain = self._domains(partitions)
        found = {}
        for row in partitions:
            mine = [nodes[host] for host in _hosts(row["nodes"]) if host in nodes]
            for alarm in self._alarms(row, mine, domain[row["name"]]):
                found[alarm.id] = alarm
        return list(found.values())

    def quota(self):
        """Return the account's limits. Use is summed over jobs: slurmdbd's own is always null."""
        return [quota for _kind, quota in self._limits(self._rows("job", JOBS))]

    # -- work --------------------------------------------------------------------------------------
    def job(self, name):
        """Return the newest Job of that name, or None where controller and history both said so.

        The controller first: held jobs never reach the history, finished ones leave the controller.
        """
        rows = self._rows("job", JOBS)
        found = _newest(rows, name)
        if found:
            return self._job(found)
        params = {"job_name": name, "start_time": _since(name)}
        found = _newest(self._rows("past", JOBS, "slurmdb", params), name)
        return self._job(found) if found else None

    def jobs(self):
        return [self._job(row) for row in self._rows("job", JOBS)]

    def submit(self, spec):
        """Submit once. Unreachable with details.doubt: look it up by name before anything else."""
        body, request = self._body(spec), f"POST {SUBMIT}"
        answer = self._send("POST", "slurm", SUBMIT, json=body, timeout_s=SUBMIT_S)
        errors = _errors(answer.body)
        number = _num((answer.body or {}).get("job_id"), 0)
        if number > 0:
            return Job(
                id=str(number),
                name=spec.name,
                state="queued",
                native_state="PENDING",
                reason="; ".join(NOTES.get(code, said) for code, said in errors) or None,
                pool=self._pool_id(body["job"]["partition"]),
                label=spec.label,
            )
        if answer.body is None and answer.status in (400, 401, 404, 405, 415):
            raise self._without_json(answer, request)
        if not errors or any(code in DOUBTFUL for code, _said in errors):
            said = errors[0][1] if errors else f"HTTP {answer.status} without a job id"
            raise Unreachable(
                f"it says {said!r}: the job may have been taken or not.",
                site=self.site.id,
                request=request,
                details={"doubt": True},
            )
        raise self._error(errors, request)

    def cancel(self, job):
        """Ask for the end of a Job. Ids are reused after a crash, so the name is compared first."""
        try:
            rows = self._rows("job", JOB.format(job.id))
            if any(row["name"] == job.name for row in rows):
                self._checked("DELETE", "slurm", JOB.format(job.id))
        except NotFound:
            return

    # -- asking ------------------------------------------------------------------------------------
    def _headers(self):
        token = self.connection.secret().removeprefix("SLURM_JWT=")
        expires = _expiry(token)
        if expires is not None and expires <= time.time():
            # A site answers a late token with 500 and -1, as it does when its controller is down.
            raise Unauthorized(
                f"the token of {self.account.user} expired at {utc(expires)}.",
                site=self.site.id,
                way_out=_TOKEN.replace("file", f"file {self.account.credential}"),
            )
        return {USER_HEADER: self.account.user or "", TOKEN_HEADER: token}

    def _send(self, method, plugin, path, params=None, json=None, timeout_s=READ_S):
        """Send to the newest version that both sides know; a body that is no JSON object is None."""
        known = self._versions.get(plugin)
        for version in (known,) if known else VERSIONS:
            answer = self.connection.http.request(
                method,
                f"/{plugin}/{version}{path}",
                params=params,
                json=json,
                headers=self._headers(),
                timeout_s=timeout_s,
                read=method == "GET",
            )
            if isinstance(answer.body, dict):
                self._versions[plugin] = version
            if answer.status != 404 or isinstance(answer.body, dict):
                return answer
        served = self.connection.http.request("GET", "/openapi/v3", headers=self._headers())
        paths = served.body.get("paths", ()) if isinstance(served.body, dict) else ()
        there = sorted({p.split("/")[2] for p in paths if p.startswith(f"/{plugin}/v")})
        raise Refused(
            f"slurmrestd has no {plugin} API of {', '.join(VERSIONS)} for it (it serves:"
            f" {', '.join(there) or 'none'}).",
            site=self.site.id,
            request=f"{method} {path}",
            way_out="Have slurmrestd load one of them.",
        )

    def _checked(self, method, plugin, path, params=None):
        """Return the body of an answer that holds no error; raise what it says otherwise."""
        request = f"{method} {path}"
        answer = self._send(method, plugin, path, params)
        if not isinstance(answer.body, dict):
            raise self._without_json(answer, request)
        errors = _errors(answer.body)
        if [code for code, _said in errors if code != NOTHING_FOUND]:
            raise self._error(errors, request)
        if answer.status >= 300 and not errors:
            raise Unreachable(f"HTTP {answer.status} without a reason.", request=request)
        return answer.body

    def _rows(self, kind, path, plugin=None, params=None):
        """Return the rows of a list. A list that is not there is no empty list."""
        plugin = plugin or ("slurmdb" if kind == "limit" else "slurm")
        body = self._checked("GET", plugin, path, params)
        rows = _compiled(kind).search(body)
        if rows is None and not _errors(body):
            raise Unreachable("the list is missing.", site=self.site.id, request=f"GET {path}")
        return rows or []

    def _without_json(self, answer, request):
        kind = {400: Invalid, 401: Unauthorized, 404: NotFound}.get(answer.status, Refused)
        kind = Unreachable if answer.status < 300 or answer.status >= 500 else kind
        said = f"HTTP {answer.status}, and no JSON object."
        return kind(said, site=self.site.id, request=request)

    def _error(self, errors, request):
        """Return the error that a list of (number, text) stands for."""
        numbered = [one for one in errors if one[0] in ERRORS and one[0] != 9001]
        number, said = (numbered or errors)[0]
        if number == -1:
            return self._unspecified(request)
        kind, way_out = ERRORS.get(number, (Refused, None))
        return kind(
            f"Slurm says {number}, {said}.",
            site=self.site.id,
            request=request,
            way_out=way_out,
            details={"number": number},
        )

    def _unspecified(self, request):
        # -1 is a bad token and a dead controller alike; slurmdbd tells them apart.
        said = "slurmctld is down"
        try:
            if request == f"GET {CLUSTERS}":
                said = "it says -1, Unspecified error"
            else:
                self._checked("GET", "slurmdb", CLUSTERS)
        except Unauthorized as error:
            error.request = request
            return error
        except BrainError:
            said = "neither slurmctld nor slurmdbd answers"
        return Unreachable(f"{said}.", site=self.site.id, request=request, way_out="Ask the site.")

    # -- their rows → our records ------------------------------------------------------------------
    def _pool_id(self, partition):
        return f"{self.site.id}/{self.endpoint.id}/{partition}"

    def _job(self, row):
        words = _words(row["state"])
        native = next((w for w in ("COMPLETING", *STATES) if w in words), min(words, default=None))
        state = STATES.get(native, "unknown")
        return Job(
            id=str(row["id"]),
            name=row["name"],
            state=state,
            native_state=native,
            reason=_reason(row["reason"]),
            # slurmdbd says 0 for `exit 3` (seen), so a past row has no such field.
            exit_code=_exit_code(native, _num(row.get("exit"))),
            pool=self._pool_id(row["pool"]) if row["pool"] else None,
            label=row["label"] or None,
            submitted=utc(_num(row["submitted"])),
            started=None if state == "queued" else utc(_num(row["started"])),
            ended=utc(_num(row["ended"])) if state in JOB_ENDED else None,
            nodes=None if row["nodes"] in ("", "None assigned") else row["nodes"],
        )

    def _body(self, spec):
        partition = spec.pool.rpartition("/")[2]
        job = {
            "name": self.NAME_RULE.check(spec.name),
            "account": spec.account or self.account.account,
            "partition": partition,
            "gres": self._gres_asked(spec, partition),
            "nodes": str(spec.nodes),
            "tasks": spec.nodes,
            "cpus_per_task": spec.cpu,
            "memory_per_node": math.ceil(spec.memory_gib * 1024) if spec.memory_gib else None,
            "time_limit": math.ceil(spec.wall_s / 60),
            "reservation": spec.reservation,
            "current_working_directory": spec.workdir,
            "standard_output": spec.log,
            "environment": spec.environment or {"PATH": "/usr/bin:/bin"},
            "comment": spec.label,
        }
        return {
            "script": spec.script,
            "job": {key: value for key, value in job.items() if value is not None},
        }

    def _gres_asked(self, spec, partition):
        """Return what a node must give, or None. A type that no node has would wait for ever."""
        if not spec.accelerators:
            return None
        counts = Counter()
        for node in self._nodes().values():
            if partition in node.partitions:
                counts.update(node.cards)
        fitting = [n for n, _ in counts.most_common() if spec.accelerator in (None, self._model(n))]
        if not fitting:
            has = ", ".join(self._model(native) for native in counts) or "none"
            raise Refused(
                f"partition {partition} has no accelerator {spec.accelerator} (it has: {has}).",
                site=self.site.id,
                way_out="Take another pool.",
            )
        return f"{fitting[0]}:{math.ceil(spec.accelerators / spec.nodes)}"

    def _model(self, native):
        return self.site.accelerators.get(native) or native.rpartition(":")[2]

    def _accelerator(self, native, count):
        return Accelerator(_kind(native), self._model(native), native, count=count)

    def _nodes(self):
        """Return name → SlurmNode."""
        found = {}
        for row in self._rows("node", NODES):
            words = _words(row["state"], row["flags"])
            cards = _gres(row["gres"])
            memory = _num(row["memory"], 0)
            found[row["name"]] = SlurmNode(
                name=row["name"],
                works=bool(words & NODE_WORKS) and not words & NODE_BARRED,
                arch={"arm64": "aarch64", "amd64": "x86_64"}.get(row["arch"], row["arch"]),
                cpu=_num(row["cpus"], 0),
                idle_cpu=max(0, _num(row["idle"], 0)),
                memory_mib=memory,
                free_memory_mib=max(0, memory - _num(row["taken"], 0)),
                cards=cards,
                used=_gres(row["gres_used"], typed=cards),
                words=words,
                reason=row["reason"],
                since=_num(row["since"]),
                partitions=tuple(row["partitions"] or ()),
            )
        return found

    def _domains(self, partitions):
        members = {row["name"]: _hosts(row["nodes"]) for row in partitions}
        if self.endpoint.capacity_domain:
            return dict.fromkeys(members, f"{self.site.id}/{self.endpoint.capacity_domain}")
        return domains(members, f"{self.site.id}/{self.endpoint.id}")

    def _alarms(self, partition, nodes, domain):
        place = f"{self.site.id}/{self.endpoint.id}"
        state = "+".join(sorted(_words(partition["state"])))
        if state != "UP":
            said = f"partition {partition['name']} is {state}"
            name = f"{place}/partition/{partition['name']}"
            yield Alarm(name, said, "major", None, partition["name"], domain)
        for node in nodes:
            # Right after a controller restart every node is UNKNOWN for a second: no alarm.
            silent = "NOT_RESPONDING" in node.words and "UNKNOWN" not in node.words
            down = silent or bool(node.words & {"DOWN", "FAIL"})
            if not down and "DRAIN" not in node.words:
                continue
            said = f"node {node.name} is {'down' if down else 'drained'}"
            yield Alarm(
                id=f"{place}/node/{node.name}",
                name=f"{said}: {node.reason}" if node.reason else said,
                severity="major" if down else "minor",
                since=utc(node.since),
                source=node.name,
                domain=domain,
            )

    def _queue_facts(self, partition, jobs, facts, native, now):
        here = [row for row in jobs if partition in (row["pool"] or "").split(",")]
        states = [(self._job(row), row) for row in here]
        running = [row for job, row in states if job.state in LIVE]
        pending = sum(job.state == "queued" for job, _row in states)
        ends = sorted((_num(row["ended"], 0), *_size(row, native)) for row in running)
        ends = [one for one in ends if one[0] > now]
        wait_s = expected_wait_s(facts, native, pending, [end for end, *_size in ends], now)
        ours = [
            Ours(mark.run, mark.component, job.state, *_size(row, native))
            for job, row in states
            if (mark := names.parse(job.name)) and job.state not in JOB_ENDED
        ]
        return {
            "queue": Queue(len(running), pending, wait_s),
            "running_until": tuple(Busy(utc(end), *size) for end, *size in ends),
            "ours": tuple(ours),
        }

    def _limits(self, jobs):
        """Return (accelerator kind or None, Quota) pairs of the account and of the user in it."""
        user, accounts = self.account.user, [self.account.account]
        if not accounts[0]:
            rows = self._rows("limit", ASSOCIATIONS, params={"user": user})
            accounts = sorted({row["account"] for row in rows})
        found = []
        for account in accounts:
            for row in self._rows("limit", ASSOCIATIONS, params={"account": account}):
                if row["account"] != account or row["user"] not in (None, "", user):
                    continue
                mine = [
                    job
                    for job in jobs
                    if job["account"] == account and row["user"] in (None, "", job["user"])
                ]
                who = {"tenant": self.connection.tenant, "user": row["user"] or None}
                found += [
                    (kind, Quota(resource, limit, used, **who))
                    for kind, resource, limit, used in _limits_of(row, mine)
                ]
        return found


@dataclass(frozen=True)
class SlurmNode(Node):
    """A Node with what alarms are made of."""

    words: frozenset[str]
    reason: str | None
    since: int | None
    partitions: tuple[str, ...]


# -- how Slurm writes things ------------------------------------------------------------------------
_CROCKFORD = "0123456789abcdefghjkmnpqrstvwxyz"
_GRES = re.compile(r"([a-z]\w*)(?::([A-Za-z][\w.-]*))?(?::(\d+))?(?:\([^)]*\))?(?:,|$)")
_HOSTS = re.compile(r"(?:[^,\[]|\[[^\]]*\])+")
#: NO_VAL and INFINITE of 16, 32 and 64 bit: unknown or unlimited, None for us.
_NO_VAL = {number for bits in (16, 32, 64) for number in (2**bits - 2, 2**bits - 1)}
_ACCELERATORS = ("npu", "gpu", "dcu", "mlu")


@functools.cache
def _compiled(kind):
    if jmespath is None:
        raise Invalid("the Python library jmespath is missing.", way_out="Install requirements.txt.")
    return jmespath.compile(FIELDS[kind])


def _num(value, default=None):
    """Return a number, plain or as {set, infinite, number}; default where unset or unlimited."""
    if isinstance(value, dict):
        value = value.get("number") if value.get("set") and not value.get("infinite") else None
    if value is None or value == "" or value in _NO_VAL:
        return default
    return int(value)


def _words(state, flags=()):
    """Return the state words, upper case: one text, or a list with the flags inside."""
    words = [state] if isinstance(state, str) else state or ()
    return frozenset(word.upper() for word in (*words, *(flags or ())))


@functools.lru_cache(maxsize=4096)
def _hosts(text):
    """Return the names of a host list such as ``a[01-02,7],b``, in its order."""
    found = []
    for part in _HOSTS.findall(text or ""):
        before, bracket, rest = part.partition("[")
        if not bracket:
            found.append(part)
            continue
        inside, _bracket, after = rest.partition("]")
        for piece in inside.split(","):
            low, _dash, high = piece.partition("-")
            for number in range(int(low), int(high or low) + 1):
                found += _hosts(f"{before}{number:0{len(low)}}{after}")
    return tuple(found)


def _gres(text, typed=None):
    """Return native name → count of ``npu:ascend910b:8,gpu:a800:2(IDX:0-1)``; accelerators only.

    typed: counts of the same node, which give an untyped name (gres_used may have one) its type.
    """
    found = Counter()
    for name, kind, count in _GRES.findall(text or ""):
        if name not in _ACCELERATORS:
            continue
        native = f"{name}:{kind}" if kind else name
        if not kind and typed:
            native = next((one for one in typed if _kind(one) == name), native)
        found[native] += int(count or 1)
    return dict(found)


def _tres(text):
    """Return name → text of ``cpu=1,mem=100M,gres/npu=8``."""
    return dict(part.split("=", 1) for part in (text or "").split(",") if "=" in part)


def _kind(native):
    return native.partition(":")[0] if native else None


def _size(row, native):
    """Return (accelerators, cpu, nodes) of a job row."""
    tres = _tres(row["tres"] or row["wanted"])
    named = tres.get(f"gres/{native}") or tres.get(f"gres/{_kind(native)}")
    # A gres that AccountingStorageTRES does not list is in no tres text.
    counted = sum(_gres(",".join(row["gres"] or ())).values())
    return int(named or counted), _num(row["cpus"], 0), _num(row["count"], 0)


def _limits_of(row, jobs):
    """Yield (accelerator kind or None, resource, limit, used) of an association."""
    live = [_tres(job["tres"]) for job in jobs if _words(job["state"]) & {"RUNNING", "COMPLETING"}]

    def used(name):
        return sum(int(tres.get(name, 0)) for tres in live)

    for item in row["total"] or ():
        name, count = item.get("name") or "", item["count"]
        if item["type"] == "gres":
            yield _kind(name), "accelerators", count, used(f"gres/{name}")
        elif item["type"] in ("cpu", "node"):
            resource = {"cpu": "cpu", "node": "nodes"}[item["type"]]
            yield None, resource, count, used(item["type"])
        elif item["type"] == "mem":
            yield None, "memory_gib", count / 1024, None
    limit = _num(row["jobs"])
    if limit is not None:
        there = sum(STATES.get(word) in (*LIVE, "queued") for j in jobs for word in _words(j["state"]))
        yield None, "jobs", limit, there


def _windows(reservations, nodes):
    mine = set(_hosts(nodes))
    for row in reservations:
        shared = mine & set(_hosts(row["nodes"]))
        if shared and not row["name"].startswith(names.PREFIX):
            start, end = utc(_num(row["start"])), utc(_num(row["end"]))
            yield Window(start, end, f"reservation {row['name']}", len(shared))


def _wall_s(minutes):
    minutes = _num(minutes)
    return minutes * 60 if minutes else None


def _reason(word):
    """Return a reason as we tell it. Most quotas show only here, after an accepted submit."""
    if not word or word == "None":
        return None
    told = f"quota: {word}" if word.startswith(("Assoc", "QOS")) else word
    return f"cannot start as asked: {told}" if NEVER_STARTS.search(word) else told


def _exit_code(native, status):
    """Return the exit code in a raw wait status, 128 + n for signal n; None where it is none."""
    if native not in ("COMPLETED", "FAILED") or status in (None, LAUNCH_FAILED):
        return None
    return 128 + (status & 0x7F) if status & 0x7F else status >> 8


def _newest(rows, name):
    """Return the newest row of that name. What a refused submit leaves behind is no job."""

    def never_was(row):
        nowhere = row["nodes"] in (None, "", "None assigned")
        return nowhere and row["reason"] == "BadConstraints" and "FAILED" in _words(row["state"])

    found = [row for row in rows if row["name"] == name and not never_was(row)]
    return max(found, key=lambda row: (_num(row["submitted"], 0), row["id"]), default=None)


def _since(name):
    """Return where to begin in the history: when the run in the name was minted, less a day.

    Without a start slurmdbd looks at today only. It reads the time as its own local one, hence the day.
    """
    mark = names.parse(name)
    at = datetime.now(timezone.utc) - timedelta(days=30)
    if mark:
        ms = functools.reduce(lambda n, letter: n * 32 + _CROCKFORD.index(letter), mark.run[:10], 0)
        at = datetime.fromtimestamp(ms / 1000, timezone.utc)
    return (at - timedelta(days=1)).strftime("%Y-%m-%dT%H:%M:%S")


def _errors(body):
    """Return (number, text) of each error; the number has one of three names."""
    found = []
    for one in (body or {}).get("errors") or ():
        numbers = (one.get(key) for key in ("error_number", "error_code", "errno"))
        number = next((n for n in numbers if n is not None), -1)
        found.append((int(number), one.get("error") or one.get("description") or "no reason"))
    return found


def _expiry(token):
    """Return `exp` of a JWT, epoch seconds; None where it does not read."""
    try:
        body = token.split(".")[1]
        claims = json.loads(base64.urlsafe_b64decode(body + "=" * (-len(body) % 4)))
        return int(claims["exp"])
    except (ValueError, LookupError, TypeError):
        return None
