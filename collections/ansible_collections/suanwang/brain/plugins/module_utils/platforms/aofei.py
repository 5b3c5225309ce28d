# Copyright: SuanWang Brain contributors
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""H3C AoFei (傲飞), an AI computing platform: by a profile that is an ASSUMPTION.

No public API text of AoFei was found. The profile has the shape of public platforms of its kind: OpenSCOW's AI side
(partitions, nodes, chunked files; v1.6.4) and crater (envelope, codes, Volcano jobs; b2f1934). Never verified: every
line of it. When the site's API book arrives, its profile file is laid over this one, and no code changes.
"""

from __future__ import annotations

from ..profiled.platform import Profiled

# -- LOGIN -----------------------------------------------------------------------------------------
LOGIN = {
    "kind": "login",
    "login": {
        "method": "POST",
        "path": "/api/v1/auth/login",
        "body": {"auth": "normal", "username": "{user}", "password": "{secret}"},
    },
    "token": "accessToken",
    "headers": {"Authorization": "Bearer {token}"},
}

# -- PATHS -----------------------------------------------------------------------------------------
_WORK = {
    "name": "{name}",
    "description": "{label}",
    "partition": "{pool}",
    "image": "{image}",
    "shell": "sh",
    "command": "{whole_script}",
    "workingDir": "{workdir}",
    "envs": "{environment_list}",
    "resource": {"cpu": "{cpu}", "memory": "{memory_mib}Mi", "{accelerator}": "{node_accelerators}"},
}
_SERVICE = {**_WORK, "replicas": "{replicas}", "containerPort": "{port}"}
PATHS = {
    "ping": {"method": "GET", "path": "/api/v1/system/info"},
    "pools": {"method": "GET", "path": "/api/v1/partitions"},
    "nodes": {"method": "GET", "path": "/api/v1/nodes"},
    "quota": {"method": "GET", "path": "/api/v1/context/quota", "paged": False},
    "alarms": {"method": "GET", "path": "/api/v1/alerts"},
    "images": {"method": "GET", "path": "/api/v1/images"},
    "jobs": {"method": "GET", "path": "/api/v1/vcjobs"},
    "find": {"method": "GET", "path": "/api/v1/vcjobs", "query": {"name": "{name}"}},
    "job": {"method": "GET", "path": "/api/v1/vcjobs/{id}/detail"},
    "history": {"method": "GET", "path": "/api/v1/vcjobs/history", "query": {"name": "{name}", "from": "{since}"}},
    "submit": {
        "method": "POST",
        "path": "/api/v1/vcjobs/training",
        "body": {**_WORK, "nodeCount": "{nodes}", "maxTime": "{wall_min}"},
    },
    "cancel": {"method": "DELETE", "path": "/api/v1/vcjobs/{id}", "fine": ["40902"]},
    "services": {"method": "GET", "path": "/api/v1/inferences", "query": {"name": "{name}"}},
    "serve": {"method": "POST", "path": "/api/v1/inferences", "body": _SERVICE},
    "update": {"method": "PUT", "path": "/api/v1/inferences/{id}", "body": _SERVICE},
    "unserve": {"method": "DELETE", "path": "/api/v1/inferences/{id}", "fine": ["40407"]},
    "home": {"method": "GET", "path": "/api/v1/file/homeDir"},
    "stat": {"method": "GET", "path": "/api/v1/file/metadata", "query": {"path": "{path}"}},
    "mkdir": {"method": "POST", "path": "/api/v1/file/mkdir", "body": {"path": "{path}"}, "fine": ["40905"]},
    "upload": {
        "method": "POST",
        "path": "/api/v1/files/uploadChunks",
        "as": "multipart",
        "body": {"path": "{folder}", "fileMd5Name": "{upload}", "chunkIndex": "{number}", "chunks": "{chunks}"},
    },
    "parts": {"method": "GET", "path": "/api/v1/files/uploadChunks", "query": {"fileMd5Name": "{upload}"}},
    "merge": {
        "method": "POST",
        "path": "/api/v1/file/mergeChunks",
        "body": {"path": "{folder}", "fileName": "{file}", "fileMd5Name": "{upload}", "chunks": "{chunks}"},
    },
    "download": {
        "method": "GET",
        "path": "/api/v1/file/download",
        "query": {"path": "{path}"},
        "headers": {"Range": "bytes={first}-{last}"},
    },
    "remove": {
        "method": "POST",
        "path": "/api/v1/file/delete",
        "body": {"path": "{path}", "target": "DIR"},
        "fine": ["40403"],
    },
    "remove_empty": {"method": "POST", "path": "/api/v1/file/delete", "body": {"path": "{path}", "target": "EMPTY"}},
}

# -- FIELDS: ours → where it is in theirs ----------------------------------------------------------
FIELDS = {
    "ping": {"version": "version", "api": "apiVersion"},
    "pool": {
        "name": "name",
        "open": "partitionStatus == 'AVAILABLE'",
        "nodes": "nodeCount",
        "wall_min": "maxTime",
        "running": "runningJobCount",
        "pending": "pendingJobCount",
    },
    "node": {
        "name": "nodeName",
        "works": "state == 'IDLE' || state == 'RUNNING'",
        "pools": "partitions",
        "arch": "cpuArch",
        "cpu": "cpuCoreCount",
        "free_cpu": "idleCpuCoreCount",
        "memory_mib": "totalMemMb",
        "free_memory_mib": "idleMemMb",
        "accelerator": "gpuType",
        "accelerators": "gpuCount",
        "free_accelerators": "idleGpuCount",
    },
    "job": {
        "id": "id",
        "name": "name",
        "state": "status",
        "reason": "statusReason",
        "exit_code": "exitCode",
        "pool": "partition",
        "label": "description",
        "submitted": "creationTimestamp",
        "started": "runningTimestamp",
        "ended": "completedTimestamp",
        "hosts": "nodes",
        "nodes": "nodeCount",
        "cpu": "cpuCount",
        "accelerators": "gpuCount",
        "limit_min": "timeLimit",
    },
    "quota": {"resource": "resource", "limit": "hard", "used": "used"},
    "alarm": {"id": "id", "name": "alertName", "severity": "level", "since": "firedAt", "place": "target"},
    "image": {"name": "join(':', [name, tag])"},
    "service": {
        "id": "id",
        "name": "name",
        "state": "status",
        "reason": "statusReason",
        "replicas": "replicas",
        "ready": "readyReplicas",
        "url": "accessUrl",
        "pool": "partition",
        "label": "description",
    },
    "home": {"path": "path"},
    "file": {"size": "size", "folder": "type == 'DIR'"},
    "parts": {"numbers": "uploaded"},
}

# -- STATES: Volcano's phases, and crater's own -----------------------------------------------------
STATES = {
    "Prequeue": "queued",
    "Pending": "queued",
    "Inqueue": "queued",
    "Restarting": "starting",
    "Running": "running",
    "Completing": "stopping",
    "Aborting": "stopping",
    "Terminating": "stopping",
    "Completed": "succeeded",
    "Failed": "failed",
    "Terminated": "failed",
    "Aborted": "cancelled",
    "Deleted": "cancelled",
    "Freed": "cancelled",
}

SERVICE_STATES = {
    "Deploying": "starting",
    "Running": "running",
    "Degraded": "degraded",
    "Stopping": "stopping",
    "Failed": "failed",
}

# -- ERRORS: their code → our class ----------------------------------------------------------------
ERRORS = {
    "40001": {"class": "invalid"},
    "40101": {"class": "token"},
    "40102": {"class": "token"},
    "40103": {"class": "unauthorized"},
    "40301": {"class": "unauthorized", "way_out": "Ask the site for the right."},
    "40310": {"class": "quota_exceeded", "way_out": "Ask for less, or have the limit raised."},
    "40901": {"class": "conflict", "way_out": "Look at the job of that name; it is not touched."},
    "40406": {
        "class": "not_found",
        "way_out": "Take an image that the platform lists, in `runtimes` of the site file.",
    },
    "40903": {"class": "refused"},
    "42201": {"class": "refused", "way_out": "No node there can ever give that: ask for less."},
    "50001": {"class": "unreachable", "way_out": "Its scheduler does not answer; ask the site."},
    "50701": {"class": "quota_exceeded", "way_out": "The storage there is full: make room, or ask for more."},
    "99999": {"class": "unreachable"},
}


class Aofei(Profiled):
    """One AoFei as one user."""

    NAME = "aofei"
    PROFILE = {
        "profile": 1,
        "about": {"shape": "OpenSCOW-AI and crater", "basis": "Assumed: no public API text of AoFei was found."},
        "constants": {"image": "base-python:3.11"},
        "auth": LOGIN,
        "envelope": {"code": "code", "ok": [0], "message": "msg", "data": "data"},
        "paging": {
            "kind": "page",
            "place": "page",
            "size": "page_size",
            "first": 1,
            "limit": 100,
            "rows": "items",
            "total": "total",
        },
        "asynchronous": {"kind": "direct", "id": "jobId"},
        "id": "integer",
        "time": {"format": "rfc3339", "timezone": "+08:00"},
        "names": {"length": 63, "characters": "A-Za-z0-9_-", "unique": True, "dot": False, "find": "exact"},
        "keeps_label": True,
        "paths": PATHS,
        "fields": FIELDS,
        "states": STATES,
        "service_states": SERVICE_STATES,
        "severities": {"critical": "critical", "error": "major", "warning": "minor", "info": "info"},
        "resources": {"pods": "jobs"},
        "accelerator_kinds": {"nvidia": "gpu", "huawei": "npu"},
        "errors": ERRORS,
    }
