# SPDX-License-Identifier: GPL-3.0-or-later
"""Sites behind translated addresses: two of them use the same private network, one has two nodes behind a balancer."""

import socket
from urllib.parse import urlsplit

import pytest

from ansible_collections.suanwang.brain.plugins.module_utils import sites
from ansible_collections.suanwang.brain.plugins.module_utils.errors import Refused
from ansible_collections.suanwang.brain.plugins.module_utils.errors import Unreachable
from tests.lab.lab import Lab

B, C = "hangzhou-b", "hangzhou-c"
ENDPOINTS = {B: "aofei", C: "donau"}


@pytest.fixture(scope="module")
def lab(tmp_path_factory):
    with Lab(tmp_path_factory.mktemp("lab"), sites=[B, C], more=True) as started:
        yield started


@pytest.fixture
def config(lab):
    for site in lab.sites:
        site.heal()
    return sites.load(str(lab.config))


def platform_of(config, name):
    return config.platform(name, ENDPOINTS[name])


def places(config, name, side):
    """Return (address, port) of one side of what stands in the network that both sites use."""
    rows = [row for row in config.site(name).address_map if row["private"]["address"].startswith("127.192.10.")]
    return {(row[side]["address"], row[side]["port"]) for row in rows}


def test_both_sites_stand_in_the_same_private_network_and_answer(config):
    assert {address for address, _port in places(config, B, "private")} >= {
        address for address, _port in places(config, C, "private")
    }
    for name in (B, C):
        assert platform_of(config, name).pools()


def test_what_a_site_says_of_its_private_side_is_mapped_by_that_site_alone(config):
    http = {name: platform_of(config, name).connection.http for name in (B, C)}
    for name, other in ((B, C), (C, B)):
        for address, port in places(config, name, "private"):
            found = urlsplit(http[name].foreign_url(f"https://{address}:{port}/apps/x"))
            assert (found.hostname, found.port) in places(config, name, "public")
            with pytest.raises(Refused, match="lies outside the site's networks"):
                http[other].foreign_url(f"https://{address}:{port}/apps/x")
    (theirs,) = places(config, C, "public")
    with pytest.raises(Refused, match="lies outside the site's networks"):
        http[B].foreign_url(f"https://{theirs[0]}:{theirs[1]}/")


def test_a_token_of_one_node_is_good_at_the_other(lab, config):
    (endpoint,) = lab.site(f"{B}/aofei").need["endpoints"]
    assert len(endpoint["behind"]) == 2
    for place in endpoint["behind"]:
        socket.create_connection(place, timeout=5).close()
    platform = platform_of(config, B)
    platform.jobs()
    lab.site(f"{B}/aofei").reset_counters()
    for _turn in range(4):
        # Each call on a connection of its own, so that the balancer takes the nodes in turn.
        platform.connection.http.close()
        platform.jobs()
    (calls,) = lab.site(f"{B}/aofei").counters()["calls"].values()
    assert calls == 4, "nobody had to log in again"


@pytest.mark.parametrize("node", [0, 1])
def test_while_one_node_is_down_the_other_answers(lab, config, node):
    lab.site(f"{B}/aofei").fault("node_down", node=node)
    (endpoint,) = lab.site(f"{B}/aofei").need["endpoints"]
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(endpoint["behind"][node], timeout=5)
    platform = platform_of(config, B)
    for _turn in range(3):
        platform.connection.http.close()
        assert platform.pools()


def test_a_dead_site_behind_its_translation_is_unreachable_and_comes_back(lab, config):
    lab.site(f"{B}/aofei").fault("dead")
    with pytest.raises(Unreachable):
        platform_of(config, B).pools()
    assert platform_of(config, C).pools()
    lab.site(f"{B}/aofei").heal()
    assert platform_of(config, B).pools()
