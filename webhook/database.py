"""The database: SQLite in the store by default, PostgreSQL by address. Only this file writes a state.

A write transaction of SQLite takes the write lock when it begins, so that reading and then writing is one step;
PostgreSQL locks the rows it reads for that.
"""

from __future__ import annotations

import contextlib
import pathlib

from sqlalchemy import create_engine
from sqlalchemy import event
from sqlalchemy import select
from sqlalchemy import update
from sqlalchemy.engine import make_url
from sqlalchemy.orm import Session

from ansible_collections.suanwang.brain.plugins.module_utils.said import bare

from . import models
from . import states

MIGRATIONS = pathlib.Path(__file__).parent / "migrations"
READ_ONLY = "brain_read_only"


class Stale(Exception):
    """Somebody else moved the row between our reading and our writing."""


class Database:
    """An engine and its two kinds of transaction."""

    def __init__(self, address, password=None):
        url = make_url(str(address))
        if password is not None:
            url = url.set(password=password)
        self.sqlite = url.get_backend_name() == "sqlite"
        options = {} if self.sqlite else {"pool_pre_ping": True, "pool_size": 10, "max_overflow": 20}
        self.engine = create_engine(url, hide_parameters=True, **options)
        if self.sqlite:
            if url.database:
                pathlib.Path(url.database).parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            event.listen(self.engine, "connect", _sqlite_connected)
            event.listen(self.engine, "begin", _sqlite_begins)
        self._reading = self.engine.execution_options(**{READ_ONLY: True})

    @contextlib.contextmanager
    def read(self):
        """A transaction that only reads."""
        with Session(self._reading, expire_on_commit=False) as session:
            yield session

    @contextlib.contextmanager
    def write(self):
        """A transaction that writes; committed at the end, or nothing of it happened."""
        with Session(self.engine, expire_on_commit=False) as session, session.begin():
            yield session

    def migrate(self, to="head"):
        """Bring the tables to this version. Two processes at once: one waits for the other."""
        from alembic import command
        from alembic.config import Config

        config = Config()
        config.set_main_option("script_location", str(MIGRATIONS))
        with self.engine.begin() as connection:
            if not self.sqlite:
                connection.exec_driver_sql("SELECT pg_advisory_xact_lock(727163)")
            config.attributes["connection"] = connection
            command.upgrade(config, to)

    def close(self):
        self.engine.dispose()


def _sqlite_connected(connection, _record):
    connection.isolation_level = None  # we say BEGIN ourselves
    for line in ("journal_mode=WAL", "busy_timeout=15000", "foreign_keys=ON", "synchronous=FULL"):
        connection.execute(f"PRAGMA {line}")


def _sqlite_begins(connection):
    read_only = connection.get_execution_options().get(READ_ONLY)
    connection.exec_driver_sql("BEGIN" if read_only else "BEGIN IMMEDIATE")


def locked(session, model, key):
    """Return a row for change, or None. PostgreSQL: nobody else changes it until we end."""
    return session.get(model, key, with_for_update=session.get_bind().dialect.name != "sqlite", populate_existing=True)


def move(session, row, what, now, **changes):
    """Move a task or a launch by an event of the table, with other columns, in one UPDATE; return the row.

    Raises states.Illegal where the table has no such move, Stale where somebody else was quicker.
    """
    kind = type(row).__name__.lower()
    target = states.after(kind, row.state, what)
    if kind == "task":
        changes["updated_at"] = now
    model = type(row)
    statement = update(model).where(model.id == row.id, model.state == row.state).values(state=target, **bare(changes))
    done = session.execute(statement, execution_options={"synchronize_session": False})
    if done.rowcount != 1:
        raise Stale(f"{kind} {row.id} was moved by somebody else")
    session.refresh(row)
    return row


def add_task(session, **columns):
    """Add a task in its first state."""
    row = models.Task(state="submitted", **columns)
    session.add(row)
    session.flush()
    return row


def add_launch(session, **columns):
    """Add a launch in its first state, or return the one that is there already for the same `once`."""
    there = session.scalars(select(models.Launch).where(models.Launch.once == columns["once"])).first()
    if there is not None:
        return there
    row = models.Launch(state="queued", attempts=0, **columns)
    session.add(row)
    session.flush()
    return row


def queued(session, kinds, limit=500):
    """Return (id, kind, priority, tenant) of the launches of these kinds that wait, oldest first.

    Columns, not rows: it is asked for many times a second, and a task carries its document. No task: None.
    """
    query = (
        select(models.Launch.id, models.Launch.kind, models.Task.priority, models.Task.tenant)
        .outerjoin(models.Task, models.Launch.task == models.Task.id)
        .where(models.Launch.state == "queued", models.Launch.kind.in_(kinds))
        .order_by(models.Launch.created_at, models.Launch.id)
        .limit(limit)
    )
    return [tuple(row) for row in session.execute(query)]


def first_free(session, ids):
    """Return the first launch of `ids` that still waits and that nobody else is claiming, or None."""
    for ident in ids:
        query = select(models.Launch).where(models.Launch.id == ident, models.Launch.state == "queued")
        if session.get_bind().dialect.name != "sqlite":
            query = query.with_for_update(skip_locked=True)
        row = session.scalars(query.execution_options(populate_existing=True)).first()
        if row is not None:
            return row
    return None
