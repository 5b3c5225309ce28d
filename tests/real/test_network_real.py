"""path_info and the address map on real paths: translation, two nodes behind a balancer, delay, a cut link."""

import json
import os
import subprocess
import sys

import pytest

from tests.real.network import topology

ONE_WAY_MS = 40
B, C = topology.SITES


@pytest.fixture(scope="module")
def seen(tmp_path_factory):
    """What the product saw, all scenes in one go: no test reaches into the rooms from outside."""
    if why := topology.why_not():
        # Packages are ours to install in CI; what the kernel forbids is not ours to change.
        (pytest.fail if os.environ.get("CI") and why.startswith("no ") else pytest.skip)(why)
    done = subprocess.run(
        [*topology.INSIDE, sys.executable, "-m", "tests.real.network.scene", str(tmp_path_factory.mktemp("rooms"))],
        cwd=topology.CHECKOUT,
        env={**os.environ, "PATH": topology.path(), "PYTHONPATH": os.pathsep.join(filter(None, sys.path))},
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    return json.loads(done.stdout)


def test_both_sites_answer_through_their_translation_as_who_they_are(seen):
    for site, row in seen["plain"].items():
        assert (row["reachable"], row["phase"], row["address"]) == (True, None, topology.SITES[site][0]), row
    assert len({row["identity"] for row in seen["plain"].values()}) == 2


def test_the_routers_on_the_way_are_named_to_the_edge_of_the_site(seen):
    for site, row in seen["plain"].items():
        edge = topology.SITES[site][0]
        assert [hop["address"] for hop in row["hops"]] == [topology.CAMPUS, topology.INTERNET, edge]
        assert row["stops_at"] is None


def test_the_same_private_address_leads_to_each_site_by_its_own_map(seen):
    assert seen["answers"][B][0]["next"] == seen["answers"][C][0]["next"]
    assert {site: answer["site"] for site, answer in seen["followed"].items()} == {B: B, C: C}
    assert "lies outside the site's networks" in seen["foreign"], "another site's address is nobody's to hand out"


def test_the_balancer_takes_both_nodes_in_turn_and_hides_who_asks(seen):
    for answers in seen["answers"].values():
        assert {answer["node"] for answer in answers} == {8081, 8082}
        assert {answer["peer"] for answer in answers} == {"198.51.100.2"}


def test_a_set_delay_is_what_is_measured_and_the_other_line_has_none(seen):
    delayed, beside = (min(row["rtt_ms"] for row in seen[name]) for name in ("delayed", "beside"))
    assert 1.0 <= delayed / (2 * ONE_WAY_MS) < 1.5
    assert beside < delayed


def test_a_refusal_behind_the_translation_is_not_a_silence(seen):
    assert seen["empty"]["phase"] == seen["silent"]["phase"] == "connect"
    assert "refuses the connection" in seen["empty"]["error"] and seen["empty"]["stops_at"] is None
    assert "nothing answers" in seen["silent"]["error"]
    assert seen["silent"]["stops_at"]["address"] == topology.INTERNET, "the edge drops, and says nothing"


def test_a_cut_line_is_found_at_the_router_before_it_and_at_one_site_only(seen):
    cut = seen["cut"]
    assert (cut["reachable"], cut["phase"], cut["stops_at"]["number"]) == (False, "connect", 2)
    assert cut["error"].endswith(f"the path stops at {topology.INTERNET}, hop 2")
    assert seen["beside cut"]["reachable"] and seen["healed"]["reachable"]
