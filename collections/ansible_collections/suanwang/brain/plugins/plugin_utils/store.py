# Copyright: SuanWang Brain contributors
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The store on disk: plans, claims, journals, snapshots, objects. It is the truth of plans and runs.

``plans/<digest>/{plan.json,estimate-<n>.json,approvals/<key>.{json,sig}}``, ``runs/<run>/{digest,claim,
journal.jsonl,artifacts/}``, ``objects/<sha256>``, ``snapshots/<site>-<endpoint>.json``, ``hints/`` likewise. Plans,
approvals and objects are written once; journals grow by whole lines.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import hashlib
import json
import os
import pathlib
import re
import tempfile

from ..module_utils.errors import Conflict
from ..module_utils.errors import Corrupt
from ..module_utils.errors import Invalid
from ..module_utils.errors import NotFound
from ..module_utils.hints import Hints
from ..module_utils.names import check_run
from ..module_utils.names import RUN
from .statement import Approval
from .statement import canonical
from .statement import digest

# The pages show thirty days, which are in two files or three.
USAGE_MONTHS = 3

_DIGEST = re.compile(r"[0-9a-f]{64}")


def default_root(environ=None):
    """Return the folder of the store: SUANWANG_STATE, else ~/.local/state/suanwang."""
    named = (os.environ if environ is None else environ).get("SUANWANG_STATE")
    return pathlib.Path(named or "~/.local/state/suanwang").expanduser().absolute()


class _Hashed:
    """A stream to write to, which counts and hashes what goes through it."""

    def __init__(self, stream):
        self._stream, self._hash, self.size = stream, hashlib.sha256(), 0

    def write(self, data):
        self._hash.update(data)
        self.size += len(data)
        return self._stream.write(data)

    def tell(self):
        return self.size

    @property
    def sha256(self):
        return self._hash.hexdigest()


class Store:
    """Files under one root. Methods raise BrainError; OSError of a full or read-only disk is one too."""

    def __init__(self, root=None):
        self.root = pathlib.Path(root).expanduser().absolute() if root else default_root()

    def __repr__(self):
        return f"Store({str(self.root)!r})"

    @property
    def hints(self):
        return Hints(self.root / "hints")

    # -- writing -----------------------------------------------------------------------------------------
    @contextlib.contextmanager
    def _writing(self, path):
        try:
            path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            yield
        except OSError as error:
            raise Invalid(
                f"the store cannot write {path}: {error.strerror}.",
                way_out="Free space or rights there, or name another folder in SUANWANG_STATE.",
            ) from error

    def write(self, path, data):
        """Write bytes by rename: readers see the old file or the new one, never half of it."""
        with self._writing(path):
            handle, part = tempfile.mkstemp(dir=path.parent, prefix=".part-")
            try:
                with os.fdopen(handle, "wb") as stream:
                    stream.write(data)
                    stream.flush()
                    os.fsync(stream.fileno())
                os.replace(part, path)
            except BaseException:
                os.unlink(part)
                raise
        return path

    def write_once(self, path, data):
        """Write bytes that never change. The same bytes again are fine; others are a Conflict."""
        if path.exists():
            if path.read_bytes() != data:
                raise Conflict(f"{path} is there already with other bytes.")
            return path
        return self.write(path, data)

    def append(self, path, *events):
        """Add JSON lines. One write call on O_APPEND: lines of several processes do not mix."""
        lines = [json.dumps(event, ensure_ascii=False, separators=(",", ":")) for event in events]
        line = "".join(f"{one}\n" for one in lines).encode()
        with self._writing(path):
            handle = os.open(path, os.O_RDWR | os.O_APPEND | os.O_CREAT, 0o600)
            try:
                size = os.fstat(handle).st_size
                if size and os.pread(handle, 1, size - 1) != b"\n":
                    line = b"\n" + line  # somebody died in the middle of a line: it must not swallow ours
                if os.write(handle, line) != len(line):
                    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
            finally:
                os.close(handle)

    # -- plans -------------------------------------------------------------------------------------------
    def plan_dir(self, plan_digest):
        return self.root / "plans" / plan_digest

    def save_plan(self, plan, estimate):
        """Write plan and estimate; return (digest, path of plan.json)."""
        data = canonical(plan)
        name = digest(data)
        folder = self.plan_dir(name)
        path = self.write_once(folder / "plan.json", data)
        number = 1 + sum(1 for _unused in folder.glob("estimate-*.json"))
        text = json.dumps(estimate, ensure_ascii=False, indent=1, sort_keys=True) + "\n"
        self.write(folder / f"estimate-{number}.json", text.encode())
        self.write(self.run_dir(plan["run"]) / "digest", name.encode())
        return name, path

    def adopt(self, folder, plan, plan_digest):
        """Keep a verified plan and its approvals that came from elsewhere; return the folder in the store.

        Raise Conflict where its run has another plan here: one run has one plan.
        """
        kept, pointer = self.plan_dir(plan_digest), self.run_dir(plan["run"]) / "digest"
        if pointer.exists() and pointer.read_text().strip() != plan_digest:
            raise Conflict(
                f"run {plan['run']} has another plan in the store {self.root}.",
                way_out="Propose again: a new plan is a new run.",
            )
        if folder.resolve() != kept.resolve():
            self.write_once(kept / "plan.json", (folder / "plan.json").read_bytes())
            for path in sorted([*folder.glob("approvals/*"), *folder.glob("estimate-*.json")]):
                self.write(kept / path.relative_to(folder), path.read_bytes())
        if not pointer.exists():
            self.write(pointer, plan_digest.encode())
        return kept

    def find_plan(self, name):
        """Return the plan's folder for a digest, its first characters, a run id, or a folder."""
        text = str(name)
        pointer = self.root / "runs" / text / "digest"
        if RUN.fullmatch(text) and pointer.exists():
            text = pointer.read_text().strip()
        elif RUN.fullmatch(text) and not re.fullmatch(r"[0-9a-f]*", text):
            raise NotFound(f"the store {self.root} has no run {text}.", way_out="Check the id, and SUANWANG_STATE.")
        if re.fullmatch(r"[0-9a-f]{8,64}", text):
            found = sorted(self.root.glob(f"plans/{text}*"))
            if len(found) == 1:
                return found[0]
            said = "several plans" if found else "no plan"
            raise NotFound(f"the store {self.root} has {said} {text}…", way_out="Name more of the digest.")
        folder = pathlib.Path(text).expanduser().absolute()
        if folder.name == "plan.json":
            folder = folder.parent
        if not (folder / "plan.json").is_file():
            raise NotFound(
                f"there is no plan at {folder}.",
                way_out="Name a digest, a run id, or the folder of a plan.json.",
            )
        return folder

    def read_plan(self, folder, judged=None):
        """Return (plan, digest). Raise Corrupt where the bytes are not canonical or not the digest's.

        judged: the digest of a plan that was read here before; the same bytes need not be judged again.
        """
        try:
            data = (folder / "plan.json").read_bytes()
        except OSError as error:
            raise NotFound(f"{folder} holds no plan.json that can be read: {error.strerror}.") from error
        found = digest(data)
        expected = folder.name if _DIGEST.fullmatch(folder.name) else None
        if expected and expected != found:
            raise Corrupt(
                f"the plan in {folder} was changed: its digest is {found[:16]}…, not {expected[:16]}….",
                way_out="Propose again; a changed plan needs a new approval.",
            )
        try:
            plan = json.loads(data)
            same = found == judged or canonical(plan) == data
        except ValueError as error:
            raise Corrupt(f"the plan in {folder} is not JSON: {error}.") from error
        if not same:
            raise Corrupt(f"the plan in {folder} is not in canonical form (RFC 8785).")
        return plan, found

    def estimate(self, plan_digest):
        """Return the newest estimate of a plan, or {}."""
        found = sorted(self.plan_dir(plan_digest).glob("estimate-*.json"), key=_number)
        return json.loads(found[-1].read_text()) if found else {}

    def save_approval(self, folder, key, approval):
        """Keep an approval beside its plan; key: the id of the public key."""
        self.write(folder / "approvals" / f"{key}.json", approval.statement)
        return self.write(folder / "approvals" / f"{key}.sig", approval.signature)

    def approvals(self, folder):
        """Return all approvals beside a plan."""
        found = []
        for path in sorted((folder / "approvals").glob("*.sig")):
            statement = path.with_suffix(".json")
            if statement.is_file():
                found.append(Approval(statement.read_bytes(), path.read_bytes()))
        return tuple(found)

    # -- objects -----------------------------------------------------------------------------------------
    def object_path(self, sha256):
        return self.root / "objects" / sha256

    def save_object(self, data):
        """Keep bytes under their hash; return the hash."""
        name = hashlib.sha256(data).hexdigest()
        if not self.object_path(name).exists():
            self.write(self.object_path(name), data)
        return name

    @contextlib.contextmanager
    def new_object(self):
        """Yield a stream to write an object of any size to; its `sha256` and `size` are known at the end."""
        with self._writing(self.root / "objects" / "new"):
            with tempfile.NamedTemporaryFile(dir=self.root / "objects", suffix=".part", delete=False) as part:
                stream = _Hashed(part)
                try:
                    yield stream
                    part.flush()
                    os.fsync(part.fileno())
                    os.replace(part.name, self.object_path(stream.sha256))
                except BaseException:
                    os.unlink(part.name)
                    raise

    # -- runs --------------------------------------------------------------------------------------------
    def run_dir(self, run):
        return self.root / "runs" / check_run(run)

    def journal_path(self, run):
        return self.run_dir(run) / "journal.jsonl"

    def journal(self, run):
        """Return all events of a run. A line that is not whole was cut by a crash, or is being written: left out."""
        try:
            data = self.journal_path(run).read_bytes()
        except FileNotFoundError:
            return []
        return [event for event in map(_event, data.split(b"\n")) if event is not None]

    def note(self, run, event):
        """Append an event to a run's journal."""
        self.append(self.journal_path(run), event)

    def runs(self):
        """Return the run ids, newest first."""
        return sorted((path.parent.name for path in self.root.glob("runs/*/digest")), reverse=True)

    # -- snapshots ---------------------------------------------------------------------------------------
    def snapshot_path(self, site, endpoint):
        return self.root / "snapshots" / f"{site}-{endpoint}.json"

    def save_snapshot(self, site, endpoint, snapshot):
        self.write(self.snapshot_path(site, endpoint), json.dumps(snapshot).encode())

    def snapshot(self, site, endpoint):
        """Return the last good snapshot of an endpoint, or None; one that does not read is None too."""
        try:
            return json.loads(self.snapshot_path(site, endpoint).read_bytes())
        except (FileNotFoundError, ValueError):
            return None

    # -- use over time -------------------------------------------------------------------------------------
    def usage_paths(self):
        """Return the files of use, one a month, oldest first."""
        return sorted((self.root / "usage").glob("*.jsonl"))

    def append_usage(self, at, *rows):
        """Keep rows of use in the file of their month; a month that begins drops the oldest ones."""
        path = self.root / "usage" / f"{at[:7]}.jsonl"
        begins = not path.exists()
        self.append(path, *rows)
        if begins:
            for old in self.usage_paths()[:-USAGE_MONTHS]:
                old.unlink(missing_ok=True)

    def last_usage(self, limit_bytes=256 * 1024):
        """Return pool id → time of its newest row, as far as the end of the newest file tells."""
        try:
            with open(self.usage_paths()[-1], "rb") as stream:
                stream.seek(max(0, stream.seek(0, os.SEEK_END) - limit_bytes))
                rows = [row for row in map(_event, stream.read().split(b"\n")) if row]
        except (IndexError, FileNotFoundError):
            return {}
        return {row["pool"]: row["at"] for row in rows if "pool" in row and "at" in row}

    # -- locks -------------------------------------------------------------------------------------------
    @contextlib.contextmanager
    def lock(self, run):
        """Hold the short lock of a run while its claim is read and replaced."""
        path = self.run_dir(run) / "lock"
        with self._writing(path):
            stream = open(path, "ab")
        with stream:
            fcntl.flock(stream, fcntl.LOCK_EX)
            yield

    @contextlib.contextmanager
    def only_one(self, name):
        """Hold a name of the store for as long as this process works; raise Conflict where another one holds it."""
        path = self.root / f"{name}.lock"
        with self._writing(path):
            stream = open(path, "a+")
        with stream:
            try:
                fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError:
                stream.seek(0)
                raise Conflict(
                    f"{name} is at work on {self.root} already: process {stream.read().strip() or 'unknown'}.",
                    way_out="One is enough for all who use this store; end it first.",
                ) from None
            stream.truncate(0)
            stream.write(f"{os.getpid()} on {os.uname().nodename}")
            stream.flush()
            yield


def _event(line):
    try:
        event = json.loads(line)
    except ValueError:
        return None
    return event if isinstance(event, dict) else None


def _number(path):
    return int(re.sub(r"\D", "", path.stem) or 0)
