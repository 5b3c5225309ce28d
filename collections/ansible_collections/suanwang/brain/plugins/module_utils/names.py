# Copyright: SuanWang Brain contributors
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Our names on a platform. An untruncated name is the mark of our work there.

``swb-<run>-<component>`` and ``.a<n>`` for attempt n; ``--a<n>`` where a platform allows no dot.
run: ULID in lower case, 26 characters (Crockford base 32). component: ``[a-z][a-z0-9_]{0,19}``.
"""

from __future__ import annotations

import functools
import os
import re
from datetime import datetime
from datetime import UTC
from typing import NamedTuple

from .errors import Invalid

PREFIX = "swb-"
_ALPHABET = "0123456789abcdefghjkmnpqrstvwxyz"
RUN = re.compile(r"[0-7][0-9a-hjkmnp-tv-z]{25}")
DEPLOYMENT = re.compile(r"[a-z][a-z0-9_-]{0,29}")
COMPONENT = re.compile(r"[a-z][a-z0-9_]{0,19}")
_NAME = re.compile(rf"swb-({RUN.pattern})-({COMPONENT.pattern})(?:(?:\.|--)a([1-9][0-9]{{0,3}}))?")


class Mark(NamedTuple):
    """What a name of ours says. attempt is 0 where the name has none."""

    run: str
    component: str
    attempt: int


def new_run(now_ms):
    """Return a fresh run id: 48 bits of time in ms, then 80 random bits. Sorts by time."""
    number = (int(now_ms) << 80) | int.from_bytes(os.urandom(10), "big")
    return "".join(_ALPHABET[(number >> shift) & 31] for shift in range(125, -1, -5))


def check_run(run):
    """Return run, or raise Invalid."""
    if not RUN.fullmatch(str(run)):
        raise Invalid(
            f"{run!r} is not a run id (26 characters of Crockford base 32, lower case).",
            way_out="Take one from status.yml.",
        )
    return run


def minted(run):
    """Return when a run id was minted, as a datetime in UTC: its first ten letters are the milliseconds."""
    ms = functools.reduce(lambda number, letter: number * 32 + _ALPHABET.index(letter), check_run(run)[:10], 0)
    return datetime.fromtimestamp(ms / 1000, UTC)


def name(run, component, attempt=0, dot=True):
    """Return our name for an attempt of a component; attempt 0: the component itself."""
    if not COMPONENT.fullmatch(component):
        raise Invalid(
            f"component id {component!r} breaks the rule [a-z][a-z0-9_]{{0,19}}.",
            way_out="Rename the component.",
        )
    mark = ("." if dot else "--") + f"a{attempt}" if attempt else ""
    return f"{PREFIX}{check_run(run)}-{component}{mark}"


def deployed(deployment, component):
    """Return our name for what serve and provision keep up to date, whichever run made it."""
    if not DEPLOYMENT.fullmatch(deployment) or RUN.fullmatch(deployment):
        raise Invalid(
            f"the deployment {deployment!r} breaks the rule [a-z][a-z0-9_-]{{0,29}}.", way_out="Rename the deployment."
        )
    if not COMPONENT.fullmatch(component):
        raise Invalid(f"component id {component!r} breaks the rule [a-z][a-z0-9_]{{0,19}}.", way_out="Rename it.")
    return f"{PREFIX}{deployment}-{component}"


def parse(text):
    """Return the Mark in a name, or None where the name is not ours."""
    found = _NAME.fullmatch(text or "")
    return Mark(found[1], found[2], int(found[3] or 0)) if found else None


def owner(path):
    """Return (run, component) of a path below a storage root, as far as it names them; None for the rest.

    >>> owner("01jdw0000000000000000000ab/train/a1/out"), owner("sets/mnist")
    (('01jdw0000000000000000000ab', 'train'), (None, None))
    """
    run, _slash, rest = path.partition("/")
    if not RUN.fullmatch(run):
        return None, None
    component = rest.partition("/")[0]
    return run, component if COMPONENT.fullmatch(component) else None
