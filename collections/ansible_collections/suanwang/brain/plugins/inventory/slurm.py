# Copyright: SuanWang Brain contributors
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

DOCUMENTATION = r"""
name: slurm
short_description: Slurm partitions as inventory
version_added: 0.1.0
author: SuanWang Brain contributors (@suanwang-brain)
description:
  - Reads every endpoint whose C(platform) is C(slurm) through slurmrestd and makes each partition a host.
  - Slurm 22.05 (API v0.0.38) and 24.11 (v0.0.42) were tested; the version is discovered.
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
options:
  plugin:
    description: The name of this plugin, so that a source file says whom it is for.
    required: true
    choices: [suanwang.brain.slurm]
"""

EXAMPLES = r"""
# hunan.slurm.yml: the Slurm endpoints of a config folder
plugin: suanwang.brain.slurm
config: ../../config/lab

# The same, a group of our own beside the built-in ones
# plugin: suanwang.brain.slurm
# config: ../../config/lab
# groups:
#   roomy: brain_free.accelerators | default(0, true) >= 8
"""

from ..plugin_utils.perception import PerceptionPlugin


class InventoryModule(PerceptionPlugin):
    NAME = "suanwang.brain.slurm"
    PLATFORM = "slurm"
    SUFFIX = (".slurm.yml", ".slurm.yaml")
