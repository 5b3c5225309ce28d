#!/usr/bin/python
# Copyright: SuanWang Brain contributors
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

DOCUMENTATION = r"""
module: evaluation
short_description: Measure what came home on data that never left
author: SuanWang Brain contributors (@suanwang-brain)
version_added: 0.1.0
description:
  - Loads the output of a C(collect) component, without executing anything in it, and measures it on the withheld rows.
    No figure is taken from the job's own words.
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
- name: Measure it on data that never left
  suanwang.brain.evaluation:
"""

RETURN = r"""
accuracy:
  description: The part of the withheld rows that it gets right, 0 to 1.
  returned: success
  type: float
  sample: 0.9667
rows:
  description: How many rows were withheld.
  returned: success
  type: int
  sample: 360
path:
  description: The file that was measured.
  returned: success
  type: str
  sample: /home/me/model.npz
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
