"""Sessions and tokens. Both are random text that only the caller has; the database has its hash."""

from __future__ import annotations

import hashlib
import secrets

from sqlalchemy import delete
from sqlalchemy import select

from ansible_collections.suanwang.brain.plugins.plugin_utils import clock

from .. import audit
from ..config import ROLES
from ..models import Login
from ..models import Person
from ..models import Token
from ..rights import Caller
from ..rights import NOBODY

TOKEN_PREFIX = "swb_"
_USED_S = 60


def hashed(text):
    return hashlib.sha256(text.encode()).hexdigest()


def enter(desk, person, provider_sid=None):
    """Begin a session for somebody whom a provider vouches for; return (cookie, Caller).

    person: {principal, name, source, roles, tenants, sites}.
    """
    cookie, csrf, now = secrets.token_urlsafe(32), secrets.token_urlsafe(24), clock.now()
    roles = [role for role in ROLES if role in person["roles"]]
    with desk.database.write() as session:
        session.merge(Person(**{**person, "roles": roles}, seen_at=now))
        session.flush()
        session.add(
            Login(
                hash=hashed(cookie), principal=person["principal"], roles=roles, tenants=person["tenants"],
                sites=person["sites"], csrf=csrf, provider_sid=provider_sid, created_at=now, used_at=now,
                expires_at=clock.after(now, 3600 * desk.settings.file.limits.session_h),
            )
        )  # fmt: skip
        audit.note(session, now, person["principal"], "session.enter", person["source"], roles=roles)
    return cookie, _caller(person["principal"], person["name"], roles, person["tenants"], person["sites"], csrf)


def _caller(principal, name, roles, tenants, sites, csrf=None):
    how = "token" if csrf is None else "session"
    return Caller(principal, name, tuple(roles), tuple(tenants), how, csrf, tuple(sites))


def by_cookie(desk, cookie):
    """Return the Caller of a session's cookie, NOBODY where it is unknown or over."""
    if not cookie or len(cookie) > 200:
        return NOBODY
    now = clock.now()
    with desk.database.read() as session:
        row = session.get(Login, hashed(cookie))
        if row is None or row.expires_at < now:
            return NOBODY
        person = session.get(Person, row.principal)
    return _caller(row.principal, person.name, row.roles, row.tenants, row.sites, row.csrf)


def leave(desk, cookie, caller):
    """End a session."""
    with desk.database.write() as session:
        row = session.get(Login, hashed(cookie))
        if row is not None:
            session.delete(row)
            audit.note(session, clock.now(), caller.principal, "session.leave", "page")


def leave_all(desk, provider_sid=None, principal=None):
    """End every session that a provider has ended, or that belongs to a person."""
    where = Login.provider_sid == provider_sid if provider_sid else Login.principal == principal
    with desk.database.write() as session:
        return session.execute(delete(Login).where(where)).rowcount


def make_token(desk, caller, name, roles, days):
    """Return (row, secret) of a new token with no more rights than its owner has."""
    secret, now = TOKEN_PREFIX + secrets.token_urlsafe(32), clock.now()
    kept = [role for role in caller.roles if not roles or role in roles]
    with desk.database.write() as session:
        if session.get(Person, caller.principal) is None:
            session.add(
                Person(
                    principal=caller.principal, name=caller.name, source="token", roles=list(caller.roles),
                    tenants=list(caller.tenants), sites=list(caller.sites), seen_at=now,
                )
            )  # fmt: skip
            session.flush()
        row = Token(
            id=desk.new_id(), hash=hashed(secret), principal=caller.principal, name=name, roles=kept,
            tenants=list(caller.tenants), sites=list(caller.sites), created_at=now,
            expires_at=clock.after(now, 86400 * days),
        )  # fmt: skip
        session.add(row)
        audit.note(session, now, caller.principal, "token.make", row.id, name=name, roles=kept)
    return row, secret


def by_token(desk, secret):
    """Return the Caller of a token, NOBODY where it is unknown, revoked or over."""
    if not secret.startswith(TOKEN_PREFIX) or len(secret) > 200:
        return NOBODY
    now = clock.now()
    with desk.database.read() as session:
        row = session.scalars(select(Token).where(Token.hash == hashed(secret))).first()
        if row is None or row.revoked_at or row.expires_at < now:
            return NOBODY
        person = session.get(Person, row.principal)
    if row.used_at is None or row.used_at < clock.after(now, -_USED_S):
        with desk.database.write() as session:
            session.get(Token, row.id).used_at = now
    return _caller(row.principal, person.name, row.roles, row.tenants, row.sites)


def tokens(desk, caller):
    with desk.database.read() as session:
        return list(session.scalars(select(Token).where(Token.principal == caller.principal).order_by(Token.id)))


def revoke(desk, caller, token_id):
    """Revoke a token of the caller's own; return whether there is one."""
    now = clock.now()
    with desk.database.write() as session:
        row = session.get(Token, token_id)
        if row is None or row.principal != caller.principal:
            return False
        if not row.revoked_at:
            row.revoked_at = now
            audit.note(session, now, caller.principal, "token.revoke", token_id)
        return True
