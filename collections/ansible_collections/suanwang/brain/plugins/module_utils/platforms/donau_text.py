# Copyright: SuanWang Brain contributors
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How Donau Scheduler's commands are told things, and how they write them. Pure functions.

Sources: see donau.py. A command that failed may still end with 0, so its words count as much as its exit status.
"""

from __future__ import annotations

import json
import math
import re
import shlex
from typing import NamedTuple

from ..errors import Invalid
from ..errors import NotFound
from ..errors import Refused
from ..errors import Unauthorized
from ..errors import Unreachable
from ..nodefacts import Node
from ..resources import Alarm
from ..resources import JobSpec

# -- the two generations of options: HPC22 and DonauKit 24. They share letters with other meanings, so a set is taken
# -- whole. Variables and work folder go into the script instead: `-x` sets one there and claims nodes here.
GENERATIONS = {
    "hpc22": {
        "name": "--name",
        "queue": "-q",
        "account": "-A",
        "resource": "-R",
        "replicas": "-N",
        "per_node": "-tpn",
        "wall": "-T",
        "output": "-o",
        "errors": "-e",
        "script": "-s",
        "json": None,
        "memory": "mem={mib}MB",
        "cancel": ["djob", "-T"],
        "past": ["djob", "-t", "submit", "-st", "{since}", "-et", "{now}"],
    },
    "kit24": {
        "name": "--name",
        "queue": "--queue",
        "account": "--account",
        "resource": "--resource",
        "replicas": "--replica",
        "per_node": "--replica-per-node",
        "wall": "-T",
        "output": "-o",
        "errors": "-e",
        "script": "--script",
        "json": "--json",
        "memory": "mem={gib}G",
        "cancel": ["dkill", "-y"],
        "past": ["djob", "-D"],
    },
}
#: A word of `dsub --help` that only one generation has.
MARK = {"--replica-per-node": "kit24", "-tpn": "hpc22"}

_LOGIN = "Have the credential renewed: log in there as {user} with `dlogin`, or `dconfig` on HPC22."
# -- ERRORS: their sentence → our class and the way out. The first that fits counts.
ERRORS = (
    (r"access token does not exist", Unauthorized, _LOGIN),
    (r"token expired", Unauthorized, _LOGIN),
    (r"token unauthorized", Unauthorized, "Have {user} put into a user group of the scheduler."),
    (r"root user is not allowed", Unauthorized, "Let native_user be an ordinary user there."),
    (r"access to job .* is denied|only permitted|the permission", Unauthorized, "It belongs to another user."),
    (r"queue .*(invalid|not exist)", NotFound, "Take a queue that pool_info shows."),
    (r"not exist|no matches", NotFound, None),
    (r"(?i)connect|timed? ?out|unavailable", Unreachable, "The scheduler does not answer; ask the site."),
    (r"(?i)usage:|unknown option|unrecognized|invalid option", Invalid, "Name the generation of its options: profile."),
)
_FAILED = re.compile(r"(?i)^error\b|permission denied|token unauthorized|not exist|no matches|denied|permitted|invalid")
_RULE = re.compile(r"\s*-{2,}(\s+-+)*\s*")
_TERMINATED = "10003"
#: How dsub names a job, the surest form first: a banner may begin with a number too.
_JOB = [re.compile(one, re.IGNORECASE | re.MULTILINE) for one in (r"\bjob\s*id:?\s*(\d+)", r"<(\d+)>", r"^\s*(\d+)\b")]
_RANGE = re.compile(r"([^,\[\]\s]*)\[([^\]]+)\]([^,\[\]\s]*)|[^,\s]+")
ARCHES = {"aarch64": r"(?i)arm|aarch64|kunpeng", "x86_64": r"(?i)x86|amd64|intel|hygon"}


def failure(done, user, nothing=False):
    """Return the error that a command's words stand for, None where it did its work.

    nothing: whether "there is none" is an answer here, and no error.
    """
    said = [line.strip() for line in _talk(done) if line.strip()]
    found = next(((line, *row[1:]) for row in ERRORS for line in said if re.search(row[0], line)), None)
    refused = _answered(done.out)
    if done.code == 0 and refused is None and not any(_FAILED.search(line) for line in said):
        return None
    line, kind, way_out = found or (refused or (said or [f"exit status {done.code}"])[0], Refused, None)
    if nothing and kind is NotFound:
        return None
    return kind(f"Donau says: {line.rstrip('.')}.", way_out=way_out.format(user=user) if way_out else None)


def _talk(done):
    """Return what a command wrote outside of a table of facts: those hold words of users."""
    lines = done.out.splitlines()
    ruled = next((number for number, line in enumerate(lines) if _RULE.fullmatch(line)), None)
    if ruled is not None and "message" not in (line.strip().lower() for line in lines):
        lines = lines[: max(0, ruled - 1)]
    return [*done.err.splitlines(), *lines]


def _answered(text):
    """Return the message of a JSON answer that is no success, else None."""
    body = _json(text)
    return None if body is None or body.get("code") == "success" else str(body.get("message") or body.get("code"))


def _json(text):
    for line in text.splitlines():
        if line.lstrip().startswith("{"):
            try:
                return json.loads(line)
            except ValueError:
                return None
    return None


def rows(text, least):
    """Return the rows of a table as lists of words: what follows its line of dashes. Banners come before it.

    least: how many words a row has. A table without that line is none, which is told from an empty one by None.
    """
    lines = text.splitlines()
    ruled = [number for number, line in enumerate(lines) if _RULE.fullmatch(line)]
    if not ruled:
        return None
    found = (line.split() for line in lines[ruled[0] + 1 :])
    return [words for words in found if len(words) >= least]


class Row(NamedTuple):
    """A line of djob."""

    id: str
    name: str
    user: str
    state: str
    queue: str


def jobs(text):
    """Return the Rows of djob, or None where it shows no table."""
    found = rows(text, 5)
    return None if found is None else [Row(*words[:5]) for words in found if words[0].isdigit()]


#: One row a task. The last may hold blanks.
COLUMNS = "JOB_ID JOB_TIMEOUT EXEC_NODE MAIN_STATE_REASON_CODE MRUN_TIME ALLOC_CPU EXIT_CODE EXIT_MESSAGE".split()


class Detail(NamedTuple):
    """What the tasks of a job say together. run_s, timeout_s: seconds."""

    nodes: tuple[str, ...] = ()
    reason: str | None = None
    run_s: int | None = None
    timeout_s: int | None = None
    cpu: int = 0
    exit_code: int | None = None
    terminated: bool = False


def details(text):
    """Return job id → Detail of `djob -x -CO`."""
    found = {}
    for words in rows(text, len(COLUMNS) - 1) or ():
        task = dict(zip(COLUMNS, [*words[: len(COLUMNS) - 1], " ".join(words[len(COLUMNS) - 1 :])], strict=True))
        task = {key: None if value in ("-", "") else value for key, value in task.items()}
        if task["JOB_ID"] is None or not task["JOB_ID"].isdigit():
            continue
        old = found.get(task["JOB_ID"], Detail())
        code = exit_code(task["EXIT_CODE"], task["EXIT_MESSAGE"])
        found[task["JOB_ID"]] = Detail(
            nodes=tuple(dict.fromkeys([*old.nodes, *filter(None, [task["EXEC_NODE"]])])),
            reason=old.reason or task["MAIN_STATE_REASON_CODE"],
            run_s=max((one for one in (old.run_s, _number(task["MRUN_TIME"])) if one is not None), default=None),
            timeout_s=_number(task["JOB_TIMEOUT"]) or old.timeout_s,
            cpu=old.cpu + (_number(task["ALLOC_CPU"]) or 0),
            exit_code=code if old.exit_code in (None, 0) else old.exit_code,
            terminated=old.terminated or task["EXIT_CODE"] == _TERMINATED,
        )
    return found


def exit_code(code, message):
    """Return what the script ended with: the message tells it, and a code only where a script can end so."""
    told = re.search(r"errCode:\s*(\d+)\s*$", message or "")
    number = int(told[1]) if told else _number(code)
    return number if number is not None and 0 <= number <= 255 else None


def _number(text):
    return int(text) if text and text.isdigit() else None


def queues(text):
    """Return queue → its state words, as `OPEN,ACTIVE`."""
    return {words[0]: words[1] for words in rows(text, 2) or ()}


def nodes(listed, described, native, arches):
    """Return Nodes: their names from dnode, their numbers from `dnode -L`, in the same order.

    native: names of accelerator resources. arches: node → architecture. Nobody says which words a node that is down
    is shown with, so a node works if its numbers are there.
    """
    names = [words[0] for words in rows(listed, 1) or ()]
    blocks, block = [], None
    for line in described.splitlines():
        words = line.split()
        if len(words) == 2 and all(word.startswith("--") for word in words):
            block = {}
            blocks.append(block)
        elif block is not None and len(words) == 2:
            block[words[0]] = words[1]
    if len(names) != len(blocks):
        raise Unreachable(f"dnode shows {len(names)} nodes, and describes {len(blocks)}.")
    return [_node(name, block, native, arches) for name, block in zip(names, blocks, strict=True)]


def _node(name, block, native, arches):
    def number(key):
        return int(float(block[key])) if re.fullmatch(r"\d+(\.\d+)?", block.get(key, "")) else None

    cpu, memory = number("nativeResources.mCpu"), number("nativeResources.mem")
    idle = number("loadResources.cpuFree")
    cards = {one: number(f"nativeResources.{one}") for one in native}
    cards = {one: count for one, count in cards.items() if count}
    return Node(
        name=name,
        works=None not in (cpu, idle),
        arch=arches.get(name),
        cpu=cpu or 0,
        idle_cpu=min(idle or 0, cpu or 0),
        memory_mib=memory or 0,
        free_memory_mib=number("loadResources.memFree") or 0,
        cards=cards,
        # What it does not say is free is taken for used.
        used={one: count - (number(f"loadResources.{one}Free") or 0) for one, count in cards.items()},
    )


def hosts(text):
    """Return the names of a node list.

    >>> hosts("agent-ARM-[01-03,7] login1")
    ['agent-ARM-01', 'agent-ARM-02', 'agent-ARM-03', 'agent-ARM-7', 'login1']
    """
    found = []
    for match in _RANGE.finditer(text):
        if match[2] is None:
            found.append(match[0])
            continue
        for piece in match[2].split(","):
            low, _dash, high = piece.partition("-")
            found += [f"{match[1]}{n:0{len(low)}d}{match[3]}" for n in range(int(low), int(high or low) + 1)]
    return found


def arches(labels):
    """Return node → architecture, by the labels whose name says one."""
    found = {}
    for words in rows(labels, 3) or ():
        arch = next((arch for arch, pattern in ARCHES.items() if re.search(pattern, words[0])), None)
        if arch:
            found.update(dict.fromkeys(hosts(" ".join(words[2:])), arch))
    return found


def alarm(queue, state, place, domain):
    """Return the Alarm of a queue that takes or starts no work, None where it does both."""
    if state == "OPEN,ACTIVE":
        return None
    return Alarm(f"{place}/queue/{queue}", f"queue {queue} is {state}", "major", source=queue, domain=domain)


def submitted(text):
    """Return the job id in an answer of dsub, or None. Banners may stand around it."""
    body = _json(text)
    if body is not None:
        number = str((body.get("data") or {}).get("jobId") or "")
        return number if number.isdigit() else None
    found = (pattern.search(text) for pattern in _JOB)
    return next((match[1] for match in found if match), None)


def script(spec: JobSpec, asked):
    """Return the script that is put there: variables and work folder first. asked: kept in it, to be read again."""
    first, _newline, rest = spec.script.partition("\n")
    exports = "".join(f"export {key}={shlex.quote(value)}\n" for key, value in spec.environment.items())
    kept = f"# swb-request {json.dumps(asked, sort_keys=True)}\n"
    return f"{first}\n{kept}{exports}cd {shlex.quote(spec.workdir)} || exit 96\n{rest}"


def request(text):
    """Return what `script` kept of a request; {} where there is none."""
    found = re.search(r"^# swb-request (\{.*\})$", text or "", re.MULTILINE)
    try:
        return json.loads(found[1]) if found else {}
    except ValueError:
        return {}


def submission(spec: JobSpec, generation, queue, account, native, path):
    """Return the words of dsub. native: the resource that is an accelerator, None for none; path: of the script."""
    words = GENERATIONS[generation]
    resource = [f"cpu={spec.cpu}"]
    if spec.memory_gib:
        resource.append(words["memory"].format(mib=math.ceil(spec.memory_gib * 1024), gib=math.ceil(spec.memory_gib)))
    if native:
        resource.append(f"{native}={math.ceil(spec.accelerators / spec.nodes)}")
    argv = ["dsub", words["name"], spec.name, words["queue"], queue]
    argv += [words["account"], account] if account else []
    argv += [words["resource"], ";".join(resource)]
    if spec.nodes > 1:
        argv += [words["replicas"], str(spec.nodes), words["per_node"], "1"]
    argv += [words["wall"], str(spec.wall_s), words["output"], spec.log, words["errors"], spec.log]
    argv += [words["json"]] if words["json"] else []
    return [*argv, words["script"], path]
