"""What the API gives of sites, pools, links and the map, as pydantic records."""

from __future__ import annotations

from pydantic import Field

from .records import Out
from .records import Time


class Pool(Out):
    id: str
    site: str
    platform: str
    name: str
    state: str
    age_s: int | None = None
    arch: str | None = None
    accelerator: str | None = None
    accelerators: int | None = None
    free_accelerators: int | None = None
    nodes: int | None = None
    free_nodes: int | None = None
    cpu: int | None = None
    free_cpu: int | None = None
    running: int | None = None
    pending: int | None = None
    wait_s: int | None = None
    rtt_ms: float | None = None
    rate_gbps: float | None = None
    fen_h: int | None = None
    alarms: int = 0


class Pools(Out):
    items: list[Pool]


class Site(Out):
    id: str
    name: dict[str, str]
    endpoint: str
    platform: str
    address: str
    port: int
    state: str
    at: Time | None = None
    age_s: int | None = None
    lab: bool


class Link(Out):
    """measured_at, age_s: of the round trip, and of a rate that was measured; None where all is as declared."""

    source: str
    target: str
    rate_gbps: float | None = None
    rtt_ms: float | None = None
    loss_pct: float | None = None
    fen_gib: float | None = None
    measured_at: Time | None = None
    age_s: int | None = None
    shares: int = 1
    committed_pct: int = Field(default=0, description="what approved and running plans hold of it now")


class Links(Out):
    items: list[Link]


class Side(Out):
    address: str
    port: int


class MapEndpoint(Out):
    """One service of a site: where we reach it, and `behind`, the addresses on the far side of NAT or balancer."""

    id: str
    platform: str
    zone: str | None = None
    via: str
    protocol: str
    address: str
    port: int
    behind: list[Side] = []
    state: str


class MapSite(Out):
    """A site: sums over machines, each counted once. alarms: severity → how many."""

    id: str
    name: dict[str, str]
    lab: bool
    state: str
    age_s: int | None = None
    endpoints: list[MapEndpoint]
    accelerators: int | None = None
    free_accelerators: int | None = None
    cpu: int | None = None
    free_cpu: int | None = None
    alarms: dict[str, int] = {}


class Map(Out):
    sites: list[MapSite]
    links: list[Link]


class Point(Out):
    """A step of time, `at_s` in seconds since 1970. Nothing is known of a step in which nobody looked."""

    at_s: int
    used_pct: float | None = None
    measured_pct: float | None = None
    pending: float | None = None


class PoolUse(Out):
    pool: str
    site: str
    platform: str
    name: str
    accelerator: str | None = None
    points: list[Point]


class Use(Out):
    step_s: int
    pools: list[PoolUse]
