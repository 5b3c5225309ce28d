# Copyright: SuanWang Brain contributors
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What lets others reach a machine on OpenStack: a port, a security group with a rule a TCP port, a floating address.

Source: the Networking API v2.0 and Neutron 29, seen. Names are not unique there, so each thing is looked for by its
name before it is made; a floating address has no name, and is known by its port. A quota is a 409 there.
"""

from __future__ import annotations

from ..errors import Conflict
from ..errors import Invalid
from ..errors import NotFound
from ..resources import Access

GROUPS, RULES, PORTS, FLOATING = "/security-groups", "/security-group-rules", "/ports", "/floatingips"
NETWORKS = "/networks"


class Net:
    """The network side of machines of ours at one cloud. cloud: what is asked, an openstack_talk.Cloud."""

    def __init__(self, cloud):
        self.cloud = cloud
        self.external = cloud.endpoint.machines.get("external")

    # -- looking -----------------------------------------------------------------------------------
    def access(self, name, group):
        """Return the Access by what carries these names, or None where nothing does."""
        port, rule_group = self._named("ports", PORTS, name), self._named("security_groups", GROUPS, group)
        if not port and not rule_group:
            return None
        floating = self._floating(port["id"]) if port else None
        missing = [] if port else ["the port"]
        if self.external and not floating:
            missing.append("the floating address")
        if not rule_group:
            missing.append("the security group")
        rules = self._rules(rule_group["id"]) if rule_group else {}
        address = floating["floating_ip_address"] if floating else None
        return Access(tuple(sorted(set(rules.values()))), address, tuple(missing))

    def floating(self, name):
        """Return the floating address of the machine of that name, or None."""
        port = self._named("ports", PORTS, name) if self.external else None
        found = self._floating(port["id"]) if port else None
        return found and found["floating_ip_address"]

    def port(self, name):
        """Return the id of the port of that name, or None."""
        found = self._named("ports", PORTS, name)
        return found and found["id"]

    def network(self, name):
        """Return the id of the network of that name."""
        rows = self.cloud.checked("GET", "network", NETWORKS, {"name": name})["networks"]
        return self.cloud.only(rows, "network", name)

    # -- making and removing -----------------------------------------------------------------------
    def set(self, spec):
        """Bring group, rules, port and floating address to what an InstanceSpec says; return the Access."""
        if not spec.networks:
            raise Invalid(
                "ports can be opened on a named network only.",
                site=self.cloud.site.id,
                way_out="Name one under `machines.networks` in the site file.",
            )
        group = self._group(spec.group)
        self._set_rules(group, spec.ports)
        port = self._port(spec, group)
        floating = self._address(spec, port) if self.external else None
        return Access(tuple(sorted(spec.ports)), floating)

    def remove(self, name, group):
        """Remove floating address, port and, where no other machine has it, group."""
        port = self._named("ports", PORTS, name)
        if port:
            floating = self._floating(port["id"])
            if floating:
                self._delete(f"{FLOATING}/{floating['id']}")
            self._delete(f"{PORTS}/{port['id']}")
        found = self._named("security_groups", GROUPS, group)
        if found:
            try:
                self._delete(f"{GROUPS}/{found['id']}")
            except Conflict:
                return  # another machine of the component has it

    # -- parts of the above ------------------------------------------------------------------------
    def _named(self, kind, path, name):
        rows = self.cloud.checked("GET", "network", path, {"name": name})[kind]
        rows = [row for row in rows if row["name"] == name]
        if len(rows) > 1:
            raise Conflict(
                f"there are {len(rows)} {kind} named {name}: {', '.join(row['id'] for row in rows)}.",
                site=self.cloud.site.id,
                way_out="Delete all but one there.",
            )
        return rows[0] if rows else None

    def _floating(self, port):
        rows = self.cloud.checked("GET", "network", FLOATING, {"port_id": port})["floatingips"]
        return rows[0] if rows else None

    def _rules(self, group):
        """Return rule id → the TCP port that it lets in; 0 for one of another shape, which is none of ours."""
        rows = self.cloud.checked("GET", "network", RULES, {"security_group_id": group})["security_group_rules"]
        found = {}
        for row in rows:
            if row["direction"] == "ingress":
                one = row["protocol"] == "tcp" and row["port_range_min"] == row["port_range_max"]
                found[row["id"]] = row["port_range_min"] if one else 0
        return found

    def _group(self, name):
        found = self._named("security_groups", GROUPS, name)
        if found is None:
            body = {"security_group": {"name": name, "description": "made by SuanWang Brain"}}
            found = self._post(GROUPS, body)["security_group"]
        return found["id"]

    def _set_rules(self, group, ports):
        there = self._rules(group)
        for number in sorted(set(ports) - set(there.values())):
            rule = {
                "security_group_id": group,
                "direction": "ingress",
                "ethertype": "IPv4",
                "protocol": "tcp",
                "port_range_min": number,
                "port_range_max": number,
            }
            self._post(RULES, {"security_group_rule": rule})
        for rule, number in there.items():
            if number not in ports:
                self._delete(f"{RULES}/{rule}")

    def _port(self, spec, group):
        found = self._named("ports", PORTS, spec.name)
        if found is None:
            network = self.network(spec.networks[0])
            body = {"port": {"name": spec.name, "network_id": network, "security_groups": [group]}}
            return self._post(PORTS, body)["port"]["id"]
        if found["security_groups"] != [group]:
            body = {"port": {"security_groups": [group]}}
            self.cloud.checked("PUT", "network", f"{PORTS}/{found['id']}", json=body)
        return found["id"]

    def _address(self, spec, port):
        found = self._floating(port)
        if found is None:
            body = {
                "floatingip": {
                    "floating_network_id": self.network(self.external),
                    "port_id": port,
                    "description": spec.name,
                }
            }
            found = self._post(FLOATING, body)["floatingip"]
        return found["floating_ip_address"]

    def _post(self, path, body):
        return self.cloud.checked("POST", "network", path, json=body)

    def _delete(self, path):
        try:
            self.cloud.checked("DELETE", "network", path)
        except NotFound:
            return
