"""A real OpenStack on loopback, of one ordinary user: Keystone, Placement, Glance, Neutron, Nova over fake machines.

    with RealOpenStack() as cloud:
        cloud.tenant("demo", cores=64)
        … use cloud.config …

All API, policy, database, scheduler, conductor, resource tracker and Placement code is the released one. Not real: the
hypervisor (Nova's own fake driver with our inventory), the message bus, SQLite for MariaDB, the network's agents.
"""

import grp
import json
import os
import pwd
import secrets
import shutil
import signal
import subprocess
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import requests
import yaml

from tests.lab import keys
from tests.lab import render
from tests.lab.lab import CONFIG
from tests.lab.render import GENERATED
from tests.real import daemons
from tests.real import openstack_conf as conf
from tests.real import openstack_venv

CLOUD = Path(__file__).with_name("cloud")
WSGI = {"keystone": "keystone.wsgi.api", "placement": "placement.wsgi.api", "glance": "glance.wsgi.api",
        "neutron": "neutron.wsgi.api"}  # fmt: skip
TYPES = {"keystone": "identity", "placement": "placement", "glance": "image", "neutron": "network", "nova": "compute"}


class RealOpenStack:
    """One cloud. What a test stops is started again by `start`."""

    def __init__(self, python=None, max_limit=1000):
        self.python = python or openstack_venv.python()
        self.max_limit = max_limit
        taken = set()
        self.ports = {name: render.free_port(taken) for name in conf.SERVICES}
        self.password = secrets.token_urlsafe(12)

    def __enter__(self):
        self.folder = daemons.make_folder()
        self.environment = {**conf.write(self.folder, self.ports, self.password, self.max_limit),
                            "SWB_REAL": str(self.folder), "SWB_NODES": json.dumps(conf.NODES)}  # fmt: skip
        self.environment["PYTHONPATH"] += f":{CLOUD}"
        self.daemons = daemons.Daemons(self.folder / "log", self.environment)
        try:
            self._make()
            self._start_all()
            self._furnish()
            self._configure()
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_):
        self.daemons.stop(*self.daemons.names())
        daemons.sweep(self.folder)

    # -- making and starting -----------------------------------------------------------------------
    def _tool(self, name, *words):
        program = self.python.parent / name
        command = [program] if program.exists() else [self.python, CLOUD / name]
        done = subprocess.run(
            [*command, *words], env=self.environment, cwd=self.folder, capture_output=True, text=True, timeout=300
        )
        assert done.returncode == 0, f"{name} {words}:\n{done.stdout[-1500:]}{done.stderr[-3000:]}"

    def _make(self):
        etc, prefix = self.folder / "etc", self.python.parent.parent / "etc"
        for name, paste in (("nova", "api-paste.ini"), ("neutron", "api-paste.ini"),
                            ("glance", "glance-api-paste.ini")):  # fmt: skip
            shutil.copy(prefix / name / paste, etc / name)
        with ThreadPoolExecutor() as pool:
            for done in [pool.submit(step) for step in (self._keystone, self._nova, self._others)]:
                done.result()

    def _keystone(self):
        group = grp.getgrgid(os.getegid()).gr_name
        me = ["--keystone-user", pwd.getpwuid(os.geteuid()).pw_name, "--keystone-group", group]
        keystone = ("--config-dir", str(self.folder / "etc" / "keystone"))
        url = f"http://127.0.0.1:{self.ports['keystone']}/v3"
        self._tool("keystone-manage", *keystone, "db_sync")
        self._tool("keystone-manage", *keystone, "fernet_setup", *me)
        self._tool("keystone-manage", *keystone, "credential_setup", *me)
        self._tool(
            "keystone-manage", *keystone, "bootstrap", "--bootstrap-password", self.password,
            *[word for kind in ("admin", "public", "internal") for word in (f"--bootstrap-{kind}-url", url)],
            "--bootstrap-region-id", "RegionOne",
        )  # fmt: skip

    def _nova(self):
        nova = ("--config-file", str(self.folder / "etc" / "nova" / "nova.conf"))
        self._tool("nova-manage", *nova, "api_db", "sync")
        cell0 = f"sqlite:///{self.folder}/db/nova_cell0.db"
        self._tool("nova-manage", *nova, "cell_v2", "map_cell0", "--database_connection", cell0)
        self._tool("nova-manage", *nova, "db", "sync")
        self._tool("nova-manage", *nova, "cell_v2", "create_cell", "--name", "cell1")

    def _others(self):
        self._tool("placement-manage", "--config-dir", str(self.folder / "etc" / "placement"), "db", "sync")
        self._tool("glance-manage", "--config-dir", str(self.folder / "etc" / "glance"), "db_sync")
        self._tool("neutron_tables.py", f"sqlite:///{self.folder}/db/neutron.db")

    def start(self, name):
        if name == "nova":
            self.daemons.start(name, self.python, CLOUD / "nova_aio.py", self.ports[name])
        else:
            self.daemons.start(name, self.python, CLOUD / "wsgi_run.py", WSGI[name], self.ports[name])

    def _start_all(self):
        for name in WSGI:
            self.start(name)
        self.wait("keystone")
        self._catalogue()
        self.start("nova")
        for name in conf.SERVICES:
            self.wait(name)

    def wait(self, name, seconds=120):
        self.daemons.wait(name, lambda: self._answers(name), seconds)

    def _answers(self, name):
        try:
            return requests.get(f"http://127.0.0.1:{self.ports[name]}/", timeout=5).status_code < 500
        except requests.RequestException:
            return False

    def restart(self, name):
        """Kill a service, and start it again with its data."""
        self.daemons.signal(name, signal.SIGKILL)
        self.daemons.stop(name)
        self.start(name)
        self.wait(name)

    # -- its administrator, by no code of the product ------------------------------------------------
    def call(self, service, method, path, body=None, token=None, **headers):
        """Send one request as the administrator; return the JSON of a success."""
        headers = {"X-Auth-Token": token or self.admin, "OpenStack-API-Version": "compute 2.90", **headers}
        if service == "placement":
            headers["OpenStack-API-Version"] = "placement 1.39"
        url = f"http://127.0.0.1:{self.ports[service]}{path}"
        answer = requests.request(method, url, json=body, headers=headers, timeout=60)
        assert answer.status_code < 300, f"{method} {path}: {answer.status_code} {answer.text[:500]}"
        return answer.json() if answer.content else None

    def login(self, user, password, project):
        scope = {"project": {"name": project, "domain": {"id": "default"}}}
        identity = {"methods": ["password"], "password": {
            "user": {"name": user, "domain": {"id": "default"}, "password": password}}}  # fmt: skip
        url = f"http://127.0.0.1:{self.ports['keystone']}/v3/auth/tokens"
        answer = requests.post(url, json={"auth": {"identity": identity, "scope": scope}}, timeout=60)
        assert answer.status_code == 201, answer.text
        return answer.headers["X-Subject-Token"]

    def _keystone_id(self, kind, name):
        return self.call("keystone", "GET", f"/v3/{kind}s?name={name}")[f"{kind}s"][0]["id"]

    def _catalogue(self):
        self.admin = self.login("admin", self.password, "admin")
        self._user("svc", self.password, "service", ("admin", "service"))
        for name in conf.SERVICES:
            if name == "keystone":
                continue
            service = self.call("keystone", "POST", "/v3/services", {"service": {"name": name, "type": TYPES[name]}})
            url = f"http://127.0.0.1:{self.ports[name]}" + ("/v2.1" if name == "nova" else "")
            for interface in ("public", "internal", "admin"):
                row = {"service_id": service["service"]["id"], "interface": interface, "url": url,
                       "region_id": "RegionOne"}  # fmt: skip
                self.call("keystone", "POST", "/v3/endpoints", {"endpoint": row})

    def _user(self, name, password, project, roles):
        """Make a project with a user in it; return the project's id."""
        made = self.call("keystone", "POST", "/v3/projects", {"project": {"name": project, "domain_id": "default"}})
        user = self.call("keystone", "POST", "/v3/users", {
            "user": {"name": name, "password": password, "domain_id": "default"}})  # fmt: skip
        for role in roles:
            path = f"/v3/projects/{made['project']['id']}/users/{user['user']['id']}/roles"
            self.call("keystone", "PUT", f"{path}/{self._keystone_id('role', role)}")
        return made["project"]["id"]

    def _furnish(self):
        """Zones, flavors, images, a network."""
        daemons.wait("compute services", lambda: {
            row["host"] for row in self.call("nova", "GET", "/v2.1/os-services?binary=nova-compute")["services"]
            if row["state"] == "up"} == set(conf.NODES))  # fmt: skip
        for zone, hosts in conf.ZONES.items():
            made = self.call("nova", "POST", "/v2.1/os-aggregates", {
                "aggregate": {"name": zone, "availability_zone": zone}})["aggregate"]  # fmt: skip
            for host in hosts:
                self.call("nova", "POST", f"/v2.1/os-aggregates/{made['id']}/action", {"add_host": {"host": host}})
        for name, row in conf.FLAVORS.items():
            body = {key: value for key, value in row.items() if key != "extra"}
            self.call("nova", "POST", "/v2.1/flavors", {"flavor": {"name": name, "id": name, **body}})
            self.call("nova", "POST", f"/v2.1/flavors/{name}/os-extra_specs", {"extra_specs": row["extra"]})
        for arch in ("aarch64", "x86_64"):
            image = self.call("glance", "POST", "/v2/images", {
                "name": f"openeuler-{arch}", "disk_format": "raw", "container_format": "bare",
                "hw_architecture": arch, "visibility": "public"})  # fmt: skip
            url = f"http://127.0.0.1:{self.ports['glance']}/v2/images/{image['id']}/file"
            done = requests.put(url, data=b"x" * 1024, timeout=60, headers={
                "X-Auth-Token": self.admin, "Content-Type": "application/octet-stream"})  # fmt: skip
            assert done.status_code == 204, done.text
        net = self.call("neutron", "POST", "/v2.0/networks", {"network": {"name": "work", "shared": True}})["network"]
        self.call("neutron", "POST", "/v2.0/subnets", {
            "subnet": {"network_id": net["id"], "ip_version": 4, "cidr": "10.20.0.0/24", "name": "work"}})  # fmt: skip
        self.network = net["id"]
        self._outside()

    def _outside(self):
        """Make the network that floating addresses are of, behind a router. No agent carries a packet."""
        public = self.call("neutron", "POST", "/v2.0/networks", {
            "network": {"name": "public", "router:external": True}})["network"]  # fmt: skip
        self.call("neutron", "POST", "/v2.0/subnets", {
            "subnet": {"network_id": public["id"], "ip_version": 4, "cidr": "10.30.8.0/24", "name": "public",
                       "enable_dhcp": False}})  # fmt: skip
        router = self.call("neutron", "POST", "/v2.0/routers", {
            "router": {"name": "edge", "external_gateway_info": {"network_id": public["id"]}}})["router"]  # fmt: skip
        (work,) = self.call("neutron", "GET", f"/v2.0/subnets?network_id={self.network}")["subnets"]
        path = f"/v2.0/routers/{router['id']}/add_router_interface"
        self.call("neutron", "PUT", path, {"subnet_id": work["id"]})

    def tenant(self, name, roles=("member",), **quota):
        """Make a project with a user of the same name and a password; return {project, password}."""
        password = secrets.token_urlsafe(12)
        project = self._user(name, password, name, roles)
        if quota:
            self.call("nova", "PUT", f"/v2.1/os-quota-sets/{project}", {"quota_set": quota})
        return {"project": project, "password": password}

    # -- what is there ----------------------------------------------------------------------------
    def copies(self, name):
        """Return the ids of all machines of a name, as only the server knows."""
        rows = self.call("nova", "GET", f"/v2.1/servers?all_tenants=1&name={name}")["servers"]
        return [row["id"] for row in rows if row["name"] == name]

    def has_of_network(self):
        """Return what the tenant has of the network: ports and groups by name, open TCP ports, floating addresses."""
        token = self.login("demo", self.demo["password"], "demo")
        rows = {
            kind: self.call("neutron", "GET", f"/v2.0/{kind}", token=token)[kind.replace("-", "_")]
            for kind in ("ports", "security-groups", "security-group-rules", "floatingips")
        }
        groups = {row["id"]: row["name"] for row in rows["security-groups"] if row["name"] != "default"}
        return {
            "ports": sorted(row["name"] for row in rows["ports"]),
            "groups": sorted(groups.values()),
            "open": sorted(row["port_range_min"] for row in rows["security-group-rules"]
                           if row["direction"] == "ingress" and row["security_group_id"] in groups),
            "floating": [row["floating_ip_address"] for row in rows["floatingips"]],
        }  # fmt: skip

    # -- the product's configuration -----------------------------------------------------------------
    def _configure(self):
        """Write a config folder whose account for perception is the administrator, and the tenant demo."""
        self.config = self.folder / "config"
        shutil.copytree(CONFIG, self.config, ignore=lambda _, names: set(names) & {*GENERATED, "sites"})
        self.demo = self.tenant("demo", cores=64, instances=8, ram=512 * 1024)
        self.write_site()
        for name, secret in (("hunan-cloud", self.password), ("demo-cloud", self.demo["password"])):
            keys.write_private(self.config / "credentials" / name, secret.encode())
        keys.ssh_key(self.config / "credentials" / "hunan-cloud-machines", "machines")
        self._yaml("links.yml", {"links": []})
        row = {"native_user": "demo", "native_account": "demo", "credential": "demo-cloud"}
        demo = {"name": {"en": "Demo", "zh": "演示"}, "organisation": "university", "sites": {"hunan": {"cloud": row}}}
        self._yaml("tenants.yml", {"tenants": {"demo": demo}})

    def write_site(self, **endpoint):
        cloud = {
            "id": "cloud", "platform": "openstack", "protocol": "http", "via": "intranet", "address": "127.0.0.1",
            "port": self.ports["keystone"], "credential": "hunan-cloud", "native_user": "admin",
            "native_account": "admin", "region": "RegionOne", "storage": {"root": "brain"},
            "machines": {"user": "brain", "credential": "hunan-cloud-machines", "networks": ["work"],
                         "external": "public", "images": {"aarch64": "openeuler-aarch64"}}, **endpoint,
        }  # fmt: skip
        site = {
            "site": "hunan", "name": {"en": "Hunan", "zh": "湖南"}, "lab": True,
            "networks": {"intranet": ["127.0.0.0/8"]}, "endpoints": [cloud],
            "accelerators": {"CUSTOM_NPU_ASCEND910B": "910b4"},
        }  # fmt: skip
        self._yaml("sites/hunan.yml", site)

    def _yaml(self, name, content):
        path = self.config / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(yaml.safe_dump(content, allow_unicode=True, sort_keys=False))
