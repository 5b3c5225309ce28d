"""The figures of a site's nodes, made from what its jobs hold, and the alerts that an operator raises."""

import threading
import time

from tests.lab.metrics.promql import Sample

LOOKBACK_S = 300
#: of a card at work and of an idle one: %, W, °C, share of its memory
BUSY, IDLE = (95.0, 300.0, 62.0, 0.75), (0.0, 90.0, 36.0, 0.03)
EXPORTERS = {"npu": "npu-exporter", "gpu": "dcgm-exporter"}


class Watch:
    """One site's monitoring. trouble: exporter (``npu-exporter`` or a node's name) → ``down`` or ``frozen``."""

    def __init__(self, site, cluster):
        self.site, self.cluster = site, cluster
        self.lock = threading.Lock()
        self.alerts: dict[str, dict] = {}
        self.troubles: dict[str, dict] = {}
        self._started = time.time()

    # -- what an operator does ---------------------------------------------------------------------
    def raise_alert(self, name, severity="major", labels=None, summary=""):
        with self.lock:
            self.alerts[name] = {
                "labels": {"alertname": name, "severity": severity, "site": self.site, **(labels or {})},
                "annotations": {"summary": summary} if summary else {},
                "since": time.time(),
            }

    def clear_alert(self, name):
        with self.lock:
            del self.alerts[name]

    def trouble(self, what, kind="down"):
        if kind not in ("down", "frozen"):
            raise ValueError(kind)
        with self.lock:
            self.troubles[what] = {"kind": kind, "at": time.time()}

    def heal(self):
        with self.lock:
            self.troubles.clear()
            self.alerts.clear()

    # -- what is measured --------------------------------------------------------------------------
    def samples(self):
        """Return every Sample that a query may see now."""
        found, now = [], time.time()
        with self.cluster.lock:
            nodes = [
                (node.name, {kind: (count, set(node.used_indices(kind))) for kind, count in node.devices.items()},
                 node.cpus, node.used_cpus, node.memory, node.used_memory)
                for node in self.cluster.nodes.values()
            ]  # fmt: skip
        for name, devices, cpus, used_cpus, memory, used_memory in nodes:
            found += self._node(name, now, cpus, used_cpus, memory, used_memory)
            for kind, (count, used) in devices.items():
                found += self._cards(name, now, kind, count, used)
        return [one for one in found if now - one.at < LOOKBACK_S]

    def _trouble(self, job, node, now):
        """Return (up, time of the newest sample)."""
        with self.lock:
            hit = self.troubles.get(job) or self.troubles.get(node)
        if not hit:
            return 1, now
        return (0 if hit["kind"] == "down" else 1), hit["at"]

    def _cards(self, node, now, kind, count, used):
        vendor = kind.split(":")[0]
        job = EXPORTERS[vendor]
        up, at = self._trouble(job, node, now)
        target = {"job": job, "instance": f"{node}:8082", "site": self.site}
        yield _sample("up", target, up, now)
        for number in range(count):
            busy, power, heat, share = BUSY if number in used else IDLE
            if vendor == "npu":
                card = {**target, "id": str(number), "model_name": "910B4", "vdie_id": f"{node}-{number}"}
                rows = {"npu_chip_info_utilization": busy, "npu_chip_info_power": power,
                        "npu_chip_info_temperature": heat, "npu_chip_info_health_status": 1,
                        "npu_chip_info_hbm_used_memory": 32768 * share,
                        "npu_chip_info_hbm_total_memory": 32768}  # fmt: skip
                yield from (_sample(name, card, value, at) for name, value in rows.items())
            elif up:
                card = {**target, "gpu": str(number), "UUID": f"GPU-{node}-{number}", "Hostname": node}
                rows = {"DCGM_FI_DEV_GPU_UTIL": busy, "DCGM_FI_DEV_POWER_USAGE": power, "DCGM_FI_DEV_GPU_TEMP": heat,
                        "DCGM_FI_DEV_FB_USED": 81920 * share, "DCGM_FI_DEV_FB_FREE": 81920 * (1 - share),
                        "DCGM_FI_DEV_XID_ERRORS": 0}  # fmt: skip
                yield from (_sample(name, card, value, at) for name, value in rows.items())

    def _node(self, node, now, cpus, used_cpus, memory, used_memory):
        up, at = self._trouble("node-exporter", node, now)
        target = {"job": "node-exporter", "instance": f"{node}:9100", "site": self.site}
        yield _sample("up", target, up, now)
        if up:
            yield _sample("node_memory_MemTotal_bytes", target, memory * 2**20, at)
            yield _sample("node_memory_MemAvailable_bytes", target, (memory - used_memory) * 2**20, at)
            for mode, rate in (("idle", cpus - used_cpus), ("user", used_cpus)):
                labels = {**target, "mode": mode, "cpu": "0"}
                yield _sample("node_cpu_seconds_total", labels, rate * (now - self._started), at, float(rate))


def _sample(name, labels, value, at, rate=None):
    return Sample({"__name__": name, **labels}, float(value), at, rate)
