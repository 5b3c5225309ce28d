"""A PostgreSQL server of a test's own, without root's rights and without durability."""

import contextlib
import os
import pwd
import shutil
import signal
import subprocess
import tempfile
import time
from pathlib import Path

from tests.lab import render


def binaries():
    """Return the folder of the newest server that is installed, or None."""
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/postgres"), key=lambda path: int(path.parts[4]))
    return found[-1].parent if found else None


@contextlib.contextmanager
def server():
    """Yield the address of a database on a fresh server in a folder of its own."""
    bin_, port = binaries(), render.free_port(set())
    as_other = {}
    folder = Path(tempfile.mkdtemp(prefix="suanwang-postgres-"))  # short: its socket's path has a limit
    if os.getuid() == 0:  # it refuses root
        nobody = pwd.getpwnam("nobody")
        as_other = {"user": nobody.pw_uid, "group": nobody.pw_gid, "extra_groups": []}
        shutil.chown(folder, nobody.pw_uid, nobody.pw_gid)
    options = {"check": True, "stdout": subprocess.DEVNULL, "env": {"LC_ALL": "C.UTF-8", "HOME": str(folder)}}
    initdb = ["-D", "data", "-U", "brain", "-A", "trust", "-E", "UTF8", "--locale=C.UTF-8", "--no-sync"]
    subprocess.run([bin_ / "initdb", *initdb], cwd=folder, **options, **as_other)
    quick = [f"-c{name}=off" for name in ("fsync", "full_page_writes", "synchronous_commit")]
    with open(folder / "postgres.log", "wb") as log:
        process = subprocess.Popen(
            [bin_ / "postgres", "-D", "data", "-k", folder, "-c", "listen_addresses=127.0.0.1", "-p", str(port),
             *quick],
            cwd=folder, stdout=log, stderr=log, env=options["env"], **as_other,
        )  # fmt: skip
    try:
        ready = [bin_ / "pg_isready", "-q", "-h", "127.0.0.1", "-p", str(port)]
        until = time.monotonic() + 30
        while subprocess.run(ready).returncode and time.monotonic() < until:
            time.sleep(0.05)
        yield f"postgresql+psycopg://brain@127.0.0.1:{port}/postgres"
    finally:
        process.send_signal(signal.SIGINT)
        process.wait(20)
        shutil.rmtree(folder)
