# Copyright: SuanWang Brain contributors
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Text for people: rich where there is a terminal, plain lines where there is none. Pure: records in, text out."""

from __future__ import annotations

import io
import re
import shutil
import sys

try:
    from rich.console import Console
    from rich.table import Table
except ImportError:
    Console = Table = None

PLAIN_WIDTH = 140
# Asked when this file is imported, which is in the playbook process: a worker has no terminal and no /dev/tty.
TERMINAL = sys.stdout.isatty()
_COLUMNS = max(60, shutil.get_terminal_size((PLAIN_WIDTH, 24)).columns) if TERMINAL else PLAIN_WIDTH
_COLOURS = {
    "live": "green",
    "partial": "yellow",
    "stale": "yellow",
    "lost": "red",
    "drained": "magenta",
}


def width():
    """Return the columns that text may take; a fixed number where there is no terminal."""
    return _COLUMNS


def render(*parts):
    """Return rich renderables or strings as text; colours only for a terminal."""
    stream = io.StringIO()
    console = Console(file=stream, force_terminal=TERMINAL, width=width(), highlight=False, no_color=not TERMINAL)
    for part in parts:
        console.print(part, markup=False) if isinstance(part, str) else console.print(part)
    return "\n".join(line.rstrip() for line in stream.getvalue().rstrip("\n").split("\n"))


def table(title, columns):
    """Return an empty table. columns: (header, right-aligned)."""
    made = Table(title=title, title_justify="left", title_style="bold", header_style="bold", box=_box())
    for header, right in columns:
        made.add_column(header, justify="right" if right else "left", no_wrap=True)
    return made


def _box():
    from rich import box

    return box.SIMPLE_HEAD


def known(value, form="{}"):
    """Return a value as text; what is not known is a dash, never 0."""
    return "–" if value is None else form.format(value)


def printable(text):
    """Return text without control characters: what a job prints must not steer a terminal."""
    return re.sub(r"[\x00-\x08\x0a-\x1f\x7f-\x9f]", "·", str(text))


def of(free, total):
    return f"{known(free)}/{known(total)}"


# header, right-aligned, shown from this width on: what a person needs most is there at 80 columns.
_POOL_COLUMNS = (
    ("site", False, 0),
    ("pool", False, 0),
    ("state", False, 0),
    ("age", True, 0),
    ("card", False, 0),
    ("cards", True, 0),
    ("nodes", True, 126),
    ("cores", True, 90),
    ("arch", False, 136),
    ("queue", True, 108),
    ("wait", True, 80),
    ("rtt ms", True, 140),
    ("link", True, 100),
    ("¥/card·h", True, 118),
    ("alarms", True, 80),
)


def pools_table(pools, states, ages):
    """Return the table of perception. states, ages: by pool id, as reckoned now. Free of all, running+waiting."""
    shown = [number for number, (_header, _right, least) in enumerate(_POOL_COLUMNS) if width() >= least]
    made = table(None, [_POOL_COLUMNS[number][:2] for number in shown])
    for pool in sorted(pools, key=lambda item: item.id):
        cells = _cells(pool, states[pool.id], ages[pool.id])
        made.add_row(*[cells[number] for number in shown])
    return made


def links_table(links, ages):
    """Return the table of the links between places. ages: seconds since a link was measured, None where it was not."""
    made = table(
        None,
        (("from", False), ("to", False), ("rate", True), ("rtt ms", True), ("¥/GiB", True), ("measured", True)),
    )
    for link, age in zip(links, ages, strict=True):
        made.add_row(
            link.source,
            link.target,
            known(link.rate_gbps, "{:g} G"),
            known(link.rtt_ms, "{:.1f}"),
            known(None if link.fen_gib is None else link.fen_gib / 100, "{:.2f}"),
            "declared" if age is None else f"{age} s ago",
        )
    return made


def _cells(pool, state, age):
    price = pool.price.accelerator_fen_h
    return (
        pool.site,
        f"{pool.platform}:{pool.name}",
        f"[{_COLOURS.get(state, 'white')}]{state}[/]",
        known(age, "{} s"),
        f"{pool.accelerator.kind} {pool.accelerator.model}" if pool.accelerator else "cpu",
        of(pool.free.accelerators, pool.capacity.accelerators),
        of(pool.free.nodes, pool.capacity.nodes),
        of(pool.free.cpu, pool.capacity.cpu),
        known(pool.arch),
        f"{known(pool.queue.running)}+{known(pool.queue.pending)}",
        known(pool.queue.wait_s, "{} s"),
        known(pool.path.rtt_ms, "{:.1f}"),
        known(pool.path.rate_gbps, "{:g} G"),
        known(None if price is None else price / 100, "{:.2f}"),
        str(len(pool.alarms)),
    )
