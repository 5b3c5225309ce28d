# SPDX-License-Identifier: GPL-3.0-or-later
"""The path to an endpoint: policy, who answers, and what is said where nobody does."""

import contextlib
import dataclasses
import hashlib
import re
import socket
import ssl
import types
from datetime import datetime
from datetime import UTC

import pytest

from ansible_collections.suanwang.brain.plugins.module_utils import hops
from ansible_collections.suanwang.brain.plugins.module_utils import netpath
from ansible_collections.suanwang.brain.plugins.module_utils import networks
from ansible_collections.suanwang.brain.plugins.module_utils import sites
from ansible_collections.suanwang.brain.plugins.module_utils.errors import BrainError
from ansible_collections.suanwang.brain.plugins.module_utils.errors import Invalid
from ansible_collections.suanwang.brain.plugins.module_utils.errors import Refused
from ansible_collections.suanwang.brain.plugins.module_utils.errors import Unsupported
from ansible_collections.suanwang.brain.plugins.module_utils.resources import Hop
from ansible_collections.suanwang.brain.plugins.module_utils.resources import Link
from ansible_collections.suanwang.brain.plugins.module_utils.resources import Path
from ansible_collections.suanwang.brain.plugins.module_utils.verbs.path import PATH_INFO
from ansible_collections.suanwang.brain.plugins.plugin_utils import perception
from ansible_collections.suanwang.brain.plugins.plugin_utils.planning.network import measured
from tests.lab.lab import Lab

T0 = "2026-11-25T03:00:00Z"


@pytest.fixture(scope="module")
def lab(tmp_path_factory):
    with Lab(tmp_path_factory.mktemp("lab"), sites=["centre-a"]) as started:
        yield started


@pytest.fixture
def config(lab):
    return sites.load(str(lab.config))


def look(config, name, **changes):
    site = config.site("centre-a")
    options = {key: changes.pop(key) for key in ("host_key", "trace", "timeout_s", "probes") if key in changes}
    endpoint = dataclasses.replace(site.endpoint(name), **changes)
    return netpath.survey(site, endpoint, config.folder, **options)


def ask(config, check=False, **params):
    params = {"address": None, "port": None, "via": None, "endpoint": None, "tenant": None, "hops": False,
              "rate": False, "config": str(config.folder), "site": "centre-a", **params}  # fmt: skip
    return PATH_INFO.run(sites.connect(params, True), params, check, None)


# -- policy -----------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("port", "name"),
    [(0, "well-known"), (1023, "well-known"), (1024, "registered"), (49151, "registered"), (49152, "dynamic"),
     (65535, "dynamic")],
)  # fmt: skip
def test_every_port_has_the_name_of_its_range(port, name):
    assert networks.port_range(port) == name


@pytest.mark.parametrize("port", [-1, 65536])
def test_what_is_no_port_is_a_sentence(port):
    with pytest.raises(Invalid, match=f"^{port} is no port: they go from 0 to 65535.$"):
        networks.port_range(port)


@pytest.mark.parametrize(
    ("via", "address", "port", "kind", "said"),
    [
        ("internet", "192.168.10.5", 443, Refused, r"192.168.10.5 lies outside the site's internet networks \(127.20"),
        ("internet", "127.20.0.1", 0, Refused, "port 0 is reserved"),
        ("internet", "127.20.0.1", 70000, Invalid, "centre-a: 70000 is no port"),
        ("private_line", "127.20.0.1", 443, Refused, "no networks that are reached via private_line"),
        ("internet", "a.example", 443, Refused, "a.example lies outside"),
    ],
)
def test_policy_refuses_with_a_sentence_and_asks_nobody(config, monkeypatch, via, address, port, kind, said):
    monkeypatch.setattr(socket, "create_connection", None)
    with pytest.raises(kind, match=said):
        ask(config, via=via, address=address, port=port)


def test_policy_allows_without_asking_anybody(config, monkeypatch):
    monkeypatch.setattr(socket, "create_connection", None)
    found = ask(config, via="internet", address="127.20.9.9", port=443)
    assert found["allowed"] == {"address": "127.20.9.9", "port": 443, "via": "internet", "port_range": "well-known"}


# -- who answers ------------------------------------------------------------------------------------
def test_every_endpoint_of_a_site_is_looked_at(config):
    found = {row["endpoint"]: row for row in ask(config)["paths"]}
    assert set(found) == {"slurm", "login", "metrics", "alerts"}
    for row in found.values():
        assert (row["reachable"], row["phase"], row["error"]) == (True, None, None), row
        assert row["rtt_ms"] > 0 and row["identity"] and row["hops"] is None
    site = config.site("centre-a").endpoint("slurm")
    raw = ssl.PEM_cert_to_DER_cert(ssl.get_server_certificate((site.address, site.port)))
    assert found["slurm"]["identity"] == hashlib.sha256(raw).hexdigest()
    ends = datetime.strptime(found["slurm"]["expires_at"], "%Y-%m-%dT%H:%M:%SZ").replace(tzinfo=UTC)
    assert ends > datetime.now(UTC)
    assert found["login"]["identity"].startswith("SHA256:") and found["login"]["expires_at"] is None


@pytest.mark.parametrize(
    ("tls", "said"),
    [
        ({"server_name": "other.lab.invalid"}, "the certificate is refused: hostname mismatch"),
        ({"ca_bundle": None}, "the certificate is refused: .*self-signed|unable to get local issuer"),
        ({"pin_sha256": "0" * 64}, "its certificate is not the pinned one"),
        ({"ca_bundle": "missing.pem"}, "missing.pem is not there"),
    ],
)
def test_another_server_is_told_and_still_reached(config, tls, said):
    own = config.site("centre-a").endpoint("slurm").tls
    found = look(config, "slurm", tls={**own, **tls})
    assert (found.reachable, found.phase) == (True, "tls")
    assert re.search(said, found.error), found.error


def test_another_host_key_is_told(config, tmp_path):
    text = (config.folder / "known_hosts").read_text()
    other = tmp_path / "known_hosts"
    endpoint = config.site("centre-a").endpoint("login")
    key = "AAAAC3NzaC1lZDI1NTE5AAAAIAABAgMEBQYHCAkKCwwNDg8QERITFBUWFxgZGhscHR4f"
    other.write_text(f"[{endpoint.address}]:{endpoint.port} ssh-ed25519 {key}\n")
    found = look(config, "login", known_hosts=str(other), host_key=True)
    assert (found.phase, found.reachable) == ("host_key", True) and "is not the one of" in found.error
    assert found.identity and text


def test_a_refusal_is_not_a_silence(config):
    found = look(config, "slurm", port=1)
    assert (found.reachable, found.phase, found.hops) == (False, "connect", None)
    assert found.sentence == found.error and "refuses the connection" in found.error


def test_a_server_that_accepts_and_says_nothing_is_told(config):
    with socket.create_server(("127.20.0.9", 0)) as mute:
        found = look(config, "slurm", address="127.20.0.9", port=mute.getsockname()[1], timeout_s=0.2)
    assert (found.reachable, found.phase) == (True, "tls") and "does not answer TLS in time" in found.error


def test_through_a_proxy_only_the_proxy_is_tried(config):
    with socket.create_server(("127.0.0.1", 0)) as proxy:
        found = look(config, "slurm", port=1, proxy=f"http://127.0.0.1:{proxy.getsockname()[1]}", trace=True)
    assert (found.reachable, found.rtt_ms, found.identity, found.hops) == (True, None, None, None)


def test_through_a_jump_host_only_that_is_tried(config):
    site = config.site("centre-a")
    with socket.create_server(("127.0.0.1", 0)) as bastion:
        login = site.endpoint("login")
        edge = dataclasses.replace(login, id="edge", address="127.0.0.1", port=bastion.getsockname()[1])
        behind = dataclasses.replace(login, port=1, jump="edge")
        there = dataclasses.replace(site, endpoints=(edge, behind))
        found = netpath.survey(there, behind, config.folder, host_key=True, trace=True)
    assert (found.reachable, found.rtt_ms, found.identity, found.hops) == (True, None, None, None)


# -- hops -------------------------------------------------------------------------------------------
def test_on_loopback_there_is_no_router_and_the_far_end_is_reached(config):
    endpoint = config.site("centre-a").endpoint("slurm")
    found = hops.trace(endpoint.address, endpoint.port)
    assert found.arrived and found.hops == () and found.stops_at is None
    assert hops.trace(endpoint.address, 1).arrived, "a refusal is an answer"


@pytest.mark.parametrize(
    ("answers", "stops_at", "why"),
    [
        ({1: ("exceeded", "10.0.0.1", 1.0), 2: ("exceeded", "10.0.1.1", 2.0)}, 2, "nothing answers behind it"),
        ({1: ("exceeded", "10.0.0.1", 1.0), 2: ("no route to host", "10.0.1.1", 2.0)}, 2, "it says: no route to host"),
        ({1: ("exceeded", "10.0.0.1", 1.0), 3: ("arrived", None, 3.0)}, None, None),
        ({1: ("network is unreachable", None, None)}, None, "this machine sends nothing there"),
        ({}, None, "no router on the way answers"),
    ],
)
def test_where_a_path_stops_is_judged_by_who_said_what(answers, stops_at, why):
    found = hops._judged(answers)
    assert (found.stops_at and found.stops_at.number) == stops_at
    assert found.why == why or why in found.why


# -- rate -------------------------------------------------------------------------------------------
def allowing(config, mib=1, **more):
    site = dataclasses.replace(config.site("centre-a"), policy={"rate": {"mib": mib, **more}})
    return dataclasses.replace(config, sites={"centre-a": site})


def test_a_rate_is_measured_only_where_policy_allows_it(config, lab):
    platform = config.platform("centre-a", "slurm")
    with pytest.raises(Unsupported, match="allows no transfer.*policy.rate.mib"):
        perception.rate_gbps(platform)
    row = ask(config, endpoint="slurm", rate=True)["paths"][0]
    assert row["rate_gbps"] is None and "allows no transfer" in row["rate_note"]
    home = lab.site("centre-a").home / "brain"
    before = lab.site("centre-a").counters()
    assert perception.rate_gbps(allowing(config).platform("centre-a", "slurm")) > 0
    assert lab.site("centre-a").counters() != before and not list(home.glob("path-*"))


def test_perception_keeps_a_young_rate_and_measures_an_old_one_anew(config, monkeypatch):
    asked = []
    monkeypatch.setattr(perception, "rate_gbps", lambda platform: asked.append(1) or 0.25)
    path, known = Path(reachable=True, rate_gbps=0.5), Path(rate_gbps=0.1, rate_measured_at=T0)
    platform = allowing(config, every_s=3600).platform("centre-a", "slurm")
    young = perception.with_rate(path, platform, known, "2026-11-25T03:59:59Z")
    assert (young.rate_gbps, young.rate_measured_at, asked) == (0.1, T0, [])
    old = perception.with_rate(path, platform, known, "2026-11-25T04:00:00Z")
    assert (old.rate_gbps, old.rate_measured_at, asked) == (0.25, "2026-11-25T04:00:00Z", [1])
    assert perception.with_rate(path, config.platform("centre-a", "slurm"), known, T0) == path

    def full(platform):
        raise BrainError("the storage there is full.")

    monkeypatch.setattr(perception, "rate_gbps", full)
    kept = perception.with_rate(path, platform, known, "2026-11-25T09:00:00Z")
    assert (kept.rate_gbps, kept.rate_measured_at) == (0.1, T0)


# -- links ------------------------------------------------------------------------------------------
THERE = Link("controller", "a", rate_gbps=1, rtt_ms=12)
BACK = Link("a", "controller", rate_gbps=1, rtt_ms=12)
BESIDE = Link("b", "a", rate_gbps=1, rtt_ms=12)


def test_what_was_measured_is_laid_over_what_is_declared_while_it_is_fresh():
    path = Path(reachable=True, rtt_ms=30.0, loss_pct=20.0, rate_gbps=0.4, measured_at=T0, rate_measured_at=T0)
    far = dataclasses.replace(path, rtt_ms=44.0)
    there, back, beside = measured((THERE, BACK, BESIDE), [("a", path, 900), ("a", far, 900)], "2026-11-25T03:15:00Z")
    assert (there.rtt_ms, there.loss_pct, there.rate_gbps, there.measured_at) == (30.0, 20.0, 0.4, T0)
    assert (back.rtt_ms, back.rate_gbps) == (30.0, 1), "the rate of the other direction was not tried"
    assert beside == BESIDE
    assert measured((THERE,), [("a", path, 900)], "2026-11-25T03:15:01Z") == (THERE,)
    assert measured((THERE,), [("a", Path(rate_gbps=0.4, measured_at=T0), 900)], T0) == (THERE,), "declared only"


@pytest.mark.parametrize(
    ("answers", "lost"),
    [((0.4,) * 5, 0.0), ((0.4, None, 0.4, None, 0.4), 40.0), ((1003.0, 0.4, 0.4, 0.4, 0.4), 20.0)],
)
def test_what_a_path_loses_is_of_the_handshakes_that_were_tried(config, monkeypatch, answers, lost):
    """One that takes over a second needed a second packet."""
    left, closed = list(answers), []
    connection = contextlib.closing(types.SimpleNamespace(close=lambda: closed.append(1)))
    connection.close = connection.thing.close

    def connected(endpoint, timeout_s):
        ms = left.pop(0)
        return (None, None, TimeoutError()) if ms is None else (connection, ms, None)

    monkeypatch.setattr(netpath, "_connected", connected)
    monkeypatch.setattr(netpath, "_certificate", lambda *_unused: {})
    assert look(config, "slurm", probes=5).loss_pct == lost
    assert left == [] and len(closed) == sum(ms is not None for ms in answers)


def test_what_was_not_tried_is_not_known_and_what_does_not_answer_loses_all(config):
    assert look(config, "slurm").loss_pct is None
    assert look(config, "slurm", port=1, probes=5).loss_pct == 100.0
    (row,) = [one for one in ask(config)["paths"] if one["endpoint"] == "slurm"]
    assert row["loss_pct"] == 0.0


def test_a_measured_rate_never_raises_what_we_may_use():
    path = Path(rate_gbps=9.0, measured_at=T0, rate_measured_at=T0)
    assert measured((THERE,), [("a", path, 900)], T0)[0].rate_gbps == 1


def test_perception_says_where_a_path_stops(config, monkeypatch):
    site = config.site("centre-a")
    endpoint = dataclasses.replace(site.endpoint("slurm"), port=1)
    hop = Hop(2, "198.51.100.1", 9.0)
    silent = netpath.Survey("slurm", "https", "internet", "127.20.0.1", 1, "well-known", False, "connect",
                            "nothing answers", stops_at=hop)  # fmt: skip
    monkeypatch.setattr(perception, "survey", lambda *_unused, **_options: silent)
    with pytest.raises(BrainError, match=r"127.20.0.1:1 \(via internet\); the path stops at 198.51.100.1, hop 2"):
        perception.read_endpoint(config, site, endpoint, T0)
    path = perception.measured_path(config, site, endpoint, T0)
    assert (path.stops_at, path.reachable) == (hop, False) and "hop 2" in path.error
