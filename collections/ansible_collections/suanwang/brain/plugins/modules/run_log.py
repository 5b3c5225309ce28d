#!/usr/bin/python
# Copyright: SuanWang Brain contributors
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

DOCUMENTATION = r"""
module: run_log
short_description: Follow a run
author: SuanWang Brain contributors (@suanwang-brain)
version_added: 0.1.0
description:
  - Prints the journal of a run as sentences, and beside it what its jobs print, read at their sites while they run.
  - It ends when nobody drives the run any more, and says whether the run is over.
options:
  plan:
    description: The plan, by digest, its first characters, the run id, or a folder that holds C(plan.json).
    type: str
    required: true
  follow:
    description:
      - Go on while a living process drives the run.
      - Otherwise print what is there, with the last lines of the jobs that run, and end.
    type: bool
    default: true
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
- name: Follow a run
  suanwang.brain.run_log:
    plan: 01kaz4m6q3h8v0c9t2x5r7n1de

- name: Print what there is
  suanwang.brain.run_log:
    plan: 3a7bd3e2360a3d29
    follow: false
"""

RETURN = r"""
brain_run:
  description: The run id.
  returned: success
  type: str
  sample: 01kaz4m6q3h8v0c9t2x5r7n1de
brain_state:
  description: How the run was last closed, V(null) where it was not.
  returned: success
  type: str
  sample: succeeded
failure:
  description: What went wrong, as plain data.
  returned: failure
  type: dict
  sample:
    code: not_found
    message: the store /home/me/.local/state/suanwang has no run 01kaz4m6q3h8v0c9t2x5r7n1de.
    site: null
    request: null
    way_out: Check the id, and SUANWANG_STATE.
    details: {}
"""
