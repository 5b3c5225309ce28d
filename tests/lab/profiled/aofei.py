"""What stands for H3C AoFei: an AI platform before Volcano and GPUs, shaped like crater and OpenSCOW.

Login by password gives a bearer token of 6 hours; `{code, data, msg}` with five-digit codes beside true HTTP statuses;
pages by number; integer ids; times in RFC 3339 with a zone; Volcano's phases; names unique for ever.
"""

from tests.lab.profiled.face import Call
from tests.lab.profiled.face import Face
from tests.lab.profiled.face import written
from tests.lab.profiled.house import cards
from tests.lab.profiled.house import exit_code
from tests.lab.profiled.house import Refusal
from tests.lab.slurm.answers import Answer

PHASES = {
    "PENDING": "Pending", "RUNNING": "Running", "COMPLETING": "Completing", "COMPLETED": "Completed",
    "FAILED": "Failed", "TIMEOUT": "Terminated", "NODE_FAIL": "Failed", "CANCELLED": "Aborted",
}  # fmt: skip
#: kind of refusal → (HTTP status, code)
CODES = {
    "bad_request": (400, 40001), "expired": (401, 40101), "no_token": (401, 40102), "bad_password": (401, 40103),
    "not_allowed": (403, 40301), "no_job": (404, 40401), "no_pool": (404, 40402), "no_file": (404, 40403),
    "no_route": (404, 40400), "exists": (409, 40901), "ended": (409, 40902), "not_empty": (409, 40903),
    "parts_missing": (409, 40904), "too_much": (422, 42201), "quota": (403, 40310), "full": (507, 50701),
    "refused": (422, 42200), "no_image": (404, 40406), "no_service": (404, 40407),
    "range": (416, 41600), "down": (500, 50001),
    "file_exists": (409, 40905),
}  # fmt: skip
IMAGES = (
    ("base-python", "3.11"), ("pytorch", "2.4-cuda12"), ("tensorflow", "2.15-cuda12"), ("paddlepaddle", "2.6-cuda12"),
    ("mindspore", "2.4-cpu"), ("caffe", "1.0-cuda11"),
)  # fmt: skip
RFC3339 = "%Y-%m-%dT%H:%M:%S+08:00"


class Aofei(Face):
    # -- envelope, login ---------------------------------------------------------------------
    def good(self, data):
        return Answer(200, {"code": 0, "data": data, "msg": ""})

    def bad(self, refusal: Refusal):
        status, code = CODES[refusal.kind]
        return Answer(status, {"code": code, "data": None, "msg": refusal.words})

    def login(self, call: Call, expired: bool):
        if expired:
            raise Refusal("bad_password", "the password has expired, change it at the console")
        if (call.json["username"], call.json["password"]) != ("brain", self.secret):
            raise Refusal("bad_password", "wrong user name or password")
        return {"accessToken": self.new_token(), "context": {"queue": "demo"}}

    def admit(self, call, expired):
        token = call.headers.get("Authorization", "").removeprefix("Bearer ")
        if expired:
            self._tokens.clear()
            raise Refusal("expired", "token expired")
        if not self.known(token):
            raise Refusal("no_token", "token invalid")

    def paged(self, call: Call, rows: list) -> dict:
        page, size = int(call.query.get("page", 1)), min(int(call.query.get("page_size", 10)), 100)
        return {"items": rows[(page - 1) * size : page * size], "total": len(rows), "page": page, "page_size": size}

    # -- what there is -----------------------------------------------------------------------
    def system(self, call):
        return {"version": "lab", "apiVersion": "v1"}

    def partitions(self, call):
        rows = [
            {"name": p["name"], "partitionStatus": "AVAILABLE" if p["up"] else "NOT_AVAILABLE", "nodeCount": p["nodes"],
             "cores": p["cpu"], "gpus": p["cards"], "memMb": p["memory"], "runningJobCount": p["running"],
             "pendingJobCount": p["pending"], "maxTime": p["max_min"]}
            for p in self.house.pools()
        ]  # fmt: skip
        return self.paged(call, rows)

    def nodes(self, call):
        rows = [
            {"nodeName": n["name"], "partitions": n["pools"], "cpuArch": self.house.row["machine"],
             "state": "NOT_AVAILABLE" if not n["up"] else "IDLE" if n["idle"] else "RUNNING",
             "cpuCoreCount": n["cpu"], "allocCpuCoreCount": n["used_cpu"], "idleCpuCoreCount": n["cpu"] - n["used_cpu"],
             "totalMemMb": n["memory"], "allocMemMb": n["used_memory"], "idleMemMb": n["memory"] - n["used_memory"],
             "gpuType": self.house.row["native"], "gpuCount": n["cards"], "allocGpuCount": n["used_cards"],
             "idleGpuCount": n["cards"] - n["used_cards"]}
            for n in self.house.nodes()
        ]  # fmt: skip
        return self.paged(call, rows)

    def quota(self, call):
        limit, used = self.house.limit()
        return [{"resource": self.house.row["native"], "hard": limit, "used": used}]

    def alerts(self, call):
        rows = [
            {"id": a["id"], "alertName": a["words"], "level": "critical" if a["grave"] else "warning",
             "target": a["place"], "firedAt": written(a["since"], RFC3339)}
            for a in self.house.alarms()
        ]  # fmt: skip
        return self.paged(call, rows)

    def images(self, call):
        return self.paged(call, [{"name": name, "tag": tag, "status": "CREATED"} for name, tag in IMAGES])

    # -- jobs --------------------------------------------------------------------------------
    def _row(self, job) -> dict:
        phase = PHASES[job.flags[0] if job.flags else job.state]
        return {
            "id": job.job_id, "name": job.name, "status": phase, "statusReason": job.reason.replace("None", ""),
            "partition": job.partition, "description": job.comment,
            "creationTimestamp": written(job.submit_time, RFC3339),
            "runningTimestamp": written(job.start_time, RFC3339) or None,
            "completedTimestamp": written(job.end_time, RFC3339) or None, "exitCode": exit_code(job),
            "nodes": ",".join(job.hosts), "nodeCount": job.nodes, "cpuCount": job.cpus, "gpuCount": cards(job),
            "timeLimit": job.time_limit,
        }  # fmt: skip

    def jobs(self, call):
        return self.paged(call, [self._row(job) for job in self.house.live(name=call.query.get("name"))])

    def detail(self, call):
        return self._row(self.house.find(call.words[0]))

    def history(self, call):
        return self.paged(call, [self._row(job) for job in self.house.past(name=call.query.get("name"))])

    def _work(self, wanted: dict) -> dict:
        """Return what a job and a copy of a service have in common."""
        resource, native = wanted["resource"], self.house.row["native"]
        if strange := set(resource) - {"cpu", "memory", native}:
            raise Refusal("too_much", f"no node has {', '.join(sorted(strange))}")
        if wanted["image"] not in [f"{name}:{tag}" for name, tag in IMAGES]:
            raise Refusal("no_image", f"there is no image {wanted['image']}")
        return {
            "script": f"#!/bin/sh\n{wanted['command']}\n", "name": wanted["name"], "pool": wanted["partition"],
            "cards": resource.get(native, 0), "cpu": resource["cpu"], "label": wanted["description"],
            "memory_mib": int(str(resource.get("memory", "0Mi")).removesuffix("Mi")), "workdir": wanted["workingDir"],
            "environment": {e["name"]: e["value"] for e in wanted["envs"]},
        }  # fmt: skip

    def train(self, call):
        wanted = call.json
        job = self.house.submit(
            **self._work(wanted), unique=True, nodes=wanted["nodeCount"], limit_min=wanted["maxTime"]
        )  # fmt: skip
        return {"jobId": job.job_id}

    # -- inference services ------------------------------------------------------------------
    def _service(self, row: dict) -> dict:
        words = {"starting": "Deploying", "running": "Running", "degraded": "Degraded", "failed": "Failed"}
        return {
            "id": row["id"], "name": row["name"], "status": words[row["state"]], "statusReason": "",
            "replicas": row["replicas"], "readyReplicas": row["ready"], "partition": row["pool"],
            "description": row["label"], "accessUrl": f"{self.address}/apps/{row['id']}/",
        }  # fmt: skip

    def inferences(self, call):
        return self.paged(call, [self._service(row) for row in self.services.rows(call.query.get("name"))])

    def infer(self, call):
        return self._service(self.services.make(**self._work(call.json), replicas=call.json["replicas"]))

    def change(self, call):
        work = self._work(call.json)
        return self._service(self.services.change(call.words[0], **work, replicas=call.json["replicas"]))

    def end(self, call):
        self.services.remove(call.words[0])

    def delete(self, call):
        self.house.cancel(self.house.find(call.words[0]))

    # -- files -------------------------------------------------------------------------------
    def home_dir(self, call):
        return {"path": str(self.home)}

    def metadata(self, call):
        found = self.store.stat(call.query["path"])
        return {"type": "DIR" if found["folder"] else "FILE", "size": found["size"]}

    def mkdir(self, call):
        self.store.mkdir(call.json["path"])

    def chunk(self, call):
        self.store.upload(call.form["fileMd5Name"], int(call.form["chunkIndex"]), call.file)

    def chunks(self, call):
        return {"uploaded": self.store.uploaded(call.query["fileMd5Name"])}

    def merge(self, call):
        wanted = call.json
        self.store.merge(wanted["fileMd5Name"], wanted["chunks"], f"{wanted['path']}/{wanted['fileName']}")

    def download(self, call):
        return self.bytes(call.query["path"], *call.range())

    def remove(self, call):
        self.store.remove(call.json["path"], call.json["target"] == "DIR")

    ROUTES = {
        ("POST", r"/api/v1/auth/login"): ("login", login),
        ("GET", r"/api/v1/system/info"): ("read", system),
        ("GET", r"/api/v1/partitions"): ("read", partitions),
        ("GET", r"/api/v1/nodes"): ("read", nodes),
        ("GET", r"/api/v1/context/quota"): ("read", quota),
        ("GET", r"/api/v1/alerts"): ("read", alerts),
        ("GET", r"/api/v1/images"): ("read", images),
        ("GET", r"/api/v1/vcjobs"): ("read", jobs),
        ("GET", r"/api/v1/vcjobs/history"): ("read", history),
        ("GET", r"/api/v1/vcjobs/([^/]+)/detail"): ("read", detail),
        ("POST", r"/api/v1/vcjobs/training"): ("write", train),
        ("DELETE", r"/api/v1/vcjobs/([^/]+)"): ("write", delete),
        ("GET", r"/api/v1/inferences"): ("read", inferences),
        ("POST", r"/api/v1/inferences"): ("write", infer),
        ("PUT", r"/api/v1/inferences/([^/]+)"): ("write", change),
        ("DELETE", r"/api/v1/inferences/([^/]+)"): ("write", end),
        ("GET", r"/api/v1/file/homeDir"): ("read", home_dir),
        ("GET", r"/api/v1/file/metadata"): ("read", metadata),
        ("POST", r"/api/v1/file/mkdir"): ("write", mkdir),
        ("POST", r"/api/v1/files/uploadChunks"): ("write", chunk),
        ("GET", r"/api/v1/files/uploadChunks"): ("read", chunks),
        ("POST", r"/api/v1/file/mergeChunks"): ("write", merge),
        ("GET", r"/api/v1/file/download"): ("read", download),
        ("POST", r"/api/v1/file/delete"): ("write", remove),
    }  # fmt: skip
