# Copyright: SuanWang Brain contributors
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A document becomes a Task, or one sentence that names the field and the way out."""

from __future__ import annotations

import datetime

import pytest
from hypothesis import given
from hypothesis import settings
from hypothesis import strategies

from ansible_collections.suanwang.brain.plugins.module_utils.errors import Corrupt
from ansible_collections.suanwang.brain.plugins.module_utils.errors import Invalid
from ansible_collections.suanwang.brain.plugins.plugin_utils.planning import expand
from ansible_collections.suanwang.brain.plugins.plugin_utils.planning import task
from tests.unit.planning import world


def broken(data):
    """Return (field, message, way_out) of the refusal."""
    with pytest.raises(Invalid) as error:
        task.parse(data)
    return error.value.details["field"], error.value.message, error.value.way_out


def one(**fields):
    return world.document(world.component(**fields))


def test_the_example():
    found = world.parsed()
    train = found.component("train")
    assert (found.name, found.tenant, train.framework) == ("digits", "demo", "none")
    assert train.inputs[0].holdout == task.Holdout(5, 0)
    assert train.work == task.Work(accelerator_hours=0.02, on="a800")
    assert train.outputs[0].evaluate.at_least == 0.94


def test_yaml_reads_a_bare_on_as_true():
    data = one(resources={"accelerators": 1}, work={"accelerator_hours": 1, True: "a800"})
    assert task.parse(data).components[0].work.on == "a800"


@pytest.mark.parametrize(
    "data, field, words",
    [
        (None, "", "mapping"),
        ([1], "", "this is a list"),
        ("digits", "", "this is text"),
        (one(framework="torch"), "components[0].framework", "Did you mean pytorch?"),
        (one(name="Train-1"), "components[0].id", "1 to 20 of a-z, 0-9 and _"),
        (one(resources={"gpus": 1}), "components[0].resources.gpus", "not a field"),
        (one(resources={"nodes": 0}), "components[0].resources.nodes", "at least 1"),
        (one(resources={"nodes": "two"}), "components[0].resources.nodes", "whole number"),
        (one(inputs=[{"name": "x"}]), "components[0].inputs[0]", "neither uri nor from"),
        (one(inputs=[{"name": "x", "uri": "a", "from": "a.b"}]), "components[0].inputs[0]", "uri and from"),
        (one(work={"accelerator_hours": 1}), "components[0].work.on", "accelerator_hours needs it"),
        (one(code={"path": "../x", "entry": "a"}), "components[0].code.path", "relative path"),
        (one(parameters={"a": [1]}), "components[0].parameters.a", "text or a number"),
        (one(parameters={True: 1}), "components[0].parameters.True", "quotes"),
        (world.document(), "components", "At least 1"),
        ({"name": "x", "components": [world.component()]}, "tenant", "missing"),
        (world.document(world.component(), tenants=1), "tenants", "Did you mean tenant?"),
        (world.document(world.component("a"), world.component("a")), "components[1].id", "own id"),
        (one(needs=["other"]), "components[0].needs[0]", "no component other"),
        (one(inputs=[{"name": "x", "from": "other.y"}]), "components[0].inputs[0].from", "no component"),
        (one(code=None), "components[0].code", "mapping"),
        (one(resources={"accelerator": "npu"}), "components[0].resources.accelerators", "how many"),
        (one(resources={"accelerators": 3, "nodes": 2}), "components[0].resources.accelerators", "evenly"),
        (one(work={"pflop": 3}), "components[0].work", "needs cards"),
    ],
)
def test_each_refusal_names_the_field_and_the_way_out(data, field, words):
    found, message, way_out = broken(data)
    assert found == field
    assert message.startswith(f"{field}: " if field else "A task")
    assert words in f"{message} {way_out}"
    assert message.endswith(".") and way_out.endswith(".")


def test_unknown_framework_lists_what_is_known():
    _field, message, way_out = broken(one(framework="jax"))
    assert message == "components[0].framework: 'jax' is not known."
    assert way_out == "Write one of: none, tensorflow, pytorch, caffe, paddlepaddle, mindspore."


def test_whole_numbers_written_with_a_point():
    found = task.parse(one(resources={"nodes": 2.0, "accelerators": 4.0}, parameters={"a": 1.0})).components[0]
    assert repr((found.resources.nodes, found.resources.accelerators)) == "(2, 4)"
    assert repr(found.parameters) == "{'a': 1.0}"


def test_a_number_without_a_value():
    data = one(resources={"accelerators": 1}, work={"accelerator_hours": float("nan"), "on": "a800"})
    assert broken(data)[0] == "components[0].work.accelerator_hours"


json_values = strategies.recursive(
    strategies.none() | strategies.booleans() | strategies.floats() | strategies.integers() | strategies.text(),
    lambda inner: strategies.lists(inner, max_size=3) | strategies.dictionaries(strategies.text(), inner, max_size=3),
    max_leaves=6,
)


FIELDS = sorted(world.schema("task")["$defs"]["component"]["properties"])


@settings(max_examples=200, deadline=None, derandomize=True)
@given(field=strategies.sampled_from(FIELDS), data=json_values)
def test_any_value_is_a_task_or_a_refusal(field, data):
    for document in (data, one(**{"name" if field == "id" else field: data})):
        try:
            task.parse(document)
        except Invalid as error:
            assert error.message and error.way_out


def test_a_localhost_is_an_id_like_any_other():
    assert task.parse(one(name="localhost")).components[0].id == "localhost"


def test_an_unquoted_time_says_quotes():
    limits = {"deadline": datetime.datetime(2026, 11, 26)}
    field, _message, way_out = broken(world.document(world.component(), constraints=limits))
    assert (field, way_out) == ("constraints.deadline", "Put it in quotes.")


def test_a_circle_is_shown_with_its_members():
    data = world.document(
        world.component("a", needs=["c"]),
        world.component("b", needs=["a"]),
        world.component("c", needs=["b"]),
        world.component("d", needs=["a"]),
    )
    field, message, _way_out = broken(data)
    assert field == "components[0].needs"
    assert "a → c → b → a" in message


def test_a_component_that_needs_itself():
    assert "a → a" in broken(world.document(world.component("a", needs=["a"])))[1]


def test_a_gang_that_waits_for_itself():
    data = world.document(
        world.component("a", gang="g"),
        world.component("m", needs=["a"]),
        world.component("z", gang="g", needs=["m"]),
    )
    field, message, _way_out = broken(data)
    assert field == "components[2].gang"
    assert "z waits for a" in message


def test_gangs_that_wait_for_each_other():
    data = world.document(
        world.component("a1", gang="a"),
        world.component("a2", gang="a", needs=["b1"]),
        world.component("b1", gang="b"),
        world.component("b2", gang="b", needs=["a1"]),
    )
    assert "gang a and gang b" in broken(data)[1]


def test_outputs_and_evaluation():
    made = {"name": "m", "path": "m.npz"}
    assert broken(one(outputs=[made, made]))[0] == "components[0].outputs[1].name"
    assert broken(one(outputs=[made, {**made, "name": "n"}]))[0] == "components[0].outputs[1].path"
    evaluate = {"method": "linear_argmax", "input": "d", "weights": "W", "bias": "b", "at_least": 0.9}
    measured = one(outputs=[{**made, "evaluate": evaluate}], inputs=[{"name": "d", "uri": "d.csv"}])
    field, message, _way_out = broken(measured)
    assert field == "components[0].outputs[0].evaluate.input"
    assert "no input of train with a holdout" in message
    held = {"name": "d", "uri": "d.csv", "holdout": {"modulo": 5, "remainder": 0}}
    away = one(outputs=[{**made, "collect": False, "evaluate": evaluate}], inputs=[held])
    assert broken(away)[0] == "components[0].outputs[0].collect"


def test_what_is_withheld_of_another_component_is_measured_on():
    held = {"name": "d", "uri": "d.csv", "holdout": {"modulo": 5, "remainder": 0}}
    evaluate = {"method": "linear_argmax", "input": "a.d", "weights": "W", "bias": "b", "at_least": 0.9}
    maker = world.component("a", inputs=[held])
    reader = world.component("b", outputs=[{"name": "m", "path": "m.npz", "evaluate": evaluate}])
    graph = expand.expand(found := task.parse(world.document(maker, reader)), world.facts(found))
    assert graph.node("collect_m").held.held == ("e" * 64, 52_000)
    evaluate["input"] = "a.other"
    assert "no input of a with a holdout" in broken(world.document(maker, reader))[1]


def test_labels_are_measured_on_a_withheld_column():
    evaluate = {"method": "labels", "input": "d", "at_least": 0.9}
    made = {"name": "p", "path": "p.csv", "evaluate": evaluate}
    column = {"name": "d", "uri": "d.csv", "holdout": {"column": "last"}}
    assert task.parse(one(outputs=[made], inputs=[column])).components[0].inputs[0].holdout.column == "last"
    lines = {**column, "holdout": {"modulo": 5, "remainder": 0}}
    assert broken(one(outputs=[made], inputs=[lines]))[0] == "components[0].outputs[0].evaluate.method"
    both = {**column, "holdout": {"modulo": 5, "remainder": 0, "column": "last"}}
    assert broken(one(inputs=[both]))[0] == "components[0].inputs[0].holdout"
    bare = {**made, "evaluate": {**evaluate, "method": "linear_argmax"}}
    assert broken(one(outputs=[bare], inputs=[lines]))[0] == "components[0].outputs[0].evaluate.weights"


def test_a_remainder_that_never_is():
    held = {"name": "d", "uri": "d.csv", "holdout": {"modulo": 5, "remainder": 5}}
    assert "0 to 4" in broken(one(inputs=[held]))[2]


def test_lines_of_a_made_file_cannot_be_withheld():
    maker = world.component("a", outputs=[{"name": "o", "path": "o"}])
    reader = world.component("b", inputs=[{"name": "d", "from": "a.o", "holdout": {"modulo": 5, "remainder": 0}}])
    assert broken(world.document(maker, reader))[0] == "components[1].inputs[0].holdout"


def test_an_output_that_nobody_makes():
    maker = world.component("a", outputs=[{"name": "o", "path": "o"}])
    reader = world.component("b", inputs=[{"name": "d", "from": "a.x"}])
    assert "it makes o" in broken(world.document(maker, reader))[1]


def test_all_problems_are_in_the_details():
    with pytest.raises(Invalid) as error:
        task.parse(world.document(world.component(framework="x", kind="y")))
    assert [row["field"] for row in error.value.details["problems"]] == [
        "components[0].framework",
        "components[0].kind",
    ]


def graph(data):
    found = task.parse(data)
    return expand.expand(found, world.facts(found))


def test_the_example_expands_to_three():
    nodes = {node.id: node for node in graph(world.digits()).nodes}
    assert list(nodes) == ["move_digits", "train", "collect_model"]
    move, train, collect = nodes.values()
    assert (move.kind, move.of, move.needs) == ("move_data", "train", ())
    assert train.needs == ("move_digits",)
    assert (collect.kind, collect.of, collect.needs) == ("collect", "train", ("train",))


def test_only_kept_lines_are_uploaded():
    move, _train, collect = graph(world.digits()).nodes
    assert (move.datum.sha256, move.datum.size, move.datum.source) == ("f" * 64, 210_000, None)
    assert collect.held.held == ("e" * 64, 52_000)


def test_made_ids_are_cut_numbered_and_never_taken():
    name = "a_rather_long_name_of_data"
    inputs = [{"name": name, "uri": "a"}]
    data = world.document(
        world.component("move_a_rather_long_n", inputs=inputs), world.component("second", inputs=inputs)
    )
    made = [node.id for node in graph(data).nodes if node.kind == "move_data"]
    assert sorted(made) == ["move_a_rather_long_2", "move_a_rather_long_3"]


def test_a_made_input_needs_its_maker():
    maker = world.component("a", outputs=[{"name": "o", "path": "sub/o.bin", "collect": False, "size_mib": 2}])
    reader = world.component("b", inputs=[{"name": "d", "from": "a.o"}])
    nodes = {node.id: node for node in graph(world.document(reader, maker)).nodes}
    assert list(nodes) == ["a", "move_d", "b"]
    assert nodes["move_d"].needs == ("a",)
    assert (nodes["move_d"].datum.filename, nodes["move_d"].datum.size) == ("o.bin", 2 << 20)
    assert nodes["b"].needs == ("a", "move_d")


def test_an_output_is_as_sensitive_as_what_was_read():
    maker = world.component(
        "a",
        inputs=[{"name": "x", "uri": "x", "data_level": "confidential"}],
        outputs=[{"name": "o", "path": "o", "collect": False}],
    )
    found = graph(world.document(maker, world.component("b", inputs=[{"name": "d", "from": "a.o"}])))
    assert found.node("move_d").datum.level == "confidential"


def test_a_file_that_differs():
    data = one(inputs=[{"name": "x", "uri": "x.csv", "sha256": "1" * 64}])
    found = task.parse(data)
    facts = task.Facts({("train", "x"): task.FileFact("x.csv", "x.csv", "/x.csv", "2" * 64, 1)})
    with pytest.raises(Corrupt) as error:
        expand.expand(found, facts)
    assert error.value.details["field"] == "components[0].inputs[0].sha256"


def test_a_file_that_is_not_there():
    found = task.parse(one(inputs=[{"name": "x", "uri": "x.csv"}]))
    with pytest.raises(Invalid, match=r"components\[0\].inputs\[0\].uri: nothing is known of x.csv"):
        expand.expand(found, task.Facts())
