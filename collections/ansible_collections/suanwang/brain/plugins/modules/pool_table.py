#!/usr/bin/python
# Copyright: SuanWang Brain contributors
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

DOCUMENTATION = r"""
module: pool_table
short_description: Show what the inventory knows of every pool
author: SuanWang Brain contributors (@suanwang-brain)
version_added: 0.1.0
description:
  - Prints a table of the group C(brain_pools), with age and state as of now, a table of the links with what was
    measured of them and when, and a line for each site that did not answer.
  - Fails where fewer sites answered than C(policy.yml) asks for under C(live_quorum).
options:
  config:
    description:
      - The folder that holds C(sites/*.yml), C(policy.yml), C(tenants.yml) and C(allowed_signers).
      - If it is not set, E(SUANWANG_CONFIG) is used, and after it C(config/lab) of the checkout.
    type: path
notes:
  - Runs on the controller only; it cannot be delegated.
attributes:
  check_mode:
    support: full
    description: It only reads, and does the same in check mode.
  diff_mode:
    support: none
    description: It changes nothing.
"""

EXAMPLES = r"""
- name: Show the pools of the inventory
  suanwang.brain.pool_table:
"""

RETURN = r"""
pools:
  description: Pool id and state.
  returned: success
  type: dict
  sample: {hunan/slurm/npu: live}
live_sites:
  description: The sites that answered.
  returned: success
  type: list
  elements: str
  sample: [centre-a, hunan]
failure:
  description: What went wrong, as plain data.
  returned: failure
  type: dict
  sample:
    code: unreachable
    message: nothing answers at 10.1.0.5:6820 (via intranet).
    site: hunan
    request: GET /slurm/v0.0.38/ping
    way_out: Check the endpoint in the site file and the network to it.
    details: {}
"""
