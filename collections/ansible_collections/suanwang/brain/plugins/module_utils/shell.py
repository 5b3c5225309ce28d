# Copyright: SuanWang Brain contributors
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Commands on a login node, for a platform whose API, or a part of it, is a command line.

Over the SSH connection of ssh.py: the host key is known, never learned. A command is an argument list, quoted in one
function there; what a command has to read that nobody else may see goes in by its standard input.
"""

from __future__ import annotations

from typing import NamedTuple

from .errors import Invalid
from .errors import Refused
from .errors import Unreachable

#: Exit statuses of a shell that could not run the command.
NOT_EXECUTABLE, NOT_FOUND = 126, 127


class Done(NamedTuple):
    """How a command ended. code: its exit status, 128 + n for signal n."""

    code: int
    out: str
    err: str

    @property
    def said(self):
        """Return what it wrote, its complaints last, as one text."""
        return "\n".join(text.strip() for text in (self.out, self.err) if text.strip())


class Shell:
    """Runs commands on a login node. `files` is the ssh.Files of its endpoint, whose connection is used."""

    def __init__(self, files):
        self.files = files

    def run(self, argv, input=None, timeout_s=60, environment=None):
        """Run a command and return how it is Done, whatever its exit status. environment: set for it alone.

        Unreachable, with details.doubt: it may have run. Refused: the node has no such command, or it answers too
        much. Never retried here.
        """
        for word in argv:
            if not isinstance(word, str) or "\0" in word or "\n" in word:
                raise Invalid(f"{word!r} is no word of a command.", site=self.files.site.id, request=f"SSH {argv[0]}")
        try:
            code, out, err = self.files.run(argv, input=input, timeout_s=timeout_s, environment=environment)
        except Unreachable as error:
            error.details.setdefault("doubt", True)
            raise
        if code is None:
            raise Unreachable(
                "the connection ended before the command did.",
                site=self.files.site.id,
                request=f"SSH {argv[0]}",
                details={"doubt": True},
            )
        if code in (NOT_EXECUTABLE, NOT_FOUND):
            raise Refused(
                f"endpoint {self.files.endpoint.id} runs no command {argv[0]}: {err.strip() or code}.",
                site=self.files.site.id,
                request=f"SSH {argv[0]}",
                way_out="Have it put into the PATH of a login without terminal, or correct `shell` in the site file.",
            )
        return Done(code, out, err)
