#!/usr/bin/python
# Copyright: SuanWang Brain contributors
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

DOCUMENTATION = r"""
module: job
short_description: Run a job of ours on a platform, exactly once
author: SuanWang Brain contributors (@suanwang-brain)
version_added: 0.1.0
description:
  - Looks the job up by its name first, and submits it only where the platform said, without an error, that it has none
    of that name. A submit whose answer was lost is looked up before anything else is tried.
  - Waits for the end. The result file, which the job writes last, beats the platform's word for exit codes; an end that
    nobody can vouch for is never success.
options:
  state:
    description: V(present) runs the job; V(absent) cancels it where it has not ended.
    type: str
    choices: [present, absent]
    default: present
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
  pool:
    description: The native name of the pool, such as a partition.
    type: str
  code:
    description: The archive of the code, which travels with the job.
    type: dict
    suboptions:
      source:
        description: A tar file at the controller.
        type: path
        required: true
      sha256:
        description: Its checksum.
        type: str
        required: true
  command:
    description: What is run in the unpacked code, as an argument list. C({root}) is the storage root there.
    type: list
    elements: str
  environment:
    description: Variables for the job, beside the C(SWB_) ones. Never secrets.
    type: dict
    default: {}
  inputs:
    description: Files at the site that the job reads, as C(SWB_INPUT_<NAME>).
    type: list
    elements: dict
    default: []
    suboptions:
      name:
        description: The input's name.
        type: str
        required: true
      path:
        description: Where it lies, relative to the storage root.
        type: str
        required: true
      sha256:
        description: Its checksum, checked by the job before it begins.
        type: str
        required: true
      folder:
        description: Whether it is an archive, which the job finds unpacked in a folder of its own.
        type: bool
        default: false
  outputs:
    description: Files that the job leaves below C($SWB_OUTPUT_DIR).
    type: list
    elements: dict
    default: []
    suboptions:
      name:
        description: The output's name.
        type: str
        required: true
      path:
        description: Where it lies, relative to C($SWB_OUTPUT_DIR).
        type: str
        required: true
  nodes:
    description: How many nodes.
    type: int
    default: 1
  accelerators:
    description: How many cards in all.
    type: int
    default: 0
  accelerator:
    description: Their model, as the site file calls it.
    type: str
  cpu:
    description: Cores a node.
    type: int
    default: 1
  memory_mib:
    description: Memory a node.
    type: int
  wall_s:
    description: The time limit in seconds.
    type: int
    default: 3600
  image:
    description: The image that a platform of containers starts. Others do not look at it.
    type: str
  reservation:
    description: The reservation that the job runs in, as the platform calls it. Its end ends the job.
    type: str
  wait:
    description: Wait for the end of the job.
    type: bool
    default: true
  poll_s:
    description: How often to look, in seconds.
    type: float
    default: 2.0
  start:
    description: Whether a job that is not there may be submitted.
    type: bool
    default: true
  expected:
    description: Whether the job is known to be there. If it is not shown then, the task fails and submits nothing.
    type: bool
    default: false
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
- name: Train at the Hunan centre
  suanwang.brain.job:
    site: hunan
    tenant: demo
    pool: npu
    run: 01kaz4m6q3h8v0c9t2x5r7n1de
    component: train
    code:
      source: code.tar
      sha256: "{{ lookup('ansible.builtin.file', 'code.tar', rstrip=False) | hash('sha256') }}"
    command: ["{root}/sw/bin/python3", train.py]
    accelerators: 1
    accelerator: 910b3
    outputs:
      - name: model
        path: model.npz

- name: Cancel it
  suanwang.brain.job:
    site: hunan
    tenant: demo
    run: 01kaz4m6q3h8v0c9t2x5r7n1de
    component: train
    state: absent
"""

RETURN = r"""
job:
  description: The job as the platform shows it. C(null) where the platform no longer knows it.
  returned: success
  type: dict
  sample:
    id: "4711"
    name: swb-01kaz4m6q3h8v0c9t2x5r7n1de-train.a1
    state: succeeded
    native_state: COMPLETED
    exit_code: 0
    pool: npu
state:
  description:
    - One of C(queued), C(starting), C(running), C(suspended), C(stopping), C(succeeded), C(failed), C(cancelled)
      and C(unknown).
  returned: success
  type: str
  sample: succeeded
attempt:
  description: Which attempt this is about.
  returned: success
  type: int
  sample: 1
result:
  description: The result file that the job left, or C(null).
  returned: success
  type: dict
  sample:
    exit_code: 0
    outputs:
      model: {path: model.npz, size: 5632, sha256: 9b0c5d2f7e11aa3b6f0c8a4d1e2f3a4b5c6d7e8f9a0b1c2d3e4f5a6b7c8d9e0f}
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
    module.main("job")


if __name__ == "__main__":
    main()
