"""From a URL to a handler, in slurmrestd's order: headers, path, method, mime types, then the handler.

A cluster whose setting `release` is 24.11 is answered for by `newer`, over the same handlers.
"""

import re
from urllib.parse import parse_qsl
from urllib.parse import unquote
from urllib.parse import urlsplit

from tests.lab.slurm import answers
from tests.lab.slurm import ctld_api
from tests.lab.slurm import dbd_api
from tests.lab.slurm import newer
from tests.lab.slurm import tokens
from tests.lab.slurm.answers import Answer

VERSIONS = {"22.05": (36, 37, 38), "24.11": newer.VERSIONS}
READ = ("GET",)
#: path below the version → (methods, handler)
SLURM = {
    "ping": (READ, ctld_api.ping), "diag": (READ, ctld_api.diag),
    "partitions": (READ, ctld_api.partitions), "partition/{name}": (READ, ctld_api.partitions),
    "nodes": (READ, ctld_api.nodes), "node/{name}": (READ, ctld_api.nodes),
    "jobs": (READ, ctld_api.jobs), "job/submit": (("POST",), ctld_api.job_submit),
    "job/{name}": (("GET", "POST", "DELETE"), ctld_api.job),
    "reservations": (READ, ctld_api.reservations),
    "reservation/{name}": (READ, ctld_api.reservations), "licenses": (READ, ctld_api.licenses),
}  # fmt: skip
SLURMDB = {
    "jobs": (READ, dbd_api.jobs), "job/{name}": (READ, dbd_api.job),
    "associations": (READ, dbd_api.associations), "qos": (READ, dbd_api.qos),
    "qos/{name}": (READ, dbd_api.qos), "accounts": (("GET", "POST"), dbd_api.accounts),
    "account/{name}": (READ, dbd_api.accounts), "users": (READ, dbd_api.users),
    "user/{name}": (READ, dbd_api.users), "tres": (READ, dbd_api.tres),
    "clusters": (READ, dbd_api.clusters), "diag": (READ, dbd_api.diag),
    "config": (READ, dbd_api.config),
}  # fmt: skip
SINCE_37 = {"reservations", "reservation/{name}", "licenses"}  # 0.0.36 has none of these
URL = re.compile(r"^/(slurm|slurmdb)/v0\.0\.(\d+)/(.+?)/?$")
OPENAPI = ("/openapi", "/openapi/v3", "/openapi.json")


def _lookup(path: str, served: tuple):
    """Return (plugin, pattern, methods, handler, version, argument), None for a URL that is not served."""
    match = URL.match(path)
    if not match or int(match[2]) not in served:
        return None
    table = SLURM if match[1] == "slurm" else SLURMDB
    version, rest = int(match[2]), match[3]
    noun, slash, argument = rest.partition("/")
    for pattern in (rest, f"{noun}/{{name}}" if slash and "/" not in argument else ""):
        if pattern in table and not (version < 37 and pattern in SINCE_37):
            methods, handler = table[pattern]
            return match[1], pattern, methods, handler, version, argument if pattern != rest else ""
    return None


def openapi(served: tuple) -> dict:
    """The description, as far as version discovery reads it: the keys of ``paths``."""
    paths: dict = {}
    for prefix, table in (("slurm", SLURM), ("slurmdb", SLURMDB)):
        for version in served:
            for path, (methods, _) in table.items():
                if not (prefix == "slurm" and version < 37 and path in SINCE_37):
                    full = f"/{prefix}/v0.0.{version}/{path}"
                    paths[full] = {method.lower(): {"responses": {}} for method in methods}
    info = {"title": "Slurm Rest API", "version": f"0.0.{max(served)}"}
    return {"openapi": "3.0.2", "info": info, "paths": paths}


def answer(cluster, key: bytes, method: str, target: str, headers, body: bytes,
           expired: bool = False) -> Answer:  # fmt: skip
    """Answer one request; `headers` is looked up without case."""
    name, token = headers.get("X-SLURM-USER-NAME"), headers.get("X-SLURM-USER-TOKEN")
    release = cluster.settings["release"]
    if not name or not token:  # Authorization: Bearer is not read in 22.05
        return answers.text(401, "Authentication failure")
    parts = urlsplit(target)
    if parts.path.rstrip("/") in OPENAPI:
        return Answer(200, openapi(VERSIONS[release]))  # any token that is not empty will do
    found = _lookup(parts.path, VERSIONS[release])
    if found is None:
        return answers.text(404, "Unable find requested URL")
    plugin, pattern, methods, handler, version, argument = found
    if method not in methods:
        return answers.text(405, "Requested REST method is not defined at URL")
    accept = headers.get("Accept", "*/*")
    if not re.search(r"application/(json|\*)|\*/\*", accept):
        return answers.text(415, "Accept content type is unknown")
    if method == "POST" and headers.get("Content-Type", "").split(";")[0] != "application/json":
        return answers.text(400, "Unable to parse request body")
    user = None if expired else tokens.user_of(key, name, token)
    query = dict(parse_qsl(parts.query, keep_blank_values=True))
    request = ctld_api.Request(method, version, query, body, user, unquote(argument))
    with cluster.lock:
        if release == "22.05":
            return handler(cluster, request)
        return newer.answer(cluster, plugin, pattern.removesuffix("/{name}"), handler, request)
