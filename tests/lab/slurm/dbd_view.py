"""How slurmdbd's records look in dbv0.0.38 (field paths of its parse.c), with what it loses.

Exit codes are lost (``exit 3`` is SUCCESS 0; signals are right), the comment is dropped unless
AccountingStoreFlags=job_comment, ``usage`` is always null, there is no path of the output.
"""

import signal

from tests.lab.slurm import nodes as machines
from tests.lab.slurm import tres

#: TRES of every cluster, then those of AccountingStorageTRES in its order from 1001
STATIC = [("cpu", "", 1), ("mem", "", 2), ("energy", "", 3), ("node", "", 4), ("billing", "", 5),
          ("fs", "disk", 6), ("vmem", "", 7), ("pages", "", 8)]  # fmt: skip
PLACES = ("slurmdbd", "cluster")


def nest(**paths) -> dict:
    """Make nested dictionaries of ``a__b=value``.

    >>> nest(max__tres__total=[1], name="x")
    {'max': {'tres': {'total': [1]}}, 'name': 'x'}
    """
    found: dict = {}
    for path, value in paths.items():
        *folders, leaf = path.split("__")
        place = found
        for folder in folders:
            place = place.setdefault(folder, {})
        place[leaf] = value
    return found


def all_tres(cluster) -> list[dict]:
    rows = [{"type": kind, "name": name, "id": number, "count": 0} for kind, name, number in STATIC]
    for offset, text in enumerate(["gres/gpu", "gres/npu", *cluster.hardware["tres"]]):
        kind, _, name = text.partition("/")
        if not any(row["name"] == name and row["type"] == kind for row in rows):
            rows.append({"type": kind, "name": name, "id": 1001 + offset, "count": 0})
    return rows


def tres_list(cluster, counts: dict[str, int]) -> list[dict]:
    known = {(row["type"], row["name"]): row["id"] for row in all_tres(cluster)}
    found = []
    for text, count in counts.items():
        kind, _, name = text.partition("/")
        found.append({"type": kind, "name": name, "id": known[kind, name], "count": count})
    return found


def exit_code(raw: int) -> dict:
    if number := raw & 0x7F:
        try:
            name = signal.Signals(number).name.removeprefix("SIG")
        except ValueError:
            name = "UNKNOWN"
        return {"status": "SIGNALED", "return_code": 0,
                "signal": {"signal_id": number, "name": name}}  # fmt: skip
    return {"status": "SUCCESS", "return_code": 0}


def stored_name(cluster, found) -> str:
    """Return the job's name as the database holds it."""
    if cluster.settings["utf8_database"]:
        return found.name
    return "".join(c if ord(c) < 256 else "?" for c in found.name)


def job(cluster, found, now: float, steps: bool = True) -> dict:
    hosts = machines.compress(found.hosts) or "None assigned"
    ended, started = found.end_time, found.start_time
    elapsed = max(0, (ended or int(now)) - started) if started else 0
    timed_out = found.state == "TIMEOUT"
    record = nest(
        account=found.account, comment__administrator=None, comment__system=None,
        comment__job=found.comment if cluster.settings["job_comment"] else None,
        allocation_nodes=len(found.tres_allocated) and found.nodes,
        array__job_id=0, array__limits__max__running__tasks=0, array__task=None, array__task_id=None,
        association={"account": found.account, "cluster": cluster.name, "partition": None,
                     "user": found.user},
        cluster=cluster.name, constraints=found.constraints, container=None,
        derived_exit_code={"status": "SUCCESS", "return_code": 0},
        time__elapsed=elapsed, time__eligible=found.eligible_time, time__end=ended,
        time__start=started, time__submission=found.submit_time, time__suspended=0,
        time__limit=found.time_limit, time__system={"seconds": 0, "microseconds": 0},
        time__total={"seconds": 0, "microseconds": 0}, time__user={"seconds": 0, "microseconds": 0},
        exit_code=exit_code(0 if timed_out else found.exit_code), flags=["STARTED_ON_SCHEDULE"],
        group=found.user, het__job_id=0, het__job_offset=None, job_id=found.job_id, name=stored_name(cluster, found),
        mcs__label="", nodes=hosts, partition=found.partition, priority=found.priority,
        qos=found.qos, required__CPUs=found.cpus,
        required__memory=tres.memory_per_node(cluster, found),
        kill_request_user=found.killer or None, reservation__id=0, reservation__name=0,
        state__current=found.state, state__reason=found.reason, steps=[],
        tres__allocated=tres_list(cluster, found.tres_allocated),
        tres__requested=tres_list(cluster, tres.requested(cluster, found)),
        user=found.user, wckey={"wckey": "", "flags": []}, working_directory=found.cwd,
    )  # fmt: skip
    if started and steps:
        record["steps"] = [_batch_step(found, record)]
    return record


def _batch_step(found, record: dict) -> dict:
    return nest(
        time__elapsed=record["time"]["elapsed"], time__start=found.start_time,
        time__end=found.end_time, exit_code=exit_code(found.exit_code), nodes__count=1,
        nodes__range=found.hosts[0], nodes__list=found.hosts[:1], tasks__count=1,
        state=found.state, step__job_id=found.job_id, step__id="batch", step__name="batch",
        kill_request_user=found.killer or None,
        tres__allocated=record["tres"]["allocated"],
    )  # fmt: skip


def association(cluster, account: str, user: str) -> dict:
    """One association; limits stand on the account's own, the one with an empty user."""
    limits = {} if user else cluster.limits.get(account, {})
    total = tres_list(cluster, limits.get("grp_tres", {}))
    minutes = limits.get("grp_cpu_minutes")
    return nest(
        account=account, cluster=cluster.name, default__qos=None,
        flags=["DEFAULT"] if user else [], is_default=int(bool(user)),
        max__jobs__per__count=None, max__jobs__per__accruing=None,
        max__jobs__per__submitted=limits.get("grp_submit_jobs"),
        max__jobs__per__wall_clock=limits.get("max_wall_min"),
        max__jobs__active=None, max__jobs__accruing=None, max__jobs__total=None,
        max__tres__total=total, max__tres__minutes={"per": {"job": []}, "total": []},
        max__tres__group={
            "minutes": [] if minutes is None else tres_list(cluster, {"cpu": minutes}), "active": [],
        },
        max__tres__per={"job": tres_list(cluster, limits.get("max_tres_per_job", {})), "node": []},
        max__per__account__wall_clock=None, min__priority_threshold=None,
        parent_account=None if user else "root", partition=None, priority=None,
        qos=sorted(cluster.hardware["qos"]), shares_raw=1, usage=None, user=user,
    )  # fmt: skip


def qos(cluster, name: str, number: int) -> dict:
    row = cluster.hardware["qos"][name]
    return nest(
        description=name, flags=row.get("flags", []), id=number, name=name,
        limits__grace_time=0, limits__factor=None,
        limits__max__active_jobs={"accruing": None, "count": None},
        limits__max__tres={
            "total": [], "minutes": {"per": {"qos": [], "job": [], "account": [], "user": []}},
            "per": {"account": [], "job": [], "node": [],
                    "user": tres_list(cluster, row.get("max_tres_per_user", {}))},
        },
        limits__max__wall_clock__per={"qos": None, "job": None},
        limits__max__jobs={
            "active_jobs": {"per": {"account": None, "user": row.get("max_jobs_per_user")}},
            "per": {"account": None, "user": None},
        },
        limits__max__accruing__per={"account": None, "user": None},
        limits__min={"priority_threshold": None, "tres": {"per": {"job": []}}},
        preempt={"list": [], "mode": ["DISABLED"], "exempt_time": None},
        priority=row["priority"], usage_factor=1.0, usage_threshold=None,
    )  # fmt: skip
