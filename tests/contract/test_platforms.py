# SPDX-License-Identifier: GPL-3.0-or-later
"""What every platform must do, tried on a server that keeps its own count."""

import dataclasses
import hashlib
import inspect
import re
import time

import pytest

from ansible_collections.suanwang.brain.plugins.module_utils import names
from ansible_collections.suanwang.brain.plugins.module_utils.errors import BrainError
from ansible_collections.suanwang.brain.plugins.module_utils.errors import Corrupt
from ansible_collections.suanwang.brain.plugins.module_utils.errors import Refused
from ansible_collections.suanwang.brain.plugins.module_utils.errors import Unauthorized
from ansible_collections.suanwang.brain.plugins.module_utils.errors import Unreachable
from ansible_collections.suanwang.brain.plugins.module_utils.errors import Unsupported
from ansible_collections.suanwang.brain.plugins.module_utils.plain import to_plain
from ansible_collections.suanwang.brain.plugins.module_utils.platforms.base import VERBS
from ansible_collections.suanwang.brain.plugins.module_utils.platforms.registry import PLATFORMS
from ansible_collections.suanwang.brain.plugins.module_utils.resources import JOB_ENDED
from ansible_collections.suanwang.brain.plugins.module_utils.resources import JOB_STATES
from tests.contract.benches import BENCHES


# -- what it says of itself -------------------------------------------------------------------------
def test_every_platform_has_a_bench():
    assert set(PLATFORMS) == set(BENCHES)


@pytest.mark.parametrize("kind", PLATFORMS.values(), ids=PLATFORMS)
def test_it_says_what_its_names_are(kind):
    longest = names.name(names.new_run(0), "a" * 20, 9999, kind.NAME_RULE.dot)
    assert kind.NAME_RULE.check(longest) == longest
    assert kind.FIND_BY_NAME in ("exact", "scan", "none")
    assert kind.KEEPS_LABEL in (True, False)
    assert inspect.getdoc(inspect.getmodule(kind)), "a platform file says where its facts come from"


@pytest.mark.parametrize("kind", PLATFORMS.values(), ids=PLATFORMS)
def test_every_no_has_a_sentence(kind):
    assert set(kind.CAPABILITIES) <= set(VERBS)
    for verb, sentence in kind.CAPABILITIES.items():
        assert re.fullmatch(r"[^\n]{20,}\.", sentence), (verb, sentence)


def test_a_verb_it_cannot_do_raises_that_sentence(bench, platform):
    for verb, sentence in platform.CAPABILITIES.items():
        call = getattr(platform, verb, None) or (lambda verb=verb: platform.refuse(verb))
        needed = [p for p in inspect.signature(call).parameters.values() if p.default is p.empty]
        with pytest.raises(Unsupported) as caught:
            call(*[None] * len(needed))
        assert sentence in str(caught.value)
        assert caught.value.site == platform.site.id
    assert bench.counters()["reads"] + bench.counters()["writes"] == 0


# -- perception -------------------------------------------------------------------------------------
def test_ping_says_as_what_it_answers(bench, platform):
    said = platform.ping()
    assert said["version"] and said["api"]
    assert bench.counters()["writes"] == 0


@pytest.mark.needs("pools")
def test_pools_are_facts(bench, platform):
    expected = bench.expected
    (pool,) = [p for p in platform.pools() if p.name == expected["pool"]]
    assert pool.id == f"{platform.site.id}/{platform.endpoint.id}/{pool.name}"
    assert pool.id.startswith(f"{pool.site}/{pool.endpoint}/")
    assert pool.arch == expected["arch"]
    assert pool.accelerator.native == expected["native"]
    assert pool.accelerator.model == expected["model"]
    assert pool.accelerator.count == pool.capacity.accelerators == expected["accelerators"]
    assert (pool.capacity.nodes, pool.capacity.cpu) == (expected["nodes"], expected["cpu"])
    assert pool.domains and all(d.startswith(f"{platform.site.id}/") for d in pool.domains)
    assert pool.seen.state == "live" and pool.open
    for part in ("nodes", "cpu", "memory_gib", "accelerators"):
        assert 0 <= getattr(pool.free, part) <= getattr(pool.capacity, part)
    assert sum(s.nodes * s.accelerators for s in pool.free_shapes) == pool.free.accelerators
    assert bench.counters()["writes"] == 0


@pytest.mark.needs("pools")
def test_unknown_is_null_and_never_zero(platform):
    (pool, *_others) = platform.pools()
    assert pool.price.accelerator_fen_h is None
    assert pool.storage.free_gib is None
    assert pool.path.rtt_ms is None
    assert pool.accelerator.tflops_fp16 is None


@pytest.mark.scheduler
def test_our_work_shows_in_its_pool_and_its_end_frees_it(bench, platform, name, until):
    spec = bench.spec(platform, name, "sleep 30", accelerators=2, accelerator=bench.expected["model"], cpu=4)
    before = platform.pools()[0]
    platform.submit(spec)
    job = until(platform, name, "running")
    pool = platform.pools()[0]
    assert pool.free.accelerators == before.free.accelerators - 2
    if "queue" in bench.unknown:
        assert pool.queue.running is None
    else:
        assert pool.queue.running == before.queue.running + 1
    (ours,) = pool.ours
    assert (ours.run, ours.component, ours.state) == (*names.parse(name)[:2], "running")
    assert (ours.accelerators, ours.cpu, ours.nodes) == (2, 4, 1)
    (busy,) = pool.running_until
    assert (busy.accelerators, busy.cpu) == (2, 4)
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", busy.until)
    platform.cancel(job)
    until(platform, name, "cancelled")
    assert platform.pools()[0].free == before.free


def test_alarms_and_quota_are_records(bench, platform):
    if platform.can("alarms") is None:
        assert platform.alarms() == []
    if platform.can("quota") is None:
        for quota in platform.quota():
            assert quota.resource and (quota.limit is None or quota.limit >= 0)
    assert bench.counters()["writes"] == 0


# -- jobs -------------------------------------------------------------------------------------------
def test_an_unknown_name_is_no_job(platform, name):
    assert platform.job(name) is None


def test_a_job_is_found_by_name_and_polled_to_success(bench, platform, name, until):
    spec = bench.spec(platform, name, "echo hello; pwd")
    made = platform.submit(spec)
    assert made.state in ("queued", "starting", "running") and made.name == name
    found = bench.platform().job(name)
    assert found.id == made.id and found.state in JOB_STATES
    job = until(platform, name, *JOB_ENDED)
    assert job.ended_well and job.exit_code == 0
    assert job.label in (spec.label, None)
    assert bool(job.started and job.ended) != ("times" in bench.unknown)
    assert job.pool == f"{platform.site.id}/{platform.endpoint.id}/{spec.pool}"
    assert platform.files_of(names.parse(name).run, "work").tail(spec.log) == ["hello", spec.workdir]
    assert name in [one.name for one in platform.jobs()]


def test_exit_3_is_a_failure_with_its_code(bench, platform, name, until):
    platform.submit(bench.spec(platform, name, "echo broken >&2; exit 3"))
    job = until(platform, name, *JOB_ENDED)
    assert (job.state, job.exit_code, job.ended_well) == ("failed", 3, False)


def test_cancel_twice(bench, platform, name, until):
    platform.submit(bench.spec(platform, name, "sleep 60"))
    job = until(platform, name, "running")
    platform.cancel(job)
    ended = until(platform, name, *JOB_ENDED)
    assert ended.state == "cancelled"
    platform.cancel(job)
    platform.cancel(ended)
    assert platform.job(name).state == "cancelled"


def test_cancel_spares_a_stranger_under_a_reused_id(bench, platform, name, fresh, until):
    platform.submit(bench.spec(platform, name, "sleep 60"))
    job = until(platform, name, "running")
    platform.cancel(dataclasses.replace(job, name=fresh("other")))
    assert platform.job(name).state == "running"
    platform.cancel(job)


@pytest.mark.scheduler
def test_the_history_is_asked_when_the_live_list_has_forgotten(bench, platform, name, until):
    platform.submit(bench.spec(platform, name, "exit 3"))
    until(platform, name, *JOB_ENDED)
    bench.forget_finished()
    assert name not in [one.name for one in platform.jobs()]
    job = platform.job(name)
    assert job.state == "failed"
    # Where a history loses exit codes, not known is the only true answer; 0 would be a lie.
    assert job.exit_code in (3, None)


def test_a_lost_answer_is_doubt_and_the_job_is_there_once(bench, platform, name, until):
    spec = bench.spec(platform, name, "true")
    bench.fault("lost_answer")
    with pytest.raises(Unreachable) as caught:
        platform.submit(spec)
    assert caught.value.details["doubt"] is True
    assert until(platform, name, *JOB_ENDED).ended_well
    assert bench.copies(name) == 1


def test_a_submit_is_one_request_whatever_happens(bench, platform, name):
    spec = bench.spec(platform, name, "true")
    bench.reset()
    bench.fault("lost_answer")
    with pytest.raises(Unreachable):
        platform.submit(spec)
    assert bench.counters()["writes"] == 1


@pytest.mark.parametrize("kind", ["live_list_down", "history_down"])
def test_no_answer_is_not_absence(bench, platform, name, kind):
    bench.fault(kind)
    with pytest.raises(Unreachable):
        platform.job(name)


def test_a_model_that_is_not_there_is_refused_before_anything_is_sent(bench, platform, name):
    spec = bench.spec(platform, name, "true", accelerators=1, accelerator="h9000")
    bench.reset()
    with pytest.raises(Refused) as caught:
        platform.submit(spec)
    assert "h9000" in str(caught.value) and bench.expected["model"] in str(caught.value)
    assert bench.counters()["writes"] == 0
    assert platform.job(name) is None


# -- trouble ----------------------------------------------------------------------------------------
def test_an_expired_credential_is_said_as_such(bench, platform, name):
    secret = platform.connection.secret()
    with bench.expired():
        late = platform.connection.secret()
        for call in (platform.ping, platform.pools, lambda: platform.job(name)):
            with pytest.raises(Unauthorized) as caught:
                call()
            said = f"{caught.value} {caught.value.failure()}"
            assert "expired" in said and "credential" in said
            assert secret not in said and late not in said
    assert platform.ping()


def test_a_dead_site_is_unreachable_in_time(bench, platform, name):
    bench.fault("dead")
    for call in (platform.ping, platform.pools, lambda: platform.job(name)):
        began = time.monotonic()
        with pytest.raises(Unreachable) as caught:
            call()
        assert time.monotonic() - began < 10
        assert caught.value.site == platform.site.id and caught.value.request
    bench.heal()
    assert platform.ping()


def test_errors_are_plain_data(bench, platform, name):
    bench.fault("dead")
    with pytest.raises(BrainError) as caught:
        platform.job(name)
    assert to_plain(caught.value.failure()) == caught.value.failure()
    assert platform.connection.secret() not in repr(caught.value.failure())


# -- files ------------------------------------------------------------------------------------------
def test_bytes_go_there_and_come_back(bench, files, name, tmp_path):
    run = names.parse(name).run
    content = bytes(range(256)) * 5000
    digest = hashlib.sha256(content).hexdigest()
    source = tmp_path / "来源 file.bin"
    source.write_bytes(content)
    path = f"{files.root()}/{run}/data/{digest}/数据 a.bin"
    assert files.dataset(path) is None and not files.exists(path)
    assert files.read_text(path) is None and files.tail(path) == []
    assert files.put(source, path, sha256=digest, check=True) is True
    assert not files.exists(path)
    assert files.put(source, path, sha256=digest) is True
    there = files.dataset(path)
    assert (there.path, there.size, there.sha256) == (path, len(content), digest)
    bench.reset()
    assert files.put(source, path, sha256=digest) is False
    assert bench.counters()["writes"] == 0
    home = tmp_path / "home" / "b.bin"
    assert files.fetch(path, home, sha256=digest, size=len(content)) is True
    assert home.read_bytes() == content
    assert files.fetch(path, home, sha256=digest) is False
    files.remove_tree(f"{files.root()}/{run}")
    assert files.dataset(path) is None
    files.remove_tree(f"{files.root()}/{run}")


def test_a_wrong_checksum_leaves_nothing_behind(bench, files, name):
    run = names.parse(name).run
    files.root()
    bench.reset()
    with pytest.raises(Corrupt):
        files.put(b"something", f"{run}/x", sha256="0" * 64)
    assert bench.counters()["writes"] == 0
    assert not files.exists(f"{run}/x") and not files.exists(f"{run}/x.part")


def test_only_what_lies_below_the_root_is_removed(files, name):
    for path in (files.root(), "/", "/etc", f"{files.root()}/..", "../x", f"{files.root()}x", "."):
        with pytest.raises(Refused):
            files.remove_tree(path)
    assert files.exists("sw") or files.root()
