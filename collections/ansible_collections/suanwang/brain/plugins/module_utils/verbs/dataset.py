# Copyright: SuanWang Brain contributors
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""dataset, dataset_info: bytes at a site, checked by SHA-256."""

from __future__ import annotations

from ..errors import Invalid
from ..errors import NotFound
from ..errors import Refused
from ..names import owner
from ..plain import to_plain
from .patience import of_a_run
from .patience import patiently
from .verb import diff
from .verb import PLANNED
from .verb import Verb

_INFO = {"path": {"type": "str", "required": True}}
#: How often a folder that vanishes while it is removed is removed on.
TRIES = 20
_OPTIONS = {
    "state": {"type": "str", "choices": ["present", "absent"], "default": "present"},
    "path": {"type": "str"},
    "source": {"type": "path"},
    "sha256": {"type": "str"},
    "rate_kbps": {"type": "int"},
    **PLANNED,
}


def files_at(platform, path):
    """Return the files in which a path lies; raise Invalid where it leaves the storage root."""
    parts = path.split("/")
    if path.startswith("/") or ".." in parts or not all(parts):
        raise Invalid(
            f"the path {path!r} is not one below the storage root.",
            site=platform.site.id,
            way_out="Name a relative path without `..`.",
        )
    return platform.files_of(*owner(path))


def put(files, source, path, **options):
    """Put a file as the site's files do. Servers have one word for a full disk and all else: then ours is added."""
    try:
        return files.put(source, path, **options)
    except Refused as error:
        error.way_out = (
            error.way_out or "Look at space, quota and rights of the storage there, then run the same again."
        )
        raise


def _run(platform, params, check, report):
    if params["state"] == "absent":
        return _remove(platform, params["path"], check, report)
    report("intent", message=f"put {params['path']} to {platform.site.id}")
    # What arrived stays there as a part, so trying again goes on from it.
    return patiently(lambda: _put(platform, params, check, report), report, patience_s=of_a_run(params, check))


def _put(platform, params, check, report):
    wanted, files = f"sha256 {params['sha256']}", files_at(platform, params["path"])
    if files is None and check:
        return {"changed": True, "dataset": None, "diff": diff(f"{platform.site.id}: {params['path']}", [], [wanted])}
    if files is None:
        raise NotFound(
            f"there is no machine that could take {params['path']}.",
            site=platform.site.id,
            way_out="Make the machine of its component first.",
        )
    path = f"{files.root()}/{params['path']}"
    where = f"{platform.site.id}: {path}"
    changed = put(
        files,
        params["source"],
        path,
        sha256=params["sha256"],
        rate_kbps=params["rate_kbps"],
        report=lambda state: report("progress", **state),
        check=check,
    )
    found = None if check and changed else files.dataset(path)
    return {
        "changed": changed,
        "dataset": to_plain(found) if found else None,
        "diff": diff(where, [], [wanted]) if changed else diff(where, [wanted], [wanted]),
    }


def _remove(platform, relative, check, report):
    files = files_at(platform, relative)
    root = files.root() if files else ""
    path = f"{root}/{relative}"
    where = f"{platform.site.id}: {path}"
    there = bool(files) and files.exists(path)
    if there and not check:
        report("intent", message=f"remove {where}")
        _remove_tree(files, path)
        _remove_empty_parents(files, relative)
    return {
        "changed": there,
        "dataset": None,
        "diff": diff(where, ["present"] if there else [], []),
    }


def _remove_tree(files, path):
    """Remove a folder. Another component may be removing the same: gone is fine, what is left is tried again."""
    for _again in range(TRIES):
        try:
            return files.remove_tree(path)
        except NotFound:
            if not files.exists(path):
                return None
    return files.remove_tree(path)


def _remove_empty_parents(files, path):
    parts = path.split("/")[:-1]
    while parts:
        if not files.remove_if_empty("/".join([files.root(), *parts])):
            return  # something else of the run is still there
        parts.pop()


def _info(platform, params, check, report):
    files = files_at(platform, params["path"])
    found = files.dataset(f"{files.root()}/{params['path']}") if files else None
    return {"changed": False, "dataset": to_plain(found) if found else None}


DATASET = Verb(
    _run,
    _OPTIONS,
    {
        "required_if": [
            ("planned", False, ["site", "path"]),
        ]
    },
    writes=True,
)
DATASET_INFO = Verb(_info, _INFO)
