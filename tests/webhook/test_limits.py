"""Limits at the sites: tried and shown, pushed once, told site by site; and what a platform has no verb for."""

import contextlib
import os
import signal
import time

import pytest

from ansible_collections.suanwang.brain.plugins.filter import quota_outcomes
from tests.lab.service import ServiceError
from tests.webhook.people import browser
from tests.webhook.people import said
from tests.webhook.striking import processes
from webhook import database
from webhook.api import limits as api
from webhook.models import Entry
from webhook.models import Launch
from webhook.pages import limits as pages
from webhook.runs import specs
from webhook.states import LAUNCH_ENDS

PLACES = ["hunan/slurm", "centre-a/slurm"]
ASKED = {"tenant": "demo", "at": PLACES, "limits": {"accelerators": 8, "jobs": 20}}


def writes(lab):
    return [lab.site(place.split("/")[0]).counters()["writes"] for place in PLACES]


@pytest.fixture
def operator(service, lab):
    for name, kind in (("hunan", "npu"), ("centre-a", "gpu")):
        lab.site(name).set(limits={"demo": {"grp_tres": {f"gres/{kind}": 16}}})
    return service.log_in("operator")


def ended(client, trial, what="tried"):
    until = time.monotonic() + 120
    while time.monotonic() < until:
        found = client.get(f"limits/{trial}")
        if found[what]["state"] in LAUNCH_ENDS:
            return found
        time.sleep(0.2)
    raise AssertionError(found)


def tried(client, **changes):
    return ended(client, client.post("limits", 202, **{**ASKED, **changes})["id"])


def outcomes(launch):
    return {one["at"]: one["state"] for one in launch["outcome"]}


def test_limits_are_shown_then_pushed_once(operator, service, lab):
    before = writes(lab)
    found = tried(operator)
    assert outcomes(found["tried"]) == dict.fromkeys(PLACES, "changed") and found["pushed"] is None
    for line in ("-accelerators: 16", "+accelerators: 8", "-jobs: no limit", "+jobs: 20"):
        assert found["diff"].count(line) == 2, found["diff"]
    assert writes(lab) == before, "a trial run wrote"
    trial = found["id"]
    for _again in range(3):
        operator.post(f"limits/{trial}/push", 202)
    found = ended(operator, trial, "pushed")
    assert found["pushed"]["state"] == "succeeded" and outcomes(found["pushed"]) == dict.fromkeys(PLACES, "changed")
    assert writes(lab) == [count + 1 for count in before], "one command a cluster"
    rows = operator.get("audit", limit=200)["items"]
    assert [row["action"] for row in rows if row["action"].startswith("limits.")].count("limits.push") == 1
    (told,) = [row for row in rows if row["action"] == "limits.pushed"]
    assert told["object"] == "demo" and {one["state"] for one in told["details"]["outcome"]} == {"changed"}
    again = tried(operator)
    assert outcomes(again["tried"]) == dict.fromkeys(PLACES, "same")
    with pytest.raises(ServiceError, match="409.*nothing to set"):
        operator.post(f"limits/{again['id']}/push")
    assert service.command("audit", "verify").returncode == 0


def test_one_site_that_refuses_says_so_and_keeps_no_other_from_it(operator, lab):
    lab.site("hunan").fault("dbd_down")
    try:
        found = tried(operator, limits={"accelerators": 4})
        assert outcomes(found["tried"]) == {"hunan/slurm": "failed", "centre-a/slurm": "changed"}
        operator.post(f"limits/{found['id']}/push", 202)
        pushed = ended(operator, found["id"], "pushed")["pushed"]
    finally:
        lab.site("hunan").heal()
    assert pushed["state"] == "failed" and outcomes(pushed) == outcomes(found["tried"])
    (why,) = [one["message"] for one in pushed["outcome"] if one["state"] == "failed"]
    assert "accounting" in why and "hunan" in why
    page = operator.session.get(f"{operator.url}/limits/{found['id']}").text
    assert "accounting" in page and "/push" not in page and "hx-trigger" not in page


@pytest.mark.parametrize("part", ["launcher", "run process", "playbook"])
def test_a_push_whose_process_dies_is_carried_to_its_end(operator, service, lab, part):
    trial, before = tried(operator)["id"], writes(lab)
    operator.post(f"limits/{trial}/push", 202)
    struck, until = [], time.monotonic() + 60
    while not struck and time.monotonic() < until:
        if operator.get(f"limits/{trial}")["pushed"]["state"] == "running":
            struck = processes(service.state)[part]
    for pid in struck:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
    pushed = ended(operator, trial, "pushed")["pushed"]
    assert struck and pushed["state"] == "succeeded", pushed
    # A limit that was set before the death is found as it is by the next one.
    assert set(outcomes(pushed)) == set(PLACES) and set(outcomes(pushed).values()) <= {"changed", "same"}
    assert writes(lab) == [count + 1 for count in before]


def test_what_is_wrong_is_refused_before_anything_begins(app, desk):
    operator = browser(app, "operator@lab.invalid", ("operator",))
    for changes, status in (
        ({"tenant": "none"}, 404), ({"at": ["hunan/nowhere"]}, 404), ({"at": ["hunan/login"]}, 404), ({"at": []}, 422),
        ({"at": ["{{ 1 }}/x"]}, 422), ({"limits": {}}, 422), ({"limits": {"cpu": -1}}, 422),
        ({"limits": {"money": 1}}, 422),
    ):  # fmt: skip
        assert operator.post("/api/v1/limits", {**ASKED, **changes}).status_code == status, changes
    for path in ("/api/v1/limits/" + "0" * 26, "/limits/" + "0" * 26, "/limits/" + "0" * 26 + "/part"):
        assert operator.get(path).status_code == 404
    with desk.database.read() as session:
        assert session.query(Launch).count() == session.query(Entry).filter_by(action="limits.try").count() == 0


def test_a_stranger_sees_and_pushes_nothing(app, desk):
    made = said(browser(app, "operator@lab.invalid", ("operator",)).post("/api/v1/limits", ASKED))["id"]
    stranger = browser(app, "o@lab.invalid", ("operator",), tenants=("another",))
    assert said(stranger.get("/api/v1/limits"))["items"] == []
    assert stranger.get(f"/api/v1/limits/{made}").status_code == 404
    assert stranger.post(f"/api/v1/limits/{made}/push").status_code == 404


def has_tried(desk, trial, outcome, at):
    """Let a trial run have ended."""
    with desk.database.write() as session:
        row = session.get(Launch, trial)
        for event in ("claim", "start", "succeed"):
            row = database.move(session, row, event, at, ended_at=at, outcome=outcome)


def test_pages_say_what_is_held_in_our_ledger(app, desk):
    operator = browser(app, "operator@lab.invalid", ("operator",))
    operator.headers["Accept-Language"] = "en"
    page = operator.get("/limits").get_data(as_text=True)
    for place in PLACES:
        assert f'value="{place}"' in page
    form = {"csrf": operator.csrf, "tenant": "demo", "at": PLACES, "cpu": "64", "jobs": "1.5"}
    made = operator.client.post("/limits", data=form)
    trial = made.headers["Location"].rpartition("/")[2]
    assert made.status_code == 303 and 'hx-get="/limits/' in operator.get(f"/limits/{trial}").get_data(as_text=True)
    assert said(operator.get(f"/api/v1/limits/{trial}"))["limits"] == {"cpu": 64, "jobs": 1.5}
    assert said(operator.post(f"/api/v1/limits/{trial}/push"))["detail"].startswith("the trial run is under way")
    held = {"at": PLACES[0], "state": "held", "message": "<b>it cannot</b>"}
    has_tried(desk, trial, [held, {"at": PLACES[1], "state": "changed", "message": None}], desk.now())
    page = operator.get(f"/limits/{trial}").get_data(as_text=True)
    assert "nothing limits it" in page
    operator.post("/api/v1/quotas", {"tenant": "demo", "person": None, "resource": "card_s", "amount": 7200})
    page = operator.get(f"/limits/{trial}").get_data(as_text=True)
    assert "nothing limits it" not in page
    assert "held in our ledger" in page and "&lt;b&gt;it cannot" in page and f"/limits/{trial}/push" in page
    auditor = browser(app, "auditor@lab.invalid", ("auditor",)).get(f"/limits/{trial}").get_data(as_text=True)
    assert "由本系统账本控制" in auditor and f"/limits/{trial}/push" not in auditor
    assert operator.client.post("/limits", data={**form, "cpu": "", "jobs": ""}).status_code == 422
    assert operator.client.post(f"/limits/{trial}/push", data={"csrf": operator.csrf}).status_code == 303
    assert said(operator.get(f"/api/v1/limits/{trial}"))["pushed"]["state"] == "queued"


def test_what_was_tried_long_ago_is_tried_again(app, desk):
    operator = browser(app, "operator@lab.invalid", ("operator",))
    trial = said(operator.post("/api/v1/limits", ASKED))["id"]
    has_tried(desk, trial, [{"at": PLACES[0], "state": "changed", "message": None}], "2026-11-01T00:00:00Z")
    answer = operator.post(f"/api/v1/limits/{trial}/push")
    assert (answer.status_code, said(answer)["detail"]) == (409, "the trial run was too long ago: try again")


def test_a_launch_is_given_what_was_checked_as_words_of_its_own(settings):
    params = {"tenant": "demo", "at": "hunan/slurm,centre-a/slurm", "limits": "cpu=64,jobs=20"}
    launch = Launch(id="1", kind="quota_check", params=params)
    made = specs.spec(settings, launch)
    assert made["playbook"].endswith("/quota.yml")
    given = "-e tenant=demo -e at=hunan/slurm,centre-a/slurm -e limits=cpu=64,jobs=20"
    assert made["cmdline"] == f"{given} --check --diff"
    assert specs.spec(settings, Launch(id="1", kind="quota", params=params))["cmdline"] == given


def test_every_resource_has_its_word():
    assert set(pages.NAMES) == set(api.Resource.__args__)


def test_results_of_a_loop_become_outcomes():
    results = [
        {"item": "a/x", "changed": True},
        {"item": "a/y", "changed": False},
        {"item": "b/z", "failed": False, "msg": "b: no.", "failure": {"code": "unsupported", "message": "no."}},
        {"item": "c/z", "failed": True, "msg": "c: away.", "failure": {"code": "unreachable", "message": "away."}},
    ]
    found = quota_outcomes.outcomes(results)
    assert [(one["state"], one["message"]) for one in found] == [
        ("changed", None), ("same", None), ("held", "no."), ("failed", "c: away."),
    ]  # fmt: skip
