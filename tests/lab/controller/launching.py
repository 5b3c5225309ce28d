"""Launching a template: what it asks for, its survey, and what it drops without an error."""

import json

from tests.lab.controller.objects import Refusal

#: field of a launch → the flag of the template that lets it in
ASKED = {
    "extra_vars": "ask_variables_on_launch",
    "inventory": "ask_inventory_on_launch",
    "limit": "ask_limit_on_launch",
    "job_type": "ask_job_type_on_launch",
    "diff_mode": "ask_diff_mode_on_launch",
    "job_tags": "ask_tags_on_launch",
    "skip_tags": "ask_skip_tags_on_launch",
    "forks": "ask_forks_on_launch",
    "verbosity": "ask_verbosity_on_launch",
    "scm_branch": "ask_scm_branch_on_launch",
    "credentials": "ask_credential_on_launch",
}
_KINDS = {"text": str, "textarea": str, "password": str, "integer": int, "float": (int, float), "multiplechoice": str}


def questions(template):
    """Return what a template wants to know before it is launched."""
    survey = _survey(template)
    needed = [one["variable"] for one in survey if one.get("required") and not one.get("default")]
    return {
        **{flag: value for flag, value in template.items() if flag.startswith("ask_")},
        "can_start_without_user_input": not needed and not any(template[flag] for flag in ASKED.values()),
        "passwords_needed_to_start": [],
        "variables_needed_to_start": needed,
        "credential_needed_to_start": False,
        "inventory_needed_to_start": template["inventory"] is None,
        "survey_enabled": template["survey_enabled"],
        "job_template_data": {key: template[key] for key in ("id", "name", "description")},
        "defaults": {"extra_vars": template["extra_vars"]},
    }


def asked(template, body):
    """Return (fields of the job, ignored fields) of a launch."""
    fields, ignored = {}, {}
    variables = _variables(body.get("extra_vars", {}))
    survey = {one["variable"]: one for one in _survey(template)}
    kept = {name: value for name, value in variables.items() if name in survey or template["ask_variables_on_launch"]}
    if dropped := {name: value for name, value in variables.items() if name not in kept}:
        ignored["extra_vars"] = dropped
    for name, flag in ASKED.items():
        if name == "extra_vars" or name not in body:
            continue
        if template[flag]:
            fields[name] = body[name]
        else:
            ignored[name] = body[name]
    wrong = [said for one in survey.values() if (said := _wrong(one, kept))]
    if wrong:
        raise Refusal(400, {"variables_needed_to_start": wrong})
    for name, one in survey.items():
        if name not in kept and one.get("default") not in (None, ""):
            kept[name] = one["default"]
    fields["extra_vars"] = json.dumps({**json.loads(template["extra_vars"] or "{}"), **kept})
    return fields, ignored


def _survey(template):
    return template.get("_survey", {}).get("spec", []) if template["survey_enabled"] else []


def _variables(given):
    if isinstance(given, str):
        try:
            given = json.loads(given or "{}")
        except ValueError:
            given = None
    if not isinstance(given, dict):
        raise Refusal(400, {"extra_vars": ["Cannot parse as JSON or YAML: it is not a dictionary."]})
    return given


def _wrong(question, answers):
    name, kind = question["variable"], question["type"]
    if name not in answers:
        missing = question.get("required") and question.get("default") in (None, "")
        return f"'{name}' value missing" if missing else None
    value = answers[name]
    if not isinstance(value, _KINDS[kind]):
        return f"Value {value} for '{name}' expected to be a {'string' if _KINDS[kind] is str else kind}."
    if kind == "text" and len(value) < (question.get("min") or 0):
        least = question["min"]
        return f"'{name}' value {value} is too small (length is {len(value)} must be at least {least})."
    if kind == "multiplechoice" and value not in question["choices"]:
        return f"Value {value} for '{name}' expected to be one of {question['choices']}."
    return None
