"""Serves a service's own WSGI module: ``python wsgi_run.py keystone.wsgi.api PORT``. Its configuration is in OS_*."""

import importlib
import os
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import sqlitefix  # noqa: E402
import waitress  # noqa: E402


def main():
    module, port = sys.argv[1:]
    sys.argv[1:] = []  # the services read it themselves
    sqlitefix.apply()
    waitress.serve(importlib.import_module(module).application, host="127.0.0.1", port=int(port), threads=8)


if __name__ == "__main__":
    main()
