# SPDX-License-Identifier: GPL-3.0-or-later
"""Benches: for each platform of the registry, a server to try it on and the switches of that server.

A new platform adds its row to BENCHES. The suite knows a bench only by the methods of `Bench`.
"""

import contextlib
import functools
import platform
import time
from abc import ABC
from abc import abstractmethod
from collections import Counter
from pathlib import Path

from ansible_collections.suanwang.brain.plugins.module_utils import jobfile
from ansible_collections.suanwang.brain.plugins.module_utils import names
from ansible_collections.suanwang.brain.plugins.module_utils import sites
from ansible_collections.suanwang.brain.plugins.module_utils.resources import JobSpec
from ansible_collections.suanwang.brain.plugins.module_utils.verbs.instance import INSTANCE
from tests.lab import keys
from tests.lab.lab import Lab
from tests.lab.openstack.handle import CloudLab
from tests.real import daemons
from tests.real import packages
from tests.real.slurm import RealSlurm

THIRD = Path(__file__).parents[1] / "lab" / "profiled" / "third_config"


class Bench(ABC):
    """One server with one platform, ready. Everything a test changes is undone by `heal`."""

    #: pool name, its architecture, accelerator model, cards, cores and nodes, as the server has them
    expected: dict
    #: what the platform does not tell an ordinary user: ``queue`` of everybody, ``times`` of jobs
    unknown = frozenset()

    @abstractmethod
    def platform(self, tenant="demo"):
        """Return a fresh Platform, as a new process would have it."""

    def counters(self):
        """Return {"reads": n, "writes": n} of what the server was asked since `reset`."""
        return self.site.counters()

    def struck(self, kind):
        """Return how many answers a fault of that kind has changed since `reset`."""
        return self.site.info()["struck"].get(kind, 0)

    def reset(self):
        """Set the counters to 0."""
        self.site.reset_counters()

    @abstractmethod
    def copies(self, name):
        """Return how many jobs of that name the server ever took, as only the server knows."""

    @abstractmethod
    def fault(self, kind):
        """Inject: ``lost_answer`` of the next submit, ``lost_reservation`` of the next one that is made, ``dead``,
        ``live_list_down``, ``history_down``."""

    def reservations(self):
        """Return the names of all reservations, as only the server knows."""
        return []

    @abstractmethod
    def heal(self):
        """Undo all faults."""

    def forget_finished(self):
        """Let the server drop what has ended from its live list; history keeps it."""
        self.site.set(min_job_age=0)
        until = time.monotonic() + 10
        while any(job["in_memory"] and job["end_time"] for job in self.site.jobs()):
            assert time.monotonic() < until, "the lab keeps finished jobs in its live list"
            time.sleep(0.05)

    @abstractmethod
    def expired(self):
        """Return a context in which our credential has expired."""

    @contextlib.contextmanager
    def secret(self, name, content):
        """Put other bytes in the place of a credential for a while."""
        path = self.config.secret_path(name)
        good = path.read_bytes()
        keys.write_private(path, content)
        try:
            yield
        finally:
            keys.write_private(path, good)

    def stop(self):
        """End the server."""
        self.lab.stop()

    def prepare(self, platform, name):
        """Make what a job of that name needs before it can be submitted, but for its files."""
        return None

    def spec(self, platform, name, script, **more):
        """Return a JobSpec whose work folder is there."""
        files = platform.files_of(names.parse(name).run, "work")
        layout = jobfile.Layout(files.root(), names.parse(name).run, "work")
        files.put(b"", f"{layout.workdir}/code.tar")
        return JobSpec(
            **{
                "name": name,
                "label": f"run={layout.run} component=work",
                "pool": self.expected["pool"],
                "script": f"#!/bin/sh\n{script}\n",
                "workdir": layout.workdir,
                "log": layout.log,
                "environment": {"PATH": "/usr/bin:/bin"},
                "wall_s": 90,
                **more,
            }
        )


class SlurmBench(Bench):
    """The lab's site hunan. release: what its slurmrestd answers as."""

    expected = {
        "pool": "npu", "arch": "aarch64", "native": "npu:ascend910b",
        "accelerators": 16, "cpu": 384, "nodes": 2,
    }  # fmt: skip

    def __init__(self, folder, release="22.05"):
        # Where the customer's clocks stand, so that no time is right by chance.
        self.release, zone = release, {"TZ": "Asia/Shanghai"}
        self.lab = Lab(folder, sites=["hunan"], environment=zone, settings={"release": release}).start()
        self.site = self.lab.site("hunan")
        self.config = sites.load(str(self.lab.config))
        model = self.config.site("hunan").accelerators["npu:ascend910b"]
        self.expected = {**self.expected, "model": model}
        self.site.set(pending_s=[0.1, 0.2], ctld_block_s=0.5)

    def platform(self, tenant="demo"):
        return self.config.platform("hunan", "slurm", tenant)

    def copies(self, name):
        return sum(job["name"] == name for job in self.site.jobs())

    def fault(self, kind):
        real = {"live_list_down": "ctld_down", "history_down": "dbd_down", "lost_reservation": "lost_answer"}.get(
            kind, kind
        )
        path = {"path": "scontrol create"} if kind == "lost_reservation" else {}
        self.site.fault(real, **({"n": 1, **path} if real == "lost_answer" else {}))

    def reservations(self):
        return list(self.site.info()["reservations"])

    def heal(self):
        self.site.heal()
        self.site.set(min_job_age=300)
        # What a test left behind would take cards or quota from the next one.
        self.site.clear()
        for name in self.reservations():
            self.site.unreserve(name)

    def expired(self):
        return self.secret("hunan-slurm", self.site.token(lifespan_s=-60).encode())


class OpenStackBench(Bench):
    """The cloud of the lab. Perception sees as its administrator does, the tenant demo makes machines."""

    expected = {
        "pool": "az-ai.npu-ascend910b", "arch": "aarch64", "native": "CUSTOM_NPU_ASCEND910B", "model": "910b4",
        "accelerators": 16, "cpu": 1536, "nodes": 2,
    }  # fmt: skip

    def __init__(self, folder):
        self.lab = CloudLab(folder).start()
        self.config = sites.load(str(self.lab.config))

    def platform(self, tenant=None):
        return self.config.platform("hunan", "cloud", tenant)

    def counters(self):
        counts = self.lab.ask("info")["counters"]
        # A login is a POST that changes nothing.
        logins = counts["calls"].get("rest POST /v3/auth/tokens", 0)
        return {"reads": counts["reads"] + logins, "writes": counts["writes"] - logins}

    def struck(self, kind):
        return self.lab.ask("info")["struck"].get(kind, 0)

    def reset(self):
        self.lab.ask("reset_counters")

    def copies(self, name):
        info, mark = self.lab.ask("info"), names.parse(name)
        if mark and mark.attempt:
            folders = f"machines/*/home/brain/{mark.run}/{mark.component}/a{mark.attempt}/swb"
            return len(list(self.lab.state.glob(folders)))
        return sum(server["name"] == name for server in info["servers"])

    def fault(self, kind, **options):
        if kind == "history_down":
            self.lab.ask("unplug")
        elif kind == "live_list_down":
            self.lab.ask("fault", kind="status", code=503, path="/v2.1/servers")
        elif kind == "lost_answer" and not options:
            self.lab.ask("fault", kind=kind, path="swb-submit", n=1)
        else:
            self.lab.ask("fault", kind=kind, **options)

    def prepare(self, platform, name):
        """Make the machine, as the verb does."""
        mark, pool = names.parse(name), f"hunan/cloud/{self.expected['pool']}"
        arguments = {key: option.get("default") for key, option in INSTANCE.options.items()}
        asked = {"run": mark.run, "component": mark.component, "pool": pool, "image": "openeuler-aarch64",
                 "networks": ["work"], "ports": [22], "login": True, "accelerators": 1, "poll_s": 0.1}  # fmt: skip
        INSTANCE.run(platform, {**arguments, **asked}, False, lambda *_args, **_fields: None)

    def heal(self):
        self.lab.ask("heal")

    @contextlib.contextmanager
    def expired(self):
        with self.secret("hunan-cloud", b"not the password"), self.secret("hunan-cloud-demo", b"not the password"):
            yield


class PrometheusBench(Bench):
    """The monitoring of the lab's site hunan."""

    expected = {}

    def __init__(self, folder):
        self.lab = Lab(folder, sites=["hunan"]).start()
        self.site = self.lab.site("hunan")
        self.config = sites.load(str(self.lab.config))

    def platform(self, tenant=None):
        return self.config.platform("hunan", "metrics", tenant)

    def copies(self, name):
        return 0

    def fault(self, kind, **options):
        self.site.fault(kind, **options)

    def heal(self):
        self.site.heal()

    def expired(self):
        return self.secret("hunan-metrics", self.site.token(lifespan_s=-60).encode())


class RealSlurmBench(Bench):
    """One of the two real clusters of a release, which are started together and stopped with the last of them."""

    shared: "dict[str, RealSlurm]" = {}
    users: "Counter[str]" = Counter()

    def __init__(self, folder, name, release):
        tree = packages.need_slurm(release)
        if release not in self.shared:
            self.shared[release] = RealSlurm(tree=tree).start()
        self.users[release] += 1
        self.name, self.release, self.site = name, release, self.shared[release].site(name)
        self.config = sites.load(str(self.shared[release].config))
        row = self.site.hardware
        nodes = len(row["names"])
        self.expected = {
            "pool": row["partition"], "arch": platform.machine(), "native": row["native"],
            "accelerators": nodes * row["cards"], "cpu": nodes * row["cpus"], "nodes": nodes,
            "model": self.config.site(name).accelerators[row["native"]],
        }  # fmt: skip

    def platform(self, tenant="demo"):
        return self.config.platform(self.name, "slurm", tenant)

    def copies(self, name):
        return len(self.site.copies(name))

    def fault(self, kind):
        real = {"live_list_down": "ctld_down", "history_down": "dbd_down"}.get(kind, kind)
        if kind == "lost_reservation":
            self.site.login.lose("scontrol create")
        else:
            self.site.fault(real, **({"n": 1} if real == "lost_answer" else {}))

    def reservations(self):
        listed = self.site.tool("scontrol", "-o", "show", "reservation").splitlines()
        return [line.split()[0].partition("=")[2] for line in listed if line.startswith("ReservationName=")]

    def heal(self):
        self.site.heal()
        for name in self.reservations():
            self.site.tool("scontrol", "delete", f"ReservationName={name}")

    def forget_finished(self):
        """Wait for it: MinJobAge is short, and the controller looks every half minute."""
        ended = ("squeue", "-h", "-t", "CA,CD,F,TO,NF,OOM", "-o", "%i")
        daemons.wait("squeue", lambda: not self.site.tool(*ended).strip(), seconds=120)

    def expired(self):
        return self.secret(f"{self.name}-slurm", self.site.token(lifespan_s=-60).encode())

    def stop(self):
        self.users[self.release] -= 1
        if not self.users[self.release]:
            self.shared.pop(self.release).stop()


class ProfiledBench(Bench):
    """A stand-in of a profiled platform: `place` in the lab, `submit` what only the path of a submit holds."""

    def __init__(self, folder, place, submit, expected, **lab):
        self.place, self.submit = place, submit
        self.lab = Lab(folder, **lab).start()
        self.site = self.lab.site("/".join(place))
        self.config = sites.load(str(self.lab.config))
        model = self.config.site(place[0]).accelerators[expected["native"]]
        self.expected = {**expected, "model": model}
        self.site.set(pending_s=[0.1, 0.2], ctld_block_s=0)

    def platform(self, tenant="demo"):
        return self.config.platform(*self.place, tenant)

    def copies(self, name):
        return sum(job["name"] == name for job in self.site.jobs())

    def fault(self, kind):
        real = {"live_list_down": "ctld_down", "history_down": "dbd_down"}.get(kind, kind)
        self.site.fault(real, **({"n": 1, "path": self.submit} if real == "lost_answer" else {}))

    def heal(self):
        self.site.heal()
        self.site.set(min_job_age=300)
        # What a test left behind would take cards or quota from the next one.
        self.site.clear()

    @contextlib.contextmanager
    def expired(self):
        self.site.fault("token_expiry")
        try:
            yield
        finally:
            self.site.heal()


class DonauBench(ProfiledBench):
    """The lab's site hangzhou-c: commands on its login node, and nothing else."""

    unknown = frozenset({"queue", "times"})

    def __init__(self, folder):
        expected = expects("root.npu", "aarch64", "npu", 16, 256, 2)
        zone = {"TZ": "Asia/Shanghai"}
        super().__init__(
            folder, ("hangzhou-c", "donau"), "dsub --name", expected, sites=["hangzhou-c"], more=True, environment=zone
        )

    @contextlib.contextmanager
    def expired(self):
        self.site.set(token="expired")
        try:
            yield
        finally:
            self.site.set(token="good")


def expects(pool, arch, native, accelerators, cpu, nodes):
    return {"pool": pool, "arch": arch, "native": native, "accelerators": accelerators, "cpu": cpu, "nodes": nodes}


def aofei(folder):
    expected = expects("h800", "x86_64", "nvidia.com/gpu-h800", 24, 288, 3)
    return ProfiledBench(folder, ("hangzhou-b", "aofei"), "/training", expected, sites=["hangzhou-b"], more=True)


def tianyin(folder):
    expected = expects("ascend", "aarch64", "Ascend910B3", 16, 384, 2)
    return ProfiledBench(folder, ("hunan", "tianyin"), "/apptemplates", expected, sites=["hunan"], more=True)


def custom(folder):
    """Return the bench of a platform of a third shape, which is nothing but a profile in its site's config folder."""
    expected = expects("small", "x86_64", "gpu:l20", 12, 192, 3)
    return ProfiledBench(folder, ("lakeside", "third"), "/v3/jobs", expected, source=THIRD)


BENCHES = {
    "aofei": aofei,
    "custom": custom,
    "donau": DonauBench,
    "openstack": OpenStackBench,
    "prometheus": PrometheusBench,
    "slurm": SlurmBench,
    "tianyin": tianyin,
}
#: platform → further stand-ins by name, of what else such a platform may be
FURTHER = {"slurm": {"slurm-24.11": functools.partial(SlurmBench, release="24.11")}}
#: platform → further benches by name, with the real software
REAL = {
    "slurm": {
        f"slurm-{release}-{name}": functools.partial(RealSlurmBench, name=name, release=release)
        for release in packages.RELEASES
        for name in ("hunan", "centre-a")
    },
}
