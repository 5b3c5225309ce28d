# SPDX-License-Identifier: GPL-3.0-or-later
"""The traps of slurmrestd, of 22.05 and 24.11, that the common suite cannot know."""

import dataclasses
import doctest
import math
import time
import types

import pytest

from ansible_collections.suanwang.brain.plugins.module_utils import sites
from ansible_collections.suanwang.brain.plugins.module_utils.errors import Invalid
from ansible_collections.suanwang.brain.plugins.module_utils.errors import NotFound
from ansible_collections.suanwang.brain.plugins.module_utils.errors import Refused
from ansible_collections.suanwang.brain.plugins.module_utils.errors import Unauthorized
from ansible_collections.suanwang.brain.plugins.module_utils.errors import Unreachable
from ansible_collections.suanwang.brain.plugins.module_utils.http import Answer
from ansible_collections.suanwang.brain.plugins.module_utils.platforms import slurm_text as text
from ansible_collections.suanwang.brain.plugins.module_utils.platforms.slurm import Slurm
from ansible_collections.suanwang.brain.plugins.module_utils.resources import JOB_ENDED
from tests.lab import keys

PLATFORM = ("slurm", "slurm-24.11")


# -- how Slurm writes things ------------------------------------------------------------------------
def test_the_examples_in_the_text_module_hold():
    assert doctest.testmod(text).failed == 0


@pytest.mark.parametrize(("value", "number"), [
    (5, 5), (0, 0), (None, None), ("", None), (4294967294, None), (4294967295, None), (65534, None),
    ({"set": True, "infinite": False, "number": 5}, 5), ({"set": False, "infinite": False, "number": 0}, None),
    ({"set": True, "infinite": True, "number": 0}, None), (18446744073709551614, None),
])  # fmt: skip
def test_numbers(value, number):
    assert text.num(value) == number


@pytest.mark.parametrize(("written", "found"), [
    ("", ()), (None, ()), ("a", ("a",)), ("a,b[1-2]", ("a", "b1", "b2")), ("c[08-10]", ("c08", "c09", "c10")),
    ("r[1-2]n[01,03]-ib", ("r1n01-ib", "r1n03-ib", "r2n01-ib", "r2n03-ib")),
])  # fmt: skip
def test_host_lists(written, found):
    assert text.hosts(written) == found


@pytest.mark.parametrize(("written", "found"), [
    ("npu:ascend910b:8", {"npu:ascend910b": 8}), ("gpu:a800:2(IDX:0-1)", {"gpu:a800": 2}),
    ("gpu:4", {"gpu": 4}), ("gpu:a100:4(S:0-1),gpu:h100:2(S:1)", {"gpu:a100": 4, "gpu:h100": 2}),
    ("gpu", {"gpu": 1}), ("", {}), ("(null)", {}), ("N/A", {}), ("gpu:0,npu:x:3", {"gpu": 0, "npu:x": 3}),
])  # fmt: skip
def test_gres(written, found):
    assert text.gres(written) == found


def test_an_untyped_use_is_that_of_the_typed_card():
    assert text.gres("npu:3", typed={"npu:ascend910b": 8}) == {"npu:ascend910b": 3}


@pytest.mark.parametrize(("word", "said"), [
    ("None", None), ("", None), ("Resources", "Resources"), ("AssocGrpGRES", "quota: AssocGrpGRES"),
    ("QOSMaxJobsPerUserLimit", "quota: QOSMaxJobsPerUserLimit: cannot start as asked"),
    ("PartitionTimeLimit", "PartitionTimeLimit: cannot start as asked"),
])  # fmt: skip
def test_reasons(word, said):
    assert text.reason(word) == said


@pytest.mark.parametrize(("native", "status", "code"), [
    ("COMPLETED", 0, 0), ("FAILED", 768, 3), ("FAILED", 256, 1), ("FAILED", 9, 137), ("FAILED", 139, 139),
    ("FAILED", 32512, 127), ("FAILED", 4021, None), ("FAILED", None, None), ("NODE_FAIL", 0, None),
    ("TIMEOUT", 15, None), ("CANCELLED", 0, None), ("OUT_OF_MEMORY", 253, None), ("RUNNING", 0, None),
])  # fmt: skip
def test_exit_codes(native, status, code):
    assert text.exit_code(native, status) == code


# -- against answers that the lab does not give -----------------------------------------------------
class Script:
    """Stands for the HTTP session: path → body, or a function of the whole path."""

    def __init__(self, answers):
        self.answers, self.asked = answers, []

    def request(self, method, path, **more):
        self.asked.append((method, path))
        for end, body in self.answers.items():
            if path.endswith(end):
                status, body = body if isinstance(body, tuple) else (200, body)
                return Answer(status, {}, body, "" if body else "Unable find requested URL")
        return Answer(404, {}, None, "Unable find requested URL")


def scripted(answers, hints=None):
    endpoint = sites.Endpoint(id="slurm", protocol="https", via="intranet", address="127.0.0.1", port=1)
    site = sites.Site("hunan", {}, {}, (endpoint,), "", accelerators={"npu:ascend910b": "910b3"})
    hints = dict(hints or {})
    connection = types.SimpleNamespace(
        hints=hints, learn=hints.__setitem__, site=site, endpoint=endpoint, tenant="demo", http=Script(answers),
        account=sites.Account("brain", "demo", "hunan-slurm"), secret=lambda: "SLURM_JWT=a.b.c",
    )  # fmt: skip
    return Slurm(connection)


def past_row(**more):
    row = {
        "job_id": 7, "name": "n", "state": {"current": "RUNNING", "reason": "None"}, "partition": "npu",
        "comment": {"job": ""}, "nodes": "a1", "time": {"submission": 10, "start": 11, "end": 0},
    }  # fmt: skip
    return {**row, **more}


def test_the_highest_version_that_both_sides_know_is_spoken():
    platform = scripted(
        answers={
            "/slurm/v0.0.37/ping": {"errors": [], "pings": [{"ping": "UP"}]},
            "/slurmdb/v0.0.36/clusters": {"errors": []},
        }
    )
    assert platform.ping() == {"version": None, "api": "v0.0.37", "history": "v0.0.36"}
    asked = len(platform.connection.http.asked)
    platform.ping()
    assert len(platform.connection.http.asked) == asked + 2


@pytest.mark.parametrize(("hint", "asked"), [
    ("v0.0.37", ["v0.0.37"]),
    ("v0.0.36", ["v0.0.36", "v0.0.42", "v0.0.41", "v0.0.40", "v0.0.38", "v0.0.37"]),
    ("v9", ["v0.0.42", "v0.0.41", "v0.0.40", "v0.0.38", "v0.0.37"]),
])  # fmt: skip
def test_what_an_earlier_process_found_is_asked_for_first_and_is_no_more_than_a_hint(hint, asked):
    up = {"/slurm/v0.0.37/ping": {"errors": [], "pings": [{"ping": "UP"}]}, "/slurmdb/v0.0.37/clusters": {"errors": []}}
    platform = scripted(up, {"slurm": hint})
    assert platform.ping()["api"] == "v0.0.37"
    paths = [path for _method, path in platform.connection.http.asked if path.startswith("/slurm/")]
    assert [path.split("/")[2] for path in paths] == asked
    assert platform.connection.hints == {"slurm": "v0.0.37", "slurmdb": "v0.0.37"}


def test_a_newer_server_is_told_apart_from_an_absent_one():
    platform = scripted(answers={"/openapi/v3": {"paths": {"/slurm/v0.0.44/ping/": {}, "/slurmdb/v0.0.43/x": {}}}})
    with pytest.raises(Refused) as caught:
        platform.ping()
    assert "v0.0.44" in str(caught.value) and "v0.0.43" not in str(caught.value)


@pytest.mark.parametrize("errors", [
    [{"error": "x", "error_code": 7000}], [{"error": "x", "error_number": 1007}], [{"error": "x", "errno": 1}],
    [{"error_number": 9003, "error": "Nothing found"}, {"error_number": 7000, "error": "x"}],
])  # fmt: skip
def test_an_empty_list_with_an_error_is_no_absence(errors):
    platform = scripted(answers={
        "/slurm/v0.0.38/jobs": {"errors": [], "jobs": []},
        "/slurmdb/v0.0.38/jobs": {"errors": errors, "jobs": []},
    })  # fmt: skip
    with pytest.raises((Unreachable, Unauthorized, Refused)):
        platform.job("n")


@pytest.mark.parametrize("body", [
    {"errors": [], "jobs": []}, (500, {"errors": [{"error_number": 9003, "error": "Nothing found"}]}),
])  # fmt: skip
def test_nothing_found_is_absence(body):
    platform = scripted(answers={"/slurm/v0.0.38/jobs": {"errors": [], "jobs": []}, "/slurmdb/v0.0.38/jobs": body})
    assert platform.job("n") is None


@pytest.mark.parametrize("body", [{"errors": []}, (200, None), (500, {"errors": []}), (500, None)])
def test_a_list_that_is_missing_is_no_absence(body):
    platform = scripted(answers={"/slurm/v0.0.38/jobs": {"errors": [], "jobs": []}, "/slurmdb/v0.0.38/jobs": body})
    with pytest.raises(Unreachable):
        platform.job("n")


def test_a_job_that_runs_in_the_history_only_is_lost():
    platform = scripted(
        answers={
            "/slurm/v0.0.38/jobs": {"errors": [], "jobs": []},
            "/slurmdb/v0.0.38/jobs": {"errors": [], "jobs": [past_row()]},
        }
    )
    job = platform.job("n")
    assert (job.state, job.native_state, job.exit_code) == ("failed", "RUNNING", None)
    assert job.reason.startswith("lost")


def test_the_history_never_gives_an_exit_code_and_an_unknown_word_no_success():
    rows = [past_row(state={"current": "COMPLETED", "reason": "None"}), past_row(name="m", state={"current": "FINE"})]
    platform = scripted(
        answers={
            "/slurm/v0.0.38/jobs": {"errors": [], "jobs": []},
            "/slurmdb/v0.0.38/jobs": {"errors": [], "jobs": rows},
        }
    )
    assert (platform.job("n").state, platform.job("n").exit_code) == ("succeeded", None)
    assert platform.job("m").state == "unknown" and platform.job("m").native_state == "FINE"


def test_the_newest_of_a_name_counts():
    rows = [past_row(job_id=9, time={"submission": 5}), past_row(job_id=3, time={"submission": 20})]
    platform = scripted(
        answers={
            "/slurm/v0.0.38/jobs": {"errors": [], "jobs": []},
            "/slurmdb/v0.0.38/jobs": {"errors": [], "jobs": rows},
        }
    )
    assert platform.job("n").id == "3"


def node(name, partitions, **more):
    row = {
        "name": name, "state": "idle", "state_flags": [], "architecture": "x86_64", "cpus": 64, "idle_cpus": 64,
        "real_memory": 65536, "alloc_memory": 0, "gres": "", "gres_used": "", "partitions": partitions,
    }  # fmt: skip
    return {**row, **more}


def test_partitions_that_share_nodes_share_a_domain():
    partitions = [("a", "n[1-2]"), ("b", "n[2-3]"), ("c", "n3"), ("d", "n4")]
    body = [{"name": n, "state": "UP", "nodes": h, "max_time_limit": 4294967295} for n, h in partitions]
    platform = scripted(
        answers={
            "/slurm/v0.0.38/partitions": {"errors": [], "partitions": body},
            "/nodes": {"errors": [], "nodes": [node(f"n{i}", []) for i in range(1, 5)]},
            "/slurm/v0.0.38/jobs": {"errors": [], "jobs": []},
            "/reservations": {"errors": [], "reservations": []},
            "/associations": {"errors": [], "associations": []},
        }
    )
    pools = {pool.name: pool for pool in platform.pools()}
    assert pools["a"].domains == pools["b"].domains == pools["c"].domains == ("hunan/slurm/n1+n2+n3",)
    assert pools["d"].domains == ("hunan/slurm/n4",)
    assert pools["a"].max_wall_s is None and pools["a"].accelerator is None
    assert pools["a"].capacity.accelerators == 0 and pools["a"].free.cpu == 128


# -- against the lab --------------------------------------------------------------------------------
@pytest.fixture
def spec(bench, platform, name):
    return lambda script="true", **more: bench.spec(platform, name, script, **more)


def test_a_refused_submit_leaves_a_record_that_is_no_job(bench, platform, name, spec):
    with pytest.raises(Refused) as caught:
        platform.submit(spec(cpu=193))  # one more than a node has
    assert caught.value.details["number"] == 2014
    assert bench.copies(name) == 1
    assert platform.job(name) is None


@pytest.mark.parametrize(
    ("more", "reason"), [({"nodes": 3}, "PartitionNodeLimit"), ({"cpu": 100_000}, "PartitionConfig")]
)
def test_more_than_the_whole_partition_is_accepted_with_its_reason(bench, platform, name, spec, more, reason):
    """In 22.05; 24.11 refuses it."""
    if bench.release == "24.11":
        with pytest.raises(Refused) as caught:
            platform.submit(spec(**more))
        assert caught.value.details["number"] == 2014 and platform.job(name) is None
        return
    job = platform.submit(spec(**more))
    assert job.state == "queued" and "cannot start as asked" in job.reason
    until = time.monotonic() + 10
    while platform.job(name).reason != f"{reason}: cannot start as asked":
        assert time.monotonic() < until, platform.job(name)
        time.sleep(0.1)
    platform.cancel(job)


def test_a_job_longer_than_the_partition_allows_is_accepted_with_its_reason(bench, platform, name, spec):
    job = platform.submit(spec(wall_s=10**6))
    # 22.05 says why at once, 24.11 when it is asked for the job.
    assert job.state == "queued" and ("cannot start as asked" in (job.reason or "")) == (bench.release == "22.05")
    assert platform.job(name).reason == "PartitionTimeLimit: cannot start as asked"
    platform.cancel(job)
    assert platform.job(name).state == "cancelled"


def test_a_quota_is_a_reason_while_it_waits(bench, platform, name, spec, until):
    bench.site.set(limits={"demo": {"grp_tres": {"gres/npu": 1}}})
    platform.submit(spec(accelerators=2))
    end = time.monotonic() + 5
    while platform.job(name).reason != "quota: AssocGrpGRES":
        assert time.monotonic() < end, platform.job(name)
        time.sleep(0.05)
    (quota,) = [q for q in platform.quota() if q.resource == "accelerators"]
    assert (quota.limit, quota.used, quota.tenant) == (1, 0, "demo")
    platform.cancel(platform.job(name))


def test_the_whole_of_a_spec_arrives(bench, platform, name, spec, until):
    platform.submit(spec("sleep 30", accelerators=3, nodes=2, cpu=4, memory_gib=1.5, wall_s=61))
    job = until(platform, name, "running")
    (row,) = [one for one in bench.site.jobs() if one["name"] == name]
    assert row["gres"] == "npu:ascend910b:2" and row["nodes"] == 2 and row["cpus_per_task"] == 4
    assert row["memory_per_node"] == 1536 and row["time_limit"] == math.ceil(61 / 60) == 2
    assert row["account"] == "demo"
    platform.cancel(job)


def test_a_poll_asks_for_one_job_and_a_look_for_all(bench, platform, name, spec, until):
    platform.submit(spec("sleep 30"))
    job = until(platform, name, "running")
    bench.reset()
    for _ in range(3):
        assert platform.job(name).id == job.id
    calls = bench.counters()["calls"]
    assert sum(calls.values()) == 3 and not any(call.endswith("/jobs") for call in calls)
    platform.cancel(job)
    assert until(platform, name, *JOB_ENDED).state == "cancelled"


def test_a_signal_is_128_and_its_number(platform, name, spec, until):
    platform.submit(spec("kill -9 $$"))
    job = until(platform, name, *JOB_ENDED)
    assert (job.state, job.exit_code) == ("failed", 137)


def test_a_job_that_waits_is_cancelled_and_found(bench, platform, name, spec, until):
    bench.site.foreign(gres="npu:ascend910b:8", nodes=2, seconds=60)
    platform.submit(spec(accelerators=8))
    assert until(platform, name, "queued").started is None
    pool = platform.pools()[0]
    assert pool.free.accelerators == 0 and pool.queue.wait_s is None and pool.queue.pending == 1
    assert pool.usage.accelerator_pct == 100.0
    assert [(b.accelerators, b.nodes) for b in pool.running_until] == [(16, 2)]
    assert [(o.state, o.accelerators) for o in pool.ours] == [("queued", 8)]
    platform.cancel(platform.job(name))
    assert platform.job(name).state == "cancelled"
    assert 0 < platform.pools()[0].queue.wait_s <= 180


def test_a_dead_controller_is_doubt_for_a_submit_and_said_for_a_read(bench, platform, name, spec):
    asked = spec()
    bench.fault("live_list_down")
    with pytest.raises(Unreachable) as caught:
        platform.job(name)
    assert {"22.05": "slurmctld is down", "24.11": "1800"}[bench.release] in str(caught.value)
    with pytest.raises(Unreachable) as caught:
        platform.pools()
    assert "slurmctld is down" in str(caught.value)
    with pytest.raises(Unreachable) as caught:
        platform.submit(asked)
    assert caught.value.details == {"doubt": True}
    bench.heal()
    assert platform.job(name) is None


@pytest.mark.parametrize("act", ["job", "pools", "submit", "quota"])
def test_a_forged_token_is_told_from_a_dead_controller(bench, platform, name, spec, act):
    asked = spec()
    path = bench.config.secret_path("hunan-slurm")
    good = path.read_bytes()
    keys.write_private(path, keys.mint_jwt(b"another key", "brain").encode())
    try:
        with pytest.raises(Unauthorized) as caught:
            {"job": lambda: platform.job(name), "pools": platform.pools, "submit": lambda: platform.submit(asked),
             "quota": platform.quota}[act]()  # fmt: skip
        assert "credential file" in str(caught.value)
        assert path.read_text().strip() not in f"{caught.value.failure()}"
    finally:
        keys.write_private(path, good)
    assert bench.copies(name) == 0


def test_a_token_as_scontrol_prints_it_is_good(bench, platform):
    path = bench.config.secret_path("hunan-slurm")
    good = path.read_bytes()
    keys.write_private(path, b"SLURM_JWT=" + good)
    try:
        assert platform.ping()["version"].startswith(bench.release)
    finally:
        keys.write_private(path, good)


def test_what_is_wrong_with_a_request_is_said(platform, spec):
    with pytest.raises(Unauthorized) as caught:
        platform.submit(spec(account="nobodys"))
    assert "native_account" in caught.value.way_out
    with pytest.raises(NotFound):
        platform.submit(spec(pool="nowhere"))
    with pytest.raises(Invalid):
        platform.submit(dataclasses.replace(spec(), name="a name"))


def test_a_drained_node_is_an_alarm_and_not_free(bench, platform):
    before = platform.pools()[0]
    bench.site.fault("drain", node="hn-asc01", reason="换内存")
    pool = platform.pools()[0]
    assert pool.capacity == before.capacity
    assert (pool.free.nodes, pool.free.accelerators, pool.free.cpu) == (1, 8, 192)
    (alarm,) = pool.alarms
    assert alarm.name == "node hn-asc01 is drained: 换内存" and alarm.severity == "minor"
    assert alarm.domain == pool.domains[0] and alarm.since and alarm.id.endswith("/node/hn-asc01")
    assert platform.alarms() == [alarm]
    bench.heal()
    bench.site.fault("node_down", node="hn-asc02")
    (alarm,) = platform.alarms()
    assert alarm.severity == "major" and "down" in alarm.name
    bench.heal()
    assert platform.alarms() == []


def test_a_partition_that_is_down_is_not_open(bench, platform):
    bench.site.fault("partition", name="npu", state="DOWN")
    (pool,) = platform.pools()
    assert pool.open is False and [a.severity for a in pool.alarms] == ["major"]


def test_a_foreign_reservation_is_a_window_and_takes_its_nodes(bench, platform):
    bench.site.reserve("maintenance", start_in_s=-5, seconds=600, nodes=["hn-asc01"], users=["operator"])
    try:
        pool = platform.pools()[0]
        (window,) = pool.windows
        assert window.nodes == 1 and "maintenance" in window.reason and window.start < window.end
        assert pool.free.nodes == 1 and pool.free.accelerators == 8
    finally:
        bench.site.unreserve("maintenance")
    bench.site.reserve("swb-later", start_in_s=600, seconds=600)
    try:
        pool = platform.pools()[0]
        assert pool.windows == () and pool.free.nodes == 2
    finally:
        bench.site.unreserve("swb-later")


def test_a_list_that_is_cut_short_is_partial(bench, platform):
    bench.site.fault("partial", path="/nodes", keep=1)
    (pool,) = platform.pools()
    assert pool.seen.state == "partial" and "1 of 2 nodes" in pool.seen.error


def test_an_accounting_that_is_down_costs_the_quota_only(bench, platform):
    bench.fault("history_down")
    (pool,) = platform.pools()
    assert pool.seen.state == "partial" and "7000" in pool.seen.error
    assert pool.quota == () and pool.free.accelerators == 16
