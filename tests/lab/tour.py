"""The first run of a new user: lab, approval service, a task asked for, approved, carried out, and the model home.

``make run`` is this. Two people are played over HTTP; what is launched is ansible-playbook, as a user types it.
"""

import argparse
import contextlib
import fcntl
import os
import signal
import subprocess
import sys
from pathlib import Path

from ansible_collections.suanwang.brain.plugins.plugin_utils import clock
from ansible_collections.suanwang.brain.plugins.plugin_utils.store import Store
from tests.lab import render
from tests.lab.lab import Lab
from tests.lab.service import Service
from tests.lab.service import ServiceError

CHECKOUT = Path(__file__).resolve().parents[2]
TASK = "examples/digits/task.yml"
#: Of the catalogue: what is carried out, over two sites or over all four, and what waits for approval then.
FIRST, JOINT, WAITING = "digits", "joint-digits", "serve-digits"


class TourFailed(Exception):
    """A step did not end well; what it said stands above."""


class Tour:
    """The steps, in the order in which two people take them on the approval service's page."""

    def __init__(self, lab, state, service):
        self.lab = lab
        self.service = service
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

    def asked(self, name):
        """Ask for an example as the requester, and make the fastest proposal the plan; return the task."""
        requester = self.service.log_in("requester")
        task = requester.post("tasks", catalogue=name)
        say("requester", f"asks for {task['name']!r} of the catalogue: task {task['id']}")
        requester.wait(f"tasks/{task['id']}", ("proposed",), bad=("refused",))
        found = requester.get(f"tasks/{task['id']}/proposals")["items"]
        for one in found:
            figures = one["objectives"]
            cost = figures["cost_fen"]
            say("proposal", f"{' = '.join(one['labels'])}: {figures['finish_s']} s, "
                f"{'cost not known' if cost is None else f'¥{cost / 100:.2f}'}; {one['reasons'][0]}")  # fmt: skip
        fastest = next(one for one in found if "fastest" in one["labels"])
        task = requester.post(f"tasks/{task['id']}/confirm", proposal=fastest["id"])
        say("requester", f"confirms {fastest['label']}: plan {task['digest'][:8]} waits for approval")
        return task

    def perceived(self):
        """Show what the sites have, as the playbook does."""
        print(f"\nThe approval service: {self.service.url}", flush=True)
        self.play("perceive", "-i", str(self.inventory))

    def take(self, name):
        """Take every step of an example over HTTP; return the last line."""
        task = self.asked(name)
        run = task["id"]
        approver = self.service.log_in("approver")
        approver.post(f"tasks/{run}/approve", digest=task["digest"])
        say("approver", f"approves plan {task['digest'][:8]}; the service launches it")
        shown = {}
        for _id, kind, event in approver.events(run):
            if kind == "journal":
                follow(shown, event)
        ended = approver.get(f"tasks/{run}")
        if ended["state"] != "succeeded":
            raise TourFailed(f"run {run} is {ended['state']}: {ended['message']}\n{self.service.tail()}")
        return self.verdict(run, task["digest"])

    def verdict(self, run, digest):
        """Return the line that says what came home, from the closed journal and the file itself."""
        events = self.store.journal(run)
        closed = [event for event in events if event["event"] == "closed"]
        if not closed or closed[-1]["state"] != "succeeded":
            raise TourFailed(f"the journal of run {run} is not closed as succeeded")
        for event in events:
            if event["event"] == "gang":
                apart = f"{event['skew_s']} s apart, {event['allowed_s']} s are allowed"
                say("run", f"{', '.join(event['starts'])} started {apart}")
        measured = [event for event in events if event["event"] == "evaluated"][-1]
        return (
            f"run {digest[:8]} succeeded: model {measured['path']} sha256 {measured['sha256']}"
            f" accuracy {float(measured['accuracy']):.3f}"
        )


def _own_folder(state, name):
    """Return a lab folder of our own, and the lock that says so: two runs side by side do not share a lab."""
    for number in range(1, 100):
        folder = state / "lab" / (name if number == 1 else f"{name}-{number}")
        folder.mkdir(parents=True, exist_ok=True)
        lock = open(folder / "lock", "w")
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return folder, lock
        except OSError:
            lock.close()
    raise TourFailed(f"{state / 'lab'} holds a hundred running labs")


def say(who, what):
    print(f"  {who:<10} {what}", flush=True)


def follow(shown, event):
    """Print an event of the journal where it says something new of a component."""
    name, kind = event.get("component"), event["event"]
    word = event.get("state") or kind
    if name and kind not in ("progress", "intent", "waiting") and shown.get(name) != word:
        shown[name] = word
        say("run", f"{event['at'][11:19]} {name:<16} {word} {event.get('pool', '')}".rstrip())


def _what_next(tour):
    people = tour.service.people()
    kept = ("SUANWANG_CONFIG", "SUANWANG_STATE", "SUANWANG_REQUESTER")
    exports = " ".join(f"{name}={tour.environment[name]}" for name in kept)
    asked, judge = people["requester@lab.invalid"], people["approver@lab.invalid"]
    print(
        f"""
Another task waits for your approval. The lab and its approval service are running:

  the page       {tour.service.url}/
  log in as      requester@lab.invalid  {asked["password"]}
                 approver@lab.invalid   {judge["password"]}
  to stop        Ctrl-C here

On the shell, in another terminal, in this folder:

  . .venv/bin/activate; export {exports}
  ansible-playbook playbooks/propose.yml -i {tour.inventory} -e task={TASK}
""",
        flush=True,
    )


def _port(folder):
    """Return the page's port: the one it had last time, while that is free."""
    kept = folder / "port"
    with contextlib.suppress(OSError, ValueError):
        if render.bindable(int(kept.read_text())):
            return int(kept.read_text())
    port = 8008 if render.bindable(8008) else render.free_port(set())
    kept.write_text(str(port))
    return port


def main(argv):
    """Run the tour; return the exit code."""
    parser = argparse.ArgumentParser(prog="tests.lab run", description=__doc__.splitlines()[0])
    parser.add_argument("--once", action="store_true", help="stop everything at the end")
    options = parser.parse_args(argv)
    signal.signal(signal.SIGTERM, lambda *_unused: sys.exit(143))
    state = Store().root
    # The map of the whole is a lab of its own: what one of two sites remembers does not fit it.
    folder, lock = _own_folder(state, "run" if options.once else "map")
    started = clock.now()
    what = "two sites, each with its own Slurm and login node" if options.once else "four sites, five platforms"
    print(f"Starting the lab: {what} …", flush=True)
    with lock, Lab(folder, more=not options.once) as lab, Service(lab, state, _port(folder)) as service:
        tour = Tour(lab, state, service)
        try:
            tour.perceived()
            line = tour.take(FIRST)
            if not options.once:
                print(f"\n{line}\n", flush=True)
                line = tour.take(JOINT)
                print("", flush=True)
                tour.asked(WAITING)
        except (TourFailed, ServiceError) as error:
            print(f"run failed: {error}", file=sys.stderr)
            return 1
        print(f"\n{clock.seconds_between(started, clock.now()):.0f} s after the start:", flush=True)
        print(line, flush=True)
        if not options.once:
            _what_next(tour)
            try:
                signal.pause()
            except KeyboardInterrupt:
                print("\nStopping the service and the lab.", flush=True)
    return 0
