# SPDX-License-Identifier: GPL-3.0-or-later
"""The store on disk: written once, read exactly, and errors that a person can act on."""

import hashlib
import json
import pathlib
import subprocess
import sys

import pytest

from ansible_collections.suanwang.brain.plugins.module_utils.errors import Conflict
from ansible_collections.suanwang.brain.plugins.module_utils.errors import Corrupt
from ansible_collections.suanwang.brain.plugins.module_utils.errors import Invalid
from ansible_collections.suanwang.brain.plugins.module_utils.errors import NotFound
from ansible_collections.suanwang.brain.plugins.plugin_utils import statement
from ansible_collections.suanwang.brain.plugins.plugin_utils.store import default_root
from ansible_collections.suanwang.brain.plugins.plugin_utils.store import Store

RUN = "01kaxc2m7q5v9b3z8d4f6g1h0j"
OTHER = "01kaxc2m7q5v9b3z8d4f6g1h0k"
PLAN = {"run": RUN, "task": {"name": "手写数字"}, "caps": {"wall_s": 3600}}


@pytest.fixture
def store(tmp_path):
    return Store(tmp_path / "store")


# -- writing --------------------------------------------------------------------------------------------


def test_write_once_takes_the_same_bytes_again_and_no_others(store):
    path = store.root / "x" / "plan.json"
    store.write_once(path, b"one")
    store.write_once(path, b"one")
    with pytest.raises(Conflict, match="with other bytes"):
        store.write_once(path, b"two")
    assert path.read_bytes() == b"one"


def test_write_replaces_by_rename_and_leaves_nothing_behind(store):
    path = store.root / "x" / "claim"
    store.write(path, b"old")
    with path.open("rb") as held:
        store.write(path, b"new")
        assert held.read() == b"old"
    assert path.read_bytes() == b"new"
    assert [one.name for one in path.parent.iterdir()] == ["claim"]


def test_what_is_written_is_for_its_owner_only(store):
    store.save_plan(PLAN, {})
    store.note(RUN, {"event": "begin"})
    store.save_object(b"rows")
    files = [path for path in store.root.rglob("*") if path.is_file()]
    assert len(files) >= 5
    for path in files:
        assert path.stat().st_mode & 0o077 == 0, path


def test_where_the_store_cannot_be_written_the_error_says_what_to_do(tmp_path):
    """Below a file no folder can be made, for root neither."""
    (tmp_path / "file").write_text("x")
    store = Store(tmp_path / "file" / "store")
    for write in (
        lambda: store.save_plan(PLAN, {}),
        lambda: store.note(RUN, {}),
        lambda: store.save_object(b"x"),
        lambda: store.save_snapshot("hunan", "slurm", {}),
    ):
        with pytest.raises(Invalid) as caught:
            write()
        text = str(caught.value)
        assert f"the store cannot write {tmp_path}/file/store/" in text
        assert "Not a directory" in text
        assert "SUANWANG_STATE" in text


def test_a_full_disk_says_the_same_and_keeps_the_old_file(store):
    if not pathlib.Path("/dev/full").exists():
        pytest.skip("this system has no /dev/full")
    path = store.journal_path(RUN)
    path.parent.mkdir(parents=True)
    path.symlink_to("/dev/full")
    with pytest.raises(Invalid) as caught:
        store.note(RUN, {"event": "begin"})
    assert "No space left on device" in str(caught.value)
    assert "name another folder in SUANWANG_STATE" in str(caught.value)


def test_the_root_comes_from_the_environment():
    assert default_root({"SUANWANG_STATE": "/srv/state"}) == pathlib.Path("/srv/state")
    home = pathlib.Path("~/.local/state/suanwang").expanduser()
    assert default_root({}) == home
    assert default_root({"SUANWANG_STATE": ""}) == home


# -- plans ----------------------------------------------------------------------------------------------


def test_a_plan_is_kept_under_the_hash_of_its_canonical_bytes(store):
    digest, path = store.save_plan(PLAN, {"labels": ["fastest"]})
    data = path.read_bytes()
    assert digest == hashlib.sha256(data).hexdigest()
    assert path == store.root / "plans" / digest / "plan.json"
    assert data == '{"caps":{"wall_s":3600},"run":"%s","task":{"name":"手写数字"}}'.encode() % RUN.encode()
    assert store.read_plan(path.parent) == (PLAN, digest)
    assert store.estimate(digest) == {"labels": ["fastest"]}


def test_the_newest_of_many_estimates_is_read(store):
    for number in range(1, 12):
        digest, path = store.save_plan(PLAN, {"number": number})
    assert store.estimate(digest) == {"number": 11}
    assert len(list(path.parent.glob("estimate-*.json"))) == 11
    assert store.estimate("0" * 64) == {}


def test_every_byte_of_a_plan_counts(store):
    digest, path = store.save_plan(PLAN, {})
    data = path.read_bytes()
    for place in range(len(data)):
        path.write_bytes(data[:place] + bytes([data[place] ^ 1]) + data[place + 1 :])
        with pytest.raises(Corrupt, match="was changed") as caught:
            store.read_plan(path.parent)
        assert digest[:16] in str(caught.value)
    path.write_bytes(data + b"\n")
    with pytest.raises(Corrupt, match="a changed plan needs a new approval"):
        store.read_plan(path.parent)


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (b'{"run": "x"}', "canonical form"),
        (b'{"b":1,"a":2}', "canonical form"),
        (b'{"a":1.0}', "canonical form"),
        (b'{"a":1,"a":1}', "canonical form"),
        (b'{"a":"\\u0041"}', "canonical form"),
        (b'{"a":1}\n', "canonical form"),
        (b'{"a":', "is not JSON"),
        (b"\xff", "is not JSON"),
        (b"", "is not JSON"),
    ],
)
def test_a_plan_that_is_not_canonical_is_refused_wherever_it_lies(tmp_path, store, data, said):
    """In a folder with a free name, so that only the bytes speak."""
    (tmp_path / "plan.json").write_bytes(data)
    with pytest.raises(Corrupt, match=said):
        store.read_plan(tmp_path)


def test_a_plan_in_canonical_form_reads_from_any_folder(tmp_path, store):
    data = statement.canonical(PLAN)
    (tmp_path / "plan.json").write_bytes(data)
    assert store.read_plan(tmp_path) == (PLAN, statement.digest(data))


def test_a_plan_is_found_by_digest_start_of_it_run_folder_and_file(store):
    digest, path = store.save_plan(PLAN, {})
    store.save_plan({**PLAN, "run": OTHER}, {})
    for name in (digest, digest[:8], digest[:16], RUN, str(path.parent), path.parent, path):
        assert store.find_plan(name) == path.parent, name


def test_a_start_that_fits_two_plans_is_not_enough(store):
    for tail in ("1", "2"):
        folder = store.root / "plans" / ("abcdef12" + "0" * 55 + tail)
        folder.mkdir(parents=True)
        (folder / "plan.json").write_bytes(b"{}")
    with pytest.raises(NotFound, match="several plans abcdef12"):
        store.find_plan("abcdef12")


@pytest.mark.parametrize(
    ("name", "said"), [("0" * 64, "no plan"), ("abcdef12", "no plan"), (OTHER, "no run"), ("x", "no plan at")]
)
def test_a_plan_that_is_not_there(store, name, said):
    store.save_plan(PLAN, {})
    with pytest.raises(NotFound, match=said) as caught:
        store.find_plan(name)
    assert caught.value.way_out


def test_approvals_come_back_and_half_of_one_is_left_out(store):
    _digest, path = store.save_plan(PLAN, {})
    one, two = statement.Approval(b"{1}", b"sig1"), statement.Approval(b"{2}", b"sig2")
    store.save_approval(path.parent, "a" * 32, one)
    store.save_approval(path.parent, "b" * 32, two)
    (path.parent / "approvals" / "c.sig").write_bytes(b"sig3")
    (path.parent / "approvals" / "d.json").write_bytes(b"{4}")
    assert store.approvals(path.parent) == (one, two)
    assert store.approvals(store.root) == ()


# -- runs and journals ------------------------------------------------------------------------------------


def test_a_journal_reads_as_it_was_written(store):
    assert store.journal(RUN) == []
    events = [{"event": "begin", "component": "训练"}, {"event": "end", "message": "line one\nline two"}]
    for event in events:
        store.note(RUN, event)
    assert store.journal(RUN) == events
    assert len(store.journal_path(RUN).read_bytes().splitlines()) == 2


def test_a_half_line_at_the_end_is_a_write_under_way(store):
    store.note(RUN, {"event": "begin"})
    with store.journal_path(RUN).open("ab") as stream:
        stream.write(b'{"event": "en')
    assert store.journal(RUN) == [{"event": "begin"}]
    with store.journal_path(RUN).open("ab") as stream:
        stream.write(b'd"}\n')
    assert store.journal(RUN) == [{"event": "begin"}, {"event": "end"}]


WRITER = """
import pathlib, sys, time
from ansible_collections.suanwang.brain.plugins.plugin_utils.store import Store
root, run, name, count = sys.argv[1:]
store = Store(root)
while not pathlib.Path(root, "go").exists():
    time.sleep(0.005)
for number in range(int(count)):
    store.note(run, {"writer": name, "number": number, "text": name * (1 + number * 97 % 20000)})
"""


def test_lines_of_several_processes_do_not_mix(store):
    store.root.mkdir()
    path = next(entry for entry in sys.path if pathlib.Path(entry, "ansible_collections/suanwang").is_dir())
    count, names = 150, "abcd"
    writers = [
        subprocess.Popen(
            [sys.executable, "-c", WRITER, str(store.root), RUN, name, str(count)],
            env={"PYTHONPATH": path, "PATH": "/usr/bin:/bin"},
        )
        for name in names
    ]
    (store.root / "go").touch()
    assert [writer.wait(timeout=60) for writer in writers] == [0] * len(names)
    events = store.journal(RUN)
    assert len(events) == count * len(names)
    for name in names:
        own = [event for event in events if event["writer"] == name]
        assert [event["number"] for event in own] == list(range(count))
        assert all(event["text"] == name * (1 + event["number"] * 97 % 20000) for event in own)


def test_runs_newest_first(store):
    store.save_plan(PLAN, {})
    store.save_plan({**PLAN, "run": OTHER}, {})
    store.note("01kaxc2m7q5v9b3z8d4f6g1h0m", {"event": "a run without a plan is none"})
    assert store.runs() == [OTHER, RUN]


@pytest.mark.parametrize("run", ["../../etc", "", "x/y", RUN.upper()])
def test_a_run_that_is_none_reaches_no_file(store, run):
    with pytest.raises(Invalid, match="is not a run id"):
        store.note(run, {})
    assert not store.root.exists()


# -- objects and snapshots --------------------------------------------------------------------------------


def test_objects_lie_under_their_hash(store):
    name = store.save_object(b"rows")
    assert name == hashlib.sha256(b"rows").hexdigest()
    assert store.save_object(b"rows") == name
    assert store.object_path(name).read_bytes() == b"rows"


def test_a_snapshot_that_does_not_read_is_no_snapshot(store):
    assert store.snapshot("hunan", "slurm") is None
    store.save_snapshot("hunan", "slurm", {"at": "2026-11-25T03:00:00Z", "pools": []})
    assert store.snapshot("hunan", "slurm") == {"at": "2026-11-25T03:00:00Z", "pools": []}
    assert store.snapshot("hunan", "login") is None
    store.snapshot_path("hunan", "slurm").write_text(json.dumps({"at": 1})[:-1])
    assert store.snapshot("hunan", "slurm") is None
