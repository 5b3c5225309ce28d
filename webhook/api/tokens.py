"""API tokens over HTTP."""

from __future__ import annotations

from apiflask import APIBlueprint

from ..login import sessions
from ..problems import Problem
from . import records
from .here import caller
from .here import desk

blueprint = APIBlueprint("tokens", __name__, url_prefix="/api/v1/tokens", tag="Session")


@blueprint.get("")
@blueprint.output(list[records.Token])
def index():
    """List the caller's tokens."""
    return sessions.tokens(desk(), caller())


@blueprint.post("")
@blueprint.input(records.TokenIn, arg_name="asked")
@blueprint.output(records.Token, status_code=201)
def make(asked):
    """Make a token with the caller's roles, or some of them. Its secret is shown this once."""
    if caller().how == "token":
        raise Problem(403, "a token cannot make tokens: log in")
    row, secret = sessions.make_token(desk(), caller(), asked.name, asked.roles, asked.days)
    return records.Token.model_validate(row).model_copy(update={"secret": secret})


@blueprint.delete("/<token_id>")
@blueprint.output({}, status_code=204)
def revoke(token_id):
    """Revoke a token."""
    if not sessions.revoke(desk(), caller(), token_id):
        raise Problem(404, "there is no such token of yours")
    return "", 204
