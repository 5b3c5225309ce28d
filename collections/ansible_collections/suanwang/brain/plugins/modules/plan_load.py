#!/usr/bin/python
# Copyright: SuanWang Brain contributors
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

DOCUMENTATION = r"""
module: plan_load
short_description: Verify a plan and claim its run
author: SuanWang Brain contributors (@suanwang-brain)
version_added: 0.1.0
description:
  - Verifies digest, approvals, policy, expiry, the pins of the sites and the number of forks, and claims the run for
    this playbook. Anything off is a failure before any site was contacted.
  - Opens the pass that C(planned) tasks of this playbook read. They look at the plan's bytes, never at variables.
  - In check mode a plan that is not approved yet is accepted, which is said in the first line; nothing is claimed or
    written.
options:
  plan:
    description:
      - The plan, by digest, its first characters, the run id, or a folder that holds C(plan.json).
      - Or the plan itself with its approvals, as one word that begins with C(b64:). It is verified like a folder, and
        kept in the store before anything is done.
      - A run id that the store does not have is fetched, with its approvals and files, from the approval service that
        E(SUANWANG_WEBHOOK) names, by the token in the credential C(webhook). It is verified like any other.
    type: str
  deployment:
    description:
      - The deployment whose machines are given back, by O(purpose=release), instead of O(plan).
      - C(tenant/deployment) where several tenants have one of that name. They are looked for wherever a plan of it
        that was ever applied here allowed them.
    type: str
  purpose:
    description: What the playbook is going to do. An expired approval never forbids V(release).
    type: str
    choices: [apply, release]
    default: apply
  only:
    description:
      - The ids of the components that take part, all by default.
      - What they need and has ended well in an earlier pass is looked at again; a need that is neither listed nor done
        is refused. The run is closed as C(partial) until everything is done.
    type: list
    elements: str
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
    description: Accepts an unapproved plan, and neither claims nor writes.
  diff_mode:
    support: none
    description: There is no diff.
"""

EXAMPLES = r"""
- name: Verify the plan and its approvals, and claim the run
  suanwang.brain.plan_load:
    plan: 3a7bd3e2360a3d29
  register: brain_loaded
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
components:
  description: The components in planned order, for display and targeting. Empty where the run has succeeded before.
  returned: success
  type: list
  elements: dict
  sample:
    - {id: train, host: c-train, kind: train, needs: [move_digits], pools: [hunan/slurm/npu]}
finished:
  description: Whether the run has succeeded before, so that nothing is left to do.
  returned: success
  type: bool
  sample: false
approvers:
  description: Whose approvals count.
  returned: success
  type: list
  elements: str
  sample: [approver@lab.invalid]
journal:
  description: The file of the run's journal.
  returned: success
  type: str
  sample: /home/me/.local/state/suanwang/runs/01kaz4m6q3h8v0c9t2x5r7n1de/journal.jsonl
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
