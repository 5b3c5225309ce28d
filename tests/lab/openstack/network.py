"""The network of one cloud: ports, security groups and floating addresses, and who can be reached because of them.

A machine is reached at a row of the address map where a floating address of its port stands in it and a rule of the
port's groups lets that port in: exactly then its SSH server listens there. Everything under the cloud's lock.
"""

import uuid

from tests.lab.openstack.refusal import Refusal

SSH = 22
FIXED = "10.20.0."


class Network:
    """rows: networks, external, slots (the address map of the floating addresses)."""

    def __init__(self, rows):
        self.rows = rows
        self.groups: dict[str, dict] = {}
        self.rules: dict[str, dict] = {}
        self.ports: dict[str, dict] = {}
        self.floating: dict[str, dict] = {}
        self._hosts = iter(range(11, 250))

    def clear(self):
        for table in (self.groups, self.rules, self.ports, self.floating):
            table.clear()

    # -- security groups ----------------------------------------------------------------------------
    def add_group(self, project, asked):
        row = {"id": str(uuid.uuid4()), "name": asked["name"], "description": asked.get("description", ""),
               "project_id": project}  # fmt: skip
        self.groups[row["id"]] = row
        for kind in ("IPv4", "IPv6"):
            self._add_rule(project, {"security_group_id": row["id"], "direction": "egress", "ethertype": kind})
        return row

    def add_rule(self, project, asked):
        self._mine(self.groups, project, asked["security_group_id"], "Security group")
        same = ("security_group_id", "direction", "ethertype", "protocol", "port_range_min", "port_range_max")
        for row in self.rules.values():
            if all(row.get(key) == asked.get(key) for key in same):
                raise Refusal(409, f"Security group rule already exists. Rule id is {row['id']}.")
        return self._add_rule(project, asked)

    def _add_rule(self, project, asked):
        empty = dict.fromkeys(("protocol", "port_range_min", "port_range_max", "remote_ip_prefix"))
        row = {**empty, **asked, "id": str(uuid.uuid4()), "project_id": project}
        self.rules[row["id"]] = row
        return row

    def remove_group(self, project, name):
        self._mine(self.groups, project, name, "Security group")
        if any(name in port["security_groups"] for port in self.ports.values()):
            raise Refusal(409, f"Security Group {name} in use.")
        del self.groups[name]
        self.rules = {key: row for key, row in self.rules.items() if row["security_group_id"] != name}

    def open_ports(self, port):
        """Return the TCP ports that a port's groups let in."""
        return {
            row["port_range_min"]
            for row in self.rules.values()
            if row["direction"] == "ingress" and row["security_group_id"] in port["security_groups"]
        }

    # -- ports --------------------------------------------------------------------------------------
    def add_port(self, project, asked, server=None):
        for group in asked.get("security_groups", ()):
            self._mine(self.groups, project, group, "Security group")
        row = {
            "id": str(uuid.uuid4()), "name": asked.get("name", ""), "network_id": asked["network_id"],
            "security_groups": list(asked.get("security_groups", ())), "project_id": project, "status": "ACTIVE",
            "fixed_ips": [{"ip_address": f"{FIXED}{next(self._hosts)}"}], "device_id": server or "",
            "made_by_nova": server is not None,
        }  # fmt: skip
        self.ports[row["id"]] = row
        return row

    def remove_port(self, project, name):
        self._mine(self.ports, project, name, "Port")
        del self.ports[name]
        for row in self.floating.values():
            if row["port_id"] == name:
                row |= {"port_id": None, "fixed_ip_address": None, "status": "DOWN"}

    def attach(self, server):
        """Give a new server its ports, as Nova does; raise Refusal for one that is not there."""
        for asked in server["networks"]:
            if "port" in asked:
                port = self._mine(self.ports, server["project"], asked["port"], "Port", 400)
                if port["device_id"]:
                    raise Refusal(409, f"Port {port['id']} is still in use.")
                port["device_id"] = server["id"]
            else:
                self.add_port(server["project"], {"network_id": asked["uuid"]}, server["id"])

    def detach(self, server):
        """Nova removes the ports that it made, and lets the others go."""
        for port in [row for row in self.ports.values() if row["device_id"] == server["id"]]:
            if port["made_by_nova"]:
                self.remove_port(port["project_id"], port["id"])
            else:
                port["device_id"] = ""

    def addresses(self, server, late=False):
        """Return what Nova shows of a server's addresses. late: its cache has no floating address yet."""
        rows = []
        for port in [row for row in self.ports.values() if row["device_id"] == server["id"]]:
            fixed = port["fixed_ips"][0]["ip_address"]
            rows.append({"addr": fixed, "version": 4, "OS-EXT-IPS:type": "fixed"})
            if not late:
                rows += [
                    {"addr": one["floating_ip_address"], "version": 4, "OS-EXT-IPS:type": "floating"}
                    for one in self.floating.values()
                    if one["port_id"] == port["id"]
                ]
        return {"work": rows} if rows else {}

    # -- floating addresses -------------------------------------------------------------------------
    def add_floating(self, project, asked, limit):
        port = self._mine(self.ports, project, asked["port_id"], "Port")
        if any(row["port_id"] == port["id"] for row in self.floating.values()):
            raise Refusal(409, "Cannot associate floating IP with port, it already has one.")
        mine = sum(row["project_id"] == project for row in self.floating.values())
        if 0 <= limit <= mine:
            raise Refusal(409, "Quota exceeded for resources: ['floatingip'].", "OverQuota")
        taken = {row["floating_ip_address"] for row in self.floating.values()}
        pool = dict.fromkeys(row["private"]["address"] for row in self.rows["slots"])
        free = [address for address in pool if address not in taken]
        if not free:
            raise Refusal(409, f"No more IP addresses available on network {asked['floating_network_id']}.",
                          "IpAddressGenerationFailure")  # fmt: skip
        row = {
            "id": str(uuid.uuid4()), "floating_ip_address": free[0], "port_id": port["id"], "project_id": project,
            "floating_network_id": asked["floating_network_id"], "description": asked.get("description", ""),
            "fixed_ip_address": port["fixed_ips"][0]["ip_address"], "status": "ACTIVE",
        }  # fmt: skip
        self.floating[row["id"]] = row
        return row

    # -- who can be reached -------------------------------------------------------------------------
    def listening(self):
        """Return server id → (public address, public port) at which its SSH server is reached."""
        found = {}
        for one in self.floating.values():
            port = self.ports.get(one["port_id"])
            if port is None or not port["device_id"] or SSH not in self.open_ports(port):
                continue
            for row in self.rows["slots"]:
                if (row["private"]["address"], row["private"]["port"]) == (one["floating_ip_address"], SSH):
                    found[port["device_id"]] = (row["public"]["address"], row["public"]["port"])
        return found

    def _mine(self, table, project, name, what, status=404):
        row = table.get(name)
        if row is None or row["project_id"] != project:
            raise Refusal(status, f"{what} {name} could not be found.")
        return row

    mine = _mine
