"""`conformance.yml`: what a live platform answers, with an exit code, and the line of a profile that does not fit."""

import re

import pytest

from tests.contract.benches import THIRD
from tests.lab.lab import Lab
from tests.playbooks.project import Project


@pytest.fixture(scope="module")
def lakeside(tmp_path_factory):
    with Lab(tmp_path_factory.mktemp("lakeside"), source=THIRD) as lab:
        yield lab


def walked(project, place, tenant="demo"):
    site, _slash, endpoint = place.partition("/")
    # What watches a site has no tenants, and a cloud shows its machines to the site's own account only.
    tenant = [] if endpoint == "metrics" or not tenant else ["-e", f"tenant={tenant}"]
    return project.play("conformance", "-e", f"site={site}", "-e", f"endpoint={endpoint}", *tenant,
                        "-e", f"config={project.config}")  # fmt: skip


@pytest.mark.parametrize(("options", "places"), [
    ({"sites": ["hunan"]}, ["hunan/slurm", "hunan/metrics"]),
    ({"sites": ["hunan"], "more": True}, ["hunan/tianyin"]),
    ({"sites": ["hangzhou-b"], "more": True}, ["hangzhou-b/aofei"]),
    ({"sites": ["hangzhou-c"], "more": True}, ["hangzhou-c/donau"]),
], ids=str)  # fmt: skip
def test_every_platform_of_the_lab_conforms(tmp_path, options, places):
    with Lab(tmp_path / "lab", **options) as lab:
        project = Project(lab, tmp_path)
        for place in places:
            site = lab.site(place.partition("/")[0] if "more" not in options else place)
            site.reset_counters()
            done = walked(project, place)
            assert "ping: answered" in done.good().flat
            assert site.counters()["writes"] == 0


def test_a_cloud_conforms_to_its_own_account_and_says_what_a_tenant_does_not_see(tmp_path):
    with Lab(tmp_path / "lab", sites=["centre-a"], more=True) as lab:
        project, site = Project(lab, tmp_path), lab.site("centre-a/cloud")
        site.reset_counters()
        done = walked(project, "centre-a/cloud", tenant=None).good()
        for verb in ("ping", "pools", "quota", "jobs", "instance"):
            assert f"{verb}: answered" in done.flat, done.text
        calls = site.counters()["calls"]
        # A login is a POST that changes nothing.
        assert {call.split()[1] for call in calls if not call.endswith("/auth/tokens")} == {"GET"}
        done = walked(project, "centre-a/cloud")
        assert done.code == 2 and "pools: failed" in done.flat and "quota, not capacity" in done.flat
        path = project.own_config() / "sites/centre-a.yml"
        whole = path.read_text()
        assert whole.count("region: RegionOne") == 1
        path.write_text(whole.replace("region: RegionOne", "region: Elsewhere"))
        done = walked(project, "centre-a/cloud", tenant=None)
        assert done.code == 2 and "Check `region` in the site file" in done.flat, done.text


def test_a_profile_that_does_not_fit_is_named_by_its_line(lakeside, tmp_path):
    project = Project(lakeside, tmp_path)
    assert "jobs: answered" in walked(project, "lakeside/third").good().flat
    profile = lakeside.config / "profiles" / "third.yml"
    whole = profile.read_text()
    try:
        for good, bad, said in (
            ("path: /v3/pools", "path: /v3/pols", "paths.pools"),
            ("    cpu: cores[0]\n", "    cpu: kernels[0]\n", "fields.node.cpu"),
        ):
            assert whole.count(good) >= 1, good
            profile.write_text(whole.replace(good, bad, 1))
            line = 1 + whole[: whole.index(good)].count("\n")
            done = walked(project, "lakeside/third")
            assert done.code == 2, done.text[-3000:]
            assert re.search(rf"third\.yml:{line}: {re.escape(said)}", done.flat), (line, done.flat[-3000:])
    finally:
        profile.write_text(whole)
