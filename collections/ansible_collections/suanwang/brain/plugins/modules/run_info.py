#!/usr/bin/python
# Copyright: SuanWang Brain contributors
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

DOCUMENTATION = r"""
module: run_info
short_description: List the runs of the store
author: SuanWang Brain contributors (@suanwang-brain)
version_added: 0.1.0
description:
  - Prints a table of the runs in the store that E(SUANWANG_STATE) names, newest first. States come from plans,
    approvals, journals and claims; no site is asked.
  - A run is C(proposed) until enough approvals of its plan count, then C(approved), or C(expired) where it may no
    longer be started; C(running) while a living process holds its claim, C(interrupted) where that process ended
    without closing the journal; then C(partial), C(succeeded), C(failed) or C(released), as it was last closed. A plan
    that does not read is C(damaged).
  - Below it stands what deployments keep and until when, C(standing), C(ending) when a day or a quarter of the lease is
    left of it, or C(overdue).
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
- name: List the runs of the store
  suanwang.brain.run_info:
"""

RETURN = r"""
runs:
  description: A record a run. C(started) is when it was first applied, C(ended) when it was last closed.
  returned: success
  type: list
  elements: dict
  sample:
    - run: 01kaz4m6q3h8v0c9t2x5r7n1de
      state: running
      task: digits
      tenant: demo
      requester: li@example.org
      digest: 3a7bd3e2360a3d29eea436fcfb7e44c735d117c42d1c1835420b6b9942dd4f1b
      started: '2026-11-25T03:41:10Z'
      ended: null
      components: 3
      done: 1
      holder: brain@controller, process 4711 on controller
      message: null
deployments:
  description: A record a deployment of which something stands, the one that ends first first.
  returned: success
  type: list
  elements: dict
  sample:
    - tenant: demo
      deployment: web
      state: standing
      run: 01kaz4m6q3h8v0c9t2x5r7n1de
      keeps: 01kaz4m6q3h8v0c9t2x5r7n1de
      since: '2026-11-25T03:41:10Z'
      until: '2026-11-26T03:41:10Z'
      lease_s: 86400
      pool_of: {front: centre-a/cloud/nova}
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
