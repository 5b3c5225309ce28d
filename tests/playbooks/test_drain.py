"""drain.yml: a site is drained and let work again on the shell; the inventory and the planner see it at once."""

import time
from concurrent.futures import ThreadPoolExecutor

from tests.playbooks.project import write_task


def test_a_site_is_drained_and_let_work_again(project):
    drains = project.store.root / "drains.json"
    shown = project.play("drain", "-e", '{"scope": "hunan", "reason": "power maintenance"}', "--check", "--diff")
    assert "power maintenance" in shown.good().text and not drains.exists()
    assert "changed=1" in project.play("drain", "-e", "scope=hunan", "-e", "reason=maintenance").good().text
    assert "changed=0" in project.play("drain", "-e", "scope=hunan", "-e", "reason=maintenance").good().text
    seen = project.perceive().good()
    assert "drained" in seen.text
    wrong = project.play("drain", "-e", "scope=mars", "-e", "reason=maintenance")
    assert wrong.code != 0 and "mars" in wrong.text
    assert "changed=1" in project.play("drain", "-e", "scope=hunan", "-e", "state=absent").good().text
    assert "changed=0" in project.play("drain", "-e", "scope=hunan", "-e", "state=absent").good().text
    assert drains.read_text().strip() == "{}"


def test_a_drain_counts_at_proposing_at_approval_and_at_the_preflight_and_what_runs_goes_on(project):
    task = write_task(project.folder, sites=["hunan"])
    stop = project.folder / "stop"
    lines = ("import pathlib, time", f"while not pathlib.Path({str(stop)!r}).exists():", "    time.sleep(0.1)")
    (project.folder / "code/main.py").write_text("\n".join(lines) + "\n")
    running, waiting = project.approved(task), project.planned(task)
    with ThreadPoolExecutor() as pool:
        done = pool.submit(project.apply, running)
        try:
            while not project.events(running, "submitted"):
                assert not done.done(), done.result().text[-3000:]
                time.sleep(0.1)
            project.play("drain", "-e", "scope=hunan", "-e", "reason=maintenance").good()
            refused = project.propose(task)
            assert refused.code != 0 and "is drained: maintenance" in refused.flat
            told = project.approve(waiting).good()
            assert "train is to run on hunan/" in told.flat and "drained: maintenance" in told.flat
            stopped = project.apply(waiting)
            assert stopped.code != 0 and "it is drained: maintenance" in stopped.flat
            assert project.events(waiting, "submitted") == []
        finally:
            stop.touch()
        done.result().good()
    assert [event["state"] for event in project.events(running, "closed")] == ["succeeded"]
    project.play("drain", "-e", "scope=hunan", "-e", "state=absent").good()
    project.apply(waiting).good()
