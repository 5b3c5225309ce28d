"""A small run that may be struck anywhere: its plans, its process, and how it has to look in the end."""

import contextlib
import hashlib
import json
import os
import shutil
import signal
import subprocess
import time
from pathlib import Path

from ansible_collections.suanwang.brain.plugins.module_utils.names import new_run
from ansible_collections.suanwang.brain.plugins.plugin_utils import clock
from ansible_collections.suanwang.brain.plugins.plugin_utils import statement
from tests.lab import procs
from tests.playbooks.project import CHECKOUT
from tests.playbooks.project import Project
from tests.playbooks.project import write_task

SITES = ("hunan", "centre-a")
INPUT = bytes(range(256)) * 12_000  # three chunks
SETTINGS = {"pending_s": [0.0, 0.2], "ctld_block_s": 1.0}
CODE = """\
import hashlib, os, time
data = open(os.environ["SWB_INPUT_DATA"], "rb").read()
print("swb-progress {\\"percent\\": 50}", flush=True)
time.sleep(SECONDS)
with open(os.path.join(os.environ["SWB_OUTPUT_DIR"], "model.bin"), "wb") as stream:
    stream.write(hashlib.sha512(data).digest() * 5000)
"""
MODEL = hashlib.sha512(INPUT).digest() * 5000


def another_checkout(folder):
    """Copy what git knows or would take of this checkout into `folder`: another clone, before a commit too."""
    listed = subprocess.run(
        ["git", "-c", "safe.directory=*", "ls-files", "-z", "--cached", "--others", "--exclude-standard",
         "ansible.cfg", "collections", "config", "inventories", "playbooks"],
        cwd=CHECKOUT, check=True, capture_output=True,
    )  # fmt: skip
    for name in filter(None, listed.stdout.decode().split("\0")):
        if (CHECKOUT / name).is_file():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(CHECKOUT / name, folder / name)
    return folder


class Template:
    """A proposed plan, from which runs are minted without asking the sites again."""

    def __init__(self, lab, folder, seconds=1.0, accelerators=1, **fields):
        self.lab, self.folder = lab, Path(folder)
        self.project = Project(lab, self.folder)
        work = self.folder / "task"
        task = write_task(
            work,
            code={"path": "code", "entry": "main.py"},
            resources={"accelerators": accelerators, "cpu": 1, "memory_gib": 1},
            inputs=[{"name": "data", "uri": "data.bin", "data_level": "public"}],
            outputs=[{"name": "model", "path": "model.bin"}],
            **fields,
        )
        (work / "code/main.py").write_text(CODE.replace("SECONDS", str(seconds)))
        (work / "data.bin").write_bytes(INPUT)
        self.run = self.project.planned(task)

    def mint(self, folder, checkout=CHECKOUT, keep=False, good_for_s=3600, approved_ago_s=0, not_before=None):
        """Return (Project, run id) of an approved run of its own, in a store of its own. keep: delete nothing.

        The approval was given `approved_ago_s` ago and is good for `good_for_s` from then. not_before: of its window.
        """
        folder.mkdir(parents=True)
        shutil.copytree(self.project.store.root, folder / "state")
        project = Project(self.lab, folder, checkout=checkout)
        plan = {**project.plan(self.run), "run": new_run(time.time() * 1000)}
        if keep:
            plan["deletions"] = []
        if not_before:
            plan["window"] = {**plan["window"], "not_before": not_before}
        digest, path = project.store.save_plan(plan, {})
        key = statement.read_key(project.config / "credentials" / "approver")
        at = clock.after(clock.now(), -approved_ago_s)
        approval = statement.sign(key, digest, plan["run"], "approver@lab.invalid", at, clock.after(at, good_for_s))
        project.store.save_approval(path.parent, statement.key_id(statement.public_blob(key)), approval)
        return project, plan["run"]


def begin(project, run, *arguments):
    """Start apply.yml; return the process. Its output goes into a file, so that nobody has to read it."""
    log = project.folder / "apply.log"
    with open(log, "ab") as stream:
        return subprocess.Popen(
            ["ansible-playbook", "playbooks/apply.yml", "-e", f"plan={run}", *arguments],
            cwd=project.checkout, env=project.environment, stdin=subprocess.DEVNULL, stdout=stream, stderr=stream,
            start_new_session=True,
        )  # fmt: skip


def wait_for(condition, process=None, seconds=60.0, pause=0.01):
    """Return what `condition` gives once it is true, or None where the process ended before."""
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        if found := condition():
            return found
        if process is not None and process.poll() is not None:
            return None
        time.sleep(pause)
    raise AssertionError("it did not come to that in time")


def kill(process):
    """kill -9 of the playbook process, and of it alone."""
    if process.poll() is None:
        os.kill(process.pid, signal.SIGKILL)
    process.wait()


def living(project):
    """Return the processes that carry this project's store in their environment."""
    found = []
    for pid in procs.marked(f"SUANWANG_STATE={project.store.root}"):
        with contextlib.suppress(OSError):
            found.append((pid, Path(f"/proc/{pid}/cmdline").read_bytes().decode()[:200]))
    return found


def no_orphans(project, seconds=1.0):
    """Check that a second after the kill nobody of that run is left."""
    until = time.monotonic() + seconds
    while (left := living(project)) and time.monotonic() < until:
        time.sleep(0.02)
    assert not left, f"orphans: {left}"


def elsewhere(project, folder, checkout):
    """Return a Project of another clone, with an empty HOME, on the same store."""
    return Project(project.lab, folder, checkout=checkout, store=project.store.root)


def our_jobs(lab, run):
    return [(name, job) for name in SITES for job in lab.site(name).jobs() if run in job["name"]]


def left_at_sites(lab, run):
    return [path for name in SITES for path in (lab.site(name).home / "brain").glob(f"{run}/**/*") if path.is_file()]


def ended_well(project, lab, run, kept=False):
    """Check that a run ended as one that nobody disturbed."""
    events = project.events(run)
    closed = [event["state"] for event in events if event["event"] == "closed"]
    assert closed and closed[-1] == "succeeded", closed
    jobs = our_jobs(lab, run)
    assert len(jobs) == 1, [(site, job["job_id"], job["job_state"]) for site, job in jobs]
    model = project.store.run_dir(run) / "artifacts" / "train" / "model.bin"
    assert model.read_bytes() == MODEL
    assert not list(model.parent.glob("*.part"))
    assert not (project.store.run_dir(run) / "claim").exists()
    files = left_at_sites(lab, run)
    if not kept:
        assert files == []
        return
    data = [path for path in files if "/data/" in str(path)]
    assert len(data) == 1 and data[0].read_bytes() == INPUT, data
    assert not [path for path in files if path.name.endswith(".part")], files
    assert {json.loads(path.read_text())["exit_code"] for path in files if path.name == "result.json"} == {0}
