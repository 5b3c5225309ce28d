"""The tables. Times are RFC 3339 text in UTC, as in the store; ids of tasks are run ids.

Plans, approvals and journals live in the store, as files; the rows here index them and say who did what.
"""

from __future__ import annotations

from sqlalchemy import BigInteger
from sqlalchemy import ForeignKey
from sqlalchemy import Index
from sqlalchemy import JSON
from sqlalchemy import String
from sqlalchemy import Text
from sqlalchemy import UniqueConstraint
from sqlalchemy.orm import DeclarativeBase
from sqlalchemy.orm import Mapped
from sqlalchemy.orm import mapped_column as column


class Base(DeclarativeBase):
    """All our tables."""


class Person(Base):
    """Who has ever logged in. principal: as plans, approvals and the audit name him. sites: those that he owns."""

    __tablename__ = "persons"
    principal: Mapped[str] = column(String(200), primary_key=True)
    name: Mapped[str] = column(String(200))
    source: Mapped[str] = column(String(20))
    roles: Mapped[list] = column(JSON)
    tenants: Mapped[list] = column(JSON)
    sites: Mapped[list] = column(JSON, default=list, server_default="[]")
    seen_at: Mapped[str] = column(String(20))


class Login(Base):
    """A session of a browser. The cookie's value is kept as its hash only."""

    __tablename__ = "logins"
    hash: Mapped[str] = column(String(64), primary_key=True)
    principal: Mapped[str] = column(ForeignKey("persons.principal"))
    roles: Mapped[list] = column(JSON)
    tenants: Mapped[list] = column(JSON)
    sites: Mapped[list] = column(JSON, default=list, server_default="[]")
    csrf: Mapped[str] = column(String(64))
    provider_sid: Mapped[str | None] = column(String(200), index=True)
    created_at: Mapped[str] = column(String(20))
    used_at: Mapped[str] = column(String(20))
    expires_at: Mapped[str] = column(String(20))


class Token(Base):
    """An API token, kept as its hash only. It never can more than its owner could when it was made."""

    __tablename__ = "tokens"
    id: Mapped[str] = column(String(26), primary_key=True)
    hash: Mapped[str] = column(String(64), unique=True)
    principal: Mapped[str] = column(ForeignKey("persons.principal"))
    name: Mapped[str] = column(String(100))
    roles: Mapped[list] = column(JSON)
    tenants: Mapped[list] = column(JSON)
    sites: Mapped[list] = column(JSON, default=list, server_default="[]")
    created_at: Mapped[str] = column(String(20))
    expires_at: Mapped[str] = column(String(20))
    used_at: Mapped[str | None] = column(String(20))
    revoked_at: Mapped[str | None] = column(String(20))


class Task(Base):
    """What a person asked for. id: the run id. digest: of the plan that was confirmed last."""

    __tablename__ = "tasks"
    id: Mapped[str] = column(String(26), primary_key=True)
    name: Mapped[str] = column(String(120))
    tenant: Mapped[str] = column(String(40))
    requester: Mapped[str] = column(String(200))
    source: Mapped[str] = column(String(40))
    state: Mapped[str] = column(String(20))
    document: Mapped[str] = column(Text)
    priority: Mapped[int] = column(default=5, server_default="5")
    round: Mapped[int] = column(default=0)
    proposal: Mapped[str | None] = column(String(26))
    digest: Mapped[str | None] = column(String(64), index=True)
    message: Mapped[str | None] = column(Text)
    created_at: Mapped[str] = column(String(20))
    updated_at: Mapped[str] = column(String(20))
    __table_args__ = (Index("tasks_by_tenant", "tenant", "state"), Index("tasks_by_state", "state"))


class Proposal(Base):
    """One proposal of a round, or a revision of one. chain: the edits that lead to it, oldest first."""

    __tablename__ = "proposals"
    id: Mapped[str] = column(String(26), primary_key=True)
    task: Mapped[str] = column(ForeignKey("tasks.id"))
    round: Mapped[int]
    number: Mapped[int]
    label: Mapped[str] = column(String(20))
    parent: Mapped[str | None] = column(String(26))
    chain: Mapped[list] = column(JSON)
    body: Mapped[dict] = column(JSON)
    deltas: Mapped[dict | None] = column(JSON)
    made_by: Mapped[str | None] = column(String(200))
    created_at: Mapped[str] = column(String(20))
    __table_args__ = (UniqueConstraint("task", "round", "number"),)


class Decision(Base):
    """An approval or a rejection. An approval's signed statement is the file of that name beside the plan."""

    __tablename__ = "decisions"
    id: Mapped[str] = column(String(26), primary_key=True)
    task: Mapped[str] = column(ForeignKey("tasks.id"))
    digest: Mapped[str] = column(String(64))
    person: Mapped[str] = column(String(200))
    verdict: Mapped[str] = column(String(10))
    reason: Mapped[str | None] = column(Text)
    signature: Mapped[str | None] = column(String(300))
    expires_at: Mapped[str | None] = column(String(20))
    at: Mapped[str] = column(String(20))
    __table_args__ = (UniqueConstraint("digest", "person"),)


class Launch(Base):
    """One start of a playbook. once: what makes it the only one of its kind, e.g. ``apply:<digest>``.

    params: what it is given where it carries out no plan; outcome: what it left by set_stats, where that is kept.
    holder: the launcher that claimed it, {host, boot_id, pid, start_ticks}; lease_until: when another may take it.
    """

    __tablename__ = "launches"
    id: Mapped[str] = column(String(26), primary_key=True)
    kind: Mapped[str] = column(String(20))
    once: Mapped[str] = column(String(120), unique=True)
    task: Mapped[str | None] = column(ForeignKey("tasks.id"))
    digest: Mapped[str | None] = column(String(64))
    state: Mapped[str] = column(String(20))
    params: Mapped[dict | None] = column(JSON)
    outcome: Mapped[list | None] = column(JSON)
    asked_by: Mapped[str] = column(String(200))
    attempts: Mapped[int] = column(default=0)
    holder: Mapped[dict | None] = column(JSON)
    lease_until: Mapped[str | None] = column(String(20))
    cancel_at: Mapped[str | None] = column(String(20))
    created_at: Mapped[str] = column(String(20))
    started_at: Mapped[str | None] = column(String(20))
    ended_at: Mapped[str | None] = column(String(20))
    exit_code: Mapped[int | None]
    message: Mapped[str | None] = column(Text)
    __table_args__ = (Index("launches_by_state", "state", "created_at"), Index("launches_by_task", "task"))


class Entry(Base):
    """One row of the audit. hash covers the row and the hash before it."""

    __tablename__ = "audit"
    number: Mapped[int] = column(primary_key=True, autoincrement=False)
    at: Mapped[str] = column(String(20))
    actor: Mapped[str] = column(String(200))
    action: Mapped[str] = column(String(60))
    object: Mapped[str] = column(String(200))
    details: Mapped[dict] = column(JSON)
    before: Mapped[str] = column(String(64))
    hash: Mapped[str] = column(String(64))


class Answer(Base):
    """What was answered to an Idempotency-Key, so that the same POST again does nothing twice."""

    __tablename__ = "answers"
    key: Mapped[str] = column(String(128), primary_key=True)
    principal: Mapped[str] = column(String(200), primary_key=True)
    request: Mapped[str] = column(String(64))
    status: Mapped[int | None]
    body: Mapped[str | None] = column(Text)
    at: Mapped[str] = column(String(20))


class Delivery(Base):
    """A signed webhook that was taken. id: source and the delivery's own id.

    fetch: {source, commit, run, attempts} while the files of a pushed commit are still to be fetched, at `due_at`.
    """

    __tablename__ = "deliveries"
    id: Mapped[str] = column(String(200), primary_key=True)
    source: Mapped[str] = column(String(40))
    sha256: Mapped[str] = column(String(64))
    task: Mapped[str | None] = column(String(26))
    outcome: Mapped[str] = column(Text)
    at: Mapped[str] = column(String(20))
    fetch: Mapped[dict | None] = column(JSON)
    due_at: Mapped[str | None] = column(String(20), index=True)


class Acknowledgement(Base):
    """Somebody has seen an alarm. key: of site, alarm and its beginning, so that one that comes again is new."""

    __tablename__ = "acknowledgements"
    key: Mapped[str] = column(String(64), primary_key=True)
    site: Mapped[str] = column(String(100))
    alarm: Mapped[str] = column(Text)
    by: Mapped[str] = column(String(200))
    at: Mapped[str] = column(String(20))
    note: Mapped[str | None] = column(Text)


class Notice(Base):
    """A message to send. once: what makes it the only one: event, channel, recipient. params: what its text says.

    due_at: when it may be tried; of one that is being sent, when its sender counts as dead.
    """

    __tablename__ = "notices"
    id: Mapped[str] = column(String(26), primary_key=True)
    once: Mapped[str] = column(String(400), unique=True)
    channel: Mapped[str] = column(String(40))
    recipient: Mapped[str] = column(String(200))
    event: Mapped[str] = column(String(40))
    task: Mapped[str] = column(String(26))
    params: Mapped[dict] = column(JSON)
    state: Mapped[str] = column(String(20))
    attempts: Mapped[int] = column(default=0)
    due_at: Mapped[str] = column(String(20))
    message: Mapped[str | None] = column(Text)
    created_at: Mapped[str] = column(String(20))
    sent_at: Mapped[str | None] = column(String(20))
    __table_args__ = (Index("notices_by_state", "state", "due_at"),)


class Switch(Base):
    """What is set once for all: ``pause`` of all launches; ``notices``: up to which row of the audit they are made."""

    __tablename__ = "switches"
    name: Mapped[str] = column(String(200), primary_key=True)
    value: Mapped[dict] = column(JSON)
    by: Mapped[str] = column(String(200))
    at: Mapped[str] = column(String(20))


class Quota(Base):
    """How much a tenant, or one person of it, may use a month. person: "" for the tenant as a whole.

    resource: card_s | core_s | money_fen; amount: in that unit, at least 0.
    """

    __tablename__ = "quotas"
    tenant: Mapped[str] = column(String(40), primary_key=True)
    person: Mapped[str] = column(String(200), primary_key=True)
    resource: Mapped[str] = column(String(20), primary_key=True)
    amount: Mapped[int] = column(BigInteger)
    by: Mapped[str] = column(String(200))
    at: Mapped[str] = column(String(20))


class Holding(Base):
    """What an approved plan may use at most, and once its run has ended what it did use. month: YYYY-MM, in China.

    An amount that is not known is None: of a price that is not known, say.
    """

    __tablename__ = "holdings"
    task: Mapped[str] = column(ForeignKey("tasks.id"), primary_key=True)
    tenant: Mapped[str] = column(String(40))
    person: Mapped[str] = column(String(200))
    month: Mapped[str] = column(String(7))
    card_s: Mapped[int] = column(BigInteger)
    core_s: Mapped[int] = column(BigInteger)
    money_fen: Mapped[int | None] = column(BigInteger)
    settled_at: Mapped[str | None] = column(String(20))
    __table_args__ = (Index("holdings_by_tenant", "tenant", "month"),)
