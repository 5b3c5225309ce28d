#!/usr/bin/python
# Copyright: SuanWang Brain contributors
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

DOCUMENTATION = r"""
module: deployment_lease
short_description: Let what a deployment keeps stay longer
author: SuanWang Brain contributors (@suanwang-brain)
version_added: 0.1.0
description:
  - Puts the end of the leases of a deployment off, by a line in the journal of its newest run. No site is touched.
  - The page C(/deployments) of the approval service does the same. That service also ends what is overdue; what was
    made without it stays until C(release.yml -e deployment=) and is shown as overdue by C(status.yml).
options:
  deployment:
    description: Its name, or C(<tenant>/<deployment>) where several tenants have one of that name.
    type: str
    required: true
  lease_h:
    description: For how many hours from now it stays. Longer than the approved lease needs a new plan.
    type: float
    required: true
notes:
  - Runs on the controller only; it cannot be delegated.
  - It is not idempotent, for the hours count from now.
attributes:
  check_mode:
    support: full
    description: It says until when the deployment would stay.
  diff_mode:
    support: full
    description: The end before and after.
"""

EXAMPLES = r"""
- name: Let the web machines stay for two days from now
  suanwang.brain.deployment_lease:
    deployment: demo/web
    lease_h: 48
"""

RETURN = r"""
standing:
  description:
    - What stands of the deployment, and until when. C(run) is that of its newest plan, C(keeps) the newest of which
      something stands, C(lease_s) the longest of its leases, C(pool_of) says where each component is.
  returned: success
  type: dict
  sample:
    tenant: demo
    deployment: web
    run: 01kb1m8q4yv2s0g6f3n5r7t9wz
    keeps: 01kb1m8q4yv2s0g6f3n5r7t9wz
    since: "2026-11-25T03:26:58Z"
    until: "2026-11-28T03:26:58Z"
    lease_s: 172800
    pool_of: {front: centre-a/cloud/nova}
failure:
  description: What went wrong, as plain data.
  returned: failure
  type: dict
  sample:
    code: not_found
    message: nothing of a deployment web stands.
    site: null
    request: null
    way_out: status.yml lists what does.
    details: {}
"""
