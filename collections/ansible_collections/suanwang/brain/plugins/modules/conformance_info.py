#!/usr/bin/python
# Copyright: SuanWang Brain contributors
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

DOCUMENTATION = r"""
module: conformance_info
short_description: Walk over what a live platform answers, verb by verb
author: SuanWang Brain contributors (@suanwang-brain)
version_added: 0.1.0
description:
  - Asks one endpoint for everything that can be read, and says what answered and what did not.
  - Where the platform is described by a profile, it names the file and line of the profile to mend, also for a field
    that gives nothing in any row.
  - What is looked up by name is asked for under a name that nothing has. Nothing is ever changed.
  - It does not fail where a verb does; see C(conforms), and C(playbooks/conformance.yml), which does.
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
- name: See whether the profile fits the platform
  suanwang.brain.conformance_info:
    site: lakeside
    endpoint: third
    tenant: demo
"""

RETURN = r"""
platform:
  description: The platform of the endpoint.
  returned: success
  type: str
  sample: custom
endpoint:
  description: The site and its endpoint.
  returned: success
  type: str
  sample: lakeside/third
conforms:
  description: Whether everything answered that the platform file or profile says it can.
  returned: success
  type: bool
  sample: false
verbs:
  description: A row a verb.
  returned: success
  type: list
  elements: dict
  contains:
    verb:
      description: The verb.
      type: str
    state:
      description: >-
        V(answered), V(failed), V(absent) where the platform cannot do it, or V(not_tried) for what would change
        something.
      type: str
    says:
      description: What came, or why nothing did.
      type: str
    mend:
      description: Where to look; null where nothing is to be mended.
      type: str
  sample:
    - verb: jobs
      state: failed
      says: "lakeside, GET /v3/jobs: the list is missing."
      mend: "config/profiles/third.yml:27: paths.jobs"
mend:
  description: The places to look at, each once.
  returned: success
  type: list
  elements: str
  sample: ["config/profiles/third.yml:27: paths.jobs"]
failure:
  description: What went wrong, as plain data.
  returned: failure
  type: dict
  sample:
    code: invalid
    message: the site has 2 platforms, and no endpoint is named.
    site: hunan
    request: null
    way_out: "Endpoints: slurm, tianyin."
    details: {}
"""

from ..module_utils import module


def main():
    module.main("conformance_info")


if __name__ == "__main__":
    main()
