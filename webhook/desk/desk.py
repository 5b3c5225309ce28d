"""What every operation needs: settings, database, store and planner; and the errors that it raises."""

from __future__ import annotations

import os
import time

from ansible_collections.suanwang.brain.plugins.module_utils.names import new_run
from ansible_collections.suanwang.brain.plugins.module_utils.said import say
from ansible_collections.suanwang.brain.plugins.plugin_utils import claim
from ansible_collections.suanwang.brain.plugins.plugin_utils import clock
from ansible_collections.suanwang.brain.plugins.plugin_utils import governance
from ansible_collections.suanwang.brain.plugins.plugin_utils.store import Store

from ..models import Task
from ..planner.client import Planner


class Denied(Exception):
    """The caller may not do this; the message says why."""


class Missing(Exception):
    """There is no such thing, or it is not the caller's to see: the two look the same."""


class Clash(Exception):
    """The thing is not as the caller thinks it is."""


class Desk:
    """One for each process."""

    def __init__(self, settings, database, planner=None):
        self.settings = settings
        self.database = database
        self.store = Store(settings.state)
        self.planner = planner or Planner(settings)

    def config(self):
        """Return the config folder as it stands now: policy, tenants, signers."""
        return governance.load(self.settings.config)

    def folder(self, run):
        """Return the folder of a task in our part of the store."""
        return self.settings.folder / "tasks" / run

    def task_file(self, run):
        return str(self.folder(run) / "files" / "task.yml")

    @staticmethod
    def new_id():
        """Return a ULID in lower case."""
        return new_run(time.time() * 1000)

    @staticmethod
    def process():
        """Return who this process is: {host, boot_id, pid, start_ticks}."""
        return claim.identity(os.getpid())

    @staticmethod
    def now():
        return clock.now()

    def plan(self, digest):
        """Return (folder, plan) of a digest, verified against it."""
        folder = self.store.find_plan(digest)
        return folder, self.store.read_plan(folder)[0]


def task_of(session, caller, run, lock=None):
    """Return a task that the caller may see; raise Missing. lock: database.locked, to change it."""
    row = lock(session, Task, run) if lock else session.get(Task, run)
    if row is None or not caller.sees(row.tenant):
        raise Missing(say("there is no task {run}", run=run))
    return row


def kept(caller, site):
    """Raise Denied where a site is not the caller's to drain, or its alarms to acknowledge."""
    if not caller.keeps(site):
        raise Denied(say("{site} is not one of your sites", site=site))


def owns(caller, row):
    """Return whether a task is the caller's own, or he administers."""
    return caller.principal == row.requester or caller.has("admin")
