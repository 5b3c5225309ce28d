"""kill -9 of the playbook anywhere; the same command again, from another clone and an empty HOME, ends it well."""

import random
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from tests.faults import bench

SEED = 20261125
#: Kill points: so many lines of the journal are there, and so many seconds later.
RANDOM_POINTS = 16
AT_ONCE = 3


@pytest.fixture(scope="module")
def undisturbed(template, lab, tmp_path_factory):
    """Return the number of journal lines of a run that nobody disturbs."""
    project, run = template.mint(tmp_path_factory.mktemp("undisturbed") / "run")
    project.apply(run).good()
    bench.ended_well(project, lab, run)
    return len(project.events(run))


def struck(template, lab, clone, folder, when, kept=False):
    """Kill a run when `when(project, run, process)` returns, look for orphans, resume, and look at the end."""
    project, run = template.mint(folder / "first", keep=kept)
    process = bench.begin(project, run)
    try:
        when(project, run, process)
    finally:
        bench.kill(process)
    bench.no_orphans(project)
    lines = len(project.events(run))
    for name in bench.SITES:
        if lab.site(name).info()["faults"]:
            lab.site(name).heal()
    other = bench.elsewhere(project, folder / "second", clone)
    other.apply(run).good()
    bench.ended_well(other, lab, run, kept)
    return lines


def test_killed_at_random_moments(template, lab, clone, undisturbed, tmp_path):
    dice = random.Random(SEED)
    points = [(dice.randint(0, undisturbed), dice.uniform(0, 0.4)) for _unused in range(RANDOM_POINTS)]
    print(f"seed {SEED}: " + ", ".join(f"line {line} + {delay:.2f} s" for line, delay in points))

    def strike(number):
        line, delay = points[number]

        def when(project, run, process):
            bench.wait_for(lambda: len(project.events(run)) >= line, process)
            time.sleep(delay)

        try:
            return struck(template, lab, clone, tmp_path / str(number), when, kept=number % 2 == 1)
        except AssertionError as error:
            raise AssertionError(f"point {number}, line {line} + {delay:.2f} s: {error}") from error

    with ThreadPoolExecutor(AT_ONCE) as pool:
        found = list(pool.map(strike, range(RANDOM_POINTS)))
    print(f"killed with so many lines written: {found}")


@pytest.mark.parametrize("hidden", [False, True], ids=["at once", "while it is looked for"])
def test_killed_between_an_accepted_submit_and_its_answer(template, lab, clone, tmp_path, hidden):
    for name in bench.SITES:
        lab.site(name).fault("lost_answer", n=1)
        if hidden:
            lab.site(name).fault("partial", keep=0, path="/jobs")

    def when(project, run, process):
        assert bench.wait_for(lambda: bench.our_jobs(lab, run), process)
        if hidden:
            assert bench.wait_for(lambda: project.events(run, "doubt"), process)
            time.sleep(1.5)
            assert not project.events(run, "submitted")

    struck(template, lab, clone, tmp_path, when)


@pytest.mark.parametrize("delay", [0.05, 0.3])
def test_killed_during_an_upload(template, lab, clone, tmp_path, delay):
    def when(project, run, process):
        bench.wait_for(lambda: project.events(run, "placed"), process)
        for name in bench.SITES:
            lab.site(name).fault("latency", seconds=0.4, path="sftp")
        assert bench.wait_for(lambda: [p for p in bench.left_at_sites(lab, run) if p.name.endswith(".part")], process)
        time.sleep(delay)
        assert not project.events(run, "submitted")

    struck(template, lab, clone, tmp_path, when, kept=True)


def test_killed_while_giving_back(template, lab, clone, tmp_path):
    """The result file is gone already: the resume must not take the job for one that left none."""

    def when(project, run, process):
        for name in bench.SITES:
            lab.site(name).fault("latency", seconds=0.3, path="sftp")
        bench.wait_for(lambda: project.events(run, "done"), process)
        bench.wait_for(lambda: not [p for p in bench.left_at_sites(lab, run) if p.name == "result.json"], process)
        assert not project.events(run, "closed")

    struck(template, lab, clone, tmp_path, when)


def test_a_foreign_job_takes_every_card_before_the_resume(template, lab, clone, tmp_path):
    """The pool is full now, but the work is there, or belongs there: it waits, and goes nowhere else."""
    project, run = template.mint(tmp_path / "first")
    pools = next(c for c in project.plan(run)["components"] if c["id"] == "train")["pools"]
    assert len({pool.split("/")[0] for pool in pools}) == 2, "the plan allows a second site"
    site = pools[0].split("/")[0]
    process = bench.begin(project, run)
    bench.wait_for(lambda: project.events(run, "placed"), process)
    bench.kill(process)
    assert not bench.our_jobs(lab, run)
    cards = {"hunan": "npu:ascend910b:8", "centre-a": "gpu:a800:8"}
    number = lab.site(site).foreign(gres=cards[site], nodes=2, seconds=6)
    taken = next(job for job in lab.site(site).jobs() if job["job_id"] == number)
    assert taken["job_state"] in ("PENDING", "RUNNING")
    bench.elsewhere(project, tmp_path / "second", clone).apply(run).good()
    bench.ended_well(project, lab, run)
    assert [where for where, _job in bench.our_jobs(lab, run)] == [site]


def test_our_own_job_fills_its_pool_at_the_resume(lab, clone, tmp_path):
    template = bench.Template(lab, tmp_path / "template", seconds=5, accelerators=16)
    project, run = template.mint(tmp_path / "first")
    process = bench.begin(project, run)
    bench.wait_for(lambda: project.events(run, "submitted"), process)
    bench.kill(process)
    ((site, _job),) = bench.our_jobs(lab, run)
    other = bench.elsewhere(project, tmp_path / "second", clone)
    other.apply(run).good()
    bench.ended_well(other, lab, run)
    assert [where for where, _job in bench.our_jobs(lab, run)] == [site]
