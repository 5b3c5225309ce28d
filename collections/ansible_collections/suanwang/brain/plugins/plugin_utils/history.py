# Copyright: SuanWang Brain contributors
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a run's journal says of its passes, and which part of a plan may run after them. Pure: events in, facts out."""

from __future__ import annotations

from ..module_utils.errors import Invalid


class History:
    """The passes of a run, since everything was last given back.

    started: whether anything was begun, ever. closed: the state of the last close, or None. done: the ids of
    components that ended well. all_done: whether the giving back had begun, after which nothing is looked for.
    open: whether a pass was begun after the last close.
    """

    def __init__(self, events):
        self.started, self.closed, self.done, self.all_done = False, None, set(), False
        self.open, self._releasing = False, False
        for event in events:
            self._take(event)

    def _take(self, event):
        kind = event["event"]
        self.started = self.started or kind in ("intent", "submitted", "placed")
        if kind == "loaded":
            self.open, self._releasing = True, event.get("purpose") == "release"
            if self._releasing:
                self.closed, self.done, self.all_done = None, set(), False
        elif kind == "closed":
            self.closed, self.open = event["state"], False
        elif kind == "done":
            self.all_done = True
        elif kind == "end" and self._releasing:
            return  # how the giving back of a component ended
        elif kind == "end" and event["state"] == "succeeded":
            self.done.add(event["component"])
        elif kind == "end" and not self.all_done:
            self.done.discard(event["component"])


def part_of(plan, only, done):
    """Return the ids of the components of a pass, or None for all; raise Invalid where a need is missing.

    only: what was asked for, None for all. What it needs and has ended well before is looked at again, no more.
    """
    if not only:
        return None
    known = {item["id"]: item for item in plan["components"]}
    for name in only:
        if name not in known:
            raise Invalid(f"the plan has no component {name}.", way_out=f"It has: {', '.join(known)}.")
    chosen = set(only)
    waiting = list(only)
    while waiting:
        item = known[waiting.pop()]
        for need in set(item["needs"]) - chosen:
            if need not in done:
                missing = _closure(known, only)
                raise Invalid(
                    f"{item['id']} needs {need}, which is neither in `only` nor done.",
                    way_out=f"-e only={','.join(missing)}",
                )
            chosen.add(need)
            waiting.append(need)
    for item in known.values():
        mates = [name for name, other in known.items() if item.get("gang") and other.get("gang") == item["gang"]]
        if item["id"] in chosen and not set(mates) <= chosen:
            raise Invalid(
                f"{item['id']} starts together with {', '.join(sorted(set(mates) - chosen))} or not at all.",
                way_out="Name the whole gang in `only`, or leave `only` away.",
            )
    if chosen | done >= set(known):
        return None  # what is not asked for is done: this pass can give everything back, and close the run
    return [name for name in known if name in chosen]


def _closure(known, only):
    wanted, waiting = set(only), list(only)
    while waiting:
        for need in set(known[waiting.pop()]["needs"]) - wanted:
            wanted.add(need)
            waiting.append(need)
    return [name for name in known if name in wanted]
