"""The state of one cloud: hosts, flavors, projects, servers, and where a server lands. Everything under `lock`."""

import secrets
import threading
import time
import uuid
from datetime import datetime
from datetime import UTC

from tests.lab.openstack.network import Network
from tests.lab.openstack.refusal import Refusal

RATIO = {"VCPU": 4.0}
BUILD_S = 0.3


def stamp(epoch=None):
    return datetime.fromtimestamp(epoch or time.time(), UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


class Cloud:
    """rows: hosts, zones, flavors, users, quotas, images, networks, external, slots (floating addresses, mapped)."""

    def __init__(self, rows, machines):
        self.rows, self.machines = rows, machines
        self.lock = threading.RLock()
        self.tokens: dict[str, dict] = {}
        self.servers: dict[str, dict] = {}
        self.projects = {name: uuid.uuid5(uuid.NAMESPACE_DNS, name).hex for name in rows["quotas"]}
        self.hosts = {
            name: {"id": str(uuid.uuid5(uuid.NAMESPACE_DNS, name)), "name": name, "state": "up", "status": "enabled",
                   "reason": None, **row}
            for name, row in rows["hosts"].items()
        }  # fmt: skip
        self.network = Network(rows)
        self.settings = {"max_limit": 1000, "build_s": BUILD_S, "stuck": False, "late_addresses": False}

    # -- who may ---------------------------------------------------------------------------------
    def login(self, user, password, project):
        row = self.rows["users"].get(user)
        if row is None or row["password"] != password or project not in row["projects"]:
            raise Refusal(401, "The request you have made requires authentication.")
        token = secrets.token_urlsafe(24)
        self.tokens[token] = {"user": user, "project": project, "admin": row.get("admin", False),
                              "until": time.time() + 3600}  # fmt: skip
        return token

    def who(self, token):
        found = self.tokens.get(token)
        if found is None or found["until"] < time.time():
            raise Refusal(401, "The request you have made requires authentication.")
        return found

    @staticmethod
    def need_admin(who, policy):
        if not who["admin"]:
            raise Refusal(403, f"Policy doesn't allow {policy} to be performed.")

    # -- what there is ---------------------------------------------------------------------------
    def inventory(self, host):
        """Return class → (capacity, used) of a host."""
        total = {"VCPU": host["cpu"], "MEMORY_MB": host["memory_mib"], "DISK_GB": host["disk_gib"],
                 **host.get("resources", {})}  # fmt: skip
        used = dict.fromkeys(total, 0)
        for server in self.servers.values():
            if server["host"] == host["name"]:
                for name, count in server["amounts"].items():
                    used[name] = used.get(name, 0) + count
        return {name: (int(count * RATIO.get(name, 1)), used[name]) for name, count in total.items()}

    def amounts(self, flavor):
        row = self.rows["flavors"][flavor]
        found = {"VCPU": row["vcpus"], "MEMORY_MB": row["ram"], "DISK_GB": row["disk"]}
        found |= {k[10:]: int(v) for k, v in row["extra"].items() if k.startswith("resources:")}
        return found

    def _fits(self, host, flavor, image, zone):
        extra = self.rows["flavors"][flavor]["extra"]
        traits = set(host.get("traits", ()))
        must = {k[6:] for k, v in extra.items() if k.startswith("trait:") and v == "required"}
        never = {k[6:] for k, v in extra.items() if k.startswith("trait:") and v == "forbidden"}
        if (host["state"], host["status"]) != ("up", "enabled") or not must <= traits or never & traits:
            return False
        if host["name"] not in self.rows["zones"].get(zone, ()) or self.rows["images"][image] != host["arch"]:
            return False
        there = self.inventory(host)
        return all(
            name in there and there[name][0] - there[name][1] >= count for name, count in self.amounts(flavor).items()
        )

    def used(self, project):
        """Return what nova counts against a quota: also machines that never started."""
        mine = [server for server in self.servers.values() if server["project"] == project]
        amounts = [self.amounts(server["flavor"]) for server in mine]
        return {"instances": len(mine), "cores": sum(a["VCPU"] for a in amounts),
                "ram": sum(a["MEMORY_MB"] for a in amounts)}  # fmt: skip

    def usages(self, project):
        found = {}
        for server in self.servers.values():
            if server["project"] == project:
                for name, count in server["amounts"].items():
                    found[name] = found.get(name, 0) + count
        return found

    # -- servers ---------------------------------------------------------------------------------
    def create(self, who, asked):
        """Take a server as nova does: quota at once, a place later."""
        flavor, zone = asked["flavorRef"], asked.get("availability_zone", "nova")
        image = next((n for n in self.rows["images"] if self.id_of("image", n) == asked.get("imageRef")), None)
        if flavor not in self.rows["flavors"]:
            raise Refusal(400, f"Flavor {flavor} could not be found.")
        if image is None:
            raise Refusal(400, "Can not find requested image")
        if zone not in self.rows["zones"]:
            raise Refusal(400, "The requested availability zone is not available")
        wanted = self.amounts(flavor)
        more = {"instances": 1, "cores": wanted["VCPU"], "ram": wanted["MEMORY_MB"]}
        used, limits = self.used(who["project"]), self.rows["quotas"][who["project"]]
        over = [name for name in more if 0 <= limits.get(name, -1) < used[name] + more[name]]
        if over:
            said = [", ".join(str(row[name]) for name in over) for row in (more, used, limits)]
            names = ", ".join(over)
            raise Refusal(403, f"Quota exceeded for {names}: Requested {said[0]}, but already used {said[1]} of"
                               f" {said[2]} {names}")  # fmt: skip
        server = {
            "id": str(uuid.uuid4()), "name": asked["name"], "project": who["project"], "flavor": flavor, "zone": zone,
            "image": image, "metadata": asked.get("metadata", {}), "user_data": asked.get("user_data"),
            "status": "BUILD", "task": "scheduling", "fault": None, "host": None, "amounts": {},
            "created": stamp(), "networks": self._asked_networks(asked),
        }  # fmt: skip
        self.network.attach(server)
        self.servers[server["id"]] = server
        if not self.settings["stuck"]:
            threading.Timer(self.settings["build_s"], self._build, [server]).start()
        return server

    def _build(self, server):
        with self.lock:
            if server["id"] not in self.servers:
                return
            hosts = [h for h in self.hosts.values() if self._fits(h, server["flavor"], server["image"], server["zone"])]
            server["task"] = None
            if not hosts:
                server["status"], server["fault"] = "ERROR", "No valid host was found. "
                return
            server |= {"host": hosts[0]["name"], "amounts": self.amounts(server["flavor"])}
            try:
                self.machines.start(server)
            except Exception as error:  # what nova would call a failed spawn
                server |= {"status": "ERROR", "fault": f"{error}"}
                return
            server["status"] = "ACTIVE"
            self.connect()

    def _asked_networks(self, asked):
        networks = asked.get("networks", "auto")
        return [{"uuid": self.id_of("network", self.rows["networks"][0])}] if networks == "auto" else networks

    def connect(self):
        """Let those machines answer that can be reached now, and no others."""
        self.machines.listen(self.network.listening())

    def delete(self, server):
        server["task"] = "deleting"
        threading.Timer(0.2, self._deleted, [server]).start()

    def _deleted(self, server):
        with self.lock:
            if self.servers.pop(server["id"], None):
                self.network.detach(server)
                self.machines.stop(server)

    def id_of(self, kind, name):
        return str(uuid.uuid5(uuid.NAMESPACE_URL, f"{kind}/{name}"))
