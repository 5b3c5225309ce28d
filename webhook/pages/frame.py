"""What every page has: who calls, where one can go, and how a problem looks."""

from __future__ import annotations

import urllib.parse

from flask import g
from flask import redirect
from flask import render_template
from flask import request
from pydantic import ValidationError

from ansible_collections.suanwang.brain.plugins.plugin_utils.planning.sentences import at_field

from .. import problems
from .. import wrong
from ..pictures import plans
from ..rights import NOBODY
from . import showing
from . import words

#: address, words, roles that see it (none: everyone who is logged in)
NAVIGATION = (
    ("/", words.mark("Overview"), ()),
    ("/tasks", words.mark("Tasks"), ()),
    ("/runs", words.mark("Runs"), ()),
    ("/deployments", words.mark("Deployments"), ()),
    ("/sites", words.mark("Sites"), ()),
    ("/alarms", words.mark("Alarms"), ()),
    ("/organisations", words.mark("Organisations"), ()),
    ("/notices", words.mark("Notices"), ("operator", "auditor", "admin")),
    ("/usage", words.mark("Usage"), ()),
    ("/audit", words.mark("Audit"), ("auditor", "admin")),
)


def install(app):
    """Give the templates what they all use."""
    words.install(app)
    showing.install(app)
    app.jinja_env.filters["length_"] = len
    app.jinja_env.filters["_translated"] = words.translate
    app.jinja_env.globals.update(bar=plans.bar, navigation=NAVIGATION)
    app.jinja_env.trim_blocks = app.jinja_env.lstrip_blocks = True
    app.context_processor(lambda: {"me": g.get("caller", NOBODY)})


def problem(status, detail, more):
    """Answer a problem as a page; a part of a page gets it in its own place."""
    said = problems.body(status, detail, **more)
    back = inside(request.referrer or "/")
    return render_template("problem.html", problem=said, back=back), status


def inside(address):
    """Return a path of ours, whatever address it was asked to be: nobody is sent elsewhere from here."""
    parts = urllib.parse.urlsplit(str(address))
    path = parts.path or "/"
    if parts.netloc not in ("", request.host) or not path.startswith("/") or path[:2] in ("//", "/\\"):
        return "/"
    return f"{path}?{parts.query}" if parts.query else path


def go(address):
    """Answer a deed that was done: show the page where its outcome is seen."""
    return redirect(address, 303)


def checked(record, **fields):
    """Return an API record of a form's fields; raise Problem naming the field that is wrong."""
    try:
        return record.model_validate(fields)
    except ValidationError as error:
        field, said = wrong.first(error)
        raise problems.Problem(422, at_field(field, said), field=field) from error
