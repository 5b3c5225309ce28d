"""A site's login node: SSH with SFTP and commands, as an ordinary sshd behaves, by public key only.

A session starts in the site's home (the process stands there), so relative SFTP paths and commands resolve there
and ``realpath .`` is the true absolute path. Any user name is admitted whose key is authorised. What changes files
by SFTP is confined to the site's folder: a lab must not be able to harm its host.
"""

import asyncio
import contextlib
import errno
import os
import signal

import asyncssh

from tests.lab.server.counters import ASSIGNMENT
from tests.lab.server.counters import reads_only

SLOW = {"latency", "frozen"}


def files_of(login):
    """Return the SFTP server class of a login: asyncssh's own, counted, slowed and confined."""

    class Files(asyncssh.SFTPServer):
        def map_path(self, path):
            # A process may serve several homes, and stands in none of them.
            return os.path.join(os.fsencode(login._home), path)

        def scandir(self, path):
            login.counters.note("sftp", False, "scandir")
            return super().scandir(path)

        def open(self, path, pflags, attrs):
            writing = asyncssh.FXF_WRITE | asyncssh.FXF_APPEND | asyncssh.FXF_CREAT | asyncssh.FXF_TRUNC
            if pflags & writing:
                login.confine(path)
            return self._call("open", bool(pflags & writing), path, pflags, attrs)

        async def _call(self, name, write, *arguments):
            login.counters.note("sftp", write, name)
            if login.faults.as_dict().keys() & SLOW:
                await asyncio.to_thread(login.faults.delay, "sftp")
            found = getattr(asyncssh.SFTPServer, name)(self, *arguments)
            return await found if asyncio.iscoroutine(found) else found

        def write(self, file_obj, offset, data):
            if login.faults.take("disk_full"):
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
            self._moved("in", len(data))
            if data and login.faults.take("corrupt"):
                data = bytes([data[0] ^ 1]) + data[1:]
            return self._call("write", True, file_obj, offset, data)

        def read(self, file_obj, offset, size):
            self._moved("out", size)
            return self._call("read", False, file_obj, offset, size)

        def _moved(self, way, size):
            login.counters.moved(way, size)
            if login.faults.moved(size):
                self.connection.abort()
                raise asyncssh.SFTPConnectionLost("cut")

    def plain(name, write, places):
        def method(self, *arguments):
            for place in places:
                login.confine(arguments[place])
            return self._call(name, write, *arguments)

        method.__name__ = name
        return method

    for name in ("lstat", "stat", "fstat", "realpath", "readlink", "statvfs"):
        setattr(Files, name, plain(name, False, ()))
    for name, places in {
        "fsetstat": (), "setstat": (0,), "remove": (0,), "mkdir": (0,), "rmdir": (0,),
        "rename": (0, 1), "posix_rename": (0, 1), "symlink": (1,), "link": (1,),
    }.items():  # fmt: skip
        setattr(Files, name, plain(name, True, places))
    return Files


class Login:
    """The SSH server of a site; `listen` and `close` may be repeated."""

    def __init__(self, address, host_key, authorized_key, root, home, environment, counters, faults):
        self.counters, self.faults = counters, faults
        self._address, self._home, self._root = address, str(home), os.fsencode(root)
        self._environment = environment
        self._host_key = asyncssh.read_private_key(host_key)
        self._authorized = asyncssh.import_authorized_keys(authorized_key)
        self._files = files_of(self)
        self._server = None
        self._connections: set = set()
        self._children: set = set()

    async def listen(self):
        login = self

        class Session(asyncssh.SSHServer):
            def connection_made(self, connection):
                self._connection = connection
                login._connections.add(connection)
                login.counters.note_peer("ssh", connection.get_extra_info("peername"))

            def connection_lost(self, _):
                login._connections.discard(self._connection)

            def begin_auth(self, _):
                self._connection.set_authorized_keys(login._authorized)
                return True

        self._server = await asyncssh.create_server(
            Session, *self._address, server_host_keys=[self._host_key], process_factory=self._run,
            encoding=None, sftp_factory=self._files, password_auth=False, kbdint_auth=False,
            reuse_address=True, backlog=128, login_timeout=60,
        )  # fmt: skip

    async def close(self):
        """Refuse new connections and cut the open ones."""
        if self._server:
            self._server.close()
            self._server = None
        for connection in list(self._connections):
            connection.abort()
        for child in list(self._children):
            _end(child)

    def confine(self, path: bytes) -> None:
        folder, name = os.path.split(os.path.join(os.fsencode(self._home), path))
        full = os.path.join(os.path.realpath(folder), name)  # a link itself may be removed, not followed out
        if full != self._root and not full.startswith(self._root + b"/"):
            raise asyncssh.SFTPPermissionDenied("Permission denied: the lab writes in its own folder only")

    async def _run(self, process):
        command = process.command
        text = command.decode(errors="replace") if isinstance(command, bytes) else command or ""
        name = next((word for word in text.split() if word != "env" and not ASSIGNMENT.match(word)), "sh")
        self.counters.note("exec", not reads_only(text), name)
        if self.faults.as_dict().keys() & SLOW:
            await asyncio.to_thread(self.faults.delay, "exec")
        argv = ["/bin/sh", "-c", command] if command else ["/bin/sh"]
        user = process.get_extra_info("username")
        environment = {**self._environment, "USER": user, "LOGNAME": user}
        pipe = asyncio.subprocess.PIPE
        child = await asyncio.create_subprocess_exec(
            *argv, cwd=self._home, env=environment, start_new_session=True,
            stdin=pipe, stdout=pipe, stderr=pipe,
        )  # fmt: skip
        self._children.add(child)
        try:
            await process.redirect(stdin=child.stdin)
            # Not redirected too: of a command that ends at once, what it said would meet a closed channel and end the
            # connection.
            await asyncio.gather(_carry(child.stdout, process.stdout), _carry(child.stderr, process.stderr))
            status = await child.wait()
            if self.faults.take("lost_answer", text):
                process.channel.get_connection().abort()
            elif status < 0:
                process.exit_with_signal(signal.Signals(-status).name.removeprefix("SIG"))
            else:
                process.exit(status)
        except (BrokenPipeError, asyncssh.Error):
            pass  # whoever asked is gone, and the command is ended below
        finally:
            self._children.discard(child)
            if child.returncode is None:
                _end(child)


async def _carry(source, sink) -> None:
    while piece := await source.read(1 << 16):
        sink.write(piece)
        await sink.drain()


def _end(child) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.killpg(child.pid, signal.SIGKILL)
