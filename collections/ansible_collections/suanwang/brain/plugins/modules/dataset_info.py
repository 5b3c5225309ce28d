#!/usr/bin/python
# Copyright: SuanWang Brain contributors
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

DOCUMENTATION = r"""
module: dataset_info
short_description: Read size and checksum of a file at a site
author: SuanWang Brain contributors (@suanwang-brain)
version_added: 0.1.0
description:
  - The checksum is reckoned at the site, over SSH.
options:
  path:
    description: Where, relative to the storage root that the site file names.
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
- name: Look at a dataset
  suanwang.brain.dataset_info:
    site: hunan
    path: shared/digits.csv
"""

RETURN = r"""
dataset:
  description: What lies there. C(null) where nothing does.
  returned: success
  type: dict
  sample:
    name: digits.csv
    path: /home/brain/brain/01kaz4m6q3h8v0c9t2x5r7n1de/data/5f0e/digits.csv
    size: 211773
    sha256: 5f0e6ebb3d2fee246a4e99363262ddf8a00a3c41bee6014c373ed9d9216ba7f6
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
    module.main("dataset_info")


if __name__ == "__main__":
    main()
