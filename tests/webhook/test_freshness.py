"""At default settings an alarm at a site, and a card that comes free, are on the page; a drain is honoured by all."""

import json
import time

import pytest

from tests.webhook.people import tiny_task


def until(look, seconds):
    """Return how long it took until `look` says yes."""
    begun = time.monotonic()
    while time.monotonic() - begun < seconds:
        if look():
            return time.monotonic() - begun
        time.sleep(0.2)
    raise AssertionError(f"not within {seconds} s")


@pytest.fixture(scope="module")
def people(service):
    found = {who: service.log_in(who) for who in ("requester", "approver", "operator")}
    until(lambda: {"hunan", "centre-a"} <= {pool["site"] for pool in found["operator"].get("pools")["items"]}, 120)
    return found


def test_one_watch_goes_on_and_no_perception_on_a_timer(service, people):
    from sqlalchemy import text

    from webhook.database import Database

    database = Database(f"sqlite:///{service.state}/webhook/webhook.sqlite")
    with database.read() as session:
        rows = session.execute(text("SELECT kind, state FROM launches")).all()
    database.close()
    assert [tuple(row) for row in rows] == [("watch", "running")]


def test_an_alarm_and_a_freed_card_are_on_the_page(service, people, lab):
    """How quickly is measured and printed; a test that runs beside others asserts that it happens."""
    operator, site = people["operator"], lab.site("hunan")

    def named(words):
        return any(words in one["name"] for one in operator.get("alarms", site="hunan")["items"])

    def free():
        return sum(one["free_accelerators"] or 0 for one in operator.get("pools")["items"] if one["site"] == "hunan")

    site.foreign(gres="npu:ascend910b:8", nodes=2, seconds=75)  # longer than an interval, so that it is seen at all
    until(lambda: free() == 0, 120)
    site.fault("drain", node="hn-asc01", reason="fan")
    try:
        raised = until(lambda: named("fan"), 120)
        assert "hn-asc01" in operator.session.get(f"{operator.url}/alarms", timeout=30).text
    finally:
        site.heal()
    until(lambda: not [job for job in site.jobs() if job["job_state"] == "RUNNING"], 120)
    freed = until(lambda: free() == 16, 120)
    print(json.dumps({"alarm_s": round(raised, 1), "alarm_limit_s": 30, "card_s": round(freed, 1), "card_limit_s": 60}))


def test_a_drain_is_honoured_by_planner_and_preflight(service, people):
    requester, approver, operator = people["requester"], people["approver"], people["operator"]
    document, files = tiny_task("drained")
    document["constraints"] = {"sites": ["hunan"]}

    def proposed():
        task = requester.post("tasks", document=document, files=files)
        return requester.wait(f"tasks/{task['id']}", ("proposed", "refused"))

    open_ = proposed()
    best = requester.get(f"tasks/{open_['id']}/proposals")["items"][0]
    digest = requester.post(f"tasks/{open_['id']}/confirm", proposal=best["id"])["digest"]
    operator.post("sites/drain", scope="hunan", reason="the cooling is mended")
    refused = proposed()
    assert refused["state"] == "refused" and "the cooling is mended" in refused["message"]
    approver.post(f"tasks/{open_['id']}/approve", digest=digest)
    ended = requester.wait(f"tasks/{open_['id']}", ("failed", "succeeded"))
    said = requester.get(f"runs/{open_['id']}")
    assert ended["state"] == "failed"
    assert "it is drained: the cooling is mended" in json.dumps(said["components"], ensure_ascii=False)
    operator.post("sites/undrain", scope="hunan")
    requester.post(f"runs/{open_['id']}/resume")
    assert requester.wait(f"tasks/{open_['id']}", ("succeeded",), bad=("failed",))["state"] == "succeeded"
