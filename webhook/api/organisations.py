"""Organisations and their projects over HTTP."""

from __future__ import annotations

from apiflask import APIBlueprint

from ..desk import organisations
from . import records
from .here import caller
from .here import desk

blueprint = APIBlueprint("organisations", __name__, url_prefix="/api/v1/organisations", tag="Organisations")


class Member(records.Out):
    principal: str
    name: str
    roles: list[str]
    seen_at: records.Time


class Account(records.Out):
    """shared_with: other projects under the same native user; null for one that is not the caller's to see."""

    site: str
    endpoint: str
    native_user: str | None = None
    native_account: str | None = None
    shared_with: list[str | None] = []


class Project(records.Out):
    """members: who has logged in so far. groups: of the identity provider; '*' for everyone."""

    id: str
    name: dict[str, str]
    groups: list[str]
    members: list[Member]
    accounts: list[Account]
    quotas: list[records.Quota]


class Organisation(records.Out):
    """id: null for projects that name none."""

    id: str | None = None
    projects: list[Project]


class Organisations(records.Out):
    items: list[Organisation]


@blueprint.get("")
@blueprint.output(Organisations)
def index():
    """List the projects that the caller sees, by organisation: members, groups, accounts at the sites."""
    return Organisations(items=organisations.index(desk(), caller()))
