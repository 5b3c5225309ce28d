# Copyright: SuanWang Brain contributors
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A proposal over time as text, a row a component. Pure: no terminal, no colour."""

from __future__ import annotations

from .timeline import human

_GLYPHS = {"move_data": ("▒", "~"), "collect": ("▒", "~")}


def rows(proposal, width=72, ascii=False):
    """Return lines of at most `width` characters (60 or more read best): name, bar, place and length.

    ascii: bars of # for work and ~ for copies, for terminals without block characters.
    """
    places = proposal.placements
    finish = max((place.end_s for place in places), default=0)
    names = max((len(place.component) for place in places), default=0)
    notes = [_note(place) for place in places]
    room = max(8, width - names - max(map(len, notes), default=0) - 4)
    lines = []
    for place, note in zip(places, notes, strict=True):
        stretch = _bar(place, finish, room, ascii)
        lines.append(f"{place.component:<{names}}  {stretch}  {note}"[:width].rstrip())
    scale = f"0{human(finish):>{max(1, room - 1)}}"
    lines.append(f"{'':<{names}}  {scale}"[:width].rstrip())
    return lines


def _note(place):
    length = human(place.end_s - place.start_s)
    return f"{place.link or place.site} {length}" if place.pool is None else f"{place.pool} {length}"


def _bar(place, finish, room, ascii):
    """Fill the cells in which the component runs; at least one, so that nothing is invisible."""
    if not finish:
        return " " * room
    first = min(room - 1, place.start_s * room // finish)
    last = max(first + 1, -(-place.end_s * room // finish))
    block, plain = _GLYPHS.get(place.kind, ("█", "#"))
    fill = plain if ascii else block
    return (" " * first + fill * (last - first)).ljust(room)[:room]
