#!/usr/bin/python
# Copyright: SuanWang Brain contributors
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

DOCUMENTATION = r"""
module: pool_drain
short_description: Send no new work to a site or a pool
author: SuanWang Brain contributors (@suanwang-brain)
version_added: 0.1.0
description:
  - Writes C(drains.json) of the store. The planner places nothing new on what is drained and says why; a plan that is
    applied starts no component there. What runs goes on.
  - The page C(/sites) of the approval service does the same.
options:
  scope:
    description: What is drained. C(<site>), C(<site>/<endpoint>) or C(<site>/<endpoint>/<pool>).
    type: str
    required: true
  reason:
    description: Why, for those who wait. Needed for O(state=present); 3 to 500 characters.
    type: str
  state:
    description: V(absent) lets new work go there again.
    type: str
    choices: [present, absent]
    default: present
  config:
    description:
      - The folder that holds C(sites/*.yml), C(policy.yml), C(tenants.yml) and C(allowed_signers).
      - If it is not set, E(SUANWANG_CONFIG) is used, and after it C(config/lab) of the checkout.
    type: path
notes:
  - Runs on the controller only; it cannot be delegated.
  - A scope is lifted by the words that drained it. A pool below a drained site stays drained with it.
attributes:
  check_mode:
    support: full
    description: It says what it would write.
  diff_mode:
    support: full
    description: The entry before and after.
"""

EXAMPLES = r"""
- name: Send no new work to a site
  suanwang.brain.pool_drain:
    scope: hunan
    reason: Power maintenance until 1 December

- name: Let work go to one pool again
  suanwang.brain.pool_drain:
    scope: hunan/slurm/npu
    state: absent
"""

RETURN = r"""
drain:
  description: The entry that holds now. Null where there is none.
  returned: success
  type: dict
  sample: {reason: Power maintenance until 1 December, by: chen@controller, at: "2026-11-25T03:26:58Z"}
failure:
  description: What went wrong, as plain data.
  returned: failure
  type: dict
  sample:
    code: invalid
    message: a drain needs a reason of 3 to 500 characters.
    site: null
    request: null
    way_out: Say why, for those who wait.
    details: {}
"""
