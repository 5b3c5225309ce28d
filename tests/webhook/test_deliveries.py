"""Signed webhooks: what is taken, once; what is forged, late or replayed is not."""

import dataclasses
import hashlib
import hmac
import json
import time

import pytest

from tests.webhook.people import browser
from tests.webhook.people import said
from tests.webhook.people import tiny_task
from webhook.app import build
from webhook.config import Source

SECRET = "shared by two"


@pytest.fixture
def app(settings, desk):
    path = settings.credentials / "hook-test"
    path.write_text(f"{SECRET}\n")
    path.chmod(0o600)
    who = {"credential": "hook-test", "principal": "ci@lab.invalid", "tenant": "demo"}
    sources = [Source(name=kind, kind=kind, task="digits", **who)
               for kind in ("generic", "github", "gitlab", "gitea", "alertmanager")]  # fmt: skip
    sources.append(Source(name="elsewhere", tenant="chemistry", credential="hook-test", principal="ci@lab.invalid"))
    file = settings.file.model_copy(update={"deliveries": sources})
    desk.settings = dataclasses.replace(settings, file=file)
    return build(desk.settings, desk)


def mac(data, secret=SECRET):
    return hmac.new(secret.encode(), data, hashlib.sha256).hexdigest()


def generic(body, delivery="d-1", at=None, secret=SECRET):
    stamp = str(int(time.time() if at is None else at))
    return {
        "X-Suanwang-Timestamp": stamp,
        "X-Suanwang-Delivery": delivery,
        "X-Suanwang-Signature": f"sha256={mac(f'{stamp}.{delivery}.'.encode() + body, secret)}",
    }


def send(app, source, body, headers):
    return app.test_client().post(f"/hooks/{source}", data=body, headers=headers, content_type="application/json")


def asked():
    document, files = tiny_task("delivered")
    return json.dumps({"document": document, "files": files}).encode()


def test_a_delivery_becomes_one_task_however_often_it_comes(app):
    body = asked()
    first = said(send(app, "generic", body, generic(body)))
    again = said(send(app, "generic", body, generic(body)))
    assert first["task"] and first == again
    mine = said(browser(app, "x@lab.invalid", ("auditor",)).get("/api/v1/tasks"))["items"]
    assert [(one["id"], one["requester"], one["source"]) for one in mine] == [
        (first["task"], "ci@lab.invalid", "hook:generic")
    ]


@pytest.mark.parametrize(
    ("headers", "words"),
    [
        (lambda body: {}, "are needed"),
        (lambda body: generic(body, secret="another"), "does not fit"),
        (lambda body: generic(body + b" "), "does not fit"),
        (lambda body: {**generic(body), "X-Suanwang-Delivery": "d-2"}, "does not fit"),
        (lambda body: {**generic(body), "X-Suanwang-Timestamp": str(int(time.time()) + 1)}, "does not fit"),
        (lambda body: generic(body, at=time.time() - 400), "outside the window"),
        (lambda body: generic(body, at=time.time() + 400), "outside the window"),
        (lambda body: generic(body, delivery="../../x"), "are needed"),
        (lambda body: {**generic(body), "X-Suanwang-Signature": "sha256=ü"}, "does not fit"),
    ],
)
def test_what_is_forged_or_late_is_refused(app, headers, words):
    body = asked()
    answer = send(app, "generic", body, headers(body))
    assert answer.status_code == 401 and words in said(answer)["detail"]
    assert said(browser(app, "x@lab.invalid", ("auditor",)).get("/api/v1/tasks"))["items"] == []


def test_the_same_id_with_another_body_is_refused(app):
    body = asked()
    assert send(app, "generic", body, generic(body)).status_code == 202
    other = asked().replace(b"delivered", b"something")
    assert send(app, "generic", other, generic(other)).status_code == 409


def test_a_source_asks_for_its_own_tenant_only(app):
    body = asked()
    answer = said(send(app, "elsewhere", body, generic(body)))
    assert answer["task"] is None and "do not belong" in answer["outcome"]


def test_git_servers_push_the_task_that_the_settings_name(app):
    body = json.dumps({"ref": "refs/heads/main", "after": "ab" * 20}).encode()
    ways = {
        "github": {"X-Hub-Signature-256": f"sha256={mac(body)}"},
        "gitea": {"X-Gitea-Signature": mac(body)},
        "gitlab": {"X-Gitlab-Token": SECRET},
    }
    for source, headers in ways.items():
        wrong = {name: value[:-1] + "0" if value[-1] != "0" else value[:-1] + "1" for name, value in headers.items()}
        assert send(app, source, body, wrong).status_code == 401
        taken = said(send(app, source, body, headers))
        assert taken["task"] and taken["outcome"] == "a task", taken
        assert said(send(app, source, body, {**headers, "X-GitHub-Delivery": "another"})) == taken
    gone = json.dumps({"ref": "refs/heads/main", "after": "0" * 40}).encode()
    taken = said(send(app, "gitea", gone, {"X-Gitea-Signature": mac(gone)}))
    assert taken["task"] is None and "no push" in taken["outcome"]


def test_an_alert_has_the_sites_read(app):
    body = json.dumps({"version": "4", "alerts": [{"status": "firing"}, {"status": "resolved"}]}).encode()
    assert send(app, "alertmanager", body, {"Authorization": "Bearer wrong"}).status_code == 401
    taken = said(send(app, "alertmanager", body, {"Authorization": f"Bearer {SECRET}"}))
    assert taken["outcome"].startswith("1 alerts fire")


def test_a_body_that_is_no_task_is_said_and_remembered(app):
    for number, body in enumerate((b"[]", b"{", b'{"yaml": "name: [}"}', b'{"catalogue": "nothing"}')):
        answer = send(app, "generic", body, generic(body, f"bad-{number}"))
        assert answer.status_code == 202 and said(answer)["outcome"].startswith("refused:"), body
