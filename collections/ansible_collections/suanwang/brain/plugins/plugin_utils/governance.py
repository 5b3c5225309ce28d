# Copyright: SuanWang Brain contributors
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The root of trust as the approval service reads it: policy, tenants, signers, sites. It connects to nothing."""

from __future__ import annotations

from ..module_utils import configfile
from ..module_utils import sites


def load(folder=None):
    """Return the Config of a folder: its `policy`, `tenants`, `allowed_signers`, `sites`, `links`."""
    return sites.load(folder)


def folder_of(named=None, environ=None):
    """Return the config folder: the one named, else SUANWANG_CONFIG, else the checkout's config/lab."""
    return sites.config_folder(named, environ)


def document(path):
    """Return the document in a YAML or JSON file; raise Invalid where it is neither."""
    return configfile.parse(path)


def text_document(text, name="task.yml"):
    """Return the document in YAML or JSON text; raise Invalid naming the line."""
    return configfile.parse_text(text, name)


def schema(name):
    """Return one of our JSON Schemas as plain data: task, plan, site, policy, tenants, links."""
    return configfile.schema(name)
