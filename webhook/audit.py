"""The audit: rows that are only ever added, each with a hash over itself and the hash before it.

Whoever changes, removes or reorders a row breaks the chain at that place. The end of the chain is written to
``audit.heads`` in the store from time to time: rows cut off at the end, or a chain written anew, do not fit it.
"""

from __future__ import annotations

import hashlib
import json

from sqlalchemy import select

from ansible_collections.suanwang.brain.plugins.module_utils.said import say

from .models import Entry

START = "0" * 64
_LOCK = 727164
_FIELDS = ("number", "at", "actor", "action", "object", "details", "before")


def digest(row):
    """Return the hash of a row, over its own fields and the hash before it."""
    plain = {name: getattr(row, name) for name in _FIELDS}
    text = json.dumps(plain, ensure_ascii=False, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()


def note(session, now, actor, action, object, **details):
    """Add a row within the caller's transaction: it is there if and only if what it tells has happened."""
    if session.get_bind().dialect.name != "sqlite":
        session.connection().exec_driver_sql(f"SELECT pg_advisory_xact_lock({_LOCK})")
    last = session.scalars(select(Entry).order_by(Entry.number.desc()).limit(1)).first()
    row = Entry(
        number=last.number + 1 if last else 1,
        at=now,
        actor=actor,
        action=action,
        object=object,
        details={name: value for name, value in details.items() if value is not None},
        before=last.hash if last else START,
    )
    row.hash = digest(row)
    session.add(row)
    session.flush()
    return row


def head(session):
    """Return (number, hash) of the last row, (0, START) where there is none."""
    last = session.scalars(select(Entry).order_by(Entry.number.desc()).limit(1)).first()
    return (last.number, last.hash) if last else (0, START)


def verify(session, heads=()):
    """Return (rows, sentence), the sentence None where the chain is whole and every head fits it."""
    before, expected = START, 1
    wanted = dict(heads)
    for row in session.scalars(select(Entry).order_by(Entry.number).execution_options(yield_per=500)):
        if row.number != expected:
            return expected - 1, say(
                "row {n} is missing: row {next} follows row {before}", n=expected, next=row.number, before=expected - 1
            )
        if row.before != before:
            return expected - 1, say(
                "row {n} does not follow the row before it: rows were exchanged or changed", n=row.number
            )
        if digest(row) != row.hash:
            return expected - 1, say("row {n} was changed", n=row.number)
        if wanted.pop(row.number, row.hash) != row.hash:
            return expected - 1, say(
                "row {n} is not the one that audit.heads remembers: the chain was rewritten", n=row.number
            )
        before, expected = row.hash, expected + 1
    if any(number for number in wanted):
        return expected - 1, say(
            "rows after {n} are missing: audit.heads remembers row {last}", n=expected - 1, last=max(wanted)
        )
    return expected - 1, None


def read_heads(path):
    """Return the heads that were written to a file, as (number, hash)."""
    try:
        lines = path.read_text().splitlines()
    except FileNotFoundError:
        return []
    return [(int(number), text) for number, text in (line.split() for line in lines if line.count(" ") == 1)]
