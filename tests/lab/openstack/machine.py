"""The machines of the cloud: each an SSH server with a home, the host key and the login that its user data brought."""

import asyncio
import base64
import shutil

import yaml

from tests.lab import keys
from tests.lab import procs
from tests.lab.server.login import Login


class Machines:
    """Starts and stops machines in the site's event loop. nonce: what only work on a machine of this cloud can see."""

    def __init__(self, folder, nonce, counters, faults):
        self.folder, self.nonce, self.counters, self.faults = folder, nonce, counters, faults
        self.loop = None
        self._running = {}

    def start(self, server, slot):
        home = self.folder / "machines" / server["id"] / "home"
        home.mkdir(parents=True)
        host_key, authorized = self._secrets(server, home.parent)
        environment = {"PATH": "/usr/local/bin:/usr/bin:/bin", "HOME": str(home), "USER": "brain", "LOGNAME": "brain",
                       "SHELL": "/bin/sh", "LAB_SITE_NONCE": self.nonce, "LAB_MACHINE": server["id"]}  # fmt: skip
        login = Login((slot["public"]["address"], slot["public"]["port"]), str(host_key), authorized, home.parent, home,
                      environment, self.counters, self.faults)  # fmt: skip
        asyncio.run_coroutine_threadsafe(login.listen(), self.loop).result(10)
        self._running[server["id"]] = login

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
        return path, "\n".join(said.get("ssh_authorized_keys") or [keys.ssh_key(folder / "nobody", "nobody")])

    def stop(self, server):
        login = self._running.pop(server["id"], None)
        if login:
            asyncio.run_coroutine_threadsafe(login.close(), self.loop).result(10)
        procs.kill_marked(f"LAB_MACHINE={server['id']}")
        shutil.rmtree(self.folder / "machines" / server["id"], ignore_errors=True)

    def stop_all(self):
        for name in list(self._running):
            procs.kill_marked(f"LAB_MACHINE={name}")
