"""The API below /api/v2/, as a real server was seen to answer."""

import re
import socket
from pathlib import Path

from flask import Flask
from flask import request
from flask import Response
from werkzeug.exceptions import HTTPException

from tests.lab.controller import launching
from tests.lab.controller import lists
from tests.lab.controller.objects import KINDS
from tests.lab.controller.objects import now
from tests.lab.controller.objects import Refusal

LOGIN = "Authentication credentials were not provided. To establish a login session, visit /api/login/."
MEMBERS = ("credentials", "labels", "instance_groups", "galaxy_credentials", "input_inventories")
_ENV = re.compile(r"[a-zA-Z_]+[a-zA-Z0-9_]*")
_LABEL = re.compile(r"template(\.[a-zA-Z_]+[a-zA-Z0-9_]*)?")


class Controller:
    """The application over objects and work. token: what callers send.

    lose: how many answers of launches are still to be lost, after the job was made.
    """

    def __init__(self, objects, work, token):
        self.objects, self.work, self.token, self.lose = objects, work, token, 0
        self.app = Flask(__name__)
        self.app.before_request(self._login)
        self.app.after_request(self._headers)
        self.app.register_error_handler(Refusal, lambda error: (error.body, error.status))
        self.app.register_error_handler(HTTPException, _page)
        for path, view, methods in (
            ("/api/", self.root, "GET"), ("/api/v2/ping/", self.ping, "GET"), ("/api/v2/config/", self.config, "GET"),
            ("/api/v2/", self.version, "GET"), ("/api/v2/me/", self.me, "GET"), ("/control/lose", self.control, "POST"),
            ("/api/v2/<kind>/", self.many, "GET POST"), ("/api/v2/<kind>/<number>/", self.one, "GET PATCH DELETE"),
            ("/api/v2/<kind>/<number>/<part>/", self.part, "GET POST"),
        ):  # fmt: skip
            self.app.add_url_rule(path, view.__name__, view, methods=methods.split())

    # -- every request -------------------------------------------------------------------------------------
    def _login(self):
        if request.path in ("/api/", "/api/v2/ping/"):
            return None
        if request.headers.get("Authorization") != f"Bearer {self.token}":
            return {"detail": LOGIN}, 401, {"WWW-Authenticate": "Bearer realm=api authorization_url=/api/o/authorize/"}
        if request.method in ("POST", "PATCH") and request.data and not request.is_json:
            said = "You did not use correct Content-Type in your HTTP request. If you are using our REST API,"
            return {"detail": f"{said} the Content-Type must be application/json"}, 415
        return None

    @staticmethod
    def _headers(answer):
        answer.headers["X-API-Product-Name"] = "AWX"
        if answer.status_code != 401:
            answer.headers["X-API-Product-Version"] = "24.6.1"
        return answer

    @staticmethod
    def _body():
        if not request.data:
            return {}
        body = request.get_json(silent=True)
        if not isinstance(body, dict):
            raise Refusal(400, {"detail": "JSON parse error - not a JSON object"})
        return body

    # -- the server ----------------------------------------------------------------------------------------
    def root(self):
        return {"description": "AWX REST API", "current_version": "/api/v2/", "available_versions": {"v2": "/api/v2/"}}

    def version(self):
        return {name: f"/api/v2/{name}/" for name in ("ping", "config", "me", *KINDS)}

    def ping(self):
        return {"ha": False, "version": "24.6.1", "active_node": "lab", "instances": [], "instance_groups": []}

    def config(self):
        return {"time_zone": "UTC", "license_info": {"license_type": "open", "valid_key": True}, "version": "24.6.1"}

    def me(self):
        return {"count": 1, "next": None, "previous": None, "results": [{"id": 1, "username": "lab", "type": "user"}]}

    def control(self):
        self.lose = self._body()["count"]
        return {}

    # -- things --------------------------------------------------------------------------------------------
    def many(self, kind):
        self._known(kind)
        if request.method == "GET":
            return lists.listed(self.objects, kind, self.objects.all(kind), request.args)
        body = self._body()
        if "name" not in body:
            raise Refusal(400, {"name": ["This field is required."]})
        made = self.objects.make(kind, body, **self._checked(kind, body))
        if kind == "projects" and made["scm_type"]:
            self.work.update_project(made)
        return lists.shown(self.objects, kind, made), 201, {"Location": made["url"]}

    def one(self, kind, number):
        self._known(kind)
        thing = self.objects.get(kind, number)
        if request.method == "PATCH":
            body = self._body()
            if kind == "credentials" and "inputs" in body:
                kept = thing["inputs"]
                body["inputs"] = {k: kept[k] if v == lists.SECRET else v for k, v in body["inputs"].items()}
            hidden = self._checked(kind, {**thing, **body})
            self.objects.change(kind, thing, body)
            thing.update(hidden)
        elif request.method == "DELETE":
            raise Refusal(405, {"detail": 'Method "DELETE" not allowed.'})
        return lists.shown(self.objects, kind, thing)

    def part(self, kind, number, part):
        self._known(kind)
        thing = self.objects.get(kind, number)
        view = getattr(self, f"_{kind}_{part}", None)
        if view is not None:
            return view(thing)
        if part in MEMBERS and part in lists.RELATED.get(kind, ()):
            return self._members(kind, thing, part)
        return _page(None)

    def _known(self, kind):
        if kind not in KINDS:
            raise _NoPage()

    def _checked(self, kind, body):
        """Check what a real server checks on saving; return what is kept and not shown."""
        if kind == "credential_types":
            return _check_type(body)
        if kind == "credentials":
            type_ = self.objects.get("credential_types", body.get("credential_type"))
            known = {field["id"] for field in type_["inputs"].get("fields", ())}
            for name in body.get("inputs", {}):
                if name not in known:
                    said = f"Additional properties are not allowed ('{name}' was unexpected)"
                    raise Refusal(400, {"inputs": [said]})
            if not body.get("organization"):
                raise Refusal(400, {"detail": ["Missing 'user', 'team', or 'organization'."]})
        if kind == "job_templates":
            project = self.objects.get("projects", body.get("project"))
            self._playbook(project, body.get("playbook", ""))
            body["organization"] = project["organization"]
        return {}

    @staticmethod
    def _playbook(project, name):
        found = [one for one in _playbooks(project) if one == name]
        if not found:
            raise Refusal(400, {"playbook": ["Playbook not found for project."]})

    def _members(self, kind, thing, part):
        held = thing["_credentials"] if part == "credentials" else thing.setdefault(f"_{part}", [])
        if request.method == "GET":
            things = [self.objects.get("credentials", number) for number in held]
            return lists.listed(self.objects, "credentials", things, request.args)
        body = self._body()
        if body.get("disassociate"):
            held.remove(body["id"])
            return "", 204
        found = self.objects.get("credentials", body.get("id"))
        types = [self.objects.get("credentials", number)["credential_type"] for number in held]
        if found["credential_type"] in types:
            name = self.objects.get("credential_types", found["credential_type"])["name"]
            key, said = ("error", f"Cannot assign multiple {name} credentials.")
            if kind == "inventory_sources":
                key, said = "msg", "Source already has credential assigned."
            raise Refusal(400, {key: said})
        held.append(found["id"])
        return "", 204

    # -- parts of things -----------------------------------------------------------------------------------
    def _projects_update(self, project):
        if request.method == "GET":
            return {"can_update": bool(project["scm_type"])}
        made = self.work.update_project(project)
        return {**lists.shown(self.objects, "project_updates", made), "project_update": made["id"]}, 202

    def _projects_playbooks(self, project):
        return _playbooks(project)

    def _inventory_sources_update(self, source):
        made = self.work.update_inventory(source)
        return {**lists.shown(self.objects, "inventory_updates", made), "inventory_update": made["id"]}, 202

    def _job_templates_survey_spec(self, template):
        if request.method == "GET":
            return template.get("_survey", {})
        body = self._body()
        if not body.get("spec"):
            raise Refusal(400, {"error": "'spec' doesn't contain any items."})
        for number, question in enumerate(body["spec"]):
            if "type" not in question:
                raise Refusal(400, {"error": f"'type' missing from survey question {number}"})
        template["_survey"] = body
        return "", 200

    def _job_templates_launch(self, template):
        if request.method == "GET":
            return launching.questions(template)
        fields, ignored = launching.asked(template, self._body())
        copied = ("inventory", "project", "playbook", "forks", "limit", "job_type", "diff_mode")
        body = {**{name: template[name] for name in copied}, **fields, "name": template["name"]}
        with self.objects.lock:
            job = self.objects.make("jobs", {**body, "job_template": template["id"]})
            job["_credentials"] = list(template["_credentials"])
            lost, self.lose = self.lose > 0, max(0, self.lose - 1)
        self.work.start(job)
        if lost:
            request.environ["werkzeug.socket"].shutdown(socket.SHUT_RDWR)
        shown = lists.shown(self.objects, "jobs", job)
        return {**shown, "job": job["id"], "ignored_fields": ignored}, 201, {"Location": job["url"]}

    def _job_templates_jobs(self, template):
        return lists.listed(self.objects, "jobs", self.objects.all("jobs", job_template=template["id"]), request.args)

    def _jobs_cancel(self, job):
        active = job["status"] in ("new", "pending", "waiting", "running")
        if request.method == "GET":
            return {"can_cancel": active}
        if not self.work.cancel(job):
            raise Refusal(405, {"detail": 'Method "POST" not allowed.'})
        return "", 202

    def _jobs_job_events(self, job):
        after = int(request.args.get("counter__gt", 0))
        found = [event for event in self.work.events(job) if event["counter"] > after]
        if "limit" in request.args:
            return {"results": found[: int(request.args["limit"]) or 25]}
        size = min(int(request.args.get("page_size", 25)) or 25, lists.MOST)
        return {"count": len(found), "next": None, "previous": None, "results": found[:size]}

    def _jobs_stdout(self, job):
        text = "\n".join(event["stdout"] for event in self.work.events(job) if event["stdout"])
        if request.args.get("format") == "txt":
            return Response(re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", text), content_type="text/plain")
        return Response(f"<html>{text}</html>", content_type="text/html")


class _NoPage(HTTPException):
    code = 404


def _page(error):
    code = getattr(error, "code", None) or 404
    if code == 405:
        return {"detail": f'Method "{request.method}" not allowed.'}, 405
    if code in (301, 308):
        return error.get_response()
    return Response(f"<html><h1>{code}</h1></html>", status=code, content_type="text/html")


def _playbooks(project):
    root = project.get("_path")
    return sorted(str(path.relative_to(root)) for path in Path(root).glob("playbooks/*.yml")) if root else []


def _check_type(body):
    fields = body.get("inputs", {}).get("fields", [])
    known = [field["id"] for field in fields]
    if body.get("kind") not in ("cloud", "net"):
        raise Refusal(400, {"kind": [f"Must be 'cloud' or 'net', not {body.get('kind')}"]})
    if len(known) != len(set(known)):
        raise Refusal(400, {"inputs": [f"field IDs must be unique ({known[0]})"]})
    injectors = body.get("injectors", {})
    for label in injectors.get("file", {}):
        if not _LABEL.fullmatch(label):
            said = f"'{label}' does not match any of the regexes: '^{_LABEL.pattern}$'"
            raise Refusal(400, {"injectors": [f"Schema validation error in relative path ['file'] ({said})"]})
    for name in injectors.get("env", {}):
        if name.startswith("ANSIBLE_") or not _ENV.fullmatch(name):
            said = f"Environment variable {name} may affect Ansible configuration so its use is not allowed in"
            raise Refusal(400, {"injectors": [f"{said} credentials."]})
    for field in fields:
        field.setdefault("type", "string")
    return {"_secret": {field["id"] for field in fields if field.get("secret")}, "_saved": now()}
