# SPDX-License-Identifier: GPL-3.0-or-later
"""The READMEs say of every platform and verb what the registry and the tests say, and of frameworks what was kept."""

import pytest

from ansible_collections.suanwang.brain.plugins.module_utils.platforms.base import VERBS
from ansible_collections.suanwang.brain.plugins.module_utils.platforms.registry import PLATFORMS
from tests import frameworks_table
from tests import readme
from tests import verbs_table
from tests.real import frameworks


@pytest.mark.parametrize("name", readme.NAMES)
@pytest.mark.parametrize("part, made", [("verbs", verbs_table), ("frameworks", frameworks_table)])
def test_the_tables_are_what_is_found(name, part, made):
    text = readme.text(name)
    assert text == readme.with_part(text, part, made.table(made.WORDS[name])), f"run `python -m tests.{part}_table`"


def test_nothing_is_claimed_that_no_test_tries():
    found = {(name, verb): verbs_table.against(name, kind, verb) for name, kind in PLATFORMS.items() for verb in VERBS}
    assert "untried" not in found.values()
    assert {found["openstack", verb] for verb in ("access", "set_access", "remove_access")} == {"real"}
    assert found["donau", "set_quota"] == "no" and found["slurm", "submit"] == "real"
    assert {found[name, "pools"] for name in ("aofei", "custom", "tianyin")} == {"profile"}


@pytest.mark.parametrize("framework", frameworks.FRAMEWORKS)
def test_what_is_told_of_a_framework_is_of_the_version_that_is_pinned(framework):
    runs = [one for one in frameworks_table.kept()["runs"] if one["framework"] == framework]
    assert runs, "run `make frameworks`"
    for one in runs:
        pinned = frameworks.package(framework, one["arch"])
        assert (one["package"], one["version"]) == (pinned.name, frameworks.version(framework, one["arch"]))
        assert one["result"] in ("ran", "no wheel", "failed")
        assert one["result"] != "ran" or one["version"] == one["said_version"].partition("+")[0]


def test_every_framework_has_a_row():
    rows = frameworks_table.table(frameworks_table.WORDS["README.md"]).splitlines()[2:]
    assert [row.split(" | ")[0].strip("| ").lower() for row in rows[:4]] == list(frameworks.FRAMEWORKS)
    assert all("not run by us" in row for row in rows[4:]) and "Caffe" in rows[4]
