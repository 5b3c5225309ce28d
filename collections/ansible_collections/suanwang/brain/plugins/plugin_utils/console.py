# Copyright: SuanWang Brain contributors
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Text for people: rich where there is a terminal, plain lines where there is none. Pure: records in, text out."""

from __future__ import annotations

import io
import shutil
import sys

try:
    from rich.console import Console
    from rich.table import Table
except ImportError:
    Console = Table = None

PLAIN_WIDTH = 140
_COLOURS = {
    "live": "green",
    "partial": "yellow",
    "stale": "yellow",
    "lost": "red",
    "drained": "magenta",
}


def is_terminal():
    return sys.stdout.isatty()


def width():
    """Return the columns that text may take; a fixed number where there is no terminal."""
    return shutil.get_terminal_size((PLAIN_WIDTH, 24)).columns if is_terminal() else PLAIN_WIDTH


def render(*parts, terminal=None):
    """Return rich renderables or strings as text; colours only for a terminal."""
    terminal = is_terminal() if terminal is None else terminal
    stream = io.StringIO()
    console = Console(file=stream, force_terminal=terminal, width=width(), highlight=False, no_color=not terminal)
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


def of(free, total):
    return f"{known(free)}/{known(total)}"


def pools_table(pools, states, ages):
    """Return the table of perception. states, ages: by pool id, as reckoned now."""
    made = table(
        None,
        [
            ("site", False),
            ("pool", False),
            ("state", False),
            ("age", True),
            ("card", False),
            ("cards", True),
            ("nodes", True),
            ("cores", True),
            ("arch", False),
            ("queue", True),
            ("wait", True),
            ("rtt ms", True),
            ("link", True),
            ("¥/card·h", True),
            ("alarms", True),
        ],
    )
    for pool in sorted(pools, key=lambda item: item.id):
        state = states[pool.id]
        made.add_row(
            pool.site,
            f"{pool.platform}:{pool.name}",
            f"[{_COLOURS.get(state, 'white')}]{state}[/]",
            known(ages[pool.id], "{} s"),
            f"{pool.accelerator.kind} {pool.accelerator.model}" if pool.accelerator else "cpu",
            of(pool.free.accelerators, pool.capacity.accelerators),
            of(pool.free.nodes, pool.capacity.nodes),
            of(pool.free.cpu, pool.capacity.cpu),
            known(pool.arch),
            f"{known(pool.queue.running)}+{known(pool.queue.pending)}",
            known(pool.queue.wait_s, "{} s"),
            known(pool.path.rtt_ms, "{:.1f}"),
            known(pool.path.rate_gbps, "{:g} G"),
            known(
                None if pool.price.accelerator_fen_h is None else pool.price.accelerator_fen_h / 100,
                "{:.2f}",
            ),
            str(len(pool.alarms)),
        )
    return made
