"""Notices: sent, waiting, and those that could not be sent."""

from __future__ import annotations

from apiflask import APIBlueprint
from flask import render_template
from flask import request

from ..api import notices as api
from ..api.here import caller
from ..api.here import desk
from ..notices import outbox
from . import frame

blueprint = APIBlueprint("notices", __name__, url_prefix="/notices", enable_openapi=False)


@blueprint.get("")
def index():
    given = {name: request.args[name] for name in ("state", "after") if request.args.get(name)}
    asked = frame.checked(api.Asked, **given)
    rows, after = outbox.index(desk(), asked.state, asked.after, asked.limit)
    file = desk().settings.file.notices
    return render_template("notices.html", notices=rows, after=after, asked=asked, file=file)


@blueprint.post("/<notice>/again")
def again(notice):
    outbox.again(desk(), caller(), notice)
    return frame.go("/notices")
