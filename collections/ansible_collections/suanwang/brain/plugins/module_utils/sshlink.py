# Copyright: SuanWang Brain contributors
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The connection below ssh.Files: one process's loop, transfers with a meter, and what SFTP lacks.

With ssh.py the only file that knows the library below it.
"""

from __future__ import annotations

import asyncio
import contextlib
import functools
import hashlib
import os
import posixpath
import shlex
import socket
import stat
import threading
import time
import weakref
from collections import deque
from urllib.parse import urlsplit

from .errors import Corrupt
from .errors import Invalid
from .errors import NotFound
from .errors import QuotaExceeded
from .errors import Refused
from .errors import Timeout
from .errors import Unauthorized
from .errors import Unreachable
from .files import CHUNK

CONNECT_S = 15.0
STALL_S = 60.0
REPORT_S = 0.5
IN_FLIGHT = 4
PROXY_HEAD_BYTES = 16384


class Session:
    """One process's loop and connection. The loop runs only inside a call."""

    def __init__(self, files):
        self.pid = os.getpid()
        self.lock = threading.RLock()
        self.connect = weakref.WeakMethod(files.connect)
        self.connection = None
        self.sftp = None
        self.can_run = True
        self.loop = asyncio.new_event_loop()
        # What matters is awaited; the library leaves side tasks of a cut transfer to be complained of.
        self.loop.set_exception_handler(lambda loop, context: None)
        # A loop that nobody closed warns when it is collected; the files may be dropped without
        # close().
        self._finalizer = weakref.finalize(files, Session.end, self)

    @property
    def connected(self):
        return self.connection is not None and not self.connection.is_closed()

    def run(self, coroutine):
        task = self.loop.create_task(coroutine)
        try:
            return self.loop.run_until_complete(task)
        except BaseException:
            task.cancel()
            raise

    async def ready(self):
        # The loop stood still since the last call: let it notice what ended meanwhile.
        for _turn in range(3):
            await asyncio.sleep(0)
        if self.connected and self.sftp is not None:
            return
        self.drop()
        self.connection = await self.connect()()
        self.sftp = await self.connection.start_sftp_client()

    def drop(self):
        connection, self.connection, self.sftp = self.connection, None, None
        if connection is not None:
            connection.abort()

    def end(self):
        self._finalizer.detach()
        if self.pid != os.getpid() or self.loop.is_closed():
            return
        self.drop()
        try:
            asyncio.get_running_loop()
        except RuntimeError:
            self.loop.run_until_complete(_settle(self.loop))
        else:
            # The files were collected while the loop of another session runs in this thread.
            settling = threading.Thread(target=lambda: self.loop.run_until_complete(_settle(self.loop)))
            settling.start()
            settling.join()
        self.loop.close()

    async def sha256(self, path, length):
        """Return the SHA-256 of the first bytes: reckoned there, else read over SFTP."""
        ssh = library()
        if self.can_run:
            # By a pipe: sha256sum itself escapes some file names in its answer.
            command = f"head -c {length} -- {shlex.quote(path)} | sha256sum"
            try:
                done = await self.connection.run(command, encoding=None)
            except ssh.ChannelOpenError:
                done = None
            digest = (done.stdout if done else b"")[:64].decode("ascii", "replace")
            if done and done.exit_status == 0 and len(digest) == 64 and not done.stderr:
                return digest
            # Only a login without commands is remembered, not one file that could not be read.
            self.can_run = done is not None and done.exit_status not in (126, 127)
        digest = hashlib.sha256()
        async with self.sftp.open(path, "rb") as stream:
            offset = 0
            while offset < length:
                piece = await stream.read(min(CHUNK, length - offset), offset)
                if not piece:
                    break
                digest.update(piece)
                offset += len(piece)
        return digest.hexdigest()

    async def execute(self, line, data, limit):
        """Run a command line with `data` as its input; return (exit status or None, stdout, stderr) as bytes."""
        async with self.connection.create_process(line, encoding=None) as process:

            async def feed():
                # A command that does not read its input to the end is not to blame.
                with contextlib.suppress(OSError):
                    process.stdin.write(data)
                    await process.stdin.drain()
                    process.stdin.write_eof()

            async def take(stream):
                found = bytearray()
                while piece := await stream.read(CHUNK):
                    found += piece
                    if len(found) > limit:
                        process.channel.abort()
                        raise Refused(f"it answers with more than {limit} bytes.", way_out="Ask for less.")
                return bytes(found)

            _fed, out, err = await asyncio.gather(feed(), take(process.stdout), take(process.stderr))
            await process.wait_closed()
        status = process.returncode
        return 128 - status if status is not None and status < 0 else status, out, err

    async def sha256s(self, path, length, block):
        """Return the SHA-256 of each block of the first `length` bytes, in one command, else read over SFTP."""
        digests, count = [], -(-length // block)
        if self.can_run:
            piece = f"tail -c +$((i * {block} + 1)) -- {shlex.quote(path)} | head -c {block} | sha256sum"
            # The last block ends with `length`, whatever the file has behind it.
            last = f"tail -c +{(count - 1) * block + 1} -- {shlex.quote(path)} | head -c {length - (count - 1) * block}"
            command = f"i=0; while [ $i -lt {count - 1} ]; do {piece}; i=$((i + 1)); done; {last} | sha256sum"
            done = await self.connection.run(command, encoding=None)
            digests = [line[:64].decode("ascii", "replace") for line in done.stdout.splitlines()]
            if len(digests) == count and all(len(digest) == 64 for digest in digests):
                return digests
        digests = []
        async with self.sftp.open(path, "rb") as stream:
            for start in range(0, length, block):
                digest, offset, end = hashlib.sha256(), start, min(start + block, length)
                while offset < end and (piece := await stream.read(min(CHUNK, end - offset), offset)):
                    digest.update(piece)
                    offset += len(piece)
                digests.append(digest.hexdigest())
        return digests


async def watched(own, work, timeout_s, meter):
    """Connect if need be and work: within timeout_s, or, with a meter, while it moves."""
    await asyncio.wait_for(own.ready(), CONNECT_S + 5)
    if meter is None:
        return await asyncio.wait_for(work(own), timeout_s)
    task = asyncio.ensure_future(work(own))
    meter.began = meter.moved_at = time.monotonic()
    try:
        while not (await asyncio.wait({task}, timeout=REPORT_S))[0]:
            if time.monotonic() - meter.moved_at > STALL_S:
                raise Timeout(
                    f"nothing moved for {STALL_S:.0f} s; what arrived is kept.",
                    way_out="Run it again: it goes on from there.",
                )
            meter.tell()
    finally:
        if not task.done():
            # Even closing the file waits for the answers that do not come.
            own.drop()
            task.cancel()
            await asyncio.wait({task}, timeout=5)
    result = task.result()
    meter.tell()
    return result


async def send(sftp, part, stream, meter):
    stream.seek(meter.done)
    waiting = deque()
    async with sftp.open(part, "r+b" if meter.done else "wb") as there:
        offset = meter.done
        try:
            while piece := _here(stream.read, meter.chunk):
                await asyncio.sleep(meter.pause_s(len(piece)))
                waiting.append((asyncio.ensure_future(there.write(piece, offset)), len(piece)))
                offset += len(piece)
                if len(waiting) >= IN_FLIGHT:
                    await _first(waiting, meter)
            while waiting:
                await _first(waiting, meter)
        finally:
            await _cancel(waiting)


async def receive(sftp, path, stream, meter):
    stream.seek(meter.done)
    waiting = deque()
    async with sftp.open(path, "rb") as there:
        offset = meter.done
        try:
            while offset < meter.total or waiting:
                while offset < meter.total and len(waiting) < IN_FLIGHT:
                    length = min(meter.chunk, meter.total - offset)
                    await asyncio.sleep(meter.pause_s(length))
                    waiting.append((asyncio.ensure_future(there.read(length, offset)), length))
                    offset += length
                piece = await _first(waiting, meter)
                _here(stream.write, piece)
        finally:
            await _cancel(waiting)


def _here(act, argument):
    """Read or write a local file; trouble with it must not look like trouble of the network."""
    try:
        return act(argument)
    except OSError as error:
        raise Invalid(f"the local file: {error.strerror or error}.") from error


async def _first(waiting, meter):
    task, length = waiting[0]
    result = await task
    waiting.popleft()
    if isinstance(result, bytes) and len(result) != length:
        raise Corrupt("the file became shorter while it was read.", way_out="Try again.")
    meter.moved(length)
    return result


async def _cancel(waiting):
    for task, _length in waiting:
        task.cancel()
    await asyncio.gather(*(task for task, _length in waiting), return_exceptions=True)


async def make_folders(sftp, path):
    missing = []
    while path not in ("", "/") and not await sftp.isdir(path):
        missing.append(path)
        path = posixpath.dirname(path)
    for folder in reversed(missing):
        try:
            await sftp.mkdir(folder)
        except library().SFTPError:
            # Another worker may have made it in between.
            if not await sftp.isdir(folder):
                raise


async def remove_folder(sftp, folder):
    """Remove a folder. By bytes: a job may leave names that are no UTF-8, or hold a backslash."""
    files, folders = [], []
    async for entry in sftp.scandir(folder):
        if entry.filename not in (b".", b".."):
            # A link is removed, never followed.
            kind = folders if stat.S_ISDIR(entry.attrs.permissions or 0) else files
            kind.append(posixpath.join(folder, entry.filename))
    for start in range(0, len(files), 64):
        done = [sftp.unlink(path) for path in files[start : start + 64]]
        for result in await asyncio.gather(*done, return_exceptions=True):
            if isinstance(result, BaseException):
                raise result
    for path in folders:
        await remove_folder(sftp, path)
    await sftp.rmdir(folder)


async def rename(sftp, old, new):
    ssh = library()
    try:
        await sftp.posix_rename(old, new)
    except ssh.SFTPOpUnsupported:
        # Plain rename of SFTP 3 refuses an existing target.
        with contextlib.suppress(ssh.SFTPNoSuchFile):
            await sftp.unlink(new)
        await sftp.rename(old, new)


async def _settle(loop):
    """Let what was cancelled or aborted end, so that closing the loop warns of nothing."""
    others = [task for task in asyncio.all_tasks(loop) if task is not asyncio.current_task()]
    for task in others:
        task.cancel()
    await asyncio.gather(*others, return_exceptions=True)
    await asyncio.sleep(0)


def sftp_error(error, text):
    ssh = library()
    if isinstance(error, ssh.SFTPNoSuchFile):
        return NotFound("there is no such file or folder.")
    if isinstance(error, ssh.SFTPPermissionDenied):
        way_out = "Check the rights of the storage root."
        return Unauthorized("the site does not let us.", way_out=way_out)
    if isinstance(error, (ssh.SFTPNoSpaceOnFilesystem, ssh.SFTPQuotaExceeded)):
        return QuotaExceeded("the storage there is full.", way_out="Make room, or ask for more.")
    return Refused(f"the site says: {text}.")


async def through_proxy(proxy, address, port, timeout_s=CONNECT_S):
    """Return a connected socket to an address through an HTTP proxy, by CONNECT; raise Unreachable or Refused."""
    parts = urlsplit(proxy)
    where = f"{parts.hostname}:{parts.port or 3128}"
    loop = asyncio.get_running_loop()
    found = await loop.getaddrinfo(parts.hostname, parts.port or 3128, type=socket.SOCK_STREAM)
    link = socket.socket(found[0][0], socket.SOCK_STREAM)
    link.setblocking(False)
    host = f"[{address}]:{port}" if ":" in address else f"{address}:{port}"

    async def ask():
        await loop.sock_connect(link, found[0][4])
        await loop.sock_sendall(link, f"CONNECT {host} HTTP/1.1\r\nHost: {host}\r\n\r\n".encode())
        head = b""
        # Byte by byte: what follows the empty line is the server's, and not ours to take.
        while not head.endswith(b"\r\n\r\n") and len(head) < PROXY_HEAD_BYTES:
            piece = await loop.sock_recv(link, 1)
            if not piece:
                break
            head += piece
        return head.split(b"\r\n", 1)[0].decode("ascii", "replace")

    try:
        said = await asyncio.wait_for(ask(), timeout_s)
    except (OSError, TimeoutError) as error:
        link.close()
        why = "not in time" if isinstance(error, TimeoutError) else (error.strerror or "refused").lower()
        raise Unreachable(f"the proxy {where} does not answer: {why}.", way_out="Correct `proxy`.") from None
    if said.split(" ")[1:2] != ["200"]:
        link.close()
        raise Refused(f"the proxy {where} opens no way: {said or 'no answer'}.", way_out="Have it allow that port.")
    return link


def host_key(address, port, known_hosts, timeout_s=CONNECT_S):
    """Return (fingerprint, whether known_hosts has it) of the server at an address; nobody logs in.

    Raises Unreachable where no key came, Invalid for a file of known hosts that does not read.
    """
    ssh = library()
    try:
        known = ssh.read_known_hosts(str(known_hosts)).match(address, address, port)[0]
    except (OSError, ValueError):
        raise Invalid(f"the host keys in {known_hosts} do not read.") from None
    algorithms = [name.decode() for key in known for name in key.sig_algorithms]
    wanted = {"server_host_key_algs": list(dict.fromkeys(algorithms))} if algorithms else {}

    async def ask():
        asked = ssh.get_server_host_key(address, port, config=None, **wanted)
        return await asyncio.wait_for(asked, timeout_s)

    try:
        key = asyncio.run(ask())
    except (ssh.Error, OSError, TimeoutError) as error:
        raise Unreachable(f"it shows no host key: {str(error).rstrip('.').lower() or 'not in time'}.") from None
    return key.get_fingerprint(), any(key.public_data == one.public_data for one in known)


@functools.cache
def library():
    """Return the library. Imported at first use: it costs 0.2 to 0.3 s."""
    try:
        import asyncssh
    except ImportError:
        raise Invalid("the Python library asyncssh is missing.", way_out="Install requirements.txt.") from None
    # It tells of every connection at INFO, which Ansible's log_path would record.
    asyncssh.set_log_level("WARNING")
    return asyncssh


def preload():
    """Import the library now, and what its first connection would load, so that forked workers inherit it."""
    library().generate_private_key("ssh-ed25519").sign(b"", b"ssh-ed25519")
