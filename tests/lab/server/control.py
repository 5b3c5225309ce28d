"""The control API of a site: plain HTTP on its own loopback port, for tests and operators of the lab only."""

import json
import os

from tests.lab.server.faults import FRONT
from tests.lab.slurm import commands
from tests.lab.slurm import ctld_view
from tests.lab.slurm import troubles
from tests.lab.slurm.answers import Answer


class Control:
    """Answers ``/lab…`` for one site."""

    def __init__(self, site, cluster, counters, faults, watch):
        self.site, self.cluster, self.counters, self.faults, self.watch = site, cluster, counters, faults, watch
        self.commands = commands  # of the login node

    def respond(self, method, target, headers, body, peer):
        path = target.partition("?")[0].rstrip("/")
        handler = self.ROUTES.get((method, path))
        if handler is None:
            return Answer(404, {"error": f"no {method} {path} here"})
        try:
            options = json.loads(body) if body else {}
            return Answer(200, handler(self, **options) or {})
        except (KeyError, TypeError, ValueError) as error:
            return Answer(400, {"error": f"{type(error).__name__}: {error}"})

    def info(self):
        cluster = self.cluster
        with cluster.lock:
            reservations = dict(cluster.reservations)
            jobs = {j.job_id: j.stepd["pid"] for j in cluster.jobs.values() if j.stepd and not j.final}
        return {
            "site": self.site, "home": str(cluster.home), "nonce": cluster.nonce,
            "reservations": reservations, "pids": {"site": os.getpid(), "jobs": jobs},
            "counters": self.counters.as_dict(), "settings": cluster.settings, "faults": self.faults.as_dict(),
            "struck": dict(self.faults.struck),
        }  # fmt: skip

    def reset(self):
        self.counters.reset()
        self.faults.struck.clear()

    def foreign(self, **options):
        return {"job_id": troubles.foreign(self.cluster, **options)}

    def reserve(self, **options):
        troubles.reserve(self.cluster, **options)

    def unreserve(self, name):
        with self.cluster.lock:
            del self.cluster.reservations[name]
            self.cluster.touch("jobs", "nodes")

    def jobs(self):
        """Everything the cluster ever knew, with what only a job sees: its script and its folder."""
        cluster = self.cluster
        with cluster.lock:
            rows = [
                {**job.as_dict(), "job_state": ctld_view.job_state(job), "spool": str(cluster.folder_of(job)),
                 "in_memory": cluster.jobs.get(job.job_id) is job}
                for job in cluster.history
            ]  # fmt: skip
        return {"jobs": rows}

    def clear(self):
        troubles.clear(self.cluster)

    def fault(self, kind, **options):
        # A machine of the cluster and a node behind a load balancer go down under one word.
        if kind in FRONT and options.get("node") not in self.cluster.nodes:
            self.faults.set(kind, **options)
        elif kind in troubles.KINDS:
            troubles.apply(self.cluster, kind, **options)
        else:
            raise ValueError(f"fault {kind!r}; there are {sorted(FRONT | troubles.KINDS)}")

    def alert(self, name, **options):
        self.watch.raise_alert(name, **options)

    def calm(self, name):
        self.watch.clear_alert(name)

    def trouble(self, what, kind):
        """Let an exporter (``npu-exporter``, or that of one node) be ``down`` or ``frozen``."""
        self.watch.trouble(what, kind)

    def heal(self):
        self.watch.heal()
        self.faults.heal()
        troubles.heal(self.cluster)

    def set(self, limits=None, **settings):
        """Change settings of slurm.conf (MinJobAge, …) and limits of accounts while it runs."""
        cluster = self.cluster
        with cluster.lock:
            if unknown := set(settings) - set(cluster.settings):
                raise ValueError(f"unknown {sorted(unknown)}; there are {sorted(cluster.settings)}")
            cluster.settings.update(settings)
            cluster.limits.update(limits or {})
            cluster.touch("jobs")

    def seen(self, sha256):
        return {"seen": self.counters.has_seen(sha256)}

    def peers(self):
        return {"peers": self.counters.peers}

    def command(self, **request):
        """One command of the login node: argv, user, offset_s, cwd, environment, input → code, out, err."""
        return self.commands.answer(self.cluster, self.commands.Request(**request))

    ROUTES = {
        ("GET", "/lab"): info, ("POST", "/lab/reset_counters"): reset, ("GET", "/lab/jobs"): jobs,
        ("DELETE", "/lab/jobs"): clear,
        ("POST", "/lab/foreign"): foreign, ("POST", "/lab/fault"): fault, ("DELETE", "/lab/fault"): heal,
        ("POST", "/lab/set"): set, ("GET", "/lab/peers"): peers, ("POST", "/lab/seen"): seen,
        ("POST", "/lab/command"): command,
        ("POST", "/lab/alert"): alert, ("DELETE", "/lab/alert"): calm, ("POST", "/lab/exporter"): trouble,
        ("POST", "/lab/reservation"): reserve, ("DELETE", "/lab/reservation"): unreserve,
    }  # fmt: skip
