"""What all pictures draw with."""

from __future__ import annotations

import unicodedata

from markupsafe import escape


def word(text):
    """Return a state or kind as a class name."""
    return "".join(letter if letter.isalnum() else "-" for letter in str(text).lower())


def text(x, y, said, classes="", anchor="start"):
    """Return a line of text."""
    return f'<text class="{classes}" x="{x}" y="{y}" text-anchor="{anchor}">{escape(said)}</text>'


def box(x, y, width, height, classes, radius=8):
    """Return a rectangle with round corners."""
    return f'<rect class="{classes}" x="{x}" y="{y}" width="{width}" height="{height}" rx="{radius}"/>'


def fitted(said, width, size=12):
    """Return a text cut to a width, for a size in pixels: a wide letter takes one, any other 0.56 of it."""
    left, kept = width / size, []
    for letter in str(said):
        left -= 1 if unicodedata.east_asian_width(letter) in "WF" else 0.56
        if left < 0.6:
            return "".join(kept) + "…"
        kept.append(letter)
    return "".join(kept)
