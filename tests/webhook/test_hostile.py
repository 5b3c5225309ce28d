"""Hostile texts, paths and people: what somebody writes is never carried out, nor seen where it should not be."""

import io
import json
import tempfile
from pathlib import Path

import pytest

from tests.webhook.people import browser
from tests.webhook.people import said
from tests.webhook.people import tiny_task
from tests.webhook.test_guard import routes
from webhook import database
from webhook.config import ROLES


def task_of(desk, tenant="demo"):
    """Put a task into the database; return its id."""
    now, run = desk.now(), desk.new_id()
    with desk.database.write() as session:
        database.add_task(
            session, id=run, name="secret", tenant=tenant, requester="a@lab.invalid", source="api", document="{}",
            created_at=now, updated_at=now,
        )  # fmt: skip
    return run


# -- other people's tasks --------------------------------------------------------------------------------
#: What an API route has to be given before it looks for the task.
BODIES = {
    "proposals.revise": {"proposal": "1" * 26, "components": {}},
    "proposals.confirm": {"proposal": "1" * 26},
    "approvals.approve": {"digest": "0" * 64},
    "approvals.reject": {"digest": "0" * 64, "reason": "because"},
}


def test_no_route_shows_a_task_of_another_tenant_or_does_anything_with_it(app, desk):
    """Over every route with a task in it, for somebody who may do everything, and belongs elsewhere."""
    run = task_of(desk)
    other = browser(app, "c@lab.invalid", ROLES, ("chemistry",))
    seen = []
    for endpoint, method, address in routes(app):
        if f"/{'0' * 26}" not in address:
            continue
        body = {"reason": "because"} if endpoint.startswith("pages.") else BODIES.get(endpoint, {})
        options = {"data": body, "headers": {"X-CSRF-Token": other.csrf}} if endpoint.startswith("pages.") else {}
        if options:
            answer = other.client.open(address.replace("0" * 26, run), method=method, **options)
        else:
            answer = other.call(method, address.replace("0" * 26, run), None if method == "GET" else body)
        seen.append(endpoint)
        assert answer.status_code == 404, (endpoint, answer.status_code, answer.get_data(as_text=True)[-300:])
        assert "secret" not in answer.get_data(as_text=True), endpoint
    assert len(seen) > 25
    with desk.database.read() as session:
        assert session.get(database.models.Task, run).state == "submitted"


# -- files -----------------------------------------------------------------------------------------------
@pytest.fixture
def kept(app, desk, tmp_path):
    """A task with artifacts: one that is there, a link out of them, and a secret outside."""
    run = task_of(desk)
    root = desk.store.run_dir(run) / "artifacts"
    (root / "train").mkdir(parents=True)
    (root / "train" / "model.npz").write_bytes(b"model")
    (tmp_path / "outside.txt").write_text("behind the fence")
    (desk.store.run_dir(run) / "journal.jsonl").write_text("{}\n")
    (root / "link.txt").symlink_to(tmp_path / "outside.txt")
    (root / "up").symlink_to(tmp_path)
    return run


@pytest.mark.parametrize(
    "path",
    [
        "../journal.jsonl", "..%2fjournal.jsonl", "%2e%2e/journal.jsonl", "train/../../journal.jsonl", "link.txt",
        "up/outside.txt", "/etc/passwd", "%2fetc%2fpasswd", "..%5cjournal.jsonl", "train", "", "train/model.npz%00",
        "....//journal.jsonl", "~/x",
    ],
)  # fmt: skip
def test_an_artifact_is_one_that_came_home_and_nothing_else(app, kept, path):
    who = browser(app)
    answer = who.get(f"/api/v1/runs/{kept}/artifacts/{path}", follow_redirects=True)
    assert b"fence" not in answer.data and b"root:" not in answer.data
    answer.close()
    assert answer.status_code in (400, 404) or said(answer) == {
        "items": [{"path": "train/model.npz", "size": 5, "sha256": None}]
    }
    with who.get(f"/api/v1/runs/{kept}/artifacts/train/model.npz") as good:
        assert good.data == b"model" and "attachment" in good.headers["Content-Disposition"]


@pytest.mark.parametrize("name", ["../../x.csv", "/etc/cron.d/x", ".bashrc", "x.csv\0.png", "é.csv", "a/../b.csv"])
def test_an_upload_of_the_form_stays_below_its_task(app, desk, name):
    who = browser(app)
    form = {"csrf": who.csrf, "from": "digits", "name": "files", "tenant": "demo"}
    answer = who.client.post("/tasks/new", data={**form, "files": (io.BytesIO(b"x"), name)})
    assert answer.status_code == 422
    # As data of an input it gets a name of ours, whatever it is called.
    taken = who.client.post("/tasks/new", data={**form, "components[0].inputs[0].file": (io.BytesIO(b"1,2\n"), name)})
    places = {path.name for path in desk.settings.folder.glob("tasks/*/files/data/*")}
    assert taken.status_code == 303 and {place.partition(".")[0] for place in places} == {"train-digits"}
    assert not [path for path in desk.settings.folder.glob("tasks/*/*") if path.name not in ("files",)]


# -- templates -------------------------------------------------------------------------------------------
def hostile(folder, what):
    """Return a text that leaves a file behind wherever it is taken for a template."""
    return "{{ lookup('pipe', 'touch " + str(folder / what) + "') }}"


@pytest.fixture
def scratch():
    """A folder with a short name: the name of a task has 120 characters at most."""
    with tempfile.TemporaryDirectory(prefix="swb-", dir="/tmp") as folder:
        yield Path(folder)


def test_no_text_of_a_person_a_job_or_a_site_becomes_a_template(service, lab, scratch):
    """Through the whole chain, to the end of a real run: name, parameters, what a job prints, alarms, reasons."""
    requester, approver = service.log_in("requester"), service.log_in("approver")
    lab.site("hunan").alert(hostile(scratch, "alarm"), severity="minor")
    parameters = {"text": hostile(scratch, "parameter"), "percent": "{% raw %}{{ 7 * 6 }}"}
    document, files = tiny_task(hostile(scratch, "name"), parameters=parameters)
    said_by_job = hostile(scratch, "printed")
    files[0]["text"] = (
        "import json, sys\n"
        f"print({said_by_job!r}, flush=True)\n"
        f"print('swb-progress ' + json.dumps({{'percent': 50, 'message': {said_by_job!r}}}), flush=True)\n"
        "print(sys.argv[1:], flush=True)\n"
    )
    rejected = requester.post("tasks", document={**document, "name": "rejected"}, files=files)
    task = requester.post("tasks", document=document, files=files)
    requester.post("perceive")
    for one in (rejected, task):
        requester.wait(f"tasks/{one['id']}", ("proposed",), bad=("refused",))
        found = requester.get(f"tasks/{one['id']}/proposals")["items"]
        one |= requester.post(f"tasks/{one['id']}/confirm", proposal=found[0]["id"])
    reason = hostile(scratch, "reason")
    no = approver.post(f"tasks/{rejected['id']}/reject", digest=rejected["digest"], reason=reason)
    assert no["message"] == reason
    approver.post(f"tasks/{task['id']}/approve", digest=task["digest"])
    ended = requester.wait(f"tasks/{task['id']}", ("succeeded", "failed"), seconds=240)
    assert ended["state"] == "succeeded", ended
    assert ended["name"] == hostile(scratch, "name")
    plan = json.dumps(requester.get(f"tasks/{task['id']}/plan")["plan"])
    assert json.dumps(parameters["percent"]) in plan
    log = requester.call("GET", f"runs/{task['id']}/log").text
    pages = [
        requester.session.get(f"{service.url}/{page}").text
        for page in ("", f"tasks/{rejected['id']}", f"runs/{task['id']}", f"runs/{task['id']}/report")
    ]
    assert list(scratch.iterdir()) == []
    assert "42" not in log and not any("<script>" in page for page in pages)
    assert "lookup(&#39;pipe&#39;" in pages[1]
