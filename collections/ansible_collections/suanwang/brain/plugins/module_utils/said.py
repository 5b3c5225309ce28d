# Copyright: SuanWang Brain contributors
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Sentences that remember what they were made of, so that a page can say them in another language.

A `Said` is English text like any other; its template is the key of a translation, its values go into that too. What
is no template (names, paths, words of a platform) stays as it is in every language.
"""

from __future__ import annotations


class Said(str):
    """Text, with the template and the values it was made from.

    values: name → str | int | float | Said; or, where the template stands between them, a tuple of parts.
    """

    __slots__ = ("template", "values")

    def __new__(cls, text, template=None, values=None):
        made = super().__new__(cls, text)
        made.template = text if template is None else template
        made.values = {} if values is None else values
        return made


def say(template, /, **values):
    """Return a sentence made of a template, as str.format does it. Without values nothing is put in."""
    if not values:
        return Said(template)
    return Said(template.format(**values), template, values)


def words(text):
    """Return a text as a sentence of its own, whatever it holds; a Said as it is."""
    return text if isinstance(text, Said) else Said(text)


def join(between, parts):
    """Return parts with a text between them; both are translated."""
    parts = tuple(parts)
    return Said(between.join(parts), between, parts)


def plain(value):
    """Return a Said as JSON types: {template, values} or {template, parts}; anything else as it is."""
    if not isinstance(value, Said):
        return value
    if isinstance(value.values, tuple):
        return {"template": value.template, "parts": [plain(part) for part in value.values]}
    return {"template": value.template, "values": {name: plain(one) for name, one in value.values.items()}}


def from_plain(value):
    """Return what `plain` was given."""
    if not isinstance(value, dict):
        return value
    if "parts" in value:
        return join(value["template"], map(from_plain, value["parts"]))
    return say(value["template"], **{name: from_plain(one) for name, one in value["values"].items()})


def bare(value):
    """Return plain data without what its sentences remember: str where there was a Said."""
    if isinstance(value, dict):
        return {bare(key): bare(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [bare(item) for item in value]
    return str(value) if isinstance(value, Said) else value


def spoken(value, translate, shown=str):
    """Return a text in another language.

    translate: template → template; what it does not know it gives back. shown: text that is no sentence → text.
    """
    if not isinstance(value, Said):
        return shown(value) if isinstance(value, str) else value
    if isinstance(value.values, tuple):
        return translate(value.template).join(str(spoken(part, translate, shown)) for part in value.values)
    if not value.values:
        return translate(value.template)
    known = {name: spoken(one, translate, shown) for name, one in value.values.items()}
    return translate(value.template).format(**known)


def swapped(value, old, new):
    """Return a text with a piece of it exchanged, in its values too."""
    if not isinstance(value, Said):
        return value.replace(old, new) if isinstance(value, str) else value
    if isinstance(value.values, tuple):
        return join(value.template, (swapped(part, old, new) for part in value.values))
    return say(value.template, **{name: swapped(one, old, new) for name, one in value.values.items()})


def told(sentences):
    """Return English text → what it was made of, for the sentences that remember it."""
    return {str(one): plain(one) for one in sentences if isinstance(one, Said)}


def lowered(value):
    """Return a sentence with a small first letter, for the middle of an English one."""
    text = value[:1].lower() + value[1:]
    return Said(text, value.template, value.values) if isinstance(value, Said) else text
