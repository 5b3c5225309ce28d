"""``python -m tests.lab.controller PORT FOLDER COLLECTIONS TOKEN_FILE``."""

import logging
import signal
import sys
from pathlib import Path

from werkzeug.serving import make_server

from tests.lab.controller.objects import Objects
from tests.lab.controller.routes import Controller
from tests.lab.controller.work import Work


def main(port, folder, collections, token_file):
    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    objects = Objects()
    work = Work(objects, folder, collections)
    controller = Controller(objects, work, Path(token_file).read_text().strip())
    server = make_server("127.0.0.1", int(port), controller.app, threaded=True)

    def over(*_unused):
        work.stop()
        raise SystemExit

    signal.signal(signal.SIGTERM, over)
    server.serve_forever()


main(*sys.argv[1:])
