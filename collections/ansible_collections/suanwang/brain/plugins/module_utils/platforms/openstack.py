# Copyright: SuanWang Brain contributors
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""OpenStack through openstacksdk on our own HTTP session: a pool is an availability zone × cards or architecture.

Sources: Keystone 30, Nova 34, Placement 16, Glance 33, Neutron 29, openstacksdk 4.22, all seen. Never verified: nested
providers, PCI devices in Placement, several cells or regions, unified limits, old clouds (below compute 2.53), the
dialects of H3C CloudOS and Huawei Cloud Stack, a Keystone that is not below /v3, a job on a real image: Nova's
fake driver runs none, so work over SSH was tried on the lab's machines only.

Capacity is Placement's, never the hypervisors' (whose figures know no overcommitment and no cards, and are gone since
2.88); hypervisors only say which machines work. A quota and a policy are refused with the same 403, and names are not
unique: a create whose answer is lost is looked up, and never sent again blindly.
"""

from __future__ import annotations

import base64
import dataclasses
import functools
import re

from .. import names
from ..errors import Conflict
from ..errors import NotFound
from ..errors import Refused
from ..errors import Unauthorized
from ..errors import Unreachable
from ..jobfile import Layout
from ..machines.jobs import Jobs
from ..machines.login import Access
from ..resources import Address
from ..resources import Instance
from ..resources import JOB_ENDED
from ..resources import Quota
from . import openstack_text as text
from .base import NameRule
from .openstack_net import Net
from .openstack_talk import Cloud
from .openstack_talk import in_domain
from .openstack_talk import VERSIONS

# -- LOGIN: openstack_talk

# -- PATHS: service → path --------------------------------------------------------------------------
AGGREGATES, HYPERVISORS, FLAVORS = "/os-aggregates", "/os-hypervisors/detail", "/flavors/detail"
ZONES, SERVERS = "/os-availability-zone", "/servers/detail"
QUOTA, QUOTAS = "/os-quota-sets/{}", "/os-quota-sets/{}/detail"
SERVER, NEW_SERVER = "/servers/{}", "/servers"
PROVIDERS, CANDIDATES, USAGES = "/resource_providers", "/allocation_candidates", "/usages"
PROJECTS, IMAGES = "/projects", "/images"  # below the version that the service itself names
#: Which pool a machine was asked for in, among its metadata: neither zone nor flavor alone tells.
POOL = "swb_pool"

# -- FIELDS: theirs → ours -------------------------------------------------------------------------
FIELDS = {
    "aggregate": "aggregates[?metadata.availability_zone].{zone: metadata.availability_zone, hosts: hosts}",
    "hypervisor": """hypervisors[].{id: id, name: hypervisor_hostname, host: service.host, state: state,
        status: status, reason: service.disabled_reason}""",
    "flavor": "flavors[].{id: id, name: name, cpu: vcpus, ram: ram, disk: disk, extra: extra_specs}",
    "zone": "availabilityZoneInfo[].zoneName",
    "provider": "resource_providers[].{id: uuid, name: name, root: root_provider_uuid}",
    "server": """servers[].{id: id, name: name, state: status, task: "OS-EXT-STS:task_state",
        fault: fault.message, zone: "OS-EXT-AZ:availability_zone", type: flavor.original_name,
        addresses: addresses, label: metadata, created: created}""",
}

# -- STATES: a word that is not here is `unknown` --------------------------------------------------
_WORDS = {
    "starting": "BUILD REBUILD",
    "running": "ACTIVE REBOOT HARD_REBOOT RESIZE VERIFY_RESIZE MIGRATING PASSWORD RESCUE",
    "stopped": "SHUTOFF SHELVED SHELVED_OFFLOADED",
    "suspended": "PAUSED SUSPENDED",
    "stopping": "DELETED SOFT_DELETED",
    "failed": "ERROR",
}
STATES = {word: state for state, listed in _WORDS.items() for word in listed.split()}

# -- ERRORS: openstack_talk

_NO_ALARMS = "its API keeps none: a machine that is down is missing from what is free, and a Prometheus tells alarms."
_STANDING = "what it holds is standing: an instance has its share from its start to its end."


class OpenStack(Cloud):
    """One region of one cloud, as one user in one project."""

    NAME = "openstack"
    NAME_RULE = NameRule(length=255, characters="A-Za-z0-9._-", unique=False, dot=True)
    FIND_BY_NAME = "exact"
    KEEPS_LABEL = True
    RESERVES = "standing"
    SHARED_FILES = False
    FIELDS = FIELDS
    CAPABILITIES = {
        "alarms": _NO_ALARMS,
        "usage": "it knows what it has given away, which stands in its pools, and measures nothing.",
        **dict.fromkeys(("reserve", "reservation", "release"), _STANDING),
        **dict.fromkeys(("serve", "inference_service", "unserve"), "it makes machines, and knows no models."),
    }

    def __init__(self, connection):
        super().__init__(connection)
        self._machines_of = {}

    @classmethod
    def runs_jobs(cls, endpoint):
        """Work goes over SSH to machines of ours, where the site file says how they are made."""
        return bool(endpoint.machines)

    # -- perception --------------------------------------------------------------------------------
    def ping(self):
        """Return {version, api, project}: the newest compute microversion, those that are spoken, and our project."""
        newest = {name: self._newest(name) for name in VERSIONS}
        return {
            "version": newest["compute"],
            "api": {name: self._version(name) for name in newest},
            "project": self._project,
        }

    def pools(self):
        """Return one Pool a zone and accelerator, or architecture; for a mere tenant `partial`, with quota only."""
        flavors = self._rows("flavor", "compute", FLAVORS, {"is_public": "none"} if self._sees_all else {})
        ours, quota = self._ours(), self.quota()
        facts = text.Facts(self.site, self.endpoint, flavors, quota, ours)
        if self._sees_all:
            return facts.pools(self._machines())
        return facts.without_capacity(self._rows("zone", "compute", ZONES))

    def quota(self):
        """Return the project's limits and use. Cards are used without a limit: Nova has no quota for them."""
        body = self.checked("GET", "compute", QUOTAS.format(self._project))
        found = [Quota(*row, tenant=self.connection.tenant) for row in text.quotas(body["quota_set"])]
        usages = self._placement_usages()
        if usages is not None:
            found.append(Quota("accelerators", None, text.cards_used(usages), self.connection.tenant))
        return found

    def set_quota(self, account, limits):
        """Set limits of a project, ``domain/project`` or its name. Below what is in use is Invalid, as Nova says."""
        domain, name = in_domain(account)
        found = self.checked("GET", "identity", PROJECTS, {"name": name})["projects"]
        if len(found) > 1:
            domains = self.checked("GET", "identity", "/domains", {"name": domain})["domains"]
            found = [row for row in found if row["domain_id"] in [one["id"] for one in domains]]
        project = self.only(found, "project", name)
        self.checked("PUT", "compute", QUOTA.format(project), json={"quota_set": text.quota_set(limits)})

    @functools.cached_property
    def _sees_all(self):
        """Whether our account may see machines; a mere tenant may not."""
        try:
            self.checked("GET", "compute", HYPERVISORS, {"limit": 1})
            self.checked("GET", "placement", PROVIDERS, {"name": "-"})
        except Unauthorized as error:
            if error.details.get("status") != 403:
                raise
            return False
        return True

    def _machines(self):
        """Return text.Machines: what Placement says they have, and what Nova says of their health."""
        zones = {host: row["zone"] for row in self._rows("aggregate", "compute", AGGREGATES) for host in row["hosts"]}
        nova = {row["id"]: row for row in self._rows("hypervisor", "compute", HYPERVISORS)}
        providers = self._rows("provider", "placement", PROVIDERS)
        seen = self.checked("GET", "placement", CANDIDATES, {"resources": "VCPU:1", "limit": 100000})
        summaries = dict(seen["provider_summaries"])
        for row in providers:  # what is full is no candidate
            if row["id"] not in summaries:
                summaries[row["id"]] = self._summary(row["id"])
        return text.machines(providers, summaries, nova, zones)

    def _summary(self, provider):
        path = f"{PROVIDERS}/{provider}"
        inventories = self.checked("GET", "placement", f"{path}/inventories")["inventories"]
        usages = self.checked("GET", "placement", f"{path}/usages")["usages"]
        traits = self.checked("GET", "placement", f"{path}/traits")["traits"]
        return text.summary(inventories, usages, traits)

    def _placement_usages(self):
        try:
            return self.checked("GET", "placement", USAGES, {"project_id": self._project})["usages"]
        except (Unauthorized, NotFound, Refused):
            return None

    def _ours(self):
        everybody = {"all_tenants": "1"} if self._sees_all else {}
        return self._rows("server", "compute", SERVERS, {"name": "^swb-", **everybody})

    # -- machines ----------------------------------------------------------------------------------
    def instance(self, name):
        """Return the Instance of that name, or None; Conflict where there are several."""
        # A name is a regular expression there, without anchors.
        rows = self._rows("server", "compute", SERVERS, {"name": f"^{re.escape(name)}$"})
        rows = [row for row in rows if row["name"] == name]
        if len(rows) > 1:
            raise Conflict(
                f"there are {len(rows)} machines named {name}: {', '.join(row['id'] for row in rows)}.",
                site=self.site.id,
                way_out="Delete all but one there.",
            )
        return self._instance(rows[0]) if rows else None

    def create_instance(self, spec):
        """Ask once. Unreachable with details.doubt: look it up by name before anything else."""
        self.NAME_RULE.check(spec.name)
        zone, native = text.place(spec.pool)
        flavors = self._rows("flavor", "compute", FLAVORS, {})
        flavor = text.choose(flavors, spec, native, self.site.id)
        server = {
            "name": spec.name,
            "flavorRef": flavor["id"],
            "imageRef": self._image(spec.image),
            "availability_zone": zone,
            "metadata": {**spec.label, POOL: self._pool(spec.pool)},
            "networks": self._networks(spec),
        }
        if spec.user_data:
            server["user_data"] = base64.b64encode(spec.user_data.encode()).decode()
        body = self.checked("POST", "compute", NEW_SERVER, json={"server": server})
        return Instance(
            id=body["server"]["id"],
            name=spec.name,
            state="starting",
            native_state="BUILD",
            pool=self._pool(spec.pool),
            native_type=flavor["name"],
            label=dict(spec.label),
        )

    def delete_instance(self, instance):
        """Ask for the end, if the id is still that of the name."""
        try:
            found = self.checked("GET", "compute", SERVER.format(instance.id))["server"]
            if found["name"] == instance.name:
                self.checked("DELETE", "compute", SERVER.format(instance.id))
        except NotFound:
            return

    def _image(self, name):
        body = self.checked("GET", "image", IMAGES, {"name": name, "status": "active", "limit": 2})
        return self.only(body["images"], "image", name)

    def _instance(self, row):
        state = STATES.get(row["state"], "unknown")
        if row["task"] == "deleting":
            state = "stopping"
        label = dict(row["label"] or {})
        floating = self._net.floating(row["name"]) if state == "running" else None
        return Instance(
            id=row["id"],
            name=row["name"],
            state=state,
            native_state="/".join(filter(None, (row["state"], row["task"]))),
            reason=(row["fault"] or "").strip() or None,
            pool=label.pop(POOL, None),
            native_type=row["type"],
            addresses=tuple(Address(*one) for one in text.addresses(row["addresses"], self.site.address_map, floating)),
            label=label,
            created=text.moment(row["created"]),
        )

    def _pool(self, pool):
        """Return the id of a pool that is given by its id or its name."""
        return f"{self.site.id}/{self.endpoint.id}/{pool.rpartition('/')[2]}"

    # -- what reaches them -------------------------------------------------------------------------
    @functools.cached_property
    def _net(self):
        return Net(self)

    def access(self, name, group):
        return self._net.access(name, group)

    def set_access(self, spec):
        return self._net.set(spec)

    def remove_access(self, name, group):
        self._net.remove(name, group)

    def _networks(self, spec):
        """Return what a new server is attached to: our port on the first network, where one was made for it."""
        if not spec.group:
            return [{"uuid": self._net.network(name)} for name in spec.networks] or "auto"
        port = self._net.port(spec.name)
        if port is None:
            raise Refused(f"there is no port {spec.name}.", site=self.site.id, way_out="Run the same again.")
        return [{"port": port}, *({"uuid": self._net.network(name)} for name in spec.networks[1:])]

    # -- work, on machines of ours -------------------------------------------------------------------
    def files_of(self, run, component):
        """Return the ssh.Files of the machine of a component, or None where it has none."""
        if not run or not component:
            raise Refused(
                "its files are those of its machines, and this path is of no component of a run.",
                site=self.site.id,
                way_out="Name a path that begins with <run>/<component>/.",
            )
        found = self._machine(names.name(run, component))
        return found and found.files

    def job(self, name):
        """Return the Job of that name on its machine; None also where there is no machine, or it never came up."""
        found = self._on_its_machine(name)
        try:
            return found and found[0].job(name, found[1])
        except Unreachable:
            # It may be gone, and its job with it.
            del self._machines_of[self._machine_name(name)]
            if self.instance(self._machine_name(name)):
                raise
            return None

    def jobs(self):
        """Return all Jobs on machines of ours that run."""
        found = []
        for row in self._rows("server", "compute", SERVERS, {"name": "^swb-"}):
            mark = names.parse(row["name"])
            machine = self._machine(row["name"]) if mark and not mark.attempt else None
            if machine is None:
                continue
            folder = Layout(machine.files.root(), mark.run, mark.component).component_dir
            _code, out, _err = machine.files.run(["ls", "--", folder])
            for attempt in sorted(word for word in out.split() if re.fullmatch(r"a[1-9]\d{0,3}", word)):
                name = names.name(mark.run, mark.component, int(attempt[1:]))
                found.append(machine.job(name, f"{folder}/{attempt}"))
        return [job for job in found if job]

    def submit(self, spec):
        """Start a job on the machine that was made for it."""
        self.NAME_RULE.check(spec.name)
        self._check_model(spec)
        if spec.nodes > 1:
            said = f"a job here has one machine, {spec.nodes} nodes are asked for."
            raise Refused(said, site=self.site.id, way_out="Take a pool of a cluster.")
        found = self._on_its_machine(spec.name)
        if found is None:
            raise Refused(
                f"there is no machine that runs for {spec.name}.",
                site=self.site.id,
                way_out="Make it first, with suanwang.brain.instance and `login: true`.",
            )
        try:
            return found[0].submit(dataclasses.replace(spec, pool=self._pool(spec.pool)))
        except (Conflict, Refused, Unreachable) as error:
            raise error.at(self.site.id) from None

    def cancel(self, job):
        """Ask for the end of a Job, if its id is still that of its name."""
        found = self._on_its_machine(job.name)
        there = found and found[0].job(job.name, found[1])
        if there and there.id == job.id and there.state not in JOB_ENDED:
            found[0].cancel(found[1])

    def _check_model(self, spec):
        _zone, wanted = text.place(spec.pool)
        native = next((name for name in self.site.accelerators if text.family(name) == wanted), wanted)
        has = self.site.accelerators.get(native, native)
        if spec.accelerators and spec.accelerator not in (None, has):
            said = f"pool {spec.pool} has no accelerator {spec.accelerator} (it has: {has})."
            raise Refused(said, site=self.site.id, way_out="Take another pool.")

    def _on_its_machine(self, name):
        """Return (Jobs, work folder) of a job's name, or None where it can have no machine that runs."""
        machine = self._machine(self._machine_name(name)) if names.parse(name) else None
        if machine is None:
            return None
        mark = names.parse(name)
        return machine, Layout(machine.files.root(), mark.run, mark.component, mark.attempt or 1).workdir

    @staticmethod
    def _machine_name(job):
        mark = names.parse(job)
        return names.name(mark.run, mark.component)

    def _machine(self, name):
        """Return the Jobs on the machine of that name; None where it is not there, or never came up."""
        if name in self._machines_of:
            return self._machines_of[name]
        found = self.instance(name)
        if found is None or found.state in ("starting", "failed", "stopping"):
            return None
        if found.state != "running":
            raise Unreachable(
                f"the machine {name} ({found.id}) is {found.native_state}, so what runs on it is not known.",
                site=self.site.id,
                way_out="Have it started there, or release the run.",
            )
        files = Access(self.connection).files(found)
        machine = Jobs(files, f"{self.site.id}/{self.endpoint.id}", found.id)
        files.root()
        self._machines_of[name] = machine
        return machine
