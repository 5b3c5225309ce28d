# Copyright: SuanWang Brain contributors
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a site file must be beyond its schema: every refusal names file, line and field, and the way out."""

from __future__ import annotations

import re

from . import configfile
from .errors import Invalid
from .networks import inside
from .platforms.registry import platform_class

#: A user and password of a proxy would lie in the site file for everybody to read.
PROXY = re.compile(r"https?://[^\s/@:]+(:\d+)?/?")


def addresses(path, data):
    """Refuse an address outside the networks of its `via`."""
    for number, endpoint in enumerate(data["endpoints"]):
        networks = data["networks"].get(endpoint["via"], [])
        if inside(endpoint["address"], networks):
            continue
        field = f"endpoints[{number}].address"
        raise Invalid(
            f"{configfile.place(path, ('endpoints', number, 'address'))}: {field} {endpoint['address']}"
            f" lies outside the site's {endpoint['via']} networks ({', '.join(networks) or 'none'}).",
            site=data["site"],
            way_out=f"Correct the address, `via`, or networks.{endpoint['via']}.",
            details={"field": field},
        )


def endpoints(path, data):
    """Refuse unknown platforms, an id twice, and `data`, `shell`, `alerts` or `jump` that name no such endpoint."""
    names = [endpoint["id"] for endpoint in data["endpoints"]]
    for number, endpoint in enumerate(data["endpoints"]):
        if endpoint.get("platform"):
            try:
                platform_class(endpoint["platform"])
            except Invalid as error:
                raise wrong(path, number, "platform", error.message, error.way_out) from error
        if names.index(endpoint["id"]) != number:
            raise wrong(
                path, number, "id", f"{endpoint['id']!r} is there twice.", "Give each endpoint an id of its own."
            )
        for field in ("data", "shell", "alerts", "jump"):
            if endpoint.get(field) and endpoint[field] not in names:
                said = f"there is no endpoint {endpoint[field]!r}."
                raise wrong(path, number, field, said, f"It has: {', '.join(names)}.")
        shell = endpoint.get("shell")
        if shell and data["endpoints"][names.index(shell)]["protocol"] != "ssh":
            raise wrong(path, number, "shell", f"{shell!r} does not speak ssh.", "Name a login node.")
        _way(path, number, endpoint, data["endpoints"])


def _way(path, number, endpoint, endpoints):
    """Refuse a jump host or a proxy that cannot be used for such an endpoint."""
    jump = next((one for one in endpoints if one["id"] == endpoint.get("jump")), None)
    if jump:
        if endpoint["protocol"] != "ssh" or jump["protocol"] != "ssh":
            raise wrong(path, number, "jump", "only SSH goes through a jump host, which is SSH too.", "Name a `proxy`.")
        if jump.get("jump"):
            raise wrong(path, number, "jump", f"{jump['id']!r} has a jump host itself.", "Name one that is reached.")
    proxy = endpoint.get("proxy")
    if not proxy:
        return
    if jump:
        raise wrong(path, number, "proxy", "it is reached through a jump host.", f"Put it at {jump['id']!r}.")
    if not PROXY.fullmatch(proxy):
        raise wrong(path, number, "proxy", "it is no proxy without a secret.", "Write http://<address>:<port>.")


def wrong(path, number, field, said, way_out):
    where = configfile.place(path, ("endpoints", number, field))
    name = f"endpoints[{number}].{field}"
    return Invalid(f"{where}: {name}: {said}", way_out=way_out, details={"field": name})
