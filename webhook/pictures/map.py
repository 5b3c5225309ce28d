"""The map: the controller and its links to every site, each with zones, both sides of NAT, cards and alarms.

One drawing for wide pages, one for narrow ones: a page shows either, so that letters keep their size.
"""

from __future__ import annotations

from markupsafe import escape
from markupsafe import Markup

from .shapes import box
from .shapes import fitted
from .shapes import text
from .shapes import word

HEAD, LINE, FOOT, BAR = 36, 38, 26, 34
WIDE, CARD, MIDDLE, BETWEEN, RUN = 1160, 356, 124, 26, 122
NARROW, TRUNK, LABEL = 340, 26, 36
#: Gbit/s from which a link is drawn so many pixels wide.
WIDTHS = ((100, 7), (10, 5), (1, 3.5), (0, 2))
SEVERITIES = ("critical", "major", "minor", "warning", "info")


class Words:
    """What a drawing says, in a language. say: text → text; length: seconds → text; language: zh-CN | en."""

    def __init__(self, say, length, language):
        self.say, self.length, self._key = say, length, "zh" if language == "zh-CN" else "en"

    def name(self, site):
        return site.name.get(self._key) or site.id

    def rate(self, link):
        return f"{link.rate_gbps:g} Gbit/s" if link and link.rate_gbps is not None else "– Gbit/s"

    def link(self, out):
        """Return (rate, the rest) of the link to a site."""
        if out is None:
            return self.say("no link"), ()
        rate = self.rate(out) if out.rtt_ms is None else f"{self.rate(out)} · {out.rtt_ms:g} ms"
        age = self.say("measured %(ago)s ago") % {"ago": self.length(out.age_s)} if out.age_s is not None else None
        return rate, (self.say("%(pct)s %% promised") % {"pct": out.committed_pct}, age or self.say("as declared"))

    def cards(self, site):
        """Return (used, whole, text) of the cards of a site, or of its cores where it has none."""
        kind, free, whole = ("cards", site.free_accelerators, site.accelerators)
        if not whole:
            kind, free, whole = ("cores", site.free_cpu, site.cpu)
        if whole is None or free is None:
            return None, whole, f"– / {'–' if whole is None else whole} {self.say(kind)}"
        figures = {"used": whole - free, "free": free}
        said = (
            self.say("%(used)s cards used, %(free)s free")
            if kind == "cards"
            else self.say("%(used)s cores used, %(free)s free")
        )
        return whole - free, whole, said % figures

    def alarms(self, site):
        found = [f"{self.say(one)} {site.alarms[one]}" for one in SEVERITIES if site.alarms.get(one)]
        return " · ".join(found)


def draw(found, words):
    """Return the map as two drawings, wide and narrow. found: places.Map."""
    out = {link.target: link for link in found.links if link.source == "controller"}
    told = escape(describe(found, words, out))
    title = escape(words.say("Map of the sites"))
    return Markup(_wide(found.sites, out, words, title, told) + _narrow(found.sites, out, words, title, told))


def describe(found, words, out):
    """Return what the map shows, for people who hear it."""
    said = []
    for site in found.sites:
        rate, _rest = words.link(out.get(site.id))
        alarms = words.alarms(site) or words.say("no alarms")
        parts = [words.name(site), words.say(site.state), rate, words.cards(site)[2], alarms]
        said.append(", ".join(parts))
    return "; ".join(said)


def _open(name, width, height, title, told):
    return (
        f'<svg class="map {name}" width="100%" viewBox="-2 -2 {width + 4} {height + 4}" role="img"'
        f' aria-labelledby="map-{name}-title map-{name}-desc" xmlns="http://www.w3.org/2000/svg">'
        f'<title id="map-{name}-title">{title}</title><desc id="map-{name}-desc">{told}</desc>'
    )


def _height(site):
    return HEAD + LINE * len(site.endpoints) + BAR + FOOT


def _wide(sites, out, words, title, told):
    columns = [0, 0]
    places = []
    for site in sites:
        side = 0 if columns[0] <= columns[1] else 1
        places.append((site, side, columns[side]))
        columns[side] += _height(site) + BETWEEN
    height = max(*columns, 160) - BETWEEN
    shift = [(height - (column - BETWEEN)) // 2 if column else 0 for column in columns]
    middle, left = height // 2, (WIDE - MIDDLE) // 2
    parts, cards = [_open("wide", WIDE, height, title, told)], []
    for site, side, y in places:
        y += shift[side]
        x, edge = (0, CARD) if side == 0 else (WIDE - CARD, WIDE - CARD)
        end = left if side == 0 else left + MIDDLE
        at, turn = y + _height(site) // 2, edge + (RUN if side == 0 else -RUN)
        half = (turn + end) // 2
        link = out.get(site.id)
        parts += _link(f"M{end} {middle}C{half} {middle} {half} {at} {turn} {at}L{edge} {at}", link)
        label, rest = words.link(link)
        near, anchor = (edge + 8, "start") if side == 0 else (edge - 8, "end")
        cards.append(text(near, at - 10, label, "rate halo", anchor))
        cards += [text(near, at + 17 + 14 * n, one, "soft halo", anchor) for n, one in enumerate(rest)]
        cards += _card(site, x, y, CARD, words)
    parts.append(box(left, middle - 34, MIDDLE, 68, "hub", 12))
    parts.append(text(WIDE // 2, middle - 2, words.say("Controller"), "name", "middle"))
    parts.append(text(WIDE // 2, middle + 16, words.say("%(n)s sites") % {"n": len(sites)}, "soft", "middle"))
    return "".join([*parts, *cards, "</svg>"])


def _narrow(sites, out, words, title, told):
    y, parts, cards, last = 52, [], [], 42
    for site in sites:
        rate, rest = words.link(out.get(site.id))
        cards.append(text(TRUNK, y + 13, rate, "rate"))
        if rest:
            cards.append(text(TRUNK, y + 28, " · ".join(rest), "soft"))
        top = y + LABEL
        at = top + _height(site) // 2
        parts += _link(f"M12 {at}L{TRUNK} {at}", out.get(site.id))
        cards += _card(site, TRUNK, top, NARROW - TRUNK, words)
        last, y = at, top + _height(site) + 14
    height = max(y - 14, 42)
    hub = [box(0, 0, 130, 38, "hub", 10), text(65, 24, words.say("Controller"), "name", "middle")]
    trunk = f'<path class="link" d="M12 38L12 {last}" stroke-width="3"/>'
    return "".join([_open("narrow", NARROW, height, title, told), trunk, *parts, *hub, *cards, "</svg>"])


def _link(path, link):
    """Yield a link, as wide as it is quick, and over it the part that is promised."""
    if link is None:
        yield f'<path class="link none" d="{path}" stroke-width="2"/>'
        return
    width = next(pixels for least, pixels in WIDTHS if (link.rate_gbps or 0) >= least)
    yield f'<path class="link" d="{path}" stroke-width="{width}"/>'
    if link.committed_pct:
        dashes = f'pathLength="100" stroke-dasharray="{link.committed_pct} 100"'
        yield f'<path class="link promised" d="{path}" stroke-width="{width}" {dashes}/>'


def _card(site, x, y, width, words):
    yield box(x, y, width, _height(site), f"site s-{word(site.state)}", 10)
    state = words.say(site.state)
    yield text(x + 14, y + 24, fitted(words.name(site), width - 110, 14), "name")
    yield text(x + width - 14, y + 24, state, f"state t-{word(site.state)}", "end")
    down = y + HEAD
    for one in site.endpoints:
        yield f'<circle class="dot s-{word(one.state)}" cx="{x + 19}" cy="{down + 9}" r="4"/>'
        known = [one.platform, *([one.zone] if one.zone else []), words.say(one.via)]
        yield text(x + 30, down + 13, " · ".join(known), "strong")
        yield from _sides(one, x + 30, down + 29, width - 40)
        down += LINE
    yield from _bar(site, x + 14, down + 4, width - 28, words)
    alarms = words.alarms(site)
    seen = (
        words.say("read %(ago)s ago") % {"ago": words.length(site.age_s)}
        if site.age_s is not None
        else words.say("never read")
    )
    yield text(x + 14, down + BAR + 14, seen, "soft")
    worst = next((one for one in SEVERITIES if site.alarms.get(one)), "none")
    yield text(x + width - 14, down + BAR + 14, alarms or words.say("no alarms"), f"alarm a-{worst}", "end")


def _sides(one, x, y, width):
    """Yield our address of an endpoint and, where there is NAT or a balancer, the address behind it."""
    ours = f"{one.address}:{one.port}"
    if not one.behind:
        yield text(x, y, fitted(ours, width, 11), "soft mono")
        return
    more = f" +{len(one.behind) - 1}" if len(one.behind) > 1 else ""
    theirs = f"{one.behind[0].address}:{one.behind[0].port}{more}"
    yield text(x, y, fitted(f"{ours} ⇄ NAT ⇄ {theirs}", width, 11), "soft mono")


def _bar(site, x, y, width, words):
    used, whole, said = words.cards(site)
    yield box(x, y, width, 8, "all", 4)
    if used and whole:
        yield box(x, y, max(4, round(width * used / whole)), 8, "used", 4)
    yield text(x, y + 22, said, "soft")
