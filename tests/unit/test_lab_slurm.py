"""The lab's Slurm has the traps of the real one (22.05.8), each asserted here; numbers are Slurm's."""

import base64
import json
import subprocess
import sys
import time

import pytest

from tests.lab import procs
from tests.lab.lab import Lab
from tests.lab.rest import numbers
from tests.lab.rest import Rest

FAST = {"release": "22.05", "pending_s": [0.02, 0.05], "kill_wait": 0.4, "ctld_block_s": 0.1}


@pytest.fixture(scope="module")
def lab(tmp_path_factory):
    with Lab(tmp_path_factory.mktemp("lab"), settings=FAST) as lab:
        yield lab


@pytest.fixture(scope="module")
def hunan(lab):
    rest = Rest(lab, "hunan")
    yield rest
    rest.close()


@pytest.fixture(scope="module")
def centre(lab):
    rest = Rest(lab, "centre-a")
    yield rest
    rest.close()


@pytest.fixture(autouse=True)
def healed(lab):
    yield
    for site in lab.sites:
        site.heal()


# -- what comes before a handler --------------------------------------------------------------
def headers_without(name):
    return {name: None}


@pytest.mark.parametrize(
    ("method", "path", "options", "status", "text"),
    [
        ("GET", "/slurm/v0.0.38/ping", {"headers": headers_without("X-SLURM-USER-TOKEN")}, 401, "Authentication"),
        ("GET", "/slurm/v0.0.38/ping", {"headers": headers_without("X-SLURM-USER-NAME")}, 401, "Authentication"),
        ("GET", "/slurm/v0.0.39/ping", {}, 404, "Unable find requested URL"),
        ("GET", "/slurm/v0.0.36/reservations", {}, 404, "Unable find requested URL"),
        ("PUT", "/slurm/v0.0.38/ping", {}, 405, ""),
        ("GET", "/slurm/v0.0.38/ping", {"headers": {"Accept": "text/html"}}, 415, ""),
        ("POST", "/slurm/v0.0.38/job/submit", {"data": "{}"}, 400, ""),
    ],
)
def test_text_answers(hunan, method, path, options, status, text):
    answer = hunan.raw(method, path, **options)
    assert (answer.status_code, answer.headers["Content-Type"]) == (status, "text/plain")
    assert text in answer.text


def test_discovery_needs_headers_but_no_good_token(hunan):
    answer = hunan.raw("GET", "/openapi/v3", headers={"X-SLURM-USER-TOKEN": "garbage"})
    paths = answer.json()["paths"]
    assert {"/slurm/v0.0.36/ping", "/slurm/v0.0.37/ping", "/slurm/v0.0.38/ping"} <= set(paths)
    assert "/slurmdb/v0.0.38/jobs" in paths
    for version in (36, 37, 38):
        status, body = hunan.get(f"/slurm/v0.0.{version}/ping")
        assert (status, body["pings"][0]["ping"], body["meta"]["Slurm"]["release"]) == (200, "UP", "22.05.8")


# -- tokens -----------------------------------------------------------------------------------
def _none_alg(site):
    head, body, mark = site.token().split(".")
    none = base64.urlsafe_b64encode(json.dumps({"alg": "none"}).encode()).rstrip(b"=").decode()
    return f"{none}.{body}."


@pytest.mark.parametrize("kind", ["expired", "forged", "none", "no exp", "other cluster", "other name"])
def test_bad_tokens_look_alike(lab, hunan, kind):
    site = lab.site("hunan")
    token = {
        "expired": lambda: site.token(lifespan_s=-5), "forged": lambda: site.token()[:-4] + "AAAA",
        "none": lambda: _none_alg(site), "no exp": lambda: site.token(exp=None),
        "other cluster": lambda: lab.site("centre-a").token(), "other name": lambda: site.token("alice"),
    }[kind]()  # fmt: skip
    bad = {"headers": {"X-SLURM-USER-TOKEN": token}}
    seen = [
        hunan.raw("GET", "/slurm/v0.0.38/jobs", **bad), hunan.raw("GET", "/slurm/v0.0.38/nodes", **bad),
        hunan.raw("POST", "/slurm/v0.0.38/job/submit", json=hunan.job_body(), **bad),
        hunan.raw("GET", "/slurmdb/v0.0.38/jobs", **bad), hunan.raw("GET", "/slurmdb/v0.0.38/clusters", **bad),
    ]  # fmt: skip
    assert [(a.status_code, numbers(a.json())) for a in seen] == [
        (500, [-1]), (500, [-1]), (500, [5005]), (200, [1007]), (500, [1007]),
    ]  # fmt: skip
    assert seen[3].json()["jobs"] == []


def test_a_token_of_root_acts_as_anybody(lab, hunan):
    root = {"headers": {"X-SLURM-USER-TOKEN": lab.site("hunan").token("root")}}
    assert hunan.raw("GET", "/slurm/v0.0.38/ping", **root).status_code == 200


# -- submitting -------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("job", "status", "found"),
    [
        ({"environment": None}, 400, [2127, 9001]), ({"environment": {}}, 400, [2127, 9001]),
        ({"environment": ["PATH=/usr/bin"]}, 400, [-1, 9001]), ({"foo": 1}, 400, [None, 9001]),
        ({"required_nodes": "hn-asc01"}, 400, [None, 9001]), ({"user_id": 0}, 400, [None, 9001]),
        ({"tres_per_node": "gres:npu:1"}, 400, [None, 9001]), ({"time_limit": "abc"}, 400, [-1, 9001]),
        ({"gres": "tpu:1"}, 400, [9001]), ({"begin_time": 1795490108}, 400, [2054, 9001]),
        ({"partition": "nope"}, 500, [2000]), ({"qos": "nope"}, 500, [2066]),
        ({"reservation": "nope"}, 500, [2053]), ({"account": "nope"}, 500, [2045]),
        ({"account": "physics"}, 500, [2045]), ({"constraints": "gold"}, 500, [2029]),
        ({"gres": "npu:9"}, 500, [2014]), ({"memory_per_node": 9999999}, 500, [2014]),
        ({"cpus_per_task": 193}, 500, [2014]), ({"qos": "small", "gres": "npu:4"}, 500, [2050]),
        ({"deadline": "2001-01-01T00:00:00"}, 500, [2051]),
    ],
)  # fmt: skip
def test_refused(hunan, job, status, found):
    got, body = hunan.call("POST", "job/submit", hunan.job_body(**job))
    assert (got, numbers(body)) == (status, found)
    assert "job_id" not in body


def test_refused_without_script_and_with_too_long_a_one(hunan):
    assert numbers(hunan.call("POST", "job/submit", {"job": {"environment": {"A": "1"}}})[1]) == [2009]
    assert numbers(hunan.call("POST", "job/submit", {"script": "#!/bin/sh\n"})[1]) == [9002]
    assert numbers(hunan.call("POST", "job/submit", hunan.job_body("#" * (4 << 20)))[1]) == [2012]


def test_2014_leaves_a_failed_record_with_our_name(hunan):
    hunan.call("POST", "job/submit", hunan.job_body(name="too-big", gres="npu:9"))
    (found,) = [j for j in hunan.get("jobs")[1]["jobs"] if j["name"] == "too-big"]
    assert (found["job_state"], found["state_reason"], found["nodes"]) == ("FAILED", "BadConstraints", "")
    assert found["start_time"] == 0


@pytest.mark.parametrize(
    ("job", "number", "reason"),
    [
        ({"hold": True}, 2042, "JobHeldUser"), ({"time_limit": 9999}, 2015, "PartitionTimeLimit"),
        ({"nodes": 3}, 2015, "PartitionNodeLimit"), ({"reservation": "later"}, 2056, "Reservation"),
        ({"hold": True, "gres": "npu:h100:1"}, 2042, "JobHeldUser"), ({"begin_time": "now+600"}, None, "BeginTime"),
    ],
)  # fmt: skip
def test_accepted_with_a_note(lab, hunan, job, number, reason):
    lab.site("hunan").reserve("later", start_in_s=600)
    status, body = hunan.call("POST", "job/submit", hunan.job_body(name=f"note-{reason}", **job))
    assert (status, numbers(body)) == (200, [number] if number else [])
    until = time.monotonic() + 5
    while (found := hunan.job(body["job_id"]))["state_reason"] != reason and time.monotonic() < until:
        time.sleep(0.1)
    assert (found["job_state"], found["state_reason"]) == ("PENDING", reason)
    assert hunan.db(f"job/{body['job_id']}")[1]["jobs"] == [] or number in (2015, 2056)
    hunan.call("DELETE", f"job/{body['job_id']}")
    assert hunan.until(body["job_id"])["job_state"] == "CANCELLED"
    lab.site("hunan").unreserve("later")


def test_who_is_not_in_the_reservation(lab, hunan):
    lab.site("hunan").reserve("theirs", start_in_s=600, users=["alice"])
    assert numbers(hunan.call("POST", "job/submit", hunan.job_body(reservation="theirs"))[1]) == [2052]
    row = hunan.get("reservation/theirs")[1]["reservations"][0]
    assert (row["node_list"], row["tres"], row["watts"]) == ("hn-asc[01-02]", "cpu=384", 4294967294)
    lab.site("hunan").unreserve("theirs")
    assert numbers(hunan.get("reservation/theirs")[1]) == [2053]


def test_partition_states(lab, hunan):
    lab.site("hunan").fault("partition", name="npu", state="DRAIN")
    assert numbers(hunan.call("POST", "job/submit", hunan.job_body())[1]) == [2070]
    lab.site("hunan").fault("partition", name="npu", state="DOWN")
    status, body = hunan.call("POST", "job/submit", hunan.job_body())
    assert (status, numbers(body)) == (200, [2068])
    hunan.call("DELETE", f"job/{body['job_id']}")


@pytest.mark.parametrize("kind", ["grp_tres", "max_tres_per_job", "max_wall_min", "grp_cpu_minutes"])
def test_quota_is_a_pending_reason(lab, hunan, kind):
    limit, reason = {
        "grp_tres": ({"gres/npu": 1}, "AssocGrpGRES"), "max_tres_per_job": ({"gres/npu": 1}, "AssocMaxGRESPerJob"),
        "max_wall_min": (5, "AssocMaxWallDurationPerJobLimit"), "grp_cpu_minutes": (1, "AssocGrpCPUMinutesLimit"),
    }[kind]  # fmt: skip
    lab.site("hunan").set(limits={"demo": {kind: limit}})
    status, body = hunan.call("POST", "job/submit", hunan.job_body(gres="npu:2"))
    assert (status, body["errors"]) == (200, [])
    time.sleep(0.15)
    assert hunan.job(body["job_id"])["state_reason"] == reason
    (group,) = hunan.db("associations", account="demo", user="")[1]["associations"]
    assert group["usage"] is None
    if kind == "grp_tres":
        assert group["max"]["tres"]["total"] == [{"type": "gres", "name": "npu", "id": 1002, "count": 1}]
    hunan.call("DELETE", f"job/{body['job_id']}")
    lab.site("hunan").set(limits={"demo": {}})


# -- a job's life -----------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("script", "job", "state", "reason", "code", "db"),
    [
        ("exit 0", {}, "COMPLETED", "None", 0, ("SUCCESS", 0)),
        ("exit 3", {}, "FAILED", "NonZeroExitCode", 768, ("SUCCESS", 0)),
        ("no-such-command", {}, "FAILED", "NonZeroExitCode", 32512, ("SUCCESS", 0)),
        ("kill -9 $$", {}, "FAILED", "JobLaunchFailure", 9, ("SIGNALED", 9)),
        ("exit 0", {"standard_output": "/nowhere/out"}, "FAILED", "JobLaunchFailure", 4021, ("SIGNALED", 53)),
        ("exit 0", {"current_working_directory": None}, "FAILED", "JobLaunchFailure", 4021, ("SIGNALED", 53)),
        ("test $PWD = /tmp", {"current_working_directory": "/nowhere", "standard_output": "/dev/null"},
         "COMPLETED", "None", 0, ("SUCCESS", 0)),
    ],
)  # fmt: skip
def test_ends(hunan, script, job, state, reason, code, db):
    job = {"standard_output": str(hunan.site.home / "out"), **job}
    if job.get("current_working_directory", "") is None:
        job["standard_output"] = None
    found = hunan.until(hunan.submit(script, **job))
    assert (found["job_state"], found["state_reason"], found["exit_code"]) == (state, reason, code)
    end = time.monotonic() + 5
    while not (rows := hunan.db(f"job/{found['job_id']}")[1]["jobs"]):
        assert time.monotonic() < end
        time.sleep(0.05)
    word = rows[0]["exit_code"]
    assert (word["status"], word.get("signal", {}).get("signal_id", word["return_code"])) == db
    assert (rows[0]["state"]["current"], rows[0]["comment"]["job"]) == (state, None)


@pytest.mark.parametrize(("script", "code"), [("exit 0", 2048), ("#!/bin/bash\r\nexit 0\r\n", 512)])
def test_no_shebang_or_crlf_fails(hunan, script, code):
    body = hunan.job_body(standard_output="/dev/null")
    job_id = hunan.call("POST", "job/submit", {**body, "script": script})[1]["job_id"]
    assert hunan.until(job_id)["exit_code"] == code


@pytest.mark.parametrize(
    ("script", "code"),
    [("sleep 60", 15), ("trap 'exit 0' TERM; sleep 60 & wait", 0), ("trap '' TERM; sleep 60 && sleep 60", 9)],
)
def test_cancel_is_term_killwait_kill(hunan, script, code):
    first, _, rest = script.rpartition("; ") if "trap" in script else ("true", "", script)
    job_id = hunan.submit(f"{first}; touch trap-is-set; {rest}", standard_output="/dev/null")
    until = time.monotonic() + 20
    while not (hunan.site.home / "trap-is-set").exists():
        assert time.monotonic() < until
        time.sleep(0.02)
    (hunan.site.home / "trap-is-set").unlink()
    assert hunan.call("DELETE", f"job/{job_id}")[0] == 200
    assert hunan.job(job_id)["job_state"] in ("COMPLETING", "CANCELLED")
    assert hunan.until(job_id)["exit_code"] == code
    assert hunan.call("DELETE", f"job/{job_id}")[1]["errors"] == []  # also for one that has ended


def test_time_limit(lab, hunan):
    lab.site("hunan").set(minute_s=0.5)
    found = hunan.until(hunan.submit("sleep 60", time_limit=1, standard_output="/dev/null"))
    lab.site("hunan").set(minute_s=60)
    assert (found["job_state"], found["state_reason"], found["exit_code"]) == ("TIMEOUT", "TimeLimit", 15)


def test_environment_is_what_was_sent(lab, hunan, centre):
    for rest, gres in ((hunan, "npu:ascend910b:2"), (centre, "gpu:a800:2")):
        out = rest.site.home / "environment"
        rest.until(rest.submit("/usr/bin/env -0; umask", gres=gres, standard_output=str(out)))
        *rows, umask = out.read_bytes().split(b"\0")
        found = dict(row.decode().split("=", 1) for row in rows)
        assert umask.strip() == b"0022"
        assert found["LAB_SITE_NONCE"] == rest.site.info()["nonce"]
        assert "HOME" not in found and "LANG" not in found
        assert found.get("CUDA_VISIBLE_DEVICES") == (None if rest is hunan else "0,1")
        assert not [name for name in found if "ASCEND" in name]
    assert lab.site("hunan").info()["nonce"] != lab.site("centre-a").info()["nonce"]


def test_numpy_runs_where_the_login_sees_it(hunan):
    script = "brain/sw/bin/python3 -c \"import numpy as n; n.savez('m.npz', W=n.eye(3)); print(n.eye(3).sum())\""
    found = hunan.until(hunan.submit(script, standard_output=str(hunan.site.home / "np.out")))
    assert (found["job_state"], (hunan.site.home / "np.out").read_text()) == ("COMPLETED", "3.0\n")
    assert (hunan.site.home / "m.npz").exists()


def test_output_patterns_and_default(hunan):
    first = hunan.submit("echo a", name="pat", standard_output="%x-%j.out")
    second = hunan.submit("echo b; echo c >&2")
    assert hunan.until(first)["standard_output"] == "%x-%j.out"  # the view never expands
    assert hunan.until(second)["standard_output"] == ""
    assert (hunan.site.home / f"pat-{first}.out").read_text() == "a\n"
    assert (hunan.site.home / f"slurm-{second}.out").read_text() == "b\nc\n"


def test_update(lab, hunan):
    job_id = hunan.submit("true", hold=True, standard_output="/dev/null")
    path, admin = f"job/{job_id}", Rest(lab, "hunan", "operator")
    assert hunan.call("POST", path, {"foo": 1})[0] == 200  # and yet nothing changed
    assert numbers(hunan.call("POST", path, {"foo": 1})[1])[-1] == 9001
    assert hunan.call("POST", path, {"time_limit": 4})[1]["errors"] == []
    assert (hunan.call("POST", path, {"time_limit": 9})[0], hunan.job(job_id)["time_limit"]) == (500, 4)
    assert numbers(hunan.call("POST", path, {"time_limit": 9})[1]) == [2002]
    assert admin.call("POST", path, {"time_limit": 9})[1]["errors"] == []
    other = Rest(lab, "hunan", "alice")
    assert numbers(other.call("POST", path, {"time_limit": 1})[1]) == [2010]
    assert numbers(other.call("DELETE", path)[1]) == [2002]
    assert hunan.call("POST", path, {"hold": False})[1]["errors"] == []
    assert hunan.until(job_id)["job_state"] == "COMPLETED"
    for rest in (admin, other):
        rest.close()


@pytest.mark.parametrize(
    ("method", "path", "status", "number"),
    [
        ("GET", "job/999999", 500, 2017), ("GET", "job/abc", 400, 9002), ("GET", "job/0", 400, 9002),
        ("DELETE", "job/999999", 500, 2017), ("GET", "node/none", 500, 2018), ("GET", "partition/none", 500, 2000),
        ("GET", "reservation/none", 500, 2053), ("GET", "/slurmdb/v0.0.38/jobs?users=brain", 500, 9000),
        ("GET", "/slurmdb/v0.0.38/jobs?job_name=nobody", 200, 9003), ("GET", "/slurmdb/v0.0.38/diag", 500, 2002),
        ("GET", "/slurmdb/v0.0.38/config", 500, 2002), ("POST", "/slurmdb/v0.0.38/accounts", 500, 2002),
    ],
)  # fmt: skip
def test_errors_by_number(hunan, method, path, status, number):
    got, body = hunan.call(method, path, {} if method == "POST" else None)
    assert (got, numbers(body)) == (status, [number])


def test_history_outlives_memory(lab, hunan):
    job_id = hunan.submit("exit 0", name="old", standard_output="/dev/null", comment="who")
    assert hunan.until(job_id)["comment"] == "who"
    time.sleep(1.1)
    lab.site("hunan").set(min_job_age=0)
    assert hunan.get(f"job/{job_id}")[0] == 500
    lab.site("hunan").set(min_job_age=300)
    (found,) = hunan.db("jobs", job_name="old,else", start_time="2001-01-01T00:00:00")[1]["jobs"]
    assert (found["job_id"], found["nodes"], found["steps"][0]["step"]["id"]) == (job_id, "hn-asc01", "batch")
    assert hunan.db("jobs", state="COMPLETED")[1]["jobs"] == []  # a state alone finds nothing
    later = time.strftime("%Y-%m-%dT%H:%M:%S", time.localtime(time.time() + 60))
    assert hunan.db("jobs", job_name="old", start_time=later)[1]["jobs"] == []


# -- what it says of its machines --------------------------------------------------------------
def test_views(hunan, centre):
    (row,) = hunan.get("partitions")[1]["partitions"]
    assert row["min nodes per job"] == 1 and row["nodes"] == "hn-asc[01-02]" and row["total_cpus"] == 384
    assert row["tres"] == "cpu=384,mem=1.50T,node=2,billing=384,gres/npu=16,gres/npu:ascend910b=16"
    job = centre.submit("sleep 30", gres="gpu:a800:2", standard_output="/dev/null")
    running = centre.until(job, "RUNNING")
    assert running["gres_detail"] == ["gpu:a800:2(IDX:0-1)"] and running["tres_per_node"] == "gres:gpu:a800:2"
    busy, idle = centre.get("nodes")[1]["nodes"]
    assert (busy["gres_used"], busy["state"]) == ("gpu:a800:2(IDX:0-1),npu:0", "mixed")
    assert (busy["tres_used"], idle["tres_used"]) == ("cpu=1,mem=512M,gres/gpu=2", None)
    assert (idle["gres_used"], idle["state"], idle["architecture"]) == ("gpu:a800:0(IDX:N/A),npu:0", "idle", "x86_64")
    assert "a800" not in busy["tres"]  # only what AccountingStorageTRES lists
    centre.call("DELETE", f"job/{job}")
    centre.until(job)
    now = int(time.time()) + 5
    assert hunan.raw("GET", f"/slurm/v0.0.38/jobs?update_time={now}").status_code == 304
    assert hunan.raw("GET", "/slurm/v0.0.38/jobs?nonsense=1").status_code == 200


def test_nodes_drain_and_fail(lab, hunan):
    site = lab.site("hunan")
    site.fault("drain", node="hn-asc02", reason="风扇")
    job = hunan.submit("sleep 60", standard_output="/dev/null")
    assert hunan.until(job, "RUNNING")["nodes"] == "hn-asc01"
    (pid,) = site.info()["pids"]["jobs"].values()
    site.fault("node_down", node="hn-asc01")
    assert hunan.until(job)["job_state"] == "NODE_FAIL"
    assert procs.start_ticks(pid)  # the process runs on
    first, second = hunan.get("nodes")[1]["nodes"]
    assert (first["state"], first["state_flags"], first["reason"]) == ("down", ["NOT_RESPONDING"], "Not responding")
    assert (second["state"], second["state_flags"], second["reason"]) == ("idle", ["DRAIN"], "风扇")
    assert numbers(hunan.call("POST", "job/submit", hunan.job_body(name="later"))[1]) == [2068]


def test_daemons_down(lab, hunan):
    site = lab.site("hunan")
    site.fault("dbd_down")
    assert [(s, numbers(b)) for s, b in (hunan.db("jobs"), hunan.db("clusters"))] == [(200, [7000]), (500, [7000])]
    site.heal()
    site.fault("ctld_down")
    assert [(s, numbers(b)) for s, b in (hunan.get("jobs"), hunan.db("clusters"))] == [(500, [-1]), (200, [])]
    assert numbers(hunan.call("POST", "job/submit", hunan.job_body())[1]) == [1800]


def test_an_injected_failure_hits_the_next_job(lab, hunan):
    lab.site("hunan").fault("job_fail", exit_code=7)
    first, second = (hunan.submit(standard_output="/dev/null") for _ in range(2))
    assert (hunan.until(first)["exit_code"], hunan.until(second)["exit_code"]) == (7 << 8, 0)


def test_the_modules_examples():
    """The lab's docstrings tell the truth."""
    names = ["slurm.job", "slurm.tres", "slurm.dbd_view", "server.counters"]
    code = f"import doctest, importlib, sys; m = [importlib.import_module('tests.lab.' + n) for n in {names}]; " \
           "sys.exit(any(doctest.testmod(x).failed for x in m))"  # fmt: skip
    assert subprocess.run([sys.executable, "-c", code]).returncode == 0
