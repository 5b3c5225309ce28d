# Copyright: SuanWang Brain contributors
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Perception is inventory refresh: the base of all inventory plugins.

Everything is collected first, in threads; hosts are added last, in the main thread. One dead endpoint never
raises and never blinds the others: its last good snapshot comes back as `stale`, with its time.
"""

from __future__ import annotations

import dataclasses
import pathlib
from concurrent.futures import ThreadPoolExecutor

from ansible.errors import AnsibleParserError
from ansible.plugins.inventory import BaseInventoryPlugin
from ansible.plugins.inventory import Constructable

from ..module_utils import hostvars
from ..module_utils import sites
from ..module_utils.errors import BrainError
from ..module_utils.errors import Unreachable
from ..module_utils.netpath import PROBES
from ..module_utils.netpath import survey
from ..module_utils.plain import from_plain
from ..module_utils.plain import to_plain
from ..module_utils.resources import Observation
from ..module_utils.resources import Path
from ..module_utils.resources import Pool
from ..module_utils.resources import Power
from ..module_utils.resources import Price
from ..module_utils.resources import Runtime
from ..module_utils.resources import Seen
from ..module_utils.verbs.path import rate_gbps
from . import clock
from . import draining
from . import observing
from .planning.catalogue import model as known_model
from .store import Store
from .usage import Recorder


@dataclasses.dataclass(frozen=True)
class Glimpse:
    """What is known of one endpoint: its pools, when, and what went wrong if they are not fresh.

    observation: what a monitoring system says of the other endpoints' pools; it has none of its own.
    """

    site: sites.Site
    endpoint: sites.Endpoint
    pools: tuple[Pool, ...]
    state: str
    at: str | None
    error: str | None = None
    observation: Observation | None = None

    @property
    def alarms(self):
        """Return the alarms of the site that belong to no pool."""
        return self.observation.alarms if self.observation else ()

    @property
    def every_alarm(self):
        """Return the alarms of all pools, or of a monitoring system all that it knows of."""
        if self.observation:
            return observing.every_alarm(self.observation)
        return [alarm for pool in self.pools for alarm in pool.alarms]


class PerceptionPlugin(BaseInventoryPlugin, Constructable):
    """A subclass names its file suffix and its platform; None reads every platform."""

    PLATFORM = None
    SUFFIX = ()

    def verify_file(self, path):
        return super().verify_file(path) and path.endswith(self.SUFFIX)

    def parse(self, inventory, loader, path, cache=True):
        super().parse(inventory, loader, path, cache)
        self._read_config_data(path)
        try:
            store = Store()
            config = sites.load(self._config_folder(path), store.hints)
            glimpses = perceive(
                config,
                store,
                platform=self.PLATFORM,
                only=self.get_option("sites"),
                max_age_s=self.get_option("max_age_s") if cache else 0,
            )
        except BrainError as error:
            raise AnsibleParserError(str(error)) from error
        failed = [g for g in glimpses if g.error]
        if failed and self.get_option("strict_sites"):
            raise AnsibleParserError("; ".join(g.error for g in failed))
        for glimpse in failed:
            self.display.warning(f"{glimpse.error} Its pools are {glimpse.state}.")
        for glimpse in glimpses:
            self._add(glimpse)

    def _config_folder(self, path):
        named = self.get_option("config")
        # A relative folder means one beside the source file, wherever the command was started.
        return str(pathlib.Path(path).parent / pathlib.Path(named).expanduser()) if named else None

    def _add(self, glimpse):
        inventory, site = self.inventory, glimpse.site
        group = inventory.add_group(self._sanitize_group_name(f"site_{site.id}"))
        known = {"state": glimpse.state, "since": glimpse.at, "error": glimpse.error}
        known["alarms"] = [to_plain(alarm) for alarm in glimpse.alarms]
        inventory.set_variable(group, "brain_site", _worst(inventory.groups[group].vars.get("brain_site"), site, known))
        # A group without hosts shows its variables to nobody, so `all` carries them too.
        seen = dict(inventory.groups["all"].vars.get("brain_sites", {}))
        seen[f"{site.id}/{glimpse.endpoint.id}"] = {"site": site.id, **known}
        inventory.set_variable("all", "brain_sites", seen)
        inventory.add_group("brain_pools")
        inventory.set_variable("brain_pools", "ansible_connection", "suanwang.brain.api")
        place = {
            "address": glimpse.endpoint.address,
            "port": glimpse.endpoint.port,
            "protocol": glimpse.endpoint.protocol,
        }
        for pool in glimpse.pools:
            name = inventory.add_host(hostvars.host_name(pool))
            host = inventory.hosts[name]
            # Not by the inventory's own call, nor the host's: each checks every name anew, and these are ours.
            host.vars.update(hostvars.to_hostvars(pool, place))
            for group_name in hostvars.groups(pool):
                inventory.add_child(inventory.add_group(group_name), name)
            self._construct(name, host)

    def _construct(self, name, host):
        wanted = [self.get_option(option) for option in ("compose", "groups", "keyed_groups")]
        if not any(wanted):
            return
        strict = self.get_option("strict")
        self._set_composite_vars(wanted[0], host.get_vars(), name, strict=strict)
        self._add_host_to_composed_groups(wanted[1], host.get_vars(), name, strict=strict)
        self._add_host_to_keyed_groups(wanted[2], host.get_vars(), name, strict=strict)


def _worst(before, site, known):
    """Return what the group of a site with several endpoints says: the worst state, and all alarms."""
    if before is None:
        return {"id": site.id, **known}
    worst = max((before, known), key=lambda one: _BADNESS.get(one["state"], 0))
    return {"id": site.id, **worst, "alarms": [*before["alarms"], *known["alarms"]]}


_BADNESS = {"live": 0, "partial": 1, "stale": 2, "lost": 3}


def perceive(config, store, *, platform=None, only=None, max_age_s=0):
    """Return a Glimpse for each platform endpoint, all endpoints read at once.

    Cost is that of the slowest endpoint. A snapshot younger than max_age_s is taken without touching a network.
    What a site's monitoring says, and what people drained, is laid over the pools here, and in no snapshot: each keeps
    its own time.
    """
    targets = [
        (site, endpoint)
        for _name, site in sorted(config.sites.items())
        for endpoint in site.platforms
        if (platform in (None, endpoint.platform) or sites.observes(endpoint)) and (not only or site.id in only)
    ]
    with ThreadPoolExecutor(max_workers=max(1, min(32, len(targets)))) as workers:
        found = list(workers.map(lambda t: glimpse(config, store, *t, max_age_s), targets))
    seen = {}
    for one in found:
        if one.observation:
            seen.setdefault(one.site.id, []).append(one.observation)
    drains = draining.read(store)
    measured = [with_use(one, seen.get(one.site.id, ())) for one in found]
    found = [dataclasses.replace(one, pools=draining.applied(one.pools, drains)) for one in measured]
    recorder = Recorder(store)
    for one in found:
        recorder.record(one)
    return found


def with_use(one, observations):
    """Return a Glimpse whose pools show what was measured, and the alarms of the monitoring."""
    return dataclasses.replace(one, pools=tuple(observing.observed(pool, observations) for pool in one.pools))


def glimpse(config, store, site, endpoint, max_age_s=0):
    """Return the Glimpse of one endpoint: read now, and kept as snapshot, or from the snapshot. No site raises here."""
    now = clock.now()
    snapshot = store.snapshot(site.id, endpoint.id)
    # One from the future, of another machine's clock, would stay young for ever.
    if snapshot and 0 <= clock.seconds_between(snapshot["at"], now) < max_age_s:
        return _from_snapshot(site, endpoint, snapshot, "live", None)
    try:
        if sites.observes(endpoint):
            return _observed(config, store, site, endpoint, snapshot, now)
        pools = read_endpoint(config, site, endpoint, now, before=_path_in(snapshot))
    except BrainError as error:
        return _missed(site, endpoint, snapshot, now, str(error.at(site.id)))
    except (ArithmeticError, AttributeError, LookupError, TypeError, ValueError) as error:
        # An answer of a shape nobody has seen must not blind the other sites either.
        said = f"{site.id}: {endpoint.platform} answered what this version cannot read ({error!r})."
        return _missed(site, endpoint, snapshot, now, said)
    store.save_snapshot(site.id, endpoint.id, {"at": now, "pools": [to_plain(p) for p in pools]})
    state = "partial" if any(p.seen.state == "partial" for p in pools) else "live"
    return Glimpse(site, endpoint, pools, state, now)


def refresh_alarms(config, store, site, endpoint):
    """Read the alarms alone, which is cheaper than everything, into the snapshot; return them, None without a snapshot.

    The other facts keep their time. An alarm without a domain counts for every pool of the endpoint. A monitoring
    system has nothing else, so it is read as a whole.
    """
    if sites.observes(endpoint):
        return glimpse(config, store, site, endpoint).every_alarm
    alarms = config.platform(site.id, endpoint.id).alarms()
    snapshot = store.snapshot(site.id, endpoint.id)
    if snapshot is None:
        return None
    for pool in snapshot["pools"]:
        mine = [alarm for alarm in alarms if alarm.domain is None or alarm.domain in pool["domains"]]
        pool["alarms"] = [to_plain(alarm) for alarm in mine]
    store.save_snapshot(site.id, endpoint.id, {**snapshot, "alarms_at": clock.now()})
    return alarms


def _observed(config, store, site, endpoint, snapshot, now):
    seen = config.platform(site.id, endpoint.id).usage()
    seen = observing.remembered(seen, _observation(snapshot))
    store.save_snapshot(site.id, endpoint.id, {"at": now, "observation": to_plain(seen)})
    return Glimpse(site, endpoint, (), "live", now, observation=seen)


def _observation(snapshot):
    return from_plain(Observation, snapshot["observation"]) if snapshot else None


def _path_in(snapshot):
    """Return the Path that a snapshot holds."""
    pools = snapshot["pools"] if snapshot else ()
    return from_plain(Path, pools[0]["path"]) if pools else Path()


def _missed(site, endpoint, snapshot, now, error):
    if sites.observes(endpoint):
        since = snapshot["at"] if snapshot else None
        seen = observing.unanswered(endpoint, site, error, since, _observation(snapshot))
        lost = snapshot is None or clock.seconds_between(since, now) > site.lost_after_s
        return Glimpse(site, endpoint, (), "lost" if lost else "stale", since, error, seen)
    if snapshot is None:
        return Glimpse(site, endpoint, (), "lost", None, error)
    lost = clock.seconds_between(snapshot["at"], now) > site.lost_after_s
    return _from_snapshot(site, endpoint, snapshot, "lost" if lost else "stale", error)


def _from_snapshot(site, endpoint, snapshot, state, error):
    if "observation" in snapshot:
        return Glimpse(site, endpoint, (), state, snapshot["at"], error, _observation(snapshot))
    pools = tuple(from_plain(Pool, plain) for plain in snapshot["pools"])
    if state != "live":
        pools = tuple(
            dataclasses.replace(pool, seen=dataclasses.replace(pool.seen, state=state, error=error)) for pool in pools
        )
    return Glimpse(site, endpoint, pools, state, snapshot["at"], error)


def read_endpoint(config, site, endpoint, now, tenant=None, before=None):
    """Read one endpoint now and return its pools, completed with what the site file says.

    before: the Path known so far, from which its rate is carried on or measured anew; None: not now.
    """
    path = measured_path(config, site, endpoint, now)
    if not path.reachable:
        raise Unreachable(
            f"nothing answers at {endpoint.address}:{endpoint.port} (via {endpoint.via}){_where(path)}.",
            site=site.id,
            way_out="Check the endpoint in the site file and the network to it.",
        )
    platform = config.platform(site.id, endpoint.id, tenant)
    pools = platform.pools()
    if before is not None:
        path = with_rate(path, platform, before, now)
    return tuple(completed(pool, site, endpoint, path, now) for pool in pools)


def measured_path(config, site, endpoint, now):
    """Return the Path from here to an endpoint as it is now; its rate is the declared one."""
    found = survey(site, endpoint, config.folder, probes=PROBES)
    declared = [link for link in config.links if (link.source, link.target) == ("controller", site.id)]
    return Path(
        reachable=found.reachable,
        rtt_ms=found.rtt_ms,
        loss_pct=found.loss_pct,
        rate_gbps=declared[0].rate_gbps if declared else None,
        measured_at=now,
        expires_at=found.expires_at,
        stops_at=found.stops_at,
        error=found.sentence,
    )


def with_rate(path, platform, before, now):
    """Return a Path with its measured rate: the one known already while it is young, else a new measurement.

    Only where the site's policy allows it and says how often. What cannot be measured leaves what is known.
    """
    every_s = platform.site.policy.get("rate", {}).get("every_s")
    if not every_s:
        return path
    rate, at = before.rate_gbps, before.rate_measured_at
    if at is None or not 0 <= clock.seconds_between(at, now) < every_s:
        try:
            rate, at = rate_gbps(platform), now
        except BrainError:
            pass  # a full storage, say: no reason to lose sight of the pools
    return dataclasses.replace(path, rate_gbps=rate, rate_measured_at=at) if at else path


def _where(path):
    return f"; the path stops at {path.stops_at.address}, hop {path.stops_at.number}" if path.stops_at else ""


def described(accelerator):
    """Return an Accelerator with memory and peak from the catalogue, where the platform named none."""
    known = known_model(accelerator.model) if accelerator else None
    if known is None:
        return accelerator
    return dataclasses.replace(
        accelerator,
        kind=known.kind,
        vendor=accelerator.vendor or known.vendor,
        memory_gib=accelerator.memory_gib or known.memory_gib,
        tflops_fp16=accelerator.tflops_fp16 or known.tflops_fp16,
    )


def completed(pool, site, endpoint, path, now):
    """Return a Pool with the site file's facts: prices, power, runtimes, data levels, drain, and the path."""
    accelerator = described(pool.accelerator)
    model = accelerator.model if accelerator else None
    drained = site.policy.get("drained")
    state = "drained" if drained else pool.seen.state if pool.seen.at else "live"
    return dataclasses.replace(
        pool,
        zone=endpoint.zone,
        via=endpoint.via,
        accelerator=accelerator,
        price=Price(site.prices.get("accelerator_fen_h", {}).get(model), site.prices.get("cpu_fen_h")),
        power=Power(
            site.power.get("accelerator_w", {}).get(model),
            site.power.get("idle_w"),
            site.power.get("pue"),
        ),
        # A framework whose image the platform does not list is not there.
        runtimes=tuple(
            from_plain(Runtime, item)
            for item in site.runtimes
            if None in (pool.images, item.get("image")) or item["image"] in pool.images
        ),
        data_levels=tuple(site.policy.get("data_levels", ())),
        path=path,
        jobs=sites.platform_class(endpoint.platform).runs_jobs(endpoint),
        machines=bool(endpoint.machines) and sites.platform_class(endpoint.platform).can("create_instance") is None,
        lost_after_s=site.lost_after_s,
        seen=Seen(
            at=now,
            source=f"{endpoint.platform}://{endpoint.address}:{endpoint.port}",
            state=state,
            error=drained or pool.seen.error,
        ),
    )
