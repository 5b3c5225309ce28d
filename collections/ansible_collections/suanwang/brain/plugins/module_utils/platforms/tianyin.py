# Copyright: SuanWang Brain contributors
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Fangxin TianYin (方心 天银), in front of Ascend on Kunpeng: by a profile that is an ASSUMPTION.

No public API text of TianYin was found. The profile has the shape of SCNet's open API 2.0 (token by AK/SK, jobs, files
by chunks: its vendor pages and several clients); nodes, alarms and the answer of `stat` have no model there and follow
OpenSCOW's. Never verified: every line of it. When the site's API book arrives, its profile file is laid over this one,
and no code changes. SCNet keeps finished jobs five minutes in its live list, and its word for the end does not say how.
"""

from __future__ import annotations

from ..profiled.platform import Profiled

# -- LOGIN: the credential file is `access key:secret key` ------------------------------------------
LOGIN = {
    "kind": "signed_login",
    "signed": '{"accessKey":"{access_key}","timestamp":"{timestamp}","user":"{user}"}',
    "login": {
        "method": "POST",
        "path": "/api/user/v3/tokens",
        "headers": {
            "user": "{user}",
            "accessKey": "{access_key}",
            "timestamp": "{timestamp}",
            "signature": "{signature}",
        },
    },
    # One token a region. A site names its own: [?clusterId=='<id>'].token | [0]
    "token": "[?clusterId!='0'].token | [0]",
    "headers": {"token": "{token}"},
}

# -- PATHS -----------------------------------------------------------------------------------------
_JOB_INFO = {
    "GAP_SUBMIT_TYPE": "cmd",
    "GAP_CMD_FILE": "{whole_script}",
    "GAP_JOB_NAME": "{name}",
    "GAP_WORK_DIR": "{workdir}",
    "GAP_QUEUE": "{pool}",
    "GAP_NNODE": "{nodes:text}",
    "GAP_PPN": "{cpu:text}",
    "GAP_NDCU": "{node_accelerators:text}",
    "GAP_JOB_MEM": "{memory_mib}MB",
    "GAP_WALL_TIME": "{wall_clock}",
    "GAP_APPNAME": "BASE",
    "GAP_STD_OUT_FILE": "{log}",
}
_CONTAINER = {
    "instanceServiceName": "{name}",
    "description": "{label}",
    "taskType": "ssh",
    "resourceGroup": "{pool}",
    "acceleratorType": "{accelerator}",
    "gpuNumber": "{node_accelerators}",
    "cpuNumber": "{cpu}",
    "ramSize": "{memory_mib}",
    "taskNumber": "{replicas}",
    "version": "{image}",
    "timeoutLimit": "8760:00:00",
    "useStartScript": True,
    "startScriptActionScope": "all",
    "startScriptContent": "{whole_script}",
    "containerPortInfoList": [{"containerPort": "{port}", "protocolType": "HTTP"}],
}
PATHS = {
    "ping": {"method": "GET", "path": "/hpc/openapi/v2/cluster"},
    "pools": {
        "method": "GET",
        "path": "/hpc/openapi/v2/queuenames/users/{user}",
        "query": {"strJobManagerID": "{manager}"},
        "paged": False,
    },
    "nodes": {"method": "GET", "path": "/hpc/openapi/v2/nodes"},
    "quota": {
        "method": "GET",
        "path": "/hpc/openapi/v2/userquotas/userlimit",
        "query": {"strJobManagerID": "{manager}"},
        "paged": False,
        "rows": "[{name: 'accelerators', limit: userMaxDcu, used: userUsedDcu},"
        " {name: 'cpu', limit: userMaxCpu, used: userUsedCpu}]",
    },
    "alarms": {"method": "GET", "path": "/hpc/openapi/v2/alarms"},
    "jobs": {"method": "GET", "path": "/hpc/openapi/v2/jobs", "query": {"strClusterIDList": "{manager}"}},
    "find": {
        "method": "GET",
        "path": "/hpc/openapi/v2/jobs",
        "query": {"strClusterIDList": "{manager}", "strJobName": "{name}"},
    },
    "job": {"method": "GET", "path": "/hpc/openapi/v2/jobs/{id}"},
    "history": {
        "method": "GET",
        "path": "/hpc/openapi/v2/historyjobs",
        "query": {
            "jobName": "{name}",
            "timeType": "CUSTOM",
            "startTime": "{since}",
            "endTime": "2099-12-31 23:59:59",
            "isQueryByQueueTime": "false",
        },
    },
    "submit": {
        "method": "POST",
        "path": "/hpc/openapi/v2/apptemplates/BASIC/BASE/job",
        "body": {"strJobManagerID": "{manager}", "mapAppJobInfo": _JOB_INFO},
    },
    "cancel": {
        "method": "DELETE",
        "path": "/hpc/openapi/v2/jobs",
        "as": "form",
        "body": {"jobMethod": "5", "strJobInfoMap": "{manager},{user}:{id}:"},
        "fine": ["817140", "816822"],
    },
    # A container with a start script and a port; there is no update, so it is ended and made anew.
    "services": {
        "method": "GET",
        "path": "/ai/openapi/v2/instance-service/task",
        "body": {"instanceServiceName": "{name}", "start": 0, "limit": 100},
        "paged": False,
        "rows": "list",
        "total": "total",
    },
    "serve": {"method": "POST", "path": "/ai/openapi/v2/instance-service/task", "body": _CONTAINER},
    "unserve": {
        "method": "DELETE",
        "path": "/ai/openapi/v2/instance-service/task",
        "query": {"ids": "{id}"},
        "fine": ["816822"],
    },
    "home": {"method": "GET", "path": "/ac/openapi/v2/center"},
    "stat": {"method": "GET", "path": "/efile/openapi/v2/file/stat", "query": {"path": "{path}"}},
    "mkdir": {
        "method": "POST",
        "path": "/efile/openapi/v2/file/mkdir",
        "query": {"path": "{path}", "createParents": "true"},
        "fine": ["911021"],
    },
    "upload": {
        "method": "POST",
        "path": "/efile/openapi/v2/file/burst",
        "as": "multipart",
        "body": {
            "chunkNumber": "{number}",
            "totalChunks": "{chunks}",
            "totalSize": "{size}",
            "chunkSize": "{chunk_size}",
            "filename": "{file}",
            "path": "{folder}",
            "identifier": "{upload}",
            "cover": "cover",
        },
    },
    "merge": {
        "method": "POST",
        "path": "/efile/openapi/v2/file/merge",
        "as": "form",
        "body": {
            "filename": "{file}",
            "path": "{folder}",
            "identifier": "{upload}",
            "totalChunks": "{chunks}",
            "cover": "cover",
        },
    },
    "download": {
        "method": "GET",
        "path": "/efile/openapi/v2/file/download",
        "query": {"path": "{path}"},
        "headers": {"Range": "bytes={first}-{last}"},
    },
    "remove": {
        "method": "POST",
        "path": "/efile/openapi/v2/file/remove",
        "as": "form",
        "body": {"paths": "{path}", "recursive": "true"},
        "fine": ["911020"],
    },
    "remove_empty": {
        "method": "POST",
        "path": "/efile/openapi/v2/file/remove",
        "as": "form",
        "body": {"paths": "{path}", "recursive": "false"},
    },
}

# -- FIELDS: ours → where it is in theirs ----------------------------------------------------------
FIELDS = {
    "ping": {"version": "[0].version || [0].JobManagerType"},
    "pool": {
        "name": "queueName",
        "open": "queState == 'Active'",
        "nodes": "queNodes",
        "wall_s": "queMaxWalltime",
        "running": "queRunJobs",
        "pending": "queWaitJobs",
    },
    "node": {
        "name": "nodeName",
        "works": "status == 'free' || status == 'job-exclusive'",
        "pools": "queues",
        "arch": "arch",
        "cpu": "cpu.total",
        "used_cpu": "cpu.used",
        "memory_mib": "memory.total",
        "used_memory_mib": "memory.used",
        "accelerator": "accelerators[0].type",
        "accelerators": "accelerators[0].total",
        "used_accelerators": "accelerators[0].used",
    },
    "job": {
        "id": "jobId",
        "name": "jobName",
        "state": "jobStatus",
        "reason": "reason",
        "exit_code": "jobExitStatus",
        "pool": "queue",
        "submitted": "submitTime",
        "started": "jobStartTime",
        "ended": "jobEndTime",
        "hosts": "nodeUsed",
        "nodes": "nnode",
        "cpu": "procNumReq",
        "accelerators": "dcuNumReq",
        "limit_s": "wallTimeReq",
    },
    "quota": {"resource": "name", "limit": "limit", "used": "used"},
    "alarm": {"id": "alarmId", "name": "alarmName", "severity": "alarmLevel", "since": "occurTime", "place": "target"},
    "service": {
        "id": "id",
        "name": "instanceServiceName",
        "state": "status",
        "reason": "reason",
        "replicas": "taskNumber",
        "ready": "runningNumber",
        "url": "containerPortInfoList[0].accessUrl",
        "pool": "resourceGroup",
        "label": "description",
    },
    "home": {"path": "clusterUserInfo.homePath"},
    "file": {"size": "size", "folder": "isDirectory"},
}

# -- STATES: an end is judged by the exit code -----------------------------------------------------
STATES = {
    "statQ": "queued",
    "statW": "queued",
    "statH": "queued",
    "statR": "running",
    "statS": "suspended",
    "statE": "stopping",
    "statC": "ended",
    "statT": "failed",
    "statX": "failed",
    "statDE": "cancelled",
}

SERVICE_STATES = {
    "Deploying": "starting",
    "Waiting": "starting",
    "Running": "running",
    "Terminated": "stopping",
    "Completed": "failed",
    "Failed": "failed",
}

# -- ERRORS: their code → our class ----------------------------------------------------------------
ERRORS = {
    "1001": {"class": "token"},
    "1004": {"class": "invalid"},
    "10001": {"class": "unreachable", "way_out": "It says internal error; ask the site."},
    "10008": {"class": "token"},
    "10009": {"class": "unauthorized"},
    "911003": {"class": "unauthorized", "way_out": "Ask the site for the right."},
    "911020": {"class": "not_found"},
    "911022": {"class": "refused"},
    "911040": {"class": "quota_exceeded", "way_out": "The storage there is full: make room, or ask for more."},
    "816822": {"class": "not_found"},
    "816830": {"class": "not_found", "way_out": "Take a queue that pool_info shows."},
    "816840": {"class": "refused", "way_out": "No node there can ever give that: ask for less."},
    "816841": {"class": "quota_exceeded", "way_out": "Ask for less, or have the limit raised."},
}


class Tianyin(Profiled):
    """One region of one TianYin as one user."""

    NAME = "tianyin"
    PROFILE = {
        "profile": 1,
        "about": {"shape": "SCNet 2.0", "basis": "Assumed: no public API text of TianYin was found."},
        "constants": {"manager": 1638523853},
        "auth": LOGIN,
        "envelope": {"code": "code", "ok": ["0"], "message": "msg", "data": "data"},
        "paging": {
            "kind": "offset",
            "place": "start",
            "size": "limit",
            "first": 0,
            "limit": 100,
            "rows": "list",
            "total": "total",
        },
        "asynchronous": {"kind": "direct", "id": "@"},
        "id": "integer",
        "time": {"format": "%Y-%m-%d %H:%M:%S", "timezone": "+08:00"},
        "names": {"length": 128, "characters": "A-Za-z0-9._-", "find": "exact"},
        "keeps_label": False,
        "paths": PATHS,
        "fields": FIELDS,
        "states": STATES,
        "service_states": SERVICE_STATES,
        "severities": {"1": "critical", "2": "major", "3": "minor", "4": "info"},
        "accelerator_kinds": {"huawei": "npu", "Ascend": "npu"},
        "errors": ERRORS,
    }
