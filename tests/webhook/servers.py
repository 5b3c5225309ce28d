"""Servers that are no sites: a real mail server with TLS, and web servers that keep what they were asked."""

import contextlib
import http.server
import json
import ssl
import threading

from aiosmtpd.controller import Controller
from aiosmtpd.smtp import AuthResult

from tests.lab.render import free_port


class Mailbox:
    """What a mail server took, and what it shall refuse: recipient → answer. fails: so many mails are put off."""

    def __init__(self, password=None):
        self.taken, self.refused, self.fails, self.password, self.logins = [], {}, 0, password, []

    async def handle_RCPT(self, server, session, envelope, address, rcpt_options):
        if address in self.refused:
            return self.refused[address]
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, server, session, envelope):
        if self.fails:
            self.fails -= 1
            return "451 try again later"
        self.taken.append((envelope.rcpt_tos, envelope.content, session.ssl is not None))
        return "250 OK"

    def log_in(self, server, session, envelope, mechanism, data):
        self.logins.append(data.login.decode())
        return AuthResult(success=data.password.decode() == self.password)


@contextlib.contextmanager
def mail(box, tls=None):
    """Run a mail server on a free port; yield the port. tls: (certificate, key) for STARTTLS."""
    options = {}
    if tls:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(*map(str, tls))
        options = {"tls_context": context, "require_starttls": True, "authenticator": box.log_in, "auth_required": True}
    controller = Controller(box, hostname="127.0.0.1", port=free_port(set()), **options)
    controller.start()
    try:
        yield controller.port
    finally:
        controller.stop()


class Web:
    """A web server. answers: path → list of (status, headers, body), the last one for ever. asked: what came."""

    def __init__(self, answers, tls=None):
        self.answers, self.asked = {path: list(one) for path, one in answers.items()}, []
        web = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self):
                self.answer()

            do_POST = do_GET

            def answer(self):
                data = self.rfile.read(int(self.headers.get("Content-Length", 0)))
                web.asked.append((self.command, self.path, dict(self.headers), data))
                found = web.answers.get(self.path.partition("?")[0], [(404, {}, b"")])
                status, headers, body = found.pop(0) if len(found) > 1 else found[0]
                self.send_response(status)
                for name, value in headers.items():
                    self.send_header(name, value)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_unused):
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        if tls:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(*map(str, tls))
            self.server.socket = context.wrap_socket(self.server.socket, server_side=True)
        self.port = self.server.server_address[1]

    def __enter__(self):
        self.thread = threading.Thread(target=self.server.serve_forever, args=(0.05,), daemon=True)
        self.thread.start()
        return self

    def __exit__(self, *_unused):
        self.server.shutdown()
        self.server.server_close()
        self.thread.join()


def said(code, **more):
    """An answer of a robot."""
    return 200, {"Content-Type": "application/json"}, json.dumps({"errcode": code, "errmsg": "", **more}).encode()
