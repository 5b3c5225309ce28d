"""One endpoint of a site as a process of its own: ``python -m tests.lab.profiled FOLDER``.

Control API, counters, faults and life are those of `tests.lab.server`. It has its own machines and no login node:
files come by the platform's API.
"""

import asyncio
import json
import os
import sys
from pathlib import Path

from tests.lab.profiled.aofei import Aofei
from tests.lab.profiled.third import Third
from tests.lab.profiled.tianyin import Tianyin
from tests.lab.server import __main__ as server

FACES = {"aofei": Aofei, "tianyin": Tianyin, "custom": Third}


class Endpoint(server.Site):
    def listen_rest(self) -> None:
        from tests.lab.server import http

        (row,) = self.spec["endpoints"]
        secret = Path(self.spec["secret"]).read_text().strip()
        address, port = server.places(row)[0]
        # One for all nodes: a token that one of them gave is good at the others.
        face = FACES[row["platform"]](
            self.cluster, self.folder, self.home, self.faults, secret, f"https://{address}:{port}"
        )
        self.serve(row, http.faulty(face.respond, self.faults, self.counters, face.writes))

    async def listen_login(self) -> None:
        """There is none."""

    def _dead(self, dead: bool) -> None:
        if dead:
            self.close_fronts()
        else:
            self.listen_rest()


def main(argv: list[str]) -> None:
    folder = Path(argv[0])
    spec = json.loads((folder / "spec.json").read_text())
    os.umask(0o022)
    os.chdir(folder / "home" / "brain")
    asyncio.run(Endpoint(folder, spec).run("--lifeline" in argv))


if __name__ == "__main__":
    main(sys.argv[1:])
