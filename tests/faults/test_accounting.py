"""slurmdbd down: a live job needs no history; what the live list no longer shows is never submitted on a guess."""

from tests.faults import bench
from tests.faults.test_apply import said


def accounting_down(lab):
    for name in bench.SITES:
        lab.site(name).fault("dbd_down")


def test_a_live_job_is_found_though_a_second_attempt_is_allowed(lab, clone, tmp_path):
    template = bench.Template(lab, tmp_path / "template", seconds=4, retry=1)
    project, run = template.mint(tmp_path / "first")
    process = bench.begin(project, run)
    assert bench.wait_for(lambda: project.events(run, "submitted"), process), said(project)
    bench.kill(process)
    accounting_down(lab)
    other = bench.elsewhere(project, tmp_path / "second", clone)
    other.apply(run).good()
    bench.ended_well(other, lab, run)


def test_a_job_gone_from_the_live_list_is_known_by_its_result_file(template, lab, clone, tmp_path):
    project, run = template.mint(tmp_path / "first")
    process = bench.begin(project, run)
    assert bench.wait_for(lambda: project.events(run, "submitted"), process), said(project)
    bench.kill(process)
    ((site, _job),) = bench.our_jobs(lab, run)
    lab.site(site).set(min_job_age=0)
    assert bench.wait_for(lambda: not [job for _s, job in bench.our_jobs(lab, run) if job["in_memory"]])
    accounting_down(lab)
    other = bench.elsewhere(project, tmp_path / "second", clone)
    other.apply(run).good()
    lab.site(site).set(min_job_age=300)
    bench.ended_well(other, lab, run)


def test_nothing_is_submitted_while_nobody_can_tell_the_history(template, lab, tmp_path):
    """A check says so at once; a run waits, and goes on when the accounting is back."""
    project, run = template.mint(tmp_path / "first")
    accounting_down(lab)
    for name in bench.SITES:
        lab.site(name).reset_counters()
    checked = project.apply(run, "--check")
    site = project.plan(run)["components"][0]["pools"][0].split("/")[0]
    assert checked.code != 0
    for word in (
        f"{site}, GET /jobs",
        "train is undecided: it may run already",
        "7000",
        "The accounting does not answer",
    ):
        assert word in checked.flat, checked.text[-3000:]
    process = bench.begin(project, run)
    assert bench.wait_for(lambda: project.events(run, "unreachable"), process), said(project)
    assert bench.our_jobs(lab, run) == []
    for name in bench.SITES:
        assert lab.site(name).counters()["rest"]["write"] == 0
        lab.site(name).heal()
    assert process.wait(timeout=120) == 0, said(project)[-3000:]
    bench.ended_well(project, lab, run)
