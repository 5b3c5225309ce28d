"""How things are asked for: filters, order, pages, and how an object is shown."""

from tests.lab.controller.objects import KINDS
from tests.lab.controller.objects import Refusal
from tests.lab.controller.objects import SECRET

FORBIDDEN = ("extra_vars", "job_args", "inputs", "password")
MOST = 200
_PAGING = ("page", "page_size", "order_by", "format", "search")
RELATED = {
    "projects": ("update", "playbooks"),
    "inventory_sources": ("update", "credentials"),
    "job_templates": ("launch", "survey_spec", "credentials", "labels", "instance_groups", "jobs"),
    "jobs": ("cancel", "job_events", "stdout", "relaunch"),
    "organizations": ("galaxy_credentials", "instance_groups"),
    "inventories": ("instance_groups", "input_inventories"),
}


def shown(objects, kind, thing):
    """Return an object as the API shows it."""
    found = {key: value for key, value in thing.items() if not key.startswith("_")}
    found["related"] = {name: f"{thing['url']}{name}/" for name in RELATED.get(kind, ())}
    found["summary_fields"] = {"credentials": [{"id": number} for number in thing["_credentials"]]}
    if kind == "credentials":
        secret = objects.get("credential_types", thing["credential_type"])["_secret"]
        found["inputs"] = {key: SECRET if key in secret else value for key, value in thing["inputs"].items()}
    if kind == "projects" and thing.get("_update"):
        found["summary_fields"]["current_update"] = {"id": thing["_update"]}
    return found


def listed(objects, kind, things, query):
    """Return the page that a query asks for."""
    for key in query:
        if key not in _PAGING:
            things = _filtered(kind, things, key, query[key])
    order = query.get("order_by", "id")
    things = sorted(things, key=lambda one: one.get(order.lstrip("-")) or 0, reverse=order.startswith("-"))
    size = _number(query.get("page_size"), 25)
    size, page = min(size or 25, MOST), query.get("page", "1")
    pages = max(1, -(-len(things) // size))
    number = pages if page == "last" else _number(page, 0)
    if not 1 <= number <= pages:
        raise Refusal(404, {"detail": "Invalid page."})
    path = f"/api/v2/{kind}/"
    return {
        "count": len(things),
        "next": f"{path}?page={number + 1}&page_size={size}" if number < pages else None,
        "previous": f"{path}?page={number - 1}&page_size={size}" if number > 1 else None,
        "results": [shown(objects, kind, one) for one in things[(number - 1) * size : number * size]],
    }


def _number(text, default):
    try:
        return int(text)
    except (TypeError, ValueError):
        return default


def _filtered(kind, things, key, value):
    field, _, how = key.removeprefix("or__").partition("__")
    if field in FORBIDDEN:
        raise Refusal(403, {"detail": f"Filtering on {field} is not allowed."})
    known = {*KINDS[kind][2], "id", "name", "created", "modified", "type"}
    if field not in known:
        raise Refusal(400, {"detail": f"{KINDS[kind][1]} has no field named '{field}'"})
    tests = {
        "": lambda have: str(have) == value,
        "exact": lambda have: str(have) == value,
        "in": lambda have: str(have) in value.split(","),
        "gt": lambda have: have is not None and have > type(have)(value),
        "gte": lambda have: have is not None and have >= type(have)(value),
        "contains": lambda have: value in str(have),
    }
    if how not in tests:
        raise Refusal(400, {"detail": f"Unsupported lookup '{how}' for field '{field}'"})
    return [one for one in things if tests[how](one.get(field))]
