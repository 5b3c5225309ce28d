"""A controller as back end: the service launches jobs there, each once, whoever dies and whatever answer is lost."""

import contextlib
import json
import os
import signal
import time

import pytest
import yaml

from tests.lab.controller.server import Server
from tests.lab.service import Service
from tests.playbooks.project import Project
from tests.webhook.people import tiny_task
from tests.webhook.striking import processes
from tests.webhook.test_kills import approved
from tests.webhook.test_kills import COUNT
from tests.webhook.test_kills import ENDS
from tests.webhook.test_kills import judge
from tests.webhook.test_kills import struck
from tests.webhook.test_kills import Stubborn
from tests.webhook.test_limits import ended
from tests.webhook.test_limits import outcomes

#: Template → what its survey asks, besides the launch's mark.
KINDS = {
    "perceive": (), "watch": ("for_s",), "apply": ("plan",), "release": ("plan",), "quota": ("tenant", "at", "limits"),
}  # fmt: skip
#: Answers of launches that are lost in the kill test.
LOST = max(2, COUNT // 5)
_SURVEY = {"type": "text", "required": False, "default": "", "min": 0, "max": 1024}


def furnish(server, config, state):
    """Make through the API what awx.yml makes with modules, as far as the back end needs it."""

    def make(noun, **body):
        answer = server.call("POST", f"{noun}/", body)
        assert answer.status_code == 201, answer.text
        return answer.json()["id"]

    organization = make("organizations", name="lab")
    env = {"SUANWANG_CONFIG": "{{ config }}", "SUANWANG_STATE": "{{ state }}"}
    fields = [{"id": name, "label": name, "type": "string"} for name in ("config", "state")]
    kind = make("credential_types", name="sites", kind="cloud", inputs={"fields": fields}, injectors={"env": env})
    credential = make(
        "credentials", name="sites", organization=organization, credential_type=kind,
        inputs={"config": str(config), "state": str(state)},
    )  # fmt: skip
    project = make("projects", name="brain", organization=organization, scm_type="git", scm_url=str(server.project))
    until = time.monotonic() + 60
    while server.call("GET", f"projects/{project}/").json()["status"] != "successful" and time.monotonic() < until:
        time.sleep(0.1)
    fleet = make("inventories", name="fleet", organization=organization)
    plans = make("inventories", name="plans", organization=organization)
    make(
        "inventory_sources", name="fleet", inventory=fleet, source="scm", source_project=project, credential=credential,
        source_path="inventories/lab/fleet.brain.yml", overwrite=True, update_on_launch=True,
    )  # fmt: skip
    for name, words in KINDS.items():
        asks = {"ask_job_type_on_launch": True, "ask_diff_mode_on_launch": True, "survey_enabled": True}
        template = make(
            "job_templates", name=f"SuanWang {name}", project=project, playbook=f"playbooks/{name}.yml", forks=60,
            inventory=fleet if name == "perceive" else plans, allow_simultaneous=True, **asks,
        )  # fmt: skip
        spec = [
            {**_SURVEY, "question_name": word, "variable": word, "type": "integer" if word == "for_s" else "text"}
            for word in (*words, "brain_launch")
        ]
        server.call("POST", f"job_templates/{template}/survey_spec/", {"name": "", "description": "", "spec": spec})
        server.call("POST", f"job_templates/{template}/credentials/", {"id": credential})


@contextlib.contextmanager
def backing(lab, tmp_path, instances=1, **environment):
    """Yield (services, controller): instances of one service whose back end is a controller over the same store."""
    config = Project(lab, tmp_path / "user").own_config()
    state = tmp_path / "state"
    with Server(tmp_path / "controller") as server:
        server.add_fleet(config)
        furnish(server, config, state)
        path = config / "credentials" / "controller"
        path.write_text(server.token)
        path.chmod(0o600)
        settings = yaml.safe_load((config / "webhook.yml").read_text())
        settings["backend"] = {"kind": "controller", "url": server.url}
        (config / "webhook.yml").write_text(yaml.safe_dump(settings))
        with contextlib.ExitStack() as stack:
            services = [Service(lab, state, SUANWANG_CONFIG=str(config), **environment) for _one in range(instances)]
            yield [stack.enter_context(service) for service in services], server


@pytest.fixture
def backed(lab, tmp_path):
    with backing(lab, tmp_path) as ((service,), server):
        yield service, server


def jobs(server, template="SuanWang apply"):
    (found,) = server.call("GET", "job_templates/", name=template).json()["results"]
    answer = server.call("GET", f"job_templates/{found['id']}/jobs/", order_by="id", page_size=200).json()
    return [one for one in answer["results"] if one["job_type"] == "run"]


def test_a_run_is_a_job_whose_log_and_events_are_ours(backed):
    service, server = backed
    server.lose_answers(1)
    run = approved(Stubborn([service], "requester"), Stubborn([service], "approver"), 0)
    client = service.log_in("requester")
    task = client.wait(f"tasks/{run}", ("succeeded",), bad=("failed", "cancelled"))
    assert task["state"] == "succeeded"
    (job,) = jobs(server)
    assert job["status"] == "successful" and job["artifacts"]["brain_run"] == run
    log = client.call("GET", f"runs/{run}/log").text
    assert "Close the journal" in log and "\x1b" not in log
    (launch,) = [one for one in client.get(f"runs/{run}")["launches"] if one["kind"] == "apply"]
    assert (launch["state"], launch["exit_code"]) == ("succeeded", 0)
    until, check = time.monotonic() + 60, None
    while check is None and time.monotonic() < until:
        check = client.get(f"tasks/{run}/plan")["check"]
    assert "PLAY RECAP" in check
    for path in (service.state / "webhook").rglob("*"):
        assert not path.is_file() or server.token.encode() not in path.read_bytes(), path


def test_a_template_that_would_drop_the_plan_is_refused(backed):
    service, server = backed
    (template,) = server.call("GET", "job_templates/", name="SuanWang apply").json()["results"]
    server.call("PATCH", f"job_templates/{template['id']}/", {"survey_enabled": False})
    run = approved(Stubborn([service], "requester"), Stubborn([service], "approver"), 0)
    client = service.log_in("requester")
    task = client.wait(f"tasks/{run}", ENDS)
    assert task["state"] == "failed" and "does not take brain_launch, plan" in task["message"], task
    assert jobs(server) == []


def test_a_cancelled_run_is_cancelled_there_and_given_back(backed, lab):
    service, server = backed
    requester, approver = service.log_in("requester"), service.log_in("approver")
    document, files = tiny_task("long")
    files[0]["text"] = "import time\ntime.sleep(120)\n"
    run = requester.post("tasks", document=document, files=files)["id"]
    requester.wait(f"tasks/{run}", ("proposed",), bad=("failed", "refused"))
    found = requester.get(f"tasks/{run}/proposals")["items"]
    digest = requester.post(f"tasks/{run}/confirm", proposal=found[0]["id"])["digest"]
    approver.post(f"tasks/{run}/approve", digest=digest)
    journal = service.state / "runs" / run / "journal.jsonl"
    until = time.monotonic() + 60
    while not (journal.exists() and '"submitted"' in journal.read_text()) and time.monotonic() < until:
        time.sleep(0.05)
    requester.post(f"runs/{run}/cancel")
    requester.wait(f"tasks/{run}", ("cancelled",), bad=("failed", "succeeded"))
    assert [job["status"] for job in jobs(server)] == ["canceled"]
    assert [job["status"] for job in jobs(server, "SuanWang release")] == ["successful"]


def test_limits_are_tried_and_pushed_by_jobs(backed, lab):
    service, server = backed
    lab.site("hunan").set(limits={"demo": {"grp_tres": {"gres/npu": 16}}})
    operator, before = service.log_in("operator"), lab.site("hunan").counters()["writes"]
    asked = {"tenant": "demo", "at": ["hunan/slurm"], "limits": {"accelerators": 8, "jobs": 20}}
    trial = operator.post("limits", 202, **asked)["id"]
    tried = ended(operator, trial)
    assert outcomes(tried["tried"]) == {"hunan/slurm": "changed"} and "+accelerators: 8" in tried["diff"]
    assert lab.site("hunan").counters()["writes"] == before
    for _again in range(2):
        operator.post(f"limits/{trial}/push", 202)
    assert outcomes(ended(operator, trial, "pushed")["pushed"]) == {"hunan/slurm": "changed"}
    assert lab.site("hunan").counters()["writes"] == before + 1
    (job,) = jobs(server, "SuanWang quota")
    assert job["status"] == "successful" and job["artifacts"]["brain_quota"][0]["state"] == "changed"


@pytest.mark.parametrize("part", ["launcher", "run process"])
def test_a_job_is_adopted(backed, part):
    service, server = backed
    run = approved(Stubborn([service], "requester"), Stubborn([service], "approver"), 0)
    until = time.monotonic() + 60
    while not jobs(server) and time.monotonic() < until:
        time.sleep(0.02)
    for pid in processes(service.state)[part]:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
    service.log_in("requester").wait(f"tasks/{run}", ("succeeded",), bad=("failed", "cancelled"))
    assert len(jobs(server)) == 1


def judge_jobs(lab, services, server):
    """Strike, and hold the jobs that there are against the launches that there should be."""
    server.lose_answers(LOST)
    runs, states, names, kills = struck(services, lab)
    judge(runs, states, names, kills, services)
    made = jobs(server)
    marks = [json.loads(job["extra_vars"])["brain_launch"] for job in made]
    print(f"{len(made)} jobs of {len(runs)} approvals, {LOST} answers lost")
    # A playbook that was killed is begun again, as another job; no launch is ever two.
    assert len(marks) == len(set(marks)) >= len(runs)
    assert {mark.partition(".")[0] for mark in marks} == set(launches(services[0], runs))


def test_every_approval_is_one_job_on_sqlite(lab, tmp_path):
    with backing(lab, tmp_path) as (services, server):
        judge_jobs(lab, services, server)


def test_every_approval_is_one_job_on_postgresql_with_two_instances(lab, tmp_path, postgres):
    with backing(lab, tmp_path, instances=2, SUANWANG_DATABASE=postgres) as (services, server):
        judge_jobs(lab, services, server)


def launches(service, runs):
    client = service.log_in("requester")
    return [one["id"] for run in runs for one in client.get(f"runs/{run}")["launches"] if one["kind"] == "apply"]
