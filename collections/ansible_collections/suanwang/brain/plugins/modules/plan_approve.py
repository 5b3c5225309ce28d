#!/usr/bin/python
# Copyright: SuanWang Brain contributors
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

DOCUMENTATION = r"""
module: plan_approve
short_description: Sign a plan
author: SuanWang Brain contributors (@suanwang-brain)
version_added: 0.1.0
description:
  - Signs the plan's digest with the approver's own key, as an OpenSSH signature (SSHSIG) of the namespace
    C(approval@suanwang), and keeps it beside the plan. C(ssh-keygen -Y verify) says the same.
  - What would not count is not written. The requester's own key, a key that C(allowed_signers) does not know, and a
    principal that C(policy.yml) does not name are refused with a sentence.
options:
  plan:
    description: The plan, by digest, its first characters, the run id, or a folder that holds C(plan.json).
    type: str
    required: true
  key:
    description:
      - An OpenSSH private key without passphrase.
      - If it is not set, the first key in ssh-agent that C(allowed_signers) knows signs; so do hardware keys.
    type: path
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
    description: Everything is checked and shown, and nothing is written.
  diff_mode:
    support: none
    description: There is no diff.
"""

EXAMPLES = r"""
- name: Approve what was asked for
  suanwang.brain.plan_approve:
    plan: 3a7bd3e2360a3d29
    key: ~/.ssh/id_ed25519
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
approver:
  description: The principal in whose name it was signed.
  returned: success
  type: str
  sample: approver@lab.invalid
expires:
  description: Until when components may be started.
  returned: success
  type: str
  sample: "2026-11-26T03:26:58Z"
signature:
  description: The file of the signature.
  returned: when it was written
  type: str
  sample: /home/me/.local/state/suanwang/plans/3a7b/approvals/0f3c.sig
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
