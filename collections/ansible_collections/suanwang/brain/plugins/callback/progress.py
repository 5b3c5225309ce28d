# Copyright: SuanWang Brain contributors
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

DOCUMENTATION = r"""
name: progress
type: stdout
short_description: One line a component
version_added: 0.1.0
author: SuanWang Brain contributors (@suanwang-brain)
description:
  - Shows a run as one line a component, with state, percent, rate and time left, from the run's journal.
  - Where there is no terminal (CI, AWX), a plain line is printed when a state changes and every ten seconds between.
  - Failures, warnings, diffs and recaps look as with P(ansible.builtin.default#callback). With C(-v) every task is
    shown.
extends_documentation_fragment:
  - default_callback
  - result_format_callback
"""

import sys

from ansible import constants
from ansible.plugins.callback.default import CallbackModule as Default

from ..plugin_utils import interrupted
from ..plugin_utils.board import Board


class CallbackModule(Default):
    """ansible.builtin.default, quiet about what is well, with a board of components below."""

    CALLBACK_TYPE = "stdout"
    CALLBACK_NAME = "suanwang.brain.progress"
    CALLBACK_VERSION = 2.0

    def __init__(self):
        super().__init__()
        self._board = None
        self._open = None

    @property
    def _quiet(self):
        return self._display.verbosity == 0

    # -- the board -----------------------------------------------------------------------------------------
    def _watch(self, result):
        found = getattr(result, "_result", None) or {}
        if found.get("journal") and found.get("components") and self._board is None:
            self._board = Board(
                found["journal"],
                [item["id"] for item in found["components"]],
                self._display,
                sys.stdout,
            )
            # First, so that no press is lost while the board begins.
            self._open = interrupted.Guard(self._board.abandon)
            self._board.start()

    def _stop_board(self):
        if self._board:
            self._board.stop()
            self._board = None

    # -- what ansible tells --------------------------------------------------------------------------------
    def v2_playbook_on_play_start(self, play):
        if not self._quiet:
            super().v2_playbook_on_play_start(play)

    def v2_playbook_on_task_start(self, task, is_conditional):
        if self._quiet:
            # No banner now; where something of it is shown later, the name is asked of the task itself.
            self._last_task_name = None
            self._task_type_cache[task._uuid] = "TASK"
        else:
            super().v2_playbook_on_task_start(task, is_conditional)

    def v2_on_file_diff(self, result):
        found = getattr(result, "_result", None) or {}
        if self._quiet and found.get("diff") and found.get("changed"):
            self._display.display(f"{result._host.get_name()}: {result._task.get_name()}")
            for one in found["diff"] if isinstance(found["diff"], list) else [found["diff"]]:
                self._display.display(self._get_diff(one))
        elif not self._quiet:
            super().v2_on_file_diff(result)

    def v2_runner_on_ok(self, result):
        self._watch(result)
        if not self._quiet or self._is_message(result):
            super().v2_runner_on_ok(result)

    def _is_message(self, result):
        return getattr(getattr(result, "_task", None), "action", "").rpartition(".")[2] == "debug"

    def v2_runner_on_failed(self, result, ignore_errors=False):
        task = getattr(result, "_task", None)
        if self._quiet and _is_rescued(task):
            return  # component_result keeps it, the judge and the board show it
        found = getattr(result, "_result", None) or {}
        if self._quiet and found.get("failure"):
            # Our own errors are sentences for people; what programs read is in the failure, with -v.
            host = result._host.get_name()
            self._display.display(f"failed: [{host}] {found['msg']}", color=constants.COLOR_ERROR, stderr=True)
            return
        super().v2_runner_on_failed(result, ignore_errors)

    def v2_runner_on_skipped(self, result):
        if not self._quiet:
            super().v2_runner_on_skipped(result)

    def v2_runner_item_on_ok(self, result):
        if not self._quiet:
            super().v2_runner_item_on_ok(result)

    def v2_runner_item_on_skipped(self, result):
        if not self._quiet:
            super().v2_runner_item_on_skipped(result)

    def v2_playbook_on_include(self, included_file):
        if not self._quiet:
            super().v2_playbook_on_include(included_file)

    def v2_playbook_on_no_hosts_matched(self):
        if not self._quiet:
            super().v2_playbook_on_no_hosts_matched()

    def v2_playbook_on_stats(self, stats):
        if self._open:
            self._open.lift()
        self._stop_board()
        super().v2_playbook_on_stats(stats)


def _is_rescued(task):
    block = getattr(task, "_parent", None)
    while block is not None:
        if getattr(block, "rescue", None):
            return True
        block = getattr(block, "_parent", None)
    return False
