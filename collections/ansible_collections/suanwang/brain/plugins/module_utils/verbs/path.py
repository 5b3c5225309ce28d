# Copyright: SuanWang Brain contributors
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""path_info: the network path from here to the endpoints of a site; whether an address would be allowed there."""

from __future__ import annotations

import os
import secrets
import time
from concurrent.futures import ThreadPoolExecutor

from .. import netpath
from .. import networks
from ..errors import BrainError
from ..errors import Unsupported
from ..plain import to_plain
from .verb import Verb

MIB = 1 << 20


def rate_gbps(platform):
    """Return what a bounded transfer to the platform's storage reached, in Gbit/s of payload.

    As many MiB as the site's policy allows under `rate`, of random bytes, are put, checked there and removed; the
    time of the check counts, so it is a lower bound. Unsupported where the policy does not allow it.
    """
    mib = platform.site.policy.get("rate", {}).get("mib")
    if not mib:
        raise Unsupported(
            "the site's policy allows no transfer for measuring.",
            site=platform.site.id,
            way_out="Add policy.rate.mib to its site file.",
        )
    files = platform.files
    path = f"{files.root()}/path-{secrets.token_hex(8)}.bin"
    content = os.urandom(mib * MIB)
    started = time.monotonic()
    try:
        files.put(content, path)
        taken_s = time.monotonic() - started
    finally:
        for left in (path, f"{path}.part"):
            if files.exists(left):
                files.remove_tree(left)
    return round(len(content) * 8 / taken_s / 1e9, 6)


def _run(platform, params, check, report):
    site = platform.site
    if params["address"]:
        name = networks.allowed(site, params["via"], params["address"], params["port"])
        place = {key: params[key] for key in ("address", "port", "via")}
        return {"changed": False, "allowed": {**place, "port_range": name}, "paths": []}
    endpoints = [platform.endpoint] if params["endpoint"] else site.endpoints
    config = platform.connection.config

    def look(endpoint):
        found = netpath.survey(
            site, endpoint, config.folder, host_key=True, trace=params["hops"], probes=netpath.PROBES
        )
        row = {**to_plain(found), "error": found.sentence, "rate_gbps": None, "rate_note": None}
        if params["rate"] and endpoint.platform:
            row |= _rate(config.platform(site.id, endpoint.id, params["tenant"]), found, check)
        return row

    with ThreadPoolExecutor(max_workers=len(endpoints)) as workers:
        return {"changed": False, "allowed": None, "paths": list(workers.map(look, endpoints))}


def _rate(platform, found, check):
    if found.phase:
        return {"rate_note": "Not measured: the path is not in order."}
    if check:
        return {"rate_note": "Not measured in check mode: it would write a file there."}
    try:
        return {"rate_gbps": rate_gbps(platform)}
    except BrainError as error:
        return {"rate_note": str(error)}


PATH_INFO = Verb(
    _run,
    {
        "address": {"type": "str"},
        "port": {"type": "int"},
        "via": {"type": "str", "choices": ["intranet", "internet", "private_line"]},
        "hops": {"type": "bool", "default": False},
        "rate": {"type": "bool", "default": False},
    },
    {"required_together": [("address", "port", "via")], "mutually_exclusive": [("address", "endpoint")]},
    any_endpoint=True,
)
