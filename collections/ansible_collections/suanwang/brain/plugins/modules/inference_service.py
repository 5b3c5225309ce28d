#!/usr/bin/python
# Copyright: SuanWang Brain contributors
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

DOCUMENTATION = r"""
module: inference_service
short_description: Serve a model of ours on a platform
author: SuanWang Brain contributors (@suanwang-brain)
version_added: 0.1.0
description:
  - Looks the service up by its name first. One of that name is changed to what is asked for, or made
    anew where the platform cannot change one; one that is as asked for is left alone.
  - What it put there stays below the storage root when it is ended, in C(<deployment>/<component>).
  - Waits until every copy answers. A platform without services says so in a sentence.
options:
  state:
    description: V(present) serves the model; V(absent) ends the service.
    type: str
    choices: [present, absent]
    default: present
  deployment:
    description:
      - Whose service it is. It makes the name there, C(swb-<deployment>-<component>).
      - Required unless O(planned=true).
    type: str
  component:
    description:
      - The component id, C([a-z][a-z0-9_]{0,19}).
      - Required unless O(planned=true).
    type: str
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
    description:
      - What is run in the unpacked code, as an argument list. C({root}) is the storage root there. It answers HTTP at
        C($SWB_PORT) until it is ended.
    type: list
    elements: str
  environment:
    description: Variables for the service, beside the C(SWB_) ones. Never secrets.
    type: dict
    default: {}
  inputs:
    description: Files at the site that the service reads, as C(SWB_INPUT_<NAME>).
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
        description: Its checksum, checked by each copy before it begins.
        type: str
        required: true
      folder:
        description: Whether it is an archive, which each copy finds unpacked in a folder of its own.
        type: bool
        default: false
  replicas:
    description: How many copies answer. Resources are those of one copy.
    type: int
    default: 1
  port:
    description: The port at which a copy answers.
    type: int
    default: 8000
  accelerators:
    description: Cards of a copy.
    type: int
    default: 0
  accelerator:
    description: The model of the cards, as the site file names it.
    type: str
  cpu:
    description: Cores of a copy.
    type: int
    default: 1
  memory_mib:
    description: Memory of a copy.
    type: int
  image:
    description: The image that a platform of containers starts.
    type: str
  wait:
    description: Wait until every copy answers.
    type: bool
    default: true
  wait_s:
    description: How long at most, in seconds.
    type: int
    default: 300
  start:
    description: Whether a service that is not there may be made. Without, one that is there is still changed.
    type: bool
    default: true
  planned:
    description:
      - In apply.yml, for the component that the host stands for. Everything is read from the verified plan, and the
        other options are not looked at. Only in the controller's worker.
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
- name: Serve the digits at centre B
  suanwang.brain.inference_service:
    site: hangzhou-b
    tenant: demo
    deployment: digits
    component: web
    pool: h800
    code:
      source: serve.tar
      sha256: "{{ lookup('ansible.builtin.file', 'serve.tar', rstrip=False) | hash('sha256') }}"
    command: ["{root}/sw/bin/python3", serve.py]
    replicas: 2

- name: End it
  suanwang.brain.inference_service:
    site: hangzhou-b
    tenant: demo
    deployment: digits
    component: web
    state: absent
"""

RETURN = r"""
service:
  description: The service as the platform shows it. C(null) where there is none.
  returned: success
  type: dict
  sample:
    id: 5f2c9a7e11d0
    name: swb-digits-web
    state: running
    replicas: 2
    ready: 2
    url: https://10.30.0.1:8443/apps/5f2c9a7e11d0/
    pool: hangzhou-b/aofei/h800
latency:
  description:
    - What real requests to it took, from the controller, over the public side of the site. C(null) where none was made.
  returned: success
  type: dict
  sample:
    requests: 5
    median_ms: 3.2
    worst_ms: 5.1
    status: 200
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
    module.main("inference_service")


if __name__ == "__main__":
    main()
