# Copyright: SuanWang Brain contributors
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Files and commands at a site, over one SSH connection. Only this file and sshlink.py know the library below.

The host key must stand in the site's known_hosts; the key file is the only credential: no agent, no
configuration and no known hosts of whoever runs us. Bytes are checked by SHA-256 at both ends,
because SFTP's own "continue at the size" trusts whatever part is there (seen: four damaged bytes
kept, exit status 0). Memory is flat: a few MiB for any file.
"""

from __future__ import annotations

import contextlib
import io
import os
import pathlib
import posixpath
import shlex
import stat

from .errors import BrainError
from .errors import Corrupt
from .errors import Invalid
from .errors import NotFound
from .errors import Refused
from .errors import Timeout
from .errors import Unauthorized
from .errors import Unreachable
from .resources import Dataset
from .sshlink import CHUNK
from .sshlink import CONNECT_S
from .sshlink import file_sha256
from .sshlink import library
from .sshlink import local_sha256
from .sshlink import local_sha256s
from .sshlink import make_folders
from .sshlink import Meter
from .sshlink import receive
from .sshlink import remove_folder
from .sshlink import rename
from .sshlink import send
from .sshlink import Session
from .sshlink import sftp_error
from .sshlink import watched

CALL_S = 60.0
TREE_S = 600.0
#: What a checksum at a site is allowed to take: bytes a second that even a slow disk reads.
SUM_BYTES_A_S = 20_000_000
#: Where a part is not a true prefix, it is compared in at most so many blocks: what is good of it is kept.
BLOCKS = 256
#: What a command may answer. More is no answer that anybody reads.
OUTPUT_BYTES = 16 * 1024 * 1024


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

    def more(self, path, position, limit_bytes=64 * 1024):
        """Return (text, new position) of what stands behind a position of a file; ("", position) where nothing does.

        position: bytes; None: the last limit_bytes from the beginning of a line. Only whole lines are returned, but
        for a line longer than limit_bytes.
        """
        path = self._absolute(path)
        name = self._name("read", path)
        start = position
        if start is None:
            start = max(0, (self._size(path, name) or 0) - limit_bytes)
        content = self._read(path, name, start, limit_bytes) or b""
        whole = content[: content.rfind(b"\n") + 1] or (content if len(content) == limit_bytes else b"")
        shown = whole.partition(b"\n")[2] if position is None and start else whole
        return shown.decode("utf-8", "replace"), start + len(whole)

    # -- writing -----------------------------------------------------------------------------------
    def put(self, source, path, *, sha256=None, rate_kbps=None, report=None, check=False):
        """Bring a local file, or bytes, to a path below the root. Return whether it had to.

        sha256: what it must be, here and there; None: what it is here. rate_kbps: kbit/s at most.
        report: called at most twice a second with {bytes, total, percent, rate_kbps, eta_s}. A part
        that an earlier try left is continued at its last good block. Raises Corrupt where bytes
        differ; the part is removed then.
        """
        path = self._below_root(path, "put")
        name = self._name("put", path)
        with self._source(source, name) as stream:
            total = stream.seek(0, os.SEEK_END)
            if sha256 is None:
                sha256 = local_sha256(stream, total)
            if self._same(path, total, sha256, name):
                return False
            if local_sha256(stream, total) != sha256:
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
            if local.is_file() and file_sha256(local) == sha256:
                return False
            local.parent.mkdir(parents=True, exist_ok=True)
            part = local.with_name(local.name + ".part")
            start = self._local_prefix(part, path, there, name)
            meter = Meter(there, start, rate_kbps, report)
            with open(part, "r+b" if start else "wb") as stream:
                self._call(name, lambda s: receive(s.sftp, path, stream, meter), meter=meter)
                stream.flush()
                os.fsync(stream.fileno())
            if file_sha256(part) != sha256:
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
            self._call(name, lambda s: remove_folder(s.sftp, tree), again=False, timeout_s=TREE_S)
        else:
            self._call(name, lambda s: s.sftp.unlink(path), again=False)

    def run(self, argv, input=None, timeout_s=60, environment=None, limit=OUTPUT_BYTES):
        """Run a command, quoted word by word. Return (exit_status, stdout, stderr) as text.

        limit: bytes of each; more is Refused, and the command ended. exit_status: 128 + n for signal n; None where
        the site did not say. Nothing secret may stand in argv or environment: everybody at the site can read them.
        """
        name = f"SSH {argv[0]}"
        if isinstance(input, str):
            input = input.encode()
        # By env(1): a server accepts only those variables that its administrator allows.
        before = ("env", *(f"{key}={value}" for key, value in environment.items())) if environment else ()
        line = shlex.join((*before, *argv))
        done = self._call(name, lambda s: s.execute(line, input or b"", limit), again=False, timeout_s=timeout_s)
        return done[0], *(text.decode("utf-8", "replace") for text in done[1:])

    def close(self):
        own, self._own = self._own, None
        if own is not None:
            own.end()

    # -- parts of the above ------------------------------------------------------------------------
    def _put(self, stream, total, path, sha256, name, rate_kbps, report):
        part = f"{path}.part"
        self._call(name, lambda s: make_folders(s.sftp, posixpath.dirname(path)), again=False)
        start = self._remote_prefix(part, stream, total, name)
        meter = Meter(total, start, rate_kbps, report)
        self._call(name, lambda s: send(s.sftp, part, stream, meter), again=False, meter=meter)
        if self._sha256(part, total, name) != sha256:
            self._call(name, lambda s: s.sftp.unlink(part), again=False)
            raise self._corrupt(name, f"what arrived differs from the checksum {sha256}")
        self._call(name, lambda s: rename(s.sftp, part, path), again=False)

    def _same(self, path, size, sha256, name):
        return self._size(path, name) == size and self._sha256(path, size, name) == sha256

    def _remote_prefix(self, part, stream, total, name):
        """Return how many bytes of a part at the site are true, 0 where none."""
        length = self._size(part, name)
        if not length or length > total:
            return 0
        return self._true_length(stream, part, length, name)

    def _local_prefix(self, part, path, total, name):
        length = part.stat().st_size if part.is_file() else 0
        if not length or length > total:
            return 0
        with open(part, "rb") as stream:
            return self._true_length(stream, path, length, name)

    def _true_length(self, stream, path, length, name):
        """Return how many of the first `length` bytes here and there are the same, up to the last good block."""
        if self._sha256(path, length, name) == local_sha256(stream, length):
            return length
        block = CHUNK * max(1, -(-length // (CHUNK * BLOCKS)))
        timeout_s = CALL_S + length / SUM_BYTES_A_S
        theirs = self._call(name, lambda s: s.sha256s(path, length, block), timeout_s=timeout_s)
        good = 0
        for mine, other in zip(local_sha256s(stream, length, block), theirs, strict=False):
            if mine != other:
                break
            good += 1
        return min(good * block, length)

    def _stat(self, path, name):
        missing = library().SFTPNoSuchFile

        async def work(session):
            try:
                return await session.sftp.lstat(path)
            except missing:
                return None

        return self._call(name, work)

    def _size(self, path, name):
        """Return the size of a file, None where the site says that there is none."""
        missing = library().SFTPNoSuchFile

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
        missing = library().SFTPNoSuchFile

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
            own = self._own = Session(self)
        with own.lock:
            old = own.connected
            try:
                return self._once(own, name, work, timeout_s, meter)
            except Unreachable as error:
                if isinstance(error, Timeout) or not (again and old) or own.connected:
                    raise
            return self._once(own, name, work, timeout_s, meter)

    def _once(self, own, name, work, timeout_s, meter):
        ssh = library()
        try:
            return own.run(watched(own, work, timeout_s, meter))
        except BrainError as error:
            raise error.at(self.site.id, name) from error.__cause__
        except (TimeoutError, ssh.TimeoutError):
            own.drop()
            raise Timeout("no answer in time.", site=self.site.id, request=name) from None
        except (ssh.Error, OSError) as error:
            found = self._translate(error, own).at(self.site.id, name)
            if isinstance(found, Unreachable):
                own.drop()
            raise found from error

    def _translate(self, error, own):
        ssh = library()
        text = (getattr(error, "reason", "") or str(error)).rstrip(".") or type(error).__name__
        if isinstance(error, ssh.SFTPError) and not isinstance(error, (ssh.SFTPConnectionLost, ssh.SFTPNoConnection)):
            return sftp_error(error, text)
        if isinstance(error, ssh.HostKeyNotVerifiable):
            return Unauthorized(
                f"the server is not the one it should be: {text.lower()}.",
                way_out=f"Compare its host key with the site, then put it into {self.known_hosts}.",
            )
        if isinstance(error, ssh.PermissionDenied):
            return Unauthorized(
                f"the site does not accept our key for user {self.user}.",
                way_out=f"Have the public key of credential file {self.key_path.name} put into its authorized_keys.",
            )
        if isinstance(error, ssh.ChannelOpenError) and own.connected:
            return Refused(f"the site opens no such channel: {text.lower()}.")
        if isinstance(error, OSError) and error.errno:
            text = os.strerror(error.errno) if error.errno > 0 else "the name does not resolve"
        return Unreachable(f"no answer: {text.lower()}.")

    async def connect(self):
        """Return an open connection; called by the session that keeps it."""
        ssh = library()
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
            hosts = ssh.read_known_hosts(str(self.known_hosts))
            key = ssh.read_private_key(str(self.key_path))
        except (ssh.KeyImportError, ValueError) as error:
            raise Invalid(f"a key of endpoint {self.endpoint.id} does not read: {error}.") from None
        return await ssh.connect(
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


# What a forked child must neither use nor close.
_ABANDONED = []
