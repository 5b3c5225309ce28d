"""Starts and stops a cloud with a config folder of its own, and is the handle by which tests reach it."""

import http.client
import json
import os
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
from tests.lab.openstack.spec import need
from tests.lab.openstack.spec import PRIVATE
from tests.lab.openstack.spec import ROWS
from tests.lab.openstack.spec import SERVICES
from tests.lab.openstack.spec import SUBNET
from tests.lab.render import GENERATED

PUBLIC, SLOTS = "127.10.0.2", 6
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
        ports = [render.free_port(taken) for _ in SERVICES]
        slots = [(f"{SUBNET}{number + 11}", 22, render.free_port(taken)) for number in range(SLOTS)]
        maps = [
            {"private": {"address": private, "port": inside}, "public": {"address": PUBLIC, "port": outside}}
            for private, inside, outside in (*((PRIVATE, port, port) for port in ports), *slots)
        ]
        authority = keys.Authority(self.state)
        shutil.copytree(CONFIG, self.config, ignore=lambda _, names: set(names) & {*GENERATED, "sites", "more"})
        (self.config / "sites").mkdir()
        cloud = self._configure(authority, ports[0], maps)
        spec = {**need(authority, self.state, self.config / "credentials", cloud, maps), "hardware": ROWS}
        keys.write_private(self.state / "spec.json", json.dumps(spec).encode())
        environment = {**os.environ, "PYTHONPATH": str(CHECKOUT)}
        command = [sys.executable, "-m", "tests.lab.openstack", str(self.state), "--lifeline"]
        with open(self.state / "log", "ab") as log:
            self.process = subprocess.Popen(
                command, cwd=CHECKOUT, env=environment, stdin=subprocess.PIPE, stdout=log, stderr=log,
                start_new_session=True,
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
        shutil.copy(authority.certificate_path, self.config / "ca.pem")
        cloud = {
            "id": "cloud", "platform": "openstack", "protocol": "https", "zone": "general", "via": "intranet",
            "address": PUBLIC, "port": port, "tls": {"ca_bundle": "ca.pem", "server_name": "cloud.lab.invalid"},
            "credential": "hunan-cloud", "native_user": "brain", "native_account": "admin", "region": "RegionOne",
            "storage": {"root": "brain"},
            "machines": {"user": "brain", "credential": "hunan-cloud-machines", "networks": ["work"],
                         "external": "public",
                         "images": {"aarch64": "openeuler-aarch64", "x86_64": "openeuler-x86_64"}},
        }  # fmt: skip
        site = {
            "site": "hunan", "name": {"en": "Hunan", "zh": "湖南"}, "lab": True,
            "networks": {"intranet": ["127.10.0.0/16"]}, "endpoints": [cloud], "address_map": maps,
            "accelerators": {"CUSTOM_NPU_ASCEND910B": "910b4"},
        }  # fmt: skip
        demo = {"native_user": "demo", "native_account": "demo", "credential": "hunan-cloud-demo"}
        tenants = {"demo": {"name": {"en": "Demo", "zh": "演示"}, "organisation": "university",
                            "sites": {"hunan": {"cloud": demo}}}}  # fmt: skip
        for name, content in (("sites/hunan", site), ("tenants", {"tenants": tenants}), ("links", {"links": []})):
            (self.config / f"{name}.yml").write_text(yaml.safe_dump(content, allow_unicode=True, sort_keys=False))
        return cloud

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
