"""What a notice says, in both languages at once: whoever gets it may read either.

Texts are put together here, from sentences of ours and words of people. Nobody's words are ever a template, a heading
or a line of their own: control characters and line breaks become spaces, and long words are cut.
"""

from __future__ import annotations

import unicodedata

from ansible_collections.suanwang.brain.plugins.module_utils.said import spoken
from ansible_collections.suanwang.brain.plugins.module_utils.said import words

from ..speech.catalogue import catalogue
from ..speech.heard import hear

LONGEST = 200
#: event → (Chinese, English).
SUBJECTS = {
    "approval": ("等待您审批", "Waiting for your approval"),
    "succeeded": ("运行成功", "Run succeeded"),
    "failed": ("运行失败", "Run failed"),
    "cancelled": ("运行已取消", "Run cancelled"),
    "rejected": ("审批未通过", "Plan rejected"),
    "expired": ("已过期", "Plan expired"),
    "ending": ("部署即将到期", "A deployment is about to end"),
    "ended": ("部署已结束", "A deployment was ended"),
    "stuck": ("部署未能完全释放", "A deployment could not be given back"),
}
_FIELDS = (
    ("name", "任务", "Task"),
    ("tenant", "租户", "Tenant"),
    ("requester", "申请人", "Asked by"),
    ("sites", "算力中心", "Sites"),
    ("limits", "上限", "At most"),
    ("message", "说明", "Reason"),
    ("digest", "方案摘要", "Digest of the plan"),
    ("url", "页面", "Page"),
)


def clean(value, longest=LONGEST):
    """Return people's words as one short line without control or direction characters."""
    text = "".join(" " if unicodedata.category(one) in ("Cc", "Cf", "Zl", "Zp") else one for one in str(value))
    text = " ".join(text.split())
    return text if len(text) <= longest else f"{text[: longest - 1]}…"


def subject(event, params):
    zh, en = SUBJECTS[event]
    return f"[SuanWang] {zh} / {en}: {clean(params.get('name', ''), 80)}"


def body(event, params):
    """Return the whole text: a heading, then a line a fact that is known."""
    zh, en = SUBJECTS[event]
    lines = [f"{zh} / {en}", ""]
    for field, chinese, english in _FIELDS:
        if params.get(field) not in (None, ""):
            here = clean(params[field], 400)
            # Only a reason may be a sentence of ours; a name that reads like one stays what somebody called it.
            there = clean(_chinese(params[field]), 400) if field == "message" else here
            if there == here:
                lines.append(f"{chinese} / {english}: {here}")
            else:
                lines += [f"{chinese}: {there}", f"{english}: {here}"]
    return "\n".join(lines) + "\n"


def _chinese(text):
    return spoken(words(hear(str(text))), catalogue("zh-CN").gettext)
