"""What stays after a run, on its page and in its report: a journal as serve-digits left it, at a site behind NAT."""

import pytest

from tests.webhook.people import browser
from webhook import database
from webhook.desk import kept

WEB = {"id": "web", "kind": "serve", "needs": ["train"], "nodes": 2, "lease_s": 86400}
FRONT = {"id": "front", "kind": "provision", "needs": [], "nodes": 1, "lease_s": 3600}
TRAIN = {"id": "train", "kind": "train", "needs": [], "nodes": 1}
POOL = "centre-a/cloud/az-1.x86_64"


def journal(side):
    """Return the events of a run that keeps a service and a machine, at the public side of a row of the address map."""
    url = f"https://{side['public']['address']}:{side['public']['port']}/apps/c7ca/"
    begun = [
        {"event": "loaded", "purpose": "apply", "at": "2026-11-28T07:58:06Z"},
        {"event": "placed", "component": "web", "pool": POOL, "at": "2026-11-28T07:58:07Z"},
    ]
    answers = {"event": "answers", "component": "web", "url": url, "replicas": 1, "requests": 5, "worst_ms": 58.1}
    return begun + [
        {**answers, "median_ms": 99.9, "status": 200, "at": "2026-11-28T07:58:30Z"},
        {**answers, "replicas": 2, "median_ms": 27.2, "status": 200, "at": "2026-11-28T07:58:33Z"},
        {"event": "end", "component": "web", "state": "succeeded", "at": "2026-11-28T07:58:34Z"},
        {"event": "reachable", "component": "front", "machine": "swb-front-1", "port": 80, "at": "2026-11-28T07:58:35Z",
         **{name: {**side[name], "port": 80} for name in ("private", "public")}},
        {"event": "end", "component": "front", "state": "succeeded", "at": "2026-11-28T07:58:36Z"},
        {"event": "closed", "state": "succeeded", "at": "2026-11-28T07:58:37Z"},
    ]  # fmt: skip


@pytest.fixture
def side(desk):
    """A row of centre-a's address map: {private, public}, each {address, port}."""
    return desk.config().site("centre-a").address_map[0]


@pytest.fixture
def run(desk, side):
    made = desk.new_id()
    plan = {
        "run": made,
        "window": {"start_by": "2099-01-01T00:00:00Z"},
        "tenant": "demo",
        "deployment": "web",
        "components": [TRAIN, WEB, FRONT],
    }
    digest, _path = desk.store.save_plan(plan, {"components": []})
    with desk.database.write() as session:
        row = database.add_task(
            session, id=made, name="serve", tenant="demo", requester="r", source="api", document="{}",
            created_at=desk.now(), updated_at=desk.now(),
        )  # fmt: skip
        for move in ("propose", "confirm", "approve", "start", "succeed"):
            database.move(session, row, move, desk.now(), digest=digest)
    for event in journal(side):
        desk.store.note(made, event)
    return made


def test_a_service_is_shown_with_both_sides_its_copies_latency_and_lease(app, run, side):
    who = browser(app)
    inside = f"https://{side['private']['address']}:{side['private']['port']}/apps/c7ca/"
    outside = f"https://{side['public']['address']}:{side['public']['port']}/apps/c7ca/"
    (shown,) = who.get(f"/api/v1/runs/{run}").json["services"]
    assert inside in shown["inside"] and (shown["pool"], shown["url"]) == (POOL, outside)
    assert (shown["replicas"], shown["asked"], shown["median_ms"]) == (2, 2, 27.2)
    assert shown["lease_until"] == "2026-11-29T07:58:30Z"
    for page in ("", "/report"):
        for language, said in (
            ("en", ("27.2 ms, the median of 5 requests; at worst 58.1 ms", "Kept until")),
            ("zh-CN", ("5 次请求的中位数 27.2 ms，最慢 58.1 ms", "保留至")),
        ):
            text = who.get(f"/runs/{run}{page}", headers={"Accept-Language": language}).get_data(as_text=True)
            for one in (
                *said,
                f'href="{outside}"',
                inside,
                "2 / 2",
                "11-29 15:58:30",
                f"{side['public']['address']}:80",
            ):
                assert one in text, (page, language, one)


def test_what_was_given_back_is_shown_no_more(desk, run, app):
    desk.store.note(run, {"event": "loaded", "purpose": "release", "at": desk.now()})
    shown = browser(app).get(f"/api/v1/runs/{run}").json
    assert (shown["services"], shown["endpoints"]) == ([], [])


def test_a_site_whose_file_is_gone_has_nothing_behind_it(desk, side):
    events = [{**one, **({"pool": "moon/x/y"} if "pool" in one else {})} for one in journal(side)]
    (shown,) = kept.services(desk.config(), {"components": [WEB]}, events, {})
    assert (shown["inside"], shown["pool"], shown["lease_until"]) == ([], "moon/x/y", None)
