# Copyright: SuanWang Brain contributors
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""quota, quota_info: a tenant's limits at an endpoint, and what is used of them."""

from __future__ import annotations

from ..errors import Conflict
from ..errors import Invalid
from ..plain import to_plain
from .verb import diff
from .verb import Verb


def _limits(platform):
    """Return resource → limit of the account as a whole; one person's in it is another's to set."""
    return {quota.resource: quota.limit for quota in platform.quota() if quota.user is None}


def _run(platform, params, check, report):
    if platform.can("set_quota") is not None:
        platform.refuse("set_quota")  # a trial run says so as well
    if not platform.connection.tenant:
        raise Invalid("a quota is a tenant's, and no tenant is named.", site=platform.site.id)
    if not platform.account.account:
        raise Invalid(
            f"the tenant {platform.connection.tenant} names no account at {platform.endpoint.id}.",
            site=platform.site.id,
            way_out="Add native_account to tenants.yml.",
        )
    wanted = {resource: _number(resource, limit) for resource, limit in params["limits"].items()}
    before = _limits(platform)
    changes = {resource: limit for resource, limit in wanted.items() if before.get(resource) != limit}
    if changes and not check:
        admin = platform.connection.own()
        report("intent", message=f"set the quota of {platform.account.account}: {changes}")
        admin.set_quota(platform.account.account, changes)
        left = {
            resource: limit for resource, limit in _limits(platform).items() if changes.get(resource, limit) != limit
        }
        if left:
            raise Conflict(f"the quota was set, and is still {left}.", site=platform.site.id)
    return {
        "changed": bool(changes),
        "quota": [to_plain(quota) for quota in platform.quota()],
        "diff": diff(
            f"{platform.site.id}: {platform.account.account}",
            [f"{resource}: {_shown(before.get(resource))}" for resource in sorted(wanted)],
            [f"{resource}: {_shown(wanted[resource])}" for resource in sorted(wanted)],
        ),
    }


def _number(resource, limit):
    try:
        number = float(limit)
    except (TypeError, ValueError):
        number = -1.0
    if number < 0:
        raise Invalid(f"`limits.{resource}` is {limit!r}, and has to be a number, 0 at least.")
    return int(number) if number.is_integer() else number


def _shown(limit):
    return "no limit" if limit is None else str(int(limit) if limit == int(limit) else limit)


def _info(platform, params, check, report):
    return {"changed": False, "quota": [to_plain(quota) for quota in platform.quota()]}


QUOTA = Verb(_run, {"limits": {"type": "dict", "required": True}}, writes=True)
QUOTA_INFO = Verb(_info, {})
