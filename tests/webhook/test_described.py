"""The API as its own document describes it: what fits the document, and much that does not, ends in no 5xx."""

import itertools

import hypothesis
import schemathesis
from hypothesis import HealthCheck
from hypothesis import Phase
from schemathesis import GenerationMode

from tests.webhook.people import browser
from tests.webhook.people import said
from tests.webhook.people import tiny_task
from webhook.config import ROLES

#: A stream without an end, and what ends the session that the others need.
LEFT_OUT = {("get", "/api/v1/runs/{run}/events"), ("delete", "/api/v1/session")}
EXAMPLES = 10


def test_no_operation_of_the_document_ends_in_an_error_of_ours(app):
    app.extensions["limiter_"].enabled = False
    who = browser(app, roles=ROLES)
    document, files = tiny_task()
    run = said(who.post("/api/v1/tasks", {"document": document, "files": files}))["id"]
    cookies = {"suanwang": who.client.get_cookie("suanwang").value}
    schema = schemathesis.openapi.from_wsgi("/openapi.json", app)
    wrong, statuses, number = [], {}, itertools.count()

    def ask(case):
        # Every other time it is about a task that is there.
        if next(number) % 2 and "run" in (case.path_parameters or {}):
            case.path_parameters["run"] = run
        answer = case.call(headers={"X-CSRF-Token": who.csrf}, cookies=cookies)
        name = (case.operation.method.lower(), case.operation.path)
        statuses.setdefault(name, set()).add(answer.status_code)
        if answer.status_code >= 500:
            wrong.append((*name, answer.status_code, case.as_curl_command()[:900]))

    rules = hypothesis.settings(
        max_examples=EXAMPLES, deadline=None, database=None, phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )  # fmt: skip
    for found in schema.get_all_operations():
        operation = found.ok()
        if (operation.method.lower(), operation.path) in LEFT_OUT:
            continue
        for mode in GenerationMode:
            if mode is GenerationMode.NEGATIVE and not (operation.query or operation.body):
                continue  # nothing to be wrong in: any text is a path
            test = hypothesis.given(case=operation.as_strategy(generation_mode=mode))(lambda case: ask(case))
            hypothesis.seed(7)(rules(test))()
    assert wrong == []
    described = {
        (method, path) for path, item in app.spec["paths"].items() for method in item if (method, path) not in LEFT_OUT
    }
    assert set(statuses) == described
    # Not everything was refused at the door: reading works with whatever is asked.
    assert {200} <= statuses["get", "/api/v1/tasks"] and 200 in statuses["get", "/api/v1/use"]
    assert 422 in statuses["post", "/api/v1/tasks"]
