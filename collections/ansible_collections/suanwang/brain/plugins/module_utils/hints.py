# Copyright: SuanWang Brain contributors
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What was learned of a server that only orders what is asked of it first, kept from one process to the next.

A hint that is wrong, late or lost costs a request, never an answer. No secret is one.
"""

from __future__ import annotations

import contextlib
import json
import os
import pathlib
import tempfile


class Hints:
    """Words about endpoints. folder: where they are kept; None, as where a module is shipped to: nowhere."""

    def __init__(self, folder=None):
        self.folder = pathlib.Path(folder) if folder else None

    def of(self, site, endpoint):
        """Return {word: text} about an endpoint of a site; empty where nothing is known of that address."""
        try:
            kept = json.loads(self._path(site, endpoint).read_text(encoding="utf-8")) if self.folder else {}
            mine = kept.get("address") == _address(endpoint)
            return {word: said for word, said in kept["words"].items() if isinstance(said, str)} if mine else {}
        except (OSError, ValueError, LookupError, AttributeError):
            return {}

    def learn(self, site, endpoint, word, said):
        """Keep one word about an endpoint. Where it cannot be kept, nobody misses it."""
        known = self.of(site, endpoint)
        if not self.folder or known.get(word) == said:
            return
        text = json.dumps({"address": _address(endpoint), "words": {**known, word: said}})
        with contextlib.suppress(OSError):
            self.folder.mkdir(parents=True, exist_ok=True, mode=0o700)
            handle, made = tempfile.mkstemp(dir=self.folder)
            try:
                with open(handle, "w", encoding="utf-8") as stream:
                    stream.write(text)
                os.replace(made, self._path(site, endpoint))
            except OSError:
                os.unlink(made)

    def _path(self, site, endpoint):
        return self.folder / f"{site.id}-{endpoint.id}.json"


def _address(endpoint):
    return f"{endpoint.address}:{endpoint.port}"
