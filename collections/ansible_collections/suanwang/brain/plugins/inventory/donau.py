# Copyright: SuanWang Brain contributors
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

DOCUMENTATION = r"""
name: donau
short_description: Queues of Donau Scheduler as inventory
version_added: 0.1.0
author: SuanWang Brain contributors (@suanwang-brain)
description:
  - Reads every endpoint whose C(platform) is C(donau), by commands on the login node that C(shell) of the endpoint
    names, and makes each queue a host.
  - Donau Scheduler (DonauKit, Huawei's HPC suite) has no public REST API. Its commands are spoken as public sources
    show them, in two generations of options (C(profile) is V(hpc22) or V(kit24)), and tried against a stand-in only.
  - The command line needs an access token, which a person gets on the login node by C(dlogin) or C(dconfig). Without
    one, with an expired one, and without the right the error says which of them it is.
  - A pool is a host named C(<site>-<platform>-<pool>). All pools are in the group C(brain_pools), and in C(site_*),
    C(platform_*), C(accelerator_*), C(arch_*) and C(state_*).
  - The variables carry the prefix C(brain_); identity is C(brain_pool_id). Unknown is C(null), never 0.
  - A site that does not answer is shown as C(stale) or C(lost), never as empty, and never blinds the others.
extends_documentation_fragment:
  - suanwang.brain.perception
  - ansible.builtin.constructed
requirements:
  - asyncssh >= 2.14
  - netaddr >= 0.10
  - jsonschema >= 4.17
options:
  plugin:
    description: The name of this plugin, so that a source file says whom it is for.
    required: true
    choices: [suanwang.brain.donau]
"""

EXAMPLES = r"""
# hangzhou-c.donau.yml: the Donau endpoints of a config folder
plugin: suanwang.brain.donau
config: ../../config/lab

# The same, a group of our own beside the built-in ones
# plugin: suanwang.brain.donau
# config: ../../config/lab
# groups:
#   roomy: brain_free.accelerators | default(0, true) >= 8
"""

from ..plugin_utils.perception import PerceptionPlugin


class InventoryModule(PerceptionPlugin):
    NAME = "suanwang.brain.donau"
    PLATFORM = "donau"
    SUFFIX = (".donau.yml", ".donau.yaml")
