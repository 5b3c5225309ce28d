"""What stands before a real slurmrestd: a counter that passes every request and answer on as they are.

It exists because no real server says how often it was asked, and to lose an answer on purpose.
"""

import contextlib
import http.client
import http.server
import socket
import threading

SKIP = {"connection", "keep-alive", "transfer-encoding", "content-length", "host"}


class _Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    timeout = 60

    def setup(self):
        super().setup()
        self.server.open.add(self.connection)

    def finish(self):
        self.server.open.discard(self.connection)
        super().finish()

    def handle(self):
        # A client that goes away is no trouble of ours.
        with contextlib.suppress(OSError, ValueError):
            super().handle()

    def log_message(self, *_):
        pass

    def _pass_on(self):
        gate = self.server.gate
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0)) or None
        path = self.path.partition("?")[0]
        gate.counters.note("rest", self.command != "GET", f"{self.command} {path}")
        headers = {name: value for name, value in self.headers.items() if name.lower() not in SKIP}
        upstream = http.client.HTTPConnection("127.0.0.1", gate.upstream, timeout=60)
        try:
            upstream.request(self.command, self.path, body, headers)
            answer = upstream.getresponse()
            content = answer.read()
        except (OSError, http.client.HTTPException):
            self.close_connection = True
            return
        finally:
            upstream.close()
        if gate.faults.take("lost_answer", path):
            self.close_connection = True
            return
        self.send_response_only(answer.status, answer.reason)
        for name, value in answer.getheaders():
            if name.lower() not in SKIP:
                self.send_header(name, value)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    do_GET = do_POST = do_DELETE = do_PUT = _pass_on


class _Server(http.server.ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False
    allow_reuse_address = True
    request_queue_size = 64

    def __init__(self, port, gate):
        self.gate, self.open = gate, set()
        super().__init__(("127.0.0.1", port), _Handler)


class Gate:
    """Passes HTTP on from one port of loopback to another, and counts."""

    def __init__(self, port, upstream, counters, faults):
        self.port, self.upstream, self.counters, self.faults = port, upstream, counters, faults
        self._server = self._thread = None

    def open(self):
        if self._server is None:
            self._server = _Server(self.port, self)
            self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True)
            self._thread.start()

    def close(self):
        """Refuse new connections and cut the open ones."""
        if self._server is not None:
            self._server.shutdown()
            self._server.server_close()
            self._thread.join(10)
            for connection in list(self._server.open):
                with contextlib.suppress(OSError):
                    connection.shutdown(socket.SHUT_RDWR)
            self._server = self._thread = None
