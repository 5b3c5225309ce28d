"""Every sentence of planner and service has its Chinese, with the same values; what is said, is said by a template."""

import ast
import json
import re
from pathlib import Path

import pytest

import webhook
from ansible_collections.suanwang.brain.plugins.module_utils import said
from ansible_collections.suanwang.brain.plugins.module_utils.errors import Refused
from tests.unit.planning import test_delays
from tests.unit.planning import world
from tests.webhook.people import browser
from tests.webhook.people import said as answered
from tests.webhook.people import tiny_task
from webhook.desk import proposals
from webhook.pages import showing
from webhook.pages import words
from webhook.planner import shapes
from webhook.speech import catalogue

SERVICE = Path(webhook.__file__).parent
PLUGINS = Path(said.__file__).parents[1]
PLANNING = sorted(PLUGINS.glob("plugin_utils/planning/*.py")) + [
    PLUGINS / f"plugin_utils/{name}.py" for name in ("intake", "draining")
]
#: Read by whoever starts the service, or by the log.
FOR_OPERATORS = {"config.py", "__main__.py", "app.py", "serve.py", "supervise.py", "database.py"}
FILES = PLANNING + [
    path
    for path in sorted(SERVICE.rglob("*.py"))
    if path.name not in FOR_OPERATORS and path.parent.name not in ("runs", "versions", "migrations")
] + [SERVICE / f"{name}.py" for name in ("desk/runs", "api/runs", "runs/ledger", "runs/ends")]  # fmt: skip
#: What says something → the places of its arguments that hold sentences; `way_out` always does.
SPEAKERS = {
    **dict.fromkeys(("say", "words", "join", "Denied", "Clash", "Missing", "Invalid", "Refused", "Forged"), (0,)),
    **dict.fromkeys(("NotFound", "Corrupt", "Conflict", "Timeout", "BrainError"), (0,)),
    **dict.fromkeys(("problem_of", "_bad", "wrong"), (1, 2)),
    "at_field": (1,),
    "Run": (1,),
    "No": (1, 3),
    "Problem": (1,),
}


def spoken(path):
    """Yield (line, argument) of everything that a file says."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Call):
            name = getattr(node.func, "id", getattr(node.func, "attr", None))
            found = [node.args[place] for place in SPEAKERS.get(name, ()) if place < len(node.args)]
            for one in [*found, *(word.value for word in node.keywords if word.arg == "way_out")]:
                yield one.lineno, one


def literals(node):
    """Yield the texts of an argument: itself, or both sides of a choice."""
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        yield node.value
    elif isinstance(node, ast.IfExp):
        yield from literals(node.body)
        yield from literals(node.orelse)


def sentences():
    """Return every template of planner and service."""
    return {text for path in FILES for _line, node in spoken(path) for text in literals(node) if text.strip()}


def test_every_sentence_has_its_chinese():
    known = catalogue.catalogue("zh-CN")._catalog
    assert sorted(text for text in sentences() if text not in known) == []


def test_a_translation_takes_the_values_of_its_sentence():
    known, field = catalogue.catalogue("zh-CN")._catalog, re.compile(r"\{\w+(?:![rs])?(?::[\w.]+)?\}")
    for text in sentences():
        assert set(field.findall(known[text])) <= set(field.findall(text)), text


def test_every_rule_of_the_planner_has_a_name_on_the_pages():
    rules = set()
    for path in PLANNING:
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            name = getattr(getattr(node, "func", None), "id", None)
            if name in ("No", "Delay") and node.args and isinstance(node.args[0], ast.Constant):
                rules.add(node.args[0].value)
    assert {"state", "quota", "deadline", "queue"} <= rules
    assert sorted(rules - set(words.RULES)) == []


def test_no_sentence_is_put_together_where_no_page_can_translate_it():
    """Prose in an f-string is lost to the translation; names, paths and figures in one are not."""
    found = []
    for path in FILES:
        for line, node in spoken(path):
            inside = [one for one in ast.walk(node) if isinstance(one, ast.JoinedStr)]
            for one in inside:
                text = "".join(part.value for part in one.values if isinstance(part, ast.Constant))
                if re.search(r"[A-Za-z]{3,} [A-Za-z]{2,}", text):
                    found.append(f"{path.name}:{line}: {text}")
    assert found == []


@pytest.mark.parametrize(
    ("text", "chinese"),
    [
        (said.say("{pool} is drained", pool="hunan/slurm/npu"), "hunan/slurm/npu 已停止接收新任务"),
        (said.say("ends in {time}", time=said.say("{n} min", n=12)), "12 分钟内结束"),
        (said.join(" and ", [said.say("{n} run", n=2), said.say("{n} wait", n=1)]), "2 个在运行、1 个在等待"),
        (said.words("nobody ever said this"), "nobody ever said this"),
        ("public", "public"),
    ],
)
def test_a_sentence_in_chinese_and_through_json_and_back(text, chinese):
    translate = catalogue.catalogue("zh-CN").gettext
    assert said.spoken(text, translate) == chinese
    assert said.spoken(said.from_plain(said.plain(text)), translate) == chinese
    assert said.from_plain(said.plain(text)) == text


def test_a_sentence_loses_a_folder_in_its_values_too():
    text = said.say("{path} is not there.", path="/secret/place/a.csv")
    assert said.swapped(text, "/secret/place/", "") == "a.csv is not there."
    assert (
        said.spoken(said.swapped(text, "/secret/place/", ""), catalogue.catalogue("zh-CN").gettext) == "找不到 a.csv。"
    )


def test_what_leaves_for_programs_is_plain_text():
    kept = said.bare({"a": [said.say("{n} s", n=1)], "b": (said.words("x"),)})
    assert kept == {"a": ["1 s"], "b": ["x"]}
    assert [type(one) for one in (*kept["a"], *kept["b"])] == [str, str]


# -- a round of proposals, as a page shows it -------------------------------------------------------------
def chinese(text, told):
    return said.spoken(said.from_plain(told[text]), catalogue.catalogue("zh-CN").gettext)


@pytest.mark.parametrize("name", test_delays.CASES)
def test_a_round_keeps_what_its_sentences_were_made_of(name):
    changes, promised, _start, sentence = test_delays.CASES[name]
    document = world.document(world.component(**test_delays.ONE_CARD))
    pools = [world.pool(world.HUNAN, **changes), world.pool(world.CENTRE, open=False)]
    shown = json.loads(json.dumps(shapes.proposals(world.proposals(document, pools, commitments=promised))))
    assert [row["sentence"] for row in shown["waits"]] == [sentence]
    for row in (*shown["waits"], *shown["rejected"]):
        assert re.search(r"[\u4e00-\u9fff]", chinese(row["sentence"], shown["told"])), row
        assert row["pool"] in chinese(row["sentence"], shown["told"])
    for one in shown["items"]:
        for text in (*one["reasons"], *one["loses"], *one["notes"], *one["risks"]):
            assert re.search(r"[\u4e00-\u9fff]", chinese(text, one["told"])), text
        assert set(one["facts"]) == {world.HUNAN}
        assert one["facts"][world.HUNAN]["age_s"] is not None


def test_what_cannot_be_placed_is_said_in_chinese_with_the_least_change(app):
    document = world.document(world.component(resources={"accelerators": 99}))
    with pytest.raises(Refused) as caught:
        world.proposals(document, [world.pool(world.HUNAN)])
    plain = json.loads(json.dumps(shapes.error(caught.value)))
    with app.test_request_context(headers={"Accept-Language": "zh-CN"}):
        assert showing.sentence(said.from_plain(plain["message"])) == (
            "components[0].resources.accelerators："
            "train 没有合适的资源池：hunan/slurm/npu 有 16 张 910b3 卡，申请了 99 张。"
        )
        assert showing.sentence(said.from_plain(plain["way_out"])) == (
            "最小的改动：最多申请 16 张卡（适用于 hunan/slurm/npu）。"
        )
        drained = said.say("last seen {at}", at="2026-11-25T03:26:58Z")
        assert showing.sentence(drained) == "最后一次看到是 11-25 11:26:58"


def test_a_refused_task_says_why_in_the_language_of_the_page(app, desk):
    who = browser(app)
    document, files = tiny_task()
    run = answered(who.post("/api/v1/tasks", {"document": document, "files": files}))["id"]
    proposals._refuse(desk, run, "submitted", "service", said.say("{pool} is drained", pool="hunan/slurm/npu"))
    assert answered(who.get(f"/api/v1/tasks/{run}"))["message"] == "hunan/slurm/npu is drained"
    for language, text in (("zh-CN", "hunan/slurm/npu 已停止接收新任务"), ("en", "hunan/slurm/npu is drained")):
        page = who.get(f"/tasks/{run}", headers={"Accept-Language": language}).get_data(as_text=True)
        assert f'<p class="problem" role="status">{text}</p>' in page
