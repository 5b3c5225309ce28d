"""The run process where playbooks run as jobs of a controller (AWX): it launches one job, and follows it to its end.

``python -m webhook.runs.controller FOLDER``. Folder, lock and result are those of `webhook.runs.process`. A launch has
no idempotency key there, and jobs cannot be asked for by their variables: every launch carries a mark of ours, which
is looked for among the template's own jobs before anything is launched.
"""

from __future__ import annotations

import json
import os
import sys
import time

from ansible_collections.suanwang.brain.plugins.module_utils.errors import BrainError
from ansible_collections.suanwang.brain.plugins.module_utils.errors import NotFound
from ansible_collections.suanwang.brain.plugins.module_utils.errors import Refused
from ansible_collections.suanwang.brain.plugins.module_utils.errors import Unreachable
from ansible_collections.suanwang.brain.plugins.plugin_utils.service import Service

from .. import config
from .folder import Folder
from .follower import Follower

NAME = "the controller"
CA_FILE = "controller-ca.pem"
MARK = "brain_launch"
ALREADY = 75
POLL_S = 1.0
#: How long a launch without an answer is looked for before it counts as not made.
LOOK_S = 15.0
#: How long a controller that is away is waited for before a job is launched; a job that runs is followed for ever.
AWAY_S = 600.0
PAGE = 200
_ENDS = ("successful", "failed", "error", "canceled")


class Job:
    """One job of a controller, for one attempt of a launch. spec: as `specs.job` makes it."""

    def __init__(self, service, prefix, folder, spec):
        self.service, self.prefix, self.folder, self.spec = service, prefix, folder, spec
        # What broke off is begun again: that is another job.
        self.mark = f"{folder.path.name}.{len(list(folder.path.glob('killed-*.json')))}"
        self.variables = {**spec["extra_vars"], MARK: self.mark}
        self.asked_to_cancel = False

    def number(self):
        """Return the id of our job: the one that is there, else of a new one."""
        template = self._template()
        found = self._find(template)
        if found is None and (self.folder / self._asked).exists():
            found = self._look(template)
        if found is None:
            found = self._launch(template)
        self._check(found)
        return found["id"]

    def follow(self, number, follower):
        """Write down what a job says until it is over; return it as it ended."""
        seen = 0
        while True:
            job = self._read(f"jobs/{number}/")
            ended = job["status"] in _ENDS and job["event_processing_finished"]
            seen = self._events(number, seen, follower, ended)
            if ended:
                return job
            if (self.folder / "cancel").exists() and not self.asked_to_cancel:
                self._cancel(number)
                self.asked_to_cancel = True
            time.sleep(POLL_S)

    # -- launching -----------------------------------------------------------------------------------------
    @property
    def _asked(self):
        return f"asked-{self.mark}.json"

    def _template(self):
        """Return the id of the template; raise where it would drop what we send."""
        name = self.spec["template"]
        found = self._get("job_templates/", {"name": name})["results"]
        if len(found) != 1:
            raise NotFound(
                f"it has {len(found)} job templates {name!r}.",
                site=NAME,
                way_out="Run playbooks/awx.yml, or correct `backend.templates` in webhook.yml.",
            )
        number = found[0]["id"]
        asks = self._get(f"job_templates/{number}/launch/")
        survey = self._get(f"job_templates/{number}/survey_spec/") if asks["survey_enabled"] else {}
        known = {question["variable"] for question in survey.get("spec", ())}
        dropped = [] if asks["ask_variables_on_launch"] else sorted(set(self.variables) - known)
        dropped += [field for field in self.spec["fields"] if not asks[f"ask_{field}_on_launch"]]
        if dropped:
            raise self._dropping(name, dropped)
        return number

    def _dropping(self, name, dropped):
        return Refused(
            f"the template {name!r} does not take {', '.join(dropped)}: a job would run without.",
            site=NAME,
            way_out="Run playbooks/awx.yml, or let the template ask for it.",
        )

    def _find(self, template):
        """Return our job among the template's own, newest first, or None."""
        query = {"order_by": "-id", "page_size": PAGE, "created__gt": self.spec["since"], "page": 1}
        while True:
            page = self._get(f"job_templates/{template}/jobs/", query)
            for job in page["results"]:
                if json.loads(job["extra_vars"] or "{}").get(MARK) == self.mark:
                    return job
            if not page["next"]:
                return None
            query["page"] += 1

    def _look(self, template):
        """Return the job of a launch that had no answer, or None where it was not made."""
        until = time.monotonic() + LOOK_S
        while True:
            found = self._find(template)
            if found is not None or time.monotonic() >= until:
                return found
            time.sleep(POLL_S)

    def _launch(self, template):
        self.folder.write(self._asked, {"template": template, "mark": self.mark})
        body = {**self.spec["fields"], "extra_vars": self.variables}
        try:
            job = self.service.post(f"{self.prefix}job_templates/{template}/launch/", body).body
        except BrainError as error:
            if not (error.details.get("doubt") or error.details.get("status", 0) >= 500):
                raise
            job = self._look(template)
            if job is None:
                raise
            return job
        if job["ignored_fields"]:
            self._cancel(job["job"])
            raise self._dropping(self.spec["template"], sorted(job["ignored_fields"]))
        return job

    def _check(self, job):
        """Raise where a job is not the one that was asked for; it is ended."""
        has = json.loads(job["extra_vars"] or "{}")
        wrong = [name for name, value in self.variables.items() if has.get(name) != value]
        wrong += [name for name, value in self.spec["fields"].items() if job.get(name) != value]
        if wrong:
            self._cancel(job["id"])
            raise self._dropping(self.spec["template"], wrong)

    # -- following -----------------------------------------------------------------------------------------
    def _events(self, number, seen, follower, ended):
        """Hand on what is new, in order; events arrive late, so a gap in the counter is waited for until the end."""
        while True:
            query = {"order_by": "counter", "counter__gt": seen, "page_size": PAGE, "no_truncate": 1}
            found = self._read(f"jobs/{number}/job_events/", query)["results"]
            before = seen
            for event in found:
                if event["counter"] != seen + 1 and not ended:
                    break
                follower.event(event)
                seen = event["counter"]
            if seen == before or len(found) < PAGE:
                return seen

    def _cancel(self, number):
        try:
            self.service.post(f"{self.prefix}jobs/{number}/cancel/", {})
        except BrainError as error:
            if error.details.get("status") != 405:  # it is over already
                raise

    def _read(self, path, query=None):
        """Read something of a job that runs: however long the controller is away, the job is not."""
        while True:
            try:
                return self._get(path, query)
            except Unreachable:
                time.sleep(5 * POLL_S)

    def _get(self, path, query=None):
        return self.service.get(self.prefix + path, query).body


def _numbered(job):
    """Return our job's id; a controller that is away is waited for, since nothing was launched without an answer."""
    until = time.monotonic() + AWAY_S
    while True:
        try:
            return job.number()
        except Unreachable:
            if time.monotonic() >= until or (job.folder / "cancel").exists():
                raise
            time.sleep(5 * POLL_S)


def _result(ended, follower):
    """Return the launch's result of a job that is over."""
    status = ended["status"]
    if ended["job_explanation"]:
        follower.say(f"ERROR: {NAME}: {ended['job_explanation']}")
    code = {"successful": 0, "failed": 1}.get(status)
    if status == "failed" and not ended["job_explanation"] and not follower.ended:
        code = None  # the playbook was killed: one that fails comes to its end, and says so
    said = {"cancelled": status == "canceled", "job": ended["id"], "stats": ended["artifacts"]}
    return {"exit_code": code, **said}


def run(folder, settings):
    """Do what the folder's spec says, and write the result. Returns our exit code."""
    lock = folder.take_lock()
    if lock is None or folder.read("result.json") is not None:
        return ALREADY
    with lock:
        with open(folder / "started", "a") as stream:
            stream.write(f"{os.getpid()}\n")
        for name in ("log.txt", "events.jsonl"):  # a job that is adopted is told from its beginning
            (folder / name).unlink(missing_ok=True)
        backend, follower = settings.file.backend, Follower(folder)
        try:
            token = settings.secret(backend.credential)
            with Service(NAME, backend.url, token, settings.config, CA_FILE, "`backend.url`") as service:
                job = Job(service, backend.prefix, folder, folder.read("spec.json"))
                result = _result(job.follow(_numbered(job), follower), follower)
        except BrainError as error:
            follower.say(f"ERROR: {error}")
            result = {"exit_code": 1, "cancelled": (folder / "cancel").exists()}
        follower.close()
        folder.write("result.json", result)
    return 0


if __name__ == "__main__":
    sys.exit(run(Folder(sys.argv[1]), config.load()))
