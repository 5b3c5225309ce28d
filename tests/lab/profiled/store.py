"""The files of a stand-in: what its file API does to the folder that its jobs work in, and to nothing else."""

import hashlib
import os
import shutil
from pathlib import Path

from tests.lab.profiled.house import Refusal


class Store:
    def __init__(self, folder: Path, home: Path, faults):
        self.folder, self.home, self.faults = os.path.realpath(folder), str(home), faults
        self.parts = Path(folder) / "parts"

    def _own(self, path: str) -> Path:
        """Return a path below the site's folder; a lab must not be able to harm its host."""
        full = os.path.realpath(os.path.join(self.home, path))
        if not full.startswith(self.folder + "/"):
            raise Refusal("not_allowed", f"{path} is not yours")
        return Path(full)

    def stat(self, path: str) -> dict:
        found = self._own(path)
        if not found.exists():
            raise Refusal("no_file", f"{path} does not exist")
        return {"name": found.name, "folder": found.is_dir(), "size": found.stat().st_size}

    def sha256(self, path: str) -> str | None:
        found = self._own(path)
        return hashlib.sha256(found.read_bytes()).hexdigest() if found.is_file() else None

    def mkdir(self, path: str) -> None:
        found = self._own(path)
        if found.is_dir():
            raise Refusal("file_exists", f"{path} exists")
        found.mkdir(parents=True)

    def upload(self, upload: str, number: int, data: bytes) -> None:
        if self.faults.take("disk_full"):
            raise Refusal("full", "no space left on device")
        if data and self.faults.take("corrupt"):
            data = bytes([data[0] ^ 1]) + data[1:]
        folder = self.parts / Path(upload).name
        folder.mkdir(parents=True, exist_ok=True)
        part = folder / f".{number}"
        part.write_bytes(data)
        part.replace(folder / str(number))

    def uploaded(self, upload: str) -> list[int]:
        folder = self.parts / Path(upload).name
        return sorted(int(p.name) for p in folder.iterdir() if p.name.isdigit()) if folder.is_dir() else []

    def merge(self, upload: str, chunks: int, path: str) -> None:
        """Put the chunks together at `path`, in one step, and forget them."""
        if self.uploaded(upload) != list(range(1, chunks + 1)):
            raise Refusal("parts_missing", "chunks are missing")
        target, folder = self._own(path), self.parts / Path(upload).name
        if not target.parent.is_dir():
            raise Refusal("no_file", f"{target.parent} does not exist")
        whole = target.with_name(f".{target.name}.merging")
        with open(whole, "wb") as stream:
            for number in range(1, chunks + 1):
                stream.write((folder / str(number)).read_bytes())
        whole.replace(target)
        shutil.rmtree(folder)

    def read(self, path: str, first: int, last: int) -> tuple[bytes, int]:
        """Return the bytes of an inclusive range, and the size of the whole; Refusal where it begins beyond the end."""
        size = self.stat(path)["size"]
        if self.stat(path)["folder"]:
            raise Refusal("not_allowed", f"{path} is a folder")
        if first >= size:
            raise Refusal("range", "range not satisfiable")
        with open(self._own(path), "rb") as stream:
            stream.seek(first)
            return stream.read(last - first + 1), size

    def remove(self, path: str, whole_tree: bool) -> None:
        found = self._own(path)
        if not found.exists():
            raise Refusal("no_file", f"{path} does not exist")
        if found.is_file():
            found.unlink()
        elif whole_tree:
            shutil.rmtree(found)
        else:
            try:
                found.rmdir()
            except OSError:
                raise Refusal("not_empty", f"{path} is not empty") from None
