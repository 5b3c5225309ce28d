"""One cloud as one process: ``python -m tests.lab.openstack FOLDER`` reads ``FOLDER/spec.json`` and serves.

``FOLDER/ready.json`` appears when everything listens; the process ends on SIGTERM, with ``--lifeline`` also when its
standard input does. The control API is that of `tests.lab.server` where both have the same: counters, faults, healing.
"""

import asyncio
import copy
import json
import os
import secrets
import signal
import sys
import threading
from pathlib import Path

from tests.lab import procs
from tests.lab.openstack.cloud import Cloud
from tests.lab.openstack.machine import Machines
from tests.lab.openstack.routes import Faces
from tests.lab.server import http
from tests.lab.server.counters import Counters
from tests.lab.server.faults import Faults
from tests.lab.slurm.answers import Answer


class Process:
    def __init__(self, folder, spec):
        self.folder, self.spec = folder, spec
        self.counters, self.faults = Counters(), Faults()
        self.faults.on_dead = self._dead
        self.machines = Machines(folder, secrets.token_hex(16), self.counters, self.faults)
        self.cloud = Cloud(
            {**copy.deepcopy(spec["hardware"]), "users": spec["users"], "slots": spec["slots"]}, self.machines
        )
        bases = {row["service"]: f"https://{row['private'][0]}:{row['private'][1]}" for row in spec["services"]}
        self.faces, self.fronts = Faces(self.cloud, bases), []

    def listen(self):
        for row in self.spec["services"]:

            def respond(method, target, headers, body, expired, service=row["service"]):
                return self.faces.answer(service, method, target, headers, body, expired)

            front = http.Server(
                tuple(row["address"]), http.faulty(respond, self.faults, self.counters),
                self.spec["certificate"], self.spec["key"],
            )  # fmt: skip
            self.fronts.append(front.serve_in_background())

    def _dead(self, dead):
        if not dead:
            return self.listen()
        for front in self.fronts:
            front.close()
        return self.fronts.clear()

    # -- control ---------------------------------------------------------------------------------
    def control(self, method, target, headers, body, peer):
        options = json.loads(body) if body else {}
        name = "heal" if method == "DELETE" else target.rpartition("/")[2]
        try:
            return Answer(200, getattr(self, f"do_{name}")(**options) or {})
        except (AttributeError, KeyError, TypeError, ValueError) as error:
            return Answer(400, {"error": f"{type(error).__name__}: {error}"})

    def do_info(self):
        with self.cloud.lock:
            servers = [{key: row[key] for key in ("id", "name", "status", "host", "project")} for row in
                       self.cloud.servers.values()]  # fmt: skip
            network = {name: list(getattr(self.cloud.network, name).values()) for name in
                       ("groups", "rules", "ports", "floating")}  # fmt: skip
        return {"counters": self.counters.as_dict(), "nonce": self.machines.nonce, "servers": servers,
                "network": network, "struck": dict(self.faults.struck)}  # fmt: skip

    do_lab = do_info

    def do_reset_counters(self):
        self.counters.reset()
        self.faults.struck.clear()

    def do_fault(self, kind, **options):
        self.faults.set(kind, **options)

    def do_heal(self):
        self.faults.heal()
        with self.cloud.lock:
            for host in self.cloud.hosts.values():
                host |= {"state": "up", "status": "enabled", "reason": None}
            self.cloud.settings |= {"max_limit": 1000, "stuck": False, "late_addresses": False}
            self.cloud.rows["quotas"] = copy.deepcopy(self.spec["hardware"]["quotas"])
            for server in list(self.cloud.servers.values()):
                self.cloud._deleted(server)
            self.cloud.network.clear()

    def do_host(self, name, **change):
        with self.cloud.lock:
            self.cloud.hosts[name] |= change

    def do_set(self, **settings):
        with self.cloud.lock:
            self.cloud.settings |= settings

    def do_unplug(self):
        """Let no machine answer any more, though the cloud says that all is well."""
        self.machines.listen({})

    def do_expire(self):
        """Forget every token, as Keystone does when they are revoked."""
        with self.cloud.lock:
            self.cloud.tokens.clear()

    # -- life ------------------------------------------------------------------------------------
    async def run(self, lifeline):
        self.machines.loop = loop = asyncio.get_running_loop()
        stop = asyncio.Event()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, stop.set)

        def wait_for_parent():
            while os.read(0, 1024):
                pass
            loop.call_soon_threadsafe(stop.set)

        if lifeline:
            threading.Thread(target=wait_for_parent, daemon=True).start()
        self.listen()
        control = http.Server(("127.0.0.1", 0), self.control).serve_in_background()
        procs.note(self.folder / "ready.json", pid=os.getpid(), control=control.server_address[1])
        await stop.wait()
        self.machines.stop_all()
        os._exit(0)


def main(argv):
    folder = Path(argv[0])
    spec = json.loads((folder / "spec.json").read_text())
    os.umask(0o022)
    asyncio.run(Process(folder, spec).run("--lifeline" in argv))


if __name__ == "__main__":
    main(sys.argv[1:])
