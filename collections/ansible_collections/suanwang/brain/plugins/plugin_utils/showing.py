# Copyright: SuanWang Brain contributors
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Proposals, changes and plans as text for a person. Records in, text out."""

from __future__ import annotations

from . import clock
from . import console
from .planning import gantt
from .planning.timeline import human

try:
    from rich.columns import Columns
    from rich.markup import escape
    from rich.panel import Panel
    from rich.text import Text
except ImportError:  # ansible-test imports this file without our requirements
    Columns = escape = Panel = Text = None


def proposals(found):
    """Return all proposals side by side, with their timelines, and every "no" with its reason."""
    parts = []
    refused = found.sentences
    if refused:
        parts.append("Not possible:")
        parts += [f"  {row['component']} at {row['pool']} ({row['rule']}): {row['sentence']}" for row in refused]
    if found.waits:
        parts.append("Possible, but not at once:")
        parts += [f"  {row['component']} at {row['pool']} ({row['rule']}): {row['sentence']}" for row in found.waits]
    width = console.width() // min(len(found.proposals), 2 if console.width() < 150 else 3) - 1
    parts.append(Columns([_card(one, width) for one in found.proposals], padding=(0, 1)))
    parts += [f"Note: {note}" for note in found.notes]
    return console.render(*parts)


def _card(one, width):
    figures = one.objectives
    lines = [
        f"finished after {human(figures.finish_s)}, cost {money(figures.cost_fen)}",
        f"energy {console.known(figures.energy_wh, '{} Wh')}, {figures.card_s} card-seconds, risk {figures.risk}",
        *gantt.rows(one, width - 4),
        *[f"+ {sentence}" for sentence in one.reasons],
        *[f"- {sentence}" for sentence in one.loses],
        *[f"note: {sentence}" for sentence in one.notes],
    ]
    title = " = ".join(one.labels) or "revised"
    return Panel(Text("\n".join(lines)), title=title, title_align="left", width=width)


def money(fen):
    """Return an amount in yuan; an unknown price is a dash."""
    return "–" if fen is None else f"¥{fen / 100:.2f}"


def deltas(changes):
    """Return what an edit changes, a line a figure."""
    made = console.table("The edit changes", [("figure", False), ("by", True)])
    for name, value in changes.items():
        made.add_row(name, console.known(value, "{:+}"))
    return console.render(made)


def plan(plan_, digest, estimate):
    """Return what an approver signs: the whole plan in few lines, and what it was reckoned to cost."""
    caps = plan_["caps"]
    made = console.table(
        f"Plan {digest[:16]} of run {plan_['run']}: {plan_['task']['name']}",
        [
            ("component", False),
            ("kind", False),
            ("needs", False),
            ("pools, first choice first", False),
            ("what", False),
        ],
    )
    for item in plan_["components"]:
        made.add_row(item["id"], item["kind"], " ".join(item["needs"]), " ".join(item["pools"]), _what(item))
    window = plan_["window"]
    opens = f"start not before {window['not_before']} and before" if "not_before" in window else "start before"
    lines = [
        f"requester {plan_['requester']}, tenant {plan_['tenant']}, {opens} {window['start_by']}",
        f"at most {human(caps['wall_s'])}, {caps['card_s']} card-seconds, {money(caps.get('money_fen'))};"
        f" may delete: {', '.join(plan_['deletions']) or 'nothing'}",
    ]
    reckoned = estimate.get("objectives") or {}
    if reckoned.get("finish_s") is not None:
        lines.append(f"reckoned: {human(reckoned['finish_s'])}, {money(reckoned.get('cost_fen'))}")
    return console.render(made, *lines)


_RUN_COLOURS = {
    "running": "green",
    "succeeded": "green",
    "failed": "red",
    "damaged": "red",
    "interrupted": "yellow",
    "partial": "yellow",
    "expired": "yellow",
}


def runs(records):
    """Return the table of runs, newest first, and a line for each whose plan does not read."""
    columns = [
        ("run", False),
        ("task", False),
        ("state", False),
        ("started", False),
        ("done", True),
        ("driven by", False),
    ]
    made = console.table(None, columns)
    for row in records:
        started = clock.local(row["started"]) if row["started"] else None
        done = f"{row['done']}/{console.known(row['components'])}"
        made.add_row(
            row["run"],
            escape(console.known(row["task"])),
            f"[{_RUN_COLOURS.get(row['state'], 'white')}]{row['state']}[/]",
            console.known(started),
            done,
            escape(console.known(row["holder"])),
        )
    return console.render(made, *[f"{row['run']}: {row['message']}" for row in records if row["message"]])


_LEASE_COLOURS = {"ending": "yellow", "overdue": "red"}


def deployments(standing, now):
    """Return the table of what stands, and for each that is overdue the command that ends it."""
    columns = [("deployment", False), ("state", False), ("until", False), ("where", False), ("run", False)]
    made = console.table(None, columns)
    for one in standing:
        state, where = one.state(now), " ".join(f"{name}@{pool or '?'}" for name, pool in sorted(one.pool_of.items()))
        made.add_row(
            f"{one.tenant}/{one.deployment}",
            f"[{_LEASE_COLOURS.get(state, 'green')}]{state}[/]",
            clock.local(one.until),
            escape(where),
            one.run,
        )
    return console.render(made, *overdue(standing, now))


def overdue(standing, now):
    """Return a sentence a deployment whose lease is over."""
    return [
        f"The lease of {one.tenant}/{one.deployment} was over at {clock.local(one.until)}, and it still stands:"
        f" ansible-playbook playbooks/release.yml -e deployment={one.tenant}/{one.deployment}"
        for one in standing
        if one.state(now) == "overdue"
    ]


def _what(item):
    if "code" in item:
        cards = f"{item.get('accelerators', 0)} cards, " if item.get("accelerators") else ""
        return f"{cards}{item['code']['entry']} (code {item['code']['sha256'][:8]})"
    if "datum" in item:
        datum = item["datum"]
        held = datum.get("file", {}).get("sha256", "")[:8]
        return f"{datum['name']} {held or 'from ' + datum.get('from', '')}".strip()
    return ""
