"""Starts the controller over a lab: a project in git without the collection, and the collection in its image only."""

import json
import os
import secrets
import shutil
import subprocess
import sys
import time
from pathlib import Path

import requests

from tests.lab import render

CHECKOUT = Path(__file__).resolve().parents[3]
SOURCE = CHECKOUT / "collections" / "ansible_collections" / "suanwang" / "brain"
READY_S = 120
#: What a project holds that AWX runs: neither the collection nor our ansible.cfg.
_PROJECT = ("playbooks", "inventories", "examples", "requirements.yml")


class Server:
    """A controller on a free port. config: the config folder as jobs see it, in the project or beside it."""

    def __init__(self, folder):
        self.folder = Path(folder)
        self.port = render.free_port(set())
        self.url = f"http://127.0.0.1:{self.port}"
        self.token = secrets.token_hex(20)
        self.token_file = self.folder / "token"
        self.project = self.folder / "project"
        self.collections = self.folder / "image" / "collections"
        self.process = None

    def __enter__(self):
        self.folder.mkdir(parents=True, exist_ok=True)
        self.token_file.write_text(self.token)
        self.token_file.chmod(0o600)
        self._build_image()
        self._make_project()
        self.start()
        return self

    def __exit__(self, *_unused):
        self.stop()

    def start(self):
        with open(self.folder / "server.log", "ab") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "tests.lab.controller", str(self.port), str(self.folder / "work"),
                 str(self.collections), str(self.token_file)],
                cwd=CHECKOUT, env=self._environment(PYTHONPATH=f"{CHECKOUT}:{CHECKOUT / 'collections'}"),
                stdin=subprocess.DEVNULL, stdout=log, stderr=log,
            )  # fmt: skip
        until = time.monotonic() + READY_S
        while time.monotonic() < until and self.process.poll() is None:
            try:
                if requests.get(f"{self.url}/api/v2/ping/", timeout=5).ok:
                    return
            except requests.RequestException:
                time.sleep(0.05)
        raise AssertionError((self.folder / "server.log").read_text()[-3000:])

    def stop(self):
        if self.process.poll() is None:
            self.process.terminate()
            self.process.wait(20)

    def call(self, method, path, body=None, **query):
        """Return the response below /api/v2/."""
        headers = {"Authorization": f"Bearer {self.token}"}
        return requests.request(
            method, f"{self.url}/api/v2/{path}", json=body, params=query, headers=headers, timeout=60
        )  # fmt: skip

    def launch(self, template, **body):
        """Launch a template by name, wait for the end, and return the job with its text."""
        (found,) = self.call("GET", "job_templates/", name=template).json()["results"]
        answer = self.call("POST", f"job_templates/{found['id']}/launch/", body)
        assert answer.status_code == 201, answer.text
        return self.ended(answer.json()["job"])

    def ended(self, job, seconds=240):
        until = time.monotonic() + seconds
        while time.monotonic() < until:
            found = self.call("GET", f"jobs/{job}/").json()
            if found["event_processing_finished"]:
                return {**found, "text": self.call("GET", f"jobs/{job}/stdout/", format="txt").text}
            time.sleep(0.2)
        raise AssertionError(f"job {job} is still {found['status']}")

    def lose_answers(self, count):
        requests.post(
            f"{self.url}/control/lose", json={"count": count}, timeout=10,
            headers={"Authorization": f"Bearer {self.token}"},
        ).raise_for_status()  # fmt: skip

    # -- what it starts from -------------------------------------------------------------------------------
    def _environment(self, **more):
        home = self.folder / "home"
        home.mkdir(exist_ok=True)
        path = f"{Path(sys.executable).parent}:/usr/local/bin:/usr/bin:/bin"
        return {"PATH": path, "HOME": str(home), "LANG": "C.UTF-8", **more}

    def _build_image(self):
        """Build the collection's tarball and install it, as the execution environment holds it."""
        copy = self.folder / "source"
        shutil.copytree(SOURCE, copy, ignore=shutil.ignore_patterns("__pycache__", "output"))
        galaxy = Path(sys.executable).parent / "ansible-galaxy"
        version = next(
            line.split()[1] for line in (SOURCE / "galaxy.yml").read_text().splitlines() if "version" in line
        )
        for command in (
            ["build", str(copy), "--output-path", str(self.folder)],
            [
                "install",
                str(self.folder / f"suanwang-brain-{version}.tar.gz"),
                "-p",
                str(self.collections),
                "--offline",
            ],
        ):
            subprocess.run(
                [galaxy, "collection", *command], check=True, capture_output=True, cwd=self.folder,
                env=self._environment(),
            )  # fmt: skip
        shutil.rmtree(copy)

    def _make_project(self):
        self.project.mkdir()
        for name in _PROJECT:
            source = CHECKOUT / name
            shutil.copytree(source, self.project / name) if source.is_dir() else shutil.copy(source, self.project)
        self.commit("The project")

    def add_fleet(self, config, name="inventories/lab/fleet.brain.yml"):
        """Point the project's inventory source at a config folder."""
        (self.project / name).write_text(json.dumps({"plugin": "suanwang.brain.fleet", "config": str(config)}))
        self.commit("The fleet")

    def commit(self, message):
        git = ["git", "-C", str(self.project), "-c", "user.name=lab", "-c", "user.email=lab@lab.invalid"]
        if not (self.project / ".git").exists():
            subprocess.run([*git, "init", "-q", "-b", "main"], check=True)
        for command in (["add", "-A"], ["commit", "-q", "--allow-empty", "-m", message]):
            subprocess.run([*git, *command], check=True, env={**os.environ, "GIT_CONFIG_NOSYSTEM": "1"})
