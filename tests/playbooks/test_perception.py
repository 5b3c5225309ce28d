"""Perception over time, as a user meets it: stale, lost, the cache, and an inventory that was frozen an hour ago."""

import json

import pytest

from ansible_collections.suanwang.brain.plugins.plugin_utils import clock
from tests.playbooks.project import write_task

SITES = ("hunan", "centre-a")


def age_snapshots(project, seconds):
    """Let every snapshot of a store be older than it is."""
    for name in SITES:
        text = project.store.snapshot_path(name, "slurm").read_text()
        at = json.loads(text)["at"]
        project.store.save_snapshot(name, "slurm", json.loads(text.replace(at, clock.after(at, -seconds))))


def states(done):
    """Return site → state of its pool in the table."""
    rows = [line.split() for line in done.text.splitlines()]
    return {row[0]: row[2] for row in rows if len(row) > 3 and row[0] in SITES and row[1].startswith("slurm:")}


def reads(lab):
    return {name: lab.site(name).counters()["reads"] for name in SITES}


def reset(lab):
    for name in SITES:
        lab.site(name).reset_counters()


def test_live_then_stale_then_lost_then_live(project, lab):
    assert states(project.perceive().good()) == {"hunan": "live", "centre-a": "live"}
    lab.site("centre-a").fault("dead")
    age_snapshots(project, 800)
    assert states(project.perceive().good()) == {"hunan": "live", "centre-a": "stale"}
    age_snapshots(project, 200)
    seen = project.perceive().good()
    assert states(seen) == {"hunan": "live", "centre-a": "lost"}
    assert "centre-a/slurm is lost" in seen.flat and "nothing answers" in seen.flat
    run = project.planned(write_task(project.folder / "t"))
    assert project.plan(run)["components"][0]["pools"] == ["hunan/slurm/npu"]
    lab.site("hunan").fault("dead")
    seen = project.perceive()
    assert seen.code != 0 and "0 site(s) answered, policy.yml asks for 1" in seen.flat
    for name in SITES:
        lab.site(name).heal()
    assert states(project.perceive().good()) == {"hunan": "live", "centre-a": "live"}


def test_strict_sites_is_an_error(project, lab):
    project.inventory.write_text(project.inventory.read_text() + "strict_sites: true\n")
    project.perceive().good()
    lab.site("centre-a").fault("dead")
    seen = project.perceive()
    assert seen.code != 0 and "centre-a: nothing answers" in seen.flat


def test_young_snapshots_spare_the_network_until_the_cache_is_flushed(project, lab):
    project.inventory.write_text(project.inventory.read_text() + "max_age_s: 600\n")
    project.perceive().good()
    reset(lab)
    assert states(project.perceive().good()) == {"hunan": "live", "centre-a": "live"}
    project.propose(write_task(project.folder / "t"), pick=None).good()
    assert reads(lab) == {"hunan": 0, "centre-a": 0}
    project.perceive("--flush-cache").good()
    assert all(reads(lab).values())
    reset(lab)
    again = project.folder / "again.yml"
    again.write_text(
        "- hosts: localhost\n  gather_facts: false\n  tasks: [{ansible.builtin.meta: refresh_inventory}]\n"
    )
    project.run("ansible-playbook", "-i", project.inventory, again).good()
    assert all(reads(lab).values()), "refresh_inventory asks the sites"
    reset(lab)
    age_snapshots(project, 601)
    project.perceive().good()
    assert all(reads(lab).values()), "too old"


@pytest.fixture
def frozen(project):
    """A function that freezes the inventory now, and gives it back as if that had been some seconds ago."""

    def freeze(seconds):
        project.perceive().good()
        listed = project.run("ansible-inventory", "-i", project.inventory, "--list", "--export").good()
        content = json.loads(listed.text[listed.text.index("{") :])
        assert len(content["_meta"]["hostvars"]) == 2
        for variables in content["_meta"]["hostvars"].values():
            # What comes from a platform is marked, so that it never becomes a template.
            at, state = (variables["brain_seen"][key] for key in ("at", "state"))
            at["__ansible_unsafe"] = clock.after(at["__ansible_unsafe"], -seconds)
            assert state == {"__ansible_unsafe": "live"} and variables["brain_schedulable"] is True
        (project.folder / "frozen.json").write_text(json.dumps(content))
        project.inventory = project.folder / "frozen.sh"
        project.inventory.write_text(f"#!/bin/sh\nexec cat '{project.folder}/frozen.json'\n")
        project.inventory.chmod(0o755)

    return freeze


def test_a_frozen_inventory_of_just_now_is_used_without_asking_a_site(project, lab, frozen):
    frozen(0)
    reset(lab)
    assert states(project.perceive().good()) == {"hunan": "live", "centre-a": "live"}
    project.propose(write_task(project.folder / "t"), pick=None).good()
    assert reads(lab) == {"hunan": 0, "centre-a": 0}


def test_a_frozen_inventory_of_an_hour_ago_says_what_it_is(project, lab, frozen):
    frozen(3600)
    seen = project.perceive()
    assert states(seen) == {"hunan": "lost", "centre-a": "lost"}
    assert seen.code != 0 and "0 site(s) answered" in seen.flat
    refused = project.propose(write_task(project.folder / "t"), pick=None)
    assert refused.code != 0 and "hunan/slurm/npu" in refused.flat and "lost" in refused.flat, refused.text
    assert project.store.runs() == []
