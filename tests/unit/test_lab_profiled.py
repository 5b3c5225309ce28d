"""The stand-ins of profiled platforms as processes: started when asked for, revived after a kill, gone at the end."""

import time

import requests
import yaml

from ansible_collections.suanwang.brain.plugins.module_utils import sites
from tests.lab import procs
from tests.lab import render
from tests.lab.lab import CONFIG
from tests.lab.lab import Lab

FAST = {"pending_s": [0.02, 0.05], "kill_wait": 0.4}


def test_nothing_more_is_started_unless_asked_for():
    assert render.processes(CONFIG) == {"centre-a", "hunan"}
    more = {"centre-a", "hunan", "hunan/tianyin", "hangzhou-b/aofei"}
    assert render.processes(CONFIG, more=CONFIG / "more") >= more
    hunan = render.processes(CONFIG, ["hunan"], CONFIG / "more")
    assert hunan >= {"hunan", "hunan/tianyin"} and {name.partition("/")[0] for name in hunan} == {"hunan"}


def without_ports(row):
    """Return an endpoint without what is drawn anew for each lab."""
    return {**row, "port": 0, "behind": [{**side, "port": 0} for side in row.get("behind", ())]}


def test_what_is_laid_over_a_site_keeps_all_of_it(tmp_path):
    render.copy_with_free_ports(CONFIG, tmp_path, {}, CONFIG / "more")
    for name in ("hunan", "centre-a"):
        base = yaml.safe_load((CONFIG / f"sites/{name}.yml").read_text())
        whole = yaml.safe_load((tmp_path / f"sites/{name}.yml").read_text())
        for row, other in zip(base["endpoints"], whole["endpoints"], strict=False):
            assert without_ports(row) == without_ports(other)
        assert base["accelerators"].items() <= whole["accelerators"].items()
    tenants = yaml.safe_load((tmp_path / "tenants.yml").read_text())["tenants"]["demo"]["sites"]
    assert tenants["hunan"].keys() >= {"slurm", "login", "tianyin"} and "aofei" in tenants["hangzhou-b"]


def call(lab, method, path, token=None, **body):
    site = lab.site("hangzhou-b/aofei")
    headers = {"Authorization": f"Bearer {token}"} if token else {}
    with requests.Session() as session:
        session.trust_env, session.verify = False, str(lab.config / "ca.pem")
        answer = session.request(method, f"{site.rest}/api/v1/{path}", json=body or None, headers=headers, timeout=10)
    return answer.json()


def login(lab):
    secret = (lab.config / "credentials" / "hangzhou-b-aofei").read_text().strip()
    return call(lab, "POST", "auth/login", username="brain", password=secret)["data"]["accessToken"]


def train(lab, token, command, name):
    job = {
        "name": name, "description": "", "partition": "h800", "image": "base-python:3.11", "command": command,
        "workingDir": str(lab.site("hangzhou-b/aofei").home), "envs": [], "nodeCount": 1, "resource": {"cpu": 1},
        "maxTime": 5,
    }  # fmt: skip
    return call(lab, "POST", "vcjobs/training", token, **job)["data"]["jobId"]


def until(lab, token, number, *phases):
    end = time.monotonic() + 20
    while (row := call(lab, "GET", f"vcjobs/{number}/detail", token)["data"])["status"] not in phases:
        assert time.monotonic() < end, row
        time.sleep(0.05)
    return row


def test_a_killed_platform_comes_back_with_its_job_and_nothing_is_left(tmp_path):
    with Lab(tmp_path, sites=["hangzhou-b"], more=True, settings=FAST) as lab:
        site, token = lab.site("hangzhou-b/aofei"), login(lab)
        assert call(lab, "GET", "vcjobs")["code"] == 40102
        running = train(lab, token, "sleep 2; exit 3", "runs-on")
        until(lab, token, running, "Running")
        time.sleep(0.8)  # saved by now
        site.kill()
        site.restart()
        assert call(lab, "GET", "vcjobs", token)["code"] == 40102  # tokens do not outlive it, the password does
        token = login(lab)
        row = until(lab, token, running, "Completed", "Failed")
        assert (row["status"], row["exitCode"], row["nodeCount"]) == ("Failed", 3, 1)
        train(lab, token, "trap '' TERM; (setsid sleep 300 &) ; sleep 300", "stubborn")
        until(lab, token, running + 1, "Running")
        mark, pid = f"SLURM_CONF={site.folder / 'etc' / 'slurm.conf'}", site.running["pid"]
        assert procs.marked(mark)
        assert sites.load(str(lab.config)).site("hangzhou-b").lab
    assert procs.marked(mark) == [] and procs.start_ticks(pid) is None
