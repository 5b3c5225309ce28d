"""What a view asks of the request it serves."""

from __future__ import annotations

from flask import current_app
from flask import g

from ..desk.desk import Desk
from ..rights import Caller


def desk() -> Desk:
    return current_app.extensions["desk"]


def caller() -> Caller:
    return g.caller
