"""The lab's Slurm that answers as 24.11 has the traps of the real one (24.11.5), each asserted here."""

import pytest

from tests.lab.lab import Lab
from tests.lab.rest import numbers
from tests.lab.rest import Rest

FAST = {"pending_s": [0.02, 0.05], "kill_wait": 0.4}


@pytest.fixture(scope="module")
def lab(tmp_path_factory):
    with Lab(tmp_path_factory.mktemp("lab"), settings=FAST, sites=["centre-a"]) as lab:
        yield lab


@pytest.fixture
def centre(lab):
    rest = Rest(lab, "centre-a")
    yield rest
    rest.close()
    lab.site("centre-a").heal()


def body(rest, script="exit 0", **job):
    made = rest.job_body(script, **job)
    made["job"]["environment"] = [f"{name}={value}" for name, value in made["job"]["environment"].items()]
    return made


def submitted(rest, script="exit 0", **job):
    status, said = rest.call("POST", "job/submit", body(rest, script, **job))
    assert status == 200, said
    return said["job_id"], said["warnings"]


def test_what_it_serves(centre):
    assert centre.raw("GET", "/slurm/v0.0.38/ping").status_code == 404
    for version in (40, 41, 42):
        _status, said = centre.get(f"/slurm/v0.0.{version}/ping")
        assert said["pings"][0]["pinged"] == "UP" and said["meta"]["slurm"]["release"] == "24.11.5"


def test_numbers_that_may_be_unset_and_words_in_lists(centre):
    number, _warnings = submitted(centre, "sleep 5", tres_per_node="gres/gpu:a800:2",
                                  time_limit={"set": True, "infinite": False, "number": 3})  # fmt: skip
    job = centre.until(number, "RUNNING")
    assert job["time_limit"] == {"set": True, "infinite": False, "number": 3} and job["job_state"] == ["RUNNING"]
    assert job["array_task_id"] == {"set": False, "infinite": False, "number": 0}
    assert job["tres_per_node"] == "gres/gpu:a800:2"
    (node, _other) = centre.get("nodes")[1]["nodes"]
    assert node["state"] == ["MIXED"] and node["alloc_idle_cpus"] == 63 and "idle_cpus" not in node
    (partition,) = centre.get("partitions")[1]["partitions"]
    assert partition["nodes"] == {"allowed_allocation": "", "configured": "ca-gpu[01-02]", "total": 2}
    assert partition["maximums"]["time"]["number"] == 1440 and partition["partition"]["state"] == ["UP"]
    status, said = centre.call("DELETE", f"job/{number}")
    assert (status, said["status"], said["errors"]) == (200, [], [])


def test_an_exit_code_by_its_parts_and_in_the_history_too(centre):
    number, _warnings = submitted(centre, "exit 3", name="three")
    job = centre.until(number)
    assert job["exit_code"]["status"] == ["ERROR"] and job["exit_code"]["return_code"]["number"] == 3
    number, _warnings = submitted(centre, "kill -9 $$", name="killed")
    assert centre.until(number)["exit_code"]["signal"] == {
        "id": {"set": True, "infinite": False, "number": 9}, "name": "KILL"}  # fmt: skip
    for name, status in (("three", "ERROR"), ("killed", "SIGNALED")):
        (past,) = centre.db("jobs", job_name=name, start_time="2026-01-01T00:00:00")[1]["jobs"]
        assert past["exit_code"]["status"] == [status] and past["state"]["current"] == ["FAILED"]


def test_an_unknown_key_is_a_warning_and_the_job_runs_without(centre):
    number, (warning,) = submitted(centre, gres="gpu:a800:2")
    assert (
        warning["description"].startswith('Ignoring unknown field "gres"') and centre.until(number)["gres_detail"] == []
    )


@pytest.mark.parametrize(("job", "status", "number"), [
    ({"nodes": "99"}, 500, 2014), ({"cpus_per_task": 9999}, 500, 2014), ({"tres_per_node": "gres/xpu:1"}, 500, 2072),
    ({"partition": "nowhere"}, 500, 2000), ({"account": "nobodys"}, 500, 2045),
    ({"memory_per_node": "lots"}, 500, 9202), ({"environment": None}, 500, 2019),
])  # fmt: skip
def test_what_is_refused(centre, job, status, number):
    asked = body(centre)
    asked["job"] = {key: value for key, value in {**asked["job"], **job}.items() if value is not None}
    code, said = centre.call("POST", "job/submit", asked)
    assert (code, numbers(said)) == (status, [number]) and "job_id" not in said


def test_a_job_that_is_not_there_is_404_and_trouble_of_a_delete_is_in_its_status(centre):
    status, said = centre.get("job/99999")
    assert (status, numbers(said), said["jobs"]) == (404, [2017], [])
    status, said = centre.call("DELETE", "job/99999")
    assert (status, said["errors"], said["status"][0]["error"]["code"]) == (200, [], 2017)
    number, _warnings = submitted(centre)
    centre.until(number)
    assert centre.call("DELETE", f"job/{number}")[1]["status"][0]["error"]["code"] == 2021


def test_a_bad_token_and_a_dead_controller_are_told_apart_but_for_a_ping(lab, centre):
    late = Rest(lab, "centre-a", lifespan_s=-60)
    for rest, fault, status, number in ((late, None, 511, 1007), (centre, "ctld_down", 502, 1800)):
        if fault:
            centre.site.fault(fault)
        assert rest.get("ping")[0] == 200 and rest.get("ping")[1]["pings"][0]["pinged"] == "DOWN"
        for path in ("nodes", "jobs", "reservations"):
            code, said = rest.get(path)
            assert (code, numbers(said)) == (status, [number])
        assert rest.get("partitions")[0] == status and rest.get("partitions")[1]["errors"] == []
    code, said = late.db("clusters")
    assert (code, numbers(said)) == (502, [7000]) and "authentication" in said["errors"][0]["description"]
    late.close()
