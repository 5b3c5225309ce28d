# Copyright: SuanWang Brain contributors
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How OpenStack writes things: providers and their classes, flavors and their extra specs, pages, errors."""

from __future__ import annotations

import dataclasses
import re
import time
from dataclasses import dataclass
from datetime import datetime
from datetime import UTC
from urllib.parse import parse_qsl
from urllib.parse import urlsplit

from .. import names
from .. import nodefacts
from ..errors import Invalid
from ..errors import Refused
from ..nodefacts import utc
from ..resources import Accelerator
from ..resources import Capacity
from ..resources import Ours
from ..resources import Pool
from ..resources import Queue
from ..resources import Seen

CARD = re.compile(r"(?:CUSTOM_)?[A-Z0-9_]*?(NPU|GPU|DCU|MLU)[A-Z0-9_]*")
ARCH = re.compile(r"(?:CUSTOM|HW|COMPUTE)_ARCH_(\w+)")
ARCHES = {"ARM64": "aarch64", "AMD64": "x86_64"}
QUOTAS = {"instances": ("instances", 1), "cores": ("cpu", 1), "ram": ("memory_gib", 1024)}
NO_CAPACITY = "quota, not capacity: the account may not see machines, so what is free is not known"


# -- what a cloud has --------------------------------------------------------------------------------
@dataclass(frozen=True)
class Machine:
    """A compute node. resources: class → (capacity, used), of the node and the devices below it."""

    id: str
    name: str
    zone: str
    works: bool
    arch: str | None
    resources: dict
    traits: frozenset


def machines(providers, summaries, nova, zones):
    """Return the Machines of root providers. nova: hypervisors by id, the same as a root provider's."""
    found = []
    for root in (row for row in providers if row["root"] == row["id"]):
        row = nova.get(root["id"]) or next((n for n in nova.values() if n["name"] == root["name"]), None)
        if row is None:
            continue  # storage shared by machines, and other providers that no instance runs on
        resources, traits = {}, set()
        for part in (row for row in providers if row["root"] == root["id"]):
            said = summaries[part["id"]]
            traits |= set(said["traits"])
            for name, one in said["resources"].items():
                capacity, used = resources.get(name, (0, 0))
                resources[name] = (capacity + one["capacity"], used + one["used"])
        works = row["state"] == "up" and row["status"] == "enabled" and "COMPUTE_STATUS_DISABLED" not in traits
        arch = next((match[1] for name in sorted(traits) if (match := ARCH.fullmatch(name))), None)
        found.append(
            Machine(
                id=root["id"],
                name=root["name"],
                zone=zones.get(row["host"] or root["name"], "nova"),
                works=works,
                arch=arch and ARCHES.get(arch, arch.lower()),
                resources=resources,
                traits=frozenset(traits),
            )
        )
    return found


def summary(inventories, usages, traits):
    """Return what a candidate's summary would say of a provider that is none."""
    resources = {
        name: {
            "capacity": int((row["total"] - row["reserved"]) * row["allocation_ratio"]),
            "used": usages.get(name, 0),
        }
        for name, row in inventories.items()
    }
    return {"resources": resources, "traits": traits}


# -- flavors -----------------------------------------------------------------------------------------
def wants(flavor):
    """Return (class → amount, traits that must be, traits that must not be) of a flavor row."""
    amounts = {"VCPU": flavor["cpu"], "MEMORY_MB": flavor["ram"], "DISK_GB": flavor["disk"]}
    must, never = set(), set()
    for key, value in (flavor["extra"] or {}).items():
        kind, _colon, name = key.partition(":")
        if kind == "resources" and str(value).isdecimal():
            amounts[name] = int(value)
        elif kind == "trait":
            (must if value == "required" else never).add(name)
    return {name: amount for name, amount in amounts.items() if amount}, must, never


def card(flavor):
    """Return (class, count) of a flavor's accelerator, (None, 0) where it has none."""
    amounts, _must, _never = wants(flavor)
    return next(((name, count) for name, count in amounts.items() if CARD.fullmatch(name)), (None, 0))


def fits(flavor, machine):
    """Return whether a machine could ever hold the flavor."""
    amounts, must, never = wants(flavor)
    enough = all(machine.resources.get(name, (0, 0))[0] >= amount for name, amount in amounts.items())
    return enough and must <= machine.traits and not never & machine.traits


def family(native):
    """Return the name of a pool's part after the zone.

    >>> family("CUSTOM_NPU_ASCEND910B"), family("VGPU")
    ('npu-ascend910b', 'vgpu')
    """
    return native.removeprefix("CUSTOM_").lower().replace("_", "-")


def place(pool):
    """Return (zone, family) of a pool's id or name; a zone may hold dots."""
    zone, dot, rest = pool.rpartition("/")[2].rpartition(".")
    if not dot:
        raise Invalid(f"{pool!r} is no pool of a zone and a family.", way_out="Take one that pool_info shows.")
    return zone, rest


def choose(flavors, spec, wanted, site):
    """Return the row of the flavor asked for, or of the smallest that gives what is asked for."""
    if spec.native_type:
        named = [row for row in flavors if spec.native_type in (row["name"], row["id"])]
        if not named:
            has = ", ".join(sorted(row["name"] for row in flavors))
            raise Invalid(f"there is no flavor {spec.native_type!r}.", site=site, way_out=f"There are: {has}.")
        return named[0]
    fit, of_cards = [], {family(native) for row in flavors if (native := card(row)[0])}
    for row in flavors:
        native, count = card(row)
        right = family(native) == wanted if native else wanted not in of_cards and _of_arch(row, wanted)
        roomy = row["cpu"] >= spec.cpu and row["ram"] >= (spec.memory_gib or 0) * 1024
        if right and roomy and count >= spec.accelerators and bool(count) == bool(spec.accelerators):
            fit.append((count, row["cpu"], row["ram"], row["name"], row))
    if not fit:
        asked = f"{spec.cpu} vCPU, {spec.memory_gib or 0:g} GiB and {spec.accelerators} cards"
        raise Refused(f"no flavor of {wanted} gives {asked}.", site=site, way_out="Ask for less, or name a flavor.")
    return min(fit, key=lambda one: one[:4])[4]


def _of_arch(flavor, wanted):
    _amounts, must, never = wants(flavor)
    said = {(match[1]) for name in must if (match := ARCH.fullmatch(name))}
    barred = {(match[1]) for name in never if (match := ARCH.fullmatch(name))}
    mine = {ARCHES.get(one, one.lower()) for one in said}
    return wanted == "cpu" or (wanted in mine if mine else wanted not in {one.lower() for one in barred})


# -- pools -------------------------------------------------------------------------------------------
class Facts:
    """What is the same for every pool of one endpoint. quota: Quota records; ours: server rows of ours."""

    def __init__(self, site, endpoint, flavors, quota, ours):
        self.site, self.endpoint, self.flavors = site, endpoint, flavors
        self.quota, self.ours = tuple(quota), ours
        self._place = f"{site.id}/{endpoint.id}"

    def pools(self, there):
        """Return the Pools of Machines."""
        members, sizes = {}, {}
        for flavor in self.flavors:
            native, _count = card(flavor)
            for machine in there:
                if fits(flavor, machine):
                    key = machine.zone, native or machine.arch or "cpu"
                    members.setdefault(key, {})[machine.id] = machine
                    sizes.setdefault(key, []).append(flavor)
        domains = self._domains(members)
        return [self._pool(key, list(found.values()), sizes[key], domains[key]) for key, found in members.items()]

    def _pool(self, key, there, flavors, domain):
        zone, native = key
        card_class = native if CARD.fullmatch(native) else None
        nodes = [_node(machine, card_class) for machine in there]
        facts = nodefacts.capacity_facts(nodes, card_class)
        biggest = max(flavors, key=lambda row: (card(row)[1], row["cpu"], row["ram"]))
        sole = Capacity(1, biggest["cpu"], round(biggest["ram"] / 1024, 1), card(biggest)[1])
        return dataclasses.replace(
            self._bare(zone, native, card_class, facts["capacity"].accelerators if card_class else None),
            domains=(domain,),
            open=any(node.works for node in nodes),
            queue=Queue(running=None, pending=0, wait_s=0 if facts["free_shapes"] else None),
            seen=Seen(utc(time.time()), "openstack", "live"),
            **{**facts, "node": sole},
        )

    def without_capacity(self, zones):
        """Return the Pools that a mere tenant sees: zones × families of flavors, and its quota."""
        families = {}
        for flavor in self.flavors:
            native, _count = card(flavor)
            arch = next((m[1] for name in sorted(wants(flavor)[1]) if (m := ARCH.fullmatch(name))), None)
            families.setdefault(native or (ARCHES.get(arch, arch.lower()) if arch else "cpu"), []).append(flavor)
        return [
            dataclasses.replace(
                self._bare(zone, native, native if CARD.fullmatch(native) else None, None),
                arch=native if native in ("aarch64", "x86_64") else None,
                seen=Seen(utc(time.time()), "openstack", "partial", NO_CAPACITY),
            )
            for zone in zones
            for native in families
        ]

    def _bare(self, zone, native, card_class, count):
        name = f"{zone}.{family(native) if card_class else native}"
        accelerator = None
        if card_class:
            kind = CARD.fullmatch(card_class)[1].lower()
            model = self.site.accelerators.get(card_class) or family(card_class)
            accelerator = Accelerator(kind, model, card_class, count=count)
        return Pool(
            id=f"{self._place}/{name}",
            name=name,
            site=self.site.id,
            platform="openstack",
            endpoint=self.endpoint.id,
            accelerator=accelerator,
            quota=tuple(q for q in self.quota if accelerator or q.resource != "accelerators"),
            ours=tuple(self._mine(zone, card_class)),
        )

    def _mine(self, zone, card_class):
        flavors = {row["name"]: row for row in self.flavors}
        for row in self.ours:
            mark, flavor = names.parse(row["name"]), flavors.get(row["type"])
            if mark and flavor and row["zone"] == zone and card(flavor)[0] == card_class:
                state = {"ACTIVE": "running", "BUILD": "starting"}.get(row["state"], "unknown")
                yield Ours(mark.run, mark.component, state, card(flavor)[1], flavor["cpu"], 1)

    def _domains(self, members):
        if self.endpoint.capacity_domain:
            return dict.fromkeys(members, f"{self.site.id}/{self.endpoint.capacity_domain}")
        hosts = {key: [machine.name for machine in found.values()] for key, found in members.items()}
        return nodefacts.domains(hosts, self._place)


def _node(machine, card_class):
    cpu, used_cpu = machine.resources.get("VCPU", (0, 0))
    memory, used_memory = machine.resources.get("MEMORY_MB", (0, 0))
    cards, used = machine.resources.get(card_class, (0, 0)) if card_class else (0, 0)
    return nodefacts.Node(
        name=machine.name,
        works=machine.works,
        arch=machine.arch,
        cpu=cpu,
        idle_cpu=max(0, cpu - used_cpu),
        memory_mib=memory,
        free_memory_mib=max(0, memory - used_memory),
        cards={card_class: cards} if cards else {},
        used={card_class: used} if cards else {},
    )


# -- quota -------------------------------------------------------------------------------------------
def quotas(quota_set):
    """Yield (resource, limit, used) of a detailed quota set; −1 there is no limit."""
    for theirs, (ours, unit) in QUOTAS.items():
        row = quota_set.get(theirs)
        if row:
            limit = row["limit"]
            yield ours, None if limit < 0 else limit / unit, (row["in_use"] + row["reserved"]) / unit


def quota_set(limits):
    """Return limits of ours in Nova's words and units; raise Invalid for one that it has not."""
    theirs = {ours: (name, unit) for name, (ours, unit) in QUOTAS.items()}
    strange = sorted(set(limits) - set(theirs))
    if strange:
        raise Invalid(f"there is no quota of {', '.join(strange)}.", way_out=f"There are: {', '.join(sorted(theirs))}.")
    return {theirs[ours][0]: int(limit * theirs[ours][1]) for ours, limit in limits.items()}


def cards_used(usages):
    """Return the accelerators in Placement's usages of a project, which newer versions group by consumers."""
    groups = [group for group in usages.values() if isinstance(group, dict)] or [usages]
    return sum(count for group in groups for name, count in group.items() if CARD.fullmatch(name))


# -- addresses ---------------------------------------------------------------------------------------
def addresses(networks, address_map, floating=None):
    """Yield (network, private, private port, public, public port): a row for every mapped port, else one without.

    floating: the floating address that Neutron tells, which Nova shows late. A floating address may be mapped once
    more, where the cloud itself stands behind a translation.
    """
    for network, rows in (networks or {}).items():
        shown = [row["addr"] for row in rows if row.get("OS-EXT-IPS:type") == "floating"]
        outside = [*shown, *([floating] if floating and floating not in shown else [])]
        for row in rows:
            if row["addr"] in shown:
                continue
            for address in outside or [row["addr"]]:
                mapped = [one for one in address_map if one["private"]["address"] == address]
                for one in mapped:
                    yield network, row["addr"], one["private"]["port"], one["public"]["address"], one["public"]["port"]
                if not mapped:
                    yield network, row["addr"], None, address if outside else None, None


# -- answers -----------------------------------------------------------------------------------------
def version(pair):
    """Return ``2.90`` of (2, 90); None of None."""
    return ".".join(map(str, pair)) if pair else None


def number(said):
    """Return (2, 90) of ``2.90``, by which versions are compared."""
    return tuple(map(int, said.split(".")))


def next_link(body):
    """Return the marker and limit of the next page: a link names the host that the server believes in."""
    link = body.get("next")
    for key, value in body.items():
        if key.endswith("_links") and isinstance(value, list):
            link = next((row["href"] for row in value if row.get("rel") == "next"), link)
    if not link:
        return None
    return {key: value for key, value in parse_qsl(urlsplit(link).query) if key in ("marker", "limit")}


def moment(said):
    """Return a time of theirs in RFC 3339 UTC, None where it is none. Without a zone it is UTC, which Nova keeps.

    >>> moment("2026-11-25T11:26:58"), moment("2026-11-25T19:26:58+08:00"), moment("soon")
    ('2026-11-25T11:26:58Z', '2026-11-25T11:26:58Z', None)
    """
    try:
        found = datetime.fromisoformat(said)
    except (TypeError, ValueError):
        return None
    return utc((found if found.tzinfo else found.replace(tzinfo=UTC)).timestamp())


def body(answer):
    """Return an answer's JSON, None where it holds none."""
    try:
        return answer.json()
    except ValueError:
        return None


def message(answer):
    """Return the words of a refusal, whichever service says them; never HTML."""
    said = body(answer)
    if not isinstance(said, dict):
        return f"{answer.reason}, without JSON"
    for value in said.values():
        one = value[0] if isinstance(value, list) and value else value
        if isinstance(one, dict):
            words = one.get("message") or one.get("detail") or one.get("title")
            if words:
                return str(words).strip()
    return None
