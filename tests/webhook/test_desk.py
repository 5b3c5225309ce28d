"""What operators do: alarms acknowledged, sites drained, accounts looked at; the store and the audit say the same."""

import dataclasses
import json
import shutil

import pytest

from ansible_collections.suanwang.brain.plugins.module_utils.errors import Invalid
from ansible_collections.suanwang.brain.plugins.module_utils.plain import to_plain
from ansible_collections.suanwang.brain.plugins.module_utils.resources import Alarm
from ansible_collections.suanwang.brain.plugins.module_utils.resources import Capacity
from ansible_collections.suanwang.brain.plugins.module_utils.resources import Pool
from ansible_collections.suanwang.brain.plugins.module_utils.resources import Seen
from ansible_collections.suanwang.brain.plugins.plugin_utils import draining
from tests.webhook.people import browser
from tests.webhook.people import said
from webhook import config
from webhook.desk import alarms
from webhook.login import groups

FANS = Alarm(
    "slurm/node/hn-asc01", "node hn-asc01 is drained: {{ 1 + 1 }} <b>", "minor", "2026-11-25T03:00:00Z", "slurm"
)
HOT = Alarm("slurm/node/hn-asc02", "cooling failed", "critical", None, "slurm")


@pytest.fixture
def site(desk, store):
    """Write what hunan's platform said just now: two pools, alarms of both."""

    def say(*found, at=None):
        at = at or desk.now()
        pools = [
            Pool(
                f"hunan/slurm/{name}", name, "hunan", "slurm", "slurm", capacity=Capacity(nodes=2, accelerators=16),
                alarms=found, seen=Seen(at, "slurm://x", "live"),
            )
            for name in ("npu", "big")
        ]  # fmt: skip
        store.save_snapshot("hunan", "slurm", {"at": at, "pools": [to_plain(pool) for pool in pools]})

    say(FANS, HOT)
    return say


@pytest.fixture
def operator(app):
    return browser(app, "operator@lab.invalid", ("operator",))


def audited(app, action):
    rows = said(browser(app, "auditor@lab.invalid", ("auditor",)).get("/api/v1/audit"))["items"]
    return [(row["actor"], row["object"], row["details"]) for row in rows if row["action"] == action]


# -- alarms ----------------------------------------------------------------------------------------------
def listed(who, **query):
    return said(who.get("/api/v1/alarms", query_string=query))["items"]


def test_an_alarm_is_one_row_with_its_pools_worst_first(site, operator):
    found = listed(operator)
    assert [(row["severity"], row["pools"]) for row in found] == [
        ("critical", ["hunan/slurm/npu", "hunan/slurm/big"]), ("minor", ["hunan/slurm/npu", "hunan/slurm/big"]),
    ]  # fmt: skip
    assert [row["id"] for row in listed(operator, severity="minor")] == [FANS.id]
    assert listed(operator, site="centre-a") == []
    assert operator.get("/api/v1/alarms?severity=awful").status_code == 422


def test_an_acknowledged_alarm_says_by_whom(site, app, operator):
    asked = {"site": "hunan", "id": HOT.id, "note": "the fitter is on his way"}
    done = said(operator.post("/api/v1/alarms/acknowledge", asked))
    assert done["acknowledged"]["by"] == "operator@lab.invalid"
    again = browser(app, "owner@lab.invalid", ("owner",), sites=("hunan",)).post(
        "/api/v1/alarms/acknowledge", {**asked, "note": "me too"}
    )
    assert said(again)["acknowledged"] == done["acknowledged"], "whoever was first stays so"
    assert [row["id"] for row in listed(operator, acknowledged="false")] == [FANS.id]
    assert [row["id"] for row in listed(operator, acknowledged="true")] == [HOT.id]
    assert [row["id"] for row in listed(operator)] == [FANS.id, HOT.id], "what nobody has seen comes first"
    ((actor, place, details),) = audited(app, "alarm.acknowledge")
    assert (actor, place, details["alarm"]) == ("operator@lab.invalid", "hunan", HOT.id)
    assert operator.post("/api/v1/alarms/acknowledge", {**asked, "id": "none"}).status_code == 404
    for role in ("requester", "approver", "auditor"):
        assert browser(app, "x@lab.invalid", (role,)).post("/api/v1/alarms/acknowledge", asked).status_code == 403


def test_an_alarm_that_comes_again_waits_anew(site, desk, operator):
    for alarm in (FANS, HOT):
        operator.post("/api/v1/alarms/acknowledge", {"site": "hunan", "id": alarm.id})
    site(FANS, at="2026-11-25T03:00:00Z")  # long silent: what is missing there may be so still
    alarms.forget_gone(desk)
    site(FANS, HOT)
    assert listed(operator, acknowledged="false") == []
    site(FANS)
    alarms.forget_gone(desk)
    site(Alarm(**{**to_plain(FANS), "since": "2026-11-25T04:00:00Z"}), HOT)
    assert [row["id"] for row in listed(operator, acknowledged="false")] == [HOT.id, FANS.id]


def test_the_page_of_alarms_shows_words_as_words(site, app, operator):
    text = operator.get("/alarms").get_data(as_text=True)
    assert "{{ 1 + 1 }} &lt;b&gt;" in text and "/alarms/acknowledge" in text
    form = {"csrf": operator.csrf, "site": "hunan", "id": FANS.id, "note": "<i>seen</i>"}
    assert operator.client.post("/alarms/acknowledge", data=form).status_code == 303
    assert "&lt;i&gt;seen&lt;/i&gt;" in operator.get("/alarms/part?acknowledged=true").get_data(as_text=True)
    reader = browser(app, "approver@lab.invalid", ("approver",))
    assert "/alarms/acknowledge" not in reader.get("/alarms").get_data(as_text=True)
    for address in ("/alarms?severity=x", "/alarms?acknowledged=maybe"):
        assert operator.get(address).status_code == 422


# -- sites -----------------------------------------------------------------------------------------------
def test_a_drain_is_in_the_store_on_the_page_and_in_the_planner(site, app, desk, store, operator):
    assert operator.post("/api/v1/sites/drain", {"scope": "hunan/slurm/npu", "reason": "fans"}).status_code == 200
    assert draining.read(store)["hunan/slurm/npu"]["by"] == "operator@lab.invalid"
    states = {pool["id"]: pool["state"] for pool in said(operator.get("/api/v1/pools"))["items"]}
    assert states == {"hunan/slurm/npu": "drained", "hunan/slurm/big": "live"}
    shown = said(operator.get("/api/v1/sites"))
    assert [(row["scope"], row["reason"]) for row in shown["drains"]] == [("hunan/slurm/npu", "fans")]
    assert shown["paused"] is None and {row["id"] for row in shown["items"]} == {"hunan", "centre-a"}
    page = operator.get("/sites", headers={"Accept-Language": "en"}).get_data(as_text=True)
    assert "Drained: fans" in page and "/sites/undrain" in page
    assert operator.post("/api/v1/sites/undrain", {"scope": "hunan/slurm/npu"}).status_code == 200
    assert operator.post("/api/v1/sites/undrain", {"scope": "hunan/slurm/npu"}).status_code == 404
    assert draining.read(store) == {}
    assert [row[:2] for row in audited(app, "fleet.drain") + audited(app, "fleet.undrain")] == [
        ("operator@lab.invalid", "hunan/slurm/npu")
    ] * 2


@pytest.mark.parametrize(
    ("scope", "reason", "status"),
    [
        ("mars", "gone", 404), ("hunan/slurm/none", "gone", 404), ("hunan/login", "gone", 422), ("hunan", "x", 422),
        ("", "gone", 422), ("../../etc", "gone", 404), ("hunan", " \n ", 422),
    ],
)  # fmt: skip
def test_what_cannot_be_drained_is_refused(site, app, store, operator, scope, reason, status):
    answer = operator.post("/api/v1/sites/drain", {"scope": scope, "reason": reason})
    assert answer.status_code == status, said(answer)
    assert not draining.path(store).exists() and audited(app, "fleet.drain") == []


def test_an_owner_drains_on_the_page_and_a_requester_does_not(site, app, store):
    owner = browser(app, "owner@lab.invalid", ("owner",), sites=("hunan",))
    form = {"csrf": owner.csrf, "scope": "hunan", "reason": "{{ lookup('pipe','id') }}"}
    assert owner.client.post("/sites/drain", data=form).status_code == 303
    assert "lookup(&#39;pipe&#39;" in owner.get("/sites").get_data(as_text=True)
    requester = browser(app)
    assert requester.client.post("/sites/undrain", data={"csrf": requester.csrf, "scope": "hunan"}).status_code == 403
    page = requester.get("/sites").get_data(as_text=True)
    assert "/sites/drain" not in page and "/sites/undrain" not in page
    assert list(draining.read(store)) == ["hunan"]


def test_an_owner_keeps_his_own_sites_and_no_other(site, app, store):
    owner = browser(app, "owner@lab.invalid", ("owner",), sites=("hunan",))
    made = said(owner.post("/api/v1/tokens", {"name": "cron"}))
    assert made["sites"] == said(owner.get("/api/v1/session"))["sites"] == ["hunan"]
    token = {"headers": {"Authorization": f"Bearer {made['secret']}"}}
    drain, undrain, seen = "/api/v1/sites/drain", "/api/v1/sites/undrain", "/api/v1/alarms/acknowledge"
    for scope in ("hunan", "hunan/slurm", "hunan/slurm/npu"):
        assert owner.post(drain, {"scope": scope, "reason": "power"}).status_code == 200
        assert app.test_client().post(undrain, json={"scope": scope}, **token).status_code == 200
    for who in (owner, browser(app, "other@lab.invalid", ("owner",), sites=("centre-a",))):
        theirs = "centre-a" if who is owner else "hunan"
        for path, asked in (
            (drain, {"scope": theirs, "reason": "power"}), (drain, {"scope": f"{theirs}/slurm", "reason": "power"}),
            (undrain, {"scope": theirs}), (seen, {"site": theirs, "id": HOT.id}),
        ):  # fmt: skip
            answer = who.post(path, asked)
            assert (answer.status_code, said(answer)["detail"]) == (403, f"{theirs} is not one of your sites")
    assert app.test_client().post(drain, json={"scope": "centre-a", "reason": "power"}, **token).status_code == 403
    # Sites without the role are nothing.
    visitor = browser(app, "x@lab.invalid", ("requester", "auditor"), sites=("hunan",))
    assert visitor.post(drain, {"scope": "hunan", "reason": "power"}).status_code == 403
    assert draining.read(store) == {}
    page = owner.get("/sites").get_data(as_text=True)
    assert 'name="scope" value="hunan"' in page and 'name="scope" value="centre-a' not in page
    assert "/alarms/acknowledge" in owner.get("/alarms").get_data(as_text=True)
    other = browser(app, "other@lab.invalid", ("owner",), sites=("centre-a",))
    assert "/alarms/acknowledge" not in other.get("/alarms").get_data(as_text=True)


def test_owners_follow_from_their_groups_site_by_site(settings, tmp_path, rendered):
    file = settings.file.model_copy(
        update={"owners": {"hunan": ["hn-ops"], "centre-a": ["a-ops", "both"]}, "tenants": {"demo": ["astro"]}}
    )
    changed = dataclasses.replace(settings, file=file)
    found = groups.person(changed, "cas", "li", "", ["a-ops", "astro"])
    assert (found["roles"], found["sites"], found["tenants"]) == (["owner"], ["centre-a"], ["demo"])
    assert groups.person(changed, "cas", "li", "", ["astro"])["roles"] == []
    where = {"SUANWANG_CONFIG": str(tmp_path / "config"), "SUANWANG_STATE": str(tmp_path / "state")}
    shutil.copytree(rendered, tmp_path / "config")
    path = tmp_path / "config" / "webhook.yml"
    text = path.read_text()
    for line, words in (("owners: {nowhere: [x]}", "no such site"), ("groups: {owner: [x]}", "of no site whose it is")):
        path.write_text(f"{text}\n{line}\n")
        with pytest.raises(Invalid, match=words):
            config.load(where)


def test_the_pause_is_shown_where_sites_are(app, operator):
    operator.post("/api/v1/pause", {"paused": True, "reason": "the controller is moved"})
    assert said(operator.get("/api/v1/sites"))["paused"] == "the controller is moved"
    assert "the controller is moved" in operator.get("/sites").get_data(as_text=True)


# -- organisations ---------------------------------------------------------------------------------------
def test_a_project_shows_members_accounts_and_who_shares_a_user(app, desk, monkeypatch):
    known = desk.config()
    tenants = json.loads(json.dumps(known.tenants))
    tenants["transport"] = {
        **tenants["demo"],
        "organisation": "institute",
        "sites": {"hunan": tenants["demo"]["sites"]["hunan"]},
    }
    tenants["apart"] = {**tenants["demo"], "sites": {"hunan": {"slurm": {"native_user": "alone"}}}}
    changed = dataclasses.replace(known, tenants=tenants)
    monkeypatch.setattr(type(desk), "config", lambda self: changed)
    browser(app, "member@lab.invalid", ("requester",), ("demo",))
    auditor = browser(app, "auditor@lab.invalid", ("auditor",))
    found = said(auditor.get("/api/v1/organisations"))["items"]
    assert [row["id"] for row in found] == ["institute", "university"]
    projects = {one["id"]: one for row in found for one in row["projects"]}
    assert [one["principal"] for one in projects["demo"]["members"]] == ["member@lab.invalid"]
    shared = {(one["site"], one["endpoint"]): one["shared_with"] for one in projects["demo"]["accounts"]}
    assert shared[("hunan", "slurm")] == ["transport"] and shared[("centre-a", "slurm")] == []
    assert [one["shared_with"] for one in projects["apart"]["accounts"]] == [[]]
    page = auditor.get("/organisations", headers={"Accept-Language": "en"}).get_data(as_text=True)
    assert "each can read the other" in page and "auditor@lab.invalid" in page
    own = browser(app, "member@lab.invalid", ("requester",), ("demo",))
    (mine,) = said(own.get("/api/v1/organisations"))["items"]
    assert [one["id"] for one in mine["projects"]] == ["demo"]
    assert [one["shared_with"] for one in mine["projects"][0]["accounts"] if one["site"] == "hunan"] == [[None], [None]]
    assert "transport" not in own.get("/organisations").get_data(as_text=True)
