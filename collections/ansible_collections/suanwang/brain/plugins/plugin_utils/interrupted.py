# Copyright: SuanWang Brain contributors
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is left to do when a playbook is ended in the middle of a pass: the journal says so, and the claim is free."""

from __future__ import annotations

import atexit
import contextlib
import multiprocessing
import os
import pathlib
import shutil
import signal
import threading

from ansible import constants

from ..module_utils.errors import BrainError
from . import claim
from . import orphans
from .run_pass import RunPass

#: What ansible-playbook itself ends with after Ctrl-C.
INTERRUPTED = 99


class Guard:
    """Sees that a playbook process which is ended early leaves no worker, and says what is left to do.

    Ctrl-C is taken here, not left to KeyboardInterrupt: raised in the middle of a fork or of a template, that is
    swallowed or comes back as another error (seen in one of four early presses). The main thread may hold any lock
    then, that of stdout too: nothing here takes one, and the words go straight to the terminal.

    A worker that is killed (by a machine without memory, say) ends the playbook as Ctrl-C does: the free strategies of
    ansible-core wait for its result for ever.
    """

    def __init__(self, clear):
        """clear: ends what is drawn on the terminal and returns the text that has to come before ours."""
        self._clear, self._pid, self._before, self._forks = clear, os.getpid(), {}, None
        atexit.register(self._leave)
        os.register_at_fork(before=self._fork, after_in_child=self._begin)
        if threading.current_thread() is threading.main_thread():
            for number, handler in ((signal.SIGINT, self._interrupt), (signal.SIGCHLD, self._look_after)):
                self._before[number] = signal.signal(number, handler)

    def lift(self):
        """The playbook came to its end."""
        self._pid = None
        atexit.unregister(self._leave)
        for number, handler in self._before.items():
            signal.signal(number, handler)

    def _fork(self):
        self._forks = os.getpid()

    def _begin(self):
        """Tie a worker to the playbook from its first moment: one that is orphaned before its action runs, or whose
        action is not ours, would go on, and hold what it inherited.

        Forks of a thread are left alone: the kernel counts a thread's end as the parent's.
        """
        if self._forks != self._pid or threading.current_thread() is not threading.main_thread():
            return
        orphans.end_with(self._pid)

    def _interrupt(self, number, frame):
        if os.getpid() != self._pid:
            # A worker, perhaps one so new that its parent does not know it: KeyboardInterrupt would print its traceback
            # after the parent's last words.
            os.kill(os.getpid(), signal.SIGKILL)
        self._end("Interrupted")

    def _look_after(self, number, frame):
        if os.getpid() == self._pid and _one_was_killed(self._pid):
            self._end("A worker of this playbook was killed (is there no memory left?)")

    def _end(self, why):
        self._leave(why)
        shutil.rmtree(constants.DEFAULT_LOCAL_TMP, ignore_errors=True)
        os._exit(INTERRUPTED)

    def _leave(self, why="Interrupted"):
        if os.getpid() != self._pid:
            return
        for number in self._before:  # not SIG_IGN for both: workers could not be waited for
            signal.signal(number, signal.SIG_IGN if number == signal.SIGINT else signal.SIG_DFL)
        for worker in multiprocessing.active_children():
            with contextlib.suppress(ValueError):  # closed already
                worker.kill()
                worker.join()
        text = self._clear() + "".join(f"{line}\n" for line in lines(why))
        with contextlib.suppress(OSError):
            os.write(1, text.encode())


def _one_was_killed(pid):
    """Return whether a child of the main thread ended by SIGKILL. It is looked at only: who forked it reaps it."""
    try:
        children = pathlib.Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    except OSError:
        return False
    for child in children:
        with contextlib.suppress(OSError):
            end = os.waitid(os.P_PID, int(child), os.WEXITED | os.WNOHANG | os.WNOWAIT)
            if end and end.si_code == os.CLD_KILLED and end.si_status == signal.SIGKILL:
                return True
    return False


def lines(why):
    """Close the pass of this playbook process; return what its user is told. Its workers have ended before."""
    try:
        run_pass = RunPass.current()
        if run_pass.check:
            return [f"{why}: this was a check, nothing was changed."]
        run, purpose = run_pass.run, run_pass.facts["purpose"]
        run_pass.note(None, "interrupted")
        claim.release(run_pass.store, run, run_pass.facts["pid"])
    except BrainError as error:
        return [str(error)]
    again = f"ansible-playbook playbooks/{{}}.yml -e plan={run}"
    if purpose == "release":
        return [f"{why}: run {run} is not given back yet.", f"Go on:  {again.format('release')}"]
    return [
        f"{why}: what run {run} has started at the sites goes on there.",
        f"Go on:                 {again.format('apply')}",
        f"Give everything back:  {again.format('release')}",
    ]
