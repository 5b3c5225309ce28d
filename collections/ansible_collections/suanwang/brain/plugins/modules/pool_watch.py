#!/usr/bin/python
# Copyright: SuanWang Brain contributors
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

DOCUMENTATION = r"""
module: pool_watch
short_description: Keep the picture of all pools fresh
author: SuanWang Brain contributors (@suanwang-brain)
version_added: 0.1.0
description:
  - Reads every platform endpoint of the config folder again and again, each at the C(poll_interval_s) of its site file,
    and keeps what it says as snapshots in the store. Its alarms alone are read three times as often.
  - What a snapshot shows is younger than that interval, as long as the site answers. A site that hangs keeps no other
    waiting.
  - Prints a line when something changes. Keeps a row a pool every ten minutes in C(usage/<month>.jsonl) of the store,
    for three months; a site that did not answer leaves a gap.
  - It ends by Ctrl-C, after O(rounds), or after O(for_s). One is enough for a store, a second one is refused.
options:
  rounds:
    description: End when each endpoint was read so many times. By default it goes on for ever.
    type: int
  for_s:
    description: End after so many seconds, whatever was read. By default it goes on for ever.
    type: int
  config:
    description:
      - The folder that holds C(sites/*.yml), C(policy.yml), C(tenants.yml) and C(allowed_signers).
      - If it is not set, E(SUANWANG_CONFIG) is used, and after it C(config/lab) of the checkout.
    type: path
notes:
  - Runs on the controller only; it cannot be delegated.
attributes:
  check_mode:
    support: full
    description: It is skipped.
  diff_mode:
    support: none
    description: It changes nothing at a site.
"""

EXAMPLES = r"""
- name: Keep the picture fresh
  suanwang.brain.pool_watch:

- name: Read every site twice, at its own interval
  suanwang.brain.pool_watch:
    rounds: 2
"""

RETURN = r"""
reads:
  description: How often each endpoint was read.
  returned: success
  type: dict
  sample: {hunan/slurm: 2}
failure:
  description: What went wrong, as plain data.
  returned: failure
  type: dict
  sample:
    code: conflict
    message: "watch is at work on /home/me/.local/state/suanwang already: process 4711 on controller."
    site: null
    request: null
    way_out: One is enough for all who use this store; end it first.
    details: {}
"""
