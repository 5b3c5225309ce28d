# Copyright: SuanWang Brain contributors
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The pin of a site: what a plan holds of it, so that an approval cannot be led to another place."""

from __future__ import annotations

import hashlib
import json


def pin_of(folder, data):
    """Return SHA-256 over {endpoints, TLS pins and CAs, host keys, lab}: where a plan's site may be.

    folder: the config folder; data: the checked document of a site file.
    """

    def content(name):
        path = folder / name if name else None
        return hashlib.sha256(path.read_bytes()).hexdigest() if path and path.is_file() else None

    def host_keys(endpoint):
        path = folder / endpoint["known_hosts"] if endpoint.get("known_hosts") else None
        if not path or not path.is_file():
            return []
        mark = f"[{endpoint['address']}]:{endpoint['port']}"
        bare = endpoint["address"]
        return sorted(line for line in path.read_text(encoding="utf-8").splitlines() if _may_name(line, mark, bare))

    pinned = [
        {
            **{k: endpoint.get(k) for k in ("id", "platform", "protocol", "via", "address", "port", "behind")},
            "proxy": endpoint.get("proxy"),
            "jump": endpoint.get("jump"),
            "tls": {
                **endpoint.get("tls", {}),
                "ca": content(endpoint.get("tls", {}).get("ca_bundle")),
            },
            "host_keys": host_keys(endpoint),
            # A profile says what is asked of whom; absent where there is none, so that older pins hold.
            **({"profile": content(endpoint["profile"])} if endpoint.get("profile") else {}),
            # What machines of ours are made of, and who may log in to them.
            **({"machines": endpoint["machines"]} if endpoint.get("machines") else {}),
        }
        for endpoint in data["endpoints"]
    ]
    whole = {"endpoints": pinned, "address_map": data.get("address_map", []), "lab": data.get("lab", False)}
    return hashlib.sha256(json.dumps(whole, sort_keys=True).encode()).hexdigest()


def _may_name(line, *names):
    """Return whether a known_hosts line may be about a host: by name, or by a form that only OpenSSH can match."""
    words = line.split(None, 1)
    if not words or words[0].startswith("#"):
        return False
    hosts = words[0].split(",")
    return any(host in names or host[0] in "|@!" or "*" in host or "?" in host for host in hosts)
