"""From a provider's groups to our roles, tenants and sites, as webhook.yml says."""

from __future__ import annotations

from ..config import ROLES


def person(settings, source, principal, name, groups):
    """Return {principal, name, source, roles, tenants, sites} of somebody whom a provider vouches for."""
    groups, file = set(groups), settings.file
    sites = [site for site, ones in file.owners.items() if groups & set(ones)]
    roles = [role for role in ROLES if groups & set(file.groups.get(role, ())) or (role == "owner" and sites)]
    tenants = [tenant for tenant, ones in file.tenants.items() if groups & set(ones) or "*" in ones]
    # Who judges, operates or audits does so for all tenants; who asks or owns a site, for those of his groups.
    if set(roles) - {"requester", "owner"}:
        tenants = ["*"]
    who = {"principal": principal, "name": name or principal, "source": source}
    return {**who, "roles": roles, "tenants": tenants, "sites": sites}


def words(value):
    """Return a claim that may be a list, one word, or words with commas, as a list."""
    if isinstance(value, str):
        return [word.strip() for word in value.split(",") if word.strip()]
    return [str(word) for word in value] if isinstance(value, list | tuple) else []
