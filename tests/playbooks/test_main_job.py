"""The main job, as a user runs it: perceive, propose, approve, apply, model home; and applying it again."""

import hashlib
import json
import os
import re
import shutil
import subprocess

import pytest

from tests.playbooks.project import digits_accuracy
from tests.playbooks.project import environment_of_clone
from tests.playbooks.project import Project
from tests.playbooks.project import write_task

SITES = ("hunan", "centre-a")


def writes(lab):
    """Return how many writes each site has seen since its counters were at zero."""
    return {name: lab.site(name).counters()["writes"] for name in SITES}


@pytest.fixture(scope="module")
def finished(lab, tmp_path_factory):
    """A digits run that was taken to its end by playbooks alone."""
    project = Project(lab, tmp_path_factory.mktemp("finished"))
    run = project.approved("examples/digits/task.yml")
    return project, run, project.apply(run).good()


def test_perceive_shows_every_pool(project):
    seen = project.perceive().good()
    assert "slurm:npu" in seen.text and "slurm:gpu" in seen.text
    assert "910b4" in seen.text and "a800" in seen.text and "live" in seen.text
    assert "\x1b" not in seen.text


def test_propose_shows_different_ways_and_writes_nothing_unless_one_is_picked(project, digits):
    shown = project.propose(digits, pick=None).good()
    assert "hunan/slurm/npu" in shown.flat and "centre-a/slurm/gpu" in shown.flat
    assert "fastest" in shown.flat and "cheapest" in shown.flat
    assert project.store.runs() == []


def test_model_comes_home_and_is_as_good_as_measured(finished):
    project, run, done = finished
    closed = project.events(run, "closed")
    assert [event["state"] for event in closed] == ["succeeded"]
    assert digits_accuracy(project, run) >= 0.94


def test_withheld_rows_never_left(finished, digits):
    project, run, _done = finished
    (datum,) = [c for c in project.plan(run)["components"] if c["kind"] == "move_data"]
    sent = project.store.object_path(datum["datum"]["file"]["sha256"]).read_bytes()
    lines = (digits.parent / "digits.csv").read_bytes().splitlines(keepends=True)
    assert sent == b"".join(line for index, line in enumerate(lines) if index % 5)


def test_scratch_is_given_back(finished, lab):
    _project, run, _done = finished
    left = [path for name in SITES for path in (lab.site(name).home / "brain").glob(f"{run}/**/*")]
    assert left == []


@pytest.mark.skipif(
    shutil.which("ssh-keygen") is None and "CI" not in os.environ,
    reason="ssh-keygen is not installed; on Debian: apt install openssh-client",
)
def test_approval_verifies_with_openssh(finished):
    project, run, _done = finished
    folder = project.store.find_plan(run)
    (signature,) = (folder / "approvals").glob("*.sig")
    with open(signature.with_suffix(".json"), "rb") as statement:
        checked = subprocess.run(
            ["ssh-keygen", "-Y", "verify", "-f", project.config / "allowed_signers", "-I", "approver@lab.invalid",
             "-n", "approval@suanwang", "-s", signature],
            stdin=statement, capture_output=True, text=True,
        )  # fmt: skip
    assert checked.returncode == 0, checked.stderr


def test_plan_holds_integers_and_strings_only(finished):
    project, run, _done = finished

    def leaves(value):
        if isinstance(value, dict):
            return [leaf for item in value.values() for leaf in leaves(item)]
        if isinstance(value, list):
            return [leaf for item in value for leaf in leaves(item)]
        return [value]

    assert {type(leaf) for leaf in leaves(project.plan(run))} <= {int, str}


def test_second_apply_from_another_clone_changes_nothing(finished, lab, tmp_path):
    project, run, _done = finished
    for name in SITES:
        lab.site(name).reset_counters()
    other = Project(lab, tmp_path, checkout=environment_of_clone(tmp_path / "clone"), store=project.store.root)
    again = other.apply(run).good()
    assert again.changed == {"localhost": 0}
    assert writes(lab) == dict.fromkeys(SITES, 0)
    assert len(other.events(run, "closed")) == 1


def test_work_ran_where_it_was_planned(project, lab):
    """A canary brings back what only a job at that site can know, and what it really read and ran."""
    folder = project.folder / "canary"
    (folder / "code").mkdir(parents=True)
    (folder / "input.bin").write_bytes(b"canary input" * 1000)
    (folder / "code" / "main.py").write_text(
        "import hashlib, json, os\n"
        "digest = lambda path: hashlib.sha256(open(path, 'rb').read()).hexdigest()\n"
        "said = {'nonce': os.environ['LAB_SITE_NONCE'], 'input': digest(os.environ['SWB_INPUT_DATA']),\n"
        "        'code': digest('main.py'), 'run': os.environ['SWB_RUN']}\n"
        "json.dump(said, open(os.environ['SWB_OUTPUT_DIR'] + '/said.json', 'w'))\n"
    )
    task = write_task(
        folder,
        inputs=[{"name": "data", "uri": "input.bin", "data_level": "public"}],
        outputs=[{"name": "said", "path": "said.json"}],
    )
    for pick in ("fastest", "cheapest"):
        run = project.approved(task, pick=pick)
        project.apply(run).good()
        said = json.loads((project.store.run_dir(run) / "artifacts/train/said.json").read_text())
        planned = next(c for c in project.plan(run)["components"] if c["id"] == "train")["pools"][0].split("/")[0]
        assert said["nonce"] == lab.site(planned).info()["nonce"]
        assert said["input"] == hashlib.sha256((folder / "input.bin").read_bytes()).hexdigest()
        assert said["code"] == hashlib.sha256((folder / "code/main.py").read_bytes()).hexdigest()
        assert said["run"] == run


def test_check_mode_shows_every_write_and_makes_none(project, lab, digits):
    run = project.planned(digits)
    for name in SITES:
        lab.site(name).reset_counters()
    checked = project.apply(run, "--check", "--diff").good()
    assert "Not approved yet" in checked.text
    assert f"swb-{run}-train.a1" in checked.flat
    assert writes(lab) == dict.fromkeys(SITES, 0)
    assert project.events(run) == []
    assert not (project.store.run_dir(run) / "claim").exists()


def test_release_gives_everything_back_after_a_failure(project, lab):
    task = write_task(project.folder / "broken", code={"path": "code", "entry": "main.py"})
    (project.folder / "broken/code/main.py").write_text("import sys; print('no luck'); sys.exit(3)\n")
    run = project.approved(task)
    assert project.apply(run).code != 0
    home = [lab.site(name).home / "brain" / run for name in SITES]
    assert any(folder.exists() for folder in home)
    released = project.play("release", "-e", f"plan={run}").good()
    assert not any(folder.exists() for folder in home)
    assert project.events(run, "closed")[-1]["state"] == "released"
    assert sum(released.changed.values()) >= 1


def test_two_operators_one_wins(project, lab):
    """While one playbook applies a plan, a second one is told who holds it."""
    folder = project.folder / "slow"
    task = write_task(folder, code={"path": "code", "entry": "main.py"})
    (folder / "code/main.py").write_text("import time; time.sleep(6)\n")
    run = project.approved(task)
    first = subprocess.Popen(
        ["ansible-playbook", "playbooks/apply.yml", "-e", f"plan={run}"],
        cwd=project.checkout, env=project.environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
    )  # fmt: skip
    try:
        while not project.events(run, "submitted"):
            assert first.poll() is None, first.stdout.read()
        second = project.apply(run)
        assert second.code != 0
        assert re.search(r"is being applied by \S+@\S+, process \d+", second.flat)
    finally:
        text, _none = first.communicate(timeout=120)
    assert first.returncode == 0, text
    jobs = [job for name in SITES for job in lab.site(name).jobs() if run in job["name"]]
    assert len(jobs) == 1
