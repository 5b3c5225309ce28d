# Copyright: SuanWang Brain contributors
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A platform that the site's own profile describes, whole: `profile: <file>` in the site file, and no Python.

Facts, states and errors are as good as that file; its `about` says what it rests on. Tried with a profile of a shape
unlike the shipped ones: API key, plain bodies, cursors, operations, ids that are texts. Language: schemas/profile.json.
"""

from __future__ import annotations

from ..profiled.platform import Profiled


class Custom(Profiled):
    """One endpoint of whatever the profile says, as one user."""

    NAME = "custom"
