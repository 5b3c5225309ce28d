"""A user at a shell: playbooks of a checkout, run with a store, a HOME and a config folder of the test's own."""

import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import numpy

from ansible_collections.suanwang.brain.plugins.plugin_utils.store import Store

CHECKOUT = Path(__file__).resolve().parents[2]
ANSI = re.compile(r"\x1b\[[0-9;]*m")
RECAP = re.compile(r"^(\S+)\s+: ok=(\d+)\s+changed=(\d+)\s+unreachable=(\d+)\s+failed=(\d+)", re.M)


@dataclass(frozen=True)
class Done:
    """How a command ended. text: what it printed, both streams, with line breaks of wrapping kept."""

    code: int
    text: str

    @property
    def flat(self):
        """The text on one line, so that a sentence is found wherever the console broke it."""
        return " ".join(self.text.replace("│", " ").split())

    @property
    def changed(self):
        """Host → number of changes, from the recap."""
        return {match[1]: int(match[3]) for match in RECAP.finditer(self.text)}

    def good(self):
        """Return self; fail the test with the output where the command failed."""
        assert self.code == 0, self.text[-6000:]
        return self


class Project:
    """Runs playbooks. Nothing is read from the caller's HOME or environment but the path."""

    def __init__(self, lab, folder, checkout=CHECKOUT, store=None):
        self.lab = lab
        self.folder = Path(folder)
        self.checkout = Path(checkout)
        self.home = self.folder / "home"
        self.home.mkdir(parents=True, exist_ok=True)
        self.config = Path(lab.config)
        self.store = Store(store or self.folder / "state")
        self.inventory = self.folder / "fleet.brain.yml"
        self.inventory.write_text(f"plugin: suanwang.brain.fleet\nconfig: {self.config}\n")

    @property
    def environment(self):
        return {
            "PATH": f"{Path(sys.executable).parent}:/usr/local/bin:/usr/bin:/bin",
            "HOME": str(self.home),
            "LANG": "C.UTF-8",
            "ANSIBLE_CONFIG": str(self.checkout / "ansible.cfg"),
            "SUANWANG_CONFIG": str(self.config),
            "SUANWANG_STATE": str(self.store.root),
            "SUANWANG_REQUESTER": "requester@lab.invalid",
        }

    def own_config(self):
        """Give this project a copy of the config folder that it may damage; return it."""
        copy = self.folder / "config"
        shutil.copytree(self.config, copy)
        self.config = copy
        self.inventory.write_text(f"plugin: suanwang.brain.fleet\nconfig: {copy}\n")
        return copy

    def run(self, *command, cwd=None, timeout=300, **environment):
        """Run a command and return Done."""
        done = subprocess.run(
            [str(word) for word in command],
            cwd=cwd or self.checkout,
            env={**self.environment, **environment},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=timeout,
        )
        return Done(done.returncode, ANSI.sub("", done.stdout))

    def play(self, name, *arguments, **options):
        """Run a playbook of the checkout."""
        return self.run("ansible-playbook", f"playbooks/{name}.yml", *arguments, **options)

    def perceive(self, *arguments):
        return self.play("perceive", "-i", self.inventory, *arguments)

    def propose(self, task, *arguments, pick="fastest"):
        picked = ("-e", f"pick={pick}") if pick else ()
        return self.play("propose", "-i", self.inventory, "-e", f"task={task}", *picked, *arguments)

    def planned(self, task, *arguments, pick="fastest"):
        """Propose and pick; return the run id of the plan that was written."""
        before = set(self.store.runs())
        self.propose(task, *arguments, pick=pick).good()
        (run,) = set(self.store.runs()) - before
        return run

    def approve(self, run, key="approver", *arguments):
        path = self.config / "credentials" / key if isinstance(key, str) else key
        return self.play("approve", "-e", f"plan={run}", "-e", f"key={path}", *arguments)

    def approved(self, task, *arguments, pick="fastest"):
        """Propose, pick and approve; return the run id."""
        run = self.planned(task, *arguments, pick=pick)
        self.approve(run).good()
        return run

    def apply(self, run, *arguments, **options):
        return self.play("apply", "-e", f"plan={run}", *arguments, **options)

    def plan(self, run):
        """Return a run's plan."""
        return json.loads((self.store.find_plan(run) / "plan.json").read_bytes())

    def events(self, run, kind=None):
        """Return the events of a run's journal, of one kind only if given."""
        return [event for event in self.store.journal(run) if kind in (None, event["event"])]


def write_task(folder, **changes):
    """Write a small task with its code into `folder`; return the task file. changes: fields of the component."""
    folder = Path(folder)
    (folder / "code").mkdir(parents=True, exist_ok=True)
    if not (folder / "code" / "main.py").exists():
        (folder / "code" / "main.py").write_text("print('done')\n")
    component = {
        "id": "train",
        "kind": "run",
        "framework": "none",
        "code": {"path": "code", "entry": "main.py"},
        "resources": {"accelerators": 1, "cpu": 1, "memory_gib": 1},
        "work": {"duration_s": 5},
        **changes,
    }
    task = {"name": "test", "tenant": "demo", "components": [component]}
    path = folder / "task.yml"
    path.write_text(json.dumps(task, ensure_ascii=False))
    return path


def digits_held():
    """Return the rows of the digits that are withheld from every site: 64 pixels and the digit."""
    rows = numpy.loadtxt(CHECKOUT / "examples/digits/digits.csv", delimiter=",")
    return rows[numpy.arange(len(rows)) % 5 == 0]


def digits_accuracy(project, run):
    """Return the accuracy of a run's model, reckoned from its file and the data alone, without the product's code."""
    (measured,) = project.events(run, "evaluated")
    model = Path(measured["path"])
    assert hashlib.sha256(model.read_bytes()).hexdigest() == measured["sha256"]
    held = digits_held()
    with numpy.load(model, allow_pickle=False) as arrays:
        scores = held[:, :64] / 16 @ arrays["W"] + arrays["b"]
    accuracy = float((scores.argmax(axis=1) == held[:, 64]).mean())
    assert abs(accuracy - float(measured["accuracy"])) < 1e-6 and measured["rows"] == len(held) == 360
    return accuracy


def environment_of_clone(folder):
    """Clone what is committed into `folder`; return its path."""
    subprocess.run(
        ["git", "-c", "safe.directory=*", "clone", "-q", "--no-local", str(CHECKOUT), str(folder)],
        check=True,
        env={**os.environ, "GIT_CONFIG_NOSYSTEM": "1"},
    )
    return Path(folder)
