"""The two HTTP faces: Prometheus' query API and Alertmanager's list of alerts. Basic authentication, as a proxy's."""

import base64
import hashlib
import json
import time
from datetime import datetime
from datetime import UTC
from urllib.parse import parse_qsl
from urllib.parse import urlsplit

from tests.lab.metrics.promql import BadQuery
from tests.lab.metrics.promql import Query
from tests.lab.slurm import tokens
from tests.lab.slurm.answers import Answer

NO_DATE = "0001-01-01T00:00:00Z"


def answer(watch, key, method, target, headers, expired):
    """Answer one request of either face; the paths are different."""
    parts = urlsplit(target)
    if expired or not _knows(key, headers.get("Authorization", "")):
        return Answer(401, "Unauthorized\n", {"WWW-Authenticate": 'Basic realm="monitoring"'})
    handler = ROUTES.get((method, parts.path))
    if handler is None:
        return Answer(404, "404 page not found\n")
    return handler(watch, dict(parse_qsl(parts.query, keep_blank_values=True)))


def _knows(key, header):
    kind, _space, value = header.partition(" ")
    try:
        user, _colon, token = base64.b64decode(value).decode().partition(":")
    except ValueError:
        return False
    return kind == "Basic" and tokens.user_of(key, user, token) == user


def _query(watch, query):
    try:
        found = Query(query.get("query", ""), watch.samples()).result()
    except BadQuery as error:
        return Answer(400, {"status": "error", "errorType": "bad_data", "error": str(error)})
    now = round(time.time(), 3)
    if isinstance(found, float):
        return _success({"resultType": "scalar", "result": [now, f"{found:g}"]})
    rows = [{"metric": one.labels, "value": [now, repr(one.value).replace("nan", "NaN")]} for one in found]
    return _success({"resultType": "vector", "result": rows})


def _success(data):
    return Answer(200, {"status": "success", "data": data})


def _firing(watch, query):
    with watch.lock:
        alerts = [
            {"labels": one["labels"], "annotations": one["annotations"], "state": "firing",
             "activeAt": _time(one["since"]), "value": "1e+00"}
            for one in watch.alerts.values()
        ]  # fmt: skip
    return _success({"alerts": alerts})


def _alerts(watch, query):
    with watch.lock:
        return Answer(200, [
            {"labels": one["labels"], "annotations": one["annotations"], "startsAt": _time(one["since"]),
             "endsAt": NO_DATE, "receivers": [{"name": "none"}], "generatorURL": "http://prometheus:9090/graph",
             "status": {"state": "active", "silencedBy": [], "inhibitedBy": []},
             "fingerprint": hashlib.sha256(json.dumps(one["labels"]).encode()).hexdigest()[:16]}
            for one in watch.alerts.values()
        ])  # fmt: skip


def _build(watch, query):
    return _success({"version": "2.42.0", "revision": "lab"})


def _status(watch, query):
    return Answer(200, {"versionInfo": {"version": "0.25.0"}, "cluster": {"status": "disabled"}})


def _time(epoch):
    return datetime.fromtimestamp(epoch, UTC).strftime("%Y-%m-%dT%H:%M:%S.%f000Z")


ROUTES = {
    ("GET", "/api/v1/query"): _query, ("GET", "/api/v1/alerts"): _firing, ("GET", "/api/v1/status/buildinfo"): _build,
    ("GET", "/api/v2/alerts"): _alerts, ("GET", "/api/v2/status"): _status,
}  # fmt: skip
