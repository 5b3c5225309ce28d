"""The main job on two real Slurm clusters of each release, and the traps that the platform file was written for.

The contract suite runs on both as well: see tests/contract/benches.py.
"""

import re
import time

import pytest

from ansible_collections.suanwang.brain.plugins.module_utils import jobfile
from ansible_collections.suanwang.brain.plugins.module_utils import names
from ansible_collections.suanwang.brain.plugins.module_utils import sites
from ansible_collections.suanwang.brain.plugins.module_utils.errors import BrainError
from ansible_collections.suanwang.brain.plugins.module_utils.errors import NotFound
from ansible_collections.suanwang.brain.plugins.module_utils.errors import Refused
from ansible_collections.suanwang.brain.plugins.module_utils.errors import Unauthorized
from ansible_collections.suanwang.brain.plugins.module_utils.resources import JOB_ENDED
from ansible_collections.suanwang.brain.plugins.module_utils.resources import JobSpec
from tests.lab import keys
from tests.playbooks.project import CHECKOUT
from tests.playbooks.project import digits_accuracy
from tests.playbooks.project import Project
from tests.real import packages
from tests.real.slurm import RealSlurm

packages.need_slurm()  # else the whole module is skipped, with one line

DIGITS = CHECKOUT / "examples" / "digits" / "task.yml"


@pytest.fixture(scope="module", params=packages.RELEASES)
def slurm(request):
    """Two clusters of one release, with history and quota."""
    with RealSlurm(tree=packages.need_slurm(request.param)) as started:
        yield started


def is_old(slurm):
    return slurm.tree.slurm_version().startswith(packages.OLDEST)


# -- the main job -----------------------------------------------------------------------------------
@pytest.fixture(scope="module")
def finished(slurm, tmp_path_factory):
    """A digits run that was taken to its end by playbooks alone."""
    project = Project(slurm, tmp_path_factory.mktemp("finished"))
    run = project.approved(DIGITS)
    return project, run, project.apply(run).good()


def test_both_clusters_are_perceived(project):
    seen = project.perceive().good()
    assert "slurm:npu" in seen.text and "slurm:gpu" in seen.text
    assert "910b4" in seen.text and "a800" in seen.text and "live" in seen.text


def test_the_model_is_trained_by_slurmd_and_comes_home(finished):
    project, run, _done = finished
    assert [event["state"] for event in project.events(run, "closed")] == ["succeeded"]
    assert digits_accuracy(project, run) >= 0.94


def test_slurm_itself_knows_exactly_one_job_of_the_run(finished, slurm):
    project, run, _done = finished
    name = f"swb-{run}-train.a1"
    planned = next(c for c in project.plan(run)["components"] if c["id"] == "train")["pools"][0].split("/")[0]
    found = {site.name: site.copies(name) for site in slurm.sites}
    assert {site: len(numbers) for site, numbers in found.items()} == {
        site.name: int(site.name == planned) for site in slurm.sites
    }
    (number,) = found[planned]
    said = slurm.site(planned).tool("sacct", "-n", "-X", "-P", "-j", number, "-o", "State,ExitCode,AllocTRES")
    assert said.startswith("COMPLETED|0:0|") and re.search(r"gres/[ng]pu=1\b", said)


def test_a_second_apply_changes_nothing(finished, slurm):
    project, run, _done = finished
    for site in slurm.sites:
        site.reset_counters()
    assert set(project.apply(run).good().changed.values()) == {0}
    assert [site.counters()["writes"] for site in slurm.sites] == [0, 0]


def test_nothing_is_left_at_the_sites(finished, slurm):
    _project, run, _done = finished
    assert [path for site in slurm.sites for path in (site.home / "brain").glob(f"{run}/**/*")] == []


def test_foreign_jobs_change_the_proposal_and_then_forbid_it(project, slurm):
    """Somebody's sbatch takes every accelerator where we would have gone, and then everywhere."""

    def chosen():
        components = project.plan(project.planned(DIGITS))["components"]
        return next(c for c in components if c["id"] == "train")["pools"][0]

    first, taken = chosen(), []
    try:
        site = slurm.site(first.split("/")[0])
        taken.append((site, site.take_all(seconds=10_000)))
        assert chosen().split("/")[0] not in ("", site.name)
        (other,) = (one for one in slurm.sites if one is not site)
        taken.append((other, other.take_all(seconds=10_000)))
        refused = project.propose(DIGITS)
        assert refused.code != 0
        # The deadline is in two hours, and the cards are free in nearly three.
        assert re.search(r"hunan/slurm/npu has 0 of 16 910b4 cards free until", refused.flat), refused.flat
        assert re.search(r"centre-a/slurm/gpu has 0 of 8 a800 cards free until", refused.flat), refused.flat
        assert "set a later deadline" in refused.flat
    finally:
        for site, number in taken:
            site.scancel(number)


# -- traps ------------------------------------------------------------------------------------------
@pytest.fixture
def work(slurm):
    """Return a function: site → (its platform, a function that makes a JobSpec)."""
    made = []

    def at(name, tenant="demo"):
        platform = sites.load(str(slurm.config)).platform(name, "slurm", tenant)
        made.append(platform)

        def spec(script="true", **more):
            job = names.name(names.new_run(time.time() * 1000), "work", 1)
            layout = jobfile.Layout(platform.files.root(), names.parse(job).run, "work")
            platform.files.put(b"", f"{layout.workdir}/code.tar")
            return JobSpec(**{
                "name": job, "label": "", "pool": slurm.site(name).hardware["partition"],
                "script": f"#!/bin/sh\n{script}\n", "workdir": layout.workdir, "log": layout.log,
                "environment": {"PATH": "/usr/bin:/bin"}, "wall_s": 60, **more,
            })  # fmt: skip

        return platform, spec

    yield at
    for platform in made:
        platform.files.close()
        platform.connection.http.close()


def until(question, seconds=20):
    end = time.monotonic() + seconds
    while not (answer := question()):
        assert time.monotonic() < end
        time.sleep(0.1)
    return answer


def test_the_platform_says_what_it_is(slurm, work):
    platform, _spec = work("hunan")
    newest = "v0.0.38" if is_old(slurm) else "v0.0.42"
    assert platform.ping() == {"version": slurm.tree.slurm_version(), "api": newest, "history": newest}


def test_a_refused_submit_leaves_a_record_that_is_no_job(slurm, work):
    platform, spec = work("hunan")
    asked = spec(cpu=slurm.site("hunan").hardware["cpus"] + 1)
    with pytest.raises(Refused) as caught:
        platform.submit(asked)
    assert caught.value.details["number"] == 2014
    assert len(slurm.site("hunan").copies(asked.name)) == 1
    assert platform.job(asked.name) is None


@pytest.mark.parametrize(("more", "reason"), [
    ({"wall_s": 10**6}, "PartitionTimeLimit"), ({"nodes": 3}, "PartitionNodeLimit"),
    ({"cpu": 100_000}, "PartitionConfig"),
])  # fmt: skip
def test_a_job_that_can_never_start_is_accepted_with_its_reason_or_refused(slurm, work, more, reason):
    """More than a node has is refused (2014); more than the whole partition has is only since 24.11."""
    platform, spec = work("centre-a")
    asked = spec(**more)
    if "wall_s" not in more and not is_old(slurm):
        with pytest.raises(Refused) as caught:
            platform.submit(asked)
        assert caught.value.details["number"] == 2014 and platform.job(asked.name) is None
        return
    job = platform.submit(asked)
    assert job.state == "queued"
    if is_old(slurm):
        assert "cannot start as asked" in job.reason
    until(lambda: platform.job(asked.name).reason == f"{reason}: cannot start as asked")
    platform.cancel(job)
    until(lambda: platform.job(asked.name).state == "cancelled")


def test_a_quota_is_a_reason_while_it_waits(slurm, work):
    platform, spec = work("hunan")
    asked, site = spec(accelerators=2), slurm.site("hunan")
    site.tool("sacctmgr", "-i", "modify", "account", "demo", "set", "GrpTRES=gres/npu=1")
    try:
        platform.submit(asked)
        until(lambda: platform.job(asked.name).reason == "quota: AssocGrpGRES")
        (quota,) = [q for q in platform.quota() if q.resource == "accelerators"]
        assert (quota.limit, quota.used, quota.tenant) == (1, 0, "demo")
        platform.cancel(platform.job(asked.name))
        until(lambda: platform.job(asked.name).state == "cancelled")
    finally:
        site.tool("sacctmgr", "-i", "modify", "account", "demo", "set", "GrpTRES=gres/npu=16")


def test_a_quota_is_set_by_sacctmgr_and_a_job_counts_on_the_tenants_account(slurm, work):
    platform, spec = work("hunan")
    site = slurm.site("hunan")

    def kept():
        show = ("sacctmgr", "-nP", "show", "assoc", "where", "account=demo", "user=", "format=GrpTRES,GrpSubmitJobs")
        return site.tool(*show).splitlines()[0]

    try:
        platform.set_quota("demo", {"accelerators": 4, "cpu": 64, "memory_gib": 512, "jobs": 10})
        assert kept() == "cpu=64,gres/npu=4,mem=512G|10"
        limits = {quota.resource: quota.limit for quota in platform.quota() if quota.user is None}
        assert limits == {"accelerators": 4, "cpu": 64, "memory_gib": 512, "jobs": 10}
        platform.set_quota("demo", {"nodes": 2})
        assert kept() == "cpu=64,gres/npu=4,mem=512G,node=2|10"
        with pytest.raises(NotFound) as caught:
            platform.set_quota("nobodys", {"cpu": 1})
        assert "native_account" in caught.value.way_out
        asked = spec()
        platform.submit(asked)
        until(lambda: platform.job(asked.name).state == "succeeded")
        (number,) = site.copies(asked.name)
        assert site.tool("sacct", "-n", "-X", "-P", "-j", number, "-o", "Account").strip() == "demo"
    finally:
        gone = "GrpTRES=gres/npu=16,cpu=-1,mem=-1,node=-1"
        site.tool("sacctmgr", "-i", "modify", "account", "demo", "set", gone, "GrpSubmitJobs=-1")


def test_a_signal_is_128_and_its_number(work):
    platform, spec = work("centre-a")
    asked = spec("kill -9 $$")
    platform.submit(asked)
    job = until(lambda: (found := platform.job(asked.name)).state in JOB_ENDED and found)
    assert (job.state, job.exit_code) == ("failed", 137)


def test_a_foreign_account_is_refused(work):
    platform, spec = work("centre-a")
    with pytest.raises(Unauthorized) as caught:
        platform.submit(spec(account="nobodys"))
    assert "native_account" in caught.value.way_out


def test_a_drained_node_is_an_alarm_and_not_free(slurm, work):
    platform, _spec = work("hunan")
    site = slurm.site("hunan")
    site.tool("scontrol", "update", "NodeName=hn-asc01", "State=DRAIN", "Reason=换内存")
    try:
        (pool,) = platform.pools()
        assert (pool.free.nodes, pool.free.accelerators, pool.free.cpu) == (1, 8, 192)
        (alarm,) = pool.alarms
        assert alarm.name == "node hn-asc01 is drained: 换内存" and alarm.since
    finally:
        site.tool("scontrol", "update", "NodeName=hn-asc01", "State=RESUME")
    until(lambda: platform.alarms() == [])


@pytest.mark.parametrize("act", ["job", "submit", "quota"])
def test_a_forged_token_is_told_from_a_dead_controller(slurm, work, act):
    platform, spec = work("hunan")
    asked = spec()
    path = slurm.config / "credentials" / "hunan-slurm"
    good = path.read_bytes()
    keys.write_private(path, keys.mint_jwt(b"another key", platform.account.user).encode())
    try:
        with pytest.raises(Unauthorized) as caught:
            {"job": lambda: platform.job(asked.name), "submit": lambda: platform.submit(asked),
             "quota": platform.quota}[act]()  # fmt: skip
        assert path.read_text().strip() not in f"{caught.value.failure()}"
    finally:
        keys.write_private(path, good)
    assert slurm.site("hunan").copies(asked.name) == []


def test_what_a_history_says_of_an_exit_code(slurm, work):
    """22.05 says 0 for `exit 3`, so it is not read there; 24.11 says 3."""
    platform, spec = work("hunan")
    asked = spec("exit 3")
    platform.submit(asked)
    until(lambda: platform.job(asked.name).state in JOB_ENDED)
    until(lambda: not [job for job in platform.jobs() if job.name == asked.name], seconds=120)
    job = platform.job(asked.name)
    assert (job.state, job.exit_code) == ("failed", None if is_old(slurm) else 3)


def test_a_job_outlives_its_controller(slurm, work):
    """slurmctld is stopped while the job runs, and started again: the same job ends well, once."""
    platform, spec = work("centre-a")
    asked, site = spec("sleep 4; echo done"), slurm.site("centre-a")
    made = platform.submit(asked)
    until(lambda: platform.job(asked.name).state == "running")
    site.fault("ctld_down")
    site.heal()
    job = until(lambda: (found := platform.job(asked.name)) and found.state in JOB_ENDED and found, 40)
    assert job.id == made.id and job.ended_well
    assert site.copies(asked.name) == [made.id]


# -- without accounting -----------------------------------------------------------------------------
@pytest.mark.parametrize("release", packages.RELEASES)
def test_without_a_history_pools_are_seen_and_absence_is_never_claimed(release):
    with RealSlurm(accounting=False, tree=packages.need_slurm(release)) as bare:
        platform = sites.load(str(bare.config)).platform("hunan", "slurm", "demo")
        try:
            (pool,) = platform.pools()
            assert pool.free.accelerators == 16 and pool.seen.state == "partial"
            with pytest.raises(BrainError):
                platform.job(names.name(names.new_run(time.time() * 1000), "work", 1))
        finally:
            platform.connection.http.close()
