"""Sentences that reach us as text alone, recognised again by the templates of the catalogue, so that a page can say
them in its language.

A play's sentences go through journal, log and exit of a process of its own, which carry text. A text is taken apart
into sentences; one that is no template of ours (a platform's words, a program's) stays as it is.
"""

from __future__ import annotations

import functools
import re
import string

from ansible_collections.suanwang.brain.plugins.module_utils.said import join
from ansible_collections.suanwang.brain.plugins.module_utils.said import Said
from ansible_collections.suanwang.brain.plugins.module_utils.said import say

from . import catalogue

#: A template with fewer letters of its own says too little to be recognised by them.
LETTERS = 4
#: Longer texts are the end of a log, which nobody translates.
MOST = 4000
#: How many sentences one template holds at most, and how deep sentences stand inside others.
SENTENCES, DEPTH = 3, 4
#: A field as templates have them; any other brace is one of the text.
_FIELD = re.compile(r"\{\w+(![rs])?(:[\w.]+)?\}")
_NUMBER = re.compile(r"-?\d+(\.\d+)?(e[+-]?\d+)?")
_END = re.compile(r"(?<=[.!?…]) +")


def hear(text):
    """Return a text as a Said, as far as it was made of templates of ours; anything but text as it is."""
    if not isinstance(text, str) or isinstance(text, Said) or not 0 < len(text) <= MOST:
        return text
    return _heard(text, DEPTH)


@functools.lru_cache(maxsize=4096)
def _heard(text, depth):
    parts, said, at = _END.split(text), [], 0
    while at < len(parts):
        for count in range(1, min(SENTENCES, len(parts) - at) + 1):
            found = _sentence(" ".join(parts[at : at + count]), depth)
            if found is not None:
                break
        else:
            found, count = parts[at], 1
        said.append(found)
        at += count
    return said[0] if len(said) == 1 else join(" ", said)


def _sentence(text, depth):
    """Return one sentence as a Said, or None: the whole of it, or what follows who says it (``train: …``)."""
    starts = [0, *(mark.end() for mark in re.finditer(": ", text))]
    for leading in (False, True):
        for start in starts:
            found = _whole(text[start:], depth, leading)
            if found is not None:
                return join(": ", [_inner(text[: start - 2], depth), found]) if start else found
    return None


def _whole(text, depth, leading):
    """Return all of a text as a Said, or None. leading: by the templates that begin with a value."""
    found = _made(text, depth, leading)
    if found is None and text.endswith("."):
        found = _made(text[:-1], depth, leading)
        return found and say("{text}.", text=found)
    return found


def _made(text, depth, leading):
    known = _templates()
    if text in known.fixed:
        return None if leading else Said(text)
    for template in known.led if leading else known.open:
        values = template.values(text)
        if values is not None:
            return say(template.text, **{name: _inner(one, depth) for name, one in values.items()})
    return None


def _inner(value, depth):
    return _heard(value, depth - 1) if depth and isinstance(value, str) else value


class _Template:
    """A template with values, taken apart: literals between fields."""

    def __init__(self, text):
        self.text, self.fields, self.literals = text, [], [""]
        for literal, field, format_, conversion in string.Formatter().parse(text):
            self.literals[-1] += literal
            if field is not None:
                self.fields.append((field, format_, conversion))
                self.literals.append("")
        self.longest = max(self.literals, key=len)
        self.letters = sum(letter.isalpha() for literal in self.literals for letter in literal)
        self.led = not self.literals[0]
        #: Whether a sentence may stand at the end, with a full stop of its own.
        self.sentence = self.literals[-1] == "" and self.literals[-2].rstrip()[-1:] in tuple(":.)")

    def values(self, text):
        """Return field → value of a text that this template made, or None. A value is as short as it can be."""
        first, *between = self.literals
        if self.longest not in text or not text.startswith(first) or not text.endswith(between[-1]):
            return None
        if not between[-1] and text.endswith(".") and not self.sentence:
            return None
        found, at, end = {}, len(first), len(text) - len(between[-1])
        for number, ((field, format_, conversion), literal) in enumerate(zip(self.fields, between, strict=True)):
            last = number == len(between) - 1
            until = end if last else text.find(literal, at + 1, end)
            if until <= at or (self.led and number == 0 and ": " in text[:until]):
                return None
            value = _value(text[at:until], format_, conversion)
            if value is None or found.setdefault(field, value) != value:
                return None
            at = until + len(literal)
        return found


def _value(text, format_, conversion):
    """Return what a field was made of, or None where it cannot be: a number, or text, in quotes where it was quoted."""
    if format_:
        return float(text) if _NUMBER.fullmatch(text) else None
    if conversion == "r":
        return text[1:-1] if len(text) > 1 and text[0] == text[-1] and text[0] in "'\"" else None
    return text


class _Templates:
    """fixed: texts without values; open, led: _Templates that begin with words, with a value; who says most first."""

    def __init__(self, texts):
        self.fixed = {text for text in texts if not _FIELD.search(text.replace("{{", "").replace("}}", ""))}
        made = [_Template(text) for text in texts - self.fixed]
        made = sorted((one for one in made if one.letters >= LETTERS), key=lambda one: (-one.letters, one.text))
        self.open, self.led = ([one for one in made if one.led is led] for led in (False, True))


@functools.cache
def _templates():
    return _Templates(catalogue.sentences())


__all__ = ["hear"]
