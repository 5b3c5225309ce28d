# Copyright: SuanWang Brain contributors
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Options that name a site and who we are there."""

from __future__ import annotations


class ModuleDocFragment:
    DOCUMENTATION = r"""
options:
  config:
    description:
      - The folder that holds C(sites/*.yml), C(links.yml), C(policy.yml), C(tenants.yml) and C(allowed_signers).
      - If it is not set, E(SUANWANG_CONFIG) is used, and after it C(config/lab) of the checkout.
    type: path
  site:
    description: The site, as its site file is called.
    type: str
  endpoint:
    description: The endpoint of the site. May be left out where the site has one platform only.
    type: str
  tenant:
    description:
      - Whose account at the site is used, as in C(tenants.yml).
      - If it is not set, the account of the site file is used, which is for reading.
    type: str
requirements:
  - requests >= 2.31
  - jmespath >= 1.0
  - netaddr >= 0.10
  - asyncssh >= 2.14
  - PyYAML >= 6.0
notes:
  - Runs in the controller's worker and ships nothing. Delegated to a gateway it runs there as a module, and reads
    the site files and credentials of the gateway.
  - C(become) and C(environment) are refused, because nothing is executed that they could apply to.
  - Credentials are files in the folder that E(SUANWANG_CREDENTIALS) names, else C(credentials/) of the config folder;
    it may also list them, as C(name=file:name=file). No secret is ever a parameter, a result or part of a message.
"""
