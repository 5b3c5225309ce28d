#!/usr/bin/python
# Copyright: SuanWang Brain contributors
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

DOCUMENTATION = r"""
module: instance_info
short_description: Read a machine of ours on a cloud
author: SuanWang Brain contributors (@suanwang-brain)
version_added: 0.1.0
description:
  - Returns the machine of that name. That there is none is said only where the platform said so.
options:
  run:
    description: The run that the instance belongs to; its name is C(swb-<run>-<component>).
    type: str
  deployment:
    description: The deployment that keeps it, instead of O(run); its name is C(swb-<deployment>-<component>).
    type: str
  component:
    description: The component that it is.
    type: str
    required: true
  number:
    description: Which machine of the component it is, where there are several.
    type: int
    default: 1
extends_documentation_fragment:
  - suanwang.brain.site
attributes:
  check_mode:
    support: full
    description: It only reads, and does the same in check mode.
  diff_mode:
    support: none
    description: It changes nothing.
"""

EXAMPLES = r"""
- name: Read where the web server is reached
  suanwang.brain.instance_info:
    site: centre-a
    endpoint: cloud
    tenant: demo
    deployment: web
    component: front
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
    module.main("instance_info")


if __name__ == "__main__":
    main()
