# Copyright: SuanWang Brain contributors
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""pool_info: what an endpoint says of its pools."""

from __future__ import annotations

from ..plain import to_plain
from .verb import Verb


def _run(platform, params, check, report):
    pools = platform.pools()
    if params["name"]:
        pools = [pool for pool in pools if pool.name == params["name"]]
    return {"changed": False, "pools": [to_plain(pool) for pool in pools]}


POOL_INFO = Verb(_run, {"name": {"type": "str"}})
