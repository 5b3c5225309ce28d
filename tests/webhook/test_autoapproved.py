"""From a signed webhook to a finished run with nobody in between: the policy approves, and apply.yml verifies that."""

import json

import pytest
import requests
import yaml

from ansible_collections.suanwang.brain.plugins.plugin_utils import autoapproval
from ansible_collections.suanwang.brain.plugins.plugin_utils import statement
from ansible_collections.suanwang.brain.plugins.plugin_utils.store import Store
from tests.lab.service import Service
from tests.playbooks.project import Project
from tests.webhook.people import tiny_task
from tests.webhook.test_deliveries import generic

SECRET = "shared with the laboratory"
RULES = {"max_card_hours": 2, "max_core_hours": 16, "tenants": ["demo"], "sites": ["hunan", "centre-a"]}


@pytest.fixture(scope="module")
def policy(lab, tmp_path_factory):
    """(service, the path of its policy.yml): small plans of one source need no person."""
    folder = tmp_path_factory.mktemp("policy")
    config = Project(lab, folder).own_config()
    secret = config / "credentials" / "hook-lab"
    secret.write_text(SECRET)
    secret.chmod(0o600)
    source = {"name": "lab", "credential": "hook-lab", "principal": "ci@lab.invalid", "tenant": "demo"}
    for name, more in (("webhook.yml", {"deliveries": [source]}), ("policy.yml", {"auto_approve": RULES})):
        (config / name).write_text(yaml.safe_dump({**yaml.safe_load((config / name).read_text()), **more}))
    with Service(lab, folder / "state", SUANWANG_CONFIG=str(config)) as service:
        yield service, config / "policy.yml"


def delivered(service, delivery, **changes):
    """Deliver a tiny task; return its run id."""
    document, files = tiny_task(**changes)
    body = json.dumps({"document": document, "files": files}).encode()
    headers = {**generic(body, delivery, secret=SECRET), "Content-Type": "application/json"}
    answer = requests.post(f"{service.url}/hooks/lab", data=body, headers=headers, timeout=60)
    assert answer.status_code == 202 and answer.json()["task"], answer.text
    return answer.json()["task"]


def names(lab, run):
    return [job["name"] for site in ("hunan", "centre-a") for job in lab.site(site).jobs() if f"-{run}-" in job["name"]]


def test_a_small_task_runs_as_the_policy_says(policy, lab):
    service, path = policy
    run = delivered(service, "small-1")
    operator = service.log_in("operator")
    task = operator.wait(f"tasks/{run}", ("succeeded",), bad=("failed", "rejected", "refused", "expired"))
    assert (task["requester"], task["source"]) == ("ci@lab.invalid", "hook:lab")
    assert [(one["person"], one["verdict"]) for one in task["decisions"]] == [(autoapproval.APPROVER, "approve")]
    assert names(lab, run) == [f"swb-{run}-train.a1"]
    store = Store(service.state)
    (approval,) = store.approvals(store.find_plan(task["digest"]))
    assert approval.claims["rules"] == statement.rules_hash(yaml.safe_load(path.read_text()))
    assert [one["event"] for one in store.journal(run)].count("closed") == 1
    rows = [(row["actor"], row["action"]) for row in operator.get("audit", limit=200)["items"] if row["object"] == run]
    assert rows.count(("policy", "task.approve")) == 1 and ("service", "run.succeeded") in rows
    assert delivered(service, "small-1") == run, "the same delivery is the same task"


def test_a_bigger_one_waits_for_a_person(policy, lab):
    service, _path = policy
    run = delivered(service, "big-1", work={"duration_s": 36000})
    approver = service.log_in("approver")
    task = approver.wait(f"tasks/{run}", ("confirmed",), bad=("approved", "running", "refused"))
    later = delivered(service, "small-2")
    # By then the policy has been over both.
    approver.wait(f"tasks/{later}", ("approved", "running", "succeeded"), bad=("failed", "refused"))
    task = approver.get(f"tasks/{run}")
    assert (task["state"], task["decisions"], names(lab, run)) == ("confirmed", [], [])
    approver.wait(f"tasks/{later}", ("succeeded",), bad=("failed",))


def test_rules_made_stricter_before_the_launch_are_what_apply_goes_by(policy, lab):
    service, path = policy
    operator = service.log_in("operator")
    operator.post("pause", paused=True, reason="the rules are looked at")
    run = delivered(service, "small-3")
    operator.wait(f"tasks/{run}", ("approved",), bad=("running", "succeeded", "refused"))
    before = path.read_text()
    path.write_text(yaml.safe_dump({**yaml.safe_load(before), "auto_approve": {**RULES, "max_card_hours": 0}}))
    try:
        operator.post("pause", paused=False, reason="and made stricter")
        task = operator.wait(f"tasks/{run}", ("failed",), bad=("succeeded", "cancelled"))
    finally:
        path.write_text(before)
    said = " ".join(operator.call("GET", f"runs/{run}/log").text.split())
    assert "is not what it was" in task["message"] or "is not what it was" in said, (task, said)
    assert names(lab, run) == [] and Store(service.state).journal(run) == []
