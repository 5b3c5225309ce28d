"""The barest client of slurmrestd, for the lab's own tests: one call, its status and body. No product code in it."""

import time

import requests


class Rest:
    """Calls one site as one user, in the version of its release unless the path says otherwise."""

    def __init__(self, lab, name: str, user: str = "brain", **claims):
        self.lab, self.site = lab, lab.site(name)
        self.version = {"22.05": "v0.0.38", "24.11": "v0.0.42"}[self.site.info()["settings"]["release"]]
        self.session = requests.Session()
        self.session.trust_env = False
        self.session.verify = str(lab.config / "ca.pem")
        self.session.headers.update({"X-SLURM-USER-NAME": user, "X-SLURM-USER-TOKEN": self.site.token(user, **claims)})

    def close(self) -> None:
        self.session.close()

    def raw(self, method: str, path: str, **options):
        options.setdefault("timeout", 20)
        return self.session.request(method, self.site.rest + path, **options)

    def call(self, method: str, path: str, body=None, **query) -> tuple[int, dict]:
        """Return (HTTP status, JSON body); `path` is below ``/slurm/<version>`` unless it begins with a slash."""
        full = path if path.startswith("/") else f"/slurm/{self.version}/{path}"
        answer = self.raw(method, full, json=body, params=query) if body is not None else self.raw(
            method, full, params=query)  # fmt: skip
        return answer.status_code, answer.json()

    def get(self, path: str, **query) -> tuple[int, dict]:
        return self.call("GET", path, **query)

    def db(self, path: str, **query) -> tuple[int, dict]:
        return self.call("GET", f"/slurmdb/{self.version}/{path}", **query)

    def job_body(self, script: str = "exit 0", **job) -> dict:
        job = {"name": "t", "environment": {"PATH": "/usr/bin:/bin"},
               "current_working_directory": str(self.site.home), **job}  # fmt: skip
        job = {key: value for key, value in job.items() if value is not None}
        return {"script": f"#!/bin/bash\n{script}\n", "job": job}

    def submit(self, script: str = "exit 0", **job) -> int:
        """Submit and return the number of an accepted job."""
        status, body = self.call("POST", "job/submit", self.job_body(script, **job))
        assert body.get("job_id"), (status, body["errors"])
        return body["job_id"]

    def job(self, job_id: int) -> dict:
        status, body = self.get(f"job/{job_id}")
        assert status == 200, body["errors"]
        return body["jobs"][0]

    def until(self, job_id: int, *states: str, seconds: float = 15) -> dict:
        """Poll until the job is in one of `states` (default: any final one)."""
        states = states or ("COMPLETED", "FAILED", "CANCELLED", "TIMEOUT", "NODE_FAIL", "DEADLINE")
        end = time.monotonic() + seconds
        while not _words(found := self.job(job_id)) <= set(states):
            assert time.monotonic() < end, (found["job_state"], found["state_reason"])
            time.sleep(0.02)
        return found


def _words(job: dict) -> set[str]:
    """Return the words of a state: a list, or one word before v0.0.40."""
    return {job["job_state"]} if isinstance(job["job_state"], str) else set(job["job_state"])


def numbers(body: dict) -> list[int]:
    """Return the error numbers of an answer, whichever of the three shapes they have."""
    return [e.get("error_number", e.get("error_code", e.get("errno"))) for e in body["errors"]]
