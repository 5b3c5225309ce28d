#!/usr/bin/python
# Copyright: SuanWang Brain contributors
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

DOCUMENTATION = r"""
module: path_info
short_description: Check the network path to the endpoints of a site
author: SuanWang Brain contributors (@suanwang-brain)
version_added: 0.1.0
description:
  - Looks from where it runs. First comes the site's policy, then TCP, then TLS or the host key of SSH, with the round
    trip, the end of the certificate, and the router where the path stops.
  - With O(address) it only says whether the site's policy allows that place, and opens no connection. A place that is
    not allowed is a failure with the sentence.
  - An endpoint that does not answer is no failure, but a result with C(error).
extends_documentation_fragment:
  - suanwang.brain.site
options:
  endpoint:
    description: The endpoint of the site. All of them are looked at where it is left out.
    type: str
  address:
    description: An address whose place in the networks of the site is to be checked.
    type: str
  port:
    description: The port there, 0 to 65535.
    type: int
  via:
    description: How the address is reached.
    type: str
    choices: [intranet, internet, private_line]
  hops:
    description:
      - Find the routers on the way also where the endpoint answers. Where it is silent they are always looked for.
      - One connection attempt a hop limit is made to the very port, on Linux 5.8 or later, without any privilege.
    type: bool
    default: false
  rate:
    description:
      - Measure the rate by a bounded transfer to the platform's storage, of the size that the site file allows under
        C(policy.rate.mib). The file is removed again. Nothing is transferred in check mode.
    type: bool
    default: false
attributes:
  check_mode:
    support: full
    description: It only reads, and does the same in check mode, but for O(rate).
  diff_mode:
    support: none
    description: It changes nothing that lasts.
"""

EXAMPLES = r"""
- name: Look at every endpoint of the Hunan centre, and find the routers on the way
  suanwang.brain.path_info:
    site: hunan
    hops: true

- name: Ask whether the site file allows an address before it is written there
  suanwang.brain.path_info:
    site: centre-a
    address: 203.0.113.5
    port: 18443
    via: internet
"""

RETURN = r"""
paths:
  description:
    - One record an endpoint. What is not known is C(null).
    - C(phase) is where it ended, C(connect), C(tls) or C(host_key), and C(error) says why; both are C(null) where
      all is well.
    - C(identity) is the SHA-256 of the certificate, or of the host key as OpenSSH shows it.
    - C(stops_at) is the last router that answered; C(hops_note) says why no more is known.
  returned: success
  type: list
  elements: dict
  sample:
    - endpoint: slurm
      protocol: https
      via: internet
      address: 203.0.113.5
      port: 18443
      port_range: registered
      reachable: false
      phase: connect
      error: "nothing answers: no connection came about in time; the path stops at 198.51.100.1, hop 2"
      rtt_ms: null
      loss_pct: 100.0
      identity: null
      expires_at: null
      hops:
        - {number: 1, address: 10.1.0.1, rtt_ms: 0.4}
        - {number: 2, address: 198.51.100.1, rtt_ms: 9.1}
      stops_at: {number: 2, address: 198.51.100.1, rtt_ms: 9.1}
      hops_note: nothing answers behind it
      rate_gbps: null
      rate_note: null
allowed:
  description: The place that was asked about with O(address), and the name of its port's range; else C(null).
  returned: success
  type: dict
  sample: {address: 203.0.113.5, port: 18443, via: internet, port_range: registered}
failure:
  description: What went wrong, as plain data.
  returned: failure
  type: dict
  sample:
    code: refused
    message: "192.168.10.5 lies outside the site's internet networks (203.0.113.0/24)."
    site: centre-a
    request: null
    way_out: Correct the address or `via`, or add its network to networks.internet of the site file.
    details: {}
"""

from ..module_utils import module


def main():
    module.main("path_info")


if __name__ == "__main__":
    main()
