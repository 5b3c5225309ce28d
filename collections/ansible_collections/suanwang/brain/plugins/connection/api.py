# Copyright: SuanWang Brain contributors
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

DOCUMENTATION = r"""
name: api
short_description: The connection of pools and components, which refuses to execute
version_added: 0.1.0
author: SuanWang Brain contributors (@suanwang-brain)
description:
  - A pool of the inventory and a component of a plan are hosts, but not machines. What is done with them is done
    through their platform's API, by the actions of this collection, in the controller.
  - Any other task on them is refused with a sentence instead of failing deep inside.
options: {}
"""

from ansible.errors import AnsibleConnectionFailure
from ansible.plugins.connection import ConnectionBase

SENTENCE = "a pool is not a machine, nothing can be executed on it: set gather_facts: false, or target all:!brain_pools"


class Connection(ConnectionBase):
    """Refuses everything a machine could do."""

    transport = "suanwang.brain.api"
    has_pipelining = False

    def _connect(self):
        return self

    def exec_command(self, cmd, in_data=None, sudoable=True):
        raise AnsibleConnectionFailure(SENTENCE)

    def put_file(self, in_path, out_path):
        raise AnsibleConnectionFailure(SENTENCE)

    def fetch_file(self, in_path, out_path):
        raise AnsibleConnectionFailure(SENTENCE)

    def close(self):
        self._connected = False
