# SPDX-License-Identifier: GPL-3.0-or-later
"""The cheapest inventory plugin there can be: hosts with one variable each, out of nothing."""

from __future__ import annotations

DOCUMENTATION = r"""
name: cheapest
short_description: Hosts out of nothing
description: As many hosts as asked for, with one variable each.
options:
  plugin:
    description: The name of this plugin.
    required: true
    choices: [cheapest]
  hosts:
    description: How many.
    type: int
    required: true
"""

from ansible.plugins.inventory import BaseInventoryPlugin  # noqa: E402


class InventoryModule(BaseInventoryPlugin):
    NAME = "cheapest"

    def parse(self, inventory, loader, path, cache=True):
        super().parse(inventory, loader, path, cache)
        self._read_config_data(path)
        for number in range(self.get_option("hosts")):
            name = inventory.add_host(f"host-{number}")
            inventory.hosts[name].set_variable("number", number)
