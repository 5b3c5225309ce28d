"""Fine-tuning by API and page: when a run may start, the rate of a copy; and a run that waits for its window."""

import json
import re

import pytest

from ansible_collections.suanwang.brain.plugins.plugin_utils import clock
from ansible_collections.suanwang.brain.plugins.plugin_utils import statement
from ansible_collections.suanwang.brain.plugins.plugin_utils.promised import promised
from tests.webhook.people import browser
from tests.webhook.people import said
from tests.webhook.people import tiny_task
from tests.webhook.test_drained import seen  # noqa: F401 (a fixture)
from webhook.desk import chores
from webhook.models import Launch
from webhook.pages import showing

HOUR_S = 3600


@pytest.fixture
def proposed(app, seen):  # noqa: F811
    """Return (requester, task, its first proposal), of a task with one copy over a link."""
    document, files = tiny_task(inputs=[{"name": "rows", "uri": "rows.csv"}])
    who = browser(app)
    files.append({"path": "rows.csv", "text": "1,2\n" * 1000})
    task = said(who.post("/api/v1/tasks", {"document": document, "files": files}))
    return who, task["id"], said(who.get(f"/api/v1/tasks/{task['id']}/proposals"))["items"][0]


def revised(who, task, proposal, **edits):
    return who.post(f"/api/v1/tasks/{task}/revise", {"proposal": proposal, **edits})


def applies(desk, task):
    with desk.database.read() as session:
        return [row.state for row in session.query(Launch).filter_by(task=task, kind="apply")]


def test_an_approved_plan_is_launched_once_when_its_window_opens(app, desk, proposed, monkeypatch):
    who, task, chosen = proposed
    opens = clock.after(desk.now(), 30 * HOUR_S)  # beyond the hours that an approval lasts by itself
    made = revised(who, task, chosen["id"], window={"not_before": opens})
    assert made.status_code == 201, said(made)
    made = said(made)
    assert made["window"] == {"not_before": opens}
    assert abs(made["deltas"]["finish_s"] - 30 * HOUR_S) < HOUR_S
    assert who.post(f"/api/v1/tasks/{task}/confirm", {"proposal": made["id"]}).status_code == 200
    digest = said(who.get(f"/api/v1/tasks/{task}"))["digest"]
    approver = browser(app, "approver@lab.invalid", ("approver",))
    page = approver.get(f"/tasks/{task}/plan", headers={"Accept-Language": "en"}).get_data(as_text=True)
    assert "Start not before" in page and showing.moment(opens) in page
    approved = approver.post(f"/api/v1/tasks/{task}/approve", {"digest": digest})
    assert approved.status_code == 200, said(approved)
    chores.launch_opened(desk)
    assert applies(desk, task) == []
    for language, words in (("en", "starts not before"), ("zh-CN", "之前不启动")):
        page = who.get(f"/tasks/{task}", headers={"Accept-Language": language}).get_data(as_text=True)
        assert words in page and showing.moment(opens) in page
    held = [one for one in promised(desk.store, desk.now()) if one.run == task]
    assert held and all(one.start >= opens for one in held)
    monkeypatch.setattr(type(desk), "now", lambda _self: opens)
    for _again in range(3):
        chores.launch_opened(desk)
    assert applies(desk, task) == ["queued"]
    # By then the approval counts still: its hours begin with the window.
    config = desk.config()
    folder, plan = desk.plan(digest)
    judged = statement.judge(
        desk.store.approvals(folder), plan, digest, config.policy, config.allowed_signers, clock.after(opens, 60)
    )
    assert judged.enough and not judged.expired


def test_what_is_cancelled_before_its_window_is_never_launched(app, desk, proposed, monkeypatch):
    who, task, chosen = proposed
    opens = clock.after(desk.now(), HOUR_S)
    made = said(revised(who, task, chosen["id"], window={"not_before": opens}))
    who.post(f"/api/v1/tasks/{task}/confirm", {"proposal": made["id"]})
    digest = said(who.get(f"/api/v1/tasks/{task}"))["digest"]
    approver = browser(app, "approver@lab.invalid", ("approver",))
    assert approver.post(f"/api/v1/tasks/{task}/approve", {"digest": digest}).status_code == 200
    cancelled = who.post(f"/api/v1/runs/{task}/cancel")
    assert (cancelled.status_code, said(cancelled)["state"]) == (202, "cancelled")
    monkeypatch.setattr(type(desk), "now", lambda _self: opens)
    chores.launch_opened(desk)
    assert applies(desk, task) == []


def test_another_window_is_another_plan_and_the_same_one_is_not(desk, proposed):
    who, task, chosen = proposed
    opens = clock.after(desk.now(), HOUR_S)
    digests = []
    for window in (None, {"not_before": opens}, {"not_before": opens}, {"not_before": clock.after(opens, 60)}):
        made = said(revised(who, task, chosen["id"], **({"window": window} if window else {})))
        answer = who.post(f"/api/v1/tasks/{task}/confirm", {"proposal": made["id"]})
        assert answer.status_code == 200, said(answer)
        digests.append(said(answer)["digest"])
    assert digests[1] == digests[2] and len(set(digests)) == 3


def test_a_bad_window_and_a_rate_beyond_the_share_name_their_field(desk, proposed):
    who, task, chosen = proposed
    (copy, share), *_more = chosen["shares_mbps"].items()
    over = revised(who, task, chosen["id"], components={copy: {"rate_mbps": share + 1}})
    assert over.status_code == 422 and f"more than the share of this copy, {share} Mbit/s" in said(over)["detail"]
    late = revised(who, task, chosen["id"], window={"start_by": clock.after(desk.now(), -HOUR_S)})
    assert late.status_code == 422 and "edits.window.start_by" in json.dumps(said(late))


def test_the_page_takes_the_window_in_its_own_time_and_the_rate_of_a_copy(desk, proposed):
    who, task, chosen = proposed
    (copy, share), *_more = chosen["shares_mbps"].items()
    path = f"/tasks/{task}/tune/{chosen['id']}"
    page = who.get(path, headers={"Accept-Language": "en"}).get_data(as_text=True)
    assert "UTC+8" in page and f'name="{copy}.rate_mbps" value="{share}"' in page
    assert len(re.findall(r'type="datetime-local" name="window\.(?:not_before|start_by)" value=""', page)) == 2
    opens = clock.after(desk.now(), HOUR_S)[:17] + "00Z"
    form = {"window.not_before": showing.field(opens), "window.start_by": "", f"{copy}.rate_mbps": "1"}
    tried = who.client.post(f"{path}/try", data=form, headers={"X-CSRF-Token": who.csrf}).get_data(as_text=True)
    assert 'class="problem"' not in tried, tried
    assert who.client.post(path, data=form, headers={"X-CSRF-Token": who.csrf}).status_code in (302, 303)
    kept = said(who.get(f"/api/v1/tasks/{task}/proposals"))["items"][-1]
    assert kept["edits"] == [{"components": {copy: {"rate_mbps": 1}}, "window": {"not_before": opens}}]
    assert {one["rate_mbps"] for one in kept["placements"] if one["component"] == copy} == {1}
    again = who.get(f"/tasks/{task}/tune/{kept['id']}").get_data(as_text=True)
    assert f'value="{showing.field(opens)}"' in again and f'name="{copy}.rate_mbps" value="1"' in again
    bad = who.client.post(f"{path}/try", data={"window.not_before": "soon"}, headers={"X-CSRF-Token": who.csrf})
    assert 'class="problem"' in bad.get_data(as_text=True)
