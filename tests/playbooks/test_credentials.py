"""Wrong credentials at one site: the others go on, and a run names the site, the file and what to do."""

import json

import pytest

from tests.playbooks.project import write_task

SITES = ("hunan", "centre-a")


def spoil(config, name, data):
    """Replace a credential file of a config folder."""
    path = config / "credentials" / name
    path.chmod(0o600)
    path.write_bytes(data)
    path.chmod(0o600)


def jobs(lab, run):
    return [job for name in SITES for job in lab.site(name).jobs() if run in job["name"]]


def test_a_wrong_token_blinds_no_other_site(project, lab, digits):
    config = project.own_config()
    spoil(config, "centre-a-slurm", lab.site("hunan").token().encode())  # a good one, of another cluster
    seen = project.perceive().good()
    assert "centre-a/slurm is lost: centre-a, GET" in seen.flat
    assert "Make one there with `scontrol token`, and put it into the credential file centre-a-slurm" in seen.flat
    assert "hunan/slurm is" not in seen.flat and "910b4" in seen.text
    run = project.planned(digits, pick="cheapest")
    assert project.plan(run)["components"][0]["pools"] == ["hunan/slurm/npu"]


@pytest.mark.parametrize("wrong", ["token", "login key"])
def test_a_run_names_the_site_and_submits_nothing(project, lab, wrong):
    config = project.own_config()
    run = project.approved(write_task(project.folder / "t", sites=["centre-a"]))
    if wrong == "token":
        spoil(config, "centre-a-slurm", b"SLURM_JWT=not.a.token\n")
    else:
        spoil(config, "centre-a-login", (config / "credentials" / "requester").read_bytes())
    for name in SITES:
        lab.site(name).reset_counters()
    done = project.apply(run)
    assert done.code != 0 and "Traceback" not in done.text
    assert "train: " in done.flat and "centre-a, " in done.flat, done.text[-3000:]
    file = {"token": "credential file centre-a-slurm", "login key": "credential file centre-a-login"}[wrong]
    assert file in done.flat, done.text[-3000:]
    assert jobs(lab, run) == []
    assert lab.site("centre-a").counters()["writes"] == 0
    assert lab.site("hunan").counters()["reads"] == 0
    # With the right one the same command brings it home.
    good = lab.config / "credentials"
    for name in ("centre-a-slurm", "centre-a-login"):
        spoil(config, name, (good / name).read_bytes())
    project.apply(run).good()
    assert len(jobs(lab, run)) == 1


@pytest.mark.parametrize("kind", ["absent", "readable by others"])
def test_a_credential_file_that_cannot_be_used_is_named(project, lab, kind):
    config = project.own_config()
    path = config / "credentials" / "centre-a-slurm"
    if kind == "absent":
        path.unlink()
    else:
        path.chmod(0o644)
    for name in SITES:
        lab.site(name).reset_counters()
    seen = project.perceive().good()
    assert "centre-a/slurm is lost: centre-a" in seen.flat
    assert "centre-a-slurm" in seen.flat
    assert lab.site("centre-a").counters()["writes"] == 0


def test_needs_in_a_circle_are_told_as_such(project, lab):
    task = write_task(project.folder / "t")
    document = json.loads(task.read_text())
    (one,) = document["components"]
    document["components"] = [{**one, "id": "a", "needs": ["b"]}, {**one, "id": "b", "needs": ["a"]}]
    task.write_text(json.dumps(document))
    done = project.propose(task)
    assert done.code != 0
    said = "components[0].needs: the needs go round in a circle: a → b → a. Drop one of these needs."
    assert said in done.flat, done.text
    assert project.store.runs() == []
    assert [lab.site(name).counters()["writes"] for name in SITES] == [0, 0]
