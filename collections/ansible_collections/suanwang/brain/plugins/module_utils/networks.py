# Copyright: SuanWang Brain contributors
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a site's network policy says of an address and a port. Nothing here opens a connection.

Port ranges and their names: RFC 6335, section 6.
"""

from __future__ import annotations

from .errors import Invalid
from .errors import Refused

try:
    import netaddr
except ImportError:  # ansible-test imports this file without our requirements
    netaddr = None

#: name → first and last port
PORT_RANGES = {"well-known": (0, 1023), "registered": (1024, 49151), "dynamic": (49152, 65535)}


def inside(address, networks):
    """Return whether an address lies in one of the networks (CIDR); False for what is no address."""
    if netaddr is None:
        raise Invalid(
            "the Python library netaddr is missing, so no address can be checked.", way_out="pip install netaddr"
        )
    try:
        return any(netaddr.IPAddress(address) in netaddr.IPNetwork(network) for network in networks)
    except (netaddr.AddrFormatError, ValueError):
        return False


def port_range(port):
    """Return the name of a port's range: well-known, registered or dynamic; raise Invalid where it is no port."""
    for name, (first, last) in PORT_RANGES.items():
        if first <= port <= last:
            return name
    raise Invalid(f"{port} is no port: they go from 0 to 65535.")


def allowed(site, via, address, port):
    """Return the name of the port's range; raise Refused or Invalid where the site's policy forbids the place.

    site: a record with `id` and `networks` ({via: [CIDR]}).
    """
    try:
        name = port_range(port)
    except Invalid as error:
        raise error.at(site.id) from None
    if port == 0:
        raise Refused("port 0 is reserved (RFC 6335), and nothing can be reached there.", site=site.id)
    networks = site.networks.get(via)
    if not networks:
        raise Refused(
            f"the site has no networks that are reached via {via}.",
            site=site.id,
            way_out=f"Add networks.{via} to its site file. It has: {', '.join(sorted(site.networks))}.",
        )
    if not inside(address, networks):
        raise Refused(
            f"{address} lies outside the site's {via} networks ({', '.join(networks)}).",
            site=site.id,
            way_out=f"Correct the address or `via`, or add its network to networks.{via} of the site file.",
        )
    return name
