"""A hundred components of which ninety wait for ten: CPU a minute and memory a slot, against as many local sleeps."""

import os
import subprocess
import time

from tests.bench import CHECKOUT
from tests.bench import dispatch
from tests.bench.measure import CommandFailed
from tests.bench.measure import Row
from tests.lab import procs
from tests.lab.lab import Lab
from tests.playbooks.project import Project

LONG_S = 600
TICKS_A_S = os.sysconf("SC_CLK_TCK")


def measure(bench):
    count, working, seconds = (6, 2, 2) if bench.small else (100, 10, 30)
    forks = ("-f", str(count + 10))
    with Lab(bench.folder / "lab", settings={"pending_s": [0, 0.1]}) as lab:
        project = Project(lab, bench.folder / "project")
        code = f"import time\ntime.sleep({LONG_S})\n"
        task = dispatch.trivial(
            bench.folder / "task", count, code, lambda number: [f"c{number % working}"] if number >= working else []
        )
        try:
            run = project.approved(task)
        except AssertionError as error:
            raise CommandFailed(f"the plan could not be made: {error}") from error

        def waits():
            return len(project.events(run, "waiting")) == count - working and len(
                {event["component"] for event in project.events(run, "progress") if event.get("state") == "running"}
            ) == working  # fmt: skip

        environment = bench.environment(**{**project.environment, "SUANWANG_CONFIG": lab.config})
        command = ["ansible-playbook", "playbooks/apply.yml", "-e", f"plan={run}", *forks]
        ours = _steady(command, environment, waits, seconds)
        project.play("release", "-e", f"plan={run}").good()
    inventory = dispatch.hosts(bench, count)
    command = ["ansible-playbook", "-i", inventory, *forks, dispatch.playbook(bench, f"sleep {LONG_S}")]
    environment = bench.environment()

    def sleeps():
        return len(_tree(environment["HOME"])) > 3 * count

    peer = _steady(command, environment, sleeps, seconds)
    what = f"{count} components, {count - working} waiting for {working}"
    against = f"{count} local command: sleep"
    note = "of all processes of the playbook, once all are there; a job that runs is looked at every 2 s"
    yield Row("waiting", what, ours[0], against, peer[0], "CPU s a minute", note=note)
    yield Row("waiting", "the same, memory", ours[1] / count, against, peer[1] / count, "MiB a slot")


def _steady(command, environment, ready, seconds):
    """Start a command; once `ready`, return (CPU seconds a minute, MiB) of its processes; end it."""
    process = subprocess.Popen(
        [str(word) for word in command], cwd=CHECKOUT, env=environment, stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True,
    )  # fmt: skip
    try:
        until = time.monotonic() + 180
        while not ready():
            if process.poll() is not None or time.monotonic() > until:
                raise CommandFailed(f"{command[1]} did not come to where all wait")
            time.sleep(0.5)
        time.sleep(3)
        before, began = _ticks(environment["HOME"]), time.monotonic()
        time.sleep(seconds)
        after, ended = _ticks(environment["HOME"]), time.monotonic()
        spent = sum(after[pid] - before.get(pid, 0) for pid in after) / TICKS_A_S
        return spent * 60 / (ended - began), sum(map(_pss_mib, after))
    finally:
        process.kill()
        process.wait()
        procs.kill_marked(f"HOME={environment['HOME']}")


def _tree(home):
    """Return the processes that have this HOME: those of the playbook, for every bench has one of its own."""
    return procs.marked(f"HOME={home}")


def _ticks(home):
    found = {}
    for pid in _tree(home):
        try:
            with open(f"/proc/{pid}/stat") as stream:
                fields = stream.read().rpartition(")")[2].split()
            found[pid] = int(fields[11]) + int(fields[12])
        except OSError:
            continue
    return found


def _pss_mib(pid):
    """Return the proportional share of memory of a process: what forked workers share counts once."""
    try:
        with open(f"/proc/{pid}/smaps_rollup") as stream:
            return next(int(line.split()[1]) for line in stream if line.startswith("Pss:")) / 1024
    except (OSError, StopIteration):
        return 0
