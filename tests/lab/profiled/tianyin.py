"""What stands for TianYin: a supercomputing platform before Ascend on Kunpeng, shaped like SCNet.

A signed login (HMAC-SHA256 over compact JSON in one order of keys) gives one token a region, in a header `token`; HTTP
200 always, with `{"code": "<text>", "msg", "data"}`; pages by start and limit; times in the server's local time,
without a zone; all numbers of a submit as text; no state says whether a job that ended did so well.
"""

import hashlib
import hmac
import json
import time

from tests.lab.profiled.face import Face
from tests.lab.profiled.face import read_time
from tests.lab.profiled.face import written
from tests.lab.profiled.house import cards
from tests.lab.profiled.house import exit_code
from tests.lab.profiled.house import Refusal
from tests.lab.slurm.answers import Answer

REGION, MANAGER = "11250", 1638523853
STATES = {
    "PENDING": "statQ", "RUNNING": "statR", "COMPLETING": "statE", "COMPLETED": "statC", "FAILED": "statC",
    "TIMEOUT": "statT", "NODE_FAIL": "statX", "CANCELLED": "statDE",
}  # fmt: skip
CODES = {
    "bad_request": "1004", "expired": "10008", "no_token": "1001", "bad_password": "10009", "not_allowed": "911003",
    "no_job": "816822", "no_pool": "816830", "no_file": "911020", "no_route": "404", "file_exists": "911021",
    "ended": "817140", "not_empty": "911022", "parts_missing": "911030", "too_much": "816840", "quota": "816841",
    "full": "911040", "refused": "816800", "range": "911041", "down": "10001", "exists": "816831",
    "no_service": "816822",
}  # fmt: skip


class Tianyin(Face):
    # -- envelope, login ---------------------------------------------------------------------
    def good(self, data):
        return Answer(200, {"code": "0", "msg": "success", "data": data})

    def bad(self, refusal: Refusal):
        if refusal.kind == "no_route":
            return Answer(404, "<html><body>404 Not Found</body></html>")
        return Answer(200, {"code": CODES[refusal.kind], "msg": refusal.words, "data": None})

    def login(self, call, expired: bool):
        access, key = self.secret.split(":")
        user, stamp = call.headers.get("user", ""), call.headers.get("timestamp", "")
        text = json.dumps({"accessKey": access, "timestamp": stamp, "user": user}, separators=(",", ":"))
        good = hmac.new(key.encode(), text.encode(), hashlib.sha256).hexdigest()
        if expired:
            raise Refusal("bad_password", "the accessKey has expired")
        if call.headers.get("accessKey") != access or user != "brain":
            raise Refusal("bad_password", "no such user")
        if not hmac.compare_digest(good, call.headers.get("signature", "")) or abs(time.time() - int(stamp)) > 300:
            raise Refusal("bad_password", "AK/SK签名校验失败")
        return [
            {"clusterId": "0", "clusterName": "ac", "token": "only-for-the-platform-itself"},
            {"clusterId": REGION, "clusterName": "hunan", "token": self.new_token()},
        ]

    def admit(self, call, expired):
        if expired:
            self._tokens.clear()
            raise Refusal("expired", "token has expired")
        if not self.known(call.headers.get("token", "")):
            raise Refusal("no_token", "jwt token is invalid")

    def sliced(self, call, rows: list) -> dict:
        start, limit = int(call.query.get("start", 0)), int(call.query.get("limit", 10))
        return {"total": len(rows), "list": rows[start : start + limit]}

    # -- what there is -----------------------------------------------------------------------
    def center(self, call):
        return {"name": "lab", "clusterUserInfo": {"userName": "brain", "homePath": str(self.home)}}

    def clusters(self, call):
        return [{"JobManagerType": "SLURM", "id": MANAGER, "text": "lab", "version": "lab"}]

    def queues(self, call):
        return [
            {"id": p["name"], "queueName": p["name"], "queNodes": str(p["nodes"]), "queNcpus": str(p["cpu"]),
             "queMaxWalltime": str(p["max_min"] * 60), "queState": "Active" if p["up"] else "Inactive",
             "queRunJobs": p["running"], "queWaitJobs": p["pending"]}
            for p in self.house.pools()
        ]  # fmt: skip

    def nodes(self, call):
        rows = [
            {"nodeName": n["name"], "queues": n["pools"], "arch": self.house.row["machine"],
             "status": "down" if n["down"] else "offline" if not n["up"] else "free" if n["idle"] else "job-exclusive",
             "cpu": {"total": n["cpu"], "used": n["used_cpu"]},
             "memory": {"total": n["memory"], "used": n["used_memory"]},
             "accelerators": [{"type": self.house.row["native"], "total": n["cards"], "used": n["used_cards"]}]}
            for n in self.house.nodes()
        ]  # fmt: skip
        return self.sliced(call, rows)

    def limits(self, call):
        limit, used = self.house.limit()
        return {"userMaxDcu": limit, "userUsedDcu": used, "userMaxCpu": -1, "userUsedCpu": 0}

    def alarms(self, call):
        rows = [
            {"alarmId": a["id"], "alarmName": a["words"], "alarmLevel": 1 if a["grave"] else 3,
             "target": a["place"], "occurTime": written(a["since"])}
            for a in self.house.alarms()
        ]  # fmt: skip
        return self.sliced(call, rows)

    # -- jobs --------------------------------------------------------------------------------
    def _row(self, job) -> dict:
        return {
            "jobId": str(job.job_id), "jobName": job.name,
            "jobStatus": STATES[job.flags[0] if job.flags else job.state],
            "queue": job.partition, "reason": job.reason, "jobExitStatus": exit_code(job), "comment": "",
            "submitTime": written(job.submit_time), "jobStartTime": written(job.start_time),
            "jobEndTime": written(job.end_time), "nodeUsed": ",".join(job.hosts), "nnode": str(job.nodes),
            "procNumReq": str(job.cpus), "dcuNumReq": str(cards(job)), "wallTimeReq": str(job.time_limit * 60),
        }  # fmt: skip

    def jobs(self, call):
        return self.sliced(call, [self._row(job) for job in self.house.live(name=call.query.get("strJobName"))])

    def job(self, call):
        return self._row(self.house.find(call.words[0]))

    def history(self, call):
        since = read_time(call.query["startTime"])
        rows = self.house.past(since=since, name=call.query.get("jobName"))
        return self.sliced(call, [self._row(job) for job in rows])

    def submit(self, call):
        if call.json["strJobManagerID"] != MANAGER:
            raise Refusal("bad_request", "strJobManagerID")
        wanted = call.json["mapAppJobInfo"]
        if any(not isinstance(value, str) for value in wanted.values()):
            raise Refusal("bad_request", "every value is a text")
        hours, minutes, seconds = map(int, wanted["GAP_WALL_TIME"].split(":"))
        job = self.house.submit(
            wanted["GAP_CMD_FILE"], name=wanted["GAP_JOB_NAME"], pool=wanted["GAP_QUEUE"],
            nodes=int(wanted["GAP_NNODE"]), cpu=int(wanted["GAP_PPN"]), cards=int(wanted.get("GAP_NDCU", "0")),
            memory_mib=int(wanted.get("GAP_JOB_MEM", "0").removesuffix("MB")), workdir=wanted["GAP_WORK_DIR"],
            limit_min=-(-(hours * 3600 + minutes * 60 + seconds) // 60), log=wanted["GAP_STD_OUT_FILE"],
        )  # fmt: skip
        return str(job.job_id)

    def cancel(self, call):
        manager, _, rest = call.form["strJobInfoMap"].partition(",")
        if call.form["jobMethod"] != "5" or manager != str(MANAGER):
            raise Refusal("bad_request", "strJobInfoMap")
        self.house.cancel(self.house.find(rest.split(":")[1]))

    # -- containers --------------------------------------------------------------------------
    def _container(self, row: dict) -> dict:
        words = {"starting": "Deploying", "running": "Running", "degraded": "Running", "failed": "Failed"}
        url = f"{self.address}/apps/{row['id']}/"
        return {
            "id": row["id"], "instanceServiceName": row["name"], "status": words[row["state"]], "reason": "",
            "taskNumber": row["replicas"], "runningNumber": row["ready"], "resourceGroup": row["pool"],
            "description": row["label"],
            "containerPortInfoList": [{"containerPort": 8000, "protocolType": "HTTP", "accessUrl": url}],
        }  # fmt: skip

    def containers(self, call):
        rows = [self._container(row) for row in self.services.rows(call.json["instanceServiceName"])]
        start, limit = call.json["start"], call.json["limit"]
        return {"total": len(rows), "list": rows[start : start + limit]}

    def contain(self, call):
        wanted = call.json
        row = self.services.make(
            name=wanted["instanceServiceName"], label=wanted["description"], pool=wanted["resourceGroup"],
            script=wanted["startScriptContent"], replicas=wanted["taskNumber"], cards=wanted.get("gpuNumber", 0),
            cpu=wanted["cpuNumber"], memory_mib=wanted.get("ramSize", 0),
        )  # fmt: skip
        return row["id"]

    def end(self, call):
        self.services.remove(call.query["ids"])

    # -- files -------------------------------------------------------------------------------
    def stat(self, call):
        found = self.store.stat(call.query["path"])
        return {"name": found["name"], "isDirectory": found["folder"], "size": str(found["size"])}

    def mkdir(self, call):
        self.store.mkdir(call.query["path"])

    def burst(self, call):
        self.store.upload(call.form["identifier"], int(call.form["chunkNumber"]), call.file)

    def merge(self, call):
        wanted = call.form
        self.store.merge(wanted["identifier"], int(wanted["totalChunks"]), f"{wanted['path']}/{wanted['filename']}")

    def download(self, call):
        return self.bytes(call.query["path"], *call.range())

    def remove(self, call):
        self.store.remove(call.form["paths"], call.form["recursive"] == "true")

    ROUTES = {
        ("POST", r"/api/user/v3/tokens"): ("login", login),
        ("GET", r"/ac/openapi/v2/center"): ("read", center),
        ("GET", r"/hpc/openapi/v2/cluster"): ("read", clusters),
        ("GET", r"/hpc/openapi/v2/queuenames/users/brain"): ("read", queues),
        ("GET", r"/hpc/openapi/v2/nodes"): ("read", nodes),
        ("GET", r"/hpc/openapi/v2/userquotas/userlimit"): ("read", limits),
        ("GET", r"/hpc/openapi/v2/alarms"): ("read", alarms),
        ("GET", r"/hpc/openapi/v2/jobs"): ("read", jobs),
        ("GET", r"/hpc/openapi/v2/jobs/([^/]+)"): ("read", job),
        ("GET", r"/hpc/openapi/v2/historyjobs"): ("read", history),
        ("POST", r"/hpc/openapi/v2/apptemplates/BASIC/BASE/job"): ("write", submit),
        ("DELETE", r"/hpc/openapi/v2/jobs"): ("write", cancel),
        ("GET", r"/ai/openapi/v2/instance-service/task"): ("read", containers),
        ("POST", r"/ai/openapi/v2/instance-service/task"): ("write", contain),
        ("DELETE", r"/ai/openapi/v2/instance-service/task"): ("write", end),
        ("GET", r"/efile/openapi/v2/file/stat"): ("read", stat),
        ("POST", r"/efile/openapi/v2/file/mkdir"): ("write", mkdir),
        ("POST", r"/efile/openapi/v2/file/burst"): ("write", burst),
        ("POST", r"/efile/openapi/v2/file/merge"): ("write", merge),
        ("GET", r"/efile/openapi/v2/file/download"): ("read", download),
        ("POST", r"/efile/openapi/v2/file/remove"): ("write", remove),
    }  # fmt: skip
