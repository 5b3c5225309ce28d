"""Alarms of all sites, and who has acknowledged them. The alarm itself is the site's: only its silence ends it."""

from __future__ import annotations

import hashlib

from sqlalchemy import delete
from sqlalchemy import select

from ansible_collections.suanwang.brain.plugins.module_utils.said import say

from .. import audit
from ..models import Acknowledgement
from .desk import kept
from .desk import Missing

SEVERITIES = ("critical", "major", "minor", "warning", "info")


def _key(site, alarm, since):
    return hashlib.sha256(f"{site}\0{alarm}\0{since or ''}".encode()).hexdigest()


def index(desk, site=None, severity=None, acknowledged=None):
    """Return one mapping an alarm, worst and newest first: what the platform said, its pools, who acknowledged it.

    acknowledged: True or False for those alone.
    """
    found = {}
    for one in desk.planner.ask("overview")["alarms"]:
        row = found.setdefault(_key(one["site"], one["id"], one["since"]), {**one, "pools": []})
        if one["pool"] is not None and one["pool"] not in row["pools"]:
            row["pools"].append(one["pool"])
    with desk.database.read() as session:
        seen = {row.key: row for row in session.scalars(select(Acknowledgement))}
    rows = [{**row, "key": key, "acknowledged": _shown(seen.get(key))} for key, row in found.items()]
    rows = [
        row
        for row in rows
        if site in (None, row["site"])
        and severity in (None, row["severity"])
        and acknowledged in (None, row["acknowledged"] is not None)
    ]
    rows.sort(key=lambda row: (row["since"] or "", row["key"]), reverse=True)
    return sorted(rows, key=lambda row: (row["acknowledged"] is not None, _rank(row["severity"])))


def _rank(severity):
    return SEVERITIES.index(severity) if severity in SEVERITIES else len(SEVERITIES)


def _shown(row):
    return None if row is None else {"by": row.by, "at": row.at, "note": row.note}


def acknowledge(desk, caller, site, alarm, note):
    """Note that the caller has seen an alarm; return it as it is shown. Whoever was first stays so."""
    kept(caller, site)
    rows = [row for row in index(desk, site) if row["id"] == alarm]
    if not rows:
        raise Missing(say("{site} has no such alarm now", site=site))
    now = desk.now()
    with desk.database.write() as session:
        for row in rows:
            if session.get(Acknowledgement, row["key"]) is None:
                made = Acknowledgement(
                    key=row["key"], site=site, alarm=alarm, by=caller.principal, at=now, note=note or None
                )  # fmt: skip
                session.add(made)
                audit.note(
                    session, now, caller.principal, "alarm.acknowledge", site, alarm=alarm, name=row["name"],
                    since=row["since"], note=note or None,
                )  # fmt: skip
    return next(row for row in index(desk, site) if row["id"] == alarm)


def forget_gone(desk):
    """Forget acknowledgements of alarms that are over, so that one that comes again waits anew. The audit keeps them.

    Only of sites that answer in full: what a silent site said is not over.
    """
    with desk.database.read() as session:
        known = list(session.scalars(select(Acknowledgement)))
    if not known:
        return
    seen = desk.planner.ask("overview")
    present = {_key(one["site"], one["id"], one["since"]) for one in seen["alarms"]}
    dark = {one["id"] for one in seen["sites"] if one["at"] and one["state"] not in ("live", "drained")}
    sites = {one["id"] for one in seen["sites"]}
    gone = [row.key for row in known if row.key not in present and row.site not in dark and row.site in sites]
    if gone:
        with desk.database.write() as session:
            session.execute(delete(Acknowledgement).where(Acknowledgement.key.in_(gone)))
