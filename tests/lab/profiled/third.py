"""A platform of a third shape, which nobody sells: the one that the profile language is tried with.

An API key in a header and no login; plain bodies, errors by HTTP status; pages by cursor; a submit that answers 202 and
an operation to poll; ids that are UUIDs; times in milliseconds; memory in GiB; state words in Chinese; files written at
an offset, ranges as a query, SHA-256 stated. No quota, no alarms, no look-up of one job.
"""

import base64
import time
import uuid

from tests.lab.profiled.face import Face
from tests.lab.profiled.house import cards
from tests.lab.profiled.house import exit_code
from tests.lab.profiled.house import Refusal
from tests.lab.slurm.answers import Answer

STATES = {
    "PENDING": "排队中", "RUNNING": "运行中", "COMPLETING": "收尾中", "COMPLETED": "成功", "FAILED": "失败",
    "TIMEOUT": "超时", "NODE_FAIL": "失败", "CANCELLED": "已取消",
}  # fmt: skip
STATUS = {
    "bad_request": 400, "expired": 401, "no_token": 401, "not_allowed": 403, "no_job": 404, "no_pool": 404,
    "no_file": 404, "no_route": 404, "ended": 409, "exists": 409, "not_empty": 409, "file_exists": 409,
    "parts_missing": 409, "too_much": 422, "quota": 403, "full": 507, "refused": 422, "range": 416, "down": 500,
    "no_service": 404,
}  # fmt: skip
SPACE = uuid.UUID("6ba7b810-9dad-11d1-80b4-00c04fd430c8")
PAGE = 2
OPERATION_S = 0.2


def identity(job) -> str:
    return str(uuid.uuid5(SPACE, f"{job.job_id}"))


class Third(Face):
    def __init__(self, *arguments):
        super().__init__(*arguments)
        self._operations: dict[str, tuple[float, object]] = {}

    # -- no envelope, no login ---------------------------------------------------------------
    def good(self, data):
        return Answer(204, None) if data is None else Answer(200, data)

    def bad(self, refusal: Refusal):
        return Answer(STATUS[refusal.kind], {"error": {"reason": refusal.kind, "text": refusal.words}})

    def admit(self, call, expired):
        if expired:
            raise Refusal("expired", "this API key has expired")
        if call.headers.get("X-Api-Key") != self.secret:
            raise Refusal("no_token", "unknown API key")

    def paged(self, call, rows: list) -> dict:
        start = int(base64.b64decode(call.query["after"])) if "after" in call.query else 0
        size = min(int(call.query.get("per_page", PAGE)), PAGE)
        following = start + size
        more = {"after": base64.b64encode(str(following).encode()).decode()} if following < len(rows) else {}
        return {"entries": rows[start:following], "count": len(rows), **more}

    # -- what there is -----------------------------------------------------------------------
    def about(self, call):
        return {"product": "third", "release": "3.1", "home": str(self.home)}

    def pools(self, call):
        rows = [
            {"label": p["name"], "enabled": p["up"], "limit": {"seconds": p["max_min"] * 60}}
            for p in self.house.pools()
        ]
        return self.paged(call, rows)

    def machines(self, call):
        rows = [
            {"host": n["name"], "pool": n["pools"][0], "healthy": n["up"], "isa": self.house.row["machine"],
             "cores": [n["cpu"], n["used_cpu"]], "gib": [n["memory"] / 1024, n["used_memory"] / 1024],
             "cards": {"kind": self.house.row["native"], "all": n["cards"], "busy": n["used_cards"]}}
            for n in self.house.nodes()
        ]  # fmt: skip
        return self.paged(call, rows)

    # -- jobs --------------------------------------------------------------------------------
    def _row(self, job) -> dict:
        return {
            "uuid": identity(job), "title": job.name, "状态": STATES[job.flags[0] if job.flags else job.state],
            "pool": job.partition, "note": job.comment, "code": exit_code(job), "machines": job.hosts,
            "at": {"asked": job.submit_time * 1000, "began": job.start_time * 1000, "over": job.end_time * 1000},
            "takes": {"machines": job.nodes, "cores": job.cpus, "cards": cards(job), "seconds": job.time_limit * 60},
        }  # fmt: skip

    def jobs(self, call):
        return self.paged(call, [self._row(job) for job in self.house.live()])

    def archive(self, call):
        since = int(call.query["since"]) / 1000
        return self.paged(call, [self._row(job) for job in self.house.past(since=since)])

    def submit(self, call):
        wanted = call.json
        job = self.house.submit(
            wanted["script"], name=wanted["title"], pool=wanted["pool"], cards=wanted["takes"].get("cards", 0),
            nodes=wanted["takes"]["machines"], cpu=wanted["takes"]["cores"],
            memory_mib=wanted["takes"].get("gib", 0) * 1024, limit_min=-(-wanted["takes"]["seconds"] // 60),
            workdir=wanted["folder"], log=wanted["log"], environment=wanted["environment"], label=wanted["note"],
        )  # fmt: skip
        number = str(uuid.uuid4())
        self._operations[number] = (time.monotonic() + OPERATION_S, job)
        return Answer(202, {"operation": number})

    def operation(self, call):
        until, job = self._operations[call.words[0]]
        if time.monotonic() < until:
            return {"phase": "处理中"}
        return {"phase": "完成", "target": identity(job)}

    def cancel(self, call):
        found = next((job for job in self.house.live() if identity(job) == call.words[0]), None)
        if found is None:
            raise Refusal("no_job", "no such job")
        self.house.cancel(found)

    # -- services ----------------------------------------------------------------------------
    def _service(self, row: dict) -> dict:
        words = {"starting": "启动中", "running": "服务中", "degraded": "部分可用", "failed": "失败"}
        return {"uuid": row["id"], "title": row["name"], "状态": words[row["state"]], "copies": row["replicas"],
                "answering": row["ready"], "at": f"{self.address}/apps/{row['id']}/", "pool": row["pool"],
                "note": row["label"]}  # fmt: skip

    def _work(self, wanted: dict) -> dict:
        return {
            "name": wanted["title"], "label": wanted["note"], "pool": wanted["pool"], "script": wanted["script"],
            "replicas": wanted["copies"], "cards": wanted["takes"].get("cards", 0), "cpu": wanted["takes"]["cores"],
            "memory_mib": wanted["takes"].get("gib", 0) * 1024, "workdir": wanted["folder"],
        }  # fmt: skip

    def served(self, call):
        return self.paged(call, [self._service(row) for row in self.services.rows()])

    def serve(self, call):
        return self._service(self.services.make(**self._work(call.json)))

    def change(self, call):
        return self._service(self.services.change(call.words[0], **self._work(call.json)))

    def unserve(self, call):
        self.services.remove(call.words[0])

    # -- files -------------------------------------------------------------------------------
    def stat(self, call):
        found = self.store.stat(call.query["path"])
        return {"bytes": found["size"], "kind": "folder" if found["folder"] else "file",
                "sha256": self.store.sha256(call.query["path"])}  # fmt: skip

    def mkdir(self, call):
        self.store.mkdir(call.query["path"])

    def write(self, call):
        """A piece at an offset; the last one makes the file appear."""
        path, offset, size = call.form["path"], int(call.form["offset"]), int(call.form["size"])
        upload = call.form["upload"]
        self.store.upload(upload, offset + 1, call.file)
        if offset + len(call.file) >= size:
            numbers = self.store.uploaded(upload)
            for place, number in enumerate(numbers, 1):
                (self.store.parts / upload / str(number)).rename(self.store.parts / upload / str(place))
            self.store.merge(upload, len(numbers), path)

    def read(self, call):
        first = int(call.query["offset"])
        data, _ = self.store.read(call.query["path"], first, first + int(call.query["length"]) - 1)
        return Answer(200, data)

    def remove(self, call):
        self.store.remove(call.query["path"], call.query.get("tree") == "yes")

    ROUTES = {
        ("GET", r"/v3"): ("read", about),
        ("GET", r"/v3/pools"): ("read", pools),
        ("GET", r"/v3/machines"): ("read", machines),
        ("GET", r"/v3/jobs"): ("read", jobs),
        ("GET", r"/v3/archive"): ("read", archive),
        ("POST", r"/v3/jobs"): ("write", submit),
        ("GET", r"/v3/operations/([^/]+)"): ("read", operation),
        ("DELETE", r"/v3/jobs/([^/]+)"): ("write", cancel),
        ("GET", r"/v3/services"): ("read", served),
        ("POST", r"/v3/services"): ("write", serve),
        ("PUT", r"/v3/services/([^/]+)"): ("write", change),
        ("DELETE", r"/v3/services/([^/]+)"): ("write", unserve),
        ("GET", r"/v3/files"): ("read", stat),
        ("PUT", r"/v3/folders"): ("write", mkdir),
        ("POST", r"/v3/files"): ("write", write),
        ("GET", r"/v3/files/bytes"): ("read", read),
        ("DELETE", r"/v3/files"): ("write", remove),
    }  # fmt: skip
