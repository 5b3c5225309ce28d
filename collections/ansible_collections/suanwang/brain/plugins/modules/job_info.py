#!/usr/bin/python
# Copyright: SuanWang Brain contributors
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

DOCUMENTATION = r"""
module: job_info
short_description: Look a job of ours up by its name
author: SuanWang Brain contributors (@suanwang-brain)
version_added: 0.1.0
description:
  - Returns the newest attempt that is there. A platform that cannot answer is an error, never "absent".
options:
  run:
    description: The run id. With O(component) it makes the name on the platform, C(swb-<run>-<component>.a<n>).
    type: str
    required: true
  component:
    description: The component id, C([a-z][a-z0-9_]{0,19}).
    type: str
    required: true
  attempts:
    description: How many attempts there may be. A failed one is kept.
    type: int
    default: 1
extends_documentation_fragment:
  - suanwang.brain.site
attributes:
  check_mode:
    support: full
    description: It only reads, and does the same in check mode.
  diff_mode:
    support: none
    description: It changes nothing.
"""

EXAMPLES = r"""
- name: Look at the training
  suanwang.brain.job_info:
    site: hunan
    run: 01kaz4m6q3h8v0c9t2x5r7n1de
    component: train
"""

RETURN = r"""
job:
  description: The job as the platform shows it. C(null) where the platform no longer knows it.
  returned: success
  type: dict
  sample:
    id: "4711"
    name: swb-01kaz4m6q3h8v0c9t2x5r7n1de-train.a1
    state: succeeded
    native_state: COMPLETED
    exit_code: 0
    pool: npu
state:
  description:
    - One of C(queued), C(starting), C(running), C(suspended), C(stopping), C(succeeded), C(failed), C(cancelled)
      and C(unknown).
  returned: success
  type: str
  sample: succeeded
attempt:
  description: Which attempt this is about.
  returned: success
  type: int
  sample: 1
result:
  description: The result file that the job left, or C(null).
  returned: success
  type: dict
  sample:
    exit_code: 0
    outputs:
      model: {path: model.npz, size: 5632, sha256: 9b0c5d2f7e11aa3b6f0c8a4d1e2f3a4b5c6d7e8f9a0b1c2d3e4f5a6b7c8d9e0f}
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

from ..module_utils import module


def main():
    module.main("job_info")


if __name__ == "__main__":
    main()
