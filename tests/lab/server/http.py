"""A threaded HTTP(S) server with the rough edges a stand-in needs: it can cut, swallow, freeze and be dead.

TLS is spoken in the connection's own thread, so a client that never finishes its handshake holds up nobody.
"""

import contextlib
import json
import socket
import socketserver
import ssl
import threading
import traceback
from http.server import BaseHTTPRequestHandler

from tests.lab.server import faults as front
from tests.lab.slurm.answers import Answer


class Cut(Exception):
    """Close the connection without a word."""


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    timeout = 120
    disable_nagle_algorithm = True
    server_version, sys_version = "lab", ""

    def log_message(self, *_):
        pass

    def handle(self):
        with contextlib.suppress(ConnectionError, ssl.SSLError, TimeoutError, Cut):
            super().handle()

    def finish(self):
        with contextlib.suppress(OSError):
            super().finish()

    def _body(self) -> bytes:
        length = int(self.headers.get("Content-Length") or 0)
        body = self.rfile.read(length)
        if len(body) < length:
            raise Cut  # a truncated submission makes no job
        return body

    def _serve(self):
        body = self._body()
        try:
            answer = self.server.respond(self.command, self.path, self.headers, body, self.client_address)
        except Cut:
            raise
        except Exception as error:  # a mistake of the lab itself: say so, and where, instead of hanging up
            traceback.print_exc()
            answer = Answer(500, f"lab bug, see the site's log: {error!r}", close=True)
        payload, kind = b"", None
        if isinstance(answer.body, bytes):
            payload, kind = answer.body, "application/octet-stream"
        elif isinstance(answer.body, str):
            payload, kind = answer.body.encode(), "text/plain"
        elif answer.body is not None:
            payload, kind = json.dumps(answer.body).encode(), "application/json"
        self.send_response(answer.status)
        for name, value in answer.headers.items():
            self.send_header(name, value)
        if kind:
            self.send_header("Content-Type", kind)
        if answer.status != 304:
            self.send_header("Content-Length", str(len(payload)))
        if answer.close or answer.status >= 400:  # slurmrestd hangs up after every error
            self.send_header("Connection", "Close")
            self.close_connection = True
        self.end_headers()
        self.wfile.write(payload[: len(payload) // 2] if answer.torn else payload)
        if answer.torn:
            raise Cut

    do_GET = do_POST = do_DELETE = do_PUT = do_PATCH = do_HEAD = _serve


class Server(socketserver.ThreadingTCPServer):
    """Serves `respond(method, target, headers, body, peer) → Answer` at one address."""

    allow_reuse_address = True
    daemon_threads = True
    request_queue_size = 256

    def __init__(self, address, respond, certificate=None, key=None, on_connect=None):
        self.respond = respond
        self._on_connect = on_connect
        self._open: set[socket.socket] = set()
        self._guard = threading.Lock()
        self._context = None
        if certificate:
            self._context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            self._context.load_cert_chain(certificate, key)
        super().__init__(address, Handler)

    def process_request_thread(self, request, client_address):
        if self._on_connect:
            self._on_connect(client_address)
        if self._context:
            try:
                request.settimeout(30)
                request = self._context.wrap_socket(request, server_side=True)
            except OSError:
                self.shutdown_request(request)
                return
        with self._guard:
            self._open.add(request)
        try:
            super().process_request_thread(request, client_address)
        finally:
            with self._guard:
                self._open.discard(request)

    def handle_error(self, request, client_address):
        traceback.print_exc()  # into the site's log

    def serve_in_background(self):
        threading.Thread(target=self._accept, daemon=True).start()
        return self

    def _accept(self):
        # Not serve_forever: it polls, and a lab may stay up for days.
        while True:
            try:
                self.process_request(*self.get_request())
            except OSError:
                return

    def close(self):
        """Refuse new connections and cut the open ones."""
        with contextlib.suppress(OSError):
            self.socket.shutdown(socket.SHUT_RDWR)  # wakes the thread that accepts
        self.socket.close()
        with self._guard:
            for connection in self._open:
                with contextlib.suppress(OSError):
                    connection.shutdown(socket.SHUT_RDWR)


def _changes(method, path):
    return method not in ("GET", "HEAD")


def faulty(respond, faults, counters, changes=_changes):
    """Wrap a platform's `respond` in the faults of its site, and count what comes through.

    changes(method, path): whether such a request is a write.
    """

    first = {}

    def answer(method, target, headers, body, peer):
        path = target.partition("?")[0]
        write = changes(method, path)
        counters.note("rest", write, f"{method} {path}")
        counters.note_headers(headers)
        faults.delay(path)
        if faults.take("cut", path):
            raise Cut
        if status := faults.take("status", path):
            code, wait = int(status.get("code", 503)), status.get("retry_after", 1)
            again = {"Retry-After": str(wait)} if code in (429, 503) and wait is not None else {}
            return Answer(code, "Try again later", again, close=True)
        if reply := faults.take("reply", path):
            return Answer(int(reply["code"]), reply["text"].encode(), reply.get("headers", {}), close=True)
        found = respond(method, target, headers, body, expired=bool(faults.take("token_expiry", path)))
        if write and faults.take("lost_answer", path):
            raise Cut
        if isinstance(found.body, dict) and (short := faults.take("partial", path)):
            whole = json.loads(json.dumps(found.body))
            found.body = faults.changed("partial", whole, front.shorten(found.body, short))
        if isinstance(found.body, (dict, list)):
            if change := faults.take("rewrite", path):
                said = json.dumps(found.body, ensure_ascii=False)
                found.body = faults.changed(
                    "rewrite", found.body, json.loads(said.replace(change["old"], change["new"]))
                )
            if found.status < 300 and faults.take("again", path):
                again = path in first
                found.body = first.setdefault(path, found.body)
                faults.changed("again", False, again)
            found.torn = bool(faults.take("torn", path))
        if not faults.as_dict().get("again"):
            first.clear()
        return found

    return answer
