"""The words of the pages, and the language of a request."""

from __future__ import annotations

from flask import g
from flask import request

from ..speech.catalogue import catalogue

LANGUAGES = {"zh-CN": "简体中文", "en": "English"}
COOKIE = "language"


def mark(text):
    """Mark a text for the catalogue; it is translated where it is shown."""
    return text


_ = mark


#: What states, kinds and roles are called; the templates ask for them by variable, so they stand here.
KNOWN = (
    _("submitted"), _("refused"), _("proposed"), _("revised"), _("confirmed"), _("approved"), _("rejected"),
    _("expired"), _("running"), _("succeeded"), _("failed"), _("cancelling"), _("cancelled"), _("withdrawn"),
    _("queued"), _("claimed"), _("lost"), _("planned"), _("placed"), _("waiting"), _("begun"), _("found"),
    _("writing"), _("in doubt"), _("unreachable"), _("measured"), _("released"), _("starting"), _("suspended"),
    _("stopping"), _("unknown"), _("live"), _("partial"), _("stale"), _("drained"), _("apply"), _("check"),
    _("release"), _("perceive"), _("train"), _("infer"), _("serve"), _("provision"), _("run"), _("move_data"),
    _("collect"), _("fastest"), _("cheapest"), _("greenest"), _("balanced"), _("safest"), _("requester"),
    _("approver"), _("owner"), _("operator"), _("auditor"), _("admin"), _("finish_s"), _("cost_fen"), _("card_s"),
    _("core_s"), _("energy_wh"), _("balance"), _("risk"), _("approve"), _("reject"), _("partition"),
    _("watch"), _("critical"), _("major"), _("minor"), _("warning"), _("info"), _("pending"), _("sending"), _("sent"),
    _("approval"), _("policy"), _("standing"), _("ending"), _("overdue"), _("retire"), _("ended"), _("stuck"),
)  # fmt: skip

#: What the audit calls what was done.
ACTIONS = (
    _("alarm.acknowledge"), _("delivery.fetch"), _("delivery.take"), _("deployment.end"), _("deployment.ending"),
    _("deployment.extend"), _("fleet.drain"), _("fleet.pause"), _("fleet.undrain"), _("limits.push"), _("limits.try"),
    _("notice.again"), _("proposal.revise"), _("quota.put"), _("run.cancel"), _("run.cancelled"), _("run.failed"),
    _("run.resume"), _("run.succeeded"), _("session.enter"), _("session.leave"), _("task.approve"), _("task.confirm"),
    _("task.expire"), _("task.make"), _("task.propose"), _("task.refuse"), _("task.reject"), _("task.withdraw"),
    _("token.make"), _("token.revoke"),
)  # fmt: skip


#: Words that stand inside sentences of the planner: severities, ways to a site, levels of data, objectives.
INSIDE = (
    _("critical"), _("major"), _("minor"), _("warning"), _("info"), _("intranet"), _("internet"), _("private_line"),
    _("public"), _("internal"), _("confidential"), _("accelerators"), _("cpu"), _("memory_gib"), _("nodes"),
    _("jobs"), _("finish"), _("cost"), _("energy"), _("task"), _("launch"), _("propose"), _("revise"),
    _("refuse"), _("confirm"), _("withdraw"), _("expire"), _("start"), _("cancel"), _("resume"), _("yes"), _("no"),
)  # fmt: skip

#: What the rules of the planner are called, those that forbid a pool and those that make it wait.
RULES = {
    "state": _("state of the pool"), "alarm": _("alarm"), "maintenance": _("maintenance"), "tenant": _("tenant"),
    "jobs": _("kind of pool"), "site": _("sites allowed"), "residency": _("data residency"),
    "intranet": _("intranet only"), "data_level": _("level of data"), "storage": _("storage"),
    "arch": _("architecture"), "accelerator": _("accelerator"), "image": _("image"), "runtime": _("framework"),
    "capacity": _("cards"), "shape": _("shape of nodes"), "cpu": _("cores"), "memory": _("memory"),
    "quota": _("quota"), "speed": _("speed"), "wall": _("wall limit"), "deadline": _("deadline"), "link": _("link"),
    "machines": _("kind of pool"), "serve": _("kind of pool"), "queue": _("queue"), "busy": _("busy"),
    "promised": _("promised"), "stands": _("where it stands"),
    "same_name": _("where it stands"),
}  # fmt: skip


def language():
    """Return the language of this request: what was chosen, else what the browser asks for."""
    if "language" not in g:
        chosen = request.cookies.get(COOKIE)
        asked = request.accept_languages.best_match(["zh-CN", "zh", "en"], default="zh-CN")
        g.language = chosen if chosen in LANGUAGES else "en" if asked == "en" else "zh-CN"
    return g.language


def translate(text):
    return catalogue(language()).gettext(text) if text else text  # of nothing it gives the head of the catalogue


def several(one, many, number):
    return catalogue(language()).ngettext(one, many, number)


def install(app):
    """Give templates the two functions."""
    app.jinja_env.add_extension("jinja2.ext.i18n")
    app.jinja_env.install_gettext_callables(translate, several, newstyle=True)
    app.jinja_env.globals.update(languages=LANGUAGES, language=language, rules=RULES)


__all__ = ["COOKIE", "LANGUAGES", "install", "language", "mark", "several", "translate"]
