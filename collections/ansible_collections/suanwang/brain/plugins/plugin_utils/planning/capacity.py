# Copyright: SuanWang Brain contributors
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What can be taken over time: pools, the machines behind several of them, quotas, links.

A capacity has five dimensions: cards, cores, memory in MiB, jobs (maintenance shuts the gate by taking all), nodes.
Pools that share machines count on their shared domains too: for every set of domains that a pool names, what runs on
pools within that set must fit the largest of them. A quota counts on every pool of its endpoint that names it.
"""

from __future__ import annotations

from dataclasses import dataclass

from . import score
from .timeline import epoch
from .timeline import Profile

DIMENSIONS = ("cards", "cores", "memory", "jobs", "nodes")
GATE = 1 << 30
# How long foreign work whose end nobody knows is taken to run on, where the pool has no wall limit.
UNKNOWN_END_S = 86400
# A quota's resource → its dimension, and what one of it is there.
QUOTAS = {"accelerators": (0, 1), "cpu": (1, 1), "memory_gib": (2, 1024), "jobs": (3, 1), "nodes": (4, 1)}


@dataclass(frozen=True)
class Commitment:
    """What an approved or running plan holds. start, end: RFC 3339.

    Machines: pool, with accelerators, cpu, memory_mib and nodes in all. A copy: hops, the directed links it uses.
    tenant None: not known, and counted on every quota of its pool. leased: it stays when its run is over, and a pool
    shows what it uses among all that is used, without its name. deployment: whose it is then; stands: it is there.
    """

    run: str
    component: str
    start: str
    end: str
    pool: str | None = None
    accelerators: int = 0
    cpu: int = 0
    memory_mib: int = 0
    nodes: int = 1
    hops: tuple[tuple[str, str], ...] = ()
    tenant: str | None = None
    leased: bool = False
    deployment: str | None = None
    stands: bool = False

    @property
    def need(self):
        """What it takes of its pool, dimension by dimension."""
        return (self.accelerators, self.cpu, self.memory_mib, 1, self.nodes)


@dataclass(frozen=True)
class Capacity:
    """keys: pool id → its keys. taken: key → Profile with all that others take; promised: with commitments alone.

    A key is ("pool", id), ("domains", ids) or ("quota", site, endpoint, Quota).
    """

    keys: dict[str, tuple]
    taken: dict[tuple, Profile]
    promised: dict[tuple, Profile]


def capacity(pools, commitments, tenant, now, replaced=frozenset()):
    """Return the Capacity of pools {id: Pool} for a tenant's task. commitments: of all tenants. now: RFC 3339.

    replaced: (run, component) of those whose share the task itself takes over: it is neither taken nor promised.
    """
    base = epoch(now)
    living = [one for one in commitments if one.pool in pools and epoch(one.end, up=True) > base]
    shown = {(one.run, one.component): one for one in living}
    twins = _twins(pools)
    taken = {("pool", name): _of_pool(pools[name], twins[name], shown, now) for name in sorted(pools)}
    keys = _domains(pools)
    for name in sorted(pools):
        if pools[name].domains:
            key, machines = _own_domains(pools[name]), _of_pool(pools[name], twins[name], shown, now, gates=False)
            taken[key] = max(taken.get(key, machines), machines, key=_size)
    for name, found in _quotas(pools, tenant).items():
        keys[name] = (*keys[name], *found)
        for key in found:
            if key not in taken:
                taken[key] = _of_quota(key, pools, shown, now)
    promised = {key: Profile(profile.capacity) for key, profile in taken.items()}
    for one in sorted(living, key=lambda item: (item.run, item.component, item.start)):
        if (one.run, one.component) in replaced:
            continue
        start, end = epoch(one.start) - base, epoch(one.end, up=True) - base
        for key in keys[one.pool]:
            if key[0] != "quota" or one.tenant in (None, tenant):
                taken[key].add(start, end, one.need)
                promised[key].add(start, end, one.need)
    return Capacity(keys, taken, promised)


def held(commitments, network, now):
    """Return link → Profile of its shares, with the promised copies in it."""
    base, found = epoch(now), {}
    for one in sorted(commitments, key=lambda item: (item.run, item.component, item.start)):
        for hop in one.hops:
            profile = found.setdefault(tuple(hop), Profile((network.shares(tuple(hop)),)))
            profile.add(epoch(one.start) - base, epoch(one.end, up=True) - base, (1,))
    return found


def _domains(pools):
    """pool → its own key, and one for each set of shared domains that covers its own."""
    sets = {frozenset(pool.domains) for pool in pools.values() if pool.domains}
    keys = {}
    for name, pool in pools.items():
        mine = frozenset(pool.domains)
        wider = sorted(tuple(sorted(one)) for one in sets if mine and mine <= one)
        keys[name] = (("pool", name), *(("domains", one) for one in wider))
    return keys


def _own_domains(pool):
    return ("domains", tuple(sorted(pool.domains)))


def _size(profile):
    """Return what orders profiles by capacity; equal ones report the same machines."""
    return tuple(-1 if value is None else value for value in profile.capacity)


def _of_pool(pool, twins, shown, now, gates=True):
    """Return the Profile of a pool with its running jobs and maintenance in it, without what is promised.

    gates False: of its machines, which other pools may use while this one is shut.
    """
    size = (score.cards_of(pool), score.cores_of(pool), score.memory_mib_of(pool), GATE, None)
    profile = Profile(size)
    base = epoch(now)
    free = (pool.free.accelerators, pool.free.cpu, _mib(pool.free.memory_gib))
    ours, foreign = _ours(twins, shown), _foreign(twins, shown)
    kept = _kept({twin.id for twin in twins}, shown, base)
    mine = [sum(one.accelerators for one in (*ours, *kept)), sum(one.cpu for one in (*ours, *kept))]
    mine.append(sum(shown[one.run, one.component].memory_mib for one in (*ours, *kept)))
    left = [
        0 if whole is None or unused is None else max(0, min(whole, whole - unused) - counted)
        for whole, unused, counted in zip(size[:3], free, mine, strict=True)
    ]
    # Ends are kept from the latest down: where running jobs sum to more than is taken (the facts are stale),
    # what is dropped is what would come free first.
    for busy in reversed(foreign):
        cards, cores = min(left[0], busy.accelerators), min(left[1], busy.cpu)
        if cards or cores:
            profile.add(0, epoch(busy.until, up=True) - base, (cards, cores, 0, 0, 0))
            left[0] -= cards
            left[1] -= cores
    if any(left):
        wait = None if foreign else pool.queue.wait_s  # where ends are told, it is only the first of them
        profile.add(0, int(wait or pool.max_wall_s or UNKNOWN_END_S), (*left, 0, 0))
    for window in pool.windows:
        start, end = epoch(window.start) - base, epoch(window.end, up=True) - base
        if window.nodes is None or window.nodes >= (pool.capacity.nodes or 0):
            profile.add(start, end, (0, 0, 0, GATE if gates else 0, 0))
        else:
            each = (pool.node.accelerators, pool.node.cpu, _mib(pool.node.memory_gib))
            profile.add(start, end, (*((one or 0) * window.nodes for one in each), 0, 0))
    return profile


def _twins(pools):
    """pool → the pools of the very same machines, itself among them: of one domain some may share only a part."""
    groups = {}
    for pool in pools.values():
        groups.setdefault((pool.domains or pool.id, pool.capacity, pool.free), []).append(pool)
    return {pool.id: group for group in groups.values() for pool in group}


def _ours(twins, shown):
    """Return the promised work that the pool's machines show: it is counted as promised, and not as taken."""
    found = {(one.run, one.component): one for twin in twins for one in twin.ours}
    return [one for name, one in found.items() if name in shown and one.state in ("running", "starting")]


def _kept(pools, shown, base):
    """Return what stays in the pools already by the lease of a plan: among what is used, and counted as promised."""
    return [one for one in shown.values() if one.leased and one.pool in pools and epoch(one.start) < base]


def _foreign(twins, shown):
    """Return the running jobs without ours, first to end first.

    A job has no name there: of those of the size of one of ours, the first to end is left out.
    """
    found = []
    for twin in twins:
        left = sorted(twin.running_until, key=lambda one: (one.until, one.accelerators, one.cpu))
        for one in _ours([twin], shown):
            size = (one.accelerators, one.cpu, one.nodes)
            same = next((busy for busy in left if (busy.accelerators, busy.cpu, busy.nodes) == size), None)
            if same:
                left.remove(same)
        found += left
    return sorted(found, key=lambda one: (one.until, one.accelerators, one.cpu))


def _mib(gib):
    return None if gib is None else int(gib * 1024)


def _quotas(pools, tenant):
    """pool → the keys of the quotas that count for the tenant there."""
    return {
        name: tuple(
            ("quota", pool.site, pool.endpoint, quota)
            for quota in dict.fromkeys(pool.quota)
            if quota.limit is not None and quota.resource in QUOTAS and quota.tenant in (None, tenant)
        )
        for name, pool in pools.items()
    }


def _of_quota(key, pools, shown, now):
    """Return the Profile of a quota with what is used of it already, without what is promised."""
    quota = key[3]
    place, unit = QUOTAS[quota.resource]
    size = [None] * len(DIMENSIONS)
    size[place] = int(quota.limit * unit)
    profile = Profile(size)
    there = [pool for pool in pools.values() if (pool.site, pool.endpoint) == key[1:3]]
    work = {(one.run, one.component): one for pool in there for one in pool.ours}
    ours = sum(
        shown[name].need[place]
        for name, one in work.items()
        if name in shown and (one.state in ("running", "starting") or place == 3)
    )
    ours += sum(one.need[place] for one in _kept({pool.id for pool in there}, shown, epoch(now)))
    left = min(size[place], int((quota.used or 0) * unit)) - ours
    if left > 0:
        # Nobody says whose jobs end when: all of the endpoint's have ended by the latest end.
        ends = [epoch(busy.until, up=True) - epoch(now) for pool in there for busy in pool.running_until]
        need = [0] * len(DIMENSIONS)
        need[place] = left
        profile.add(0, max(ends, default=UNKNOWN_END_S), tuple(need))
    return profile
