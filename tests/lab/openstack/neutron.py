"""The HTTP face of the cloud's network service."""

from tests.lab.openstack.refusal import Refusal
from tests.lab.slurm.answers import Answer

#: path → (word of a list, word of one, the table's name in the network's state)
TABLES = {
    "security-groups": ("security_groups", "security_group", "groups"),
    "security-group-rules": ("security_group_rules", "security_group_rule", "rules"),
    "ports": ("ports", "port", "ports"),
    "floatingips": ("floatingips", "floatingip", "floating"),
}


class NeutronFaces:
    """Part of `Faces`: cloud and bases are its."""

    def network_versions(self, method, who, query, asked):
        link = [{"rel": "self", "href": f"{self.bases['neutron']}/v2.0/"}]
        return Answer(200, {"versions": [{"id": "v2.0", "status": "CURRENT", "links": link}]})

    def networks(self, method, who, query, asked):
        names = [*self.cloud.rows["networks"], self.cloud.rows["external"]]
        rows = [{"id": self.cloud.id_of("network", name), "name": name, "shared": True,
                 "router:external": name == self.cloud.rows["external"]}
                for name in names if query.get("name", name) == name]  # fmt: skip
        return Answer(200, {"networks": rows})

    def network_rows(self, method, who, query, asked, kind):
        listed, single, table = TABLES[kind]
        network, project = self.cloud.network, who["project"]
        if method == "POST":
            add = {"groups": network.add_group, "rules": network.add_rule, "ports": network.add_port}.get(table)
            if add is None:
                limit = self.cloud.rows["quotas"][project].get("floatingip", -1)
                made = network.add_floating(project, asked[single], limit)
            else:
                made = add(project, asked[single])
            self.cloud.connect()
            return Answer(201, {single: made})
        rows = [row for row in getattr(network, table).values() if row["project_id"] == project or who["admin"]]
        for key, value in query.items():
            if key not in ("name", "security_group_id", "port_id"):
                raise Refusal(400, f"Invalid input for operation: '{key}' is no attribute of the lab's.")
            rows = [row for row in rows if row.get(key) == value]
        return Answer(200, {listed: rows})

    def network_row(self, method, who, query, asked, kind, name):
        _listed, single, table = TABLES[kind]
        network, project = self.cloud.network, who["project"]
        row = network.mine(getattr(network, table), project, name, single)
        if method == "PUT":
            if table != "ports" or set(asked[single]) != {"security_groups"}:
                raise Refusal(400, "Invalid input for operation: the lab changes the groups of ports only.")
            row |= asked[single]
        elif table == "groups":
            network.remove_group(project, name)
        elif table == "ports":
            network.remove_port(project, name)
        else:
            del getattr(network, table)[name]
        self.cloud.connect()
        return Answer(200, {single: row}) if method == "PUT" else Answer(204, None)
