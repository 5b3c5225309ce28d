#!/usr/bin/python
# Copyright: SuanWang Brain contributors
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

DOCUMENTATION = r"""
module: plan_propose
short_description: Turn a task into proposals, and the picked one into a plan
author: SuanWang Brain contributors (@suanwang-brain)
version_added: 0.1.0
description:
  - Checks the task, splits it into components, and shows up to five different proposals side by side, with a timeline,
    reasons, and what each loses against the others. Every pool that cannot be used is named, with the reason.
  - Writes the picked proposal as plan and estimate into the store. Without O(pick) and O(edits) nothing is written.
  - The pools are those of the inventory, so a C(fleet.brain.yml) has to be given with C(-i).
options:
  task:
    description: The task, a YAML or JSON file. A relative path is looked up from the current folder.
    type: path
    required: true
  pick:
    description: The label of the proposal to write, such as V(fastest).
    type: str
  edits:
    description:
      - A YAML file with changes to the picked proposal, C(components.<id>.<pool, accelerators, nodes, parameters>).
    type: path
  requester:
    description:
      - Who asks, a principal of C(allowed_signers). Nobody may approve what they asked for.
      - If it is not set, the environment variable E(SUANWANG_REQUESTER) is used.
    type: str
  config:
    description:
      - The folder that holds C(sites/*.yml), C(policy.yml), C(tenants.yml) and C(allowed_signers).
      - If it is not set, E(SUANWANG_CONFIG) is used, and after it C(config/lab) of the checkout.
    type: path
notes:
  - Runs on the controller only; it cannot be delegated.
attributes:
  check_mode:
    support: full
    description: Proposals are shown, and nothing is written.
  diff_mode:
    support: none
    description: There is no diff.
"""

EXAMPLES = r"""
- name: See what is possible
  suanwang.brain.plan_propose:
    task: examples/digits/task.yml

- name: Take the fastest
  suanwang.brain.plan_propose:
    task: examples/digits/task.yml
    pick: fastest
    requester: requester@lab.invalid
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
plan:
  description: The file of the plan.
  returned: when a proposal was picked
  type: str
  sample: /home/me/.local/state/suanwang/plans/3a7b/plan.json
labels:
  description: The labels of the picked proposal, or of each proposal.
  returned: success
  type: list
  elements: raw
  sample: [fastest, safest]
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
