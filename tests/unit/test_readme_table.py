# SPDX-License-Identifier: GPL-3.0-or-later
"""The READMEs say of every platform and verb what the registry and the tests say."""

import pytest

from ansible_collections.suanwang.brain.plugins.module_utils.platforms.base import VERBS
from ansible_collections.suanwang.brain.plugins.module_utils.platforms.registry import PLATFORMS
from tests import verbs_table


@pytest.mark.parametrize("name", verbs_table.WORDS)
def test_the_table_is_what_the_registry_says(name):
    text = (verbs_table.ROOT / name).read_text("utf-8")
    assert text == verbs_table.with_table(text, verbs_table.WORDS[name]), "run `python -m tests.verbs_table`"


def test_nothing_is_claimed_that_no_test_tries():
    found = {(name, verb): verbs_table.against(name, kind, verb) for name, kind in PLATFORMS.items() for verb in VERBS}
    assert "untried" not in found.values()
    assert {found["openstack", verb] for verb in ("access", "set_access", "remove_access")} == {"real"}
    assert found["donau", "set_quota"] == "no" and found["slurm", "submit"] == "real"
    assert {found[name, "pools"] for name in ("aofei", "custom", "tianyin")} == {"profile"}
