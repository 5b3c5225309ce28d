"""The keys of a submission (``job``) of v0.0.36–38 and how their values are read.

Key names and which are disabled: the table ``job_params`` of v0.0.38/jobs.c. They are matched without case.
A value that cannot be read is an error −1 and then 9001; an unknown GRES name is 9001 alone.
"""

import re
import time
from datetime import datetime

from tests.lab.slurm import answers
from tests.lab.slurm.job import parse_gres

KNOWN_GRES = ("gpu", "npu")  # GresTypes of the lab's slurm.conf
KEYS = set(
    """
account account_gather_frequency array argv batch_features begin_time burst_buffer cluster_constraint
comment constraint constraints container core_specification cores_per_socket cpu_binding_hint
cpu_frequency cpus_per_gpu cpus_per_task current_working_directory cwd deadline delay_boot dependency
distribution environment exclude_nodes exclusive get_user_environment gpu_binding gpu_frequency gpus
gpus_per_node gpus_per_socket gpus_per_task gres_flags gres hold job_name kill_on_invalid_dependency
license licenses mail_type mail_user mcs_label memory_binding memory_per_cpu memory_per_gpu
memory_per_node minimum_cpus_per_node minimum_nodes name nice nodelist node_list nodes no_kill
no_requeue open_mode partition prefer priority profile qos requeue reservation signal sockets_per_node
spread_job standard_error standard_input standard_output tasks ntasks tasks_per_core ntasks_per_core
ntasks_per_gpu tasks_per_node ntasks_per_node tasks_per_socket ntasks_per_socket ntasks_per_tres
temporary_disk_per_node test_only thread_specification threads_per_core time_limit time_minimum umask
wait_all_nodes wckey
""".split()
)
DISABLED = set(
    """
accelerator_binding allocation_node_list bell burst_buffer_file cluster clusters compress contiguous
cpu_binding debugger_test disable_status epilog excluded_nodes export_file export extra_node_info
group_id help hetjob_group ignore_pbs immediate job_id kill_command kill_on_bad_exit label max_threads
message_timeout mpi multiple_program network no_allocation no_bell nodefile no_shell overcommit
oversubscribe parsable power_flags preserve_environment prolog propagate pty quiet quit_on_interrupt
reboot relative required_nodes required_switches reserve_port reserve_ports slurmd_debug task_epilog
task_prolog threads unbuffered unknown usage user_id version verbose wait_for_switch wait wrap x11
""".split()
)
ALIASES = {
    "job_name": "name", "cwd": "current_working_directory", "constraint": "constraints",
    "ntasks": "tasks", "ntasks_per_node": "tasks_per_node", "license": "licenses",
}  # fmt: skip
TEXTS = {"account", "comment", "constraints", "current_working_directory", "dependency", "name",
         "partition", "qos", "reservation", "standard_error", "standard_input",
         "standard_output"}  # fmt: skip
COUNTS = {"tasks", "cpus_per_task", "tasks_per_node", "minimum_cpus_per_node", "nice", "priority"}


class Unreadable(ValueError):
    """A value Slurm cannot read; the message is Slurm's, "" where it says nothing."""


def minutes(value) -> int:
    """Read a time limit: minutes, ``m:s``, ``h:m:s``, ``d-h[:m[:s]]``; a second begun is a minute."""
    text = str(value).strip()
    if text.upper() in ("UNLIMITED", "INFINITE", "-1"):
        return 365 * 1440
    days, dash, rest = text.partition("-")
    parts = (rest if dash else text).split(":")
    if not all(part.isdigit() for part in [*parts, *([days] if dash else [])]):
        raise Unreadable("Invalid time specification")
    numbers = [int(part) for part in parts]
    if dash:
        hours, mins, secs = (numbers + [0, 0])[:3]
        return int(days) * 1440 + hours * 60 + mins + (secs > 0)
    if len(numbers) == 3:
        return numbers[0] * 60 + numbers[1] + (numbers[2] > 0)
    return numbers[0] + (len(numbers) == 2 and numbers[1] > 0)


def moment(value) -> int:
    """Read a begin time or deadline: ``now[+seconds]`` or local ISO time. An epoch number is refused."""
    match = re.fullmatch(r"now(?:\+(\d+)(\w*))?", str(value))
    if match:
        unit = {"": 1, "second": 1, "minute": 60, "hour": 3600, "day": 86400}
        return int(time.time()) + int(match[1] or 0) * unit.get((match[2] or "").rstrip("s"), 1)
    try:
        return int(datetime.strptime(str(value)[:19], "%Y-%m-%dT%H:%M:%S").timestamp())
    except ValueError:
        if str(value).isdigit():
            raise answers.SlurmError(2054) from None
        raise Unreadable("Invalid time specification") from None


def mebibytes(value) -> int:
    match = re.fullmatch(r"(\d+)([KMGT]?)B?", str(value).strip(), re.IGNORECASE)
    if not match:
        raise Unreadable("Invalid memory specification")
    scale = {"K": 1 / 1024, "": 1, "M": 1, "G": 1024, "T": 1048576}[match[2].upper()]
    return max(1, int(int(match[1]) * scale))


def node_count(value) -> int:
    """Read ``"1"``, 1, ``"1-2"`` or [1, 2]: the least is what the job gets here."""
    first = value[0] if isinstance(value, list) and value else str(value).split("-")[0]
    if not str(first).isdigit() or int(first) < 1:
        raise Unreadable("Invalid node count")
    return int(first)


def devices(value, default: str = "") -> str:
    try:
        wanted = parse_gres(str(value), default)
    except ValueError:
        raise Unreadable("") from None
    if any(kind.split(":")[0] not in KNOWN_GRES for kind in wanted):
        raise Unreadable("")  # seen: nothing is said but 9001
    return str(value)


def _environment(value) -> dict:
    if not isinstance(value, dict):
        raise Unreadable("Invalid environment specification")
    return {str(key): str(item) for key, item in value.items()}


def _truth(value) -> bool:
    return value in (True, 1, "true", "True", "1")


def _count(value) -> int:
    if isinstance(value, bool) or not re.fullmatch(r"-?\d+", str(value)):
        raise Unreadable("Invalid integer")
    return int(value)


READERS = {
    "time_limit": minutes, "begin_time": moment, "deadline": moment, "environment": _environment,
    "memory_per_node": mebibytes, "memory_per_cpu": mebibytes, "nodes": node_count,
    "gres": devices, "gpus": lambda v: devices(v, "gpu"), "gpus_per_node": lambda v: devices(v, "gpu"),
    "hold": _truth,
    **dict.fromkeys(TEXTS, str), **dict.fromkeys(COUNTS, _count),
}  # fmt: skip


def read(fields: dict) -> tuple[dict, list[dict]]:
    """Return (values read, errors of the first key that cannot be): the order of the body decides."""
    found: dict = {}
    for key, value in fields.items():
        low = key.lower()
        if low in DISABLED:
            text = f'Disabled key: "{low}"'
            return found, [{"description": text, "source": "openapi specification"}]
        if low not in KEYS:
            return found, [{"description": f'Unknown key "{low}"', "source": "hsearch_r"}]
        name = ALIASES.get(low, low)
        if name not in READERS:
            continue  # accepted and without effect in the stand-in, `requeue` in the real one too
        try:
            found[name] = READERS[name](value)
        except Unreadable as unreadable:
            said = str(unreadable)
            return found, [answers.submit_error(-1, said)] if said else []
    return found, []
