"""Organisations, their projects, who belongs to them, and under which account each works at each site.

Projects and accounts are tenants.yml; who belongs to a project follows from the groups of the identity provider, as
webhook.yml says; members are those who have logged in. Nothing of it is changed here.
"""

from __future__ import annotations

from sqlalchemy import select

from ..models import Person
from . import quotas

ALL = "*"


def index(desk, caller):
    """Return [{id, projects: [{id, name, groups, members, accounts, quotas}]}] of the projects that the caller sees."""
    config, file = desk.config(), desk.settings.file
    with desk.database.read() as session:
        people = list(session.scalars(select(Person).order_by(Person.principal)))
    users, set_ = _users(config), quotas.index(desk, caller)
    found = {}
    for name, entry in sorted(config.tenants.items()):
        if not caller.sees(name):
            continue
        project = {
            "id": name,
            "name": entry["name"],
            "groups": file.tenants.get(name, []),
            "members": [_member(one) for one in people if name in one.tenants],
            "accounts": [
                _account(caller, name, users, site, endpoint, account)
                for (tenant, site, endpoint), account in sorted(users.items())
                if tenant == name
            ],
            "quotas": [one for one in set_ if one["tenant"] == name],
        }
        found.setdefault(entry.get("organisation"), []).append(project)
    return [{"id": name, "projects": found[name]} for name in sorted(found, key=lambda one: (one is None, one or ""))]


def everywhere(desk):
    """Return those who belong to no project and see all: approvers, operators, auditors."""
    with desk.database.read() as session:
        people = list(session.scalars(select(Person).order_by(Person.principal)))
    return [_member(one) for one in people if ALL in one.tenants]


def _member(row):
    return {"principal": row.principal, "name": row.name, "roles": list(row.roles), "seen_at": row.seen_at}


def _users(config):
    """Return (tenant, site, endpoint) → Account, for every account that tenants.yml gives."""
    found = {}
    for tenant, entry in config.tenants.items():
        for site_name, endpoints in entry["sites"].items():
            site = config.sites.get(site_name)
            for endpoint in site.endpoints if site else ():
                if endpoint.id in endpoints:
                    found[tenant, site_name, endpoint.id] = config.account(site, endpoint, tenant)
    return found


def _account(caller, tenant, users, site, endpoint, account):
    """One account. shared_with: other projects under the same user there, those the caller does not see as None."""
    others = [
        other
        for (other, at, of), one in sorted(users.items())
        if (at, of) == (site, endpoint) and other != tenant and one.user is not None and one.user == account.user
    ]
    return {
        "site": site,
        "endpoint": endpoint,
        "native_user": account.user,
        "native_account": account.account,
        "shared_with": [other if caller.sees(other) else None for other in others],
    }
