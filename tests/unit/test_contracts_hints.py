# SPDX-License-Identifier: GPL-3.0-or-later
"""Hints about endpoints: kept between processes, and never in anybody's way."""

import dataclasses
import types

import pytest

from ansible_collections.suanwang.brain.plugins.module_utils.hints import Hints
from ansible_collections.suanwang.brain.plugins.module_utils.sites import Endpoint

SITE = types.SimpleNamespace(id="hunan")
ENDPOINT = Endpoint(id="slurm", protocol="https", via="intranet", address="127.0.0.1", port=1)


@pytest.fixture
def folder(tmp_path):
    return tmp_path / "state" / "hints"


def test_a_word_is_there_for_the_next_process(folder):
    Hints(folder).learn(SITE, ENDPOINT, "slurm", "v0.0.38")
    Hints(folder).learn(SITE, ENDPOINT, "slurmdb", "v0.0.37")
    Hints(folder).learn(SITE, ENDPOINT, "slurm", "v0.0.42")
    assert Hints(folder).of(SITE, ENDPOINT) == {"slurm": "v0.0.42", "slurmdb": "v0.0.37"}
    assert [path.name for path in folder.iterdir()] == ["hunan-slurm.json"]


def test_a_word_about_another_address_is_none(folder):
    Hints(folder).learn(SITE, ENDPOINT, "slurm", "v0.0.38")
    moved = dataclasses.replace(ENDPOINT, port=2)
    assert Hints(folder).of(SITE, moved) == {}
    Hints(folder).learn(SITE, moved, "slurmdb", "v0.0.42")
    assert Hints(folder).of(SITE, moved) == {"slurmdb": "v0.0.42"}


@pytest.mark.parametrize("broken", [
    "", "{", "[]", "null", '{"address": "127.0.0.1:1"}', '{"address": "127.0.0.1:1", "words": 1}',
    '{"address": "127.0.0.1:1", "words": {"slurm": 3}}', b"\xff\xfe",
])  # fmt: skip
def test_a_broken_file_says_nothing_and_is_written_anew(folder, broken):
    folder.mkdir(parents=True)
    (folder / "hunan-slurm.json").write_bytes(broken if isinstance(broken, bytes) else broken.encode())
    assert Hints(folder).of(SITE, ENDPOINT) == {}
    Hints(folder).learn(SITE, ENDPOINT, "slurm", "v0.0.38")
    assert Hints(folder).of(SITE, ENDPOINT) == {"slurm": "v0.0.38"}


def test_where_nothing_can_be_kept_nobody_is_stopped(folder):
    folder.parent.mkdir()
    folder.write_text("a file where the folder should be")
    Hints(folder).learn(SITE, ENDPOINT, "slurm", "v0.0.38")
    assert Hints(folder).of(SITE, ENDPOINT) == {}
    Hints().learn(SITE, ENDPOINT, "slurm", "v0.0.38")
    assert Hints().of(SITE, ENDPOINT) == {}
