# Copyright: SuanWang Brain contributors
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""conformance_info: a walk over what a live endpoint answers, verb by verb. It only reads.

What is looked up by name is asked for under a name that nothing has, so the right answer is that there is none.
"""

from __future__ import annotations

import time

from .. import names
from ..errors import BrainError
from .verb import Verb

COMPONENT = "conformance"
NAMED = ("job", "reservation", "inference_service", "instance")
LISTED = ("ping", "pools", "alarms", "usage", "quota", "jobs", "nodes")


def _run(platform, params, check, report):
    rows = [_row(platform, verb) for verb in platform.VERBS]
    failed = [row for row in rows if row["state"] == "failed"]
    return {
        "changed": False,
        "platform": platform.NAME,
        "endpoint": f"{platform.site.id}/{platform.endpoint.id}",
        "verbs": rows,
        "conforms": not failed,
        "mend": list(dict.fromkeys(row["mend"] for row in failed if row["mend"])),
    }


def _row(platform, verb):
    """Return {verb, state, says, mend} of one verb. mend: where to look, None where nothing is to be mended."""
    no = platform.can(verb)
    if no:
        return _told(verb, "absent", no)
    if verb == "dataset" and not platform.SHARED_FILES:
        return _told(verb, "not_tried", "its files are on the machine of each component, and that is made by a run.")
    if verb == "dataset":
        return _asked(platform, verb, lambda: platform.files.dataset(f"{platform.files.root()}/{_name(platform)}"))
    if verb in NAMED:
        return _asked(platform, verb, lambda: getattr(platform, verb)(_name(platform)))
    if verb in LISTED and hasattr(platform, verb):
        return _asked(platform, verb, getattr(platform, verb))
    return _told(verb, "not_tried", "it is no verb of its own, or it would change something.")


def _asked(platform, verb, call):
    try:
        found = call()
    except BrainError as error:
        return _told(verb, "failed", str(error), platform.mend(error) or error.way_out)
    if verb in NAMED and found is not None:
        return _told(verb, "failed", "it shows something under a name that was never given.", platform.mend(None))
    for one in found if verb == "pools" else ():
        if one.seen.state != "live":
            return _told(verb, "failed", f"{one.name} is {one.seen.state}: {one.seen.error}", platform.mend(None))
    return _told(verb, "answered", _size(found))


def _told(verb, state, says, mend=None):
    return {"verb": verb, "state": state, "says": says, "mend": mend}


def _size(found):
    if isinstance(found, dict):
        return ", ".join(f"{key} {value}" for key, value in found.items())
    if isinstance(found, (list, tuple)):
        return f"{len(found)} entries"
    return "there is none of that name" if found is None else "answered"


def _name(platform):
    return names.name(names.new_run(time.time() * 1000), COMPONENT, 1, platform.NAME_RULE.dot)


CONFORMANCE_INFO = Verb(_run, {})
