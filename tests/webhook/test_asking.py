"""What people hand in: files, names and texts that nobody should be able to turn against the service."""

import base64
import datetime
import io
import json

import pytest

from tests.webhook.people import browser
from tests.webhook.people import said
from tests.webhook.people import tiny_task
from webhook.api import catalogue
from webhook.pages import fields

TEMPLATE = "{{ lookup('pipe', 'touch OWNED') }}"


def post(app, **fields):
    return browser(app).post("/api/v1/tasks", fields)


@pytest.mark.parametrize(
    "path",
    ["../x", "/etc/x", "a/../../x", "a//b", ".ssh/x", "a/.x", "a\\b", "", "a/", "task.yml", "a\nb", "a" * 101, "ü/x"],
)
def test_a_file_stays_below_its_task(app, desk, path):
    document, files = tiny_task()
    answer = post(app, document=document, files=[*files, {"path": path, "text": "x"}])
    assert answer.status_code == 422, said(answer)
    assert not list(desk.settings.folder.glob("tasks/*"))


@pytest.mark.parametrize("uri", ["/etc/passwd", "file:///etc/passwd", "../../key", "~/x", "http://a/b", "s3://a/b"])
def test_a_task_names_no_file_of_the_server(app, uri):
    document, files = tiny_task(inputs=[{"name": "data", "uri": uri, "data_level": "public"}])
    answer = said(post(app, document=document, files=files))
    assert answer["status"] == 422 and answer["field"] == "components[0].inputs[0].uri"


def test_a_data_root_of_the_settings_is_allowed(tmp_path):
    from webhook.desk.files import check_places

    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "x").write_text("x")
    (tmp_path / "data" / "link").symlink_to("/etc/passwd")

    def document(uri):
        return {"components": [{"inputs": [{"uri": str(uri)}]}]}

    check_places(document(tmp_path / "data" / "x"), [str(tmp_path / "data")])
    for uri in (tmp_path / "data" / "link", tmp_path / "data" / ".." / "x", tmp_path / "x"):
        with pytest.raises(Exception, match="neither beside the task"):
            check_places(document(uri), [str(tmp_path / "data")])


def test_what_is_wrong_is_said_with_its_field_and_without_our_folders(app, desk):
    document, files = tiny_task()
    document["components"][0]["resources"]["cpu"] = 0
    answer = said(post(app, document=document, files=files))
    assert answer["status"] == 422 and "cpu" in answer["field"]
    assert str(desk.settings.state) not in json.dumps(answer)
    for body, words in (
        ({"yaml": "name: [}"}, "not YAML"),
        ({"yaml": "a: &a [*a]"}, ""),
        ({"yaml": "x: " + "[" * 60 + "]" * 60}, ""),
        ({}, "one of document"),
        ({"document": {}, "yaml": "x"}, "one of document"),
        ({"catalogue": "nothing"}, "there is no entry"),
    ):
        answer = said(post(app, **body))
        assert answer["status"] == 422 and words in answer["detail"], body


def test_a_template_in_a_text_stays_a_text(app, tmp_path):
    document, files = tiny_task(TEMPLATE, parameters={"a": TEMPLATE})
    made = said(post(app, document=document, files=files))
    assert made["name"] == TEMPLATE
    page = browser(app).get(f"/tasks/{made['id']}").get_data(as_text=True)
    assert "{{ lookup(&#39;pipe&#39;" in page
    hostile = "<script>alert(1)</script>"
    made = said(post(app, document={**document, "name": hostile}, files=files))
    assert hostile not in browser(app).get("/tasks").get_data(as_text=True)


def test_bytes_come_as_they_were_sent(app, desk):
    document, files = tiny_task()
    data = bytes(range(256))
    made = said(
        post(app, document=document, files=[*files, {"path": "d/x.bin", "base64": base64.b64encode(data).decode()}])
    )
    assert (desk.folder(made["id"]) / "files" / "d" / "x.bin").read_bytes() == data


def test_an_idempotency_key_is_of_one_request_of_one_person(app):
    document, files = tiny_task()
    body, headers = {"document": document, "files": files}, {"Idempotency-Key": "abcdefgh"}
    one, other = browser(app), browser(app, "other@lab.invalid")
    first = one.post("/api/v1/tasks", body, headers=headers)
    assert said(one.post("/api/v1/tasks", body, headers=headers)) == said(first)
    assert one.post("/api/v1/tasks", {"catalogue": "digits"}, headers=headers).status_code == 422
    assert said(other.post("/api/v1/tasks", body, headers=headers))["id"] != said(first)["id"]
    assert one.post("/api/v1/tasks", body, headers={"Idempotency-Key": "short"}).status_code == 422


def test_lists_go_on_where_a_page_ended(app, desk):
    from webhook import database

    ids = [desk.new_id() for _unused in range(7)]
    with desk.database.write() as session:
        for run in ids:
            database.add_task(
                session, id=run, name=run, tenant="demo", requester="a", source="api", document="{}",
                created_at=desk.now(), updated_at=desk.now(),
            )  # fmt: skip
    who, found, after = browser(app), [], None
    while True:
        page = said(who.get(f"/api/v1/tasks?limit=3{f'&after={after}' if after else ''}"))
        found += [one["id"] for one in page["items"]]
        after = page["after"]
        if after is None:
            break
    assert found == sorted(ids, reverse=True)
    assert who.get("/api/v1/tasks?limit=0").status_code == 422
    assert who.get("/api/v1/tasks?after=x").status_code == 422


def test_a_form_is_the_catalogues_task_with_what_was_filled_in(app, desk):
    base = next(one.document for one in catalogue.entries(desk) if one.name == "digits")
    assert fields.filled({}, base) == base
    as_shown = {one.path: one.value.replace("\n", "\r\n") for group in fields.groups(base) for one in group.fields}
    assert fields.filled(as_shown, base) == base
    made = fields.filled(
        {
            "name": "mine",
            "constraints.budget_fen": "12.34",
            "constraints.deadline_s": "",
            "constraints.sites": "hunan, centre-a",
            "components[0].framework": "pytorch",
            "components[0].resources.accelerators": "2",
            "components[0].parameters": "steps=9\r\nstep_size=0.5",
        },
        base,
    )
    assert made["name"] == "mine"
    assert made["constraints"] == {"budget_fen": 1234, "sites": ["hunan", "centre-a"]}
    component = made["components"][0]
    assert (component["framework"], component["resources"]["accelerators"]) == ("pytorch", 2)
    assert component["parameters"] == {"steps": 9, "step_size": "0.5"}
    assert "constraints" not in fields.filled({"constraints.deadline_s": " "}, base)


def test_a_deadline_is_filled_in_and_shown_in_the_time_of_the_pages():
    made = fields.filled({"constraints.deadline": "2026-12-24T18:00"}, ANY)
    assert made["constraints"] == {"deadline": "2026-12-24T10:00:00Z"}
    (one,) = [one for group in fields.groups(made) for one in group.fields if one.path == "constraints.deadline"]
    assert (one.kind, one.value, one.shown) == ("time", "2026-12-24T18:00", True)
    exact = {**ANY, "constraints": {"deadline": "2026-12-24T10:00:07Z"}}
    assert fields.filled({one.path: one.value}, exact) == exact  # seconds that the field does not show are kept
    assert fields.filled({one.path: "soon"}, ANY)["constraints"] == {"deadline": "soon"}  # the planner names the field
    # An entry of the catalogue may hold a time that YAML has read as one, or no time: its page is shown all the same.
    moment = datetime.datetime(2026, 12, 24, 10, tzinfo=datetime.UTC)
    for given, shown in ((moment, "2026-12-24T18:00"), ("soon", "")):
        entry = {**ANY, "constraints": {"deadline": given}}
        values = {one.path: one.value for group in fields.groups(entry) for one in group.fields}
        assert values["constraints.deadline"] == shown and fields.filled(values, entry) == entry


ANY = {
    "name": "all kinds",
    "tenant": "demo",
    "deployment": "web",
    "components": [
        {"id": "train", "kind": "train", "inputs": [{"name": "rows", "uri": "rows.csv"}]},
        {"id": "score", "kind": "infer", "inputs": [{"name": "model", "from": "train.model"}]},
        {"id": "answer", "kind": "serve", "resources": {"accelerators": 1}},
        {"id": "web", "kind": "provision", "image": "debian-13", "sites": ["centre-a"]},
    ],
}


def test_every_kind_of_entry_gets_its_fields_from_the_schema():
    found = fields.groups(ANY)
    assert [(group.title, group.kind) for group in found] == [
        ("", None), ("train", "train"), ("score", "infer"), ("answer", "serve"), ("web", "provision"),
    ]  # fmt: skip
    by_path = {one.path: one for group in found for one in group.fields}
    for place in range(4):
        for leaf in ("framework", "parameters", "resources.accelerator", "resources.accelerators", "resources.cpu"):
            assert f"components[{place}].{leaf}" in by_path
    assert by_path["components[0].inputs[0].uri"].file and "components[1].inputs[0].uri" not in by_path
    shown = {one.path for group in found for one in group.fields if one.shown}
    assert "components[2].framework" in shown and "components[3].framework" not in shown
    assert {"components[3].image", "components[3].resources.cpu"} <= shown  # what the entry says is never folded away
    assert found[2].made_by == ("train.model",)
    assert by_path["components[3].sites"].value == "centre-a" and by_path["deployment"].value == "web"
    assert by_path["components[0].framework"].choices[:2] == ("none", "tensorflow")


def test_every_field_of_the_form_takes_what_the_schema_takes():
    """Of each kind of field something right is put in, and is where the schema has it."""
    right = {
        "whole": "3",
        "number": "1.5",
        "money": "0.01",
        "truth": "true",
        "list": "a, b",
        "mapping": "a=1",
        "numbers": "3，4",
        "time": "2026-12-24T18:00",
    }
    for group in fields.groups(ANY):
        for one in group.fields:
            text = one.choices[-1] if one.choices else right.get(one.kind, "words")
            where = fields.filled({one.path: text}, ANY)
            for key in one.keys:
                where = where[key]
            assert where in (text, 3, 1.5, 1, True, ["a", "b"], {"a": 1}, [3, 4], "2026-12-24T10:00:00Z"), one.path


def test_what_is_wrong_in_a_form_is_said_at_its_field_and_nothing_is_lost(app):
    who = browser(app)
    given = {
        "csrf": who.csrf, "from": "digits", "name": "kept", "components[0].resources.cpu": "0",
        "components[0].resources.accelerators": "3", "components[0].resources.nodes": "2",
    }  # fmt: skip
    answer = who.client.post("/tasks/new", data=given, headers={"Accept-Language": "zh-CN"})
    text = answer.get_data(as_text=True)
    assert answer.status_code == 422 and 'value="kept"' in text
    assert '<a href="#f-components-0--resources-cpu">每节点核数</a>: 0 超出范围。 请写不小于 1 的数。' in text
    assert 'aria-describedby="f-components-0--resources-cpu-wrong" aria-invalid="true"' in text
    given["components[0].resources.cpu"] = "many"
    part = who.client.post("/tasks/new", data=given, headers={"HX-Request": "true", "Accept-Language": "en"})
    text = part.get_data(as_text=True)
    assert part.status_code == 422 and "<form" not in text  # the form stays as it is, with the files chosen
    assert "&#39;many&#39; is no number. Write digits." in text and 'hx-swap-oob="true"' in text
    given["components[0].resources.cpu"] = "1"
    text = who.client.post("/tasks/new", data=given).get_data(as_text=True)
    assert "3 张卡不能平均分到 2 个节点" in text


def test_data_of_ones_own_take_the_place_of_the_entrys(app, desk):
    who = browser(app)
    rows = (desk.settings.catalogue()["digits"] / "digits.csv").read_bytes()
    given = {
        "csrf": who.csrf, "from": "digits", "name": "own data", "tenant": "demo",
        "components[0].inputs[0].file": (io.BytesIO(rows), "我的 数据.csv"),
    }  # fmt: skip
    answer = who.client.post("/tasks/new", data=given, headers={"HX-Request": "true"})
    assert answer.status_code == 204, answer.get_data(as_text=True)
    run = answer.headers["HX-Redirect"].rpartition("/")[2]
    document = json.loads(said(who.get(f"/api/v1/tasks/{run}"))["document"])
    assert document["components"][0]["inputs"][0]["uri"] == "data/train-digits.csv"
    assert (desk.folder(run) / "files" / "data" / "train-digits.csv").read_bytes() == rows


def test_a_form_that_is_sent_twice_makes_one_task(app, desk):
    who, once = browser(app), desk.new_id()
    fields = {"csrf": who.csrf, "from": "digits", "name": "once", "tenant": "demo", "once": once}
    places = {who.client.post("/tasks/new", data=fields).headers["Location"] for _unused in range(2)}
    assert places == {f"/tasks/{once}"}
    other = browser(app, "other@lab.invalid")
    assert other.client.post("/tasks/new", data={**fields, "csrf": other.csrf}).status_code == 409
