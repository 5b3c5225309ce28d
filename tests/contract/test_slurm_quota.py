# SPDX-License-Identifier: GPL-3.0-or-later
"""Limits of an account by sacctmgr: which words, what they do, and how refusals are told."""

import copy
import dataclasses
import time

import pytest

from ansible_collections.suanwang.brain.plugins.module_utils.errors import Invalid
from ansible_collections.suanwang.brain.plugins.module_utils.errors import NotFound
from ansible_collections.suanwang.brain.plugins.module_utils.errors import QuotaExceeded
from ansible_collections.suanwang.brain.plugins.module_utils.errors import Refused
from ansible_collections.suanwang.brain.plugins.module_utils.errors import Unauthorized
from ansible_collections.suanwang.brain.plugins.module_utils.errors import Unreachable
from ansible_collections.suanwang.brain.plugins.module_utils.errors import Unsupported
from ansible_collections.suanwang.brain.plugins.module_utils.platforms import slurm_text as text
from ansible_collections.suanwang.brain.plugins.module_utils.shell import Done
from ansible_collections.suanwang.brain.plugins.module_utils.verbs.quota import QUOTA

PLATFORM = "slurm"
GIVEN = {"accelerators": 16}


@pytest.fixture
def spec(bench, platform, name):
    return lambda script="true", **more: bench.spec(platform, name, script, **more)


def put(platform, limits):
    return QUOTA.run(platform, {"limits": limits}, False, lambda *_a, **_k: None)


def limits(platform):
    return {quota.resource: quota.limit for quota in platform.quota()}


def test_every_resource_is_set_and_the_rest_stays(platform):
    wanted = {"cpu": 64, "memory_gib": 512, "nodes": 2, "jobs": 10}
    assert limits(platform) == GIVEN
    assert put(platform, wanted)["changed"] and limits(platform) == {**GIVEN, **wanted}
    assert put(platform, {"accelerators": 8})["changed"] and limits(platform) == {"accelerators": 8, **wanted}
    assert put(platform, {**wanted, "accelerators": 8})["changed"] is False


def test_what_is_set_holds_a_job_back(bench, platform, name, spec):
    put(platform, {"accelerators": 1})
    job = platform.submit(spec(accelerators=2))
    until = time.monotonic() + 5
    while platform.job(name).reason != "quota: AssocGrpGRES":
        assert time.monotonic() < until, platform.job(name)
        time.sleep(0.05)
    put(platform, {"jobs": 1})
    with pytest.raises(QuotaExceeded):
        platform.submit(spec(accelerators=1))
    platform.cancel(job)
    row = next(one for one in bench.site.jobs() if one["name"] == name)
    assert (row["user"], row["account"]) == ("brain", "demo"), "a job runs under the tenant's native account"


def test_it_is_one_command_for_this_cluster_alone():
    words = text.limit_words("demo", "hunan", {"jobs": 3, "memory_gib": 8, "accelerators": 4, "cpu": 2}, {"npu"})
    assert words == [
        "-i", "modify", "account", "where", "name=demo", "cluster=hunan", "set", "GrpTRES=cpu=2,mem=8G,gres/npu=4",
        "GrpSubmitJobs=3",
    ]  # fmt: skip
    assert text.limit_words("demo", "hunan", {"jobs": 3}, set())[-1:] == ["GrpSubmitJobs=3"]


@pytest.mark.parametrize(("wanted", "kinds", "kind", "words"), [
    ({"instances": 3}, {"npu"}, Invalid, "Slurm limits no instances"),
    ({"cpu": 1.5}, {"npu"}, Invalid, "whole numbers"),
    ({"accelerators": 3}, {"npu", "gpu"}, Refused, "the cluster has gpu, npu"),
    ({"accelerators": 3}, set(), Refused, "the cluster has none"),
])  # fmt: skip
def test_what_cannot_be_set_is_told(wanted, kinds, kind, words):
    with pytest.raises(kind, match=words):
        text.limit_words("demo", "hunan", wanted, kinds)


@pytest.mark.parametrize("done", [
    Done(1, " Nothing modified\n", ""),  # 22.05
    Done(1, "", "sacctmgr: error: Request didn't affect anything\n"
                " Error with request: Data has not changed since time specified\n"),  # 24.11
])  # fmt: skip
def test_both_releases_say_in_their_way_that_there_is_no_such_account(done):
    assert type(text.refusal(done)) is NotFound and "native_account" in text.refusal(done).way_out


def test_an_account_that_is_not_there_is_told(platform):
    with pytest.raises(NotFound) as caught:
        platform.set_quota("nobodys", {"cpu": 1})
    assert "native_account" in caught.value.way_out and caught.value.site == "hunan"


def test_who_may_not_set_limits_is_told_what_it_takes(platform):
    platform.files.user = "alice"
    with pytest.raises(Unauthorized) as caught:
        platform.set_quota("demo", {"cpu": 1})
    assert "Operator" in caught.value.way_out and limits(platform) == GIVEN


def test_without_a_login_node_it_says_so(bench, platform):
    platform.connection.endpoint = dataclasses.replace(platform.endpoint, shell=None)
    with pytest.raises(Unsupported, match="sacctmgr runs on a login node"):
        platform.set_quota("demo", {"cpu": 1})
    assert bench.counters()["writes"] == 0


def test_an_accounting_of_several_clusters_is_not_guessed_in(platform, monkeypatch):
    checked = type(platform)._checked

    def two(self, method, plugin, path, params=None):
        body = copy.deepcopy(checked(self, method, plugin, path, params))
        if path == "/clusters":
            body["clusters"] = [{"name": "hunan"}, {"name": "other"}]
        return body

    monkeypatch.setattr(type(platform), "_checked", two)
    with pytest.raises(Refused, match="hunan, other"):
        platform.set_quota("demo", {"cpu": 1})


def test_a_dead_accounting_changes_nothing(bench, platform):
    bench.fault("history_down")
    with pytest.raises(Unreachable):
        platform.set_quota("demo", {"cpu": 1})
    bench.heal()
    assert limits(platform) == GIVEN
