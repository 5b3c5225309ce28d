"""What is planned and what runs: timeline, graph of components, share bar."""

from __future__ import annotations

from markupsafe import escape
from markupsafe import Markup

from ansible_collections.suanwang.brain.plugins.plugin_utils.planning.timeline import human

from .shapes import fitted
from .shapes import word

ROW = 40
TICKS = 4
BOX = (168, 48)
GAP = (44, 18)


def gantt(rows, finish_s, title, unit=human):
    """Return a timeline, one row a component, as wide as the page.

    rows: {name, kind, where, state, start_s, end_s, and real_start_s, real_end_s or None}; seconds from the start.
    state: None where nothing runs yet; else what was planned is pale.
    """
    finish = max(1, finish_s, *(row.get("real_end_s") or 0 for row in rows)) if rows else 1
    height = ROW * len(rows) + 24
    parts = [
        f'<svg class="gantt" width="100%" height="{height}" role="img" aria-label="{escape(title)}"'
        ' xmlns="http://www.w3.org/2000/svg">'
    ]
    for tick in range(TICKS + 1):
        x = 100 * tick / TICKS
        anchor = "start" if tick == 0 else "end" if tick == TICKS else "middle"
        parts.append(f'<line class="grid" x1="{x}%" x2="{x}%" y1="0" y2="{height - 20}"/>')
        words = escape(unit(round(finish * tick / TICKS)))
        parts.append(f'<text class="tick" x="{x}%" y="{height - 4}" text-anchor="{anchor}">{words}</text>')
    for number, row in enumerate(rows):
        parts += _row(row, number * ROW, finish, unit)
    return Markup("".join([*parts, "</svg>"]))


def _row(row, y, finish, unit):
    length = unit(max(0, row["end_s"] - row["start_s"]))
    tip = escape(f"{row['name']}: {row['where'] or ''} {length}")
    yield f"<g><title>{tip}</title>"
    yield f'<text class="name" x="0" y="{y + 13}">{escape(row["name"])}'
    yield f'<tspan class="where" dx="8">{escape(row["where"] or "")} · {escape(length)}</tspan></text>'
    real = row.get("real_start_s")
    yield _bar(
        "plan" if real is not None or row.get("state") else f"bar k-{word(row['kind'])}",
        row["start_s"],
        row["end_s"],
        finish,
        y,
    )
    if real is not None:
        end = row.get("real_end_s") or real
        yield _bar(f"bar s-{word(row.get('state') or '')}", real, max(end, real), finish, y)
    yield "</g>"


def _bar(classes, start, end, finish, y):
    x = 100 * max(0, start) / finish
    width = max(0.6, 100 * (end - start) / finish)
    return (
        f'<rect class="{classes}" x="{min(x, 99.4):.2f}%" y="{y + 19}" width="{min(width, 100 - min(x, 99.4)):.2f}%"'
        ' height="12" rx="3"/>'
    )


def graph(nodes, title):
    """Return the graph of components, left to right. nodes: {id, kind, needs, state, note}."""
    level = {}
    for node in nodes:
        level[node["id"]] = 1 + max((level.get(need, -1) for need in node["needs"]), default=-1)
    ranks = {}
    for node in nodes:
        ranks.setdefault(level[node["id"]], []).append(node)
    place = {
        node["id"]: (rank * (BOX[0] + GAP[0]) + 2, number * (BOX[1] + GAP[1]) + 2)
        for rank, found in ranks.items()
        for number, node in enumerate(found)
    }
    width = (max(ranks, default=0) + 1) * (BOX[0] + GAP[0]) - GAP[0] + 4
    height = max((len(found) for found in ranks.values()), default=1) * (BOX[1] + GAP[1]) - GAP[1] + 4
    parts = [
        f'<svg class="graph" width="{width}" height="{height}" viewBox="0 0 {width} {height}" role="group"'
        f' aria-label="{escape(title)}" xmlns="http://www.w3.org/2000/svg">'
    ]
    for node in nodes:
        parts += [_edge(place[need], place[node["id"]]) for need in node["needs"] if need in place]
    parts += [_node(node, *place[node["id"]]) for node in nodes]
    return Markup("".join([*parts, "</svg>"]))


def _edge(start, end):
    x1, y1 = start[0] + BOX[0], start[1] + BOX[1] // 2
    x2, y2 = end[0], end[1] + BOX[1] // 2
    half = (x1 + x2) // 2
    return f'<path class="edge" d="M{x1} {y1}C{half} {y1} {half} {y2} {x2} {y2}"/>'


def _node(node, x, y):
    state = word(node.get("state") or "planned")
    name, note = escape(node["id"]), escape(fitted(node.get("note") or node["kind"], BOX[0] - 20, 11))
    return (
        f'<a href="#c-{name}"><g class="node s-{state}"><title>{name}: {escape(node["kind"])}</title>'
        f'<rect x="{x}" y="{y}" width="{BOX[0]}" height="{BOX[1]}" rx="8"/>'
        f'<text class="name" x="{x + 12}" y="{y + 20}">{name}</text>'
        f'<text class="where" x="{x + 12}" y="{y + 37}">{note}</text></g></a>'
    )


def bar(part, whole, title):
    """Return a small bar of a part of a whole; nothing is known: an empty one."""
    pct = 0 if not whole or part is None else 100 * part / whole
    return Markup(
        f'<svg class="share" width="100%" height="6" role="img" aria-label="{escape(title)}">'
        '<rect class="all" width="100%" height="6" rx="3"/>'
        f'<rect class="part" width="{pct:.1f}%" height="6" rx="3"/></svg>'
    )
