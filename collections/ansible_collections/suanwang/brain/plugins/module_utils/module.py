# Copyright: SuanWang Brain contributors
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The face of a shipped module: one try, one exit, a redacted failure.

The same verbs run in the worker on the controller (plugin_utils/api.py); this face is for a task that is delegated to
a gateway. Site files and credentials are read there.
"""

from __future__ import annotations

from ansible.module_utils.basic import AnsibleModule

from .errors import BrainError
from .errors import Invalid
from .sites import connect
from .verbs import VERBS


def main(name):
    """Run the verb of a module and exit."""
    verb = VERBS[name]
    module = AnsibleModule(supports_check_mode=True, **verb.spec)
    try:
        if module.params.get("planned"):
            raise Invalid(
                "`planned` reads the plan in the controller's store; it cannot be delegated.",
                way_out="Leave delegate_to out, or give the parameters.",
            )
        platform = connect(module.params, verb.any_endpoint)
        result = verb.run(platform, module.params, module.check_mode, lambda event, **fields: None)
    except BrainError as error:
        module.fail_json(msg=str(error), failure=error.failure())
    module.exit_json(**result)
