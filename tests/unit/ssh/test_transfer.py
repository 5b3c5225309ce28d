# SPDX-License-Identifier: GPL-3.0-or-later
"""Moving bytes over SSH: checked, continued, metered."""

import os
import time

import pytest

from ansible_collections.suanwang.brain.plugins.module_utils import files as moving
from ansible_collections.suanwang.brain.plugins.module_utils import sshlink
from ansible_collections.suanwang.brain.plugins.module_utils.errors import Corrupt
from ansible_collections.suanwang.brain.plugins.module_utils.errors import Invalid
from ansible_collections.suanwang.brain.plugins.module_utils.errors import NotFound
from ansible_collections.suanwang.brain.plugins.module_utils.errors import Refused
from ansible_collections.suanwang.brain.plugins.module_utils.errors import Timeout
from ansible_collections.suanwang.brain.plugins.module_utils.errors import Unreachable
from tests.unit.ssh.conftest import MIB
from tests.unit.ssh.conftest import sha256


def test_a_relative_root_lies_in_the_home_and_looking_makes_nothing(server, files):
    assert files.root() == str(server.home / "brain")
    assert not files.exists("x") and files.dataset("x") is None and files.read_text("x") is None
    assert files.tail("x") == []
    assert list(server.home.iterdir()) == []


def test_an_absolute_root_stays(make, tmp_path):
    files = make(root=f"{tmp_path}/a b/")
    assert files.root() == f"{tmp_path}/a b"
    assert files.put(b"x", "c/d") and (tmp_path / "a b/c/d").read_bytes() == b"x"


# -- put --------------------------------------------------------------------------------------------
@pytest.mark.parametrize("size", [0, 1, 70_000, 3 * MIB + 5])
@pytest.mark.parametrize("name", ["a", "数据 集/训 练'\"$(x)`\\.bin", "-n"])
def test_put_and_fetch(server, files, tmp_path, size, name):
    content = os.urandom(size)
    source = tmp_path / "source"
    source.write_bytes(content)
    assert files.put(source, name, sha256=sha256(content)) is True
    assert (server.home / "brain" / name).read_bytes() == content
    found = files.dataset(name)
    assert (found.size, found.sha256, found.path) == (size, sha256(content), f"{files.root()}/{name}")
    assert files.fetch(name, tmp_path / "新" / "home", sha256=sha256(content), size=size) is True
    assert (tmp_path / "新" / "home").read_bytes() == content
    assert sorted(p.name for p in (tmp_path / "新").iterdir()) == ["home"]


def test_the_same_bytes_are_not_written_twice(server, files):
    assert files.put(b"abc", "x") is True
    written = server.written
    assert files.put(b"abc", "x") is False
    assert files.put(b"abd", "x", check=True) is True
    assert server.written == written and (server.home / "brain/x").read_bytes() == b"abc"
    assert files.put(b"abd", "x") is True
    assert (server.home / "brain/x").read_bytes() == b"abd"
    assert sorted(p.name for p in (server.home / "brain").iterdir()) == ["x"]


def test_a_wrong_checksum_here_sends_nothing(server, files):
    with pytest.raises(Corrupt) as caught:
        files.put(b"abc", "x", sha256="0" * 64)
    assert caught.value.request == "SFTP put brain/x" and "nothing was sent" in str(caught.value)
    assert server.written == 0 and list(server.home.iterdir()) == []


def test_bytes_that_change_on_the_way_are_found(server, files):
    server.ask(flip=True)
    with pytest.raises(Corrupt) as caught:
        files.put(b"abc" * 1000, "d/x")
    assert caught.value.site == "hunan"
    assert list((server.home / "brain/d").iterdir()) == []
    assert files.put(b"abc" * 1000, "d/x") is True


def test_a_part_is_continued_if_it_is_true(server, files):
    content = os.urandom(4 * MIB)
    (server.home / "brain").mkdir()
    part = server.home / "brain/x.part"
    part.write_bytes(content[: 3 * MIB])
    assert files.put(content, "x") is True
    assert server.written == MIB
    assert (server.home / "brain/x").read_bytes() == content and not part.exists()


@pytest.mark.parametrize("runs", [True, False], ids=["by a command", "over SFTP"])
@pytest.mark.parametrize(("at", "kept"), [(3 * MIB + 5, 3), (MIB, 1), (MIB - 1, 0), (4 * MIB + 69, 4)])
def test_a_part_is_continued_at_its_last_good_block(server, files, tmp_path, runs, at, kept):
    """A crashed server may leave a hole or noise at the end: what is good before it is not sent again."""
    content = os.urandom(6 * MIB)
    server.ask(runs=runs)
    (server.home / "brain").mkdir()
    part = bytearray(content[: 4 * MIB + 70])
    part[at] ^= 1
    (server.home / "brain/数 据.part").write_bytes(part)
    assert files.put(content, "数 据") is True
    assert server.written == (6 - kept) * MIB
    assert (server.home / "brain/数 据").read_bytes() == content
    (tmp_path / "home.part").write_bytes(part)
    told = []
    assert files.fetch("数 据", tmp_path / "home", report=told.append) is True
    assert (tmp_path / "home").read_bytes() == content
    assert told[-1]["bytes"] == 6 * MIB


def test_a_large_part_is_compared_in_few_blocks(server, files, monkeypatch):
    monkeypatch.setattr(moving, "BLOCKS", 4)
    content = os.urandom(9 * MIB)
    (server.home / "brain").mkdir()
    (server.home / "brain/x.part").write_bytes(content[: 7 * MIB] + bytes(MIB))
    before = server.commands
    assert files.put(content, "x") is True
    assert server.written == 3 * MIB, "blocks of two MiB: three of four are good"
    assert server.commands - before <= 4


def test_a_half_written_target_is_not_taken_for_whole(server, files):
    content = os.urandom(2 * MIB)
    (server.home / "brain").mkdir()
    for half in (content[:MIB], content[:MIB] + bytes(MIB), b""):
        (server.home / "brain/x").write_bytes(half)
        assert files.put(content, "x", check=True) is True
        assert files.put(content, "x") is True
        assert (server.home / "brain/x").read_bytes() == content


@pytest.mark.parametrize("damage", ["byte", "longer"])
def test_a_part_that_lies_is_begun_anew(server, files, damage):
    content = os.urandom(2 * MIB)
    (server.home / "brain").mkdir()
    bad = content[:1000] + b"????" + content[1004:MIB] if damage == "byte" else content + b"more"
    (server.home / "brain/x.part").write_bytes(bad)
    assert files.put(content, "x") is True
    assert server.written == 2 * MIB
    assert (server.home / "brain/x").read_bytes() == content


def test_a_cut_keeps_the_part_and_the_next_put_goes_on(server, files):
    content = os.urandom(12 * MIB)
    server.ask(cut_after=8 * MIB)
    with pytest.raises(Unreachable) as caught:
        files.put(content, "x")
    assert caught.value.request == "SFTP put brain/x" and not (server.home / "brain/x").exists()
    before = server.written
    assert files.put(content, "x") is True
    assert server.written - before < 12 * MIB
    assert files.dataset("x").sha256 == sha256(content)


def test_the_rate_is_kept_and_told(files):
    told = []
    began = time.monotonic()
    files.put(b"x" * MIB, "x", rate_kbps=8000, report=told.append)
    took = time.monotonic() - began
    assert took > 0.7
    assert told[-1]["bytes"] == told[-1]["total"] == MIB and told[-1]["percent"] == 100
    assert told[-1]["eta_s"] == 0 and 0 < told[-1]["rate_kbps"] < 12000
    assert len(told) <= took / sshlink.REPORT_S + 1
    assert set(told[0]) == {"bytes", "total", "percent", "rate_kbps", "eta_s"}


def test_nothing_that_moves_is_a_timeout(server, files, monkeypatch):
    monkeypatch.setattr(sshlink, "STALL_S", 0.6)
    monkeypatch.setattr(sshlink, "REPORT_S", 0.2)
    server.ask(freeze=True)
    began = time.monotonic()
    with pytest.raises(Timeout) as caught:
        files.put(b"x" * MIB, "x")
    server.ask(freeze=False)
    assert time.monotonic() - began < 5 and "kept" in str(caught.value)
    assert files.put(b"x" * MIB, "x") is True


def test_a_local_file_that_is_not_there_is_our_fault(files, tmp_path):
    with pytest.raises(Invalid) as caught:
        files.put(tmp_path / "none", "x")
    assert str(tmp_path / "none") in str(caught.value)


def test_a_folder_is_no_file(server, files, tmp_path):
    (server.home / "brain/x").mkdir(parents=True)
    with pytest.raises(Refused):
        files.put(b"1", "x")
    with pytest.raises(Refused):
        files.fetch("x", tmp_path / "y")


# -- fetch ------------------------------------------------------------------------------------------
def test_fetch_goes_on_from_a_true_part(files, tmp_path):
    content = os.urandom(3 * MIB)
    files.put(content, "x")
    (tmp_path / "y.part").write_bytes(content[: 2 * MIB])
    told = []
    assert files.fetch("x", tmp_path / "y", report=told.append) is True
    assert (tmp_path / "y").read_bytes() == content and not (tmp_path / "y.part").exists()
    (tmp_path / "y").unlink()
    (tmp_path / "y.part").write_bytes(b"?" + content[1 : 2 * MIB])
    assert files.fetch("x", tmp_path / "y") is True
    assert (tmp_path / "y").read_bytes() == content


def test_fetch_finds_what_differs(files, tmp_path):
    files.put(b"abc", "x")
    with pytest.raises(Corrupt):
        files.fetch("x", tmp_path / "y", sha256="0" * 64)
    with pytest.raises(Corrupt):
        files.fetch("x", tmp_path / "y", size=4)
    assert not (tmp_path / "y").exists() and not (tmp_path / "y.part").exists()


def test_fetch_of_nothing_is_not_found(files, tmp_path):
    with pytest.raises(NotFound) as caught:
        files.fetch("none", tmp_path / "y")
    assert caught.value.request == "SFTP fetch brain/none"


def test_fetch_writes_nothing_where_it_is_already(files, tmp_path):
    files.put(b"abc", "x")
    (tmp_path / "y").write_bytes(b"abc")
    assert files.fetch("x", tmp_path / "y", sha256=sha256(b"abc")) is False


# -- reading ----------------------------------------------------------------------------------------
