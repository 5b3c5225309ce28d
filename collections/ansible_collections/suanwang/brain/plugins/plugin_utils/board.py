# Copyright: SuanWang Brain contributors
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""One line a component on the console, from the tail of a run's journal."""

from __future__ import annotations

import json
import threading
import time

try:
    from rich.text import Text
except ImportError:  # ansible-test imports this file without our requirements
    Text = None

_SHOWN = {
    "placed": "placed",
    "waiting": "waiting",
    "begin": "begun",
    "found": "found",
    "intent": "writing",
    "submitted": "queued",
    "made": "made",
    "doubt": "in doubt",
    "unreachable": "unreachable",
}
_MARKS = {"succeeded": "✔", "failed": "✘", "running": "▶", "queued": "…", "waiting": "·"}
#: Where there is no terminal, a line about unchanged work in so many seconds.
PLAIN_S = 10.0


class Line:
    """The state of one component, as the journal tells it."""

    def __init__(self, name):
        self.name = name
        self.state = "planned"
        self.pool = ""
        self.percent = None
        self.rate_kbps = None
        self.eta_s = None
        self.message = ""
        self.since = None
        self.said = None

    def take(self, event):
        """Take one event of the journal."""
        kind = event["event"]
        if kind == "intent" and self.state in ("succeeded", "failed"):
            return  # giving back what is no longer needed is no news of the component
        self.state = event.get("state") or _SHOWN.get(kind, self.state)
        if kind == "placed":
            self.pool, self.state = event["pool"], "placed"
        for field in ("percent", "rate_kbps", "eta_s"):
            setattr(self, field, event.get(field) if kind == "progress" else None)
        self.message = event.get("message") or event.get("reason") or ""
        if kind == "evaluated":
            self.message = f"accuracy {float(event['accuracy']):.3f} on {event['rows']} withheld rows"
            self.state = "measured"
        if kind == "begin":
            self.since = time.monotonic()

    @property
    def eta(self):
        if self.eta_s is not None:
            return self.eta_s
        # From percent and elapsed time: a guess, for display only.
        if self.percent and self.since and 0 < self.percent < 100:
            return (time.monotonic() - self.since) * (100 - self.percent) / self.percent
        return None

    def text(self):
        """Return the line as plain text."""
        parts = [f"{_MARKS.get(self.state, ' ')} {self.name:<20} {self.state:<10}"]
        parts.append(f"{self.percent:>3} %" if self.percent is not None else "     ")
        if self.rate_kbps is not None:
            parts.append(f"{self.rate_kbps / 8000:.1f} MB/s")
        if self.eta is not None:
            parts.append(f"{int(self.eta)} s left")
        parts.append(self.pool)
        if self.message and self.message != "None":
            parts.append(self.message[:160])
        return "  ".join(part for part in parts if part).rstrip()


class Board:
    """Follows a journal in a thread. On a terminal the lines are redrawn in place, else printed when they change."""

    def __init__(self, journal, components, display, stream):
        self.lines = {name: Line(name) for name in components}
        self._journal = journal
        self._display = display
        self._stream = stream
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._follow, daemon=True)
        self._position = 0
        self._live = _live(stream)

    def start(self):
        """Begin at the journal's present end less this pass: the pass begins with `loaded`."""
        if self._live:
            self._live.start()
        self._thread.start()

    def stop(self):
        """Show what is still to be shown, and end."""
        self._over.set()
        self._thread.join(timeout=5)
        self._read()
        self._show(final=True)
        if self._live:
            self._live.stop()

    def abandon(self):
        """End without taking any lock; return what has to be written to the terminal then."""
        self._over.set()
        if self._thread.is_alive():
            self._thread.join(timeout=0.5)
        return "\n\x1b[?25h" if self._live else ""

    def _follow(self):
        while not self._over.wait(0.25):
            self._read()
            self._show()

    def _read(self):
        """Take what is new. A line may be cut where a process was killed while it wrote."""
        try:
            with open(self._journal, "rb") as stream:
                stream.seek(self._position)
                data = stream.read()
        except FileNotFoundError:
            return
        whole = data[: data.rfind(b"\n") + 1]
        self._position += len(whole)
        for text in whole.splitlines():
            try:
                event = json.loads(text)
            except ValueError:
                continue  # somebody died in the middle of it
            if event["event"] == "loaded":
                self.lines = {name: Line(name) for name in self.lines}
            elif event.get("component") in self.lines:
                self.lines[event["component"]].take(event)

    def _show(self, final=False):
        if self._live:
            lines = "\n".join(line.text() for line in self.lines.values())
            self._live.update(Text(lines, no_wrap=True, overflow="ellipsis"), refresh=True)
            return
        for line in self.lines.values():
            now = time.monotonic()
            key = (line.state, line.message)
            if line.state == "planned" or (line.said and line.said[0] == key):
                moved = line.said and line.percent is not None and now - line.said[1] > PLAIN_S
                if not moved:
                    continue
            line.said = (key, now)
            self._display.display(time.strftime("%H:%M:%S ") + line.text())


def _live(stream):
    if not stream.isatty():
        return None
    try:
        from rich.console import Console
        from rich.live import Live
    except ImportError:
        return None
    return Live("", console=Console(file=stream, highlight=False, markup=False), auto_refresh=False)
