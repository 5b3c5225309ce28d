"""What a launch runs: a playbook of this checkout, with a plan's digest, or with parameters that were checked.

Nothing of what people wrote is handed on as they wrote it.
"""

from __future__ import annotations

import os
import pathlib
import re
import shlex
import sys

from ansible_collections.suanwang.brain.plugins.plugin_utils import clock
from ansible_collections.suanwang.brain.plugins.plugin_utils.store import Store

from ..config import CHECKOUT
from .processes import MARK

#: Variables of our own environment that a run process may have.
ALLOWED = ("HOME", "USER", "LOGNAME", "TZ", "TMPDIR", "SUANWANG_CREDENTIALS")
KINDS = ("apply", "release", "retire", "check", "quota", "quota_check", "perceive", "watch")
#: Those that carry a plan out or give it back: their journal says how they ended.
OF_A_RUN = ("apply", "release", "retire")
#: Trial runs, which write nothing → the playbook.
CHECKS = {"check": "apply", "quota_check": "quota"}
#: kind → its playbook, where that has another name.
_PLAYBOOKS = {**CHECKS, "retire": "release"}
#: Reading is nobody's work: it goes on while launches are held back.
READING = ("perceive", "watch")
_LOCALHOST = str(CHECKOUT / "inventories" / "localhost.yml")


def spec(settings, launch):
    """Return {playbook, inventory, cmdline} of a launch; with a controller as back end what `job` returns."""
    if settings.file.backend is not None:
        return job(settings, launch)
    found = {"playbook": str(CHECKOUT / "playbooks" / f"{_playbook(launch)}.yml")}
    if launch.kind == "perceive":
        return {**found, "inventory": str(inventory(settings)), "cmdline": "--flush-cache"}
    words = [f"-e {shlex.quote(f'{name}={value}')}" for name, value in variables(settings, launch).items()]
    words += ["--check --diff"] * (launch.kind in CHECKS)
    return {**found, "inventory": _LOCALHOST, "cmdline": " ".join(words)}


def job(settings, launch):
    """Return {template, extra_vars, fields, since} of a launch as a job of a controller."""
    name = _playbook(launch)
    fields = {"job_type": "check", "diff_mode": True} if launch.kind in CHECKS else {}
    # Its clock is not ours.
    since = clock.after(launch.created_at, -3600)
    return {
        "template": settings.file.backend.templates.get(name, f"SuanWang {name}"),
        "extra_vars": variables(settings, launch),
        "fields": fields,
        "since": since,
    }


def _playbook(launch):
    return _PLAYBOOKS.get(launch.kind, launch.kind)


def variables(settings, launch):
    """Return what the playbook of a launch is given."""
    if launch.kind == "perceive":
        return {}
    if launch.kind == "watch":
        return {"for_s": settings.file.watch_s}
    if launch.kind == "retire":
        return {"deployment": _deployment(settings, launch)}
    return dict(launch.params) if launch.params is not None else {"plan": _digest(launch)}


def program(settings):
    """Return the module that runs a launch."""
    return "webhook.runs.process" if settings.file.backend is None else "webhook.runs.controller"


def _deployment(settings, launch):
    store = Store(settings.state)
    plan, _found = store.read_plan(store.find_plan(_digest(launch)))
    name = f"{plan['tenant']}/{plan['deployment']}"
    if not re.fullmatch(r"[a-z0-9_/-]{3,80}", name):
        raise ValueError(f"launch {launch.id} has no deployment")
    return name


def _digest(launch):
    if not re.fullmatch(r"[0-9a-f]{64}", launch.digest or ""):
        raise ValueError(f"launch {launch.id} has no digest")
    return launch.digest


def inventory(settings):
    """Return the inventory of all sites: the one of the settings, else one of our own over the config folder."""
    if settings.inventory is not None:
        return settings.inventory
    path = settings.folder / "fleet.brain.yml"
    text = f"plugin: suanwang.brain.fleet\nconfig: {settings.config}\n"
    if not path.exists() or path.read_text() != text:
        part = path.with_suffix(f".{os.getpid()}")
        part.write_text(text)
        part.replace(path)
    return path


def environment(settings, launch):
    """Return the whole environment of a run process."""
    kept = {name: os.environ[name] for name in ALLOWED if name in os.environ}
    return {
        **kept,
        "PATH": f"{pathlib.Path(sys.executable).parent}{os.pathsep}/usr/local/bin:/usr/bin:/bin",
        "LANG": "C.UTF-8",
        "COLUMNS": "140",
        "TERM": "dumb",
        "ANSIBLE_CONFIG": str(CHECKOUT / "ansible.cfg"),
        "ANSIBLE_STDOUT_CALLBACK": "default",
        "ANSIBLE_NOCOLOR": "1",
        "ANSIBLE_DISPLAY_SKIPPED_HOSTS": "0",
        "PYTHONPATH": os.pathsep.join([str(CHECKOUT), str(CHECKOUT / "collections")]),
        "SUANWANG_CONFIG": str(settings.config),
        "SUANWANG_STATE": str(settings.state),
        MARK: launch.id,
    }
