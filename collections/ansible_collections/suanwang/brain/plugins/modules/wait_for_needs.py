#!/usr/bin/python
# Copyright: SuanWang Brain contributors
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

DOCUMENTATION = r"""
module: wait_for_needs
short_description: Wait for what a component needs
author: SuanWang Brain contributors (@suanwang-brain)
version_added: 0.1.0
description:
  - Ends when everything that the component needs has ended well in this pass, and fails at once where something of it
    failed, with the culprit's name.
  - In check mode it returns at once.
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
- name: Wait for what it needs
  suanwang.brain.wait_for_needs:
  register: brain_turn
"""

RETURN = r"""
kind:
  description: The kind of the component, from the verified plan.
  returned: success
  type: str
  sample: train
role:
  description: The role of this collection that does what the component is for. Empty where nothing is left to do.
  returned: success
  type: str
  sample: run_job
held:
  description: Whether nodes are held for the component in this pass.
  returned: success
  type: bool
  sample: false
unmet:
  description: What has not ended yet. Empty but in check mode.
  returned: success
  type: list
  elements: str
  sample: []
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
