"""What there is: kinds, their fields and defaults, and the objects themselves."""

import datetime
import json
import threading

_TEXT = {"description": ""}
_ASKS = (
    "credential diff_mode execution_environment forks instance_groups inventory job_slice_count job_type labels limit"
    " scm_branch skip_tags tags timeout variables verbosity"
).split()

#: kind → (type, name in error texts, fields with defaults)
KINDS = {
    "organizations": ("organization", "Organization", {**_TEXT, "max_hosts": 0, "default_environment": None}),
    "credential_types": (
        "credential_type", "CredentialType",
        {**_TEXT, "kind": None, "inputs": {}, "injectors": {}, "managed": False, "namespace": None},
    ),
    "credentials": (
        "credential", "Credential",
        {**_TEXT, "organization": None, "credential_type": None, "inputs": {}, "managed": False},
    ),
    "execution_environments": (
        "execution_environment", "ExecutionEnvironment",
        {**_TEXT, "organization": None, "image": None, "credential": None, "pull": "", "managed": False},
    ),
    "projects": (
        "project", "Project",
        {
            **_TEXT, "organization": None, "scm_type": "", "scm_url": "", "scm_branch": "", "scm_refspec": "",
            "scm_clean": False, "scm_delete_on_update": False, "scm_track_submodules": False, "scm_revision": "",
            "scm_update_on_launch": False, "scm_update_cache_timeout": 0, "allow_override": False, "timeout": 0,
            "credential": None, "default_environment": None, "local_path": "", "status": "never updated",
        },
    ),
    "inventories": (
        "inventory", "Inventory", {**_TEXT, "organization": None, "kind": "", "host_filter": None, "variables": ""},
    ),
    "inventory_sources": (
        "inventory_source", "InventorySource",
        {
            **_TEXT, "inventory": None, "source": "", "source_project": None, "source_path": "", "source_vars": "",
            "credential": None, "execution_environment": None, "overwrite": False, "overwrite_vars": False,
            "update_on_launch": False, "update_cache_timeout": 0, "timeout": 0, "verbosity": 1,
            "status": "never updated", "scm_branch": "", "limit": "", "host_filter": "", "enabled_var": "",
            "enabled_value": "",
        },
    ),
    "job_templates": (
        "job_template", "JobTemplate",
        {
            **_TEXT, "organization": None, "job_type": "run", "inventory": None, "project": None, "playbook": "",
            "forks": 0, "limit": "", "verbosity": 0, "extra_vars": "", "job_tags": "", "skip_tags": "", "timeout": 0,
            "execution_environment": None, "diff_mode": False, "allow_simultaneous": False, "survey_enabled": False,
            "become_enabled": False, "scm_branch": "", **{f"ask_{name}_on_launch": False for name in _ASKS},
        },
    ),
    "jobs": (
        "job", "Job",
        {
            **_TEXT, "job_template": None, "inventory": None, "project": None, "playbook": "", "forks": 0, "limit": "",
            "job_type": "run", "diff_mode": False, "extra_vars": "{}", "status": "pending", "failed": False,
            "started": None, "finished": None, "canceled_on": None, "elapsed": 0.0, "job_explanation": "",
            "launch_type": "manual", "result_traceback": "", "event_processing_finished": False, "artifacts": {},
        },
    ),
    "project_updates": (
        "project_update", "ProjectUpdate",
        {
            **_TEXT, "project": None, "status": "pending", "failed": False, "started": None, "finished": None,
            "scm_revision": "",
        },
    ),
    "inventory_updates": (
        "inventory_update", "InventoryUpdate",
        {
            **_TEXT, "inventory_source": None, "inventory": None, "status": "pending", "failed": False,
            "started": None, "finished": None,
        },
    ),
    "tokens": ("o_auth2_access_token", "OAuth2AccessToken", {**_TEXT, "scope": "write", "application": None}),
}  # fmt: skip
#: What two objects cannot have in common.
UNIQUE = {
    "credential_types": ("name", "kind"),
    "credentials": ("organization", "name", "credential_type"),
    "inventory_sources": ("inventory", "name"),
    "organizations": ("name",),
}
ACTIVE = ("new", "pending", "waiting", "running")
SECRET = "$encrypted$"


class Refusal(Exception):
    """An answer that is no success: status and body."""

    def __init__(self, status, body):
        super().__init__(status, body)
        self.status, self.body = status, body


def now():
    return datetime.datetime.now(datetime.UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


class Objects:
    """Everything, under one lock. An object is a dict; what begins with an underscore is not shown."""

    def __init__(self):
        self.lock = threading.RLock()
        self.kinds = {kind: {} for kind in KINDS}

    def make(self, kind, body, **hidden):
        """Make an object from what was sent: unknown and read-only keys are ignored."""
        with self.lock:
            type_, _word, fields = KINDS[kind]
            self._unlike(kind, {**fields, **body}, None)
            number = len(self.kinds[kind]) + 1
            made = {
                "id": number, "type": type_, "url": f"/api/v2/{kind}/{number}/", "created": now(), "modified": now(),
                "name": body.get("name", f"{type_} {number}"), **json.loads(json.dumps(fields)),
                **{key: value for key, value in body.items() if key in fields}, "_credentials": [], **hidden,
            }  # fmt: skip
            self.kinds[kind][number] = made
            return made

    def change(self, kind, thing, body):
        with self.lock:
            self._unlike(kind, {**thing, **body}, thing["id"])
            fields = KINDS[kind][2]
            thing.update({key: value for key, value in body.items() if key in fields or key == "name"})
            thing["modified"] = now()

    def get(self, kind, number):
        """Return an object by id; raise the answer of an unknown one."""
        try:
            return self.kinds[kind][int(number)]
        except (KeyError, ValueError, TypeError):
            raise Refusal(404, {"detail": f"No {KINDS[kind][1]} matches the given query."}) from None

    def all(self, kind, **wanted):
        with self.lock:
            things = list(self.kinds[kind].values())
        return [one for one in things if all(one.get(key) == value for key, value in wanted.items())]

    def _unlike(self, kind, body, own):
        keys = UNIQUE.get(kind, ("organization", "name") if "organization" in KINDS[kind][2] else ())
        if kind in ("jobs", "project_updates", "inventory_updates", "tokens") or not keys:
            return
        for other in self.kinds[kind].values():
            if other["id"] != own and all(other.get(key) == body.get(key) for key in keys):
                words = " and ".join(key.replace("_", " ").title() for key in keys)
                raise Refusal(400, {"__all__": [f"{KINDS[kind][1]} with this {words} already exists."]})
