# Copyright: SuanWang Brain contributors
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A plan that the store lacks, fetched with its approvals and files from the approval service.

SUANWANG_WEBHOOK is the service's address, the credential named ``webhook`` a token of its API. Nothing of the answer
is trusted: the plan is verified as any other, and a file is kept under the hash that it has.
"""

from __future__ import annotations

import os
import pathlib

from ..module_utils.errors import Corrupt
from ..module_utils.errors import NotFound
from ..module_utils.names import RUN
from . import carried
from .service import Service

VARIABLE = "SUANWANG_WEBHOOK"
CREDENTIAL = "webhook"
#: A private certificate authority of the service, in the config folder.
CA_FILE = "webhook-ca.pem"
NAME = "the approval service"
PART_BYTES = 16 * 1024 * 1024


def find(store, name, config, parent):
    """Return the folder of a plan: what `name` carries, what the store has, or for a run id what the service has.

    parent: where a plan that is not of the store is unpacked.
    """
    if name.startswith(carried.MARK):
        return carried.unpack(name, parent)
    try:
        return store.find_plan(name)
    except NotFound as error:
        if not RUN.fullmatch(name):
            raise
        if not os.environ.get(VARIABLE):
            raise NotFound(
                error.message,
                way_out=f"Check the id and SUANWANG_STATE, or set {VARIABLE} to the address that has it.",
            ) from error
    return carried.unpack(_carried(name, config), parent)


def files(store, plan, config):
    """Fetch what the plan needs and neither the store nor this machine has; return how many files that was."""
    if not os.environ.get(VARIABLE):
        return 0
    missing = [item for item in planned_files(plan).values() if not _is_here(store, item)]
    with _service(config) as service:
        for item in missing:
            _keep(service, store, plan["run"], item)
    return len(missing)


def _carried(run, config):
    with _service(config) as service:
        answer = service.get(f"/api/v1/tasks/{run}/plan")
    word = answer.body.get("carried") if isinstance(answer.body, dict) else None
    if not isinstance(word, str):
        raise Corrupt(
            "the answer holds no plan.", site=NAME, way_out=f"Check that {VARIABLE} is the address of the service."
        )
    return word


def planned_files(plan):
    """Return sha256 → {sha256, size, source?} of every file that a plan names."""
    found = {}
    for component in plan["components"]:
        parts = (*component.get("inputs", ()), component.get("datum", {}), component.get("evaluate", {}))
        for item in (component.get("code"), *(part.get("file") for part in parts)):
            if item:
                found[item["sha256"]] = item
    return found


def _is_here(store, item):
    return store.object_path(item["sha256"]).exists() or ("source" in item and pathlib.Path(item["source"]).is_file())


def _service(config):
    address = os.environ[VARIABLE]
    return Service(NAME, address, config.secret(CREDENTIAL), config.folder, CA_FILE, setting=VARIABLE)


def _keep(service, store, run, item):
    """Fetch one file in parts into the store's objects."""
    path, got = f"/api/v1/tasks/{run}/objects/{item['sha256']}", 0
    with store.new_object() as stream:
        while True:
            part = service.get(path, raw=True, headers={"Range": f"bytes={got}-{got + PART_BYTES - 1}"}).content
            stream.write(part)
            got += len(part)
            if not part or got >= item["size"]:
                break
        if (stream.sha256, stream.size) != (item["sha256"], item["size"]):
            raise Corrupt(
                f"the file {item['sha256'][:16]}… came with other bytes.",
                site=NAME,
                request=f"GET {path}",
                way_out="It was changed there since the plan was made; propose again.",
            )
