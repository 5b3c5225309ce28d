"""scontrol, as far as reservations go, and its views of jobs, nodes and partitions. Texts of 22.05.8, seen."""

import calendar
import re
import time

from tests.lab.slurm import ctld_view
from tests.lab.slurm import reservations
from tests.lab.slurm.answers import RELEASE
from tests.lab.slurm.answers import SlurmError
from tests.lab.slurm.answers import TEXT
from tests.lab.slurm.words import local
from tests.lab.slurm.words import span
from tests.lab.slurm.words import Told

KEYS = ("reservationname", "starttime", "duration", "users", "partitionname", "nodecnt", "nodes")
NOTE = """\
Note, unless nodes are directly requested a reservation must exist in a single partition.
If no partition is requested the default partition is assumed.
"""


def run(cluster, request, words: list[str]) -> str:
    one_line = "-o" in words or "--oneliner" in words
    words = [word for word in words if not word.startswith("-")]
    keyword, rest = (words or [""])[0], words[1:]
    if keyword == "create":
        return _create(cluster, request, rest)
    if keyword == "delete":
        return _delete(cluster, request, rest)
    if keyword == "show":
        return _show(cluster, request, rest, one_line)
    if keyword == "ping":
        down = "ctld" in cluster.down
        said = f"Slurmctld(primary) at {cluster.name}-mgmt is {'DOWN' if down else 'UP'}\n"
        if down:
            raise Told("", 1, said)
        return said
    if keyword == "version":
        return f"slurm-wlm {RELEASE}\n"
    raise Told(f"invalid keyword: {keyword}\n")


def _fields(words: list[str], known) -> dict:
    found = {}
    for word in words:
        key, equals, value = word.partition("=")
        if not equals or key.lower() not in known:
            raise Told(f"scontrol: error: Unknown parameter {word}.  No reservation created.\n")
        found[key.lower()] = value
    return found


def _moment(text: str, offset_s: int) -> int:
    """Read ``now[+seconds]`` or a time of the caller's zone."""
    if match := re.fullmatch(r"now(?:\+(\d+)(?:seconds?)?)?", text):
        return int(time.time()) + int(match[1] or 0)
    try:
        return calendar.timegm(time.strptime(text, "%Y-%m-%dT%H:%M:%S")) - offset_s
    except ValueError:
        raise Told(f"Invalid time specification (pos=0): {text}\nscontrol: error: Invalid start time"
                   f" StartTime={text}.  No reservation created.\n") from None  # fmt: skip


def _create(cluster, request, words: list[str]) -> str:
    if not words or words[0].lower() != "reservation":
        raise Told(f"scontrol: error: Invalid creation entity: {(words or [''])[0]}\n")
    given = _fields(words[1:], KEYS)
    start = _moment(given.get("starttime", "now"), request.offset_s)
    if not given.get("duration", "").isdigit():
        raise Told("scontrol: error: An end time or duration must be given.  No reservation created.\n")
    if not given.get("users"):
        raise Told("scontrol: error: Either Users/Groups and/or Accounts must be specified.  No reservation created.\n")
    try:
        if "ctld" in cluster.down:
            raise SlurmError(1900)
        reservations.make(
            cluster, request.user, given["reservationname"], start, int(given["duration"]), given["users"].split(","),
            given.get("partitionname") or next(iter(cluster.partitions)), int(given.get("nodecnt", 1)),
            given.get("nodes", ""),
        )  # fmt: skip
    except SlurmError as refusal:
        out = NOTE if refusal.number == 2102 else ""
        raise Told(f"Error creating the reservation: {TEXT[refusal.number]}\n", out=out) from None
    return f"Reservation created: {given['reservationname']}\n"


def _delete(cluster, request, words: list[str]) -> str:
    key, _equals, name = (words or [""])[0].partition("=")
    if key.lower() not in ("reservationname", "reservation"):
        raise Told(f"invalid entity: {key}\n")
    try:
        if "ctld" in cluster.down:
            raise SlurmError(1800)
        reservations.drop(cluster, request.user, name)
    except SlurmError as refusal:
        raise Told(f"delete_reservation ReservationName={name}: {TEXT[refusal.number]}\n") from None
    return ""


def _show(cluster, request, words: list[str], one_line: bool) -> str:
    entity, name = (words or [""])[0].lower(), words[1] if len(words) > 1 else None
    kind = next((kind for kind in SHOWN if entity and (kind.startswith(entity) or entity == f"{kind}s")), None)
    if kind is None:
        raise Told(f"invalid entity:{entity} for keyword:show \n")
    load, describe, missing = SHOWN[kind]
    if "ctld" in cluster.down:
        raise Told(f"slurm_load_{kind}s error: {TEXT[1800]}\n")
    rows = [row for row in load(cluster) if name in (None, str(row["name"] if kind != "job" else row["job_id"]))]
    if not rows:
        if kind == "job" and name:
            raise Told(f"slurm_load_jobs error: {TEXT[2017]}\n")
        if name:
            raise Told("", 1, missing.format(name))
        return f"No {kind}s in the system\n"
    texts = [describe(cluster, row, lambda at, unknown="Unknown": local(at, request.offset_s, unknown)) for row in rows]
    if one_line:
        return "".join(" ".join(text) + "\n" for text in texts)
    return "".join("\n   ".join(text) + "\n\n" for text in texts)


def _reservation(cluster, row: dict, at) -> list[str]:
    now = time.time()
    state = "ACTIVE" if row["start_time"] <= now < row["end_time"] else "INACTIVE"
    return [
        f"ReservationName={row['name']} StartTime={at(row['start_time'])} EndTime={at(row['end_time'])}"
        f" Duration={span(row['end_time'] - row['start_time'])}",
        f"Nodes={row['node_list']} NodeCnt={row['node_count']} CoreCnt={row['core_count']} Features=(null)"
        f" PartitionName={row['partition']} Flags=",
        f"TRES={row['tres']}",
        f"Users={row['users']} Groups=(null) Accounts=(null) Licenses=(null) State={state} BurstBuffer=(null)"
        " Watts=n/a",
        "MaxStartDelay=(null)",
    ]


def _job(cluster, row: dict, at) -> list[str]:
    code, number = row["exit_code"] >> 8, row["exit_code"] & 0x7F
    ran = max(0, min(row["end_time"], time.time()) - row["start_time"]) if row["start_time"] else 0
    return [
        f"JobId={row['job_id']} JobName={row['name']}",
        f"UserId={row['user_name']}({row['user_id']}) GroupId={row['group_name']}({row['group_id']}) MCS_label=N/A",
        f"Priority={row['priority']} Nice=0 Account={row['account']} QOS={row['qos']}",
        f"JobState={row['job_state']} Reason={row['state_reason']} Dependency={row['dependency'] or '(null)'}",
        f"Requeue=0 Restarts={row['restart_cnt']} BatchFlag=1 Reboot=0 ExitCode={code}:{number}",
        f"RunTime={span(ran)} TimeLimit={span(row['time_limit'] * 60)} TimeMin=N/A",
        f"SubmitTime={at(row['submit_time'])} EligibleTime={at(row['eligible_time'])}",
        f"StartTime={at(row['start_time'])} EndTime={at(row['end_time'])} Deadline=N/A",
        f"Partition={row['partition']} AllocNode:Sid=localhost:1",
        f"NodeList={row['nodes']}",
        f"NumNodes={row['node_count']} NumCPUs={row['cpus']} NumTasks={row['tasks']}",
        f"TRES={row['tres_alloc_str'] or row['tres_req_str']}",
        f"WorkDir={row['current_working_directory']}",
        f"StdOut={row['standard_output']}",
    ]


def _node(cluster, row: dict, at) -> list[str]:
    flags = "".join(f"+{flag}" for flag in row["state_flags"])
    return [
        f"NodeName={row['name']} Arch={row['architecture']} CoresPerSocket={row['cores']} ",
        f"CPUAlloc={row['alloc_cpus']} CPUEfctv={row['cpus']} CPUTot={row['cpus']} CPULoad={row['cpu_load'] / 100:.2f}",
        f"Gres={row['gres']}",
        f"RealMemory={row['real_memory']} AllocMem={row['alloc_memory']} Sockets={row['sockets']} Boards=1",
        f"State={row['state'].upper()}{flags} ThreadsPerCore=1",
        f"Partitions={','.join(row['partitions'])} ",
        f"CfgTRES={row['tres']}",
        f"AllocTRES={row['tres_used'] or ''}",
    ]


def _partition(cluster, row: dict, at) -> list[str]:
    return [
        f"PartitionName={row['name']}",
        f"DefaultTime={span(row['default_time_limit'] * 60)} MaxTime={span(row['max_time_limit'] * 60)}",
        f"Nodes={row['nodes']}",
        f"State={row['state']} TotalCPUs={row['total_cpus']} TotalNodes={row['total_nodes']}",
        f"TRES={row['tres']}",
    ]


#: entity → (rows, how a row is written, what is said of one that is not there)
SHOWN = {
    "reservation": (
        lambda cluster: [ctld_view.reservation(cluster, name) for name in cluster.reservations],
        _reservation, "Reservation {} not found\n",
    ),
    "job": (lambda cluster: [ctld_view.job(cluster, job) for job in cluster.jobs.values()], _job, ""),
    "node": (
        lambda cluster: [ctld_view.node(cluster, node) for node in cluster.nodes.values()], _node, "Node {} not found\n"
    ),
    "partition": (
        lambda cluster: [ctld_view.partition(cluster, name) for name in cluster.partitions],
        _partition, "Partition {} not found\n",
    ),
}  # fmt: skip
