"""The run process: one playbook under ansible-runner, in a session of its own. The one file that imports it.

``python -m webhook.runs.process FOLDER``. It holds the folder's lock while it lives, so that it exists once; it is the
sub-reaper of everything below it, so that nothing of it is left; its result is the last file it writes.
"""

from __future__ import annotations

import contextlib
import os
import pathlib
import shutil
import signal
import sys
import time

import ansible_runner

from . import processes
from .folder import Folder
from .follower import Follower

GRACE_S = 20.0
ALREADY = 75


class Canceller:
    """Asked about once a second: first an interrupt, which a playbook takes cleanly, then a kill."""

    def __init__(self, folder):
        self._folder = folder
        self.asked = None

    def __call__(self):
        if not (self._folder / "cancel").exists():
            return False
        if self.asked is None:
            self.asked = time.monotonic()
            for pid in processes.children(os.getpid()):
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGINT)
            return False
        return time.monotonic() - self.asked > GRACE_S


def run(folder):
    """Run what the folder's spec says, and write the result. Returns our exit code."""
    lock = folder.take_lock()
    if lock is None or folder.read("result.json") is not None:
        return ALREADY
    with lock:
        processes.become_subreaper()
        with open(folder / "started", "a") as stream:
            stream.write(f"{os.getpid()}\n")
        os.environ.pop("PYTHONPATH", None)  # ours alone: a playbook finds the collection by ansible.cfg
        spec = folder.read("spec.json")
        follower, cancelled = Follower(folder), Canceller(folder)
        private = pathlib.Path(folder / "private")
        shutil.rmtree(private, ignore_errors=True)
        private.mkdir(mode=0o700)
        done = ansible_runner.run(
            private_data_dir=str(private),
            ident="r",
            playbook=spec["playbook"],
            inventory=spec.get("inventory"),
            cmdline=spec.get("cmdline"),
            extravars=None,
            quiet=True,
            event_handler=follower.event,
            cancel_callback=cancelled,
            suppress_env_files=True,
            settings={"pexpect_timeout": 1, "suppress_ansible_output": True},
        )
        left = processes.descendants(os.getpid())
        for pid in reversed(left):
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        follower.close()
        shutil.rmtree(private, ignore_errors=True)
        code = done.rc if isinstance(done.rc, int) else None
        said = {"cancelled": cancelled.asked is not None, "swept": len(left), "stats": follower.stats}
        folder.write("result.json", {"exit_code": code, "ended": follower.ended, **said})
    return 0


if __name__ == "__main__":
    sys.exit(run(Folder(sys.argv[1])))
