"""Jobs and updates: each a thread that waits for what comes first, then a process, then the result."""

import contextlib
import json
import os
import signal
import stat
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

from jinja2 import Environment

from tests.lab.controller.objects import ACTIVE
from tests.lab.controller.objects import now

CHECKOUT = Path(__file__).resolve().parents[3]


class Work:
    """folder: ours. collections: the system-wide collections folder of the execution environment."""

    def __init__(self, objects, folder, collections):
        self.objects, self.folder, self.collections = objects, Path(folder), Path(collections)
        self.running = {}

    # -- projects ------------------------------------------------------------------------------------------
    def update_project(self, project):
        """Begin a project update; return it."""
        made = self.objects.make("project_updates", {"project": project["id"], "name": project["name"]})
        project.update(status="pending", _update=made["id"])
        threading.Thread(target=self._clone, args=(project, made), daemon=True).start()
        return made

    def _clone(self, project, update):
        update.update(status="running", started=now())
        target = self.folder / "projects" / f"{update['id']}"
        branch = ["-b", project["scm_branch"]] if project["scm_branch"] else []
        done = subprocess.run(
            ["git", "-c", "safe.directory=*", "clone", "-q", *branch, project["scm_url"], str(target)],
            capture_output=True, text=True, stdin=subprocess.DEVNULL,
        )  # fmt: skip
        good = done.returncode == 0
        if good:
            head = ["git", "-c", "safe.directory=*", "-C", str(target), "rev-parse", "HEAD"]
            update["scm_revision"] = project["scm_revision"] = subprocess.check_output(head, text=True).strip()
            for path in [target, *target.rglob("*")]:
                if not path.is_symlink():
                    path.chmod(path.stat().st_mode & ~(stat.S_IWUSR | stat.S_IWGRP | stat.S_IWOTH))
            project["_path"] = str(target)
        end = {"status": "successful" if good else "failed", "failed": not good}
        project.update(status=end["status"], _update=None)
        update.update(**end, finished=now())

    # -- inventories ---------------------------------------------------------------------------------------
    def update_inventory(self, source):
        """Begin an inventory update; return it."""
        made = self.objects.make(
            "inventory_updates",
            {"inventory_source": source["id"], "inventory": source["inventory"], "name": source["name"]},
        )
        threading.Thread(target=self._read_inventory, args=(source, made), daemon=True).start()
        return made

    def _read_inventory(self, source, made):
        project = self.objects.get("projects", source["source_project"])
        folder = self._folder(f"update-{made['id']}")
        credentials = [source["credential"]] if source["credential"] else source["_credentials"]
        spec = {"kind": "update", "source": source["source_path"], "project": project["_path"]}
        self._run(folder, spec, made, credentials)
        if made["status"] == "successful":
            inventory = self.objects.get("inventories", source["inventory"])
            inventory["_content"] = (folder / "inventory.json").read_text()
        source["status"] = made["status"]

    # -- jobs ----------------------------------------------------------------------------------------------
    def start(self, job):
        threading.Thread(target=self._job, args=(job,), daemon=True).start()

    def _job(self, job):
        for source in self.objects.all("inventory_sources", inventory=job["inventory"], update_on_launch=True):
            update = self.update_inventory(source)
            job["job_explanation"] = f"waiting for inventoryupdate-{update['id']} to finish"
            while update["status"] in ACTIVE:
                time.sleep(0.05)
            if update["status"] != "successful":
                said = {"job_type": "inventory_update", "job_name": update["name"], "job_id": str(update["id"])}
                job["job_explanation"] = f"Previous Task Failed: {json.dumps(said)}"
                job.update(status="failed", failed=True, finished=now(), event_processing_finished=True)
                return
        with self.objects.lock:
            if job["status"] != "pending":
                return
            job.update(status="waiting", job_explanation="")
        project = self.objects.get("projects", job["project"])
        folder = self._folder(f"job-{job['id']}")
        self._lay_inventory(folder, self.objects.get("inventories", job["inventory"]))
        flags = ["--check"] if job["job_type"] == "check" else []
        flags += ["--diff"] if job["diff_mode"] else []
        flags += ["-l", job["limit"]] if job["limit"] else []
        spec = {
            "kind": "job", "project": project["_path"], "playbook": job["playbook"], "forks": job["forks"],
            "extra_vars": {**json.loads(job["extra_vars"]), "awx_job_id": job["id"]}, "cmdline": " ".join(flags),
        }  # fmt: skip
        self._run(folder, spec, job, job["_credentials"])
        time.sleep(0.1)  # events are written down after the job has ended
        job["event_processing_finished"] = True

    def cancel(self, job):
        """End a job; return whether it was active."""
        with self.objects.lock:
            if job["status"] not in ACTIVE:
                return False
            job["canceled_on"] = now()
            if job["status"] == "pending":
                job.update(status="canceled", failed=True, finished=now(), event_processing_finished=True)
            else:
                (self._folder(f"job-{job['id']}") / "cancel").touch()
            return True

    def events(self, job):
        """Return the events of a job so far."""
        with contextlib.suppress(FileNotFoundError):
            text = (self.folder / f"job-{job['id']}" / "events.jsonl").read_text()
            return [json.loads(line) for line in text.splitlines() if line.endswith("}")]
        return []

    def stop(self):
        """End every process."""
        for child in list(self.running.values()):
            with contextlib.suppress(ProcessLookupError):
                os.killpg(child.pid, signal.SIGTERM)

    # -- a process -----------------------------------------------------------------------------------------
    def _folder(self, name):
        folder = self.folder / name
        (folder / "private" / "env").mkdir(parents=True, exist_ok=True, mode=0o700)
        return folder

    @staticmethod
    def _lay_inventory(folder, inventory):
        path = folder / "private" / "inventory" / "hosts"
        path.parent.mkdir(exist_ok=True)
        content = inventory.get("_content") or '{"all": {"hosts": []}}'
        path.write_text(f"#! /usr/bin/env python3\nprint(r'''{content}''')\n")
        path.chmod(0o700)

    def _environment(self, folder, credentials):
        """What AWX gives a job: nothing of the controller's own but what is listed here."""
        home = folder / "home"
        home.mkdir(exist_ok=True)
        given = {
            "PATH": f"{Path(sys.executable).parent}:/usr/local/bin:/usr/bin:/bin",
            "HOME": str(home),
            "LANG": "C.UTF-8",
            "ANSIBLE_COLLECTIONS_PATH": f"{folder / 'private' / 'requirements_collections'}:{self.collections}",
            "ANSIBLE_FORCE_COLOR": "True",
            "ANSIBLE_HOST_KEY_CHECKING": "False",
            "ANSIBLE_INVENTORY_UNPARSED_FAILED": "True",
            "ANSIBLE_RETRY_FILES_ENABLED": "False",
            "AWX_HOST": "https://controller.invalid",
            "JOB_ID": "1",
        }
        for number in credentials:
            credential = self.objects.get("credentials", number)
            injectors = self.objects.get("credential_types", credential["credential_type"])["injectors"]
            given.update(self._inject(folder, injectors, credential["inputs"]))
        return given

    @staticmethod
    def _inject(folder, injectors, inputs):
        environment, files = Environment(), {}
        for label, template in injectors.get("file", {}).items():
            handle, path = tempfile.mkstemp(dir=folder / "private" / "env")
            with os.fdopen(handle, "w") as stream:
                stream.write(environment.from_string(template).render(**inputs))
            files[label.partition(".")[2]] = path
        tower = {"filename": files.get("", files)}
        return {
            name: environment.from_string(template).render(**inputs, tower=tower)
            for name, template in injectors.get("env", {}).items()
        }

    def _run(self, folder, spec, row, credentials):
        (folder / "spec.json").write_text(json.dumps(spec))
        given = self._environment(folder, credentials)
        row.update(status="running", started=now())
        with open(folder / "process.log", "ab") as log:
            child = subprocess.Popen(
                [sys.executable, "-m", "tests.lab.controller.runner", str(folder)], cwd=CHECKOUT, env=given,
                stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True,
            )  # fmt: skip
        self.running[folder.name] = child
        child.wait()
        del self.running[folder.name]
        try:
            result = json.loads((folder / "result.json").read_text())
        except FileNotFoundError:
            result = {"status": "error"}
            row["job_explanation"] = "Task was marked as running at system start up. The process is gone."
        row.update(**result, failed=result["status"] != "successful", finished=now())
