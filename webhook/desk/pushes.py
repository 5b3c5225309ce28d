"""Pushes of git servers: the task file as it stands at the pushed commit becomes a task.

It comes in the delivery itself (``suanwang_task``, under its signature), or is fetched from the one address that
webhook.yml gives for the source: of the delivery only the commit goes into it, so nobody's payload says where we ask.
Fetching is the launcher's, not the web process's; the run id is kept before, so that a crash makes one task.
"""

from __future__ import annotations

import base64
import logging
import re
import urllib.parse

from sqlalchemy import select

from ansible_collections.suanwang.brain.plugins.module_utils.errors import BrainError
from ansible_collections.suanwang.brain.plugins.module_utils.said import say
from ansible_collections.suanwang.brain.plugins.plugin_utils import clock

from .. import audit
from .. import database
from .. import outgoing
from ..models import Delivery
from ..rights import Caller
from . import tasks
from .desk import Clash
from .desk import Denied
from .files import wrong

log = logging.getLogger(__name__)
FIELD = "suanwang_task"
COMMIT = re.compile(r"[0-9a-f]{40}(?:[0-9a-f]{24})?")
ATTEMPTS = 6
FIRST_S = 10
SOURCE = "hook:"


def commit_of(source, found):
    """Return the commit of a push; raise Invalid where it is none, or of another ref than webhook.yml asks for."""
    ref, commit = found.get("ref"), found.get("after")
    if not isinstance(ref, str) or not isinstance(commit, str) or not COMMIT.fullmatch(commit) or set(commit) == {"0"}:
        raise wrong("ref", "this is no push of a commit.", "Send push events only.")
    if source.ref is not None and ref != source.ref:
        raise wrong(
            "ref",
            say("{ref} is not {wanted}.", ref=ref[:200], wanted=source.ref),
            "Push there, or change `ref:` in webhook.yml.",
        )
    return commit


def caller_of(source):
    return Caller(source.principal, source.principal, ("requester",), (source.tenant,), "signed")


def fetch(desk, record, name_rule):
    """Fetch what is due and make its task. record: mapping → TaskIn, raises Invalid."""
    now = desk.now()
    with desk.database.read() as session:
        query = select(Delivery.id).where(Delivery.due_at <= now).order_by(Delivery.due_at).limit(5)
        due = list(session.scalars(query))
    for ident in due:
        row = _take(desk, ident)
        if row is not None:
            _carry_out(desk, row, record, name_rule)


def _take(desk, ident):
    """Mark a delivery as being fetched, for as long as that may take; None where another launcher was quicker."""
    now = desk.now()
    with desk.database.write() as session:
        row = database.locked(session, Delivery, ident)
        if row.due_at is None or row.due_at > now:
            return None
        source = _source(desk, row)
        longest = 60 + (source.raw.within_s * len(source.raw.files) if source else 0)
        row.fetch, row.due_at = {**row.fetch, "attempts": row.fetch["attempts"] + 1}, clock.after(now, longest)
        return row


def _source(desk, row):
    return next((one for one in desk.settings.file.deliveries if one.name == row.fetch["source"] and one.raw), None)


def _carry_out(desk, row, record, name_rule):
    source, asked = _source(desk, row), row.fetch
    if source is None:
        _end(desk, row, None, f"refused: webhook.yml fetches nothing for {asked['source']} any more")
        return
    try:
        files = _files(desk, source.raw, asked["commit"])
        made = tasks.make(
            desk, caller_of(source), record(files), name_rule, source=f"{SOURCE}{source.name}"[:40], run=asked["run"]
        )  # fmt: skip
    except outgoing.Failed as error:
        if error.final or asked["attempts"] >= ATTEMPTS:
            _end(desk, row, None, f"refused: {error}")
            return
        with desk.database.write() as session:
            fresh = database.locked(session, Delivery, row.id)
            fresh.due_at = clock.after(desk.now(), FIRST_S * 2 ** (asked["attempts"] - 1))
            fresh.outcome = f"fetched again later: {error}"
    except (BrainError, Denied, Clash) as error:
        _end(desk, row, None, f"refused: {error}")
    else:
        _end(desk, row, made.id, f"a task, from commit {asked['commit'][:12]}")


def _end(desk, row, task, outcome):
    with desk.database.write() as session:
        fresh = database.locked(session, Delivery, row.id)
        if fresh.fetch is None:
            return
        fresh.task, fresh.outcome, fresh.fetch, fresh.due_at = task, outcome, None, None
        source = row.fetch["source"]
        audit.note(
            session, desk.now(), f"{SOURCE}{source}", "delivery.fetch", row.id, task=task, outcome=outcome,
            commit=row.fetch["commit"],
        )  # fmt: skip


def _files(desk, raw, commit):
    """Return the fields of TaskIn: the first file as the task, the others beside it."""
    settings, left, texts = desk.settings, raw.most_mib << 20, []
    headers = {raw.header: settings.secret(raw.credential)} if raw.credential else {}
    for path in raw.files:
        # Between other parts of the address (GitLab's API) a path is one segment, at its end it is several.
        safe = "/" if raw.url.partition("?")[0].endswith("{path}") else ""
        url = raw.url.replace("{commit}", commit).replace("{path}", urllib.parse.quote(path, safe=safe))
        status, data = outgoing.request(
            "GET", url, headers=headers, within_s=raw.within_s, most=left, inside=raw.networks,
            ca_bundle=str(settings.config / raw.ca_bundle) if raw.ca_bundle else None,
        )  # fmt: skip
        if status != 200:
            again = status in (404, 408, 425, 429) or status >= 500  # a mirror may not have the commit yet
            raise outgoing.Failed(f"{path} at commit {commit[:12]} was answered with HTTP {status}", final=not again)
        left -= len(data)
        texts.append(data)
    try:
        task = texts[0].decode("utf-8")
    except UnicodeDecodeError as error:
        raise outgoing.Failed(f"{raw.files[0]} is no UTF-8 text", final=True) from error
    beside = zip(raw.files[1:], texts[1:], strict=True)
    return {"yaml": task, "files": [{"path": path, "base64": base64.b64encode(data).decode()} for path, data in beside]}
