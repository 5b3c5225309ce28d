"""The catalogue: tasks to begin with, as they stand on the server."""

from __future__ import annotations

from apiflask import APIBlueprint

from ansible_collections.suanwang.brain.plugins.plugin_utils import governance

from . import records
from .here import desk

blueprint = APIBlueprint("catalogue", __name__, url_prefix="/api/v1/catalogue", tag="Tasks")


def entries(here):
    """Return the Entry records of the catalogue."""
    found = []
    for name, folder in here.settings.catalogue().items():
        document = governance.document(folder / "task.yml")
        kinds = sorted({one["kind"] for one in document["components"]})
        found.append(records.Entry(name=name, title=document["name"], kinds=kinds, document=document))
    return found


@blueprint.get("")
@blueprint.output(list[records.Entry])
def index():
    """List the tasks that can be asked for by name."""
    return entries(desk())
