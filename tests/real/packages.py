"""Where the real servers' programs are: installed, or unpacked without root into a cache folder.

Packages that are not installed are fetched by apt's own tools into folders of ours (lists, archives), and unpacked by
``dpkg -x``; nothing outside the cache folder changes. What else they need is asked of ``apt-get install --simulate``,
never kept as a list here. The cache is ``$SUANWANG_CACHE``, by default ``~/.cache/suanwang``.
"""

import fcntl
import functools
import os
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

import pytest

# All that must lie in one tree, so every package with files in Slurm's PluginDir, whether it is installed or not.
SLURM = (
    "munge slurmctld slurmd slurmdbd slurmrestd slurm-client slurm-wlm-basic-plugins slurm-wlm-jwt-plugin"
    " slurm-wlm-mysql-plugin mariadb-server-core mariadb-client-core"
).split()
PROGRAMS = (
    "munged slurmctld slurmd slurmstepd slurmdbd slurmrestd sacct sacctmgr sbatch scancel scontrol sinfo squeue"
    " mariadbd mariadb-install-db"
).split()
PLUGINS = ("auth_munge.so", "auth_jwt.so", "openapi_v0_0_38.so", "openapi_dbv0_0_38.so", "accounting_storage_mysql.so")
PROMETHEUS = ("prometheus", "prometheus-alertmanager")
RELEASE = "22.05"
SUITE = "bookworm"
FETCH_S = 240


class Missing(Exception):
    """A real server cannot be had here; the message is one line that says how to enable it."""


@dataclass(frozen=True)
class Tree:
    """A folder with ``usr/bin`` and so on below it: ``/``, or where packages were unpacked."""

    root: Path

    @property
    def folders(self):
        return [self.root / "usr" / "sbin", self.root / "usr" / "bin"]

    @property
    def plugins(self):
        """Slurm's PluginDir; None where there is none."""
        return next(iter(sorted(self.root.glob("usr/lib/*/slurm-wlm"))), None)

    def program(self, name):
        """Return the path of a program; None where it is missing."""
        return next((folder / name for folder in self.folders if (folder / name).exists()), None)

    @property
    def environment(self):
        """The variables by which the programs find each other and their libraries."""
        path = ":".join(map(str, dict.fromkeys([*self.folders, "/usr/sbin", "/usr/bin", "/sbin", "/bin"])))
        found = {"PATH": path, "LANG": "C.UTF-8", "LC_ALL": "C.UTF-8"}
        if self.root != Path("/") and self.plugins:
            found["LD_LIBRARY_PATH"] = f"{self.plugins.parent}:{self.plugins}"
        return found

    @property
    def complete(self):
        plugins = self.plugins
        there = plugins and all((plugins / name).exists() for name in PLUGINS)
        return bool(there and all(map(self.program, PROGRAMS)))

    def slurm_version(self):
        """Return ``22.05.8``; an empty text where the program does not run."""
        done = subprocess.run(
            [self.program("slurmctld"), "-V"], env=self.environment, capture_output=True, text=True, timeout=30
        )
        return done.stdout.strip().rpartition(" ")[2]


def _how(why):
    return f"no real Slurm here: {why}; on Debian 12: apt install --no-install-recommends {' '.join(SLURM)}"


@functools.cache
def slurm():
    """Return the Tree with Slurm 22.05 and MariaDB; raise Missing with how to enable it."""
    if os.geteuid() == 0:
        raise Missing("no real Slurm as root, which slurmrestd refuses: run the tests as an ordinary user")
    for tree in (Tree(Path("/")), _unpacked):
        tree = tree if isinstance(tree, Tree) else tree()
        if tree.complete:
            version = tree.slurm_version()
            if not version.startswith(RELEASE):
                raise Missing(_how(f"the tests know Slurm {RELEASE} of Debian 12, and {tree.root} has {version!r}"))
            return tree
    raise Missing(_how(f"the packages unpacked below {cache()} are not complete"))


def why_not(what, find):
    """Return why there is no real `what` for the tests, in one line; None where `find` finds it.

    They are slow and may fetch packages, so they run where somebody asks for them, as `.ci/run` does.
    """
    if not os.environ.get("SUANWANG_REAL"):
        return f"real {what} is tried where SUANWANG_REAL=1 is set"
    try:
        find()
    except Missing as why:
        return str(why)
    return None


def needed(what, find):
    """Return what `find` finds; skip the test or module where it is not here. In CI nothing is skipped: it fails."""
    if why := why_not(what, find):
        if os.environ.get("CI"):
            pytest.fail(why)
        pytest.skip(why, allow_module_level=True)
    return find()


@functools.cache
def missing():
    """Return why there is no real Slurm for the tests, in one line; None where there is."""
    return why_not("Slurm", slurm)


def need_slurm():
    return needed("Slurm", slurm)


@functools.cache
def prometheus():
    """Return the Tree with Prometheus and Alertmanager; raise Missing with how to enable it."""

    def complete(tree):
        return all(map(tree.program, PROMETHEUS))

    def how(why):
        said = f"no real Prometheus here: {why}; on Debian 12: apt install --no-install-recommends"
        return f"{said} {' '.join(PROMETHEUS)}"

    if complete(Tree(Path("/"))):
        return Tree(Path("/"))
    return unpacked("prometheus", PROMETHEUS, complete, how, alone=True, mend=_templates_beside)


def _templates_beside(part):
    """Let an unpacked Alertmanager look for its templates where it is started: Debian built their folder into it."""
    program = part / "usr" / "bin" / "prometheus-alertmanager"
    folder = b"/usr/share/prometheus/alertmanager"
    content = program.read_bytes()
    where = content.find(folder)
    program.write_bytes(content[:where] + b"./" * (len(folder) // 2) + content[where + len(folder) :])


def need_prometheus():
    return needed("Prometheus", prometheus)


def cache():
    root = os.environ.get("SUANWANG_CACHE") or Path.home() / ".cache" / "suanwang"
    return Path(root).expanduser() / "real"


def _suite():
    try:
        lines = Path("/etc/os-release").read_text().splitlines()
    except OSError:
        return ""
    return next((line.partition("=")[2].strip('"') for line in lines if line.startswith("VERSION_CODENAME=")), "")


@functools.cache
def _unpacked():
    """Return the Tree of Slurm's packages, fetched where it is not there yet."""
    return unpacked("slurm", SLURM, lambda tree: tree.complete, _how, mend=_alternatives)


def _alternatives(part):
    """Make Debian's alternatives, which unpacking does not; slurmstepd under another name fails."""
    for name in ("slurmctld", "slurmd", "slurmstepd"):
        link = part / "usr" / "sbin" / name
        if not link.exists():
            link.symlink_to(f"{name}-wlm")


def unpacked(name, packages, complete, how, alone=False, mend=lambda part: None):
    """Return the Tree of unpacked packages, fetched where it is not `complete` yet; raise Missing.

    how: what makes a line of advice of a reason. alone: without what they depend on. mend: does what installing does.
    """
    if _suite() != SUITE or not shutil.which("apt-get"):
        raise Missing(how("only Debian 12's packages are known"))
    folder = cache()
    folder.mkdir(parents=True, exist_ok=True)
    tree = Tree(folder / f"{name}-{SUITE}")
    with open(folder / "lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not complete(tree):
            shutil.rmtree(tree.root, ignore_errors=True)
            part = _fetch(folder, packages, how, alone)
            mend(part)
            part.rename(tree.root)
    return tree


def _fetch(folder, packages, how, alone):
    """Return a folder with the packages, and what they depend on, unpacked."""
    part, apt = folder / "part", folder / "apt"
    for path in (part, apt):
        shutil.rmtree(path, ignore_errors=True)
    for name in ("state/lists/partial", "cache/archives/partial", "debs"):
        (apt / name).mkdir(parents=True)
    options = [f"-oDir::State={apt}/state", f"-oDir::Cache={apt}/cache", "-oDir::State::status=/var/lib/dpkg/status",
               "-oDebug::NoLocking=1", "-oAcquire::Retries=1", "-oAcquire::http::Timeout=20", "-qq"]  # fmt: skip

    def run(*command):
        done = subprocess.run(
            command, cwd=apt / "debs", env={**os.environ, "LC_ALL": "C"}, stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=FETCH_S,
        )  # fmt: skip
        if done.returncode:
            last = (done.stdout.strip().splitlines() or ["no reason"])[-1]
            raise Missing(how(f"{' '.join(map(str, command[:1]))} says {last!r}"))
        return done.stdout

    try:
        run("apt-get", *options, "update")
        wanted = set(packages)
        if not alone:
            said = run("apt-get", *options, "install", "--simulate", "--no-install-recommends", *packages)
            # What is installed already does no harm; without it the tree would be half here and half there.
            wanted |= {line.split()[1] for line in said.splitlines() if line.startswith("Inst ")}
        run("apt-get", *options, "download", *sorted(wanted))
        for package in sorted((apt / "debs").glob("*.deb")):
            run("dpkg", "-x", package, part)
    except (OSError, subprocess.TimeoutExpired) as error:
        raise Missing(how(f"the packages cannot be fetched ({error})")) from error
    shutil.rmtree(apt, ignore_errors=True)
    return part
