# Copyright: SuanWang Brain contributors
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

DOCUMENTATION = r"""
name: quota_outcomes
short_description: What came of setting a tenant's limits at several endpoints
author: SuanWang Brain contributors (@suanwang-brain)
version_added: 0.1.0
description:
  - Returns one mapping an endpoint from the results of a loop over M(suanwang.brain.quota), for programs.
options:
  _input:
    description: The C(results) of the loop. Its items are C(<site>/<endpoint>).
    type: list
    elements: dict
    required: true
"""

EXAMPLES = r"""
- name: Hand over what came of it
  ansible.builtin.set_stats:
    data:
      brain_quota: "{{ limits_set.results | suanwang.brain.quota_outcomes }}"
"""

RETURN = r"""
_value:
  description: What came of it at each endpoint.
  type: list
  elements: dict
  contains:
    at:
      description: The endpoint.
      type: str
      sample: hunan/slurm
    state:
      description:
        - V(changed) where a limit was set, or would be in a trial run; V(same) where it was so already.
        - V(held) where the platform has no such verb; V(failed) where it went wrong.
      type: str
      sample: changed
    message:
      description: Why, of V(held) and V(failed), else null.
      type: str
      sample: null
"""


def outcomes(results):
    """Return [{at, state, message}] of a loop's results."""
    return [_outcome(result) for result in results]


def _outcome(result):
    failure = result.get("failure") or {}
    if failure.get("code") == "unsupported":
        return {"at": result["item"], "state": "held", "message": failure["message"]}
    if result.get("failed"):
        return {"at": result["item"], "state": "failed", "message": result.get("msg")}
    return {"at": result["item"], "state": "changed" if result.get("changed") else "same", "message": None}


class FilterModule:
    """The filter by its name."""

    def filters(self):
        return {"quota_outcomes": outcomes}
