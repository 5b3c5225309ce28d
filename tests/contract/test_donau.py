# SPDX-License-Identifier: GPL-3.0-or-later
"""What Donau's command line does that the common suite cannot know: tokens, generations, words for numbers."""

import dataclasses
import time

import pytest

from ansible_collections.suanwang.brain.plugins.module_utils import sites
from ansible_collections.suanwang.brain.plugins.module_utils.errors import Invalid
from ansible_collections.suanwang.brain.plugins.module_utils.errors import NotFound
from ansible_collections.suanwang.brain.plugins.module_utils.errors import Refused
from ansible_collections.suanwang.brain.plugins.module_utils.errors import Unauthorized
from ansible_collections.suanwang.brain.plugins.module_utils.errors import Unreachable
from ansible_collections.suanwang.brain.plugins.module_utils.platforms.donau_text import Detail
from ansible_collections.suanwang.brain.plugins.module_utils.platforms.donau_text import Row
from ansible_collections.suanwang.brain.plugins.module_utils.resources import JOB_ENDED

PLATFORM = "donau"


@pytest.fixture(autouse=True)
def as_before(bench):
    yield
    bench.site.set(token="good", generation="hpc22", banner=False)


# -- who one is ---------------------------------------------------------------------------------------
@pytest.mark.parametrize(("state", "words"), [
    ("missing", "access token does not exist"), ("expired", "token expired"), ("unauthorized", "user group"),
])  # fmt: skip
def test_each_state_of_the_token_is_told_by_every_verb(bench, platform, name, state, words):
    spec = bench.spec(platform, name, "true")
    bench.site.set(token=state)
    for act in (platform.ping, platform.pools, platform.alarms, platform.jobs, lambda: platform.job(name),
                lambda: bench.platform().submit(spec)):  # fmt: skip
        with pytest.raises(Unauthorized) as caught:
            act()
        assert words in str(caught.value) and caught.value.site == "hangzhou-c" and "brain" in caught.value.way_out
    bench.site.set(token="good")
    assert bench.copies(name) == 0


def test_root_is_told_to_be_somebody_else(platform):
    platform.files.user = "root"
    with pytest.raises(Unauthorized, match="ordinary user"):
        platform.pools()


def test_somebody_unknown_is_in_no_group(platform):
    platform.files.user = "nobody"
    with pytest.raises(Unauthorized, match="user group"):
        platform.pools()


# -- the generations of options -------------------------------------------------------------------------
@pytest.mark.parametrize("generation", ["hpc22", "kit24"])
@pytest.mark.parametrize("said", [True, False])
def test_a_job_runs_and_is_cancelled_in_each_generation(bench, name, fresh, until, generation, said):
    bench.site.set(generation=generation, banner=True)
    platform = bench.platform()
    if said:
        platform.connection.endpoint = platform.endpoint = dataclasses.replace(platform.endpoint, profile=generation)
    platform = type(platform)(platform.connection)
    model = bench.expected["model"]
    platform.submit(bench.spec(platform, name, "echo $A; exit 3", environment={"A": "it's; done"}, accelerators=2,
                               accelerator=model, cpu=4, memory_gib=2, nodes=2))  # fmt: skip
    ended = until(platform, name, *JOB_ENDED)
    assert (ended.state, ended.exit_code, ended.native_state) == ("failed", 3, "FAILED")
    (job,) = [one for one in bench.site.jobs() if one["name"] == name]
    assert (job["nodes"], job["cpus_per_task"], job["memory_per_node"], job["gres"]) == (2, 4, 2048, "npu:ascend910b:1")
    assert platform.files.tail(job["standard_output"]) == ["it's; done"]
    other = fresh("other")
    made = platform.submit(bench.spec(platform, other, "sleep 60"))
    until(platform, other, "running")
    platform.cancel(made)
    assert until(platform, other, *JOB_ENDED).state == "cancelled"
    bench.forget_finished()
    assert (platform.job(name).state, platform.job(other).state) == ("failed", "cancelled")
    platform.files.close()


def test_options_of_the_wrong_generation_are_refused_and_nothing_runs(bench, platform, name):
    bench.site.set(generation="kit24")
    platform.connection.endpoint = platform.endpoint = dataclasses.replace(platform.endpoint, profile="hpc22")
    platform = type(platform)(platform.connection)
    with pytest.raises(Invalid) as caught:
        platform.submit(bench.spec(platform, name, "true", nodes=2))
    assert "-tpn" in str(caught.value) and "profile" in caught.value.way_out and bench.copies(name) == 0


@pytest.mark.parametrize(("line", "field", "words"), [
    ("  shell: donau\n  profile: hpc99\n", "profile", "hpc99"), ("", "shell", "no login node"),
])  # fmt: skip
def test_what_a_site_file_lacks_is_named_by_file_and_field(bench, line, field, words):
    path = bench.lab.config / "sites" / "hangzhou-c.yml"
    text = path.read_text()
    assert "  shell: donau\n" in text
    path.write_text(text.replace("  shell: donau\n", line))
    try:
        with pytest.raises(Invalid) as caught:
            sites.load(str(bench.lab.config))
    finally:
        path.write_text(text)
    assert "hangzhou-c.yml" in str(caught.value) and f"endpoints[0].{field}: " in str(caught.value)
    assert words in str(caught.value) and caught.value.way_out


# -- jobs -------------------------------------------------------------------------------------------------
def test_an_unknown_word_or_number_is_never_success(platform):
    row = Row("7", "swb-x", "brain", "DONE", "root.npu")
    job = platform._job(row, Detail(exit_code=0))
    assert (job.state, job.native_state, job.exit_code) == ("unknown", "DONE", None)
    assert platform._job(row._replace(state="FAILED"), Detail()).exit_code is None
    ended = platform._job(row._replace(state="FAILED"), Detail(terminated=True))
    assert (ended.state, ended.exit_code) == ("cancelled", None)


def test_a_job_that_nobody_knows_any_more_is_absent_only_if_the_past_says_so(bench, platform, name):
    bench.fault("history_down")
    with pytest.raises(Unreachable):
        platform.job(name)
    bench.heal()
    assert platform.job(name) is None


def test_a_queue_that_is_not_there_and_one_that_is_closed(bench, platform, name):
    with pytest.raises(NotFound) as caught:
        platform.submit(bench.spec(platform, name, "true", pool="root.gold"))
    assert "root.gold" in str(caught.value) and caught.value.way_out
    bench.site.fault("partition", name="root.batch", state="DOWN")
    pools = {pool.name: pool for pool in platform.pools()}
    assert pools["root.npu"].open and not pools["root.batch"].open
    (alarm,) = platform.alarms()
    assert pools["root.batch"].alarms == (alarm,) and "CLOSED,INACTIVE" in alarm.name
    assert pools["root.npu"].domains == pools["root.batch"].domains


def test_a_signal_and_a_time_limit(bench, platform, name, fresh, until):
    platform.submit(bench.spec(platform, name, "kill -9 $$"))
    killed = until(platform, name, *JOB_ENDED)
    assert (killed.state, killed.exit_code) == ("failed", 137)
    bench.site.set(minute_s=0.5)
    late = fresh("late")
    try:
        platform.submit(bench.spec(platform, late, "sleep 60", wall_s=60))
        ended = until(platform, late, *JOB_ENDED)
    finally:
        bench.site.set(minute_s=60)
    assert (ended.state, ended.exit_code) == ("failed", None)


def test_a_waiting_job_says_why_and_what_it_asks_for_shows(bench, platform, name, until):
    number = bench.site.foreign(gres="npu:ascend910b:8", nodes=2, seconds=60)
    until_runs = time.monotonic() + 10
    while not any(job["job_id"] == number and job["state"] == "RUNNING" for job in bench.site.jobs()):
        assert time.monotonic() < until_runs
        time.sleep(0.05)
    platform.submit(bench.spec(platform, name, "true", accelerators=4, accelerator=bench.expected["model"], cpu=2))
    end = time.monotonic() + 10
    while platform.job(name).reason != "20615":
        assert time.monotonic() < end, platform.job(name)
        time.sleep(0.1)
    pool = next(pool for pool in platform.pools() if pool.name == "root.npu")
    (ours,) = pool.ours
    assert (ours.state, ours.accelerators, ours.cpu, ours.nodes) == ("queued", 4, 2, 1)
    assert pool.free.accelerators == 0


def test_where_the_commands_are_installed_can_be_said(bench, platform):
    folder = f"{bench.site.folder}"
    platform.connection.endpoint = platform.endpoint = dataclasses.replace(platform.endpoint, cli_home=folder)
    assert platform.ping()["api"] == "hpc22 commands"
    nowhere = dataclasses.replace(platform.endpoint, cli_home="/opt/nowhere")
    platform.connection.endpoint = platform.endpoint = nowhere
    with pytest.raises(Refused, match="/opt/nowhere/bin/dqueue"):
        platform.pools()
