"""Work and machines of plans on a cloud, by the playbooks a user runs. The lab's machines really run.

A run that goes well there is a row of test_digits.
"""

import json
import os
import signal
import socket
import subprocess
import time

import pytest
import yaml

from tests.lab.lab import Lab
from tests.playbooks.project import CHECKOUT
from tests.playbooks.project import Project
from tests.playbooks.project import write_task


@pytest.fixture(scope="module")
def lab(tmp_path_factory):
    """The lab's clouds alone: the tenant has no account at another platform of theirs."""
    folder = tmp_path_factory.mktemp("clouds")
    with Lab(folder, sites=["hunan", "centre-a"], more=True) as started:
        path = started.config / "tenants.yml"
        tenants = yaml.safe_load(path.read_text())
        there = tenants["tenants"]["demo"]["sites"]
        tenants["tenants"]["demo"]["sites"] = {name: {"cloud": there[name]["cloud"]} for name in ("hunan", "centre-a")}
        path.write_text(yaml.safe_dump(tenants, allow_unicode=True))
        yield started


@pytest.fixture
def project(lab, tmp_path):
    return Project(lab, tmp_path)


def said(lab, site):
    return lab.site(f"{site}/cloud").info()


def machines(lab, site):
    return sorted(server["name"] for server in said(lab, site)["servers"])


def left(lab, site):
    """Return everything that a cloud holds of anybody, by kind."""
    info = said(lab, site)
    return {"servers": len(info["servers"]), **{kind: len(rows) for kind, rows in info["network"].items()}}


NOTHING = {"servers": 0, "groups": 0, "rules": 0, "ports": 0, "floating": 0}


# -- work ---------------------------------------------------------------------------------------------
def test_work_ran_on_the_machine_and_a_failure_leaves_it_until_it_is_released(project, lab):
    task = write_task(project.folder, resources={"accelerators": 1, "accelerator": "910b4", "cpu": 1})
    code = "import os, sys; print('nonce', os.environ['LAB_SITE_NONCE']); sys.exit(3)"
    (project.folder / "code/main.py").write_text(code)
    run = project.approved(task)
    shown = project.apply(run, "--check", "--diff").good()
    assert f"+instance swb-{run}-train" in shown.text and "open to all: TCP 22" in shown.flat
    assert f"+job swb-{run}-train.a1" in shown.text and left(lab, "hunan") == NOTHING
    failed = project.apply(run)
    assert failed.code != 0 and said(lab, "hunan")["nonce"] in failed.flat and "exit code 3" in failed.flat
    assert machines(lab, "hunan") == [f"swb-{run}-train"]
    project.play("release", "-e", f"plan={run}").good()
    assert left(lab, "hunan") == NOTHING


def test_a_lost_answer_and_a_killed_playbook_make_nothing_twice(project, lab):
    """The answer to the machine's creation is lost, and the playbook dies while the job runs; the next one goes on."""
    code = (
        "import os, time\n"
        "with open(os.environ['SWB_CHECKPOINT_DIR'] + '/starts', 'a') as stream: stream.write('x')\n"
        "time.sleep(6)\n"
        "starts = open(os.environ['SWB_CHECKPOINT_DIR'] + '/starts').read()\n"
        "with open(os.environ['SWB_OUTPUT_DIR'] + '/starts.txt', 'w') as stream: stream.write(starts)\n"
    )
    task = write_task(project.folder, resources={"accelerators": 1, "accelerator": "910b4", "cpu": 1},
                      outputs=[{"name": "starts", "path": "starts.txt"}])  # fmt: skip
    (project.folder / "code/main.py").write_text(code)
    run = project.approved(task)
    lab.site("hunan/cloud").fault("lost_answer", path="/v2.1/servers", n=1)
    first = subprocess.Popen(
        ["ansible-playbook", "playbooks/apply.yml", "-e", f"plan={run}"], cwd=project.checkout,
        env=project.environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True,
    )  # fmt: skip
    try:
        while not project.events(run, "submitted"):
            assert first.poll() is None
            time.sleep(0.05)
    finally:
        os.killpg(first.pid, signal.SIGKILL)
        first.wait()
    assert project.events(run, "doubt") and machines(lab, "hunan") == [f"swb-{run}-train"]
    project.apply(run).good()
    assert len(project.events(run, "submitted")) == 1
    assert (project.store.run_dir(run) / "artifacts/train/starts.txt").read_text() == "x"
    assert left(lab, "hunan") == NOTHING


# -- machines that stay -------------------------------------------------------------------------------
def cluster(project, **changes):
    """Write the example's task with changes of its component; return the file."""
    task = yaml.safe_load((CHECKOUT / "examples/web-cluster/task.yml").read_text())
    (component,) = task["components"]
    for key, value in changes.items():
        component[key] = {**component[key], **value} if isinstance(value, dict) else value
    path = project.folder / f"{len(list(project.folder.glob('*.yml')))}.yml"
    path.write_text(json.dumps(task))
    return path


def rules(lab):
    info = said(lab, "centre-a")
    return sorted(row["port_range_min"] for row in info["network"]["rules"] if row["direction"] == "ingress")


def reachable(project, run):
    return {(e["machine"], e["port"]): (e["private"], e["public"]) for e in project.events(run, "reachable")}


def answers(address, port):
    with socket.create_connection((address, port), timeout=10) as connection:
        return connection.recv(4)


def test_a_cluster_is_made_changed_in_place_and_removed(project, lab):
    run = project.approved("examples/web-cluster/task.yml")
    shown = project.apply(run, "--check", "--diff").good()
    for line in ("+instance swb-web-front", "+instance swb-web-front-2", "TCP 22", "TCP 80", "floating address"):
        assert line in shown.flat, line
    assert left(lab, "centre-a") == NOTHING
    done = project.apply(run).good()
    assert machines(lab, "centre-a") == ["swb-web-front", "swb-web-front-2"] and rules(lab) == [22, 80]
    places = reachable(project, run)
    assert set(places) == {(name, port) for name in machines(lab, "centre-a") for port in (22, 80)}
    for (_name, port), (inside, outside) in places.items():
        assert inside["address"].startswith("10.20.0.") and inside["port"] == port
        assert outside["address"] == "127.20.0.3" and str(outside["port"]) in done.flat
        if port == 22:
            assert answers(**outside) == b"SSH-"
    first = {server["name"]: server["id"] for server in said(lab, "centre-a")["servers"]}
    assert "demo/web" in (status := project.play("status").good().flat) and "standing" in status
    again = project.play("lease", "-e", "deployment=web", "-e", "lease_h=48")
    assert again.code != 0 and "24 h that were approved" in again.flat
    assert project.apply(run).good().changed == {"localhost": 0}

    # A second plan of the deployment: one machine more, one port less.
    again = project.approved(cluster(project, resources={"nodes": 3}, ports=[22]))
    shown = project.apply(again, "--check", "--diff").good()
    assert "+instance swb-web-front-3" in shown.flat and "- open to all: TCP 80" in shown.flat
    project.apply(again).good()
    now = {server["name"]: server["id"] for server in said(lab, "centre-a")["servers"]}
    assert set(now) == {*first, "swb-web-front-3"} and first.items() <= now.items() and rules(lab) == [22]

    # A third with one machine: the others go, as the check says.
    third = project.approved(cluster(project, resources={"nodes": 1}))
    shown = project.apply(third, "--check", "--diff").good()
    assert "-instance swb-web-front-3" in shown.flat and "-instance swb-web-front-2" in shown.flat
    project.apply(third).good()
    assert machines(lab, "centre-a") == ["swb-web-front"] and rules(lab) == [22, 80]

    shown = project.play("release", "-e", "deployment=web", "--check", "--diff").good()
    assert "-instance swb-web-front" in shown.flat and machines(lab, "centre-a") == ["swb-web-front"]
    project.play("release", "-e", "deployment=web").good()
    assert left(lab, "centre-a") == NOTHING
    assert project.play("release", "-e", "deployment=web").good().changed.get("c-front", 0) == 0


def test_machines_of_another_size_are_replaced_one_after_the_other(project, lab):
    """Nothing of size or image changes in place: the plan says that it may remove them, and the check shows which."""
    first = project.approved(cluster(project))
    assert "changed" not in project.plan(first)["deletions"]
    project.apply(first).good()
    before = {server["name"]: server["id"] for server in said(lab, "centre-a")["servers"]}
    bigger = project.approved(cluster(project, resources={"cpu": 4, "memory_gib": 8}))
    assert "changed" in project.plan(bigger)["deletions"]
    shown = project.apply(bigger, "--check", "--diff").good()
    assert "- size: 2 vCPU, 4 GiB" in shown.flat and "+ size: 4 vCPU, 8 GiB" in shown.flat
    assert {server["id"] for server in said(lab, "centre-a")["servers"]} == set(before.values())
    project.apply(bigger).good()
    after = {server["name"]: server["id"] for server in said(lab, "centre-a")["servers"]}
    assert set(after) == set(before) and not set(after.values()) & set(before.values())
    steps = [event["message"] for event in project.events(bigger, "intent")]
    order = [step.partition(" in ")[0] for step in steps if step.startswith(("create", "delete"))]
    assert order == [f"{what} {name}" for name in sorted(before) for what in ("delete", "create")]
    assert rules(lab) == [22, 80]
    project.play("release", "-e", "deployment=web").good()
    assert left(lab, "centre-a") == NOTHING


def test_a_deployment_that_is_not_known_is_said(project):
    refused = project.play("release", "-e", "deployment=nothing")
    assert refused.code != 0 and "no plan of the deployment nothing" in refused.flat


def test_more_than_the_quota_is_refused_by_its_words_and_given_back(project, lab):
    """The planner is told of the tenant's quota at the cloud by nobody but the cloud."""
    run = project.approved(cluster(project, resources={"nodes": 4}))
    refused = project.apply(run)
    assert refused.code != 0 and "Quota exceeded for instances" in refused.flat
    project.play("release", "-e", "deployment=web").good()
    assert left(lab, "centre-a") == NOTHING
