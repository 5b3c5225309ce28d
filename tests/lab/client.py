"""Client of a site's control API; standard library only, so that whoever holds a lab can use it."""

import hashlib
import http.client
import json
import time


class ControlClient:
    """Mixed into a site handle that knows its `control_port`."""

    control_port: int

    def _ask(self, method: str, path: str, /, **body):
        connection = http.client.HTTPConnection("127.0.0.1", self.control_port, timeout=30)
        try:
            payload = json.dumps(body) if body else None
            connection.request(method, path, payload, {"Content-Type": "application/json"})
            answer = connection.getresponse()
            found = json.loads(answer.read())
        finally:
            connection.close()
        if answer.status != 200:
            raise ValueError(found.get("error", answer.status))
        return found

    @property
    def control(self) -> "ControlClient":
        return self

    def info(self) -> dict:
        """Site, nonce, pids, counters, settings and active faults."""
        return self._ask("GET", "/lab")

    def counters(self) -> dict:
        """``{"reads", "writes", "rest": {"read", "write"}, "sftp": …, "exec": …, "calls": {…}}``."""
        return self.info()["counters"]

    def reset_counters(self) -> None:
        self._ask("POST", "/lab/reset_counters")

    def foreign(self, **options) -> int:
        """Submit somebody else's job: gres, nodes, seconds, user, cpus, name; returns its number."""
        return self._ask("POST", "/lab/foreign", **options)["job_id"]

    def jobs(self) -> list[dict]:
        """Every job the cluster ever knew, with script, environment and spool folder."""
        return self._ask("GET", "/lab/jobs")["jobs"]

    def clear(self) -> None:
        """End the jobs of everybody, wait until they are over, and give accounts the limits they began with."""
        self._ask("DELETE", "/lab/jobs")
        until = time.monotonic() + 10
        while any(job["state"] in ("PENDING", "RUNNING") or job["flags"] for job in self.jobs()):
            if time.monotonic() > until:
                raise TimeoutError("the lab's jobs do not end")
            time.sleep(0.05)

    def fault(self, kind: str, **options) -> None:
        self._ask("POST", "/lab/fault", kind=kind, **options)

    def heal(self) -> None:
        self._ask("DELETE", "/lab/fault")

    def set(self, **settings) -> None:
        """Change slurm.conf's settings, or ``limits={account: {...}}``, while the site runs."""
        self._ask("POST", "/lab/set", **settings)

    def reserve(self, name: str, **options) -> None:
        """Make a reservation: start_in_s, seconds, nodes, users."""
        self._ask("POST", "/lab/reservation", name=name, **options)

    def unreserve(self, name: str) -> None:
        self._ask("DELETE", "/lab/reservation", name=name)

    def has_seen(self, value: str) -> bool:
        """Return whether a header of any request to its REST had this value."""
        return self._ask("POST", "/lab/seen", sha256=hashlib.sha256(value.encode()).hexdigest())["seen"]

    def alert(self, name: str, **options) -> None:
        """Raise an alert: severity, labels, summary."""
        self._ask("POST", "/lab/alert", name=name, **options)

    def calm(self, name: str) -> None:
        self._ask("DELETE", "/lab/alert", name=name)

    def exporter(self, what: str, kind: str) -> None:
        """Let ``npu-exporter``, ``dcgm-exporter``, ``node-exporter`` or those of one node be ``down`` or ``frozen``."""
        self._ask("POST", "/lab/exporter", what=what, kind=kind)

    def peers(self) -> list[dict]:
        return self._ask("GET", "/lab/peers")["peers"]
