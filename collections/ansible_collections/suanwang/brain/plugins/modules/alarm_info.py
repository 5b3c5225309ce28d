#!/usr/bin/python
# Copyright: SuanWang Brain contributors
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

DOCUMENTATION = r"""
module: alarm_info
short_description: Read what a platform reports as wrong
author: SuanWang Brain contributors (@suanwang-brain)
version_added: 0.1.0
description:
  - Returns the alarms of one endpoint, such as drained or silent nodes with their reason.
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
- name: Read the alarms of the Hunan centre
  suanwang.brain.alarm_info:
    site: hunan
"""

RETURN = r"""
alarms:
  description: The alarms.
  returned: success
  type: list
  elements: dict
  sample:
    - id: hunan/slurm/hn-asc02/drain
      name: "node hn-asc02 is drained: fan"
      severity: major
      since: "2026-11-24T08:00:00Z"
      source: slurm
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
    module.main("alarm_info")


if __name__ == "__main__":
    main()
