"""The lab's own people, from the secret file ``webhook-people``. config.py refuses it where others can reach us."""

from __future__ import annotations

import hmac
import json

SECRET = "webhook-people"


def person(settings, principal, password):
    """Return the person of a name and password, or None. A wrong name takes as long as a wrong password."""
    people = json.loads(settings.secret(SECRET))
    found = people.get(principal)
    wanted = found["password"] if found else "\0"
    same = hmac.compare_digest(wanted.encode(), password.encode())
    if not (found and same):
        return None
    return {
        "principal": principal,
        "name": found["name"],
        "source": "lab",
        "roles": found["roles"],
        "tenants": found["tenants"],
        "sites": found.get("sites", []),
    }
