# Copyright: SuanWang Brain contributors
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

from ..plugin_utils.api import ApiAction


class ActionModule(ApiAction):
    """Run the verb in the worker, and show its rows as a person likes to read them."""

    def act(self, task_vars):
        result = super().act(task_vars)
        for row in result["verbs"]:
            color = {"failed": "red", "answered": "green"}.get(row["state"])
            where = f" See {row['mend']}" if row["mend"] else ""
            self._display.display(f"{row['verb']}: {row['state']}: {row['says']}{where}", color=color)
        return result
