"""The first run of a new user: start the lab, perceive, propose, approve, apply, and bring the model home.

``make run`` is this. What is run is what a user types: ansible-playbook, with the checkout's own ansible.cfg.
"""

import argparse
import fcntl
import os
import signal
import subprocess
import sys
from pathlib import Path

from ansible_collections.suanwang.brain.plugins.plugin_utils import clock
from ansible_collections.suanwang.brain.plugins.plugin_utils.store import Store
from tests.lab.lab import Lab

CHECKOUT = Path(__file__).resolve().parents[2]
TASK = "examples/digits/task.yml"


class TourFailed(Exception):
    """A step did not end well; what it said stands above."""


class Tour:
    """The steps, in the order a user takes them."""

    def __init__(self, lab, state):
        self.lab = lab
        self.store = Store(state)
        self.inventory = lab.state / "fleet.brain.yml"
        self.inventory.write_text(f"plugin: suanwang.brain.fleet\nconfig: {lab.config}\n")
        self.environment = {
            **{name: value for name, value in os.environ.items() if name != "PYTHONPATH"},
            "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ.get('PATH', '')}",
            "ANSIBLE_CONFIG": str(CHECKOUT / "ansible.cfg"),
            "SUANWANG_CONFIG": str(lab.config),
            "SUANWANG_STATE": str(state),
            "SUANWANG_REQUESTER": "requester@lab.invalid",
        }

    def play(self, name, *arguments):
        """Run one playbook of the checkout in the foreground."""
        command = ["ansible-playbook", f"playbooks/{name}.yml", *arguments]
        print(f"\n$ {' '.join(command)}", flush=True)
        done = subprocess.run(command, cwd=CHECKOUT, env=self.environment, stdin=subprocess.DEVNULL)
        if done.returncode:
            raise TourFailed(f"playbooks/{name}.yml ended with exit code {done.returncode}")

    def take(self):
        """Take every step; return the last line."""
        before = set(self.store.runs())
        inventory = ("-i", str(self.inventory))
        self.play("perceive", *inventory)
        self.play("propose", *inventory, "-e", f"task={TASK}", "-e", "pick=fastest")
        (run,) = set(self.store.runs()) - before
        digest = (self.store.run_dir(run) / "digest").read_text()
        key = self.lab.config / "credentials" / "approver"
        self.play("approve", "-e", f"plan={digest[:16]}", "-e", f"key={key}")
        self.play("apply", "-e", f"plan={digest[:16]}")
        return self.verdict(run, digest)

    def verdict(self, run, digest):
        """Return the line that says what came home, from the closed journal and the file itself."""
        events = self.store.journal(run)
        closed = [event for event in events if event["event"] == "closed"]
        if not closed or closed[-1]["state"] != "succeeded":
            raise TourFailed(f"the journal of run {run} is not closed as succeeded")
        measured = [event for event in events if event["event"] == "evaluated"][-1]
        return (
            f"run {digest[:8]} succeeded: model {measured['path']} sha256 {measured['sha256']}"
            f" accuracy {float(measured['accuracy']):.3f}"
        )


def _own_folder(state):
    """Return a lab folder of our own, and the lock that says so: two runs side by side do not share a lab."""
    for number in range(1, 100):
        folder = state / "lab" / ("run" if number == 1 else f"run-{number}")
        folder.mkdir(parents=True, exist_ok=True)
        lock = open(folder / "lock", "w")
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return folder, lock
        except OSError:
            lock.close()
    raise TourFailed(f"{state / 'lab'} holds a hundred running labs")


def _what_next(tour):
    kept = ("SUANWANG_CONFIG", "SUANWANG_STATE", "SUANWANG_REQUESTER")
    exports = " ".join(f"{name}={tour.environment[name]}" for name in kept)
    print(
        f"""
The lab is still running. To go on, in another terminal, in this folder:

  . .venv/bin/activate; export {exports}
  ansible-playbook playbooks/perceive.yml -i {tour.inventory}
  ansible-playbook playbooks/propose.yml -i {tour.inventory} -e task={TASK}
  ansible-doc suanwang.brain.job

Ctrl-C here stops the lab.""",
        flush=True,
    )


def main(argv):
    """Run the tour; return the exit code."""
    parser = argparse.ArgumentParser(prog="tests.lab run", description=__doc__.splitlines()[0])
    parser.add_argument("--once", action="store_true", help="stop everything at the end")
    options = parser.parse_args(argv)
    signal.signal(signal.SIGTERM, lambda *_unused: sys.exit(143))
    state = Store().root
    folder, lock = _own_folder(state)
    started = clock.now()
    print("Starting the lab: two sites, each with its own Slurm and login node …", flush=True)
    with lock, Lab(folder) as lab:
        tour = Tour(lab, state)
        try:
            line = tour.take()
        except TourFailed as error:
            print(f"run failed: {error}", file=sys.stderr)
            return 1
        print(f"\n{clock.seconds_between(started, clock.now()):.0f} s after the start:", flush=True)
        print(line, flush=True)
        if not options.once:
            _what_next(tour)
            try:
                signal.pause()
            except KeyboardInterrupt:
                print("\nStopping the lab.", flush=True)
    return 0
