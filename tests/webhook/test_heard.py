"""What plays and platforms say reaches the pages as text, and is said there in Chinese: every sentence has one."""

import ast
import re
from pathlib import Path

import pytest
from babel.messages.pofile import read_po

from ansible_collections.suanwang.brain.plugins.module_utils import said
from tests.webhook.people import browser
from tests.webhook.test_ends import approved
from tests.webhook.test_ends import launch_of
from webhook.runs.ends import finish
from webhook.speech import catalogue
from webhook.speech import heard

PLUGINS = Path(said.__file__).parents[1]
#: Read by whoever sets the collection up or starts a play by hand: no run and no page carries what they say.
BY_HAND = {
    "sites.py", "configfile.py", "language.py", "hostvars.py", "registry.py", "fleet.py", "statement.py", "module.py",
    "plan_propose.py", "plan_approve.py", "pool_table.py", "watching.py", "intake.py", "perception.py",
}  # fmt: skip
FILES = [path for path in sorted(PLUGINS.rglob("*.py")) if path.name not in BY_HAND and path.parent.name != "planning"]
ERRORS = ("BrainError", "Invalid", "Unreachable", "Timeout", "Unauthorized", "NotFound", "Refused", "QuotaExceeded",
          "Conflict", "Unsupported", "Corrupt", "JobFailed", "RunFailed", "NeedFailed", "GangFailed")  # fmt: skip


def template(node):
    """Return the text of a literal, its values as {a}, {b} … in their order; None where it is no literal."""
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        return node.value
    if not isinstance(node, ast.JoinedStr):
        return None
    names = iter("abcdefghij")
    parts = [
        one.value.replace("{", "{{").replace("}", "}}") if isinstance(one, ast.Constant) else f"{{{next(names)}}}"
        for one in node.values
    ]
    return "".join(parts)


def raised():
    """Yield (where, template) of what errors say, and of their ways out."""
    for path in FILES:
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if not isinstance(node, ast.Call):
                continue
            name = getattr(node.func, "id", getattr(node.func, "attr", None))
            found = node.args[:1] if name in ERRORS else node.args[1:2] if name == "_error" else []
            found += [one.value for one in node.keywords if one.arg == "way_out"]
            for one in found:
                for side in (one.body, one.orelse) if isinstance(one, ast.IfExp) else (one,):
                    text = template(side)
                    if text and re.search(r"[a-z]{2,} [a-z]{2,}", text):
                        yield f"{path.name}:{side.lineno}", text


def plays():
    """Return the templates of plays.po."""
    with open(catalogue.FOLDER / "zh_CN/LC_MESSAGES/plays.po", "rb") as stream:
        return {one.id for one in read_po(stream) if one.id}


def test_every_sentence_of_a_play_has_its_chinese():
    known = catalogue.catalogue("zh-CN")._catalog
    missing = {text: where for where, text in raised() if text not in known}
    assert missing == {}, "add them to webhook/translations/zh_CN/LC_MESSAGES/plays.po"


def test_a_translation_keeps_the_values_and_is_of_something_that_is_said():
    field = re.compile(r"\{\w+\}")
    spoken = " ".join(
        node.value
        for path in [*FILES, PLUGINS / "plugin_utils/perception.py", PLUGINS / "module_utils/sites.py"]
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.Constant) and isinstance(node.value, str)
    )
    spoken = re.sub(r"\{\w*\}", "{}", spoken).replace("{{", "{").replace("}}", "}")
    known = catalogue.catalogue("zh-CN")._catalog
    for text in plays():
        chinese = known[text]
        assert sorted(field.findall(text)) == sorted(field.findall(chinese)), text
        for part in field.split(text):
            assert part.replace("{{", "{").replace("}}", "}").strip(" .;:,") in spoken, text


def chinese(text):
    return said.spoken(said.words(heard.hear(text)), catalogue.catalogue("zh-CN").gettext)


@pytest.mark.parametrize(
    ("text", "spoken"),
    [
        ("train was not started before the approval expired.", "审批过期之前没有启动 train。"),
        ("hunan, POST /job: the connection was cut. Try again.", "hunan, POST /job：连接被切断。 请重试。"),
        (
            "train: hunan: the job swb-1 ended with exit code 3 (OOM). Its last lines: a | b. not started because of "
            "that: after, collect.",
            "train: hunan：作业 swb-1 以退出码 3 (OOM) 结束。 其最后几行：a | b. 因此没有启动：after, collect。",
        ),
        (
            "no allowed pool is fit for train now. c/s/cpu: 4 nodes are asked for, 2 are there.",
            "目前没有允许的资源池适合 train。c/s/cpu：申请 4 个节点，只有 2 个。",
        ),
        (
            "hunan/s/npu: it is drained: new cables (hunan, by op since 2026-11-25T03:26:58Z).",
            "hunan/s/npu：它已停止接收新任务：new cables（hunan，由 op 于 2026-11-25T03:26:58Z 设置）。",
        ),
        ("cancelled by o@lab.invalid", "由 o@lab.invalid 取消"),
        ("Traceback (most recent call last): no words of ours", "Traceback (most recent call last): no words of ours"),
    ],
)  # fmt: skip
def test_a_text_is_taken_apart_into_sentences_of_ours(text, spoken):
    assert chinese(text) == spoken
    assert str(heard.hear(text)) == text


def test_a_foreign_text_of_any_shape_stays_as_it_is():
    for text in (" ", ": : :", "{}", "{a}", "%(x)s", "a. b. c", "不是我们说的。", "x" * 5000, ". . ."):
        assert chinese(text) == text


def test_a_failed_run_says_who_failed_and_why_in_the_language_of_the_page(app, desk, settings):
    run = approved(desk)
    row = launch_of(desk, run)
    for event in (
        {"event": "loaded"},
        {"event": "end", "component": "train", "state": "failed", "message": "hunan: there is no such file."},
        {"event": "end", "component": "after", "state": "failed", "culprit": "train",
         "message": "after was not started: what it needs failed (train)."},
        {"event": "closed", "state": "failed"},
    ):  # fmt: skip
        desk.store.note(run, {"at": desk.now(), **event})
    finish(settings, desk.database, row, {"exit_code": 2, "cancelled": False})
    message = "train: hunan: there is no such file. not started because of that: after."
    who = browser(app)
    for language, text in (("en", message), ("zh-CN", "train: hunan：没有这样的文件。 因此没有启动：after。")):
        page = who.get(f"/tasks/{run}", headers={"Accept-Language": language}).get_data(as_text=True)
        assert f'<p class="problem" role="status">{text}</p>' in page


@pytest.mark.parametrize(
    ("language", "said_"),
    [
        (None, "has to be a mapping."),
        ("*", "has to be a mapping."),
        ("en", "has to be a mapping."),
        ("zh-CN", "应为映射。"),
    ],
)
def test_what_pydantic_finds_is_said_by_us_and_in_chinese_to_programs_that_ask_for_it(app, language, said_):
    headers = {"Accept-Language": language} if language else {}
    answer = browser(app).post("/api/v1/tasks", {"document": 3}, headers=headers)
    assert (answer.status_code, answer.json["field"], answer.json["detail"]) == (422, "document", said_)


def test_a_form_that_is_wrong_says_so_in_chinese(app):
    who = browser(app, roles=("operator", "requester"))
    answer = who.client.post(
        "/pause", data={"csrf": who.csrf, "paused": "1", "reason": "x"}, headers={"Accept-Language": "zh-CN"}
    )  # fmt: skip
    assert answer.status_code == 422
    assert "reason：至少需要 3 个字符。" in answer.get_data(as_text=True)
