# SPDX-License-Identifier: GPL-3.0-or-later
"""Answers HTTP at ``$SWB_PORT``: ``GET /`` says what is served, ``POST /`` reads rows and tells their digits.

A row is 64 pixels 0..16; ``{"rows": [[…], …]}`` is answered by ``{"digits": [7, …]}``: argmax(X/16·W + b) of the
model in ``$SWB_INPUT_MODEL``.
"""

import http.server
import json
import os
import sys

import numpy as np

LONGEST = 1 << 20


def classify(model, rows):
    """Return the digit of each row."""
    return (np.asarray(rows, dtype=float).reshape(-1, 64) / 16.0 @ model["W"] + model["b"]).argmax(axis=1).tolist()


class Handler(http.server.BaseHTTPRequestHandler):
    model = None

    def do_GET(self):
        self._answer(200, {"serves": "digits", "pixels": 64, "blank": classify(self.model, [0] * 64)[0]})

    def do_POST(self):
        try:
            length = int(self.headers.get("Content-Length", 0))
            if length > LONGEST:
                raise ValueError(f"more than {LONGEST} bytes")
            rows = json.loads(self.rfile.read(length))["rows"]
            self._answer(200, {"digits": classify(self.model, rows)})
        except (ValueError, KeyError, TypeError) as error:
            self._answer(400, {"error": str(error)})

    def _answer(self, status, body):
        data = json.dumps(body).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, form, *words):
        print(form % words, flush=True)


def main():
    with np.load(os.environ["SWB_INPUT_MODEL"], allow_pickle=False) as arrays:
        Handler.model = {name: arrays[name] for name in ("W", "b")}
    print("the model is read", flush=True)
    http.server.ThreadingHTTPServer(("", int(os.environ["SWB_PORT"])), Handler).serve_forever()


if __name__ == "__main__":
    sys.exit(main())
