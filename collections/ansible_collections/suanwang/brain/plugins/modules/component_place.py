#!/usr/bin/python
# Copyright: SuanWang Brain contributors
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

DOCUMENTATION = r"""
module: component_place
short_description: Find where a component of the plan runs, or shall run
author: SuanWang Brain contributors (@suanwang-brain)
version_added: 0.1.0
description:
  - Looks the component's name up at every allowed pool. Found, that pool is kept. A pool that cannot answer leaves the
    component undecided, and nothing is submitted elsewhere.
  - Otherwise the facts are read again, and the first allowed pool that is fit is taken.
options: {}
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
- name: Find where the component runs, or shall run
  suanwang.brain.component_place:
"""

RETURN = r"""
placed:
  description: The pool, and what was found there.
  returned: success
  type: dict
  sample:
    pool: hunan/slurm/npu
    site: hunan
    endpoint: slurm
    name: npu
    arch: aarch64
    accelerator: 910b3
    found: false
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
