# Copyright: SuanWang Brain contributors
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What moving files to and from a site is, whatever carries them: paths, checksums, resuming, pace.

Bytes are checked by SHA-256 at both ends. A transport is a subclass with the few steps that differ (`ssh.Files`, and
that of a platform's own file API).
"""

from __future__ import annotations

import contextlib
import hashlib
import io
import os
import pathlib
import posixpath
import time

from .errors import Corrupt
from .errors import Invalid
from .errors import NotFound
from .errors import Refused
from .resources import Dataset

CHUNK = 1024 * 1024
#: Where a part is not a true prefix, it is compared in at most so many blocks: what is good of it is kept.
BLOCKS = 256


class Meter:
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

    def pause_s(self, count):
        """Return how long to wait until `count` bytes more may go: a bucket that holds a quarter of a second."""
        if not self.bytes_a_s:
            return 0.0
        now = time.monotonic()
        self._free_at = max(self._free_at, now - 0.25)
        wait, self._free_at = self._free_at - now, self._free_at + count / self.bytes_a_s
        return max(0.0, wait)

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


class SiteFiles:
    """Files below the storage root of an endpoint.

    Paths are absolute at the site, or relative to the storage root. CARRIER: what errors call the transport. A subclass
    has `_home`, `_there`, `_size`, `_sha256`, `_sha256s`, `_read`, `_put`, `_receive`, `remove_tree`,
    `remove_if_empty` and `close`.
    """

    CARRIER = ""
    METER = Meter

    def __init__(self, site, endpoint):
        self.site = site
        self.endpoint = endpoint
        self._root = None

    # -- looking -----------------------------------------------------------------------------------
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
                stated = posixpath.join(self._home(), stated)
            self._root = posixpath.normpath(stated)
        return self._root

    def exists(self, path):
        path = self._absolute(path)
        return self._there(path, self._name("stat", path))

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
            meter = self.METER(there, start, rate_kbps, report)
            with open(part, "r+b" if start else "wb") as stream:
                self._receive(path, stream, meter, name)
                stream.flush()
                os.fsync(stream.fileno())
            if file_sha256(part) != sha256:
                part.unlink()
                raise self._corrupt(name, f"what came differs from the checksum {sha256}")
            part.replace(local)
        return True

    # -- parts of the above ------------------------------------------------------------------------
    def _same(self, path, size, sha256, name):
        return self._size(path, name) == size and self._sha256(path, size, name) == sha256

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
        theirs = self._sha256s(path, length, block, name)
        good = 0
        for mine, other in zip(local_sha256s(stream, length, block), theirs, strict=False):
            if mine != other:
                break
            good += 1
        return min(good * block, length)

    # -- paths and sentences -----------------------------------------------------------------------
    def _absolute(self, path):
        return posixpath.normpath(posixpath.join(self.root(), path))

    def _below_root(self, path, verb):
        found = self._absolute(path)
        if not found.startswith(self.root() + "/"):
            raise Refused(
                f"{path} does not lie below the storage root {self.root()}.",
                site=self.site.id,
                request=f"{self.CARRIER} {verb}",
            )
        return found

    def _name(self, verb, path):
        root = self.root()
        if path.startswith(root + "/"):
            path = posixpath.join(self.endpoint.storage["root"], path[len(root) + 1 :])
        return f"{self.CARRIER} {verb} {path}"

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


def local_sha256(stream, length):
    stream.seek(0)
    digest = hashlib.sha256()
    while length > 0 and (piece := stream.read(min(CHUNK, length))):
        digest.update(piece)
        length -= len(piece)
    return digest.hexdigest()


def local_sha256s(stream, length, block):
    """Yield the SHA-256 of each block of the first `length` bytes of a local file."""
    for start in range(0, length, block):
        digest, left = hashlib.sha256(), min(block, length - start)
        stream.seek(start)
        while left > 0 and (piece := stream.read(min(CHUNK, left))):
            digest.update(piece)
            left -= len(piece)
        yield digest.hexdigest()


def file_sha256(path):
    with open(path, "rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()
