#!/usr/bin/python
# Copyright: SuanWang Brain contributors
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

DOCUMENTATION = r"""
module: dataset
short_description: Put a file at a site, or remove what we put there
author: SuanWang Brain contributors (@suanwang-brain)
version_added: 0.1.0
description:
  - Looks first. A file that is there with the right checksum is left alone.
  - A transfer goes to a C(.part) beside the target, is resumed where its beginning checks, is verified by SHA-256 at
    the site, and is renamed last, so that a half-written file is never taken for whole.
options:
  state:
    description: Whether the file is there. V(absent) removes a file or a folder below the storage root.
    type: str
    choices: [present, absent]
    default: present
  path:
    description: Where, relative to the storage root that the site file names.
    type: str
  source:
    description: The file at the controller.
    type: path
  sha256:
    description: The checksum that the file has to have, here and there.
    type: str
  rate_kbps:
    description: The share of the link that the transfer may take, in kbit/s.
    type: int
  planned:
    description:
      - Read every parameter from the verified plan that M(suanwang.brain.plan_load) opened, for the component that
        the host stands for. All other parameters but O(state) are ignored, and so are all variables.
      - Where the component has nothing to do with this module, the task is skipped.
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
- name: Put a dataset at the Hunan centre
  suanwang.brain.dataset:
    site: hunan
    tenant: demo
    path: shared/digits.csv
    source: digits.csv
    sha256: 6ebb3d2fee246a4e99363262ddf8a00a3c41bee6014c373ed9d9216ba7f651b8

- name: Remove it
  suanwang.brain.dataset:
    site: hunan
    tenant: demo
    path: shared/digits.csv
    state: absent
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
    module.main("dataset")


if __name__ == "__main__":
    main()
