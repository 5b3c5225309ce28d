"""One site as one process: ``python -m tests.lab.server FOLDER`` reads ``FOLDER/spec.json`` and serves.

``FOLDER/ready.json`` appears when everything listens. With ``--lifeline`` the
process ends when its standard input does: a test run that is killed takes its lab with it. (Not PR_SET_PDEATHSIG,
which fires when the *thread* that started us ends.) SIGTERM stops it with all of its jobs; SIGKILL leaves the jobs
running, as a killed slurmctld does.
"""

import asyncio
import contextlib
import json
import os
import secrets
import signal
import sys
import threading
from pathlib import Path

from tests.lab import procs


def places(row) -> list[tuple]:
    """Return where an endpoint is really served: behind its public side, or at it."""
    return [tuple(place) for place in row["behind"]] or [(row["address"], row["port"])]


class Site:
    """Everything of one site, wired together."""

    def __init__(self, folder: Path, spec: dict):
        from tests.lab.metrics.watch import Watch
        from tests.lab.server.control import Control
        from tests.lab.server.counters import Counters
        from tests.lab.server.faults import Faults
        from tests.lab.server.translation import Translation
        from tests.lab.slurm import launch
        from tests.lab.slurm import scheduler
        from tests.lab.slurm.cluster import Cluster

        self.folder, self.spec = folder, spec
        self.home = folder / "home" / "brain"
        self.loop = None
        self.counters, self.faults = Counters(), Faults()
        self.faults.on_dead, self.faults.on_node_down = self._dead, self._node_down
        self.translation, self.nodes, self.login_row = Translation(), {}, None
        self.cluster = Cluster(spec["hardware"], folder, self.home, secrets.token_hex(16))
        self.cluster.settings.update(spec.get("settings", {}))
        self.cluster.load()
        self._recover(launch)
        self.watch = Watch(spec["site"], self.cluster)
        self.control = Control(spec["site"], self.cluster, self.counters, self.faults, self.watch)
        self.fronts: list = []
        self.login = None
        scheduler.start_thread(self.cluster)

    def _recover(self, launch) -> None:
        """Adopt the jobs of a killed predecessor; end those that its saved state does not know."""
        known = {
            str(job.job_id): job for job in self.cluster.jobs.values() if job.stepd and (not job.final or job.flags)
        }
        for pid in procs.marked(f"SLURM_CONF={self.cluster.conf}"):
            with contextlib.suppress(OSError):
                environment = Path(f"/proc/{pid}/environ").read_bytes().split(b"\0")
                job_id = next((e[13:].decode() for e in environment if e.startswith(b"SLURM_JOB_ID=")), None)
                if job_id not in known:
                    os.kill(pid, signal.SIGKILL)
        for job in known.values():
            launch.adopt(self.cluster, job)

    # -- listening ---------------------------------------------------------------------------
    def listen_rest(self) -> None:
        from tests.lab.metrics import routes as metrics
        from tests.lab.server import http
        from tests.lab.slurm import routes

        key = Path(self.spec["jwt_key"]).read_bytes()

        def platform(method, target, headers, body, expired):
            return routes.answer(self.cluster, key, method, target, headers, body, expired)

        def monitoring(method, target, headers, body, expired):
            return metrics.answer(self.watch, key, method, target, headers, expired)

        for row in self.spec["endpoints"]:
            if row["protocol"] == "https":
                respond = platform if row["platform"] == "slurm" else monitoring
                self.serve(row, http.faulty(respond, self.faults, self.counters))

    def serve(self, row, respond) -> None:
        """Serve an endpoint at each of its nodes, and put its public side in front where it has one."""
        from tests.lab.server import http

        for number, place in enumerate(places(row)):
            front = http.Server(
                place, respond, row["certificate"], row["key"], lambda peer: self.counters.note_peer("rest", peer)
            )
            self.fronts.append(front.serve_in_background())
            self.nodes.setdefault(number, []).append(front)
        if row["behind"]:
            self.translation.put((row["address"], row["port"]), row["behind"])

    def _commands(self) -> Path:
        """Make the folder of the commands that a login finds."""
        from tests.lab.server import command

        folder = self.folder / "bin"
        folder.mkdir(exist_ok=True)
        for name in self.control.commands.COMMANDS:
            path = folder / name
            path.write_text(f'#!/bin/sh\nexec "{sys.executable}" -I -S "{command.__file__}" {name} "$@"\n')
            path.chmod(0o755)
        return folder

    async def listen_login(self) -> None:
        from tests.lab.server.login import Login

        if self.login is None:
            environment = {
                "PATH": f"{self._commands()}:/usr/local/bin:/usr/bin:/bin", "LAB_SITE": str(self.folder),
                "HOME": str(self.home), "SHELL": "/bin/sh", "SLURM_CONF": str(self.cluster.conf),
            }  # fmt: skip
            row = next(e for e in self.spec["endpoints"] if e["protocol"] == "ssh")
            self.login = Login(places(row)[0], self.spec["host_key"], self.spec["authorized_key"],
                               self.folder, self.home, environment, self.counters, self.faults)  # fmt: skip
            self.login_row = row
        await self.login.listen()
        if self.login_row["behind"]:
            self.translation.put((self.login_row["address"], self.login_row["port"]), self.login_row["behind"])

    def close_fronts(self) -> None:
        self.translation.close()
        for front in self.fronts:
            front.close()
        self.fronts.clear()
        self.nodes.clear()

    def _node_down(self, node: int) -> None:
        """Close one node of every endpoint that has several, for good: `heal` opens everything anew."""
        for front in self.nodes.get(node, ()):
            front.close()

    def _dead(self, dead: bool) -> None:
        """Close every listening socket and cut what is open, or open them again."""
        if dead:
            self.close_fronts()
            asyncio.run_coroutine_threadsafe(self.login.close(), self.loop).result(10)
        else:
            self.listen_rest()
            asyncio.run_coroutine_threadsafe(self.listen_login(), self.loop).result(10)

    # -- life --------------------------------------------------------------------------------
    async def run(self, lifeline: bool) -> None:
        from tests.lab.server import http

        self.loop = asyncio.get_running_loop()
        stop = asyncio.Event()
        for number in (signal.SIGTERM, signal.SIGINT):
            self.loop.add_signal_handler(number, stop.set)
        if lifeline:
            threading.Thread(target=self._wait_for_parent, args=(stop,), daemon=True).start()
        self.listen_rest()
        await self.listen_login()
        control = http.Server(("127.0.0.1", 0), self.control.respond).serve_in_background()
        procs.note(self.folder / "ready.json", pid=os.getpid(), control=control.server_address[1])
        await stop.wait()
        (self.folder / "ready.json").unlink(missing_ok=True)
        self.end()

    def _wait_for_parent(self, stop) -> None:
        with contextlib.suppress(OSError):
            while os.read(0, 1024):
                pass
        self.loop.call_soon_threadsafe(stop.set)

    def end(self) -> None:
        """Save, and end every process that carries our mark; never returns."""
        with self.cluster.lock:
            self.cluster.stopping = True
            self.cluster.save()
            procs.kill_marked(f"SLURM_CONF={self.cluster.conf}")
            os._exit(0)  # daemon threads may sit in a frozen request


def main(argv: list[str]) -> None:
    folder = Path(argv[0])
    spec = json.loads((folder / "spec.json").read_text())
    os.umask(0o022)
    os.chdir(folder / "home" / "brain")
    asyncio.run(Site(folder, spec).run("--lifeline" in argv))


if __name__ == "__main__":
    main(sys.argv[1:])
