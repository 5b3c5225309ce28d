# Copyright: SuanWang Brain contributors
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

DOCUMENTATION = r"""
name: openstack
short_description: OpenStack zones and flavors as inventory
version_added: 0.1.0
author: SuanWang Brain contributors (@suanwang-brain)
description:
  - Reads every endpoint whose C(platform) is C(openstack) and makes each availability zone and accelerator, or
    architecture where there is none, a host.
  - Capacity is Placement's, with overcommitment. An account that may not see machines gets its quota only, and its
    pools are C(partial) and say so.
  - Keystone 30, Nova 34 and Placement 16 were tested; microversions are negotiated.
  - A pool is a host named C(<site>-<platform>-<pool>). All pools are in the group C(brain_pools), and in C(site_*),
    C(platform_*), C(accelerator_*), C(arch_*) and C(state_*).
  - The variables carry the prefix C(brain_); identity is C(brain_pool_id). Unknown is C(null), never 0.
  - A site that does not answer is shown as C(stale) or C(lost), never as empty, and never blinds the others.
extends_documentation_fragment:
  - suanwang.brain.perception
  - ansible.builtin.constructed
requirements:
  - requests >= 2.31
  - jmespath >= 1.0
  - netaddr >= 0.10
  - jsonschema >= 4.17
  - openstacksdk >= 4.0
options:
  plugin:
    description: The name of this plugin, so that a source file says whom it is for.
    required: true
    choices: [suanwang.brain.openstack]
"""

EXAMPLES = r"""
# hunan.openstack.yml: the OpenStack endpoints of a config folder
plugin: suanwang.brain.openstack
config: ../../config/lab

# The same, a group of our own beside the built-in ones
# plugin: suanwang.brain.openstack
# config: ../../config/lab
# groups:
#   roomy: brain_free.accelerators | default(0, true) >= 8
"""

from ..plugin_utils.perception import PerceptionPlugin


class InventoryModule(PerceptionPlugin):
    NAME = "suanwang.brain.openstack"
    PLATFORM = "openstack"
    SUFFIX = (".openstack.yml", ".openstack.yaml")
