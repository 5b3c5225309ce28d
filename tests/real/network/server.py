"""A site's two API nodes behind its address translation: ``python -m tests.real.network.server SITE FOLDER PRIVATE``.

Whatever is asked, the answer names the site, the node, the client as it is seen, and a next place at the private side.
"""

import http.server
import json
import ssl
import sys
import threading
from pathlib import Path

PORTS = (8081, 8082)


def serve(site, folder, private, port):
    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            body = json.dumps({"site": site, "node": port, "peer": self.client_address[0],
                               "next": f"https://{private}:8443/who"}).encode()  # fmt: skip
            self.send_response(200)
            self.send_header("Content-Length", str(len(body)))
            self.send_header("Connection", "close")
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_):
            pass

    server = http.server.ThreadingHTTPServer((private, port), Handler)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(folder / "certificate.pem", folder / "key.pem")
    server.socket = context.wrap_socket(server.socket, server_side=True, do_handshake_on_connect=False)
    threading.Thread(target=server.serve_forever, daemon=True).start()


def main(site, folder, private):
    for port in PORTS:
        serve(site, Path(folder), private, port)
    print("ready", flush=True)
    sys.stdin.read()


if __name__ == "__main__":
    main(*sys.argv[1:])
