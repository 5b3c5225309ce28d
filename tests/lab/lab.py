"""Starts and stops the lab's sites, and is the handle by which tests and operators reach them.

    with Lab(tmp_path) as lab:            # free ports, its own copy of the config
        lab.site("hunan").foreign(gres="npu:ascend910b:8", seconds=60)
        … use lab.config …

A site is one process in its own session. It is remembered by pid and start ticks, so stopping never hits a stranger,
and after `stop` none of its jobs or commands is left.
"""

import contextlib
import fcntl
import json
import os
import platform
import shutil
import signal
import socket
import ssl
import subprocess
import sys
import time
from pathlib import Path

from tests.lab import keys
from tests.lab import procs
from tests.lab import render
from tests.lab.client import ControlClient

CHECKOUT = Path(__file__).resolve().parents[2]
CONFIG = CHECKOUT / "config" / "lab"
#: an emulated aarch64 is ten times slower
READY_S = 120 if platform.machine() == "aarch64" else 60
#: children that are meant to outlive us: dropping their handle would be a ResourceWarning
_DAEMONS: list[subprocess.Popen] = []


class LabError(Exception):
    """The lab could not be brought up; the message holds the end of the site's log."""


class Site(ControlClient):
    """One site: where it is, and the client of its control API."""

    def __init__(self, lab: "Lab", name: str, need: dict):
        self._lab, self.name, self.need = lab, name, need
        self.folder = lab.state / "sites" / name.replace("/", "@")
        self.home = self.folder / "home" / "brain"
        self.log = self.folder / "site.log"
        self.process = None

    # -- process -----------------------------------------------------------------------------
    @property
    def running(self) -> dict | None:
        """Return the identity of the site's living process, None if there is none."""
        return procs.recall(self.folder / "pid.json")

    @property
    def control_port(self) -> int:
        if (found := self._ready()) is None:
            raise LabError(f"site {self.name} is not running")
        return found["control"]

    def _ready(self) -> dict | None:
        """Return what the living process wrote when it listened, None before that."""
        with contextlib.suppress(OSError, ValueError):
            found = json.loads((self.folder / "ready.json").read_text())
            if (running := self.running) and running["pid"] == found["pid"]:
                return found
        return None

    def launch(self, background: bool) -> None:
        self._prepare()
        (self.folder / "ready.json").unlink(missing_ok=True)
        command = [sys.executable, "-m", self.need.get("module", "tests.lab.server"), str(self.folder)]
        if not background:
            command.append("--lifeline")
        environment = {k: v for k, v in os.environ.items() if not k.startswith(("SLURM_", "LAB_"))}
        environment |= {"PYTHONPATH": str(CHECKOUT), **self._lab.environment}
        with open(self.log, "ab") as log:
            self.process = subprocess.Popen(
                command, cwd=CHECKOUT, env=environment, start_new_session=True, stdout=log, stderr=log,
                stdin=subprocess.DEVNULL if background else subprocess.PIPE,
            )  # fmt: skip
        procs.remember(self.folder / "pid.json", self.process.pid)
        if background:
            _DAEMONS.append(self.process)

    def _prepare(self) -> None:
        """Make what a login finds: its home, and the software directory with an interpreter that has NumPy."""
        software = self.home / "brain" / "sw" / "bin"
        software.mkdir(parents=True, exist_ok=True)
        python = software / "python3"
        python.write_text(f'#!/bin/sh\nexec "{sys.executable}" "$@"\n')
        python.chmod(0o755)
        keys.write_private(self.folder / "spec.json", json.dumps(self.need).encode())

    def wait_ready(self, until: float) -> None:
        """Wait until REST and SSH answer; LabError with the log's tail if the process ends or is late."""
        while time.monotonic() < until:
            if self.process and self.process.poll() is not None:
                raise LabError(f"site {self.name} ended at once:\n{self.tail()}")
            if self._ready() and all(map(_answers, self.need["endpoints"])):
                return
            time.sleep(0.02)
        raise LabError(f"site {self.name} is not ready in time:\n{self.tail()}")

    def tail(self, lines: int = 20) -> str:
        with contextlib.suppress(OSError):
            return "\n".join(self.log.read_text(errors="replace").splitlines()[-lines:])
        return "(no log)"

    def kill(self) -> None:
        """SIGKILL the site's process: its jobs run on, what it had not saved is forgotten."""
        if found := self.running:
            os.kill(found["pid"], signal.SIGKILL)
        self._reap()

    def restart(self) -> None:
        """Start the process again after `kill`, with the same state, keys and ports, and a new nonce."""
        if self.running:
            self.ask_to_stop()
            self.finish()
        self._reap()
        self.launch(self._lab.background)
        self.wait_ready(time.monotonic() + READY_S)
        self.reset_counters()

    def ask_to_stop(self) -> None:
        if found := self.running:
            os.kill(found["pid"], signal.SIGTERM)

    def finish(self, seconds: float = 10.0) -> None:
        """Wait for the end that was asked for, force it if need be, and leave nothing behind."""
        found = self.running
        if found and not procs.wait_gone(found["pid"], found["ticks"], seconds):
            with contextlib.suppress(ProcessLookupError):
                os.kill(found["pid"], signal.SIGKILL)
            procs.wait_gone(found["pid"], found["ticks"], seconds)
        self._reap()
        procs.kill_marked(f"SLURM_CONF={self.folder / 'etc' / 'slurm.conf'}")
        for name in ("pid.json", "ready.json"):
            (self.folder / name).unlink(missing_ok=True)

    def _reap(self) -> None:
        if self.process:
            self.process.wait()
            if self.process.stdin:
                self.process.stdin.close()
            self.process = None
        _DAEMONS[:] = [child for child in _DAEMONS if child.poll() is None]

    # -- what a test needs -------------------------------------------------------------------
    @property
    def rest(self) -> str:
        """The address of its REST, ``https://127.10.0.1:16820``."""
        row = next(e for e in self.need["endpoints"] if e["protocol"] == "https")
        return f"https://{row['address']}:{row['port']}"

    def token(self, user: str = "brain", lifespan_s: int = 3600, **claims) -> str:
        """Return a fresh JWT of any user, as the site's ``scontrol token`` would."""
        return keys.mint_jwt(Path(self.need["jwt_key"]).read_bytes(), user, lifespan_s, **claims)


def _answers(endpoint: dict) -> bool:
    """Does an endpoint answer its own protocol?"""
    try:
        with socket.create_connection((endpoint["address"], endpoint["port"]), timeout=5) as connection:
            if endpoint["protocol"] == "ssh":
                return connection.recv(4) == b"SSH-"
            context = ssl.create_default_context()
            context.check_hostname, context.verify_mode = False, ssl.CERT_NONE  # only: does it speak?
            with context.wrap_socket(connection) as tls:
                tls.sendall(b"GET /openapi HTTP/1.1\r\nHost: lab\r\nConnection: close\r\n\r\n")
                return tls.recv(9).startswith(b"HTTP/1.1")
    except OSError:
        return False


class Lab:
    """All sites of a config folder. `ports`: "free" (an own copy of it) or "committed" (as they stand there).

    more: with what its folder `more` lays over it: sites and endpoints not started unless asked for; free ports only.
    An endpoint with a process of its own is a site here by the name ``<site>/<endpoint>``.
    """

    def __init__(
        self, state, ports="free", source=CONFIG, sites=None, background=False, settings=None, environment=None,
        more=False,
    ):  # fmt: skip
        if ports not in ("free", "committed") or (more and ports != "free"):
            raise ValueError(ports)
        self.state, self.source = Path(state).resolve(), Path(source).resolve()
        self.ports, self.wanted, self.background = ports, sites, background
        self.settings, self.environment = settings or {}, environment or {}
        self.more = self.source / "more" if more else None
        self.config = self.state / "config" if ports == "free" else self.source
        self._sites: dict[str, Site] = {}

    def __enter__(self):
        self.start()
        return self

    def __exit__(self, *_):
        self.stop()

    def site(self, name: str) -> Site:
        return self._sites[name]

    @property
    def sites(self) -> list[Site]:
        return list(self._sites.values())

    @contextlib.contextmanager
    def _locked(self):
        """One at a time for each state folder: two `up` at once must not start two labs."""
        self.state.mkdir(parents=True, exist_ok=True)
        with open(self.state / "lab.lock", "w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield

    # -- rendering ---------------------------------------------------------------------------
    def render(self) -> None:
        """Write the config folder with ports and secrets; take up the sites it names."""
        secrets = self.state / "secrets"
        secrets.mkdir(parents=True, exist_ok=True, mode=0o700)
        if self.ports == "free":
            remembered = self.state / "ports.json"
            old = json.loads(remembered.read_text()) if remembered.exists() else {}
            shutil.rmtree(self.config / "sites", ignore_errors=True)
            found = render.copy_with_free_ports(self.source, self.config, old, self.more)
            remembered.write_text(json.dumps(found))
        files = render.site_files(self.config, self.wanted)
        needs = render.secrets_into(self.config, secrets, files)
        self._take(needs)

    def _take(self, needs: dict) -> None:
        for name, need in needs.items():
            hardware = render.APART.get(name) or render.HARDWARE[name]
            need |= {"site": name, "hardware": hardware, "settings": self.settings}
            self._sites[name] = Site(self, name, need)

    def attach(self) -> list[Site]:
        """Take up the sites that an earlier process started in this state folder; return those that live."""
        for path in sorted((self.state / "sites").glob("*/spec.json")):
            need = json.loads(path.read_text())
            if self.wanted is None or need["site"].partition("/")[0] in self.wanted:
                self._sites[need["site"]] = Site(self, need["site"], need)
        return [site for site in self.sites if site.running]

    # -- life --------------------------------------------------------------------------------
    def start(self) -> "Lab":
        """Start every site that does not run yet; return when all of them answer."""
        with self._locked():
            old = self.attach()
            if old and not self.background:  # a test run that died left them
                self._stop_all()
                old = []
            expected = render.processes(self.source, self.wanted, self.more)
            if {site.name for site in old} == expected and self._still_fit():
                return self
            for attempt in (1, 2, 3):
                try:
                    self._start_once()
                    return self
                except LabError as error:
                    self._stop_all()
                    if self.ports == "committed" or attempt == 3 or "in use" not in str(error):
                        raise
                    (self.state / "ports.json").unlink(missing_ok=True)
                except BaseException:
                    self._stop_all()
                    raise
        return self

    def _still_fit(self) -> bool:
        """Do the running sites serve what the config says? Writes again what is missing there; stops them if not."""
        if self.ports == "free":
            return True
        served = {site.name: site.need["endpoints"] for site in self.sites}
        self.render()
        if all(site.need["endpoints"] == served[site.name] for site in self.sites):
            return True
        self._stop_all()
        return False

    def _start_once(self) -> None:
        self.render()
        for site in self.sites:
            if not site.running:
                site.launch(self.background)
        until = time.monotonic() + READY_S
        for site in self.sites:
            site.wait_ready(until)
            site.reset_counters()  # asking whether it is ready is not a read by a client

    def stop(self) -> None:
        """Stop every site, its jobs and its commands; harmless where nothing runs."""
        with self._locked():
            if not self._sites:
                self.attach()
            self._stop_all()

    def _stop_all(self) -> None:
        for site in self.sites:
            site.ask_to_stop()
        for site in self.sites:
            site.finish()


def default_state() -> Path:
    """Where ``python -m tests.lab`` keeps its lab."""
    root = os.environ.get("SUANWANG_STATE") or Path.home() / ".local" / "state" / "suanwang"
    return Path(root).expanduser() / "lab" / "default"


__all__ = ["CONFIG", "Lab", "LabError", "Site", "default_state"]
