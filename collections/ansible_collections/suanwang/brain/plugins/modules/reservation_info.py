#!/usr/bin/python
# Copyright: SuanWang Brain contributors
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

DOCUMENTATION = r"""
module: reservation_info
short_description: Look a reservation of ours up by its name
author: SuanWang Brain contributors (@suanwang-brain)
version_added: 0.1.0
description:
  - A platform that cannot answer is an error, never "absent".
options:
  run:
    description: The run id. With O(component) it makes the name on the platform, C(swb-<run>-<component>).
    type: str
    required: true
  component:
    description: The component id, C([a-z][a-z0-9_]{0,19}).
    type: str
    required: true
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
- name: Look at what is held for the training
  suanwang.brain.reservation_info:
    site: hunan
    run: 01kaz4m6q3h8v0c9t2x5r7n1de
    component: train
"""

RETURN = r"""
reservation:
  description: The reservation as the platform shows it. C(null) where there is none.
  returned: success
  type: dict
  sample:
    name: swb-01kaz4m6q3h8v0c9t2x5r7n1de-train
    pool: hunan/slurm/npu
    state: active
    nodes: 2
    cpu: 384
    hosts: hn-asc[01-02]
    start: "2026-11-26T04:00:00Z"
    end: "2026-11-26T06:00:00Z"
    users: [brain]
failure:
  description: What went wrong, as plain data.
  returned: failure
  type: dict
  sample:
    code: unreachable
    message: nothing answers at 10.1.0.5:6820 (via intranet).
    site: hunan
    request: GET /slurm/v0.0.38/reservations
    way_out: Check the endpoint in the site file and the network to it.
    details: {}
"""

from ..module_utils import module


def main():
    module.main("reservation_info")


if __name__ == "__main__":
    main()
