"""Notices: who is told what, once made, sent until somebody takes them; what nobody takes is seen."""

import base64
import dataclasses
import email
import email.policy
import hashlib
import hmac
import json
import urllib.parse

import pytest

from ansible_collections.suanwang.brain.plugins.plugin_utils import clock
from tests.lab.keys import Authority
from tests.lab.keys import write_private
from tests.webhook import servers
from tests.webhook.people import browser
from tests.webhook.people import said
from webhook import audit
from webhook import database
from webhook.app import build
from webhook.config import Mail
from webhook.config import Notices
from webhook.config import Robot
from webhook.models import Notice
from webhook.models import Switch
from webhook.notices import channels
from webhook.notices import outbox
from webhook.notices import texts

DIGEST = "d" * 64
PLAN = {"sites": {"hunan": "p"}, "tenant": "demo", "caps": {"wall_s": 900, "card_s": 7200, "money_fen": 1250},
        "requester": "requester@lab.invalid", "deletions": ["scratch"], "components": []}  # fmt: skip
NAME = "训练 {{ lookup('pipe','id') }}\r\nBcc: all@example.org\n\n**bold** @all"


@pytest.fixture(scope="module")
def tls(tmp_path_factory):
    """(CA file, (certificate, key)) of a server on 127.0.0.1."""
    folder = tmp_path_factory.mktemp("tls")
    authority = Authority(folder)
    return authority.certificate_path, authority.serve("localhost", "127.0.0.1", folder)


@pytest.fixture
def secret(settings):
    made = []

    def write(name, text):
        made.append(settings.credentials / name)
        write_private(made[-1], text.encode())
        return name

    yield write
    for path in made:
        path.unlink()


@pytest.fixture
def tell(desk, settings, monkeypatch):
    """Give the desk channels, a task that is confirmed, and its plan; return a function that notes an event of it."""
    monkeypatch.setattr(desk, "plan", lambda digest: (None, PLAN))

    def begin(**file):
        desk.settings = dataclasses.replace(
            settings,
            public_url="https://brain.example.org",
            file=settings.file.model_copy(update={"notices": Notices(**file)}),
        )
        outbox.collect(desk)  # from here on
        now, run = desk.now(), desk.new_id()
        with desk.database.write() as session:
            task = database.add_task(
                session, id=run, name=NAME, tenant="demo", requester="requester@lab.invalid", source="api",
                document="{}", created_at=now, updated_at=now,
            )  # fmt: skip
            for event in ("propose", "confirm"):
                database.move(session, task, event, now, digest=DIGEST)

        def note(action, **details):
            with desk.database.write() as session:
                audit.note(session, desk.now(), "somebody", action, run, digest=DIGEST, **details)
            outbox.collect(desk)

        return note

    return begin


def rows(desk):
    with desk.database.read() as session:
        return [
            (row.channel, row.recipient, row.event, row.state, row.attempts)
            for row in session.query(Notice).order_by(Notice.id)
        ]


def hurry(desk):
    """Let what waits for its next try be due."""
    with desk.database.write() as session:
        for row in session.query(Notice):
            row.due_at = clock.after(desk.now(), -1)


def read(content):
    return email.message_from_bytes(content, policy=email.policy.default)


# -- mail ------------------------------------------------------------------------------------------------
def test_approvers_and_requester_get_mail_over_tls(desk, tell, tls, secret):
    ca, pair = tls
    box = servers.Mailbox("only for the mail server")
    with servers.mail(box, pair) as port:
        note = tell(mail=Mail(
            host="127.0.0.1", port=port, sender="brain@example.org", user="brain", ca_bundle=str(ca),
            credential=secret("smtp", box.password), addresses={"approver@lab.invalid": "board@example.org"},
        ))  # fmt: skip
        note("task.confirm")
        note("task.revise")
        note("run.succeeded")
        note("run.failed", message="hunan: the disk is full")
        note("task.expire", message="too late to start")
        assert outbox.send(desk) == 4 and outbox.send(desk) == 0
    assert box.logins == ["brain"] * 4 and all(encrypted for _to, _content, encrypted in box.taken)
    assert [to for to, _content, _tls in box.taken] == [["board@example.org"]] + [["requester@lab.invalid"]] * 3
    first, second, third, fourth = (read(content) for _to, content, _tls in box.taken)
    assert (
        first["Subject"].startswith("[SuanWang] 等待您审批 / Waiting for your approval: 训练 {{ lookup(")
        and "\n" not in first["Subject"]
    )
    assert first["Bcc"] is None and first["To"] == "board@example.org"
    body = first.get_content()
    assert "任务 / Task: 训练 {{ lookup('pipe','id') }} Bcc: all@example.org **bold** @all\n" in body
    assert "https://brain.example.org/tasks/" in body and DIGEST in body and "2.00 card·h, 900 s, ¥12.50" in body
    assert "Run succeeded" in second["Subject"] and "/runs/" in second.get_content()
    assert "运行失败" in third["Subject"] and "hunan: the disk is full" in third.get_content()
    assert "说明: 已过启动时间\nReason: too late to start\n" in fourth.get_content()
    assert len({one["Message-ID"] for one in (first, second, third, fourth)}) == 4


def test_a_mail_is_tried_again_under_the_same_id_and_a_refused_recipient_is_not(desk, tell):
    box = servers.Mailbox()
    box.fails = 2
    with servers.mail(box) as port:
        note = tell(mail=Mail(host="127.0.0.1", port=port, starttls=False, sender="brain@example.org"))
        note("run.succeeded")
        for attempt in (1, 2):
            assert outbox.send(desk) == 0
            assert rows(desk)[0][3:] == ("pending", attempt)
            assert outbox.send(desk) == 0, "not before it is due"
            hurry(desk)
        assert outbox.send(desk) == 1
        box.refused["requester@lab.invalid"] = "550 no such user"
        note("run.failed")
        outbox.send(desk)
    assert [row[3:] for row in rows(desk)] == [("sent", 3), ("failed", 1)]


def test_without_tls_nothing_is_sent_where_it_is_asked_for(desk, tell, tls):
    with servers.mail(servers.Mailbox()) as port:
        note = tell(mail=Mail(host="127.0.0.1", port=port, sender="brain@example.org"))
        note("run.succeeded")
        outbox.send(desk)
    ca, pair = tls
    with servers.mail(servers.Mailbox("x"), pair) as port:  # a CA that nobody trusts here
        note = tell(mail=Mail(host="127.0.0.1", port=port, sender="brain@example.org"))
        hurry(desk)
        outbox.send(desk)
    with desk.database.read() as session:
        messages = [row.message for row in session.query(Notice)]
    assert [row[3] for row in rows(desk)] == ["pending"] and "not trusted" in messages[0]


# -- robots ----------------------------------------------------------------------------------------------
def robots(web, secret, ca, sign=None):
    url = f"https://127.0.0.1:{web.port}"
    kept = {
        "wecom": secret("wecom", f"{url}/cgi-bin/webhook/send?key=robot-key-1"),
        "dingtalk": secret("dingtalk", f"{url}/robot/send?access_token=robot-key-2"),
    }
    return [
        Robot(name=kind, kind=kind, credential=name, sign=sign if kind == "dingtalk" else None, ca_bundle=str(ca))
        for kind, name in kept.items()
    ]


def test_robots_are_told_and_errcode_is_read(desk, tell, tls, secret, caplog):
    ca, pair = tls
    answers = {"/cgi-bin/webhook/send": [servers.said(45009), servers.said(0)], "/robot/send": [servers.said(0)]}
    with servers.Web(answers, pair) as web:
        note = tell(robots=robots(web, secret, ca, secret("ding-sign", "SECret")))
        note("task.confirm")
        assert outbox.send(desk) == 1
        hurry(desk)
        assert outbox.send(desk) == 1
    asked = {path.partition("?")[0]: (path, json.loads(body)) for _verb, path, _headers, body in web.asked}
    path, body = asked["/robot/send"]
    query = dict(urllib.parse.parse_qsl(urllib.parse.urlsplit(path).query))
    mac = hmac.new(b"SECret", f"{query['timestamp']}\nSECret".encode(), hashlib.sha256).digest()
    assert query["sign"] == base64.b64encode(mac).decode() and query["access_token"] == "robot-key-2"
    assert len(query["timestamp"]) == 13
    assert body["msgtype"] == "text" and "等待您审批 / Waiting for your approval" in body["text"]["content"]
    assert asked["/cgi-bin/webhook/send"][0].endswith("?key=robot-key-1")
    with desk.database.read() as session:
        kept = json.dumps([[row.params, row.message, row.once] for row in session.query(Notice)])
    assert "robot-key" not in kept + caplog.text and "SECret" not in kept + caplog.text


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (servers.said(310000), "errcode 310000"),
        (servers.said("0"), "errcode 0"),
        ((200, {}, b"<html>"), "without errcode"),
        ((200, {}, b"[]"), "without errcode"),
        ((302, {"Location": "http://127.0.0.1/"}, b""), "HTTP 302"),
        ((500, {}, b""), "HTTP 500"),
    ],
)  # fmt: skip
def test_what_a_robot_did_not_take_is_no_success(desk, tell, tls, secret, answer, words):
    ca, pair = tls
    with servers.Web({"/robot/send": [answer]}, pair) as web:
        note = tell(robots=robots(web, secret, ca)[1:])
        note("run.succeeded")
        assert outbox.send(desk) == 0
    assert len(web.asked) == 1
    with desk.database.read() as session:
        (row,) = session.query(Notice)
    assert row.state == "pending" and words in row.message


def test_a_long_text_is_cut_between_characters():
    assert channels.cut("算" * 400) == "算" * 400
    cut = channels.cut("算" * 1000)
    assert len(cut.encode()) <= 2000 and cut.endswith("算…")
    assert texts.clean("a\x00b\u202ec\u2028d" + "x" * 300) == "a b c d" + "x" * 192 + "…"


# -- once, and at least once -----------------------------------------------------------------------------
def test_what_happened_before_is_not_told_and_nothing_is_made_twice(desk, tell):
    with desk.database.write() as session:
        audit.note(session, desk.now(), "somebody", "run.failed", "0" * 26)
    note = tell(mail=Mail(host="127.0.0.1", port=9, sender="a@b.c"))
    note("run.succeeded")
    outbox.collect(desk)
    with desk.database.write() as session:
        mark = session.get(Switch, outbox.MARK)
        mark.value = {"number": mark.value["number"]}
    outbox.collect(desk)
    assert [row[2] for row in rows(desk)] == ["succeeded"]


def test_one_whose_sender_died_is_sent_by_the_next(desk, tell):
    box = servers.Mailbox()
    with servers.mail(box) as port:
        note = tell(mail=Mail(host="127.0.0.1", port=port, starttls=False, sender="brain@example.org"))
        note("run.succeeded")
        taken = outbox._take(desk)
        assert outbox._take(desk) is None, "while its sender may live, nobody else sends it"
        hurry(desk)
        assert outbox.send(desk) == 1
    assert read(box.taken[0][1])["Message-ID"] == f"<{taken.id}@example.org>" and rows(desk)[0][3:] == ("sent", 2)


def test_what_the_policy_approves_asks_nobody(desk, tell, monkeypatch):
    note = tell(mail=Mail(host="127.0.0.1", port=9, sender="a@b.c"))
    monkeypatch.setattr(outbox.autoapproval, "refusals", lambda plan, policy: ())
    note("task.confirm")
    monkeypatch.undo()
    assert rows(desk) == []


def test_one_that_was_given_up_is_seen_and_sent_again(desk, tell):
    note = tell(mail=Mail(host="127.0.0.1", port=9, starttls=False, sender="a@b.c"))
    note("run.succeeded")
    for _again in range(outbox.ATTEMPTS):
        hurry(desk)
        outbox.send(desk)
    assert rows(desk)[0][3:] == ("failed", outbox.ATTEMPTS)
    desk.settings = dataclasses.replace(desk.settings, public_url="http://localhost")
    app = build(desk.settings, desk)
    operator = browser(app, "operator@lab.invalid", ("operator",))
    assert 'suanwang_notices{channel="mail",state="failed"} 1.0' in operator.get("/metrics").get_data(as_text=True)
    (shown,) = said(operator.get("/api/v1/notices?state=failed"))["items"]
    assert "does not answer" in shown["message"] and "params" not in shown
    assert "does not answer" in operator.get("/notices").get_data(as_text=True)
    assert browser(app, "x@lab.invalid", ("requester", "approver")).get("/api/v1/notices").status_code == 403
    assert said(operator.post(f"/api/v1/notices/{shown['id']}/again"))["state"] == "pending"
    assert operator.post(f"/api/v1/notices/{shown['id']}/again").status_code == 409
