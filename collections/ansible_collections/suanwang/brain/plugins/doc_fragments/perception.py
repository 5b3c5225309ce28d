# Copyright: SuanWang Brain contributors
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Options of every inventory plugin of the brain."""

from __future__ import annotations


class ModuleDocFragment:
    DOCUMENTATION = r"""
options:
  config:
    description:
      - The folder that holds C(sites/*.yml), C(links.yml), C(policy.yml) and C(tenants.yml).
      - A relative folder is looked up beside the inventory source file.
      - If it is not set, E(SUANWANG_CONFIG) is used, and after it C(config/lab) of the checkout.
    type: str
  sites:
    description: Read only these sites. By default, all of the folder.
    type: list
    elements: str
  max_age_s:
    description:
      - A snapshot in the store younger than this many seconds is taken, and no network is touched.
      - C(--flush-cache) and C(meta=refresh_inventory) always read the sites.
    type: int
    default: 0
  strict_sites:
    description:
      - Turn a site that does not answer into an error.
      - By default its last good snapshot comes back as C(stale), beyond the site's C(lost_after_s) as C(lost).
    type: bool
    default: false
notes:
  - The snapshots lie in the store, the folder that E(SUANWANG_STATE) names, by default
    C(~/.local/state/suanwang). No secret is in them.
  - Text that comes from a platform never becomes a template.
"""
