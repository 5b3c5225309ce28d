# Copyright: SuanWang Brain contributors
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The common model: what a platform said, as frozen records. Unknown is None, never 0.

Times are RFC 3339 text in UTC (``2026-11-25T03:26:58Z``). Units stand in the names: ``_gib`` 2^30 bytes,
``_gbps`` 10^9 bit/s, ``_s`` seconds, ``_fen`` 1/100 CNY, ``_w`` watt, ``_tflops_fp16`` dense FP16 peak.
Imports nothing of ours.
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass

JOB_STATES = (
    "queued",
    "starting",
    "running",
    "suspended",
    "stopping",
    "succeeded",
    "failed",
    "cancelled",
    "unknown",
)
JOB_ENDED = frozenset({"succeeded", "failed", "cancelled"})
RESERVATION_STATES = ("pending", "active", "ended")
SEEN_STATES = ("live", "partial", "stale", "lost", "drained")


@dataclass(frozen=True)
class Accelerator:
    """One accelerator model of a pool. kind: npu | gpu | dcu | mlu; count: cards in the whole pool."""

    kind: str
    model: str
    native: str
    vendor: str | None = None
    count: int | None = None
    memory_gib: float | None = None
    tflops_fp16: float | None = None


@dataclass(frozen=True)
class Capacity:
    """Countable things of a pool, all of it or the free part."""

    nodes: int | None = None
    cpu: int | None = None
    memory_gib: float | None = None
    accelerators: int | None = None


@dataclass(frozen=True)
class Shape:
    """`nodes` nodes that each have `accelerators` free cards and `cpu` free cores."""

    accelerators: int
    nodes: int
    cpu: int | None = None


@dataclass(frozen=True)
class Fabric:
    """The network inside a pool. A gang fits in one domain."""

    kind: str | None = None
    domain: str | None = None


@dataclass(frozen=True)
class Queue:
    """Jobs of everybody. wait_s: what a job submitted now is expected to wait; None where not known."""

    running: int | None = None
    pending: int | None = None
    wait_s: int | None = None


@dataclass(frozen=True)
class Busy:
    """A running job with a known end: that many cards, cores and nodes come free at `until`."""

    until: str
    accelerators: int = 0
    cpu: int = 0
    nodes: int = 0


@dataclass(frozen=True)
class Ours:
    """Work of ours that a platform shows: run and component, read from its name."""

    run: str
    component: str
    state: str
    accelerators: int = 0
    cpu: int = 0
    nodes: int = 0


@dataclass(frozen=True)
class Window:
    """A maintenance window or a foreign reservation."""

    start: str
    end: str
    reason: str | None = None
    nodes: int | None = None


@dataclass(frozen=True)
class Usage:
    """How busy the whole pool is.

    basis: ``allocated`` (what the scheduler has given away) or ``measured`` (by exporters, at `measured_at`).
    covered_pct: the share of the pool's cards, or of its nodes where it has none, that the figures stand on.
    power_w: of all cards together; temperature_c: of the hottest.
    """

    accelerator_pct: float | None = None
    cpu_pct: float | None = None
    memory_pct: float | None = None
    accelerator_memory_pct: float | None = None
    power_w: float | None = None
    temperature_c: float | None = None
    covered_pct: float | None = None
    measured_at: str | None = None
    basis: str | None = None


@dataclass(frozen=True)
class Quota:
    """A limit as the platform states it. resource: accelerators, cpu, jobs, nodes, memory_gib, …"""

    resource: str
    limit: float | None
    used: float | None = None
    tenant: str | None = None
    user: str | None = None


@dataclass(frozen=True)
class Storage:
    """Where data of ours goes."""

    free_gib: float | None = None
    quota_gib: float | None = None


@dataclass(frozen=True)
class Price:
    """What a site charges, from its site file. None: no price is known."""

    accelerator_fen_h: float | None = None
    cpu_fen_h: float | None = None


@dataclass(frozen=True)
class Power:
    """Electric power, from the site file. pue: power usage effectiveness, total / IT."""

    accelerator_w: float | None = None
    idle_w: float | None = None
    pue: float | None = None


@dataclass(frozen=True)
class Runtime:
    """A framework at a site. accelerator: a model or None for any; launch: argument list.

    image: what a platform of containers starts for it, by the platform's name.
    """

    framework: str
    version: str | None = None
    arch: str | None = None
    accelerator: str | None = None
    launch: tuple[str, ...] = ()
    image: str | None = None

    def has_version(self, asked):
        """Return whether `asked` is its version or the beginning of it, as 2.4 is of 2.4.1; one not stated fits."""
        return not asked or not self.version or f"{self.version}.".startswith(f"{asked}.")


@dataclass(frozen=True)
class Alarm:
    """An event that a platform reports. severity: critical | major | minor | warning | info."""

    id: str
    name: str
    severity: str
    since: str | None = None
    source: str | None = None
    domain: str | None = None


@dataclass(frozen=True)
class Reading:
    """What one label rule of a site's monitoring says of the pools that it is for.

    rule: its place in the site file. pools: patterns of ``<endpoint>/<pool>``. cards, nodes: how many reported.
    silent: targets of which nothing fresh is known, so that none of their alarms is gone for good. blind: why none is.
    """

    rule: int
    pools: tuple[str, ...]
    usage: Usage = Usage()
    cards: int | None = None
    nodes: int | None = None
    alarms: tuple[Alarm, ...] = ()
    silent: tuple[str, ...] = ()
    blind: str | None = None


@dataclass(frozen=True)
class Observation:
    """What a site's monitoring says. alarms: those that no rule gives to a pool."""

    readings: tuple[Reading, ...] = ()
    alarms: tuple[Alarm, ...] = ()


@dataclass(frozen=True)
class Hop:
    """A router on the way, by its distance from us."""

    number: int
    address: str
    rtt_ms: float | None = None


@dataclass(frozen=True)
class Path:
    """The network path from the controller to an endpoint, as measured at measured_at.

    rate_gbps: measured at rate_measured_at by a bounded transfer; where that is None, as links.yml declares it.
    expires_at: end of the certificate. error: why it is not as it should be, and where packets stop.
    """

    reachable: bool | None = None
    rtt_ms: float | None = None
    rate_gbps: float | None = None
    loss_pct: float | None = None
    measured_at: str | None = None
    rate_measured_at: str | None = None
    expires_at: str | None = None
    stops_at: Hop | None = None
    error: str | None = None


@dataclass(frozen=True)
class Seen:
    """When and from where a fact came. state: live | partial | stale | lost | drained."""

    at: str | None = None
    source: str | None = None
    state: str = "lost"
    error: str | None = None


@dataclass(frozen=True)
class Domain:
    """Machines behind pools. Pools that share machines share a domain; limits are counted here."""

    id: str
    capacity: Capacity
    free: Capacity = Capacity()


@dataclass(frozen=True)
class Pool:
    """What work can be placed on: a partition, a queue, an availability zone × model.

    jobs: whether it runs them; machines: whether it makes ones that stay; serves: whether it serves models.
    """

    id: str
    name: str
    site: str
    platform: str
    endpoint: str
    zone: str | None = None
    via: str | None = None
    domains: tuple[str, ...] = ()
    arch: str | None = None
    accelerator: Accelerator | None = None
    capacity: Capacity = Capacity()
    free: Capacity = Capacity()
    node: Capacity = Capacity()
    free_shapes: tuple[Shape, ...] = ()
    fabric: Fabric = Fabric()
    queue: Queue = Queue()
    running_until: tuple[Busy, ...] = ()
    ours: tuple[Ours, ...] = ()
    max_wall_s: int | None = None
    windows: tuple[Window, ...] = ()
    usage: Usage = Usage()
    quota: tuple[Quota, ...] = ()
    storage: Storage = Storage()
    price: Price = Price()
    power: Power = Power()
    runtimes: tuple[Runtime, ...] = ()
    images: tuple[str, ...] | None = None
    data_levels: tuple[str, ...] = ()
    alarms: tuple[Alarm, ...] = ()
    path: Path = Path()
    lost_after_s: int = 900
    open: bool = True
    jobs: bool = True
    machines: bool = False
    serves: bool = False
    seen: Seen = Seen()


@dataclass(frozen=True)
class Link:
    """A directed network path between two places. A capacity that plans hold shares of.

    shares: how many copies move on it at once, each at its part of the rate.
    """

    source: str
    target: str
    rate_gbps: float | None = None
    rtt_ms: float | None = None
    fen_gib: float | None = None
    loss_pct: float | None = None
    measured_at: str | None = None
    shares: int = 1


@dataclass(frozen=True)
class JobSpec:
    """A job as we ask for it. workdir is absolute; wall_s is rounded up by platforms that count minutes."""

    name: str
    label: str
    pool: str
    script: str
    workdir: str
    log: str
    environment: dict[str, str]
    nodes: int = 1
    accelerators: int = 0
    accelerator: str | None = None
    cpu: int = 1
    memory_gib: float | None = None
    wall_s: int = 3600
    account: str | None = None
    reservation: str | None = None
    image: str | None = None


@dataclass(frozen=True)
class Job:
    """A job as a platform shows it. exit_code None: not known, which is never success."""

    id: str
    name: str
    state: str
    native_state: str | None = None
    reason: str | None = None
    exit_code: int | None = None
    pool: str | None = None
    label: str | None = None
    submitted: str | None = None
    started: str | None = None
    ended: str | None = None
    nodes: str | None = None

    @property
    def ended_well(self):
        return self.state == "succeeded"


@dataclass(frozen=True)
class InstanceSpec:
    """A machine as we ask for it. label: what marks it as ours; native_type: the platform's own size, or the least.

    ports: TCP ports at which it is reached from outside, and no others; group: the name of that rule, which machines
    of one component share.
    """

    name: str
    label: dict[str, str]
    pool: str
    image: str
    native_type: str | None = None
    cpu: int = 1
    memory_gib: float | None = None
    accelerators: int = 0
    networks: tuple[str, ...] = ()
    user_data: str | None = None
    ports: tuple[int, ...] = ()
    group: str | None = None


@dataclass(frozen=True)
class Address:
    """One address of a machine, on both sides where the site file maps it. port: what is mapped; None for all."""

    network: str
    private: str
    private_port: int | None = None
    public: str | None = None
    public_port: int | None = None


@dataclass(frozen=True)
class Instance:
    """A machine made for us, with its marks. state: starting running stopped suspended stopping failed unknown."""

    id: str
    name: str
    state: str
    native_state: str | None = None
    reason: str | None = None
    pool: str | None = None
    native_type: str | None = None
    addresses: tuple[Address, ...] = ()
    label: dict[str, str] = dataclasses.field(default_factory=dict)
    created: str | None = None


@dataclass(frozen=True)
class Access:
    """What lets others reach a machine: open TCP ports, and whether the floating address it should have is there.

    floating: that address; missing: what is not made yet, as words.
    """

    ports: tuple[int, ...] = ()
    floating: str | None = None
    missing: tuple[str, ...] = ()


@dataclass(frozen=True)
class ReservationSpec:
    """Whole nodes of a pool that nobody else may use. start None: from now; label: kept where a platform keeps one."""

    name: str
    pool: str
    nodes: int = 1
    duration_s: int = 3600
    start: str | None = None
    label: str | None = None


@dataclass(frozen=True)
class Reservation:
    """Nodes held under a name. state: pending | active | ended; hosts: their names as the platform writes them."""

    name: str
    pool: str | None
    state: str
    native_state: str | None = None
    nodes: int | None = None
    cpu: int | None = None
    hosts: str | None = None
    start: str | None = None
    end: str | None = None
    users: tuple[str, ...] = ()
    label: str | None = None


@dataclass(frozen=True)
class Dataset:
    """Bytes at a site under a name of ours. path is absolute there."""

    name: str
    path: str
    size: int
    sha256: str
