#!/usr/bin/python
# Copyright: SuanWang Brain contributors
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

DOCUMENTATION = r"""
module: quota_info
short_description: Read the quota of a tenant at a platform
author: SuanWang Brain contributors (@suanwang-brain)
version_added: 0.1.0
description:
  - Returns the limits of the tenant's account and what is used of them, as the platform states them.
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
- name: Read what the demonstration project may use at the cloud of Hunan
  suanwang.brain.quota_info:
    site: hunan
    endpoint: cloud
    tenant: demo
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
    module.main("quota_info")


if __name__ == "__main__":
    main()
