"""Who may call what, and what a request needs besides: over every route there is, not over a list of them."""

import json

import pytest

from tests.webhook.people import browser
from tests.webhook.people import said
from webhook import rights
from webhook.config import ROLES

VALUES = {"run": "0" * 26, "proposal": "1" * 26, "token_id": "2" * 26, "path": "a/b", "source": "none", "filename": "x",
          "notice": "3" * 26, "sha256": "4" * 64, "trial": "5" * 26,
          "tenant": "demo", "name": "none"}  # fmt: skip


def routes(app):
    """Yield (endpoint, method, address) of every route, with something put in for its variables."""
    adapter = app.url_map.bind("localhost")
    for rule in app.url_map.iter_rules():
        values = {name: VALUES[name] for name in rule.arguments}
        for method in sorted(rule.methods - {"HEAD", "OPTIONS"}):
            yield rule.endpoint, method, adapter.build(rule.endpoint, values, method)


def test_every_route_has_a_row_and_every_row_a_route(app):
    assert {endpoint for endpoint, _method, _address in routes(app)} == set(rights.ROUTES)


def test_a_route_without_a_row_is_nobodys(app):
    for roles in (("admin",), ROLES):
        who = rights.Caller("a", "a", tuple(roles), ("*",), "session")
        assert not who.may("tasks.unheard_of")


@pytest.mark.parametrize("role", [None, *ROLES])
def test_every_route_refuses_every_role_that_its_row_does_not_name(app, role):
    who = browser(app, "somebody@lab.invalid", (role,)) if role else None
    wrong = []
    for endpoint, method, address in routes(app):
        row = rights.ROUTES[endpoint]
        if row in (rights.EVERYONE, rights.SIGNED):
            continue
        if endpoint == "session.leave" or endpoint == "pages.session.leave":
            continue  # it ends the session that the others need
        answer = who.call(method, address) if who else app.test_client().open(address, method=method)
        may = role is not None and (row == rights.PERSON or role in row)
        refused = answer.status_code in (401, 403) or "/login" in answer.headers.get("Location", "")
        four_eyes = endpoint.endswith(("approve", "reject"))
        if refused == may and not (may and four_eyes):
            wrong.append((endpoint, role, answer.status_code, answer.get_data(as_text=True)[-300:]))
        if answer.status_code == 500:
            wrong.append((endpoint, "an error that nobody expected"))
    assert wrong == []


def test_a_deed_without_the_csrf_token_is_refused(app):
    who = browser(app, roles=ROLES)
    wrong = who.csrf[:-1] + ("x" if who.csrf[-1] != "x" else "y")
    for endpoint, method, address in routes(app):
        if method in ("POST", "DELETE") and rights.ROUTES[endpoint] not in (rights.SIGNED, rights.EVERYONE):
            answer = who.call(method, address, csrf=False)
            assert answer.status_code == 403 and b"CSRF" in answer.data, endpoint
            answer = who.call(method, address, csrf=False, headers={"X-CSRF-Token": wrong})
            assert answer.status_code == 403, endpoint


def test_a_deed_from_another_site_is_refused(app):
    who = browser(app)
    answer = who.post("/api/v1/perceive", headers={"Origin": "https://evil.example"})
    assert (answer.status_code, said(answer)["detail"]) == (403, "this request comes from another site")
    assert who.post("/api/v1/perceive", headers={"Origin": "http://localhost"}).status_code == 202


def test_every_answer_carries_its_headers(app):
    who = browser(app, roles=ROLES)
    for address in ("/", "/login", "/nope", "/api/v1/tasks", "/api/v1/nope", "/static/page.css", "/healthz"):
        answer = who.get(address)
        policy = answer.headers["Content-Security-Policy"]
        assert "default-src 'none'" in policy and "unsafe" not in policy and "frame-ancestors 'none'" in policy
        assert answer.headers["X-Content-Type-Options"] == "nosniff"
        if not address.startswith("/static"):
            assert answer.headers["Cache-Control"] == "no-store"
        answer.close()


def test_no_page_needs_what_the_policy_forbids(app):
    """Inline styles, handlers and scripts would be dropped by the browser: none is written."""
    who = browser(app, roles=ROLES)
    for address in ("/", "/login", "/tasks", "/tasks/new", "/tasks/new?yaml=1", "/account", "/docs", "/audit", "/runs",
                    "/limits"):  # fmt: skip
        text = who.get(address).get_data(as_text=True)
        assert "<h1" in text, address
        for forbidden in (" style=", "<style", "onclick=", "javascript:", "<script>", 'src="http', 'href="http'):
            assert forbidden not in text, (address, forbidden)


def test_what_is_too_big_or_no_json_is_a_problem(app):
    who = browser(app)
    app.config["MAX_CONTENT_LENGTH"] = 1000
    answer = who.post("/api/v1/tasks", {"yaml": "x" * 2000})
    assert answer.status_code == 413 and answer.content_type == "application/problem+json"
    answer = who.client.post("/api/v1/tasks", data="{", headers={"X-CSRF-Token": who.csrf})
    assert answer.status_code == 400
    answer = who.post("/api/v1/tasks", {"unheard": 1})
    assert (answer.status_code, said(answer)["field"]) == (422, "unheard")


def test_a_login_is_tried_only_so_often(app):
    client, codes = app.test_client(), []
    for _again in range(25):
        answer = client.post("/api/v1/session", json={"principal": "requester@lab.invalid", "password": "wrong"})
        codes.append(answer.status_code)
    assert codes[0] == 401 and codes[-1] == 429


def test_a_session_is_over_when_it_is_left(app, settings):
    people = json.loads(settings.secret("webhook-people"))
    client = app.test_client()
    entered = client.post(
        "/api/v1/session",
        json={"principal": "requester@lab.invalid", "password": people["requester@lab.invalid"]["password"]},
    )
    cookie = entered.headers["Set-Cookie"]
    assert "HttpOnly" in cookie and "SameSite=Lax" in cookie
    token = said(entered)["csrf"]
    value = client.get_cookie("suanwang").value
    assert client.get("/api/v1/session").status_code == 200
    assert client.delete("/api/v1/session", headers={"X-CSRF-Token": token}).status_code == 204
    client.set_cookie("suanwang", value)
    assert client.get("/api/v1/session").status_code == 401


def test_a_token_can_what_its_maker_could_and_no_more(app, desk):
    who = browser(app, roles=("requester",))
    made = said(who.post("/api/v1/tokens", {"name": "ci", "roles": ["requester", "admin"]}))
    assert made["roles"] == ["requester"] and made["secret"].startswith("swb_")
    client = app.test_client()
    headers = {"Authorization": f"Bearer {made['secret']}"}
    assert client.get("/api/v1/tasks", headers=headers).status_code == 200
    assert client.post("/api/v1/perceive", headers=headers, json={}).status_code == 202
    assert client.get("/api/v1/audit", headers=headers).status_code == 403
    assert client.post("/api/v1/tokens", headers=headers, json={"name": "more"}).status_code == 403
    assert who.call("DELETE", f"/api/v1/tokens/{made['id']}").status_code == 204
    assert client.get("/api/v1/tasks", headers=headers).status_code == 401
    raw = b"".join(path.read_bytes() for path in desk.settings.folder.glob("webhook.sqlite*"))
    assert made["secret"].encode() not in raw


def test_a_tenants_tasks_are_nobody_elses(app, desk):
    from webhook import database

    now, run = desk.now(), desk.new_id()
    with desk.database.write() as session:
        database.add_task(
            session, id=run, name="secret", tenant="demo", requester="a@lab.invalid", source="api", document="{}",
            created_at=now, updated_at=now,
        )  # fmt: skip
    mine = browser(app, "b@lab.invalid", ROLES, ("demo",))
    other = browser(app, "c@lab.invalid", ROLES, ("chemistry",))
    assert mine.get(f"/api/v1/tasks/{run}").status_code == 200
    for path in ("", "/plan", "/proposals"):
        assert other.get(f"/api/v1/tasks/{run}{path}").status_code == 404
    for path in ("", "/events", "/log", "/artifacts", "/artifacts/x"):
        assert other.get(f"/api/v1/runs/{run}{path}").status_code == 404
    for path, body in (("approve", {"digest": "0" * 64}), ("withdraw", {}), ("proposals", {})):
        assert other.post(f"/api/v1/tasks/{run}/{path}", body).status_code == 404
    assert said(other.get("/api/v1/tasks"))["items"] == []
    assert [one["id"] for one in said(mine.get("/api/v1/tasks"))["items"]] == [run]
