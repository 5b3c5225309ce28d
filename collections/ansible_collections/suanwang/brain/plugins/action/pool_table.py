# Copyright: SuanWang Brain contributors
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

from ..module_utils import sites
from ..module_utils.errors import Unreachable
from ..module_utils.hostvars import state_at
from ..plugin_utils import clock
from ..plugin_utils import console
from ..plugin_utils.api import BrainAction
from ..plugin_utils.fleet import pools_of
from ..plugin_utils.fleet import sites_of
from ..plugin_utils.proposing import links

_SPEC = {"config": {"type": "path"}}


class ActionModule(BrainAction):
    """Show what the inventory knows of every pool, as a person likes to read it."""

    def act(self, task_vars):
        params = self.parameters(_SPEC)
        pools, now = pools_of(task_vars), clock.now()
        states = {pool.id: state_at(pool, now) for pool in pools}
        ages = {
            pool.id: None if pool.seen.at is None else int(clock.seconds_between(pool.seen.at, now)) for pool in pools
        }
        self._display.display(console.render(console.pools_table(pools, states, ages)))
        config = sites.load(params["config"])
        found = links(config, pools, now)
        if found:
            since = [
                None if one.measured_at is None else int(clock.seconds_between(one.measured_at, now)) for one in found
            ]
            self._display.display(console.render(console.links_table(found, since)))
        for name, site in sorted(sites_of(task_vars).items()):
            if site["error"]:
                self._display.display(f"{name} is {site['state']}: {site['error']}", color="red")
            for alarm in site.get("alarms", ()):
                self._display.display(f"{site['site']}: {alarm['severity']}: {alarm['name']}", color="yellow")
        for pool in pools:
            for alarm in pool.alarms:
                self._display.display(f"{pool.site}: {alarm.severity}: {alarm.name} ({alarm.source})", color="yellow")
        live = {pool.site for pool in pools if states[pool.id] in ("live", "partial")}
        quorum = config.policy.get("live_quorum", 1)
        if len(live) < quorum:
            raise Unreachable(
                f"{len(live)} site(s) answered, policy.yml asks for {quorum}.",
                way_out="See the lines above: each names the site and what it said.",
            )
        return {
            "changed": False,
            "pools": {pool.id: states[pool.id] for pool in pools},
            "live_sites": sorted(live),
        }
