"""Logins by real identity providers: oidc-provider, django-cas-server."""

import dataclasses
import os
import threading
import time
from wsgiref.simple_server import make_server
from wsgiref.simple_server import WSGIRequestHandler

import pytest

from tests.lab import render
from tests.webhook import providers
from webhook.app import build
from webhook.config import Cas
from webhook.config import Oidc

GROUPS = {"requester": ["research-staff"], "approver": ["computing-board"]}


class Quiet(WSGIRequestHandler):
    def log_message(self, *_):
        pass


@pytest.fixture
def served(settings, desk):
    """Serve the application with other settings; returns a function of the fields of webhook.yml."""
    servers = []

    def serve(port, **fields):
        file = settings.file.model_copy(update={"groups": GROUPS, "tenants": {"demo": ["research-staff"]}, **fields})
        made = dataclasses.replace(settings, file=file, port=port, public_url=f"http://127.0.0.1:{port}")
        desk.settings = made
        server = make_server("127.0.0.1", port, build(made, desk), handler_class=Quiet)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        servers.append(server)
        return made.public_url

    yield serve
    for server in servers:
        server.shutdown()
        server.server_close()


def needs(here, how):
    if not here:
        if os.environ.get("CI"):
            pytest.fail(f"CI needs it: {how}")
        pytest.skip(how)


def who(walker, url):
    answer = walker.get(f"{url}/api/v1/session")
    return answer.json() if answer.ok else answer.status_code


@pytest.fixture
def openid(settings, served, tmp_path):
    needs(providers.openid_is_here(), "the OpenID provider needs node and npm: apt-get install nodejs npm")
    secret = settings.credentials / "webhook-oidc"
    secret.write_text("a secret of one test, long enough for anybody\n")
    secret.chmod(0o600)
    taken = set()
    idp, port = render.free_port(taken), render.free_port(taken)
    public = f"http://127.0.0.1:{port}"
    with providers.openid(tmp_path, idp, secret.read_text().strip(), public):
        oidc = Oidc(issuer=f"http://127.0.0.1:{idp}", client_id="suanwang", credential="webhook-oidc")
        yield served(port, login=["oidc"], oidc=oidc), f"http://127.0.0.1:{idp}"


def enter(url, name):
    walker = providers.Walker()
    page = walker.get(f"{url}/login/oidc?next=/tasks")
    return walker, walker.send(page, login=name, password="any")


def test_people_of_the_openid_provider_come_in_by_their_groups(openid):
    url, _idp = openid
    walker, landed = enter(url, "li")
    assert landed.status_code == 200 and landed.url == f"{url}/tasks"
    found = who(walker, url)
    assert (found["principal"], found["name"], found["roles"], found["tenants"]) == (
        "li@example.org", "li 同志", ["requester"], ["demo"],
    )  # fmt: skip
    walker, _landed = enter(url, "wang")
    assert who(walker, url)["roles"] == ["approver"]
    walker, landed = enter(url, "stranger")
    assert landed.status_code == 403 and "不属于可使用本服务的任何组" in landed.text
    assert who(walker, url) == 401


def test_a_forged_answer_of_the_openid_provider_lets_nobody_in(openid):
    url, _idp = openid
    walker = providers.Walker()
    walker.get(f"{url}/login/oidc")
    for query in ("state=forged&code=forged", "code=forged", "error=access_denied", ""):
        answer = walker.get(f"{url}/login/oidc/back?{query}")
        assert answer.status_code == 401, query
    assert who(walker, url) == 401


def test_the_openid_provider_ends_sessions(openid):
    url, idp = openid
    walker, _landed = enter(url, "li")
    assert who(walker, url)["principal"] == "li@example.org"
    forged = walker.session.post(f"{url}/login/oidc/logout", data={"logout_token": "a.b.c"}, timeout=20)
    assert forged.status_code == 400
    page = walker.get(f"{idp}/session/end")
    walker.send(page, logout="yes")
    until = time.monotonic() + 20
    while who(walker, url) != 401 and time.monotonic() < until:
        time.sleep(0.1)
    assert who(walker, url) == 401


def test_nobody_is_sent_elsewhere_after_the_login(openid):
    url, _idp = openid
    walker = providers.Walker()
    page = walker.get(f"{url}/login/oidc?next=https://evil.example/x")
    landed = walker.send(page, login="li", password="any")
    assert landed.url == f"{url}/"


@pytest.fixture
def campus(settings, served, tmp_path):
    needs(providers.campus_is_here(), "the CAS server is a package of the tests: django-cas-server")
    taken = set()
    cas, port = render.free_port(taken), render.free_port(taken)
    public = f"http://127.0.0.1:{port}"
    with providers.campus(tmp_path, cas, public):
        server = f"http://127.0.0.1:{cas}/cas"
        file = Cas(server=server, principal="{user}@campus.example")
        yield served(port, login=["cas"], cas=file), server


def test_people_of_the_campus_come_in_and_go_out_by_cas(campus):
    url, server = campus
    walker = providers.Walker()
    page = walker.get(f"{url}/login/cas?next=/runs")
    landed = walker.send(page, username="zhao", password="campus")
    assert landed.status_code == 200 and landed.url == f"{url}/runs"
    found = who(walker, url)
    assert (found["principal"], found["name"], found["roles"]) == ("zhao@campus.example", "赵老师", ["approver"])
    walker.get(f"{server}/logout")
    until = time.monotonic() + 20
    while who(walker, url) != 401 and time.monotonic() < until:
        time.sleep(0.1)
    assert who(walker, url) == 401


def test_a_ticket_that_the_campus_does_not_know_lets_nobody_in(campus):
    url, _server = campus
    walker = providers.Walker()
    for ticket in ("ST-forged", "", "../../x", "a" * 300):
        assert walker.get(f"{url}/login/cas/back?ticket={ticket}").status_code == 401
    bomb = '<!DOCTYPE x [<!ENTITY a "b">]><SessionIndex>&a;</SessionIndex>'
    answer = walker.session.post(f"{url}/login/cas/back", data={"logoutRequest": bomb}, timeout=20)
    assert answer.status_code == 400
    assert who(walker, url) == 401


def test_a_provider_that_is_down_is_said(settings, served):
    secret = settings.credentials / "webhook-oidc"
    secret.write_text("secret\n")
    secret.chmod(0o600)
    port = render.free_port(set())
    nowhere = "http://127.0.0.1:9"
    oidc = Oidc(issuer=nowhere, client_id="x", credential="webhook-oidc")
    url = served(port, login=["oidc", "cas"], oidc=oidc, cas=Cas(server=f"{nowhere}/cas"))
    walker = providers.Walker()
    assert walker.get(f"{url}/login/oidc").status_code == 503
    assert walker.get(f"{url}/login/cas/back?ticket=ST-1").status_code == 401
