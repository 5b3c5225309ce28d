# Copyright: SuanWang Brain contributors
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

DOCUMENTATION = r"""
name: controller_credential_type
short_description: The credential type with which a controller hands our credentials to jobs
author: SuanWang Brain contributors (@suanwang-brain)
version_added: 0.1.0
description:
  - Returns inputs and injectors of a credential type of AWX. Each credential is a file, listed by its name in
    E(SUANWANG_CREDENTIALS), since a controller chooses the files' own names.
  - Where the sites are described, the store, the approval service and the requester are inputs that are no secret.
options:
  _input:
    description: The names of the credentials, as the site files and C(tenants.yml) name them.
    type: list
    elements: str
    required: true
"""

EXAMPLES = r"""
- name: Show the injectors
  ansible.builtin.debug:
    msg: "{{ (['slurm-token'] | suanwang.brain.controller_credential_type).injectors }}"
"""

RETURN = r"""
_value:
  description: The type.
  type: dict
  contains:
    inputs:
      description: Fields, a secret one for each credential, and which of them are required.
      type: dict
      sample: {"fields": [{"id": "slurm_token", "label": "slurm-token", "type": "string", "secret": true}]}
    injectors:
      description: Files and environment of a job.
      type: dict
      sample: {"file": {"template.slurm_token": "{{ '{{ slurm_token }}' }}"}}
"""

_TEXTS = {
    "config": "Config folder, as jobs see it",
    "state": "Store",
    "webhook": "Address of the approval service",
    "requester": "Requester",
}


def credential_type(names):
    """Return {inputs, injectors}; names: credentials of the site files."""
    fields = {name.replace("-", "_"): name for name in names}
    texts = [{"id": field, "label": label, "type": "string"} for field, label in _TEXTS.items()]
    secrets = [
        {"id": field, "label": name, "type": "string", "secret": True, "multiline": True}
        for field, name in fields.items()
    ]
    listed = [f"{name}={_braced(f'tower.filename.{field}')}" for field, name in fields.items()]
    env = {f"SUANWANG_{field.upper()}": _braced(field) for field in _TEXTS}
    return {
        "inputs": {"fields": [*texts, *secrets], "required": ["config", *fields]},
        "injectors": {
            "file": {f"template.{field}": _braced(field) for field in fields},
            "env": {**env, "SUANWANG_CREDENTIALS": ":".join(listed)},
        },
    }


def _braced(word):
    return f"{{{{ {word} }}}}"


class FilterModule:
    """The filter by its name."""

    def filters(self):
        return {"controller_credential_type": credential_type}
