#!/usr/bin/python
# Copyright: SuanWang Brain contributors
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

DOCUMENTATION = r"""
module: reservation
short_description: Hold whole nodes of a pool for a component, or give them back
author: SuanWang Brain contributors (@suanwang-brain)
version_added: 0.1.0
description:
  - Looks the reservation up by its name first. One that is there and is what was asked for is left alone; one that
    differs is an error, and is not touched.
  - Nodes are held whole. The end of a reservation ends the jobs in it.
  - A platform that cannot hold nodes says so with its reason, and so does an endpoint whose site file leaves out what
    it needs for that.
options:
  state:
    description: V(present) holds the nodes; V(absent) gives them back. Jobs that run in it or wait for it end first.
    type: str
    choices: [present, absent]
    default: present
  run:
    description: The run id. With O(component) it makes the name on the platform, C(swb-<run>-<component>).
    type: str
  component:
    description: The component id, C([a-z][a-z0-9_]{0,19}).
    type: str
  pool:
    description: The native name of the pool, such as a partition.
    type: str
  nodes:
    description: How many whole nodes.
    type: int
    default: 1
  duration_s:
    description: For how long, in seconds. A platform that counts minutes rounds it up.
    type: int
    default: 3600
  start:
    description: From when on, in UTC as V(2026-11-25T03:26:58Z). If it is not set, from now on.
    type: str
  least_s:
    description: One that is there and has less than so many seconds left is given back, and reserved anew.
    type: int
  planned:
    description:
      - Read every parameter from the verified plan that M(suanwang.brain.plan_load) opened, for the component that
        the host stands for. All other parameters but O(state) are ignored, and so are all variables.
      - Where the component has nothing to do with this module, the task is skipped.
    type: bool
    default: false
extends_documentation_fragment:
  - suanwang.brain.site
attributes:
  check_mode:
    support: full
    description: Reads are made, and no write.
  diff_mode:
    support: full
    description: Shows what would be made or removed.
"""

EXAMPLES = r"""
- name: Hold two nodes at the Hunan centre from noon on
  suanwang.brain.reservation:
    site: hunan
    tenant: demo
    pool: npu
    run: 01kaz4m6q3h8v0c9t2x5r7n1de
    component: train
    nodes: 2
    duration_s: 7200
    start: "2026-11-26T04:00:00Z"

- name: Give them back
  suanwang.brain.reservation:
    site: hunan
    tenant: demo
    run: 01kaz4m6q3h8v0c9t2x5r7n1de
    component: train
    state: absent
"""

RETURN = r"""
reservation:
  description: The reservation as the platform shows it. C(null) where there is none.
  returned: success
  type: dict
  sample:
    name: swb-01kaz4m6q3h8v0c9t2x5r7n1de-train
    pool: hunan/slurm/npu
    state: pending
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
    code: refused
    message: "Slurm says: Error creating the reservation: Requested nodes are busy."
    site: hunan
    request: SSH scontrol
    way_out: Take another time, or fewer nodes.
    details: {in_use: false}
"""

from ..module_utils import module


def main():
    module.main("reservation")


if __name__ == "__main__":
    main()
