"""status.yml and log.yml: what the store tells of its runs, and what their jobs print while they run."""

import json
import subprocess
import time

import pytest

from tests.playbooks.project import ANSI
from tests.playbooks.project import write_task

CODE = """\
import os, time
print("first words of the job", flush=True)
print("an escape \\x1b[2J and a bell \\a", flush=True)
until = time.monotonic() + 60
while not os.path.exists(GATE) and time.monotonic() < until:
    time.sleep(0.05)
print("last words of the job", flush=True)
time.sleep(3)  # its files are given back once it has ended
"""


def start(project, name, *arguments):
    return subprocess.Popen(
        ["ansible-playbook", f"playbooks/{name}.yml", *arguments],
        cwd=project.checkout, env=project.environment, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT, text=True,
    )  # fmt: skip


def wait_until(condition, process, seconds=60):
    until = time.monotonic() + seconds
    while not condition():
        assert process.poll() is None, process.stdout.read()
        assert time.monotonic() < until
        time.sleep(0.05)


@pytest.fixture
def waiting(project):
    """An approved run whose job ends when a file, the gate, is there; (run id, gate)."""
    folder, gate = project.folder / "t", project.folder / "gate"
    task = write_task(folder)
    (folder / "code/main.py").write_text(CODE.replace("GATE", repr(str(gate))))
    return project.approved(task), gate


def rows(done):
    """Return run id → the words of its line in the table."""
    lines = [line.split() for line in done.text.splitlines()]
    return {words[0]: words[1:] for words in lines if words and len(words[0]) == 26 and words[0].isalnum()}


def states(project):
    """Return run id → (state, done/components) as the table shows them."""
    shown = rows(project.play("status").good())
    return {run: (words[1], next(w for w in words if "/" in w)) for run, words in shown.items()}


def test_status_of_an_empty_store(project):
    assert "has no runs yet" in project.play("status").good().flat


def test_status_from_proposed_to_released(project, lab, waiting):
    run, gate = waiting
    other = project.planned(project.folder / "t" / "task.yml")
    assert states(project) == {run: ("approved", "0/1"), other: ("proposed", "0/1")}
    assert list(rows(project.play("status"))) == [other, run], "newest first"
    process = start(project, "apply", "-e", f"plan={run}")
    wait_until(lambda: project.events(run, "submitted"), process)
    shown = project.play("status").good()
    assert rows(shown)[run][1] == "running"
    assert f"process {process.pid} on " in shown.flat
    process.kill()
    process.communicate()
    assert states(project)[run] == ("interrupted", "0/1")
    gate.touch()
    project.apply(run).good()
    assert states(project)[run] == ("succeeded", "1/1")
    project.play("release", "-e", f"plan={run}").good()
    assert states(project)[run][0] == "released"
    for name in ("hunan", "centre-a"):
        lab.site(name).reset_counters()
    (project.store.find_plan(other) / "plan.json").chmod(0o600)
    (project.store.find_plan(other) / "plan.json").write_text("{}")
    shown = project.play("status").good()
    assert rows(shown)[other][1] == "damaged" and "was changed" in shown.flat
    for name in ("hunan", "centre-a"):
        assert lab.site(name).counters()["reads"] == 0, "no site is asked"


def test_log_follows_a_run_and_the_log_of_its_job(project, waiting):
    run, gate = waiting
    process = start(project, "apply", "-e", f"plan={run}")
    try:
        wait_until(lambda: project.events(run, "submitted"), process)
        until = time.monotonic() + 30
        while (
            "train | first words of the job"
            not in (now := project.play("log", "-e", f"plan={run}", "-e", "follow=false").good()).text
        ):
            assert time.monotonic() < until, now.text
        assert f"train: submitted as job {project.events(run, 'submitted')[0]['native_id']}, attempt 1" in now.flat
        assert "is over" not in now.flat and "Nobody drives" not in now.flat
        assert "an escape ·[2J and a bell ·" in now.text
        follower = start(project, "log", "-e", f"plan={run}")
        time.sleep(2)
        assert follower.poll() is None
        gate.touch()
        text = ANSI.sub("", follower.communicate(timeout=60)[0])
        assert follower.returncode == 0, text
    finally:
        gate.touch()
        process.communicate(timeout=60)
    assert process.returncode == 0
    assert text.count("first words of the job") == text.count("last words of the job") == 1, text
    assert text.index("train: submitted") < text.index("last words") < text.index("Closed as succeeded.")
    assert f"Run {run} is over: succeeded." in text
    after = project.play("log", "-e", f"plan={project.events(run, 'loaded')[0]['digest'][:12]}").good()
    assert "Closed as succeeded." in after.text and "train: ended well." in after.text


def test_log_of_what_nobody_drives(project, waiting):
    run, _gate = waiting
    assert f"apply.yml -e plan={run}" in project.play("log", "-e", f"plan={run}").good().flat
    project.store.note(run, {"at": "2026-11-25T03:41:10Z", "component": None, "event": "loaded", "digest": "0" * 64,
                             "purpose": "apply"})  # fmt: skip
    project.store.note(run, {"at": "2026-11-25T03:41:11Z", "component": "train", "event": "of another version"})
    said = project.play("log", "-e", f"plan={run}").good()
    assert "Nobody drives this run now" in said.flat and json.dumps("of another version") not in said.text
    assert "has no run" in project.play("log", "-e", "plan=01kaz4m6q3h8v0c9t2x5r7n1de").flat
