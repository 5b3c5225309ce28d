"""A real Prometheus and Alertmanager on loopback, as an ordinary user, and exporters for them to scrape.

with RealPrometheus(tree) as real:
    real.exporters["npu-0"].set("dead")
    … use real.config …
"""

import json
import shutil
import time
import urllib.parse
import urllib.request

import yaml

from tests.lab import render
from tests.lab.lab import CONFIG
from tests.lab.render import GENERATED
from tests.real import daemons
from tests.real import exporter

#: alert → expression, severity
RULES = {
    "NpuLost": ("machine_npu_nums < 2", "critical"),
    "Rehearsal": ("vector(1)", "info"),
}


class RealPrometheus:
    """Two npu-exporters, whose samples carry their own time, two node-exporters and a dcgm-exporter."""

    def __init__(self, tree):
        self.tree = tree
        taken = set()
        self.ports = {name: render.free_port(taken) for name in (
            "prometheus", "alertmanager", "npu-0", "npu-1", "node-0", "node-1", "dcgm-0")}  # fmt: skip

    def __enter__(self):
        self.folder = daemons.make_folder()
        self.config = self.folder / "config"
        self.exporters = {}
        self.daemons = daemons.Daemons(self.folder, {**self.tree.environment, "SWB_REAL": str(self.folder)})
        try:
            self._start()
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_):
        self.daemons.stop(*self.daemons.names())
        for one in self.exporters.values():
            one.stop()
        daemons.sweep(self.folder)

    def _start(self):
        for name in ("npu-0", "npu-1"):
            self.exporters[name] = exporter.Exporter(self.ports[name], exporter.npu(2), stamped=True)
        for name in ("node-0", "node-1"):
            self.exporters[name] = exporter.Node(self.ports[name])
        self.exporters["dcgm-0"] = exporter.Exporter(self.ports["dcgm-0"], exporter.dcgm(4))
        self._configure()
        self.start_manager()
        self.start_server()
        self.ask_until("count(up)", str(len(self.exporters)))

    def start_server(self):
        self.daemons.start(
            "prometheus", self.tree.program("prometheus"), f"--config.file={self.folder}/prometheus.yml",
            f"--storage.tsdb.path={self.folder}/tsdb", f"--web.listen-address=127.0.0.1:{self.ports['prometheus']}",
            "--storage.tsdb.retention.time=2h", "--rules.alert.resend-delay=2s",
        )  # fmt: skip
        self.daemons.wait("prometheus", lambda: self._ready("prometheus"))

    def start_manager(self):
        for template in self.tree.root.glob("usr/share/prometheus/alertmanager/*.tmpl"):
            shutil.copy(template, self.folder)
        self.daemons.start(
            "alertmanager", self.tree.program("prometheus-alertmanager"), f"--config.file={self.folder}/manager.yml",
            f"--storage.path={self.folder}/manager", "--cluster.listen-address=",
            f"--web.listen-address=127.0.0.1:{self.ports['alertmanager']}",
        )  # fmt: skip
        self.daemons.wait("alertmanager", lambda: self._ready("alertmanager"))

    def _ready(self, name):
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self.ports[name]}/-/ready", timeout=5) as answer:
                return answer.status == 200
        except OSError:
            return False

    def query(self, expression):
        """Return the rows of an instant query, by no code of the product."""
        text = urllib.parse.urlencode({"query": expression})
        with urllib.request.urlopen(
            f"http://127.0.0.1:{self.ports['prometheus']}/api/v1/query?{text}", timeout=5
        ) as said:
            return json.load(said)["data"]["result"]

    def ask_until(self, expression, value, seconds=30):
        """Wait until the first row of a query has this value; "" waits until there is no row."""
        end = time.monotonic() + seconds
        while (rows := self.query(expression), rows[0]["value"][1] if rows else "")[1] != value:
            assert time.monotonic() < end, (expression, value, rows)
            time.sleep(0.2)

    def _configure(self):
        jobs = {"npu": ("npu-0", "npu-1"), "node": ("node-0", "node-1"), "dcgm": ("dcgm-0",)}
        scrapes = [
            {"job_name": job, "static_configs": [
                {"targets": [f"127.0.0.1:{self.ports[n]}" for n in names], "labels": {"site": "hunan"}}]}
            for job, names in jobs.items()
        ]  # fmt: skip
        rules = [
            {"alert": name, "expr": expression, "labels": {"severity": severity},
             "annotations": {"summary": f"卡丢失 {name}"}}
            for name, (expression, severity) in RULES.items()
        ]  # fmt: skip
        settings = {
            "global": {"scrape_interval": "1s", "scrape_timeout": "1s", "evaluation_interval": "1s"},
            "rule_files": [str(self.folder / "rules.yml")],
            "alerting": {"alertmanagers": [
                {"static_configs": [{"targets": [f"127.0.0.1:{self.ports['alertmanager']}"]}]}]},
            "scrape_configs": scrapes,
        }  # fmt: skip
        manager = {"route": {"receiver": "none", "group_wait": "1s", "group_interval": "2s", "repeat_interval": "1h"},
                   "receivers": [{"name": "none"}]}  # fmt: skip
        self._write("prometheus.yml", settings)
        self._write("rules.yml", {"groups": [{"name": "cards", "rules": rules}]})
        self._write("manager.yml", manager)
        shutil.copytree(CONFIG, self.config, ignore=lambda _, names: set(names) & {*GENERATED, "sites"})
        (self.config / "sites").mkdir()
        self.write_site()

    def write_site(self, **endpoint):
        """Write the site file; `endpoint` changes the row of the monitoring."""
        here = {"protocol": "http", "via": "intranet", "address": "127.0.0.1"}
        row = {
            "id": "metrics", "platform": "prometheus", **here, "port": self.ports["prometheus"], "alerts": "manager",
            "observes": [
                {"pools": ["slurm/npu*"], "exporter": "npu-exporter", "labels": {"job": "npu", "site": "hunan"},
                 "alerts": {"job": "npu"}, "fresh_s": 10},
                {"pools": ["slurm/npu*"], "exporter": "node-exporter", "labels": {"job": "node"}},
                {"pools": ["slurm/gpu"], "exporter": "dcgm-exporter", "labels": {"job": "~dc.m"}},
            ],
            **endpoint,
        }  # fmt: skip
        site = {
            "site": "hunan", "name": {"en": "Hunan", "zh": "湖南"}, "lab": True,
            "networks": {"intranet": ["127.0.0.0/8"]},
            "endpoints": [row, {"id": "manager", **here, "port": self.ports["alertmanager"]}],
        }  # fmt: skip
        self._write("config/sites/hunan.yml", site)
        self._write("config/links.yml", {"links": []})

    def _write(self, name, content):
        (self.folder / name).write_text(yaml.safe_dump(content, allow_unicode=True, sort_keys=False))
