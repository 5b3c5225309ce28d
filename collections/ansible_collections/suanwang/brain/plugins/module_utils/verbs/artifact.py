# Copyright: SuanWang Brain contributors
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""artifact: an output of a component, brought home with its checksum."""

from __future__ import annotations

import hashlib
import pathlib

from ..errors import Corrupt
from ..errors import NotFound
from .look import files_of
from .look import layout_of
from .look import look_at_all
from .patience import of_a_run
from .patience import patiently
from .verb import diff
from .verb import PLANNED
from .verb import Verb

_OPTIONS = {
    "run": {"type": "str"},
    "component": {"type": "str"},
    "attempts": {"type": "int", "default": 1},
    "output": {"type": "str"},
    "dest": {"type": "path"},
    "rate_kbps": {"type": "int"},
    **PLANNED,
}


def sha256_of(path):
    """Return the SHA-256 of a local file, read in pieces."""
    with open(path, "rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def stated_output(platform, params):
    """Return {path, size, sha256, attempt} of an output as the result file states it; path is absolute there."""
    seen = look_at_all(platform, params)
    stated = (seen.result or {}).get("outputs", {}).get(params["output"])
    if seen.state != "succeeded" or stated is None:
        raise NotFound(
            f"{params['component']} left no output {params['output']!r} (its state there is {seen.state}).",
            site=platform.site.id,
            way_out="See its log; the path of the output in the task must be the one the code writes.",
        )
    layout = layout_of(platform, params, seen.attempt)
    return {**stated, "path": f"{layout.workdir}/out/{stated['path']}", "attempt": seen.attempt}


def _facts(stated):
    kept = {key: stated[key] for key in ("size", "sha256", "attempt")}
    return {**kept, "remote_path": stated["path"]}


def _run(platform, params, check, report):
    return patiently(lambda: _bring(platform, params, check, report), report, patience_s=of_a_run(params, check))


def _bring(platform, params, check, report):
    if check and not look_at_all(platform, params).ended:
        line = f"output {params['output']} of {params['component']}"
        return {"changed": True, "artifact": None, "diff": diff(str(params["dest"]), [], [line])}
    stated = stated_output(platform, params)
    if params["dest"] is None:
        return {"changed": False, "artifact": {**_facts(stated), "path": None}}
    dest = pathlib.Path(params["dest"])
    there = dest.is_file() and sha256_of(dest) == stated["sha256"]
    if not there and not check:
        report("intent", message=f"fetch {stated['path']}")
        files_of(platform, params).fetch(
            stated["path"],
            dest,
            sha256=stated["sha256"],
            size=stated["size"],
            rate_kbps=params["rate_kbps"],
            report=lambda state: report("progress", **state),
        )
        if sha256_of(dest) != stated["sha256"]:
            raise Corrupt(f"{dest} differs from the checksum in the result file.", site=platform.site.id)
    line = f"sha256 {stated['sha256']}"
    return {
        "changed": not there,
        "artifact": {**_facts(stated), "path": str(dest)},
        "diff": diff(str(dest), [line] if there else [], [line]),
    }


ARTIFACT = Verb(
    _run,
    _OPTIONS,
    {"required_if": [("planned", False, ["site", "run", "component", "output", "dest"])]},
    writes=True,
)
