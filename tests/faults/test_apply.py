"""Faults while a plan is applied: ridden out, or a sentence that names site and way out; never a second job."""

import time

import pytest

from tests.faults import bench


def fault(lab, kind, **options):
    for name in bench.SITES:
        lab.site(name).fault(kind, **options)


def heal(lab):
    for name in bench.SITES:
        lab.site(name).heal()


def said(project):
    """Return what the console showed, on one line."""
    return " ".join((project.folder / "apply.log").read_text().split())


def disturbed(template, lab, folder, event, faults, seconds, heals=True):
    """Apply; once `event` is in the journal make faults, and heal them later; return (project, run, exit code)."""
    project, run = template.mint(folder / "run")
    if event is None:
        faults()
    process = bench.begin(project, run)
    if event:
        assert bench.wait_for(lambda: project.events(run, event), process), said(project)
        faults()
    if heals:
        time.sleep(seconds)
        assert process.poll() is None, said(project)
        heal(lab)
    return project, run, process.wait(timeout=120)


RIDDEN_OUT = {
    "controller down while it runs": ("submitted", 3, [("ctld_down", {})]),
    "controller down at the submit": ("placed", 4, [("ctld_down", {})]),
    "accounting down from the submit on": ("submitted", 0, [("dbd_down", {})]),
    "accounting down at the preflight": (None, 5, [("dbd_down", {})]),
    "site dead while it runs": ("submitted", 4, [("dead", {})]),
    "site dead at the preflight": (None, 5, [("dead", {})]),
    "lists cut short while it runs": ("submitted", 4, [("partial", {"keep": 0, "path": "/job"})]),
    "one token taken for a bad one": ("submitted", 0, [("token_expiry", {"n": 1})]),
    "429 at the submit": ("placed", 3, [("status", {"code": 429, "retry_after": 1})]),
    "503 while it runs": ("submitted", 4, [("status", {"code": 503, "retry_after": 1})]),
    "answer of the submit lost": (None, 0, [("lost_answer", {"n": 1})]),
    "answer lost, lists cut short": (None, 8, [("lost_answer", {"n": 1}), ("partial", {"keep": 0, "path": "/jobs"})]),
    "upload cut": (None, 0, [("ssh_cut", {"after_bytes": 1_500_000})]),
}


@pytest.fixture(scope="module")
def longer(lab, tmp_path_factory):
    return bench.Template(lab, tmp_path_factory.mktemp("longer"), seconds=3)


@pytest.mark.parametrize("case", RIDDEN_OUT)
def test_ridden_out(longer, lab, tmp_path, case):
    event, seconds, faults = RIDDEN_OUT[case]

    def make():
        for kind, options in faults:
            fault(lab, kind, **options)

    project, run, code = disturbed(longer, lab, tmp_path, event, make, seconds, heals=seconds > 0)
    assert code == 0, said(project)[-3000:]
    bench.ended_well(project, lab, run)
    if case == "upload cut":
        assert project.events(run, "unreachable"), "the cut was noticed"


def test_token_expired_for_good(longer, lab, clone, tmp_path):
    """It ends with a sentence, the job goes on, and the same again with a good token brings the model home."""
    project, run = longer.mint(tmp_path / "run")
    process = bench.begin(project, run)
    assert bench.wait_for(lambda: project.events(run, "submitted"), process), said(project)
    fault(lab, "token_expiry")
    assert process.wait(timeout=60) != 0
    site = bench.our_jobs(lab, run)[0][0]
    for words in (f"{site}, GET /", "scontrol token", f"credential file {site}-slurm"):
        assert words in said(project), said(project)[-3000:]
    heal(lab)
    project.apply(run).good()
    bench.ended_well(project, lab, run)


def test_full_disk(longer, lab, tmp_path):
    project, run = longer.mint(tmp_path / "run")
    fault(lab, "disk_full")
    process = bench.begin(project, run)
    assert process.wait(timeout=60) != 0
    site = project.plan(run)["components"][0]["pools"][0].split("/")[0]
    assert site in said(project) and "No space left" in said(project), said(project)[-3000:]
    assert "Look at space, quota and rights" in said(project)
    assert bench.our_jobs(lab, run) == []
    heal(lab)
    project.apply(run).good()
    bench.ended_well(project, lab, run)


def test_lists_cut_short_at_the_resume(longer, lab, clone, tmp_path):
    """The journal knows of a job that no list shows: nothing is submitted until one does."""
    project, run = longer.mint(tmp_path / "run")
    process = bench.begin(project, run)
    assert bench.wait_for(lambda: project.events(run, "submitted"), process), said(project)
    bench.kill(process)
    fault(lab, "partial", keep=0, path="/jobs")
    process = bench.begin(bench.elsewhere(project, tmp_path / "second", clone), run)
    time.sleep(6)
    assert process.poll() is None
    heal(lab)
    assert process.wait(timeout=90) == 0
    bench.ended_well(project, lab, run)
