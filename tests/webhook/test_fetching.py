"""A playbook far from the service's store: it fetches plan, approvals and files by run id, and carries the run out."""

import os

import pytest

from ansible_collections.suanwang.brain.plugins.plugin_utils.store import Store
from tests.lab.service import Client
from tests.playbooks.project import Project
from tests.webhook.people import tiny_task


@pytest.fixture(scope="module")
def far(lab, service, tmp_path_factory):
    """A user with a store of his own, whose credentials hold a token of the service."""
    user = Project(lab, tmp_path_factory.mktemp("far"))
    config = user.own_config()
    made = service.command("token", "machine@lab.invalid", "--role", "requester", "--tenant", "demo")
    path = config / "credentials" / "webhook"
    path.write_text(made.stdout)
    path.chmod(0o600)
    return user


def asked(service, approve):
    """Ask for a small task with data; return its run id, confirmed or approved."""
    document, files = tiny_task("far", inputs=[{"name": "said", "uri": "said.txt"}])
    files.append({"path": "said.txt", "text": "from afar\n"})
    files[0]["text"] = "import os\nprint(open(os.environ['SWB_INPUT_SAID']).read())\n"
    requester = service.log_in("requester")
    run = requester.post("tasks", document=document, files=files)["id"]
    requester.wait(f"tasks/{run}", ("proposed",), bad=("failed", "refused"))
    found = requester.get(f"tasks/{run}/proposals")["items"]
    digest = requester.post(f"tasks/{run}/confirm", proposal=found[0]["id"])["digest"]
    if approve:
        service.log_in("operator").post("pause", paused=True, reason="carried out elsewhere")
        service.log_in("approver").post(f"tasks/{run}/approve", digest=digest)
    return run, digest


def test_a_run_id_is_fetched_verified_and_carried_out(far, service):
    run, digest = asked(service, approve=True)
    assert Store(service.state).journal(run) == []
    lacking = far.apply(run)
    assert lacking.code != 0 and f"has no run {run}" in lacking.flat and "SUANWANG_WEBHOOK" in lacking.flat
    far.apply(run, SUANWANG_WEBHOOK=service.url).good()
    assert far.events(run, "closed")[-1]["state"] == "succeeded"
    assert far.plan(run)["run"] == run
    assert {path.name.partition("-")[0] for path in (far.store.plan_dir(digest) / "approvals").glob("*.sig")}
    # From here on the store has it: releasing needs no service.
    far.play("release", "-e", f"plan={run}").good()
    token = (far.config / "credentials" / "webhook").read_text().strip()
    for path in far.store.root.rglob("*"):
        assert not path.is_file() or token.encode() not in path.read_bytes(), path


def test_what_is_not_approved_is_refused_here_too(far, service):
    run, _digest = asked(service, approve=False)
    refused = far.apply(run, SUANWANG_WEBHOOK=service.url)
    assert refused.code != 0 and "is not approved" in refused.flat
    assert "Not approved yet" in far.apply(run, "--check", SUANWANG_WEBHOOK=service.url).good().flat
    assert far.store.runs() == [] or run not in far.store.runs()


@pytest.mark.parametrize(
    ("address", "sentence"),
    [
        ("http://192.0.2.1:80", "plain http"),
        ("https://", "is no address"),
        ("http://127.0.0.1:9", "connection refused"),
    ],
)
def test_an_address_that_cannot_be_asked_is_a_sentence(far, address, sentence):
    done = far.apply("01kaxc2m7q5v9b3z8d4f6g1h0j", SUANWANG_WEBHOOK=address)
    assert done.code != 0 and sentence in done.flat


def test_a_token_that_is_none_and_a_run_that_is_none(far, service):
    unknown = far.apply("01kaxc2m7q5v9b3z8d4f6g1h0j", SUANWANG_WEBHOOK=service.url)
    assert "there is no task 01kaxc2m7q5v9b3z8d4f6g1h0j" in unknown.flat
    folder = far.folder / "other"
    folder.mkdir(mode=0o700)
    for path in (far.config / "credentials").iterdir():
        if path.is_file():
            os.link(path, folder / path.name)
    (folder / "webhook").unlink()
    (folder / "webhook").write_text("swb_nonsense")
    (folder / "webhook").chmod(0o600)
    done = far.apply(
        "01kaxc2m7q5v9b3z8d4f6g1h0j", SUANWANG_WEBHOOK=service.url, SUANWANG_CREDENTIALS=str(folder)
    )  # fmt: skip
    assert "this token is not valid" in done.flat and "swb_nonsense" not in done.text


def test_only_files_of_the_plan_are_given_out(far, service):
    run, _digest = asked(service, approve=False)
    client = Client(service.url, (far.config / "credentials" / "webhook").read_text().strip())
    plan = client.get(f"tasks/{run}/plan")["plan"]
    (code,) = [item["code"]["sha256"] for item in plan["components"] if "code" in item]
    assert client.call("GET", f"tasks/{run}/objects/{code}", 200).content
    for name in ("0" * 64, "..%2f..%2fwebhook%2fkey", code[:8]):
        client.call("GET", f"tasks/{run}/objects/{name}", 404)
