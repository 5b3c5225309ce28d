"""Callers of the application under test."""

import json
from dataclasses import dataclass
from dataclasses import field

from webhook.login import sessions


@dataclass
class Browser:
    """A logged-in browser: Flask's client with the session's cookie and CSRF token."""

    client: object
    csrf: str
    headers: dict = field(default_factory=dict)

    def call(self, method, path, body=None, csrf=True, **options):
        headers = {**self.headers, **options.pop("headers", {})}
        if csrf:
            headers["X-CSRF-Token"] = self.csrf
        return self.client.open(path, method=method, json=body, headers=headers, **options)

    def get(self, path, **options):
        return self.call("GET", path, **options)

    def post(self, path, body=None, **options):
        return self.call("POST", path, {} if body is None else body, **options)


def browser(app, principal="requester@lab.invalid", roles=("requester",), tenants=("*",), sites=()):
    """Return a Browser for somebody whom a provider vouched for just now."""
    person = {"principal": principal, "name": principal, "source": "test", "roles": roles}
    person |= {"tenants": list(tenants), "sites": list(sites)}
    cookie, caller = sessions.enter(app.extensions["desk"], person)
    client = app.test_client()
    client.set_cookie("suanwang", cookie)
    return Browser(client, caller.csrf)


def tiny_task(name="tiny", **changes):
    """Return (document, files) of the smallest task that really runs."""
    component = {
        "id": "train",
        "kind": "run",
        "framework": "none",
        "code": {"path": "code", "entry": "main.py"},
        "resources": {"accelerators": 1, "cpu": 1, "memory_gib": 1},
        "work": {"duration_s": 5},
        **changes,
    }
    text = "import time\nprint('begun', flush=True)\ntime.sleep(0.3)\n"
    files = [{"path": "code/main.py", "text": text}]
    return {"name": name, "tenant": "demo", "components": [component]}, files


def said(answer):
    return json.loads(answer.get_data(as_text=True))
