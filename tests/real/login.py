"""The login node of a real site: the lab's SSH server as a process of its own, which stands in the site's home.

``python -m tests.real.login`` reads a line of JSON with its settings, then commands, one a line, and answers each with
a line of JSON. It ends with its standard input.
"""

import asyncio
import json
import os
import subprocess
import sys

from tests.lab.lab import CHECKOUT
from tests.lab.server.counters import Counters
from tests.lab.server.faults import Faults
from tests.lab.server.login import Login


class LoginNode:
    """Handle of a login node; its process starts with `open`."""

    def __init__(self, port, host_key, authorized_key, root, home, environment):
        self._settings = {
            "port": port, "host_key": host_key, "authorized_key": authorized_key,
            "root": str(root), "home": str(home), "environment": environment,
        }  # fmt: skip
        self._process = None

    def _ask(self, word):
        self._process.stdin.write(f"{word}\n")
        self._process.stdin.flush()
        return json.loads(self._process.stdout.readline())

    def open(self):
        """Listen."""
        if self._process is None:
            with open(f"{self._settings['root']}/log/login.log", "ab") as log:
                self._process = subprocess.Popen(
                    [sys.executable, "-m", "tests.real.login"], cwd=self._settings["home"], text=True, stderr=log,
                    env={**os.environ, "PYTHONPATH": str(CHECKOUT)}, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                    start_new_session=True,
                )  # fmt: skip
            self._ask(json.dumps(self._settings))
        self._ask("listen")

    def close(self):
        """Refuse new connections and cut the open ones."""
        self._ask("close")

    def counters(self):
        return self._ask("counters")

    def reset(self):
        self._ask("reset")

    def lose(self, command):
        """Cut the connection when the next command that contains this has run, before its answer."""
        self._ask(f"lose {command}")

    def end(self):
        """Close, and end the process."""
        if self._process:
            self._process.stdin.close()
            try:
                self._process.wait(10)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait()
            self._process.stdout.close()
            self._process = None


async def serve(settings, lines):
    counters, faults = Counters(), Faults()
    login = Login(
        ("127.0.0.1", settings["port"]), settings["host_key"], settings["authorized_key"], settings["root"],
        settings["home"], settings["environment"], counters, faults,
    )  # fmt: skip
    listening = False
    print("{}", flush=True)
    while line := (await asyncio.to_thread(lines.readline)).strip():
        if line == "listen" and not listening:
            await login.listen()
            listening = True
        elif line == "close":
            await login.close()
            listening = False
        elif line == "reset":
            counters.reset()
        elif line.startswith("lose "):
            faults.set("lost_answer", n=1, path=line.removeprefix("lose "))
        print(json.dumps(counters.as_dict()), flush=True)
    await login.close()


if __name__ == "__main__":
    asyncio.run(serve(json.loads(sys.stdin.readline()), sys.stdin))
