"""Signed webhooks: who sent these bytes, when, and whether they came before. Every comparison takes constant time.

generic: ``X-Suanwang-Signature: sha256=HMAC(secret, timestamp "." delivery "." body)`` with ``X-Suanwang-Timestamp``
(seconds) and ``X-Suanwang-Delivery``. The others sign as their makers say: GitHub and Gitea the body alone, GitLab and
Alertmanager send the secret itself. Where nothing signed names the delivery, its body does: the same bytes again are
the same delivery.
"""

from __future__ import annotations

import dataclasses
import hashlib
import hmac
import re
import time

_ID = re.compile(r"[A-Za-z0-9_.:-]{1,100}")


class Forged(Exception):
    """The signature, the time or the id is not as it should be."""


@dataclasses.dataclass(frozen=True)
class Delivery:
    """A delivery that is what it says. id: what is remembered of it, so that it counts once."""

    id: str
    sha256: str


def _same(given, wanted):
    return hmac.compare_digest(str(given or "").encode(), wanted.encode())


def _hmac(secret, data):
    return hmac.new(secret.encode(), data, hashlib.sha256).hexdigest()


def check(source, secret, headers, body, now=None):
    """Return the Delivery; raise Forged. now: seconds since 1970."""
    sha256 = hashlib.sha256(body).hexdigest()
    delivery = sha256
    if source.kind == "generic":
        delivery = _generic(source, secret, headers, body, time.time() if now is None else now)
    elif source.kind == "github":
        _must(_same(headers.get("X-Hub-Signature-256"), f"sha256={_hmac(secret, body)}"))
    elif source.kind == "gitea":
        _must(_same(headers.get("X-Gitea-Signature"), _hmac(secret, body)))
    elif source.kind == "gitlab":
        _must(_same(headers.get("X-Gitlab-Token"), secret))
    else:
        _must(_same(headers.get("Authorization"), f"Bearer {secret}"))
        delivery = f"{sha256}:{int((time.time() if now is None else now) // 60)}"  # alerts are repeated on purpose
    return Delivery(f"{source.name}:{delivery}", sha256)


def _must(good):
    if not good:
        raise Forged("the signature does not fit")


def _generic(source, secret, headers, body, now):
    stamp, delivery = headers.get("X-Suanwang-Timestamp", ""), headers.get("X-Suanwang-Delivery", "")
    if not (stamp.isascii() and stamp.isdigit() and len(stamp) < 12 and _ID.fullmatch(delivery)):
        raise Forged("X-Suanwang-Timestamp and X-Suanwang-Delivery are needed")
    signed = f"{stamp}.{delivery}.".encode() + body
    _must(_same(headers.get("X-Suanwang-Signature"), f"sha256={_hmac(secret, signed)}"))
    if abs(now - int(stamp)) > source.window_s:
        raise Forged("the timestamp lies outside the window")
    return delivery
