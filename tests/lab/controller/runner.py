"""One job or update as a process of its own: ``python -m tests.lab.controller.runner FOLDER``.

A job: the playbook under ansible-runner, as in the container that AWX starts, which leaves no process behind. An
inventory update: ``ansible-inventory --list --export`` and nothing else, since that is all AWX knows of an inventory.
"""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import ansible_runner

from webhook.runs import processes


def job(folder, spec):
    """Run a playbook; events go to a file, its artifacts (set_stats) into the result."""
    artifacts, counter = {}, 0

    def event(found):
        nonlocal counter
        counter += 1
        data = found.get("event_data") or {}
        if found["event"] == "playbook_on_stats":
            artifacts.update(data.get("artifact_data") or {})
        line = {
            "id": counter, "counter": counter, "event": found["event"], "event_data": data, "uuid": found["uuid"],
            "parent_uuid": found.get("parent_uuid", ""), "stdout": found.get("stdout", ""), "created": found["created"],
            "start_line": found["start_line"], "end_line": found["end_line"], "host_name": data.get("host", ""),
            "task": data.get("task", ""), "play": data.get("play", ""), "role": data.get("role", ""),
            "failed": found["event"] in ("runner_on_failed", "runner_on_unreachable"), "changed": False,
        }  # fmt: skip
        with open(folder / "events.jsonl", "a") as stream:
            stream.write(json.dumps(line) + "\n")
        return False

    done = ansible_runner.run(
        private_data_dir=str(folder / "private"),
        project_dir=spec["project"],
        ident="1",
        playbook=spec["playbook"],
        inventory=str(folder / "private" / "inventory" / "hosts"),
        extravars=spec["extra_vars"],
        forks=spec["forks"] or None,
        cmdline=spec["cmdline"] or None,
        quiet=True,
        event_handler=event,
        cancel_callback=(folder / "cancel").exists,
        settings={"pexpect_timeout": 1, "suppress_ansible_output": True, "idle_timeout": 600},
    )
    status = {"successful": "successful", "canceled": "canceled"}.get(done.status, "failed")
    return {"status": status, "artifacts": artifacts}


def update(folder, spec):
    """Read an inventory source; what it prints is all that jobs will ever see of it."""
    done = subprocess.run(
        ["ansible-inventory", "-i", spec["source"], "--list", "--export"], cwd=spec["project"], text=True,
        stdin=subprocess.DEVNULL, capture_output=True,
    )  # fmt: skip
    (folder / "log.txt").write_text(done.stderr)
    if done.returncode == 0:
        json.loads(done.stdout)
        (folder / "inventory.json").write_text(done.stdout)
    return {"status": "failed" if done.returncode else "successful"}


def main(folder):
    processes.become_subreaper()
    spec = json.loads((folder / "spec.json").read_text())
    result = {"job": job, "update": update}[spec["kind"]](folder, spec)
    for pid in reversed(processes.descendants(os.getpid())):
        os.kill(pid, signal.SIGKILL)
    part = folder / "result.part"
    part.write_text(json.dumps(result))
    part.rename(folder / "result.json")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
