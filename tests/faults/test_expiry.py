"""A window that is not open yet, and an approval that has expired: nothing is started, what was started is
brought to its end.
"""

import time

from ansible_collections.suanwang.brain.plugins.plugin_utils import clock
from tests.faults import bench
from tests.faults.test_apply import said


def untouched(lab):
    for name in bench.SITES:
        counters = lab.site(name).counters()
        assert (counters["reads"], counters["writes"]) == (0, 0), (name, counters)


def test_nothing_is_started_on_an_expired_approval(template, lab, tmp_path):
    project, run = template.mint(tmp_path / "first", good_for_s=60, approved_ago_s=61)
    for name in bench.SITES:
        lab.site(name).reset_counters()
    refused = project.apply(run)
    assert refused.code != 0
    digest = project.store.find_plan(run).name
    assert f"the approval of plan {digest[:8]} has expired" in refused.flat, refused.text
    assert "Approve it again, or propose again" in refused.flat
    assert project.events(run) == []
    assert not (project.store.run_dir(run) / "claim").exists()
    untouched(lab)
    # Approved again it runs.
    project.approve(run).good()
    project.apply(run).good()
    bench.ended_well(project, lab, run)


def test_nothing_is_started_before_its_window_but_a_check_and_a_release_are_fine(template, lab, tmp_path):
    opens = clock.after(clock.now(), 3600)
    project, run = template.mint(tmp_path / "early", not_before=opens)
    for name in bench.SITES:
        lab.site(name).reset_counters()
    refused = project.apply(run)
    assert refused.code != 0
    digest = project.store.find_plan(run).name
    assert f"plan {digest[:8]} starts not before {opens}" in refused.flat, refused.text
    assert "revise the proposal with another window" in refused.flat
    assert project.events(run) == []
    untouched(lab)
    project.play("apply", "-e", f"plan={run}", "--check").good()
    project.play("release", "-e", f"plan={run}").good()
    assert not bench.our_jobs(lab, run)


def test_what_was_started_is_finished_after_the_expiry(lab, clone, tmp_path):
    template = bench.Template(lab, tmp_path / "template", seconds=3)
    project, run = template.mint(tmp_path / "first", good_for_s=10)
    begun = time.monotonic()
    process = bench.begin(project, run)
    assert bench.wait_for(lambda: project.events(run, "submitted"), process), said(project)
    bench.kill(process)
    time.sleep(max(0.0, begun + 11 - time.monotonic()))
    other = bench.elsewhere(project, tmp_path / "second", clone)
    other.apply(run).good()
    bench.ended_well(other, lab, run)


def test_what_was_not_started_in_time_is_refused_and_can_be_given_back(template, lab, clone, tmp_path):
    """The data are there, the job is not: the approval expires between the two."""
    project, run = template.mint(tmp_path / "first", good_for_s=10)
    begun = time.monotonic()
    process = bench.begin(project, run)
    assert bench.wait_for(lambda: project.events(run, "placed"), process), said(project)
    bench.kill(process)
    assert not bench.our_jobs(lab, run)
    time.sleep(max(0.0, begun + 11 - time.monotonic()))
    other = bench.elsewhere(project, tmp_path / "second", clone)
    late = other.apply(run)
    assert late.code != 0
    assert "train was not started before the approval expired. Approve the plan again" in late.flat, late.text
    assert not bench.our_jobs(lab, run)
    other.play("release", "-e", f"plan={run}").good()
    assert bench.left_at_sites(lab, run) == []
