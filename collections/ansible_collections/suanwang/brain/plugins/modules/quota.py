#!/usr/bin/python
# Copyright: SuanWang Brain contributors
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

DOCUMENTATION = r"""
module: quota
short_description: Set the quota of a tenant at a platform
author: SuanWang Brain contributors (@suanwang-brain)
version_added: 0.1.0
description:
  - Reads the tenant's limits with the tenant's own account, and changes what differs with the account that the site
    file names, which has to be an administrator's there.
  - What is set is read back.
options:
  limits:
    description:
      - Resource to limit, such as V(cpu), V(memory_gib) and V(instances). What is not named stays as it is.
    type: dict
    required: true
extends_documentation_fragment:
  - suanwang.brain.site
attributes:
  check_mode:
    support: full
    description: Reads are made, and no write.
  diff_mode:
    support: full
    description: Shows the limits before and after.
"""

EXAMPLES = r"""
- name: Let the demonstration project have 64 virtual processors at the cloud of Hunan
  suanwang.brain.quota:
    site: hunan
    endpoint: cloud
    tenant: demo
    limits: {cpu: 64, memory_gib: 512, instances: 8}
"""

RETURN = r"""
quota:
  description: The limits of the account and what is used of them. A limit of C(null) is none.
  returned: success
  type: list
  elements: dict
  sample:
    - resource: cpu
      limit: 64
      used: 32
      tenant: demo
      user: null
failure:
  description: What went wrong, as plain data.
  returned: failure
  type: dict
  sample:
    code: invalid
    message: "OpenStack says 400, Quota limit 1 for cores must be greater than or equal to already used and reserved 2."
    site: hunan
    request: PUT /os-quota-sets/97dc0d96fb0b4b7aae4a5d1f7b2369f6
    way_out: null
    details: {status: 400}
"""

from ..module_utils import module


def main():
    module.main("quota")


if __name__ == "__main__":
    main()
