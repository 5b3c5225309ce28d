"""The lab's Slurm as a queue: dependencies, deadlines, limits, reservations, signals, several nodes."""

import time

import pytest

from tests.lab.lab import Lab
from tests.lab.rest import numbers
from tests.lab.rest import Rest

FAST = {"pending_s": [0.02, 0.05], "kill_wait": 0.4}


@pytest.fixture(scope="module")
def hunan(tmp_path_factory):
    with Lab(tmp_path_factory.mktemp("lab"), sites=["hunan"], settings=FAST) as lab:
        rest = Rest(lab, "hunan")
        yield rest
        rest.close()


def quiet(rest, script="exit 0", **job):
    return rest.submit(script, standard_output="/dev/null", **job)


def settles(rest, job_id, reason):
    """Wait until the job is pending for that reason."""
    until = time.monotonic() + 10
    while (found := rest.job(job_id))["state_reason"] != reason:
        assert time.monotonic() < until, found["state_reason"]
        time.sleep(0.02)
    assert found["job_state"] == "PENDING"


def test_queue_and_backfill(hunan):
    blockers = [hunan.site.foreign(gres="npu:ascend910b:8", seconds=60) for _ in range(2)]
    hunan.until(blockers[-1], "RUNNING")
    big = hunan.submit("exit 0", gres="npu:8", standard_output="/dev/null")
    next_one = hunan.submit("exit 0", gres="npu:1", standard_output="/dev/null")
    small = hunan.submit("exit 0", time_limit=1, standard_output="/dev/null")
    assert hunan.until(small)["job_state"] == "COMPLETED"  # needs no NPU: goes ahead
    assert [hunan.job(j)["state_reason"] for j in (big, next_one)] == ["Resources", "Priority"]
    assert {n["gres_used"] for n in hunan.get("nodes")[1]["nodes"]} == {"gpu:0,npu:ascend910b:8"}
    admin = Rest(hunan.lab, "hunan", "operator")
    for job in blockers:
        admin.call("DELETE", f"job/{job}")
    admin.close()
    assert {hunan.until(j)["job_state"] for j in (big, next_one)} == {"COMPLETED"}


def test_dependencies(hunan):
    bad = quiet(hunan, "exit 1", hold=True)
    after = {kind: quiet(hunan, dependency=f"{kind}:{bad}") for kind in ("afterok", "afternotok", "afterany")}
    for job_id in after.values():
        settles(hunan, job_id, "Dependency")
        assert hunan.db(f"job/{job_id}")[1]["jobs"] == []  # not eligible: not in the database
    hunan.call("POST", f"job/{bad}", {"hold": False})
    assert {hunan.until(after[kind])["job_state"] for kind in ("afternotok", "afterany")} == {"COMPLETED"}
    settles(hunan, after["afterok"], "DependencyNeverSatisfied")  # for ever, until cancelled
    hunan.call("DELETE", f"job/{after['afterok']}")


def test_deadline(hunan):
    found = hunan.until(quiet(hunan, hold=True, deadline="now+1"))
    assert (found["job_state"], found["state_reason"], found["exit_code"]) == ("DEADLINE", "DeadLine", 1)


def test_number_of_submitted_jobs(hunan):
    hunan.site.set(limits={"demo": {"grp_submit_jobs": 1}})
    held = quiet(hunan, hold=True)
    assert numbers(hunan.call("POST", "job/submit", hunan.job_body())[1]) == [2050]
    (group,) = hunan.db("associations", account="demo", user="")[1]["associations"]
    assert group["max"]["jobs"]["per"]["submitted"] == 1
    hunan.call("DELETE", f"job/{held}")
    hunan.site.set(limits={"demo": {}})


def test_quota_counts_what_runs_and_frees_it(hunan):
    hunan.site.set(limits={"demo": {"grp_tres": {"gres/npu": 8}}})
    first = quiet(hunan, "sleep 60", gres="npu:ascend910b:6")
    hunan.until(first, "RUNNING")
    second = quiet(hunan, gres="npu:4")
    settles(hunan, second, "AssocGrpGRES")
    hunan.call("DELETE", f"job/{first}")
    assert hunan.until(second)["tres_alloc_str"] == ("cpu=1,mem=512M,node=1,billing=1,gres/npu=4,gres/npu:ascend910b=4")
    hunan.site.set(limits={"demo": {}})


def test_signals_reach_the_script(hunan):
    out = hunan.site.home / "signal"
    script = f"trap 'echo usr1; exit 5' USR1; touch {out}.ready; while :; do sleep 0.05; done"
    job_id = hunan.submit(script, standard_output=str(out))
    until = time.monotonic() + 20
    while not out.with_name("signal.ready").exists():
        assert time.monotonic() < until
        time.sleep(0.02)
    assert hunan.call("DELETE", f"job/{job_id}?signal=USR1")[0] == 200
    assert hunan.until(job_id)["exit_code"] == 5 << 8
    assert out.read_text().endswith("usr1\n")  # before it bash tells that the signal hit its sleep too


def test_several_nodes_and_whole_nodes(hunan):
    out = hunan.site.home / "nodes"
    job_id = hunan.submit("echo $SLURM_JOB_NODELIST $SLURM_NNODES", nodes=[2, 2], gres="npu:8",
                          standard_output=str(out))  # fmt: skip
    found = hunan.until(job_id)
    assert (found["nodes"], out.read_text()) == ("hn-asc[01-02]", "hn-asc[01-02] 2\n")
    assert "gres/npu=16" in found["tres_alloc_str"]
    big = quiet(hunan, "sleep 60", cpus_per_task=192)
    hunan.until(big, "RUNNING")
    assert sorted(n["state"] for n in hunan.get("nodes")[1]["nodes"]) == ["allocated", "idle"]
    hunan.call("DELETE", f"job/{big}")
    hunan.until(big)


def test_a_reservation_keeps_others_out_and_its_end_kills(hunan):
    hunan.site.reserve("window", seconds=2)
    assert {tuple(n["state_flags"]) for n in hunan.get("nodes")[1]["nodes"]} == {("RESERVED",)}
    outside = quiet(hunan)
    settles(hunan, outside, "ReqNodeNotAvail")
    inside = quiet(hunan, "sleep 60", reservation="window", time_limit=30)
    hunan.until(inside, "RUNNING")
    assert hunan.job(inside)["end_time"] > time.time() + 1000  # shown as if the window did not end
    assert hunan.until(inside)["job_state"] == "TIMEOUT"
    assert hunan.until(outside)["job_state"] == "COMPLETED"


def test_names_in_a_database_of_another_character_set(hunan):
    hunan.site.set(utf8_database=False)
    job_id = quiet(hunan, name="训练")
    assert hunan.until(job_id)["name"] == "训练"
    time.sleep(1.1)
    assert hunan.db(f"job/{job_id}")[1]["jobs"][0]["name"] == "??"
    hunan.site.set(utf8_database=True, job_comment=True)
    assert hunan.db(f"job/{job_id}")[1]["jobs"][0]["name"] == "训练"
    hunan.site.set(job_comment=False)


def test_it_holds_many_jobs(hunan):
    before = time.monotonic()
    jobs = [quiet(hunan, name=f"many-{n}") for n in range(40)]
    assert {hunan.until(job_id, seconds=60)["job_state"] for job_id in jobs} == {"COMPLETED"}
    print(f"40 jobs in {time.monotonic() - before:.1f} s")
