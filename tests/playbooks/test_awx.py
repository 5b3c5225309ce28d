"""AWX as a user has it: set up by awx.yml with the real awx.awx, and each playbook as a job in AWX's environment."""

import json
from pathlib import Path

import pytest
import yaml

from tests.lab.controller.server import Server
from tests.playbooks.project import CHECKOUT
from tests.playbooks.project import Project
from tests.playbooks.project import write_task
from tests.real import awx_venv

#: What a program does with the vendor's own client.
BY_AWXKIT = """
import sys
from awxkit import api, config, exceptions
config.base_url = sys.argv[1]
connection = api.client.Connection(sys.argv[1])
connection.login(token=sys.argv[2])
v2 = api.ApiV2(connection=connection, endpoint="/api/v2/").get()
found = {one.name: one for one in v2.job_templates.get(page_size=200).results}
print("SuanWang perceive" if "SuanWang perceive" in found else sorted(found))
print(found["SuanWang apply"].related.launch.get().variables_needed_to_start)
try:
    found["SuanWang apply"].related.launch.post({})
except exceptions.BadRequest as error:
    print(type(error).__name__)
print(found["SuanWang perceive"].launch().wait_until_completed(timeout=120).status)
"""


def credential_names(config):
    """Return every credential that site files and tenants.yml name."""
    found = set()

    def walk(value):
        if isinstance(value, dict):
            found.update({value["credential"]} if isinstance(value.get("credential"), str) else ())
            value = list(value.values())
        for item in value if isinstance(value, list) else ():
            walk(item)

    for path in [*Path(config, "sites").glob("*.yml"), Path(config, "tenants.yml")]:
        walk(yaml.safe_load(path.read_text()))
    return sorted(found)


class Administrator(Project):
    """Sets the controller up with the tools that a controller's administrator has."""

    def set_up(self, server, *arguments, **variables):
        python = awx_venv.need_clients()
        given = {
            "awx_repository": str(server.project),
            "awx_config": str(self.config),
            "awx_source": "inventories/lab/fleet.brain.yml",
            "awx_state": str(self.store.root),
            "awx_requester": "requester@lab.invalid",
            "awx_credentials": credential_names(self.config),
            "awx_credentials_folder": str(self.config / "credentials"),
            **variables,
        }
        return self.run(
            python.parent / "ansible-playbook", "playbooks/awx.yml", "-e", json.dumps(given), *arguments,
            PATH=f"{python.parent}:/usr/bin:/bin", CONTROLLER_HOST=server.url, CONTROLLER_OAUTH_TOKEN=server.token,
            ANSIBLE_STDOUT_CALLBACK="default", ANSIBLE_PYTHON_INTERPRETER=str(python),
        )  # fmt: skip


@pytest.fixture(scope="module")
def controller(lab, tmp_path_factory):
    """A controller that awx.yml has set up, and its administrator."""
    folder = tmp_path_factory.mktemp("awx")
    user = Administrator(lab, folder / "user")
    with Server(folder / "controller") as server:
        server.add_fleet(user.config)
        server.first = user.set_up(server, "--check"), user.set_up(server)
        yield server, user


def test_awx_yml_makes_everything_and_then_nothing(controller):
    server, user = controller
    checked, made = server.first
    assert checked.good().changed["localhost"] > 0
    assert made.good().changed["localhost"] >= 8
    assert user.set_up(server).good().changed == {"localhost": 0}
    assert user.set_up(server, "--check").good().changed == {"localhost": 0}
    names = {one["name"]: one for one in server.call("GET", "job_templates/").json()["results"]}
    assert set(names) == {f"SuanWang {name}" for name in ("perceive", "watch", "propose", "apply", "release", "quota")}
    assert {one["forks"] for one in names.values()} == {60}
    (source,) = server.call("GET", "inventory_sources/").json()["results"]
    assert source["overwrite"] and source["update_on_launch"]
    (credential,) = server.call("GET", "credentials/").json()["results"]
    token = (user.config / "credentials" / credential_names(user.config)[0]).read_text().strip()
    assert token not in made.text and set(credential["inputs"].values()) >= {"$encrypted$", str(user.config)}
    assert user.set_up(server, awx_rotate=True).good().changed["localhost"] == 1


def test_awx_yml_says_what_is_missing(controller):
    server, user = controller
    without = user.run(
        "ansible-playbook", "playbooks/awx.yml", "-e", json.dumps({"awx_repository": "x", "awx_credentials": ["y"]})
    )
    assert without.code != 0 and "ansible-galaxy collection install awx.awx" in without.flat
    nothing = user.play("awx")
    assert nothing.code != 0 and "awx_repository" in nothing.flat


def test_each_playbook_as_a_job(controller, tmp_path):
    server, user = controller
    seen = server.launch("SuanWang perceive")
    assert seen["status"] == "successful", seen["text"]
    assert "slurm:npu" in seen["text"] or "npu" in seen["text"]

    task = write_task(tmp_path / "task")
    proposed = server.launch("SuanWang propose", extra_vars={"task": str(task), "pick": "fastest"})
    assert proposed["status"] == "successful", proposed["text"]
    run, digest = proposed["artifacts"]["brain_run"], proposed["artifacts"]["brain_digest"]
    assert proposed["artifacts"]["brain_state"] == "proposed"

    early = server.launch("SuanWang apply", extra_vars={"plan": run})
    assert early["status"] == "failed" and "is not approved" in " ".join(early["text"].split())
    user.approve(run).good()
    shown = server.launch("SuanWang apply", extra_vars={"plan": run}, job_type="check", diff_mode=True)
    assert shown["status"] == "successful", shown["text"]
    assert user.events(run) == []
    applied = server.launch("SuanWang apply", extra_vars={"plan": run})
    assert applied["status"] == "successful", applied["text"]
    assert applied["artifacts"] == {"brain_run": run, "brain_digest": digest, "brain_state": "succeeded"}
    released = server.launch("SuanWang release", extra_vars={"plan": run})
    assert released["status"] == "successful", released["text"]
    assert released["artifacts"]["brain_state"] == "released"


def test_limits_as_a_job_with_a_survey(controller, lab):
    server, user = controller
    before = lab.site("hunan").counters()["writes"]
    answers = {"tenant": "demo", "at": "hunan/slurm,centre-a/slurm", "limits": "jobs=33"}
    shown = server.launch("SuanWang quota", extra_vars=answers, job_type="check", diff_mode=True)
    assert shown["status"] == "successful" and shown["text"].count("+jobs: 33") == 2, shown["text"]
    assert [one["state"] for one in shown["artifacts"]["brain_quota"]] == ["changed", "changed"]
    assert lab.site("hunan").counters()["writes"] == before


def test_five_forks_are_refused_with_the_sentence(controller, tmp_path):
    server, user = controller
    several = [
        {
            "id": f"part{number}", "kind": "run", "framework": "none", "code": {"path": "code", "entry": "main.py"},
            "resources": {"accelerators": 1, "cpu": 1, "memory_gib": 1}, "work": {"duration_s": 5},
        }
        for number in range(6)
    ]  # fmt: skip
    path = write_task(tmp_path / "wide")
    path.write_text(json.dumps({"name": "wide", "tenant": "demo", "components": several}))
    run = user.approved(path)
    (template,) = server.call("GET", "job_templates/", name="SuanWang apply").json()["results"]
    server.call("PATCH", f"job_templates/{template['id']}/", {"forks": 0})
    try:
        job = server.launch("SuanWang apply", extra_vars={"plan": run})
    finally:
        server.call("PATCH", f"job_templates/{template['id']}/", {"forks": 60})
    assert job["status"] == "failed" and "forks, 5 are set" in " ".join(job["text"].split())
    assert user.events(run) == []


def test_awxkit_takes_it_for_a_controller(controller):
    server, user = controller
    done = user.run(awx_venv.need_clients(), "-c", BY_AWXKIT, server.url, server.token).good()
    assert done.text.splitlines() == ["SuanWang perceive", "['plan']", "BadRequest", "successful"]


def test_the_image_is_described_so_that_ansible_builder_takes_it(tmp_path, lab):
    builder = awx_venv.need_clients().parent / "ansible-builder"
    user = Project(lab, tmp_path)
    user.run(builder, "create", "-f", CHECKOUT / "execution-environment.yml", "-c", tmp_path / "context").good()
    (made,) = (tmp_path / "context").glob("*file")  # Containerfile or Dockerfile, by what is installed
    assert "COPY _build/suanwang /usr/share/ansible/collections/ansible_collections/suanwang\n" in made.read_text()
    assert (tmp_path / "context" / "_build" / "suanwang" / "brain" / "galaxy.yml").is_file()
