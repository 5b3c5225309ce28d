# Copyright: SuanWang Brain contributors
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Files by a platform's own file API: chunks up, ranges down.

A platform that states no SHA-256 of what it holds is read back, so what `dataset` says is always what is there. A file
is checked when its chunks have been put together; the job checks its inputs again before it runs.
"""

from __future__ import annotations

import hashlib
import posixpath
import time

from ..errors import NotFound
from ..errors import Refused
from ..files import Meter
from ..files import SiteFiles

PIECE = 8 * 1024 * 1024
CALL_S = 120
TELL_S = 0.5


class PieceMeter(Meter):
    """A meter that tells of itself as it moves, and asks for pieces that keep its rate even."""

    _next = 0.0

    def piece(self, largest):
        return int(max(65536, min(largest, self.bytes_a_s / 4))) if self.bytes_a_s else largest

    def moved(self, count):
        super().moved(count)
        if self.moved_at >= self._next:
            self._next = self.moved_at + TELL_S
            self.tell()


class ApiFiles(SiteFiles):
    """Files below the storage root of a platform endpoint. talk: the conversation with it."""

    CARRIER = "API"
    METER = PieceMeter

    def __init__(self, site, endpoint, talk):
        super().__init__(site, endpoint)
        self.talk = talk
        self.chunk = int(talk.profile.get("chunk_mib", 8) * 1024 * 1024)

    def close(self):
        """Nothing is kept open here but the session of the connection, which others use too."""

    def remove_tree(self, path):
        """Remove a file, or a folder with all in it. Refused unless strictly below the root."""
        path = self._below_root(path, "remove")
        if self._there(path, self._name("remove", path)):
            self.talk.call("remove", path=path)

    def remove_if_empty(self, path):
        """Remove a folder that holds nothing; return whether it did. Never where the platform might remove more."""
        path = self._below_root(path, "remove")
        if not self.talk.can("remove_empty"):
            return False
        try:
            self.talk.call("remove_empty", path=path)
        except (NotFound, Refused):
            return False
        return True

    # -- the steps that differ -----------------------------------------------------------------------
    def _home(self):
        home = self.talk.row("home", "home")["path"]
        if not isinstance(home, str) or not home.startswith("/"):
            raise Refused(
                "the platform names no home folder of ours.",
                site=self.site.id,
                way_out="Let `storage.root` in the site file be absolute.",
            )
        return home

    def _stat(self, path):
        """Return {size, sha256, folder} of what is there, or None where the platform says that there is nothing."""
        try:
            found = self.talk.row("stat", "file", path=path)
        except NotFound:
            return None
        return found if found.get("there", True) else None

    def _there(self, path, name):
        return self._stat(path) is not None

    def _size(self, path, name):
        found = self._stat(path)
        if found is None:
            return None
        if found.get("folder"):
            raise Refused(f"{path} is a folder.", site=self.site.id, request=name)
        return int(found["size"])

    def _sha256(self, path, length, name):
        """Return the SHA-256 of the first `length` bytes: stated by the platform for the whole, else read back."""
        found = self._stat(path) or {}
        if found.get("sha256") and int(found["size"]) == length:
            return found["sha256"].lower()
        digest, at = hashlib.sha256(), 0
        while at < length and (piece := self._read(path, name, at, min(PIECE, length - at))):
            digest.update(piece)
            at += len(piece)
        return digest.hexdigest()

    def _read(self, path, name, start, length):
        """Return the bytes of a range, fewer at the end of the file; None where there is no file."""
        if not length:
            return b""
        try:
            last = start + length - 1
            answer = self.talk.call(
                "download", raw=True, timeout_s=CALL_S, path=path, first=start, last=last, length=length
            )
        except NotFound:
            return None
        except Refused as error:
            if error.details.get("number") == "http_416":  # the range begins at the end: nothing is there
                return b""
            raise
        # 206 is the range; a platform that does not know ranges answers 200 with the whole file.
        asked = "Range" in self.talk.profile["paths"]["download"].get("headers", {})
        whole = asked and answer.status == 200
        return answer.content[start : start + length] if whole else answer.content[:length]

    def _put(self, stream, total, path, sha256, name, rate_kbps, report):
        folder, file = posixpath.split(path)
        self.talk.call("mkdir", path=folder)
        meter = self.METER(total, 0, rate_kbps, report)
        size = meter.piece(self.chunk)
        # The same content to the same place is the same upload: an interrupted one goes on.
        upload = hashlib.sha256(f"{path}\n{sha256}\n{size}".encode()).hexdigest()[:32]
        chunks = max(1, -(-total // size))
        facts = {"path": path, "folder": folder, "file": file, "size": total, "sha256": sha256, "upload": upload,
                 "chunks": chunks, "chunk_size": size}  # fmt: skip
        there = self._parts(facts)
        for number in range(1, chunks + 1):
            start = (number - 1) * size
            length = min(size, total - start)
            if number not in there:
                stream.seek(start)
                time.sleep(meter.pause_s(length))
                self.talk.call(
                    "upload", timeout_s=CALL_S, part=stream.read(length), number=number, offset=start, **facts
                )
            meter.moved(length)
        if self.talk.can("merge"):
            self.talk.call("merge", timeout_s=CALL_S, number=chunks, offset=0, **facts)
        meter.tell()
        if self._size(path, name) != total or self._sha256(path, total, name) != sha256:
            self.talk.call("remove", path=path)
            raise self._corrupt(name, f"what arrived differs from the checksum {sha256}")

    def _parts(self, facts):
        """Return the numbers, from 1, of the chunks that an earlier try left."""
        if not self.talk.can("parts"):
            return set()
        found = self.talk.row("parts", "parts", number=0, offset=0, **facts)["numbers"]
        return {int(number) for number in found or ()}

    def _local_prefix(self, part, path, total, name):
        # Comparing would cost what it spares; the checksum at the end judges both halves.
        length = part.stat().st_size if part.is_file() else 0
        return length if length <= total else 0

    def _receive(self, path, stream, meter, name):
        stream.seek(meter.done)
        while meter.done < meter.total:
            length = min(meter.piece(PIECE), meter.total - meter.done)
            time.sleep(meter.pause_s(length))
            piece = self._read(path, name, meter.done, length)
            if not piece or len(piece) != length:
                raise self._corrupt(name, "the file became shorter while it was read")
            stream.write(piece)
            meter.moved(length)
        meter.tell()
