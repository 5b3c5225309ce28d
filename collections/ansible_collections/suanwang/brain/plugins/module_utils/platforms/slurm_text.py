# Copyright: SuanWang Brain contributors
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How Slurm writes things: numbers, states, host lists, gres, tres, errors, nodes. Pure functions.

Source: answers of Slurm 22.05.8 and 24.11.5, seen; what v0.0.39 does is in neither.
"""

from __future__ import annotations

import base64
import functools
import json
import math
import re
from collections import Counter
from dataclasses import dataclass
from datetime import datetime
from datetime import timedelta
from datetime import UTC

from .. import names
from ..errors import Conflict
from ..errors import Invalid
from ..errors import NotFound
from ..errors import QuotaExceeded
from ..errors import Refused
from ..errors import Unauthorized
from ..errors import Unreachable
from ..nodefacts import Load
from ..nodefacts import Node
from ..nodefacts import utc
from ..resources import Alarm
from ..resources import Job
from ..resources import JOB_ENDED
from ..resources import Reservation
from ..resources import Seen

# -- STATES: a word that is not here is `unknown` --------------------------------------------------
_WORDS = {
    "queued": "PENDING REQUEUED REQUEUE_HOLD RESV_DEL_HOLD SPECIAL_EXIT",
    "starting": "CONFIGURING",
    "running": "RUNNING RESIZING SIGNALING",
    "suspended": "SUSPENDED STOPPED",
    "stopping": "COMPLETING STAGE_OUT",
    "succeeded": "COMPLETED",
    "cancelled": "CANCELLED REVOKED",
    "failed": "FAILED TIMEOUT NODE_FAIL PREEMPTED OUT_OF_MEMORY BOOT_FAIL DEADLINE",
}
STATES = {word: state for state, listed in _WORDS.items() for word in listed.split()}

# -- ERRORS: their number → our class (of these Unreachable is retryable) and the way out ----------
TOKEN = "Make one there with `scontrol token`, and put it into the credential file."
ERRORS = {
    1007: (Unauthorized, TOKEN),
    5005: (Unauthorized, TOKEN),
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
    2072: (Invalid, "It has no such accelerator: take another pool."),
    2127: (Invalid, None),
    9001: (Invalid, "It does not read our request; an unknown accelerator name does that too."),
    9002: (Invalid, None),
}
NOTHING_FOUND = 9003
#: After these a submit may have happened; 5005 is a bad token or a controller that died meanwhile.
DOUBTFUL = {-1, 1800, 5005}
#: Numbers that come with an accepted job → why it waits.
NOTES = {
    2015: "cannot start as asked: PartitionTimeLimit or PartitionConfig",
    2042: "JobHeldUser",
    2056: "Reservation",
    2068: "ReqNodeNotAvail",
}

#: slurmdbd cannot be asked, and the token is not taken
NO_ACCOUNTING, BAD_TOKEN = 7000, 1007
#: A job that is unknown, or ending or ended: there is nothing to cancel.
OVER = (2017, 2021)
#: Versions before the first that takes an environment as a list, and numbers as {set, infinite, number}.
PLAIN_UNTIL = "v0.0.38"

ACCELERATORS = ("npu", "gpu", "dcu", "mlu")
#: NO_VAL and INFINITE of 16, 32 and 64 bit: unknown or unlimited, None for us.
NO_VAL = {number for bits in (16, 32, 64) for number in (2**bits - 2, 2**bits - 1)}
NODE_WORKS = {"IDLE", "MIXED", "ALLOCATED"}
NODE_BARRED = {"DRAIN", "DOWN", "NOT_RESPONDING", "FAIL", "MAINT", "RESERVED", "UNKNOWN"}
NEVER_STARTS = re.compile(r"Per(Job|User|Node)|^(Partition(Config|NodeLimit|TimeLimit)|DependencyNeverSatisfied)$")
#: A job that could not be launched shows this number instead of a wait status.
LAUNCH_FAILED = 4021
NOT_ENDED = {"PENDING", "CONFIGURING", "RUNNING", "SUSPENDED", "COMPLETING"}
_NO_ACCOUNT = NotFound, "Have the account made there, or correct native_account in tenants.yml."
#: What scontrol and sacctmgr write, for they have no numbers → our class and the way out.
SAID = {
    "Nothing modified": _NO_ACCOUNT,
    "didn't affect anything": _NO_ACCOUNT,  # 24.11; what is set to what it is does affect something (seen)
    "no TRES known": (Refused, "Have the site list it in AccountingStorageTRES."),
    "persistent connection": (Unreachable, "The accounting does not answer; ask the site."),
    "Duplicate reservation name": (Conflict, "Look at it; it is not touched."),
    "Requested nodes are busy": (Refused, "Take another time, or fewer nodes."),
    "overlaps with another reservation": (Refused, "Take another time, or fewer nodes."),
    "reservation is in use": (Refused, "End its jobs first."),
    "reservation is invalid": (NotFound, None),
    "Invalid time specified": (Refused, "That time is over by the clock there: propose again."),
    "Invalid partition name": (NotFound, "Take a partition that pool_info shows."),
    "Invalid user id": (Unauthorized, "Reservations take the level Operator there: have the site give it."),
    "denied": (Unauthorized, "That takes the level Operator there: have the site give it."),
    "authentication": (Unauthorized, "Have munge looked at on the login node."),
    "Unexpected message received": (Unreachable, "The controller does not answer; ask the site."),
    "Unable to contact": (Unreachable, "The controller does not answer; ask the site."),
}
_GRES = re.compile(r"([a-z]\w*)(?::([A-Za-z][\w.-]*))?(?::(\d+))?(?:\([^)]*\))?(?:,|$)")
_HOSTS = re.compile(r"(?:[^,\[]|\[[^\]]*\])+")


def num(value, default=None):
    """Return a number, plain or as {set, infinite, number}; default where unset or unlimited."""
    if isinstance(value, dict):
        value = value.get("number") if value.get("set") and not value.get("infinite") else None
    if value is None or value == "" or value in NO_VAL:
        return default
    return int(value)


def words(state, flags=()):
    """Return the state words in upper case: one text, or a list with the flags inside."""
    found = [state] if isinstance(state, str) else state or ()
    return frozenset(word.upper() for word in (*found, *(flags or ())))


@functools.lru_cache(maxsize=4096)
def hosts(text):
    """Return the names of a host list, in its order.

    >>> hosts("hn-asc[01-02,7],login")
    ('hn-asc01', 'hn-asc02', 'hn-asc7', 'login')
    """
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
                found += hosts(f"{before}{number:0{len(low)}}{after}")
    return tuple(found)


def kind(native):
    """Return ``npu`` of ``npu:ascend910b``."""
    return native.partition(":")[0] if native else None


def gres(text, typed=None):
    """Return accelerator → count of a gres text; what is no accelerator is left out.

    typed: counts of the same node, which give an untyped name its type (gres_used may have one).

    >>> gres("npu:ascend910b:8,gpu:a800:2(IDX:0-1),craynetwork:4")
    {'npu:ascend910b': 8, 'gpu:a800': 2}
    """
    found = Counter()
    for name, model, count in _GRES.findall(text or ""):
        if name not in ACCELERATORS:
            continue
        native = f"{name}:{model}" if model else name
        if not model and typed:
            native = next((one for one in typed if kind(one) == name), native)
        found[native] += int(count or 1)
    return dict(found)


def tres(text):
    """Return name → text.

    >>> tres("cpu=1,mem=100M,gres/npu=8")
    {'cpu': '1', 'mem': '100M', 'gres/npu': '8'}
    """
    return dict(part.split("=", 1) for part in (text or "").split(",") if "=" in part)


def errors(body):
    """Return (number, text) of each error of an answer; the number has one of three names."""
    found = []
    for one in (body or {}).get("errors") or ():
        numbers = (one.get(key) for key in ("error_number", "error_code", "errno"))
        number = next((n for n in numbers if n is not None), -1)
        if number == NO_ACCOUNTING and "authentication" in (one.get("description") or ""):
            number = BAD_TOKEN
        found.append((int(number), one.get("error") or one.get("description") or "no reason"))
    return found


def told(body):
    """Return (number, text) of what a cancel says below `status`, less what means that the job has ended."""
    rows = [one.get("error") or {} for one in body.get("status") or ()]
    rows = [row for row in rows if row.get("code") and row["code"] not in OVER]
    return [(row["code"], row.get("string") or "no reason") for row in rows]


def expiry(token):
    """Return `exp` of a JWT in epoch seconds; None where it does not read."""
    try:
        body = token.split(".")[1]
        claims = json.loads(base64.urlsafe_b64decode(body + "=" * (-len(body) % 4)))
        return int(claims["exp"])
    except (ValueError, LookupError, TypeError):
        return None


# -- rows: as FIELDS of slurm.py names their columns -----------------------------------------------
@dataclass(frozen=True)
class SlurmNode(Node):
    """A Node with what alarms are made of."""

    words: frozenset[str]
    reason: str | None
    since: int | None
    partitions: tuple[str, ...]


def node(row):
    """Return the SlurmNode of a row."""
    found, cards = words(row["state"], row["flags"]), gres(row["gres"])
    memory = num(row["memory"], 0)
    return SlurmNode(
        name=row["name"],
        works=bool(found & NODE_WORKS) and not found & NODE_BARRED,
        arch={"arm64": "aarch64", "amd64": "x86_64"}.get(row["arch"], row["arch"]),
        cpu=num(row["cpus"], 0),
        idle_cpu=max(0, num(row["idle"], 0)),
        memory_mib=memory,
        free_memory_mib=max(0, memory - num(row["taken"], 0)),
        cards=cards,
        used=gres(row["gres_used"], typed=cards),
        words=found,
        reason=row["reason"],
        since=num(row["since"]),
        partitions=tuple(row["partitions"] or ()),
    )


def alarms(partition, nodes, place, domain):
    """Yield the Alarms of a partition row and its SlurmNodes. place: what their ids begin with."""
    state, name = "+".join(sorted(words(partition["state"]))), partition["name"]
    if state != "UP":
        said = f"partition {name} is {state}"
        yield Alarm(f"{place}/partition/{name}", said, "major", source=name, domain=domain)
    for one in nodes:
        # Right after a controller restart every node is UNKNOWN for a second: no alarm.
        silent = "NOT_RESPONDING" in one.words and "UNKNOWN" not in one.words
        down = silent or bool(one.words & {"DOWN", "FAIL"})
        if not down and "DRAIN" not in one.words:
            continue
        said = f"node {one.name} is {'down' if down else 'drained'}"
        yield Alarm(
            id=f"{place}/node/{one.name}",
            name=f"{said}: {one.reason}" if one.reason else said,
            severity="major" if down else "minor",
            since=utc(one.since),
            source=one.name,
            domain=domain,
        )


def limits(row, jobs):
    """Yield (accelerator kind or None, resource, limit, used) of an association."""
    live = [tres(j["tres"]) for j in jobs if words(j["state"]) & {"RUNNING", "COMPLETING"}]
    for item in row["total"] or ():
        name, count = item.get("name") or "", item["count"]
        if item["type"] == "gres":
            used = sum(int(tres.get(f"gres/{name}", 0)) for tres in live)
            yield kind(name), "accelerators", count, used
        elif item["type"] in ("cpu", "node"):
            used = sum(int(tres.get(item["type"], 0)) for tres in live)
            yield None, {"cpu": "cpu", "node": "nodes"}[item["type"]], count, used
        elif item["type"] == "mem":
            yield None, "memory_gib", count / 1024, None
    limit = num(row["jobs"])
    if limit is not None:
        there = [j for j in jobs if words(j["state"]) & NOT_ENDED]
        yield None, "jobs", limit, len(there)


def seconds(value):
    """Return a limit in minutes as seconds, None where there is none."""
    minutes = num(value)
    return minutes * 60 if minutes else None


def reason(word):
    """Return a reason as we tell it. Most quotas show only here, after an accepted submit."""
    if not word or word == "None":
        return None
    told = f"quota: {word}" if word.startswith(("Assoc", "QOS")) else word
    return f"{told}: cannot start as asked" if NEVER_STARTS.search(word) else told


def exit_code(native, status):
    """Return the exit code in a wait status, raw or in its parts, 128 + n for signal n; None where it is none."""
    if isinstance(status, dict) and "signal" in status:
        signal, code = num(status["signal"]["id"]), num(status["return_code"])
        status = (code or 0) << 8 | (signal or 0) if signal is not None or code is not None else None
    else:
        status = num(status)
    if native not in ("COMPLETED", "FAILED") or status in (None, LAUNCH_FAILED, LAUNCH_FAILED & 0x7F):
        return None
    return 128 + (status & 0x7F) if status & 0x7F else status >> 8


def newest(rows, name):
    """Return the newest row of that name. What a refused submit leaves behind is no job."""

    def never_was(row):
        nowhere = row["nodes"] in (None, "", "None assigned")
        # The reason is not always there (24.11's history, 22.05 for a moment; seen): no node and no time is enough.
        no_time = num(row["started"], 0) in (0, num(row["ended"], 0))
        return nowhere and (row["reason"] == "BadConstraints" or no_time) and "FAILED" in words(row["state"])

    found = [row for row in rows if row["name"] == name and not never_was(row)]
    return max(found, key=lambda row: (num(row["submitted"], 0), row["id"]), default=None)


def since(name):
    """Return where to begin in the history: when the run in the name was minted, less a day.

    Without a start slurmdbd looks at today only. It takes the time as its own local one: the day.
    """
    mark = names.parse(name)
    at = names.minted(mark.run) if mark else datetime.now(UTC) - timedelta(days=30)
    return (at - timedelta(days=1)).strftime("%Y-%m-%dT%H:%M:%S")


def job(row, states, place, past):
    """Return the Job of a row. states: their word → ours; past: the row is of the history."""
    found = words(row["state"])
    native = next((w for w in ("COMPLETING", *states) if w in found), min(found, default=None))
    state, why = states.get(native, "unknown"), reason(row["reason"])
    if past and state not in (*JOB_ENDED, "unknown"):
        # The controller has just said that it knows no such job: nobody will ever end it.
        state, why = "failed", "lost: the controller no longer knows it"
    return Job(
        id=str(row["id"]),
        name=row["name"],
        state=state,
        native_state=native,
        reason=why,
        # slurmdbd of 22.05 says 0 for `exit 3` (seen), so its past rows have no such field.
        exit_code=exit_code(native, row["exit"]),
        pool=f"{place}/{row['pool']}" if row["pool"] else None,
        label=row["label"] or None,
        submitted=utc(num(row["submitted"])),
        started=None if state == "queued" else utc(num(row["started"])),
        ended=utc(num(row["ended"])) if state in JOB_ENDED else None,
        nodes=None if row["nodes"] in ("", "None assigned") else row["nodes"],
    )


def load(row, native, job):
    """Return the Load of a row and its Job on a pool with that accelerator."""
    listed = tres(row["tres"] or row["wanted"])
    cards = listed.get(f"gres/{native}") or listed.get(f"gres/{kind(native)}")
    # A gres that AccountingStorageTRES does not list is in no tres text.
    cards = cards or sum(gres(",".join(row["gres"] or ())).values())
    return Load(job, int(cards), num(row["cpus"], 0), num(row["count"], 0), end=num(row["ended"]))


def cards(nodes, partition):
    """Return the accelerators of a partition's SlurmNodes, the most frequent first."""
    counts = Counter()
    for one in nodes:
        if partition in one.partitions:
            counts.update(one.cards)
    return [native for native, _count in counts.most_common()]


def versions(served, plugin):
    """Return which API versions of a plugin an OpenAPI description names, as text."""
    paths = served.get("paths", ()) if isinstance(served, dict) else ()
    return ", ".join(sorted({p.split("/")[2] for p in paths if p.startswith(f"/{plugin}/v")}))


def reservation(row, place, now):
    """Return the Reservation of a row. now: epoch seconds; the row itself does not say whether it has begun."""
    start, end = num(row["start"]), num(row["end"])
    return Reservation(
        name=row["name"],
        pool=f"{place}/{row['pool']}" if row["pool"] else None,
        state="pending" if now < start else "active" if now < end else "ended",
        nodes=num(row["count"]),
        cpu=num(row["cores"]),
        hosts=row["nodes"] or None,
        start=utc(start),
        end=utc(end),
        users=tuple((row["users"] or "").split(",")),
    )


def refusal(done):
    """Return the error that a command stands for which did not do what it was told."""
    said = done.err.strip() or done.out.strip() or f"exit status {done.code}"
    kind, way_out = next((SAID[words] for words in SAID if words in said), (Refused, None))
    return kind(f"Slurm says: {said}.", way_out=way_out, details={"in_use": "reservation is in use" in said})


def reservation_words(spec, user):
    """Return what scontrol is told to make a ReservationSpec for a user, where the time zone is UTC."""
    return [
        "create",
        "reservation",
        f"ReservationName={spec.name}",
        f"StartTime={spec.start.removesuffix('Z') if spec.start else 'now'}",
        f"Duration={math.ceil(spec.duration_s / 60)}",
        f"Users={user}",
        f"PartitionName={spec.pool.rpartition('/')[2]}",
        f"NodeCnt={spec.nodes}",
    ]


#: Our resource → what GrpTRES calls it, and the unit behind its number.
TRES = {"cpu": ("cpu", ""), "memory_gib": ("mem", "G"), "nodes": ("node", "")}


def limit_words(account, cluster, limits, kinds):
    """Return what sacctmgr is told to set, resource → number; what is not named stays.

    kinds: of the cluster's accelerators, without type (`npu`); a limit of `accelerators` is one of all types of it.
    """
    for resource, limit in limits.items():
        if resource not in (*TRES, "accelerators", "jobs"):
            known = ", ".join(sorted((*TRES, "accelerators", "jobs")))
            raise Invalid(f"`limits.{resource}`: Slurm limits no {resource} of an account; it limits {known}.")
        if limit != int(limit):
            raise Invalid(f"`limits.{resource}` is {limit}, and Slurm counts in whole numbers.")
    told = {TRES[one][0]: f"{int(limits[one])}{TRES[one][1]}" for one in sorted(limits) if one in TRES}
    if "accelerators" in limits:
        if len(kinds) != 1:
            there = ", ".join(sorted(kinds)) or "none"
            raise Refused(f"a limit of accelerators is one of their kind, and the cluster has {there}.")
        told[f"gres/{min(kinds)}"] = int(limits["accelerators"])
    found = [f"GrpTRES={','.join(f'{name}={count}' for name, count in told.items())}"] if told else []
    found += [f"GrpSubmitJobs={int(limits['jobs'])}"] if "jobs" in limits else []
    return ["-i", "modify", "account", "where", f"name={account}", f"cluster={cluster}", "set", *found]


def seen(source, now, missed, got, stated):
    """Return the Seen of a pool: partial, with the reasons, where something of it did not come."""
    why = [f"{got} of {stated} nodes came"] if got < stated else []
    why = "; ".join(why + missed) or None
    return Seen(utc(now), source, "partial" if why else "live", why)


def submission(spec, partition, gres, account, version):
    """Return the body of a submit. gres: what each node must give, None for no accelerator. version: of the API."""
    plain = version <= PLAIN_UNTIL

    def number(value):
        return value if plain or value is None else {"set": True, "infinite": False, "number": value}

    environment = spec.environment or {"PATH": "/usr/bin:/bin"}
    job = {
        "name": spec.name,
        "account": account,
        "partition": partition,
        "gres" if plain else "tres_per_node": gres if plain or not gres else f"gres/{gres}",
        "nodes": str(spec.nodes),
        "tasks": spec.nodes,
        "cpus_per_task": spec.cpu,
        "memory_per_node": number(math.ceil(spec.memory_gib * 1024) if spec.memory_gib else None),
        "time_limit": number(math.ceil(spec.wall_s / 60)),
        "reservation": spec.reservation,
        "current_working_directory": spec.workdir,
        "standard_output": spec.log,
        "environment": environment if plain else [f"{name}={value}" for name, value in environment.items()],
        "comment": spec.label,
    }
    return {"script": spec.script, "job": {key: value for key, value in job.items() if value is not None}}
