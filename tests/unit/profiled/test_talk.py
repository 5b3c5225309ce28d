# SPDX-License-Identifier: GPL-3.0-or-later
"""The engine against answers that no stand-in gives."""

import json
import threading
import types

import pytest

from ansible_collections.suanwang.brain.plugins.module_utils import sites
from ansible_collections.suanwang.brain.plugins.module_utils.errors import NotFound
from ansible_collections.suanwang.brain.plugins.module_utils.errors import Refused
from ansible_collections.suanwang.brain.plugins.module_utils.errors import Unauthorized
from ansible_collections.suanwang.brain.plugins.module_utils.errors import Unreachable
from ansible_collections.suanwang.brain.plugins.module_utils.http import Answer
from ansible_collections.suanwang.brain.plugins.module_utils.platforms.aofei import Aofei
from ansible_collections.suanwang.brain.plugins.module_utils.platforms.custom import Custom
from ansible_collections.suanwang.brain.plugins.module_utils.platforms.tianyin import Tianyin
from ansible_collections.suanwang.brain.plugins.module_utils.profiled import talk
from ansible_collections.suanwang.brain.plugins.module_utils.resources import Job
from ansible_collections.suanwang.brain.plugins.module_utils.resources import JobSpec
from tests.contract.benches import THIRD

SECRET = "an-access-key:a-very-secret-key"
LOGINS = {
    "/api/v1/auth/login": {"code": 0, "data": {"accessToken": "tok-1"}},
    "/api/user/v3/tokens": {
        "code": "0",
        "data": [{"clusterId": "0", "token": "no"}, {"clusterId": "7", "token": "tok-1"}],
    },
}


class Script:
    """Stands for the HTTP session: end of a path → body, (status, body), or a list of them, the last one for ever."""

    def __init__(self, answers):
        self.answers, self.asked = {**LOGINS, **answers}, []

    def request(self, method, path, *, raw=False, **more):
        self.asked.append((method, path, more))
        end = max((e for e in self.answers if path.endswith(e)), key=len)
        said = self.answers[end]
        if isinstance(said, list):
            said = said.pop(0) if len(said) > 1 else said[0]
        status, body = said if isinstance(said, tuple) else (200, said)
        if callable(body):
            body = body(more)
        text = body if isinstance(body, str) else json.dumps(body)
        return Answer(status, {}, None if isinstance(body, str) else body, text)


@pytest.fixture(autouse=True)
def no_waiting(monkeypatch):
    monkeypatch.setattr(talk, "BACKOFF_S", 0)
    talk._TOKENS.clear()


def scripted(kind, answers, user="brain"):
    profile = "profiles/third.yml" if kind is Custom else None
    endpoint = sites.Endpoint(
        id="e", protocol="https", via="intranet", address="127.0.0.1", port=1, profile=profile, storage={"root": "/r"}
    )
    site = sites.Site("s", {}, {}, (endpoint,), "")
    return kind(
        types.SimpleNamespace(
            site=site,
            endpoint=endpoint,
            account=sites.Account(user, "demo", "the-file"),
            tenant="demo",
            secret=lambda: SECRET,
            http=Script(answers),
            config=types.SimpleNamespace(folder=THIRD),
        )
    )


def good(rows, total=None):
    return {"code": 0, "data": {"items": rows, "total": len(rows) if total is None else total}}


def row(number=1, name="n", **more):
    return {"id": number, "name": name, "status": "Running", "creationTimestamp": "2026-11-25T11:00:00+08:00", **more}


def spec(**more):
    facts = {
        "name": "n",
        "label": "l",
        "pool": "p",
        "script": "#!/bin/sh\ntrue\n",
        "workdir": "/r/w",
        "log": "/r/w/log",
    }
    return JobSpec(**{**facts, "environment": {}, **more})


# -- envelopes --------------------------------------------------------------------------------------
def test_http_200_with_an_error_inside_is_one():
    platform = scripted(Tianyin, {"/hpc/openapi/v2/jobs": {"code": "816841", "msg": "超出配额", "data": None}})
    with pytest.raises(Refused) as caught:
        platform.jobs()
    assert "816841" in str(caught.value) and "超出配额" in str(caught.value)


@pytest.mark.parametrize("body", ["<html>welcome</html>", {"hello": 1}, (200, []), {"code": None}])
def test_somebody_elses_page_says_nothing_about_a_job(body):
    platform = scripted(Aofei, {"/api/v1/vcjobs": body, "/api/v1/vcjobs/history": good([])})
    with pytest.raises(Unreachable):
        platform.job("n")


@pytest.mark.parametrize("data", [None, {}, {"items": None}, {"items": "none"}])
def test_a_list_that_is_missing_is_no_empty_one(data):
    platform = scripted(Aofei, {"/api/v1/vcjobs": {"code": 0, "data": data}, "/history": good([])})
    with pytest.raises(Unreachable):
        platform.job("n")


def test_a_reads_platform_error_is_asked_again_and_a_right_that_is_missing_is_not():
    busy = (500, {"code": 50001, "msg": "busy", "data": None})
    platform = scripted(Aofei, {"/api/v1/vcjobs": [busy, busy, good([row()])]})
    assert [job.id for job in platform.jobs()] == ["1"]
    platform = scripted(Aofei, {"/api/v1/vcjobs": (403, {"code": 40301, "msg": "no", "data": None})})
    with pytest.raises(Unauthorized):
        platform.jobs()
    assert len([1 for _m, path, _o in platform.connection.http.asked if path.endswith("vcjobs")]) == 1


def test_one_new_login_and_no_more():
    over = (401, {"code": 40101, "msg": f"token tok-1 of {SECRET} expired", "data": None})
    platform = scripted(Aofei, {"/api/v1/vcjobs": over})
    with pytest.raises(Unauthorized) as caught:
        platform.jobs()
    logins = [path for _m, path, _o in platform.connection.http.asked if path.endswith("login")]
    assert len(logins) == 2
    said = f"{caught.value} {caught.value.failure()}"
    assert "tok-1" not in said and "secret" not in said and "the-file" in said


def test_a_login_that_waits_holds_up_no_other_site():
    inside, go = threading.Event(), threading.Event()

    def slow(more):
        inside.set()
        assert go.wait(10)
        return {"code": 0, "data": {"accessToken": "tok-2"}}

    held = scripted(Aofei, {"/api/v1/auth/login": (200, slow), "/api/v1/vcjobs": good([])})
    other = scripted(Tianyin, {"/hpc/openapi/v2/jobs": {"code": "0", "data": {"list": [], "total": 0}}}, "li")
    thread = threading.Thread(target=held.jobs)
    thread.start()
    try:
        assert inside.wait(10)
        assert other.jobs() == []
    finally:
        go.set()
        thread.join(10)


def test_a_signed_login_signs_what_it_says(monkeypatch):
    monkeypatch.setattr(talk.time, "time", lambda: 1700000000.5)
    platform = scripted(Tianyin, {"/hpc/openapi/v2/jobs": {"code": "0", "data": {"list": [], "total": 0}}})
    assert platform.jobs() == []
    (_method, _path, login), (_m, _p, listed) = platform.connection.http.asked
    # Reckoned with: printf '%s' '{"accessKey":…}' | openssl dgst -sha256 -hmac a-very-secret-key
    assert login["headers"] == {
        "user": "brain", "accessKey": "an-access-key", "timestamp": "1700000000", "signature": SIGNATURE,
    }  # fmt: skip
    assert listed["headers"] == {"token": "tok-1"}


SIGNATURE = "1a3c8a910566c1a5fc63e299bf03b66e8b4867318359622e360f1df082c17d5b"


# -- pages ------------------------------------------------------------------------------------------
def test_pages_that_go_in_a_circle_raise():
    platform = scripted(Aofei, {"/api/v1/vcjobs": good([row()] * 3, total=99)})
    with pytest.raises(Unreachable) as caught:
        platform.jobs()
    assert "circle" in str(caught.value)


def test_cursors_that_go_in_a_circle_raise():
    numbers = iter(range(10))
    page = lambda more: {"entries": [{"uuid": str(next(numbers)), "title": "n", "machines": []}], "after": "same"}  # noqa: E731
    platform = scripted(Custom, {"/v3/jobs": (200, page)})
    with pytest.raises(Unreachable) as caught:
        platform.jobs()
    assert "circle" in str(caught.value)


def test_pages_without_end_raise(monkeypatch):
    monkeypatch.setattr(talk, "PAGES", 5)
    numbers = iter(range(10**6))
    page = lambda more: good([row(next(numbers))], total=10**6)  # noqa: E731
    platform = scripted(Aofei, {"/api/v1/vcjobs": (200, page)})
    with pytest.raises(Unreachable) as caught:
        platform.jobs()
    assert "more than 5 pages" in str(caught.value)


def test_a_cursor_is_sent_as_it_is():
    pages = [{"entries": [{"uuid": "a", "title": "n", "machines": []}], "after": "{secret}&x=1"}, {"entries": []}]
    platform = scripted(Custom, {"/v3/jobs": pages})
    assert [job.id for job in platform.jobs()] == ["a"]
    assert [more["params"].get("after") for _m, _p, more in platform.connection.http.asked] == [None, "{secret}&x=1"]


# -- jobs -------------------------------------------------------------------------------------------
def test_the_newest_of_a_name_counts_and_another_name_does_not():
    rows = [row(9, creationTimestamp="2026-11-25T01:00:00Z"), row(3, creationTimestamp="2026-11-25T02:00:00Z"),
            row(12, name="n2", creationTimestamp="2026-11-25T09:00:00Z")]  # fmt: skip
    assert scripted(Aofei, {"/api/v1/vcjobs": good(rows)}).job("n").id == "3"


def test_an_end_without_an_exit_code_is_no_success():
    past = {"jobId": "5", "jobName": "n", "jobStatus": "statC", "jobExitStatus": None}
    listed = {"code": "0", "data": {"list": [], "total": 0}}
    platform = scripted(Tianyin, {
        "/v2/jobs": listed, "/historyjobs": {"code": "0", "data": {"list": [past], "total": 1}},
    })  # fmt: skip
    job = platform.job("n")
    assert (job.state, job.exit_code, job.native_state) == ("failed", None, "statC")


def test_what_appears_between_live_list_and_history_is_not_lost():
    answers = {"/api/v1/vcjobs": [good([]), good([row()])], "/api/v1/vcjobs/history": good([row()])}
    assert scripted(Aofei, answers).job("n").state == "running"
    answers = {"/api/v1/vcjobs": good([]), "/api/v1/vcjobs/history": good([row()])}
    job = scripted(Aofei, answers).job("n")
    assert job.state == "failed" and job.reason.startswith("lost")


@pytest.mark.parametrize("data", [{}, {"jobId": None}, {"jobId": 0}, {"jobId": "x"}, None])
def test_a_submit_without_an_id_is_doubt(data):
    platform = scripted(Aofei, {"/training": {"code": 0, "data": data}})
    with pytest.raises(Unreachable) as caught:
        platform.submit(spec())
    assert caught.value.details["doubt"] is True


@pytest.mark.parametrize("answer", [(500, {"code": 50001, "msg": "x"}), (200, "<html>"), (500, "oops"), (200, {})])
def test_a_submit_that_says_nothing_is_doubt_and_one_request(answer):
    platform = scripted(Aofei, {"/training": answer})
    with pytest.raises(Unreachable) as caught:
        platform.submit(spec())
    assert caught.value.details["doubt"] is True
    assert len([1 for _m, path, _o in platform.connection.http.asked if path.endswith("training")]) == 1


def test_a_submit_under_an_expired_token_is_sent_again_for_it_was_not_taken():
    over = (401, {"code": 40101, "msg": "expired", "data": None})
    platform = scripted(Aofei, {"/training": [over, {"code": 0, "data": {"jobId": 8}}]})
    assert platform.submit(spec()).id == "8"


@pytest.mark.parametrize(("end", "kind", "said"), [
    ({"phase": "失败", "why": "no such card"}, Refused, "no such card"),
    ({"phase": "完成"}, Unreachable, "names no id"), ((500, {"error": {"reason": "down"}}), Unreachable, "down"),
])  # fmt: skip
def test_how_an_operation_ends(end, kind, said):
    platform = scripted(Custom, {"/v3/jobs": (202, {"operation": "op/1"}), "/v3/operations/op%2F1": end})
    with pytest.raises(kind) as caught:
        platform.submit(spec())
    assert said in str(caught.value)
    assert caught.value.details.get("doubt") is (True if kind is Unreachable else None)


def test_an_operation_that_goes_on_is_doubt(monkeypatch):
    from ansible_collections.suanwang.brain.plugins.module_utils.profiled import platform as engine

    monkeypatch.setattr(engine, "SUBMIT_S", 0.05)
    monkeypatch.setattr(engine, "POLL_S", 0.01)
    platform = scripted(Custom, {"/v3/jobs": (202, {"operation": "o"}), "/v3/operations/o": {"phase": "奇怪"}})
    with pytest.raises(Unreachable) as caught:
        platform.submit(spec())
    assert caught.value.details["doubt"] is True and "奇怪" in str(caught.value)


def test_a_cancel_that_comes_late_is_fine():
    running = row(7)
    platform = scripted(Aofei, {
        "/7/detail": {"code": 0, "data": running}, "/vcjobs/7": (409, {"code": 40902, "msg": "ended"}),
    })  # fmt: skip
    platform.cancel(Job(id="7", name="n", state="running"))
    assert [method for method, _p, _o in platform.connection.http.asked] == ["POST", "GET", "DELETE"]


# -- files ------------------------------------------------------------------------------------------
def test_a_file_that_is_not_there_is_none_in_both_manners():
    gone = {"code": "911020", "msg": "not found", "data": None}
    platform = scripted(Tianyin, {"/file/stat": gone, "/file/download": gone})
    assert platform.files.dataset("x") is None and platform.files.read_text("x") is None
    with pytest.raises(NotFound):
        platform.files.fetch("x", "/dev/null")


def test_json_that_a_job_left_is_a_file_whatever_its_type(monkeypatch):
    content = json.dumps({"code": "911020", "accuracy": 1}).encode()

    class Downloads(Script):
        def request(self, method, path, *, raw=False, **more):
            if not raw:
                return super().request(method, path, **more)
            return Answer(206, {"content-type": "application/json"}, None, "", content=content)

    platform = scripted(Tianyin, {})
    platform.connection.http = Downloads({})
    assert platform.files.read_text("x") == content.decode()
