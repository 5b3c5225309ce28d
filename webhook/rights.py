"""Who may call what: role × route, and whose tasks. A route without a row here is refused, and a test fails.

Four eyes are not a role's matter: whoever asked for a task cannot approve it, whatever he may be besides.
"""

from __future__ import annotations

import dataclasses

from .config import ROLES

EVERYONE = "everyone"  # no login at all
PERSON = "person"  # whoever is logged in
SIGNED = "signed"  # proves himself by a signature over the body, checked where it is read

_READERS = ROLES
_ASK = ("requester", "admin")
_JUDGE = ("approver",)
_OPERATE = ("operator", "admin")

#: route → roles that may call it. An endpoint of a page has the rights of the API endpoint that it shows.
ROUTES = {
    # -- without login ---------------------------------------------------------------------------------
    "health.healthz": EVERYONE,
    "health.openapi": EVERYONE,
    "health.docs": EVERYONE,
    "static": EVERYONE,
    "session.enter": EVERYONE,
    "deliveries.deliver": SIGNED,
    # -- whoever is logged in --------------------------------------------------------------------------
    "session.show": PERSON,
    "session.leave": PERSON,
    "tokens.index": PERSON,
    "tokens.make": PERSON,
    "tokens.revoke": PERSON,
    # -- reading ---------------------------------------------------------------------------------------
    "health.metrics": ("operator", "auditor", "admin"),
    "catalogue.index": _READERS,
    "tasks.index": _READERS,
    "tasks.show": _READERS,
    "tasks.plan": _READERS,
    "tasks.file": _READERS,
    "proposals.index": _READERS,
    "runs.index": _READERS,
    "runs.show": _READERS,
    "runs.events": _READERS,
    "runs.log": _READERS,
    "runs.artifacts": _READERS,
    "runs.artifact": _READERS,
    "fleet.pools": _READERS,
    "fleet.links": _READERS,
    "alarms.index": _READERS,
    "sites.index": _READERS,
    "deployments.index": _READERS,
    "organisations.index": _READERS,
    "notices.index": ("operator", "auditor", "admin"),
    "fleet.map_": _READERS,
    "fleet.use": _READERS,
    "fleet.tenants": _READERS,
    "usage.index": _READERS,
    "usage.statement": _READERS,
    "quotas.index": _READERS,
    "limits.index": ("operator", "auditor", "admin"),
    "limits.show": ("operator", "auditor", "admin"),
    "audit.index": ("auditor", "admin"),
    "audit.verify": ("auditor", "admin"),
    # -- asking ----------------------------------------------------------------------------------------
    "tasks.make": _ASK,
    "tasks.withdraw": _ASK,
    "proposals.make": _ASK,
    "proposals.revise": _ASK,
    "proposals.confirm": _ASK,
    # -- judging ---------------------------------------------------------------------------------------
    "approvals.approve": _JUDGE,
    "approvals.reject": _JUDGE,
    # -- operating -------------------------------------------------------------------------------------
    "runs.cancel": ("requester", *_OPERATE),
    "runs.resume": ("requester", *_OPERATE),
    "deployments.end": ("requester", *_OPERATE),
    "deployments.extend": _OPERATE,
    "fleet.perceive": ("requester", *_OPERATE),
    "fleet.pause": _OPERATE,
    "alarms.acknowledge": ("owner", *_OPERATE),
    "sites.drain": ("owner", *_OPERATE),
    "sites.undrain": ("owner", *_OPERATE),
    "notices.again": _OPERATE,
    "quotas.put": _OPERATE,
    "limits.try_": _OPERATE,
    "limits.push": _OPERATE,
}

#: page → the API endpoint whose rights it has.
PAGES = {
    "home.index": "fleet.pools",
    "home.fleet": "fleet.pools",
    "home.use": "fleet.use",
    "home.pause": "fleet.pause",
    "home.language": "health.docs",
    "session.show": "session.enter",
    "session.enter": "session.enter",
    "session.leave": "session.leave",
    "session.account": "tokens.index",
    "session.make_token": "tokens.make",
    "session.revoke": "tokens.revoke",
    "tasks.index": "tasks.index",
    "tasks.new": "tasks.make",
    "tasks.make": "tasks.make",
    "tasks.show": "tasks.show",
    "tasks.withdraw": "tasks.withdraw",
    "proposals.make": "proposals.make",
    "proposals.confirm": "proposals.confirm",
    "proposals.tune": "proposals.revise",
    "proposals.attempt": "proposals.revise",
    "proposals.revise": "proposals.revise",
    "approvals.plan": "tasks.plan",
    "approvals.check": "tasks.plan",
    "approvals.approve": "approvals.approve",
    "approvals.reject": "approvals.reject",
    "runs.index": "runs.index",
    "runs.show": "runs.show",
    "runs.part": "runs.show",
    "runs.report": "runs.show",
    "runs.cancel": "runs.cancel",
    "runs.resume": "runs.resume",
    "usage.index": "usage.index",
    "usage.put": "quotas.put",
    "limits.index": "limits.index",
    "limits.try_": "limits.try_",
    "limits.show": "limits.show",
    "limits.part": "limits.show",
    "limits.push": "limits.push",
    "audit.index": "audit.index",
    "alarms.index": "alarms.index",
    "alarms.part": "alarms.index",
    "alarms.acknowledge": "alarms.acknowledge",
    "sites.index": "sites.index",
    "sites.drain": "sites.drain",
    "sites.undrain": "sites.undrain",
    "deployments.index": "deployments.index",
    "deployments.extend": "deployments.extend",
    "deployments.end": "deployments.end",
    "organisations.index": "organisations.index",
    "notices.index": "notices.index",
    "notices.again": "notices.again",
}
ROUTES |= {f"pages.{page}": ROUTES[endpoint] for page, endpoint in PAGES.items()}
# What an identity provider sends people and logout tokens to.
ROUTES |= {f"pages.providers.{name}": EVERYONE for name in ("oidc", "oidc_back", "cas", "cas_back")}
ROUTES |= {f"pages.providers.{name}": SIGNED for name in ("oidc_logout", "cas_logout")}


@dataclasses.dataclass(frozen=True)
class Caller:
    """Who calls. how: session | token | signed | none. tenants: '*' among them means all. sites: those he owns."""

    principal: str
    name: str
    roles: tuple[str, ...]
    tenants: tuple[str, ...]
    how: str = "none"
    csrf: str | None = None
    sites: tuple[str, ...] = ()

    def has(self, *roles):
        return bool(set(roles) & set(self.roles))

    def may(self, route):
        """Return whether the roles allow a route; a route without a row is nobody's."""
        asked = ROUTES.get(route, ())
        if asked in (EVERYONE, SIGNED):
            return True
        if self.how == "none":
            return False
        return asked == PERSON or self.has(*asked)

    def sees(self, tenant):
        """Return whether a tenant's tasks are his to see."""
        return "*" in self.tenants or tenant in self.tenants

    def keeps(self, site):
        """Return whether a site is his to drain, and its alarms his to acknowledge."""
        return self.has(*_OPERATE) or (self.has("owner") and site in self.sites)


NOBODY = Caller("", "", (), ())
