# SPDX-License-Identifier: GPL-3.0-or-later
"""The HTTP transport against a small server that misbehaves on purpose."""

import dataclasses
import hashlib
import http.server
import socket
import ssl
import threading
import time
import traceback

import pytest

from ansible_collections.suanwang.brain.plugins.module_utils import http as transport
from ansible_collections.suanwang.brain.plugins.module_utils import sites
from ansible_collections.suanwang.brain.plugins.module_utils.errors import BrainError
from ansible_collections.suanwang.brain.plugins.module_utils.errors import Refused
from ansible_collections.suanwang.brain.plugins.module_utils.errors import Timeout
from ansible_collections.suanwang.brain.plugins.module_utils.errors import Unauthorized
from ansible_collections.suanwang.brain.plugins.module_utils.errors import Unreachable
from tests.lab import keys

SECRET = "eyJhbGciOiJIUzI1NiJ9.c2VjcmV0"
NAME = "api.site.invalid"


class Server:
    """A TLS server on loopback. `act(handler)` answers each request; `seen` lists them."""

    def __init__(self, folder, address="127.0.0.1", name=NAME):
        self.seen, self.act = [], lambda handler: reply(handler, 200, b'{"ok": true}')
        self.ended = threading.Event()
        outer = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_any(self):
                body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
                outer.seen.append((self.command, self.path, dict(self.headers), body))
                outer.act(self)

            do_GET = do_POST = do_DELETE = do_any

            def log_message(self, *_):
                pass

        class Quiet(http.server.ThreadingHTTPServer):
            daemon_threads = True

            def handle_error(self, *_):
                pass

            def shutdown_request(self, request):
                try:
                    super().shutdown_request(request)
                except OSError:
                    request.close()

        self.server = Quiet((address, 0), Handler)
        if folder:
            folder.mkdir(exist_ok=True)
            authority = keys.Authority(folder)
            self.certificate, key = authority.serve(name, address, folder)
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(self.certificate, key)
            self.server.socket = context.wrap_socket(
                self.server.socket, server_side=True, do_handshake_on_connect=False
            )
        self.port = self.server.server_address[1]
        self.thread = threading.Thread(target=self.server.serve_forever, args=(0.02,), daemon=True)
        self.thread.start()

    def stop(self):
        self.ended.set()
        self.server.shutdown()
        self.server.server_close()
        self.thread.join()


def reply(handler, status, body=b"", **headers):
    handler.send_response(status)
    for key, value in headers.items():
        handler.send_header(key.replace("_", "-"), value)
    handler.send_header("Content-Length", str(len(body)))
    handler.end_headers()
    handler.wfile.write(body)


@pytest.fixture
def server(tmp_path):
    made = Server(tmp_path / "tls")
    yield made
    made.stop()


@pytest.fixture
def make(server, tmp_path):
    """Return a function that makes an Http for the server; arguments change the endpoint."""
    made = []

    def build(**changed):
        endpoint = sites.Endpoint(
            id="api", protocol="https", via="intranet", address="127.0.0.1", port=server.port,
            tls={"ca_bundle": "tls/ca.pem", "server_name": NAME},
        )  # fmt: skip
        networks = {"intranet": ["127.10.0.0/16"], "internet": ["203.0.113.0/24"]}
        site = sites.Site("hunan", {}, networks, (endpoint,), "")
        made.append(transport.Http(site, dataclasses.replace(endpoint, **changed), tmp_path))
        return made[-1]

    yield build
    for one in made:
        one.close()


@pytest.fixture
def client(make):
    return make()


# -- what comes back --------------------------------------------------------------------------------
def test_an_answer_is_handed_on_unjudged(server, client):
    server.act = lambda h: reply(h, 500, b'{"errors": [1]}', Content_Type="application/json", X_A="b")
    answer = client.request("GET", "/a/b", params={"q": "数 据"}, headers={"X-T": SECRET})
    assert (answer.status, answer.body, answer.headers["x-a"]) == (500, {"errors": [1]}, "b")
    method, path, headers, _body = server.seen[0]
    assert (method, path, headers["X-T"]) == ("GET", "/a/b?q=%E6%95%B0+%E6%8D%AE", SECRET)
    assert 0 < client.rtt_ms < 1000


def test_a_body_that_is_no_json_is_none(server, client):
    server.act = lambda h: reply(h, 404, "nein ü".encode(), Content_Type="text/plain")
    answer = client.request("GET", "/")
    assert (answer.body, answer.text) == (None, "nein ü")


def test_json_goes_out_as_json(server, client):
    client.request("POST", "/x", json={"a": "名"}, read=False)
    _method, _path, headers, body = server.seen[0]
    assert headers["Content-Type"] == "application/json" and b"a" in body


def test_a_redirect_is_not_followed(server, client):
    server.act = lambda h: reply(h, 302, Location="https://203.0.113.9/evil")
    assert client.request("GET", "/").status == 302
    assert len(server.seen) == 1


def test_one_connection_serves_many_requests(server, client):
    peers = set()

    def act(handler):
        peers.add(handler.client_address)
        reply(handler, 200, b"{}")

    server.act = act
    for _ in range(5):
        client.request("GET", "/")
    assert len(peers) == 1


def test_the_session_of_a_parent_is_not_used(client):
    client.request("GET", "/")
    parents, client._pid = client._session, client._pid + 1
    client.request("GET", "/")
    assert client._session is not parents
    parents.close()


# -- who it is --------------------------------------------------------------------------------------
def test_another_ca_is_refused(make, tmp_path):
    (tmp_path / "other").mkdir()
    keys.Authority(tmp_path / "other")
    with pytest.raises(Unauthorized) as caught:
        make(tls={"ca_bundle": "other/ca.pem", "server_name": NAME}).request("GET", "/")
    assert "not the one it should be" in str(caught.value) and "ca_bundle" in caught.value.way_out


def test_another_name_is_refused(make):
    with pytest.raises(Unauthorized):
        make(tls={"ca_bundle": "tls/ca.pem", "server_name": "else.invalid"}).request("GET", "/")


def test_the_name_is_the_address_where_none_is_given(make):
    assert make(tls={"ca_bundle": "tls/ca.pem"}).request("GET", "/").status == 200


def test_a_pin_is_kept(server, make):
    pem = server.certificate.read_text()
    right = hashlib.sha256(ssl.PEM_cert_to_DER_cert(pem)).hexdigest()
    base = {"ca_bundle": "tls/ca.pem", "server_name": NAME}
    assert make(tls={**base, "pin_sha256": right}).request("GET", "/").status == 200
    with pytest.raises(Unauthorized) as caught:
        make(tls={**base, "pin_sha256": "0" * 64}).request("GET", "/")
    assert "pinned" in str(caught.value)
    assert len(server.seen) == 1


def test_a_missing_bundle_is_named(make, tmp_path):
    with pytest.raises(BrainError) as caught:
        make(tls={"ca_bundle": "no.pem"}).request("GET", "/")
    assert str(tmp_path / "no.pem") in str(caught.value)


def test_the_environment_is_ignored(client, monkeypatch, tmp_path):
    for name in ("HTTPS_PROXY", "https_proxy", "ALL_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:1")
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(tmp_path / "none.pem"))
    monkeypatch.setenv("HOME", str(tmp_path))
    (tmp_path / ".netrc").write_text("machine 127.0.0.1 login a password b\n")
    assert client.request("GET", "/").status == 200


def test_a_stated_proxy_is_used(make, server):
    proxy = Server(None)
    try:
        client = make(protocol="http", proxy=f"http://127.0.0.1:{proxy.port}")
        assert client.request("GET", "/x").status == 200
        assert proxy.seen[0][1] == f"http://127.0.0.1:{server.port}/x" and not server.seen
    finally:
        client.close()
        proxy.stop()


# -- what is tried again, and what is not -----------------------------------------------------------
def failing(times, status, **headers):
    left = [times]

    def act(handler):
        left[0] -= 1
        reply(handler, status if left[0] >= 0 else 200, b"{}", **headers)

    return act


@pytest.mark.parametrize("status", [429, 502, 503, 504])
def test_a_read_is_tried_again(server, client, status):
    server.act = failing(2, status)
    assert client.request("GET", "/").status == 200
    assert len(server.seen) == 3


@pytest.mark.parametrize("status", [429, 502, 503, 504])
def test_a_write_is_not(server, client, status):
    server.act = failing(2, status)
    with pytest.raises(Unreachable) as caught:
        client.request("POST", "/job/submit", read=False)
    assert len(server.seen) == 1
    assert caught.value.details["doubt"] is (status != 429)
    assert caught.value.request == "POST /job/submit" and caught.value.site == "hunan"


def test_500_is_not_tried_again(server, client):
    server.act = failing(1, 500)
    assert client.request("GET", "/").status == 500


def test_retry_after_is_honoured(server, client):
    server.act = failing(1, 429, Retry_After="0.5")
    began = time.monotonic()
    assert client.request("GET", "/").status == 200
    assert time.monotonic() - began >= 0.5


def test_a_retry_after_beyond_the_deadline_is_told_at_once(server, client):
    server.act = failing(9, 429, Retry_After="120")
    began = time.monotonic()
    with pytest.raises(Unreachable) as caught:
        client.request("GET", "/", timeout_s=5)
    assert time.monotonic() - began < 2 and "120 s" in caught.value.way_out


def cutting(handler):
    handler.connection.shutdown(socket.SHUT_RDWR)
    handler.close_connection = True


def short(handler):
    handler.send_response(200)
    handler.send_header("Content-Length", "1000")
    handler.end_headers()
    handler.wfile.write(b'{"jobs": []}')
    handler.wfile.flush()
    cutting(handler)


@pytest.mark.parametrize("act", [cutting, short])
def test_a_cut_write_is_doubt_and_sent_once(server, client, act):
    server.act = act
    with pytest.raises(Unreachable) as caught:
        client.request("POST", "/", json={}, read=False)
    assert len(server.seen) == 1 and caught.value.details == {"doubt": True}


@pytest.mark.parametrize("act", [cutting, short])
def test_a_cut_read_is_tried_again(server, client, act):
    left = [act]
    server.act = lambda h: left.pop()(h) if left else reply(h, 200, b"{}")
    assert client.request("GET", "/").body == {}
    assert len(server.seen) == 2


def test_a_write_that_found_nobody_is_no_doubt(make):
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        client = make(port=closed.getsockname()[1])
        with pytest.raises(Unreachable) as caught:
            client.request("POST", "/", read=False)
    assert caught.value.details == {"doubt": False}
    assert "connection refused" in str(caught.value)


# -- time -------------------------------------------------------------------------------------------
def trickling(server):
    def act(handler):
        for byte in b"HTTP/1.1 200 OK\r\nX: " + b"y" * 500:
            if server.ended.wait(0.05):
                return
            handler.wfile.write(bytes([byte]))
            handler.wfile.flush()

    return act


def trickling_body(server):
    def act(handler):
        handler.send_response(200)
        handler.send_header("Content-Length", "500")
        handler.end_headers()
        while not server.ended.wait(0.05):
            handler.wfile.write(b" ")
            handler.wfile.flush()

    return act


def silent(server):
    return lambda handler: server.ended.wait(20)


@pytest.mark.parametrize("kind", [trickling, trickling_body, silent])
@pytest.mark.parametrize("read", [True, False])
def test_the_deadline_is_for_the_whole_call(server, client, kind, read):
    server.act = kind(server)
    began = time.monotonic()
    with pytest.raises(Timeout) as caught:
        client.request("GET" if read else "POST", "/slow", timeout_s=0.6, read=read)
    assert 0.5 < time.monotonic() - began < 1.5
    assert caught.value.details == ({} if read else {"doubt": True})
    server.act = lambda h: reply(h, 200, b"{}")
    assert client.request("GET", "/").status == 200


def test_a_port_that_accepts_and_says_nothing_is_in_time(make):
    with socket.socket() as mute:
        mute.bind(("127.0.0.1", 0))
        mute.listen()
        began = time.monotonic()
        with pytest.raises(Unreachable) as caught:
            make(port=mute.getsockname()[1]).request("POST", "/", timeout_s=0.5, read=False)
        assert time.monotonic() - began < 1.5 and caught.value.details["doubt"] is False


def test_the_rate_of_a_site_is_kept(make):
    client = make(requests_a_s=20)
    began = time.monotonic()
    for _ in range(6):
        client.request("GET", "/")
    assert time.monotonic() - began >= 5 / 20


def test_a_large_answer_ends_at_the_limit(server, client, monkeypatch):
    monkeypatch.setattr(transport, "BODY_LIMIT", 1024 * 1024)
    server.act = lambda h: reply(h, 200, b"x" * 3_000_000)
    with pytest.raises(BrainError) as caught:
        client.request("GET", "/")
    assert "larger than 1 MiB" in str(caught.value)


# -- silence ----------------------------------------------------------------------------------------
@pytest.mark.parametrize("act", [cutting, short, failing(9, 503), failing(9, 429), None])
def test_no_error_tells_a_secret(server, make, act):
    client = make() if act else make(port=1)
    server.act = act or server.act
    with pytest.raises(BrainError) as caught:
        client.request("POST", "/p", headers={"X-Token": SECRET}, json={"a": SECRET}, params={"k": SECRET}, read=False)
    error = caught.value
    shown = "".join(traceback.format_exception(error, chain=True))
    for text in (str(error), repr(error), str(error.failure()), shown):
        assert SECRET not in text
    assert error.__cause__ is None
    assert error.__context__ is None or error.__suppress_context__


# -- addresses in answers ---------------------------------------------------------------------------
def test_an_address_in_an_answer_is_mapped(make):
    client = make()
    rows = ({"private": {"address": "10.0.0.5", "port": 9000},
             "public": {"address": "203.0.113.7", "port": 19000}},)  # fmt: skip

    @dataclasses.dataclass(frozen=True)
    class Mapped(sites.Site):
        address_map: tuple = ()

    client.site = Mapped(**{f.name: getattr(client.site, f.name) for f in dataclasses.fields(client.site)}
                         | {"address_map": rows})  # fmt: skip
    found = client.foreign_url("https://10.0.0.5:9000/b/o?sig=1#f")
    assert found == "https://203.0.113.7:19000/b/o?sig=1"


@pytest.mark.parametrize("url", [
    "https://10.0.0.9/x", "https://8.8.8.8/x", "http://169.254.169.254/latest", "file:///etc/passwd",
    "https://user:pw@127.10.0.1/x", "https://somewhere.example/x", "https://127.11.0.1/x", "", "https://[::1]/x",
    "https://127.10.0.1:99999/x", "gopher://127.10.0.1/", "https://127.10.0.1.example.org/",
])  # fmt: skip
def test_an_address_outside_the_site_is_refused(make, url):
    with pytest.raises(Refused) as caught:
        make().foreign_url(url)
    assert "pw" not in str(caught.value)


def test_an_address_inside_the_site_is_good(make):
    assert make().foreign_url("https://127.10.3.4/a") == "https://127.10.3.4:443/a"
