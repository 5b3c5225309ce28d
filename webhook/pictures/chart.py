"""Use over time: an area for what is given away, a line for what was measured; where nobody looked there is nothing."""

from __future__ import annotations

from markupsafe import escape
from markupsafe import Markup

HEIGHT = 100


def use(points, title):
    """Return the chart of one pool, as wide as its place. points: places.Point, per cent; title: for who hears it."""
    width = max(1, len(points))
    parts = [
        f'<svg class="use" width="100%" height="56" viewBox="0 0 {width} {HEIGHT}" preserveAspectRatio="none"'
        f' role="img" aria-label="{escape(title)}" xmlns="http://www.w3.org/2000/svg">'
    ]
    parts += [f'<line class="grid" x1="0" x2="{width}" y1="{y}" y2="{y}"/>' for y in (0, 50, 100)]
    for first, figures in _stretches([one.used_pct for one in points]):
        top = " ".join(f"L{first + n} {_y(one)}L{first + n + 1} {_y(one)}" for n, one in enumerate(figures))
        parts.append(f'<path class="area" d="M{first} {HEIGHT}{top}L{first + len(figures)} {HEIGHT}Z"/>')
    for first, figures in _stretches([one.measured_pct for one in points]):
        line = "L".join(f"{first + n} {_y(one)}L{first + n + 1} {_y(one)}" for n, one in enumerate(figures))
        parts.append(f'<path class="line" d="M{line}"/>')
    return Markup("".join([*parts, "</svg>"]))


def _y(pct):
    return round(HEIGHT - min(100, max(0, pct)), 1)


def _stretches(figures):
    """Yield (place, figures) of each stretch in which something is known."""
    begun, kept = 0, []
    for place, one in enumerate([*figures, None]):
        if one is not None:
            begun = place if not kept else begun
            kept.append(one)
        elif kept:
            yield begun, kept
            kept = []
