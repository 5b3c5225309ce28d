"""An exporter as a real Prometheus scrapes it: recorded metric names, figures that a test sets, and its troubles."""

import http.server
import threading
import time


class Exporter:
    """One target at a port of loopback.

    mode: ``ok``; ``dead`` answers 500; ``frozen`` answers with the time stamps of the moment it froze.
    stamped: whether the samples of cards carry their own time, as npu-exporter's do.
    """

    def __init__(self, port, rows, stamped=False):
        self.port, self.rows, self.stamped = port, rows, stamped
        self.mode, self._frozen_at, self.back_s = "ok", None, 0
        handler = type("Handler", (_Handler,), {"exporter": self})
        self._server = http.server.ThreadingHTTPServer(("127.0.0.1", port), handler)
        self._server.daemon_threads = True
        threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True).start()

    @property
    def instance(self):
        return f"127.0.0.1:{self.port}"

    def set(self, mode, back_s=0):
        """Change the mode; back_s: how far in the past a frozen exporter's stamps lie."""
        self.mode, self.back_s, self._frozen_at = mode, back_s, time.time()

    def text(self):
        at = self._frozen_at - self.back_s if self.mode == "frozen" else time.time()
        stamp = f" {int(at * 1000)}" if self.stamped else ""
        return "".join(f"{series} {value}{stamp if '{' in series else ''}\n" for series, value in self.rows.items())

    def stop(self):
        self._server.shutdown()
        self._server.server_close()


class _Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        dead = self.exporter.mode == "dead"
        body = b"" if dead else self.exporter.text().encode()
        self.send_response(500 if dead else 200)
        self.send_header("Content-Type", "text/plain; version=0.0.4")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


def npu(cards, busy=50.0, hbm_mb=65536):
    """Return what npu-exporter 6 says of `cards` Ascend 910B: % and MB and W and °C."""
    rows = {"machine_npu_nums": cards}
    for number in range(cards):
        labels = (
            f'{{id="{number}",model_name="910B3",vdie_id="D{number}",pcie_bus_info="0000:C{number}:00.0",'
            'namespace="",pod_name="",container_name=""}'
        )
        rows |= {
            f"npu_chip_info_utilization{labels}": busy,
            f"npu_chip_info_hbm_used_memory{labels}": hbm_mb // 4,
            f"npu_chip_info_hbm_total_memory{labels}": hbm_mb,
            f"npu_chip_info_power{labels}": 100.5,
            f"npu_chip_info_temperature{labels}": 40 + number,
            f"npu_chip_info_health_status{labels}": 1,
        }
    return rows


def dcgm(cards, busy=80):
    """Return what dcgm-exporter says of `cards` GPUs: %, MiB, W, °C."""
    rows = {}
    for number in range(cards):
        labels = f'{{gpu="{number}",UUID="GPU-{number}",modelName="NVIDIA A800-SXM4-80GB",Hostname="ca-gpu01"}}'
        rows |= {
            f"DCGM_FI_DEV_GPU_UTIL{labels}": busy,
            f"DCGM_FI_DEV_FB_USED{labels}": 20480,
            f"DCGM_FI_DEV_FB_FREE{labels}": 61440,
            f"DCGM_FI_DEV_POWER_USAGE{labels}": 250.25,
            f"DCGM_FI_DEV_GPU_TEMP{labels}": 55,
            f"DCGM_FI_DEV_XID_ERRORS{labels}": 0,
        }
    return rows


class Node(Exporter):
    """node-exporter of a machine with two cores, of which a share idles."""

    def __init__(self, port, idle=0.75):
        super().__init__(port, {})
        self.idle, self._started = idle, time.time()

    def text(self):
        up = time.time() - self._started + 1000
        self.rows = {"node_memory_MemTotal_bytes": 64 * 2**30, "node_memory_MemAvailable_bytes": 16 * 2**30}
        for cpu in (0, 1):
            self.rows[f'node_cpu_seconds_total{{cpu="{cpu}",mode="idle"}}'] = up * self.idle
            self.rows[f'node_cpu_seconds_total{{cpu="{cpu}",mode="user"}}'] = up * (1 - self.idle)
        return super().text()
