# SPDX-License-Identifier: GPL-3.0-or-later
"""Files and commands over SSH, against a small server that misbehaves on purpose."""

import asyncio
import hashlib
import json
import os
import shutil
import subprocess
import sys

import asyncssh
import pytest

from ansible_collections.suanwang.brain.plugins.module_utils import sites
from ansible_collections.suanwang.brain.plugins.module_utils import ssh
from tests.lab import keys

MIB = 1024 * 1024
FRESH = {"runs": True, "cut_after": None, "flip": False, "freeze": False,
         "written": 0, "commands": 0, "connections": 0, "forwards": True, "forwarded": 0}  # fmt: skip


class Server:
    """An SSH server on loopback in a process of its own; home of every user is `home`.

    written: bytes; commands, connections, forwarded (as a jump host, while `forwards`): counted; open: connections.
    Set `runs` False: no command is executed; `cut_after`: bytes written, then the connection ends; `flip`: a byte of
    the next write changes; `freeze`: no write is answered.
    """

    def __init__(self, folder):
        self.home, self.key = folder / "home", folder / "login"
        self.host_public = keys.ssh_key(folder / "host", "host")
        (folder / "authorized").write_text(keys.ssh_key(folder / "login", "login") + "\n")
        self.process = subprocess.Popen(
            [sys.executable, __file__, str(folder)], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
            env={**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))},
        )  # fmt: skip
        self.port = json.loads(self.process.stdout.readline())["port"]

    def ask(self, **changes):
        self.process.stdin.write(json.dumps(changes).encode() + b"\n")
        self.process.stdin.flush()
        return json.loads(self.process.stdout.readline())

    @property
    def written(self):
        return self.ask()["written"]

    @property
    def commands(self):
        return self.ask()["commands"]

    @property
    def forwarded(self):
        return self.ask()["forwarded"]

    @property
    def connections(self):
        return self.ask()["connections"]

    def drop(self):
        """End all connections, as a firewall or a restart does."""
        self.ask(drop=True)

    def stop(self):
        self.process.stdin.close()
        self.process.wait(10)
        self.process.stdout.close()


def serve(folder):
    """What the server's process does: serve until stdin ends; each line there changes or asks."""
    home, links = os.path.join(folder, "home"), []
    state = {**FRESH, "open": 0}

    class Login(asyncssh.SSHServer):
        def connection_made(self, connection):
            state["connections"] += 1
            state["open"] += 1
            links.append(connection)

        def connection_lost(self, _error):
            state["open"] -= 1

        def connection_requested(self, *_where):
            state["forwarded"] += state["forwards"]
            return state["forwards"]

    class Sftp(asyncssh.SFTPServer):
        def __init__(self, channel):
            super().__init__(channel)
            self.link = channel.get_connection()

        def realpath(self, path):
            return os.path.realpath(os.path.join(os.fsencode(home), path))

        async def write(self, file, offset, data):
            while state["freeze"]:
                await asyncio.sleep(0.02)
            if state["flip"]:
                data, state["flip"] = bytes([data[0] ^ 1]) + data[1:], False
            limit = state["cut_after"]
            if limit is not None and state["written"] + len(data) > limit:
                state["cut_after"] = None
                self.link.abort()
                raise asyncssh.SFTPFailure("cut")
            state["written"] += len(data)
            return super().write(file, offset, data)

    async def run(process):
        state["commands"] += 1
        if not state["runs"]:
            process.stderr.write(b"This service allows sftp connections only.\n")
            process.exit(127)
            return
        child = await asyncio.create_subprocess_shell(process.command, stdin=-1, stdout=-1, stderr=-1, cwd=home)
        await process.redirect(stdin=child.stdin)
        for line, piece in zip(
            (process.stdout, process.stderr),
            await asyncio.gather(child.stdout.read(), child.stderr.read()),
            strict=True,
        ):
            line.write(piece)
        process.exit(await child.wait())

    async def main():
        server = await asyncssh.listen(
            "127.0.0.1", 0, server_host_keys=[f"{folder}/host"], server_factory=Login,
            authorized_client_keys=f"{folder}/authorized", process_factory=run,
            sftp_factory=Sftp, encoding=None,
        )  # fmt: skip
        print(json.dumps({"port": server.get_port()}), flush=True)
        reader = asyncio.StreamReader()
        await asyncio.get_running_loop().connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)
        while line := await reader.readline():
            changes = json.loads(line)
            if changes.pop("drop", False):
                for link in links:
                    link.abort()
            state.update(changes)
            print(json.dumps(state), flush=True)
        os._exit(0)

    asyncio.run(main())


@pytest.fixture(scope="module")
def process(tmp_path_factory):
    made = Server(tmp_path_factory.mktemp("ssh"))
    yield made
    made.stop()


@pytest.fixture
def server(process):
    process.home.mkdir()
    process.ask(**FRESH)
    yield process
    process.drop()
    shutil.rmtree(process.home)


@pytest.fixture
def make(server, tmp_path):
    made = []
    hosts = tmp_path / "known_hosts"
    hosts.write_text(f"[127.0.0.1]:{server.port} {server.host_public}\n")

    def build(root="brain", port=server.port, **changed):
        endpoint = sites.Endpoint(
            id="login", protocol="ssh", via="intranet", address="127.0.0.1", port=port,
            storage={"root": root}, **changed.pop("endpoint", {}),
        )  # fmt: skip
        site = sites.Site("hunan", {}, {}, (endpoint,), "")
        given = {"user": "brain", "key_path": server.key, "known_hosts": hosts, **changed}
        made.append(ssh.Files(site, endpoint, **given))
        return made[-1]

    yield build
    for one in made:
        one.close()


@pytest.fixture
def files(make):
    return make()


def sha256(content):
    return hashlib.sha256(content).hexdigest()


# -- where things are -------------------------------------------------------------------------------


if __name__ == "__main__":
    serve(sys.argv[1])
