"""Two languages. The English text is the key; translations/<language>/LC_MESSAGES/*.po are read as they stand.

`messages.po` holds the words of the pages, `sentences.po` what planner and service say of what happens, and `plays.po`
what plays and platforms say, in the order of its values: {a}, {b} …
"""

from __future__ import annotations

import functools
import io
import pathlib

from babel.messages.catalog import Catalog
from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po
from babel.support import Translations

FOLDER = pathlib.Path(__file__).parents[1] / "translations"


@functools.cache
def catalogue(language):
    """Return the translations of a language, compiled in memory."""
    found = Catalog(language.replace("-", "_"))
    for path in sorted(FOLDER.glob(f"{found.locale_identifier}/LC_MESSAGES/*.po")):
        with open(path, "rb") as stream:
            for message in read_po(stream):
                if message.id:
                    found[message.id] = message
    compiled = io.BytesIO()
    write_mo(compiled, found)
    compiled.seek(0)
    return Translations(compiled)


@functools.cache
def sentences():
    """Return the templates of all sentences that have a translation, words of the pages not among them."""
    found = set()
    for path in FOLDER.glob("*/LC_MESSAGES/*.po"):
        if path.name != "messages.po":
            with open(path, "rb") as stream:
                found.update(message.id for message in read_po(stream) if message.id)
    return frozenset(found)


__all__ = ["FOLDER", "catalogue", "sentences"]
