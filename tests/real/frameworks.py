"""Real frameworks for real jobs: CPU builds in virtual environments of the cache folder, made once."""

import fcntl
import shutil
import subprocess
import sys

from tests.real import packages

VERSIONS = {"pytorch": "2.13.0"}
#: Where x86_64 gets a build for processors; PyPI's own brings gigabytes of CUDA.
CPU_BUILDS = "https://download.pytorch.org/whl/cpu"
INSTALL_S = 900


def pytorch():
    """Return the Python that has PyTorch; raise Missing with how to get it."""
    folder = packages.cache() / f"pytorch-{VERSIONS['pytorch']}-{sys.implementation.cache_tag}"
    python = folder / "bin" / "python3"
    folder.parent.mkdir(parents=True, exist_ok=True)
    with open(folder.parent / "lock-frameworks", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not (folder / "complete").exists():
            shutil.rmtree(folder, ignore_errors=True)
            _make(folder, python)
            (folder / "complete").touch()
    return python


def _make(folder, python):
    wanted = [f"torch=={VERSIONS['pytorch']}", "numpy"]
    for command in (
        [sys.executable, "-m", "venv", folder],
        [python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-compile",
         "--retries=1", "--timeout=20", f"--extra-index-url={CPU_BUILDS}", *wanted],
    ):  # fmt: skip
        done = subprocess.run(command, capture_output=True, text=True, timeout=INSTALL_S)
        if done.returncode:
            last = (done.stderr.strip().splitlines() or ["no reason"])[-1]
            raise packages.Missing(f"no PyTorch here: pip says {last!r}; it needs {CPU_BUILDS} or a wheel beside it")
