# Copyright: SuanWang Brain contributors
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Routes over the directed links, and what a copy takes on them.

A copy takes one share of each link of its route. SHARE_PM of the link's rate is divided into its shares, one unless
links.yml says more: the rest is left to control traffic. Where two sites have no link of their own, bytes are streamed
through the controller.
"""

from __future__ import annotations

import dataclasses
import math
from fractions import Fraction
from typing import NamedTuple

from .timeline import epoch

CONTROLLER = "controller"
SHARE_PM = 900
# Used where a size or a rate is not known; the estimate names each use.
ASSUMED_SIZE = 64 << 20
ASSUMED_KBPS = 100_000
# Below one of these a link counts as thin: its transfers carry risk.
THIN_KBPS = 1_000_000
THIN_RTT_MS = 10
GIB = 1 << 30


class Route(NamedTuple):
    """hops: (from, to) pairs. kbps: our share in kbit/s. fen_gib: None where a price is not known."""

    hops: tuple[tuple[str, str], ...]
    kbps: int | None
    rtt_ms: float
    fen_gib: Fraction | None
    rate_known: bool

    @property
    def name(self):
        """``controller->hunan``, or with the controller in the middle."""
        return "->".join([self.hops[0][0], *(hop[1] for hop in self.hops)]) if self.hops else None

    @property
    def thin(self):
        """True where the link is slow or far."""
        return bool(self.hops) and ((self.kbps or 0) < THIN_KBPS or self.rtt_ms >= THIN_RTT_MS)


def measured(links, paths, now):
    """Return the Links with what was measured of them laid over what is declared.

    paths: (site, Path from the controller, seconds that it counts). The shortest fresh round trip of a site's paths is
    taken both ways. A measured rate only ever lowers the declared one, which is what we may use of the line, and only
    outward: the other direction was not tried.
    """
    fresh = {}
    for site, path, good_s in paths:
        if path.measured_at and epoch(now) - epoch(path.measured_at) <= good_s:
            fresh.setdefault(site, []).append(path)
    return tuple(_measured(link, fresh) for link in links)


def _measured(link, fresh):
    if CONTROLLER not in (link.source, link.target):
        return link
    paths = fresh.get(link.target if link.source == CONTROLLER else link.source, ())
    trips = [path for path in paths if path.rtt_ms is not None]
    if trips:
        best = min(trips, key=lambda path: path.rtt_ms)
        link = dataclasses.replace(link, rtt_ms=best.rtt_ms, loss_pct=best.loss_pct, measured_at=best.measured_at)
    rates = [path.rate_gbps for path in paths if path.rate_gbps and path.rate_measured_at]
    if rates and link.source == CONTROLLER:
        link = dataclasses.replace(link, rate_gbps=min(max(rates), link.rate_gbps or max(rates)))
    return link


LOCAL = Route((), None, 0, Fraction(0), True)


class Network:
    """The links, by pair. Pure; routes are found once."""

    def __init__(self, links):
        self.links = {}
        for link in sorted(links, key=lambda one: (one.source, one.target, repr(one))):
            self.links.setdefault((link.source, link.target), link)
        self._routes = {}

    def shares(self, hop):
        """Return how many copies move at once on a (from, to) link."""
        return self.links[hop].shares if hop in self.links else 1

    def route(self, source, target):
        """Return the Route between two places, LOCAL within one, None where there is no way."""
        pair = (source, target)
        if pair not in self._routes:
            self._routes[pair] = self._find(source, target)
        return self._routes[pair]

    def _find(self, source, target):
        if source == target:
            return LOCAL
        hops = ((source, target),)
        if hops[0] not in self.links:
            hops = ((source, CONTROLLER), (CONTROLLER, target))
            if CONTROLLER in (source, target) or not all(hop in self.links for hop in hops):
                return None
        links = [self.links[hop] for hop in hops]
        rates = [_kbps(link) for link in links]
        prices = [link.fen_gib for link in links]
        return Route(
            hops,
            min(rate or ASSUMED_KBPS for rate in rates),
            sum(link.rtt_ms or 0 for link in links),
            None if None in prices else sum(Fraction(str(price)) for price in prices),
            None not in rates,
        )


def _kbps(link):
    """Return what one copy may take of a link, in kbit/s."""
    if not link.rate_gbps:
        return None
    return max(1, math.floor(Fraction(str(link.rate_gbps)) * 1_000_000 * SHARE_PM / 1000 / link.shares))


def transfer_s(size, route):
    """Return whole seconds, rounded up: size·8 over the share, plus one round trip. 0 within a site."""
    if not route.hops:
        return 0
    size = ASSUMED_SIZE if size is None else size
    ms = -(-size * 8 // route.kbps) + math.ceil(route.rtt_ms)
    return max(1, -(-ms // 1000))


def transfer_fen(size, route):
    """Return what a copy costs in fen, rounded up, or None where a price is not known."""
    if route.fen_gib is None:
        return None
    size = ASSUMED_SIZE if size is None else size
    return math.ceil(route.fen_gib * size / GIB)
