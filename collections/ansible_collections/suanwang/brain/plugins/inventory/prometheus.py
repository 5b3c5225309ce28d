# Copyright: SuanWang Brain contributors
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

DOCUMENTATION = r"""
name: prometheus
short_description: What the Prometheus of each site reports, as inventory variables
version_added: 0.1.0
author: SuanWang Brain contributors (@suanwang-brain)
description:
  - Reads every endpoint whose C(platform) is C(prometheus), and the Alertmanager beside it.
  - A monitoring system has no pools, so no host is made. Each site is a group C(site_*) with the variable
    C(brain_site), whose C(alarms) are those that belong to no pool.
  - What belongs to a pool (C(brain_usage), C(brain_alarms)) is laid over the pools by every other inventory plugin of
    this collection, by the label rules C(observes) of the site file.
  - Prometheus 2.42 and Alertmanager 0.25 were tested.
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
    choices: [suanwang.brain.prometheus]
"""

EXAMPLES = r"""
# hunan.prometheus.yml: the monitoring of every site of a config folder
plugin: suanwang.brain.prometheus
config: ../../config/lab
"""

from ..plugin_utils.perception import PerceptionPlugin


class InventoryModule(PerceptionPlugin):
    NAME = "suanwang.brain.prometheus"
    PLATFORM = "prometheus"
    SUFFIX = (".prometheus.yml", ".prometheus.yaml")
