"""Who asks: the JWT of the headers, judged as slurmctld and slurmdbd judge it (slurmrestd itself never does).

Expired, forged, ``alg: none``, no ``exp``, another cluster's key, another name than ``sun``: all one answer.
A token of root or SlurmUser may act as any user: the header's name wins.
"""

import base64
import hashlib
import hmac
import json
import time

POWERFUL = ("root", "slurm")


def _decode(part: str) -> bytes:
    return base64.urlsafe_b64decode(part + "=" * (-len(part) % 4))


def user_of(key: bytes, name: str, token: str) -> str | None:
    """Return the user the request runs as, or None if the token is not good for `name`."""
    try:
        head, body, mark = token.split(".")
        signed = hmac.new(key, f"{head}.{body}".encode(), hashlib.sha256).digest()
        header, claims = json.loads(_decode(head)), json.loads(_decode(body))
        good = hmac.compare_digest(_decode(mark), signed) and header.get("alg") == "HS256"
    except (ValueError, TypeError, AttributeError):
        return None
    owner = claims.get("sun") or claims.get("username")
    if not good or not isinstance(claims.get("exp"), int) or claims["exp"] <= time.time():
        return None
    return name if owner == name or owner in POWERFUL else None
