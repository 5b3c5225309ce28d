# Copyright: SuanWang Brain contributors
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Where components of the verified plan are, or may be: the parameters that name a place, and what a place is like."""

from __future__ import annotations

from ..module_utils import sites


def place_of(run_pass, placed):
    """Return the parameters that name a place. placed: with site and endpoint."""
    return {
        "config": run_pass.facts["config"],
        "site": placed["site"],
        "endpoint": placed["endpoint"],
        "tenant": run_pass.plan["tenant"],
    }


def places_of(run_pass, pools):
    """Return every place of these pools: where an earlier pass, or plan, may have left something."""
    pairs = dict.fromkeys(tuple(pool.split("/", 2)[:2]) for pool in pools)
    return [place_of(run_pass, {"site": site, "endpoint": endpoint}) for site, endpoint in pairs]


def platform_class(run_pass, placed):
    """Return the class of the platform at a place."""
    endpoint = run_pass.config.site(placed["site"]).endpoint(placed["endpoint"])
    return sites.platform_class(endpoint.platform)


def on_machines(run_pass, placed):
    """Return whether work at a place runs on machines that are made for it."""
    return platform_class(run_pass, placed).RESERVES == "standing"


def same_files(run_pass, one, other):
    """Return whether jobs at two places see each other's files."""

    def store(placed):
        endpoint = run_pass.config.site(placed["site"]).endpoint(placed["endpoint"])
        shared = platform_class(run_pass, placed).SHARED_FILES
        return (placed["site"], endpoint.data or endpoint.id) if shared else None

    return store(one) is not None and store(one) == store(other)
