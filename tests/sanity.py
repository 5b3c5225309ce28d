"""Runs the whole `ansible-test sanity` on the collection, with a package index and no other network.

ansible-test fetches a pip bootstrap script from a server of its own unless its cache holds one.
ensurepip does the same from what Python ships, so that is what the cache is given. The cache is
found through HOME, hence a HOME of our own; and as ansible-test hands on hardly any environment
variable, pip's settings go into that HOME as a file.
"""

import os
import shlex
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

from ansible_test._internal.python_requirements import get_venv_packages

ROOT = Path(__file__).resolve().parent.parent
COLLECTION = ROOT / "collections/ansible_collections/suanwang/brain"
HOME = ROOT / ".cache/sanity"
PYTHON = "{}.{}".format(*sys.version_info)


def write(path, text):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")


def pip_settings():
    """What pip is told by environment variables and by the user's files, as one file."""
    listed = subprocess.run([sys.executable, "-m", "pip", "config", "list"], capture_output=True, text=True, check=True)
    settings = {}
    for line in listed.stdout.splitlines():
        name, _, value = line.partition("=")
        section, _, key = name.rpartition(".")
        if section in ("global", "install", ":env:") and key not in ("require-hashes", "user"):
            settings[key] = shlex.split(value)[0]
    if bundle := os.environ.get("REQUESTS_CA_BUNDLE"):
        settings.setdefault("cert", bundle)
    if proxy := os.environ.get("https_proxy") or os.environ.get("HTTPS_PROXY"):
        settings.setdefault("proxy", proxy)
    return "[global]\nquiet = 1\n" + "".join(f"{key} = {value}\n" for key, value in settings.items())


def main():
    pip = get_venv_packages(SimpleNamespace(version=PYTHON))["pip"].replace(".", "_")
    shim = "import ensurepip\n\nensurepip.bootstrap(default_pip=True)\n"
    write(HOME / f".ansible/test/cache/get_pip_{pip}.py", shim)
    write(HOME / ".config/pip/pip.conf", pip_settings())
    environment = os.environ | {"HOME": str(HOME), "PATH": f"{Path(sys.prefix, 'bin')}:{os.environ['PATH']}"}
    environment.pop("XDG_CONFIG_HOME", None)
    command = ["ansible-test", "sanity", "--python", PYTHON, "--color", "no", *sys.argv[1:]]
    return subprocess.run(command, cwd=COLLECTION, env=environment).returncode


if __name__ == "__main__":
    sys.exit(main())
