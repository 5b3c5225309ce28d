"""The machines of the cloud: each an SSH server with a home, the host key and the login that its user data brought."""

import asyncio
import base64
import shutil
import sys

import yaml

from tests.lab import keys
from tests.lab import procs
from tests.lab.server.login import Login


class Machines:
    """Starts and stops machines in the site's event loop. nonce: what only work on a machine of this cloud can see."""

    def __init__(self, folder, nonce, counters, faults):
        self.folder, self.nonce, self.counters, self.faults = folder, nonce, counters, faults
        self.loop = None
        self._running, self._listening = {}, {}

    def start(self, server):
        home = self.folder / "machines" / server["id"] / "home"
        software = home / "brain" / "sw" / "bin"
        software.mkdir(parents=True)
        # What the image has: an interpreter with NumPy.
        python = software / "python3"
        python.write_text(f'#!/bin/sh\nexec "{sys.executable}" "$@"\n')
        python.chmod(0o755)
        self._running[server["id"]] = (home, *self._secrets(server, home.parent))

    def _secrets(self, server, folder):
        """Return (host key file, authorized keys) of the user data; a key of its own where it brings none."""
        text = base64.b64decode(server["user_data"] or "").decode()
        said = (yaml.safe_load(text) or {}) if text.startswith("#cloud-config") else {}
        path = folder / "host_key"
        private = said.get("ssh_keys", {}).get("ed25519_private")
        if private:
            keys.write_private(path, private.encode())
        else:
            keys.ssh_key(path, server["name"])
        allowed = [key for user in said.get("users", ()) for key in user["ssh_authorized_keys"]]
        return path, "\n".join(allowed or [keys.ssh_key(folder / "nobody", "nobody")])

    def listen(self, places):
        """Let the machines of {server id: (address, port)} answer there, and those that are not in it nowhere."""
        for name, (place, login) in list(self._listening.items()):
            if places.get(name) != place:
                del self._listening[name]
                asyncio.run_coroutine_threadsafe(login.close(), self.loop).result(10)
        for name in places.keys() & self._running.keys() - self._listening.keys():
            login = self._login(name, places[name])
            asyncio.run_coroutine_threadsafe(login.listen(), self.loop).result(10)
            self._listening[name] = (places[name], login)

    def _login(self, name, place):
        home, host_key, authorized = self._running[name]
        environment = {"PATH": "/usr/local/bin:/usr/bin:/bin", "HOME": str(home), "USER": "brain", "LOGNAME": "brain",
                       "SHELL": "/bin/sh", "LAB_SITE_NONCE": self.nonce, "LAB_MACHINE": name}  # fmt: skip
        return Login(place, str(host_key), authorized, home.parent, home, environment, self.counters, self.faults)

    def stop(self, server):
        self.listen({name: place for name, (place, _login) in self._listening.items() if name != server["id"]})
        self._running.pop(server["id"], None)
        procs.kill_marked(f"LAB_MACHINE={server['id']}")
        shutil.rmtree(self.folder / "machines" / server["id"], ignore_errors=True)

    def stop_all(self):
        for name in list(self._running):
            procs.kill_marked(f"LAB_MACHINE={name}")
