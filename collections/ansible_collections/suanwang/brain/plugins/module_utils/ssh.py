# Copyright: SuanWang Brain contributors
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Files and commands at a site, over one SSH connection. Only this file knows the library below.

The host key must stand in the site's known_hosts; the key file is the only credential: no agent, no
configuration and no known hosts of whoever runs us. Bytes are checked by SHA-256 at both ends,
because SFTP's own "continue at the size" trusts whatever part is there (seen: four damaged bytes
kept, exit status 0). Memory is flat: a few MiB for any file.
"""

from __future__ import annotations

import asyncio
import contextlib
import functools
import hashlib
import io
import os
import pathlib
import posixpath
import shlex
import stat
import threading
import time
import weakref
from collections import deque

from .errors import BrainError
from .errors import Corrupt
from .errors import Invalid
from .errors import NotFound
from .errors import QuotaExceeded
from .errors import Refused
from .errors import Timeout
from .errors import Unauthorized
from .errors import Unreachable
from .resources import Dataset

CONNECT_S = 15.0
CALL_S = 60.0
STALL_S = 60.0
TREE_S = 600.0
REPORT_S = 0.5
CHUNK = 1024 * 1024
IN_FLIGHT = 4
#: What a checksum at a site is allowed to take: bytes a second that even a slow disk reads.
SUM_BYTES_A_S = 20_000_000


class Files:
    """Files below the storage root of an SSH endpoint, and commands on its login node.

    Paths are absolute at the site, or relative to the storage root. Safe to carry through a fork: a
    child makes its own connection. One call at a time; calls of several threads wait for each
    other.
    """

    def __init__(self, site, endpoint, *, user, key_path, known_hosts):
        self.site = site
        self.endpoint = endpoint
        self.user = user
        self.key_path = pathlib.Path(key_path)
        self.known_hosts = pathlib.Path(known_hosts)
        self._root = None
        self._own = None

    # -- looking: reconnected once where the connection was lost -----------------------------------
    def root(self):
        """Return the absolute storage root at the site. The first write makes it, not this."""
        if self._root is None:
            stated = self.endpoint.storage.get("root")
            if not stated:
                raise Invalid(
                    f"endpoint {self.endpoint.id} names no storage root.",
                    site=self.site.id,
                    way_out="Add `storage: {root: …}` to the site file.",
                )
            if not stated.startswith("/"):
                home = self._call("SFTP realpath .", lambda s: s.sftp.realpath("."))
                stated = posixpath.join(home, stated)
            self._root = posixpath.normpath(stated)
        return self._root

    def exists(self, path):
        path = self._absolute(path)
        return self._stat(path, self._name("stat", path)) is not None

    def dataset(self, path):
        """Return the Dataset at a path, or None where the site says that there is none."""
        path = self._absolute(path)
        name = self._name("stat", path)
        size = self._size(path, name)
        if size is None:
            return None
        return Dataset(posixpath.basename(path), path, size, self._sha256(path, size, name))

    def read_text(self, path, limit=1024 * 1024):
        """Return the text of a file, or None where the site says that there is none.

        limit: bytes; more is Refused.
        """
        path = self._absolute(path)
        name = self._name("read", path)
        content = self._read(path, name, 0, limit + 1)
        if content is not None and len(content) > limit:
            said = f"the file is larger than {limit} bytes."
            raise Refused(said, site=self.site.id, request=name)
        return None if content is None else content.decode("utf-8", "replace")

    def tail(self, path, lines=20, limit_bytes=64 * 1024):
        """Return the last lines of a file, of its last limit_bytes; none where there is no file."""
        path = self._absolute(path)
        name = self._name("read", path)
        size = self._size(path, name)
        if not size:
            return []
        start = max(0, size - limit_bytes)
        content = self._read(path, name, start, limit_bytes) or b""
        if start:
            content = content.partition(b"\n")[2] or content
        return content.decode("utf-8", "replace").splitlines()[-lines:]

    # -- writing -----------------------------------------------------------------------------------
    def put(self, source, path, *, sha256=None, rate_kbps=None, report=None, check=False):
        """Bring a local file, or bytes, to a path below the root. Return whether it had to.

        sha256: what it must be, here and there; None: what it is here. rate_kbps: kbit/s at most.
        report: called at most twice a second with {bytes, total, percent, rate_kbps, eta_s}. A part
        that an earlier try left is continued if it is a true prefix. Raises Corrupt where bytes
        differ; the part is removed then.
        """
        path = self._below_root(path, "put")
        name = self._name("put", path)
        with self._source(source, name) as stream:
            total = stream.seek(0, os.SEEK_END)
            if sha256 is None:
                sha256 = _local_sha256(stream, total)
            if self._same(path, total, sha256, name):
                return False
            if _local_sha256(stream, total) != sha256:
                raise Corrupt(
                    f"the local file differs from its checksum {sha256}.",
                    site=self.site.id,
                    request=name,
                    way_out="Correct the checksum, or bring back the file; nothing was sent.",
                )
            if not check:
                self._put(stream, total, path, sha256, name, rate_kbps, report)
        return True

    def fetch(self, path, local_path, *, sha256=None, size=None, rate_kbps=None, report=None):
        """Bring a file home. Return whether anything had to be written.

        sha256, size: as stated elsewhere, a result file say; None: as the site says now. It is
        written to `.part` beside the target and renamed when its checksum is right. Raises
        NotFound, or Corrupt where bytes differ.
        """
        path = self._absolute(path)
        name = self._name("fetch", path)
        local = pathlib.Path(local_path)
        there = self._size(path, name)
        if there is None:
            raise NotFound("there is no such file.", site=self.site.id, request=name)
        if size is not None and there != size:
            raise self._corrupt(name, f"the file has {there} bytes, stated were {size}")
        sha256 = sha256 or self._sha256(path, there, name)
        with self._local(name, local):
            if local.is_file() and _file_sha256(local) == sha256:
                return False
            local.parent.mkdir(parents=True, exist_ok=True)
            part = local.with_name(local.name + ".part")
            start = self._local_prefix(part, path, there, name)
            meter = _Meter(there, start, rate_kbps, report)
            with open(part, "r+b" if start else "wb") as stream:
                self._call(name, lambda s: _receive(s.sftp, path, stream, meter), meter=meter)
                stream.flush()
                os.fsync(stream.fileno())
            if _file_sha256(part) != sha256:
                part.unlink()
                raise self._corrupt(name, f"what came differs from the checksum {sha256}")
            part.replace(local)
        return True

    def remove_tree(self, path):
        """Remove a file, or a folder with all in it. Refused unless strictly below the root."""
        path = self._below_root(path, "remove")
        name = self._name("remove", path)
        found = self._stat(path, name)
        if found is None:
            return
        parent = self._call(name, lambda s: s.sftp.realpath(posixpath.dirname(path)))
        root = self._call(name, lambda s: s.sftp.realpath(self.root()))
        if parent != root and not parent.startswith(root + "/"):
            raise Refused(
                "the folder it lies in is a link that leads out of the storage root.",
                site=self.site.id,
                request=name,
            )
        if stat.S_ISDIR(found.permissions or 0):
            tree = os.fsencode(path)
            self._call(name, lambda s: _remove(s.sftp, tree), again=False, timeout_s=TREE_S)
        else:
            self._call(name, lambda s: s.sftp.unlink(path), again=False)

    def run(self, argv, input=None, timeout_s=60):
        """Run a command, quoted word by word. Return (exit_status, stdout, stderr) as text."""
        name = f"SSH {argv[0]}"
        if isinstance(input, str):
            input = input.encode()

        async def work(session):
            done = await session.connection.run(shlex.join(argv), input=input, encoding=None)
            return done.exit_status, done.stdout, done.stderr

        status, out, err = self._call(name, work, again=False, timeout_s=timeout_s)
        return status, out.decode("utf-8", "replace"), err.decode("utf-8", "replace")

    def close(self):
        own, self._own = self._own, None
        if own is not None:
            own.end()

    # -- parts of the above ------------------------------------------------------------------------
    def _put(self, stream, total, path, sha256, name, rate_kbps, report):
        part = f"{path}.part"
        self._call(name, lambda s: _make_folders(s.sftp, posixpath.dirname(path)), again=False)
        start = self._remote_prefix(part, stream, total, name)
        meter = _Meter(total, start, rate_kbps, report)
        self._call(name, lambda s: _send(s.sftp, part, stream, meter), again=False, meter=meter)
        if self._sha256(part, total, name) != sha256:
            self._call(name, lambda s: s.sftp.unlink(part), again=False)
            raise self._corrupt(name, f"what arrived differs from the checksum {sha256}")
        self._call(name, lambda s: _rename(s.sftp, part, path), again=False)

    def _same(self, path, size, sha256, name):
        return self._size(path, name) == size and self._sha256(path, size, name) == sha256

    def _remote_prefix(self, part, stream, total, name):
        """Return how many bytes of a part at the site are true, 0 where none."""
        length = self._size(part, name)
        if not length or length > total:
            return 0
        ours = _local_sha256(stream, length)
        return length if self._sha256(part, length, name) == ours else 0

    def _local_prefix(self, part, path, total, name):
        length = part.stat().st_size if part.is_file() else 0
        if not length or length > total:
            return 0
        with open(part, "rb") as stream:
            ours = _local_sha256(stream, length)
        return length if self._sha256(path, length, name) == ours else 0

    def _stat(self, path, name):
        missing = _asyncssh().SFTPNoSuchFile

        async def work(session):
            try:
                return await session.sftp.lstat(path)
            except missing:
                return None

        return self._call(name, work)

    def _size(self, path, name):
        """Return the size of a file, None where the site says that there is none."""
        missing = _asyncssh().SFTPNoSuchFile

        async def work(session):
            try:
                return await session.sftp.stat(path)
            except missing:
                return None

        found = self._call(name, work)
        if found is None:
            return None
        if stat.S_ISDIR(found.permissions or 0):
            raise Refused(f"{path} is a folder.", site=self.site.id, request=name)
        return found.size

    def _sha256(self, path, length, name):
        """Return the SHA-256 of the first `length` bytes of a file at the site."""
        timeout_s = CALL_S + length / SUM_BYTES_A_S
        return self._call(name, lambda s: s.sha256(path, length), timeout_s=timeout_s)

    def _read(self, path, name, start, length):
        missing = _asyncssh().SFTPNoSuchFile

        async def work(session):
            try:
                async with session.sftp.open(path, "rb") as stream:
                    return await stream.read(length, start)
            except missing:
                return None

        return self._call(name, work)

    # -- paths and sentences -----------------------------------------------------------------------
    def _absolute(self, path):
        return posixpath.normpath(posixpath.join(self.root(), path))

    def _below_root(self, path, verb):
        found = self._absolute(path)
        if not found.startswith(self.root() + "/"):
            raise Refused(
                f"{path} does not lie below the storage root {self.root()}.",
                site=self.site.id,
                request=f"SFTP {verb}",
            )
        return found

    def _name(self, verb, path):
        root = self.root()
        if path.startswith(root + "/"):
            path = posixpath.join(self.endpoint.storage["root"], path[len(root) + 1 :])
        return f"SFTP {verb} {path}"

    def _corrupt(self, name, said):
        return Corrupt(
            f"{said}.",
            site=self.site.id,
            request=name,
            way_out="Try again; if it stays so, look at the storage of the site.",
        )

    @contextlib.contextmanager
    def _source(self, source, name):
        if isinstance(source, (bytes, bytearray)):
            yield io.BytesIO(source)
            return
        with self._local(name, source), open(source, "rb") as stream:
            yield stream

    @contextlib.contextmanager
    def _local(self, name, path):
        try:
            yield
        except OSError as error:
            raise Invalid(
                f"the local file {path}: {error.strerror or error}.",
                site=self.site.id,
                request=name,
                way_out="Check the path, its rights and the space left.",
            ) from error

    # -- the connection ----------------------------------------------------------------------------
    def _call(self, name, work, *, again=True, timeout_s=CALL_S, meter=None):
        """Run `work(session)` on the kept connection. again: once more if it was lost."""
        own = self._own
        if own is None or own.pid != os.getpid():
            if own is not None:
                # The parent's loop shares its epoll with us; even closing it here would deafen the
                # parent.
                _ABANDONED.append(own)
            own = self._own = _Session(self)
        with own.lock:
            old = own.connected
            try:
                return self._once(own, name, work, timeout_s, meter)
            except Unreachable as error:
                if isinstance(error, Timeout) or not (again and old) or own.connected:
                    raise
            return self._once(own, name, work, timeout_s, meter)

    def _once(self, own, name, work, timeout_s, meter):
        library = _asyncssh()
        try:
            return own.run(_watched(own, work, timeout_s, meter))
        except BrainError as error:
            raise error.at(self.site.id, name) from error.__cause__
        except (TimeoutError, library.TimeoutError):
            own.drop()
            raise Timeout("no answer in time.", site=self.site.id, request=name) from None
        except (library.Error, OSError) as error:
            found = self._translate(error, own).at(self.site.id, name)
            if isinstance(found, Unreachable):
                own.drop()
            raise found from error

    def _translate(self, error, own):
        library = _asyncssh()
        text = (getattr(error, "reason", "") or str(error)).rstrip(".") or type(error).__name__
        if isinstance(error, library.SFTPError) and not isinstance(
            error, (library.SFTPConnectionLost, library.SFTPNoConnection)
        ):
            return _sftp_error(error, text)
        if isinstance(error, library.HostKeyNotVerifiable):
            return Unauthorized(
                f"the server is not the one it should be: {text.lower()}.",
                way_out=f"Compare its host key with the site, then put it into {self.known_hosts}.",
            )
        if isinstance(error, library.PermissionDenied):
            return Unauthorized(
                f"the site does not accept our key for user {self.user}.",
                way_out="Have the public key put into its authorized_keys.",
            )
        if isinstance(error, library.ChannelOpenError) and own.connected:
            return Refused(f"the site opens no such channel: {text.lower()}.")
        if isinstance(error, OSError) and error.errno:
            text = os.strerror(error.errno) if error.errno > 0 else "the name does not resolve"
        return Unreachable(f"no answer: {text.lower()}.")

    async def connect(self):
        """Return an open connection; called by the session that keeps it."""
        library = _asyncssh()
        for what, field in (("proxy", self.endpoint.proxy), ("jump", self.endpoint.jump)):
            if field:
                raise Refused(
                    f"endpoint {self.endpoint.id} has `{what}`, which SSH here cannot use yet.",
                    way_out="Name an address that is reached directly.",
                )
        for path, what in ((self.known_hosts, "known_hosts"), (self.key_path, "the private key")):
            if not path.is_file():
                hint = "Put it there; it is never learned."
                raise Invalid(f"{what} is not at {path}.", way_out=hint)
        try:
            hosts = library.read_known_hosts(str(self.known_hosts))
            key = library.read_private_key(str(self.key_path))
        except (library.KeyImportError, ValueError) as error:
            raise Invalid(f"a key of endpoint {self.endpoint.id} does not read: {error}.") from None
        return await library.connect(
            self.endpoint.address,
            self.endpoint.port,
            username=self.user,
            client_keys=[key],
            known_hosts=hosts,
            config=None,
            agent_path=None,
            x509_trusted_certs=None,
            gss_host=None,
            preferred_auth="publickey",
            # First of what both sides know: half the CPU of the default for large files.
            encryption_algs="^aes128-gcm@openssh.com",
            connect_timeout=CONNECT_S,
            login_timeout=CONNECT_S,
            keepalive_interval=15,
            keepalive_count_max=3,
        )


class _Session:
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
        self._finalizer = weakref.finalize(files, _Session.end, self)

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
        self.loop.run_until_complete(_settle(self.loop))
        self.loop.close()

    async def sha256(self, path, length):
        """Return the SHA-256 of the first bytes: reckoned there, else read over SFTP."""
        library = _asyncssh()
        if self.can_run:
            # By a pipe: sha256sum itself escapes some file names in its answer.
            command = f"head -c {length} -- {shlex.quote(path)} | sha256sum"
            try:
                done = await self.connection.run(command, encoding=None)
            except library.ChannelOpenError:
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


_ABANDONED = []


class _Meter:
    """How far a transfer is, how fast it may go, and whom to tell."""

    def __init__(self, total, done, rate_kbps, report):
        self.total = total
        self.done = self.start = done
        self.bytes_a_s = rate_kbps * 125 if rate_kbps else None
        self.report = report
        self.began = self.moved_at = time.monotonic()
        self._free_at = self.began
        self.chunk = CHUNK
        if self.bytes_a_s:
            self.chunk = int(min(CHUNK, max(16384, self.bytes_a_s / 4)))

    async def take(self, count):
        """Wait until `count` bytes more may go: a bucket that holds a quarter of a second."""
        if not self.bytes_a_s:
            return
        now = time.monotonic()
        self._free_at = max(self._free_at, now - 0.25)
        wait, self._free_at = self._free_at - now, self._free_at + count / self.bytes_a_s
        if wait > 0:
            await asyncio.sleep(wait)

    def moved(self, count):
        self.done += count
        self.moved_at = time.monotonic()

    def tell(self):
        if self.report is None:
            return
        took = time.monotonic() - self.began
        speed = (self.done - self.start) / took if took > 0 else 0.0
        left = self.total - self.done
        self.report(
            {
                "bytes": self.done,
                "total": self.total,
                "percent": int(100 * self.done / self.total) if self.total else 100,
                "rate_kbps": int(speed / 125),
                "eta_s": int(left / speed) if speed else None if left else 0,
            }
        )


async def _watched(own, work, timeout_s, meter):
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


async def _send(sftp, part, stream, meter):
    stream.seek(meter.done)
    waiting = deque()
    async with sftp.open(part, "r+b" if meter.done else "wb") as there:
        offset = meter.done
        try:
            while piece := _here(stream.read, meter.chunk):
                await meter.take(len(piece))
                waiting.append((asyncio.ensure_future(there.write(piece, offset)), len(piece)))
                offset += len(piece)
                if len(waiting) >= IN_FLIGHT:
                    await _first(waiting, meter)
            while waiting:
                await _first(waiting, meter)
        finally:
            await _cancel(waiting)


async def _receive(sftp, path, stream, meter):
    stream.seek(meter.done)
    waiting = deque()
    async with sftp.open(path, "rb") as there:
        offset = meter.done
        try:
            while offset < meter.total or waiting:
                while offset < meter.total and len(waiting) < IN_FLIGHT:
                    length = min(meter.chunk, meter.total - offset)
                    await meter.take(length)
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


async def _make_folders(sftp, path):
    missing = []
    while path not in ("", "/") and not await sftp.isdir(path):
        missing.append(path)
        path = posixpath.dirname(path)
    for folder in reversed(missing):
        try:
            await sftp.mkdir(folder)
        except _asyncssh().SFTPError:
            # Another worker may have made it in between.
            if not await sftp.isdir(folder):
                raise


async def _remove(sftp, folder):
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
        await _remove(sftp, path)
    await sftp.rmdir(folder)


async def _rename(sftp, old, new):
    library = _asyncssh()
    try:
        await sftp.posix_rename(old, new)
    except library.SFTPOpUnsupported:
        # Plain rename of SFTP 3 refuses an existing target.
        with contextlib.suppress(library.SFTPNoSuchFile):
            await sftp.unlink(new)
        await sftp.rename(old, new)


async def _settle(loop):
    """Let what was cancelled or aborted end, so that closing the loop warns of nothing."""
    others = [task for task in asyncio.all_tasks(loop) if task is not asyncio.current_task()]
    for task in others:
        task.cancel()
    await asyncio.gather(*others, return_exceptions=True)
    await asyncio.sleep(0)


def _sftp_error(error, text):
    library = _asyncssh()
    if isinstance(error, library.SFTPNoSuchFile):
        return NotFound("there is no such file or folder.")
    if isinstance(error, library.SFTPPermissionDenied):
        way_out = "Check the rights of the storage root."
        return Unauthorized("the site does not let us.", way_out=way_out)
    if isinstance(error, (library.SFTPNoSpaceOnFilesystem, library.SFTPQuotaExceeded)):
        return QuotaExceeded("the storage there is full.", way_out="Make room, or ask for more.")
    return Refused(f"the site says: {text}.")


def _local_sha256(stream, length):
    stream.seek(0)
    digest = hashlib.sha256()
    while length > 0 and (piece := stream.read(min(CHUNK, length))):
        digest.update(piece)
        length -= len(piece)
    return digest.hexdigest()


def _file_sha256(path):
    with open(path, "rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


@functools.cache
def _asyncssh():
    """Return the library. Imported late: it costs 0.2 to 0.3 s, and most processes move no file."""
    try:
        import asyncssh
    except ImportError:
        raise Invalid("the Python library asyncssh is missing.", way_out="Install requirements.txt.") from None
    # It tells of every connection at INFO, which Ansible's log_path would record.
    asyncssh.set_log_level("WARNING")
    return asyncssh
