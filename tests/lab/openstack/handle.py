"""Starts and stops a cloud with a config folder of its own, and is the handle by which tests reach it."""

import http.client
import json
import os
import secrets
import shutil
import subprocess
import sys
import time
from pathlib import Path

import yaml

from tests.lab import keys
from tests.lab import render
from tests.lab.lab import CHECKOUT
from tests.lab.lab import CONFIG
from tests.lab.openstack.routes import TYPES
from tests.lab.render import GENERATED

PUBLIC = "127.10.0.2"
#: where the cloud believes that its services and machines are; reached through the site file's address map
PRIVATE, SUBNET, SLOTS = "10.30.0.5", "10.30.8", 6
READY_S = 60


class CloudLab:
    """One cloud at free ports of loopback, behind an address translation."""

    def __init__(self, folder):
        self.folder = Path(folder)
        self.state, self.config = self.folder / "cloud", self.folder / "config"
        self.process = None

    def start(self):
        taken = set()
        self.state.mkdir(parents=True)
        ports = {name: render.free_port(PUBLIC, taken) for name in TYPES}
        slots = [render.free_port(PUBLIC, taken) for _ in range(SLOTS)]
        self.passwords = {name: secrets.token_urlsafe(12) for name in ("brain", "demo")}
        authority = keys.Authority(self.state)
        certificate, key = authority.serve("cloud.lab.invalid", PUBLIC, self.state)
        maps = [
            *({"private": {"address": PRIVATE, "port": port}, "public": {"address": PUBLIC, "port": port}}
              for port in ports.values()),
            *({"private": {"address": f"{SUBNET}.{number + 11}", "port": 22},
               "public": {"address": PUBLIC, "port": port}} for number, port in enumerate(slots)),
        ]  # fmt: skip
        rows = yaml.safe_load(Path(__file__).with_name("rows.yml").read_text())
        rows["users"] = {
            "brain": {"password": self.passwords["brain"], "projects": ["admin"], "admin": True},
            "demo": {"password": self.passwords["demo"], "projects": ["demo"]},
        }
        rows["slots"] = [row for row in maps if row["private"]["port"] == 22]
        services = [{"service": n, "address": (PUBLIC, p), "private": (PRIVATE, p)} for n, p in ports.items()]
        spec = {"rows": rows, "services": services, "certificate": str(certificate), "key": str(key)}
        keys.write_private(self.state / "spec.json", json.dumps(spec).encode())
        self._configure(authority, ports["keystone"], maps)
        environment = {**os.environ, "PYTHONPATH": str(CHECKOUT)}
        with open(self.state / "log", "ab") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "tests.lab.openstack", str(self.state)], cwd=CHECKOUT, env=environment,
                stdin=subprocess.PIPE, stdout=log, stderr=log, start_new_session=True,
            )  # fmt: skip
        end = time.monotonic() + READY_S
        while not (self.state / "ready.json").exists():
            assert self.process.poll() is None and time.monotonic() < end, (self.state / "log").read_text()[-3000:]
            time.sleep(0.02)
        self._control = json.loads((self.state / "ready.json").read_text())["control"]
        return self

    def stop(self):
        if self.process:
            self.process.terminate()
            self.process.wait(20)
            self.process.stdin.close()
            self.process = None

    def _configure(self, authority, port, maps):
        shutil.copytree(CONFIG, self.config, ignore=lambda _, names: set(names) & {*GENERATED, "sites"})
        (self.config / "sites").mkdir()
        shutil.copy(authority.certificate_path, self.config / "ca.pem")
        cloud = {
            "id": "cloud", "platform": "openstack", "protocol": "https", "zone": "general", "via": "intranet",
            "address": PUBLIC, "port": port, "tls": {"ca_bundle": "ca.pem", "server_name": "cloud.lab.invalid"},
            "credential": "hunan-cloud", "native_user": "brain", "native_account": "admin", "region": "RegionOne",
        }  # fmt: skip
        site = {
            "site": "hunan", "name": {"en": "Hunan", "zh": "湖南"}, "lab": True,
            "networks": {"intranet": ["127.10.0.0/16"]}, "endpoints": [cloud], "address_map": maps,
            "accelerators": {"CUSTOM_NPU_ASCEND910B": "910b4"},
        }  # fmt: skip
        demo = {"native_user": "demo", "native_account": "demo", "credential": "demo-cloud"}
        tenants = {"demo": {"name": {"en": "Demo", "zh": "演示"}, "organisation": "university",
                            "sites": {"hunan": {"cloud": demo}}}}  # fmt: skip
        for name, content in (("sites/hunan", site), ("tenants", {"tenants": tenants}), ("links", {"links": []})):
            (self.config / f"{name}.yml").write_text(yaml.safe_dump(content, allow_unicode=True, sort_keys=False))
        for name, user in (("hunan-cloud", "brain"), ("demo-cloud", "demo")):
            keys.write_private(self.config / "credentials" / name, self.passwords[user].encode())

    # -- control ---------------------------------------------------------------------------------
    def ask(self, what, **body):
        connection = http.client.HTTPConnection("127.0.0.1", self._control, timeout=30)
        try:
            connection.request("POST", f"/{what}", json.dumps(body), {"Content-Type": "application/json"})
            answer = connection.getresponse()
            found = json.loads(answer.read())
        finally:
            connection.close()
        if answer.status != 200:
            raise ValueError(found["error"])
        return found
