# Copyright: SuanWang Brain contributors
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The journal as sentences for people. Pure: events in, text out."""

from __future__ import annotations

from . import clock
from .console import printable

#: Of a component whose state stays the same, a line in so many seconds of the journal.
PROGRESS_S = 10


class Teller:
    """Turns the events of one run into lines, and leaves out what repeats."""

    def __init__(self):
        self._told = {}

    def line(self, event):
        """Return one line for an event, or None where it says nothing new."""
        kind, name = event["event"], event.get("component")
        if kind in ("progress", "unreachable") and not self._is_news(event):
            return None
        if kind not in ("progress", "unreachable"):
            self._told.pop(name, None)
        said = sentence(event)
        if said is None:
            return None
        return f"{clock.local(event['at'])}  {f'{name}: ' if name else ''}{said}"

    def _is_news(self, event):
        key = (event["event"], event.get("state"), event.get("message"))
        before = self._told.get(event["component"])
        whole = event.get("percent") == 100 and (before is None or before[2] != 100)
        if before and before[0] == key and not whole and clock.seconds_between(before[1], event["at"]) < PROGRESS_S:
            return False
        self._told[event["component"]] = (key, event["at"], event.get("percent"))
        return True


def sentence(event):
    """Return what happened, in words; None for an event that is for programs only."""
    found = _SENTENCES.get(event["event"])
    try:
        return printable(found(event)) if found else None
    except (KeyError, TypeError, ValueError):
        return None  # an event of another version


def _loaded(event):
    what = "Everything is given back" if event.get("purpose") == "release" else "The plan is applied"
    part = f"; only {', '.join(event['only'])}" if event.get("only") else ""
    return f"{what}{part} (plan {event['digest'][:8]})."


def _placed(event):
    if event.get("error"):
        return event["error"]
    there = f"found at {event['pool']}" if event.get("found") else f"goes to {event['pool']}"
    return f"{there}, state {event['state']}." if event.get("state") else f"{there}."


def _submitted(event):
    return f"submitted as job {event['native_id']}, attempt {event['attempt']}, {event['state']}."


def _progress(event):
    parts = [event.get("state") or "under way"]
    if event.get("reason") not in (None, "None"):
        parts[0] += f" ({event['reason']})"
    if event.get("percent") is not None:
        parts.append(f"{event['percent']} %")
    if event.get("rate_kbps"):
        parts.append(f"{event['rate_kbps'] / 8000:.1f} MB/s")
    if event.get("eta_s"):
        parts.append(f"{int(event['eta_s'])} s left")
    return ", ".join(parts) + "."


def _end(event):
    if event["state"] == "succeeded":
        return "ended well."
    return f"failed: {event.get('message') or event['state']}"


_SENTENCES = {
    "loaded": _loaded,
    "placed": _placed,
    "waiting": lambda event: f"waits for {', '.join(event['needs'])}.",
    "begin": lambda event: "begins.",
    "intent": lambda event: f"about to {event['message']}.",
    "reserved": lambda event: f"holds {len(event['nodes'])} node(s) until {clock.local(event['end'])}.",
    "unheld": lambda event: f"holds no nodes: {event['message']}",
    "gang": lambda event: (
        f"The members of gang {event['gang']} started within {event['skew_s']} s, {event['allowed_s']} s are allowed."
    ),
    "found": lambda event: f"is there already, {event.get('state') or 'state unknown'}.",
    "submitted": _submitted,
    "made": lambda event: f"is made as {event['native_id']}, {event.get('state') or 'state unknown'}.",
    "reachable": lambda event: (
        f"{event['machine']} is reached at {event['public']['address']}:{event['public']['port']}"
        f" ({event['private']['address']}:{event['private']['port']} inside)."
    ),
    "served": lambda event: f"serves as {event['native_id']}, {event.get('state') or 'state unknown'}.",
    "answers": lambda event: (
        f"answers at {event['url']}: {event['median_ms']} ms, the median of {event['requests']} requests."
    ),
    "lease": lambda event: f"{event['by']} lets it stay until {clock.local(event['until'])}.",
    "doubt": lambda event: f"in doubt: {event['message']}",
    "unreachable": lambda event: f"waits for the site: {event['message']}",
    "progress": _progress,
    "evaluated": lambda event: (
        f"measured {float(event['accuracy']):.4f} on {event['rows']} withheld rows: {event['path']}"
    ),
    "used": lambda event: f"had its nodes from {event.get('started', '?')} to {event.get('ended', '?')}.",
    "end": _end,
    "done": lambda event: "Every component ended well; what is no longer needed is given back.",
    "interrupted": lambda event: "Interrupted; what runs at the sites goes on.",
    "closed": lambda event: f"Closed as {event['state']}.",
}
