# SPDX-License-Identifier: GPL-3.0-or-later
"""One table of faults over all platforms: each ends in success or in a class of errors.py, and nothing is made twice.

A cell is what is done about it here (a function), the test that holds it elsewhere (`Held`), or the reason why there is
no such thing (`NotThere`). The table has every platform and every fault, the tests that it names exist, a fault that is
injected here has to change an answer, and each reason is looked at on the platform itself.
"""

import ast
import dataclasses
import hashlib
import re
import time
from collections.abc import Callable
from datetime import datetime
from pathlib import Path

import pytest

from ansible_collections.suanwang.brain.plugins.module_utils import names
from ansible_collections.suanwang.brain.plugins.module_utils.errors import Conflict
from ansible_collections.suanwang.brain.plugins.module_utils.errors import Unauthorized
from ansible_collections.suanwang.brain.plugins.module_utils.errors import Unreachable
from ansible_collections.suanwang.brain.plugins.module_utils.platforms.registry import PLATFORMS
from ansible_collections.suanwang.brain.plugins.module_utils.resources import InstanceSpec
from ansible_collections.suanwang.brain.plugins.module_utils.resources import JOB_ENDED
from ansible_collections.suanwang.brain.plugins.module_utils.verbs import VERBS
from tests.contract.benches import FURTHER

HTML = {"code": 200, "text": "<html>login</html>", "headers": {"Content-Type": "text/html"}}
REST = ("aofei", "custom", "openstack", "prometheus", "slurm", "tianyin")
JOBS = ("aofei", "custom", "slurm", "tianyin")
#: their word for a job that runs; the lab's answers are made to say another
RUNNING = {"aofei": "Running", "custom": "运行中", "slurm": "RUNNING", "tianyin": "statR"}


@dataclasses.dataclass(frozen=True)
class Held:
    """A test elsewhere that holds this cell."""

    test: str


@dataclasses.dataclass(frozen=True)
class NotThere:
    """Why a platform has no such fault. holds: (bench, platform) → whether that is so."""

    reason: str
    holds: Callable


def asked_once(bench, platform):
    bench.reset()
    platform.pools()
    return set(bench.counters()["calls"].values()) == {1}


def no_zones(bench, platform):
    """Return whether there is no zone in what is said of jobs that could be taken away."""
    until(platform, submitted(bench, platform, "true"), *JOB_ENDED)
    bench.reset()
    bench.site.fault("rewrite", old="+08:00", new="")
    return bool(platform.jobs()) and not bench.struck("rewrite")


NO_HTTP = NotThere(
    "its commands run over SSH: there is no HTTP answer that could be so.",
    lambda bench, platform: platform.endpoint.protocol == "ssh",
)
NO_JOBS = NotThere("it takes no jobs.", lambda bench, platform: platform.can("submit") is not None)
NO_PAGES = NotThere("it answers whole lists, without pages and without a total.", asked_once)
NO_LISTS = NotThere("its answers are samples by query: no list that has pages or a total.",
                    lambda bench, platform: platform.OBSERVES)  # fmt: skip
NO_LABEL = NotThere("it keeps no label: the whole name is the mark.", lambda bench, platform: not platform.KEEPS_LABEL)
EPOCHS = NotThere("its times are seconds or milliseconds since 1970.", no_zones)
NO_TIMES = NotThere("it tells no times to an ordinary user.", lambda bench, platform: "times" in bench.unknown)


# -- what is read, and how it ends ------------------------------------------------------------------
def read(platform):
    """Return what the platform tells of itself; a fault hits all of it."""
    if platform.NAME in ("openstack", "slurm"):
        return platform.quota()
    return platform.usage() if platform.OBSERVES else platform.pools()


def inject(bench, kind, **options):
    bench.injected.add(kind)
    if hasattr(bench, "site"):
        bench.site.fault(kind, **options)
    else:
        bench.fault(kind, **options)


def good(**fault):
    """It passes, and what is read is what would have been read without."""

    def cell(bench, platform):
        read(platform)
        inject(bench, **fault)
        read(platform)

    return cell


def bad(*classes, **fault):
    """It is raised as one of these classes, and is over when the fault is."""

    def cell(bench, platform):
        read(platform)
        inject(bench, **fault)
        with pytest.raises(classes) as caught:
            read(platform)
        assert caught.value.site == platform.site.id and caught.value.request
        assert platform.connection.secret() not in f"{caught.value} {caught.value.failure()}"
        bench.heal()
        read(platform)

    return cell


def short_list(bench, platform):
    inject(bench, "partial", path="/nodes" if platform.NAME != "custom" else "machines", keep=0)
    (pool, *_others) = platform.pools()
    assert pool.seen.state == "partial" and " of " in pool.seen.error


def circle(bench, platform):
    """More is announced than comes, and every page says what the first one said."""
    platform.profile["paging"]["limit"] = 1
    inject(bench, "again")
    with pytest.raises(Unreachable, match="in a circle|entries"):
        platform.pools()


def short_page(bench, platform):
    """No total is announced, but the link to the next page names the last row of this one."""
    bench.lab.ask("set", max_limit=2)
    inject(bench, "partial", path="/flavors/detail", keep=1)
    with pytest.raises(Unreachable, match="a page of 1 rows is cut short"):
        platform.pools()


def linked_circle(bench, platform):
    bench.lab.ask("set", max_limit=2)
    inject(bench, "again", path="/flavors/detail")
    with pytest.raises(Unreachable, match="in a circle"):
        platform.pools()


def wrong_certificate(bench, platform):
    http = platform.connection.http
    http.endpoint = dataclasses.replace(http.endpoint, tls={**http.endpoint.tls, "pin_sha256": "0" * 64})
    bench.reset()
    with pytest.raises(Unauthorized, match="not the one it should be"):
        platform.ping()
    assert bench.counters()["writes"] == 0


# -- jobs -------------------------------------------------------------------------------------------
def submitted(bench, platform, script="sleep 30", **more):
    name = names.name(names.new_run(time.time() * 1000), "work", 1, platform.NAME_RULE.dot)
    bench.prepare(platform, name)
    platform.submit(bench.spec(platform, name, script, **more))
    return name


def until(platform, name, *states):
    end = time.monotonic() + 15
    while (job := platform.job(name)) is None or job.state not in states:
        assert time.monotonic() < end, job
        time.sleep(0.05)
    return job


def unknown_word(bench, platform):
    name = submitted(bench, platform)
    until(platform, name, "running")
    inject(bench, "rewrite", old=f'"{RUNNING[platform.NAME]}"', new='"PONDERING"')
    job = bench.platform().job(name)
    assert (job.state, job.native_state, job.ended_well) == ("unknown", "PONDERING", False)
    assert bench.copies(name) == 1


def chinese(bench, platform):
    """Somebody under our shared account named a job in Chinese: it is listed as it is, and is not counted as ours."""
    bench.site.foreign(name="训练任务", seconds=60, user="brain")
    end = time.monotonic() + 10
    while "训练任务" not in [job.name for job in platform.jobs()]:
        assert time.monotonic() < end
        time.sleep(0.05)
    assert all(pool.ours == () for pool in platform.pools())


def not_ours(bench, platform):
    name = submitted(bench, platform, label="somebody's own words")
    mark = names.parse(name)
    params = {option: row.get("default") for option, row in VERBS["job"].options.items()}
    code = {"source": __file__, "sha256": hashlib.sha256(Path(__file__).read_bytes()).hexdigest()}
    params |= {"run": mark.run, "component": "work", "pool": platform.job(name).pool, "code": code, "wait": False}
    with pytest.raises(Conflict, match="not this plan's"):
        VERBS["job"].run(platform, params, False, lambda *_event, **_fields: None)
    assert platform.job(name).state not in JOB_ENDED and bench.copies(name) == 1


def ended(bench, platform):
    name = submitted(bench, platform, "true")
    job = until(platform, name, *JOB_ENDED)
    platform.cancel(job)
    platform.cancel(job)
    assert platform.job(name).state == job.state == "succeeded"


def no_zone(bench, platform):
    """A time that says no zone is the profile's zone, or unknown: never somebody's midnight, and no crash."""
    name = submitted(bench, platform, "true")
    exact = until(platform, name, *JOB_ENDED)
    inject(bench, "rewrite", old="+08:00", new="")
    job = bench.platform().job(name)
    assert job.state == exact.state and job.submitted == exact.submitted


def zone_of_the_profile(bench, platform):
    """Its times never say a zone: they are the profile's, wherever this process and that site are."""
    at = time.time()
    name = submitted(bench, platform, "true")
    job = until(platform, name, *JOB_ENDED)
    assert abs(datetime.fromisoformat(job.submitted).timestamp() - at) < 600
    elsewhere = bench.platform()
    elsewhere.profile["time"]["timezone"] = "+00:00"
    moved = datetime.fromisoformat(elsewhere.job(name).submitted) - datetime.fromisoformat(job.submitted)
    assert moved.total_seconds() == 8 * 3600
    elsewhere.connection.http.close()


# -- machines, where work runs on one of its own ---------------------------------------------------
def machine(bench, platform, name):
    """Make a machine of that name."""
    platform.create_instance(
        InstanceSpec(
            name=name, label={"swb_run": "x"}, pool="hunan/cloud/az-general.x86_64", image="openeuler-x86_64",
            networks=("work",),
        )
    )  # fmt: skip
    end = time.monotonic() + 15
    while (found := platform.instance(name)).state == "starting":
        assert time.monotonic() < end, found
        time.sleep(0.05)
    return found


def unknown_machine(bench, platform):
    assert machine(bench, platform, "swb-web-one").state == "running"
    inject(bench, "rewrite", path="/servers/detail", old='"ACTIVE"', new='"PONDERING"')
    found = platform.instance("swb-web-one")
    assert (found.state, found.native_state) == ("unknown", "PONDERING")
    assert bench.copies("swb-web-one") == 1


def chinese_machine(bench, platform):
    somebody = bench.platform("demo")
    somebody.NAME_RULE = dataclasses.replace(somebody.NAME_RULE, characters=r"\w")
    found = machine(bench, somebody, "训练任务")
    assert found.name == "训练任务" and platform.jobs() == []
    assert all(pool.ours == () for pool in platform.pools())


def zoneless_machine(bench, platform):
    exact = machine(bench, platform, "swb-web-one").created
    inject(bench, "rewrite", path="/servers/detail", old='Z"', new='"')
    assert platform.instance("swb-web-one").created == exact and exact.endswith("Z")


# -- the table --------------------------------------------------------------------------------------
def every(cell, **others):
    """Return a row: `cell` for what speaks HTTP, NO_HTTP for the rest, and what others say."""
    return {**dict.fromkeys(PLATFORMS, NO_HTTP), **dict.fromkeys(REST, cell), **others}


def jobs(cell, **others):
    return {**dict.fromkeys(PLATFORMS, NO_JOBS), **dict.fromkeys((*JOBS, "donau"), cell), **others}


UNAUTHORIZED = bad(Unauthorized, kind="token_expiry")
LOST = Held("test_platforms.py::test_a_lost_answer_is_doubt_and_the_job_is_there_once")
TABLE = {
    "expired token in the middle": {
        "aofei": Held("test_profiled.py::test_a_token_that_ends_in_the_middle_is_renewed_once"),
        "custom": Held("test_profiled.py::test_a_token_that_ends_in_the_middle_is_renewed_once"),
        "donau": Held("test_donau.py::test_each_state_of_the_token_is_told_by_every_verb"),
        "openstack": Held("test_openstack.py::test_a_forgotten_token_is_renewed"),
        "prometheus": UNAUTHORIZED,
        "slurm": UNAUTHORIZED,
        "tianyin": Held("test_profiled.py::test_a_token_that_ends_in_the_middle_is_renewed_once"),
    },
    "401 for a missing right": every(
        bad(Unauthorized, kind="reply", code=401, text="no right"),
        donau=Held("test_donau.py::test_somebody_unknown_is_in_no_group"),
    ),
    "429 with Retry-After": every(good(kind="status", code=429, n=1, retry_after=1)),
    "429 without Retry-After": every(good(kind="status", code=429, n=1, retry_after=None)),
    "500 twice, then good": every(
        good(kind="status", code=500, n=2),
        # A 500 of these is an answer (slurmrestd's is mostly a plain "no"), and is not asked for again.
        **dict.fromkeys(("openstack", "prometheus", "slurm"), bad(Unreachable, kind="status", code=500, n=2)),
    ),
    "a body cut in the middle": every(good(kind="torn", n=1)),
    "a list shorter than announced": {
        **dict.fromkeys(("aofei", "custom", "slurm", "tianyin"), short_list),
        "donau": Held("test_donau_text.py::test_a_list_that_is_shorter_than_what_is_described_is_none"),
        "openstack": short_page,
        "prometheus": NO_LISTS,
    },
    "pages in a circle": {
        **dict.fromkeys(("aofei", "custom", "tianyin"), circle),
        "donau": NO_HTTP,
        "openstack": linked_circle,
        "prometheus": NO_LISTS,
        "slurm": NO_PAGES,
    },
    "HTML in the place of JSON": every(bad(Unreachable, kind="reply", **HTML)),
    "wrong certificate": every(
        wrong_certificate, donau=Held("../unit/ssh/test_connection.py::test_another_host_key_is_refused")
    ),
    "unknown state word": jobs(
        unknown_word,
        openstack=unknown_machine,
        donau=Held("test_donau.py::test_an_unknown_word_or_number_is_never_success"),
    ),
    "names in Chinese": jobs(chinese, openstack=chinese_machine),
    "a job of our name that is not ours": jobs(
        not_ours,
        **dict.fromkeys(("donau", "tianyin"), NO_LABEL),
        openstack=Held("test_openstack.py::test_somebody_elses_machine_of_our_name_is_not_touched"),
    ),
    "submit accepted, answer lost": jobs(
        LOST, openstack=Held("test_openstack.py::test_a_lost_answer_is_looked_for_and_not_repeated")
    ),
    "cancel of a finished job": jobs(ended, openstack=ended),
    "times without zone": jobs(
        no_zone,
        **dict.fromkeys(("custom", "slurm"), EPOCHS),
        donau=NO_TIMES,
        openstack=zoneless_machine,
        tianyin=zone_of_the_profile,
    ),
}


def absent(cell):
    """Return a cell that looks whether it is as the reason says."""

    def look(bench, platform):
        assert cell.holds(bench, platform), cell.reason

    return look


def cells():
    for fault, row in TABLE.items():
        for platform, cell in sorted(row.items()):
            if not isinstance(cell, Held):
                cell = cell if callable(cell) else absent(cell)
                for bench in (platform, *FURTHER.get(platform, ())):
                    yield pytest.param(bench, cell, id=f"{bench}: {fault}")


def test_the_table_has_every_platform_and_every_fault():
    assert {fault: sorted(row) for fault, row in TABLE.items()} == dict.fromkeys(TABLE, sorted(PLATFORMS))
    for row in TABLE.values():
        for cell in row.values():
            assert not isinstance(cell, NotThere) or re.fullmatch(r".{15,}\.", cell.reason)


def test_the_tests_that_it_names_exist():
    here = Path(__file__).parent
    for held in {cell.test for row in TABLE.values() for cell in row.values() if isinstance(cell, Held)}:
        file, _colons, name = held.partition("::")
        functions = [node.name for node in ast.parse((here / file).read_text("utf-8")).body if hasattr(node, "name")]
        assert name in functions, held


@pytest.mark.parametrize(("which", "cell"), list(cells()))
def test_each_ends_as_documented(servers, which, cell):
    bench = servers(which)
    platform = bench.platform("demo") if which == "openstack" else bench.platform()
    bench.reset()
    bench.injected = set()
    try:
        cell(bench, platform)
        assert all(map(bench.struck, bench.injected)), "the fault has not changed one answer"
    finally:
        bench.heal()
        if platform.connection.http:
            platform.connection.http.close()
