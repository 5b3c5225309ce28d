"""The HTTP faces of the five services, each with its own shape of versions, lists and errors."""

import json
import re
from urllib.parse import parse_qsl
from urllib.parse import urlsplit

from tests.lab.openstack.cloud import stamp
from tests.lab.openstack.neutron import NeutronFaces
from tests.lab.openstack.neutron import TABLES
from tests.lab.openstack.refusal import Refusal
from tests.lab.slurm.answers import Answer

TYPES = {"keystone": "identity", "nova": "compute", "placement": "placement", "glance": "image", "neutron": "network"}
WORDS = {400: "badRequest", 403: "forbidden", 404: "itemNotFound", 409: "conflictingRequest"}
PATHS = {"keystone": "/v3", "nova": "/v2.1", "placement": "", "glance": "", "neutron": ""}


class Faces(NeutronFaces):
    """Answers for one cloud. bases: service → its private ``https://address:port``, as the catalogue names it."""

    def __init__(self, cloud, bases):
        self.cloud, self.bases = cloud, bases

    def answer(self, service, method, target, headers, body, expired=False):
        parts = urlsplit(target)
        path, query = parts.path.rstrip("/") or "/", dict(parse_qsl(parts.query, keep_blank_values=True))
        for pattern, allowed, handler, open_to_all in ROUTES[service]:
            match = re.fullmatch(pattern, path)
            if not match or method not in allowed:
                continue
            try:
                with self.cloud.lock:
                    if expired and not open_to_all:
                        raise Refusal(401, "The request you have made requires authentication.")
                    who = None if open_to_all else self.cloud.who(headers.get("X-Auth-Token", ""))
                    asked = json.loads(body) if body else {}
                    return handler(self, method, who, query, asked, *match.groups())
            except Refusal as refusal:
                return self._refused(service, refusal)
        if not path.startswith("/v") and service != "placement":
            return Answer(404, "<html><title>404 Not Found</title></html>")
        return self._refused(service, Refusal(404, "The resource could not be found."))

    def _refused(self, service, refusal):
        code, said = refusal.status, refusal.message
        if service == "keystone" or code == 401:
            title = "Unauthorized" if code == 401 else "Not Found"
            return Answer(code, {"error": {"code": code, "title": title, "message": said}})
        if service == "placement":
            return Answer(code, {"errors": [{"status": code, "title": WORDS.get(code), "detail": said}]})
        if service == "glance":
            return Answer(code, f"<html><title>{code}</title><body>{said}</body></html>")
        if service == "neutron":
            return Answer(code, {"NeutronError": {"type": refusal.type, "message": said, "detail": ""}})
        return Answer(code, {WORDS.get(code, "computeFault"): {"code": code, "message": said}})

    # -- keystone --------------------------------------------------------------------------------
    def version(self, method, who, query, asked):
        link = [{"rel": "self", "href": f"{self.bases['keystone']}/v3/"}]
        return Answer(200, {"version": {"id": "v3.14", "status": "stable", "links": link}})

    def tokens(self, method, who, query, asked):
        identity = asked["auth"]["identity"]
        if identity["methods"] != ["password"]:
            raise Refusal(401, "The request you have made requires authentication.")
        user, scope = identity["password"]["user"], asked["auth"].get("scope", {}).get("project", {})
        token = self.cloud.login(user["name"], user["password"], scope.get("name"))
        found = self.cloud.tokens[token]
        catalogue = [
            {"type": TYPES[name], "name": name, "id": name, "endpoints": [
                {"interface": kind, "region": "RegionOne", "region_id": "RegionOne", "url": base + PATHS[name],
                 "id": f"{name}-{kind}"} for kind in ("public", "internal")]}
            for name, base in self.bases.items()
        ]  # fmt: skip
        domain = {"id": "default", "name": "Default"}
        project = {"id": self.cloud.projects[found["project"]], "name": found["project"], "domain": domain}
        body = {
            "methods": ["password"], "expires_at": stamp(found["until"]), "issued_at": stamp(), "catalog": catalogue,
            "user": {"id": found["user"], "name": found["user"], "domain": domain}, "project": project,
            "roles": [{"id": "admin" if found["admin"] else "member", "name": "member"}],
        }  # fmt: skip
        return Answer(201, {"token": body}, {"X-Subject-Token": token})

    def projects(self, method, who, query, asked):
        self.cloud.need_admin(who, "identity:list_projects")
        rows = [{"id": number, "name": name, "domain_id": "default"}
                for name, number in self.cloud.projects.items() if query.get("name", name) == name]  # fmt: skip
        return Answer(200, {"projects": rows, "links": {"next": None}})

    # -- nova ------------------------------------------------------------------------------------
    def compute_version(self, method, who, query, asked):
        link = [{"rel": "self", "href": f"{self.bases['nova']}/v2.1/"}]
        return Answer(200, {"version": {"id": "v2.1", "status": "CURRENT", "version": "2.96", "min_version": "2.1",
                                        "updated": "2013-07-23T11:33:21Z", "links": link}})  # fmt: skip

    def _page(self, name, rows, query, path):
        limit = min(int(query.get("limit", 10**6)), self.cloud.settings["max_limit"])
        ids = [row["id"] for row in rows]
        if query.get("marker"):
            if query["marker"] not in ids:
                raise Refusal(400, f"marker [{query['marker']}] not found")
            rows = rows[ids.index(query["marker"]) + 1 :]
        body = {name: rows[:limit]}
        if rows and len(rows) >= limit:
            href = f"{self.bases['nova']}/v2.1{path}?limit={limit}&marker={rows[limit - 1]['id']}"
            body[f"{name}_links"] = [{"rel": "next", "href": href}]
        return Answer(200, body)

    def aggregates(self, method, who, query, asked):
        self.cloud.need_admin(who, "os_compute_api:os-aggregates:index")
        rows = [{"id": number, "name": zone, "hosts": hosts, "metadata": {"availability_zone": zone}}
                for number, (zone, hosts) in enumerate(self.cloud.rows["zones"].items(), 1)]  # fmt: skip
        return Answer(200, {"aggregates": rows})

    def hypervisors(self, method, who, query, asked):
        self.cloud.need_admin(who, "os_compute_api:os-hypervisors:list-detail")
        rows = [
            {"id": host["id"], "hypervisor_hostname": name, "state": host["state"], "status": host["status"],
             "service": {"id": host["id"], "host": name, "disabled_reason": host["reason"]}}
            for name, host in self.cloud.hosts.items()
        ]  # fmt: skip
        return self._page("hypervisors", rows, query, "/os-hypervisors/detail")

    def flavors(self, method, who, query, asked):
        rows = [
            {"id": name, "name": name, "vcpus": row["vcpus"], "ram": row["ram"], "disk": row["disk"],
             "OS-FLV-EXT-DATA:ephemeral": 0, "extra_specs": row["extra"]}
            for name, row in self.cloud.rows["flavors"].items()
        ]  # fmt: skip
        return self._page("flavors", rows, query, "/flavors/detail")

    def zones(self, method, who, query, asked):
        rows = [
            {"zoneName": zone, "zoneState": {"available": True}, "hosts": None} for zone in self.cloud.rows["zones"]
        ]
        return Answer(200, {"availabilityZoneInfo": rows})

    def quota(self, method, who, query, asked, project):
        if project != self.cloud.projects[who["project"]]:
            self.cloud.need_admin(who, "os_compute_api:os-quota-sets:detail")
        limits, used = self.cloud.rows["quotas"][who["project"]], self.cloud.used(who["project"])
        rows = {name: {"limit": limits.get(name, -1), "in_use": used[name], "reserved": 0} for name in used}
        return Answer(200, {"quota_set": {"id": project, **rows}})

    def set_quota(self, method, who, query, asked, project):
        self.cloud.need_admin(who, "os_compute_api:os-quota-sets:update")
        name = next((n for n, number in self.cloud.projects.items() if number == project), None)
        if name is None:
            raise Refusal(400, f"Project ID {project} is not a valid project.")
        used = self.cloud.used(name)
        for kind, limit in asked["quota_set"].items():
            if 0 <= limit < used[kind]:
                raise Refusal(400, f"Quota limit {limit} for {kind} must be greater than or equal to already used and"
                                   f" reserved {used[kind]}.")  # fmt: skip
        self.cloud.rows["quotas"][name] |= asked["quota_set"]
        return Answer(200, asked)

    def servers(self, method, who, query, asked):
        if method == "POST":
            server = self.cloud.create(who, asked["server"])
            return Answer(202, {"server": {"id": server["id"], "links": [], "adminPass": "never shown"}})
        if "all_tenants" in query:
            self.cloud.need_admin(who, "os_compute_api:servers:detail:get_all_tenants")
        mine = [s for s in self.cloud.servers.values() if "all_tenants" in query or s["project"] == who["project"]]
        try:
            mine = [s for s in mine if re.search(query.get("name", ""), s["name"])]
        except re.error:
            raise Refusal(400, "Invalid filter: name") from None
        return self._page("servers", [self._server(s) for s in mine], query, "/servers/detail")

    def server(self, method, who, query, asked, name):
        server = self.cloud.servers.get(name)
        if server is None or (server["project"] != who["project"] and not who["admin"]):
            raise Refusal(404, f"Instance {name} could not be found.")
        if method == "DELETE":
            self.cloud.delete(server)
            return Answer(204, None)
        return Answer(200, {"server": self._server(server)})

    def _server(self, server):
        row = {
            "id": server["id"], "name": server["name"], "status": server["status"], "metadata": server["metadata"],
            "OS-EXT-STS:task_state": server["task"], "OS-EXT-AZ:availability_zone": server["zone"],
            "flavor": {"original_name": server["flavor"]}, "created": server["created"],
            "addresses": self.cloud.network.addresses(server, self.cloud.settings["late_addresses"]),
            "tenant_id": server["project"],
        }  # fmt: skip
        return {**row, "fault": {"code": 500, "message": server["fault"]}} if server["fault"] else row

    # -- placement -------------------------------------------------------------------------------
    def placement_version(self, method, who, query, asked):
        return Answer(200, {"versions": [{"id": "v1.0", "status": "CURRENT", "min_version": "1.0",
                                          "max_version": "1.39", "links": [{"rel": "self", "href": ""}]}]})  # fmt: skip

    def providers(self, method, who, query, asked):
        self.cloud.need_admin(who, "placement:resource_providers:list")
        rows = [{"uuid": host["id"], "name": name, "root_provider_uuid": host["id"], "parent_provider_uuid": None}
                for name, host in self.cloud.hosts.items() if query.get("name", name) == name]  # fmt: skip
        return Answer(200, {"resource_providers": rows})

    def candidates(self, method, who, query, asked):
        self.cloud.need_admin(who, "placement:allocation_candidates:list")
        wanted = {name: int(count) for name, _c, count in (w.partition(":") for w in query["resources"].split(","))}
        found = {}
        for host in self.cloud.hosts.values():
            there = self.cloud.inventory(host)
            if all(there.get(name, (0, 0))[0] - there.get(name, (0, 0))[1] >= n for name, n in wanted.items()):
                found[host["id"]] = {
                    "resources": {name: {"capacity": c, "used": u} for name, (c, u) in there.items()},
                    "traits": self._traits(host), "root_provider_uuid": host["id"], "parent_provider_uuid": None,
                }  # fmt: skip
        return Answer(200, {"allocation_requests": [], "provider_summaries": found})

    def provider(self, method, who, query, asked, name, what):
        self.cloud.need_admin(who, "placement:resource_providers:show")
        host = next((h for h in self.cloud.hosts.values() if h["id"] == name), None)
        if host is None:
            raise Refusal(404, f"No resource provider with uuid {name} found")
        there = self.cloud.inventory(host)
        if what == "traits":
            return Answer(200, {"traits": self._traits(host)})
        if what == "usages":
            return Answer(200, {"usages": {name: used for name, (_c, used) in there.items()}})
        rows = {name: {"total": c, "reserved": 0, "allocation_ratio": 1.0, "max_unit": c} for name, (c, _u) in
                there.items()}  # fmt: skip
        return Answer(200, {"inventories": rows})

    @staticmethod
    def _traits(host):
        return [*host.get("traits", ()), *(["COMPUTE_STATUS_DISABLED"] if host["status"] == "disabled" else [])]

    def usages(self, method, who, query, asked):
        found = self.cloud.usages(next(n for n, i in self.cloud.projects.items() if i == query["project_id"]))
        return Answer(200, {"usages": {"unknown": {**found, "consumer_count": 1}} if found else {}})

    # -- glance -------------------------------------------------------------------------
    def image_versions(self, method, who, query, asked):
        link = [{"rel": "self", "href": f"{self.bases['glance']}/v2/"}]
        return Answer(300, {"versions": [{"id": "v2.17", "status": "CURRENT", "links": link}]})

    def images(self, method, who, query, asked):
        rows = [{"id": self.cloud.id_of("image", name), "name": name, "status": "active", "hw_architecture": arch}
                for name, arch in self.cloud.rows["images"].items() if query.get("name", name) == name]  # fmt: skip
        return Answer(200, {"images": rows, "first": "/v2/images"})


ROUTES = {
    "keystone": [
        (r"/v3", "GET", Faces.version, True),
        (r"/v3/auth/tokens", "POST", Faces.tokens, True),
        (r"/v3/projects", "GET", Faces.projects, False),
    ],
    "nova": [
        (r"/v2\.1", "GET", Faces.compute_version, True),
        (r"/v2\.1/os-aggregates", "GET", Faces.aggregates, False),
        (r"/v2\.1/os-hypervisors/detail", "GET", Faces.hypervisors, False),
        (r"/v2\.1/flavors/detail", "GET", Faces.flavors, False),
        (r"/v2\.1/os-availability-zone", "GET", Faces.zones, False),
        (r"/v2\.1/os-quota-sets/([^/]+)/detail", "GET", Faces.quota, False),
        (r"/v2\.1/os-quota-sets/([^/]+)", ("PUT",), Faces.set_quota, False),
        (r"/v2\.1/servers/detail", "GET", Faces.servers, False),
        (r"/v2\.1/servers", ("POST",), Faces.servers, False),
        (r"/v2\.1/servers/([^/]+)", ("GET", "DELETE"), Faces.server, False),
    ],
    "placement": [
        (r"/", "GET", Faces.placement_version, True),
        (r"/resource_providers", "GET", Faces.providers, False),
        (r"/resource_providers/([^/]+)/(inventories|usages|traits)", "GET", Faces.provider, False),
        (r"/allocation_candidates", "GET", Faces.candidates, False),
        (r"/usages", "GET", Faces.usages, False),
    ],
    "glance": [(r"/(?:v2)?", "GET", Faces.image_versions, True), (r"/v2/images", "GET", Faces.images, False)],
    "neutron": [
        (r"/", "GET", Faces.network_versions, True),
        (r"/v2\.0/networks", "GET", Faces.networks, False),
        (rf"/v2\.0/({'|'.join(TABLES)})", ("GET", "POST"), Faces.network_rows, False),
        (rf"/v2\.0/({'|'.join(TABLES)})/([^/]+)", ("PUT", "DELETE"), Faces.network_row, False),
    ],
}
