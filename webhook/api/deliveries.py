"""Signed webhooks over HTTP."""

from __future__ import annotations

from apiflask import APIBlueprint
from flask import request
from pydantic import BaseModel
from pydantic import ValidationError

from ansible_collections.suanwang.brain.plugins.module_utils.said import say

from ..desk import deliveries
from ..desk.files import wrong
from ..login import signed
from ..problems import Problem
from ..wrong import first
from . import records
from .here import desk

blueprint = APIBlueprint("deliveries", __name__, url_prefix="/hooks", tag="Signed webhooks")


class Taken(BaseModel):
    """What a delivery came to."""

    id: str
    task: str | None = None
    outcome: str


@blueprint.post("/<source>")
@blueprint.output(Taken, status_code=202)
def deliver(source):
    """Take a signed delivery: generic, GitHub, GitLab, Gitea push, Alertmanager, as webhook.yml says of the source."""
    settings = desk().settings
    known = next((one for one in settings.file.deliveries if one.name == source), None)
    if known is None:
        raise Problem(404, say("webhook.yml knows no source {source}", source=source))
    body = request.get_data()
    try:
        delivery = signed.check(known, settings.secret(known.credential), request.headers, body)
    except signed.Forged as error:
        raise Problem(401, str(error)) from error
    row = deliveries.take(desk(), known, delivery, body, record, records.FILE_NAME)
    return Taken(id=row.id, task=row.task, outcome=row.outcome)


def record(found):
    """Return the TaskIn of a mapping; raise Invalid naming the field."""
    try:
        return records.TaskIn.model_validate(found)
    except ValidationError as error:
        field, said = first(error)
        raise wrong(field, said, "Send what POST /api/v1/tasks takes.") from error
