"""Ctrl-C at a terminal: the sites go on, the console says how to, and nobody is left behind."""

import fcntl
import os
import pty
import re
import signal
import subprocess
import termios
import threading
import time

import pytest

from tests.faults import bench

CONTROL = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")


class Terminal:
    """A playbook at a terminal of its own, as a person starts it."""

    def __init__(self, project, name, *arguments):
        self.master, slave = pty.openpty()
        self.process = subprocess.Popen(
            ["ansible-playbook", f"playbooks/{name}.yml", *arguments],
            cwd=project.checkout, env={**project.environment, "TERM": "xterm"}, stdin=slave, stdout=slave,
            stderr=slave, start_new_session=True, preexec_fn=lambda: fcntl.ioctl(0, termios.TIOCSCTTY, 0),
        )  # fmt: skip
        os.close(slave)
        self.raw = ""
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self):
        while True:
            try:
                data = os.read(self.master, 65536)
            except OSError:  # the other side is closed
                return
            self.raw += data.decode("utf-8", "replace")

    def press_ctrl_c(self):
        os.write(self.master, b"\x03")

    def ended(self):
        """Return (exit code, the lines that are left on the screen's end)."""
        code = self.process.wait(timeout=30)
        self._reader.join(timeout=5)
        os.close(self.master)
        text = CONTROL.sub("", self.raw).replace("\r", "\n").replace("^C", "\n")
        return code, [line.strip() for line in text.splitlines() if line.strip()]


@pytest.fixture(scope="module")
def longer(lab, tmp_path_factory):
    return bench.Template(lab, tmp_path_factory.mktemp("longer"), seconds=6)


@pytest.mark.parametrize("presses", [1, 2])
@pytest.mark.parametrize("event", ["placed", "submitted"])
def test_ctrl_c_leaves_the_work_and_says_how_to_go_on(longer, lab, clone, tmp_path, event, presses):
    project, run = longer.mint(tmp_path / "first")
    terminal = Terminal(project, "apply", "-e", f"plan={run}")
    assert bench.wait_for(lambda: project.events(run, event), terminal.process), terminal.raw
    if event == "submitted":
        time.sleep(1)
    for _press in range(presses):
        terminal.press_ctrl_c()
        time.sleep(0.05)
    code, lines = terminal.ended()
    bench.no_orphans(project)
    assert code == 99, lines[-20:]
    assert lines[-3:] == [
        f"Interrupted: what run {run} has started at the sites goes on there.",
        f"Go on:                 ansible-playbook playbooks/apply.yml -e plan={run}",
        f"Give everything back:  ansible-playbook playbooks/release.yml -e plan={run}",
    ], lines[-10:]
    assert "Traceback" not in terminal.raw
    assert terminal.raw.rfind("\x1b[?25h") > terminal.raw.rfind("\x1b[?25l"), "the cursor is shown again"
    assert not (project.store.run_dir(run) / "claim").exists(), "the next one need not wait for a lease"
    assert project.events(run)[-1]["event"] == "interrupted"
    if event == "submitted":
        ((_site, job),) = bench.our_jobs(lab, run)
        assert job["job_state"] in ("PENDING", "RUNNING")
    again = bench.elsewhere(project, tmp_path / "second", clone)
    again.apply(run).good()
    bench.ended_well(again, lab, run)


def test_a_worker_that_is_killed_ends_the_playbook(longer, lab, clone, tmp_path):
    """As a machine without memory does it; ansible-core itself would wait for its result for ever."""
    project, run = longer.mint(tmp_path / "first")
    process = bench.begin(project, run)
    assert bench.wait_for(lambda: project.events(run, "submitted"), process)
    workers = [pid for pid, _line in bench.living(project) if pid != process.pid]
    os.kill(workers[0], signal.SIGKILL)
    assert process.wait(timeout=30) == 99
    bench.no_orphans(project)
    text = (project.folder / "apply.log").read_text()
    assert "A worker of this playbook was killed (is there no memory left?): what run" in text, text[-2000:]
    again = bench.elsewhere(project, tmp_path / "second", clone)
    again.apply(run).good()
    bench.ended_well(again, lab, run)


def test_ctrl_c_in_check_mode_promises_nothing(longer, lab, tmp_path):
    project, run = longer.mint(tmp_path / "first")
    for name in bench.SITES:
        lab.site(name).fault("latency", seconds=3)
    terminal = Terminal(project, "apply", "-e", f"plan={run}", "--check")
    bench.wait_for(lambda: "\x1b[?25l" in terminal.raw, terminal.process)
    terminal.press_ctrl_c()
    code, lines = terminal.ended()
    assert code == 99 and lines[-1] == "Interrupted: this was a check, nothing was changed.", lines
    bench.no_orphans(project)
    assert project.events(run) == []


@pytest.mark.parametrize("delay", [0.0, 0.1, 0.2, 0.3, 0.4, 0.6])
def test_release_that_is_interrupted(template, lab, tmp_path, delay):
    """At the start, where workers are forked one after the other: no press is lost."""
    project, run = template.mint(tmp_path / "first", keep=True)
    for name in bench.SITES:
        lab.site(name).fault("latency", seconds=2)
    terminal = Terminal(project, "release", "-e", f"plan={run}")
    assert bench.wait_for(lambda: "\x1b[?25l" in terminal.raw, terminal.process), terminal.raw
    time.sleep(delay)
    terminal.press_ctrl_c()
    code, lines = terminal.ended()
    bench.no_orphans(project)
    assert code == 99, lines[-10:]
    assert lines[-1] == f"Go on:  ansible-playbook playbooks/release.yml -e plan={run}", lines[-5:]
    for name in bench.SITES:
        lab.site(name).heal()
    project.play("release", "-e", f"plan={run}").good()
    assert project.events(run)[-1]["state"] == "released"


def test_applied_again_when_all_is_done_it_says_one_thing(template, lab, tmp_path):
    project, run = template.mint(tmp_path / "first")
    project.apply(run).good()
    again = project.apply(run).good()
    assert f"Run {run} has succeeded before; nothing is left to do." in again.text
    assert "WARNING" not in again.text and "Could not match" not in again.text, again.text
