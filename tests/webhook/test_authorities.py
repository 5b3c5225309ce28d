"""Services with a certificate authority of their own: where plans come from, and the controller."""

import json
import shutil

import pytest
import yaml

from ansible_collections.suanwang.brain.plugins.module_utils.errors import Unauthorized
from ansible_collections.suanwang.brain.plugins.plugin_utils import carried
from ansible_collections.suanwang.brain.plugins.plugin_utils import fetching
from ansible_collections.suanwang.brain.plugins.plugin_utils import governance
from tests.lab.keys import Authority
from tests.webhook.servers import Web
from webhook import config
from webhook.runs import controller
from webhook.runs.folder import Folder

TOKEN = "a token that nobody else may read"


@pytest.fixture(scope="module")
def authorities(tmp_path_factory):
    """(the server's authority, another one, certificate and key of a server on 127.0.0.1)."""
    right, wrong = (Authority(tmp_path_factory.mktemp(name)) for name in ("right", "wrong"))
    return right, wrong, right.serve("localhost", "127.0.0.1", right.folder)


@pytest.fixture
def folder(rendered, tmp_path):
    """A config folder that a test may change, with the tokens of both services."""
    made = tmp_path / "config"
    shutil.copytree(rendered, made)
    for name in ("webhook", "controller"):
        path = made / "credentials" / name
        path.write_text(TOKEN)
        path.chmod(0o600)
    return made


def answer(body):
    return [(200, {"Content-Type": "application/json"}, json.dumps(body).encode())]


def trusts(folder, name, authority):
    """Let the config folder trust an authority, or none but those of the machine."""
    if authority is not None:
        shutil.copy(authority.certificate_path, folder / name)


def bearers(web):
    return [headers.get("Authorization") for _verb, _path, headers, _body in web.asked]


# -- where plans come from ---------------------------------------------------------------------------------
@pytest.fixture
def fetched(desk, folder, authorities, tmp_path, monkeypatch):
    """Return a function that fetches a plan from a server under some trust: (the plan's run, what was asked)."""
    right, _wrong, tls = authorities
    run = desk.new_id()
    digest, _path = desk.store.save_plan({"run": run, "components": []}, {})
    word = carried.pack(desk.store, desk.store.find_plan(digest))
    away = type(desk.store)(tmp_path / "away")

    def fetch(authority):
        trusts(folder, fetching.CA_FILE, authority)
        with Web({f"/api/v1/tasks/{run}/plan": answer({"carried": word})}, tls) as web:
            monkeypatch.setenv(fetching.VARIABLE, f"https://127.0.0.1:{web.port}")
            try:
                got = fetching.find(away, run, governance.load(str(folder)), tmp_path)
                return (got / "plan.json").read_bytes(), web
            except Unauthorized as error:
                return str(error), web

    fetch.plan = (desk.store.find_plan(digest) / "plan.json").read_bytes()
    return fetch


def test_a_plan_comes_from_a_service_with_an_authority_of_its_own(fetched, authorities):
    got, web = fetched(authorities[0])
    assert got == fetched.plan and bearers(web) == [f"Bearer {TOKEN}"]


@pytest.mark.parametrize("which", ["another", "none"])
def test_a_service_that_nobody_vouches_for_gets_no_token(fetched, authorities, which):
    said, web = fetched(authorities[1] if which == "another" else None)
    assert "is not the one it should be" in said and "certificate" in said, said
    assert fetching.CA_FILE in said and fetching.VARIABLE in said and web.asked == []


# -- the controller ----------------------------------------------------------------------------------------
def launched(folder, tls, tmp_path):
    """Let a launch ask a controller behind TLS that has no template; return (what its log says, the server)."""
    with Web({"/api/v2/job_templates/": answer({"count": 0, "next": None, "results": []})}, tls) as web:
        settings = yaml.safe_load((folder / "webhook.yml").read_text())
        settings["backend"] = {"kind": "controller", "url": f"https://127.0.0.1:{web.port}"}
        (folder / "webhook.yml").write_text(yaml.safe_dump(settings))
        loaded = config.load({"SUANWANG_CONFIG": str(folder), "SUANWANG_STATE": str(tmp_path / "state")})
        place = Folder(tmp_path / "launch")
        place.make({"template": "SuanWang apply", "extra_vars": {}, "fields": {}, "since": "2026-11-28T00:00:00Z"})
        assert controller.run(place, loaded) == 0 and place.read("result.json")["exit_code"] == 1
        return (place / "log.txt").read_text(), web


def test_a_controller_with_an_authority_of_its_own_is_asked(folder, authorities, tmp_path):
    right, _wrong, tls = authorities
    trusts(folder, controller.CA_FILE, right)
    said, web = launched(folder, tls, tmp_path)
    assert "has 0 job templates 'SuanWang apply'" in said and bearers(web) == [f"Bearer {TOKEN}"]


@pytest.mark.parametrize("which", ["another", "none"])
def test_a_controller_that_nobody_vouches_for_gets_no_token(folder, authorities, tmp_path, which):
    _right, wrong, tls = authorities
    trusts(folder, controller.CA_FILE, wrong if which == "another" else None)
    said, web = launched(folder, tls, tmp_path)
    assert said.startswith("ERROR: the controller") and "is not the one it should be" in said, said
    assert controller.CA_FILE in said and "backend.url" in said and TOKEN not in said and web.asked == []
