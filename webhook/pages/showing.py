"""Filters of the templates: times, lengths, amounts, sizes, as people read them. What is not known is a dash."""

from __future__ import annotations

import datetime
import re

from ansible_collections.suanwang.brain.plugins.module_utils.said import from_plain
from ansible_collections.suanwang.brain.plugins.module_utils.said import spoken
from ansible_collections.suanwang.brain.plugins.module_utils.said import words
from ansible_collections.suanwang.brain.plugins.plugin_utils.planning.sentences import without_field

from ..speech.heard import hear
from .words import translate as _

#: Asia/Shanghai: no summer time since 1991, so no time zone files are needed.
ZONE = datetime.timezone(datetime.timedelta(hours=8))
DASH = "–"
_TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ")


def moment(text):
    """``2026-11-25T03:26:58Z`` as ``11-25 11:26:58``, in the time of the pages."""
    if not text:
        return DASH
    return _moment(text).astimezone(ZONE).strftime("%m-%d %H:%M:%S")


def field(text):
    """RFC 3339 text as the value of a datetime-local field, in the time of the pages; empty for None and no time."""
    try:
        return _moment(text).astimezone(ZONE).strftime("%Y-%m-%dT%H:%M") if text else ""
    except (ValueError, OverflowError):
        return ""


def utc(value):
    """The value of a datetime-local field as RFC 3339 text in UTC; what is no time stays as it is."""
    try:
        given = datetime.datetime.fromisoformat(value)
        local = given if given.tzinfo else given.replace(tzinfo=ZONE)
        return local.astimezone(datetime.UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    except (ValueError, OverflowError):
        return value


def _moment(text):
    return datetime.datetime.fromisoformat(text)


def seconds(text):
    """RFC 3339 text as seconds since 1970."""
    return int(_moment(text).timestamp())


def sentence(text, told=None):
    """A sentence in the language of the page, its times as of the page. told: what the API gives beside it."""
    if not text:
        return ""
    if told and text in told:
        text = from_plain(told[text])
    return spoken(words(hear(text)), _, _local)


def about(text):
    """What a problem says of its field, without the field: that stands beside it."""
    return sentence(without_field(text))


def _local(text):
    return moment(text) if _TIME.fullmatch(text) else text


def length(value):
    """Seconds as ``74 s``, ``12 min``, ``3 h 20 min``."""
    if value is None:
        return DASH
    value = int(value)
    if value < 120:
        return _("%(n)s s") % {"n": value}
    minutes = -(-value // 60)
    if minutes < 120:
        return _("%(n)s min") % {"n": minutes}
    hours, minutes = divmod(minutes, 60)
    if hours < 48:
        return _("%(h)s h %(m)s min") % {"h": hours, "m": minutes}
    days, hours = divmod(hours, 24)
    return _("%(d)s d %(h)s h") % {"d": days, "h": hours}


def money(fen):
    return DASH if fen is None else f"¥{fen / 100:.2f}"


def hours(seconds_):
    """Card-seconds or core-seconds as hours."""
    return DASH if seconds_ is None else f"{seconds_ / 3600:.2f}"


def way(link):
    """The links of a transfer, ``a->b->c``, as people draw them."""
    return (link or "").replace("->", " → ")


def known(value):
    return DASH if value is None else value


def size(value):
    for unit in ("B", "KiB", "MiB", "GiB"):
        if value < 1024 or unit == "GiB":
            return f"{value:.0f} {unit}" if unit == "B" else f"{value:.1f} {unit}"
        value /= 1024
    return DASH


FIGURES = {
    "finish_s": length,
    "cost_fen": money,
    "energy_wh": lambda value: DASH if value is None else f"{value} Wh",
    "balance": lambda value: DASH if value is None else f"{value / 10:g} %",
    "card_s": lambda value: DASH if value is None else f"{value}",
    "core_s": lambda value: DASH if value is None else f"{value}",
    "risk": lambda value: DASH if value is None else f"{value}",
}
SHOWN = ("finish_s", "cost_fen", "energy_wh", "balance", "risk")


def figure(value, name):
    """An objective in its own unit."""
    return FIGURES[name](value)


def delta(value, name):
    """A change of an objective, with its sign; none is ``±0``."""
    if value is None:
        return DASH
    if value == 0:
        return "±0"
    return f"{'+' if value > 0 else '−'}{FIGURES[name](abs(value))}"


def word(text):
    """A state as a class name."""
    return "".join(letter if letter.isalnum() else "-" for letter in str(text).lower())


def install(app):
    app.jinja_env.filters.update(
        moment=moment, length=length, money=money, hours=hours, known=known, size=size, figure=figure, delta=delta,
        word=word, sentence=sentence, about=about, way=way,
    )  # fmt: skip
    app.jinja_env.globals["figures"] = SHOWN
