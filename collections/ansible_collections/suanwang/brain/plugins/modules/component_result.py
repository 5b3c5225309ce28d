#!/usr/bin/python
# Copyright: SuanWang Brain contributors
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

DOCUMENTATION = r"""
module: component_result
short_description: Keep how a component ended
author: SuanWang Brain contributors (@suanwang-brain)
version_added: 0.1.0
description:
  - Keeps it for the components that depend on this one, for the journal, and for the judge. The host itself never
    fails, so that the last play of a run is always reached.
options:
  failed:
    description: The result of the task that failed. Left out, the component ended well.
    type: dict
  refuses_all:
    description: Whether no component of this pass may begin because of that.
    type: bool
    default: false
notes:
  - Runs on the controller only; it cannot be delegated.
attributes:
  check_mode:
    support: full
    description: Tells the other components, and writes no journal.
  diff_mode:
    support: none
    description: There is no diff.
"""

EXAMPLES = r"""
- name: Keep how it failed
  suanwang.brain.component_result:
    failed: "{{ ansible_failed_result }}"
"""

RETURN = r"""
state:
  description: C(succeeded) or C(failed).
  returned: success
  type: str
  sample: succeeded
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
