#!/usr/bin/python
# Copyright: SuanWang Brain contributors
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

DOCUMENTATION = r"""
module: inference_service_info
short_description: Look a served model of ours up by its name
author: SuanWang Brain contributors (@suanwang-brain)
version_added: 0.1.0
description:
  - A platform that cannot answer is an error, never "absent".
options:
  deployment:
    description: Whose service it is. It makes the name there, C(swb-<deployment>-<component>).
    type: str
    required: true
  component:
    description: The component id, C([a-z][a-z0-9_]{0,19}).
    type: str
    required: true
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
- name: Where do the digits answer?
  suanwang.brain.inference_service_info:
    site: hangzhou-b
    deployment: digits
    component: web
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
    module.main("inference_service_info")


if __name__ == "__main__":
    main()
