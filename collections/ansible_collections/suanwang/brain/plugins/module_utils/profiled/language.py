# Copyright: SuanWang Brain contributors
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The profile language: a platform as data. Merging, checking, and filling in; nothing is asked of a site here.

A profile is a mapping (schema `profile`, version 1). A site's own file is merged over the shipped one: mappings key by
key, anything else as a whole, and `null` takes an entry away. In its texts `{word}` stands for a value of the call. A
text that is nothing but `{word}` keeps the value's type, `{word:text}` does not; where the value is null, the whole
entry is left out.
"""

from __future__ import annotations

import base64
import math
import re
from datetime import datetime
from datetime import timedelta
from datetime import timezone
from datetime import UTC
from urllib.parse import quote

from .. import configfile
from ..errors import Invalid
from ..platforms.base import compiled
from ..platforms.base import NameRule
from ..platforms.base import VERBS

_WORD = re.compile(r"\{([a-z_]+)(:text)?\}")

_EVERYWHERE = "user account tenant".split()
_AUTH = "secret basic access_key timestamp signature token".split()
_SPEC = """name label pool script whole_script workdir log environment environment_list nodes cpu cpu_total
    accelerators node_accelerators accelerator memory_mib memory_gib wall_s wall_min wall_clock image""".split()
_SERVICE = [*_SPEC, "replicas", "port", "id"]
_UPLOAD = "path folder file size sha256 upload number offset chunks chunk_size".split()
#: call → the words that its texts may hold, beside those that stand everywhere and the profile's constants
CALLS = {
    **dict.fromkeys("ping pools nodes jobs quota alarms images home".split(), []),
    "find": ["name"],
    "history": ["name", "since"],
    "job": ["id"],
    "cancel": ["id"],
    "operation": ["operation"],
    "submit": _SPEC,
    "services": ["name"],
    "serve": _SERVICE,
    "update": _SERVICE,
    "unserve": ["id"],
    **dict.fromkeys("stat mkdir remove remove_empty".split(), ["path"]),
    **dict.fromkeys("upload parts merge".split(), _UPLOAD),
    "download": ["path", "first", "last", "length"],
}
#: verb → the calls without which it is a "no"
NEEDS = {
    "alarms": ["alarms"],
    "quota": ["quota"],
    "serve": ["serve", "services", "unserve"],
    "inference_service": ["services"],
    "unserve": ["unserve", "services"],
}
FILES = "home stat mkdir upload download remove".split()
#: What no profile can say.
ABSENT = {
    "usage": "no profile measures; a monitoring endpoint of the site tells what is used.",
    "set_quota": "a tenant's account does not set its own limits.",
    **dict.fromkeys(("reserve", "reservation", "release"), "this profile language has no reservations."),
    **dict.fromkeys(("create_instance", "instance", "delete_instance"), "it gives nodes to jobs, and no machines."),
}


# -- merging and checking ----------------------------------------------------------------------------
def merged(base, over):
    """Return a profile with another one laid over it."""
    if not isinstance(base, dict) or not isinstance(over, dict):
        return over
    found = dict(base)
    for key, value in over.items():
        if value is None:
            found.pop(key, None)
        else:
            found[key] = merged(found.get(key), value)
    return found


def effective(base, path=None):
    """Return the profile that holds: base, and the site's file over it. Raises Invalid with file and line.

    base None: the file is the whole profile.
    """
    over = configfile.parse(path) if path else {}
    if not isinstance(over, dict):
        raise Invalid(f"{path}: a profile is a mapping.", way_out="Begin with `profile: 1`.")
    profile = merged(base or {}, over)
    configfile.check(profile, "profile", path or "the shipped profile")
    for keys, said in _mistakes(profile):
        where = configfile.place(path, keys) if path else "the shipped profile"
        raise Invalid(f"{where}: {configfile.field_name(keys)}: {said}", way_out="Correct that entry.")
    return profile


def _mistakes(profile):
    """Yield (keys, sentence) of what a schema cannot see."""
    for noun, entry in profile["paths"].items():
        known = {*_EVERYWHERE, *profile.get("constants", {}), *CALLS[noun]}
        yield from _strange(("paths", noun), entry, known)
        for part in ("rows", "total", "next"):
            if part in entry:
                yield from _expression(("paths", noun, part), entry[part])
    yield from _strange(("auth",), profile["auth"], {*_EVERYWHERE, *profile.get("constants", {}), *_AUTH})
    if "token" in profile["auth"]:
        yield from _expression(("auth", "token"), profile["auth"]["token"])
    for noun, fields in profile["fields"].items():
        for field, text in fields.items():
            yield from _expression(("fields", noun, field), text)
    for part in ("code", "message", "data"):
        if part in profile["envelope"]:
            yield from _expression(("envelope", part), profile["envelope"][part])
    for part in ("operation", "state", "id", "message"):
        if part in profile["asynchronous"]:
            yield from _expression(("asynchronous", part), profile["asynchronous"][part])
    if profile["asynchronous"]["kind"] == "operation" and "operation" not in profile["paths"]:
        yield ("asynchronous", "kind"), "`operation` needs paths.operation."
    if _needs_zone(profile["time"]["format"]) and "timezone" not in profile["time"]:
        yield ("time",), "times without a zone need `timezone`."


def _strange(keys, value, known):
    if isinstance(value, dict):
        for key, item in value.items():
            yield from _strange((*keys, key), item, known)
            yield from _strange((*keys, key), key, known)
    elif isinstance(value, list):
        for number, item in enumerate(value):
            yield from _strange((*keys, number), item, known)
    elif isinstance(value, str) and keys[-1] not in ("rows", "total", "next", "token"):
        for word in _WORD.finditer(value):
            if word[1] not in known:
                yield keys, f"there is no {{{word[1]}}} here; there are {', '.join(sorted(known))}."


def _expression(keys, text):
    try:
        compiled(text)
    except ValueError as error:  # jmespath's errors are ValueErrors
        yield keys, f"{text!r} is no JMESPath: {str(error).splitlines()[0]}"


def _needs_zone(pattern):
    return "%" in pattern and "%z" not in pattern


def name_rule(profile):
    names = profile["names"]
    return NameRule(names["length"], names["characters"], names.get("unique", False), names.get("dot", True))


def capabilities(profile, data=None):
    """Return verb → why not. data: the endpoint that moves the files, where one is named."""
    found = {**ABSENT, **profile.get("capabilities", {})}
    for verb, calls in NEEDS.items():
        for call in calls:
            if call not in profile["paths"]:
                found.setdefault(verb, f"its profile names no call `{call}`.")
    missing = [noun for noun in FILES if noun not in profile["paths"]]
    if missing and not data:
        for verb in ("put_dataset", "dataset", "remove_dataset", "fetch_artifact", "log"):
            found.setdefault(verb, f"its profile names no call `{missing[0]}`, and the site file no `data` endpoint.")
    return {verb: found[verb] for verb in VERBS if verb in found}


# -- filling in --------------------------------------------------------------------------------------
def fill(template, values):
    """Return a template with its words filled in. What is filled in is never read as a template again.

    >>> fill({"n": "{nodes}", "name": "job-{name}", "gone": "{label}!"}, {"nodes": 2, "name": "a", "label": None})
    {'n': 2, 'name': 'job-a'}
    >>> fill({"{card}": "{n}", "t": "{n:text}"}, {"card": "nvidia.com/gpu", "n": 2})
    {'nvidia.com/gpu': 2, 't': '2'}
    """
    if isinstance(template, dict):
        found = {fill(key, values): fill(item, values) for key, item in template.items()}
        return {key: item for key, item in found.items() if key is not None and item is not None}
    if isinstance(template, list):
        return [fill(item, values) for item in template]
    if not isinstance(template, str):
        return template
    words = list(_WORD.finditer(template))
    if any(values[word[1]] is None for word in words):
        return None
    if len(words) == 1 and words[0][0] == template and not words[0][2]:
        return values[words[0][1]]
    return _WORD.sub(lambda word: str(values[word[1]]), template)


def fill_path(template, values):
    """Return a path with its words as quoted segments.

    >>> fill_path("/jobs/{id}", {"id": "a/../b"})
    '/jobs/a%2F..%2Fb'
    """
    return _WORD.sub(lambda found: quote(str(values[found[1]]), safe=""), template)


def basic(user, secret):
    return base64.b64encode(f"{user or ''}:{secret}".encode()).decode()


# -- how they write times and numbers ----------------------------------------------------------------
def epoch(value, time):
    """Return a time of theirs in epoch seconds; None and 0 are unknown. time: the profile's entry.

    >>> epoch("2026-11-25 11:26:58", {"format": "%Y-%m-%d %H:%M:%S", "timezone": "+08:00"})
    1795577218
    >>> epoch(1795577218000, {"format": "epoch_ms"}), epoch("", {"format": "rfc3339"})
    (1795577218, None)
    """
    if value in (None, "", 0, "0"):
        return None
    if time["format"] in ("epoch_s", "epoch_ms"):
        return int(float(value)) // (1000 if time["format"] == "epoch_ms" else 1) or None
    try:
        if time["format"] == "rfc3339":
            found = datetime.fromisoformat(str(value))
        else:
            found = datetime.strptime(str(value), time["format"])
    except ValueError:
        return None
    return int((found if found.tzinfo else found.replace(tzinfo=_zone(time))).timestamp())


def written(seconds, time):
    """Return epoch seconds as they write a time.

    >>> written(1795577218, {"format": "rfc3339", "timezone": "+08:00"})
    '2026-11-25T11:26:58+08:00'
    """
    if time["format"] in ("epoch_s", "epoch_ms"):
        return int(seconds) * (1000 if time["format"] == "epoch_ms" else 1)
    at = datetime.fromtimestamp(int(seconds), _zone(time))
    return at.isoformat() if time["format"] == "rfc3339" else at.strftime(time["format"])


def _zone(time):
    text = time.get("timezone", "UTC")
    if text == "UTC":
        return UTC
    hours, minutes = int(text[1:3]), int(text[4:6])
    offset = timedelta(hours=hours, minutes=minutes)
    return timezone(-offset if text[0] == "-" else offset)


def number(value, default=None):
    """Return a number of theirs, which some write as text.

    >>> number("12"), number(3.0), number(None), number("-", 0), number(True)
    (12, 3, None, 0, None)
    """
    if isinstance(value, bool):
        return default
    try:
        found = float(value)
    except (TypeError, ValueError):
        return default
    if not math.isfinite(found):
        return default
    return int(found) if found == int(found) else found
