#!/usr/bin/python
# Copyright: SuanWang Brain contributors
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

DOCUMENTATION = r"""
module: plan_close
short_description: Judge a run and close its journal
author: SuanWang Brain contributors (@suanwang-brain)
version_added: 0.1.0
description:
  - Succeeds only where every component of this pass ended well, and fails with a sentence for each culprit and the
    commands to go on. A pass over a part of the plan is closed as C(partial).
options: {}
notes:
  - Runs on the controller only; it cannot be delegated.
attributes:
  check_mode:
    support: full
    description: Judges, and writes nothing.
  diff_mode:
    support: none
    description: There is no diff.
"""

EXAMPLES = r"""
- name: Close the journal
  suanwang.brain.plan_close:
"""

RETURN = r"""
brain_run:
  description: The run id.
  returned: success
  type: str
  sample: 01kaz4m6q3h8v0c9t2x5r7n1de
brain_digest:
  description: SHA-256 of the plan's canonical bytes.
  returned: success
  type: str
  sample: 3a7bd3e2360a3d29eea436fcfb7e44c735d117c42d1c1835420b6b9942dd4f1b
brain_state:
  description: C(succeeded), C(partial), C(released) or, in check mode, C(checked).
  returned: success
  type: str
  sample: succeeded
components:
  description: How each component ended.
  returned: success
  type: dict
  sample: {train: {state: succeeded}}
models:
  description: What came home and was measured.
  returned: success
  type: list
  elements: dict
  sample:
    - component: collect_model
      path: /home/me/.local/state/suanwang/runs/01kaz4m6q3h8v0c9t2x5r7n1de/artifacts/train/model.npz
      sha256: 9b0c5d2f7e11aa3b6f0c8a4d1e2f3a4b5c6d7e8f9a0b1c2d3e4f5a6b7c8d9e0f
      accuracy: "0.966667"
      rows: 360
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
