# SPDX-License-Identifier: GPL-3.0-or-later
"""The JSON Schemas, and every example of docs/contracts.md held against the code that reads it."""

import copy
import dataclasses
import inspect
import json
import pathlib
import re

import jsonschema
import pytest
import yaml

from ansible_collections.suanwang.brain.plugins.module_utils import configfile
from ansible_collections.suanwang.brain.plugins.module_utils import jobfile
from ansible_collections.suanwang.brain.plugins.module_utils import names
from ansible_collections.suanwang.brain.plugins.module_utils.errors import Invalid
from ansible_collections.suanwang.brain.plugins.plugin_utils import claim
from ansible_collections.suanwang.brain.plugins.plugin_utils import clock
from ansible_collections.suanwang.brain.plugins.plugin_utils import statement
from ansible_collections.suanwang.brain.plugins.plugin_utils.planning import task as tasks

ROOT = pathlib.Path(__file__).parents[2]
BRAIN = pathlib.Path(inspect.getfile(configfile)).parents[2]
SCHEMAS = sorted((BRAIN / "plugins" / "module_utils" / "schemas").glob("*.json"))
RUN = "01kaxc2m7q5v9b3z8d4f6g1h0j"


def schema(name):
    return json.loads(next(path for path in SCHEMAS if path.stem == name).read_text("utf-8"))


def valid(document, name):
    return jsonschema.Draft202012Validator(schema(name)).is_valid(document)


def nodes(value):
    if isinstance(value, dict):
        yield value
        for item in value.values():
            yield from nodes(item)
    elif isinstance(value, list):
        for item in value:
            yield from nodes(item)


def test_the_schemas_that_exist():
    assert [path.stem for path in SCHEMAS] == ["links", "plan", "policy", "profile", "site", "task", "tenants"]


@pytest.mark.parametrize("path", SCHEMAS, ids=lambda path: path.stem)
def test_a_schema_is_valid_itself_and_closed(path):
    document = json.loads(path.read_text("utf-8"))
    assert document["$schema"] == "https://json-schema.org/draft/2020-12/schema"
    assert document["$id"] == f"urn:suanwang:brain:{path.stem}:1"
    jsonschema.Draft202012Validator.check_schema(document)
    for node in nodes(document):
        if node.get("type") == "object" and "properties" in node:
            assert "additionalProperties" in node, node
        for name in node.get("required", ()) if isinstance(node.get("properties"), dict) else ():
            assert name in node["properties"], name
        if isinstance(node.get("$ref"), str):
            assert node["$ref"].removeprefix("#/$defs/") in document["$defs"]
        if isinstance(node.get("pattern"), str):
            re.compile(node["pattern"])


# -- task -----------------------------------------------------------------------------------------------


def test_the_example_task_is_accepted():
    task = tasks.parse(configfile.parse(ROOT / "examples" / "digits" / "task.yml"))
    assert task.name == "digits"
    assert task.components[0].work.on == "a800"


def small_task(**component):
    first = {"id": "train", "kind": "train", "work": {"duration_s": 60}, **component}
    return {"name": "练习", "tenant": "demo", "components": [first]}


def test_the_smallest_task():
    assert valid(small_task(), "task")
    assert valid({"name": "x", "tenant": "demo", "components": [{"id": "a", "kind": "run"}]}, "task")


@pytest.mark.parametrize(
    "component",
    [
        {"id": "Train-1"},
        {"id": ""},
        {"id": "z" * 21},
        {"id": "训练"},
        {"kind": "move_data"},
        {"framework": "jax"},
        {"code": {"path": "/etc", "entry": "passwd"}},
        {"code": {"path": "../other", "entry": "main.py"}},
        {"code": {"path": "code", "entry": "a/../../main.py"}},
        {"code": {"path": "code"}},
        {"work": {}},
        {"work": {"accelerator_hours": 1}},
        {"resources": {"accelerators": -1}},
        {"resources": {"accelerators": 1.5}},
        {"resources": {"gpus": 1}},
        {"inputs": [{"name": "a"}]},
        {"inputs": [{"name": "a", "uri": "x", "from": "b.c"}]},
        {"inputs": [{"name": "a", "uri": "x", "sha256": "A" * 64}]},
        {"outputs": [{"name": "m", "path": "../m"}]},
        {"outputs": [{"name": "m", "path": "a\\b"}]},
        {"outputs": [{"name": "m", "path": "a\tb"}]},
        {"needs": ["a", "a"]},
        {"parameters": {"x": [1]}},
        {"parameters": {"a b": 1}},
        {"extra": 1},
    ],
    ids=json.dumps,
)
def test_what_a_task_may_not_say(component):
    assert not valid(small_task(**component), "task")


@pytest.mark.parametrize("path", ["out..bin", "..bin", "a/b..c/d", "模型 1/it's.bin", "..."])
def test_dots_in_names_are_no_way_up(path):
    assert valid(small_task(outputs=[{"name": "m", "path": path}]), "task")


# -- plan -----------------------------------------------------------------------------------------------


def small_plan():
    return {
        "schema": "urn:suanwang:brain:plan:1",
        "run": RUN,
        "task": {"name": "练习", "sha256": "a" * 64},
        "requester": "wang@example.org",
        "tenant": "demo",
        "sites": {"hunan": "b" * 64},
        "window": {"start_by": "2026-11-26T03:00:00Z"},
        "caps": {"wall_s": 3600, "card_s": 0},
        "deletions": ["scratch"],
        "lab": "false",
        "min_forks": 1,
        "components": [{"id": "train", "kind": "train", "needs": [], "pools": ["hunan/slurm/npu"]}],
    }


def test_the_smallest_plan():
    assert valid(small_plan(), "plan")


@pytest.mark.parametrize("name", sorted(small_plan()))
def test_every_part_of_a_plan_is_needed(name):
    plan = small_plan()
    del plan[name]
    assert not valid(plan, "plan")


def edited(path, value):
    plan = copy.deepcopy(small_plan())
    place = plan
    for key in path[:-1]:
        place = place[key]
    place[path[-1]] = value
    return plan


@pytest.mark.parametrize(
    ("path", "value"),
    [
        (("caps", "wall_s"), 3600.5),
        (("caps", "money_fen"), 0.5),
        (("caps", "card_s"), -1),
        (("caps", "wall_s"), "3600"),
        (("caps", "wall_s"), True),
        (("min_forks",), 1.5),
        (("lab",), False),
        (("run",), RUN.upper()),
        (("run",), "train"),
        (("sites",), {}),
        (("sites", "hunan"), "b" * 63),
        (("window", "start_by"), "2026-11-26 03:00"),
        (("window", "start_by"), "2026-11-26T03:00:00+08:00"),
        (("deletions",), ["everything"]),
        (("requester",), ""),
        (("components",), []),
        (("components", 0, "id"), "Train-1"),
        (("components", 0, "pools"), []),
        (("components", 0, "pools"), ["a", "a"]),
        (("components", 0, "kind"), "sabotage"),
        (("components", 0, "wall_s"), 0),
        (("components", 0, "parameters"), {"step_size": 0.5}),
        (("components", 0, "parameters"), {"debug": True}),
        (("components", 0, "parameters"), {"nothing": None}),
        (("components", 0, "shares"), {"hunan/slurm/npu": 1.5}),
        (("components", 0, "surprise"), 1),
        (("surprise",), 1),
    ],
    ids=str,
)
def test_what_a_plan_may_not_say(path, value):
    assert not valid(edited(path, value), "plan")


def test_a_float_in_a_plan_is_named(tmp_path):
    file = tmp_path / "plan.json"
    file.write_text(json.dumps(edited(("caps", "wall_s"), 3600.5), indent=1))
    line = 1 + file.read_text().split('"wall_s"')[0].count("\n")
    with pytest.raises(Invalid) as caught:
        configfile.read(file, "plan")
    assert str(caught.value).startswith(f"{file}:{line}: caps.wall_s: 3600.5 is not of type 'integer'")


# -- docs/contracts.md ----------------------------------------------------------------------------------


def _examples():
    text = (BRAIN / "docs" / "contracts.md").read_text("utf-8")
    found = re.findall(r"<!-- example: ([a-z ]+) -->\n```(\w+)\n(.*?)```\n", text, re.DOTALL)
    return {name: (language, body) for name, language, body in found}


EXAMPLES = _examples()


def example(name):
    language, body = EXAMPLES[name]
    return json.loads(body) if language == "json" else yaml.safe_load(body)


def test_the_contracts_page_has_an_example_of_each():
    wanted = (
        "task, cluster, plan, estimate, approval, carried, journal, claim, result, names, site, layout, links, policy,"
        " tenants"
    )
    assert sorted(EXAMPLES) == sorted(wanted.split(", "))


@pytest.mark.parametrize("name", ["plan", "site", "links", "policy", "tenants"])
def test_an_example_fits_its_schema(name, tmp_path):
    configfile.check(example(name), name, tmp_path / name)


@pytest.mark.parametrize("name", ["task", "cluster"])
def test_the_example_of_a_task(name):
    assert tasks.parse(example(name)).components


def test_the_examples_are_one_story():
    plan, approval, result = example("plan"), example("approval"), example("result")
    digest = statement.digest(statement.canonical(plan))
    assert approval["digest"] == digest
    assert digest in (BRAIN / "docs" / "contracts.md").read_text("utf-8").replace(EXAMPLES["approval"][1], "")
    assert {plan["run"], approval["run"], result["run"], example("estimate")["run"]} == {RUN}
    assert approval["approver"] in example("policy")["approvers"]
    assert approval["approver"] != plan["requester"]
    assert plan["tenant"] in example("tenants")["tenants"]
    assert set(plan["sites"]) == {example("site")["site"]}
    assert [one["id"] for one in plan["components"]] == [one["id"] for one in example("estimate")["components"]]


def test_the_example_of_an_approval_is_what_sign_makes():
    import asyncssh

    said = example("approval")
    key = asyncssh.generate_private_key("ssh-ed25519")
    made = statement.sign(key, said["digest"], said["run"], said["approver"], said["at"], said["expires"])
    assert made.statement.decode() == EXAMPLES["approval"][1].strip()
    assert made.claims == said


def test_the_example_of_a_result_reads():
    result = jobfile.read_result(EXAMPLES["result"][1], RUN, "train")
    text = jobfile.script(jobfile.Layout("/r", RUN, "train"), "n", code_sha256="0" * 64, command=["true"])
    for key in result:
        assert f'"{key}":' in text.replace('\\"', '"'), key


def test_the_example_of_a_claim_has_its_keys(tmp_path):
    from ansible_collections.suanwang.brain.plugins.plugin_utils.store import Store

    store = Store(tmp_path)
    claim.take(store, RUN, 1)
    made = json.loads((store.run_dir(RUN) / "claim").read_text())
    said = example("claim")
    assert list(said) == list(made)
    assert clock.moment(said["until"])


def test_the_example_of_a_journal():
    events = [json.loads(line) for line in EXAMPLES["journal"][1].splitlines()]
    components = {one["id"] for one in example("plan")["components"]}
    assert [event["at"] for event in events] == sorted(event["at"] for event in events)
    for event in events:
        assert list(event)[:4] == ["at", "pass", "component", "event"]
        assert clock.moment(event["at"])
        assert event["component"] is None or event["component"] in components
    assert events[-1]["event"] == "closed"


def test_the_examples_of_names():
    for line in EXAMPLES["names"][1].splitlines():
        text, said = line.split(maxsplit=1)
        assert names.parse(text) == names.Mark(RUN, "train", int(said.rpartition(" ")[2])), line


def test_the_example_of_a_layout():
    layout = jobfile.Layout("<root>", "<run>", "<component>", 1)
    text = EXAMPLES["layout"][1]
    for field in dataclasses.fields(layout):
        assert getattr(layout, field.name)
    for path in (layout.archive, layout.log, layout.result):
        assert path.replace("/a1/", "/a<n>/") in text
    assert layout.data("<sha256>", "<file name>") in text
