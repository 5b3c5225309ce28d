"""Nova's own fake driver as the nodes of SWB_NODES (JSON): each with an architecture, sizes, cards and traits."""

import json
import os
import uuid

import nova.conf
from nova.virt import fake

CONF = nova.conf.CONF
NODES = json.loads(os.environ["SWB_NODES"])
IDS = {name: str(uuid.uuid5(uuid.NAMESPACE_DNS, f"{name}.swb.invalid")) for name in NODES}


class PoolDriver(fake.FakeDriver):
    def init_host(self, host):
        row = NODES[host]
        self.vcpus, self.memory_mb, self.local_gb = row["cpu"], row["memory_mib"], row["disk_gib"]
        self.resources = fake.Resources(self.vcpus, self.memory_mb, self.local_gb)
        super().init_host(host)
        self._set_nodes([host])

    def get_available_resource(self, nodename):
        found = super().get_available_resource(nodename)
        arch = NODES[nodename]["arch"]
        return {**found, "uuid": IDS[nodename], "supported_instances": [(arch, "fake", "hvm")]}

    def get_nodenames_by_uuid(self, refresh=False):
        return {IDS[name]: name for name in self.get_available_nodes()}

    def update_provider_tree(self, tree, nodename, allocations=None):
        super().update_provider_tree(tree, nodename, allocations)
        row = NODES[nodename]
        inventory = dict(tree.data(nodename).inventory)
        for name, total in row.get("resources", {}).items():
            inventory[name] = {"total": total, "reserved": 0, "min_unit": 1, "max_unit": total, "step_size": 1,
                               "allocation_ratio": 1.0}  # fmt: skip
        tree.update_inventory(nodename, inventory)
        tree.add_traits(nodename, *row.get("traits", ()))
