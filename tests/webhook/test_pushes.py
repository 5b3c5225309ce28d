"""Pushed commits: the task as it stands at that commit, from the delivery or from the one address of the settings."""

import dataclasses
import ipaddress
import json
import socket

import pytest
from pydantic import ValidationError

from ansible_collections.suanwang.brain.plugins.plugin_utils import clock
from tests.lab.keys import write_private
from tests.webhook import servers
from tests.webhook.people import browser
from tests.webhook.people import said
from tests.webhook.people import tiny_task
from tests.webhook.test_deliveries import mac
from tests.webhook.test_deliveries import SECRET
from tests.webhook.test_deliveries import send
from webhook import outgoing
from webhook.api import records
from webhook.api.deliveries import record
from webhook.app import build
from webhook.config import Raw
from webhook.config import Source
from webhook.desk import pushes
from webhook.models import Delivery

COMMIT = "ab" * 20


@pytest.fixture
def secrets(settings):
    path = settings.credentials / "hook-test"
    write_private(path, f"{SECRET}\n".encode())
    yield
    path.unlink()


@pytest.fixture
def pushed(desk, settings, secrets):
    """Return a function that sets the source up and one that pushes to it."""

    def begin(**more):
        source = Source(
            name="git", kind="gitea", credential="hook-test", principal="ci@lab.invalid", tenant="demo", **more
        )
        desk.settings = dataclasses.replace(settings, file=settings.file.model_copy(update={"deliveries": [source]}))
        app = build(desk.settings, desk)

        def push(commit=COMMIT, ref="refs/heads/main", **body):
            data = json.dumps({"ref": ref, "after": commit, **body}).encode()
            return said(send(app, "git", data, {"X-Gitea-Signature": mac(data)}))

        push.app = app
        return push

    return begin


def raw(port, networks=("127.0.0.0/8",), **more):
    return Raw(
        url=f"http://127.0.0.1:{port}/demo/digits/raw/{{commit}}/{{path}}",
        files=["ci/task.yml", "code/main.py"],
        networks=list(networks),
        **more,
    )


def answers(commit=COMMIT, **changes):
    document, files = tiny_task("pushed")
    root = f"/demo/digits/raw/{commit}"
    found = {
        f"{root}/ci/task.yml": [(200, {}, json.dumps(document).encode())],
        f"{root}/code/main.py": [(200, {}, files[0]["text"].encode())],
    }
    return {**found, **{f"{root}/{path}": answer for path, answer in changes.items()}}


def fetch(desk, hurried=True):
    if hurried:
        with desk.database.write() as session:
            for row in session.query(Delivery):
                row.due_at = row.due_at and clock.after(desk.now(), -1)
    pushes.fetch(desk, record, records.FILE_NAME)


def outcome(desk):
    with desk.database.read() as session:
        (row,) = session.query(Delivery)
    return row


def test_a_push_is_fetched_at_its_commit_by_the_launcher_and_made_once(desk, pushed):
    with servers.Web(answers()) as web:
        push = pushed(raw=raw(web.port), task="digits")
        first = push(repository={"clone_url": "http://169.254.169.254/", "html_url": "http://evil.example"})
        assert first["task"] is None and "fetched" in first["outcome"] and web.asked == [], "not in a web thread"
        fetch(desk, hurried=False)
        fetch(desk)
        again = push(repository={"clone_url": "http://169.254.169.254/", "html_url": "http://evil.example"})
    assert [path for _verb, path, _headers, _body in web.asked] == list(answers())
    assert again["task"] and again["outcome"] == f"a task, from commit {COMMIT[:12]}"
    (task,) = said(browser(push.app, "x@lab.invalid", ("auditor",)).get("/api/v1/tasks"))["items"]
    assert (task["id"], task["name"], task["requester"], task["source"]) == (
        again["task"], "pushed", "ci@lab.invalid", "hook:git",
    )  # fmt: skip
    assert (desk.folder(task["id"]) / "files/code/main.py").exists()


def test_a_path_in_the_middle_of_an_address_is_one_part_of_it(desk, pushed):
    with servers.Web({}) as web:
        url = f"http://127.0.0.1:{web.port}/api/v4/projects/17/repository/files/{{path}}/raw?ref={{commit}}"
        pushed(raw=Raw(url=url, files=["ci/task.yml"], networks=["127.0.0.0/8"]))()
        fetch(desk)
    assert web.asked[0][1] == f"/api/v4/projects/17/repository/files/ci%2Ftask.yml/raw?ref={COMMIT}"


def test_a_crash_after_the_task_was_made_makes_no_second(desk, pushed, monkeypatch):
    with servers.Web(answers()) as web:
        push = pushed(raw=raw(web.port))
        push()
        monkeypatch.setattr(pushes, "_end", lambda *_unused: None)
        fetch(desk)
        monkeypatch.undo()
        fetch(desk)
    assert len(said(browser(push.app, "x@lab.invalid", ("auditor",)).get("/api/v1/tasks"))["items"]) == 1
    assert outcome(desk).task and outcome(desk).due_at is None


def test_the_task_may_come_in_the_signed_delivery(desk, pushed):
    document, files = tiny_task("carried")
    push = pushed()
    taken = push(suanwang_task={"document": document, "files": files})
    assert taken["task"] and taken["outcome"] == "a task"
    assert "is not an object" in push("cd" * 20, suanwang_task=[1])["outcome"]
    assert "needed" in push("ef" * 20, suanwang_task={"catalogue": "digits"})["outcome"], "nothing but what was carried"


@pytest.mark.parametrize("commit", ["main", "a" * 39, "../../x", "A" * 40, 7, None, "0" * 40, "ab" * 20 + "?x=1"])
def test_only_a_commit_goes_into_the_address(pushed, commit):
    push = pushed(raw=raw(9))
    assert push(commit)["outcome"].startswith("refused:") and "no push of a commit" in push(commit)["outcome"]


def test_only_pushes_to_its_ref_count(pushed):
    push = pushed(raw=raw(9), ref="refs/heads/main")
    assert "is not refs/heads/main" in push(ref="refs/heads/attack")["outcome"]
    assert "fetched" in push()["outcome"]


@pytest.mark.parametrize(
    ("answer", "words", "final"),
    [
        ([(302, {"Location": "http://127.0.0.1:1/secret"}, b"")], "HTTP 302", True),
        ([(403, {}, b"")], "HTTP 403", True),
        ([(404, {}, b"")], "HTTP 404", False),
        ([(503, {}, b"")], "HTTP 503", False),
        ([(200, {}, b"x" * (1 << 20) + b"x")], "longer than", True),
        ([(200, {}, b"\xff\xfe")], "no UTF-8", True),
        ([(200, {}, b"name: [}")], "refused", True),
    ],
)  # fmt: skip
def test_what_is_no_file_is_said(desk, pushed, answer, words, final):
    with servers.Web(answers(**{"ci/task.yml": answer})) as web:
        pushed(raw=raw(web.port, most_mib=1))()
        fetch(desk)
        row = outcome(desk)
        assert words in row.outcome and (row.due_at is None) == final and row.task is None
        if not final:
            for _again in range(pushes.ATTEMPTS):
                fetch(desk)
            assert outcome(desk).outcome.startswith("refused:") and outcome(desk).due_at is None
            assert len(web.asked) == pushes.ATTEMPTS


def test_a_private_address_is_asked_only_where_it_is_listed(desk, pushed):
    with servers.Web(answers()) as web:
        pushed(raw=raw(web.port, networks=["10.0.0.0/8"]))()
        fetch(desk)
        assert web.asked == []
    row = outcome(desk)
    assert "private network" in row.outcome and row.due_at is None


@pytest.mark.parametrize(
    ("address", "inside", "good"),
    [
        ("127.0.0.1", [], False), ("10.1.2.3", [], False), ("169.254.169.254", [], False), ("100.64.0.1", [], False),
        ("0.0.0.0", [], False), ("::1", [], False), ("fe80::1%eth0", [], False), ("fd00::1", [], False),
        ("::ffff:10.0.0.1", [], False), ("64:ff9b::a00:1", [], False), ("2002:a00:1::", [], False),
        ("224.0.0.1", [], False), ("8.8.8.8", [], True), ("2001:4860:4860::8888", [], True),
        ("10.1.2.3", ["10.1.0.0/16"], True), ("10.2.2.3", ["10.1.0.0/16"], False), ("fd00::1", ["fd00::/8"], True),
    ],
)  # fmt: skip
def test_what_counts_as_private(address, inside, good):
    assert outgoing.may_reach(address, inside) is good
    ipaddress.ip_address(address.partition("%")[0])


def test_the_address_that_was_checked_is_the_one_that_is_asked(monkeypatch):
    """A name that changes between check and use (DNS rebinding) gains nothing: it is resolved once."""
    with servers.Web({"/x": [(200, {}, b"inside")]}) as web:
        asked = []

        def resolve(host, port, **_unused):
            asked.append(host)
            return [(None, None, None, "", ("127.0.0.1" if len(asked) == 1 else "203.0.113.1", port))]

        monkeypatch.setattr(outgoing.socket, "getaddrinfo", resolve)
        connected = []

        def connect(address, *_timeout):
            connected.append(address)
            made = socket.socket()
            made.connect(address)
            return made

        monkeypatch.setattr(outgoing.socket, "create_connection", connect)
        found = outgoing.request("GET", f"http://git.example.org:{web.port}/x", inside=["127.0.0.0/8"])
    assert found == (200, b"inside") and asked == ["git.example.org"] and connected == [("127.0.0.1", web.port)]


@pytest.mark.parametrize(
    "fields",
    [
        {"url": "https://git.example.org/{path}"},
        {"url": "https://{commit}.example.org/{path}"},
        {"url": "https://git@evil.example/{commit}/{path}"},
        {"url": "file:///{commit}/{path}"},
        {"files": []},
        {"header": "Authorization"},
        {"url": "http://git.example.org/{commit}/{path}", "header": "PRIVATE-TOKEN", "credential": "x"},
        {"networks": ["somewhere"]},
    ],
)
def test_settings_that_would_ask_elsewhere_are_refused(fields):
    good = {"url": "https://git.example.org/{commit}/{path}", "files": ["task.yml"]}
    Raw(**good)
    with pytest.raises(ValidationError):
        Raw(**{**good, **fields})
