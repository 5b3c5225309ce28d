# SPDX-License-Identifier: GPL-3.0-or-later
"""What the engine of profiled platforms does about a site's troubles, on stand-ins of three shapes."""

import dataclasses
import hashlib
import re
import time

import pytest

from ansible_collections.suanwang.brain.plugins.module_utils.errors import Conflict
from ansible_collections.suanwang.brain.plugins.module_utils.errors import Corrupt
from ansible_collections.suanwang.brain.plugins.module_utils.errors import NotFound
from ansible_collections.suanwang.brain.plugins.module_utils.errors import QuotaExceeded
from ansible_collections.suanwang.brain.plugins.module_utils.errors import Refused
from ansible_collections.suanwang.brain.plugins.module_utils.errors import Unauthorized
from ansible_collections.suanwang.brain.plugins.module_utils.errors import Unreachable
from ansible_collections.suanwang.brain.plugins.module_utils.resources import JOB_ENDED
from ansible_collections.suanwang.brain.plugins.module_utils.resources import Path
from ansible_collections.suanwang.brain.plugins.plugin_utils.perception import completed

PLATFORM = ("aofei", "custom", "tianyin")


@pytest.fixture
def spec(bench, platform, name):
    return lambda script="true", **more: bench.spec(platform, name, script, **more)


def calls(bench, text):
    """Return how often the server was asked for what holds a text."""
    return sum(count for call, count in bench.counters()["calls"].items() if text in call)


# -- the account ------------------------------------------------------------------------------------
def test_one_login_serves_all_platforms_of_a_process(bench, platform):
    platform.ping()
    bench.reset()
    for _turn in range(3):
        fresh = bench.platform()
        fresh.ping()
        fresh.connection.http.close()
    assert calls(bench, "login") + calls(bench, "tokens") == 0


def test_a_token_that_ends_in_the_middle_is_renewed_once(bench, platform, name):
    platform.ping()
    bench.reset()
    bench.site.fault("token_expiry", n=1)
    if platform.profile["auth"]["kind"] == "headers":
        with pytest.raises(Unauthorized):
            platform.pools()
        return
    assert platform.pools()
    assert calls(bench, "login") + calls(bench, "tokens") == 1


def test_a_secret_that_is_wrong_is_said_without_it(bench, platform):
    from tests.lab import keys

    path = bench.config.secret_path(platform.account.credential)
    good = path.read_bytes()
    keys.write_private(path, b"notthis:butthat\n")
    try:
        with pytest.raises(Unauthorized) as caught:
            bench.platform().ping()
        assert "credential file" in str(caught.value)
        assert "butthat" not in f"{caught.value} {caught.value.failure()}"
    finally:
        keys.write_private(path, good)


# -- a bad line -------------------------------------------------------------------------------------
@pytest.mark.parametrize("fault", [
    {"kind": "status", "code": 500, "n": 2}, {"kind": "status", "code": 503, "n": 2, "retry_after": 0},
    {"kind": "status", "code": 429, "n": 1, "retry_after": 1}, {"kind": "cut", "n": 2},
], ids=str)  # fmt: skip
def test_a_read_is_tried_again(bench, platform, fault):
    bench.site.fault(**fault)
    assert platform.pools()


@pytest.mark.parametrize("code", [500, 503, 429])
def test_a_submit_is_sent_once_and_leaves_no_doubt_where_there_is_none(bench, platform, name, spec, code):
    asked = spec()
    bench.reset()
    bench.site.fault("status", code=code, n=1, path=bench.submit, retry_after=0)
    with pytest.raises(Unreachable) as caught:
        platform.submit(asked)
    assert caught.value.details.get("doubt") is (code != 429)
    assert bench.copies(name) == 0 and platform.job(name) is None


def test_a_list_cut_short_is_a_partial_fact_and_no_absence(bench, platform, name, spec, until):
    platform.submit(spec("sleep 30"))
    until(platform, name, "running")
    bench.site.fault("partial", keep=0, path="jobs")
    with pytest.raises(Unreachable) as caught:
        bench.platform().job(name)
    assert re.search(r"the list gave 0 of [1-9]\d* entries", str(caught.value))
    bench.heal()
    bench.site.fault("partial", keep=0, path="nodes" if platform.NAME != "custom" else "machines")
    (pool,) = platform.pools()
    assert pool.seen.state == "partial" and " of " in pool.seen.error


# -- what is refused --------------------------------------------------------------------------------
def test_what_is_wrong_with_a_request_is_said(platform, spec):
    with pytest.raises((NotFound, Refused)):
        platform.submit(spec(pool="nowhere"))
    with pytest.raises(Refused) as caught:
        platform.submit(spec(cpu=10_000))
    assert not isinstance(caught.value, Unreachable)


def test_a_name_that_is_taken_is_a_conflict_where_names_are_unique(bench, platform, name, spec, until):
    asked = spec()
    platform.submit(asked)
    until(platform, name, *JOB_ENDED)
    if platform.NAME_RULE.unique:
        with pytest.raises(Conflict):
            platform.submit(asked)
        assert bench.copies(name) == 1


def test_unknown_words_are_unknown_and_never_success(platform):
    row = {"id": "7", "name": "n", "state": "奇怪", "exit_code": 0}
    job = platform.reader.job(row)
    assert (job.state, job.native_state, job.exit_code) == ("unknown", "奇怪", None)


def test_the_whole_of_a_spec_arrives(bench, platform, name, spec, until):
    script = 'echo "$SWB_RUN" "$A"'
    environment = {"PATH": "/usr/bin:/bin", "SWB_RUN": "x y", "A": '它\'s "{name}" $HOME'}
    platform.submit(spec(script, accelerators=3, nodes=2, cpu=4, memory_gib=1.5, wall_s=61, environment=environment))
    job = until(platform, name, *JOB_ENDED)
    assert job.ended_well
    (row,) = [one for one in bench.site.jobs() if one["name"] == name]
    assert row["nodes"] == 2 and row["cpus_per_task"] == 4 and row["time_limit"] == 2
    assert row["gres"].rpartition(":")[2] == "2" and row["memory_per_node"] in (1536, 2048)
    assert platform.files.tail(spec().log) == ['x y 它\'s "{name}" $HOME']


def test_a_node_that_is_out_is_an_alarm_and_not_free(bench, platform):
    before = platform.pools()[0]
    node = before.domains[0].rpartition("/")[2].partition("+")[0]
    bench.site.fault("drain", node=node, reason="换内存")
    pool = platform.pools()[0]
    assert pool.capacity == before.capacity and pool.free.nodes == before.free.nodes - 1
    if platform.can("alarms"):
        assert pool.alarms == ()
        return
    (alarm,) = pool.alarms
    assert "换内存" in alarm.name and node in alarm.name and alarm.since and alarm.domain == pool.domains[0]
    assert [one.id for one in platform.alarms()] == [alarm.id]
    bench.heal()
    assert platform.alarms() == []


# -- files ------------------------------------------------------------------------------------------
@pytest.fixture
def content(tmp_path):
    """A file of several chunks of every stand-in, its path and its checksum."""
    data = bytes(range(256)) * 4096 * 17 + b"end"
    path = tmp_path / "数据.bin"
    path.write_bytes(data)
    return path, hashlib.sha256(data).hexdigest(), len(data)


def test_an_upload_that_was_cut_goes_on_where_chunks_are_listed(bench, platform, content):
    path, digest, size = content
    files = platform.files
    target = f"{files.root()}/resume/{digest[:8]}/{path.name}"
    told = []

    def cut(state):
        told.append(state)
        if state["bytes"] < state["total"]:
            bench.site.fault("dead")

    with pytest.raises(Unreachable):
        files.put(path, target, sha256=digest, report=cut)
    bench.heal()
    bench.reset()
    assert files.put(path, target, sha256=digest) is True
    chunks = -(-size // files.chunk)
    sent = calls(bench, "uploadChunks") + calls(bench, "burst") + calls(bench, "POST /v3/files")
    if files.talk.can("parts"):
        assert sent - 1 < chunks
    assert files.dataset(target).sha256 == digest
    files.remove_tree(target)


def test_a_byte_that_changed_on_the_way_is_found_and_removed(bench, platform, content):
    path, digest, _size = content
    target = f"{platform.files.root()}/corrupt/{path.name}"
    bench.site.fault("corrupt", n=1)
    with pytest.raises(Corrupt):
        platform.files.put(path, target, sha256=digest)
    assert not platform.files.exists(target)
    assert platform.files.put(path, target, sha256=digest) is True


def test_a_full_disk_is_a_quota(bench, platform):
    bench.site.fault("disk_full")
    with pytest.raises(QuotaExceeded):
        platform.files.put(b"x", f"{platform.files.root()}/full/x")


def test_a_share_of_the_link_is_kept(platform):
    began = time.monotonic()
    platform.files.put(b"x" * 2_000_000, f"{platform.files.root()}/rate/{time.time()}", rate_kbps=8000)
    assert time.monotonic() - began > 1.4  # two seconds, less the bucket


def test_an_empty_folder_goes_and_a_full_one_stays(platform):
    files = platform.files
    files.put(b"x", f"{files.root()}/one/two/x")
    assert files.remove_if_empty(f"{files.root()}/one/two") is False
    files.remove_tree(f"{files.root()}/one/two/x")
    assert files.remove_if_empty(f"{files.root()}/one/two") is True
    assert files.remove_if_empty(f"{files.root()}/one/two") is False
    assert not files.exists(f"{files.root()}/one/two")


# -- images -----------------------------------------------------------------------------------------
def test_the_images_that_a_platform_lists_are_facts_and_others_are_refused(bench, platform, name, spec, until):
    (pool,) = platform.pools()
    if not platform.talk.can("images"):
        assert pool.images is None
        return
    assert "pytorch:2.4-cuda12" in pool.images
    with pytest.raises(NotFound) as caught:
        platform.submit(spec(image="nobodys:1"))
    assert "nobodys:1" in str(caught.value) and platform.job(name) is None
    platform.submit(spec(image="pytorch:2.4-cuda12"))
    assert until(platform, name, *JOB_ENDED).ended_well


def test_a_framework_whose_image_is_not_listed_is_not_there(bench, platform):
    site, endpoint = platform.site, platform.endpoint
    (pool,) = platform.pools()
    gone = dataclasses.replace(pool, images=("base-python:3.11",))
    named = {runtime["framework"] for runtime in site.runtimes if runtime.get("image")}
    there = {runtime.framework for runtime in completed(gone, site, endpoint, Path(), "2026-11-25T00:00:00Z").runtimes}
    assert there == {runtime["framework"] for runtime in site.runtimes} - (named - {"none"})
