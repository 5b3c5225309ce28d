#!/usr/bin/python
# Copyright: SuanWang Brain contributors
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

DOCUMENTATION = r"""
module: instance
short_description: Make a machine on a cloud, or remove it
author: SuanWang Brain contributors (@suanwang-brain)
version_added: 0.1.0
description:
  - Looks first. A machine of ours under that name is left alone, and one of somebody else is never touched.
  - Where the answer to a request is lost, the machine is looked for by its name; it is never asked for twice blindly.
  - What a machine holds is reserved while it stands, so this is how a cloud reserves.
  - With O(ports), a port, a security group with one rule for each and, where the site file names an external network,
    a floating address are made before it, changed in place, and removed with it.
options:
  state:
    description: Whether the machine is there.
    type: str
    choices: [present, absent]
    default: present
  run:
    description: The run that the instance belongs to; its name is C(swb-<run>-<component>).
    type: str
  deployment:
    description: The deployment that keeps it, instead of O(run); its name is C(swb-<deployment>-<component>).
    type: str
  component:
    description: The component that it is. Needed unless O(planned=true).
    type: str
  number:
    description: Which machine of the component it is, where there are several; C(-<number>) ends its name from 2 on.
    type: int
    default: 1
  beyond:
    description: With O(state=absent), also all machines of higher numbers, until there is none of that number.
    type: bool
    default: false
  pool:
    description: Where it is made, the V(brain_pool_id) of a pool. Needed with O(state=present).
    type: str
  image:
    description: The name of the image there. Needed with O(state=present).
    type: str
  native_type:
    description: The platform's own size. Without it, the smallest that gives what is asked for.
    type: str
  cpu:
    description: The least number of virtual processors.
    type: int
    default: 1
  memory_mib:
    description: The least memory in MiB.
    type: int
  accelerators:
    description: The number of accelerators.
    type: int
    default: 0
  networks:
    description: Names of networks. Without any, the project's own.
    type: list
    elements: str
    default: []
  user_data:
    description: What the image's first start is told, such as a C(#cloud-config). It is no place for a secret.
    type: str
  login:
    description:
      - Let in the user that the site file names under C(machines), with a host key that is made here and so known.
      - Takes the place of O(user_data).
    type: bool
    default: false
  ports:
    description:
      - TCP ports at which it is reached from outside, and no others. Needs one of O(networks).
      - Where it is left out, nothing is made or changed but the machine.
    type: list
    elements: int
  wait:
    description: Wait until it runs, or is gone.
    type: bool
    default: true
  timeout_s:
    description: How long to wait, in seconds.
    type: int
    default: 600
  poll_s:
    description: The longest time between two looks, in seconds.
    type: float
    default: 2.0
  replace:
    description:
      - Where a machine of that name has another size or image, remove it and make it anew, with new addresses and an
        empty disk. Without it that is refused. Several of a component are replaced one after the other.
      - What a machine is made of is kept among its marks; of one that lacks them nothing is known, and it stays.
    type: bool
    default: false
  planned:
    description:
      - Read every parameter from the verified plan that M(suanwang.brain.plan_load) opened, for the component that
        the host stands for. All other parameters but O(state) are ignored, and so are all variables.
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
- name: Make a web server at centre A
  suanwang.brain.instance:
    site: centre-a
    endpoint: cloud
    tenant: demo
    deployment: web
    component: front
    pool: centre-a/cloud/az-general.x86_64
    image: openeuler-x86_64
    cpu: 2
    networks: [work]
    ports: [22, 80]
    login: true

- name: Remove it
  suanwang.brain.instance:
    site: centre-a
    endpoint: cloud
    tenant: demo
    deployment: web
    component: front
    state: absent
"""

RETURN = r"""
instance:
  description: The machine, with its addresses on both sides. C(null) where there is none.
  returned: success
  type: dict
  sample:
    id: 4c26f51e-971d-457b-b54c-8e6f460c6970
    name: swb-web-front
    state: running
    native_state: ACTIVE
    reason: null
    pool: centre-a/cloud/az-general.x86_64
    native_type: g1.small
    addresses:
      - network: work
        private: 10.20.0.188
        private_port: 22
        public: 203.0.113.7
        public_port: 20022
    label: {swb_deployment: web, swb_component: front, swb_tenant: demo}
    created: "2026-11-25T08:11:19Z"
endpoints:
  description: Where each of O(ports) is reached, inside the machine's network and from here.
  returned: success
  type: list
  elements: dict
  sample:
    - port: 80
      private: {address: 10.20.0.188, port: 80}
      public: {address: 203.0.113.7, port: 20080}
instances:
  description: The machines, where a plan asks for several.
  returned: when there are several
  type: list
  elements: dict
  sample:
    - id: 4c26f51e-971d-457b-b54c-8e6f460c6970
      name: swb-web-front
      state: running
failure:
  description: What went wrong, as plain data.
  returned: failure
  type: dict
  sample:
    code: quota_exceeded
    message: "OpenStack says 403, Quota exceeded for cores: Requested 32, but already used 64 of 64 cores."
    site: centre-a
    request: POST /servers
    way_out: Ask for less, release what is not needed, or have the quota raised.
    details: {status: 403}
"""

from ..module_utils import module


def main():
    module.main("instance")


if __name__ == "__main__":
    main()
