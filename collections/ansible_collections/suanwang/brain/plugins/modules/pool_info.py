#!/usr/bin/python
# Copyright: SuanWang Brain contributors
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

DOCUMENTATION = r"""
module: pool_info
short_description: Read what a platform says of its pools
author: SuanWang Brain contributors (@suanwang-brain)
version_added: 0.1.0
description:
  - Returns the pools of one endpoint, as the platform states them now. Unknown is C(null), never 0.
  - For all sites at once, and for prices, power and runtimes, use the inventory P(suanwang.brain.fleet#inventory).
options:
  name:
    description: Only the pool of that native name.
    type: str
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
- name: Read the pools of the Hunan centre
  suanwang.brain.pool_info:
    site: hunan
  register: hunan

- name: Show what is free
  ansible.builtin.debug:
    msg: "{{ hunan.pools | map(attribute='free') }}"
"""

RETURN = r"""
pools:
  description: The pools.
  returned: success
  type: list
  elements: dict
  sample:
    - id: hunan/slurm/npu
      name: npu
      arch: aarch64
      accelerator: {kind: npu, model: 910b3, native: "npu:ascend910b", count: 16}
      capacity: {nodes: 2, cpu: 384, memory_gib: 1536.0, accelerators: 16}
      free: {nodes: 2, cpu: 384, memory_gib: 1536.0, accelerators: 16}
      queue: {running: 0, pending: 0, wait_s: 0}
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
    module.main("pool_info")


if __name__ == "__main__":
    main()
