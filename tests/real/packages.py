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
#: what mariadb-install-db calls
HELPERS = ("my_print_defaults", "resolveip")
PLUGINS = ("auth_munge.so", "auth_jwt.so", "accounting_storage_mysql.so")
PROMETHEUS = ("prometheus", "prometheus-alertmanager")
SUITE = "bookworm"
FETCH_S = 240
KEYRING = Path("/usr/share/keyrings/debian-archive-keyring.gpg")
SOURCE = f"deb [signed-by={KEYRING}] http://deb.debian.org/debian {{suite}} main\n"
# The client library of MariaDB 11.8.9 ends slurmdbd 24.11 at its first query ("maximum allowed number of columns (=0)",
# seen); Debian 12's has the same ABI, and does not.
OLDER = f"libmariadb3/{SUITE}"


@dataclass(frozen=True)
class Release:
    """A release of Slurm as a Debian suite has it: what starts with `plugins` lies in its PluginDir."""

    version: str
    suite: str
    debian: str
    plugins: tuple[str, ...]


RELEASES = {
    one.version: one
    for one in (
        Release("22.05", "bookworm", "Debian 12", ("openapi_v0_0_38.so", "openapi_dbv0_0_38.so")),
        Release("24.11", "trixie", "Debian 13", ("openapi_slurmdbd.so", "data_parser_v0_0_42.so")),
    )
}
OLDEST, NEWEST = RELEASES


class Missing(Exception):
    """A real server cannot be had here; the message is one line that says how to enable it."""


@dataclass(frozen=True)
class Tree:
    """A folder with ``usr/bin`` and so on below it: ``/``, or where packages were unpacked."""

    root: Path
    #: Its programs find the tree's own C library and loader, since the machine's are older.
    own_libraries: bool = False

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
        if self.root != Path("/") and self.plugins and not self.own_libraries:
            found["LD_LIBRARY_PATH"] = f"{self.plugins.parent}:{self.plugins}"
        return found

    def has(self, release):
        """Return whether it holds all of a Release, and that runs here."""
        plugins = self.plugins
        there = plugins and all((plugins / name).exists() for name in (*PLUGINS, *release.plugins))
        complete = there and all(map(self.program, PROGRAMS))
        return bool(complete and self.slurm_version().startswith(release.version))

    def slurm_version(self):
        """Return ``22.05.8``; an empty text where the program does not run."""
        done = subprocess.run(
            [self.program("slurmctld"), "-V"], env=self.environment, capture_output=True, text=True, timeout=30
        )
        return done.stdout.strip().rpartition(" ")[2]


def _how(release, why):
    said = f"no real Slurm {release.version} here: {why}"
    return f"{said}; on {release.debian}: apt install --no-install-recommends {' '.join(SLURM)}"


@functools.cache
def slurm(version=OLDEST):
    """Return the Tree with a release of Slurm, and MariaDB; raise Missing with how to enable it."""
    release = RELEASES[version]
    if os.geteuid() == 0:
        raise Missing("no real Slurm as root, which slurmrestd refuses: run the tests as an ordinary user")
    installed = Tree(Path("/"))
    if installed.has(release):
        return installed
    foreign = _suite() != release.suite
    return unpacked(
        "slurm",
        SLURM,
        lambda tree: tree.has(release),
        functools.partial(_how, release),
        mend=_stand_alone if foreign else _alternatives,
        suite=release.suite,
    )


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
def missing(version=OLDEST):
    """Return why there is no such real Slurm for the tests, in one line; None where there is."""
    return why_not("Slurm", functools.partial(slurm, version))


def need_slurm(version=OLDEST):
    return needed("Slurm", functools.partial(slurm, version))


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


def _templates_beside(part, root):
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


def _alternatives(part, root):
    """Make Debian's alternatives, which unpacking does not; slurmstepd under another name fails."""
    for name in ("slurmctld", "slurmd", "slurmstepd"):
        link = part / "usr" / "sbin" / name
        if not link.exists():
            link.symlink_to(f"{name}-wlm")


def _stand_alone(part, root):
    """Let the programs of another Debian run here: each names its own loader and libraries, by absolute path.

    Not by LD_LIBRARY_PATH: a job is a program of this machine, and the other C library would end it.
    """
    _alternatives(part, root)
    loader = next(iter(sorted(part.glob("usr/lib/*/ld-linux-*"))))
    there = root / loader.parent.relative_to(part)
    words = [loader, "--library-path", loader.parent, part / "usr" / "bin" / "patchelf", "--force-rpath"]
    words += ["--set-interpreter", there / loader.name, "--set-rpath", f"{there}:{there / 'slurm-wlm'}"]
    for program in (*PROGRAMS, *HELPERS):
        found = Tree(part).program(program).resolve()
        if found.read_bytes()[:4] == b"\x7fELF":
            subprocess.run([*words, found], check=True, timeout=60)


def unpacked(name, packages, complete, how, alone=False, mend=lambda part, root: None, suite=SUITE):
    """Return the Tree of unpacked packages, fetched where it is not `complete` yet; raise Missing.

    how: what makes a line of advice of a reason. alone: without what they depend on. mend: does what installing does
    to a folder before it is renamed to the second. suite: whose they are; another one's come with all they need.
    """
    foreign = _suite() != suite
    if not shutil.which("apt-get") or not (KEYRING.exists() if foreign else _suite() == SUITE):
        raise Missing(how("Debian's own tools are needed to fetch it"))
    folder = cache()
    folder.mkdir(parents=True, exist_ok=True)
    tree = Tree(folder / f"{name}-{suite}", own_libraries=foreign)
    with open(folder / "lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not complete(tree):
            shutil.rmtree(tree.root, ignore_errors=True)
            part = _fetch(folder, packages, how, alone, suite if foreign else None)
            mend(part, tree.root)
            part.rename(tree.root)
    return tree


def _fetch(folder, packages, how, alone, suite):
    """Return a folder with the packages, and what they depend on, unpacked. suite: None for the machine's own."""
    part, apt = folder / "part", folder / "apt"
    for path in (part, apt):
        shutil.rmtree(path, ignore_errors=True)
    for name in ("state/lists/partial", "cache/archives/partial", "debs"):
        (apt / name).mkdir(parents=True)
    status = "/var/lib/dpkg/status"
    options = [f"-oDir::State={apt}/state", f"-oDir::Cache={apt}/cache", "-oDebug::NoLocking=1",
               "-oAcquire::Retries=1", "-oAcquire::http::Timeout=20", "-qq"]  # fmt: skip
    if suite:
        # Nothing counts as installed: what the machine has of another suite is of no use to these.
        status = apt / "status"
        status.touch()
        (apt / "sources.list").write_text("".join(SOURCE.format(suite=one) for one in (suite, SUITE)))
        options += [f"-oDir::Etc::sourcelist={apt}/sources.list", "-oDir::Etc::sourceparts=/dev/null"]
        packages = [*packages, "patchelf"]
    options.append(f"-oDir::State::status={status}")

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
            package.unlink()
        if suite:
            run("apt-get", *options, "download", OLDER)
            run("dpkg", "-x", *(apt / "debs").glob("*.deb"), part)
    except (OSError, subprocess.TimeoutExpired) as error:
        raise Missing(how(f"the packages cannot be fetched ({error})")) from error
    shutil.rmtree(apt, ignore_errors=True)
    return part
