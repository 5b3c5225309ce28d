"""Two sites together or not at all: nodes held at both, jobs started within the tolerance, or nothing left."""

import json
import time

import pytest

from tests.faults import bench

SITES = {"hunan": "npu:ascend910b:8", "centre-a": "gpu:a800:8"}
CODE = """\
import os, time
time.sleep(SECONDS)
with open(os.path.join(os.environ["SWB_OUTPUT_DIR"], "part.txt"), "w") as stream:
    stream.write(os.environ["SWB_COMPONENT"])
"""


def joint_task(folder, seconds=2):
    (folder / "code").mkdir(parents=True)
    (folder / "code" / "main.py").write_text(CODE.replace("SECONDS", str(seconds)))
    (folder / "rows.txt").write_text("rows\n" * 1000)
    task = {
        "name": "joint",
        "tenant": "demo",
        "components": [
            {
                "id": f"half_{site[0]}",
                "kind": "run",
                "framework": "none",
                "gang": "joint",
                "sites": [site],
                "code": {"path": "code", "entry": "main.py"},
                "resources": {"accelerators": 2, "cpu": 1, "memory_gib": 1},
                "work": {"duration_s": 5},
                "inputs": [{"name": "rows", "uri": "rows.txt", "data_level": "public"}],
                "outputs": [{"name": "part", "path": "part.txt"}],
            }
            for site in SITES
        ],
    }
    (folder / "task.yml").write_text(json.dumps(task))
    return folder / "task.yml"


@pytest.fixture
def run(project, tmp_path):
    """An approved run of two halves, one at each site."""
    return project.approved(joint_task(tmp_path / "task"))


def held(lab):
    """site → names of the reservations there that are ours."""
    return {name: [one for one in lab.site(name).info()["reservations"] if one.startswith("swb-")] for name in SITES}


def ours(lab, run):
    return {name: [job for job in lab.site(name).jobs() if run in job["name"]] for name in SITES}


def nothing_held(lab):
    return held(lab) == {name: [] for name in SITES}


def test_both_are_held_and_start_together(project, lab, run):
    done = project.apply(run).good()
    reserved = {event["component"] for event in project.events(run, "reserved")}
    assert reserved == {"half_h", "half_c"}
    for name, jobs in ours(lab, run).items():
        (job,) = jobs
        assert job["job_state"] == "COMPLETED", name
        assert job["reservation"] == job["name"].removesuffix(".a1"), "it ran on the nodes that were held"
    (event,) = project.events(run, "gang")
    starts = [job["start_time"] for jobs in ours(lab, run).values() for job in jobs]
    assert event["skew_s"] <= event["allowed_s"] and abs(max(starts) - min(starts)) <= event["skew_s"] + 1
    assert f"started together, within {event['skew_s']} s" in done.flat
    assert nothing_held(lab)
    for part in ("half_h", "half_c"):
        assert (project.store.run_dir(run) / "artifacts" / part / "part.txt").read_text() == part
    assert project.apply(run).good().changed["localhost"] == 0


def test_check_shows_the_reservations_and_makes_none(project, lab, run):
    for name in SITES:
        lab.site(name).reset_counters()
    done = project.apply(run, "--check", "--diff").good()
    for part in ("half_h", "half_c"):
        assert f"reservation swb-{run}-{part}" in done.flat
    assert "1 whole node(s), from now" in done.flat
    assert nothing_held(lab)
    assert [lab.site(name).counters()["writes"] for name in SITES] == [0, 0]


def test_the_second_refuses_and_the_first_is_given_back(project, lab, run):
    lab.site("centre-a").foreign(gres=SITES["centre-a"], nodes=2, seconds=12)
    done = project.apply(run)
    assert done.code != 0
    assert "centre-a" in done.flat and "Requested nodes are busy" in done.flat, done.text[-3000:]
    assert "half_c could not be reserved" in done.flat or "not started because of that" in done.flat
    assert {event["component"] for event in project.events(run, "reserved")} == {"half_h"}
    assert nothing_held(lab)
    assert ours(lab, run) == {name: [] for name in SITES}
    time.sleep(12)  # until the other's job ended
    project.apply(run).good()
    assert nothing_held(lab)


def test_one_cannot_start_and_the_other_is_ended(project, lab, run):
    """It is held at both, but the submit at one of them is refused: the job of the other must not run alone."""
    limits = {"grp_tres": {"gres/gpu": 16}}
    lab.site("centre-a").set(limits={"demo": {**limits, "grp_submit_jobs": 0}})
    done = project.apply(run)
    lab.site("centre-a").set(limits={"demo": limits})
    assert done.code != 0 and "centre-a" in done.flat, done.text[-3000:]
    assert "half_c, which starts together with it, could not" in done.flat or "because of that: half_h" in done.flat
    states = [job["job_state"] for jobs in ours(lab, run).values() for job in jobs]
    assert states in ([], ["CANCELLED"]), states
    assert nothing_held(lab)


@pytest.mark.parametrize("moment", ["reserved", "submitted"])
def test_killed_and_resumed(project, lab, run, tmp_path, moment):
    process = bench.begin(project, run)
    assert bench.wait_for(lambda: project.events(run, moment), process)
    bench.kill(process)
    bench.elsewhere(project, tmp_path / "second", project.checkout).apply(run).good()
    assert {name: len(jobs) for name, jobs in ours(lab, run).items()} == dict.fromkeys(SITES, 1)
    made = [event["component"] for event in project.events(run, "reserved")]
    assert len(made) == len(set(made)), "what is held already is not asked for again"
    assert nothing_held(lab)


def test_release_gives_back_what_a_killed_run_holds(project, lab, run):
    process = bench.begin(project, run)
    assert bench.wait_for(lambda: len(project.events(run, "reserved")) == 2, process)
    bench.kill(process)
    assert not nothing_held(lab)
    project.play("release", "-e", f"plan={run}").good()
    assert nothing_held(lab)
