# SPDX-License-Identifier: GPL-3.0-or-later
"""A link is divided into shares: as many copies of all runs at once, and the next one later or elsewhere."""

import dataclasses

import pytest

from ansible_collections.suanwang.brain.plugins.plugin_utils.planning.capacity import Commitment
from ansible_collections.suanwang.brain.plugins.plugin_utils.planning.network import Network
from tests.unit.planning import world
from tests.unit.planning.world import CENTRE
from tests.unit.planning.world import HUNAN

HOP = ("controller", "hunan")
END = "2026-11-25T08:05:00Z"
PLACE = world.pool(HUNAN)


def links(shares, site="hunan"):
    return tuple(
        dataclasses.replace(link, shares=shares) if (link.source, link.target) == ("controller", site) else link
        for link in world.LINKS
    )


def promise(number, hop=HOP):
    return Commitment(f"r{number}", "move", world.NOW, END, hops=(hop,))


def move_of(found):
    return next(row for row in found.placements if row.kind == "move_data")


@pytest.mark.parametrize(("shares", "kbps"), [(1, 9_000_000), (2, 4_500_000), (3, 3_000_000)])
def test_shares_divide_what_we_may_use_of_a_link(shares, kbps):
    assert Network(links(shares)).route(*HOP).kbps == kbps


@pytest.mark.parametrize(("shares", "promised", "start"), [(1, 0, 0), (1, 1, 300), (2, 1, 0), (2, 2, 300), (3, 2, 0)])
def test_a_copy_waits_only_where_every_share_is_held(shares, promised, start):
    held = [promise(number) for number in range(promised)]
    found = world.proposals(places=[PLACE], links=links(shares), commitments=held).proposals[0]
    assert move_of(found).start_s == start
    said = [reason for reason in found.reasons if "the link" in reason]
    if start:
        whole = f"0 of {shares} shares free until {END}, 5 min from now"
        assert said == [
            f"{move_of(found).component} waits: the link controller->hunan has {whole}; approved plans hold {shares}"
        ]
    else:
        assert said == []


def test_two_copies_of_one_plan_share_a_link_too():
    inputs = [
        {"name": name, "uri": f"{name}.bin", "sha256": name * 64, "size": 90_000_000, "data_level": "public"}
        for name in ("a", "b")
    ]
    data = world.document(world.component(inputs=inputs))
    for shares, starts in ((1, 2), (2, 1)):
        slow = tuple(dataclasses.replace(link, rate_gbps=0.1) for link in links(shares))
        found = world.proposals(data, [PLACE], slow).proposals[0]
        moves = [row for row in found.placements if row.kind == "move_data"]
        assert len(moves) == 2 and len({row.start_s for row in moves}) == starts, moves


def test_a_third_run_goes_elsewhere_where_that_is_sooner_and_says_why():
    hop = ("controller", "centre-a")
    open_ = world.proposals(links=links(2, "centre-a")).proposals
    fastest = next(one for one in open_ if "fastest" in one.labels)
    assert {row.pool for row in fastest.placements if row.pool} == {CENTRE}
    held = [promise(number, hop) for number in range(2)]
    found = world.proposals(links=links(2, "centre-a"), commitments=held).proposals
    fastest = next(one for one in found if "fastest" in one.labels)
    assert {row.pool for row in fastest.placements if row.pool} == {HUNAN}
    (said,) = {reason for reason in fastest.reasons if "the link" in reason}
    assert "to centre-a would wait: the link controller->centre-a has 0 of 2 shares free until" in said
