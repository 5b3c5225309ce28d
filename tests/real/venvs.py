"""Virtual environments of real software in the cache folder, each made once."""

import fcntl
import shutil
import subprocess
import sys

from tests.real import packages

MAKE_S = 900


def there(name):
    """Return whether the environment `name` is made already."""
    return (packages.cache() / name / "complete").exists()


def python(name, wanted, how):
    """Return the Python of the environment `name`; raise packages.Missing where it cannot be made.

    wanted: arguments of ``pip install``. how: why it is missing → the sentence with how to enable it.
    """
    folder = packages.cache()
    folder.mkdir(parents=True, exist_ok=True)
    home = folder / name
    with open(folder / f"{name}.lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not there(name):
            shutil.rmtree(home, ignore_errors=True)
            _make(home, wanted, how)
    return home / "bin" / "python"


def _make(home, wanted, how):
    pip = [home / "bin" / "python", "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
    for command in ([sys.executable, "-m", "venv", home], [*pip, *wanted]):
        try:
            done = subprocess.run(command, capture_output=True, text=True, timeout=MAKE_S, stdin=subprocess.DEVNULL)
        except (OSError, subprocess.TimeoutExpired) as error:
            raise packages.Missing(how(error)) from error
        if done.returncode:
            raise packages.Missing(how((done.stderr.strip().splitlines() or ["pip failed"])[-1]))
    (home / "complete").touch()
