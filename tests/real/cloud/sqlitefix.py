"""Lets services of several threads share SQLite files: one that will write takes its lock when it begins.

oslo.db begins every transaction as a reader, and SQLite answers a reader that then wants to write with "database is
locked" at once, whatever its timeout.
"""

import contextlib
import threading


def apply():
    from oslo_db.sqlalchemy import enginefacade
    from sqlalchemy import event
    from sqlalchemy.engine import Engine

    state = threading.local()
    produce = enginefacade._TransactionContext._produce_block

    @contextlib.contextmanager
    def block(self, mode, *args, **options):
        before = getattr(state, "writes", False)
        state.writes = before or mode is enginefacade._WRITER
        try:
            with produce(self, mode, *args, **options) as resource:
                yield resource
        finally:
            state.writes = before

    enginefacade._TransactionContext._produce_block = block

    @event.listens_for(Engine, "connect")
    def connected(connection, record):
        cursor = connection.cursor()
        for pragma in ("journal_mode=WAL", "busy_timeout=60000", "synchronous=OFF"):
            cursor.execute(f"PRAGMA {pragma}")
        cursor.close()

    @event.listens_for(Engine, "before_cursor_execute", retval=True)
    def executed(connection, cursor, statement, parameters, context, executemany):
        if statement == "BEGIN" and getattr(state, "writes", False):
            statement = "BEGIN IMMEDIATE"
        return statement, parameters
