#!/usr/bin/python
# Copyright: SuanWang Brain contributors
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

DOCUMENTATION = r"""
module: gang_start
short_description: Start the members of a gang together, or none of them
author: SuanWang Brain contributors (@suanwang-brain)
version_added: 0.1.0
description:
  - Runs once for each member of a gang. It waits until all members have what they need, submits this member's job, and
    ends when all of them run, at whatever sites they are.
  - Where one of them cannot start, or does not run within the plan's tolerance after the first, each ends its own job
    and fails with the culprit's name.
  - A component without a gang is skipped.
options: {}
notes:
  - Runs on the controller only; it cannot be delegated.
  - Starts are compared as the platforms state them, so the sites' clocks have to agree.
attributes:
  check_mode:
    support: full
    description: In check mode it is skipped; M(suanwang.brain.job) shows what would be submitted.
  diff_mode:
    support: none
    description: There is no diff.
"""

EXAMPLES = r"""
- name: Start together with its gang
  suanwang.brain.gang_start:
"""

RETURN = r"""
job:
  description: The job of this member, as M(suanwang.brain.job) returns it.
  returned: success
  type: dict
  sample:
    id: "4711"
    name: swb-01k0g3n7k1fzq8v2m5t6w9x4ya-half_a
    state: running
skew_s:
  description: How far apart the first and the last member started, in seconds.
  returned: success
  type: int
  sample: 1
failure:
  description: What went wrong, as plain data.
  returned: failure
  type: dict
  sample:
    code: gang_failed
    message: half_b does not run 60 s after the first of joint.
    site:
    request:
    way_out: Look at the queue there, and propose again.
    details: {}
"""
