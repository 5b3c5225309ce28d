#!/usr/bin/python
# Copyright: SuanWang Brain contributors
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

DOCUMENTATION = r"""
module: artifact
short_description: Bring an output of a component home
author: SuanWang Brain contributors (@suanwang-brain)
version_added: 0.1.0
description:
  - Reads the component's result file, fetches the output to a C(.part) beside O(dest), verifies size and SHA-256, and
    renames. A file that is there with the right checksum is left alone.
options:
  run:
    description: The run id. With O(component) it makes the name on the platform, C(swb-<run>-<component>.a<n>).
    type: str
  component:
    description: The component id, C([a-z][a-z0-9_]{0,19}).
    type: str
  attempts:
    description: How many attempts there may be. A failed one is kept.
    type: int
    default: 1
  output:
    description: The output's name, as the task calls it.
    type: str
  dest:
    description: The file at the controller.
    type: path
  rate_kbps:
    description: The share of the link that the transfer may take, in kbit/s.
    type: int
  planned:
    description:
      - Read every parameter from the verified plan that M(suanwang.brain.plan_load) opened, for the component that
        the host stands for. All other parameters are ignored, and so are all variables.
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
- name: Bring the model home
  suanwang.brain.artifact:
    site: hunan
    tenant: demo
    run: 01kaz4m6q3h8v0c9t2x5r7n1de
    component: train
    output: model
    dest: model.npz
"""

RETURN = r"""
artifact:
  description: What was brought home.
  returned: success
  type: dict
  sample:
    path: /home/me/model.npz
    remote_path: /home/brain/brain/01kaz4m6q3h8v0c9t2x5r7n1de/train/a1/out/model.npz
    size: 5632
    sha256: 9b0c5d2f7e11aa3b6f0c8a4d1e2f3a4b5c6d7e8f9a0b1c2d3e4f5a6b7c8d9e0f
    attempt: 1
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
    module.main("artifact")


if __name__ == "__main__":
    main()
