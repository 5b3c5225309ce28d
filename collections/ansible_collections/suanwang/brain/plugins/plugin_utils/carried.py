# Copyright: SuanWang Brain contributors
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A plan and its approvals as one word, ``b64:…``: for where plan.json cannot be a file, as in a variable of AWX.

Base64 of JSON: {plan: the text of plan.json, approvals: [{statement, signature}], estimate}. Nothing in it is
trusted: it is unpacked into a folder, and that is verified as any other folder of a plan.
"""

from __future__ import annotations

import base64
import json

from ..module_utils.errors import Invalid
from . import statement

MARK = "b64:"
MAX_BYTES = 8 * 1024 * 1024


def pack(store, folder):
    """Return the plan in a folder, with the approvals beside it, as one word."""
    approvals = [
        {"statement": one.statement.decode(), "signature": one.signature.decode()} for one in store.approvals(folder)
    ]
    plan = (folder / "plan.json").read_text(encoding="utf-8")
    text = json.dumps({"plan": plan, "approvals": approvals, "estimate": store.estimate(folder.name)})
    return MARK + base64.b64encode(text.encode()).decode("ascii")


def unpack(word, parent):
    """Write what a word holds into a folder below `parent`, named by the plan's digest; return that folder."""
    try:
        if len(word) > MAX_BYTES:
            raise ValueError(f"more than {MAX_BYTES} bytes")
        found = json.loads(base64.b64decode("".join(word.removeprefix(MARK).split()), validate=True))
        plan = found["plan"].encode()
        approvals = [(one["statement"].encode(), one["signature"].encode()) for one in found["approvals"]]
        estimate = found.get("estimate") or {}
        if not isinstance(estimate, dict):
            raise ValueError("the estimate is no object")
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise Invalid(
            f"the plan after {MARK} does not read: {error}.",
            way_out="It is the base64 of {plan, approvals}; see docs/contracts.md. Check that it was not cut.",
        ) from error
    folder = parent / statement.digest(plan)
    (folder / "approvals").mkdir(parents=True, exist_ok=True)
    (folder / "plan.json").write_bytes(plan)
    (folder / "estimate-1.json").write_text(json.dumps(estimate))
    for stated, signature in approvals:
        path = folder / "approvals" / statement.key_id(statement.signature_parts(signature)[0])
        if path.with_suffix(".json").exists() and path.with_suffix(".json").read_bytes() != stated:
            # A service's key signs for several approvers.
            path = path.with_name(f"{path.name}-{statement.digest(stated)[:12]}")
        path.with_suffix(".json").write_bytes(stated)
        path.with_suffix(".sig").write_bytes(signature)
    return folder
