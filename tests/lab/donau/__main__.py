"""A login node with Donau's commands as a process of its own: ``python -m tests.lab.donau FOLDER``.

Control API, counters, faults, machines and life are those of `tests.lab.server`; there is no REST.
"""

import asyncio
import functools
import json
import os
import sys
from pathlib import Path

from tests.lab.donau import commands
from tests.lab.server import __main__ as server


class Endpoint(server.Site):
    def __init__(self, folder: Path, spec: dict):
        super().__init__(folder, spec)
        self.cluster.settings.update({key: value for key, value in commands.SETTINGS.items()
                                      if key not in spec.get("settings", {})})  # fmt: skip
        self.cluster.dress = functools.partial(commands.dress, self.cluster)
        self.control.commands = commands

    def listen_rest(self) -> None:
        """There is none."""


def main(argv: list[str]) -> None:
    folder = Path(argv[0])
    spec = json.loads((folder / "spec.json").read_text())
    os.umask(0o022)
    os.chdir(folder / "home" / "brain")
    asyncio.run(Endpoint(folder, spec).run("--lifeline" in argv))


if __name__ == "__main__":
    main(sys.argv[1:])
