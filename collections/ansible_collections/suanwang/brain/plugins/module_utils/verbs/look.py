# Copyright: SuanWang Brain contributors
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is there under one of our names: the platform's word, and the result file, which beats it."""

from __future__ import annotations

from dataclasses import dataclass

from ..errors import NotFound
from ..errors import Unreachable
from ..jobfile import Layout
from ..jobfile import read_result
from ..names import name as name_of
from ..resources import Job
from ..resources import JOB_ENDED


@dataclass(frozen=True)
class Look:
    """What is there under one of our names: the platform's job, and the result file's content."""

    attempt: int
    job: Job | None
    result: dict | None

    @property
    def there(self):
        return self.job is not None or self.result is not None

    @property
    def credible(self):
        """Whether this is how a job looks: gone altogether, or well ended without a result file, it does not."""
        return self.result is not None or (self.job is not None and self.job.state != "succeeded")

    @property
    def state(self):
        if self.result is not None:
            return "succeeded" if self.result["exit_code"] == 0 else "failed"
        if self.job is None:
            return "unknown"
        # The platform calls it well but our own last write is missing: nobody can vouch for the outputs.
        return "failed" if self.job.state == "succeeded" else self.job.state

    @property
    def ended(self):
        return self.result is not None or (self.job is not None and self.job.state in JOB_ENDED)


def files_of(platform, params):
    """Return the files of a component; raise NotFound where they are gone with what held them."""
    files = platform.files_of(params["run"], params["component"])
    if files is None:
        raise NotFound(
            f"there is no machine of {params['component']}, and so no file of it.",
            site=platform.site.id,
            way_out="Apply the plan again; what was on a machine that is gone is made anew.",
        )
    return files


def layout_of(platform, params, attempt):
    return Layout(files_of(platform, params).root(), params["run"], params["component"], attempt)


def look(platform, params, attempt):
    """Return the Look at one attempt. Raises where the platform cannot say: that is not "absent".

    A result file speaks where a platform's lists do not answer: the job wrote it last.
    """
    name = name_of(params["run"], params["component"], attempt, platform.NAME_RULE.dot)
    try:
        job, silence = platform.job(name), None
    except Unreachable as error:
        job, silence = None, error
    result = None
    if job is None or job.state in JOB_ENDED:
        result = _result(platform, params, attempt, silence)
    if silence and result is None:
        raise silence
    return Look(attempt, job, result)


def _result(platform, params, attempt, silence):
    try:
        files = platform.files_of(params["run"], params["component"])
        if files is None:
            return None
        text = files.read_text(layout_of(platform, params, attempt).result)
    except Unreachable as error:
        raise silence or error from error
    return read_result(text, params["run"], params["component"]) if text else None


def look_at_all(platform, params):
    """Return the Look at the newest attempt that is there, or the first where none is.

    After one that has not failed there is none, so that a live job, or one that ended well, needs no history.
    """
    found = Look(1, None, None)
    for attempt in range(1, params["attempts"] + 1):
        seen = look(platform, params, attempt)
        if not seen.there:
            break
        found = seen
        if not seen.ended or seen.state == "succeeded":
            break
    return found
