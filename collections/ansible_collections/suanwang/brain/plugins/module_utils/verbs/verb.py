# Copyright: SuanWang Brain contributors
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a verb is: an argument spec and a function, written once, used by module and action alike."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable

from ansible.module_utils.basic import env_fallback

SITE = {
    "config": {"type": "path", "fallback": (env_fallback, ["SUANWANG_CONFIG"])},
    "site": {"type": "str"},
    "endpoint": {"type": "str"},
    "tenant": {"type": "str"},
}
PLANNED = {"planned": {"type": "bool", "default": False}}


@dataclasses.dataclass(frozen=True)
class Verb:
    """options: argument spec beside SITE; rules: required_if and the like.

    run(platform, params, check, report) returns the result; `report(event, **fields)` tells progress, and notes a
    write before it is made. any_endpoint: it needs no platform behind the endpoint.
    """

    run: Callable
    options: dict
    rules: dict = dataclasses.field(default_factory=dict)
    writes: bool = False
    any_endpoint: bool = False

    @property
    def spec(self):
        """Return the keyword arguments of AnsibleModule and of validate_argument_spec."""
        return {"argument_spec": {**SITE, **self.options}, **self.rules}


def diff(header, before, after):
    """Return the diff of a write as Ansible shows it. before, after: lines."""
    return {
        "before_header": header,
        "after_header": header,
        "before": "".join(f"{line}\n" for line in before),
        "after": "".join(f"{line}\n" for line in after),
    }
